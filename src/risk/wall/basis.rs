//! A Delta-1 order before the leveraged-basis contract, as the venue's marks show the vault.
//!
//! The loss average is charged when an order is granted and for its whole amount: what may still fill counts as lost,
//! what filled counts as it did, with its fee. The contract of v2 never gives an unfilled order's charge back; where
//! every quote is signed anew many times a minute and dies provably unfilled, that would end trading by itself, so on
//! v3 a dead order's charge ends with it. Gains are no credit, which is stricter than the contract.

use super::{BASE, BasisWall, DERIVATIVE, Moment, amount_wad, cash_wad, price_wad, ratio_wad, unsigned};
use crate::account::holdings::Marks;
use crate::base::ids::Side;
use crate::base::num::{Price, Ratio};
use crate::base::time::Nanos;
use crate::msg::Purpose;
use crate::risk::checks::Case;
use crate::risk::mandate::action::{Action, Trade, VaultState};
use crate::risk::mandate::basis::BasisState;
use crate::risk::mandate::ema::MarkLoss;
use crate::risk::mandate::feeds::Feeds;
use crate::risk::mandate::revert::Revert;
use alloy_primitives::{I256, U256};
use std::borrow::Cow;

/// The only feed the contract reads itself.
pub(super) struct Spot(pub(super) Price);

impl Feeds for Spot {
    fn spot(&self) -> Result<U256, Revert> {
        Ok(unsigned(price_wad(self.0)))
    }

    fn vol(&self, _: u128, _: u64) -> Result<U256, Revert> {
        Err(Revert::LvfMissingExpiryData)
    }

    fn forward(&self, _: u64) -> Result<U256, Revert> {
        Err(Revert::LffMissingExpiryData)
    }
}

/// The contract's verdict on the wish, now and with the margins of the wall.
pub fn verdict(case: &Case<'_>) -> Result<(), Revert> {
    let wall = &case.limits.wall;
    let (Some(instrument), Some(offset)) = (case.instrument, case.venue_offset_ns) else {
        return Ok(()); // `known` and `unexpired` refuse it
    };
    let value = if case.is_base() { case.base } else { case.perp };
    let wish = case.wish;
    let trade = Trade {
        asset: if case.is_base() { BASE } else { DERIVATIVE },
        sub_id: U256::ZERO,
        limit_price: price_wad(wish.price),
        amount: amount_wad(wish.amount),
        worst_fee: unsigned(price_wad(instrument.max_fee(value.mark, value.index))),
        is_bid: wish.side == Side::Buy,
    };
    let now = case.at.shifted(offset);
    let action = Action::Trade(trade);
    let lost = charged(case)?;
    let expires = U256::from(now.plus(case.limits.order_life_ns).secs());
    // Later a signature has less of its life left, so its longest is measured now.
    if !wall.contract.life.contains(now.secs(), expires)? {
        return Err(Revert::LbtInvalidActionExpiry);
    }
    wall.drift.ends(|moment| at(wall, case, (now, moment), (&action, expires, lost)))
}

fn at(
    wall: &BasisWall,
    case: &Case<'_>,
    (now, moment): (Nanos, Moment),
    (action, expires, lost): (&Action<'_>, U256, I256),
) -> Result<(), Revert> {
    let marks = Marks { base: moment.price(case.base.mark), perp: moment.price(case.perp.mark) };
    let holdings = case.ledger.holdings();
    let now_s = now.secs() + moment.after_s;
    let state = BasisState {
        vault: VaultState {
            now_s,
            blocked: false,
            base: amount_wad(holdings.base),
            cash: cash_wad(holdings.cash),
            options: Cow::Borrowed(&[]),
            token_balance: U256::ZERO,
            pending_deposits: U256::ZERO,
        },
        perp: amount_wad(holdings.perp),
        perp_price: Ok(unsigned(price_wad(marks.perp))),
        mark_to_market: Ok(cash_wad(holdings.value(marks))),
        // Decayed to now already; the seconds until then are not credited.
        mark_loss: MarkLoss { ema: lost, last_s: now_s },
    };
    wall.contract.check(action, expires, &state, &Spot(marks.base)).map(|_| ())
}

/// Losses booked, decayed to now, and losses that orders still resting may yet make, as a share of value. What an
/// earlier run may have lost counts at its worst, but not against a hedge: exposure must not wait for a sum to decay of
/// which nobody knows that it was lost.
fn charged(case: &Case<'_>) -> Result<I256, Revert> {
    let wall = &case.limits.wall;
    let booked = decayed(wall, case.mark_loss, case.at)?;
    let inherited = match case.wish.purpose {
        Purpose::Hedge => I256::ZERO,
        _ => decayed(wall, case.inherited_loss, case.at)?,
    };
    Ok(booked.saturating_add(inherited).saturating_add(ratio_wad(case.live_loss())))
}

/// The same sum, decayed to this second.
pub fn rolled(wall: &BasisWall, sum: MarkLoss, at: Nanos) -> MarkLoss {
    MarkLoss { ema: decayed(wall, sum, at).unwrap_or(sum.ema), last_s: at.secs().max(sum.last_s) }
}

fn decayed(wall: &BasisWall, sum: MarkLoss, at: Nanos) -> Result<I256, Revert> {
    if sum.ema.is_zero() {
        return Ok(I256::ZERO);
    }
    sum.decayed(wall.contract.decay_per_s, at.secs().max(sum.last_s))
}

/// The sum after a fill that lost this share of value, fee included; a gain leaves it as it is.
pub fn booked(wall: &BasisWall, sum: MarkLoss, lost: Ratio, at: Nanos) -> MarkLoss {
    let lost = ratio_wad(lost.max(Ratio::ZERO));
    // A sum that cannot be computed is never smaller than it was.
    let before = decayed(wall, sum, at).unwrap_or(sum.ema);
    MarkLoss { ema: before.saturating_add(lost), last_s: at.secs().max(sum.last_s) }
}

/// The most an earlier run can have on its sum when its last order was signed at that moment: the whole budget.
pub fn inherited(wall: &BasisWall, last_order_at: Nanos) -> MarkLoss {
    MarkLoss { ema: wall.contract.loss_target, last_s: last_order_at.secs() }
}
