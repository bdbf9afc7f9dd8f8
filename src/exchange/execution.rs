//! Matching: an order that has passed admission meets the book, and every fill is booked on both sides.

use super::account::keep;
use super::book::{CROSSED_MAX, Resting};
use super::catalog::{CASH, Kind};
use super::fees::{FeePrices, fee};
use super::money::truncate;
use super::order::{Order, Status, TradeRow};
use super::{Exchange, OrderId, Refusal, TimeInForce};
use crate::base::ids::{Side, Uuid};
use crate::base::time::Nanos;
use rust_decimal::Decimal;

/// What became of an order on arrival.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The order after matching.
    pub order: Order,
    /// Its own side of every fill.
    pub trades: Vec<TradeRow>,
}

/// What an order may do: how far it may cross and how much it may fill.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// Worst price it may take at; `None` if it must not take.
    pub limit: Option<Decimal>,
    /// Most it may fill.
    pub amount: Decimal,
}

/// What both sides of a trade share.
#[derive(Clone, Copy, Debug)]
pub struct Deal {
    /// Trade id of both sides.
    pub trade_id: Uuid,
    /// Protocol operation.
    pub op_uuid: Uuid,
    /// Price.
    pub price: Decimal,
    /// Amount.
    pub amount: Decimal,
    /// Mark price.
    pub mark: Decimal,
    /// Index price.
    pub index: Decimal,
    /// When.
    pub at: Nanos,
}

impl Deal {
    /// The prices fees are reckoned on.
    pub const fn fee_prices(&self) -> FeePrices {
        FeePrices { trade: self.price, index: self.index, mark: self.mark }
    }
}

impl Exchange {
    /// Places an order: refuses it whole or accepts it, fills what it can and rests or cancels the remainder.
    pub(super) fn place(&mut self, mut order: Order, at: Nanos) -> Result<Placed, Refusal> {
        self.check_entry(&order, at)?;
        let reach = self.reach(&mut order)?;
        self.cancel_short_makers(&order, reach, at);
        self.check_against_book(&order, reach)?;
        self.check_funds(&order, reach)?;
        let (trades, capped) = self.take(&mut order, reach, at);
        self.settle_remainder(&mut order, reach, capped, at);
        Ok(Placed { order, trades })
    }

    /// Cancels makers in the way whose own margin no longer bears the fill (`insufficient_margin`), and those whose
    /// signed fee cap the fill would break (`signed_max_fee_too_low`).
    fn cancel_short_makers(&mut self, order: &Order, reach: Reach, at: Nanos) {
        let Some(limit) = reach.limit else { return };
        for _ in 0..CROSSED_MAX {
            let sweep = self.markets[order.instrument].book.sweep(order.sub, order.side, limit, reach.amount);
            let failing = sweep.fills.iter().find_map(|(maker, _)| Some((maker.order, self.maker_fault(maker)?)));
            let Some((maker, why)) = failing else { return };
            self.end_order(maker, Status::Cancelled, why, at);
        }
    }

    /// What a fee would be reckoned on at a price.
    pub(super) fn fee_prices(&self, ix: usize, trade: Decimal) -> FeePrices {
        FeePrices { trade, index: self.index_of(ix), mark: self.mark_of(ix) }
    }

    fn maker_fault(&self, maker: &Resting) -> Option<&'static str> {
        let sub = self.subs.get(&maker.sub).filter(|s| !s.house)?;
        let order = self.orders.get(&maker.order)?;
        let instrument = &self.instruments[order.instrument];
        let prices = self.fee_prices(order.instrument, order.limit_price);
        if fee(instrument, false, prices, Decimal::ONE, false) > order.max_fee {
            return Some("signed_max_fee_too_low");
        }
        let bears = self.margin_of(sub).initial() + self.open_orders_margin(sub, None) >= Decimal::ZERO;
        (!bears && !self.reduces_risk(sub, order)).then_some("insufficient_margin")
    }

    /// Fills the order against the book; says whether it met more makers than allowed.
    fn take(&mut self, order: &mut Order, reach: Reach, at: Nanos) -> (Vec<TradeRow>, bool) {
        let mut rows = Vec::new();
        let Some(limit) = reach.limit else { return (rows, false) };
        while order.filled < reach.amount {
            let best = self.markets[order.instrument].book.best(order.side.opposite()).copied();
            let crosses = |m: &Resting| if order.side == Side::Buy { m.price <= limit } else { m.price >= limit };
            let Some(maker) = best.filter(|m| crosses(m) && m.sub != order.sub) else { break };
            if rows.len() == CROSSED_MAX {
                return (rows, true);
            }
            let amount = maker.amount.min(reach.amount - order.filled);
            rows.push(self.fill(order, &maker, amount, at));
        }
        (rows, false)
    }

    /// A trade in an instrument at present marks, with fresh ids.
    pub(super) fn deal(&mut self, ix: usize, price: Decimal, amount: Decimal, at: Nanos) -> Deal {
        let (mark, index) = (self.mark_of(ix), self.index_of(ix));
        Deal { trade_id: self.ids.uuid(), op_uuid: self.ids.uuid(), price, amount, mark, index, at }
    }

    fn fill(&mut self, taker: &mut Order, maker: &Resting, amount: Decimal, at: Nanos) -> TradeRow {
        let ix = taker.instrument;
        let deal = self.deal(ix, maker.price, amount, at);
        self.markets[ix].stats.on_trade(at, deal.price, deal.index, amount);
        let taken = self.book_side(taker, &deal, true);
        self.note_trade(taken.clone(), ix);
        self.markets[ix].book.reduce(maker.order, amount);
        let mut signed_sides = [self.settlement_of(taker, &taken), None];
        if let Some(mut made) = self.orders.remove(&maker.order) {
            let row = self.book_side(&mut made, &deal, false);
            signed_sides[1] = self.settlement_of(&made, &row);
            self.note_trade(row, ix);
            let (sub, mmp) = (made.sub, made.mmp);
            self.after_maker_fill(made, at);
            if mmp {
                self.protect(sub, ix, at, signed(maker_side(taker.side), amount));
            }
        }
        self.ask_settlement(deal.op_uuid, signed_sides);
        if taker.mmp {
            self.protect(taker.sub, ix, at, signed(taker.side, amount));
        }
        taken
    }

    fn after_maker_fill(&mut self, order: Order, at: Nanos) {
        if order.remaining() > Decimal::ZERO {
            self.note_order(&order);
            self.orders.insert(order.id, order);
        } else {
            self.close_order(order, Status::Filled, "", at);
        }
    }

    /// Books one side of a match: order, fee, balances, position.
    fn book_side(&mut self, order: &mut Order, deal: &Deal, taker: bool) -> TradeRow {
        let instrument = self.instruments[order.instrument].clone();
        let signed = signed(order.side, deal.amount);
        let base_due = order.filled.is_zero();
        let fee = if self.subs.get(&order.sub).is_some_and(|s| s.house) {
            Decimal::ZERO
        } else {
            fee(&instrument, taker, deal.fee_prices(), deal.amount, base_due)
        };
        let extra_fee = truncate(order.extra_fee * deal.amount / order.amount);
        order.filled += deal.amount;
        order.filled_value += deal.price * deal.amount;
        order.fee += fee;
        order.updated_ms = deal.at.ms();
        let (realized, realized_excl) = self.book_amount((order.sub, order.instrument), signed, deal, (fee, extra_fee));
        let wallet = self.subs.get(&order.sub).map(|sub| sub.wallet);
        TradeRow {
            trade_id: deal.trade_id,
            op_uuid: deal.op_uuid,
            order: order.id,
            label: order.label.clone(),
            sub: order.sub,
            wallet: wallet.unwrap_or_default(),
            instrument_name: instrument.name,
            side: order.side,
            taker,
            price: deal.price,
            amount: deal.amount,
            fee,
            extra_fee,
            mark: deal.mark,
            index: deal.index,
            realized,
            realized_excl,
            rfq: None,
            tx: self.fresh_tx(),
            at_ms: deal.at.ms(),
        }
    }

    /// Books a signed amount of a deal for a subaccount: balances, position, fees, the house's pools. Returns PnL
    /// realised with and without fees.
    pub(super) fn book_amount(
        &mut self,
        (sub, ix): (u64, usize),
        signed: Decimal,
        deal: &Deal,
        (fee, extra_fee): (Decimal, Decimal),
    ) -> (Decimal, Decimal) {
        self.note_unsettled((sub, ix), signed, deal, (fee, extra_fee));
        let (kind, base) = (self.instruments[ix].kind, self.instruments[ix].base);
        self.house.fees += fee + extra_fee;
        if let Some(sub) = self.subs.get_mut(&sub) {
            sub.fees_paid += fee + extra_fee;
        }
        match kind {
            Kind::Erc20 => self.book_spot(sub, base, signed, deal, fee, extra_fee),
            Kind::Perp => self.book_perp(sub, ix, signed, deal, fee, extra_fee),
            Kind::Option => self.book_option((sub, ix), signed, deal, fee, extra_fee),
        }
    }

    /// Premium is paid at once; the position keeps size and cost.
    fn book_option(
        &mut self,
        (id, ix): (u64, usize),
        signed: Decimal,
        deal: &Deal,
        fee: Decimal,
        extra_fee: Decimal,
    ) -> (Decimal, Decimal) {
        let Some(sub) = self.subs.get_mut(&id) else { return Default::default() };
        let position = sub.options.entry(ix).or_default();
        let before = position.amount;
        if before.is_zero() {
            position.created_ms = deal.at.ms();
        }
        let realized = position.trade(signed, deal.price, fee);
        let after = position.amount;
        if after.is_zero() {
            sub.options.remove(&ix);
        }
        self.markets[ix].open_interest += after.max(Decimal::ZERO) - before.max(Decimal::ZERO);
        let premium = truncate(deal.price * signed);
        self.house.option_clearing += premium;
        let name = self.instruments[ix].name.clone();
        self.note_balance(id, &name, before, after, "trade");
        self.move_cash(id, -premium - fee - extra_fee, "trade");
        realized
    }

    fn book_spot(
        &mut self,
        id: u64,
        base: &'static str,
        signed: Decimal,
        deal: &Deal,
        fee: Decimal,
        extra_fee: Decimal,
    ) -> (Decimal, Decimal) {
        let Some(sub) = self.subs.get_mut(&id) else { return Default::default() };
        let holding = sub.holdings.entry(base).or_default();
        let before = holding.amount;
        if before.is_zero() {
            holding.created_ms = deal.at.ms();
        }
        let realized = holding.trade(signed, deal.price, fee);
        let after = holding.amount;
        self.note_balance(id, base, before, after, "trade");
        self.move_cash(id, -truncate(deal.price * signed) - fee - extra_fee, "trade");
        realized
    }

    fn book_perp(
        &mut self,
        id: u64,
        ix: usize,
        signed: Decimal,
        deal: &Deal,
        fee: Decimal,
        extra_fee: Decimal,
    ) -> (Decimal, Decimal) {
        let aggregate = self.markets[ix].perp.aggregate_funding;
        let Some(sub) = self.subs.get_mut(&id) else { return Default::default() };
        let position = sub.positions.entry(ix).or_default();
        let before = position.amount;
        if before.is_zero() {
            position.created_ms = deal.at.ms();
            position.settled_mark = deal.mark;
            position.settled_funding = aggregate;
        }
        let traded = position.trade(signed, deal.price, fee, deal.mark, aggregate);
        let after = position.amount;
        sub.funding_paid -= traded.funding;
        if !traded.funding.is_zero() {
            keep(&mut sub.settlements, (deal.at.ms(), ix, Decimal::ZERO, traded.funding));
        }
        if after.is_zero() {
            sub.positions.remove(&ix);
        }
        self.markets[ix].open_interest += after.max(Decimal::ZERO) - before.max(Decimal::ZERO);
        self.house.perp_clearing -= traded.cash + fee;
        let name = self.instruments[ix].name.clone();
        self.note_balance(id, &name, before, after, "trade");
        self.move_cash(id, traded.cash - extra_fee, "trade");
        (traded.realized, traded.realized_excl)
    }

    /// Changes a subaccount's cash and notes it.
    pub(super) fn move_cash(&mut self, id: u64, delta: Decimal, why: &str) {
        let Some(sub) = self.subs.get_mut(&id) else { return };
        let before = sub.balance(CASH);
        sub.change_cash(delta, &self.lending);
        self.note_balance(id, CASH, before, before + delta, why);
    }

    fn settle_remainder(&mut self, order: &mut Order, reach: Reach, capped: bool, at: Nanos) {
        let (status, reason) = if order.remaining() <= Decimal::ZERO {
            (Status::Filled, "")
        } else if capped {
            (Status::Cancelled, "max_crossed_orders")
        } else if order.market
            || matches!(order.tif, TimeInForce::Ioc | TimeInForce::Fok)
            || reach.amount < order.amount
        {
            (Status::Cancelled, "ioc_or_market_partial_fill")
        } else if order.mmp && self.is_frozen(order, at) {
            (Status::Cancelled, "mmp_trigger")
        } else {
            self.rest(order);
            return;
        };
        self.close_order(order.clone(), status, reason, at);
        order.status = status;
        order.cancel_reason = reason;
    }

    fn rest(&mut self, order: &Order) {
        let resting = Resting { order: order.id, sub: order.sub, price: order.limit_price, amount: order.remaining() };
        self.markets[order.instrument].book.rest(order.side, resting);
        if let Some(sub) = self.subs.get_mut(&order.sub) {
            sub.open.insert(order.id);
        }
        if order.expiry_s < u64::MAX {
            self.order_expiries.insert((order.expiry_s, order.id));
        }
        self.note_order(order);
        self.orders.insert(order.id, order.clone());
    }

    /// Takes a resting order off the book for good; `None` if it does not rest.
    pub(super) fn end_order(&mut self, id: OrderId, status: Status, reason: &'static str, at: Nanos) -> Option<Order> {
        let order = self.orders.remove(&id)?;
        Some(self.close_order(order, status, reason, at))
    }

    fn close_order(&mut self, mut order: Order, status: Status, reason: &'static str, at: Nanos) -> Order {
        order.status = status;
        order.cancel_reason = reason;
        order.updated_ms = at.ms();
        self.markets[order.instrument].book.remove(order.id);
        self.order_expiries.remove(&(order.expiry_s, order.id));
        if let Some(sub) = self.subs.get_mut(&order.sub) {
            sub.open.remove(&order.id);
            if !sub.house {
                keep(&mut sub.ended, order.clone());
            }
        }
        self.note_order(&order);
        order
    }
}

/// The amount with the sign of its side.
pub fn signed(side: Side, amount: Decimal) -> Decimal {
    if side == Side::Buy { amount } else { -amount }
}

fn maker_side(taker: Side) -> Side {
    taker.opposite()
}
