//! Strangers who trade with the resting orders of one account, and with whatever stands before them in the book.

use super::house::PURSE;
use super::{Exchange, OpenOrder, Outbox, TimeInForce};
use crate::base::ids::Side;
use crate::base::time::Nanos;
use rust_decimal::Decimal;

impl Exchange {
    /// Opens the account of a stranger.
    pub fn stranger_account(&mut self) -> u64 {
        self.house_account("stranger", &PURSE)
    }

    /// A stranger takes from every resting order of a subaccount, oldest nonce first, as much as `wants` says of it and its
    /// instrument's mark; what stands before it in the book is taken too. Returns how many orders were met.
    pub fn take_from(
        &mut self,
        (stranger, sub): (u64, u64),
        wants: impl Fn(&OpenOrder, Decimal) -> Option<Decimal>,
        at: Nanos,
        out: &mut Outbox,
    ) -> usize {
        self.advance(at);
        let resting = self.open_orders_of(sub);
        let mut met = 0;
        for order in &resting {
            let Some(amount) = wants(order, self.mark(&order.instrument)) else { continue };
            let Some(before) = self.before(stranger, order) else { continue };
            let (name, buy) = (order.instrument.as_str(), order.side == Side::Sell);
            let (price, amount) = (order.price, before + amount.min(order.remaining));
            let sent = self.house_order(stranger, name, buy, price, amount, TimeInForce::Ioc, at, out);
            met += usize::from(sent.is_ok_and(|fill| fill.filled > before));
        }
        met
    }

    /// The smallest amount that somebody may take of an instrument, zero if it is unknown.
    pub fn smallest_take(&self, instrument: &str) -> Decimal {
        self.find_instrument(instrument).map_or(Decimal::ZERO, |ix| self.instruments[ix].step)
    }

    /// What is matched before an order, up to its price; `None` if it does not rest any more.
    fn before(&self, stranger: u64, order: &OpenOrder) -> Option<Decimal> {
        let ix = self.find_instrument(&order.instrument).ok()?;
        let sweep = self.markets[ix].book.sweep(stranger, order.side.opposite(), order.price, Decimal::MAX);
        let ours = |id| self.orders.get(&id).is_some_and(|resting| resting.nonce == order.nonce);
        let place = sweep.fills.iter().position(|(resting, _)| ours(resting.order))?;
        Some(sweep.fills[..place].iter().map(|(_, taken)| *taken).sum())
    }
}
