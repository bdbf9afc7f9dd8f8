//! A vault under a storm of faults that a seed draws: first everything may break and every invariant is checked after
//! every step, then the faults end and the vault must be whole again within its time.

pub mod coverage;
pub mod crashes;
mod excuses;
mod invariants;
mod moments;
mod rules;
mod seen;
mod story;
mod strikes;
mod twins;
mod words;

pub use invariants::{ELSEWHERE, INVARIANTS, Invariant};
pub use story::{Shrunk, Story, shrink};

use crate::actors::risk::Notice;
use crate::base::buggify::{self, Bent, PLACES};
use crate::base::time::{MS, Nanos, SEC};
use crate::exchange::Tier;
use crate::exchange::world::WorldSettings;
use crate::exchange::world::draws::Draws;
use crate::ops::replay::Played;
use crate::sim::lanes::Lanes;
use crate::sim::ports::Disk;
use crate::sim::rig::{Kept, Rig, Scene};
use crate::sim::venue::Pace;
use crate::sim::venue::faults::{Allowed, Faults, Fired, Strike};
use crate::sim::weeks::{FIRST_EXPIRY_S, Vault};
use alloy_primitives::keccak256;
use coverage::Matrix;
use rules::Rules;
use rust_decimal::Decimal;
use seen::Seen;
use std::borrow::Cow;
use std::collections::BTreeMap;
use strikes::Operator;
pub use twins::Compared;

/// Length of a step, after which everything is checked.
const STEP_NS: u64 = 100 * MS;
/// Longest stretch between two looks of the engine.
const STRETCH_NS: u64 = 5 * MS;
/// Records of a page of the journal: several are filled in a storm.
const JOURNAL_PAGE: u64 = 128;
/// The engine settles in before faults begin.
const CALM_S: u64 = 8;
/// How long faults go on over market making, and over an auction: some lots long.
const STORM_S: [u64; 2] = [60, 240];
/// Time in which the vault must be whole again.
const HEAL_S: u64 = 45;
/// Seconds before the collateral auction that follows an expiry by an hour.
const COLLATERAL_START: Nanos = Nanos((FIRST_EXPIRY_S + 3_600 - 5) * SEC);
/// One seed in so many trades on the venue's lowest tier.
const LOW_TIER_EVERY: f64 = 8.0;
/// One auction in so many begins in debt.
const IN_DEBT_EVERY: f64 = 8.0;

/// The market of the storms trades in seconds what a real one trades in minutes, and loses its pegs for seconds: what is
/// counted by time gives way to that.
const PACES: [[&str; 2]; 2] =
    [["fills_per_minute_max = 60", "fills_per_minute_max = 1000"], ["off_peg_max_s = 30", "off_peg_max_s = 3"]];

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
        let paced = PACES.iter().fold(scene.config.into_owned(), |config, [ours, theirs]| config.replace(ours, theirs));
        scene.config = Cow::Owned(paced);
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

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Seeds everything.
    pub seed: u64,
    /// Which of its faults may happen.
    pub allowed: Allowed,
    /// How long they go on, seconds; what its subject is used to, unless told.
    pub storm_s: Option<u64>,
    /// Our own code is bent as the seed draws, where the program has bends.
    pub bends: bool,
    /// The run is told up to the first violation.
    pub tells: bool,
}

impl Case {
    /// A seed with everything it draws.
    pub fn of(seed: u64) -> Case {
        Case { seed, allowed: Allowed::all(), storm_s: None, bends: true, tells: false }
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its rows in the catalogue.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// When, on the venue's clock.
    pub at: Nanos,
    /// What was seen.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}) at {} ms: {}", self.name, self.id, self.at.ms(), self.what)
    }
}

/// What a seed came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Who was in the storm.
    pub subject: Subject,
    /// Invariants broken, each once.
    pub violations: Vec<Violation>,
    /// How often each fault fired.
    pub fired: Fired,
    /// Every time one did.
    pub log: Vec<Strike>,
    /// How often each place of our own code was bent.
    pub bent: Bent,
    /// Faults against states of orders.
    pub matrix: Box<Matrix>,
    /// Steps, after each of which everything was checked.
    pub steps: u64,
    /// First moment.
    pub started: Nanos,
    /// Virtual time.
    pub virtual_ns: u64,
    /// Engines that died.
    pub deaths: u32,
    /// Fills at the venue.
    pub fills: u64,
    /// What was waived because of what had happened: the invariant, or the alarm, why, and in how many steps.
    pub excused: BTreeMap<(String, &'static str), u64>,
    /// What was compared with each twin.
    pub compared: Compared,
    /// Refusals of the venue's own, by code and by the first letter of the request's id.
    pub codes: BTreeMap<(i64, char), u64>,
    /// How it went before the first violation, if it was to be told.
    pub story: Option<Story>,
    /// Over every byte the engine sent and all of the above.
    pub digest: [u8; 32],
}

/// Runs a seed with everything it draws.
///
/// # Errors
/// The run could not begin; in words.
pub fn run(seed: u64) -> Result<Outcome, String> {
    run_case(&Case::of(seed))
}

/// Runs a case.
///
/// # Errors
/// The run could not begin; in words.
pub fn run_case(case: &Case) -> Result<Outcome, String> {
    Ok(Storm::open(case, false)?.pass(case)?.outcome())
}

/// Runs a case with every engine's tapes kept, and folds each of them once more: how they were played, engine by engine.
/// A tape does not know what was bent, so nothing is.
///
/// # Errors
/// The run could not begin; in words.
pub fn replay(case: &Case) -> Result<(Outcome, Vec<Vec<Played>>), String> {
    let case = &Case { bends: false, ..case.clone() };
    let mut storm = Storm::open(case, true)?.pass(case)?;
    storm.rig.stop();
    let played = storm.rig.replay(Nanos::MAX);
    Ok((storm.outcome(), played))
}

struct Storm {
    seed: u64,
    subject: Subject,
    rig: Rig,
    seen: Seen,
    draws: Draws,
    started: Nanos,
    operator: Operator,
    violations: Vec<Violation>,
    log: Vec<Strike>,
    bent: Bent,
    steps: u64,
}

impl Storm {
    fn open(case: &Case, tapes: bool) -> Result<Storm, String> {
        Storm::open_as(case, (Subject::of(case.seed), false), tapes)
    }

    /// A subject of choice, before its option auction or before its collateral auction.
    fn open_as(case: &Case, (subject, collateral): (Subject, bool), tapes: bool) -> Result<Storm, String> {
        let seed = case.seed;
        let scene = subject.scene();
        let mut draws = Draws::new(seed, 78);
        let start = if collateral { COLLATERAL_START } else { subject.start() };
        let lanes = Lanes::default();
        let kept = Kept { tapes, lanes: Some(lanes.clone()) };
        let mut rig = Rig::open_kept(&scene, seed, (subject.world(seed), start), kept)?;
        rig.venue.keep_tape();
        rig.paginate_journal(JOURNAL_PAGE);
        if draws.happens(0.5) {
            rig.venue.interleave(seed);
        }
        if draws.happens(1.0 / LOW_TIER_EVERY) {
            let account = rig.subaccount();
            rig.venue.mishap(|exchange, _, _| exchange.set_tier(account, Tier::Trader));
        }
        let mut seen = Seen::new(subject, scene.collateral, Rules::read(&scene.config)?, lanes);
        seen.story = case.tells.then(Story::default);
        // A settlement may have left a debt beyond what options may be traded with.
        if matches!(subject, Subject::Auction(_)) && draws.happens(1.0 / IN_DEBT_EVERY) {
            let account = rig.subaccount();
            let debt = Decimal::from(-4_000);
            rig.venue.mishap(|exchange, at, out| exchange.deposit(account, "USDC", debt, at, out));
        }
        let started = rig.venue.now();
        let operator = Operator::default();
        let (violations, log) = (Vec::new(), Vec::new());
        let (bent, steps) = ([0; PLACES], 0);
        Ok(Storm { seed, subject, rig, seen, draws, started, operator, violations, log, bent, steps })
    }

    fn pass(mut self, case: &Case) -> Result<Storm, String> {
        self.go(CALM_S)?;
        self.rig.venue.mistreat(Some(Faults::swarm(self.seed, &case.allowed)));
        if case.bends {
            buggify::begin(self.seed);
        }
        let storm = self.go(case.storm_s.unwrap_or(self.subject.storm_s()));
        self.bent = buggify::end();
        storm?;
        self.seen.note_faults(&mut self.rig);
        let faults = self.rig.venue.mistreat(None);
        self.rig.set_disk(Disk::Well);
        self.log = faults.map(|faults| faults.log().to_vec()).unwrap_or_default();
        self.seen.moments.calm = Some(self.rig.venue.now());
        self.make_good()?;
        self.go(HEAL_S)?;
        Ok(self)
    }

    fn go(&mut self, seconds: u64) -> Result<(), String> {
        let end = self.rig.venue.now().plus(seconds * SEC);
        while self.rig.venue.now() < end {
            self.step()?;
        }
        Ok(())
    }

    /// One step of time, one look at every invariant, one throw of the dice.
    fn step(&mut self) -> Result<(), String> {
        let stop = self.rig.venue.now().plus(STEP_NS);
        let mut heard: Vec<Notice> = Vec::new();
        self.rig.run(stop, Pace::Busy { stretch_ns: STRETCH_NS }, &mut |notice| heard.push(*notice));
        self.steps += 1;
        self.seen.look(&mut self.rig, heard);
        self.judge();
        self.act()?;
        self.strike()
    }

    /// Asks every invariant; each is broken once.
    fn judge(&mut self) {
        for (invariant, what) in invariants::broken(&mut self.seen) {
            if !self.violations.iter().any(|known| known.name == invariant.name) {
                let (id, name, at) = (invariant.id, invariant.name, self.seen.at);
                self.violations.push(Violation { id, name, at, what });
            }
        }
        if !self.violations.is_empty() {
            self.seen.story.iter_mut().for_each(Story::end);
        }
    }

    fn outcome(self) -> Outcome {
        let fills = self.rig.venue.exchange.trades_of(self.rig.subaccount()).len() as u64;
        let (fired, compared) = (self.seen.fired, self.seen.twins.compared);
        let mut bytes = self.rig.venue.sent_digest().to_vec();
        bytes.extend(format!("{fired:?}{:?}{:?}{fills}{}", self.bent, self.violations, self.steps).bytes());
        Outcome {
            seed: self.seed,
            subject: self.subject,
            violations: self.violations,
            fired,
            log: self.log,
            bent: self.bent,
            matrix: self.seen.matrix,
            steps: self.steps,
            started: self.started,
            virtual_ns: self.rig.venue.now().since(self.started),
            deaths: self.rig.deaths(),
            excused: self.seen.excused,
            compared,
            codes: self.seen.codes,
            fills,
            story: self.seen.story,
            digest: keccak256(bytes).0,
        }
    }
}
