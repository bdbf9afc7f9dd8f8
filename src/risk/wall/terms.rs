//! The parameters of the vaults' contracts in the operator's units, and the mission's values for them.

use super::{
    BASE, BasisWall, DERIVATIVE, Drift, OptionContract, OptionWall, cash_wad, life, price_wad, ratio_wad, unsigned,
};
use crate::base::ids::{Right, Side};
use crate::base::num::{Cash, Price, Ratio};
use crate::msg::Product;
use crate::risk::mandate::action::Assets;
use crate::risk::mandate::basis::{Band, Basis};
use crate::risk::mandate::collateral::CollateralLimits;
use crate::risk::mandate::covered_call::CoveredCall;
use crate::risk::mandate::spread::Spread;
use alloy_primitives::{I256, U256};

const ASSETS: Assets = Assets { base: BASE, derivative: DERIVATIVE, token_decimals: 18 };
/// Ten minutes less a second: the mission's longest signature.
const SIGNATURE_S_MAX: u64 = 599;
const DRIFT: Drift = Drift { price: Ratio::from_bps(10), time_s: 4 };

/// `LBTSAParams` and the fee of its collateral half (strategy specification §2.6, §2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasisTerms {
    /// Lowest delta, × value.
    pub delta_min: Ratio,
    /// Highest delta, × value.
    pub delta_max: Ratio,
    /// Lowest leverage, × value.
    pub leverage_min: Ratio,
    /// Highest leverage, × value.
    pub leverage_max: Ratio,
    /// Highest loss against the mark per unit of base, as a share of the base's price.
    pub base_loss_max: Ratio,
    /// Highest loss against the mark per unit of perp, as a share of the base's price.
    pub perp_loss_max: Ratio,
    /// Decaying sum of losses, as a share of value.
    pub loss_sum_max: Ratio,
    /// Decay of that sum, per second in 1e-18.
    pub loss_decay_e18: i128,
    /// Highest fee per unit of base, as a share of its price.
    pub base_fee_max: Ratio,
    /// Highest fee per unit of perp, as a share of its price.
    pub perp_fee_max: Ratio,
    /// Shortest life of a signature, seconds.
    pub signature_s_min: u64,
    /// Longest life of a signature, seconds.
    pub signature_s_max: u64,
    /// Margins kept to all of it.
    pub drift: Drift,
}

impl BasisTerms {
    /// The mission's values: delta ±2 %, leverage 0.9 to 2, prices ±1 %, 20 bp of losses an hour, under ten minutes.
    pub const MISSION: BasisTerms = BasisTerms {
        delta_min: Ratio::from_bps(9_800),
        delta_max: Ratio::from_bps(10_200),
        leverage_min: Ratio::from_bps(9_000),
        leverage_max: Ratio::from_bps(20_000),
        base_loss_max: Ratio::from_bps(100),
        perp_loss_max: Ratio::from_bps(100),
        loss_sum_max: Ratio::from_bps(20),
        loss_decay_e18: 192_540_883_488_874,
        base_fee_max: Ratio::from_bps(100),
        perp_fee_max: Ratio::from_bps(100),
        signature_s_min: 0,
        signature_s_max: SIGNATURE_S_MAX,
        drift: DRIFT,
    };

    /// The wall they make.
    pub fn wall(&self) -> BasisWall {
        let band = |floor, ceil| Band { floor: ratio_wad(floor), ceil: ratio_wad(ceil) };
        let contract = Basis {
            assets: ASSETS,
            life: life(self.signature_s_min, self.signature_s_max),
            perp_fee_max: unsigned(ratio_wad(self.perp_fee_max)),
            loss_per_base_max: ratio_wad(self.base_loss_max),
            loss_per_perp_max: ratio_wad(self.perp_loss_max),
            delta: band(self.delta_min, self.delta_max),
            leverage: band(self.leverage_min, self.leverage_max),
            decay_per_s: unsigned(I256::unchecked_from(self.loss_decay_e18)),
            loss_target: ratio_wad(self.loss_sum_max),
            // Swaps are not this contract's business: only the fee is read.
            collateral: CollateralLimits {
                fee_factor: unsigned(ratio_wad(self.base_fee_max)),
                leniency: I256::ZERO,
                worst_sell: U256::ZERO,
                worst_buy: U256::ZERO,
            },
        };
        BasisWall { contract, judged_per_fill: false, drift: self.drift }
    }
}

/// `CCTSAParams` or `PPTSAParams`, with `CollateralManagementParams` (strategy specification §2.3 to §2.5, §2.7). Which
/// of the fields count is decided by the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionTerms {
    /// Calls: they are sold above Black-76 at this share of the feed's volatility.
    pub vol_factor_min: Ratio,
    /// Calls: highest delta at that volatility.
    pub delta_max: Ratio,
    /// Spreads: distance of the strikes.
    pub strike_diff: Price,
    /// Spreads: lowest mark over that distance, both legs at the first one's volatility.
    pub spread_ratio_min: Ratio,
    /// Spreads: highest mark over that distance.
    pub spread_ratio_max: Ratio,
    /// Spreads: least share of the mark they are sold for, or largest multiple they are bought for.
    pub cost_tolerance: Ratio,
    /// Spreads: open and new ones times the distance, as a share of the collateral's value.
    pub share_max: Ratio,
    /// Spreads: fees as a share of the price.
    pub package_fee_max: Ratio,
    /// Spreads: debt that a withdrawal may leave, as a share of the value of the collateral left.
    pub debt_max: Ratio,
    /// Shortest life of an option, seconds.
    pub option_s_min: u64,
    /// Longest life of an option, seconds.
    pub option_s_max: u64,
    /// Cash below which no option is traded.
    pub cash_min: Cash,
    /// Highest fee per unit of an order, as a share of the collateral's price.
    pub fee_max: Ratio,
    /// Collateral is bought at most this far above its price.
    pub buy_premium_max: Ratio,
    /// Collateral is sold at most this far below its price.
    pub sell_discount_max: Ratio,
    /// A swap may exceed the cash it clears by this share.
    pub overshoot_max: Ratio,
    /// Shortest life of a signature, seconds.
    pub signature_s_min: u64,
    /// Longest life of a signature, seconds.
    pub signature_s_max: u64,
    /// Margins kept to all of it.
    pub drift: Drift,
}

impl OptionTerms {
    /// The values the deployed contracts were given (§2.7, production columns), with the mission's signature life.
    pub const fn mission(product: Product, strike_diff: Price) -> OptionTerms {
        const DAY_S: u64 = 86_400;
        let buys = matches!(product.side(), Side::Buy);
        let (ratio_min, ratio_max) = if buys { (1_000, 7_000) } else { (50, 2_000) };
        let spread = product.is_spread();
        OptionTerms {
            vol_factor_min: Ratio::from_bps(5_000),
            delta_max: Ratio::from_bps(4_000),
            strike_diff,
            spread_ratio_min: Ratio::from_bps(ratio_min),
            spread_ratio_max: Ratio::from_bps(ratio_max),
            cost_tolerance: Ratio::from_bps(if buys { 20_000 } else { 3_000 }),
            share_max: Ratio::from_bps(if buys { 200 } else { 1_000 }),
            package_fee_max: Ratio::ONE,
            debt_max: Ratio::from_bps(200),
            option_s_min: if spread { 4 * DAY_S } else { DAY_S },
            option_s_max: if spread { 8 * DAY_S } else { 30 * DAY_S },
            cash_min: Cash::whole(-100_000),
            fee_max: Ratio::from_bps(100),
            buy_premium_max: Ratio::from_bps(200),
            sell_discount_max: Ratio::from_bps(200),
            overshoot_max: Ratio::from_bps(500),
            signature_s_min: 300,
            signature_s_max: SIGNATURE_S_MAX,
            drift: DRIFT,
        }
    }

    /// The wall they make for that product.
    pub fn wall(&self, product: Product) -> OptionWall {
        let (signature, cash_min) = (life(self.signature_s_min, self.signature_s_max), cash_wad(self.cash_min));
        let ratio = |ratio| unsigned(ratio_wad(ratio));
        let collateral = CollateralLimits {
            fee_factor: ratio(self.fee_max),
            leniency: ratio_wad(Ratio::ONE + self.overshoot_max),
            worst_sell: ratio(Ratio::ONE - self.sell_discount_max),
            worst_buy: ratio(Ratio::ONE + self.buy_premium_max),
        };
        let [expires_in_min_s, expires_in_max_s] = [self.option_s_min, self.option_s_max].map(U256::from);
        let contract = if product.is_spread() {
            OptionContract::Spreads(Spread {
                assets: ASSETS,
                is_call: product.right() == Right::Call,
                is_long: product.side() == Side::Buy,
                life: signature,
                mark_ratio_min: ratio(self.spread_ratio_min),
                mark_ratio_max: ratio(self.spread_ratio_max),
                strike_distance: unsigned(price_wad(self.strike_diff)),
                cost_tolerance: ratio(self.cost_tolerance),
                loss_or_gain_max: ratio(self.share_max),
                debt_tolerance: ratio(self.debt_max),
                expires_in_min_s,
                expires_in_max_s,
                cash_min,
                fee_factor: ratio(self.package_fee_max),
                collateral,
            })
        } else {
            OptionContract::Calls(CoveredCall {
                assets: ASSETS,
                life: signature,
                vol_factor: ratio(self.vol_factor_min),
                delta_max: ratio(self.delta_max),
                cash_min,
                expires_in_min_s,
                expires_in_max_s,
                collateral,
            })
        };
        OptionWall { contract, drift: self.drift }
    }
}
