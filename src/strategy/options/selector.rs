//! Which options a vault trades this week: the expiry, then one strike by delta or two by price or delta.
//!
//! It chooses only from a whole chain of fresh values, and the same chain always gives the same choice.

use std::cmp::Reverse;

use crate::base::ids::{InstrumentId, Right, Side};
use crate::base::num::{Price, Ratio, Rounding};
use crate::base::time::Nanos;
use crate::msg::{Guards, LEGS, OptionValue, Product, Value};
use crate::strategy::options::ChainLine;
use crate::strategy::options::params::{Selection, Week};

/// One chosen instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chosen {
    /// Which.
    pub instrument: InstrumentId,
    /// Its strike.
    pub strike: Price,
    /// Side on which the vault ends up.
    pub side: Side,
}

/// The instruments of one auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pick {
    /// Expiry, unix seconds.
    pub expiry_s: u64,
    /// Legs, sorted by instrument name; a covered call has one.
    pub legs: [Option<Chosen>; LEGS],
    /// Index of the options when they were chosen.
    pub index: Price,
}

impl Pick {
    /// The legs there are.
    pub fn legs(&self) -> impl Iterator<Item = &Chosen> {
        self.legs.iter().flatten()
    }

    /// Strikes in the order of the legs, zero where none.
    pub fn strikes(&self) -> [Price; LEGS] {
        self.legs.map(|leg| leg.map_or(Price::ZERO, |leg| leg.strike))
    }
}

/// What a choice starts from.
#[derive(Clone, Copy)]
pub struct Chain<'a> {
    /// Listed options.
    pub lines: &'a [ChainLine],
    /// What is traded.
    pub product: Product,
    /// The moment.
    pub at: Nanos,
}

/// An option with what the choice needs of it.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    line: &'a ChainLine,
    strike: Price,
    value: &'a Value,
    model: OptionValue,
}

/// True while a value may be traded on.
pub fn is_fresh(value: &Value, at: Nanos) -> bool {
    value.guards.is_clear() && at <= value.good_until && value.mark.is_positive()
}

impl<'a> Chain<'a> {
    fn listed(&self) -> impl Iterator<Item = (&'a ChainLine, u64, Price)> + use<'a> {
        let right = self.product.right();
        self.lines.iter().filter(|line| line.instrument.active).filter_map(move |line| {
            let terms = line.instrument.option.filter(|terms| terms.right == right)?;
            Some((line, terms.expiry_s, terms.strike))
        })
    }

    /// The latest expiry with more than the least and less than the most time to live.
    pub fn expiry(&self, week: &Week) -> Option<u64> {
        let now = self.at.secs();
        let (min, max) = (now.saturating_add(week.expiry_s_min), now.saturating_add(week.expiry_days * 86_400));
        self.listed().map(|(_, expiry, _)| expiry).filter(|expiry| *expiry > min && *expiry < max).max()
    }

    /// True if every listed option of the expiry was heard, and its ticker is fresh and believed; its mark may be zero. A
    /// strike that deviates from the model is no candidate, but the others are judged with all of the chain in sight.
    pub fn is_complete(&self, expiry_s: u64) -> bool {
        self.listed().filter(|(_, expiry, _)| *expiry == expiry_s).all(|(line, ..)| {
            line.value.is_some_and(|value| !value.guards.has(Guards::NO_PRICE) && self.at <= value.good_until)
        })
    }

    /// True if a listed option of the expiry does not follow from the venue's signed feeds.
    pub fn has_deviation(&self, expiry_s: u64) -> bool {
        let mut values = self.listed().filter(|(_, expiry, _)| *expiry == expiry_s).filter_map(|(line, ..)| line.value);
        values.any(|value| value.guards.has(Guards::MODEL_DEVIATES))
    }

    fn candidates(&self, expiry_s: u64) -> impl Iterator<Item = Candidate<'a>> + Clone + use<'a> {
        let (right, at) = (self.product.right(), self.at);
        self.lines.iter().filter(|line| line.instrument.active).filter_map(move |line| {
            let terms = line.instrument.option.filter(|terms| terms.right == right && terms.expiry_s == expiry_s)?;
            let value = line.value.as_ref().filter(|value| is_fresh(value, at))?;
            Some(Candidate { line, strike: terms.strike, value, model: value.option? })
        })
    }

    /// The best instruments of an expiry, if any fit.
    pub fn select(&self, selection: &Selection, expiry_s: u64) -> Option<Pick> {
        match *selection {
            Selection::Delta { .. } => self.by_delta(selection, expiry_s),
            Selection::SpreadRatio { strike_diff, target, .. } => self.best_pair(expiry_s, strike_diff, |near, far| {
                let ratio = mark_ratio(near.value.mark, far.value.mark, near.strike, far.strike)?;
                fits(selection, ratio).then_some(((ratio - target).abs(), ratio))
            }),
            Selection::SpreadDelta { strike_diff, bought, sold } => {
                let targets = if self.product.side() == Side::Buy { (bought, sold) } else { (sold, bought) };
                self.best_pair(expiry_s, strike_diff, |near, far| {
                    let ratio = mark_ratio(near.value.mark, far.value.mark, near.strike, far.strike)?;
                    let distance = (near.model.delta.abs() - targets.0.abs()).abs()
                        + (far.model.delta.abs() - targets.1.abs()).abs();
                    Some((distance, ratio))
                })
            }
        }
    }

    /// Nearest delta; of two equally near the lower delta, then the higher strike.
    fn by_delta(&self, selection: &Selection, expiry_s: u64) -> Option<Pick> {
        let Selection::Delta { target, .. } = *selection else { return None };
        let best = self
            .candidates(expiry_s)
            .filter(|one| fits(selection, one.model.delta))
            .min_by_key(|one| ((one.model.delta - target).abs(), one.model.delta, Reverse(one.strike)))?;
        let leg = Chosen { instrument: best.line.instrument.id, strike: best.strike, side: self.product.side() };
        Some(Pick { expiry_s, legs: [Some(leg), None], index: best.value.index })
    }

    /// The pair of smallest distance; of equals the smaller ratio, then the lower strikes. A distance of zero lets any
    /// two strikes be a pair.
    fn best_pair<F>(&self, expiry_s: u64, strike_diff: Price, distance: F) -> Option<Pick>
    where
        F: Fn(&Candidate<'a>, &Candidate<'a>) -> Option<(Ratio, Ratio)>,
    {
        let sign = if self.product.right() == Right::Call { 1 } else { -1 };
        let apart = |near: &Candidate<'_>, far: &Candidate<'_>| {
            let gap = Price::from_raw((far.strike - near.strike).raw() * sign);
            if strike_diff.is_positive() { gap == strike_diff } else { gap.is_positive() }
        };
        let pairs = self.candidates(expiry_s).flat_map(|near| {
            self.candidates(expiry_s).filter(move |far| apart(&near, far)).map(move |far| (near, far))
        });
        let (_, near, far) = pairs
            .filter_map(|(near, far)| distance(&near, &far).map(|score| (score, near, far)))
            .min_by_key(|(score, near, far)| (*score, near.strike, far.strike))?;
        Some(self.spread(expiry_s, near, far))
    }

    fn spread(&self, expiry_s: u64, near: Candidate<'_>, far: Candidate<'_>) -> Pick {
        let side = self.product.side();
        let leg = |one: Candidate<'_>, side| Chosen { instrument: one.line.instrument.id, strike: one.strike, side };
        let (first, second) = (leg(near, side), leg(far, side.opposite()));
        let legs = if near.line.instrument.name.as_str() <= far.line.instrument.name.as_str() {
            [Some(first), Some(second)]
        } else {
            [Some(second), Some(first)]
        };
        Pick { expiry_s, legs, index: near.value.index }
    }
}

/// `(mark(near) − mark(far)) / strike distance`, while the nearer strike is worth more.
pub fn mark_ratio(near: Price, far: Price, near_strike: Price, far_strike: Price) -> Option<Ratio> {
    let (value, distance) = (near - far, (near_strike - far_strike).abs());
    (value.is_positive() && distance.is_positive()).then(|| value.over(distance, Rounding::HalfUp))
}

/// True if a delta (covered call: below its highest, strictly) or a spread's ratio is in the operator's range.
pub fn fits(selection: &Selection, measure: Ratio) -> bool {
    match *selection {
        Selection::Delta { min, max, .. } => measure >= min && measure < max,
        Selection::SpreadRatio { min, max, .. } => measure >= min && measure <= max,
        Selection::SpreadDelta { .. } => true,
    }
}
