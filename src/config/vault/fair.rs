//! `[vault.fair]`: when a fair value may be believed.

use crate::base::num::Ratio;
use crate::config::read::{Bps, Field, Section, Span};
use crate::market::fair::Model;

/// The section, field by field.
pub(super) struct Fields {
    mark_deviation: Field<Bps>,
    move_max: Field<Bps>,
    move_window: Field<Span>,
    pub(super) ticker_age: Field<Span>,
    external_age: Field<Span>,
}

impl Fields {
    pub(super) fn read(section: Section<'_>) -> Fields {
        let spec = ("mark_deviation_max_bps", "furthest fair value may be from the venue's mark");
        let mark_deviation = section.bps(spec, 1..=1_000, 100);
        let spec = ("move_max_bps", "largest range of the external mid over one window");
        let move_max = section.bps(spec, 1..=1_000, 50);
        let spec = ("move_window_ms", "length of that window");
        let move_window = section.ms(spec, 1_000..=600_000, 10_000);
        let spec = ("ticker_age_max_ms", "oldest usable venue ticker");
        let ticker_age = section.ms(spec, 300..=2_000, 2_000);
        let spec = ("external_age_max_ms", "oldest usable external quote");
        let external_age = section.ms(spec, 100..=5_000, 1_000);
        external_age.at_most(&move_window, "the window would miss quotes still in use", section.notes);
        section.finish();
        Fields { mark_deviation, move_max, move_window, ticker_age, external_age }
    }

    /// Models of base and perp; the places of symbol and feed are filled in once all vaults are known.
    pub(super) fn models(&self, reference: Ratio, deviation: Ratio, ratio_age_ns: u64) -> Option<(Model, Model)> {
        let base = Model {
            external: 0,
            ratio_feed: Some(0),
            ratio_reference: reference,
            ratio_deviation_max: deviation,
            mark_deviation_max: self.mark_deviation.value?.ratio(),
            move_max: self.move_max.value?.ratio(),
            move_window_ns: self.move_window.value?.0,
            ticker_age_ns_max: self.ticker_age.value?.0,
            external_age_ns_max: self.external_age.value?.0,
            ratio_age_ns_max: ratio_age_ns,
        };
        // A perp has no ratio; fixed values here let vaults with different tokens share one.
        let perp = Model {
            ratio_feed: None,
            ratio_reference: Ratio::ONE,
            ratio_deviation_max: Ratio::ZERO,
            ratio_age_ns_max: 0,
            ..base
        };
        Some((base, perp))
    }
}
