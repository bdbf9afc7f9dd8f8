//! Reading a contract option from its 96-bit id.

use super::revert::Revert;
use alloy_primitives::U256;

/// What an option id says (`OptionEncoding.fromSubId`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionTerms {
    /// Expiry, Unix seconds; 32 bits.
    pub expiry_s: u64,
    /// Strike in 18 decimals; a multiple of 1e10.
    pub strike: u128,
    /// Call rather than put.
    pub is_call: bool,
}

/// 1e10: the id carries the strike in eight decimals.
const STRIKE_STEP: u128 = 10_000_000_000;
const STRIKE_MASK: u128 = (1 << 63) - 1;

impl OptionTerms {
    /// Terms of an id: `expiry | strike · 1e8 << 32 | call << 95`. Ids wider than 96 bits are refused (`toUint96`).
    pub fn of_sub_id(sub_id: U256) -> Result<Self, Revert> {
        let id = u128::try_from(sub_id).ok().filter(|id| id >> 96 == 0).ok_or(Revert::SafeCast)?;
        Ok(Self {
            expiry_s: (id & u128::from(u32::MAX)) as u64,
            strike: ((id >> 32) & STRIKE_MASK) * STRIKE_STEP,
            is_call: id >> 95 != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_fields() {
        let cases = [
            (39_614_082_760_370_722_398_504_755_968_u128, 1_732_780_800, 3_500, true),
            (39_614_082_717_421_049_438_504_755_968, 1_732_780_800, 3_400, true),
            (39_614_082_803_320_395_358_504_755_968, 1_732_780_800, 3_600, true),
            (0, 0, 0, false),
        ];
        for (id, expiry_s, strike, is_call) in cases {
            let strike = strike * 10_u128.pow(18);
            assert_eq!(OptionTerms::of_sub_id(U256::from(id)), Ok(OptionTerms { expiry_s, strike, is_call }));
        }
        let widest = OptionTerms::of_sub_id(U256::from((1_u128 << 96) - 1));
        assert_eq!(widest.map(|terms| terms.strike), Ok(((1 << 63) - 1) * 10_000_000_000));
        assert_eq!(OptionTerms::of_sub_id(U256::ONE << 96_usize), Err(Revert::SafeCast));
    }
}
