//! `[vault.auction]` of the spread vaults: lots offered to makers by RFQ, each at a price that gives way with time.

use std::cell::RefCell;

use super::{Ramp, limits, seeds::Seeds, share};
use crate::base::num::{Amount, Price, Ratio};
use crate::base::time::SEC;
use crate::config::read::{Bps, Field, Notes, Section, Span, Spec};
use crate::msg::Product;
use crate::strategy::options::params::RfqAuction;

/// One whole in basis points.
const ONE: i64 = 10_000;

const LOT_SIZE: Spec = ("lot_size_contracts", "largest lot");
const LOT_ROUNDING: Spec = ("lot_rounding_contracts", "lots are multiples of this");
const LOT_LIFE: Spec = ("lot_life_s", "life of a lot from its RFQ");
const FREEZE: Spec = ("freeze_s", "no quote is taken in this first part of a lot's life");
const INIT: Spec =
    ("init_spread_bps", "spread at a lot's start: sellers ask mark / (1 + s), buyers pay mark * (1 + s)");
const PER_MIN: Spec = ("spread_bps_per_min", "growth of that spread");
const MAX: Spec = ("max_spread_bps", "cap of that spread");
const COST_MIN: Spec = ("unit_cost_min_usdc", "lowest cost of one spread; negative: what a seller is content with");
const COST_MAX: Spec = ("unit_cost_max_usdc", "highest cost of one spread; negative: what a seller must receive");
const STEP: Spec = ("partial_fill_step_bps", "share of a lot that makers quote multiples of; 10000: only whole lots");
const MAKER_PAUSE: Spec = ("maker_pause_ms", "pause with a maker whose quote failed; doubles within a lot");
const POLL: Spec = ("poll_ms", "how often open quotes are asked for, beside what is pushed");
const BUDGET: Spec = ("budget_share_bps", "share of the accrued yield that is spent");
const BUDGET_MAX: Spec = ("budget_share_max_bps", "most spent in one auction, as a share of the collateral's value");

/// These fields of the section.
pub(super) struct Fields {
    product: Product,
    lot_size: Field<Amount>,
    lot_rounding: Field<Amount>,
    lot_life: Field<Span>,
    freeze: Field<Span>,
    init: Field<Bps>,
    per_min: Field<Bps>,
    max: Field<Bps>,
    cost_min: Field<Price>,
    cost_max: Field<Price>,
    step: Field<i64>,
    maker_pause: Field<Span>,
    poll: Field<Span>,
    /// Share of the yield and of the collateral; buyers only.
    budget: Option<(Field<Bps>, Field<Bps>)>,
}

/// Bounds of a unit's cost: what sellers must receive is negative, what buyers pay is not.
fn costs(s: &Section<'_>, seeds: &Seeds) -> (Field<Price>, Field<Price>) {
    let cent = Price::from_raw(10_000_000);
    let far = Price::whole(100_000);
    let (low, high) = match seeds.product {
        Product::LongCallSpread => (Price::ZERO..=far, cent..=far),
        _ => (-far..=-cent, -far..=-cent),
    };
    let [min, max] = seeds.unit_cost.map_or([None, None], |costs| costs.map(Some));
    (s.decimal(COST_MIN, "USDC", low, min), s.decimal(COST_MAX, "USDC", high, max))
}

impl Fields {
    pub(super) fn read(s: &Section<'_>, seeds: &Seeds) -> Fields {
        let amounts = Amount::from_raw(1)..=Amount::whole(1_000_000);
        let [size, rounding] = seeds.lot.map_or([None, None], |lot| lot.map(Some));
        let [per_min, max] = seeds.spread_bps;
        let buys = seeds.product == Product::LongCallSpread;
        // A mandate accepts no price beyond these, so there is no use in asking for one.
        let spreads = if buys { 0..=5_000 } else { 0..=23_333 };
        let lot_size = s.decimal(LOT_SIZE, "contracts", amounts.clone(), size);
        let lot_rounding = s.decimal(LOT_ROUNDING, "contracts", amounts, rounding);
        let lot_life = s.seconds(LOT_LIFE, 10..=540, 120);
        let freeze = s.seconds(FREEZE, 0..=300, 15);
        let init = s.bps(INIT, spreads.clone(), 0);
        let per_min = s.bps(PER_MIN, 0..=100_000, per_min);
        let max = s.bps(MAX, spreads, max);
        let (cost_min, cost_max) = costs(s, seeds);
        Fields {
            product: seeds.product,
            lot_size,
            lot_rounding,
            lot_life,
            freeze,
            init,
            per_min,
            max,
            cost_min,
            cost_max,
            step: s.integer(STEP, "bps", 1..=ONE, Some(ONE)),
            maker_pause: s.ms(MAKER_PAUSE, 100..=60_000, 4_000),
            poll: s.ms(POLL, 200..=10_000, 500),
            budget: buys.then(|| (s.bps(BUDGET, 1..=ONE, ONE), s.bps(BUDGET_MAX, 1..=200, 100))),
        }
    }

    pub(super) fn check(&self, auction: &Field<Span>, limits: &limits::Fields, notes: &RefCell<Notes>) {
        self.check_lots(auction, limits, notes);
        let rate = share(&self.per_min);
        Ramp { init: &self.init, max: &self.max, rate, every_ns: 60 * SEC }.check(&self.lot_life, notes);
        self.cost_min.below(&self.cost_max, "no price could be agreed", notes);
        let limits::Kind::Spread { strike_diff, tolerance, .. } = &limits.kind else { return };
        if self.product == Product::LongCallSpread {
            if let (Some(most), Some(diff)) = (self.cost_max.value, strike_diff)
                && most > *diff
            {
                let what = format!("{most} is more than a spread of {diff} can ever be worth");
                self.cost_max.refuse(what, format!("at most {diff}"), notes);
            }
        } else if let (Some(least), Some(diff)) = (self.cost_max.value, strike_diff)
            && -least >= *diff
        {
            let what = format!("a spread of {diff} is never sold for {}", -least);
            self.cost_max.refuse(what, format!("above {}", -*diff), notes);
        }
        self.check_tolerance(tolerance, notes);
    }

    fn check_lots(&self, auction: &Field<Span>, limits: &limits::Fields, notes: &RefCell<Notes>) {
        self.lot_size.at_most(&limits.option_amount, "every full lot would be refused", notes);
        if let (Some(size), Some(rounding)) = (self.lot_size.value, self.lot_rounding.value)
            && size.raw() % rounding.raw() != 0
        {
            let what = format!("{} {size} is not a multiple of {rounding}", self.lot_size.path);
            self.lot_rounding.refuse(what, format!("a whole part of {size}"), notes);
        }
        if let Some(step) = self.step.value
            && ONE % step != 0
        {
            let what = format!("multiples of {step} bps never make a whole lot");
            self.step.refuse(what, "a whole part of 10000", notes);
        }
        self.freeze.below(&self.lot_life, "no quote could be taken", notes);
        self.lot_life.at_most(auction, "no lot could live out its time", notes);
        self.poll.at_most(&self.lot_life, "no lot would be asked for its quotes", notes);
    }

    /// The widest spread against the mandate's tolerance.
    fn check_tolerance(&self, tolerance: &Field<Bps>, notes: &RefCell<Notes>) {
        let (Some(Bps(max)), Some(Bps(hard))) = (self.max.value, tolerance.value) else { return };
        let most = match self.product {
            Product::LongCallSpread => hard - ONE,
            _ => ONE * ONE / hard - ONE,
        };
        if max > most {
            let what = format!("{max} bps is beyond {} {hard} bps: executions would be refused", tolerance.path);
            self.max.refuse(what, format!("at most {most} bps"), notes);
        }
    }

    pub(super) fn build(&self, reselect_move: Ratio) -> Option<RfqAuction> {
        let (budget_share, budget_share_max) = match &self.budget {
            Some((budget, max)) => (share(budget)?, share(max)?),
            None => (Ratio::ZERO, Ratio::ZERO),
        };
        Some(RfqAuction {
            lot_size: self.lot_size.value?,
            lot_rounding: self.lot_rounding.value?,
            lot_life_s: self.lot_life.value?.0 / SEC,
            freeze_s: self.freeze.value?.0 / SEC,
            init_spread: share(&self.init)?,
            spread_per_min: share(&self.per_min)?,
            max_spread: share(&self.max)?,
            unit_cost_min: self.cost_min.value?,
            unit_cost_max: self.cost_max.value?,
            partial_fill_step: Ratio::from_bps(self.step.value?),
            maker_pause_ns: self.maker_pause.value?.0,
            poll_ns: self.poll.value?.0,
            reselect_move,
            budget_share,
            budget_share_max,
        })
    }
}
