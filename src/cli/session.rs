//! One run of the engine, from a checked configuration to the end of its last order.

mod chain;
mod crier;
mod keys;
mod start;

use super::contract::{self, GasKey};
use super::{Failure, signer};
use crate::actors::risk::Sample;
use crate::base::queue::Post;
use crate::base::time::Nanos;
use crate::chain::ratio::RatioSource;
use crate::chain::service::Tally;
use crate::config::{self, Config, Isolation};
use crate::derive::dialect::Address;
use crate::derive::seal::envelope::pins::prove_unmoved;
use crate::engine::core::Idle;
use crate::engine::ports::{Clock, Key};
use crate::engine::switch::Switch;
use crate::io::clock::LiveClock;
use crate::io::key::LocalKey;
use crate::io::quarantine::Quarantine;
use crate::io::store::PageStore;
use crate::io::tape::{self, Recording};
use crate::io::websocket::{Settings as WireSettings, WebSocket};
use crate::io::{fence, host};
use crate::market::instrument::Instrument;
use crate::msg::{Command, Mode};
use crate::ops::blueprint::{Blueprint, Outside, Wires, vault_id};
use crate::ops::bootstrap::{self, Claims, Proved};
use crate::ops::console::{self, Console};
use crate::ops::control::{
    self, Ask, AskInstruments, AskTroubles, Clerk, Desks, Dismiss, ListingReader, Over, Troubles,
};
use crate::ops::crash_loop::Ending;
use crate::ops::engine::{Ends, Engine};
use crate::ops::herald::Herald;
use crate::ops::journal::{self, Journal};
use crate::ops::news::News;
use crate::ops::replay;
use crate::ops::rest::{Prover, Rest};
use crate::ops::sentry::beat::Secret;
use crate::ops::wall::{self, Charter, Introduced};
use crate::topology::{Layout, Parts, Signing, assemble};
use actix::Addr;
use chain::OnChain;
use crier::Crier;
use keys::{absolute, key_source};
pub use keys::{load_key, read_key};
use start::{claim, kept_out, record, recover, start_drained, why_drained};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Longest wait for the last orders to be gone (also after a signal).
const WIND_UP: Duration = Duration::from_secs(5);

/// What a run needs beside its configuration.
pub struct Terms<'a> {
    /// Folder of the journal.
    pub state_dir: &'a Path,
    /// Names of the vaults, by place.
    pub names: &'a [String],
    /// The moment the configuration's auctions were brought forward to, if they were.
    pub auctions_from: Option<Nanos>,
    /// Ends the run after this long; none runs until a signal.
    pub seconds: Option<u64>,
    /// Shows the run while it lasts, and may end it.
    pub watch: &'a mut dyn FnMut(&News, Duration) -> ControlFlow<()>,
}

/// What a run leaves behind.
pub struct Outcome {
    /// What happened.
    pub news: News,
    /// What the pipeline measured.
    pub ends: Ends,
    /// What the readers could not read.
    pub troubles: Troubles,
    /// True if every order and every RFQ was gone at the end.
    pub flat: bool,
    /// The options held at the end, by place.
    pub options: Vec<Instrument>,
    /// What the contract that signs for the vault did, if one does.
    pub contract: Option<Tally>,
}

/// Signals that end a run.
pub fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A second signal ends the process at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .map_err(|why| Failure::Refused(format!("cannot listen for signals: {why}")))?;
    }
    Ok(flag)
}

/// Proves the configuration at the venue.
pub async fn prove(config: &Config, key: &mut (dyn Prover + Send), clock: &mut LiveClock) -> Result<Proved, Failure> {
    let rest = rest_of(config)?;
    let subaccounts: Vec<_> = config.vaults.iter().map(|vault| vault.book.subaccount).collect();
    let claims = Claims {
        dialect: config.venue.environment.dialect,
        wallet: config.wallet.owner,
        contract: config.vaults.iter().find_map(|vault| vault.contract.as_ref()).map(|contract| contract.address),
        subaccounts: &subaccounts,
        instruments: config.instruments(),
    };
    bootstrap::prove(&rest, &claims, key, clock).await.map_err(|why| Failure::Refused(why.to_string()))
}

fn rest_of(config: &Config) -> Result<Rest, Failure> {
    Rest::new(&config.venue.environment.rest).map_err(|why| Failure::Refused(why.to_string()))
}

fn wire(url: &str, quarantine: &Quarantine) -> Result<WebSocket, Failure> {
    let drawn = WireSettings::drawn().map_err(|why| Failure::Refused(why.to_string()))?;
    WebSocket::new(url, WireSettings { quarantine: quarantine.clone(), ..drawn })
        .map_err(|why| Failure::Refused(format!("{url}: {why}")))
}

/// The connection to the external book's streams, one raw stream or several combined; none if no vault looks at it.
fn external_wire(config: &Config, quarantine: &Quarantine) -> Result<Option<WebSocket>, Failure> {
    let Some(external) = config.external.as_ref().filter(|_| !config.external_symbols().is_empty()) else {
        return Ok(None);
    };
    let base = external.ws_url.as_str().trim_end_matches('/');
    let streams: Vec<String> =
        config.external_symbols().iter().map(|symbol| format!("{}@bookTicker", symbol.to_lowercase())).collect();
    let url = match streams.as_slice() {
        [one] => format!("{base}/ws/{one}"),
        many => format!("{base}/stream?streams={}", many.join("/")),
    };
    wire(&url, quarantine).map(Some)
}

fn wires(config: &Config, quarantine: &Quarantine) -> Result<Wires<WebSocket>, Failure> {
    let venue = config.venue.environment.ws.as_ref();
    let [public, private] = [wire(venue, quarantine)?, wire(venue, quarantine)?];
    Ok(Wires { public, external: external_wire(config, quarantine)?, private })
}

fn layout(config: &Config) -> Layout {
    match config.topology.layout {
        config::Layout::Auto => Layout::auto(host::cores_online()),
        config::Layout::Single(core) => Layout::single(core),
        config::Layout::Spread(cores) => Layout { cores: cores.map(Some) },
    }
}

fn idle(config: &Config) -> Idle {
    match config.topology.idle {
        config::Idle::Spin => Idle::Spin,
        config::Idle::Yield => Idle::Yield,
    }
}

/// Aggregators, each proved to count as configured, with how far back it is read.
async fn ratio_sources(config: &Config) -> Result<Vec<(RatioSource, Option<u64>)>, Failure> {
    let mut sources = Vec::new();
    let Some(chain) = &config.chain else { return Ok(sources) };
    for (place, feed) in (0u8..).zip(config.ratio_feeds()) {
        let refused = |why: crate::chain::ratio::RatioError| Failure::Refused(format!("ratio feed {place}: {why}"));
        let source =
            RatioSource::new(chain.rpc_url.as_str(), feed.aggregator, feed.decimals, place).map_err(refused)?;
        source.verify().await.map_err(refused)?;
        // One reading serves all who spend its yield: a longer look-back would count for one what the other has spent.
        let spenders = config.vaults.iter().filter_map(config::VaultConfig::options);
        let lookback = spenders.filter(|vault| vault.ratio_feed == Some(*feed)).map(|vault| vault.lookback_ns).min();
        sources.push((source, lookback));
    }
    Ok(sources)
}

/// What signs: the key with the journal it writes to, or the process that has both.
enum Hand {
    Here(LocalKey, PageStore, Switch),
    Apart(Introduced, Switch),
}

/// The actors, where they run, what stops their signer, and its address.
struct Joined {
    parts: Parts<WebSocket, LiveClock, LocalKey, PageStore>,
    layout: Layout,
    switch: Switch,
    signer: Address,
}

impl Hand {
    /// Loads the key, here or in a process that is started for it and takes the journal over.
    fn take(config: &Config, (store, switch): (PageStore, Switch), state_dir: &Path) -> Result<Hand, Failure> {
        if config.signer.isolation == Isolation::Thread {
            return Ok(Hand::Here(load_key(config)?, store, switch));
        }
        drop(store);
        let key = key_source(config)?;
        let Layout { cores } = layout(config);
        // A core that the rest of the pipeline lives on is not the signer's.
        let core = cores[4].filter(|own| cores.iter().filter(|core| **core == Some(*own)).count() == 1);
        let charter = Charter {
            file: config.source().file.clone(),
            text: config.source().text.clone(),
            state_dir: absolute(state_dir),
            key,
            core,
            spin: core.is_some() && config.topology.idle == config::Idle::Spin,
        };
        let advice = "or set signer.isolation = \"thread\" to keep the key in the engine's process";
        let refused = |why| Failure::Refused(format!("{why} ({advice})"));
        let mut secrets = charter.key.files();
        secrets.push(journal::salvage_folder(state_dir));
        // What the engine writes into later must be there before it is shut out of the rest.
        console::make_folder(state_dir).map_err(Failure::Refused)?;
        tape::make_folder(state_dir).map_err(Failure::Refused)?;
        let introduced = wall::introduce(&signer::ARGUMENTS, charter).map_err(refused)?;
        // Before any other thread: what a thread may open is its own affair and that of those it starts.
        let held = fence::shut_out(&secrets, state_dir);
        held.unwrap_or_else(|faults| faults.iter().for_each(|why| eprintln!("keel: warning: {why}")));
        Ok(Hand::Apart(introduced, switch))
    }

    /// Where the key is, and its address.
    fn place(&self) -> replay::Hand {
        match self {
            Hand::Here(key, ..) => replay::Hand::Here(Key::address(key)),
            Hand::Apart(introduced, _) => replay::Hand::Apart(introduced.signer()),
        }
    }

    fn prover(&mut self) -> &mut (dyn Prover + Send) {
        match self {
            Hand::Here(key, ..) => key,
            Hand::Apart(introduced, _) => introduced,
        }
    }

    /// Makes the actors around it.
    fn join(
        self,
        blueprint: &Blueprint,
        wires: Wires<WebSocket>,
        clock: LiveClock,
        layout: Layout,
    ) -> Result<Joined, Failure> {
        match self {
            Hand::Here(key, store, switch) => {
                let signer = Key::address(&key);
                let outside = Outside { wires, clock, key, store, switch: switch.clone() };
                Ok(Joined { parts: blueprint.build(outside), layout, switch, signer })
            }
            Hand::Apart(introduced, switch) => {
                let signer = introduced.signer();
                let (wall, warnings) = introduced.begin(&blueprint.instruments).map_err(Failure::Refused)?;
                warnings.iter().for_each(|warning| eprintln!("keel: warning: {warning}"));
                eprintln!("keel: the key is in process {}", wall.process());
                let signing = Signing::Apart(Box::new(wall));
                let parts = blueprint.parts(wires, clock, (signing, signer));
                Ok(Joined { parts, layout: layout.apart(), switch, signer })
            }
        }
    }
}

/// Runs the engine to its end.
pub fn run(config: &Config, terms: Terms<'_>) -> Result<Outcome, Failure> {
    let stop = stop_flag()?;
    if let Err(why) = host::forbid_core_dumps() {
        eprintln!("keel: warning: {why}");
    }
    actix::System::new().block_on(live(config, terms, &stop))
}

async fn live(config: &Config, terms: Terms<'_>, stop: &AtomicBool) -> Result<Outcome, Failure> {
    let mut clock = LiveClock::new();
    let unit = config.venue.environment.dialect.nonce_unit;
    let opened = journal::open(terms.state_dir, unit, clock.now()).map_err(Failure::Refused)?;
    let _claims = claim(config)?;
    let Journal { store, replay, switch, records, damage } = recover(config, &terms, opened, unit)?;
    let drained = why_drained(config, &terms, damage, clock.now())?;
    let (quarantine, drained) = kept_out(terms.state_dir, drained);
    let gas = GasKey::read(config)?;
    let mut hand = Hand::take(config, (store, switch), terms.state_dir)?;
    let proved = prove(config, hand.prover(), &mut clock).await?;
    prove_unmoved(replay.pins(), &proved.instruments).map_err(Failure::Refused)?;
    let signing = contract::prove(config, hand.prover().address(), gas).await?;
    let ratios = ratio_sources(config).await?;
    let wires = wires(config, &quarantine)?;
    let key = hand.place();
    let blueprint = Blueprint::of(config, proved.instruments, proved.key_expires_at, &replay);
    let Joined { mut parts, layout, switch, signer } = hand.join(&blueprint, wires, clock.clone(), layout(config))?;
    let recording = record((config, &terms, &blueprint), (key, clock.now()), &records, &mut parts.tapes)?;
    let (cores, mut ends) = assemble(parts, &layout);
    let (mut on_chain, keepers) = OnChain::start(config, signing, &mut ends, &clock).await?;
    start_drained(drained, &ends.commands, config.vaults.len());
    let engine = Engine::start(cores, idle(config)).map_err(Failure::Refused)?;
    let commands = ends.commands.clone();
    let herald = herald(config, blueprint.acts_as(signer), &engine)?;
    let Desks { clerk, listings } = control::start(control::Plan {
        ends,
        books: config.vaults.iter().map(|vault| vault.book).collect(),
        ratios,
        ratio_every: config.chain.as_ref().map_or(Duration::ZERO, |chain| Duration::from_nanos(chain.poll_interval_ns)),
        roster: blueprint.has_options().then(|| blueprint.roster()),
        currencies: blueprint.currencies.clone(),
        rest: rest_of(config)?,
        clock: clock.clone(),
        herald,
        keepers,
    });
    open_console(config, &blueprint, terms.state_dir, (&commands, &clerk));
    let started = clock.now();
    let recorded = recording.as_ref();
    let stops =
        Stops { signal: stop, switch: &switch, commands: &commands, recording: recorded, quarantine: &quarantine };
    watch(&engine, &clerk, terms, stops, (started, &mut clock)).await?;
    clerk.send(Dismiss).await.map_err(lost)?;
    let flat = wind_up(&engine, &clerk, &commands, config.vaults.len()).await?;
    on_chain.end().await;
    clerk.send(Over(flat)).await.map_err(lost)?;
    let ends = engine.stop();
    if let Some(recording) = recording {
        let ending = Ending { died: ends.died.clone() };
        recording.end(&ending.text()).unwrap_or_else(|why| eprintln!("keel: warning: {why}"));
    }
    let news = ask(&clerk).await?;
    let troubles = clerk.send(AskTroubles).await.map_err(lost)?;
    let options = held_options(listings, &news).await?;
    let contract = on_chain.counted();
    Ok(Outcome { news, ends, troubles, flat, options, contract })
}

/// The options that the vaults hold.
async fn held_options(listings: Option<Addr<ListingReader>>, news: &News) -> Result<Vec<Instrument>, Failure> {
    let Some(listings) = listings else { return Ok(Vec::new()) };
    let held = news.vaults().iter().filter_map(|vault| vault.last);
    let held = held.flat_map(|last| last.held).flatten().map(|held| held.instrument).collect();
    listings.send(AskInstruments(held)).await.map_err(lost)
}

/// Who tells the sentry that all is well, if there is one.
fn herald(config: &Config, signer: Address, engine: &Engine) -> Result<Option<(Herald, Duration)>, Failure> {
    let Some(sentry) = &config.sentry else { return Ok(None) };
    let secret = Secret::load(&sentry.secret_file).map_err(Failure::Refused)?;
    let herald = Herald::new(sentry.address, secret, signer, engine.pulse()).map_err(Failure::Refused)?;
    Ok(Some((herald, Duration::from_nanos(sentry.beat_ns))))
}

/// Lets operators in. Without a socket a run can still be killed, through the switch: that is said, and it goes on.
fn open_console(
    config: &Config,
    blueprint: &Blueprint,
    folder: &Path,
    (commands, clerk): (&Post<Command>, &Addr<Clerk>),
) {
    let names = config.vaults.iter().map(|vault| vault.name.clone());
    let console = Console::new(names.zip(blueprint.vaults.iter().map(|plan| plan.kind.mandate())).collect());
    if let Err(why) = console::serve(folder, console, commands.clone(), clerk.clone()) {
        eprintln!("keel: warning: operators are not heard: {why}");
    }
}

fn lost(why: actix::MailboxError) -> Failure {
    Failure::Unsafe(format!("the control plane is gone: {why}"))
}

async fn ask(clerk: &Addr<Clerk>) -> Result<News, Failure> {
    clerk.send(Ask).await.map_err(lost)
}

/// What an operator can do to a run.
struct Stops<'a> {
    /// Ends it.
    signal: &'a AtomicBool,
    /// Has stopped the signer; the rest of the engine must hear of it.
    switch: &'a Switch,
    /// How it hears.
    commands: &'a Post<Command>,
    /// What is recorded of it.
    recording: Option<&'a Recording>,
    /// What is kept out of it.
    quarantine: &'a Quarantine,
}

/// Shows the run until time, a signal or a dead thread ends it.
async fn watch(
    engine: &Engine,
    clerk: &Addr<Clerk>,
    terms: Terms<'_>,
    stops: Stops<'_>,
    (started, clock): (Nanos, &mut LiveClock),
) -> Result<(), Failure> {
    let (mut told, mut untaped) = (false, false);
    let (mut crier, mut pulse) = (Crier::default(), engine.pulse());
    while !stops.signal.load(Ordering::Relaxed) && engine.is_alive() {
        tokio::time::sleep(LOOK).await;
        // Told until heard: the signer has stopped already, what rests at the venue has not.
        if !told && stops.switch.is_thrown() {
            told = stops.commands.send(Command::Kill).is_ok();
        }
        if let Some(why) =
            stops.recording.and_then(Recording::trouble).filter(|_| !std::mem::replace(&mut untaped, true))
        {
            eprintln!("keel: warning: the tapes of this run end here: {why}");
        }
        let elapsed = Duration::from_nanos(clock.now().since(started));
        let news = ask(clerk).await?;
        crier.cry(terms.names, &news);
        crier.feel(&mut pulse);
        crier.guard(stops.quarantine);
        let goes_on = (terms.watch)(&news, elapsed);
        if goes_on.is_break() || terms.seconds.is_some_and(|seconds| elapsed >= Duration::from_secs(seconds)) {
            break;
        }
    }
    Ok(())
}

/// Stops quoting, and waits until every order and every RFQ is gone. True if that was seen. Only an engine whole until
/// now ends in order: of one that has died in part the next start must know what had stopped its vaults.
async fn wind_up(
    engine: &Engine,
    clerk: &Addr<Clerk>,
    commands: &Post<Command>,
    vaults: usize,
) -> Result<bool, Failure> {
    let orderly = engine.is_alive();
    for place in 0..vaults {
        // A lane that stays full has no reader any more, and then there is nothing to wait for.
        let _ = commands.send(Command::End { vault: vault_id(place), orderly });
    }
    let mut waited = Duration::ZERO;
    while waited < WIND_UP && engine.is_alive() {
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
        let news = ask(clerk).await?;
        let done = news.vaults().iter().all(|vault| {
            let gone = |last: Sample| last.live == 0 && last.asked_at.is_none();
            vault.last.is_none_or(|last| gone(last) && matches!(last.mode, Mode::Drain | Mode::Halted))
        });
        if done {
            return Ok(true);
        }
    }
    Ok(false)
}
