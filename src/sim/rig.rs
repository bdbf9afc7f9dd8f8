//! One vault's engine wired to a simulated venue, with the control plane's duties done at their virtual times. It
//! can be killed and started again from its journal.

use crate::actors::risk::Notice;
use crate::base::ids::{InstrumentId, SubaccountId};
use crate::base::time::{Nanos, SEC};
use crate::config::{Config, Online, VaultConfig};
use crate::derive::dialect::{Address, Dialect, LOCAL, V2_TESTNET};
use crate::derive::instrument::listings;
use crate::engine::actor::Turn;
use crate::engine::journal::Replay;
use crate::engine::ports::Key;
use crate::engine::switch::Switch;
use crate::engine::tape::{Recorder, Roll, Tape};
use crate::exchange::world::WorldSettings;
use crate::exchange::{AccountSeed, Network, Owner, Settings, developer_accounts};
use crate::io::key::LocalKey;
use crate::market::instrument::{Instrument, Kind};
use crate::msg::Command;
use crate::ops::blueprint::{Blueprint, OptionPlan, Outside, PlanKind};
use crate::ops::lister::Lister;
use crate::ops::replay::{Hand, Played, Rerun};
use crate::risk::limits::Mandate;
use crate::sim::lanes::Lanes;
use crate::sim::ports::{Disk, MemoryReel, MemoryStore};
use crate::sim::venue::{Pace, SimVenue};
use crate::topology::{ChainEnds, ControlEnds, Layout, assemble, assemble_watched};
use std::borrow::Cow;

/// A wire that is down for a moment after the engine died.
const DEAD_NS: u64 = 2 * SEC;
/// Least time between two rounds of questions while nobody trades; before an auction there is always one.
const QUIET_QUESTIONS_NS: u64 = 6 * 3_600 * SEC;

/// A vault in its surroundings.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Configuration, as an operator would write it.
    pub config: Cow<'static, str>,
    /// What it is called in messages.
    pub file: &'static str,
    /// Collateral asset.
    pub collateral: &'static str,
    /// Currency of its options or perp.
    pub currency: &'static str,
    /// Deposit, in collateral.
    pub deposit: &'static str,
    /// The world's ratio feeds, in the order of the configuration's.
    pub ratio_feeds: &'static [u8],
}

/// The running engine's parts.
struct Engine {
    turns: Vec<Box<dyn Turn>>,
    control: ControlEnds,
    switch: Switch,
    lister: Lister,
}

/// Venue, engine and journal.
pub struct Rig {
    /// The venue with its world.
    pub venue: SimVenue,
    account: AccountSeed,
    config: Config,
    instruments: Vec<Instrument>,
    store: MemoryStore,
    /// Records of a page of the journal, if it has pages.
    page: Option<u64>,
    plan: Option<OptionPlan>,
    mandate: Mandate,
    engine: Option<Engine>,
    deaths: u32,
    tapes: Option<Vec<Recording>>,
    lanes: Option<Lanes>,
}

/// What is kept of the engines in a rig.
#[derive(Clone, Default)]
pub struct Kept {
    /// Every engine's tapes, in memory.
    pub tapes: bool,
    /// What passes over their lanes.
    pub lanes: Option<Lanes>,
}

/// The tapes of one engine, from its start to its death or to now.
struct Recording {
    blueprint: Blueprint,
    address: Address,
    reels: [MemoryReel; 7],
}

impl Rig {
    /// Opens the venue at `start` with the vault's deposit, and starts the engine on it.
    ///
    /// # Errors
    /// The vault's own configuration or the venue's listing is unusable; each in words.
    pub fn open(scene: &Scene, seed: u64, world: WorldSettings, start: Nanos) -> Result<Rig, String> {
        Rig::open_kept(scene, seed, (world, start), Kept::default())
    }

    /// The same with what is to be kept of the engines beside.
    ///
    /// # Errors
    /// As [`Rig::open`].
    pub fn open_kept(
        scene: &Scene,
        seed: u64,
        (world, start): (WorldSettings, Nanos),
        kept: Kept,
    ) -> Result<Rig, String> {
        let config = Config::parse(&scene.config, scene.file, &Online::here()).map_err(|why| why.to_string())?;
        let mut account = developer_accounts(seed, 1).remove(0);
        let deposit = scene.deposit.parse().map_err(|why| format!("deposit: {why}"))?;
        account.balances = vec![(scene.collateral.to_owned(), deposit)];
        if let Some(contract) = config.vaults.iter().find_map(|vault| vault.contract.as_ref()) {
            account.wallet = contract.address.into();
            account.owner = Owner::Contract { atomic: contract.presign().is_none() };
        }
        let network = network_of(spoken(&config));
        let settings = Settings { network, seed, accounts: vec![account.clone()], ..Settings::default() };
        let mut venue = SimVenue::open(settings, world, start);
        venue.wire_ratio_feeds(scene.ratio_feeds);
        venue.look_back(lookback_ns(&config));
        let instruments = (0u16..)
            .zip(config.instruments())
            .map(|(place, name)| instrument(&mut venue, InstrumentId(place), name))
            .collect::<Result<Vec<_>, _>>()?;
        let mandate =
            Blueprint::of(&config, instruments.clone(), Nanos::MAX, &Replay::default()).vaults[0].kind.mandate();
        let mut rig = Rig {
            venue,
            account,
            config,
            instruments,
            store: MemoryStore::default(),
            page: None,
            plan: None,
            mandate,
            engine: None,
            deaths: 0,
            tapes: kept.tapes.then(Vec::new),
            lanes: kept.lanes,
        };
        rig.start()?;
        Ok(rig)
    }

    /// The vault's subaccount.
    pub fn subaccount(&self) -> u64 {
        self.account.subaccount
    }

    /// The plan of an option vault.
    ///
    /// # Panics
    /// If the scene is of another vault.
    pub fn plan(&self) -> &OptionPlan {
        self.plan.as_ref().expect("an option vault's scene")
    }

    /// What risk holds the vault to.
    pub fn mandate(&self) -> &Mandate {
        &self.mandate
    }

    /// The perp that hedges the vault, if one does.
    pub fn perp(&self) -> Option<InstrumentId> {
        self.instruments.iter().find(|one| one.kind == Kind::Perp).map(|one| one.id)
    }

    /// The collateral's spot instrument.
    pub fn base(&self) -> &Instrument {
        &self.instruments[0]
    }

    /// The instrument in a place.
    pub fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        let listed = || self.engine.as_ref().and_then(|engine| engine.lister.instrument(id));
        self.instruments.get(usize::from(id.0)).or_else(listed)
    }

    /// Starts an engine from what the journal holds.
    ///
    /// # Errors
    /// The developer key or the configuration does not make an engine; in words.
    pub fn start(&mut self) -> Result<(), String> {
        self.store.reopen();
        let mut replay = Replay::default();
        self.store.records().iter().for_each(|record| replay.visit(record));
        let mut blueprint = Blueprint::of(&self.config, self.instruments.clone(), Nanos::MAX, &replay);
        blueprint.dialect = spoken(&self.config);
        blueprint.wallet = self.account.wallet.into_array();
        for vault in &mut blueprint.vaults {
            vault.book.subaccount = SubaccountId(self.account.subaccount);
            vault.remember(replay.notes());
            if let PlanKind::Options(plan) = &vault.kind {
                self.plan = Some(*plan);
            }
        }
        let switch = Switch::local();
        self.venue.watch_journal(self.store.clone());
        let key = key_of(&self.account)?;
        let tapes = self.tapes.as_mut().map(|tapes| record(tapes, &blueprint, key.address()));
        let outside = Outside {
            wires: self.venue.wires().into(),
            clock: self.venue.clock(),
            key,
            store: self.store.clone(),
            switch: switch.clone(),
        };
        let roster = blueprint.roster();
        let mut parts = blueprint.build(outside);
        if let Some(tapes) = tapes {
            parts.tapes = tapes;
        }
        let layout = Layout::single(None);
        let (cores, control) = match &self.lanes {
            None => assemble(parts, &layout),
            Some(lanes) => {
                lanes.begin(self.venue.clock());
                self.venue.tell_public(lanes.clone());
                assemble_watched(parts, &layout, lanes)
            }
        };
        let turns = cores.into_iter().flat_map(|core| core.turns).collect();
        let lister = Lister::new(roster, control.bulletin.clone(), control.feeds.clone(), blueprint.currencies.clone());
        self.engine = Some(Engine { turns, control, switch, lister });
        Ok(())
    }

    /// Kills the engine where it stands: nothing of it survives but its journal. The venue goes on without it.
    pub fn kill(&mut self) {
        self.engine = None;
        self.deaths += 1;
        self.venue.hang_up();
    }

    /// Loses the journal's last records, as power loss would.
    pub fn lose_tail(&mut self, records: usize) {
        self.store.lose(records);
    }

    /// Records the journal holds.
    pub fn journaled(&self) -> usize {
        self.store.records().len()
    }

    /// The running engine's words with its chain, if a vault's contract signs before anything leaves.
    pub fn chain(&mut self) -> Option<&mut ChainEnds> {
        self.engine.as_mut()?.control.chain.as_mut()
    }

    /// Hands a command to the engine; false if there is none to take it.
    pub fn command(&mut self, command: Command) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.control.commands.send(command).is_ok())
    }

    /// Throws the signer's switch.
    pub fn throw_switch(&mut self) {
        self.engine.iter().for_each(|engine| engine.switch.throw());
    }

    /// Loses the journal: the next engine starts with an empty one.
    pub fn lose_journal(&mut self) {
        self.store = MemoryStore::default();
        self.page.iter().for_each(|records| self.store.paginate(*records));
    }

    /// Ends the engine in order, as a stop of the process would; the venue goes on without it.
    pub fn stop(&mut self) {
        let turns = self.engine.take().map(|engine| engine.turns).unwrap_or_default();
        turns.into_iter().for_each(|turn| drop(turn.finish()));
        self.venue.hang_up();
    }

    /// Folds the tapes of every engine so far once more, up to a moment, and tells how each was played.
    pub fn replay(&self, until: Nanos) -> Vec<Vec<Played>> {
        let rerun = |recording: &Recording| {
            let rolls = recording.reels.each_ref().map(|reel| Roll::new(vec![reel.page()].into_iter()));
            let mut rerun = Rerun::new(&recording.blueprint, Hand::Here(recording.address), rolls);
            rerun.run(until, &mut |_| ());
            rerun.finish(until)
        };
        self.tapes.iter().flatten().map(rerun).collect()
    }

    /// What the journal holds, oldest first.
    pub fn journal(&self) -> Vec<[u8; 64]> {
        self.store.records()
    }

    /// What is left of what was journaled after record number `known`, each with its number.
    pub fn journal_after(&self, known: u64) -> Vec<(u64, [u8; 64])> {
        self.store.records_after(known)
    }

    /// From now on the journal has pages of so many records, as on a disk, and keeps the last few.
    pub fn paginate_journal(&mut self, records: u64) {
        self.page = Some(records);
        self.store.paginate(records);
    }

    /// How the journal's disk takes its next page from now on.
    pub fn set_disk(&mut self, disk: Disk) {
        self.store.set_disk(disk);
    }

    /// The journal's disk refuses to make safe what was appended, until another engine starts on it.
    pub fn fail_sync(&self) {
        self.store.fail_sync();
    }

    /// How often an engine was killed.
    pub fn deaths(&self) -> u32 {
        self.deaths
    }

    /// True while an engine runs.
    pub fn is_alive(&self) -> bool {
        self.engine.is_some()
    }

    /// Runs until `end` at a pace, and hands over what risk has said meanwhile.
    pub fn run(&mut self, end: Nanos, pace: Pace, hear: &mut dyn FnMut(&Notice)) {
        let Some(engine) = &mut self.engine else {
            self.venue.run_alone(end.max(self.venue.now().plus(DEAD_NS)), pace);
            return;
        };
        ask(&mut self.venue, &mut engine.lister);
        // What nobody trades on need not be read often; hundreds of listings are most of a quiet week's work.
        let least_ns = if matches!(pace, Pace::Quiet { .. }) { QUIET_QUESTIONS_NS } else { 1 };
        let due = engine.lister.next_due().shifted(-self.venue.skew_ns());
        let stop = due.max(self.venue.now().plus(least_ns)).min(end);
        self.venue.run_until(stop, pace, &mut engine.turns, &mut engine.control);
        while let Some(notice) = engine.control.notices.receive() {
            hear(&notice);
        }
    }
}

/// What engine and venue speak: v2 if the configuration does, v3 of a local chain for all else.
fn spoken(config: &Config) -> &'static Dialect {
    let dialect = config.venue.environment.dialect;
    if dialect.settles_fills() { dialect } else { &LOCAL }
}

fn network_of(dialect: &Dialect) -> Network {
    match (dialect.settles_fills(), dialect.chain_id == V2_TESTNET.chain_id) {
        (false, _) => Network::Local,
        (true, false) => Network::V2Mainnet,
        (true, true) => Network::V2Testnet,
    }
}

/// Fresh tapes for an engine that is about to start.
fn record(tapes: &mut Vec<Recording>, blueprint: &Blueprint, address: Address) -> [Tape; 7] {
    let reels: [MemoryReel; 7] = Default::default();
    let tape = |reel: &MemoryReel| Tape::Recording(Recorder::new(Box::new(reel.clone())));
    let begun = reels.each_ref().map(tape);
    tapes.push(Recording { blueprint: blueprint.clone(), address, reels });
    begun
}

/// What the control plane would ask over HTTP.
fn ask(venue: &mut SimVenue, lister: &mut Lister) {
    let at = venue.engine_now();
    for question in lister.questions(at) {
        let answer = venue.call(question.method(), &question.params());
        let body = answer.unwrap_or_default();
        let text = serde_json::from_str(&body).map_or("", |reply: Reply<'_>| reply.result.get());
        if lister.answer(at, &question, text).is_err() {
            lister.ask_again(at);
        }
    }
    lister.announce();
}

/// A venue's answer, as far as the control plane reads it.
#[derive(serde::Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    result: &'a serde_json::value::RawValue,
}

/// How far the vault's budget looks back, if it has one.
fn lookback_ns(config: &Config) -> Option<u64> {
    let vaults = config.vaults.iter().filter_map(VaultConfig::options);
    vaults.filter(|vault| vault.ratio_feed.is_some()).map(|vault| vault.lookback_ns).max()
}

fn instrument(venue: &mut SimVenue, id: InstrumentId, name: &str) -> Result<Instrument, String> {
    let body = venue.call("public/get_instrument", &serde_json::json!({ "instrument_name": name }));
    let body: serde_json::Value =
        serde_json::from_str(&body.unwrap_or_default()).map_err(|why| format!("{name}: {why}"))?;
    let rows = listings(body["result"].to_string().as_bytes(), id).map_err(|why| why.to_string())?;
    rows.first().map(|row| row.instrument).ok_or_else(|| format!("the venue does not list {name}"))
}

/// The session key of a developer account.
fn key_of(account: &AccountSeed) -> Result<LocalKey, String> {
    let mut secret = alloy_primitives::hex::decode_to_array::<_, 32>(&account.session_key_hex)
        .map_err(|why| format!("developer key: {why}"))?;
    LocalKey::from_bytes(&mut secret).map_err(|why| format!("developer key: {why}"))
}
