use super::html;
use crate::exchange::world::weeks::Shape;
use crate::sim::record::{Auction, Concern, DemandPoint, FillPoint, Record};
use crate::sim::sample::{any_record, record};
use crate::sim::weeks::{Terms, Vault};
use proptest::prelude::*;
use rust_decimal::Decimal;

const TERMS: Terms = Terms { vault: Vault::SafeHarvest, weeks: 12, seed: 7, market: Shape::Wild };
/// Elements that stand alone.
const VOID: [&str; 2] = ["meta", "!doctype"];

/// Panics unless every element is closed in order and no attribute holds what a number may not be.
fn assert_well_formed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(1) {
        let (tag, rest) = piece.split_once('>').unwrap_or_else(|| panic!("an unclosed tag: <{piece}"));
        assert!(!rest.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "a character no page may hold");
        let name = tag.split([' ', '/', '\n']).find(|part| !part.is_empty()).expect("a name");
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "closed out of order");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        for number in ["x", "y", "cx", "cy", "r", "x1", "x2", "y1", "y2", "width", "height", "points"] {
            if let Some(value) = attribute(tag, number) {
                let numbers = value.split([' ', ',']).filter(|number| !number.is_empty());
                numbers.for_each(|n| {
                    assert!(n.parse::<f64>().is_ok_and(f64::is_finite), "{number}=\"{value}\" in <{tag}>")
                });
            }
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    tag[start..].split('"').next()
}

#[test]
fn a_page_stands_by_itself() {
    let page = html(&record(&TERMS), &TERMS);
    assert_well_formed(&page);
    for outside in ["://", "<script", "<link", "<img", "@import", "url(", "xlink"] {
        assert!(!page.contains(outside), "the page must not hold {outside}");
    }
    assert!(page.contains("keel sim --vault safe-harvest --weeks 12 --seed 7 --market wild --report out.html"));
    assert!(page.contains("All invariants held."));
    assert_eq!(page.matches("<svg ").count(), 4 + 24, "four pictures across and one per auction");
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
}

#[test]
fn every_week_is_drawn() {
    let run = record(&TERMS);
    let prices = super::weekly::prices(&run);
    let strikes =
        prices.marks.iter().filter(|mark| matches!(mark, super::panel::Mark::Line { points, .. } if points.len() == 2));
    assert_eq!(strikes.count(), 24, "two strikes a week");
    let settled = prices.marks.iter().filter(|mark| matches!(mark, super::panel::Mark::Dot { .. }));
    assert_eq!(settled.count(), 12);
}

#[test]
fn more_auctions_than_fit_are_counted() {
    let terms = Terms { weeks: 40, ..TERMS };
    let page = html(&record(&terms), &terms);
    assert_eq!(page.matches("Shown are 12 of 40, evenly spread over the run.").count(), 2);
    assert!(page.contains("<h3>Week 1</h3>") && page.contains("<h3>Week 40</h3>"));
}

#[test]
fn violations_and_concerns_are_shown_escaped() {
    let broken = Record {
        violations: vec!["cash <−5> & falling".to_owned()],
        concerns: (0..300).map(|at| Concern { at_ms: at * 1_000, what: "no \"quotes\"".to_owned() }).collect(),
        ..record(&Terms { weeks: 1, ..TERMS })
    };
    let page = html(&broken, &TERMS);
    assert_well_formed(&page);
    assert!(page.contains("Invariants broken: 1") && page.contains("cash &lt;−5&gt; &amp; falling"));
    assert!(page.contains("no &quot;quotes&quot;") && page.contains("And 100 more."));
    assert!(page.contains("1 of 12 asked for"));
}

#[test]
fn nothing_recorded_is_said() {
    let page = html(&Record::default(), &TERMS);
    assert_well_formed(&page);
    assert_eq!(page.matches("Nothing was recorded.").count(), 4);
    assert!(!page.contains("<svg"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_record_makes_a_page(record in any_record()) {
        assert_well_formed(&html(&record, &TERMS));
    }
}

#[test]
fn units_left_are_what_fills_after_the_last_demand_leave() {
    let all = Decimal::MAX;
    for (remaining, before, after, left) in [
        (Decimal::TEN, 5, Decimal::TEN, "0.00 units left"),
        (Decimal::TEN, 5, Decimal::ONE, "9.00 units left"),
        (-all, 5, all, "0.00 units left"),
    ] {
        let demand = DemandPoint { at_ms: 10, remaining, ..DemandPoint::default() };
        let fill = |at_ms, amount| FillPoint { at_ms, amount, ..FillPoint::default() };
        let auction = Auction {
            phase: "option-auction".to_owned(),
            week: 1,
            demands: vec![demand],
            fills: vec![fill(before, all), fill(10, after)],
            ..Auction::default()
        };
        let page = html(&Record { auctions: vec![auction], ..Record::default() }, &TERMS);
        assert!(page.contains(left), "{remaining} less {after}");
    }
}
