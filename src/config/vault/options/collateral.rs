//! `[vault.collateral]`: how cash becomes collateral after a settlement, or collateral pays a debt.

use std::cell::RefCell;

use super::{Ramp, limits, seeds::Seeds, share};
use crate::base::num::{Cash, Price};
use crate::base::time::SEC;
use crate::config::read::{Bps, BpsRate, Field, Notes, Section, Span, Spec};
use crate::strategy::options::params::CollateralAuction;

/// The venue's spot and the one limits are checked with may differ by this much.
const MARGIN_BPS: i64 = 10;

const INIT: Spec = ("init_spread_bps", "distance from the mark at the start");
const PER_S: Spec = ("spread_bps_per_s", "growth of that distance");
const MAX: Spec = ("max_spread_bps", "cap of that distance; 10 bps inside the limits");
const AUCTION: Spec = ("auction_max_s", "time after which cash stays cash; a debt is paid however long it takes");
const REPRICE: Spec = ("reprice_min_usdc", "smallest price change worth a replace");
const DUST: Spec = ("dust_usdc", "debt or credit up to this is none");

/// The section, field by field.
pub(super) struct Fields {
    init: Field<Bps>,
    per_s: Field<BpsRate>,
    max: Field<Bps>,
    pub(super) auction_max: Field<Span>,
    reprice: Field<Price>,
    dust: Field<Cash>,
}

impl Fields {
    pub(super) fn read(section: Section<'_>, seeds: &Seeds) -> Fields {
        let s = &section;
        let rates = BpsRate::from_e5(0)..=BpsRate::from_e5(200 * 100_000);
        let reprices = Price::from_raw(1)..=Price::whole(1_000);
        let dusts = Cash::from_raw(Cash::ONE.raw() / 100)..=Cash::whole(100_000);
        let fields = Fields {
            init: s.bps(INIT, 0..=190, 0),
            per_s: s.decimal(PER_S, "bps per s", rates, Some(BpsRate::from_e5(20_000))),
            max: s.bps(MAX, 0..=190, 140),
            auction_max: s.seconds(AUCTION, 60..=86_400, 900),
            reprice: s.decimal(REPRICE, "USDC", reprices, Some(seeds.spot_reprice)),
            dust: s.decimal(DUST, "USDC", dusts, Some(Cash::ONE)),
        };
        section.finish();
        fields
    }

    /// Against itself and the limits.
    pub(super) fn check(&self, limits: &limits::Fields, notes: &RefCell<Notes>) {
        let rate = self.per_s.value.map(BpsRate::ratio);
        Ramp { init: &self.init, max: &self.max, rate, every_ns: SEC }.check(&self.auction_max, notes);
        for hard in [&limits.buy_premium, &limits.sell_discount] {
            if let (Some(Bps(max)), Some(Bps(limit))) = (self.max.value, hard.value)
                && max + MARGIN_BPS > limit
            {
                let what = format!("{max} bps is less than {MARGIN_BPS} bps inside {} {limit} bps", hard.path);
                self.max.refuse(what, format!("at most {} bps", limit - MARGIN_BPS), notes);
            }
        }
        if let (Some(dust), Some(least)) = (self.dust.value, limits.cash_min.value)
            && -dust < least
        {
            let what =
                format!("a debt of {dust} is left alone here, but {} {least} forbids to trade", limits.cash_min.path);
            self.dust.refuse(what, format!("at most {}", -least), notes);
        }
    }

    pub(super) fn build(&self) -> Option<CollateralAuction> {
        Some(CollateralAuction {
            init_spread: share(&self.init)?,
            spread_per_s: self.per_s.value?.ratio(),
            max_spread: share(&self.max)?,
            auction_s_max: self.auction_max.value?.0 / SEC,
            reprice_min: self.reprice.value?,
            dust: self.dust.value?,
        })
    }
}
