//! What an option vault adds: its week, how it chooses, both its auctions, and its limits.

mod auction;
mod collateral;
mod limit_order;
mod limits;
mod mandate;
mod rfq;
mod seeds;
mod selection;
mod week;

use std::cell::RefCell;

use super::bounds::check_refresh;
use super::contract::ContractDraft;
use super::envelope;
use super::ratio::{self, Feed};
use crate::base::num::Ratio;
use crate::config::read::{Bps, Field, Notes, Section, Span};
use crate::derive::seal::envelope::FenceLimits;
use crate::msg::Product;
use crate::risk::limits::{Mandate, OptionLimits};
use crate::strategy::options::amend::Amend;
use crate::strategy::options::params::OptionParams;
use seeds::Seeds;

/// What a vault that trades options adds to a [`super::Draft`].
pub(in crate::config) struct OptionDraft {
    pub(in crate::config) option_currency: Field<String>,
    /// Of a vault that spends yield.
    pub(in crate::config) feed: Option<Feed>,
    pub(in crate::config) params: Option<OptionParams>,
    pub(in crate::config) limits: Option<OptionLimits>,
    pub(in crate::config) fence: Option<FenceLimits>,
    pub(in crate::config) lookback_ns: Option<u64>,
    pub(in crate::config) ticker_age_ns_max: Option<u64>,
}

/// Reads what is below the vault's table; `base` is its collateral, `contract` what signs for it.
pub(super) fn read(
    section: &Section<'_>,
    product: Product,
    option_currency: Field<String>,
    (base, contract): (&str, Option<&ContractDraft>),
) -> OptionDraft {
    let seeds = Seeds::of(product, option_currency.value.as_deref(), base);
    let notes = section.notes;
    let spends = product == Product::LongCallSpread;
    let (feed, lookback) = spends.then(|| ratio::earned(section.child("ratio"))).unzip();
    let week = week::Fields::read(section.child("week"), &seeds);
    let selection = selection::Fields::read(section.child("selection"), &seeds);
    let limits = limits::Fields::read(section.child("limits"), &seeds, selection.strike_diff());
    let mandate = mandate::Fields::read(section.child("mandate"), &seeds);
    let auction = auction::Fields::read(section.child("auction"), &seeds, &limits);
    let collateral = collateral::Fields::read(section.child("collateral"), &seeds);
    week.check(&limits, &collateral, notes);
    if let Some(lookback) = &lookback {
        week.check_lookback(lookback, notes);
    }
    selection.check(&limits, notes);
    mandate.check(&limits, notes);
    if let Some(contract) = contract {
        contract.check_life(&limits.bounds, &auction.refresh, notes);
        mandate.check_contract(contract, notes);
    }
    auction.check(&week, &limits, notes);
    collateral.check(&limits, notes);
    check_refresh(&auction.refresh, &limits.bounds, notes);
    limits.bounds.value_age.at_most(&selection.ticker_age, "a value would outlive its ticker", notes);
    let strike_diff = selection.strike_diff().and_then(|field| field.value);
    let built = mandate.build(product, strike_diff).and_then(|wall| limits.build(product, wall));
    let implied = built.map(|limits| FenceLimits::of(&Mandate::Options(limits)));
    let fence = envelope::Fields::read(section.child("envelope"), implied.unwrap_or(FenceLimits::CLOSED), false);
    if let Some(implied) = &implied {
        fence.check(&limits.bounds, implied, notes);
    }
    let params = || {
        Some(OptionParams {
            product,
            week: week.build()?,
            selection: selection.build()?,
            auction: auction.build()?,
            collateral: collateral.build()?,
            refusal_pause_ns: auction.pause.value?.0,
            refresh_ns: auction.refresh.value?.0,
            amend: Amend::Replace,
        })
    };
    OptionDraft {
        option_currency,
        feed,
        params: params(),
        limits: built,
        fence: fence.build(),
        lookback_ns: lookback.map_or(Some(0), |lookback| lookback.value.map(|Span(ns)| ns)),
        ticker_age_ns_max: selection.ticker_age.value.map(|Span(ns)| ns),
    }
}

/// How a spread grows: from `init` to `max` by `rate` every `every_ns`.
struct Ramp<'f> {
    init: &'f Field<Bps>,
    max: &'f Field<Bps>,
    rate: Option<Ratio>,
    every_ns: u64,
}

impl Ramp<'_> {
    /// The start must not be above the cap; a cap not reached before `end` is over is worth a warning.
    fn check(&self, end: &Field<Span>, notes: &RefCell<Notes>) {
        self.init.at_most(self.max, "the spread would start above its cap", notes);
        let (Some(init), Some(max), Some(rate), Some(Span(ns))) =
            (share(self.init), share(self.max), self.rate, end.value)
        else {
            return;
        };
        let gained = i128::from(rate.raw()) * i128::from(ns) / i128::from(self.every_ns);
        let reached = i128::from(init.raw()) + gained;
        if reached < i128::from(max.raw()) {
            let bps = reached / i128::from(Ratio::from_bps(1).raw());
            self.max.warn(format!("never reached: the spread is {bps} bps when {} is over", end.path), notes);
        }
    }
}

/// A share in basis points as a ratio.
fn share(field: &Field<Bps>) -> Option<Ratio> {
    field.value.map(Bps::ratio)
}
