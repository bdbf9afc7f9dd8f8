//! `[vault.limits]` of an option vault: what no order may break. Ranges end where the mandate's contract ends.

use super::seeds::Seeds;
use super::selection::{CALL_DELTA, delta};
use super::share;
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::SEC;
use crate::config::read::{Bps, Field, Section, Span, Spec};
use crate::config::vault::bounds::{self, usdc};
use crate::msg::Product;
use crate::risk::limits::OptionLimits;
use crate::risk::wall::OptionWall;

/// Largest order, in base or contracts.
const AMOUNT_MAX: Amount = Amount::whole(1_000_000);

const VOL_FACTOR: Spec = ("vol_factor_min_bps", "calls are sold above Black-76 at this share of mark volatility");
const IV_MIN: Spec = ("iv_min_bps", "lowest implied volatility a call is sold at; 10000 is 100 %");
const RATIO_MIN: Spec = ("spread_ratio_min_bps", "lowest mark of a spread over its strike distance");
const RATIO_MAX: Spec = ("spread_ratio_max_bps", "highest mark of a spread over its strike distance");
const TOLERANCE_SELL: Spec = ("mark_tolerance_bps", "least share of a spread's mark it is sold for");
const TOLERANCE_BUY: Spec = ("mark_tolerance_bps", "largest multiple of a spread's mark it is bought for");
const TVL_SHARE: Spec = ("tvl_share_max_bps", "strike distance times spreads held, as a share of the vault's value");
const LIFE_MIN: Spec = ("life_min_s", "shortest life of an option that is traded");
const LIFE_MAX: Spec = ("life_max_s", "longest life of an option that is traded");
const CASH_MIN: Spec = ("cash_min_usdc", "cash below which no option is traded");
const PREMIUM: Spec = ("buy_premium_max_bps", "furthest above its mark collateral may be bought");
const DISCOUNT: Spec = ("sell_discount_max_bps", "furthest below its mark collateral may be sold");
const OPTION_AMOUNT: Spec = ("option_amount_max_contracts", "largest option order or lot");
const COLLATERAL_AMOUNT: Spec = ("collateral_amount_max_base", "largest collateral order");
const NOTIONAL: Spec = ("notional_max_usdc", "largest order; options count with their index");

/// The section, field by field.
pub(super) struct Fields {
    pub(super) kind: Kind,
    pub(super) life_min: Field<Span>,
    pub(super) life_max: Field<Span>,
    pub(super) cash_min: Field<Cash>,
    pub(super) buy_premium: Field<Bps>,
    pub(super) sell_discount: Field<Bps>,
    pub(super) option_amount: Field<Amount>,
    collateral_amount: Field<Amount>,
    notional: Field<Cash>,
    pub(super) bounds: bounds::Fields,
}

/// What depends on whether single calls or spreads are traded.
pub(super) enum Kind {
    Call {
        delta_min: Field<Ratio>,
        delta_max: Field<Ratio>,
        vol_factor: Field<Bps>,
        iv_min: Field<Bps>,
    },
    Spread {
        strike_diff: Option<Price>,
        ratio_min: Field<Bps>,
        ratio_max: Field<Bps>,
        tolerance: Field<Bps>,
        tvl_share: Field<Bps>,
    },
}

fn call(s: &Section<'_>) -> Kind {
    Kind::Call {
        delta_min: delta(s, ("delta_min", "lowest delta of a call that is sold, at mark volatility"), CALL_DELTA, 500),
        delta_max: delta(
            s,
            ("delta_max", "highest delta of a call that is sold, at mark volatility"),
            CALL_DELTA,
            1_500,
        ),
        vol_factor: s.bps(VOL_FACTOR, 5_000..=10_000, 8_000),
        iv_min: s.bps(IV_MIN, 100..=20_000, 2_000),
    }
}

fn spread(s: &Section<'_>, seeds: &Seeds, strike_diff: Option<Price>) -> Kind {
    if let Some(strike_diff) = strike_diff {
        s.derived(("strike_diff_usdc", "distance of a spread's strikes, from its selection"), strike_diff, "USDC");
    }
    let buys = seeds.product == Product::LongCallSpread;
    let [low, high] = seeds.ratio_hard_bps;
    Kind::Spread {
        strike_diff,
        ratio_min: s.bps(RATIO_MIN, 1..=9_999, low),
        ratio_max: s.bps(RATIO_MAX, 1..=9_999, high),
        tolerance: if buys {
            s.bps(TOLERANCE_BUY, 10_000..=15_000, 12_500)
        } else {
            s.bps(TOLERANCE_SELL, 3_000..=10_000, 4_500)
        },
        tvl_share: if buys { s.bps(TVL_SHARE, 1..=200, 100) } else { s.bps(TVL_SHARE, 1..=1_000, 1_000) },
    }
}

/// Cash from which options are traded: sellers owe no more than what the collateral auction's steps leave, BULL what its
/// spreads cost.
fn cash_default(product: Product) -> Cash {
    match product {
        // A debt worth less than the smallest order of collateral cannot be paid: it must not end trading.
        Product::CoveredCall | Product::ShortCallSpread | Product::ShortPutSpread => Cash::whole(-2_000),
        Product::LongCallSpread => Cash::whole(-100_000),
    }
}

impl Fields {
    pub(super) fn read(section: Section<'_>, seeds: &Seeds, strike_diff: Option<&Field<Price>>) -> Fields {
        let s = &section;
        let amounts = Amount::from_raw(1)..=AMOUNT_MAX;
        let strike_diff = strike_diff.and_then(|field| field.value);
        let kind = if seeds.product.is_spread() { spread(s, seeds, strike_diff) } else { call(s) };
        let life_min = if seeds.product.is_spread() { 345_600 } else { 518_400 };
        let fields = Fields {
            kind,
            life_min: s.seconds(LIFE_MIN, 3_600..=2_592_000, life_min),
            life_max: s.seconds(LIFE_MAX, 3_600..=2_592_000, 691_200),
            cash_min: usdc(s, CASH_MIN, -100_000..=0, Some(cash_default(seeds.product))),
            buy_premium: s.bps(PREMIUM, 11..=200, 150),
            sell_discount: s.bps(DISCOUNT, 11..=200, 150),
            option_amount: s.decimal(OPTION_AMOUNT, "contracts", amounts.clone(), None),
            collateral_amount: s.decimal(
                COLLATERAL_AMOUNT,
                "base",
                Amount::from_raw(1)..=Amount::whole(100_000_000),
                None,
            ),
            notional: usdc(s, NOTIONAL, 1..=1_000_000_000, None),
            bounds: bounds::Fields::read(s, 500..=10_000, 3_000),
        };
        fields.life_min.below(&fields.life_max, "no option could be traded", s.notes);
        match &fields.kind {
            Kind::Call { delta_min, delta_max, .. } => delta_min.below(delta_max, "no call could be sold", s.notes),
            Kind::Spread { ratio_min, ratio_max, .. } => {
                ratio_min.below(ratio_max, "no spread could be traded", s.notes);
            }
        }
        section.finish();
        fields
    }

    pub(super) fn build(&self, product: Product, wall: OptionWall) -> Option<OptionLimits> {
        let bounds = self.bounds.build()?;
        let open = OptionLimits {
            product,
            delta_min: Ratio::ZERO,
            delta_max: Ratio::ONE,
            vol_factor_min: Ratio::ZERO,
            iv_min: Ratio::ZERO,
            strike_diff: Price::ZERO,
            spread_ratio_min: Ratio::ZERO,
            spread_ratio_max: Ratio::ONE,
            mark_tolerance: Ratio::ZERO,
            tvl_share_max: Ratio::ZERO,
            life_s_min: self.life_min.value?.0 / SEC,
            life_s_max: self.life_max.value?.0 / SEC,
            cash_min: self.cash_min.value?,
            buy_premium_max: share(&self.buy_premium)?,
            sell_discount_max: share(&self.sell_discount)?,
            option_amount_max: self.option_amount.value?,
            collateral_amount_max: self.collateral_amount.value?,
            notional_max: self.notional.value?,
            losses: bounds.losses,
            fills_per_minute_max: bounds.fills_per_minute_max,
            order_life_ns: bounds.order_life_ns,
            reject_after_ns: bounds.reject_after_ns,
            clock_offset_ns_max: bounds.clock_offset_ns_max,
            value_age_ns_max: bounds.value_age_ns_max,
            cash_tolerance: bounds.cash_tolerance,
            wall,
        };
        // Fields of the other kind keep a value that allows nothing or says nothing; the product tells which count.
        Some(match &self.kind {
            Kind::Call { delta_min, delta_max, vol_factor, iv_min } => OptionLimits {
                delta_min: delta_min.value?,
                delta_max: delta_max.value?,
                vol_factor_min: share(vol_factor)?,
                iv_min: share(iv_min)?,
                ..open
            },
            Kind::Spread { strike_diff, ratio_min, ratio_max, tolerance, tvl_share } => OptionLimits {
                strike_diff: (*strike_diff)?,
                spread_ratio_min: share(ratio_min)?,
                spread_ratio_max: share(ratio_max)?,
                mark_tolerance: share(tolerance)?,
                tvl_share_max: share(tvl_share)?,
                ..open
            },
        })
    }
}
