//! What the option positions of a vault are: none, settling, the shape its auctions make, or something else.

use crate::base::ids::{Right, Side};
use crate::base::num::{Amount, Price};
use crate::market::instrument::OptionTerms;
use crate::msg::{HELD, Held, LEGS, Product, Purpose};
use crate::strategy::options::params::Selection;
use crate::strategy::options::selector::{Chosen, Pick};
use crate::strategy::options::{Look, OptionView};

/// The option positions of a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stance {
    /// None.
    Flat,
    /// Cannot be told yet: an execution is under way, or the chain is not known.
    Moving,
    /// Expired, waiting for the venue to settle them.
    Settling {
        /// Their expiry, unix seconds.
        expiry_s: u64,
    },
    /// Alive, and as this vault's auctions make them.
    Open {
        /// Their expiry, unix seconds.
        expiry_s: u64,
    },
    /// Not what this vault's auctions make.
    Misshapen,
}

/// A position with what it is a position in.
#[derive(Clone, Copy)]
struct Known {
    held: Held,
    terms: OptionTerms,
}

/// Judges the positions. Ones in instruments no longer listed are settling if the expiry last auctioned has passed.
pub(super) fn judge(look: &Look<'_>, auctioned_expiry_s: u64) -> Stance {
    let account = look.view.account;
    if account.working.iter().flatten().any(|order| order.wish.purpose == Purpose::Package) {
        return Stance::Moving;
    }
    let held = || account.held.iter().flatten().filter(|held| !held.amount.is_zero());
    if held().next().is_none() {
        return Stance::Flat;
    }
    if look.view.chain.is_empty() {
        return Stance::Moving;
    }
    let now = look.at.secs();
    let mut known: [Option<Known>; HELD] = [None; HELD];
    for (place, held) in known.iter_mut().zip(held()) {
        let terms = look.view.line(held.instrument).and_then(|line| line.instrument.option);
        *place = terms.map(|terms| Known { held: *held, terms });
    }
    let Some(first) = known.iter().flatten().next() else {
        let over = auctioned_expiry_s > 0 && now >= auctioned_expiry_s;
        return if over { Stance::Settling { expiry_s: auctioned_expiry_s } } else { Stance::Misshapen };
    };
    let expiry_s = first.terms.expiry_s;
    let whole = known.iter().flatten().count() == held().count();
    if known.iter().flatten().any(|one| one.terms.expiry_s != expiry_s) {
        return Stance::Misshapen;
    }
    // Legs are settled and delisted one by one.
    if expiry_s <= now {
        return Stance::Settling { expiry_s };
    }
    let shaped = match look.params.product {
        Product::CoveredCall => known.iter().flatten().all(is_short_call),
        spread => is_spread(spread, strike_diff(&look.params.selection), &known),
    };
    if whole && shaped { Stance::Open { expiry_s } } else { Stance::Misshapen }
}

fn is_short_call(one: &Known) -> bool {
    one.held.amount.is_negative() && one.terms.right == Right::Call
}

fn strike_diff(selection: &Selection) -> Price {
    match *selection {
        Selection::Delta { .. } => Price::ZERO,
        Selection::SpreadRatio { strike_diff, .. } | Selection::SpreadDelta { strike_diff, .. } => strike_diff,
    }
}

/// Two strikes of the product's right, the right distance apart, equal and opposite, the nearer on the product's side.
fn is_spread(product: Product, distance: Price, known: &[Option<Known>; HELD]) -> bool {
    let mut legs = known.iter().flatten();
    let (Some(one), Some(other), None) = (legs.next(), legs.next(), legs.next()) else { return false };
    let (low, high) = if one.terms.strike <= other.terms.strike { (one, other) } else { (other, one) };
    let near = if product.right() == Right::Call { low } else { high };
    let gap = high.terms.strike - low.terms.strike;
    let apart = if distance.is_positive() { gap == distance } else { gap.is_positive() };
    let typed = low.terms.right == product.right() && high.terms.right == product.right();
    let facing = near.held.amount.raw().signum() == product.side().sign();
    apart && typed && facing && (low.held.amount + high.held.amount).is_zero()
}

/// Units of the product held: of a covered call all that is short, of a spread one leg.
pub(super) fn units_held(view: &OptionView<'_>, product: Product) -> Amount {
    let sizes = view.account.held.iter().flatten().map(|held| held.amount.abs());
    if product.is_spread() { sizes.max().unwrap_or(Amount::ZERO) } else { sizes.sum() }
}

/// The instruments already held, as the auction's pick; of several covered calls the largest.
pub(super) fn pick_held(view: &OptionView<'_>, product: Product) -> Option<Pick> {
    let mut held: [Option<(Held, &crate::strategy::options::ChainLine)>; HELD] = [None; HELD];
    for (place, one) in held.iter_mut().zip(view.account.held.iter().flatten()) {
        *place = view.line(one.instrument).map(|line| (*one, line));
    }
    held.sort_by_key(|one| one.map_or(Amount::ZERO, |(held, _)| -held.amount.abs()));
    let count = if product.is_spread() { LEGS } else { 1 };
    let legs = &mut held[..count];
    legs.sort_by_key(|one| one.map(|(_, line)| line.instrument.name));
    let (_, line) = (*legs.first()?)?;
    let mut pick = Pick {
        expiry_s: line.instrument.option?.expiry_s,
        legs: [None; LEGS],
        index: line.value.map_or(Price::ZERO, |value| value.index),
    };
    for (place, leg) in pick.legs.iter_mut().zip(legs.iter()) {
        let (held, line) = (*leg)?;
        let side = if held.amount.is_negative() { Side::Sell } else { Side::Buy };
        *place = Some(Chosen { instrument: held.instrument, strike: line.instrument.option?.strike, side });
    }
    Some(pick)
}
