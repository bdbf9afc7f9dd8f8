//! The leveraged-basis signer's budget for losses against the mark: a decaying sum of losses as a fraction of the vault.

use super::fixed::{add_signed, div_d_signed, div_signed, exp, mul_d_signed, mul_signed, neg, sub_signed};
use super::revert::Revert;
use alloy_primitives::{I256, U256, uint};

/// What the contract stores between signatures (`getLBTSAEmaValues`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarkLoss {
    /// Decayed sum of losses over the vault's value, 18 decimals; negative after gains.
    pub ema: I256,
    /// Block time of the last signature, Unix seconds.
    pub last_s: u64,
}

/// The limits of the budget (`getLBTSAParams`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkLossLimits {
    /// Decay per second, 18 decimals; never zero on chain.
    pub decay_per_s: U256,
    /// Highest sum a losing order may leave, 18 decimals.
    pub target: I256,
    /// Highest loss per unit of base or perp traded, in base, 18 decimals.
    pub loss_per_unit_max: I256,
}

/// The order as the budget sees it; everything in 18 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkLossOrder {
    /// Buy rather than sell.
    pub is_bid: bool,
    /// Limit price in cash.
    pub limit_price: I256,
    /// Whole amount of the order, also when an earlier fill took part of it.
    pub amount: I256,
    /// Mark of what is traded: base spot or perp price.
    pub mark: U256,
    /// Base spot, to express the loss in base.
    pub spot: U256,
    /// The vault's value in base.
    pub underlying_base: U256,
}

impl MarkLossOrder {
    /// Loss per unit against the mark, in base; negative for a gain. Fees are not part of it.
    pub fn loss_per_unit(&self) -> Result<I256, Revert> {
        // The contract casts prices to signed words without a check.
        let mark = I256::from_raw(self.mark);
        let loss = if self.is_bid { sub_signed(self.limit_price, mark) } else { sub_signed(mark, self.limit_price) };
        div_d_signed(loss?, I256::from_raw(self.spot))
    }
}

/// The contracts' e^0: one unit short of one.
const DECAY_OF_NOTHING: U256 = uint!(999_999_999_999_999_999_U256);

impl MarkLoss {
    /// Nothing lost yet.
    pub const NONE: MarkLoss = MarkLoss { ema: I256::ZERO, last_s: 0 };

    /// The sum after decay until `now_s`: `ema · e^(−λ·dt)`, truncated towards zero.
    pub fn decayed(&self, decay_per_s: U256, now_s: u64) -> Result<I256, Revert> {
        let elapsed_s = now_s.checked_sub(self.last_s).ok_or(Revert::ArithmeticOverflow)?;
        let exponent = decay_per_s.checked_mul(U256::from(elapsed_s)).ok_or(Revert::ArithmeticOverflow)?;
        let decay = if elapsed_s == 0 { DECAY_OF_NOTHING } else { exp(neg(I256::from_raw(exponent))?)? };
        mul_d_signed(self.ema, I256::from_raw(decay))
    }

    /// State after signing an order, filled or not. Errors: `LBT_InvalidGainPerUnit` above the loss per unit,
    /// `LBT_MarkLossTooHigh` when a loss leaves the sum above the target; then the state stays as it was.
    pub fn charged(&self, order: &MarkLossOrder, limits: &MarkLossLimits, now_s: u64) -> Result<Self, Revert> {
        let per_unit = order.loss_per_unit()?;
        if per_unit > limits.loss_per_unit_max {
            return Err(Revert::LbtInvalidGainPerUnit);
        }
        let part = div_signed(mul_signed(order.amount, per_unit)?, I256::from_raw(order.underlying_base))?;
        let before = self.decayed(limits.decay_per_s, now_s)?;
        let after = add_signed(before, part)?;
        if after > limits.target && after > before {
            return Err(Revert::LbtMarkLossTooHigh);
        }
        Ok(Self { ema: after, last_s: now_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const E18: i128 = 1_000_000_000_000_000_000;

    fn int(value: i128) -> I256 {
        I256::try_from(value).expect("it fits")
    }

    fn units(value: i128) -> I256 {
        int(value * E18)
    }

    fn uunits(value: u128) -> U256 {
        U256::from(value * E18 as u128)
    }

    /// D13: 20 base in the vault, spot 2000, perp 2020, orders of 10.
    fn order(is_bid: bool, limit: i128, mark: u128) -> MarkLossOrder {
        MarkLossOrder {
            is_bid,
            limit_price: units(limit),
            amount: units(10),
            mark: uunits(mark),
            spot: uunits(2_000),
            underlying_base: uunits(20),
        }
    }

    const TEST_DECAY: u64 = 192_541_000_000_000;

    fn limits(target: i128, loss_per_unit_max: i128) -> MarkLossLimits {
        MarkLossLimits {
            decay_per_s: U256::from(TEST_DECAY),
            target: int(target),
            loss_per_unit_max: int(loss_per_unit_max),
        }
    }

    fn state(ema: i128) -> MarkLoss {
        MarkLoss { ema: int(ema), last_s: 1_000 }
    }

    #[test]
    fn an_order_is_charged_its_loss_against_the_mark() {
        let loose = limits(E18 / 2, E18 / 10);
        let cases = [
            (true, 2_010, 2_000, 2_500_000_000_000_000),
            (true, 1_990, 2_000, -2_500_000_000_000_000),
            (false, 1_990, 2_000, 2_500_000_000_000_000),
            (false, 2_010, 2_000, -2_500_000_000_000_000),
            (true, 2_030, 2_020, 2_500_000_000_000_000),
            (true, 2_010, 2_020, -2_500_000_000_000_000),
            (false, 2_010, 2_020, 2_500_000_000_000_000),
        ];
        for (is_bid, limit, mark, expected) in cases {
            let charged = state(0).charged(&order(is_bid, limit, mark), &loose, 1_000);
            assert_eq!(charged, Ok(MarkLoss { ema: int(expected), last_s: 1_000 }), "{is_bid} {limit} {mark}");
        }
    }

    #[test]
    fn decay_vectors_are_exact() {
        let one = MarkLoss { ema: units(1), last_s: 0 };
        let cases: [(u64, u64, i128); 4] = [
            (200_000_000_000_000, 3_600, 486_752_255_959_971_650),
            (TEST_DECAY, 3_600, 499_999_790_280_016_637),
            // Half a unit and less is nothing.
            (1_000_000_000_000_000_000, 43, 0),
            (u64::MAX, u64::MAX, 0),
        ];
        for (decay, seconds, expected) in cases {
            assert_eq!(one.decayed(U256::from(decay), seconds), Ok(int(expected)), "{decay} {seconds}");
        }
        let loss = |ema| MarkLoss { ema: int(ema), last_s: 0 };
        let tenth = loss(E18 / 10);
        let micros = |ema: I256| i128::try_from(ema).expect("it fits") / 1_000_000_000_000;
        for (seconds, expected) in [(3_600, 49_999), (7_200, 24_999), (1_500, 74_915)] {
            assert_eq!(micros(tenth.decayed(U256::from(TEST_DECAY), seconds).expect("no revert")), expected);
        }
        let day = tenth.decayed(U256::from(8_022_540_000_000_u64), 86_400).expect("no revert");
        assert_eq!(micros(day), 49_999);
        // Gains decay towards zero too, truncated the same way.
        let mirror = loss(-E18 / 10).decayed(U256::from(TEST_DECAY), 3_600).expect("no revert");
        assert_eq!(mirror, -tenth.decayed(U256::from(TEST_DECAY), 3_600).expect("no revert"));
    }

    #[test]
    fn zero_elapsed_time_still_costs_one_unit() {
        // The contracts' e^0 is one unit short of 1.
        assert_eq!(state(E18).decayed(U256::from(TEST_DECAY), 1_000), Ok(int(E18 - 1)));
        assert_eq!(exp(I256::ZERO), Ok(DECAY_OF_NOTHING));
        assert_eq!(state(E18).decayed(U256::from(TEST_DECAY), 999), Err(Revert::ArithmeticOverflow));
        assert_eq!(state(E18).decayed(U256::MAX, 1_002), Err(Revert::ArithmeticOverflow));
    }

    #[test]
    fn the_target_binds_losses_only() {
        let tight = limits(E18 / 100, E18 / 10);
        let buy = order(true, 2_010, 2_000);
        let part = 2_500_000_000_000_000;
        let room = 7_500_000_000_000_000;
        let after = |ema: i128, now_s| state(ema).charged(&buy, &tight, now_s).map(|new| new.ema);
        // Decay over no time takes one unit; so the boundary lies one unit above the room.
        assert_eq!(after(room, 1_000), Ok(int(room - 1 + part)));
        assert_eq!(after(room + 1, 1_000), Ok(int(E18 / 100)));
        assert_eq!(after(room + 2, 1_000), Err(Revert::LbtMarkLossTooHigh));
        assert_eq!(after(7_500_010_000_000_000, 1_000), Err(Revert::LbtMarkLossTooHigh));
        assert_eq!(after(E18 / 50, 4_600), Err(Revert::LbtMarkLossTooHigh));
        let settled = after(E18 / 50, 8_200).expect("no revert");
        assert_eq!(settled / int(1_000_000_000), int(7_499_995));
        // Above the target, an order at the mark or better still passes.
        assert!(state(E18 / 10).charged(&order(true, 1_990, 2_000), &tight, 1_000).is_ok());
        assert!(state(E18 / 10).charged(&order(true, 2_000, 2_000), &tight, 1_000).is_ok());
    }

    #[test]
    fn loss_per_unit_binds_first() {
        let buy = order(true, 2_010, 2_000);
        let loss = 5_000_000_000_000_000;
        for (bound, expected) in [
            (4_000_000_000_000_000, Err(Revert::LbtInvalidGainPerUnit)),
            (loss - 1, Err(Revert::LbtInvalidGainPerUnit)),
            (loss, Ok(())),
        ] {
            assert_eq!(state(0).charged(&buy, &limits(E18, bound), 1_000).map(|_| ()), expected, "{bound}");
        }
        // Both limits broken: the first check speaks.
        assert_eq!(state(E18).charged(&buy, &limits(0, loss - 1), 1_000), Err(Revert::LbtInvalidGainPerUnit));
    }

    #[test]
    fn a_vault_without_value_reverts() {
        let empty = MarkLossOrder { underlying_base: U256::ZERO, ..order(true, 2_000, 2_000) };
        assert_eq!(state(0).charged(&empty, &limits(E18, E18), 1_000), Err(Revert::DivisionByZero));
        let unpriced = MarkLossOrder { spot: U256::ZERO, ..order(true, 2_000, 2_000) };
        assert_eq!(state(0).charged(&unpriced, &limits(E18, E18), 1_000), Err(Revert::DivisionByZero));
    }

    proptest! {
        #[test]
        fn any_words_give_a_state_or_a_named_revert(
            words in proptest::array::uniform8(proptest::array::uniform4(any::<u64>())),
            narrow in proptest::array::uniform8(0_usize..256),
            is_bid in any::<bool>(),
            (last_s, now_s) in any::<(u64, u64)>(),
        ) {
            let word = |i: usize| U256::from_limbs(words[i]) >> narrow[i];
            let order = MarkLossOrder {
                is_bid,
                limit_price: I256::from_raw(word(0)),
                amount: I256::from_raw(word(1)),
                mark: word(2),
                spot: word(3),
                underlying_base: word(4),
            };
            let limits = MarkLossLimits {
                decay_per_s: word(5),
                target: I256::from_raw(word(6)),
                loss_per_unit_max: I256::MAX,
            };
            let before = MarkLoss { ema: I256::from_raw(word(7)), last_s };
            if let Ok(after) = before.charged(&order, &limits, now_s) {
                prop_assert_eq!(after.last_s, now_s);
                prop_assert!(now_s >= last_s);
            }
        }
    }
}
