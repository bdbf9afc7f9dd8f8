//! Sells covered calls by one resting order whose implied volatility falls with time, always above the mandate's floor.

use crate::base::num::{Amount, Price, Ratio, Rounding};
use crate::base::time::SEC;
use crate::market::black76;
use crate::market::instrument::Instrument;
use crate::msg::{Act, Demand, Phase, Purpose, Value};
use crate::strategy::options::amend::Stake;
use crate::strategy::options::params::LimitAuction;
use crate::strategy::options::position::units_held;
use crate::strategy::options::resting::{Resting, clear};
use crate::strategy::options::schedule::{iv_floor, offered_iv};
use crate::strategy::options::selector::Pick;
use crate::strategy::options::state::State;
use crate::strategy::options::{Look, option_auction};

/// What a call is offered at, and what it must stay above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Limit price, on the tick.
    pub price: Price,
    /// The mandate's floor: Black-76 at the least share of mark volatility. The price is above it by a tick at least.
    pub floor: Price,
}

/// The offer after `elapsed_ns` of the auction, with `seconds` to expiry.
///
/// `None` while the option has no model values. The floors are undiscounted where a discount would lower them, as the
/// contract's and the checks' are.
pub fn ask(terms: &LimitAuction, instrument: &Instrument, value: &Value, elapsed_ns: u64, seconds: i64) -> Option<Ask> {
    let (option, model) = (instrument.option?, value.option?);
    if seconds <= 0 || !model.mark_iv.is_positive() || !model.forward.is_positive() {
        return None;
    }
    let worth = |vol: Ratio, discount: Ratio| {
        black76::price(option.right, model.forward, option.strike, vol, seconds, discount, Rounding::Ceil)
    };
    let offered = worth(offered_iv(&terms.decay, model.mark_iv, elapsed_ns).max(Ratio::ZERO), model.discount)?;
    let least = worth(iv_floor(&terms.decay), model.discount.max(Ratio::ONE)).unwrap_or_default();
    let floor = worth(model.mark_iv.scale(terms.vol_factor_min, Rounding::Ceil), model.discount.max(Ratio::ONE))?;
    let kept = floor.scale(Ratio::ONE + terms.floor_margin, Rounding::Ceil) + instrument.tick;
    let price = offered.max(kept).max(least).max(value.band_low).to_tick(instrument.tick, Rounding::Ceil);
    Some(Ask { price, floor })
}

/// What is not covered by a short call yet, in whole steps.
pub(super) fn uncovered(look: &Look<'_>, instrument: &Instrument) -> Amount {
    let free = look.view.account.base - units_held(look.view, look.params.product);
    instrument.whole_steps(free.min(instrument.max_amount)).max(Amount::ZERO)
}

/// One look at the auction.
pub(super) fn step(look: &Look<'_>, state: &mut State, terms: &LimitAuction, pick: &Pick) -> Option<Act> {
    let leg = pick.legs().next()?;
    let Some((instrument, value)) = look.fresh_line(leg.instrument) else { return clear(look, state) };
    let eligible = option_auction::is_eligible(look, pick) == Some(true);
    let elapsed_ns = look.at.since(state.milestone.started_at);
    let auction_ns = look.params.week.auction_s.saturating_mul(SEC);
    let seconds = pick.expiry_s as i64 - look.at.secs() as i64;
    let Some(ask) = ask(terms, instrument, value, elapsed_ns, seconds).filter(|_| eligible) else {
        return clear(look, state);
    };
    let resting = Resting {
        instrument,
        purpose: Purpose::Write,
        side: leg.side,
        price: ask.price,
        never: Some(ask.floor),
        reprice_min: terms.reprice_min,
        stake: Stake { value: ask.price, left_ns: auction_ns.saturating_sub(elapsed_ns) },
        room: |_| uncovered(look, instrument),
    };
    resting.keep(look, state).or_else(|| {
        let demand = Demand {
            phase: Phase::OptionAuction,
            limit: ask.price,
            mark: value.mark,
            best: Some(value.bid).filter(|bid| bid.is_positive()),
            remaining: uncovered(look, instrument),
        };
        state.show(look.at, demand)
    })
}
