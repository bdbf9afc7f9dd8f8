//! What must hold in every week, worked out anew from the venue's marks and books rather than believed from the engine.

use super::recorder::price;
use crate::base::ids::{Right, Side};
use crate::base::num::Price;
use crate::base::time::{Nanos, SEC};
use crate::exchange::{OptionMark, SubaccountReport};
use crate::market::black76::black76;
use crate::market::instrument::Instrument;
use crate::msg::{Fill, Milestone, Phase, Product};
use crate::ops::blueprint::OptionPlan;
use crate::sim::record::Week;
use crate::sim::rig::Rig;
use crate::strategy::options::params::{AuctionTerms, IvDecay};
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

/// Marks move between the moment a price was demanded and its fill: a share of the price.
const DRIFT: f64 = 0.05;
/// Rounding of prices, in dollars.
const ROUNDING: f64 = 0.02;

/// The vault's rules, and what is needed to hold it to them.
pub(super) struct Checks {
    plan: OptionPlan,
    started_at: Nanos,
    /// When the collateral auction began.
    spot_started_at: Nanos,
    /// Opening of the vault's RFQ, as the venue has it, newest first.
    rfq_opened: [Nanos; 2],
}

impl Checks {
    pub(super) fn new(plan: &OptionPlan) -> Checks {
        Checks { plan: *plan, started_at: Nanos::ZERO, spot_started_at: Nanos::ZERO, rfq_opened: [Nanos::ZERO; 2] }
    }

    fn product(&self) -> Product {
        self.plan.params.product
    }

    pub(super) fn is_spread(&self) -> bool {
        self.product().is_spread()
    }

    /// Prices of what the vault sells are received, of what it buys paid.
    pub(super) fn sign(&self, phase: Phase) -> Decimal {
        let bought = phase == Phase::OptionAuction && self.product().side() == Side::Buy;
        if bought { Decimal::NEGATIVE_ONE } else { Decimal::ONE }
    }

    /// Notes when the vault's RFQ was opened.
    pub(super) fn note_rfqs(&mut self, rig: &Rig) {
        let newest = rig.venue.exchange.house_rfqs().iter().map(|rfq| rfq.created_at).max();
        if let Some(opened) = newest.filter(|opened| *opened > self.rfq_opened[0]) {
            self.rfq_opened = [opened, self.rfq_opened[0]];
        }
    }

    /// The venue's own valuation of one of the vault's options.
    fn mark(&self, rig: &Rig, expiry_s: u64, strike: Decimal) -> Option<OptionMark> {
        let exchange = &rig.venue.exchange;
        let right = if self.product().right() == Right::Call { "C" } else { "P" };
        let end = format!("-{}-{right}", strike.normalize());
        let listed = exchange.listed_options(&self.plan.currency, expiry_s);
        let name =
            listed.into_iter().find_map(|(_, call, put)| [call, put].into_iter().find(|name| name.ends_with(&end)))?;
        exchange.option_mark(&name)
    }

    /// Delta and ratio of what was chosen, and the mark of a unit, from the venue's own marks.
    pub(super) fn choice(&mut self, rig: &Rig, milestone: &Milestone) -> (Decimal, Decimal, Decimal) {
        self.started_at = milestone.started_at;
        let strikes = milestone.strikes.iter().filter(|strike| strike.is_positive());
        let marks: Vec<_> =
            strikes.clone().filter_map(|strike| self.mark(rig, milestone.expiry_s, price(*strike))).collect();
        let round = |number: f64| Decimal::from_f64(number).unwrap_or_default().round_dp(4);
        match marks.as_slice() {
            [one] => (round(one.delta), Decimal::ZERO, one.price),
            [one, other] => {
                let unit = (one.price - other.price).abs();
                let distance: Vec<f64> = strikes.map(|strike| strike.to_f64()).collect();
                let ratio = unit.to_f64().unwrap_or_default() / (distance[0] - distance[1]).abs();
                let near = if one.price >= other.price { one } else { other };
                (round(near.delta), round(ratio), unit)
            }
            _ => Default::default(),
        }
    }

    /// Shorts within collateral, by the venue's books.
    pub(super) fn coverage(&self, report: &SubaccountReport, collateral: &str) -> Option<String> {
        let base = report.balances.get(collateral).copied().unwrap_or_default();
        let short: Decimal = report.positions.values().map(|position| (-position.amount).max(Decimal::ZERO)).sum();
        let seller = self.product().side() == Side::Sell;
        (seller && short > base).then(|| format!("short {short} options against {base} {collateral}"))
    }

    /// A call must not be sold below Black-76 at the volatility the clock demands.
    pub(super) fn call_price(&self, rig: &Rig, fill: &Fill, instrument: &Instrument) -> Option<String> {
        let option = instrument.option?;
        let AuctionTerms::Limit(terms) = self.plan.params.auction else { return None };
        let mark = self.mark(rig, option.expiry_s, price(option.strike))?;
        let elapsed_s = fill.venue_at.since(self.started_at) as f64 / SEC as f64;
        let vol = match terms.decay {
            IvDecay::Additive { init, per_s, max, floor } => {
                let fallen = (init.to_f64() + per_s.to_f64() * elapsed_s).min(max.to_f64());
                (mark.vol - fallen).max(floor.to_f64())
            }
            IvDecay::Multiplicative { init, per_min, max } => {
                mark.vol * (1.0 - (init.to_f64() + per_min.to_f64() * elapsed_s / 60.0).min(max.to_f64()))
            }
        };
        let years = option.seconds_left(fill.venue_at) as f64 / 31_536_000.0;
        let worth = black76(option.right, mark.forward.to_f64()?, option.strike.to_f64(), vol, years, 1.0)?.price;
        let least = worth * (1.0 - DRIFT) - terms.reprice_min.to_f64() - instrument.tick.to_f64();
        let got = fill.price.to_f64();
        (got < least).then(|| format!("a call was sold at {got}, the auction's clock demanded {worth:.3}"))
    }

    /// A spread must not be traded beyond what its lot's clock allows.
    pub(super) fn package_price(&self, at: Nanos, got: Decimal, mark: Decimal) -> Option<String> {
        let AuctionTerms::Rfq(terms) = self.plan.params.auction else { return None };
        let opened = self.rfq_opened.into_iter().find(|opened| *opened <= at && *opened > Nanos::ZERO);
        let Some(opened) = opened else { return Some("a package was executed without an RFQ".to_owned()) };
        let elapsed_s = at.since(opened) as f64 / SEC as f64;
        if elapsed_s + 0.001 < terms.freeze_s as f64 {
            return Some(format!("a quote was executed {elapsed_s:.1} s after the RFQ, within the freeze"));
        }
        let spread = (terms.init_spread.to_f64() + terms.spread_per_min.to_f64() * elapsed_s / 60.0)
            .min(terms.max_spread.to_f64());
        let (got, mark) = (got.to_f64()?, mark.to_f64()?);
        let limit = if mark > 0.0 { mark / (1.0 + spread) } else { mark * (1.0 + spread) };
        let least = limit - limit.abs() * DRIFT - ROUNDING;
        (got < least).then(|| format!("a unit was traded at {got}, the lot's clock demanded {limit:.4}"))
    }

    /// Notes when the collateral auction began.
    pub(super) fn begin_spot(&mut self, milestone: &Milestone) {
        self.spot_started_at = milestone.started_at;
    }

    /// Collateral is traded no further from its mark than the auction's clock allows.
    pub(super) fn collateral_price(&self, fill: &Fill) -> Option<String> {
        let terms = &self.plan.params.collateral;
        let elapsed_s = fill.venue_at.since(self.spot_started_at) as f64 / SEC as f64;
        let away = Price::from_raw((fill.price - fill.mark).raw() * fill.side.sign()).to_f64() / fill.mark.to_f64();
        let spread = terms.init_spread.to_f64() + terms.spread_per_s.to_f64() * elapsed_s;
        let most = spread.min(terms.max_spread.to_f64()) + 0.002;
        let words =
            || format!("collateral was traded {:.1} bp beyond its mark after {elapsed_s:.0} s", away * 10_000.0);
        (away > most).then(words)
    }

    /// What the week's positions pay at its settlement price.
    pub(super) fn payoff(&self, week: &Week) -> Decimal {
        let inside = |strike: Decimal| {
            let paid = match self.product().right() {
                Right::Call => week.settlement - strike,
                Right::Put => strike - week.settlement,
            };
            paid.max(Decimal::ZERO)
        };
        let mut worth: Vec<Decimal> = week.strikes.iter().map(|strike| inside(*strike)).collect();
        worth.sort();
        // The nearer strike pays no less than the farther one.
        let unit = match worth.as_slice() {
            [one] => *one,
            [far, near] => near - far,
            _ => Decimal::ZERO,
        };
        let sign = if self.product().side() == Side::Sell { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
        sign * unit * week.units
    }

    /// Cash flat, principal kept.
    pub(super) fn week_end(&self, rig: &Rig, week: &Week) -> Vec<String> {
        let mut wrong = Vec::new();
        let terms = &self.plan.params.collateral;
        let base = rig.base();
        let least = super::recorder::amount(base.min_amount) * week.base_price;
        let dust = Decimal::try_from_i128_with_scale(terms.dust.raw(), 18).unwrap_or_default();
        if week.cash_left.abs() > dust + least {
            wrong.push(format!("week {}: {} USDC left", week.week, week.cash_left));
        }
        if self.product().side() == Side::Buy && week.option_fees - week.premium > week.budget {
            let spent = week.option_fees - week.premium;
            wrong.push(format!("week {}: {spent} spent of a budget of {}", week.week, week.budget));
        }
        wrong
    }
}
