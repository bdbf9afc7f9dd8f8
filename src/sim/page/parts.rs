//! Parts of the page around the pictures: heading, verdict, figures with legends, table, lists.

use super::ink::Ink;
use super::panel::Panel;
use super::{auctions, escape};
use crate::sim::record::{Auction, Record};
use crate::sim::table::{self, Table};
use crate::sim::weeks::Terms;
use rust_decimal::Decimal;
use std::fmt::Write;

/// Rows a list shows before the rest is counted.
const ROWS_MAX: usize = 200;

/// A line of a legend: how a mark looks and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    look: &'static str,
    ink: Ink,
    means: &'a str,
}

impl<'a> Sample<'a> {
    /// A line.
    pub const fn line(ink: Ink, means: &'a str) -> Sample<'a> {
        Sample { look: "line", ink, means }
    }

    /// A dashed line.
    pub const fn dashes(ink: Ink, means: &'a str) -> Sample<'a> {
        Sample { look: "dashes", ink, means }
    }

    /// A disc.
    pub const fn disc(ink: Ink, means: &'a str) -> Sample<'a> {
        Sample { look: "disc", ink, means }
    }

    /// A ring.
    pub const fn ring(ink: Ink, means: &'a str) -> Sample<'a> {
        Sample { look: "ring", ink, means }
    }

    /// A bar.
    pub const fn block(ink: Ink, means: &'a str) -> Sample<'a> {
        Sample { look: "block", ink, means }
    }

    /// A faint area.
    pub const fn band(ink: Ink, means: &'a str) -> Sample<'a> {
        Sample { look: "band", ink, means }
    }

    fn html(&self) -> String {
        let name = self.ink.name();
        let paint = match self.look {
            "block" | "band" => format!("background:var(--{name})"),
            "disc" => format!("border-color:var(--{name});background:var(--{name})"),
            _ => format!("border-color:var(--{name})"),
        };
        format!("<li><span class=\"swatch {}\" style=\"{paint}\"></span>{}</li>", self.look, escape(self.means))
    }
}

fn legend(samples: &[Sample]) -> String {
    format!("<ul class=\"legend\">{}</ul>\n", samples.iter().map(Sample::html).collect::<String>())
}

/// Title, parameters, digest and the command.
pub fn heading(record: &Record, title: &str, terms: &Terms) -> String {
    let deposited = format!("{} {}", record.deposited.normalize(), record.collateral);
    let command = format!("{} --report out.html", terms.command());
    let weeks = format!("{} of {} asked for", record.weeks.len(), terms.weeks);
    let result = record.weeks.last().map_or_else(
        || table::NOTHING.to_owned(),
        |week| {
            let (value, over) = (table::fixed(week.value, 4), table::percent(week.over_holding));
            format!("{value} {}, {over} % over holding", record.collateral)
        },
    );
    let facts = [
        ("Vault", record.vault.clone()),
        ("Market", record.market.clone()),
        ("Seed", record.seed.to_string()),
        ("Weeks", weeks),
        ("Deposited", deposited),
        ("At the end", result),
        ("Options on", record.currency.clone()),
        ("From", format!("{} UTC", table::clock(record.start_s.saturating_mul(1_000)))),
        ("To", format!("{} UTC", table::clock(record.end_s.saturating_mul(1_000)))),
    ];
    let mut out = format!("<h1>{}</h1>\n<dl>\n", escape(title));
    for (name, value) in facts {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    for (name, value) in [("Digest", &record.digest), ("Again", &command)] {
        let _ = writeln!(out, "<dt>{name}</dt><dd><code>{}</code></dd>", escape(value));
    }
    out + "</dl>\n"
}

/// Whether every invariant held, and which did not.
pub fn verdict(record: &Record) -> String {
    if record.violations.is_empty() {
        return "<p class=\"verdict good\">All invariants held.</p>\n".to_owned();
    }
    let count = record.violations.len();
    let heading = format!("<p class=\"verdict bad\">Invariants broken: {count}</p>\n");
    heading + &rows(record.violations.iter().map(|violation| escape(violation)).collect())
}

/// A picture across the page with title, legend and caption.
pub fn figure(title: &str, empty: bool, panel: &Panel, samples: &[Sample], caption: &str) -> String {
    let heading = format!("<h2>{title}</h2>\n");
    if empty {
        return heading + "<p class=\"note\">Nothing was recorded.</p>\n";
    }
    let picture = panel.svg(&format!("{title}. {caption}"));
    let legend = legend(samples);
    format!(
        "{heading}<figure>\n{legend}<div class=\"scroll\">{picture}</div>\n<figcaption>{caption}</figcaption>\n</figure>\n"
    )
}

/// Units nobody took: the last demand said so, unless a fill came after it.
fn left(auction: &Auction) -> Option<Decimal> {
    let demand = auction.demands.last()?;
    let after = auction.fills.iter().filter(|fill| fill.at_ms >= demand.at_ms);
    let left = after.fold(demand.remaining, |left, fill| left.saturating_sub(fill.amount.abs()));
    Some(left.max(Decimal::ZERO))
}

/// Small pictures of the auctions of a phase.
pub fn gallery(record: &Record, phase: &str, title: &str) -> String {
    let (shown, count) = auctions::shown(record, phase);
    let mut out = format!("<h2>{title}</h2>\n");
    if shown.is_empty() {
        return out + "<p class=\"note\">There was none.</p>\n";
    }
    let quoted = shown.iter().any(|auction| auction.demands.iter().any(|demand| demand.best.is_some()));
    out += "<p class=\"note\">What the vault demanded per unit against the mark, and the fills, over the minutes of each auction. ";
    let packages = quoted && record.weeks.iter().any(|week| week.strikes.len() > 1);
    if packages {
        out += "Limit and best quote are after fees, fills before them; prices received are positive, prices paid negative. ";
    }
    if count > shown.len() {
        let _ = write!(out, "Shown are {} of {count}, evenly spread over the run. ", shown.len());
    }
    out += "</p>\n";
    let mut samples = vec![Sample::line(Ink::Blue, "limit"), Sample::line(Ink::Violet, "mark")];
    let best = if packages { "best quote after fees" } else { "best bid in the book" };
    samples.extend(quoted.then_some(Sample::line(Ink::Orange, best)));
    samples.push(Sample::ring(Ink::Green, "fill, larger for more units"));
    out += &legend(&samples);
    out += "<div class=\"grid\">\n";
    shown.into_iter().for_each(|auction| out += &small(auction, title));
    out + "</div>\n"
}

fn small(auction: &Auction, title: &str) -> String {
    let when = table::clock(auction.started_ms);
    let fills = table::counted(auction.fills.len(), "fill");
    let left = left(auction).map_or_else(|| "-".to_owned(), |units| table::fixed(units, 2));
    let what = format!("{when} UTC, {fills}, {left} units left");
    let picture = if auction.demands.is_empty() && auction.fills.is_empty() {
        "<p class=\"note\">Nothing was recorded.</p>".to_owned()
    } else {
        auctions::picture(auction).svg(&format!("{title}, week {}: {what}", auction.week))
    };
    format!("<figure><h3>Week {}</h3><p class=\"what\">{what}</p>{picture}</figure>\n", auction.week)
}

/// The table of weeks.
pub fn table(record: &Record) -> String {
    let table = Table::of(record);
    let row = |cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let names: String = table.names.iter().map(|name| format!("<th scope=\"col\">{name}</th>")).collect();
    let rows: String = table.rows.iter().map(|cells| row(cells)).collect();
    format!(
        "<h2>Weeks</h2>\n<p class=\"note\">{}.</p>\n<div class=\"scroll\"><table>\n<thead><tr>{names}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n<tfoot>{}</tfoot>\n</table></div>\n",
        escape(&table::KEY.join("; ")),
        row(&table.totals)
    )
}

/// Concerns as rows of a list.
pub fn concerns(record: &Record) -> Vec<String> {
    let row = |at_ms, what: &str| format!("<time>{}</time>{}", table::clock(at_ms), escape(what));
    record.concerns.iter().map(|concern| row(concern.at_ms, &concern.what)).collect()
}

/// A section with a list, left out when there is nothing to list.
pub fn list(title: &str, about: &str, entries: Vec<String>) -> String {
    if entries.is_empty() {
        return String::new();
    }
    format!("<h2>{title}</h2>\n<p class=\"note\">{about}</p>\n{}", rows(entries))
}

fn rows(entries: Vec<String>) -> String {
    let more = entries.len().saturating_sub(ROWS_MAX);
    let mut out = "<ul class=\"list\">\n".to_owned();
    entries.iter().take(ROWS_MAX).for_each(|entry| out += &format!("<li>{entry}</li>\n"));
    out += "</ul>\n";
    if more > 0 {
        let _ = writeln!(out, "<p class=\"note\">And {more} more.</p>");
    }
    out
}
