//! Every pre-trade check of an option vault, in the order it is applied: the same duties as for a basis vault, for
//! single orders and for packages. Add a row, never an exception.

use super::checks::CHECK_COUNT;
use super::option_case::{OptionCase, Wanted, unpriced};
use super::wall;
use crate::account::order::LiveOrder;
use crate::base::ids::Side;
use crate::base::num::{Amount, Cash, Price, Ratio, Rounding};
use crate::base::time::SEC;
use crate::market::black76;
use crate::market::instrument::{Instrument, Kind};
use crate::msg::{Deal, Guards, Leg, Life, Mode, Product, Purpose, TimeInForce, Value, Wish};

/// One row.
pub struct OptionCheck {
    /// Name in metrics, reports and refusals.
    pub name: &'static str,
    /// True when the wish may pass.
    pub passes: fn(&OptionCase<'_>) -> bool,
}

/// The table. Sources: strategy specification §1.0, §2.3 to §2.5, §2.12, and the invariants M1, M2, M4, M5, M10, M11 of the storms.
pub const OPTION_CHECKS: [OptionCheck; CHECK_COUNT] = [
    OptionCheck { name: "awake", passes: awake },
    OptionCheck { name: "fresh", passes: fresh },
    OptionCheck { name: "known", passes: known },
    OptionCheck { name: "on_tick", passes: on_tick },
    OptionCheck { name: "sized", passes: sized },
    OptionCheck { name: "collared", passes: collared },
    OptionCheck { name: "covered", passes: covered },
    OptionCheck { name: "in_share", passes: in_share },
    OptionCheck { name: "in_cash", passes: in_cash },
    OptionCheck { name: "alone", passes: alone },
    OptionCheck { name: "paced", passes: paced },
    OptionCheck { name: "unexpired", passes: unexpired },
    OptionCheck { name: "settled", passes: settled },
    OptionCheck { name: "mandate", passes: mandate },
];

/// Index of the first row that refuses.
pub fn refusal(case: &OptionCase<'_>) -> Option<usize> {
    OPTION_CHECKS.iter().position(|check| !(check.passes)(case))
}

/// What can change while a deal that was granted waits: the marks are fresh and its price is one the mandate allows.
pub fn priced_well(case: &OptionCase<'_>) -> bool {
    fresh(case) && collared(case)
}

/// True for a sale of collateral: it can only pay a debt.
fn pays_debt(case: &OptionCase<'_>) -> bool {
    matches!(case.wanted, Wanted::Order(Wish { purpose: Purpose::Convert, side: Side::Sell, .. }))
}

/// The vault may act: live, or draining and this pays a debt; the session carries it; the truth is certain.
fn awake(case: &OptionCase<'_>) -> bool {
    let permitted = match case.mode {
        Mode::Live => true,
        Mode::Drain => pays_debt(case),
        Mode::Starting | Mode::Halted => false,
    };
    permitted && case.session_up && !case.ledger.is_uncertain()
}

/// Collateral and every leg have a recent mark (D2), every guard is clear (D5, D6) and no value has expired; only a debt
/// is paid whatever the guards say, and not at a price that a single ticker has told.
fn fresh(case: &OptionCase<'_>) -> bool {
    let alive = |value: &Value| {
        value.mark.is_positive()
            && !value.guards.has(Guards::NO_PRICE)
            && case.at.since(value.priced_at) <= case.limits.value_age_ns_max
    };
    let clear = |value: &Value| value.guards.is_clear() && case.at <= value.good_until;
    if case.purpose() == Purpose::Convert {
        return alive(case.base) && (pays_debt(case) || clear(case.base));
    }
    let priced = |value: &Value| alive(value) && clear(value) && value.option.is_some();
    // A leg that is not in the table is refused by name in the next row.
    alive(case.base) && clear(case.base) && case.legs.iter().flatten().all(|facet| priced(facet.value))
}

/// Live instruments of the vault, used for what the vault uses them for, in the shape of its product.
fn known(case: &OptionCase<'_>) -> bool {
    let Some([Some((_, first)), _]) = case.known_parts() else { return false };
    let product = case.limits.product;
    match case.wanted {
        Wanted::Order(wish) if wish.purpose == Purpose::Write => {
            product == Product::CoveredCall
                && wish.side == Side::Sell
                && matches!(wish.tif, TimeInForce::Gtc | TimeInForce::PostOnly)
                && is_tradable(case, first.instrument)
        }
        Wanted::Order(wish) => {
            wish.purpose == Purpose::Convert
                && wish.instrument == case.ledger.book().base
                && first.instrument.kind == Kind::Spot
                && first.instrument.active
        }
        Wanted::Ask(wish) => {
            wish.partial_fill_step.is_positive() && wish.partial_fill_step <= Ratio::ONE && is_product(case)
        }
        Wanted::Deal(deal) => is_product(case) && is_offered(case, &deal),
    }
}

/// A listed option of the vault's currency and right, whose life lies within the mandate's bounds.
fn is_tradable(case: &OptionCase<'_>, instrument: &Instrument) -> bool {
    let Some(terms) = instrument.option else { return false };
    let limits = case.limits;
    let left = u64::try_from(terms.seconds_left(case.venue_at())).unwrap_or_default();
    instrument.kind == Kind::Option
        && instrument.active
        && case.ledger.book().options == Some(instrument.base_currency)
        && terms.right == limits.product.right()
        && (limits.life_s_min..=limits.life_s_max).contains(&left)
}

/// Two tradable legs of one expiry, equal and opposite, at the exact strike distance, the nearer strike on the
/// product's side (M2, §2.4 rules 5 to 7).
fn is_product(case: &OptionCase<'_>) -> bool {
    let product = case.limits.product;
    let tradable = case.legs.iter().flatten().all(|facet| is_tradable(case, facet.instrument));
    let Some([(near, near_terms), (far, far_terms)]) = case.spread() else { return false };
    product.is_spread()
        && tradable
        && near_terms.expiry_s == far_terms.expiry_s
        && (near_terms.strike - far_terms.strike).abs() == case.limits.strike_diff
        && near.amount == far.amount
        && near.side == product.side()
        && far.side != near.side
}

/// The quote is open, for our RFQ, and the deal is that quote to the last digit.
fn is_offered(case: &OptionCase<'_>, deal: &Deal) -> bool {
    let Some(rfq) = case.talk.rfq else { return false };
    let offer = case.talk.offers.iter().flatten().find(|offer| offer.quote_id == deal.quote_id);
    rfq.rfq_id == Some(deal.rfq_id)
        && offer.is_some_and(|offer| offer.legs == deal.legs)
        && rfq.wish.legs.iter().zip(unpriced(&deal.legs)).all(|(asked, leg)| is_share(asked, &leg))
}

/// The same leg, or part of it.
fn is_share(asked: &Leg, leg: &Leg) -> bool {
    asked.instrument == leg.instrument && asked.side == leg.side && leg.amount <= asked.amount
}

/// Prices on ticks, amounts on steps and inside the venue's bounds (Derive 11012, 11013).
fn on_tick(case: &OptionCase<'_>) -> bool {
    let Some(parts) = case.known_parts() else { return false };
    let fits = parts.into_iter().flatten().all(|(leg, facet)| {
        let instrument = facet.instrument;
        leg.amount.is_positive()
            && leg.amount.on_step(instrument.step)
            && leg.amount >= instrument.min_amount
            && leg.amount <= instrument.max_amount
    });
    let tick = |place: usize, price: Price| {
        price.is_positive() && case.legs[place].is_some_and(|facet| price.on_tick(facet.instrument.tick))
    };
    fits && match case.wanted {
        Wanted::Order(wish) => tick(0, wish.price),
        Wanted::Ask(_) => true,
        Wanted::Deal(deal) => deal.legs.iter().enumerate().all(|(place, priced)| tick(place, priced.price)),
    }
}

/// Inside the vault's own amount and notional limits (RTS 6 15(1)(b,c)): options count at their index.
fn sized(case: &OptionCase<'_>) -> bool {
    let limits = case.limits;
    if let Wanted::Order(wish) = case.wanted
        && wish.purpose == Purpose::Convert
    {
        return wish.amount <= limits.collateral_amount_max && wish.price.times(wish.amount) <= limits.notional_max;
    }
    let Some(parts) = case.known_parts() else { return false };
    parts.into_iter().flatten().all(|(leg, facet)| {
        let index = facet.value.index;
        leg.amount <= limits.option_amount_max && index.is_positive() && index.times(leg.amount) <= limits.notional_max
    })
}

/// At a price the mandate allows (M5).
fn collared(case: &OptionCase<'_>) -> bool {
    match case.wanted {
        Wanted::Order(wish) if wish.purpose == Purpose::Write => written_well(case, &wish),
        Wanted::Order(wish) => converted_well(case, &wish),
        Wanted::Ask(_) => ratio_fits(case),
        Wanted::Deal(deal) => ratio_fits(case) && dealt_well(case, &deal),
    }
}

/// A call of a delta inside the range at mark volatility, above Black-76 at the mandate's share of mark volatility
/// strictly (§2.3), and at no less than the lowest volatility.
fn written_well(case: &OptionCase<'_>, wish: &Wish) -> bool {
    let limits = case.limits;
    let Some(facet) = case.legs[0] else { return false };
    let (Some(option), Some(terms)) = (facet.value.option, facet.instrument.option) else { return false };
    let floor_at = |vol: Ratio| {
        let seconds = terms.seconds_left(case.venue_at());
        black76::price(terms.right, option.forward, terms.strike, vol, seconds, Ratio::ONE, Rounding::Ceil)
    };
    let slipped = floor_at(option.mark_iv.scale(limits.vol_factor_min, Rounding::Ceil));
    let lowest = floor_at(limits.iv_min);
    let in_range = option.mark_iv.is_positive() && (limits.delta_min..=limits.delta_max).contains(&option.delta);
    in_range
        && slipped.is_some_and(|floor| wish.price > floor)
        && lowest.is_some_and(|floor| wish.price >= floor)
        && passive_or_banded(wish, facet.value)
}

/// Collateral bought or sold near its mark (§2.5).
fn converted_well(case: &OptionCase<'_>, wish: &Wish) -> bool {
    let mark = case.base.mark;
    let near = match wish.side {
        Side::Buy => wish.price <= mark + mark.scale(case.limits.buy_premium_max, Rounding::Floor),
        Side::Sell => wish.price >= mark - mark.scale(case.limits.sell_discount_max, Rounding::Floor),
    };
    near && passive_or_banded(wish, case.base)
}

/// A passive order does not reach through the book; any other lies inside the venue's band for aggressive ones.
fn passive_or_banded(wish: &Wish, value: &Value) -> bool {
    match (wish.tif, wish.side) {
        (TimeInForce::PostOnly, Side::Buy) => !value.ask.is_positive() || wish.price < value.ask,
        (TimeInForce::PostOnly, Side::Sell) => !value.bid.is_positive() || wish.price > value.bid,
        (_, Side::Buy) => !value.band_high.is_positive() || wish.price <= value.band_high,
        (_, Side::Sell) => wish.price >= value.band_low,
    }
}

/// The spread's mark over its strike distance lies inside the window (§2.4 rule 11).
fn ratio_fits(case: &OptionCase<'_>) -> bool {
    let limits = case.limits;
    case.spread_ratio().is_some_and(|ratio| (limits.spread_ratio_min..=limits.spread_ratio_max).contains(&ratio))
}

/// No dearer than the strategy would pay now; a seller receives its share of the mark, a buyer pays at most its multiple
/// (§2.4 rule 10, with the sign the contract leaves out).
fn dealt_well(case: &OptionCase<'_>, deal: &Deal) -> bool {
    let Some(mark) = case.unit_mark() else { return false };
    let amount = deal.legs[0].leg.amount;
    let cost = case.cost();
    let bound = mark.abs().times(amount);
    let fair = if case.limits.sells() {
        mark.is_negative() && cost.is_negative() && -cost >= bound.scale(case.limits.mark_tolerance, Rounding::Ceil)
    } else {
        mark.is_positive() && cost.abs() <= bound.scale(case.limits.mark_tolerance, Rounding::Floor)
    };
    fair && cost <= deal.cost_max
}

/// Covered in the worst case (M1, M2, M10): whatever has been or may be written is matched by collateral, and in a
/// spread by the bought leg; collateral that is matched is not sold.
fn covered(case: &OptionCase<'_>) -> bool {
    let buys_collateral = matches!(case.wanted, Wanted::Order(Wish { purpose: Purpose::Convert, side: Side::Buy, .. }));
    if buys_collateral {
        return true;
    }
    let left = case.worst_base();
    let backed = !case.limits.sells() || case.worst_short() <= left;
    let whole = match case.purpose() {
        // A long option beside written ones is not a position this vault makes (§2.3).
        Purpose::Write => case.ledger.options().iter().all(|held| held.amount.is_negative()),
        Purpose::Package => is_whole(case),
        Purpose::Convert | Purpose::Quote | Purpose::Hedge => true,
    };
    !left.is_negative() && whole && backed
}

/// After the deal nothing is held but these two legs, the bought one at least as large as the sold one.
fn is_whole(case: &OptionCase<'_>) -> bool {
    let legs = case.parts();
    let ours = |id| legs.iter().flatten().any(|leg| leg.instrument == id);
    let held = |leg: &Leg| case.ledger.options().of(leg.instrument);
    let end = |leg: &Leg| {
        let worst = case.worst(leg.instrument, leg.side);
        if leg.side == Side::Buy { held(leg) + worst } else { held(leg) - worst }
    };
    let total: Amount = legs.iter().flatten().map(end).sum();
    let nothing_else = case.ledger.options().iter().all(|held| ours(held.instrument));
    // A leg held against its own direction would be turned by the deal, not added to.
    let aligned = legs.iter().flatten().all(|leg| held(leg).raw().saturating_mul(leg.side.sign()) >= 0);
    nothing_else && aligned && !total.is_negative()
}

/// Spreads open and wished for, at their strike distance, stay within their share of the collateral's value (§2.4
/// rule 12).
fn in_share(case: &OptionCase<'_>) -> bool {
    if case.purpose() != Purpose::Package {
        return true;
    }
    let end = |leg: &Leg| case.ledger.options().of(leg.instrument).abs() + case.worst(leg.instrument, leg.side);
    let units = case.parts().iter().flatten().map(end).max().unwrap_or_default();
    let worth = case.base.mark.times(case.ledger.holdings().base);
    case.limits.strike_diff.times(units) <= worth.scale(case.limits.tvl_share_max, Rounding::Floor)
}

/// Options only while cash is not below its floor (M4), fees that can be signed for, and a buyer's purse never
/// overdrawn; collateral only for what clears cash after fees, never beyond.
fn in_cash(case: &OptionCase<'_>) -> bool {
    let cash = case.ledger.holdings().cash;
    match case.wanted {
        Wanted::Order(wish) if wish.purpose == Purpose::Convert => {
            let worth = wish.price.times(wish.amount);
            match wish.side {
                Side::Buy => cash.is_positive() && worth + conversion_fee(case, worth) <= cash,
                Side::Sell => {
                    let owed = -cash + case.limits.cash_tolerance;
                    cash.is_negative() && worth - conversion_fee(case, worth) <= owed
                }
            }
        }
        Wanted::Order(_) | Wanted::Ask(_) => cash >= case.limits.cash_min,
        Wanted::Deal(_) => cash >= case.limits.cash_min && pays(case),
    }
}

/// Most the venue takes for a conversion of that worth: the dearer rate and the fixed fee.
fn conversion_fee(case: &OptionCase<'_>, worth: Cash) -> Cash {
    case.legs[0].map_or(Cash::ZERO, |facet| {
        worth.scale(facet.instrument.taker_fee.max(facet.instrument.maker_fee), Rounding::Ceil)
            + facet.instrument.base_fee
    })
}

/// The fee to be signed covers the one expected, which for a buyer means that cost and fees fit into the purse.
fn pays(case: &OptionCase<'_>) -> bool {
    let (Some(expected), Some(signed)) = (case.expected_fee(), case.max_fee()) else { return false };
    let funded = case.limits.sells() || case.purse.is_some();
    funded && signed.is_positive() && signed >= expected
}

/// At most one signed order or execution at a time, a replacement counting with its old (O5, §2.12); nothing of unknown
/// fate (O4); one RFQ at a time.
fn alone(case: &OptionCase<'_>) -> bool {
    let others = case.ledger.orders().filter(|order| Some(order.nonce) != case.replaced_nonce()).count();
    let replaceable = case.replaced.is_none_or(|old: &LiveOrder| {
        old.life == Life::Open
            && old.final_filled.is_none()
            && matches!(case.wanted, Wanted::Order(wish) if same_kind(&old.wish, &wish))
    });
    let talk = match case.wanted {
        Wanted::Order(_) => true,
        Wanted::Ask(_) => case.talk.rfq.is_none(),
        Wanted::Deal(_) => case.talk.rfq.is_some_and(|rfq| !rfq.leaving && case.at < rfq.valid_until),
    };
    let room = case.ledger.has_room_for(case.parts().iter().flatten().count());
    others == 0 && replaceable && talk && room && !case.meets_another
}

/// A replacement stays in its instrument, on its side and for its purpose (Derive `private/replace`).
fn same_kind(old: &Wish, new: &Wish) -> bool {
    old.instrument == new.instrument && old.side == new.side && old.purpose == new.purpose
}

/// Inside the message budget and the fill throttle (RTS 6 15(1)(d), 15(3); O7). Debts may be paid at twice the rate.
fn paced(case: &OptionCase<'_>) -> bool {
    let fills_max = case.limits.fills_per_minute_max;
    let fills_max = if pays_debt(case) { fills_max.saturating_mul(2) } else { fills_max };
    case.budget_left > 0 && case.fills_last_minute < fills_max
}

/// Our clock agrees with the venue's (K2), and the signature's life fits venue, mandate and session key (K6, O9).
fn unexpired(case: &OptionCase<'_>) -> bool {
    let Some(offset) = case.venue_offset_ns else { return false };
    let life = case.limits.order_life_ns;
    offset.unsigned_abs() <= case.limits.clock_offset_ns_max
        && (300 * SEC..600 * SEC).contains(&life)
        && case.at.plus(life) < case.key_expires_at
}

/// Where the vault's contract signs, nothing depends on a signature made earlier: no order this would replace, no fill,
/// deposit or withdrawal unsettled, for the new signature ends the old one at once (K10, strategy specification §0.4). A
/// request for quotes is not signed.
fn settled(case: &OptionCase<'_>) -> bool {
    let asks = matches!(case.wanted, Wanted::Ask(_));
    asks || case.contract_free.is_none_or(|free| free && case.replaced.is_none())
}

/// The contract of the mandate would sign it (strategy specification §2.3 to §2.5).
fn mandate(case: &OptionCase<'_>) -> bool {
    wall::options::verdict(case).is_ok()
}
