//! The house's own hands: unsigned accounts that trade at once and bear no margin, for whoever moves the market.

use super::account::{Subaccount, Wallet};
use super::order::{Order, Status, TradeRow};
use super::{
    Exchange, HouseFill, OrderId, Outbox, PositionReport, Refusal, SubaccountReport, TimeInForce, TradeReport,
};
use crate::base::ids::Side;
use crate::base::time::Nanos;
use alloy_primitives::{Address, keccak256};
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// What whoever moves the market starts with.
pub const PURSE: [(&str, Decimal); 5] = [
    ("USDC", Decimal::from_parts(1_000_000_000, 0, 0, false, 0)),
    ("ETH", Decimal::from_parts(1_000_000, 0, 0, false, 0)),
    ("BTC", Decimal::from_parts(100_000, 0, 0, false, 0)),
    ("WEETH", Decimal::from_parts(1_000_000, 0, 0, false, 0)),
    ("LBTC", Decimal::from_parts(100_000, 0, 0, false, 0)),
];

impl Exchange {
    /// Opens an account of the house (the crowd): unsigned, unmetered, exempt from margin and fees, matched like any
    /// other. Unknown asset names are ignored.
    pub fn house_account(&mut self, name: &str, balances: &[(&str, Decimal)]) -> u64 {
        let wallet = Address::from_word(keccak256(format!("house {name} {}", self.next_sub)));
        let id = self.next_sub;
        self.next_sub += 1;
        let tier = self.settings.tier;
        let mut sub = Subaccount::new(wallet, name, true, &self.lending);
        self.fund(&mut sub, balances.iter().map(|(asset, amount)| (*asset, *amount)));
        self.subs.insert(id, sub);
        let account = self.wallets.entry(wallet).or_insert_with(|| Wallet::new(tier, self.now));
        account.subaccounts.push(id);
        account.rfq_maker = true;
        id
    }

    /// Oracle price of a currency, zero while unknown.
    pub fn oracle_price(&self, currency: &str) -> Decimal {
        self.spot_price(currency)
    }

    /// Puts starting balances into a subaccount at present prices.
    pub(super) fn fund<'a>(&self, sub: &mut Subaccount, balances: impl Iterator<Item = (&'a str, Decimal)>) {
        for (name, amount) in balances {
            let Some(asset) = self.find_asset(name) else { continue };
            let holding = sub.holdings.entry(asset.name).or_default();
            holding.amount += amount;
            holding.average = self.spot_price(asset.name);
            holding.average_excl = holding.average;
            holding.created_ms = self.now.ms();
        }
    }

    /// Places an order of a house account, at once. `instrument` is a name such as `ETH-PERP`.
    #[allow(clippy::too_many_arguments)]
    pub fn house_order(
        &mut self,
        sub: u64,
        instrument: &str,
        buy: bool,
        price: Decimal,
        amount: Decimal,
        tif: TimeInForce,
        at: Nanos,
        out: &mut Outbox,
    ) -> Result<HouseFill, Refusal> {
        self.advance(at);
        if !self.subs.get(&sub).is_some_and(|s| s.house) {
            return Err(Refusal::because(14001, format!("{sub} is not an account of the house")));
        }
        let order = Order { sub, ..self.house_draft(instrument, buy, price, amount, tif)? };
        let placed = self.place(order, at)?;
        self.flush(out);
        let filled = placed.order.filled;
        let rests = placed.order.status == Status::Open;
        Ok(HouseFill {
            order: placed.order.id,
            filled,
            average_price: if filled.is_zero() { filled } else { placed.order.filled_value / filled },
            resting: if rests { placed.order.remaining() } else { Decimal::ZERO },
        })
    }

    /// An unsigned order of nobody yet.
    pub(super) fn house_draft(
        &mut self,
        instrument: &str,
        buy: bool,
        price: Decimal,
        amount: Decimal,
        tif: TimeInForce,
    ) -> Result<Order, Refusal> {
        let ix = self.find_instrument(instrument)?;
        self.check_grid(ix, price, amount)?;
        let now_ms = self.now.ms();
        Ok(Order {
            id: self.ids.uuid(),
            sub: 0,
            instrument: ix,
            instrument_name: self.instruments[ix].name.clone(),
            side: if buy { Side::Buy } else { Side::Sell },
            limit_price: price,
            signed_limit_price: None,
            amount,
            filled: Decimal::ZERO,
            filled_value: Decimal::ZERO,
            fee: Decimal::ZERO,
            max_fee: Decimal::ZERO,
            extra_fee: Decimal::ZERO,
            tif,
            market: false,
            reduce_only: false,
            mmp: false,
            reject_post_only: true,
            reject_timestamp: None,
            label: String::new(),
            nonce: 0,
            signer: Address::ZERO,
            proved_by: Address::ZERO,
            atomic: false,
            signature: String::new(),
            expiry_s: u64::MAX,
            created_ms: now_ms,
            updated_ms: now_ms,
            status: Status::Open,
            cancel_reason: "",
            replaced: None,
            conn: None,
        })
    }

    /// Cancels a resting house order; unknown orders are ignored.
    pub fn house_cancel(&mut self, sub: u64, order: OrderId, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        if self.orders.get(&order).is_some_and(|o| o.sub == sub) {
            self.end_order(order, Status::Cancelled, "user_request", at);
        }
        self.flush(out);
    }

    /// Cancels every resting order of a house account.
    pub fn house_cancel_all(&mut self, sub: u64, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        self.cancel_where(sub, "user_request", at, |_| true);
        self.flush(out);
    }

    /// Best bid and best ask as (price, amount of the first order).
    #[allow(clippy::type_complexity)]
    pub fn top_of_book(&self, instrument: &str) -> (Option<(Decimal, Decimal)>, Option<(Decimal, Decimal)>) {
        let Ok(ix) = self.find_instrument(instrument) else { return (None, None) };
        let book = &self.markets[ix].book;
        let best = |side| book.levels(side, self.instruments[ix].tick, 1).first().copied();
        (best(Side::Buy), best(Side::Sell))
    }

    /// Mark price of an instrument, zero if unknown.
    pub fn mark(&self, instrument: &str) -> Decimal {
        self.find_instrument(instrument).map_or(Decimal::ZERO, |ix| self.mark_of(ix))
    }

    /// Index price of a currency, zero if unknown.
    pub fn index(&self, currency: &str) -> Decimal {
        self.spot_price(currency)
    }

    /// Hourly funding rate in force for a currency's perp, zero if there is none.
    pub fn funding_rate(&self, currency: &str) -> Decimal {
        let perp = self.find_instrument(&format!("{currency}-PERP"));
        perp.map_or(Decimal::ZERO, |ix| self.markets[ix].perp.rate)
    }

    /// Publishes an oracle price for `ETH`, `BTC`, `WEETH`, `LBTC`, `SUSDE` or `USDC`; other names and prices that are not
    /// positive are ignored.
    pub fn set_spot(&mut self, currency: &str, price: Decimal, at: Nanos) {
        let Some(name) = self.find_asset(currency).map(|a| a.name) else { return };
        if price <= Decimal::ZERO {
            return;
        }
        let price = super::money::truncate(price);
        self.note_windows(name, at);
        let first = !self.spots.contains_key(name);
        let spot = self.spots.entry(name).or_default();
        if first || at.since(spot.previous_at) >= 2 * super::DAY_NS {
            spot.previous = if first { price } else { spot.price };
            spot.previous_at = Nanos(at.0.saturating_sub(super::DAY_NS));
        }
        spot.set(price, at);
        if first {
            let unpriced = self.subs.values_mut().filter_map(|s| s.holdings.get_mut(name));
            unpriced.filter(|h| h.average.is_zero()).for_each(|h| (h.average, h.average_excl) = (price, price));
            self.list_options(at);
        }
    }

    /// Replaces the computed hourly funding rate of a currency's perp; still clamped to the cap.
    pub fn set_funding_override(&mut self, currency: &str, hourly: Option<Decimal>) {
        if let Ok(ix) = self.find_instrument(&format!("{currency}-PERP")) {
            self.markets[ix].perp.rate_override = hourly;
            self.markets[ix].perp.set_rate();
        }
    }

    /// Replaces the computed USDC borrow rate (per year, 0.05 = 5 %); takes effect with the next interest update.
    pub fn set_borrow_override(&mut self, apr: Option<Decimal>) {
        self.lending.rate_override = apr.map(|rate| rate.clamp(Decimal::ZERO, Decimal::TEN));
    }

    /// The books of one subaccount as of the last call.
    pub fn subaccount_report(&self, id: u64) -> Option<SubaccountReport> {
        let sub = self.subs.get(&id)?;
        let margin = self.margin_of(sub);
        let positions = sub.positions.iter().map(|(ix, p)| {
            let unsettled = p.unsettled(self.mark_of(*ix), self.markets[*ix].perp.aggregate_funding);
            let report = PositionReport {
                amount: p.amount,
                average_price: p.average,
                average_price_excl_fees: p.average_excl,
                mark_value: unsettled.pnl + unsettled.funding,
                pending_funding: unsettled.funding,
                net_settlements: p.net_settlements,
            };
            (self.instruments[*ix].name.to_string(), report)
        });
        let options = sub.options.iter().map(|(ix, p)| {
            let report = PositionReport {
                amount: p.amount,
                average_price: p.average,
                average_price_excl_fees: p.average_excl,
                mark_value: super::money::truncate(p.amount * self.mark_of(*ix)),
                pending_funding: Decimal::ZERO,
                net_settlements: Decimal::ZERO,
            };
            (self.instruments[*ix].name.to_string(), report)
        });
        Some(SubaccountReport {
            balances: sub.holdings.iter().map(|(name, h)| (name.to_string(), h.amount)).collect(),
            positions: positions.chain(options).collect(),
            fees_paid: sub.fees_paid,
            funding_paid: sub.funding_paid,
            interest_paid: Decimal::ZERO - sub.cumulative_interest,
            pending_interest: sub.interest_due(&self.lending),
            value: margin.value(),
            initial_margin: margin.initial(),
            maintenance_margin: margin.maintenance(),
            open_orders: sub.open.len(),
        })
    }

    /// Nonces of the orders of one subaccount that were taken, as far as they are remembered, whatever became of them.
    pub fn accepted_of(&self, id: u64) -> Vec<u64> {
        self.subs.get(&id).into_iter().flat_map(|sub| sub.nonces.iter()).collect()
    }

    /// The fills of one subaccount that are remembered, oldest first.
    pub fn trades_of(&self, id: u64) -> Vec<TradeReport> {
        let rows = self.subs.get(&id).into_iter().flat_map(|sub| &sub.trades);
        let report = |row: &TradeRow| TradeReport {
            at_ms: row.at_ms,
            instrument: row.instrument_name.to_string(),
            label: row.label.clone(),
            buy: row.side == Side::Buy,
            price: row.price,
            mark: row.mark,
            amount: row.amount,
            fee: row.fee,
            quote: row.rfq.map(|(_, quote)| quote),
            tx: row.tx.map(|tx| tx.status),
        };
        let mut trades: Vec<TradeReport> = rows.map(report).collect();
        trades.sort_by_key(|trade| trade.at_ms);
        trades
    }

    /// Feeds a fill of an mmp order to its protection and cancels what it protects when it trips.
    pub(super) fn protect(&mut self, sub: u64, ix: usize, at: Nanos, amount: Decimal) {
        let currency = self.instruments[ix].base;
        let protection = self.subs.get_mut(&sub).and_then(|s| s.mmp.get_mut(currency));
        if !protection.is_some_and(|mmp| mmp.on_fill(at, amount)) {
            return;
        }
        let open = self.subs.get(&sub).into_iter().flat_map(|s| &s.open).filter_map(|id| self.orders.get(id));
        let protected: BTreeSet<usize> =
            open.map(|o| o.instrument).filter(|ix| self.instruments[*ix].base == currency).collect();
        self.cancel_where(sub, "mmp_trigger", at, |o| o.mmp && protected.contains(&o.instrument));
        self.cancel_protected_quotes(sub, currency, at);
    }
}
