//! M: what the vault has, owes and offers.

use crate::actors::risk::Notice;
use crate::base::ids::Side;
use crate::base::num::Ratio;
use crate::base::time::SEC;
use crate::msg::Mode;
use crate::sim::soak::Subject;
use crate::sim::soak::seen::Seen;
use crate::sim::soak::words::Method;
use crate::sim::venue::faults::Fault;
use rust_decimal::Decimal;

/// How far from one delta may be when a hedge has ended.
const DELTA_OFF: Ratio = Ratio::from_raw(20_000_000);
/// How far an order may be on its wrong side of the mark, as a share of it: the vault's collar, and a market that moves.
const COLLAR: Decimal = Decimal::from_parts(2, 0, 0, false, 2);
/// Options are never sold for less than this share of their mark.
const OPTION_FLOOR: Decimal = Decimal::from_parts(3, 0, 0, false, 1);
/// Highest fee signed for, as a share of the order.
const FEE_SHARE: Decimal = Decimal::from_parts(5, 0, 0, false, 2);
/// No option rests this close to its expiry.
const LATE_OPTION_S: u64 = 1_800;
/// After calm this long, books must agree.
const SETTLED_NS: u64 = 30 * SEC;
/// After a fill, both sides have heard of it by then.
const HEARD_NS: u64 = 2 * SEC;
/// Fees or amounts the venue would have refused.
const FEE_TOO_LOW: i64 = 11_023;
const SELF_CROSS: i64 = 11_007;
/// Amount, price, instrument not live, instrument unknown.
const OFF_GRID: [i64; 4] = [11_012, 11_013, 11_021, 12_001];

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
    let options = seen.books.positions.iter().filter(|(name, _)| is_option(name));
    let sum: Decimal = options.map(|(_, position)| position.amount).sum();
    (vault.product().is_spread() && !sum.is_zero()).then(|| format!("legs differ by {sum}"))
}

pub(super) fn delta_one(seen: &Seen) -> Option<String> {
    let off = |delta: Ratio| (delta - Ratio::ONE).abs() > DELTA_OFF;
    if seen.subject != Subject::Basis {
        return None;
    }
    let hedged = seen.heard.iter().find_map(|notice| match notice {
        Notice::Hedged { delta, .. } if off(*delta) => Some(format!("a hedge ended at {delta}")),
        _ => None,
    });
    let (sample, _) = seen.last.as_ref()?;
    let settled = seen.moments.calm.is_some_and(|calm| seen.at.since(calm) > SETTLED_NS + 10 * SEC);
    hedged.or_else(|| (settled && off(sample.delta)).then(|| format!("delta {}", sample.delta)))
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
    let wrong = |sent: &&crate::sim::soak::seen::Sent| {
        let request = &sent.request;
        if !matches!(request.method, Method::Place | Method::Replace) || sent.mark.is_zero() {
            return false;
        }
        if is_option(&request.instrument) {
            return request.side == Side::Sell && request.price < sent.mark * OPTION_FLOOR;
        }
        let off = (request.price / sent.mark - Decimal::ONE) * Decimal::from(request.side.sign());
        off > COLLAR
    };
    // An option vault knows its collateral's price from the venue alone: a ticker that is wrong in itself it believes.
    let misled = seen.subject != Subject::Basis && seen.fired_any(&[Fault::PriceOff]);
    let found = seen.sent.iter().find(wrong).filter(|_| !misled)?;
    let request = &found.request;
    Some(format!("{:?} {} at {} against {}", request.side, request.instrument, request.price, found.mark))
}

pub(super) fn fee_enough(seen: &Seen) -> Option<String> {
    seen.refused.iter().find(|refused| refused.code == FEE_TOO_LOW).map(|refused| refused.text.clone())
}

pub(super) fn fee_modest(seen: &Seen) -> Option<String> {
    let high = |sent: &&crate::sim::soak::seen::Sent| {
        let request = &sent.request;
        let plain = matches!(request.method, Method::Place | Method::Replace) && !is_option(&request.instrument);
        plain && request.max_fee > request.price * FEE_SHARE
    };
    let found = seen.sent.iter().find(high)?;
    Some(format!("{} a unit at {}", found.request.max_fee, found.request.price))
}

pub(super) fn books_agree(seen: &Seen) -> Option<String> {
    let (sample, _) = seen.last.as_ref()?;
    let settled = seen.moments.calm.is_some_and(|calm| seen.at.since(calm) > SETTLED_NS);
    if !settled || seen.at.since(seen.moments.moved) < HEARD_NS || sample.mode != Mode::Live {
        return None;
    }
    let held = |name: &str| seen.books.positions.get(name).map_or(Decimal::ZERO, |position| position.amount);
    let same = |ours: String, venue: Decimal| ours.parse::<Decimal>().is_ok_and(|ours| ours == venue);
    let mut agree = same(sample.base.to_string(), base(seen));
    if seen.subject == Subject::Basis {
        agree &= same(sample.perp.to_string(), held("ETH-PERP"));
    } else {
        let cash = seen.books.balances.get("USDC").copied().unwrap_or_default();
        let ours = sample.cash.to_string().parse::<Decimal>().unwrap_or(Decimal::MAX);
        agree &= (ours - cash).abs() <= seen.rules.cash_tolerance;
        let ours: Decimal =
            seen.held.iter().map(|(_, amount)| amount.to_string().parse().unwrap_or(Decimal::MAX)).sum();
        let options = seen.books.positions.iter().filter(|(name, _)| is_option(name));
        agree &= ours == options.map(|(_, position)| position.amount).sum::<Decimal>();
    }
    agree &= seen.held.iter().all(|(name, amount)| same(amount.to_string(), held(name)));
    (!agree).then(|| format!("{sample:?} against {:?}", seen.books))
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
    let late = ours(seen).find(|order| order.option_expiry_s.is_some_and(|s| seen.at.secs() + LATE_OPTION_S > s))?;
    Some(format!("{} rests", late.instrument))
}

pub(super) fn on_grid(seen: &Seen) -> Option<String> {
    seen.refused.iter().find(|refused| OFF_GRID.contains(&refused.code)).map(|refused| refused.text.clone())
}

pub(super) fn perp_never_long(seen: &Seen) -> Option<String> {
    let long = seen.books.positions.iter().find(|(name, position)| is_perp(name) && position.amount > Decimal::ZERO)?;
    let forged = seen.fired_any(&[Fault::ForeignOrder]);
    (!forged).then(|| format!("{} of {}", long.1.amount, long.0))
}
