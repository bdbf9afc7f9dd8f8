//! A movement of capital before the vault's contract, with the balances the chain itself showed.
//!
//! The basis contract measures a withdrawal in the token's own decimals against numbers of 18, which for a token of 8
//! decimals is no measure at all: here it must also pass in 18.

use super::basis::Spot;
use super::{BASE, BasisWall, Moment, OptionContract, OptionWall, amount_wad, cash_wad, price_wad, unsigned};
use crate::account::holdings::Marks;
use crate::base::time::Nanos;
use crate::msg::{Flow, HELD};
use crate::risk::capital::CapitalCase;
use crate::risk::limits::Mandate;
use crate::risk::mandate::action::{Action, Assets, Transfer, VaultState};
use crate::risk::mandate::basis::{Basis, BasisState};
use crate::risk::mandate::ema::MarkLoss;
use crate::risk::mandate::revert::Revert;
use alloy_primitives::{I256, U256};
use std::borrow::Cow;

/// The contract's verdict on the wish, now and with the margins of the wall.
pub fn verdict(case: &CapitalCase<'_>) -> Result<(), Revert> {
    let Some(offset) = case.venue_offset_ns else { return Ok(()) }; // `unexpired` refuses it
    let now = case.at.shifted(offset);
    let expires = U256::from(now.plus(case.life_ns()).secs());
    match case.mandate {
        Mandate::Basis(limits) => limits.wall.drift.over(|moment| basis(&limits.wall, case, (now, moment), expires)),
        Mandate::Options(limits) => limits.wall.drift.over(|moment| option(&limits.wall, case, (now, moment), expires)),
    }
}

fn action(case: &CapitalCase<'_>, amount: U256) -> Action<'static> {
    let transfer = Transfer { asset: BASE, amount };
    match case.wish.flow {
        Flow::Deposit => Action::Deposit(transfer),
        Flow::Withdrawal => Action::Withdraw(transfer),
    }
}

/// Base as settled; cash as the worse of what the chain stored and what the venue counts.
fn state<'o>(case: &CapitalCase<'_>, now_s: u64, options: &'o [I256]) -> VaultState<'o> {
    let sight = &case.wish.sight;
    VaultState {
        now_s,
        blocked: sight.blocked,
        base: amount_wad(sight.base),
        cash: cash_wad(sight.cash.min(case.ledger.holdings().cash)),
        options: Cow::Borrowed(options),
        token_balance: U256::from(sight.tokens),
        pending_deposits: U256::from(sight.pending),
    }
}

fn option(
    wall: &OptionWall,
    case: &CapitalCase<'_>,
    (now, moment): (Nanos, Moment),
    expires: U256,
) -> Result<(), Revert> {
    let mut held = [I256::ZERO; HELD];
    for (place, position) in held.iter_mut().zip(case.ledger.options().iter()) {
        *place = amount_wad(position.amount);
    }
    let state = state(case, now.secs() + moment.after_s, &held);
    let action = action(case, U256::from(case.wish.amount));
    let spot = Spot(moment.price(case.base.mark));
    let token_decimals = case.limits.token_decimals;
    match wall.contract {
        OptionContract::Calls(mut contract) => {
            contract.assets.token_decimals = token_decimals;
            contract.check(&action, expires, &state, &spot)
        }
        OptionContract::Spreads(mut contract) => {
            contract.assets.token_decimals = token_decimals;
            contract.check(&action, expires, &state, &spot)
        }
    }
}

fn basis(
    wall: &BasisWall,
    case: &CapitalCase<'_>,
    (now, moment): (Nanos, Moment),
    expires: U256,
) -> Result<(), Revert> {
    let own = case.marks();
    let marks = Marks { base: moment.price(own.base), perp: moment.price(own.perp) };
    let holdings = case.ledger.holdings();
    let now_s = now.secs() + moment.after_s;
    let state = BasisState {
        vault: state(case, now_s, &[]),
        perp: amount_wad(holdings.perp),
        perp_price: Ok(unsigned(price_wad(marks.perp))),
        mark_to_market: Ok(cash_wad(holdings.value(marks))),
        // Capital loses nothing against the mark.
        mark_loss: MarkLoss { last_s: now_s, ..MarkLoss::NONE },
    };
    let assets = Assets { token_decimals: case.limits.token_decimals, ..wall.contract.assets };
    let contract = Basis { assets, ..wall.contract };
    let asked = |amount| contract.check(&action(case, amount), expires, &state, &Spot(marks.base)).map(|_| ());
    asked(U256::from(case.wish.amount))?;
    match case.wish.flow {
        Flow::Deposit => Ok(()),
        Flow::Withdrawal => asked(case.limits.in_wad(case.wish.amount).ok_or(Revert::ArithmeticOverflow)?),
    }
}
