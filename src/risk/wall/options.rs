//! An option vault's order or execution before its contract, as the venue's tickers show the vault.
//!
//! What these contracts forget has rows of its own in [`option_checks`](crate::risk::option_checks): spreads covered by
//! collateral and by each other, the sign of a premium, the purse of a buyer, one signature at a time, delta from
//! below, a floor under volatility, conversions that stop at zero cash.

use super::{
    BASE, DERIVATIVE, Moment, OptionContract, OptionWall, amount_wad, cash_wad, price_wad, ratio_wad, unsigned,
};
use crate::base::ids::{Right, Side};
use crate::base::num::{Amount, Price};
use crate::base::time::Nanos;
use crate::market::instrument::OptionTerms;
use crate::msg::{Deal, HELD, LEGS, Leg as OurLeg, PricedLeg, Purpose, Wish};
use crate::risk::mandate::action::{Action, Leg, Rfq, Role, Trade, VaultState};
use crate::risk::mandate::feeds::Feeds;
use crate::risk::mandate::revert::Revert;
use crate::risk::option_case::{Facet, OptionCase, Wanted};
use alloy_primitives::{B256, I256, U256};
use std::borrow::Cow;

/// The venue's tickers of the wish's legs and of the collateral, in the place of the contract's feeds.
struct Tickers<'c, 'a> {
    case: &'c OptionCase<'a>,
    moment: Moment,
}

impl Tickers<'_, '_> {
    fn leg(&self, fits: impl Fn(&OptionTerms) -> bool) -> Option<&Facet<'_>> {
        self.case.legs.iter().flatten().find(|facet| facet.instrument.option.is_some_and(|terms| fits(&terms)))
    }
}

impl Feeds for Tickers<'_, '_> {
    fn spot(&self) -> Result<U256, Revert> {
        Ok(unsigned(price_wad(self.moment.price(self.case.base.mark))))
    }

    fn vol(&self, strike: u128, expiry_s: u64) -> Result<U256, Revert> {
        let fits = |terms: &OptionTerms| terms.expiry_s == expiry_s && strike_wad(terms) == U256::from(strike);
        let option = self.leg(fits).and_then(|facet| facet.value.option);
        option.map(|option| unsigned(ratio_wad(option.mark_iv))).ok_or(Revert::LvfMissingExpiryData)
    }

    fn forward(&self, expiry_s: u64) -> Result<U256, Revert> {
        let option = self.leg(|terms| terms.expiry_s == expiry_s).and_then(|facet| facet.value.option);
        let price = |forward: Price| unsigned(price_wad(self.moment.price(forward)));
        option.map(|option| price(option.forward)).ok_or(Revert::LffMissingExpiryData)
    }
}

fn strike_wad(terms: &OptionTerms) -> U256 {
    unsigned(price_wad(terms.strike))
}

/// The id of an option as the contracts write it: `expiry | strike · 1e8 << 32 | call << 95`.
fn sub_id(terms: &OptionTerms) -> U256 {
    let strike = u128::from(terms.strike.raw().unsigned_abs() / 10);
    let expiry = u128::from(terms.expiry_s & u64::from(u32::MAX));
    U256::from(expiry | strike << 32 | u128::from(terms.right == Right::Call) << 95)
}

/// The contract's verdict on what is wanted, now and with the margins of the wall. A question to makers is not signed.
pub fn verdict(case: &OptionCase<'_>) -> Result<(), Revert> {
    match case.wanted {
        Wanted::Ask(_) => Ok(()),
        Wanted::Order(wish) => ordered(case, &wish),
        Wanted::Deal(deal) => executed(case, &deal),
    }
}

fn ordered(case: &OptionCase<'_>, wish: &Wish) -> Result<(), Revert> {
    let Some(facet) = case.legs[0] else { return Ok(()) }; // `known` refuses it
    let is_option = wish.purpose == Purpose::Write;
    let trade = Trade {
        asset: if is_option { DERIVATIVE } else { BASE },
        sub_id: facet.instrument.option.filter(|_| is_option).map_or(U256::ZERO, |terms| sub_id(&terms)),
        limit_price: price_wad(wish.price),
        amount: amount_wad(wish.amount),
        worst_fee: unsigned(price_wad(facet.instrument.max_fee(facet.value.mark, facet.value.index))),
        is_bid: wish.side == Side::Buy,
    };
    asked(case, &Action::Trade(trade))
}

fn executed(case: &OptionCase<'_>, deal: &Deal) -> Result<(), Revert> {
    let mut legs = [Leg { asset: DERIVATIVE, sub_id: U256::ZERO, price: U256::ZERO, amount: I256::ZERO }; LEGS];
    for ((leg, priced), facet) in legs.iter_mut().zip(&deal.legs).zip(case.legs) {
        let Some(terms) = facet.and_then(|facet| facet.instrument.option) else { return Ok(()) }; // `known` refuses it
        *leg = as_maker(priced, &terms);
    }
    let role = Role::Taker { order_hash: B256::ZERO, legs_hash: B256::ZERO };
    let max_fee = unsigned(cash_wad(case.max_fee().unwrap_or_default()));
    asked(case, &Action::Rfq(Rfq { role, max_fee, legs: Cow::Borrowed(&legs) }))
}

/// A leg the vault buys is one the maker gives.
fn as_maker(PricedLeg { leg: OurLeg { side, amount, .. }, price }: &PricedLeg, terms: &OptionTerms) -> Leg {
    let amount = amount_wad(*amount);
    Leg {
        asset: DERIVATIVE,
        sub_id: sub_id(terms),
        price: unsigned(price_wad(*price)),
        amount: if *side == Side::Buy { -amount } else { amount },
    }
}

fn asked(case: &OptionCase<'_>, action: &Action<'_>) -> Result<(), Revert> {
    let now = case.venue_at();
    let mut held = [I256::ZERO; HELD + 1];
    for (place, held) in held.iter_mut().zip(case.ledger.options().iter()) {
        *place = amount_wad(held.amount);
    }
    // Orders that may still sell options count as if they had; a vault of spreads has none while it deals.
    let others = case.ledger.reserved_options(Side::Sell, case.replaced_nonce());
    held[HELD] = -amount_wad(others);
    let wall = &case.limits.wall;
    wall.drift.over(|moment| at(wall, case, (now, moment), (action, &held)))
}

fn at(
    wall: &OptionWall,
    case: &OptionCase<'_>,
    (now, moment): (Nanos, Moment),
    (action, held): (&Action<'_>, &[I256]),
) -> Result<(), Revert> {
    let holdings = case.ledger.holdings();
    let sold: Amount = case.ledger.reserved(case.ledger.book().base, Side::Sell, case.replaced_nonce());
    let state = VaultState {
        now_s: now.secs() + moment.after_s,
        blocked: false,
        base: amount_wad(holdings.base - sold),
        cash: cash_wad(holdings.cash),
        options: Cow::Borrowed(held),
        token_balance: U256::ZERO,
        pending_deposits: U256::ZERO,
    };
    let expires = U256::from(now.plus(case.limits.order_life_ns).secs());
    let feeds = Tickers { case, moment };
    match &wall.contract {
        OptionContract::Calls(contract) => contract.check(action, expires, &state, &feeds),
        OptionContract::Spreads(contract) => contract.check(action, expires, &state, &feeds),
    }
}
