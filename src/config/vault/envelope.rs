//! `[vault.envelope]`: what the signer holds every signature to, on its own. Defaults follow from the vault's limits.

use std::cell::RefCell;

use super::bounds::{self, usdc};
use crate::base::num::{Cash, Ratio};
use crate::base::time::{MS, SEC};
use crate::config::read::{Bps, Field, Notes, Section, Span, Spec};
use crate::derive::seal::envelope::{FenceLimits, LIFE_S_MAX};

/// Most money any field may hold.
const USDC_MAX: i64 = 100_000_000_000;

const PACE: Spec = ("orders_per_minute_max", "signatures the signer gives");
const NOTIONAL: Spec = ("notional_per_order_usdc", "largest order signed; options count with their strike");
const HOUR: Spec = ("notional_per_hour_usdc", "most signed for in an hour, replaced orders included");
const DAY: Spec = ("notional_per_day_usdc", "most signed for in a day, replaced orders included");
const BOUGHT: Spec = ("perp_bought_per_day_usdc", "most signed to buy of the perp in a day");
const GIVEN_HOUR: Spec =
    ("give_away_per_hour_usdc", "most signed away in an hour: wrong side of the signer's mark, and fees, times amount");
const GIVEN_DAY: Spec =
    ("give_away_per_day_usdc", "most signed away in a day; a replaced order counts once with its replacement");
const PRICE: Spec = ("price_band_bps", "furthest an order may be on the wrong side of the mark the signer saw");
const OPTION: Spec = ("option_band_bps", "the same for options and spreads, as a share of their own mark");
const FEE: Spec = ("fee_max_bps", "highest fee signed for, as a share of the order");
const PACKAGE_FEE: Spec = ("package_fee_max_bps", "highest fee of a spread signed for, as a share of its price");
const MARK_AGE: Spec = ("mark_age_max_ms", "oldest mark the signer judges by");
const LIFE: Spec = ("signature_life_max_s", "longest life of a signature");

/// The section, field by field.
pub(super) struct Fields {
    pace: Field<i64>,
    notional: Field<Cash>,
    hour: Field<Cash>,
    day: Field<Cash>,
    bought: Option<Field<Cash>>,
    given_hour: Field<Cash>,
    given_day: Field<Cash>,
    price: Field<Bps>,
    option: Option<Field<Bps>>,
    fee: Field<Bps>,
    package_fee: Option<Field<Bps>>,
    mark_age: Field<Span>,
    life: Field<Span>,
}

/// A ratio in whole basis points.
fn bps(ratio: Ratio) -> i64 {
    ratio.raw() / Ratio::from_bps(1).raw()
}

impl Fields {
    /// `implied` is what the vault's limits imply; `perp` is true for a vault that hedges.
    pub(super) fn read(section: Section<'_>, implied: FenceLimits, perp: bool) -> Fields {
        let s = &section;
        let money = |spec, low, implied| usdc(s, spec, low..=USDC_MAX, Some(implied));
        let fields = Fields {
            pace: s.integer(PACE, "per minute", 1..=60_000, Some(implied.orders_per_minute_max.into())),
            notional: money(NOTIONAL, 1, implied.notional_max),
            hour: money(HOUR, 1, implied.notional_per_hour_max),
            day: money(DAY, 1, implied.notional_per_day_max),
            bought: perp.then(|| money(BOUGHT, 0, implied.bought_per_day_max)),
            given_hour: money(GIVEN_HOUR, 1, implied.given_per_hour_max),
            given_day: money(GIVEN_DAY, 1, implied.given_per_day_max),
            price: s.bps(PRICE, 1..=1_000, bps(implied.price_band)),
            option: (!perp).then(|| s.bps(OPTION, 0..=9_000, bps(implied.option_band))),
            fee: s.bps(FEE, 1..=1_000, bps(implied.fee_max)),
            package_fee: (!perp).then(|| s.bps(PACKAGE_FEE, 0..=20_000, bps(implied.package_fee_max))),
            mark_age: s.ms(MARK_AGE, 1_000..=60_000, (implied.mark_age_ns_max / MS) as i64),
            life: s.seconds(LIFE, 310..=LIFE_S_MAX as i64, implied.life_s_max as i64),
        };
        section.finish();
        fields
    }

    /// What risk lets pass must fit, or the signer would stop a sound vault.
    pub(super) fn check(&self, bounds: &bounds::Fields, limits: &FenceLimits, notes: &RefCell<Notes>) {
        bounds.order_life.at_most(&self.life, "the signer would refuse every order", notes);
        bounds.value_age.at_most(&self.mark_age, "the signer would refuse what risk still prices", notes);
        self.notional.at_most(&self.hour, "an hour would not hold one order", notes);
        self.hour.at_most(&self.day, "a day would not hold one hour", notes);
        self.given_hour.at_most(&self.given_day, "a day would not hold one hour", notes);
        if let Some(own) = self.notional.value
            && own < limits.notional_max
        {
            let what = format!("{own} is below what the vault's limits let pass, {}", limits.notional_max);
            self.notional.refuse(what, format!("{} or more, or a lower notional_max_usdc", limits.notional_max), notes);
        }
    }

    pub(super) fn build(&self) -> Option<FenceLimits> {
        let share = |field: &Field<Bps>| field.value.map(Bps::ratio);
        let absent = Some(Cash::ZERO);
        Some(FenceLimits {
            orders_per_minute_max: u32::try_from(self.pace.value?).ok()?,
            notional_max: self.notional.value?,
            notional_per_hour_max: self.hour.value?,
            notional_per_day_max: self.day.value?,
            bought_per_day_max: self.bought.as_ref().map_or(absent, |field| field.value)?,
            given_per_hour_max: self.given_hour.value?,
            given_per_day_max: self.given_day.value?,
            price_band: share(&self.price)?,
            option_band: self.option.as_ref().map_or(Some(Ratio::ZERO), share)?,
            fee_max: share(&self.fee)?,
            package_fee_max: self.package_fee.as_ref().map_or(Some(Ratio::ZERO), share)?,
            mark_age_ns_max: self.mark_age.value?.0,
            life_s_max: self.life.value?.0 / SEC,
        })
    }
}
