//! Turns leftover cash into collateral, or pays a debt with collateral, by one resting order whose price gives way.
//!
//! A buy never spends more than the cash there is, a sale never raises more than the debt and its own fee.

use crate::base::ids::Side;
use crate::base::num::{Amount, Cash, Price, Ratio, Rounding};
use crate::base::time::SEC;
use crate::market::instrument::Instrument;
use crate::msg::{Act, Concern, Demand, Phase, Purpose};
use crate::strategy::options::Look;
use crate::strategy::options::amend::Stake;
use crate::strategy::options::resting::{Resting, Withdrawal, clear, withdraw};
use crate::strategy::options::schedule::collateral_price;
use crate::strategy::options::state::State;

/// Where the auction stands.
pub(super) enum Outcome {
    /// It goes on, perhaps with a wish.
    Goes(Option<Act>),
    /// Nothing rests any more and there is nothing left to do.
    Over,
}

/// Collateral that `cash` buys, or that pays the debt it is, at a price: fee included, whole steps, never more.
pub fn convertible(cash: Cash, price: Price, instrument: &Instrument) -> Amount {
    if !price.is_positive() {
        return Amount::ZERO;
    }
    let fee = instrument.taker_fee.max(instrument.maker_fee);
    let amount = if cash.is_negative() {
        let proceeds = price.scale(Ratio::ONE - fee, Rounding::Floor);
        if !proceeds.is_positive() {
            return Amount::ZERO;
        }
        (cash.abs() + instrument.base_fee).over_price(proceeds, Rounding::Floor)
    } else {
        (cash - instrument.base_fee).over_price(price.scale(Ratio::ONE + fee, Rounding::Ceil), Rounding::Floor)
    };
    instrument.whole_steps(amount.min(instrument.max_amount)).max(Amount::ZERO)
}

/// Side that brings cash to zero.
pub(super) const fn side_of(cash: Cash) -> Side {
    if cash.is_negative() { Side::Sell } else { Side::Buy }
}

/// True if there is a debt worth a sale.
pub(super) fn is_payable_debt(look: &Look<'_>) -> bool {
    let cash = look.view.account.cash;
    let instrument = look.view.base_instrument;
    cash < -look.params.collateral.dust
        && look.base_is_fresh()
        // At the price the auction would begin with, or it would end as soon as it began.
        && sellable(look, limit(look, Side::Sell, 0)) >= instrument.min_amount
}

/// True if the venue's smallest sale would raise more than what is owed: no auction can pay it.
pub(super) fn is_too_small_to_pay(look: &Look<'_>) -> bool {
    let instrument = look.view.base_instrument;
    look.base_is_fresh()
        && convertible(look.view.account.cash, limit(look, Side::Sell, 0), instrument) < instrument.min_amount
}

/// What a sale at a price may be: what the debt needs and what there is.
fn sellable(look: &Look<'_>, price: Price) -> Amount {
    let instrument = look.view.base_instrument;
    let free = instrument.whole_steps(look.view.account.base.max(Amount::ZERO));
    convertible(look.view.account.cash, price, instrument).min(free)
}

/// One look at the auction.
pub(super) fn step(look: &Look<'_>, state: &mut State) -> Outcome {
    let terms = &look.params.collateral;
    let cash = look.view.account.cash;
    let elapsed_ns = look.at.since(state.milestone.started_at);
    let late = elapsed_ns >= terms.auction_s_max.saturating_mul(SEC);
    if cash.abs() <= terms.dust || (late && cash.is_positive()) {
        return end(look, state);
    }
    if !look.base_is_fresh() {
        return Outcome::Goes(clear(look, state));
    }
    let side = side_of(cash);
    let price = limit(look, side, elapsed_ns);
    let room = |at: Price| if side == Side::Sell { sellable(look, at) } else { buyable(look, at) };
    let resting = Resting {
        instrument: look.view.base_instrument,
        purpose: Purpose::Convert,
        side,
        price,
        never: None,
        reprice_min: terms.reprice_min,
        // Cash waits as well as collateral does.
        stake: Stake { value: Price::ZERO, left_ns: u64::MAX },
        room,
    };
    let too_small = room(price) < look.view.base_instrument.min_amount;
    if too_small && (late || !resting.may_fill(look)) {
        return end(look, state);
    }
    if late && let Some(act) = state.worry(Concern::DebtLeft) {
        return Outcome::Goes(Some(act));
    }
    let act = resting.keep(look, state).or_else(|| {
        let (mark, remaining) = (look.view.base.mark, room(price));
        state.show(look.at, Demand { phase: Phase::SpotAuction, limit: price, mark, best: None, remaining })
    });
    Outcome::Goes(act)
}

fn buyable(look: &Look<'_>, price: Price) -> Amount {
    convertible(look.view.account.cash, price, look.view.base_instrument)
}

/// The schedule's price on the tick, inside the venue's band, never rounded towards the other side.
fn limit(look: &Look<'_>, side: Side, elapsed_ns: u64) -> Price {
    let (value, instrument) = (look.view.base, look.view.base_instrument);
    let wanted = collateral_price(&look.params.collateral, side, value.mark, elapsed_ns);
    let banded = match side {
        Side::Buy if value.band_high.is_positive() => wanted.min(value.band_high),
        Side::Buy => wanted,
        Side::Sell => wanted.max(value.band_low),
    };
    instrument.passive_price(side, banded)
}

fn end(look: &Look<'_>, state: &mut State) -> Outcome {
    match withdraw(look, state) {
        Withdrawal::Act(act) => Outcome::Goes(Some(act)),
        Withdrawal::Wait => Outcome::Goes(None),
        Withdrawal::Done => Outcome::Over,
    }
}
