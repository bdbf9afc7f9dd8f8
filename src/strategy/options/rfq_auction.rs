//! Trades spreads lot by lot: asks makers for quotes, lets them compete for a while, then executes the best quote the
//! lot's clock accepts. Every quote is checked leg by leg; the vault's own limit binds, the venue's does not.

use crate::base::ids::Side;
use crate::base::num::{Amount, Cash, Price, Ratio, Rounding, div_round};
use crate::base::time::SEC;
use crate::market::instrument::Instrument;
use crate::msg::{Act, Deal, Demand, LEGS, Leg, Offer, OpenRfq, Phase, Purpose, RfqWish, Value, Working, package_cost};
use crate::strategy::options::amend::ResignCost;
use crate::strategy::options::params::RfqAuction;
use crate::strategy::options::position::units_held;
use crate::strategy::options::schedule::unit_limit;
use crate::strategy::options::selector::Pick;
use crate::strategy::options::state::State;
use crate::strategy::options::{Look, budget, option_auction, resting};

/// Fresh marks of a pick, per unit of the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// Cost of a unit at the marks; negative is received.
    pub cost: Price,
    /// Our fee per unit as a taker, without the fixed one.
    pub fee: Price,
    /// Fixed fee of an execution.
    pub base_fee: Cash,
}

/// An offer with what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Priced {
    offer: Offer,
    /// Units.
    units: Amount,
    /// Cost after fees.
    net: Cash,
    /// Fees assumed where a budget binds: the dearer of the venue's word and our own sum.
    fee_max: Cash,
    /// Fees.
    fee: Cash,
}

/// Whole lots of what is left of `collateral` beyond the units held: `floor((c − held) / rounding) · rounding`, up to
/// one lot.
pub fn covered_lot(collateral: Amount, held: Amount, terms: &RfqAuction) -> Amount {
    if !terms.lot_rounding.is_positive() {
        return Amount::ZERO;
    }
    let free = (collateral - held).max(Amount::ZERO);
    free.min(terms.lot_size).to_step(terms.lot_rounding, Rounding::Floor)
}

/// Units the auction can trade at worst, one lot per life: `auction_s / lot_life_s · lot_size`.
pub fn capacity(auction_s: u64, terms: &RfqAuction) -> Amount {
    let lots = i64::try_from(auction_s / terms.lot_life_s.max(1)).unwrap_or(i64::MAX);
    Amount::from_raw(terms.lot_size.raw().saturating_mul(lots))
}

/// Taker fee of one unit: rate × index, capped at a share of the mark.
pub fn unit_fee(instrument: &Instrument, value: &Value) -> Price {
    let fee = value.index.scale(instrument.taker_fee, Rounding::Ceil);
    if instrument.mark_fee_cap.is_positive() {
        fee.min(value.mark.scale(instrument.mark_fee_cap, Rounding::Ceil))
    } else {
        fee
    }
}

/// Marks of the pick's legs; `None` unless both are fresh and the package is worth what its side says.
pub(super) fn marks(look: &Look<'_>, pick: &Pick) -> Option<Marks> {
    let mut sum = Marks { cost: Price::ZERO, fee: Price::ZERO, base_fee: Cash::ZERO };
    for leg in pick.legs() {
        let (instrument, value) = look.fresh_line(leg.instrument)?;
        sum.cost += Price::from_raw(value.mark.raw() * leg.side.sign());
        sum.fee += unit_fee(instrument, value);
        sum.base_fee = sum.base_fee.max(instrument.base_fee);
    }
    let sane = sum.cost.raw().signum() == look.params.product.side().sign();
    sane.then_some(sum)
}

/// Amount of the next lot: what collateral covers, or what the budget still buys; nothing below the venue's smallest.
pub(super) fn next_lot(
    look: &Look<'_>,
    state: &State,
    terms: &RfqAuction,
    pick: &Pick,
    marks: Option<&Marks>,
) -> Amount {
    let product = look.params.product;
    let lot = match (product.side(), marks) {
        (Side::Sell, _) => covered_lot(look.view.account.base, units_held(look.view, product), terms),
        (Side::Buy, Some(marks)) => affordable_lot(look, state, terms, marks),
        (Side::Buy, None) => Amount::ZERO,
    };
    let lines = pick.legs().filter_map(|leg| look.view.line(leg.instrument));
    let smallest = lines.map(|line| line.instrument.min_amount).max().unwrap_or(Amount::ZERO);
    if lot < smallest { Amount::ZERO } else { lot }
}

/// Sized by what a quote may cost when the freeze ends, unless the lot before has shown that quotes cost more.
fn affordable_lot(look: &Look<'_>, state: &State, terms: &RfqAuction, marks: &Marks) -> Amount {
    let left = look.view.account.milestone.left() - marks.base_fee;
    let first = unit_limit(terms, marks.cost, terms.freeze_s.saturating_mul(SEC)).max(marks.cost);
    let worst = unit_limit(terms, marks.cost, terms.lot_life_s.saturating_mul(SEC)).max(first);
    let unit = state.lot.unit_cost.map_or(first, |seen| seen.clamp(first, worst));
    budget::affordable(left, unit + marks.fee, terms.lot_size, terms.lot_rounding)
}

/// One look at the auction.
pub(super) fn step(look: &Look<'_>, state: &mut State, terms: &RfqAuction, pick: &Pick) -> Option<Act> {
    let marks = marks(look, pick).filter(|_| option_auction::is_eligible(look, pick) == Some(true));
    let Some(rfq) = look.view.talk.rfq else { return open(look, state, terms, pick, marks.as_ref()) };
    state.lot.begin(rfq.name);
    let rfq_id = rfq.rfq_id.filter(|_| !rfq.leaving)?;
    let elapsed_ns = look.at.since(rfq.opened_at);
    let over = elapsed_ns >= terms.lot_life_s.saturating_mul(SEC) || look.at >= rfq.valid_until;
    if over || !is_asked_for(&rfq.wish, pick) {
        return resting::unask(look.at, state, rfq_id);
    }
    let marks = marks?;
    let limit = unit_limit(terms, marks.cost, elapsed_ns);
    let best = best_offer(look, state, &marks, &rfq);
    if let Some(best) = best {
        let unit = unit_cost(package_cost(&best.offer.legs), best.units);
        state.lot.seen_cost = Some(state.lot.seen_cost.map_or(unit, |seen| seen.min(unit)));
    }
    // A contract that signs first could not do so yet: what was signed before must settle.
    let signable = !look.view.account.settling && !state.is_quiet(look.at);
    let ripe = elapsed_ns >= terms.freeze_s.saturating_mul(SEC) && signable;
    let taken = best.filter(|best| ripe && best.net <= limit.times(best.units));
    if let Some(taken) = taken {
        state.lot.deal_with(Some(taken.offer.maker));
        return Some(Act::Execute(deal(look, &rfq, &taken, limit)));
    }
    let demand = demand(look, &marks, limit, best);
    state.show(look.at, demand)
}

/// Takes back the execution under way if what it costs now exceeds the lot's limit of this moment by more than another
/// signature does: the marks have moved while it waited for its block. One that has left already is beyond recall.
pub(super) fn recall(look: &Look<'_>, state: &State, terms: &RfqAuction, cost: ResignCost) -> Option<Act> {
    let (rfq, pick) = (look.view.talk.rfq?, state.pick?);
    let mut package = look.view.account.working.iter().flatten().filter(|one| one.wish.purpose == Purpose::Package);
    let (one, other) = (package.next()?, package.next()?);
    let marks = marks(look, &pick)?;
    let units = one.wish.amount;
    let paid = |one: &Working| {
        let value = one.wish.price.times(one.wish.amount);
        if one.wish.side == Side::Buy { value } else { -value }
    };
    let net = paid(one) + paid(other) + marks.fee.times(units) + marks.base_fee;
    let limit = unit_limit(terms, marks.cost, look.at.since(rfq.opened_at));
    (net > limit.times(units) + cost.gas).then_some(Act::Cancel { nonce: one.nonce })
}

/// Asks for quotes on the next lot, not more often than refusals would be bearable.
fn open(look: &Look<'_>, state: &mut State, terms: &RfqAuction, pick: &Pick, marks: Option<&Marks>) -> Option<Act> {
    let marks = marks?;
    // A withdrawal not yet confirmed by the conversation, or a question not yet seen in it, is not asked over.
    let asked_lately = look.at.since(state.lot.asked_at) < look.params.refusal_pause_ns.max(SEC);
    if asked_lately || state.is_quiet(look.at) || look.view.account.working.iter().flatten().next().is_some() {
        return None;
    }
    let amount = next_lot(look, state, terms, pick, Some(marks));
    if !amount.is_positive() {
        return None;
    }
    let mut legs = [Leg::default(); LEGS];
    for (place, leg) in legs.iter_mut().zip(pick.legs) {
        let leg = leg?;
        *place = Leg { instrument: leg.instrument, side: leg.side, amount };
    }
    state.lot.asked_at = look.at;
    state.lot.deal_with(None);
    Some(Act::Ask(RfqWish { legs, partial_fill_step: terms.partial_fill_step }))
}

/// True if the RFQ is for the pick.
fn is_asked_for(wish: &RfqWish, pick: &Pick) -> bool {
    wish.legs.iter().zip(pick.legs).all(|(asked, leg)| {
        leg.is_some_and(|leg| {
            leg.instrument == asked.instrument && leg.side == asked.side && asked.amount.is_positive()
        })
    })
}

/// True if the offer is for the RFQ, leg by leg, and for no more of it than is left.
fn is_answer(offer: &Offer, rfq: &OpenRfq) -> bool {
    let share = offer.filled.is_positive() && offer.filled <= Ratio::ONE - rfq.filled;
    let units = offer.legs[0].leg.amount;
    share
        && units.is_positive()
        && offer.legs.iter().zip(&rfq.wish.legs).all(|(priced, asked)| {
            priced.leg.instrument == asked.instrument
                && priced.leg.side == asked.side
                && priced.leg.amount == asked.amount.scale(offer.filled, Rounding::HalfUp)
                && priced.leg.amount == units
                && !priced.price.is_negative()
        })
}

fn unit_cost(net: Cash, units: Amount) -> Price {
    let raw = div_round(net.raw(), i128::from(units.raw().max(1)), Rounding::Ceil);
    Price::from_raw(i64::try_from(raw).unwrap_or(i64::MAX))
}

/// The cheapest offer per unit after fees that may be taken at all; of equals the earliest, then the lowest id.
fn best_offer(look: &Look<'_>, state: &State, marks: &Marks, rfq: &OpenRfq) -> Option<Priced> {
    let buyer = look.params.product.side() == Side::Buy;
    let left = look.view.account.milestone.left();
    let free = look.view.account.base - units_held(look.view, look.params.product);
    let offers = look.view.talk.offers.iter().flatten();
    offers
        .filter(|offer| is_answer(offer, rfq) && !state.lot.is_paused(offer.maker, look.at))
        .map(|offer| priced(offer, marks))
        .filter(|one| if buyer { package_cost(&one.offer.legs) + one.fee_max <= left } else { one.units <= free })
        .min_by_key(|one| (unit_cost(one.net, one.units), one.offer.created_at, one.offer.quote_id))
}

fn priced(offer: &Offer, marks: &Marks) -> Priced {
    let units = offer.legs[0].leg.amount;
    let own = marks.fee.times(units) + marks.base_fee;
    let fee = offer.fee.unwrap_or(own);
    Priced { offer: *offer, units, net: package_cost(&offer.legs) + fee, fee, fee_max: fee.max(own) }
}

fn deal(look: &Look<'_>, rfq: &OpenRfq, taken: &Priced, limit: Price) -> Deal {
    let by_price = limit.times(taken.units) - taken.fee;
    let cost_max = if look.params.product.side() == Side::Buy {
        by_price.min(look.view.account.milestone.left() - taken.fee_max)
    } else {
        by_price
    };
    Deal { rfq_id: rfq.rfq_id.unwrap_or_default(), quote_id: taken.offer.quote_id, legs: taken.offer.legs, cost_max }
}

/// What is displayed: amounts a seller must fetch, or a buyer may pay, per unit.
fn demand(look: &Look<'_>, marks: &Marks, limit: Price, best: Option<Priced>) -> Demand {
    let product = look.params.product;
    let seen = |cost: Price| Price::from_raw(cost.raw() * product.side().sign());
    let remaining = match product.side() {
        Side::Sell => (look.view.account.base - units_held(look.view, product)).max(Amount::ZERO),
        Side::Buy => look.view.account.milestone.left().over_price(marks.cost + marks.fee, Rounding::Floor),
    };
    Demand {
        phase: Phase::OptionAuction,
        limit: seen(limit),
        mark: seen(marks.cost),
        best: best.map(|best| seen(unit_cost(best.net, best.units))),
        remaining,
    }
}

/// True when nothing is left that a lot could be made of.
pub(super) fn is_done(look: &Look<'_>, state: &State, terms: &RfqAuction, pick: &Pick) -> bool {
    let product = look.params.product;
    if product.side() == Side::Sell {
        return next_lot(look, state, terms, pick, None).is_zero();
    }
    // A buyer that holds nothing yet waits for prices it can pay.
    let held = units_held(look.view, product);
    held.is_positive()
        && marks(look, pick).is_some_and(|marks| next_lot(look, state, terms, pick, Some(&marks)).is_zero())
}
