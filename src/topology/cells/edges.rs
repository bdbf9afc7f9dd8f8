//! The two actors that touch the wire: market data and gateway.

use super::{burst, fact_key};
use crate::actors::gateway::{self, Gateway, Tag};
use crate::actors::market_data::{self, MarketData};
use crate::actors::signer::Sealed;
use crate::base::buggify::{Place, bends};
use crate::base::ids::Nonce;
use crate::base::queue::{Conflating, Postbox, Receiver, Sender};
use crate::base::time::Nanos;
use crate::engine::actor::{Actor, Turn};
use crate::engine::ear::Ear;
use crate::engine::latency::Latency;
use crate::engine::ports::{Clock, Transport};
use crate::engine::tape::Source;
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
    ear: Ear<C>,
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
        ear: Ear<C>,
        (venue, external): (T, Option<T>),
        inbox: MarketDataIn,
        lanes: MarketDataOut,
    ) -> Self {
        MarketDataCell { actor, ear, venue, external, inbox, lanes, out: market_data::Out::default() }
    }

    /// Takes what the control plane has read; true if anything.
    fn hear_control_plane(&mut self) -> bool {
        let mut busy = false;
        let Self { actor, ear, inbox, out, .. } = self;
        loop {
            let (at, message) = if let Some((at, listing)) = ear.letter(Source::Listing, &mut inbox.listings) {
                (at, market_data::In::Listing(listing))
            } else if let Some((at, round)) = ear.letter(Source::Ratio, &mut inbox.ratios) {
                (at, market_data::In::Ratio(round))
            } else if let Some((at, feeds)) = ear.letter(Source::Feeds, &mut inbox.feeds) {
                (at, market_data::In::Feeds(feeds))
            } else {
                return busy;
            };
            actor.on(at, message, out);
            busy = true;
        }
    }

    /// Sends on what the last poll or step made, and says to the venue what there is to say.
    fn settle(&mut self) {
        for (text, ()) in self.out.venue.iter() {
            // A refused subscription request means the connection is gone again; the next one subscribes anew.
            let _ = self.venue.send(self.ear.now(), text);
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
fn pass_on<C: Clock>(out: &mut market_data::Out, lanes: &mut MarketDataOut, ear: &mut Ear<C>) {
    let MarketDataOut { facts, marks, instruments, feeds } = lanes;
    for mut fact in out.facts.drain(..) {
        fact.trace.stamp(Stage::Decoded, ear.now());
        facts.send(fact_key(&fact.body, *instruments, *feeds), fact);
        if let Market::Ticker(ticker) = &fact.body
            && usize::from(ticker.instrument.0) < *instruments
        {
            let mark = Mark { instrument: ticker.instrument, price: ticker.mark, at: ear.heard_at() };
            marks.send(usize::from(ticker.instrument.0), mark);
        }
    }
}

impl<T: Transport + Send, C: Clock + Send> Turn for MarketDataCell<T, C> {
    fn turn(&mut self) -> bool {
        let Self { actor, ear, venue, external, lanes, out, .. } = self;
        let mut busy = ear.poll(Source::Venue, venue, &mut |ear, at, event| {
            actor.on(at, market_data::In::Venue(event), out);
            pass_on(out, lanes, ear);
        });
        if let Some(external) = external {
            busy |= ear.poll(Source::External, external, &mut |ear, at, event| {
                actor.on(at, market_data::In::External(event), out);
                pass_on(out, lanes, ear);
            });
        }
        busy |= self.hear_control_plane();
        if let Some(at) = self.ear.tick() {
            self.actor.on(at, market_data::In::Tick, &mut self.out);
            self.ear.checkpoint(&self.actor);
        }
        pass_on(&mut self.out, &mut self.lanes, &mut self.ear);
        self.settle();
        self.lanes.facts.flush();
        self.lanes.marks.flush();
        busy
    }

    fn name(&self) -> &'static str {
        "market_data"
    }

    fn tell(&self) -> String {
        format!("{:#?}", self.actor)
    }

    fn finish(mut self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.ear.close(&self.actor);
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
    ear: Ear<C>,
    wire: T,
    inbox: GatewayIn,
    reports: Sender<ReportMsg>,
    latency: Latency,
    out: gateway::Out,
}

impl<T: Transport, C: Clock> GatewayCell<T, C> {
    /// Connects it.
    pub fn new(actor: Gateway, ear: Ear<C>, wire: T, inbox: GatewayIn, reports: Sender<ReportMsg>) -> Self {
        GatewayCell { actor, ear, wire, inbox, reports, latency: Latency::default(), out: gateway::Out::default() }
    }

    fn hear(&mut self, at: Nanos, message: gateway::In<'_>) {
        self.actor.on(at, message, &mut self.out);
        self.settle();
    }

    /// The next from risk. Whatever instrument it names was listed before it came, so what is listed is heard first.
    fn next_urgent(&mut self) -> Option<(Nanos, Urgent)> {
        if self.inbox.urgent.is_empty() {
            return None;
        }
        self.hear_listings();
        self.ear.lane(Source::Urgent, &mut self.inbox.urgent)
    }

    /// The next from the signer, what is listed first.
    fn next_sealed(&mut self) -> Option<(Nanos, Sealed)> {
        if self.inbox.sealed.is_empty() {
            return None;
        }
        self.hear_listings();
        self.ear.lane(Source::Sealed, &mut self.inbox.sealed)
    }

    /// Takes changes of the instrument table; true if any.
    fn hear_listings(&mut self) -> bool {
        let mut busy = false;
        while let Some((at, listing)) = self.ear.letter(Source::Listing, &mut self.inbox.listings) {
            self.actor.on(at, gateway::In::Listing(listing), &mut self.out);
            busy = true;
        }
        busy
    }

    /// Hands frames to the socket and reports to risk. A frame the socket does not take never left.
    fn settle(&mut self) {
        let Self { out, wire, ear, latency, reports, .. } = self;
        for (text, tag) in out.frames.iter() {
            let taken = wire.send(ear.now(), text);
            let Tag::Order { mut trace, nonce, request } = tag else { continue };
            if !ear.was_taken(taken, &name(nonce, request)) {
                let body = Report::Unsent { nonce, request, why: Unsent::Down };
                out.reports.push(ReportMsg { trace, body });
                continue;
            }
            trace.stamp(Stage::FrameOut, ear.now());
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
        forward(out, reports, ear);
    }
}

/// What tells a frame that was not taken apart from the others of its step.
fn name(nonce: Nonce, request: Request) -> [u8; 9] {
    let mut name = [request as u8; 9];
    name[1..].copy_from_slice(&nonce.0.to_le_bytes());
    name
}

/// Stamps reports and sends them on as far as there is room; the rest waits.
fn forward<C: Clock>(out: &mut gateway::Out, reports: &mut Sender<ReportMsg>, ear: &mut Ear<C>) {
    let room = if bends(Place::ReportsWait) { 0 } else { reports.room() };
    let ready = room.min(out.reports.len());
    for mut report in out.reports.drain(..ready) {
        gateway::stamp(&mut report, ear.now());
        assert!(reports.send(report).is_ok(), "room was counted");
    }
}

impl<T: Transport + Send, C: Clock + Send> Turn for GatewayCell<T, C> {
    fn turn(&mut self) -> bool {
        let mut busy = self.hear_listings();
        while let Some((at, urgent)) = self.next_urgent() {
            self.hear(at, gateway::In::Urgent(urgent));
            busy = true;
        }
        for _ in 0..burst() {
            let Some((at, sealed)) = self.next_sealed() else { break };
            self.hear(at, gateway::In::Sealed(&sealed));
            busy = true;
        }
        // Facts never drop: while risk is behind, frames wait in the socket.
        if self.out.reports.is_empty() {
            let Self { actor, ear, wire, out, reports, .. } = self;
            busy |= ear.poll(Source::Wire, wire, &mut |ear, at, event| {
                actor.on(at, gateway::In::Wire(event), out);
                forward(out, reports, ear);
            });
        }
        if let Some(at) = self.ear.tick() {
            self.actor.on(at, gateway::In::Tick, &mut self.out);
            self.ear.checkpoint(&self.actor);
        }
        self.settle();
        busy
    }

    fn name(&self) -> &'static str {
        "gateway"
    }

    fn tell(&self) -> String {
        format!("{:#?}", self.actor)
    }

    fn finish(mut self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        self.ear.close(&self.actor);
        Some(Box::new(GatewayEnd { counts: self.actor.counts(), latency: self.latency }))
    }
}
