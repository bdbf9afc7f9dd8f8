//! An option vault through whole weeks of virtual time: exchange, crowd and engine in one thread, the same bytes as over
//! sockets, thousands of times faster than the clock on the wall.

mod checks;
mod recorder;

use crate::actors::risk::Notice;
use crate::base::time::{MS, Nanos, SEC};
use crate::exchange::world::WorldSettings;
use crate::exchange::world::weeks::{OptionMarket, Shape};
use crate::msg::{Phase, Product};
use crate::sim::record::{Record, Stage};
use crate::sim::rig::{Rig, Scene};
use crate::sim::venue::Pace;
use crate::strategy::options::params::Week;
use recorder::Recorder;
use std::borrow::Cow;

/// A Friday, 08:00 UTC: the expiry before the first auction (2026-12-04).
pub const FIRST_EXPIRY_S: u64 = 1_796_371_200;
/// A week of seconds.
const WEEK_S: u64 = 7 * 86_400;
/// The run begins this long before the first expiry.
const LEAD_S: u64 = 3_600;
/// Around the moments at which a phase may turn, time passes in small steps for this long.
const TURN_S: u64 = 30;
/// Longest stretch between two looks while somebody trades.
const BUSY_NS: u64 = 250 * MS;
/// Milliseconds between two turns of the market while somebody trades.
const MARKET_STEP_MS: u64 = 250;
/// Length of a leap while nobody does.
const QUIET_NS: u64 = 300 * SEC;
/// And while prices are averaged for a settlement.
const AVERAGED_NS: u64 = 60 * SEC;
/// How long before an expiry prices are averaged.
const AVERAGED_S: u64 = 1_800;

/// Which vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vault {
    /// Covered calls on weETH.
    Harvest,
    /// Call spreads on weETH.
    SafeHarvest,
    /// Put spreads on LBTC.
    Maxi,
    /// Call spreads bought with the yield of sUSDe.
    Bull,
}

impl Vault {
    /// Every vault.
    pub const ALL: [Vault; 4] = [Vault::Harvest, Vault::SafeHarvest, Vault::Maxi, Vault::Bull];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Vault::Harvest => "harvest",
            Vault::SafeHarvest => "safe-harvest",
            Vault::Maxi => "maxi",
            Vault::Bull => "bull",
        }
    }

    /// What it trades.
    pub const fn product(self) -> Product {
        match self {
            Vault::Harvest => Product::CoveredCall,
            Vault::SafeHarvest => Product::ShortCallSpread,
            Vault::Maxi => Product::ShortPutSpread,
            Vault::Bull => Product::LongCallSpread,
        }
    }

    /// Its configuration and deposit.
    pub const fn scene(self) -> Scene {
        match self {
            Vault::Harvest => Scene {
                config: Cow::Borrowed(include_str!("../../../tools/config/harvest-weeth.toml")),
                file: "harvest-weeth.toml",
                collateral: "WEETH",
                currency: "ETH",
                deposit: "100",
                ratio_feeds: &[],
            },
            Vault::SafeHarvest => Scene {
                config: Cow::Borrowed(include_str!("../../../tools/config/safe-harvest-weeth.toml")),
                file: "safe-harvest-weeth.toml",
                collateral: "WEETH",
                currency: "ETH",
                deposit: "100",
                ratio_feeds: &[],
            },
            Vault::Maxi => Scene {
                config: Cow::Borrowed(include_str!("../../../tools/config/maxi-lbtc.toml")),
                file: "maxi-lbtc.toml",
                collateral: "LBTC",
                currency: "BTC",
                deposit: "20",
                ratio_feeds: &[],
            },
            Vault::Bull => Scene {
                config: Cow::Borrowed(include_str!("../../../tools/config/bull-susde.toml")),
                file: "bull-susde.toml",
                collateral: "SUSDE",
                currency: "ETH",
                deposit: "10000000",
                ratio_feeds: &[2],
            },
        }
    }
}

/// What to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Vault.
    pub vault: Vault,
    /// Weeks, from one.
    pub weeks: u32,
    /// Seeds prices and crowd.
    pub seed: u64,
    /// Kind of weeks.
    pub market: Shape,
}

impl Terms {
    /// The command that simulates these terms again.
    pub fn command(&self) -> String {
        let Terms { vault, weeks, seed, market } = self;
        format!("keel sim --vault {} --weeks {weeks} --seed {seed} --market {}", vault.name(), market.name())
    }

    /// First moment of the run.
    pub const fn start(&self) -> Nanos {
        Nanos((FIRST_EXPIRY_S - LEAD_S) * SEC)
    }

    /// Last moment: the last week's expiry is settled and its collateral auction over.
    fn end(&self, week: &Week) -> Nanos {
        let last = FIRST_EXPIRY_S + u64::from(self.weeks) * WEEK_S;
        Nanos((last + week.spot_delay_s + LEAD_S) * SEC)
    }
}

/// Runs a vault through its weeks in an ordinary world; `watch` hears of every phase as it is entered.
///
/// # Errors
/// The run could not begin; in words. What goes wrong later is in the record.
pub fn run(terms: &Terms, watch: &mut dyn FnMut(&Stage)) -> Result<Record, String> {
    let market = OptionMarket { step_ms: MARKET_STEP_MS, ..OptionMarket::of(terms.market) };
    let world = WorldSettings { options: Some(market), ..WorldSettings::weeks(terms.seed, terms.market) };
    let mut run = Run::begin(terms, world)?;
    while run.goes_on() {
        run.stride(watch);
    }
    Ok(run.finish())
}

/// A run in the making, for whoever wants to interfere with it.
pub struct Run {
    /// Venue and engine.
    pub rig: Rig,
    recorder: Recorder,
    end: Nanos,
    /// Deaths of the engine after which it has found its phase again.
    settled_deaths: u32,
}

impl Run {
    /// Opens the venue in a world and starts the engine.
    ///
    /// # Errors
    /// The run could not begin; in words.
    pub fn begin(terms: &Terms, world: WorldSettings) -> Result<Run, String> {
        let rig = Rig::open(&terms.vault.scene(), terms.seed, world, terms.start())?;
        let end = terms.end(&rig.plan().params.week);
        Ok(Run { recorder: Recorder::new(terms, &rig), rig, end, settled_deaths: 0 })
    }

    /// True until the last week is over.
    pub fn goes_on(&self) -> bool {
        self.rig.venue.now() < self.end
    }

    /// The phase last entered.
    pub fn phase(&self) -> Phase {
        self.recorder.phase()
    }

    /// What was recorded so far.
    pub fn record(&self) -> &Record {
        self.recorder.record()
    }

    /// One stretch of time, at the pace of the vault's phase.
    pub fn stride(&mut self, watch: &mut dyn FnMut(&Stage)) {
        // An engine that has just been started finds its place in small steps, whatever the dead one was waiting for.
        let phase = if self.settled_deaths == self.rig.deaths() { self.recorder.phase() } else { Phase::Boot };
        let (stop, pace) = next_stretch(self.rig.venue.now(), phase, &self.rig.plan().params.week);
        let mut heard: Vec<Notice> = Vec::new();
        self.rig.run(stop.min(self.end), pace, &mut |notice| heard.push(*notice));
        if heard.iter().any(|notice| matches!(notice, Notice::Phase { .. })) {
            self.settled_deaths = self.rig.deaths();
        }
        for notice in &heard {
            self.recorder.hear(&self.rig, notice, watch);
        }
        self.recorder.look(&mut self.rig);
    }

    /// The finished record.
    pub fn finish(self) -> Record {
        self.recorder.finish(&self.rig)
    }
}

/// How far to go at once: by the second while an auction runs or a phase may turn, else as far as nothing can happen.
fn next_stretch(now: Nanos, phase: Phase, week: &Week) -> (Nanos, Pace) {
    let busy = (now.plus(SEC), Pace::Busy { stretch_ns: BUSY_NS });
    if matches!(phase, Phase::Boot | Phase::OptionAuction | Phase::SpotAuction) {
        return busy;
    }
    let now_s = now.secs();
    let weeks = now_s.saturating_sub(FIRST_EXPIRY_S) / WEEK_S;
    let turns = (0..=weeks + 2).flat_map(|number| {
        let expiry_s = FIRST_EXPIRY_S + number * WEEK_S;
        [expiry_s, expiry_s + week.spot_delay_s, week.auction_start_s(expiry_s)]
    });
    let near = |turn_s: &u64| now_s + TURN_S >= *turn_s && now_s < turn_s + TURN_S;
    if turns.clone().any(|turn_s| near(&turn_s)) {
        return busy;
    }
    let next_s = turns.filter(|turn_s| *turn_s > now_s).min().unwrap_or(now_s + WEEK_S);
    let stop = Nanos((next_s - TURN_S) * SEC).max(now.plus(SEC));
    let averaged_at = Nanos((FIRST_EXPIRY_S + (weeks + 1) * WEEK_S - AVERAGED_S - TURN_S) * SEC);
    if now < averaged_at {
        return (stop.min(averaged_at), Pace::Quiet { step_ns: QUIET_NS });
    }
    (stop, Pace::Quiet { step_ns: AVERAGED_NS })
}
