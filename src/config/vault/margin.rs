//! `[vault.margin]`: what the venue asks of collateral and perp, typed once for strategy and limits.

use crate::base::num::{E9, Ratio, Rounding, div_round};
use crate::config::read::{Bps, Field, Section};

/// The section, field by field.
pub(super) struct Margin {
    pub(super) factor: Field<Bps>,
    pub(super) requirement: Field<Bps>,
}

impl Margin {
    pub(super) fn read(section: Section<'_>) -> Margin {
        let spec = ("collateral_factor_bps", "share of the base's value that counts for initial margin");
        let factor = section.bps(spec, 1..=9_999, 5_005);
        let spec = ("perp_requirement_bps", "initial margin of the perp as a share of its value");
        let requirement = section.bps(spec, 1..=5_000, 1_000);
        section.finish();
        Margin { factor, requirement }
    }

    /// Highest leverage with `buffer` of TVL free: `L·f − (L−1)·(1+im) ≥ buffer`.
    pub(super) fn cap(&self, buffer: Ratio) -> Option<Ratio> {
        let (factor, requirement) = (self.factor.value?.ratio(), self.requirement.value?.ratio());
        let room = i128::from((Ratio::ONE + requirement - buffer).raw()) * i128::from(E9);
        let per_unit = i128::from((Ratio::ONE + requirement - factor).raw());
        i64::try_from(div_round(room, per_unit, Rounding::Floor)).ok().map(Ratio::from_raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(bps: i64) -> Field<Bps> {
        Field { value: Some(Bps(bps)), path: String::new(), line: 1 }
    }

    /// Worked example D12 of the strategy specification, and its buffered form.
    #[test]
    fn margin_caps_leverage() {
        let cap = |factor, requirement, buffer| {
            let margin = Margin { factor: given(factor), requirement: given(requirement) };
            margin.cap(Ratio::from_bps(buffer)).expect("given").to_string()
        };
        assert_eq!(cap(5_005, 1_000, 0), "1.834862385");
        assert_eq!(cap(5_005, 1_000, 200), "1.801501251");
        assert_eq!(cap(8_550, 650, 0), "5.071428571");
    }
}
