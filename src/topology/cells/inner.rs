//! The actors between the two ends: pricing, auction, risk, signer.

use super::{BURST, Ticker};
use crate::actors::risk::Notice;
use crate::actors::signer::Sealed;
use crate::actors::{auction, pricing, risk, signer};
use crate::base::queue::{Conflating, Postbox, Receiver, Sender};
use crate::engine::actor::{Actor, Turn};
use crate::engine::ports::{Clock, Key, Store};
use crate::msg::{Account, Command, Intent, MarketMsg, ReportMsg, Stage, Talk, Urgent, Value};
use crate::risk::order::Granted;

/// Pricing with its lanes.
pub struct PricingCell<C> {
    actor: pricing::Pricing,
    clock: C,
    ticker: Ticker,
    facts: Receiver<MarketMsg>,
    values: (Conflating<Value>, Conflating<Value>),
    out: pricing::Out,
}

impl<C: Clock> PricingCell<C> {
    /// Connects it.
    pub fn new(
        actor: pricing::Pricing,
        clock: C,
        facts: Receiver<MarketMsg>,
        values: (Conflating<Value>, Conflating<Value>),
    ) -> Self {
        PricingCell { actor, clock, ticker: Ticker::default(), facts, values, out: pricing::Out::default() }
    }

    fn hear(&mut self, message: pricing::In) {
        self.actor.on(self.clock.now(), message, &mut self.out);
        for mut value in self.out.drain() {
            value.trace.stamp(Stage::Priced, self.clock.now());
            let key = crate::topology::key(value.instrument);
            self.values.0.send(key, value);
            self.values.1.send(key, value);
        }
    }
}

impl<C: Clock + Send> Turn for PricingCell<C> {
    fn turn(&mut self) -> bool {
        let mut busy = false;
        for _ in 0..BURST {
            let Some(fact) = self.facts.receive() else { break };
            self.hear(pricing::In::Market(fact));
            busy = true;
        }
        if self.ticker.due(self.clock.now()) {
            self.hear(pricing::In::Tick);
        }
        self.values.0.flush();
        self.values.1.flush();
        busy
    }

    fn name(&self) -> &'static str {
        "pricing"
    }
}

/// Auction with its lanes.
pub struct AuctionCell<C> {
    actor: auction::Auction,
    clock: C,
    ticker: Ticker,
    values: Receiver<Value>,
    accounts: Receiver<Account>,
    talks: Receiver<Talk>,
    intents: Sender<Intent>,
    out: auction::Out,
}

impl<C: Clock> AuctionCell<C> {
    /// Connects it.
    pub fn new(
        actor: auction::Auction,
        clock: C,
        (values, accounts, talks): (Receiver<Value>, Receiver<Account>, Receiver<Talk>),
        intents: Sender<Intent>,
    ) -> Self {
        let out = auction::Out::default();
        AuctionCell { actor, clock, ticker: Ticker::default(), values, accounts, talks, intents, out }
    }

    fn hear(&mut self, message: auction::In) {
        self.actor.on(self.clock.now(), message, &mut self.out);
        for mut intent in self.out.drain() {
            intent.trace.stamp(Stage::Decided, self.clock.now());
            // A full lane drops the wish; the actor wishes again when no answer comes.
            let _ = self.intents.send(intent);
        }
    }
}

impl<C: Clock + Send> Turn for AuctionCell<C> {
    fn turn(&mut self) -> bool {
        let mut busy = false;
        for _ in 0..BURST {
            let Some(account) = self.accounts.receive() else { break };
            self.hear(auction::In::Account(account));
            busy = true;
        }
        for _ in 0..BURST {
            let Some(talk) = self.talks.receive() else { break };
            self.hear(auction::In::Talk(talk));
            busy = true;
        }
        for _ in 0..BURST {
            let Some(value) = self.values.receive() else { break };
            self.hear(auction::In::Value(value));
            busy = true;
        }
        if self.ticker.due(self.clock.now()) {
            self.hear(auction::In::Tick);
        }
        busy
    }

    fn name(&self) -> &'static str {
        "auction"
    }
}

/// What risk reads.
pub struct RiskIn {
    /// From the control plane.
    pub commands: Postbox<Command>,
    /// From the gateway.
    pub reports: Receiver<ReportMsg>,
    /// From pricing.
    pub values: Receiver<Value>,
    /// From the auction.
    pub intents: Receiver<Intent>,
}

/// What risk writes.
pub struct RiskOut {
    /// To the signer.
    pub orders: Sender<Granted>,
    /// To the gateway.
    pub urgent: Sender<Urgent>,
    /// To the auction.
    pub accounts: Conflating<Account>,
    /// To the auction.
    pub talks: Conflating<Talk>,
    /// To the control plane.
    pub notices: Sender<Notice>,
}

/// Risk with its lanes.
pub struct RiskCell<C> {
    actor: risk::Risk,
    clock: C,
    ticker: Ticker,
    inbox: RiskIn,
    outbox: RiskOut,
    out: risk::Out,
}

impl<C: Clock> RiskCell<C> {
    /// Connects it.
    pub fn new(actor: risk::Risk, clock: C, inbox: RiskIn, outbox: RiskOut) -> Self {
        RiskCell { actor, clock, ticker: Ticker::default(), inbox, outbox, out: risk::Out::default() }
    }

    fn hear(&mut self, message: risk::In) {
        self.actor.on(self.clock.now(), message, &mut self.out);
        for urgent in self.out.urgent.drain() {
            let sent = self.outbox.urgent.send(urgent);
            assert!(sent.is_ok(), "urgent lane full: turn() keeps room for everything one step can say");
        }
        for mut granted in self.out.orders.drain() {
            granted.stamp(Stage::Approved, self.clock.now());
            assert!(self.outbox.orders.send(granted).is_ok(), "more orders under way than vaults have slots");
        }
        for account in self.out.accounts.drain() {
            self.outbox.accounts.send(usize::from(account.vault.0), account);
        }
        for talk in self.out.talks.drain() {
            self.outbox.talks.send(usize::from(talk.vault.0), talk);
        }
        for notice in self.out.notices.drain() {
            // For display only: a reader too slow for it misses it.
            let _ = self.outbox.notices.send(notice);
        }
    }

    /// Room for everything one step can say; without it, nothing is taken in until the gateway has caught up.
    fn has_room(&self) -> bool {
        self.outbox.urgent.room() >= self.out.urgent.room() && self.outbox.orders.room() >= self.out.orders.room()
    }
}

impl<C: Clock + Send> Turn for RiskCell<C> {
    fn turn(&mut self) -> bool {
        let mut busy = false;
        for _ in 0..BURST {
            if !self.has_room() {
                break;
            }
            // Commands first, then what is true, then what things are worth, then wishes.
            let message = if let Some(command) = self.inbox.commands.receive() {
                risk::In::Command(command)
            } else if let Some(report) = self.inbox.reports.receive() {
                risk::In::Report(report)
            } else if let Some(value) = self.inbox.values.receive() {
                risk::In::Value(value)
            } else if let Some(intent) = self.inbox.intents.receive() {
                risk::In::Intent(intent)
            } else {
                break;
            };
            self.hear(message);
            busy = true;
        }
        if self.ticker.due(self.clock.now()) && self.has_room() {
            self.hear(risk::In::Tick);
        }
        self.outbox.accounts.flush();
        self.outbox.talks.flush();
        busy
    }

    fn name(&self) -> &'static str {
        "risk"
    }
}

/// Signer with its lanes.
pub struct SignerCell<C, K, S> {
    actor: signer::Signer<K, S>,
    clock: C,
    ticker: Ticker,
    orders: Receiver<Granted>,
    sealed: Sender<Sealed>,
    out: signer::Out,
}

impl<C: Clock, K: Key, S: Store> SignerCell<C, K, S> {
    /// Connects it.
    pub fn new(actor: signer::Signer<K, S>, clock: C, orders: Receiver<Granted>, sealed: Sender<Sealed>) -> Self {
        SignerCell { actor, clock, ticker: Ticker::default(), orders, sealed, out: signer::Out::default() }
    }

    fn hear(&mut self, message: signer::In) {
        self.actor.on(self.clock.now(), message, &mut self.out);
        for mut sealed in self.out.drain() {
            sealed.stamp(Stage::Signed, self.clock.now());
            assert!(self.sealed.send(sealed).is_ok(), "more signatures under way than vaults have slots");
        }
    }
}

impl<C: Clock + Send, K: Key + Send, S: Store + Send> Turn for SignerCell<C, K, S> {
    fn turn(&mut self) -> bool {
        let mut busy = false;
        while self.sealed.room() > 1 {
            let Some(granted) = self.orders.receive() else { break };
            self.hear(match granted {
                Granted::Order(order) => signer::In::Order(order),
                Granted::Execution(execution) => signer::In::Execution(execution),
                Granted::Milestone { vault, milestone } => signer::In::Milestone { vault, milestone },
            });
            busy = true;
        }
        if !busy && self.sealed.room() > 1 && self.ticker.due(self.clock.now()) {
            self.hear(signer::In::Tick);
        }
        busy
    }

    fn name(&self) -> &'static str {
        "signer"
    }
}
