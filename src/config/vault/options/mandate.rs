//! `[vault.mandate]` of an option vault: the contract every order and execution is put to, outside of all its limits.

use std::cell::RefCell;

use super::seeds::Seeds;
use super::selection::{CALL_DELTA, delta};
use super::{limits, share};
use crate::base::num::{Cash, Price, Ratio};
use crate::base::time::SEC;
use crate::config::read::{Bps, Field, Notes, Section, Span, Spec};
use crate::config::vault::bounds::usdc;
use crate::config::vault::contract::ContractDraft;
use crate::config::vault::mandate::{Margins, Signature};
use crate::msg::Product;
use crate::risk::wall::OptionWall;
use crate::risk::wall::terms::OptionTerms;

const VOL_FACTOR: Spec = ("vol_factor_min_bps", "the contract prices calls at this share of volatility");
const DELTA_MAX: Spec = ("delta_max", "highest delta the contract sells, at that lowered volatility");
const RATIO_MIN: Spec = ("spread_ratio_min_bps", "lowest mark of a spread over its strike distance, one volatility");
const RATIO_MAX: Spec = ("spread_ratio_max_bps", "highest mark of a spread over its strike distance, one volatility");
const TOLERANCE_SELL: Spec = ("cost_tolerance_bps", "least share of its mark a spread is sold for, one volatility");
const TOLERANCE_BUY: Spec = ("cost_tolerance_bps", "largest multiple of its mark a spread may cost, one volatility");
const SHARE: Spec = ("share_max_bps", "strike distance times spreads, as a share of the collateral's value");
const PACKAGE_FEE: Spec = ("package_fee_max_bps", "highest fee of a spread, as a share of its price");
const DEBT: Spec = ("withdrawal_debt_max_bps", "debt a withdrawal may leave, as a share of the collateral left");
const FEE: Spec = ("fee_max_bps", "highest fee signed for per unit of an order, in the collateral's price");
const PREMIUM: Spec = ("buy_premium_max_bps", "furthest above its price the contract buys collateral");
const DISCOUNT: Spec = ("sell_discount_max_bps", "furthest below its price the contract sells collateral");
const OVERSHOOT: Spec = ("overshoot_max_bps", "share by which a conversion may exceed the cash it clears");
const LIFE_MIN: Spec = ("option_min_s", "shortest life of an option the contract trades");
const LIFE_MAX: Spec = ("option_max_s", "longest life of an option the contract trades");
const CASH_MIN: Spec = ("cash_min_usdc", "cash below which the contract trades no option");

/// The section, field by field.
pub(super) struct Fields {
    kind: Kind,
    buys: bool,
    fee: Field<Bps>,
    premium: Field<Bps>,
    discount: Field<Bps>,
    overshoot: Field<Bps>,
    life_min: Field<Span>,
    life_max: Field<Span>,
    cash_min: Field<Cash>,
    signature: Signature,
    margins: Margins,
}

/// What depends on whether single calls or spreads are traded.
enum Kind {
    Call {
        vol_factor: Field<Bps>,
        delta_max: Field<Ratio>,
    },
    Spread {
        ratio_min: Field<Bps>,
        ratio_max: Field<Bps>,
        tolerance: Field<Bps>,
        share: Field<Bps>,
        fee: Field<Bps>,
        debt: Field<Bps>,
    },
}

fn spread(s: &Section<'_>, seeds: &Seeds) -> Kind {
    let buys = seeds.product == Product::LongCallSpread;
    let [low, high] = seeds.ratio_hard_bps;
    Kind::Spread {
        ratio_min: s.bps(RATIO_MIN, 1..=9_999, low),
        ratio_max: s.bps(RATIO_MAX, 1..=9_999, high),
        tolerance: if buys {
            s.bps(TOLERANCE_BUY, 10_000..=50_000, 20_000)
        } else {
            s.bps(TOLERANCE_SELL, 100..=10_000, 3_000)
        },
        share: if buys { s.bps(SHARE, 1..=200, 200) } else { s.bps(SHARE, 1..=1_000, 1_000) },
        fee: s.bps(PACKAGE_FEE, 1..=10_000, 10_000),
        debt: s.bps(DEBT, 100..=10_000, 200),
    }
}

impl Fields {
    pub(super) fn read(section: Section<'_>, seeds: &Seeds) -> Fields {
        let s = &section;
        let is_spread = seeds.product.is_spread();
        let kind = if is_spread {
            spread(s, seeds)
        } else {
            Kind::Call {
                vol_factor: s.bps(VOL_FACTOR, 5_000..=10_000, 5_000),
                delta_max: delta(s, DELTA_MAX, CALL_DELTA, 4_000),
            }
        };
        let [least, most] = if is_spread { [345_600, 691_200] } else { [86_400, 2_592_000] };
        let fields = Fields {
            kind,
            buys: seeds.product == Product::LongCallSpread,
            fee: s.bps(FEE, 1..=500, 100),
            premium: s.bps(PREMIUM, 1..=200, 200),
            discount: s.bps(DISCOUNT, 1..=200, 200),
            overshoot: s.bps(OVERSHOOT, 0..=500, 500),
            life_min: s.seconds(LIFE_MIN, 3_600..=2_592_000, least),
            life_max: s.seconds(LIFE_MAX, 3_600..=2_592_000, most),
            cash_min: usdc(s, CASH_MIN, -100_000..=0, Some(Cash::whole(-100_000))),
            signature: Signature::read(s, 300),
            margins: Margins::read(s),
        };
        section.finish();
        fields
    }

    /// The limits lie inside the contract.
    pub(super) fn check(&self, limits: &limits::Fields, notes: &RefCell<Notes>) {
        let outside = "orders inside the limits would be refused by the mandate";
        self.life_min.at_most(&limits.life_min, outside, notes);
        limits.life_max.at_most(&self.life_max, outside, notes);
        self.cash_min.at_most(&limits.cash_min, outside, notes);
        limits.buy_premium.at_most(&self.premium, outside, notes);
        limits.sell_discount.at_most(&self.discount, outside, notes);
        self.signature.check(&limits.bounds.order_life, &self.margins.time, notes);
        match (&self.kind, &limits.kind) {
            (Kind::Call { vol_factor, delta_max }, limits::Kind::Call { vol_factor: soft, delta_max: highest, .. }) => {
                vol_factor.at_most(soft, outside, notes);
                highest.at_most(delta_max, outside, notes);
            }
            (Kind::Spread { ratio_min, ratio_max, tolerance, share, .. }, limits::Kind::Spread { .. }) => {
                self.check_spread(limits, [ratio_min, ratio_max, tolerance, share], outside, notes);
            }
            _ => {}
        }
    }

    /// The contract signs for all that the mandate lets pass.
    pub(super) fn check_contract(&self, contract: &ContractDraft, notes: &RefCell<Notes>) {
        let (Some(chain), Kind::Call { vol_factor, delta_max }) = (&contract.call, &self.kind) else { return };
        let wider = "its contract would refuse what the mandate lets pass";
        let bps = |field: &Field<Bps>| field.clone().map(Bps::ratio);
        let over_one = bps(&self.overshoot).map(|share| Ratio::from_raw(Ratio::ONE.raw() + share.raw()));
        chain.vol.at_most(&bps(vol_factor), wider, notes);
        delta_max.at_most(&chain.delta, wider, notes);
        chain.cash.at_most(&self.cash_min, wider, notes);
        chain.life[0].at_most(&self.life_min, wider, notes);
        self.life_max.at_most(&chain.life[1], wider, notes);
        self.fee.at_most(&chain.fee, wider, notes);
        over_one.at_most(&chain.leniency, wider, notes);
        self.discount.at_most(&chain.sell, wider, notes);
        self.premium.at_most(&chain.buy, wider, notes);
        chain.signature[0].at_most(&self.signature.min, wider, notes);
        self.signature.max.at_most(&chain.signature[1], wider, notes);
    }

    fn check_spread(&self, limits: &limits::Fields, hard: [&Field<Bps>; 4], outside: &str, notes: &RefCell<Notes>) {
        let [lowest, highest, cost, most] = hard;
        if let limits::Kind::Spread { ratio_min, ratio_max, tolerance, tvl_share, .. } = &limits.kind {
            lowest.at_most(ratio_min, outside, notes);
            ratio_max.at_most(highest, outside, notes);
            tvl_share.at_most(most, outside, notes);
            if self.buys {
                tolerance.at_most(cost, outside, notes);
            } else {
                cost.at_most(tolerance, outside, notes);
            }
        }
    }

    pub(super) fn build(&self, product: Product, strike_diff: Option<Price>) -> Option<OptionWall> {
        let [signature_s_min, signature_s_max] = self.signature.seconds()?;
        let common = OptionTerms {
            option_s_min: self.life_min.value?.0 / SEC,
            option_s_max: self.life_max.value?.0 / SEC,
            cash_min: self.cash_min.value?,
            fee_max: share(&self.fee)?,
            buy_premium_max: share(&self.premium)?,
            sell_discount_max: share(&self.discount)?,
            overshoot_max: share(&self.overshoot)?,
            signature_s_min,
            signature_s_max,
            drift: self.margins.drift()?,
            ..OptionTerms::mission(product, strike_diff.unwrap_or_default())
        };
        let terms = match &self.kind {
            Kind::Call { vol_factor, delta_max } => {
                OptionTerms { vol_factor_min: share(vol_factor)?, delta_max: delta_max.value?, ..common }
            }
            Kind::Spread { ratio_min, ratio_max, tolerance, share: most, fee, debt } => OptionTerms {
                strike_diff: strike_diff?,
                spread_ratio_min: share(ratio_min)?,
                spread_ratio_max: share(ratio_max)?,
                cost_tolerance: share(tolerance)?,
                share_max: share(most)?,
                package_fee_max: share(fee)?,
                debt_max: share(debt)?,
                ..common
            },
        };
        Some(terms.wall(product))
    }
}
