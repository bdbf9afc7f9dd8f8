//! `[vault.ratio]`: the on-chain feed of what the base is worth, or of what it has earned.

use crate::base::num::Ratio;
use crate::config::read::{Absent, Bps, Field, Rule, Section, Span};
use crate::config::text::{address, show_address};

/// Which feed, and how it counts.
pub(in crate::config) struct Feed {
    pub(in crate::config) aggregator: Field<[u8; 20]>,
    pub(in crate::config) decimals: Field<u8>,
}

impl Feed {
    fn read(section: &Section<'_>, meaning: &'static str) -> Feed {
        let rule = Rule {
            unit: "",
            allowed: "0x and 40 hexadecimal digits".into(),
            absent: Absent::Refused,
            show: show_address,
        };
        let aggregator = section.text(("aggregator_address", meaning), rule, address);
        let spec = ("answer_decimals", "decimals of the feed's answers");
        let decimals = section.integer(spec, "", 0..=18, None).map(|decimals| decimals.unsigned_abs() as u8);
        Feed { aggregator, decimals }
    }
}

/// The section of a basis vault, field by field.
pub(super) struct Fields {
    pub(super) feed: Feed,
    pub(super) reference: Field<Ratio>,
    pub(super) deviation: Field<Bps>,
    pub(super) age: Field<Span>,
}

impl Fields {
    pub(super) fn read(section: Section<'_>, poll: &Field<Span>) -> Fields {
        let feed = Feed::read(&section, "Chainlink feed of what one base is worth in the perp's coin");
        let spec = ("reference_x", "ratio expected; review it when the token's yield has moved it");
        let reference = section.decimal(spec, "×", Ratio::from_bps(5_000)..=Ratio::whole(3), None);
        let spec = ("deviation_max_bps", "furthest the ratio may be from its reference");
        let deviation = section.bps(spec, 1..=1_000, 100);
        let spec = ("age_max_s", "oldest usable answer by the chain's clock; the feed's heartbeat and an hour");
        let age = section.seconds(spec, 60..=172_800, 90_000);
        if let (Some(Span(age_ns)), Some(Span(poll_ns))) = (age.value, poll.value)
            && 2 * poll_ns > age_ns
        {
            let what = format!("the feed would be read too seldom for {}", age.path);
            poll.refuse(what, "at most half of every vault's ratio.age_max_s", section.notes);
        }
        section.finish();
        Fields { feed, reference, deviation, age }
    }
}

/// The section of a vault that spends yield: its feed, and how far back it counts.
pub(super) fn earned(section: Section<'_>) -> (Feed, Field<Span>) {
    let feed = Feed::read(&section, "Chainlink feed of what one base is worth in the coin it earns");
    let spec = ("lookback_s", "time before an auction whose yield may be spent in it");
    let lookback = section.seconds(spec, 86_400..=2_592_000, 604_800);
    section.finish();
    (feed, lookback)
}
