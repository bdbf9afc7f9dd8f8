//! Option vaults through whole weeks of virtual time: nothing breaks, every week is traded, the same seed repeats itself.

use keel::exchange::world::weeks::Shape;
use keel::sim::record::Record;
use keel::sim::weeks::{Terms, Vault, run};

/// Columns of the table of weeks, as readers of the JSON know them.
const COLUMNS: [&str; 22] = [
    "week",
    "expiry_s",
    "strikes",
    "delta",
    "ratio",
    "units",
    "units_wanted",
    "lots",
    "average_price",
    "average_mark",
    "premium",
    "fees",
    "settlement",
    "payoff",
    "collateral_traded",
    "collateral_cost",
    "interest",
    "budget",
    "cash_left",
    "base",
    "value",
    "over_holding",
];

fn weeks(vault: Vault, weeks: u32, seed: u64) -> Record {
    let terms = Terms { vault, weeks, seed, market: Shape::Wild };
    run(&terms, &mut |_| {}).unwrap_or_else(|why| panic!("{}: {why}", vault.name()))
}

/// Weeks in which something was traded and settled, and nothing broke.
fn good_weeks(vault: Vault, count: u32) -> Record {
    let record = weeks(vault, count, 7);
    assert_eq!(record.violations, Vec::<String>::new(), "{}", vault.name());
    let numbers: Vec<u32> = record.weeks.iter().map(|week| week.week).collect();
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "{}", vault.name());
    for week in &record.weeks {
        assert!(!week.units.is_zero() && !week.premium.is_zero(), "{}: {week:?}", vault.name());
        assert!(!week.settlement.is_zero(), "{}: {week:?}", vault.name());
    }
    record
}

fn has_columns(record: &Record) {
    let json = serde_json::to_value(record).expect("plain data");
    for row in json["weeks"].as_array().expect("rows") {
        for column in COLUMNS {
            assert!(row.get(column).is_some(), "no {column} in {row}");
        }
    }
    assert_eq!(json["digest"].as_str().map(str::len), Some(64));
}

#[test]
fn harvest_lives_two_weeks() {
    has_columns(&good_weeks(Vault::Harvest, 2));
}

#[test]
fn safe_harvest_lives_two_weeks() {
    good_weeks(Vault::SafeHarvest, 2);
}

#[test]
fn maxi_lives_two_weeks() {
    good_weeks(Vault::Maxi, 2);
}

#[test]
fn bull_lives_two_weeks_on_its_yield() {
    for week in good_weeks(Vault::Bull, 2).weeks {
        assert!(-week.premium + week.fees <= week.budget, "{week:?}");
    }
}

#[test]
fn the_same_seed_repeats_itself_and_another_does_not() {
    let [one, again] = [7, 7].map(|seed| weeks(Vault::Harvest, 1, seed));
    assert_eq!(one, again);
    assert_ne!(one.digest, weeks(Vault::Harvest, 1, 8).digest);
}
