//! `[vault.week]`: which expiries are traded, and when its auctions start and end.

use std::cell::RefCell;

use super::limits;
use super::{collateral, seeds::Seeds};
use crate::base::time::SEC;
use crate::config::read::{Field, Notes, Section, Span, Spec};
use crate::strategy::options::params::Week;

const DAY_NS: u64 = 86_400 * SEC;

const EXPIRY_DAYS: Spec = ("expiry_days", "options have less than this left to live when chosen");
const EXPIRY_MIN: Spec = ("expiry_min_s", "and more than this");
const OPTION_DELAY: Spec = ("option_delay_s", "from an expiry to the option auction of the next week");
const AUCTION: Spec = ("auction_s", "length of the option auction; what is unsold then stays unsold");
const SPOT_DELAY: Spec = ("spot_delay_s", "from an expiry to the collateral auction");
const SETTLEMENT: Spec = ("settlement_max_s", "options unsettled this long after their expiry raise an alarm");

/// The section, field by field.
pub(super) struct Fields {
    expiry_days: Field<i64>,
    expiry_min: Field<Span>,
    option_delay: Field<Span>,
    pub(super) auction: Field<Span>,
    spot_delay: Field<Span>,
    settlement: Field<Span>,
}

impl Fields {
    pub(super) fn read(section: Section<'_>, seeds: &Seeds) -> Fields {
        let s = &section;
        let fields = Fields {
            expiry_days: s.integer(EXPIRY_DAYS, "days", 1..=30, Some(7)),
            expiry_min: s.seconds(EXPIRY_MIN, 3_600..=2_592_000, 518_400),
            option_delay: s.seconds(OPTION_DELAY, 0..=604_800, seeds.option_delay_s),
            auction: s.seconds(AUCTION, 60..=86_400, seeds.auction_s),
            spot_delay: s.seconds(SPOT_DELAY, 0..=86_400, 3_600),
            settlement: s.seconds(SETTLEMENT, 60..=86_400, 7_200),
        };
        section.finish();
        fields
    }

    /// Life left to the options when their auction starts; none if it would start after they expired.
    fn life_at_start(&self, notes: &RefCell<Notes>) -> Option<u64> {
        let (days, Span(delay)) = (self.expiry_days.value?, self.option_delay.value?);
        let life = days.unsigned_abs() * DAY_NS;
        if delay >= life {
            let what = format!("the auction would start after options of {days} days expired");
            self.option_delay.refuse(what, format!("below {}", Span(life)), notes);
            return None;
        }
        Some(life - delay)
    }

    /// The clock against itself, the mandate and the collateral auction.
    pub(super) fn check(&self, limits: &limits::Fields, collateral: &collateral::Fields, notes: &RefCell<Notes>) {
        let why = "options would be sold before the collateral auction";
        self.spot_delay.below(&self.option_delay, why, notes);
        let Some(life) = self.life_at_start(notes) else { return };
        if let Some(Span(least)) = self.expiry_min.value.filter(|least| least.0 >= life) {
            let what = format!("no option lives {} when the auction starts", Span(least));
            self.expiry_min.refuse(what, format!("below {}", Span(life)), notes);
        }
        if let Some(Span(most)) = limits.life_max.value.filter(|most| most.0 < life) {
            let what = format!("{} to live at the auction's start is above {}", Span(life), limits.life_max.path);
            self.expiry_days.refuse(what, format!("days and delay that leave at most {}", Span(most)), notes);
        }
        if let Some(Span(auction)) = self.auction.value {
            self.check_end(life, auction, limits, notes);
        }
        if let (Some(Span(spot)), Some(Span(lasts)), Some(Span(delay))) =
            (self.spot_delay.value, collateral.auction_max.value, self.option_delay.value)
            && spot < delay
            && spot + lasts > delay
        {
            let what = format!("{} may last until after options are due", collateral.auction_max.path);
            self.option_delay.warn(what, notes);
        }
    }

    /// Yield is spent once: two auctions in a row must not both count the same days.
    pub(super) fn check_lookback(&self, lookback: &Field<Span>, notes: &RefCell<Notes>) {
        let (Some(days), Some(Span(span))) = (self.expiry_days.value, lookback.value) else { return };
        let most = days.unsigned_abs() * DAY_NS;
        if span > most {
            let what = format!("auctions follow each other after {days} days: the same yield would be spent twice");
            lookback.refuse(what, format!("at most {}", Span(most)), notes);
        }
    }

    fn check_end(&self, life: u64, auction: u64, limits: &limits::Fields, notes: &RefCell<Notes>) {
        let least = limits.life_min.value.map_or(0, |Span(least)| least);
        if auction >= life {
            let what = format!("the options have {} to live when the auction starts", Span(life));
            self.auction.refuse(what, format!("below {}", Span(life)), notes);
        } else if life - auction < least {
            let what = format!("options would be traded with less to live than {}", limits.life_min.path);
            let allowed = match life.checked_sub(least).filter(|most| *most > 0) {
                Some(most) => format!("at most {}", Span(most)),
                None => format!("a lower {}", limits.life_min.path),
            };
            self.auction.refuse(what, allowed, notes);
        }
    }

    pub(super) fn build(&self) -> Option<Week> {
        let seconds = |field: &Field<Span>| field.value.map(|Span(ns)| ns / SEC);
        Some(Week {
            expiry_days: self.expiry_days.value?.unsigned_abs(),
            expiry_s_min: seconds(&self.expiry_min)?,
            option_delay_s: seconds(&self.option_delay)?,
            auction_s: seconds(&self.auction)?,
            spot_delay_s: seconds(&self.spot_delay)?,
            settlement_s_max: seconds(&self.settlement)?,
        })
    }
}
