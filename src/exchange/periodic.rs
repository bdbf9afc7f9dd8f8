//! What happens because time passes: samples, settlements, interest, expiries, and the cadences of public channels.

use super::account::keep;
use super::catalog::Kind;
use super::order::Status;
use super::outbox::Outbox;
use super::perp::{Sample, impact_notional, next_sample};
use super::session::Channel;
use super::{Exchange, OrderId, Settings};
use crate::base::ids::Side;
use crate::base::time::{MS, Nanos, SEC};
use rust_decimal::Decimal;

/// Cadence on which tickers are due, ms; slower ones are multiples of it.
const TICKER_MS: u64 = 100;
/// Cadence of the spot feed and of margin watch, ms.
const FEED_MS: u64 = 1_000;

/// When each periodic duty is next due.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    sample: Nanos,
    settle: Nanos,
    interest: Nanos,
    books: Nanos,
    tickers: Nanos,
    /// Listing, deactivation and settlement of options.
    pub options: Nanos,
}

/// Rates at the end of a minute, for the history methods.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Unix seconds.
    pub at_s: u64,
    /// Funding rate of every perp, by catalog place.
    pub funding: Vec<(usize, Decimal)>,
    /// USDC borrow rate.
    pub borrow: Decimal,
    /// USDC supply rate.
    pub supply: Decimal,
    /// USDC borrowed and supplied.
    pub totals: (Decimal, Decimal),
}

fn next_multiple(at: Nanos, every_ns: u64) -> Nanos {
    let every = every_ns.max(MS);
    Nanos((at.0 / every + 1) * every)
}

impl Due {
    /// First deadlines after opening.
    pub fn new(settings: &Settings, at: Nanos) -> Due {
        Due {
            sample: next_sample(at),
            settle: next_multiple(at, settings.perp_settle_every_s * SEC),
            interest: next_multiple(at, settings.interest_every_s * SEC),
            books: next_multiple(at, settings.book_every_ms * MS),
            tickers: next_multiple(at, TICKER_MS * MS),
            options: at,
        }
    }
}

impl Exchange {
    /// Moves the exchange's own clock; it never goes back.
    pub(super) fn advance(&mut self, at: Nanos) {
        self.now = self.now.max(at);
    }

    /// The earliest moment at which `tick` has something to do.
    pub fn next_deadline(&self) -> Option<Nanos> {
        let Due { sample, settle, interest, books, tickers, options } = self.due;
        let channels = if self.topics.is_empty() { Nanos::MAX } else { books.min(tickers) };
        let expiry = self.order_expiries.first().map_or(Nanos::MAX, |(s, _)| Nanos(s.saturating_mul(SEC)));
        let released = self.waiting.next().unwrap_or(Nanos::MAX);
        let window = self.rfq.next_expiry().unwrap_or(Nanos::MAX);
        let due = [sample, settle, interest, channels, options, expiry, released, window];
        Some(due.into_iter().min().unwrap_or(Nanos::MAX))
    }

    /// Does everything due by `at`, in order of time where order matters.
    pub fn tick(&mut self, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        self.release_waiting(at, out);
        self.expire_orders(at);
        self.expire_rfqs(at);
        if self.due.options <= at {
            self.due.options = self.tend_options(at);
        }
        if self.due.sample <= at {
            let seconds = 1 + at.since(self.due.sample) / SEC;
            let last = self.due.sample.plus((seconds - 1) * SEC);
            self.sample(last, seconds);
            self.due.sample = next_sample(last);
        }
        if self.due.settle <= at {
            self.settle_perps(at);
            self.due.settle = next_multiple(at, self.settings.perp_settle_every_s * SEC);
        }
        if self.due.interest <= at {
            self.pay_interest(at);
            self.due.interest = next_multiple(at, self.settings.interest_every_s * SEC);
        }
        self.flush(out);
        self.publish_books(at, out);
        self.publish_tickers(at, out);
    }

    /// Orders die with their signature, and with the session key that made it.
    fn expire_orders(&mut self, at: Nanos) {
        while let Some(&(expiry_s, id)) = self.order_expiries.first() {
            if expiry_s > at.secs() {
                break;
            }
            self.order_expiries.pop_first();
            self.end_order(id, Status::Expired, "", at);
        }
    }

    /// Cancels orders whose signing key is no longer live.
    fn lapse_keys(&mut self, at: Nanos) {
        let (subs, resting) = (&self.subs, &self.orders);
        // Orders of the house are signed by nobody, and there are hundreds of them.
        let signed = subs.values().filter(|s| !s.house);
        let orders = signed.flat_map(|s| s.open.iter().filter_map(move |id| Some((s, resting.get(id)?))));
        let lapsed = |(sub, o): &(&super::account::Subaccount, &super::order::Order)| {
            let key = self.wallets.get(&sub.wallet).and_then(|w| w.keys.get(&o.proved_by));
            sub.wallet != o.proved_by && !key.is_some_and(|k| k.is_live(at))
        };
        let gone: Vec<OrderId> = orders.filter(lapsed).map(|(_, o)| o.id).collect();
        for id in gone {
            self.end_order(id, Status::Cancelled, "session_key_deregistered", at);
        }
    }

    /// Once a second: perp samples, lending indices, lapsed keys; once a minute a row of history. When the clock has made
    /// a longer step, the books as they are stand for all its `seconds`, at the cost of one.
    fn sample(&mut self, at: Nanos, seconds: u64) {
        for ix in 0..self.standing {
            let index = self.index_of(ix);
            if self.instruments[ix].kind != Kind::Perp || index.is_zero() {
                continue;
            }
            let book = &self.markets[ix].book;
            let best = |side| book.best(side).map(|r| r.price);
            let mid = best(Side::Buy).zip(best(Side::Sell)).map(|(b, a)| (b + a) / Decimal::TWO);
            let (bid, ask) =
                (book.impact_price(Side::Buy, impact_notional()), book.impact_price(Side::Sell, impact_notional()));
            let window = self.settings.mark_window_s;
            self.markets[ix].perp.sample(Sample { index, mid, bid, ask }, window, seconds);
        }
        self.advance_lending(at);
        self.lapse_keys(at);
        if at.secs() / 60 > (at.secs() - seconds) / 60 {
            let perps = (0..self.standing).filter(|ix| self.instruments[*ix].kind == Kind::Perp);
            let row = Rates {
                at_s: at.secs() / 60 * 60,
                funding: perps.map(|ix| (ix, self.markets[ix].perp.rate)).collect(),
                borrow: self.lending.borrow_rate,
                supply: self.lending.supply_rate,
                totals: (self.lending.total_borrow, self.lending.total_supply),
            };
            keep(&mut self.rate_history, row);
        }
    }

    fn advance_lending(&mut self, at: Nanos) {
        let (mut supply, mut borrow) = (Decimal::ZERO, Decimal::ZERO);
        for cash in self.subs.values().map(|s| s.balance(super::catalog::CASH)) {
            if cash.is_sign_negative() { borrow -= cash } else { supply += cash }
        }
        self.lending.advance(at, supply, borrow);
    }

    /// Pays PnL and funding of every open position into cash.
    pub(super) fn settle_perps(&mut self, at: Nanos) {
        let open: Vec<(u64, usize)> =
            self.subs.iter().flat_map(|(id, s)| s.positions.keys().map(|ix| (*id, *ix))).collect();
        for (id, ix) in open {
            let (mark, aggregate) = (self.mark_of(ix), self.markets[ix].perp.aggregate_funding);
            let Some(sub) = self.subs.get_mut(&id) else { continue };
            let Some(position) = sub.positions.get_mut(&ix) else { continue };
            let settled = position.settle(mark, aggregate);
            sub.funding_paid -= settled.funding;
            let cash = settled.pnl + settled.funding;
            if cash.is_zero() {
                continue;
            }
            if !sub.house {
                keep(&mut sub.settlements, (at.ms(), ix, settled.pnl, settled.funding));
            }
            self.house.perp_clearing -= cash;
            self.move_cash(id, cash, "perp_settlement");
        }
    }

    fn pay_interest(&mut self, at: Nanos) {
        self.advance_lending(at);
        let ids: Vec<u64> = self.subs.keys().copied().collect();
        for id in ids {
            let Some(sub) = self.subs.get_mut(&id) else { continue };
            let before = sub.balance(super::catalog::CASH);
            let paid = sub.capitalise_interest(at, &self.lending);
            self.house.interest -= paid;
            self.note_balance(id, super::catalog::CASH, before, before + paid, "interest_accrual");
        }
    }

    fn publish_books(&mut self, at: Nanos, out: &mut Outbox) {
        if self.due.books > at {
            return;
        }
        self.due.books = next_multiple(at, self.settings.book_every_ms * MS);
        // A book is sent when it changed, and once a second in any case.
        let second = at.ms() / FEED_MS;
        let stale: Vec<String> = self
            .topics
            .iter()
            .filter(|(_, t)| match t.channel {
                Channel::Book { instrument, .. } => t.published != self.book_stamp(instrument, second),
                _ => false,
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in stale {
            let Some(Channel::Book { instrument, group, depth }) = self.topics.get(&name).map(|t| t.channel.clone())
            else {
                continue;
            };
            let stamp = self.book_stamp(instrument, second);
            self.markets[instrument].publish_id += 1;
            if let Some(topic) = self.topics.get_mut(&name) {
                topic.published = stamp;
            }
            let data = self.book_json(instrument, group, depth, at);
            self.publish(&name, data, out);
        }
    }

    fn book_stamp(&self, instrument: usize, second: u64) -> u64 {
        self.markets[instrument].book.version.wrapping_mul(1 << 24) ^ second
    }

    fn publish_tickers(&mut self, at: Nanos, out: &mut Outbox) {
        if self.due.tickers > at {
            return;
        }
        let slot = self.due.tickers.ms();
        self.due.tickers = next_multiple(at, TICKER_MS * MS);
        let crossed = |every_ms: u64| at.ms() / every_ms > slot.saturating_sub(1) / every_ms;
        for (name, topic) in &self.topics {
            let data = match &topic.channel {
                Channel::Ticker { instrument, every_ms } if crossed(*every_ms) => super::public::object([
                    ("timestamp", at.ms().into()),
                    ("instrument_ticker", self.ticker_json(*instrument, at)),
                ]),
                Channel::Spot(currency) if crossed(FEED_MS) => self.spot_json(*currency, at),
                Channel::MarginWatch if crossed(FEED_MS) => match self.margin_watch(at) {
                    rows if rows.is_empty() => continue,
                    rows => serde_json::Value::Array(rows),
                },
                _ => continue,
            };
            self.publish(name, data, out);
        }
    }
}
