//! Compares the engine's ledger with the exchange's own books, which know nothing of each other.

use crate::actors::risk::Sample;
use crate::base::num::{Amount, Cash};
use crate::cli::session::Outcome;
use crate::config::{VaultConfig, VaultKind};
use crate::exchange::SubaccountReport;
use crate::exchange::world::Live;
use crate::ops::auction_news::Trades;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Interest grows between two looks and is rounded: cash may differ by this many dollars, in 1e-18.
const CASH_TOLERANCE: Cash = Cash::from_raw(10_000_000_000_000_000);

fn amount(number: Option<&Decimal>) -> Amount {
    number.and_then(|number| Amount::observed(number.to_string().as_bytes()).ok()).unwrap_or_default()
}

fn cash(number: &Decimal) -> Cash {
    Cash::observed(number.to_string().as_bytes()).unwrap_or_default()
}

/// What the books disagree on, in words; empty when they agree.
pub(super) fn differences(live: &Live, subaccount: u64, outcome: &Outcome, vault: &VaultConfig) -> Vec<String> {
    let asked = live.exchange.with(move |exchange, _, _| {
        exchange.subaccount_report(subaccount).map(|books| (books, exchange.house_rfqs().len()))
    });
    let Some((books, rfqs)) = asked.flatten() else {
        return vec!["the exchange could not be asked for its own books".to_owned()];
    };
    let Some((news, last)) = outcome.news.vault(0).and_then(|news| Some((news, news.last?))) else {
        return vec!["the engine never saw its account".to_owned()];
    };
    let mut found = Vec::new();
    let base = amount(books.balances.get(&vault.base_currency));
    if base != last.base {
        found.push(format!("the exchange holds {base} of the base for us, our ledger says {}", last.base));
    }
    let fees = cash(&books.fees_paid);
    if fees != last.fees {
        found.push(format!("the exchange charged {fees} in fees, our ledger says {}", last.fees));
    }
    if books.open_orders > 0 {
        found.push(format!("{} orders still rest at the exchange", books.open_orders));
    }
    if rfqs > 0 {
        found.push(format!("{rfqs} RFQs are still open at the exchange"));
    }
    match &vault.kind {
        VaultKind::Basis(basis) => found.extend(perp(&books, &basis.perp_instrument, &last)),
        VaultKind::Options(_) => {
            found.extend(options(&books, outcome, &last));
            found.extend(money(&books, &last, &news.auction.trades));
        }
    }
    found
}

fn perp(books: &SubaccountReport, name: &str, last: &Sample) -> Option<String> {
    let perp = amount(books.positions.get(name).map(|position| &position.amount));
    (perp != last.perp).then(|| format!("the exchange holds a perp position of {perp}, our ledger says {}", last.perp))
}

/// Every option either side knows of.
fn options(books: &SubaccountReport, outcome: &Outcome, last: &Sample) -> Vec<String> {
    let mut sides: BTreeMap<String, [Amount; 2]> = BTreeMap::new();
    for (name, position) in &books.positions {
        sides.entry(name.clone()).or_default()[0] = amount(Some(&position.amount));
    }
    for held in last.held.iter().flatten() {
        let listed = outcome.options.iter().find(|instrument| instrument.id == held.instrument);
        let name = listed.map_or_else(|| format!("option {}", held.instrument.0), |listed| listed.name.to_string());
        sides.entry(name).or_default()[1] = held.amount;
    }
    let differing = sides.into_iter().filter(|(_, [theirs, ours])| theirs != ours);
    differing
        .map(|(name, [theirs, ours])| format!("the exchange holds {theirs} {name} for us, our ledger says {ours}"))
        .collect()
}

/// Cash, and where it came from: a demo begins with collateral alone and ends before anything is settled.
fn money(books: &SubaccountReport, last: &Sample, trades: &Trades) -> Vec<String> {
    let held = books.balances.get("USDC").map(cash).unwrap_or_default();
    let earned = trades.premium - trades.fees - cash(&books.interest_paid);
    let mut found = Vec::new();
    if (held - last.cash).abs() > CASH_TOLERANCE {
        found.push(format!("the exchange holds {held} USDC for us, our ledger says {}", last.cash));
    }
    if (held - earned).abs() > CASH_TOLERANCE {
        found.push(format!("the exchange holds {held} USDC for us, premium, fees and interest make {earned}"));
    }
    found
}
