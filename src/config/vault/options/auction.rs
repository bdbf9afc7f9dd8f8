//! `[vault.auction]`: how options are sold or bought; by limit order or by RFQ, as the strategy has it.

use std::cell::RefCell;

use super::{limit_order, limits, rfq, seeds::Seeds, week};
use crate::config::read::{Bps, Field, Notes, Section, Span, Spec};
use crate::msg::Product;
use crate::strategy::options::params::AuctionTerms;

const RESELECT: Spec = ("reselect_move_bps", "move of the index at which it chooses again, until the first fill");
const REFRESH: Spec = ("refresh_s", "an order this close to its signature's end is replaced");
const PAUSE: Spec = ("refusal_pause_ms", "pause after a refused wish");

/// The section, field by field.
pub(super) struct Fields {
    form: Form,
    reselect: Field<Bps>,
    pub(super) refresh: Field<Span>,
    pub(super) pause: Field<Span>,
}

/// The two kinds of auction.
enum Form {
    Limit(limit_order::Fields),
    Rfq(rfq::Fields),
}

impl Fields {
    pub(super) fn read(section: Section<'_>, seeds: &Seeds, limits: &limits::Fields) -> Fields {
        let s = &section;
        let form = match seeds.product {
            Product::CoveredCall => Form::Limit(limit_order::Fields::read(s, limits)),
            _ => Form::Rfq(rfq::Fields::read(s, seeds)),
        };
        let fields = Fields {
            form,
            reselect: s.bps(RESELECT, 1..=5_000, 100),
            refresh: s.seconds(REFRESH, 5..=590, 60),
            pause: s.ms(PAUSE, 10..=60_000, 1_000),
        };
        section.finish();
        fields
    }

    /// Against its time and the limits.
    pub(super) fn check(&self, week: &week::Fields, limits: &limits::Fields, notes: &RefCell<Notes>) {
        match &self.form {
            Form::Limit(form) => form.check(&week.auction, limits, notes),
            Form::Rfq(form) => form.check(&week.auction, limits, notes),
        }
    }

    pub(super) fn build(&self) -> Option<AuctionTerms> {
        let reselect_move = super::share(&self.reselect)?;
        Some(match &self.form {
            Form::Limit(form) => AuctionTerms::Limit(form.build(reselect_move)?),
            Form::Rfq(form) => AuctionTerms::Rfq(form.build(reselect_move)?),
        })
    }
}
