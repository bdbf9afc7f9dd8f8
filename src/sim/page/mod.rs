//! A simulated run as one page that stands by itself: plots, table, verdict, and the command that repeats it.

mod auctions;
mod axis;
mod ink;
mod panel;
mod parts;
mod series;
mod thin;
mod weekly;

#[cfg(test)]
mod tests;

use super::record::Record;
use super::table;
use super::weeks::Terms;
use parts::{Sample, figure, gallery, list, verdict};

/// The page as HTML: nothing in it refers to anything outside it.
pub fn html(record: &Record, terms: &Terms) -> String {
    let weeks = table::counted(record.weeks.len(), "week");
    let title = format!("{}, {weeks} of a {} market, seed {}", record.vault, record.market, record.seed);
    let mut body = parts::heading(record, &title, terms);
    body += &verdict(record);
    body += &plots(record);
    body += &parts::table(record);
    body += &list("Concerns", "What a person would have been told.", parts::concerns(record));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{}{}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(&title),
        include_str!("page.css"),
        ink::rules()
    )
}

fn plots(record: &Record) -> String {
    let mut out = price_plot(record);
    out += &gallery(record, "option-auction", "Option auctions");
    out += &gallery(record, "spot-auction", "Collateral auctions");
    out += &value_plots(record);
    out += &profit_plot(record);
    out
}

fn price_plot(record: &Record) -> String {
    use ink::Ink;
    let legs = record.weeks.iter().map(|week| week.strikes.len()).max().unwrap_or(0);
    let mut legend = vec![Sample::line(Ink::Blue, "index price")];
    match legs {
        0 => {}
        1 => legend.push(Sample::line(Ink::Orange, "strike, from auction to expiry")),
        _ => legend.extend([
            Sample::line(Ink::Orange, "strike of the first leg, from auction to expiry"),
            Sample::line(Ink::Green, "strike of the second leg"),
            Sample::band(Ink::Orange, "between the strikes"),
        ]),
    }
    legend.extend([Sample::disc(Ink::Red, "settled with a payoff"), Sample::ring(Ink::Red, "settled worthless")]);
    let caption = "Index price of the options’ currency, the strikes chosen each week, and where each week settled. Where \
                   the line has more points than the picture has columns, each column keeps its first, lowest, highest and last.";
    figure("Price and strikes", record.prices.is_empty(), &weekly::prices(record), &legend, caption)
}

fn value_plots(record: &Record) -> String {
    use ink::Ink;
    let empty = record.values.is_empty();
    let usd = [Sample::line(Ink::Blue, "vault, options at mark"), Sample::line(Ink::Violet, "holding the deposit")];
    let own = [
        Sample::line(Ink::Blue, "vault, options at mark"),
        Sample::disc(Ink::Blue, "end of a week, shown at its expiry"),
        Sample::dashes(Ink::Violet, "deposit"),
    ];
    let caption_usd = "What the vault is worth in USD, against what the deposit alone would be worth.";
    let caption_own =
        "The same value counted in the vault’s own asset: above the dashed line the vault has more than holding.";
    figure("Value against holding", empty, &weekly::value_usd(record), &usd, caption_usd)
        + &figure("Value in its own asset", empty, &weekly::value_own(record), &own, caption_own)
}

fn profit_plot(record: &Record) -> String {
    let mut legend: Vec<Sample> = weekly::REASONS.iter().map(|(name, ink)| Sample::block(*ink, name)).collect();
    legend.push(Sample::line(ink::Ink::Label, "net"));
    let caption = "What each week made and lost, by reason: premium before fees, cash at settlement, fees, cost of \
                   collateral trades against mark, interest. Gains stack up from zero, costs down; the line is their sum. \
                   Changes in the price of the collateral itself are not in it.";
    figure("Profit and loss by reason", record.weeks.is_empty(), &weekly::profit(record), &legend, caption)
}

/// Text as HTML shows it; characters no document may hold become the replacement character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
