//! A vault under a storm of faults that a seed draws: first everything may break and every invariant is checked after
//! every step, then the faults end and the vault must be whole again within its time.

mod watch;

pub use watch::INVARIANTS;

use crate::actors::risk::Notice;
use crate::base::time::{MS, Nanos, SEC};
use crate::exchange::world::WorldSettings;
use crate::exchange::world::draws::Draws;
use crate::ops::replay::Played;
use crate::sim::rig::{Rig, Scene};
use crate::sim::venue::faults::{Fault, Faults, Fired};
use crate::sim::venue::{Fate, Pace};
use crate::sim::weeks::{FIRST_EXPIRY_S, Vault};
use alloy_primitives::keccak256;
use std::borrow::Cow;
use watch::Watch;

/// Length of a step, after which everything is checked.
const STEP_NS: u64 = 100 * MS;
/// Longest stretch between two looks of the engine.
const STRETCH_NS: u64 = 5 * MS;
/// The engine settles in before faults begin.
const CALM_S: u64 = 8;
/// How long faults go on over market making, and over an auction: some lots long.
const STORM_S: [u64; 2] = [60, 240];
/// Time in which the vault must be whole again.
const HEAL_S: u64 = 45;
/// A dead engine stays away between these, seconds.
const AWAY_S: (f64, f64) = (0.2, 6.0);
/// How long a run waits for the request at which it is to be killed.
const TRAP_NS: u64 = 5 * SEC;
/// Requests at which an engine may be killed.
const TRAPS: [&str; 4] = ["private/order", "private/replace", "private/cancel", "private/execute_quote"];

/// The market of the storms trades in seconds what a real one trades in minutes: the fill limit gives way to it.
const FILL_LIMIT: [&str; 2] = ["fills_per_minute_max = 60", "fills_per_minute_max = 1000"];

fn basis() -> Scene {
    Scene {
        config: Cow::Borrowed(include_str!("../../../tools/config/weeth-basis.toml")),
        file: "weeth-basis.toml",
        collateral: "WEETH",
        currency: "ETH",
        deposit: "20",
        ratio_feeds: &[0],
    }
}

/// Who is in the storm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Delta-1 market making.
    Basis,
    /// An option vault in its auction.
    Auction(Vault),
}

impl Subject {
    /// Half of all seeds are market making, the others are shared by the option vaults.
    pub fn of(seed: u64) -> Subject {
        match seed % 8 {
            0 => Subject::Auction(Vault::Harvest),
            2 => Subject::Auction(Vault::SafeHarvest),
            4 => Subject::Auction(Vault::Maxi),
            6 => Subject::Auction(Vault::Bull),
            _ => Subject::Basis,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Subject::Basis => "basis",
            Subject::Auction(vault) => vault.name(),
        }
    }

    fn scene(self) -> Scene {
        let mut scene = match self {
            Subject::Basis => basis(),
            Subject::Auction(vault) => vault.scene(),
        };
        scene.config = Cow::Owned(scene.config.replace(FILL_LIMIT[0], FILL_LIMIT[1]));
        scene
    }

    fn world(self, seed: u64) -> WorldSettings {
        match self {
            Subject::Basis => WorldSettings::demo(seed, CALM_S + STORM_S[0] + HEAL_S),
            Subject::Auction(_) => WorldSettings::option_demo(seed),
        }
    }

    const fn storm_s(self) -> u64 {
        match self {
            Subject::Basis => STORM_S[0],
            Subject::Auction(_) => STORM_S[1],
        }
    }

    /// Market making begins at once, an auction is about to.
    fn start(self) -> Nanos {
        let lead_s = match self {
            Subject::Basis => 0,
            Subject::Auction(Vault::Harvest) => 5 * 3_600 - 5,
            Subject::Auction(_) => 5 * 3_600 + 595,
        };
        Nanos((FIRST_EXPIRY_S + lead_s) * SEC)
    }
}

/// What a seed came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Who was in the storm.
    pub subject: Subject,
    /// Invariants broken, each by its name, with what was seen.
    pub violations: Vec<String>,
    /// How often each fault fired.
    pub fired: Fired,
    /// Steps, after each of which everything was checked.
    pub steps: u64,
    /// Virtual time.
    pub virtual_ns: u64,
    /// Fills booked by the vault's last engine.
    pub fills: u64,
    /// Over every byte the engine sent and all of the above.
    pub digest: [u8; 32],
}

/// Runs a seed.
///
/// # Errors
/// The run could not begin; in words.
pub fn run(seed: u64) -> Result<Outcome, String> {
    let (storm, fired) = Storm::open(seed, Rig::open)?.pass()?;
    Ok(storm.outcome(fired))
}

/// Runs a seed with every engine's tapes kept, and folds each of them once more: how they were played, engine by engine.
///
/// # Errors
/// The run could not begin; in words.
pub fn replay(seed: u64) -> Result<(Outcome, Vec<Vec<Played>>), String> {
    let (mut storm, fired) = Storm::open(seed, Rig::open_recording)?.pass()?;
    storm.rig.stop();
    let played = storm.rig.replay(Nanos::MAX);
    Ok((storm.outcome(fired), played))
}

/// How a rig is opened.
type Open = fn(&Scene, u64, WorldSettings, Nanos) -> Result<Rig, String>;

struct Storm {
    seed: u64,
    subject: Subject,
    rig: Rig,
    watch: Watch,
    draws: Draws,
    started: Nanos,
    /// A kill waits for its request until then.
    trapped_until: Option<Nanos>,
    steps: u64,
}

impl Storm {
    fn open(seed: u64, open: Open) -> Result<Storm, String> {
        let subject = Subject::of(seed);
        let scene = subject.scene();
        let mut rig = open(&scene, seed, subject.world(seed), subject.start())?;
        rig.venue.keep_tape();
        let watch = Watch::new(subject, scene.collateral);
        let (draws, started) = (Draws::new(seed, 78), rig.venue.now());
        Ok(Storm { seed, subject, rig, watch, draws, started, trapped_until: None, steps: 0 })
    }

    fn pass(mut self) -> Result<(Storm, Fired), String> {
        self.go(CALM_S)?;
        self.rig.venue.mistreat(Some(Faults::swarm(self.seed)));
        self.go(self.subject.storm_s())?;
        let fired = self.rig.venue.mistreat(None).map(|faults| faults.fired()).unwrap_or_default();
        let trapped = self.trapped_until.take().is_some();
        // An operator who has looked starts a drained vault again.
        if trapped || self.watch.is_drained() {
            self.kill()?;
        }
        self.go(HEAL_S)?;
        self.watch.healed(&self.rig);
        Ok((self, fired))
    }

    fn go(&mut self, seconds: u64) -> Result<(), String> {
        let end = self.rig.venue.now().plus(seconds * SEC);
        while self.rig.venue.now() < end {
            self.step()?;
        }
        Ok(())
    }

    /// One step of time, one throw of the dice, one look at every invariant.
    fn step(&mut self) -> Result<(), String> {
        let stop = self.rig.venue.now().plus(STEP_NS);
        let mut heard: Vec<Notice> = Vec::new();
        self.rig.run(stop, Pace::Busy { stretch_ns: STRETCH_NS }, &mut |notice| heard.push(*notice));
        self.steps += 1;
        self.watch.look(&mut self.rig, &heard);
        self.spring()?;
        self.strike()
    }

    /// A kill whose request has come, or never came.
    fn spring(&mut self) -> Result<(), String> {
        let Some(until) = self.trapped_until else { return Ok(()) };
        let due = self.rig.venue.is_stopped() || self.rig.venue.now() >= until;
        if due {
            self.trapped_until = None;
            return self.kill();
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<(), String> {
        self.rig.kill();
        let away_ns = (self.draws.between(AWAY_S.0, AWAY_S.1) * 1_000.0) as u64 * MS;
        let back = self.rig.venue.now().plus(away_ns);
        self.rig.run(back, Pace::Busy { stretch_ns: STRETCH_NS }, &mut |_| {});
        self.watch.reborn(&mut self.rig);
        self.rig.start()
    }

    fn strike(&mut self) -> Result<(), String> {
        let share = STEP_NS as f64 / SEC as f64;
        let at = self.rig.venue.now();
        let Some(faults) = self.rig.venue.faults() else { return Ok(()) };
        faults.hush(at, share);
        let [private, public, all] =
            [Fault::PrivateCut, Fault::PublicCut, Fault::AllCut].map(|fault| faults.strikes(fault, share));
        let killed = faults.strikes(Fault::Killed, share);
        let fates = [(Fault::KilledAfterRequest, Fate::Delivered), (Fault::KilledBeforeRequest, Fate::Lost)];
        let trap = fates.into_iter().find(|(fault, _)| faults.strikes(*fault, share)).map(|(_, fate)| fate);
        if private {
            self.rig.venue.cut_private();
        }
        if public {
            self.rig.venue.cut_public();
        }
        if all {
            self.rig.venue.cut_all();
        }
        if let Some(fate) = trap.filter(|_| self.trapped_until.is_none()) {
            let place = (self.draws.uniform() * TRAPS.len() as f64) as usize;
            self.rig.venue.stop_at(TRAPS[place.min(TRAPS.len() - 1)], fate);
            self.trapped_until = Some(at.plus(TRAP_NS));
        }
        if killed && self.trapped_until.is_none() {
            return self.kill();
        }
        Ok(())
    }

    fn outcome(self, fired: Fired) -> Outcome {
        let (violations, fills) = self.watch.end();
        let mut bytes = self.rig.venue.sent_digest().to_vec();
        bytes.extend(format!("{fired:?}{violations:?}{fills}{}", self.steps).bytes());
        Outcome {
            seed: self.seed,
            subject: self.subject,
            violations,
            fired,
            steps: self.steps,
            virtual_ns: self.rig.venue.now().since(self.started),
            fills,
            digest: keccak256(bytes).0,
        }
    }
}
