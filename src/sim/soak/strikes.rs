//! Bringing faults about that are not of texts: deaths, the venue's own doings, and operators, who also make good what
//! only people can.

use super::{STEP_NS, STRETCH_NS, Storm};
use crate::actors::risk::{Alarm, Notice};
use crate::base::ids::{Side, VaultId};
use crate::base::num::{Amount, Cash, Ratio};
use crate::base::time::{MS, Nanos, SEC};
use crate::engine::journal::{LegRecord, OrderRecord};
use crate::exchange::Tier;
use crate::msg::{Command, Mode, Tighter};
use crate::sim::ports::Disk;
use crate::sim::venue::faults::{CATALOGUE, Family, Fault};
use crate::sim::venue::{Fate, Pace, Take};
use rust_decimal::Decimal;

/// A dead engine stays away between these, seconds.
const AWAY_S: (f64, f64) = (0.2, 6.0);
/// How long a run waits for the request at which it is to be killed.
const TRAP_NS: u64 = 5 * SEC;
/// Requests at which an engine may be killed.
const TRAPS: [&str; 4] = ["private/order", "private/replace", "private/cancel", "private/execute_quote"];
/// Deeds after which an engine may be killed.
const DEEDS: f64 = 60.0;
/// A connection that is gone is noticed by the venue within this, seconds.
const GHOST_S: (f64, f64) = (1.0, 180.0);
/// An operator looks at a vault that has stopped after so long, seconds.
const LOOK_S: (f64, f64) = (4.0, 12.0);
/// What the storm set going shows itself within this.
pub(super) const AFTERMATH_NS: u64 = 15 * SEC;
/// What is not on disk when the power goes.
const UNSETTLED_NS: u64 = 5 * MS;
/// How far a clock may be off after a step, seconds: hardly, more than allowed, wholly.
const STEPS_S: [f64; 4] = [0.4, 1.5, 6.0, 3_600.0];
/// How far from the mark somebody else's order rests.
const ASIDE: Decimal = Decimal::from_parts(9, 0, 0, false, 1);
/// Share of the collateral that arrives at once.
const DEPOSIT: Decimal = Decimal::from_parts(1, 0, 0, false, 2);
/// An orderly end waits so long for orders to go.
const WIND_UP_NS: u64 = 3 * SEC;
/// Parts per million by which a clock may be wrong.
const DRIFT_PPM: i64 = 500;
/// A clock that is off by less than this is left to itself.
const SKEW_NS_MAX: u64 = 200 * MS;
/// What operators say at once when they do not know of each other.
const ORDERS: [[Said; 3]; 4] = [
    [Said::Pause, Said::Resume, Said::Drain],
    [Said::Drain, Said::Pause, Said::Resume],
    [Said::Pause, Said::Resume, Said::Pause],
    [Said::Resume, Said::Pause, Said::Resume],
];
/// Limits that somebody may set to zero.
const ZEROS: [Tighter; 11] = [
    Tighter::QuoteAmount(Amount::ZERO),
    Tighter::OptionAmount(Amount::ZERO),
    Tighter::CollateralAmount(Amount::ZERO),
    Tighter::Notional(Cash::ZERO),
    Tighter::Borrow(Cash::ZERO),
    Tighter::FillsPerMinute(0),
    Tighter::MarkOffset(Ratio::ZERO),
    Tighter::LossEma(Ratio::ZERO),
    Tighter::Drawdown(Ratio::ZERO),
    Tighter::LossPerHour(Ratio::ZERO),
    Tighter::LossPerDay(Ratio::ZERO),
];
/// The only vault.
const VAULT: VaultId = VaultId(0);

/// How an engine dies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Death {
    /// What was not settled is lost.
    tail: bool,
    /// The whole journal is.
    journal: bool,
}

/// What one of several operators says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Pause,
    Resume,
    Drain,
}

/// What people are about to do.
#[derive(Debug, Default)]
pub(super) struct Operator {
    /// A kill waits for its moment until then.
    trapped: Option<(Nanos, Death)>,
    /// When somebody looks at a vault that has stopped, and whether it is only resumed.
    looks: Option<(Nanos, bool)>,
    /// Everything was told to stop, and has not said so yet.
    stopping: bool,
    /// The process was told to end, and does so when its orders are gone, or then.
    ending: Option<Nanos>,
    /// Somebody has looked at what stopped the engine before, and resumes the vault of this one.
    looked: bool,
}

impl Storm {
    /// What is due: a kill whose moment has come or never came, a look at a vault that has stopped.
    pub(super) fn act(&mut self) -> Result<(), String> {
        let at = self.rig.venue.now();
        if let Some((until, death)) = self.operator.trapped
            && (self.rig.venue.is_stopped() || at >= until)
        {
            return self.kill(death);
        }
        let halted = |notice: &Notice| matches!(notice, Notice::Mode { mode: Mode::Halted, .. });
        if self.operator.stopping && self.seen.heard.iter().any(halted) {
            self.operator.stopping = false;
            self.seen.moments.stopped = Some(at);
        }
        let waits = |notice: &Notice| matches!(notice, Notice::Alarm { alarm: Alarm::StoppedBefore { .. }, .. });
        if self.operator.looked && self.seen.heard.iter().any(waits) {
            self.operator.looked = false;
            // A vault that has stopped anew, and for good, is looked at anew.
            return if self.seen.heard.iter().any(halted) { Ok(()) } else { self.resume() };
        }
        if let Some(due) = self.operator.ending {
            return if at >= due || self.has_wound_up() { self.end() } else { Ok(()) };
        }
        let Some(drained_at) = self.seen.drained_at() else {
            self.operator.looks = None;
            return Ok(());
        };
        let Some((due, resumes)) = self.operator.looks else {
            // What the storm set going may come to its end only now; later nothing is due.
            if self.seen.moments.calm.is_some_and(|calm| drained_at.since(calm) > AFTERMATH_NS) {
                return Ok(());
            }
            let wait_ms = (self.draws.between(LOOK_S.0, LOOK_S.1) * 1_000.0) as u64;
            self.operator.looks = Some((at.plus(wait_ms * MS), self.draws.happens(0.5)));
            return Ok(());
        };
        if at < due {
            return Ok(());
        }
        self.operator.looks = None;
        if resumes && self.may_be_resumed() {
            return self.resume();
        }
        self.replace(self.rig.venue.skew_ns())
    }

    /// True if the vault says that it waits for nothing but a person.
    fn may_be_resumed(&self) -> bool {
        matches!(self.seen.last, Some((sample, _)) if sample.mode == Mode::Drain && !sample.demands_restart)
    }

    /// True if the vault says that nothing of it is left at the venue.
    fn has_wound_up(&self) -> bool {
        let gone = |mode| matches!(mode, Mode::Drain | Mode::Halted);
        matches!(self.seen.last, Some((sample, _)) if gone(sample.mode) && sample.live == 0 && sample.asked_at.is_none())
    }

    /// The process ends in order, and another starts.
    fn end(&mut self) -> Result<(), String> {
        self.rig.stop();
        self.replaced(Death::default(), self.rig.venue.skew_ns())
    }

    /// A person lets the vault trade again.
    fn resume(&mut self) -> Result<(), String> {
        if self.rig.command(Command::Resume { vault: VAULT }) {
            self.seen.resumed();
        }
        Ok(())
    }

    /// A person who has looked kills the engine and starts another, whose vault is resumed if it waits for that.
    fn replace(&mut self, skew_ns: i64) -> Result<(), String> {
        self.kill_with(Death::default(), skew_ns)?;
        self.operator.looked = true;
        Ok(())
    }

    /// When the storm is over: what only people can mend is mended.
    pub(super) fn make_good(&mut self) -> Result<(), String> {
        let account = self.rig.subaccount();
        self.rig.venue.mishap(|exchange, _, _| exchange.set_tier(account, Tier::MarketMaker));
        self.rig.venue.drift_clock(0);
        let waits = self.operator.trapped.is_some() || self.operator.stopping || self.operator.ending.is_some();
        let stopped = self.seen.drained_at().is_some() || waits || !self.seen.moments.tightened.is_empty();
        if stopped || self.rig.venue.skew_ns().unsigned_abs() > SKEW_NS_MAX {
            self.replace(0)?;
        }
        Ok(())
    }

    /// The engine dies, and another starts.
    pub(super) fn die(&mut self) -> Result<(), String> {
        self.kill(Death::default())
    }

    fn kill(&mut self, death: Death) -> Result<(), String> {
        self.kill_with(death, self.rig.venue.skew_ns())
    }

    /// Kills the engine, lets the venue go on for a while, and starts another whose clock is so much off.
    fn kill_with(&mut self, death: Death, skew_ns: i64) -> Result<(), String> {
        if death.tail {
            let settled = self.rig.venue.engine_now().0.saturating_sub(UNSETTLED_NS);
            let records = self.rig.journal();
            let at = |record: &[u8; 64]| {
                let order = OrderRecord::read(record).map(|order| order.at);
                order.or_else(|| LegRecord::read(record).map(|leg| leg.at)).unwrap_or_default()
            };
            let unsettled = records.iter().rev().take_while(|record| at(record).0 >= settled).count();
            self.rig.lose_tail((self.draws.between(0.0, 1.0) * (unsettled + 1) as f64) as usize);
        }
        self.rig.kill();
        self.replaced(death, skew_ns)
    }

    /// The engine is gone: the venue goes on for a while, and another starts whose clock is so much off.
    fn replaced(&mut self, death: Death, skew_ns: i64) -> Result<(), String> {
        self.operator = Operator::default();
        let away_ms = (self.draws.between(AWAY_S.0, AWAY_S.1) * 1_000.0) as u64;
        let back = self.rig.venue.now().plus(away_ms * MS);
        self.rig.run(back, Pace::Busy { stretch_ns: STRETCH_NS }, &mut |_| {});
        self.seen.reborn(&mut self.rig);
        self.judge();
        if death.journal {
            self.rig.lose_journal();
            self.seen.journal_lost();
        }
        self.rig.venue.skew_clock(skew_ns);
        self.rig.start()
    }

    /// Throws the dice for everything that is drawn by the second.
    pub(super) fn strike(&mut self) -> Result<(), String> {
        let (at, share) = (self.rig.venue.now(), STEP_NS as f64 / SEC as f64);
        let Some(faults) = self.rig.venue.faults() else { return Ok(()) };
        faults.begin_spans(at, share);
        let lasts = |fault| faults.lasts(fault, at).is_some();
        let disk = match (lasts(Fault::DiskFull), lasts(Fault::DiskSlow)) {
            (true, _) => Disk::Full,
            (_, true) => Disk::Slow,
            _ => Disk::Well,
        };
        let (silent, dust) = (faults.is_silent(at), lasts(Fault::DustTaker));
        let (stopped, rests) = (self.seen.drained_at().is_some(), !self.seen.open.is_empty());
        let may = |fault: &Fault| match fault {
            Fault::Swept => rests,
            Fault::Sniped => silent && rests,
            Fault::ResumedEarly => stopped,
            _ => true,
        };
        let moments = CATALOGUE.iter().filter(|kind| kind.family == Family::Moment).map(|kind| kind.fault);
        let struck: Vec<Fault> = moments.filter(may).filter(|fault| faults.strikes(at, *fault, share)).collect();
        self.rig.set_disk(disk);
        if dust {
            self.rig.venue.take_ours(Take::Dust);
        }
        struck.into_iter().try_for_each(|fault| self.happen(fault))
    }

    fn happen(&mut self, fault: Fault) -> Result<(), String> {
        match fault {
            Fault::PrivateCut => self.rig.venue.cut_private(),
            Fault::PublicCut => self.rig.venue.cut_public(),
            Fault::AllCut => self.rig.venue.cut_all(),
            Fault::Killed => return self.kill(Death::default()),
            Fault::JournalLost => return self.kill(Death { tail: false, journal: true }),
            Fault::ClockStepped => {
                let reach_s = STEPS_S[self.pick(fault, STEPS_S.len())];
                let off_s = self.draw(fault, -reach_s, reach_s);
                return self.kill_with(Death::default(), (off_s * SEC as f64) as i64);
            }
            Fault::KilledAfterRequest => self.trap(fault, Fate::Delivered, Death::default()),
            Fault::KilledBeforeRequest => self.trap(fault, Fate::Lost, Death::default()),
            Fault::TailLost => self.trap(fault, Fate::Delivered, Death { tail: true, journal: false }),
            Fault::KilledBetween if self.operator.trapped.is_none() => {
                let fate = [Fate::Delivered, Fate::Lost][self.pick(fault, 2)];
                let deeds = 1 + self.draw(fault, 0.0, DEEDS) as u64;
                self.rig.venue.stop_after(deeds, fate);
                self.operator.trapped = Some((self.rig.venue.now().plus(TRAP_NS), Death::default()));
            }
            Fault::Drained => drop(self.rig.command(Command::Drain { vault: VAULT })),
            Fault::KillSwitch => self.operator.stopping = self.rig.command(Command::Kill),
            Fault::SignerStopped => {
                self.rig.throw_switch();
                self.seen.moments.switched = Some(self.rig.venue.now());
            }
            Fault::SyncFails => {
                self.rig.fail_sync();
                self.seen.moments.unsynced = Some(self.rig.venue.engine_now());
            }
            other => self.mishap(other),
        }
        Ok(())
    }

    /// What the venue does by itself.
    fn mishap(&mut self, fault: Fault) {
        let account = self.rig.subaccount();
        let now = self.rig.venue.now();
        match fault {
            Fault::HalfCut => {
                let gone_ms = (self.draw(fault, GHOST_S.0, GHOST_S.1) * 1_000.0) as u64;
                self.rig.venue.cut_half(now.plus(gone_ms * MS));
            }
            Fault::VenueCancels => {
                self.rig.venue.mishap(|exchange, at, out| exchange.cancel_everything(account, at, out));
            }
            Fault::VenueForgets => {
                self.rig.venue.mishap(|exchange, at, out| exchange.forget_orders(account, at, out));
                self.rig.venue.cut_all();
            }
            Fault::SessionExpired => self.rig.venue.mishap(|exchange, _, _| exchange.log_everybody_out()),
            Fault::TierCut => self.rig.venue.mishap(|exchange, _, _| exchange.set_tier(account, Tier::Trader)),
            Fault::Deposited => {
                let name = self.seen.collateral;
                let held = self.seen.books.balances.get(name).copied().unwrap_or_default();
                let more = (held * DEPOSIT).round_dp(2);
                self.rig.venue.mishap(|exchange, at, out| exchange.deposit(account, name, more, at, out));
            }
            Fault::RolledBack => {
                self.rig.venue.mishap(|exchange, at, out| exchange.roll_back(account, at, out));
                if self.pick(fault, 2) == 0 {
                    self.rig.venue.cut_all();
                }
            }
            Fault::ForeignOrder => self.strange(account),
            Fault::Swept => drop(self.rig.venue.take_ours(Take::Everything)),
            Fault::Sniped => drop(self.rig.venue.take_ours(Take::Stale)),
            Fault::ClockDrifts => {
                let fast = self.rig.venue.drift_ppm() < 0 || self.pick(fault, 2) == 0;
                self.rig.venue.drift_clock(if fast { DRIFT_PPM } else { -DRIFT_PPM });
            }
            _ => self.interfere(fault),
        }
    }

    /// What people do to a vault that they should not, or at the wrong moment.
    fn interfere(&mut self, fault: Fault) {
        let now = self.rig.venue.now();
        match fault {
            Fault::ResumedEarly => self.say(Said::Resume),
            Fault::Contradicted => ORDERS[self.pick(fault, ORDERS.len())].into_iter().for_each(|said| self.say(said)),
            Fault::TightenedToZero => {
                let to = ZEROS[self.pick(fault, ZEROS.len())];
                if self.rig.command(Command::Tighten { vault: VAULT, to }) {
                    self.seen.moments.tightened.push((now, to));
                }
            }
            Fault::StoppedInOrder
                if self.operator.ending.is_none() && self.rig.command(Command::End { vault: VAULT, orderly: true }) =>
            {
                self.operator.ending = Some(now.plus(WIND_UP_NS));
                self.seen.moments.ended = true;
            }
            _ => {}
        }
    }

    /// An operator says something without a look. Whether a resume is heeded, the vault says itself.
    fn say(&mut self, said: Said) {
        let command = match said {
            Said::Pause => Command::Pause { vault: VAULT },
            Said::Resume => Command::Resume { vault: VAULT },
            Said::Drain => Command::Drain { vault: VAULT },
        };
        if self.rig.command(command) && said == Said::Resume {
            self.seen.moments.resume_said = Some(self.rig.venue.now());
        }
    }

    /// Somebody else bids for collateral, well below its mark.
    fn strange(&mut self, account: u64) {
        let base = *self.rig.base();
        let decimal = |text: String| text.parse::<Decimal>().unwrap_or_default();
        let (tick, amount) = (decimal(base.tick.to_string()), decimal(base.min_amount.to_string()));
        let placed = self.rig.venue.mishap(|exchange, at, out| {
            let aside = exchange.mark(base.name.as_str()) * ASIDE;
            let price = (aside / tick).floor() * tick;
            exchange.stranger_order(account, (base.name.as_str(), Side::Buy), (price, amount), at, out)
        });
        if let Ok(nonce) = placed {
            self.seen.strangers.push((nonce, self.rig.venue.now()));
        }
    }

    /// The run is to stop at a request, there to be killed.
    fn trap(&mut self, fault: Fault, fate: Fate, death: Death) {
        if self.operator.trapped.is_none() {
            let place = self.pick(fault, TRAPS.len());
            self.rig.venue.stop_at(TRAPS[place], fate);
            self.operator.trapped = Some((self.rig.venue.now().plus(TRAP_NS), death));
        }
    }

    fn draw(&mut self, fault: Fault, low: f64, high: f64) -> f64 {
        self.rig.venue.faults().map_or(low, |faults| faults.draw(fault, low, high))
    }

    fn pick(&mut self, fault: Fault, places: usize) -> usize {
        self.rig.venue.faults().map_or(0, |faults| faults.pick(fault, places))
    }
}
