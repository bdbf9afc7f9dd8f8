//! What the vault's contract would say to everything that risk granted, by the mandate's twin of unbounded integers: from
//! what risk had last said of the account and the marks it had last taken, without its walls and margins.
//!
//! What a basis vault has lost before is not told here: the sum begins anew with each order, which forgives more.

use crate::base::ids::{InstrumentId, Nonce, Right, Side};
use crate::base::num::{Amount, E9, Price, Ratio};
use crate::base::time::Nanos;
use crate::market::instrument::OptionTerms;
use crate::msg::{Account, PricedLeg, Value};
use crate::risk::limits::Mandate;
use crate::risk::mandate::action::{Action, Assets, Leg, Rfq, Role, Trade, VaultState};
use crate::risk::mandate::basis::BasisState;
use crate::risk::mandate::ema::MarkLoss;
use crate::risk::mandate::feeds::{FeedState, ForwardDatum, SpotDatum, VolDatum};
use crate::risk::mandate::svi::VolCurve;
use crate::risk::order::{Execution, Granted, Order};
use crate::risk::wall::OptionContract;
use crate::sim::mandate_twin::{number::Said, vaults};
use crate::sim::rig::Rig;
use alloy_primitives::{B256, I256, U256};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Oldest age of a feed: everything is as of now.
const HEARTBEAT_S: u64 = 60;
/// One year in 18 decimals: a curve fitted there has its volatility's square for variance.
const YEAR: u64 = 1_000_000_000_000_000_000;

/// The twin.
#[derive(Clone, Debug, Default)]
pub struct Mandates {
    account: Option<Account>,
    values: BTreeMap<InstrumentId, Value>,
}

/// Nine decimals as eighteen.
fn wide(raw: i64) -> I256 {
    I256::try_from(i128::from(raw) * i128::from(E9)).unwrap_or(I256::MAX)
}

fn word(raw: i128) -> I256 {
    I256::try_from(raw).unwrap_or(I256::MAX)
}

/// A number that is never negative.
fn plain(number: I256) -> U256 {
    U256::try_from(number).unwrap_or(U256::ZERO)
}

fn price(price: Price) -> U256 {
    plain(wide(price.raw()))
}

/// `expiry | strike · 1e8 << 32 | call << 95`.
fn sub_id(terms: &OptionTerms) -> U256 {
    let strike = U256::from(terms.strike.raw().unsigned_abs() / 10) << 32;
    let call = U256::from(u8::from(terms.right == Right::Call)) << 95;
    U256::from(terms.expiry_s) | strike | call
}

impl Mandates {
    /// Risk has said what is true of the account.
    pub fn account(&mut self, account: &Account) {
        self.account = Some(*account);
    }

    /// Risk has taken a value.
    pub fn valued(&mut self, value: &Value) {
        self.values.insert(value.instrument, *value);
    }

    /// Risk has granted something: the contract's verdict, if it is something a contract is asked about.
    pub fn granted(&self, rig: &Rig, at: Nanos, granted: &Granted) -> Option<Said<()>> {
        let now_s = at.shifted(-rig.venue.skew_ns()).secs();
        match granted {
            Granted::Order(order) => self.order(rig, now_s, order),
            Granted::Execution(execution) => self.execution(rig, now_s, execution),
            Granted::Movement(_) | Granted::Note { .. } => None,
        }
    }

    fn order(&self, rig: &Rig, now_s: u64, order: &Order) -> Option<Said<()>> {
        let terms = rig.instrument(order.instrument()).and_then(|known| known.option);
        let is_base = order.instrument() == rig.base().id;
        let trade = |assets: &Assets| {
            Action::Trade(Trade {
                asset: if is_base { assets.base } else { assets.derivative },
                sub_id: terms.as_ref().map_or(U256::ZERO, sub_id),
                limit_price: wide(order.price().raw()),
                amount: wide(order.amount().raw()),
                worst_fee: price(order.max_fee()),
                is_bid: order.side() == Side::Buy,
            })
        };
        let expires = U256::from(order.expires_s());
        let replaced = order.replaced().map(|old| old.nonce);
        match rig.mandate() {
            Mandate::Basis(limits) => {
                let contract = limits.wall.contract;
                let (state, feeds) = (self.basis(rig, now_s)?, self.feeds(rig, now_s, None)?);
                Some(vaults::basis(&contract, &trade(&contract.assets), expires, &state, &feeds).map(|_| ()))
            }
            Mandate::Options(limits) => {
                let option = terms.map(|terms| (order.instrument(), terms));
                self.ask(rig, (now_s, expires), (&limits.wall.contract, trade), option, replaced)
            }
        }
    }

    fn execution(&self, rig: &Rig, now_s: u64, execution: &Execution) -> Option<Said<()>> {
        let Mandate::Options(limits) = rig.mandate() else { return None };
        let legs = execution.deal().legs.map(|PricedLeg { leg, price: each }| {
            let terms = rig.instrument(leg.instrument).and_then(|known| known.option);
            (leg, price(each), terms)
        });
        let package = |assets: &Assets| {
            // As the maker signs it: what the vault buys, the maker gives.
            let given = legs.map(|(leg, each, terms)| Leg {
                asset: assets.derivative,
                sub_id: terms.as_ref().map_or(U256::ZERO, sub_id),
                price: each,
                amount: if leg.side == Side::Buy { -wide(leg.amount.raw()) } else { wide(leg.amount.raw()) },
            });
            let role = Role::Taker { order_hash: B256::ZERO, legs_hash: B256::ZERO };
            let max_fee = plain(word(execution.max_fee().raw()));
            Action::Rfq(Rfq { role, max_fee, legs: Cow::Owned(given.to_vec()) })
        };
        let first = legs[0].2.map(|terms| (legs[0].0.instrument, terms));
        let expires = U256::from(execution.expires_s());
        self.ask(rig, (now_s, expires), (&limits.wall.contract, package), first, None)
    }

    /// Asks an option vault's contract; its feeds speak of one option.
    fn ask<'a>(
        &self,
        rig: &Rig,
        (now_s, expires): (u64, U256),
        (contract, action): (&OptionContract, impl Fn(&Assets) -> Action<'a>),
        option: Option<(InstrumentId, OptionTerms)>,
        replaced: Option<Nonce>,
    ) -> Option<Said<()>> {
        let feeds = self.feeds(rig, now_s, option)?;
        let options = self.options(rig, replaced)?;
        let sold = self.resting(replaced, |instrument| instrument == rig.base().id);
        let state = self.state(now_s, sold, &options)?;
        Some(match contract {
            OptionContract::Calls(vault) => {
                vaults::covered_call(vault, &action(&vault.assets), expires, &state, &feeds)
            }
            OptionContract::Spreads(vault) => vaults::spread(vault, &action(&vault.assets), expires, &state, &feeds),
        })
    }

    /// What rests to be sold of some instruments, the replaced order aside.
    fn resting(&self, replaced: Option<Nonce>, which: impl Fn(InstrumentId) -> bool) -> Amount {
        let working = self.account.iter().flat_map(|account| account.working).flatten();
        let sells = working.filter(|one| one.wish.side == Side::Sell && Some(one.nonce) != replaced);
        sells
            .filter(|one| which(one.wish.instrument))
            .map(|one| one.remaining())
            .fold(Amount::ZERO, |sum, one| sum + one)
    }

    /// Options held, and those that resting orders may still sell.
    fn options(&self, rig: &Rig, replaced: Option<Nonce>) -> Option<Vec<I256>> {
        let is_option = |id| rig.instrument(id).is_some_and(|known| known.option.is_some());
        let held = self.account?.held.into_iter().flatten().map(|held| wide(held.amount.raw()));
        let resting = -wide(self.resting(replaced, is_option).raw());
        Some(held.chain([resting]).collect())
    }

    fn state<'a>(&self, now_s: u64, sold: Amount, options: &'a [I256]) -> Option<VaultState<'a>> {
        let account = self.account?;
        Some(VaultState {
            now_s,
            blocked: false,
            base: wide((account.base - sold).raw()),
            cash: word(account.cash.raw()),
            options: Cow::Borrowed(options),
            token_balance: U256::ZERO,
            pending_deposits: U256::ZERO,
        })
    }

    fn basis(&self, rig: &Rig, now_s: u64) -> Option<BasisState<'static>> {
        let account = self.account?;
        let mark = |id| self.values.get(&id).map(|value| value.mark);
        let perp = mark(rig.perp()?)?;
        let worth = |amount: Amount, mark: Price| i128::from(amount.raw()) * i128::from(mark.raw());
        let value = worth(account.base, mark(rig.base().id)?) + worth(account.perp, perp) + account.cash.raw()
            - account.perp_cost.raw();
        Some(BasisState {
            vault: self.state(now_s, Amount::ZERO, &[])?,
            perp: wide(account.perp.raw()),
            perp_price: Ok(price(perp)),
            mark_to_market: Ok(word(value)),
            mark_loss: MarkLoss { last_s: now_s, ..MarkLoss::NONE },
        })
    }

    /// Feeds that say now what the marks that risk has taken say.
    fn feeds(&self, rig: &Rig, now_s: u64, option: Option<(InstrumentId, OptionTerms)>) -> Option<FeedState> {
        let spot = |price| SpotDatum { price, at_s: now_s, heartbeat_s: HEARTBEAT_S };
        let base = self.values.get(&rig.base().id)?;
        let mut feeds = FeedState {
            now_s,
            base_spot: spot(price(base.mark)),
            option_spot: spot(U256::ZERO),
            vols: Vec::new(),
            vol_heartbeat_s: HEARTBEAT_S,
            forwards: Vec::new(),
            forward_heartbeat_s: HEARTBEAT_S,
            settlement_heartbeat_s: HEARTBEAT_S,
        };
        let Some((id, OptionTerms { expiry_s, .. })) = option else { return Some(feeds) };
        let told = self.values.get(&id)?.option?;
        feeds.option_spot = spot(price(told.forward));
        feeds.vols.push(VolDatum { expiry_s, at_s: now_s, curve: flat(told.mark_iv, told.forward) });
        let none = U256::ZERO;
        let (spot_difference, settlement_start, settlement_now) = (I256::ZERO, none, none);
        feeds.forwards.push(ForwardDatum { expiry_s, at_s: now_s, spot_difference, settlement_start, settlement_now });
        Some(feeds)
    }
}

/// A curve of one volatility at every strike.
fn flat(vol: Ratio, forward: Price) -> VolCurve {
    VolCurve {
        a: word(i128::from(vol.raw()) * i128::from(vol.raw())),
        b: U256::ZERO,
        rho: I256::ZERO,
        m: I256::ZERO,
        sigma: U256::ZERO,
        forward: price(forward),
        ref_tau: YEAR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::mandate_twin::number::{n, of};
    use crate::sim::mandate_twin::options::{curve, terms};

    #[test]
    fn a_flat_curve_and_an_id_say_what_they_were_made_of() {
        let vol: Ratio = "0.654321987".parse().expect("literal");
        let told = flat(vol, Price::whole(3_000));
        for strike in [1_500, 3_000, 9_000] {
            let said = curve(&told, &of(price(Price::whole(strike)))).expect("a volatility");
            assert_eq!(said, n(654_321_987_000_000_000), "{strike}");
        }
        let option = OptionTerms { expiry_s: 1_798_185_600, strike: Price::whole(3_500), right: Right::Call };
        let read = terms(sub_id(&option)).expect("an id");
        assert_eq!((read.expiry, read.strike, read.is_call), (n(1_798_185_600), of(price(option.strike)), true));
        let put = terms(sub_id(&OptionTerms { right: Right::Put, ..option })).expect("an id");
        assert!(!put.is_call);
    }
}
