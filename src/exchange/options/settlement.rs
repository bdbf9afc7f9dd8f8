//! Settlement at 08:00 UTC (Derive §8.5): the average of spot over the last half hour, paid in USDC, positions gone.

use super::marks::window_of;
use super::{Pair, WINDOW_S};
use crate::base::time::Nanos;
use crate::exchange::account::{HISTORY_MAX, keep};
use crate::exchange::catalog::date_text;
use crate::exchange::money::{json as decimal, truncate};
use crate::exchange::public::now;
use crate::exchange::rpc::{Answer, Call, Method};
use crate::exchange::{Exchange, Refusal, history};
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// Methods of this module.
pub const METHODS: &[Method] = &[
    Method::new("public/get_option_settlement_prices", settlement_prices),
    Method::new("private/get_option_settlement_history", settlement_history),
];

/// A settled expiry.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Currency.
    pub currency: &'static str,
    /// Expiry, unix seconds.
    pub expiry_s: u64,
    /// Average of spot it was settled at, USD.
    pub price: Decimal,
    /// Catalog places of its options that still answer as expired.
    pub places: Vec<usize>,
}

/// What a settlement did to one position.
#[derive(Clone, Debug)]
pub struct SettlementRow {
    /// Option.
    pub name: std::sync::Arc<str>,
    /// Expiry, unix seconds.
    pub expiry_s: u64,
    /// Signed size settled.
    pub amount: Decimal,
    /// Settlement price.
    pub price: Decimal,
    /// Cash paid or charged.
    pub value: Decimal,
    /// PnL with fees.
    pub pnl: Decimal,
    /// PnL without fees.
    pub pnl_excl: Decimal,
}

impl Exchange {
    /// Holds back the settlement of a live expiry by some seconds: its options stay, expired and unsettled. The price
    /// they settle at does not change. Unknown expiries are ignored.
    pub fn delay_settlement(&mut self, expiry_s: u64, by_s: u64) {
        let chains = self.chains.iter_mut().filter(|((_, expiry), _)| *expiry == expiry_s);
        chains.for_each(|(_, chain)| chain.settle_at_s = expiry_s.saturating_add(by_s));
        self.due.options = self.now;
    }

    /// The price a settled expiry was settled at.
    pub fn settlement_price(&self, currency: &str, expiry_s: u64) -> Option<Decimal> {
        let settled = self.settled.iter().rev().find(|s| s.currency == currency && s.expiry_s == expiry_s);
        settled.map(|s| s.price)
    }

    /// Settles every expiry whose time has come.
    pub(in crate::exchange) fn settle_options(&mut self, at: Nanos) {
        let due = self.chains.iter().filter(|(_, c)| c.settle_at_s <= at.secs()).map(|(key, _)| *key);
        for key in due.collect::<Vec<_>>() {
            self.settle_chain(key, at);
        }
    }

    fn settle_chain(&mut self, key: (&'static str, u64), at: Nanos) {
        let (currency, expiry_s) = key;
        let window = match (self.chains.get(&key), self.spots.get(currency)) {
            (Some(chain), Some(spot)) => chain.window(expiry_s, spot, at.max(window_of(expiry_s).1)),
            _ => None,
        };
        let (Some(window), Some(chain)) = (window, self.chains.remove(&key)) else { return };
        let price = truncate((window.latest - window.start) / Decimal::from(WINDOW_S));
        let places: Vec<usize> = chain.strikes.values().copied().flat_map(Pair::into_iter).collect();
        for ix in &places {
            self.instruments[*ix].settlement = Some(price);
            self.markets[*ix].open_interest = Decimal::ZERO;
        }
        let holders: Vec<(u64, usize)> = self
            .subs
            .iter()
            .flat_map(|(id, sub)| sub.options.keys().map(|ix| (*id, *ix)))
            .filter(|(_, ix)| self.instruments[*ix].terms.is_some_and(|t| t.expiry() == key))
            .collect();
        for (id, ix) in holders {
            self.settle_position(id, ix, price);
        }
        keep(&mut self.settled, Settlement { currency, expiry_s, price, places });
    }

    fn settle_position(&mut self, id: u64, ix: usize, price: Decimal) {
        let instrument = &self.instruments[ix];
        let (Some(terms), name) = (instrument.terms, instrument.name.clone()) else { return };
        let Some(sub) = self.subs.get_mut(&id) else { return };
        let Some(position) = sub.options.remove(&ix) else { return };
        let payoff = terms.payoff(price);
        let value = truncate(payoff * position.amount);
        if !sub.house {
            let row = SettlementRow {
                name: name.clone(),
                expiry_s: terms.expiry_s,
                amount: position.amount,
                price,
                value,
                pnl: truncate((payoff - position.average) * position.amount),
                pnl_excl: truncate((payoff - position.average_excl) * position.amount),
            };
            keep(&mut sub.option_settlements, row);
        }
        self.house.option_clearing -= value;
        self.note_balance(id, &name, position.amount, Decimal::ZERO, "option_settlement");
        self.move_cash(id, value, "option_settlement");
    }
}

fn settlement_prices(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let name = call.params.text("currency")?;
    let asset = exchange.find_asset(name).ok_or_else(|| Refusal::because(12002, name))?;
    let of_currency = exchange.settled.iter().filter(|s| s.currency == asset.name);
    let rows = of_currency.map(
        |s| json!({ "expiry_date": date_text(s.expiry_s), "utc_expiry_sec": s.expiry_s, "price": decimal(s.price) }),
    );
    now(json!({ "expiries": rows.collect::<Vec<_>>() }))
}

fn settlement_history(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let ids = history::subaccounts_asked(exchange, call)?;
    let rows = history::subaccounts(exchange, &ids)
        .flat_map(|(id, sub)| sub.option_settlements.iter().rev().map(move |row| (id, row)));
    let settlements: Vec<Value> = rows
        .take(HISTORY_MAX)
        .map(|(id, row)| {
            json!({
                "subaccount_id": id, "instrument_name": row.name, "expiry": row.expiry_s,
                "amount": decimal(row.amount), "settlement_price": decimal(row.price),
                "settlement_value": decimal(row.value), "option_settlement_pnl": decimal(row.pnl),
                "option_settlement_pnl_excl_fees": decimal(row.pnl_excl),
            })
        })
        .collect();
    now(json!({ "settlements": settlements }))
}
