//! From an option vault's wish that passed every check to what may be signed, with its reservations.

use super::Grant;
use super::option_case::{OptionCase, Wanted};
use super::option_checks::refusal;
use super::order::{Execution, Order, Replaced};
use crate::account::order::LiveOrder;
use crate::base::num::{Amount, Cash};
use crate::base::time::{Nanos, SEC};
use crate::msg::{Deal, LEGS, Life, Purpose, TimeInForce, Wish};

/// What an option vault was granted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum Allowed {
    /// An order and its reservation.
    Order(Order, LiveOrder),
    /// An RFQ may be sent; it reserves nothing.
    Ask,
    /// An execution and its reservations, one per leg.
    Execution(Execution, [LiveOrder; LEGS]),
}

/// A wish that passed every check. Made by [`check_options`] only, and of use for one grant.
pub struct OptionPass<'a, 'c> {
    case: &'c OptionCase<'a>,
    venue_offset_ns: i64,
    max_fee: Cash,
}

/// Applies every check; a refusal is the index of the row that refused.
pub fn check_options<'a, 'c>(case: &'c OptionCase<'a>) -> Result<OptionPass<'a, 'c>, usize> {
    if let Some(row) = refusal(case) {
        return Err(row);
    }
    let Some(venue_offset_ns) = case.venue_offset_ns else { unreachable!("`unexpired` refuses without it") };
    let max_fee = case.max_fee().unwrap_or_default();
    Ok(OptionPass { case, venue_offset_ns, max_fee })
}

impl OptionPass<'_, '_> {
    /// What may be signed or sent, under this name.
    pub fn grant(self, grant: Grant) -> Allowed {
        match self.case.wanted {
            Wanted::Order(wish) => self.order(wish, grant),
            Wanted::Ask(_) => Allowed::Ask,
            Wanted::Deal(deal) => self.execution(deal, grant),
        }
    }

    fn expires_s(&self) -> u64 {
        self.case.at.shifted(self.venue_offset_ns).plus(self.case.limits.order_life_ns).secs()
    }

    fn late_after(&self) -> Nanos {
        self.case.at.plus(self.case.limits.reject_after_ns)
    }

    /// A reservation; `dead_after`: the venue would refuse it then, whatever became of it on the way.
    fn reservation(&self, wish: Wish, grant: Grant, dead_after: Nanos) -> LiveOrder {
        let book = self.case.ledger.book();
        LiveOrder {
            nonce: grant.nonce,
            vault: book.vault,
            subaccount: book.subaccount,
            wish,
            replaces: self.case.replaced_nonce(),
            life: Life::Pending,
            booked: Amount::ZERO,
            final_filled: None,
            approved_at: self.case.at,
            reject_after: dead_after.plus(SEC / 2),
            expires_at: Nanos(self.expires_s() * SEC).shifted(-self.venue_offset_ns),
            cancel_asked_at: Nanos::ZERO,
        }
    }

    fn order(self, wish: Wish, grant: Grant) -> Allowed {
        let case = self.case;
        let Some(facet) = case.legs[0] else { unreachable!("`known` refuses without it") };
        let book = case.ledger.book();
        let live = self.reservation(wish, grant, self.late_after());
        let reject_at = case.at.shifted(self.venue_offset_ns).plus(case.limits.reject_after_ns);
        let order = Order {
            trace: grant.trace,
            vault: book.vault,
            subaccount: book.subaccount,
            epoch: grant.epoch,
            nonce: grant.nonce,
            wish,
            replaced: case.replaced.map(|old| Replaced { nonce: old.nonce, filled: old.booked }),
            ended: grant.ended,
            max_fee: facet.instrument.max_fee(facet.value.mark, facet.value.index),
            expires_s: self.expires_s(),
            reject_ms: reject_at.ms(),
            late_after: self.late_after(),
        };
        Allowed::Order(order, live)
    }

    fn execution(self, deal: Deal, grant: Grant) -> Allowed {
        let case = self.case;
        let book = case.ledger.book();
        // The venue knows no reject time for executions: one that is late still counts while its RFQ is open.
        let window_ends = case.talk.rfq.map_or(Nanos::MAX, |rfq| rfq.valid_until);
        let expires_at = Nanos(self.expires_s() * SEC).shifted(-self.venue_offset_ns);
        let legs = deal.legs.map(|priced| {
            let wish = Wish {
                instrument: priced.leg.instrument,
                side: priced.leg.side,
                price: priced.price,
                amount: priced.leg.amount,
                tif: TimeInForce::Fok,
                reduce_only: false,
                purpose: Purpose::Package,
            };
            self.reservation(wish, grant, window_ends.min(expires_at))
        });
        let execution = Execution {
            trace: grant.trace,
            vault: book.vault,
            subaccount: book.subaccount,
            epoch: grant.epoch,
            nonce: grant.nonce,
            deal,
            max_fee: self.max_fee,
            expires_s: self.expires_s(),
            late_after: self.late_after(),
        };
        Allowed::Execution(execution, legs)
    }
}
