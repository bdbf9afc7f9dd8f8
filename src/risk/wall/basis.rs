//! A Delta-1 order before the leveraged-basis contract, as the venue's marks show the vault.
//!
//! The loss average is charged when an order is granted and for its whole amount: what may still fill counts as lost,
//! what filled counts as it did, with its fee. The contract of v2 never gives an unfilled order's charge back; where
//! every quote is signed anew many times a minute and dies provably unfilled, that would end trading by itself, so on
//! v3 a dead order's charge ends with it. What a fill has gained makes up for losses before it, but is no credit for later
//! ones, and a quote that would gain is none before it fills: both stricter than the contract.
//!
//! Where the contract judges inside each settlement (v2, atomic), it judges the whole amount at every partial fill, with
//! what filled before already held, and charges the whole loss each time (strategy specification §2.6). So the wish must
//! also pass when nothing but its last step, and nothing of any other order on its side, is left to fill; so must every
//! larger order beside it; and losses count once more than orders can lose.

use super::{BASE, BasisWall, DERIVATIVE, Moment, amount_wad, cash_wad, price_wad, ratio_wad, unsigned};
use crate::account::holdings::{Holdings, Marks};
use crate::account::order::LiveOrder;
use crate::base::ids::Side;
use crate::base::num::{Amount, E9, Price, Ratio};
use crate::base::time::{Nanos, SEC};
use crate::msg::{LossSum, Purpose, Wish};
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
    let fee = instrument.max_fee(value.mark, value.index);
    let now = case.at.shifted(offset);
    let asked = Asked {
        wall,
        case,
        now,
        expires: U256::from(now.plus(case.limits.order_life_ns).secs()),
        lost: charged(case)?,
    };
    // Later a signature has less of its life left, so its longest is measured now.
    if !wall.contract.life.contains(now.secs(), asked.expires)? {
        return Err(Revert::LbtInvalidActionExpiry);
    }
    let action = action(case, &case.wish, fee);
    asked.ends(case.ledger.holdings(), &action)?;
    if !wall.judged_per_fill {
        return Ok(());
    }
    asked.ends(&case.before_last(&case.wish, instrument.step, fee), &action)?;
    let larger = |order: &&LiveOrder| order.wish.amount > case.wish.amount || order.wish.instrument != instrument.id;
    case.others_on_side().filter(larger).try_for_each(|order| {
        let step = if order.wish.instrument == instrument.id { instrument.step } else { Amount::ZERO };
        // Its own fee was judged when it was granted.
        let action = self::action(case, &order.wish, Price::ZERO);
        asked.ends(&case.before_last(&order.wish, step, fee), &action)
    })
}

/// The order as the contract sees it.
fn action(case: &Case<'_>, wish: &Wish, fee: Price) -> Action<'static> {
    Action::Trade(Trade {
        asset: if wish.instrument == case.ledger.book().base { BASE } else { DERIVATIVE },
        sub_id: U256::ZERO,
        limit_price: price_wad(wish.price),
        amount: amount_wad(wish.amount),
        worst_fee: unsigned(price_wad(fee)),
        is_bid: wish.side == Side::Buy,
    })
}

/// What the contract is asked about, but for the order and what is held by then.
struct Asked<'c> {
    wall: &'c BasisWall,
    case: &'c Case<'c>,
    now: Nanos,
    expires: U256,
    lost: I256,
}

impl Asked<'_> {
    fn ends(&self, holdings: &Holdings, action: &Action<'_>) -> Result<(), Revert> {
        self.wall.drift.ends(|moment| self.at(moment, holdings, action))
    }

    fn at(&self, moment: Moment, holdings: &Holdings, action: &Action<'_>) -> Result<(), Revert> {
        let Asked { wall, case, now, expires, lost } = *self;
        let marks = Marks { base: moment.price(case.base.mark), perp: moment.price(case.perp.mark) };
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
}

/// Losses booked, decayed to now, and losses that orders still resting may yet make, as a share of value. What an
/// earlier run may have lost counts at its worst, but not against a hedge: exposure must not wait for a sum to decay of
/// which nobody knows that it was lost. A contract that charges at each fill charges every order at least twice, unless
/// it fills at once.
fn charged(case: &Case<'_>) -> Result<I256, Revert> {
    let wall = &case.limits.wall;
    let booked = decayed(wall, case.mark_loss, case.at)?;
    let inherited = match case.wish.purpose {
        Purpose::Hedge => I256::ZERO,
        _ => decayed(wall, case.inherited_loss, case.at)?,
    };
    let live = if wall.judged_per_fill { case.repeated_loss() } else { case.live_loss() };
    Ok(booked.saturating_add(inherited).saturating_add(ratio_wad(live)))
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

/// The sum after a fill that lost this share of value, fee included. A gain, which is a negative loss, makes up for what was
/// lost and for no more.
pub fn booked(wall: &BasisWall, sum: MarkLoss, lost: Ratio, at: Nanos) -> MarkLoss {
    // A sum that cannot be computed is never smaller than it was.
    let before = decayed(wall, sum, at).unwrap_or(sum.ema);
    MarkLoss { ema: before.saturating_add(ratio_wad(lost)).max(I256::ZERO), last_s: at.secs().max(sum.last_s) }
}

/// A sum as a share of value, and when it stood so.
pub fn lost(sum: MarkLoss) -> (Ratio, Nanos) {
    let share = sum.ema.saturating_add(I256::unchecked_from(E9 - 1)) / I256::unchecked_from(E9);
    (Ratio::from_raw(i64::try_from(share).unwrap_or(i64::MAX)), Nanos(sum.last_s.saturating_mul(SEC)))
}

/// All that quotes can put on the sum.
pub fn budget(wall: &BasisWall) -> Ratio {
    Ratio::from_raw(i64::try_from(wall.contract.loss_target / I256::unchecked_from(E9)).unwrap_or(i64::MAX))
}

/// A run's sum and its inheritance, decayed to now, as the journal keeps them while live orders may lose that share more.
pub fn noted([booked, inherited]: [MarkLoss; 2], live: Ratio, at: Nanos) -> LossSum {
    let e18 = |wad: I256| u64::try_from(wad.max(I256::ZERO)).unwrap_or(u64::MAX);
    LossSum { at, booked_e18: e18(booked.ema), pending_e18: e18(inherited.ema.saturating_add(ratio_wad(live))) }
}

/// What an earlier run, whose last order was signed at that moment, has booked on its sum, and what that order and others
/// may have put on it since: all of the budget if its journal does not say. From then on the sum only decayed.
pub fn left_behind(wall: &BasisWall, told: Option<LossSum>, last_order_at: Nanos) -> [MarkLoss; 2] {
    let target = wall.contract.loss_target;
    let Some(LossSum { at, booked_e18, pending_e18 }) = told else {
        return [MarkLoss::NONE, MarkLoss { ema: target, last_s: last_order_at.secs() }];
    };
    let [booked, pending] = [booked_e18, pending_e18].map(|e18| I256::unchecked_from(e18));
    [
        MarkLoss { ema: booked, last_s: at.secs() },
        MarkLoss { ema: pending.min(target), last_s: at.max(last_order_at).secs() },
    ]
}

#[cfg(test)]
#[path = "basis_tests.rs"]
mod tests;
