//! Inside the signer's process: it loads the key, proves it, opens the journal, gives up everything else, and signs.

use super::words::{Charter, Reply, Request};
use crate::actors::signer::{Chores, Guarded};
use crate::base::time::Nanos;
use crate::config::{Config, Online};
use crate::derive::action::login::login_digest;
use crate::derive::seal::wire::{Answer, Ask};
use crate::engine::journal::Replay;
use crate::engine::ports::{ASK_BYTES, Clock, Key, Store};
use crate::io::clock::LiveClock;
use crate::io::key::{KeySource, LocalKey};
use crate::io::lockdown::{self, Filter};
use crate::io::ring::{self, SignerEnds};
use crate::io::store::{Layout, PageStore};
use crate::io::{host, switch};
use crate::market::instrument::{Instrument, Listing};
use crate::msg::{Breach, Mark};
use crate::ops::blueprint::Blueprint;
use alloy::hex;
use std::io::{BufRead, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

/// Journal pages: 65 536 orders a page, eight pages kept.
pub const JOURNAL: Layout = Layout { records_per_page: 65_536, pages_kept: 8 };
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
    let outcome = introduce();
    if let Err(why) = &outcome {
        say(&Reply::Refused { why: why.clone() })?;
    }
    let (desk, charter) = outcome?;
    let warnings = confine(&charter)?;
    say(&Reply::Ready { warnings })?;
    // Nothing is said or heard in words from here on.
    // SAFETY: both are open and nobody uses them any more.
    unsafe {
        libc::close(0);
        libc::close(1);
    }
    lockdown::confine(Filter::Signing)?;
    serve(ends, desk, charter.spin);
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
    let source = KeySource { file: charter.key_file.clone(), passphrase: charter.passphrase.clone() };
    let mut key = source.load().map_err(|why| why.to_string())?;
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
    if instruments.len() != config.instruments().len() {
        return Err("the engine lists other instruments than the configuration".to_owned());
    }
    lockdown::confine(Filter::Files)?;
    let mut replay = Replay::default();
    let mut visit = |_: u64, record: &[u8]| replay.visit(record);
    let (store, _) = PageStore::open(&charter.state_dir, JOURNAL, &mut visit).map_err(|why| why.to_string())?;
    let switch = switch::create(&charter.state_dir)?;
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
            Some(Ask::Milestone { vault, milestone }) => {
                self.desk.note(vault, &milestone);
                return true;
            }
            Some(Ask::Listing(listing)) => {
                self.desk.apply(&listing);
                return true;
            }
            Some(Ask::Mark { instrument, price }) => {
                self.desk.mark(&Mark { instrument, price, at: clock.now() });
                return true;
            }
            // An engine that talks nonsense is not one to sign for.
            None => Answer::Down { why: Breach::Range },
        };
        self.say(&answer) && !matches!(answer, Answer::Down { .. })
    }

    fn on_idle(&mut self, at: Nanos) -> bool {
        let mut heard = true;
        if let Some(why) = self.desk.news() {
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
