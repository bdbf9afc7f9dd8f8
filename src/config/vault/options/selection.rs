//! `[vault.selection]`: which of the listed options are traded, and how fresh their tickers must be.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use super::{limits, seeds::Seeds, share};
use crate::base::num::{Price, Ratio};
use crate::config::read::{Bps, Field, Notes, Section, Span, Spec};
use crate::msg::Product;
use crate::strategy::options::params::Selection;

/// Deltas a covered call may have, in bps: the contracts' highest is 40 %.
pub(super) const CALL_DELTA: RangeInclusive<i64> = 100..=4_000;
/// Deltas a leg of a bought spread may have, in bps.
const LEG_DELTA: RangeInclusive<i64> = 100..=9_900;

const STRIKE_DIFF: Spec = ("strike_diff_usdc", "distance of the spread's strikes, for strategy and limits");
const BY: Spec = ("by", "ratio: by mark over strike distance; delta: by the deltas of both legs");
const TARGET_RATIO: Spec = ("target_ratio_bps", "mark over strike distance the spread should be nearest to");
const TICKER_AGE: Spec = ("ticker_age_max_ms", "oldest usable venue ticker, of options and collateral");

/// The section, field by field.
pub(super) struct Fields {
    choice: Choice,
    pub(super) ticker_age: Field<Span>,
}

/// How instruments are chosen.
enum Choice {
    Call { target: Field<Ratio>, min: Field<Ratio>, max: Field<Ratio> },
    Ratio { strike_diff: Field<Price>, target: Field<Bps>, min: Field<Bps>, max: Field<Bps> },
    Deltas { strike_diff: Field<Price>, bought: Field<Ratio>, sold: Field<Ratio> },
}

/// A delta; range and default in basis points of one.
pub(super) fn delta(section: &Section<'_>, spec: Spec, range: RangeInclusive<i64>, default_bps: i64) -> Field<Ratio> {
    let range = Ratio::from_bps(*range.start())..=Ratio::from_bps(*range.end());
    section.decimal(spec, "delta", range, Some(Ratio::from_bps(default_bps)))
}

fn call(s: &Section<'_>) -> Choice {
    Choice::Call {
        target: delta(s, ("target_delta", "delta the call should be nearest to"), CALL_DELTA, 1_000),
        min: delta(s, ("delta_min", "lowest delta of a call that is chosen"), CALL_DELTA, 500),
        max: delta(s, ("delta_max", "highest delta of a call that is chosen"), CALL_DELTA, 1_500),
    }
}

fn spread(s: &Section<'_>, seeds: &Seeds) -> Choice {
    // Sellers know no second way, so they are not asked.
    let asked = seeds.product == Product::LongCallSpread;
    let by = asked.then(|| s.choice(BY, &[("ratio", "ratio"), ("delta", "delta")], Some("ratio")));
    let range = Price::ONE..=Price::whole(100_000);
    let strike_diff = s.decimal(STRIKE_DIFF, "USDC", range, seeds.strike_diff);
    if by.and_then(|by| by.value) == Some("delta") {
        let bought = delta(s, ("bought_delta", "delta the bought call should be near to"), LEG_DELTA, 6_500);
        let sold = delta(s, ("sold_delta", "delta the sold call should be near to"), LEG_DELTA, 3_500);
        return Choice::Deltas { strike_diff, bought, sold };
    }
    let [min, target, max] = seeds.ratio_bps;
    Choice::Ratio {
        strike_diff,
        target: s.bps(TARGET_RATIO, 1..=9_999, target),
        min: s.bps(("ratio_min_bps", "lowest such ratio of a spread that is chosen"), 1..=9_999, min),
        max: s.bps(("ratio_max_bps", "highest such ratio of a spread that is chosen"), 1..=9_999, max),
    }
}

impl Fields {
    pub(super) fn read(section: Section<'_>, seeds: &Seeds) -> Fields {
        let choice = if seeds.product.is_spread() { spread(&section, seeds) } else { call(&section) };
        let ticker_age = section.ms(TICKER_AGE, 1_000..=30_000, 5_000);
        section.finish();
        Fields { choice, ticker_age }
    }

    /// Distance of a spread's strikes; none for a single call.
    pub(super) fn strike_diff(&self) -> Option<&Field<Price>> {
        match &self.choice {
            Choice::Call { .. } => None,
            Choice::Ratio { strike_diff, .. } | Choice::Deltas { strike_diff, .. } => Some(strike_diff),
        }
    }

    /// Against itself and the limits.
    pub(super) fn check(&self, limits: &limits::Fields, notes: &RefCell<Notes>) {
        let outside = "it could never be chosen";
        let hard = "what is chosen would be refused";
        match &self.choice {
            Choice::Call { target, min, max } => {
                min.at_most(target, outside, notes);
                target.at_most(max, outside, notes);
                if let limits::Kind::Call { delta_min, delta_max, .. } = &limits.kind {
                    delta_min.at_most(min, hard, notes);
                    max.at_most(delta_max, hard, notes);
                }
            }
            Choice::Ratio { target, min, max, .. } => {
                min.at_most(target, outside, notes);
                target.at_most(max, outside, notes);
                if let limits::Kind::Spread { ratio_min, ratio_max, .. } = &limits.kind {
                    ratio_min.at_most(min, hard, notes);
                    max.at_most(ratio_max, hard, notes);
                }
            }
            Choice::Deltas { bought, sold, .. } => sold.below(bought, "the nearer strike is the bought one", notes),
        }
    }

    pub(super) fn build(&self) -> Option<Selection> {
        Some(match &self.choice {
            Choice::Call { target, min, max } => {
                Selection::Delta { target: target.value?, min: min.value?, max: max.value? }
            }
            Choice::Ratio { strike_diff, target, min, max } => Selection::SpreadRatio {
                strike_diff: strike_diff.value?,
                target: share(target)?,
                min: share(min)?,
                max: share(max)?,
            },
            Choice::Deltas { strike_diff, bought, sold } => {
                Selection::SpreadDelta { strike_diff: strike_diff.value?, bought: bought.value?, sold: sold.value? }
            }
        })
    }
}
