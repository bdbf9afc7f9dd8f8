//! The vault contracts' checks as tables: a row is the name of a revert and the condition that must hold against it.

use super::number::{
    Said, as_signed, as_unsigned, cast_signed, cast_unsigned, div, exp, i, mul, n, of, over, sdiv, signed, size, smul,
    u,
};
use super::options::{Priced, Terms, black76, forward, spot, terms, vol};
use crate::risk::mandate::action::{Action, Assets, Leg, Rfq, Role, SignatureLife, Trade, Transfer, VaultState};
use crate::risk::mandate::basis::{Band, Basis, BasisState};
use crate::risk::mandate::collateral::CollateralLimits;
use crate::risk::mandate::covered_call::CoveredCall;
use crate::risk::mandate::feeds::FeedState;
use crate::risk::mandate::spread::Spread;
use alloy_primitives::{Address, U256};
use num_bigint::{BigInt, Sign};
use std::cell::OnceCell;

/// One check: the revert when the condition does not hold.
type Row<'a> = (&'static str, &'a dyn Fn() -> Said<bool>);

/// The first row that does not hold names the revert; a row that cannot be computed names its own.
fn walk(rows: &[Row<'_>]) -> Said<()> {
    for (name, holds) in rows {
        if !holds()? {
            return Err(name);
        }
    }
    Ok(())
}

/// A quantity computed where it is first asked for, as the contract reads it there.
struct Late<'a, T> {
    cell: OnceCell<Said<T>>,
    make: Box<dyn Fn() -> Said<T> + 'a>,
}

impl<'a, T> Late<'a, T> {
    fn new(make: impl Fn() -> Said<T> + 'a) -> Self {
        Late { cell: OnceCell::new(), make: Box::new(make) }
    }

    fn get(&self) -> Said<&T> {
        self.cell.get_or_init(|| (self.make)()).as_ref().map_err(|revert| *revert)
    }
}

fn lives(life: &SignatureLife, now_s: u64, expiry: U256) -> Said<bool> {
    let least = u(of(life.min_s) + now_s)?;
    if of(expiry) < least {
        return Ok(false);
    }
    Ok(of(expiry) <= u(of(life.max_s) + now_s)?)
}

fn is_base(assets: &Assets, asset: Address) -> bool {
    asset == assets.base
}

fn to_18(assets: &Assets, amount: U256) -> Said<BigInt> {
    let ten = |power: u32| u(n(10).pow(power));
    match assets.token_decimals {
        decimals @ 0..=18 => u(of(amount) * ten(u32::from(18 - decimals))?),
        decimals => over(of(amount), &ten(u32::from(decimals - 18))?),
    }
}

fn deposit(assets: &Assets, deposit: &Transfer, state: &VaultState) -> Said<()> {
    walk(&[
        ("CMTSA_InvalidAsset", &|| Ok(is_base(assets, deposit.asset))),
        ("CMTSA_DepositingTooMuch", &|| {
            Ok(of(deposit.amount) <= u(of(state.token_balance) - of(state.pending_deposits))?)
        }),
    ])
}

fn swap(limits: &CollateralLimits, trade: &Trade, state: &VaultState, feeds: &FeedState) -> Said<()> {
    let (cash, limit, amount) = (signed(state.cash), signed(trade.limit_price), signed(trade.amount));
    let spot = Late::new(|| spot(feeds));
    let lenient = |cash: &BigInt| smul(cash, &signed(limits.leniency));
    let fee = || Ok(of(trade.worst_fee) <= mul(spot.get()?, &of(limits.fee_factor))?);
    if trade.is_bid {
        return walk(&[
            ("CMTSA_MustHavePositiveCash", &|| Ok(cash > n(0))),
            ("CMTSA_FeeTooHigh", &fee),
            ("CMTSA_SpotLimitPriceTooHigh", &|| Ok(cast_unsigned(&limit)? <= mul(spot.get()?, &of(limits.worst_buy))?)),
            ("CMTSA_BuyingTooMuchCollateral", &|| Ok(smul(&limit, &amount)? <= lenient(&cash)?)),
        ]);
    }
    walk(&[
        ("CMTSA_MustHaveNegativeCash", &|| Ok(cash < n(0))),
        ("CMTSA_FeeTooHigh", &fee),
        ("CMTSA_SpotLimitPriceTooLow", &|| Ok(cast_unsigned(&limit)? >= mul(spot.get()?, &of(limits.worst_sell))?)),
        ("CMTSA_SellingTooMuchCollateral", &|| Ok(size(&smul(&limit, &amount)?)? <= size(&lenient(&cash)?)?)),
    ])
}

/// Sum of the options sold; any option bought is refused.
fn sold_only(state: &VaultState) -> Said<BigInt> {
    let mut sum = n(0);
    for held in state.options.iter().copied().map(signed) {
        if held > n(0) {
            return Err("CCT_InvalidOptionBalance");
        }
        sum = u(sum + size(&held)?)?;
    }
    Ok(sum)
}

/// Verdict of the covered-call vault's contract.
pub fn covered_call(
    vault: &CoveredCall,
    action: &Action,
    expiry: U256,
    state: &VaultState,
    feeds: &FeedState,
) -> Said<()> {
    walk(&[("CCT_InvalidActionExpiry", &|| lives(&vault.life, state.now_s, expiry))])?;
    let cash_holds = || Ok(state.cash >= vault.cash_min);
    match action {
        Action::Deposit(transfer) => deposit(&vault.assets, transfer, state),
        Action::Withdraw(transfer) => walk(&[
            ("CCT_InvalidAsset", &|| Ok(is_base(&vault.assets, transfer.asset))),
            ("CCT_WithdrawingUtilisedCollateral", &|| {
                let (sold, base) = (sold_only(state)?, size(&signed(state.base))?);
                Ok(base >= u(to_18(&vault.assets, transfer.amount)? + sold)?)
            }),
            ("CCT_WithdrawalNegativeCash", &cash_holds),
        ]),
        Action::Trade(trade) => {
            let (base, option) = (is_base(&vault.assets, trade.asset), trade.asset == vault.assets.derivative);
            walk(&[
                ("CCT_InvalidDesiredAmount", &|| Ok(signed(trade.amount) > n(0))),
                ("CCT_InvalidAsset", &|| Ok(base || option)),
            ])?;
            if base { swap(&vault.collateral, trade, state, feeds) } else { sale(vault, trade, state, feeds) }
        }
        Action::Rfq(_) | Action::Other => Err("CCT_InvalidModule"),
    }
}

fn sale(vault: &CoveredCall, trade: &Trade, state: &VaultState, feeds: &FeedState) -> Said<()> {
    let now = n(i128::from(state.now_s));
    let terms = Late::new(|| terms(trade.sub_id));
    let left = || Ok::<_, &str>(&terms.get()?.expiry - &now);
    let limit = Late::new(|| cast_unsigned(&signed(trade.limit_price)));
    let priced: Late<'_, Priced> = Late::new(|| {
        let terms = terms.get()?;
        let (vol, forward) = (vol(feeds, terms)?, forward(feeds, terms)?);
        black76(&left()?, &mul(&vol, &of(vault.vol_factor))?, &forward, &terms.strike)
    });
    walk(&[
        ("CCT_CanOnlyOpenShortOptions", &|| Ok(!trade.is_bid)),
        ("CCT_SellingTooManyCalls", &|| {
            let (sold, base) = (sold_only(state)?, size(&signed(state.base))?);
            Ok(u(signed(trade.amount) + sold)? <= base)
        }),
        ("CCT_CannotSellOptionsWithNegativeCash", &|| Ok(signed(state.cash) >= signed(vault.cash_min))),
        ("CMTSA_FeeTooHigh", &|| Ok(of(trade.worst_fee) <= mul(&spot(feeds)?, &of(vault.collateral.fee_factor))?)),
        // The id and the price are narrowed before the option is looked at.
        ("CCT_OnlyShortCallsAllowed", &|| {
            let is_call = terms.get()?.is_call;
            limit.get()?;
            Ok(is_call)
        }),
        ("CCT_OptionExpired", &|| Ok(left()? > n(0))),
        ("CCT_OptionExpiryOutOfBounds", &|| {
            Ok(left()? >= of(vault.expires_in_min_s) && left()? <= of(vault.expires_in_max_s))
        }),
        ("CCT_OptionDeltaTooHigh", &|| Ok(priced.get()?.delta <= of(vault.delta_max))),
        ("CCT_OptionPriceTooLow", &|| Ok(*limit.get()? > priced.get()?.call)),
    ])
}

/// Spreads open and base held.
fn pairs(state: &VaultState) -> Said<(BigInt, BigInt)> {
    let side = |want: Sign| {
        state
            .options
            .iter()
            .copied()
            .map(signed)
            .filter(|held| held.sign() == want)
            .try_fold(n(0), |sum, held| u(sum + size(&held)?))
    };
    // The contract adds in the order held; a sum beyond the word panics whichever side it is on.
    let (bought, sold) = (side(Sign::Plus)?, side(Sign::Minus)?);
    let base = signed(state.base);
    walk(&[("PPT_InvalidSpreadBalance", &|| Ok(bought == sold)), ("PPT_NegativeBaseBalance", &|| Ok(base >= n(0)))])?;
    Ok((bought, base))
}

/// Verdict of a spread vault's contract.
pub fn spread(vault: &Spread, action: &Action, expiry: U256, state: &VaultState, feeds: &FeedState) -> Said<()> {
    walk(&[
        ("BTSA_Blocked", &|| Ok(!state.blocked)),
        ("PPT_InvalidActionExpiry", &|| lives(&vault.life, state.now_s, expiry)),
    ])?;
    match action {
        Action::Deposit(transfer) => deposit(&vault.assets, transfer, state),
        Action::Withdraw(transfer) => {
            let pairs = Late::new(|| pairs(state));
            let amount = Late::new(|| to_18(&vault.assets, transfer.amount));
            walk(&[
                ("PPT_InvalidAsset", &|| Ok(is_base(&vault.assets, transfer.asset))),
                ("PPT_WithdrawingWithOpenTrades", &|| Ok(pairs.get()?.0 == n(0))),
                ("PPT_InvalidBaseBalance", &|| Ok(*amount.get()? <= pairs.get()?.1)),
                ("PPT_WithdrawingUtilisedCollateral", &|| {
                    let cash = signed(state.cash);
                    if cash >= n(0) {
                        return Ok(true);
                    }
                    let left = mul(&(&pairs.get()?.1 - amount.get()?), &spot(feeds)?)?;
                    Ok(size(&cash)? <= mul(&left, &of(vault.debt_tolerance))?)
                }),
            ])
        }
        Action::Trade(trade) => {
            walk(&[
                ("PPT_InvalidDesiredAmount", &|| Ok(signed(trade.amount) > n(0))),
                ("PPT_InvalidAsset", &|| Ok(is_base(&vault.assets, trade.asset))),
            ])?;
            swap(&vault.collateral, trade, state, feeds)
        }
        Action::Rfq(rfq) => package(vault, rfq, state, feeds),
        Action::Other => Err("PPT_InvalidModule"),
    }
}

/// A leg with everything a check needs of it.
struct Side {
    terms: Terms,
    mark: BigInt,
    price: BigInt,
    amount: BigInt,
}

fn package(vault: &Spread, rfq: &Rfq, state: &VaultState, feeds: &FeedState) -> Said<()> {
    let takes = !matches!(rfq.role, Role::Maker);
    walk(&[
        ("PPT_TradeDataDoesNotMatchOrderHash", &|| {
            Ok(!matches!(rfq.role, Role::Taker { order_hash, legs_hash } if order_hash != legs_hash))
        }),
        ("PPT_InvalidTradeLength", &|| Ok(rfq.legs.len() == 2)),
    ])?;
    let now = n(i128::from(state.now_s));
    let (first, second) = (&rfq.legs[0], &rfq.legs[1]);
    let listed = |leg: &Leg| -> Said<Terms> {
        let terms = terms(leg.sub_id)?;
        let earliest = u(&now + of(vault.expires_in_min_s))?;
        if terms.expiry < earliest
            || terms.expiry > u(&now + of(vault.expires_in_max_s))?
            || terms.is_call != vault.is_call
        {
            return Err("PPT_InvalidOptionDetails");
        }
        Ok(terms)
    };
    let one = listed(first)?;
    // One volatility and one forward for both legs: the first one's.
    let (vol, forward) = (vol(feeds, &one)?, forward(feeds, &one)?);
    let side = |leg: &Leg, terms: Terms| -> Said<Side> {
        let left = &terms.expiry - &now;
        let priced = black76(&u(left)?, &vol, &forward, &terms.strike)?;
        let mark = cast_signed(if terms.is_call { &priced.call } else { &priced.put })?;
        Ok(Side { terms, mark, price: of(leg.price), amount: signed(leg.amount) })
    };
    let one = side(first, one)?;
    let other = side(second, listed(second)?)?;
    let option = vault.assets.derivative;
    walk(&[("PPT_InvalidMakerTradeDetails", &|| {
        Ok(first.asset == option && second.asset == option && one.terms.expiry == other.terms.expiry)
    })])?;
    let (low, high) = if one.terms.strike > other.terms.strike { (&other, &one) } else { (&one, &other) };
    let bought = (vault.is_call == vault.is_long) == takes;
    spread_rows(vault, (low, high, bought), rfq, state, feeds)
}

fn spread_rows(
    vault: &Spread,
    (low, high, bought): (&Side, &Side, bool),
    rfq: &Rfq,
    state: &VaultState,
    feeds: &FeedState,
) -> Said<()> {
    let wide = || u(&high.terms.strike - &low.terms.strike);
    let pairs = Late::new(|| pairs(state));
    let sum = |low_each: &BigInt, high_each: &BigInt| {
        size(&i(smul(low_each, &low.amount)? + smul(high_each, &high.amount)?)?)
    };
    let cost = Late::new(|| sum(&cast_signed(&low.price)?, &cast_signed(&high.price)?));
    let bound = || mul(&sum(&low.mark, &high.mark)?, &of(vault.cost_tolerance));
    walk(&[
        ("PPT_InvalidHighStrikeAmount", &|| Ok(if bought { high.amount > n(0) } else { high.amount < n(0) })),
        ("PPT_StrikePriceOutsideOfDiff", &|| Ok(wide()? == of(vault.strike_distance))),
        ("PPT_InvalidTradeAmount", &|| Ok(high.amount == i(-&low.amount)?)),
        ("PPT_CannotTradeWithTooMuchNegativeCash", &|| {
            pairs.get()?;
            Ok(state.cash >= vault.cash_min)
        }),
        ("PPT_TradeFeeTooHigh", &|| Ok(of(rfq.max_fee) <= mul(cost.get()?, &of(vault.fee_factor))?)),
        ("PPT_TotalCostOverTolerance", &|| {
            let bound = bound()?;
            Ok(!vault.is_long || *cost.get()? <= bound)
        }),
        ("PPT_TotalCostBelowTolerance", &|| Ok(vault.is_long || *cost.get()? >= bound()?)),
        ("PPT_MarkValueNotWithinBounds", &|| {
            let ratio = div(&size(&i(&low.mark - &high.mark)?)?, &wide()?)?;
            Ok(ratio >= of(vault.mark_ratio_min) && ratio <= of(vault.mark_ratio_max))
        }),
        ("PPT_TradeTooLarge", &|| {
            let open = mul(&pairs.get()?.0, &wide()?)?;
            let added = mul(&size(&high.amount)?, &wide()?)?;
            let worth = mul(&pairs.get()?.1, &spot(feeds)?)?;
            Ok(u(open + added)? <= mul(&worth, &of(vault.loss_or_gain_max))?)
        }),
    ])
}

/// Where the leveraged vault stands.
struct Standing {
    spot: BigInt,
    perp_price: BigInt,
    base: BigInt,
    perp: BigInt,
    worth: BigInt,
}

fn standing(state: &BasisState, feeds: &FeedState) -> Said<Standing> {
    let spot = spot(feeds)?;
    let perp_price = of(state.perp_price.map_err(|revert| revert.name())?);
    let (base, perp) = (signed(state.vault.base), signed(state.perp));
    walk(&[("LBT_NegativeBaseBalance", &|| Ok(base >= n(0))), ("LBT_PositivePerpPosition", &|| Ok(perp <= n(0)))])?;
    let worth = sdiv(&signed(state.mark_to_market.map_err(|revert| revert.name())?), &cast_signed(&spot)?)?;
    walk(&[("CMTSA_PositionInsolvent", &|| Ok(worth >= n(0)))])?;
    Ok(Standing { spot, perp_price, base, perp, worth })
}

/// `floor ≤ new ≤ ceil`, or outside before and nearer now, the far end not reached.
fn within(band: &Band, old: &BigInt, new: &BigInt) -> bool {
    let (floor, ceil) = (signed(band.floor), signed(band.ceil));
    let inside = *new >= floor && *new <= ceil;
    let nearer = (*old < floor && new > old && *new < ceil) || (*old > ceil && new < old && *new > floor);
    inside || nearer
}

/// Verdict of the leveraged vault's contract: what its loss average is afterwards.
pub fn basis(vault: &Basis, action: &Action, expiry: U256, state: &BasisState, feeds: &FeedState) -> Said<BigInt> {
    walk(&[
        ("BTSA_Blocked", &|| Ok(!state.vault.blocked)),
        ("LBT_InvalidActionExpiry", &|| lives(&vault.life, state.vault.now_s, expiry)),
    ])?;
    let kept = signed(state.mark_loss.ema);
    match action {
        Action::Deposit(transfer) => deposit(&vault.assets, transfer, &state.vault).map(|()| kept),
        Action::Withdraw(transfer) => {
            walk(&[("LBT_InvalidWithdrawAsset", &|| Ok(is_base(&vault.assets, transfer.asset)))])?;
            leaves(vault, &i(-as_signed(of(transfer.amount)))?, &standing(state, feeds)?).map(|()| kept)
        }
        Action::Trade(trade) => trades(vault, trade, state, feeds),
        Action::Rfq(_) | Action::Other => Err("LBT_InvalidModule"),
    }
}

/// A withdrawal: leverage, then delta, base and worth both less by it.
fn leaves(vault: &Basis, change: &BigInt, at: &Standing) -> Said<()> {
    let worth = || Ok::<_, &str>(as_unsigned(i(as_signed(at.worth.clone()) + change)?));
    walk(&[
        ("LBT_PostTradeLeverageOutOfRange", &|| levered(vault, change, at, &worth()?)),
        ("LBT_InvalidDeltaChange", &|| {
            div(&at.perp_price, &at.spot)?;
            Ok(*change < n(0))
        }),
    ])?;
    let worth = i(as_signed(at.worth.clone()) + change)?;
    if worth == n(0) && at.perp == n(0) {
        return Ok(());
    }
    walk(&[
        ("LBT_InvalidDeltaChange", &|| Ok(worth > n(0))),
        ("LBT_PostTradeDeltaOutOfRange", &|| balanced(vault, change, (true, at), &worth)),
    ])
}

fn levered(vault: &Basis, change: &BigInt, at: &Standing, worth_after: &BigInt) -> Said<bool> {
    let before = div(&at.base, &at.worth)?;
    let base_after = as_unsigned(i(as_signed(at.base.clone()) + change)?);
    if base_after == n(0) && *worth_after == n(0) {
        return Ok(true);
    }
    let after = div(&base_after, worth_after)?;
    Ok(within(&vault.leverage, &as_signed(before), &as_signed(after)))
}

fn balanced(vault: &Basis, change: &BigInt, (is_base, at): (bool, &Standing), worth_after: &BigInt) -> Said<bool> {
    let ratio = as_signed(div(&at.perp_price, &at.spot)?);
    let exposure = i(as_signed(at.base.clone()) + smul(&at.perp, &ratio)?)?;
    let before = sdiv(&exposure, &cast_signed(&at.worth)?)?;
    let change = if is_base { change.clone() } else { smul(change, &ratio)? };
    let after = sdiv(&i(exposure + change)?, worth_after)?;
    Ok(within(&vault.delta, &before, &after))
}

fn trades(vault: &Basis, trade: &Trade, state: &BasisState, feeds: &FeedState) -> Said<BigInt> {
    let base = is_base(&vault.assets, trade.asset);
    walk(&[("LBT_InvalidTradeAsset", &|| Ok(base || trade.asset == vault.assets.derivative))])?;
    let at = standing(state, feeds)?;
    let fee = of(trade.worst_fee);
    let amount = signed(trade.amount);
    let change = Late::new(|| if trade.is_bid { Ok(amount.clone()) } else { i(-&amount) });
    let worth = as_signed(at.worth.clone());
    walk(&[
        ("CMTSA_FeeTooHigh", &|| Ok(!base || fee <= mul(&at.spot, &of(vault.collateral.fee_factor))?)),
        ("LBT_PerpFeeTooHigh", &|| Ok(base || div(&fee, &at.perp_price)? <= of(vault.perp_fee_max))),
    ])?;
    let ratio = || div(&at.perp_price, &at.spot);
    walk(&[
        ("LBT_InvalidDeltaChange", &|| {
            change.get()?;
            ratio()?;
            Ok(worth > n(0))
        }),
        ("LBT_PostTradeDeltaOutOfRange", &|| balanced(vault, change.get()?, (base, &at), &worth)),
        ("LBT_PostTradeLeverageOutOfRange", &|| Ok(!base || levered(vault, change.get()?, &at, &at.worth)?)),
    ])?;
    charge(vault, trade, (base, &at), state)
}

/// The loss average after the trade's whole loss was added.
fn charge(vault: &Basis, trade: &Trade, (base, at): (bool, &Standing), state: &BasisState) -> Said<BigInt> {
    let limit = signed(trade.limit_price);
    let mark = as_signed(if base { at.spot.clone() } else { at.perp_price.clone() });
    let most = signed(if base { vault.loss_per_base_max } else { vault.loss_per_perp_max });
    let per_unit = sdiv(&i(if trade.is_bid { limit - mark } else { mark - limit })?, &as_signed(at.spot.clone()))?;
    walk(&[("LBT_InvalidGainPerUnit", &|| Ok(per_unit <= most))])?;
    let share = i(over(i(signed(trade.amount) * &per_unit)?, &as_signed(at.worth.clone()))?)?;
    let elapsed = u(n(i128::from(state.vault.now_s)) - n(i128::from(state.mark_loss.last_s)))?;
    let decay = exp(&i(-as_signed(u(of(vault.decay_per_s) * elapsed)?))?)?;
    let before = smul(&signed(state.mark_loss.ema), &as_signed(decay))?;
    let after = i(&before + share)?;
    walk(&[("LBT_MarkLossTooHigh", &|| Ok(after <= signed(vault.loss_target) || after <= before))])?;
    Ok(after)
}
