//! Inside the signer's process: it loads the key, proves it, opens the journal, gives up everything else, and signs.

use super::words::{Charter, Reply, Request};
use crate::actors::signer::{Chores, Guarded};
use crate::base::time::Nanos;
use crate::config::{Config, Online};
use crate::derive::action::login::login_digest;
use crate::derive::seal::envelope::pins::prove_unmoved;
use crate::derive::seal::wire::{Answer, Ask};
use crate::engine::ports::{ASK_BYTES, Clock, Key, Store};
use crate::io::clock::LiveClock;
use crate::io::host;
use crate::io::key::LocalKey;
use crate::io::lockdown::{self, Filter};
use crate::io::ring::{self, SignerEnds};
use crate::io::store::PageStore;
use crate::market::instrument::{Instrument, Kind, Listing};
use crate::msg::{Breach, Mark};
use crate::ops::blueprint::Blueprint;
use crate::ops::journal::{self, Journal};
use alloy::hex;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Empty looks before it sleeps.
const LOOKS: u32 = 2_000;
/// Longest sleep: chores and the operator's switch are looked at in between.
const NAP: Duration = Duration::from_millis(1);

/// Runs the signer's process to its end over the memory it inherited under this number.
///
/// # Errors
/// Why it ended before it could sign, in words; the engine has been told as well.
pub fn run(memory: i32) -> Result<(), String> {
    lockdown::give_up_privileges()?;
    // SAFETY: asks whether the number is open.
    if memory < 3 || unsafe { libc::fcntl(memory, libc::F_GETFD) } < 0 {
        return Err("this verb is for the engine: it needs a descriptor that only the engine can give".to_owned());
    }
    // SAFETY: it is open, was given to this process for this purpose, and is used nowhere else.
    let memory = unsafe { OwnedFd::from_raw_fd(memory) };
    let ends = ring::join(&memory).map_err(|why| why.to_string())?;
    drop(memory);
    let null = File::options().read(true).write(true).open("/dev/null").map_err(|why| format!("/dev/null: {why}"))?;
    let outcome = introduce();
    if let Err(why) = &outcome {
        say(&Reply::Refused { why: why.clone() })?;
    }
    let (desk, charter) = outcome?;
    let warnings = confine(&charter)?;
    say(&Reply::Ready { warnings })?;
    hush(&null)?;
    lockdown::confine(Filter::Signing)?;
    serve(ends, desk, charter.spin);
    Ok(())
}

/// Nothing is said or heard in words from here on. Both places stay taken: a page of the journal must not get one.
fn hush(null: &File) -> Result<(), String> {
    for number in [0, 1] {
        // SAFETY: takes open descriptors; nobody uses what stood in this place any more.
        if unsafe { libc::dup3(null.as_raw_fd(), number, 0) } != number {
            return Err(format!("cannot leave the pipes: {}", io::Error::last_os_error()));
        }
    }
    Ok(())
}

fn hear() -> Result<Request, String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|why| why.to_string())?;
    serde_json::from_str(&line).map_err(|why| format!("the signer's process was not told what it needs: {why}"))
}

fn say(reply: &Reply) -> Result<(), String> {
    let mut line = serde_json::to_string(reply).map_err(|why| why.to_string())?;
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(|why| why.to_string())
}

/// Everything up to the point where orders may come.
fn introduce() -> Result<(Guarded<LocalKey, PageStore>, Charter), String> {
    let Request::Charter(charter) = hear()? else { return Err("a charter comes first".to_owned()) };
    // Its own reading: what the engine makes of the same words is the engine's affair.
    let config = Config::parse(&charter.text, &charter.file, &Online::here()).map_err(|why| why.to_string())?;
    // A key that somebody on the network unwraps is the only thing that takes the network: from then on there is none.
    let remote = charter.key.is_remote();
    if !remote {
        lockdown::confine(Filter::Files)?;
    }
    let mut key = charter.key.load().map_err(|why| why.to_string())?;
    if remote {
        lockdown::confine(Filter::Files)?;
    }
    say(&Reply::Holds { address: hex::encode_prefixed(Key::address(&key)) })?;
    let instruments = loop {
        match hear()? {
            Request::Prove { timestamp_ms } => {
                let signature = hex::encode_prefixed(key.sign(&login_digest(timestamp_ms)));
                say(&Reply::Proof { signature })?;
            }
            Request::Begin { instruments } => break read_instruments(&instruments)?,
            Request::Charter(_) => return Err("one charter is enough".to_owned()),
        }
    };
    match_config(&instruments, config.instruments())?;
    let (unit, now) = (config.venue.environment.dialect.nonce_unit, LiveClock::new().now());
    let Journal { store, replay, switch, .. } = journal::take_over(&charter.state_dir, unit, now)?;
    prove_unmoved(replay.pins(), &instruments)?;
    let blueprint = Blueprint::of(&config, instruments, Nanos::MAX, &replay);
    Ok((blueprint.desk(key, store, switch), charter))
}

fn read_instruments(listed: &[String]) -> Result<Vec<Instrument>, String> {
    let read = |text: &String| {
        let page: [u8; ASK_BYTES] = hex::decode_to_array(text).ok()?;
        match Ask::read(&page)? {
            Ask::Listing(Listing::Listed { instrument, .. }) => Some(instrument),
            _ => None,
        }
    };
    let instruments: Option<Vec<Instrument>> = listed.iter().map(read).collect();
    let instruments = instruments.ok_or_else(|| "the engine lists an instrument that is none".to_owned())?;
    let in_place = instruments.iter().enumerate().all(|(place, instrument)| usize::from(instrument.id.0) == place);
    if in_place { Ok(instruments) } else { Err("the engine lists instruments out of their places".to_owned()) }
}

/// Names, kinds and currencies are the configuration's own words; only assets are the venue's, by way of the engine.
fn match_config(instruments: &[Instrument], names: &[String]) -> Result<(), String> {
    if instruments.len() != names.len() {
        return Err("the engine lists other instruments than the configuration".to_owned());
    }
    for (instrument, name) in instruments.iter().zip(names) {
        let meant = match name.rsplit_once('-') {
            Some((currency, "PERP")) => Some((Kind::Perp, currency)),
            Some((currency, "USDC")) => Some((Kind::Spot, currency)),
            _ => None,
        };
        let is = (instrument.kind, instrument.base_currency.as_str());
        if instrument.name.as_str() != name || Some(is) != meant || instrument.option.is_some() {
            return Err(format!("the engine lists {} ({is:?}) for the configuration's {name}", instrument.name));
        }
    }
    Ok(())
}

/// Pins and locks; yields what could not be done.
fn confine(charter: &Charter) -> Result<Vec<String>, String> {
    let mut warnings = Vec::new();
    if let Some(core) = charter.core {
        host::pin_to_core(core).map_err(|why| why.to_string())?;
    }
    warnings.extend(lockdown::lock_present_memory().err());
    Ok(warnings)
}

/// Signs until the engine closes the lane, or breaks it. When the engine dies, so does this process.
fn serve<K: Key, S: Store>(ends: SignerEnds, desk: Guarded<K, S>, spin: bool) {
    let mut clock = LiveClock::new();
    let mut service = Service { ends, desk, chores: Chores::default() };
    let mut looks = 0;
    while !service.ends.asks.is_closed() {
        match service.ends.asks.receive() {
            Ok(Some(page)) => {
                looks = 0;
                if !service.on_ask(&mut clock, &page) {
                    return;
                }
            }
            Ok(None) if !service.on_idle(clock.now()) => return,
            Ok(None) if spin => std::hint::spin_loop(),
            Ok(None) => {
                looks += 1;
                if looks < LOOKS { std::hint::spin_loop() } else { service.ends.asks.sleep(NAP) }
            }
            Err(ring::Broken) => return,
        }
    }
}

struct Service<K, S> {
    ends: SignerEnds,
    desk: Guarded<K, S>,
    chores: Chores,
}

impl<K: Key, S: Store> Service<K, S> {
    /// False if the engine does not take answers any more.
    fn say(&mut self, answer: &Answer) -> bool {
        self.ends.answers.send(&answer.write()) == Ok(true)
    }

    fn on_ask(&mut self, clock: &mut LiveClock, page: &[u8; ASK_BYTES]) -> bool {
        let answer = match Ask::read(page) {
            Some(Ask::Order(deed)) => {
                let nonce = deed.terms.nonce;
                match self.desk.order(clock.now(), &deed) {
                    Ok(signature) => Answer::Order { nonce, signature },
                    Err(why) => Answer::Refused { nonce, why },
                }
            }
            Some(Ask::Package(deed)) => {
                let nonce = deed.nonce;
                match self.desk.package(clock.now(), &deed) {
                    Ok(seal) => Answer::Package { nonce, seal },
                    Err(why) => Answer::Refused { nonce, why },
                }
            }
            Some(Ask::Movement(deed)) => {
                let nonce = deed.nonce;
                match self.desk.movement(clock.now(), &deed) {
                    Ok(signature) => Answer::Movement { nonce, signature },
                    Err(why) => Answer::Refused { nonce, why },
                }
            }
            Some(Ask::Note { vault, note }) => {
                self.desk.note(clock.now(), vault, &note);
                return true;
            }
            Some(Ask::Listing(listing)) => {
                self.desk.apply(&listing);
                return true;
            }
            Some(Ask::Mark(mark)) => {
                // One that waited in a lane is as old as it is, and none is of the future.
                self.desk.mark(&Mark { at: mark.at.min(clock.now()), ..mark });
                return true;
            }
            // An engine that talks nonsense is not one to sign for.
            None => Answer::Down { why: Breach::Range },
        };
        self.say(&answer) && !matches!(answer, Answer::Down { .. })
    }

    fn on_idle(&mut self, at: Nanos) -> bool {
        let mut heard = true;
        if let Some(why) = self.desk.news(at) {
            heard &= self.say(&Answer::Down { why });
        }
        if self.chores.proof_due(at) {
            let proof = self.desk.login(at);
            heard &= self.say(&Answer::Login(proof));
        }
        if self.chores.refresh_due(at) {
            self.desk.refresh();
        }
        heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{InstrumentId, Name};
    use crate::derive::desk::tests::instrument;

    #[test]
    fn only_the_configurations_own_instruments_are_taken() {
        let name = |text: &str| Name::new(text).expect("short");
        let of = |id, text, kind, currency| Instrument {
            id: InstrumentId(id),
            name: name(text),
            kind,
            base_currency: name(currency),
            ..instrument(id, "ETH-PERP")
        };
        let names = ["WEETH-USDC", "ETH-PERP"].map(str::to_owned);
        let own = [of(0, "WEETH-USDC", Kind::Spot, "WEETH"), of(1, "ETH-PERP", Kind::Perp, "ETH")];
        assert_eq!(match_config(&own, &names), Ok(()));
        assert!(match_config(&own[..1], &names).is_err());
        for other in [
            of(0, "LBTC-USDC", Kind::Spot, "WEETH"),
            of(0, "WEETH-USDC", Kind::Spot, "LBTC"),
            of(0, "WEETH-USDC", Kind::Perp, "WEETH"),
            instrument(0, "ETH-20261225-3500-C"),
        ] {
            let why = match_config(&[other, own[1]], &names).expect_err("not what was configured");
            assert!(why.contains("for the configuration's WEETH-USDC"), "{why}");
        }
    }
}
