//! What time alone does: answers that do not come, balances that do not meet, losses that add up, regular news.

use super::desk::Desk;
use super::notice::{Alarm, Notice, Sample};
use super::{Out, Risk, Wallet};
use crate::base::buggify::{Place, bends};
use crate::base::ids::Side;
use crate::base::num::{Ratio, Rounding};
use crate::base::time::{MS, Nanos, SEC};
use crate::msg::{Concern, Fill, Guards, Life, Lost, Mode, Note, Purpose, Trace};
use crate::risk::limits::Mandate;
use crate::risk::order::Granted;

/// An order unanswered for this long is of unknown fate.
const ANSWER_NS_MAX: u64 = 2 * SEC;
/// A cancel unanswered for this long is asked again.
const CANCEL_AGAIN_NS: u64 = SEC;
/// Unknown orders must be definite after this long with a session (O4).
const UNKNOWN_NS_MAX: u64 = 5 * SEC;
/// Ticks further apart than this were not lived through.
const AWAKE_NS_MAX: u64 = SEC;
/// Regular reconciliation.
const RECONCILE_NS: u64 = 10 * SEC;
/// Reconciliation while the truth is uncertain.
const RECONCILE_URGENT_NS: u64 = 400 * MS;
/// Losses are written down at most this often.
const LOSSES_NS: u64 = 5 * SEC;
/// A snapshot unanswered for this long is asked again.
const SNAPSHOT_NS_MAX: u64 = 3 * SEC;
/// An account is renewed at least this often.
const HEARTBEAT_NS: u64 = 50 * MS;
/// A hedge that finds nobody is tried again many times in this.
const UNHEDGED_NS: u64 = 10 * SEC;
/// Regular news.
const SAMPLE_NS: u64 = 100 * MS;

impl Risk {
    pub(super) fn on_tick(&mut self, at: Nanos, out: &mut Out) {
        let live = self.live_orders();
        let wallet = &mut self.wallet;
        let slept_ns =
            Some(at.since(wallet.ticked_at)).filter(|ns| *ns > AWAKE_NS_MAX && wallet.ticked_at > Nanos::ZERO);
        wallet.ticked_at = at;
        for desk in &mut self.desks {
            desk.forgive_sleep(slept_ns);
            desk.tell_inherited(out);
            desk.chase(at, wallet, out);
            desk.chase_talk(at, wallet, out);
            desk.review_unsigned(at, wallet, out);
            desk.chase_movement(at, out);
            desk.reconcile_when_due(at, wallet, out);
            desk.guard_losses(at, out);
            desk.guard_peg(at, out);
            desk.guard_hedge(at, out);
            desk.journal_losses(at, out);
            desk.journal_loss_sum(at, out);
            desk.tell_settlement(out);
            desk.found_principal(out);
            desk.tell_contract(out);
            desk.guard_signing(at, wallet, out);
            let due = at.since(desk.published_at) >= HEARTBEAT_NS || desk.is_settling(at) != desk.settling_told;
            if due || bends(Place::TellsAgain) {
                desk.publish(at, Trace::default(), wallet, live, out);
            }
            if at.since(desk.sampled_at) >= SAMPLE_NS && out.notices.room() > 0 {
                desk.sampled_at = at;
                let sample = desk.sample(at, wallet);
                out.notices.push(Notice::Sample { vault: desk.vault(), sample, stats: desk.stats });
            }
        }
    }
}

impl Desk {
    /// Turns silence into doubt, and asks again for cancels that were not answered.
    fn chase(&mut self, at: Nanos, wallet: &mut Wallet, out: &mut Out) {
        let overdue = |order: &&crate::account::order::LiveOrder| {
            let owed = self.owed_since(order.nonce, order.approved_at);
            let overdue = owed.is_some_and(|since| at.since(since) > ANSWER_NS_MAX);
            let unanswered = order.life == Life::Pending && (overdue || bends(Place::DoubtsEarly));
            // Not at once even when bent: within what the venue grants for cancels.
            let pause_ns = if bends(Place::CancelsAgain) { CANCEL_AGAIN_NS / 4 } else { CANCEL_AGAIN_NS };
            let leaving = matches!(order.life, Life::Leaving | Life::Unknown);
            unanswered || (leaving && at.since(order.cancel_asked_at) > pause_ns)
        };
        let Some(order) = self.ledger.orders().find(overdue) else { return };
        let (nonce, life, asked) = (order.nonce, order.life, order.cancel_asked_at);
        // A cancel that was asked for and twice not answered says as little as an unanswered order.
        if life == Life::Pending || (life == Life::Leaving && asked > Nanos::ZERO) {
            self.doubt(at, nonce);
        }
        if wallet.session_up() {
            self.cancel(at, nonce, Trace::default(), wallet, out);
        } else {
            self.ledger.note_cancel(nonce, at);
        }
    }

    /// What nothing could be done about while the whole process stood still is no fault of ours.
    fn forgive_sleep(&mut self, slept_ns: Option<u64>) {
        if let Some(slept_ns) = slept_ns.filter(|_| self.unknown_since > Nanos::ZERO) {
            self.unknown_since = self.unknown_since.plus(slept_ns);
        }
    }

    fn reconcile_when_due(&mut self, at: Nanos, wallet: &mut Wallet, out: &mut Out) {
        if !wallet.session_up() {
            return;
        }
        if self.unknown_since > Nanos::ZERO && at.since(self.unknown_since) > UNKNOWN_NS_MAX {
            self.unknown_since = at;
            self.alarm(Alarm::Invariant { row: 1 }, out);
        }
        let since = at.since(self.reconcile.asked_at);
        if self.reconcile.pending {
            if since > SNAPSHOT_NS_MAX || bends(Place::AsksAgain) {
                self.ask_snapshot(at, out);
            }
            return;
        }
        let uncertain = self.ledger.is_uncertain() || self.mode == Mode::Starting;
        let differs = self.ledger.differs_from_reports(at);
        let due = if uncertain || differs { RECONCILE_URGENT_NS } else { RECONCILE_NS };
        if since >= due || bends(Place::LooksEarly) {
            self.ask_snapshot(at, out);
        }
    }

    /// Drains when more was lost than allowed (M7): by an option vault's trades, or of a basis vault's value in base units,
    /// from its peak or in an hour or a day.
    pub(super) fn guard_losses(&mut self, at: Nanos, out: &mut Out) {
        if self.mode != Mode::Live {
            return;
        }
        // An option vault's value in base units swings with the market by its very mandate: written calls cost base when
        // prices rise, and collateral waits for settlement. Its losses are bounded by cover, share and purse instead.
        let limits = match self.mandate {
            Mandate::Basis(limits) => limits,
            Mandate::Options(limits) => {
                if self.losses.trades_spent(at, limits.losses) {
                    self.drain(Alarm::LossBudget, out);
                }
                return;
            }
        };
        if self.ledger.is_uncertain() {
            return;
        }
        // What a rumour would cost is not lost: the budgets wait until it is believed, and count it then.
        let Some((marks, true)) = self.believed_marks() else { return };
        let worth = self.ledger.holdings().tvl(marks);
        self.losses.note_value(at, worth);
        if self.losses.has_drawn_down(worth, limits.drawdown_max) {
            self.drain(Alarm::Drawdown, out);
        } else if self.losses.value_spent(worth, limits.losses) {
            self.drain(Alarm::LossBudget, out);
        }
    }

    /// Drains once the base has been seen off its peg for longer than allowed (D6). While a source is missing nothing is
    /// known of the peg: what was seen stands, and that time does not count.
    fn guard_peg(&mut self, at: Nanos, out: &mut Out) {
        let Mandate::Basis(limits) = self.mandate else { return };
        let (guards, current) = (self.base.guards, at <= self.base.good_until);
        let seen_before = self.off_peg_at.take();
        if self.mode != Mode::Live || (current && !guards.has(Guards::PEG_UNKNOWN.with(Guards::OFF_PEG))) {
            self.off_peg_ns = 0;
        } else if current && !guards.has(Guards::PEG_UNKNOWN) {
            self.off_peg_ns += seen_before.map_or(0, |before| at.since(before));
            self.off_peg_at = Some(at);
            if self.off_peg_ns > limits.off_peg_ns_max {
                self.drain(Alarm::OffPeg, out);
            }
        }
    }

    /// Says once that delta has stayed outside its band for long (M3): the venue finds nobody, or a limit refuses the hedge.
    fn guard_hedge(&mut self, at: Nanos, out: &mut Out) {
        let Mandate::Basis(limits) = self.mandate else { return };
        let Some((marks, _)) = self.believed_marks() else { return };
        let holdings = self.ledger.holdings();
        let within = |delta: Ratio| (limits.delta_min..=limits.delta_max).contains(&delta);
        // What is worth nothing is hedged if it stands in nothing.
        let hedged = holdings.delta(marks).map_or(holdings.exposure(marks).is_zero(), within);
        if hedged || self.mode == Mode::Starting {
            self.unhedged = None;
            return;
        }
        let (since, told) = *self.unhedged.get_or_insert((at, false));
        if !told && at.since(since) > UNHEDGED_NS && out.notices.room() > 0 {
            self.unhedged = Some((since, true));
            self.alarm(Alarm::Concern(Concern::Unhedged), out);
        }
    }

    /// Has what was lost written down, if it changed; at most once in a while.
    fn journal_losses(&mut self, at: Nanos, out: &mut Out) {
        if at.since(self.lost_told.at) < LOSSES_NS || out.orders.room() == 0 {
            return;
        }
        let lost = self.losses.lost(at);
        if (Lost { at: self.lost_told.at, ..lost }) != self.lost_told {
            self.lost_told = lost;
            out.orders.push(Granted::Note { vault: self.vault(), note: Note::Lost(lost) });
        }
    }

    /// Counts what an option vault's trade has lost against mark.
    pub(super) fn guard_trades(&mut self, at: Nanos, fill: &Fill, wallet: &Wallet, out: &mut Out) {
        if !matches!(self.mandate, Mandate::Options(_)) {
            return;
        }
        let Some((marks, _)) = self.believed_marks() else { return };
        let worth = self.ledger.holdings().value(marks) + wallet.table.worth(self.ledger.options().iter());
        let mark = wallet.table.believed_mark(fill.instrument);
        self.note_option_loss(at, fill, (mark, worth));
        self.guard_losses(at, out);
    }

    /// Nothing rests that takes risk; while halted nothing at all.
    pub(super) fn withdraw(&mut self, at: Nanos, wallet: &mut Wallet, out: &mut Out) {
        let halted = self.mode == Mode::Halted;
        let resting = self.ledger.orders().find(|order| {
            let may_stay = match (order.wish.purpose, order.wish.side) {
                (Purpose::Package, _) => true, // nothing recalls it; its RFQ is withdrawn instead
                (Purpose::Hedge, _) | (Purpose::Convert, Side::Sell) => !halted,
                _ => false,
            };
            matches!(order.life, Life::Pending | Life::Open) && !may_stay
        });
        if let Some(nonce) = resting.map(|order| order.nonce) {
            self.cancel(at, nonce, Trace::default(), wallet, out);
        }
    }

    fn sample(&mut self, at: Nanos, wallet: &mut Wallet) -> Sample {
        let budget_pct = self.budget_pct(at, &mut wallet.messages);
        let holdings = *self.ledger.holdings();
        let flows = *self.ledger.flows();
        let marks = self.marks();
        let options = wallet.table.worth(self.ledger.options().iter());
        let value = marks.map_or(Default::default(), |marks| holdings.value(marks) + options);
        let carry = self.ledger.book().perp.and(self.borrow_apr(at));
        Sample {
            at,
            mode: self.mode,
            demands_restart: self.demands_restart,
            nonce: wallet.nonces.last(),
            tvl: marks.map_or(Default::default(), |marks| value.over_price(marks.base, Rounding::Floor)),
            value,
            base: holdings.base,
            perp: holdings.perp,
            cash: holdings.cash,
            perp_cost: holdings.perp_cost,
            phase: self.milestone.phase,
            held: self.ledger.options().all(),
            options,
            delta: marks.and_then(|marks| holdings.delta(marks)).unwrap_or_default(),
            leverage: marks.and_then(|marks| holdings.leverage(marks)).unwrap_or_default(),
            carry: carry.map(|apr| crate::market::carry::annual(self.perp.funding_hourly, apr)).unwrap_or_default(),
            fair: self.base.fair,
            mark: self.base.mark,
            guards: self.base.guards.with(self.perp.guards),
            live: self.ledger.orders().count() as u8,
            asked_at: self.conversation.talk().rfq.map(|rfq| rfq.opened_at),
            budget_pct,
            fees: flows.fees,
            interest: flows.interest,
            funding: flows.funding,
            premium: flows.premium,
            settled: flows.settled,
        }
    }
}
