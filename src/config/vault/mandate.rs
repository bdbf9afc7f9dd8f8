//! `[vault.mandate]` of a Delta-1 vault: the contract every order is put to, outside of all its limits.

use std::cell::RefCell;

use super::limits::{self, decay_of, tvl};
use crate::base::num::Ratio;
use crate::base::time::SEC;
use crate::config::read::{Bps, Field, Notes, Section, Span, Spec};
use crate::risk::wall::terms::BasisTerms;
use crate::risk::wall::{BasisWall, Drift};
use crate::strategy::basis::Bounds;

const BASE_LOSS: Spec = ("base_loss_max_bps", "highest loss against the mark per unit of base, in its price");
const PERP_LOSS: Spec = ("perp_loss_max_bps", "highest loss against the mark per unit of perp, in the base's price");
const LOSS_SUM: Spec = ("loss_sum_max_bps", "decaying sum of such losses allowed, as a share of TVL");
const HALF_LIFE: Spec = ("loss_half_life_s", "time in which that sum counts half");
const BASE_FEE: Spec = ("base_fee_max_bps", "highest fee signed for per unit of base, in its price");
const PERP_FEE: Spec = ("perp_fee_max_bps", "highest fee signed for per unit of perp, in its price");
const DRIFT: Spec = ("drift_price_bps", "orders must pass with every price this much higher, and lower");
const DRIFT_S: Spec = ("drift_s", "orders must pass this much later too");

/// Shortest and longest life of a signature.
pub(super) struct Signature {
    pub(super) min: Field<Span>,
    pub(super) max: Field<Span>,
}

impl Signature {
    pub(super) fn read(s: &Section<'_>, min_default: i64) -> Signature {
        let spec = ("signature_min_s", "shortest life of a signature");
        let min = s.seconds(spec, 0..=310, min_default);
        Signature { min, max: s.seconds(("signature_max_s", "longest life of a signature"), 310..=599, 599) }
    }

    /// The life of orders lies inside, the drift left for the way.
    pub(super) fn check(&self, order_life: &Field<Span>, drift: &Field<Span>, notes: &RefCell<Notes>) {
        order_life.at_most(&self.max, "no order could be signed", notes);
        if let (Some(Span(life)), Some(Span(min)), Some(Span(late))) = (order_life.value, self.min.value, drift.value)
            && life < min + late
        {
            let what = format!("{} is less than {} and the drift of {}", Span(life), self.min.path, Span(late));
            order_life.refuse(what, format!("at least {}", Span(min + late)), notes);
        }
    }

    /// Both in seconds.
    pub(super) fn seconds(&self) -> Option<[u64; 2]> {
        Some([self.min.value?.0 / SEC, self.max.value?.0 / SEC])
    }
}

/// Margins kept to every limit of the contract.
pub(super) struct Margins {
    pub(super) price: Field<Bps>,
    pub(super) time: Field<Span>,
}

impl Margins {
    pub(super) fn read(s: &Section<'_>) -> Margins {
        Margins { price: s.bps(DRIFT, 0..=100, 10), time: s.seconds(DRIFT_S, 0..=60, 4) }
    }

    pub(super) fn drift(&self) -> Option<Drift> {
        Some(Drift { price: self.price.value?.ratio(), time_s: self.time.value?.0 / SEC })
    }
}

/// The section, field by field.
pub(super) struct Fields {
    delta_min: Field<Ratio>,
    delta_max: Field<Ratio>,
    leverage_min: Field<Ratio>,
    leverage_max: Field<Ratio>,
    base_loss: Field<Bps>,
    perp_loss: Field<Bps>,
    loss_sum: Field<Bps>,
    half_life: Field<Span>,
    base_fee: Field<Bps>,
    perp_fee: Field<Bps>,
    signature: Signature,
    margins: Margins,
}

impl Fields {
    pub(super) fn read(section: Section<'_>) -> Fields {
        let s = &section;
        let fields = Fields {
            delta_min: tvl(s, ("delta_min_x", "lowest delta the contract signs for"), 7_000..=10_000, 9_800),
            delta_max: tvl(s, ("delta_max_x", "highest delta the contract signs for"), 10_000..=13_000, 10_200),
            leverage_min: tvl(s, ("leverage_min_x", "lowest leverage the contract signs for"), 0..=10_000, 9_000),
            leverage_max: tvl(
                s,
                ("leverage_max_x", "highest leverage the contract signs for"),
                10_000..=30_500,
                20_000,
            ),
            base_loss: s.bps(BASE_LOSS, 1..=200, 100),
            perp_loss: s.bps(PERP_LOSS, 1..=200, 100),
            loss_sum: s.bps(LOSS_SUM, 1..=150, 20),
            half_life: s.seconds(HALF_LIFE, 3_466..=86_400, 3_600),
            base_fee: s.bps(BASE_FEE, 1..=500, 100),
            perp_fee: s.bps(PERP_FEE, 1..=100, 100),
            signature: Signature::read(s, 0),
            margins: Margins::read(s),
        };
        section.finish();
        fields
    }

    /// The limits lie inside the contract.
    pub(super) fn check(&self, limits: &limits::Fields, notes: &RefCell<Notes>) {
        let outside = "orders inside the limits would be refused by the mandate";
        self.delta_min.at_most(&limits.delta_min, outside, notes);
        limits.delta_max.at_most(&self.delta_max, outside, notes);
        self.leverage_min.at_most(&limits.leverage_min, outside, notes);
        limits.leverage_max.at_most(&self.leverage_max, outside, notes);
        limits.mark_offset.at_most(&self.base_loss, outside, notes);
        limits.mark_offset.at_most(&self.perp_loss, outside, notes);
        limits.loss_ema.at_most(&self.loss_sum, outside, notes);
        self.signature.check(&limits.bounds.order_life, &self.margins.time, notes);
    }

    /// Where a strategy keeps to if the contract judges each partial fill anew: inside by the drift of prices.
    pub(super) fn bounds(&self) -> Option<Bounds> {
        let drift = self.margins.price.value?.ratio();
        Some(Bounds {
            delta_min: self.delta_min.value? + drift,
            delta_max: self.delta_max.value? - drift,
            leverage_min: self.leverage_min.value? + drift,
            leverage_max: self.leverage_max.value? - drift,
        })
    }

    pub(super) fn build(&self) -> Option<BasisWall> {
        let [signature_s_min, signature_s_max] = self.signature.seconds()?;
        let terms = BasisTerms {
            delta_min: self.delta_min.value?,
            delta_max: self.delta_max.value?,
            leverage_min: self.leverage_min.value?,
            leverage_max: self.leverage_max.value?,
            base_loss_max: self.base_loss.value?.ratio(),
            perp_loss_max: self.perp_loss.value?.ratio(),
            loss_sum_max: self.loss_sum.value?.ratio(),
            loss_decay_e18: decay_of(self.half_life.value?),
            base_fee_max: self.base_fee.value?.ratio(),
            perp_fee_max: self.perp_fee.value?.ratio(),
            signature_s_min,
            signature_s_max,
            drift: self.margins.drift()?,
        };
        Some(terms.wall())
    }
}
