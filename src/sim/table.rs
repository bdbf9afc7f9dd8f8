//! The table of weeks as words: one row per week and a row of totals, for the terminal and for the page.

use super::record::{Record, Week};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::{Decimal, RoundingStrategy};

/// What stands where there is nothing to say.
pub const NOTHING: &str = "-";

/// A column: what heads it and what it says of a week.
struct Column {
    name: &'static str,
    of: fn(&Week) -> String,
}

/// Columns in the order they are shown.
const COLUMNS: [Column; 17] = [
    Column { name: "week", of: |week| week.week.to_string() },
    Column { name: "expiry", of: |week| day(week.expiry_s) },
    Column { name: "strikes", of: |week| strikes(&week.strikes) },
    Column { name: "delta", of: |week| fixed(week.delta, 3) },
    Column { name: "ratio", of: |week| if week.ratio.is_zero() { NOTHING.to_owned() } else { fixed(week.ratio, 4) } },
    Column { name: "lots", of: |week| week.lots.to_string() },
    Column { name: "units", of: |week| fixed(week.units, 2) },
    Column { name: "price", of: |week| fixed(week.average_price, 2) },
    Column { name: "mark", of: |week| fixed(week.average_mark, 2) },
    Column { name: "premium", of: |week| fixed(week.premium, 2) },
    Column { name: "fees", of: |week| fixed(week.fees, 2) },
    Column { name: "settled", of: |week| fixed(week.settlement, 2) },
    Column { name: "payoff", of: |week| fixed(week.payoff, 2) },
    Column { name: "bought", of: |week| signed(week.collateral_traded, 4) },
    Column { name: "cash", of: |week| fixed(week.cash_left, 2) },
    Column { name: "value", of: |week| fixed(week.value, 4) },
    Column { name: "over %", of: |week| percent(week.over_holding) },
];

/// What the columns mean, for the reader of a table.
pub const KEY: [&str; 2] = [
    "price and mark: average per unit, received positive, paid negative; premium, fees, payoff and cash in USDC",
    "bought: collateral bought (negative: sold); value: vault in its own asset; over %: over holding the deposit",
];

/// A table of words: every row has as many cells as there are names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Column names.
    pub names: Vec<&'static str>,
    /// A row per week.
    pub rows: Vec<Vec<String>>,
    /// The last row; empty cells where a total means nothing.
    pub totals: Vec<String>,
}

impl Table {
    /// The table of a run.
    pub fn of(record: &Record) -> Table {
        let weeks = &record.weeks;
        let rows = weeks.iter().map(|week| COLUMNS.iter().map(|column| (column.of)(week)).collect()).collect();
        let names: Vec<&'static str> = COLUMNS.iter().map(|column| column.name).collect();
        let totals = names.iter().map(|name| total(name, weeks)).collect();
        Table { names, rows, totals }
    }

    /// Widest cell of each column, in characters.
    pub fn widths(&self) -> Vec<usize> {
        let wide = |column: usize| {
            let cells = self.rows.iter().chain([&self.totals]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        self.names.iter().enumerate().map(|(column, name)| wide(column).max(name.len())).collect()
    }
}

fn total(name: &str, weeks: &[Week]) -> String {
    let last = weeks.last();
    let sum = |of: fn(&Week) -> Decimal| weeks.iter().try_fold(Decimal::ZERO, |sum, week| sum.checked_add(of(week)));
    let money = |of| sum(of).map_or_else(|| NOTHING.to_owned(), |sum| fixed(sum, 2));
    match name {
        "week" => weeks.len().to_string(),
        "expiry" => "total".to_owned(),
        "lots" => weeks.iter().map(|week| u64::from(week.lots)).sum::<u64>().to_string(),
        "units" => money(|week| week.units),
        "premium" => money(|week| week.premium),
        "fees" => money(|week| week.fees),
        "payoff" => money(|week| week.payoff),
        "bought" => sum(|week| week.collateral_traded).map_or_else(|| NOTHING.to_owned(), |sum| signed(sum, 4)),
        "cash" => last.map_or_else(String::new, |week| fixed(week.cash_left, 2)),
        "value" => last.map_or_else(String::new, |week| fixed(week.value, 4)),
        "over %" => last.map_or_else(String::new, |week| percent(week.over_holding)),
        _ => String::new(),
    }
}

/// A number with so many decimals (fewer where that would pass 28 digits), half away from zero; never a negative zero.
pub fn fixed(number: Decimal, decimals: u32) -> String {
    let rounded = number.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
    let mut rounded = if rounded.is_zero() { Decimal::ZERO } else { rounded };
    // Formatting with a precision panics on the largest numbers; rescaling adds as many zeros as fit.
    rounded.rescale(decimals);
    rounded.to_string()
}

/// The same with its sign, whichever it is.
fn signed(number: Decimal, decimals: u32) -> String {
    let text = fixed(number, decimals);
    let positive = text.bytes().any(|b| (b'1'..=b'9').contains(&b)) && !text.starts_with('-');
    if positive { format!("+{text}") } else { text }
}

/// A share as percent with three decimals and a sign.
pub fn percent(share: Decimal) -> String {
    share.checked_mul(Decimal::ONE_HUNDRED).map_or_else(|| NOTHING.to_owned(), |share| signed(share, 3))
}

/// `1 week`, `12 weeks`.
pub fn counted(count: usize, thing: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{ending}")
}

/// Strikes joined by a slash.
pub fn strikes(strikes: &[Decimal]) -> String {
    if strikes.is_empty() {
        return NOTHING.to_owned();
    }
    strikes.iter().map(|strike| strike.normalize().to_string()).collect::<Vec<_>>().join("/")
}

/// A moment in UTC; what lies past the calendar is its end.
pub fn moment(at_ms: u64) -> Timestamp {
    i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

/// `2026-12-04`.
pub fn day(at_s: u64) -> String {
    moment(at_s.saturating_mul(1_000)).to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// `2026-12-04 08:00:00`.
pub fn clock(at_ms: u64) -> String {
    moment(at_ms).to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_away_from_zero_and_lose_their_negative_zero() {
        for (number, decimals, expected) in [
            ("1.005", 2, "1.01"),
            ("-1.005", 2, "-1.01"),
            ("-0.001", 2, "0.00"),
            ("3400", 2, "3400.00"),
            ("79228162514264337593543950335", 4, "79228162514264337593543950335"),
        ] {
            assert_eq!(fixed(number.parse().expect("a number"), decimals), expected);
        }
        assert_eq!(signed(Decimal::new(5, 1), 4), "+0.5000");
        assert_eq!(signed(Decimal::new(-5, 1), 4), "-0.5000");
        assert_eq!(signed(Decimal::new(4, 6), 4), "0.0000");
        assert_eq!(percent(Decimal::new(123, 4)), "+1.230");
        assert_eq!(percent(Decimal::MAX), NOTHING);
    }

    #[test]
    fn strikes_and_moments_read_plainly() {
        assert_eq!(strikes(&[Decimal::new(3_400_000, 3), Decimal::new(36, 0)]), "3400/36");
        assert_eq!(strikes(&[]), "-");
        assert_eq!(clock(1_796_371_200_000), "2026-12-04 08:00:00");
        assert_eq!(day(u64::MAX), "9999-12-30");
    }

    #[test]
    fn totals_add_what_can_be_added() {
        let week = |units: i64, value: i64| Week {
            units: Decimal::new(units, 0),
            premium: Decimal::new(-units, 1),
            lots: 3,
            value: Decimal::new(value, 0),
            ..Week::default()
        };
        let table = Table::of(&Record { weeks: vec![week(10, 100), week(20, 101)], ..Record::default() });
        let cell = |name: &str| &table.totals[table.names.iter().position(|n| *n == name).expect("a column")];
        assert_eq!(cell("units"), "30.00");
        assert_eq!(cell("premium"), "-3.00");
        assert_eq!(cell("lots"), "6");
        assert_eq!(cell("value"), "101.0000");
        assert_eq!(cell("delta"), "");
    }

    #[test]
    fn a_sum_past_the_largest_number_is_not_made_up() {
        let week = Week { units: Decimal::MAX, ..Week::default() };
        let table = Table::of(&Record { weeks: vec![week.clone(), week], ..Record::default() });
        assert_eq!(table.totals[6], NOTHING);
    }
}
