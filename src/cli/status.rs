//! The one-line status of a run: on a terminal renewed in place, elsewhere a line every five seconds.

use crate::actors::risk::Sample;
use crate::base::num::Price;
use crate::base::time::{Nanos, SEC};
use crate::config::{Config, VaultConfig};
use crate::msg::{Phase, Product};
use crate::ops::news::{News, VaultNews};
use crate::ops::report::strikes;
use std::time::Duration;

/// Oldest demand that is shown as the present one.
const DEMAND_AGE_NS: u64 = 5 * SEC;

/// Name of a vault and how it is described.
struct Line {
    name: String,
    /// What an option vault trades.
    product: Option<Product>,
}

/// What is shown while a run lasts.
pub(super) struct Status {
    lines: Vec<Line>,
    terminal: bool,
    shown: Duration,
}

impl Status {
    /// For the vaults of a configuration.
    pub(super) fn new(config: &Config) -> Status {
        let line = |vault: &VaultConfig| Line {
            name: vault.name.clone(),
            product: vault.options().map(|options| options.params.product),
        };
        let lines = config.vaults.iter().map(line).collect();
        Status { lines, terminal: std::io::IsTerminal::is_terminal(&std::io::stderr()), shown: Duration::ZERO }
    }

    /// Shows the newest look at each vault.
    pub(super) fn show(&mut self, news: &News, elapsed: Duration) {
        let due = if self.terminal { Duration::from_millis(200) } else { Duration::from_secs(5) };
        if elapsed < self.shown + due {
            return;
        }
        self.shown = elapsed;
        let vaults = self.lines.iter().zip(news.vaults()).filter_map(|(line, vault)| {
            let last = vault.last.as_ref()?;
            let what = line.product.map_or_else(|| basis(vault, last), |product| auction(product, vault, last));
            Some(format!("{} {what}", line.name))
        });
        let line = format!("{:>5.0} s  {}", elapsed.as_secs_f64(), vaults.collect::<Vec<_>>().join("  |  "));
        if self.terminal {
            eprint!("\r\x1b[2K{line}");
        } else {
            eprintln!("{line}");
        }
    }

    /// Leaves the status line.
    pub(super) fn end(&self) {
        if self.terminal {
            eprintln!();
        }
    }
}

fn basis(vault: &VaultNews, last: &Sample) -> String {
    format!(
        "{:?} lev {:.3} Δ {:.4} perp {:.2} carry {:+.1} % fills {} hedges {} live {} TVL {:.3}",
        last.mode,
        last.leverage.to_f64(),
        last.delta.to_f64(),
        last.perp.to_f64(),
        last.carry.to_f64() * 100.0,
        vault.stats.fills,
        vault.stats.hedges,
        last.live,
        last.tvl.to_f64(),
    )
}

fn seconds(from: Nanos, to: Nanos) -> u64 {
    to.since(from) / SEC
}

/// Phase, clocks, the price demanded against mark and bid, and what has been traded.
fn auction(product: Product, vault: &VaultNews, last: &Sample) -> String {
    let week = &vault.auction;
    let trades = &week.trades;
    let verb = if product == Product::LongCallSpread { "bought" } else { "sold" };
    let done = || {
        let net = (trades.premium - trades.fees).to_f64();
        format!("{verb} {} for {net:+.2} USDC net", trades.units())
    };
    let Some(auction) = week.auction.filter(|_| last.phase == Phase::OptionAuction) else {
        let cash = last.cash.to_f64();
        let traded = if trades.fills > 0 { format!(" {},", done()) } else { String::new() };
        return format!("{:?} {}{traded} cash {cash:.2}", last.mode, last.phase.name());
    };
    let chosen: Vec<String> = strikes(&auction).map(|strike| strike.to_string()).collect();
    let mut text = format!("{} at {} s", chosen.join("/"), seconds(auction.started_at, last.at));
    if let Some(asked_at) = last.asked_at {
        text += &format!(", lot {} at {} s", vault.stats.asks, seconds(asked_at, last.at));
    }
    if let Some((_, demand)) = week.demand.filter(|(at, _)| last.at.since(*at) < DEMAND_AGE_NS) {
        let best = demand.best.map_or_else(|| "-".to_owned(), two);
        text += &format!(": limit {} mark {} best {best},", two(demand.limit), two(demand.mark));
        text += &format!(" {:.2} to go,", demand.remaining.to_f64());
    }
    format!("{text} {}", done())
}

fn two(price: Price) -> String {
    format!("{:.2}", price.to_f64())
}
