//! The limits every vault has, whatever it trades: pace, signatures, clocks, ages.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use crate::base::num::Cash;
use crate::base::time::SEC;
use crate::config::read::{Bps, Field, Notes, Section, Span, Spec};
use crate::risk::losses::LossBudgets;

const LOSS_HOUR: Spec = ("loss_per_hour_max_bps", "loss in an hour, as a share of value, at which the vault drains");
const LOSS_DAY: Spec = ("loss_per_day_max_bps", "loss in a day, as a share of value, at which the vault drains");
const FILLS: Spec = ("fills_per_minute_max", "fills at which the vault drains");
const REJECT_AFTER: Spec = ("reject_after_ms", "the venue refuses an order arriving later than this");
const CASH_TOLERANCE: Spec = ("cash_tolerance_usdc", "difference to the venue that accrual and rounding explain");

/// A signature shorter-lived than this beyond its refresh would be renewed all the time.
const REST_NS_MIN: u64 = 5 * SEC;

/// Refuses a refresh so early that orders would be replaced as soon as they rest.
pub(super) fn check_refresh(refresh: &Field<Span>, bounds: &Fields, notes: &RefCell<Notes>) {
    if let (Some(Span(early)), Some(Span(life))) = (refresh.value, bounds.order_life.value)
        && early + REST_NS_MIN > life
    {
        let what = format!("orders of {} would be replaced all the time", bounds.order_life.path);
        let most = Span(life - REST_NS_MIN);
        refresh.refuse(what, format!("at most {most} with this order life"), notes);
    }
}

/// An amount of money; range in whole USDC.
pub(super) fn usdc(
    section: &Section<'_>,
    spec: Spec,
    range: RangeInclusive<i64>,
    default: Option<Cash>,
) -> Field<Cash> {
    section.decimal(spec, "USDC", Cash::whole(*range.start())..=Cash::whole(*range.end()), default)
}

/// These fields of `[vault.limits]`.
pub(super) struct Fields {
    loss_hour: Field<Bps>,
    loss_day: Field<Bps>,
    fills_per_minute: Field<i64>,
    pub(super) order_life: Field<Span>,
    reject_after: Field<Span>,
    clock_offset: Field<Span>,
    pub(super) value_age: Field<Span>,
    cash_tolerance: Field<Cash>,
}

/// These fields, checked.
pub(super) struct Bounds {
    pub(super) losses: LossBudgets,
    pub(super) fills_per_minute_max: u32,
    pub(super) order_life_ns: u64,
    pub(super) reject_after_ns: u64,
    pub(super) clock_offset_ns_max: u64,
    pub(super) value_age_ns_max: u64,
    pub(super) cash_tolerance: Cash,
}

impl Fields {
    /// Range and default of the age are in milliseconds.
    pub(super) fn read(s: &Section<'_>, age_ms: RangeInclusive<i64>, age_default_ms: i64) -> Fields {
        let [loss_hour, loss_day] = [s.bps(LOSS_HOUR, 1..=5_000, 200), s.bps(LOSS_DAY, 1..=5_000, 400)];
        loss_hour.at_most(&loss_day, "an hour is part of a day", s.notes);
        Fields {
            loss_hour,
            loss_day,
            fills_per_minute: s.integer(FILLS, "per minute", 1..=1_000, Some(60)),
            order_life: s.seconds(("order_life_s", "life of an order's signature"), 310..=599, 310),
            reject_after: s.ms(REJECT_AFTER, 50..=1_000, 1_000),
            clock_offset: s.ms(("clock_offset_max_ms", "furthest our clock may be from the venue's"), 1..=1_000, 500),
            value_age: s.ms(("value_age_max_ms", "oldest value an order may rest on"), age_ms, age_default_ms),
            cash_tolerance: usdc(s, CASH_TOLERANCE, 0..=1_000, Some(Cash::ONE)),
        }
    }

    pub(super) fn build(&self) -> Option<Bounds> {
        let losses = LossBudgets { hour: self.loss_hour.value?.ratio(), day: self.loss_day.value?.ratio() };
        Some(Bounds {
            losses,
            fills_per_minute_max: u32::try_from(self.fills_per_minute.value?).ok()?,
            order_life_ns: self.order_life.value?.0,
            reject_after_ns: self.reject_after.value?.0,
            clock_offset_ns_max: self.clock_offset.value?.0,
            value_age_ns_max: self.value_age.value?.0,
            cash_tolerance: self.cash_tolerance.value?,
        })
    }
}
