//! From a wish to a grant: the case is laid before the table, and what passes gets its name and its reservation.

use super::desk::Desk;
use super::table::Table;
use super::talk::Executing;
use super::{Out, Wallet};
use crate::account::order::LiveOrder;
use crate::base::ids::{InstrumentId, Nonce};
use crate::base::time::Nanos;
use crate::msg::{Deal, Intent, LEGS, Note, Purpose, RfqWish, Urgent, Wish};
use crate::risk::checks::{Case, MANDATE_ROW};
use crate::risk::limits::{Limits, Mandate, OptionLimits};
use crate::risk::option_case::{OptionCase, Wanted};
use crate::risk::option_checks::priced_well;
use crate::risk::option_grant::{Allowed, check_options};
use crate::risk::order::{Execution, Granted};
use crate::risk::pacing::Class;
use crate::risk::{Grant, check, wall};

/// A wish on its way.
pub(super) struct Plea<'a> {
    /// Now.
    pub at: Nanos,
    /// The intent it came with.
    pub intent: &'a Intent,
    /// Live orders of all vaults.
    pub live: u32,
    /// It could trade with an order of another vault.
    pub meets_another: bool,
}

impl Wallet {
    /// Lays a wish for an order before the table of the vault's mandate.
    pub(super) fn place(&mut self, plea: &Plea<'_>, desk: &mut Desk, wish: Wish, old: Option<Nonce>, out: &mut Out) {
        if old.is_some_and(|nonce| desk.ledger.order(nonce).is_none()) {
            desk.stats.stale_wishes += 1; // what it wanted to replace is over: the account in flight says so
            return;
        }
        match desk.mandate {
            Mandate::Basis(limits) => self.place_basis(plea, desk, &limits, (wish, old), out),
            Mandate::Options(limits) => self.place_option(plea, desk, &limits, (Wanted::Order(wish), old), out),
        }
    }

    /// Lays a wish for quotes, or for the execution of one, before the table. A basis vault has no such wishes.
    pub(super) fn deal(&mut self, plea: &Plea<'_>, desk: &mut Desk, wanted: Wanted, out: &mut Out) {
        match desk.mandate {
            Mandate::Basis(_) => desk.stats.stale_wishes += 1,
            Mandate::Options(limits) => self.place_option(plea, desk, &limits, (wanted, None), out),
        }
    }

    fn place_basis(
        &mut self,
        plea: &Plea<'_>,
        desk: &mut Desk,
        limits: &Limits,
        (wish, old): (Wish, Option<Nonce>),
        out: &mut Out,
    ) {
        let &Plea { at, intent, live, meets_another } = plea;
        let class = if wish.purpose == Purpose::Hedge { Class::Hedge } else { Class::Quote };
        let budget_left = self.budget(at, class, wish.instrument, live).min(out.orders.room().saturating_sub(1) as u32);
        let [mark_loss, inherited_loss] = desk.loss_sums.now(&limits.wall, at);
        let case = Case {
            at,
            wish,
            replaced: old.and_then(|nonce| desk.ledger.order(nonce)),
            ledger: &desk.ledger,
            limits,
            instrument: desk.trades(wish.instrument).then(|| self.table.instrument(wish.instrument)).flatten(),
            base: &desk.base,
            perp: &desk.perp,
            mode: desk.mode,
            session_up: self.session_up(),
            meets_another,
            contract_free: desk.contract_free(at),
            loss_ema: desk.loss_ema(at),
            mark_loss,
            inherited_loss,
            budget_left,
            fills_last_minute: desk.fills_last_minute(at),
            venue_offset_ns: self.venue_offset_ns,
            key_expires_at: self.key_expires_at,
        };
        let passed = match check(&case) {
            Ok(passed) => passed,
            Err(row) => {
                let why = (row == MANDATE_ROW).then(|| wall::basis::verdict(&case).err()).flatten();
                return desk.refused(row, why, intent.seq);
            }
        };
        let live_loss = case.granted_loss();
        let Ok(nonce) = self.nonces.next(at) else { return desk.unnamed(intent.seq) };
        let ended = desk.ended.of(&wish);
        let (order, live_order) = passed.grant(Grant { nonce, epoch: self.epoch, trace: intent.trace, ended });
        desk.ended.forget(&wish);
        desk.grant(at, &order, live_order);
        self.spend(at, wish.instrument);
        if let Some(sum) = desk.loss_sums.before(&limits.wall, live_loss, at) {
            out.orders.push(Granted::Note { vault: desk.vault(), note: Note::LossSum(sum) });
        }
        out.orders.push(Granted::Order(order));
    }

    fn place_option(
        &mut self,
        plea: &Plea<'_>,
        desk: &mut Desk,
        limits: &OptionLimits,
        (wanted, old): (Wanted, Option<Nonce>),
        out: &mut Out,
    ) {
        let &Plea { at, intent, live, meets_another } = plea;
        // A quote taken or a debt paid cannot wait as a re-priced order can.
        let (first, second, class) = match wanted {
            Wanted::Order(wish) if wish.purpose == Purpose::Convert => (wish.instrument, None, Class::Hedge),
            Wanted::Order(wish) => (wish.instrument, None, Class::Quote),
            Wanted::Ask(wish) => (wish.legs[0].instrument, Some(wish.legs[1].instrument), Class::Quote),
            Wanted::Deal(deal) => (deal.legs[0].leg.instrument, Some(deal.legs[1].leg.instrument), Class::Hedge),
        };
        let room = out.orders.room().min(out.urgent.room()) as u32;
        let budget_left = self.budget(at, class, first, live).min(room);
        let replaced = old.and_then(|nonce| desk.ledger.order(nonce));
        let case = OptionCase {
            replaced,
            meets_another,
            budget_left,
            ..option_case(&self.table, self.reach(), at, desk, limits, (wanted, first, second))
        };
        let passed = match check_options(&case) {
            Ok(passed) => passed,
            Err(row) => {
                let why = (row == MANDATE_ROW).then(|| wall::options::verdict(&case).err()).flatten();
                return desk.refused(row, why, intent.seq);
            }
        };
        let Ok(nonce) = self.nonces.next(at) else { return desk.unnamed(intent.seq) };
        let ended = if let Wanted::Order(wish) = &wanted { desk.ended.of(wish) } else { None };
        let allowed = passed.grant(Grant { nonce, epoch: self.epoch, trace: intent.trace, ended });
        self.spend(at, first);
        match (allowed, wanted) {
            (Allowed::Order(order, live_order), _) => {
                desk.ended.forget(&live_order.wish);
                desk.grant(at, &order, live_order);
                out.orders.push(Granted::Order(order));
            }
            (Allowed::Execution(execution, legs), _) => {
                desk.execute(at, &execution, legs, out);
                out.orders.push(Granted::Execution(execution));
            }
            (Allowed::Ask, Wanted::Ask(wish)) => desk.ask(at, nonce, wish, out),
            (Allowed::Ask, _) => {}
        }
    }

    fn reach(&self) -> Reach {
        Reach {
            session_up: self.session_up(),
            venue_offset_ns: self.venue_offset_ns,
            key_expires_at: self.key_expires_at,
        }
    }

    /// True if a deal that was granted is still one at its price.
    pub(super) fn stands(&self, at: Nanos, desk: &Desk, deal: Deal) -> bool {
        let Mandate::Options(limits) = &desk.mandate else { return false };
        let [first, second] = deal.legs.map(|priced| priced.leg.instrument);
        let wanted = (Wanted::Deal(deal), first, Some(second));
        priced_well(&option_case(&self.table, self.reach(), at, desk, limits, wanted))
    }
}

/// What the wallet knows of the way to the venue.
struct Reach {
    session_up: bool,
    venue_offset_ns: Option<i64>,
    key_expires_at: Nanos,
}

/// What is laid before the table of checks for a wish about these instruments that replaces nothing.
fn option_case<'a>(
    table: &'a Table,
    reach: Reach,
    at: Nanos,
    desk: &'a Desk,
    limits: &'a OptionLimits,
    (wanted, first, second): (Wanted, InstrumentId, Option<InstrumentId>),
) -> OptionCase<'a> {
    let Reach { session_up, venue_offset_ns, key_expires_at } = reach;
    OptionCase {
        at,
        wanted,
        replaced: None,
        ledger: &desk.ledger,
        limits,
        legs: [table.facet(first), second.and_then(|id| table.facet(id))],
        base: &desk.base,
        talk: desk.conversation.talk(),
        purse: desk.purse(),
        mode: desk.mode,
        session_up,
        meets_another: false,
        contract_free: desk.contract_free(at),
        budget_left: 0,
        fills_last_minute: desk.fills_last_minute(at),
        venue_offset_ns,
        key_expires_at,
    }
}

impl Desk {
    /// An RFQ leaves.
    fn ask(&mut self, at: Nanos, name: Nonce, wish: RfqWish, out: &mut Out) {
        self.stats.asks += 1;
        self.conversation.ask(at, name, wish);
        out.urgent.push(Urgent::Ask { vault: self.vault(), name, wish });
        self.publish_talk(out);
    }

    /// Books the reservations of a granted execution.
    fn execute(&mut self, at: Nanos, execution: &Execution, legs: [LiveOrder; LEGS], out: &mut Out) {
        self.stats.executions += 1;
        let (nonce, deal) = (execution.nonce(), *execution.deal());
        let maker = self.conversation.maker_of(deal.quote_id);
        self.conversation.take(at, &deal);
        self.publish_talk(out);
        self.conversation.executing = Some(Executing { nonce, rfq_id: deal.rfq_id, maker, deal });
        legs.into_iter().for_each(|leg| self.ledger.reserve(leg));
        self.contract.iter_mut().for_each(|contract| contract.bear(nonce));
        self.pledge(execution, out);
    }

    /// No name is to be had for it: wished again, it may get one.
    fn unnamed(&mut self, seq: u32) {
        self.stats.nonce_waits += 1;
        self.intent_refused = seq;
    }
}
