//! The two actors that touch the wire: market data and gateway.

use super::{BURST, Ticker, fact_key};
use crate::actors::gateway::{self, Gateway, Tag};
use crate::actors::market_data::{self, MarketData};
use crate::actors::signer::Sealed;
use crate::base::queue::{Conflating, Postbox, Receiver, Sender};
use crate::engine::actor::{Actor, Turn};
use crate::engine::latency::Latency;
use crate::engine::ports::{Clock, Transport};
use crate::market::instrument::Listing;
use crate::msg::{Mark, Market, MarketMsg, OptionFeeds, RatioRound, Report, ReportMsg, Request, Stage, Unsent, Urgent};
use std::any::Any;

/// What market data measured, handed over at the end.
#[derive(Clone, Copy, Debug)]
pub struct MarketDataEnd {
    /// Its counters.
    pub counts: market_data::Counts,
    /// Facts overwritten by newer ones while pricing was behind.
    pub conflated: u64,
}

/// What the gateway measured, handed over at the end.
pub struct GatewayEnd {
    /// Its counters.
    pub counts: gateway::Counts,
    /// Where time went.
    pub latency: Latency,
}

/// What market data reads beside its connections.
pub struct MarketDataIn {
    /// Ratio rounds.
    pub ratios: Postbox<RatioRound>,
    /// The venue's signed option feeds.
    pub feeds: Postbox<OptionFeeds>,
    /// Changes of the instrument table.
    pub listings: Postbox<Listing>,
}

/// Market data with its two connections and lanes.
pub struct MarketDataCell<T, C> {
    actor: MarketData,
    clock: C,
    ticker: Ticker,
    venue: T,
    external: Option<T>,
    inbox: MarketDataIn,
    lanes: MarketDataOut,
    out: market_data::Out,
}

/// What market data writes.
pub struct MarketDataOut {
    /// Facts to pricing.
    pub facts: Conflating<MarketMsg>,
    /// Marks to the signer.
    pub marks: Conflating<Mark>,
    /// Instruments in the table.
    pub instruments: usize,
    /// External symbols and ratio feeds configured.
    pub feeds: usize,
}

impl<T: Transport, C: Clock> MarketDataCell<T, C> {
    /// Connects it.
    pub fn new(
        actor: MarketData,
        clock: C,
        (venue, external): (T, Option<T>),
        inbox: MarketDataIn,
        lanes: MarketDataOut,
    ) -> Self {
        let out = market_data::Out::default();
        let ticker = Ticker::default();
        MarketDataCell { actor, clock, ticker, venue, external, inbox, lanes, out }
    }

    /// Takes what the control plane has read; true if anything.
    fn hear_control_plane(&mut self) -> bool {
        let mut busy = false;
        loop {
            let message = if let Some(listing) = self.inbox.listings.receive() {
                market_data::In::Listing(listing)
            } else if let Some(round) = self.inbox.ratios.receive() {
                market_data::In::Ratio(round)
            } else if let Some(feeds) = self.inbox.feeds.receive() {
                market_data::In::Feeds(feeds)
            } else {
                return busy;
            };
            self.actor.on(self.clock.now(), message, &mut self.out);
            busy = true;
        }
    }

    /// Sends on what the last poll or step made, and says to the venue what there is to say.
    fn settle(&mut self) {
        for (text, ()) in self.out.venue.iter() {
            // A refused subscription request means the connection is gone again; the next one subscribes anew.
            let _ = self.venue.send(self.clock.now(), text);
        }
        self.out.venue.clear();
        if std::mem::take(&mut self.out.drop_venue) {
            self.venue.drop_connection();
        }
        if let (true, Some(external)) = (std::mem::take(&mut self.out.drop_external), &mut self.external) {
            external.drop_connection();
        }
    }
}

/// Stamps facts and sends them on, newest per key when pricing is behind; marks also to the signer.
fn pass_on<C: Clock>(out: &mut market_data::Out, lanes: &mut MarketDataOut, clock: &mut C) {
    let MarketDataOut { facts, marks, instruments, feeds } = lanes;
    for mut fact in out.facts.drain(..) {
        fact.trace.stamp(Stage::Decoded, clock.now());
        facts.send(fact_key(&fact.body, *instruments, *feeds), fact);
        if let Market::Ticker(ticker) = &fact.body
            && usize::from(ticker.instrument.0) < *instruments
        {
            let mark = Mark { instrument: ticker.instrument, price: ticker.mark, at: clock.now() };
            marks.send(usize::from(ticker.instrument.0), mark);
        }
    }
}

impl<T: Transport + Send, C: Clock + Send> Turn for MarketDataCell<T, C> {
    fn turn(&mut self) -> bool {
        let at = self.clock.now();
        let Self { actor, clock, venue, external, lanes, out, .. } = self;
        let mut busy = venue.poll(at, &mut |event| {
            actor.on(clock.now(), market_data::In::Venue(event), out);
            pass_on(out, lanes, clock);
        });
        if let Some(external) = external {
            busy |= external.poll(at, &mut |event| {
                actor.on(clock.now(), market_data::In::External(event), out);
                pass_on(out, lanes, clock);
            });
        }
        busy |= self.hear_control_plane();
        if self.ticker.due(at) {
            self.actor.on(at, market_data::In::Tick, &mut self.out);
        }
        pass_on(&mut self.out, &mut self.lanes, &mut self.clock);
        self.settle();
        self.lanes.facts.flush();
        self.lanes.marks.flush();
        busy
    }

    fn name(&self) -> &'static str {
        "market_data"
    }

    fn finish(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(MarketDataEnd { counts: self.actor.counts(), conflated: self.lanes.facts.conflated() }))
    }
}

/// What the gateway reads beside its connection.
pub struct GatewayIn {
    /// From the signer.
    pub sealed: Receiver<Sealed>,
    /// From risk, on its own lane.
    pub urgent: Receiver<Urgent>,
    /// Changes of the instrument table.
    pub listings: Postbox<Listing>,
}

/// The gateway with its connection and lanes.
pub struct GatewayCell<T, C> {
    actor: Gateway,
    clock: C,
    ticker: Ticker,
    wire: T,
    inbox: GatewayIn,
    reports: Sender<ReportMsg>,
    latency: Latency,
    out: gateway::Out,
}

impl<T: Transport, C: Clock> GatewayCell<T, C> {
    /// Connects it.
    pub fn new(actor: Gateway, clock: C, wire: T, inbox: GatewayIn, reports: Sender<ReportMsg>) -> Self {
        GatewayCell {
            actor,
            clock,
            ticker: Ticker::default(),
            wire,
            inbox,
            reports,
            latency: Latency::default(),
            out: gateway::Out::default(),
        }
    }

    fn hear(&mut self, message: gateway::In<'_>) {
        self.actor.on(self.clock.now(), message, &mut self.out);
        self.settle();
    }

    /// Takes changes of the instrument table; true if any. Before each message: it may name an instrument of the newest.
    fn hear_listings(&mut self) -> bool {
        let mut busy = false;
        while let Some(listing) = self.inbox.listings.receive() {
            self.actor.on(self.clock.now(), gateway::In::Listing(listing), &mut self.out);
            busy = true;
        }
        busy
    }

    /// Hands frames to the socket and reports to risk. A frame the socket does not take never left.
    fn settle(&mut self) {
        let Self { out, wire, clock, latency, reports, .. } = self;
        for (text, tag) in out.frames.iter() {
            let taken = wire.send(clock.now(), text);
            let Tag::Order { mut trace, nonce, request } = tag else { continue };
            if !taken {
                let body = Report::Unsent { nonce, request, why: Unsent::Down };
                out.reports.push(ReportMsg { trace, body });
                continue;
            }
            trace.stamp(Stage::FrameOut, clock.now());
            match request {
                Request::Cancel => latency.cancel(&trace),
                Request::Place | Request::Replace | Request::Execute => latency.order(&trace),
                Request::Move => {}
            }
        }
        out.frames.clear();
        if std::mem::take(&mut out.drop_connection) {
            wire.drop_connection();
        }
        forward(out, reports, clock);
    }
}

/// Stamps reports and sends them on as far as there is room; the rest waits.
fn forward<C: Clock>(out: &mut gateway::Out, reports: &mut Sender<ReportMsg>, clock: &mut C) {
    let ready = reports.room().min(out.reports.len());
    for mut report in out.reports.drain(..ready) {
        gateway::stamp(&mut report, clock.now());
        assert!(reports.send(report).is_ok(), "room was counted");
    }
}

impl<T: Transport + Send, C: Clock + Send> Turn for GatewayCell<T, C> {
    fn turn(&mut self) -> bool {
        let mut busy = self.hear_listings();
        while let Some(urgent) = self.inbox.urgent.receive() {
            self.hear_listings();
            self.hear(gateway::In::Urgent(urgent));
            busy = true;
        }
        for _ in 0..BURST {
            let Some(sealed) = self.inbox.sealed.receive() else { break };
            self.hear_listings();
            self.hear(gateway::In::Sealed(&sealed));
            busy = true;
        }
        // Facts never drop: while risk is behind, frames wait in the socket.
        if self.out.reports.is_empty() {
            let at = self.clock.now();
            let Self { actor, clock, wire, out, reports, .. } = self;
            busy |= wire.poll(at, &mut |event| {
                actor.on(clock.now(), gateway::In::Wire(event), out);
                forward(out, reports, clock);
            });
        }
        if self.ticker.due(self.clock.now()) {
            self.actor.on(self.clock.now(), gateway::In::Tick, &mut self.out);
        }
        self.settle();
        busy
    }

    fn name(&self) -> &'static str {
        "gateway"
    }

    fn finish(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        Some(Box::new(GatewayEnd { counts: self.actor.counts(), latency: self.latency }))
    }
}
