//! The actors between the two ends: pricing, auction, risk, signer.

use super::{BURST, Ticker};
use crate::actors::risk::Notice;
use crate::actors::signer::Sealed;
use crate::actors::{auction, pricing, risk, signer};
use crate::base::queue::{Conflating, Postbox, Receiver, Sender};
use crate::engine::actor::{Actor, Turn};
use crate::engine::ports::{Clock, Key, Store};
use crate::market::instrument::Listing;
use crate::msg::{Account, Command, ContractFact, Intent, Mark, MarketMsg, ReportMsg, Stage, Talk, Urgent, Value};
use crate::risk::order::Granted;

/// Pricing with its lanes.
pub struct PricingCell<C> {
    actor: pricing::Pricing,
    clock: C,
    ticker: Ticker,
    facts: Receiver<MarketMsg>,
    listings: Postbox<Listing>,
    values: (Conflating<Value>, Conflating<Value>),
    out: pricing::Out,
}

impl<C: Clock> PricingCell<C> {
    /// Connects it.
    pub fn new(
        actor: pricing::Pricing,
        clock: C,
        (facts, listings): (Receiver<MarketMsg>, Postbox<Listing>),
        values: (Conflating<Value>, Conflating<Value>),
    ) -> Self {
        PricingCell { actor, clock, ticker: Ticker::default(), facts, listings, values, out: pricing::Out::default() }
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
        while let Some(listing) = self.listings.receive() {
            self.hear(pricing::In::Listing(listing));
            busy = true;
        }
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

/// What the auction reads.
pub struct AuctionIn {
    /// From pricing.
    pub values: Receiver<Value>,
    /// From risk.
    pub accounts: Receiver<Account>,
    /// From risk: RFQs and quotes.
    pub talks: Receiver<Talk>,
    /// Changes of the instrument table.
    pub listings: Postbox<Listing>,
}

/// Auction with its lanes.
pub struct AuctionCell<C> {
    actor: auction::Auction,
    clock: C,
    ticker: Ticker,
    inbox: AuctionIn,
    intents: Sender<Intent>,
    out: auction::Out,
}

impl<C: Clock> AuctionCell<C> {
    /// Connects it.
    pub fn new(actor: auction::Auction, clock: C, inbox: AuctionIn, intents: Sender<Intent>) -> Self {
        let out = auction::Out::default();
        AuctionCell { actor, clock, ticker: Ticker::default(), inbox, intents, out }
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
            // What is listed first, then what is true, then what things are worth.
            let message = if let Some(listing) = self.inbox.listings.receive() {
                auction::In::Listing(listing)
            } else if let Some(account) = self.inbox.accounts.receive() {
                auction::In::Account(account)
            } else if let Some(talk) = self.inbox.talks.receive() {
                auction::In::Talk(talk)
            } else if let Some(value) = self.inbox.values.receive() {
                auction::In::Value(value)
            } else {
                break;
            };
            self.hear(message);
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
    /// From the signer: what it did not sign.
    pub refusals: Receiver<ReportMsg>,
    /// From pricing.
    pub values: Receiver<Value>,
    /// From the auction.
    pub intents: Receiver<Intent>,
    /// Changes of the instrument table.
    pub listings: Postbox<Listing>,
}

/// What risk writes.
pub struct RiskOut {
    /// To the signer.
    pub orders: Sender<Granted>,
    /// To the gateway.
    pub urgent: Sender<Urgent>,
    /// To the auction.
    pub accounts: Conflating<Account>,
    /// To the auction: RFQs and quotes.
    pub talks: Conflating<Talk>,
    /// To the control plane.
    pub notices: Sender<Notice>,
    /// To the contract stage, where there is one.
    pub contract_facts: Sender<ContractFact>,
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
        for fact in self.out.contract_facts.drain() {
            assert!(self.outbox.contract_facts.send(fact).is_ok(), "turn() keeps room for everything one step can say");
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
        let RiskOut { urgent, orders, contract_facts, .. } = &self.outbox;
        urgent.room() >= self.out.urgent.room()
            && orders.room() >= self.out.orders.room()
            && contract_facts.room() >= self.out.contract_facts.room()
    }
}

impl<C: Clock + Send> Turn for RiskCell<C> {
    fn turn(&mut self) -> bool {
        let mut busy = false;
        for _ in 0..BURST {
            if !self.has_room() {
                break;
            }
            // Commands first, then what is listed, then what is true, then what things are worth, then wishes.
            let message = if let Some(command) = self.inbox.commands.receive() {
                risk::In::Command(command)
            } else if let Some(listing) = self.inbox.listings.receive() {
                risk::In::Listing(listing)
            } else if let Some(refusal) = self.inbox.refusals.receive() {
                risk::In::Report(refusal)
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

/// What the signer reads.
pub struct SignerIn {
    /// From risk.
    pub orders: Receiver<Granted>,
    /// From market data.
    pub marks: Receiver<Mark>,
    /// Changes of the instrument table.
    pub listings: Postbox<Listing>,
}

/// What the signer writes.
pub struct SignerOut {
    /// To the gateway.
    pub sealed: Sender<Sealed>,
    /// To risk.
    pub refusals: Sender<ReportMsg>,
}

/// Signer with its lanes.
pub struct SignerCell<C, K, S> {
    actor: signer::Signer<K, S>,
    clock: C,
    ticker: Ticker,
    inbox: SignerIn,
    outbox: SignerOut,
    out: signer::Out,
}

impl<C: Clock, K: Key, S: Store> SignerCell<C, K, S> {
    /// Connects it.
    pub fn new(actor: signer::Signer<K, S>, clock: C, inbox: SignerIn, outbox: SignerOut) -> Self {
        SignerCell { actor, clock, ticker: Ticker::default(), inbox, outbox, out: signer::Out::default() }
    }

    fn hear(&mut self, message: signer::In) {
        self.actor.on(self.clock.now(), message, &mut self.out);
        for mut sealed in self.out.sealed.drain() {
            sealed.stamp(Stage::Signed, self.clock.now());
            assert!(self.outbox.sealed.send(sealed).is_ok(), "room was counted");
        }
        for refusal in self.out.refusals.drain() {
            assert!(self.outbox.refusals.send(refusal).is_ok(), "room was counted");
        }
    }

    /// Room for everything one step can say.
    fn has_room(&self) -> bool {
        self.outbox.sealed.room() >= self.out.sealed.room() && self.outbox.refusals.room() >= self.out.refusals.room()
    }

    /// What is listed and what it is worth comes before what is to be signed.
    fn hear_market(&mut self) -> bool {
        let mut busy = false;
        for _ in 0..BURST {
            let message = if let Some(listing) = self.inbox.listings.receive() {
                signer::In::Listing(listing)
            } else if let Some(mark) = self.inbox.marks.receive() {
                signer::In::Mark(mark)
            } else {
                break;
            };
            self.hear(message);
            busy = true;
            if !self.has_room() {
                break;
            }
        }
        busy
    }
}

impl<C: Clock + Send, K: Key + Send, S: Store + Send> Turn for SignerCell<C, K, S> {
    fn turn(&mut self) -> bool {
        let mut busy = false;
        while self.has_room() {
            busy |= self.hear_market();
            if !self.has_room() {
                break;
            }
            let Some(granted) = self.inbox.orders.receive() else { break };
            self.hear(match granted {
                Granted::Order(order) => signer::In::Order(order),
                Granted::Execution(execution) => signer::In::Execution(execution),
                Granted::Movement(movement) => signer::In::Movement(movement),
                Granted::Principal { vault, principal } => signer::In::Principal { vault, principal },
                Granted::Milestone { vault, milestone } => signer::In::Milestone { vault, milestone },
            });
            busy = true;
        }
        if !busy && self.has_room() && self.ticker.due(self.clock.now()) {
            self.hear(signer::In::Tick);
        }
        busy
    }

    fn name(&self) -> &'static str {
        "signer"
    }
}
