//! M: what the vault has, owes and offers.

use crate::actors::risk::Notice;
use crate::base::ids::Side;
use crate::base::num::Ratio;
use crate::base::time::SEC;
use crate::msg::Mode;
use crate::sim::soak::Subject;
use crate::sim::soak::seen::{PERP, Seen, Sent};
use crate::sim::soak::words::Method;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// How far from one delta may be when a hedge has ended.
const DELTA_OFF: Ratio = Ratio::from_raw(20_000_000);
/// The same once all is calm: the band in which nothing is hedged is one percent wide to either side.
const REST_OFF: Ratio = Ratio::from_raw(12_000_000);
/// How far an order may be on its wrong side of the mark, as a share of it: the vault's collar, and a market that moves.
const COLLAR: Decimal = Decimal::from_parts(2, 0, 0, false, 2);
/// Options are never sold for less than this share of their mark.
const OPTION_FLOOR: Decimal = Decimal::from_parts(3, 0, 0, false, 1);
/// Age at which an option's ticker is not traded on any more: until then what the venue thinks by now may be unknown.
const OPTION_TICKER_NS: u64 = 5 * SEC;
/// Highest fee signed for, as a share of the order.
const FEE_SHARE: Decimal = Decimal::from_parts(5, 0, 0, false, 2);
/// No option rests this close to its expiry.
const LATE_OPTION_S: u64 = 1_800;
/// The perp traded per unit of the base: the token's ratio, and a price that differs.
const HEDGE_SHARE: Decimal = Decimal::from_parts(115, 0, 0, false, 2);
/// What drift of prices may have hedged beside that.
const HEDGE_SLACK: Decimal = Decimal::from_parts(2, 0, 0, false, 0);
/// The last hedges of what was quoted within the limit cost a little more, and marks move before a quote fills.
const LOSS_SLACK: Decimal = Decimal::from_parts(105, 0, 0, false, 2);
/// After calm this long, books must agree.
const SETTLED_NS: u64 = 30 * SEC;
/// After a fill, both sides have heard of it by then.
const HEARD_NS: u64 = 2 * SEC;
/// Fees or amounts the venue would have refused.
const FEE_TOO_LOW: i64 = 11_023;
const SELF_CROSS: i64 = 11_007;
/// Amount, price, instrument not live, instrument unknown.
pub const OFF_GRID: [i64; 4] = [11_012, 11_013, 11_021, 12_001];

fn is_perp(name: &str) -> bool {
    name.ends_with("-PERP")
}

fn is_option(name: &str) -> bool {
    name.ends_with("-C") || name.ends_with("-P")
}

fn base(seen: &Seen) -> Decimal {
    seen.books.balances.get(seen.collateral).copied().unwrap_or_default()
}

fn short_options(seen: &Seen) -> Decimal {
    let amounts = seen.books.positions.iter().filter(|(name, _)| is_option(name));
    amounts.map(|(_, position)| (-position.amount).max(Decimal::ZERO)).sum()
}

fn sells_options(seen: &Seen) -> bool {
    matches!(seen.subject, Subject::Auction(vault) if vault.product().side() == Side::Sell)
}

pub(super) fn shorts_covered(seen: &Seen) -> Option<String> {
    let (short, base) = (short_options(seen), base(seen));
    (sells_options(seen) && short > base).then(|| format!("{short} short against {base} {}", seen.collateral))
}

pub(super) fn legs_whole(seen: &Seen) -> Option<String> {
    let Subject::Auction(vault) = seen.subject else { return None };
    // What is asked for and executed is whole, and so is what is held.
    let signed = |(side, amount): &(Side, Decimal)| *amount * Decimal::from(side.sign());
    let uneven = |sent: &&Sent| !sent.request.legs.iter().map(signed).sum::<Decimal>().is_zero();
    if let Some(sent) = seen.sent.iter().find(uneven) {
        return Some(format!("{:?} of {:?}", sent.request.method, sent.request.legs));
    }
    let options = seen.books.positions.iter().filter(|(name, _)| is_option(name));
    let sum: Decimal = options.map(|(_, position)| position.amount).sum();
    (vault.product().is_spread() && !sum.is_zero()).then(|| format!("legs differ by {sum}"))
}

/// Hedges follow fills of the base: they trade about as much, and a little for prices that drift.
pub(super) fn hedges_are_needed(seen: &Seen) -> Option<String> {
    let (base, perp) = seen.traded;
    let most = base * HEDGE_SHARE + HEDGE_SLACK;
    (seen.subject == Subject::Basis && perp > most).then(|| format!("{perp} of the perp traded for {base} of the base"))
}

pub(super) fn delta_one(seen: &Seen) -> Option<String> {
    let off = |delta: Ratio, most: Ratio| (delta - Ratio::ONE).abs() > most;
    if seen.subject != Subject::Basis {
        return None;
    }
    let hedged = seen.heard.iter().find_map(|notice| match notice {
        Notice::Hedged { delta, .. } if off(*delta, DELTA_OFF) => Some(format!("a hedge ended at {delta}")),
        _ => None,
    });
    let (sample, _) = seen.last.as_ref()?;
    let settled = seen.moments.calm.is_some_and(|calm| seen.at.since(calm) > SETTLED_NS + 10 * SEC);
    hedged.or_else(|| (settled && off(sample.delta, REST_OFF)).then(|| format!("delta {}", sample.delta)))
}

pub(super) fn cash_first(seen: &Seen) -> Option<String> {
    let cash = seen.books.balances.get("USDC").copied().unwrap_or_default();
    let low = cash < seen.rules.cash_min? - seen.rules.cash_tolerance;
    let traded =
        seen.sent.iter().find(|sent| sent.request.method == Method::Execute || is_option(&sent.request.instrument));
    traded
        .filter(|sent| low && sent.request.method.is_signed())
        .map(|sent| format!("{cash} cash at {}", sent.request.nonce))
}

pub(super) fn priced_near(seen: &Seen) -> Option<String> {
    let wrong = |sent: &&Sent| {
        let request = &sent.request;
        if !matches!(request.method, Method::Place | Method::Replace) || sent.mark.is_zero() {
            return false;
        }
        if is_option(&request.instrument) {
            let told = sent.at.since(seen.options_jumped) > OPTION_TICKER_NS;
            return told && request.side == Side::Sell && request.price < sent.mark * OPTION_FLOOR;
        }
        let off = (request.price / sent.mark - Decimal::ONE) * Decimal::from(request.side.sign());
        off > COLLAR
    };
    let found = seen.sent.iter().find(wrong)?;
    let request = &found.request;
    Some(format!("{:?} {} at {} against {}", request.side, request.instrument, request.price, found.mark))
}

pub(super) fn fee_enough(seen: &Seen) -> Option<String> {
    seen.refused.iter().find(|refused| refused.code == FEE_TOO_LOW).map(|refused| refused.text.clone())
}

pub(super) fn fee_modest(seen: &Seen) -> Option<String> {
    let high = |sent: &&Sent| {
        let request = &sent.request;
        let plain = matches!(request.method, Method::Place | Method::Replace) && !is_option(&request.instrument);
        plain && request.max_fee > request.price * FEE_SHARE
    };
    let found = seen.sent.iter().find(high)?;
    Some(format!("{} a unit at {}", found.request.max_fee, found.request.price))
}

/// By the venue's own records of trades and its marks at the time; what decays meanwhile is not much.
pub(super) fn loses_within_its_limit(seen: &Seen) -> Option<String> {
    let allowed = seen.books.value * Decimal::from(seen.rules.loss_bps?) / Decimal::from(10_000) * LOSS_SLACK;
    (allowed > Decimal::ZERO && seen.lost > allowed)
        .then(|| format!("{:.3} lost against mark, {allowed:.3} allowed", seen.lost))
}

/// Both ways: what either side has, the other has too.
pub(super) fn books_agree(seen: &Seen) -> Option<String> {
    let (sample, _) = seen.last.as_ref()?;
    let settled = seen.moments.calm.is_some_and(|calm| seen.at.since(calm) > SETTLED_NS);
    if !settled || seen.at.since(seen.moments.moved) < HEARD_NS || sample.mode != Mode::Live {
        return None;
    }
    let mut ours: BTreeMap<&str, Decimal> =
        seen.held.iter().map(|(name, amount)| (name.as_str(), decimal(amount))).collect();
    ours.extend([(seen.collateral, decimal(sample.base))]);
    if seen.subject == Subject::Basis {
        ours.extend([(PERP, decimal(sample.perp))]);
    }
    let positions = seen.books.positions.iter().map(|(name, position)| (name.as_str(), position.amount));
    let balances = seen.books.balances.iter().map(|(name, amount)| (name.as_str(), *amount));
    let theirs: BTreeMap<&str, Decimal> = positions.chain(balances).collect();
    let of = |side: &BTreeMap<&str, Decimal>, name: &str| side.get(name).copied().unwrap_or_default();
    let mut names = ours.keys().chain(theirs.keys()).filter(|name| **name != "USDC");
    if let Some(name) = names.find(|name| of(&ours, name) != of(&theirs, name)) {
        return Some(format!("{} of {name} in the ledger, {} at the venue", of(&ours, name), of(&theirs, name)));
    }
    // Profit moves between perp and cash whenever the venue likes; their sum does not.
    let unsettled: Decimal =
        seen.books.positions.iter().filter(|(name, _)| is_perp(name)).map(|(_, p)| p.mark_value).sum();
    let entered = of(&theirs, PERP) * seen.perp_mark;
    let cash = decimal(sample.cash) - decimal(sample.perp_cost);
    let venue = of(&theirs, "USDC") + unsettled - entered;
    ((cash - venue).abs() > seen.rules.cash_tolerance)
        .then(|| format!("{cash} of cash in the ledger, {venue} at the venue"))
}

/// The engine's fixed numbers, read from their text.
fn decimal(number: impl std::fmt::Display) -> Decimal {
    number.to_string().parse().unwrap_or(Decimal::MAX)
}

pub(super) fn twin_agrees(seen: &Seen) -> Option<String> {
    seen.twins.differs.ledger.clone()
}

pub(super) fn never_crosses_itself(seen: &Seen) -> Option<String> {
    if let Some(refused) = seen.refused.iter().find(|refused| refused.code == SELF_CROSS) {
        return Some(refused.text.clone());
    }
    let bids = || seen.open.iter().filter(|order| order.side == Side::Buy);
    let asks = || seen.open.iter().filter(|order| order.side == Side::Sell);
    let pair = bids().flat_map(|bid| asks().map(move |ask| (bid, ask)));
    let crossed = pair.into_iter().find(|(bid, ask)| bid.instrument == ask.instrument && bid.price >= ask.price);
    crossed.map(|(bid, ask)| format!("{} at {} against {}", bid.instrument, bid.price, ask.price))
}

/// Orders of somebody else are not ours to answer for before they are found.
fn ours(seen: &Seen) -> impl Iterator<Item = &crate::exchange::OpenOrder> {
    seen.open.iter().filter(|order| !seen.strangers.iter().any(|(nonce, _)| *nonce == order.nonce))
}

pub(super) fn worst_case_covered(seen: &Seen) -> Option<String> {
    let resting = |side: Side, kind: fn(&str) -> bool| -> Decimal {
        ours(seen).filter(|order| order.side == side && kind(&order.instrument)).map(|order| order.remaining).sum()
    };
    let short = short_options(seen) + resting(Side::Sell, is_option);
    if sells_options(seen) && short > base(seen) {
        return Some(format!("{short} sold or offered against {}", base(seen)));
    }
    let perp: Decimal = seen.books.positions.iter().filter(|(name, _)| is_perp(name)).map(|(_, p)| p.amount).sum();
    let bought = perp + resting(Side::Buy, is_perp);
    if bought > Decimal::ZERO {
        return Some(format!("{bought} of the perp with what rests"));
    }
    let offered = resting(Side::Sell, |name| !is_option(name) && !is_perp(name));
    (offered > base(seen)).then(|| format!("{offered} offered of {}", base(seen)))
}

pub(super) fn no_late_options(seen: &Seen) -> Option<String> {
    let left_s = LATE_OPTION_S.max(seen.rules.option_life_s.saturating_sub(LATE_OPTION_S));
    let late = ours(seen).find(|order| order.option_expiry_s.is_some_and(|s| seen.at.secs() + left_s > s))?;
    Some(format!("{} rests", late.instrument))
}

pub(super) fn on_grid(seen: &Seen) -> Option<String> {
    seen.refused.iter().find(|refused| OFF_GRID.contains(&refused.code)).map(|refused| refused.text.clone())
}

pub(super) fn perp_never_long(seen: &Seen) -> Option<String> {
    let long = seen.books.positions.iter().find(|(name, position)| is_perp(name) && position.amount > Decimal::ZERO)?;
    Some(format!("{} of {}", long.1.amount, long.0))
}
