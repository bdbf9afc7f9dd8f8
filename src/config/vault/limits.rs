//! `[vault.limits]`: what no order may break. Ranges end where the mandate's contract ends.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use super::bounds::usdc;
use super::{Margin, bounds, fair};
use crate::base::num::{Amount, Cash, Ratio, Rounding, div_round};
use crate::base::time::SEC;
use crate::config::read::{Bps, Field, Notes, Section, Span, Spec};
use crate::risk::limits::Limits;
use crate::risk::wall::BasisWall;

/// ln 2 in 1e-18: a half-life in seconds divides it to a decay per second.
const LN2_E18: i128 = 693_147_180_559_945_309;
/// Largest order, in base or contracts.
const AMOUNT_MAX: Amount = Amount::whole(1_000_000);

const LEVERAGE_MAX: Spec = ("leverage_max_x", "highest leverage a base order may lead to");
const LOSS_EMA: Spec = ("loss_ema_max_bps", "loss against mark allowed, decaying, as a share of TVL");
const LOSS_HALF_LIFE: Spec = ("loss_half_life_s", "time in which that loss counts half");
const DRAWDOWN: Spec = ("drawdown_max_bps", "fall of TVL in base from its highest at which the vault drains");
const OFF_PEG: Spec =
    ("off_peg_max_s", "time off its peg, by mark_deviation_max_bps or the ratio's band, at which it drains");

/// Decay per second in 1e-18 of what counts half after that time.
pub(super) fn decay_of(Span(half_life_ns): Span) -> i128 {
    div_round(LN2_E18, i128::from(half_life_ns / SEC), Rounding::HalfUp)
}

/// A multiple of TVL; range and default in basis points.
pub(super) fn tvl(section: &Section<'_>, spec: Spec, range: RangeInclusive<i64>, default: i64) -> Field<Ratio> {
    let range = Ratio::from_bps(*range.start())..=Ratio::from_bps(*range.end());
    section.decimal(spec, "× TVL", range, Some(Ratio::from_bps(default)))
}

/// The section, field by field.
pub(super) struct Fields {
    pub(super) delta_min: Field<Ratio>,
    pub(super) delta_max: Field<Ratio>,
    pub(super) leverage_min: Field<Ratio>,
    pub(super) leverage_max: Field<Ratio>,
    pub(super) mark_offset: Field<Bps>,
    pub(super) loss_ema: Field<Bps>,
    loss_half_life: Field<Span>,
    pub(super) quote_amount: Field<Amount>,
    pub(super) hedge_amount: Field<Amount>,
    notional: Field<Cash>,
    borrow: Field<Cash>,
    pub(super) buffer: Field<Bps>,
    drawdown: Field<Bps>,
    off_peg: Field<Span>,
    pub(super) bounds: bounds::Fields,
}

impl Fields {
    pub(super) fn read(section: Section<'_>) -> Fields {
        let s = &section;
        let amounts = Amount::from_raw(1)..=AMOUNT_MAX;
        let fields = Fields {
            delta_min: tvl(s, ("delta_min_x", "lowest delta an order may lead to"), 7_000..=10_000, 9_800),
            delta_max: tvl(s, ("delta_max_x", "highest delta an order may lead to"), 10_000..=13_000, 10_200),
            leverage_min: tvl(s, ("leverage_min_x", "lowest leverage a base order may lead to"), 0..=10_000, 9_000),
            leverage_max: tvl(s, LEVERAGE_MAX, 10_000..=30_500, 20_000),
            mark_offset: s.bps(("mark_offset_max_bps", "furthest a limit price may be from the mark"), 1..=200, 100),
            loss_ema: s.bps(LOSS_EMA, 1..=150, 20),
            loss_half_life: s.seconds(LOSS_HALF_LIFE, 3_466..=86_400, 3_600),
            quote_amount: s.decimal(("quote_amount_max_base", "largest quote"), "base", amounts.clone(), None),
            hedge_amount: s.decimal(("hedge_amount_max_contracts", "largest hedge"), "contracts", amounts, None),
            notional: usdc(s, ("notional_max_usdc", "largest order"), 1..=1_000_000_000, None),
            borrow: usdc(s, ("borrow_max_usdc", "largest borrow if every buy fills"), 1..=10_000_000_000, None),
            buffer: s.bps(("margin_buffer_bps", "share of TVL kept free of initial margin"), 0..=5_000, 100),
            drawdown: s.bps(DRAWDOWN, 1..=5_000, 200),
            off_peg: s.seconds(OFF_PEG, 1..=3_600, 30),
            bounds: bounds::Fields::read(s, 200..=2_000, 500),
        };
        if let Some(decay) = fields.loss_decay_e18() {
            s.derived(("loss_decay_e18", "decay of that loss, from its half-life"), decay, "1e-18 per s");
        }
        section.finish();
        fields
    }

    /// Limits against the rest of the vault.
    pub(super) fn check(&self, fair: &fair::Fields, notes: &RefCell<Notes>) {
        self.bounds.value_age.at_most(&fair.ticker_age, "a value would outlive its ticker", notes);
        self.quote_amount.at_most(&self.hedge_amount, "a filled quote must be hedged by one order", notes);
        self.notional.at_most(&self.borrow, "one order could not be paid for", notes);
    }

    fn loss_decay_e18(&self) -> Option<i128> {
        self.loss_half_life.value.map(decay_of)
    }

    pub(super) fn build(&self, margin: &Margin, wall: BasisWall) -> Option<Limits> {
        let bounds = self.bounds.build()?;
        Some(Limits {
            delta_min: self.delta_min.value?,
            delta_max: self.delta_max.value?,
            leverage_min: self.leverage_min.value?,
            leverage_max: self.leverage_max.value?,
            mark_offset_max: self.mark_offset.value?.ratio(),
            loss_ema_max: self.loss_ema.value?.ratio(),
            loss_decay_e18: self.loss_decay_e18()?,
            quote_amount_max: self.quote_amount.value?,
            hedge_amount_max: self.hedge_amount.value?,
            notional_max: self.notional.value?,
            borrow_max: self.borrow.value?,
            margin_factor: margin.factor.value?.ratio(),
            perp_requirement: margin.requirement.value?.ratio(),
            margin_buffer: self.buffer.value?.ratio(),
            drawdown_max: self.drawdown.value?.ratio(),
            off_peg_ns_max: self.off_peg.value?.0,
            losses: bounds.losses,
            fills_per_minute_max: bounds.fills_per_minute_max,
            order_life_ns: bounds.order_life_ns,
            reject_after_ns: bounds.reject_after_ns,
            clock_offset_ns_max: bounds.clock_offset_ns_max,
            value_age_ns_max: bounds.value_age_ns_max,
            cash_tolerance: bounds.cash_tolerance,
            wall,
        })
    }
}
