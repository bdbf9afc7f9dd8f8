//! The actors between the two ends: pricing, auction, risk, signer.

use super::burst;
use crate::actors::risk::Notice;
use crate::actors::signer::Sealed;
use crate::actors::{auction, pricing, risk, signer};
use crate::base::queue::{Conflating, Postbox, Receiver, Sender};
use crate::base::time::Nanos;
use crate::engine::actor::{Actor, Turn};
use crate::engine::ear::Ear;
use crate::engine::ports::{Clock, Key, Store};
use crate::engine::switch::Switch;
use crate::engine::tape::Source;
use crate::market::instrument::Listing;
use crate::msg::{
    Account, Breach, Command, ContractFact, Intent, Mark, MarketMsg, ReportMsg, Stage, Talk, Urgent, Value,
};
use crate::risk::order::Granted;
use std::any::Any;

/// Pricing with its lanes.
pub struct PricingCell<C> {
    actor: pricing::Pricing,
    ear: Ear<C>,
    facts: Receiver<MarketMsg>,
    listings: Postbox<Listing>,
    values: (Conflating<Value>, Conflating<Value>),
    out: pricing::Out,
}

impl<C: Clock> PricingCell<C> {
    /// Connects it.
    pub fn new(
        actor: pricing::Pricing,
        ear: Ear<C>,
        (facts, listings): (Receiver<MarketMsg>, Postbox<Listing>),
        values: (Conflating<Value>, Conflating<Value>),
    ) -> Self {
        PricingCell { actor, ear, facts, listings, values, out: pricing::Out::default() }
    }

    fn hear(&mut self, at: Nanos, message: pricing::In) {
        self.actor.on(at, message, &mut self.out);
        for mut value in self.out.drain() {
            value.trace.stamp(Stage::Priced, self.ear.now());
            let key = crate::topology::key(value.instrument);
            self.values.0.send(key, value);
            self.values.1.send(key, value);
        }
    }
}

impl<C: Clock + Send> Turn for PricingCell<C> {
    fn turn(&mut self) -> bool {
        let mut busy = false;
        while let Some((at, listing)) = self.ear.letter(Source::Listing, &mut self.listings) {
            self.hear(at, pricing::In::Listing(listing));
            busy = true;
        }
        for _ in 0..burst() {
            let Some((at, fact)) = self.ear.lane(Source::Facts, &mut self.facts) else { break };
            self.hear(at, pricing::In::Market(fact));
            busy = true;
        }
        if let Some(at) = self.ear.tick() {
            self.hear(at, pricing::In::Tick);
            self.ear.checkpoint(&self.actor);
        }
        self.values.0.flush();
        self.values.1.flush();
        busy
    }

    fn name(&self) -> &'static str {
        "pricing"
    }

    fn tell(&self) -> String {
        format!("{:#?}", self.actor)
    }

    fn finish(mut self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.ear.close(&self.actor);
        None
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
    ear: Ear<C>,
    inbox: AuctionIn,
    intents: Sender<Intent>,
    out: auction::Out,
}

impl<C: Clock> AuctionCell<C> {
    /// Connects it.
    pub fn new(actor: auction::Auction, ear: Ear<C>, inbox: AuctionIn, intents: Sender<Intent>) -> Self {
        let out = auction::Out::default();
        AuctionCell { actor, ear, inbox, intents, out }
    }

    fn hear(&mut self, at: Nanos, message: auction::In) {
        self.actor.on(at, message, &mut self.out);
        for mut intent in self.out.drain() {
            intent.trace.stamp(Stage::Decided, self.ear.now());
            // A full lane drops the wish; the actor wishes again when no answer comes.
            let _ = self.intents.send(intent);
        }
    }
}

impl<C: Clock + Send> Turn for AuctionCell<C> {
    fn turn(&mut self) -> bool {
        let mut busy = false;
        for _ in 0..burst() {
            // What is listed first, then what is true, then what things are worth.
            let Self { ear, inbox, .. } = self;
            let (at, message) = if let Some((at, listing)) = ear.letter(Source::Listing, &mut inbox.listings) {
                (at, auction::In::Listing(listing))
            } else if let Some((at, account)) = ear.lane(Source::Accounts, &mut inbox.accounts) {
                (at, auction::In::Account(account))
            } else if let Some((at, talk)) = ear.lane(Source::Talks, &mut inbox.talks) {
                (at, auction::In::Talk(talk))
            } else if let Some((at, value)) = ear.lane(Source::Values, &mut inbox.values) {
                (at, auction::In::Value(value))
            } else {
                break;
            };
            self.hear(at, message);
            busy = true;
        }
        if let Some(at) = self.ear.tick() {
            self.hear(at, auction::In::Tick);
            self.ear.checkpoint(&self.actor);
        }
        busy
    }

    fn name(&self) -> &'static str {
        "auction"
    }

    fn tell(&self) -> String {
        format!("{:#?}", self.actor)
    }

    fn finish(mut self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.ear.close(&self.actor);
        None
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
    ear: Ear<C>,
    inbox: RiskIn,
    outbox: RiskOut,
    out: risk::Out,
}

impl<C: Clock> RiskCell<C> {
    /// Connects it.
    pub fn new(actor: risk::Risk, ear: Ear<C>, inbox: RiskIn, outbox: RiskOut) -> Self {
        RiskCell { actor, ear, inbox, outbox, out: risk::Out::default() }
    }

    fn hear(&mut self, at: Nanos, message: risk::In) {
        self.actor.on(at, message, &mut self.out);
        for urgent in self.out.urgent.drain() {
            let sent = self.outbox.urgent.send(urgent);
            assert!(sent.is_ok(), "urgent lane full: turn() keeps room for everything one step can say");
        }
        for mut granted in self.out.orders.drain() {
            granted.stamp(Stage::Approved, self.ear.now());
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
        for _ in 0..burst() {
            if !self.has_room() {
                break;
            }
            // Commands first, then what is listed, then what is true, then what things are worth, then wishes.
            let Self { ear, inbox, .. } = self;
            let (at, message) = if let Some((at, command)) = ear.letter(Source::Command, &mut inbox.commands) {
                (at, risk::In::Command(command))
            } else if let Some((at, listing)) = ear.letter(Source::Listing, &mut inbox.listings) {
                (at, risk::In::Listing(listing))
            } else if let Some((at, refusal)) = ear.lane(Source::Refusals, &mut inbox.refusals) {
                (at, risk::In::Report(refusal))
            } else if let Some((at, report)) = ear.lane(Source::Reports, &mut inbox.reports) {
                (at, risk::In::Report(report))
            } else if let Some((at, value)) = ear.lane(Source::Values, &mut inbox.values) {
                (at, risk::In::Value(value))
            } else if let Some((at, intent)) = ear.lane(Source::Intents, &mut inbox.intents) {
                (at, risk::In::Intent(intent))
            } else {
                break;
            };
            self.hear(at, message);
            busy = true;
        }
        if self.has_room()
            && let Some(at) = self.ear.tick()
        {
            self.hear(at, risk::In::Tick);
            self.ear.checkpoint(&self.actor);
        }
        self.outbox.accounts.flush();
        self.outbox.talks.flush();
        busy
    }

    fn name(&self) -> &'static str {
        "risk"
    }

    fn tell(&self) -> String {
        format!("{:#?}", self.actor)
    }

    fn finish(mut self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.ear.close(&self.actor);
        None
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
    /// The operator's, and the one the actor looks at.
    switches: (Switch, Switch),
    ear: Ear<C>,
    inbox: SignerIn,
    outbox: SignerOut,
    out: signer::Out,
}

impl<C: Clock, K: Key, S: Store> SignerCell<C, K, S> {
    /// Connects it.
    pub fn new(mut actor: signer::Signer<K, S>, ear: Ear<C>, inbox: SignerIn, outbox: SignerOut) -> Self {
        let own = Switch::local();
        let switches = (actor.take_switch(own.clone()), own);
        SignerCell { actor, switches, ear, inbox, outbox, out: signer::Out::default() }
    }

    /// Passes the operator's throw on, between two messages, and what the journal's disk refuses.
    fn look_at_switch(&mut self) {
        let Self { actor, switches: (theirs, own), ear, .. } = self;
        if ear.event(Source::Cramped, || actor.is_cramped()).is_some() {
            actor.stop(Breach::Journal);
        }
        if ear.event(Source::Thrown, || theirs.is_thrown() && !own.is_thrown()).is_some() {
            own.throw();
            // From here on nothing is signed.
            theirs.acknowledge();
        }
    }

    fn hear(&mut self, at: Nanos, message: signer::In) {
        self.actor.on(at, message, &mut self.out);
        for mut sealed in self.out.sealed.drain() {
            if let Some(signature) = sealed.signature() {
                self.ear.signed(signature);
            }
            sealed.stamp(Stage::Signed, self.ear.now());
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

    /// What is listed and what it is worth comes before what is to be signed: all of it, or an order would be judged by a
    /// mark that a newer one behind it has overtaken.
    fn hear_market(&mut self) -> bool {
        let mut busy = false;
        loop {
            let Self { ear, inbox, .. } = self;
            let (at, message) = if let Some((at, listing)) = ear.letter(Source::Listing, &mut inbox.listings) {
                (at, signer::In::Listing(listing))
            } else if let Some((at, mark)) = ear.lane(Source::Marks, &mut inbox.marks) {
                (at, signer::In::Mark(mark))
            } else {
                break;
            };
            self.hear(at, message);
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
            self.look_at_switch();
            let Some((at, granted)) = self.ear.lane(Source::Orders, &mut self.inbox.orders) else { break };
            let message = match granted {
                Granted::Order(order) => signer::In::Order(order),
                Granted::Execution(execution) => signer::In::Execution(execution),
                Granted::Movement(movement) => signer::In::Movement(movement),
                Granted::Note { vault, note } => signer::In::Note { vault, note },
            };
            self.hear(at, message);
            busy = true;
        }
        if !busy
            && self.has_room()
            && let Some(at) = self.ear.tick()
        {
            self.hear(at, signer::In::Tick);
            self.ear.checkpoint(&self.actor);
        }
        busy
    }

    fn name(&self) -> &'static str {
        "signer"
    }

    fn tell(&self) -> String {
        format!("{:#?}", self.actor)
    }

    fn finish(mut self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.ear.close(&self.actor);
        None
    }
}
