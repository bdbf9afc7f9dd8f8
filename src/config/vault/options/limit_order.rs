//! `[vault.auction]` of Harvest: one resting sell order whose implied volatility falls with time.

use std::cell::RefCell;

use super::{Ramp, limits, share};
use crate::base::num::{Price, Ratio};
use crate::base::time::SEC;
use crate::config::read::{Bps, BpsRate, Field, Notes, Section, Span, Spec};
use crate::strategy::options::params::{IvDecay, LimitAuction};

const FORM: Spec = ("form", "additive: the spread is taken off volatility; multiplicative: it is a share of it");
const INIT: Spec = ("init_iv_spread_bps", "volatility given up at the auction's start");
const MAX: Spec = ("max_iv_spread_bps", "most volatility given up");
const PER_S: Spec = ("iv_spread_bps_per_s", "growth of the volatility given up");
const PER_MIN: Spec = ("iv_spread_bps_per_min", "growth of the share of volatility given up");
const FLOOR: Spec = ("iv_floor_bps", "lowest implied volatility offered; 10000 is 100 %");
const REPRICE: Spec = ("reprice_min_usdc", "smallest price change worth a replace");
const VOL_FACTOR: Spec = ("vol_factor_min_bps", "offers stay above Black-76 at this share of mark volatility");
const MARGIN: Spec = ("floor_margin_bps", "share of that price by which they stay above it");

/// These fields of the section.
pub(super) struct Fields {
    init: Field<Bps>,
    max: Field<Bps>,
    decay: Decay,
    reprice: Field<Price>,
    vol_factor: Field<Bps>,
    margin: Field<Bps>,
}

/// How the spread counts.
enum Decay {
    Additive { per_s: Field<BpsRate>, floor: Field<Bps> },
    Multiplicative { per_min: Field<BpsRate> },
}

impl Fields {
    pub(super) fn read(s: &Section<'_>, limits: &limits::Fields) -> Fields {
        let words = [("additive", "additive"), ("multiplicative", "multiplicative")];
        let form = s.choice(FORM, &words, Some("additive"));
        let multiplicative = form.value == Some("multiplicative");
        let rates = BpsRate::from_e5(0)..=BpsRate::from_e5(1_000 * 100_000);
        let init = s.bps(INIT, 0..=5_000, 0);
        let (decay, cap) = if multiplicative {
            let rate = s.decimal(PER_MIN, "bps per min", rates, Some(BpsRate::from_e5(50 * 100_000)));
            (Decay::Multiplicative { per_min: rate }, 2_000)
        } else {
            let rate = s.decimal(PER_S, "bps per s", rates, Some(BpsRate::from_e5(50_000)));
            (Decay::Additive { per_s: rate, floor: s.bps(FLOOR, 100..=20_000, 2_500) }, 1_000)
        };
        let hard = match &limits.kind {
            limits::Kind::Call { vol_factor, .. } => vol_factor.value.map_or(8_000, |Bps(value)| value),
            limits::Kind::Spread { .. } => 8_000,
        };
        Fields {
            init,
            max: s.bps(MAX, 0..=5_000, cap),
            decay,
            reprice: s.decimal(
                REPRICE,
                "USDC",
                Price::from_raw(1)..=Price::whole(1_000),
                Some(Price::from_raw(100_000_000)),
            ),
            vol_factor: s.bps(VOL_FACTOR, 5_000..=10_000, hard),
            margin: s.bps(MARGIN, 0..=1_000, 10),
        }
    }

    pub(super) fn check(&self, auction: &Field<Span>, limits: &limits::Fields, notes: &RefCell<Notes>) {
        let (rate, every_ns) = match &self.decay {
            Decay::Additive { per_s, .. } => (per_s.value, SEC),
            Decay::Multiplicative { per_min } => (per_min.value, 60 * SEC),
        };
        let rate = rate.map(BpsRate::ratio);
        Ramp { init: &self.init, max: &self.max, rate, every_ns }.check(auction, notes);
        let limits::Kind::Call { vol_factor, iv_min, .. } = &limits.kind else { return };
        vol_factor.at_most(&self.vol_factor, "orders would be refused", notes);
        if let Decay::Additive { floor, .. } = &self.decay {
            iv_min.at_most(floor, "orders would be refused", notes);
        }
    }

    pub(super) fn build(&self, reselect_move: Ratio) -> Option<LimitAuction> {
        let (init, max) = (share(&self.init)?, share(&self.max)?);
        let decay = match &self.decay {
            Decay::Additive { per_s, floor } => {
                IvDecay::Additive { init, per_s: per_s.value?.ratio(), max, floor: share(floor)? }
            }
            Decay::Multiplicative { per_min } => IvDecay::Multiplicative { init, per_min: per_min.value?.ratio(), max },
        };
        Some(LimitAuction {
            decay,
            reprice_min: self.reprice.value?,
            vol_factor_min: share(&self.vol_factor)?,
            floor_margin: share(&self.margin)?,
            reselect_move,
        })
    }
}
