//! What may be done: the checks table, its limits, the order it grants, and the message budget.

pub mod capital;
pub mod checks;
pub mod limits;
pub mod losses;
pub mod mandate;
pub mod nonces;
pub mod option_case;
pub mod option_checks;
pub mod option_grant;
pub mod order;
pub mod pacing;
pub mod tighten;
pub mod wall;

use crate::account::order::LiveOrder;
use crate::base::ids::{Epoch, Nonce};
use crate::base::num::Amount;
use crate::base::time::{Nanos, SEC};
use crate::market::instrument::Instrument;
use crate::msg::{Life, Trace};
use checks::Case;
use order::{Order, Replaced};

/// What the approver decides beside the checks.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// Name of the order.
    pub nonce: Nonce,
    /// Current epoch.
    pub epoch: Epoch,
    /// Trace of the wish.
    pub trace: Trace,
    /// The order of its kind before it, which has ended: what that one did not fill is not given away a second time.
    pub ended: Option<Replaced>,
}

/// A wish that passed every check. Made by [`check`] only, and of use for one grant.
pub struct Passed<'a, 'c> {
    case: &'c Case<'a>,
    instrument: &'a Instrument,
    venue_offset_ns: i64,
}

/// Applies every check; a refusal is the index of the row that refused.
pub fn check<'a, 'c>(case: &'c Case<'a>) -> Result<Passed<'a, 'c>, usize> {
    if let Some(row) = checks::refusal(case) {
        return Err(row);
    }
    let (Some(instrument), Some(venue_offset_ns)) = (case.instrument, case.venue_offset_ns) else {
        unreachable!("`known` and `unexpired` refuse without them");
    };
    Ok(Passed { case, instrument, venue_offset_ns })
}

/// Applies every check; a pass yields the order and its reservation, a refusal the index of the row that refused.
pub fn approve(case: &Case<'_>, grant: Grant) -> Result<(Order, LiveOrder), usize> {
    check(case).map(|passed| passed.grant(grant))
}

impl Passed<'_, '_> {
    /// The order and its reservation.
    pub fn grant(self, grant: Grant) -> (Order, LiveOrder) {
        let Passed { case, instrument, venue_offset_ns: offset } = self;
        let book = case.ledger.book();
        let value = if case.wish.instrument == book.base { case.base } else { case.perp };
        let venue_at = case.at.shifted(offset);
        let late_after = case.at.plus(case.limits.reject_after_ns);
        let expires_s = venue_at.plus(case.limits.order_life_ns).secs();
        let replaced = case.replaced.map(|old| Replaced { nonce: old.nonce, filled: old.booked });
        let order = Order {
            trace: grant.trace,
            vault: book.vault,
            subaccount: book.subaccount,
            epoch: grant.epoch,
            nonce: grant.nonce,
            wish: case.wish,
            replaced,
            ended: grant.ended,
            max_fee: instrument.max_fee(value.mark, value.index),
            expires_s,
            reject_ms: venue_at.plus(case.limits.reject_after_ns).ms(),
            late_after,
        };
        let live = LiveOrder {
            nonce: grant.nonce,
            vault: book.vault,
            subaccount: book.subaccount,
            wish: case.wish,
            replaces: replaced.map(|old| old.nonce),
            life: Life::Pending,
            booked: Amount::ZERO,
            final_filled: None,
            approved_at: case.at,
            // A taker order waits in the venue's speed bump before the venue looks at the reject time.
            reject_after: late_after.plus(SEC / 2),
            expires_at: Nanos(expires_s * SEC).shifted(-offset),
            cancel_asked_at: Nanos::ZERO,
        };
        (order, live)
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) mod option_tests;
