//! What a venue may do to an account by itself: cancel, forget, log out, let strangers in, change its terms. And a look
//! at every open order, for judging whoever placed it.

use super::execution::Deal;
use super::order::{Status, TradeRow};
use super::session::Connection;
use super::{Exchange, KeyLoss, OrderId, Outbox, Refusal, Tier, TimeInForce};
use crate::base::ids::Side;
use crate::base::time::Nanos;
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// One resting order, as the matching engine has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its nonce.
    pub nonce: u64,
    /// Instrument.
    pub instrument: String,
    /// Side.
    pub side: Side,
    /// Limit price.
    pub price: Decimal,
    /// Amount not filled yet.
    pub remaining: Decimal,
    /// Amount filled.
    pub filled: Decimal,
    /// Unix ms of acceptance.
    pub since_ms: u64,
    /// Unix second at which the option it is of expires.
    pub option_expiry_s: Option<u64>,
}

impl Exchange {
    /// The resting orders of a subaccount, oldest nonce first.
    pub fn open_orders_of(&self, sub: u64) -> Vec<OpenOrder> {
        let open = self.subs.get(&sub).into_iter().flat_map(|sub| &sub.open);
        let mut rows: Vec<OpenOrder> = open
            .filter_map(|id| self.orders.get(id))
            .map(|order| OpenOrder {
                nonce: order.nonce,
                instrument: order.instrument_name.to_string(),
                side: order.side,
                price: order.limit_price,
                remaining: order.remaining(),
                filled: order.filled,
                since_ms: order.created_ms,
                option_expiry_s: self.instruments[order.instrument].terms.map(|terms| terms.expiry_s),
            })
            .collect();
        rows.sort_by_key(|row| row.nonce);
        rows
    }

    /// Cancels every order of a subaccount, and says so.
    pub fn cancel_everything(&mut self, sub: u64, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        self.cancel_where(sub, "compliance", at, |_| true);
        self.flush(out);
    }

    /// Loses every order of a subaccount without a word, as a restart of the matching engine would.
    pub fn forget_orders(&mut self, sub: u64, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        self.flush(out);
        self.cancel_where(sub, "restart", at, |_| true);
        self.forget_events_of(sub);
    }

    /// Forgets who is logged in.
    pub fn log_everybody_out(&mut self) {
        self.conns.values_mut().for_each(|connection| connection.login = None);
    }

    /// Places a resting order in any account, as somebody else with its owner's key would.
    ///
    /// # Errors
    /// The instrument is unknown or the venue would refuse the order.
    pub fn stranger_order(
        &mut self,
        sub: u64,
        (instrument, side): (&str, Side),
        (price, amount): (Decimal, Decimal),
        at: Nanos,
        out: &mut Outbox,
    ) -> Result<u64, Refusal> {
        self.advance(at);
        let mut order = self.house_draft(instrument, side == Side::Buy, price, amount, TimeInForce::PostOnly)?;
        (order.sub, order.nonce, order.label) = (sub, at.0, at.0.to_string());
        order.max_fee = price;
        let owner = self.subs.get(&sub).map(|account| account.wallet).unwrap_or_default();
        (order.signer, order.proved_by) = (owner, owner);
        let placed = self.place(order, at)?;
        self.flush(out);
        if placed.order.status == Status::Open { Ok(at.0) } else { Err(Refusal::of(11_008)) }
    }

    /// Brings an asset into an account without a trade; unknown accounts and assets are ignored.
    pub fn deposit(&mut self, sub: u64, asset: &str, amount: Decimal, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        let Some(name) = self.find_asset(asset).map(|asset| asset.name) else { return };
        let Some(mut account) = self.subs.remove(&sub) else { return };
        let before = account.holdings.get(name).map_or(Decimal::ZERO, |holding| holding.amount);
        self.fund(&mut account, [(name, amount)].into_iter());
        self.subs.insert(sub, account);
        self.note_balance(sub, name, before, before + amount, "asset_deposit");
        self.flush(out);
    }

    /// Takes back the last trade of a subaccount, with all its legs, as a venue that rolls its chain back would: amounts,
    /// cash and fees return, the trade is in no history, and nobody is told. The other side keeps what it has.
    pub fn roll_back(&mut self, sub: u64, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        self.flush(out);
        let last = |exchange: &Exchange| exchange.subs.get(&sub).and_then(|sub| sub.trades.back().cloned());
        let Some(operation) = last(self).map(|row| row.op_uuid) else { return };
        while let Some(row) = last(self).filter(|row| row.op_uuid == operation) {
            let Ok(ix) = self.find_instrument(&row.instrument_name) else { return };
            let TradeRow { trade_id, op_uuid, price, amount, mark, index, .. } = row;
            let deal = Deal { trade_id, op_uuid, price, amount, mark, index, at };
            let back = if row.side == Side::Buy { -amount } else { amount };
            self.book_amount((sub, ix), back, &deal, (-row.fee, -row.extra_fee));
            self.subs.get_mut(&sub).into_iter().for_each(|sub| drop(sub.trades.pop_back()));
        }
        self.forget_events_of(sub);
    }

    /// What a subaccount holds, offers or asks for, by name of the instrument.
    pub fn concerns_of(&self, sub: u64) -> Vec<String> {
        let Some(account) = self.subs.get(&sub) else { return Vec::new() };
        let resting = account.open.iter().filter_map(|id| self.orders.get(id)).map(|order| order.instrument);
        let held = account.positions.keys().chain(account.options.keys()).copied();
        let asked = self.rfq.asked_by(sub);
        let places: BTreeSet<usize> = resting.chain(held).chain(asked).collect();
        places.into_iter().map(|ix| self.instruments[ix].name.to_string()).collect()
    }

    /// Stops the trading of an instrument: what rests in it expires, and requests for it lapse. Unknown names are ignored.
    pub fn deactivate(&mut self, instrument: &str, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        let Ok(ix) = self.find_instrument(instrument) else { return };
        self.instruments[ix].active = false;
        let resting: Vec<OrderId> = self.markets[ix].book.orders().collect();
        for order in resting {
            self.end_order(order, Status::Expired, "", at);
        }
        self.lapse_rfqs_in(&[ix], at);
        self.flush(out);
    }

    /// Lets a deactivated instrument trade again, unless its time is over. Unknown names are ignored.
    pub fn reactivate(&mut self, instrument: &str, at: Nanos) {
        let Ok(ix) = self.find_instrument(instrument) else { return };
        self.instruments[ix].active = at.secs() < self.instruments[ix].deactivation_s;
    }

    /// Something becomes of every session key of a subaccount's owner, or they are as they were. Keys that may not even
    /// read any more are logged out.
    pub fn set_key_loss(&mut self, sub: u64, loss: Option<KeyLoss>) {
        let Some(owner) = self.subs.get(&sub).map(|sub| sub.wallet) else { return };
        self.wallets.get_mut(&owner).into_iter().for_each(|wallet| wallet.loss = loss);
        if matches!(loss, Some(KeyLoss::Deregistered | KeyLoss::Barred)) {
            let theirs = |connection: &&mut Connection| connection.login.is_some_and(|login| login.wallet == owner);
            self.conns.values_mut().filter(theirs).for_each(|connection| connection.login = None);
        }
    }

    /// Puts the owner of a subaccount on another tier.
    pub fn set_tier(&mut self, sub: u64, tier: Tier) {
        let owner = self.subs.get(&sub).map(|sub| sub.wallet);
        owner.and_then(|owner| self.wallets.get_mut(&owner)).into_iter().for_each(|wallet| wallet.tier = tier);
    }
}
