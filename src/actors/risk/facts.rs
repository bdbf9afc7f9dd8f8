//! What each report does: to the ledger, to the mode, and what must be asked next.

use super::desk::Desk;
use super::notice::{Alarm, Notice};
use super::{Out, Risk, Wallet};
use crate::account::ledger::{Effect, Reconciled};
use crate::account::order::LiveOrder;
use crate::base::ids::{InstrumentId, Nonce, SubaccountId};
use crate::base::num::Amount;
use crate::base::time::{Nanos, SEC};
use crate::msg::{
    Answer, Asset, Breach, Fill, Life, Mode, OrderRow, Purpose, Report, ReportMsg, Request, Session, Snapshot, Trace,
    Unsent, Urgent, Verdict, Wish,
};
use crate::risk::order::Replaced;

/// Codes that say the order is over already (Derive 11003–11006).
const OVER: std::ops::RangeInclusive<i32> = 11_003..=11_006;
/// A start that meets something unknown for longer than this says so: listings are read within seconds.
const STRANGE_NS_MAX: u64 = 10 * SEC;

impl Risk {
    pub(super) fn on_report(&mut self, at: Nanos, message: &ReportMsg, out: &mut Out) {
        match message.body {
            Report::Session(session) => return self.on_session(at, session, out),
            Report::Budget(budget) => {
                // A venue that allows nothing at all still lets one request through now and then.
                self.wallet.messages.set_rate(budget.matching_tps.max(1));
                self.wallet.instrument_tps = budget.instrument_tps.max(1);
                self.wallet.per_instrument.iter_mut().for_each(|w| w.set_rate(budget.instrument_tps.max(1)));
                return;
            }
            Report::VenueTime { offset_ns, .. } => {
                self.wallet.venue_offset_ns = Some(offset_ns);
                self.wallet.nonces.sync(offset_ns);
                self.desks.iter_mut().for_each(|desk| desk.ledger.sync(offset_ns));
                return;
            }
            Report::SignerDown { why } => return self.on_signer_down(at, why, out),
            Report::Snapshot(Snapshot::Begin { subaccount, .. }) => self.snapshot_of = Some(subaccount),
            _ => {}
        }
        let live = self.live_orders();
        let subject = self.snapshot_of;
        let wallet = &mut self.wallet;
        for desk in &mut self.desks {
            let changed = desk.on_fact(at, message, subject, wallet, out);
            desk.settle_pledge(out);
            desk.tell_settlement(out);
            desk.tell_contract(out);
            if changed {
                desk.publish(at, message.trace, wallet, live, out);
            }
        }
    }

    fn on_session(&mut self, at: Nanos, session: Session, out: &mut Out) {
        self.wallet.session = session;
        let live = self.live_orders();
        for desk in &mut self.desks {
            match session {
                Session::Down => {
                    desk.reconcile.pending = false;
                    desk.ledger.doubt_all();
                    desk.withdraw_bearer(out);
                    if desk.ledger.orders().next().is_some() && desk.unknown_since == Nanos::ZERO {
                        desk.unknown_since = at;
                    }
                }
                Session::Up => {
                    // O4 counts from when the venue can be asked again.
                    if desk.unknown_since > Nanos::ZERO {
                        desk.unknown_since = at;
                    }
                    desk.talks_are_over(at, out);
                    // Whatever was known is of another session: nothing is traded before the venue has listed the account.
                    desk.ledger.mistrust();
                    desk.ask_snapshot(at, out);
                }
                Session::Rejected { code } => desk.halt(Alarm::SessionRejected { code }, out),
            }
            desk.tell_settlement(out);
            desk.publish(at, Trace::default(), &mut self.wallet, live, out);
        }
    }
}

impl Risk {
    /// Without a signer nothing can be quoted or hedged: everything is cancelled, and a person must look.
    fn on_signer_down(&mut self, at: Nanos, why: Breach, out: &mut Out) {
        self.kill(at, Alarm::SignerDown { why }, out);
        let live = self.live_orders();
        for desk in &mut self.desks {
            desk.publish(at, Trace::default(), &mut self.wallet, live, out);
        }
    }
}

impl Desk {
    /// One fact; true if the account changed.
    fn on_fact(
        &mut self,
        at: Nanos,
        message: &ReportMsg,
        subject: Option<SubaccountId>,
        wallet: &mut Wallet,
        out: &mut Out,
    ) -> bool {
        if self.is_strange(&message.body, subject, wallet) {
            self.ledger.mistrust();
            self.on_strange(at, out);
            return true;
        }
        match &message.body {
            Report::Unsent { nonce, request, why } => self.on_unsent(at, (*nonce, *request, *why), out),
            Report::Answer(answer) => self.on_answer(at, answer, wallet, out),
            Report::Order(row) => {
                let hedge = self.hedge_approved_at(row.nonce);
                let effect = self.on_row(at, row);
                self.hedge_over(at, row.nonce, hedge, out);
                self.on_effect(at, effect, wallet, out)
            }
            Report::Fill(fill) => self.on_fill(at, fill, wallet, out),
            Report::PastFill(fill) => {
                let effect = self.ledger.on_past_fill(at, fill);
                self.on_effect(at, effect, wallet, out)
            }
            Report::PastFillsComplete { subaccount } => {
                if *subaccount == self.ledger.book().subaccount {
                    self.ledger.past_fills_complete();
                }
                false
            }
            Report::Balance(balance) => {
                let effect = self.ledger.on_balance(at, balance);
                self.note_moved(balance, out);
                self.note_transfer(balance, out);
                self.on_effect(at, effect, wallet, out)
            }
            Report::Snapshot(part) if subject == Some(self.ledger.book().subaccount) => {
                self.on_snapshot(at, part, wallet, out)
            }
            Report::Stranger { subaccount } if *subaccount == self.ledger.book().subaccount => {
                self.on_strange(at, out);
                true
            }
            Report::NoSnapshot { subaccount } if *subaccount == self.ledger.book().subaccount => {
                self.reconcile.pending = false;
                false
            }
            Report::Unreadable => {
                self.ledger.mistrust();
                self.ask_snapshot(at, out);
                true
            }
            Report::Rfq(_) | Report::RfqRefused { .. } | Report::Quote(_) | Report::QuotesComplete { .. } => {
                self.on_talk(at, &message.body, wallet, out)
            }
            Report::Contract(report) => self.on_contract(at, *report, wallet, out),
            Report::Snapshot(_)
            | Report::Session(_)
            | Report::SignerDown { .. }
            | Report::Budget(_)
            | Report::VenueTime { .. }
            | Report::NoSnapshot { .. }
            | Report::Stranger { .. } => false,
        }
    }

    /// True for a fill or position of an option vault in an instrument it may not hold.
    fn is_strange(&self, report: &Report, subject: Option<SubaccountId>, wallet: &Wallet) -> bool {
        let book = self.ledger.book();
        let instrument = match report {
            Report::Fill(fill) if fill.subaccount == book.subaccount => fill.instrument,
            Report::Balance(balance) if balance.subaccount == book.subaccount && !balance.new.is_zero() => {
                let Asset::Instrument(instrument) = balance.asset else { return false };
                instrument
            }
            Report::Snapshot(Snapshot::Position { instrument, amount, .. })
                if subject == Some(book.subaccount) && !amount.is_zero() =>
            {
                *instrument
            }
            _ => return false,
        };
        book.options.is_some() && !self.may_hold(wallet, instrument)
    }

    /// An order, fill or position in an instrument we do not know. While an option vault starts, it may be an option
    /// whose listing has not been read yet, or one expired and not settled: nothing goes live before it is known or gone.
    fn on_strange(&mut self, at: Nanos, out: &mut Out) {
        self.foreign_seen = true;
        if self.mode != Mode::Starting || self.ledger.book().options.is_none() {
            return self.drain(Alarm::Foreign, out);
        }
        let since = *self.strange_since.get_or_insert(at);
        if since < Nanos::MAX && at.since(since) > STRANGE_NS_MAX {
            self.strange_since = Some(Nanos::MAX); // said once
            self.alarm(Alarm::Foreign, out);
        }
    }

    fn on_fill(&mut self, at: Nanos, fill: &Fill, wallet: &mut Wallet, out: &mut Out) -> bool {
        let hedge = self.hedge_approved_at(fill.nonce);
        let wish = self.ledger.order(fill.nonce).map(|order| order.wish);
        let effect = self.ledger.on_fill(at, fill);
        if matches!(effect, Effect::None | Effect::Reverted) {
            return self.on_effect(at, effect, wallet, out);
        }
        self.note_fill(at, fill, wish);
        self.guard_trades(at, fill, wallet, out);
        self.note_paid(fill, effect, out);
        out.notices.push(Notice::Filled { vault: self.vault(), fill: *fill });
        if self.fills_last_minute(at) >= self.mandate.fills_per_minute_max() {
            self.drain(Alarm::FillRate, out);
        }
        self.assert_books(out);
        self.hedge_over(at, fill.nonce, hedge, out);
        self.on_effect(at, effect, wallet, out)
    }

    /// When the order was approved, if it is a hedge.
    fn hedge_approved_at(&self, nonce: Nonce) -> Option<Nanos> {
        let order = self.ledger.order(nonce)?;
        (order.wish.purpose == Purpose::Hedge).then_some(order.approved_at)
    }

    /// Says how delta stands when a hedge has just ended, no other is under way, and it answered the last fill.
    fn hedge_over(&mut self, at: Nanos, nonce: Nonce, approved_at: Option<Nanos>, out: &mut Out) {
        let perp = self.ledger.book().perp;
        let ended = approved_at.filter(|_| self.ledger.order(nonce).is_none());
        let Some(approved_at) = ended else { return };
        let another = self.ledger.orders().any(|order| Some(order.wish.instrument) == perp);
        if another || self.base_filled_at > approved_at || out.notices.room() == 0 {
            return;
        }
        let Some(delta) = self.marks().and_then(|marks| self.ledger.holdings().delta(marks)) else { return };
        out.notices.push(Notice::Hedged { vault: self.vault(), nonce, at, delta });
    }

    /// Takes an order as the venue sees it.
    fn on_row(&mut self, at: Nanos, row: &OrderRow) -> Effect {
        // One that was replaced counts with what took its place.
        let replaced = |order: &LiveOrder| {
            (order.life == Life::Leaving && order.cancel_asked_at == Nanos::ZERO)
                || self.ledger.orders().any(|other| other.replaces == Some(order.nonce))
        };
        let alone = self.ledger.order(row.nonce).filter(|order| !replaced(order)).map(|order| order.wish);
        let effect = self.ledger.on_order(at, row);
        if let Some(wish) = alone.filter(|_| self.ledger.order(row.nonce).is_none()) {
            self.order_ended(&wish, Replaced { nonce: row.nonce, filled: row.filled });
        }
        effect
    }

    /// What an order did not fill is free for the next one. After a hedge that found nobody, or that the venue would not
    /// have, the next one waits like any wish that was refused.
    fn order_ended(&mut self, wish: &Wish, order: Replaced) {
        if wish.purpose != Purpose::Package {
            self.ended.note(wish, order);
        }
        if wish.purpose == Purpose::Hedge && order.filled.is_zero() {
            self.intent_refused = self.intent_refused.wrapping_add(1);
        }
    }

    fn on_unsent(&mut self, at: Nanos, (nonce, request, why): (Nonce, Request, Unsent), out: &mut Out) -> bool {
        if request == Request::Move {
            self.on_unmoved(at, nonce, why, out);
            return true;
        }
        let Some(order) = self.ledger.order(nonce) else { return false };
        match request {
            // It never left and never will: the reservation goes, and what it replaced rests on.
            Request::Place | Request::Replace => {
                let old = order.replaces;
                self.ledger.release(nonce);
                if why != Unsent::Down {
                    self.stay(old);
                }
            }
            Request::Execute => {
                self.conversation.untake();
                self.ledger.release(nonce);
                self.redeem(nonce, out);
            }
            Request::Cancel | Request::Move => {}
        }
        if let Unsent::Withheld(why) = why {
            // Two judges of one order disagree: one of them is wrong, and nobody here knows which.
            self.stats.withheld += 1;
            // But prices reach the signer on a lane of their own, which may be a moment behind.
            if why != Breach::Mark || self.reconcile.unmarked.note(at) {
                self.drain(Alarm::Withheld { why }, out);
            }
            // Wished again at once, it would be refused again until the signer halts.
            self.intent_refused = self.intent_refused.wrapping_add(1);
        }
        if let Unsent::Unsigned(why) = why {
            self.on_unsigned(at, why, out);
        }
        true
    }

    /// The replaced order was not cancelled after all.
    fn stay(&mut self, old: Option<Nonce>) {
        if let Some(order) = old.and_then(|nonce| self.ledger.order_mut(nonce))
            && order.life == Life::Leaving
            && order.final_filled.is_none()
        {
            order.life = Life::Open;
            order.cancel_asked_at = Nanos::ZERO;
        }
    }

    fn on_answer(&mut self, at: Nanos, answer: &Answer, wallet: &mut Wallet, out: &mut Out) -> bool {
        if answer.request == Request::Move {
            self.on_moved(answer, out);
            return true;
        }
        let Some(order) = self.ledger.order(answer.nonce) else { return self.late_answer(at, answer) };
        let (wish, old, hedge) = (order.wish, order.replaces, self.hedge_approved_at(answer.nonce));
        if let Some(row) = &answer.cancelled {
            self.on_row(at, row);
        }
        match (answer.verdict, answer.request) {
            (Verdict::Accepted, Request::Place | Request::Replace) => match &answer.order {
                Some(row) => {
                    self.on_row(at, row);
                    self.hedge_over(at, answer.nonce, hedge, out);
                }
                // A replace whose cancel worked and whose create did not.
                None if answer.code != 0 => {
                    self.refused_by_venue(answer.code);
                    self.ledger.release(answer.nonce);
                }
                None => self.ledger.order_mut(answer.nonce).into_iter().for_each(|o| o.confirm()),
            },
            (Verdict::Accepted, Request::Cancel) => {
                if let Some(row) = &answer.order {
                    self.on_row(at, row);
                }
            }
            (Verdict::Refused | Verdict::RateLimited | Verdict::Halt, Request::Place | Request::Replace) => {
                self.refused_by_venue(answer.code);
                self.ledger.release(answer.nonce);
                // What a refused replacement was to replace still rests, and counts with it.
                if old.is_none() {
                    self.order_ended(&wish, Replaced { nonce: answer.nonce, filled: Amount::ZERO });
                }
                if !OVER.contains(&answer.code) {
                    self.stay(old);
                }
            }
            (Verdict::Refused | Verdict::RateLimited | Verdict::Halt, Request::Cancel) => {
                // Code zero: nothing of that name rested, which is no refusal.
                if answer.code != 0 && !OVER.contains(&answer.code) {
                    self.refused_by_venue(answer.code);
                }
            }
            (Verdict::Unknown, Request::Place | Request::Replace) => {
                self.doubt(at, answer.nonce);
                old.into_iter().for_each(|nonce| self.doubt(at, nonce));
                self.cancel(at, answer.nonce, Trace::default(), wallet, out);
            }
            // Asked again by the clock: at once would be a storm upon a venue that is already ailing.
            (Verdict::Unknown, Request::Cancel) => self.doubt(at, answer.nonce),
            (_, Request::Execute) => self.on_execution(at, answer, wallet, out),
            (_, Request::Move) => {} // heard above
        }
        if answer.verdict == Verdict::RateLimited {
            self.stats.rate_limited += 1;
        }
        if answer.verdict == Verdict::Halt {
            self.halt(Alarm::VenueHalt { code: answer.code }, out);
        }
        true
    }

    /// An answer about an order that is over: only its rows may still matter.
    fn late_answer(&mut self, at: Nanos, answer: &Answer) -> bool {
        let rows = answer.cancelled.iter().chain(answer.order.iter());
        rows.map(|row| self.on_row(at, row)).fold(false, |any, effect| any | (effect == Effect::Changed))
    }

    pub(super) fn refused_by_venue(&mut self, code: i32) {
        self.stats.venue_refused += 1;
        self.stats.venue_code = code;
    }

    fn on_effect(&mut self, at: Nanos, effect: Effect, wallet: &mut Wallet, out: &mut Out) -> bool {
        match effect {
            Effect::None => false,
            Effect::Changed | Effect::Late => true,
            Effect::Foreign { nonce, instrument } => {
                self.evict(at, nonce, instrument, wallet, out);
                true
            }
            Effect::Revenant { nonce, instrument } => {
                self.cancel_by_name(at, nonce, instrument, wallet, out);
                true
            }
            Effect::Alarm => {
                self.drain(Alarm::VenueAlarm, out);
                true
            }
            Effect::Reverted => {
                self.drain(Alarm::Reverted, out);
                true
            }
        }
    }

    /// An order that is not ours: cancel it, and unless we are still starting, drain.
    fn evict(&mut self, at: Nanos, nonce: Nonce, instrument: InstrumentId, wallet: &mut Wallet, out: &mut Out) {
        self.foreign_seen = true;
        if nonce.0 > 0 {
            self.cancel_by_name(at, nonce, instrument, wallet, out);
        }
        if self.mode == Mode::Live {
            self.drain(Alarm::Foreign, out);
        }
    }

    /// Cancels an order that the ledger does not hold.
    fn cancel_by_name(&self, at: Nanos, nonce: Nonce, instrument: InstrumentId, wallet: &mut Wallet, out: &mut Out) {
        if out.urgent.room() > 0 {
            wallet.spend(at, instrument);
            let vault = self.vault();
            out.urgent.push(Urgent::Cancel { trace: Trace::default(), nonce, instrument, vault });
        }
    }

    fn on_snapshot(&mut self, at: Nanos, part: &Snapshot, wallet: &mut Wallet, out: &mut Out) -> bool {
        if matches!(part, Snapshot::Begin { .. }) {
            self.foreign_seen = false;
        }
        let (effect, done) = self.ledger.on_snapshot(at, part, self.mandate.cash_tolerance());
        let mut changed = self.on_effect(at, effect, wallet, out);
        let Some(outcome) = done else { return changed };
        self.reconcile.pending = false;
        match outcome {
            // At a start it is what there is; later it is what should not be.
            Reconciled::Overruled if self.mode != Mode::Starting => {
                self.stats.mismatched += 1;
                self.drain(Alarm::Mismatch, out);
                changed = true;
            }
            Reconciled::Agrees | Reconciled::Adopted | Reconciled::Overruled => {
                self.stats.reconciled += 1;
                changed = true;
            }
            Reconciled::Inconclusive => {}
            Reconciled::Differs => {
                self.stats.mismatched += 1;
                if self.reconcile.differences.note(at) {
                    self.drain(Alarm::Mismatch, out);
                } else {
                    self.alarm(Alarm::Mismatch, out);
                }
                // The clock asks again, soon if nothing is certain: at once would be a storm while a difference lasts.
            }
        }
        // What is held in an option whose listing has not been read yet was left out: only a later snapshot has it.
        let begins = self.mode == Mode::Starting || !self.reconcile.settled;
        if self.foreign_seen && begins && self.ledger.book().options.is_some() {
            self.ledger.mistrust();
        }
        if !self.ledger.is_uncertain() {
            self.unknown_since = Nanos::ZERO;
            self.assert_books(out);
            // A snapshot from before then does not show what an earlier run had under way.
            self.reconcile.settled |= self.ledger.proved_at() >= wallet.settled_at;
            if self.mode == Mode::Starting && !self.foreign_seen && self.reconcile.settled {
                self.strange_since = None;
                self.set_mode(Mode::Live, out);
                // What an earlier run has lost counts before anything is traded.
                self.guard_losses(at, out);
            }
        }
        changed
    }

    pub(super) fn ask_snapshot(&mut self, at: Nanos, out: &mut Out) {
        if out.urgent.room() > 0 {
            self.reconcile.pending = true;
            self.reconcile.asked_at = at;
            out.urgent.push(Urgent::Reconcile { vault: self.vault() });
        }
    }
}
