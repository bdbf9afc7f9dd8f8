//! The private session: signed orders and cancels out, everything the venue says about us in.
//!
//! It refuses to let leave what a stop has fenced off, what a cancel has overtaken, and what has become too old.

mod session;

use crate::base::ids::{Epoch, InstrumentId, Nonce, SubaccountId, VaultId};
use crate::base::time::Nanos;
use crate::derive::decode::{Decoder, Foreign, Heard};
use crate::derive::dialect::Address;
use crate::derive::encode::order::{OrderRequests, OrderWire, Replaced};
use crate::derive::seal::Signed;
use crate::engine::actor::Actor;
use crate::engine::frames::Frames;
use crate::engine::ports::Event;
use crate::market::instrument::Instrument;
use crate::msg::{Cause, Purpose, Report, ReportMsg, Request, Stage, Trace, Unsent, Urgent};
use session::Session;
pub use session::Terms;

/// Reports one frame can make.
const REPORTS: usize = 2_304;
/// Cancelled names remembered until their order shows up: more than can be under way.
const WITHDRAWN: usize = 64;

/// What the gateway hears.
#[derive(Clone, Copy)]
pub enum In<'a> {
    /// From the private connection.
    Wire(Event<'a>),
    /// From the signer.
    Sealed(&'a crate::actors::signer::Sealed),
    /// From risk, on its own lane.
    Urgent(Urgent),
    /// Time passed.
    Tick,
}

/// What a request is about, so that its fate can be reported when the socket does not take it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tag {
    /// Place, replace or cancel.
    Order {
        /// Where the time went.
        trace: Trace,
        /// Which order.
        nonce: Nonce,
        /// What is asked.
        request: Request,
    },
    /// Anything else.
    Session,
}

/// What one step says.
pub struct Out {
    /// To risk.
    pub reports: Vec<ReportMsg>,
    /// To the private connection.
    pub frames: Frames<Tag>,
    /// The connection must be dropped.
    pub drop_connection: bool,
}

impl Default for Out {
    fn default() -> Self {
        Out { reports: Vec::with_capacity(REPORTS), frames: Frames::default(), drop_connection: false }
    }
}

impl Out {
    fn report(&mut self, trace: Trace, body: Report) {
        assert!(self.reports.len() < REPORTS, "one frame made more reports than a frame can hold");
        self.reports.push(ReportMsg { trace, body });
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames heard.
    pub frames: u64,
    /// Frames refused as malformed.
    pub malformed: u64,
    /// Orders handed to the socket.
    pub orders: u64,
    /// Cancels handed to the socket.
    pub cancels: u64,
    /// Orders kept back by a stop, a cancel or age.
    pub kept_back: u64,
    /// Connections lost.
    pub lost: u64,
}

/// One vault's subaccount, for subscriptions and snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Vault.
    pub vault: VaultId,
    /// Its subaccount.
    pub subaccount: SubaccountId,
}

/// The gateway actor.
pub struct Gateway {
    session: Session,
    decoder: Decoder,
    requests: Box<[(SubaccountId, InstrumentId, OrderRequests)]>,
    members: Box<[Member]>,
    epoch: Epoch,
    withdrawn: [Nonce; WITHDRAWN],
    withdrawn_next: usize,
    last_sent: Nonce,
    counts: Counts,
}

impl Gateway {
    /// For the vaults of one wallet; `signer` is the address that signs their orders.
    pub fn new<'a>(
        terms: Terms,
        signer: Address,
        pairs: impl IntoIterator<Item = (SubaccountId, &'a Instrument)>,
        members: Vec<Member>,
        decoder: Decoder,
    ) -> Gateway {
        let requests = pairs
            .into_iter()
            .map(|(subaccount, instrument)| {
                let requests = OrderRequests::new(subaccount, &instrument.name, &signer);
                (subaccount, instrument.id, requests.expect("instrument names were checked when they were read"))
            })
            .collect();
        Gateway {
            session: Session::new(terms, &members),
            decoder,
            requests,
            members: members.into_boxed_slice(),
            epoch: Epoch(0),
            withdrawn: [Nonce(0); WITHDRAWN],
            withdrawn_next: 0,
            last_sent: Nonce(0),
            counts: Counts::default(),
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn on_wire(&mut self, at: Nanos, event: Event<'_>, out: &mut Out) {
        match event {
            Event::Up { .. } => self.session.on_up(at, out),
            Event::Down(_) => {
                self.counts.lost += 1;
                self.session.on_down(out);
            }
            Event::Text(frame) => {
                self.counts.frames += 1;
                let trace = Trace::from_frame(Cause::Private, at);
                match self.decoder.decode(frame) {
                    Ok(heard) => {
                        for item in heard {
                            self.session.on_heard(at, trace, item, out);
                        }
                    }
                    Err(_) => {
                        self.counts.malformed += 1;
                        out.report(trace, Report::Unreadable);
                    }
                }
            }
        }
    }

    /// Why an order must not leave any more.
    fn kept_back(&self, at: Nanos, signed: &Signed) -> Option<Unsent> {
        let order = signed.order();
        if order.epoch() < self.epoch {
            Some(Unsent::Fenced)
        } else if self.withdrawn.contains(&order.nonce()) {
            Some(Unsent::Withdrawn)
        } else if at > order.late_after() {
            Some(Unsent::Late)
        } else if !self.session.is_up() {
            Some(Unsent::Down)
        } else {
            None
        }
    }

    fn on_signed(&mut self, at: Nanos, signed: &Signed, out: &mut Out) {
        let order = signed.order();
        let (nonce, trace) = (order.nonce(), order.trace());
        let request = if order.replaced().is_some() { Request::Replace } else { Request::Place };
        if let Some(why) = self.kept_back(at, signed) {
            self.counts.kept_back += 1;
            out.report(trace, Report::Unsent { nonce, request, why });
            return;
        }
        let wire = OrderWire {
            terms: signed.terms(),
            tif: order.tif(),
            mmp: order.purpose() == Purpose::Quote,
            reduce_only: order.reduce_only(),
            reject_after_ms: order.reject_ms(),
            signature: signed.signature(),
        };
        let Some(requests) = requests_for(&mut self.requests, order.subaccount(), order.instrument()) else { return };
        let text = match order.replaced() {
            Some(old) => requests.replace(&wire, Replaced::Nonce(old.nonce), Some(old.filled)),
            None => requests.order(&wire),
        };
        match text {
            Ok(text) => {
                self.counts.orders += 1;
                self.last_sent = self.last_sent.max(nonce);
                out.frames.push(text, Tag::Order { trace, nonce, request });
            }
            // A moment or nonce outside the wire's range: the clock is broken, and the order goes nowhere.
            Err(_) => out.report(trace, Report::Unsent { nonce, request, why: Unsent::Late }),
        }
    }

    fn on_urgent(&mut self, at: Nanos, urgent: &Urgent, out: &mut Out) {
        match *urgent {
            Urgent::Stop { epoch } => self.epoch = self.epoch.max(epoch),
            Urgent::Ask { .. } | Urgent::Unask { .. } => {}
            Urgent::Reconcile { vault } => self.session.ask_snapshot(at, vault, out),
            Urgent::Cancel { trace, nonce, instrument, vault } => {
                if nonce > self.last_sent {
                    // It may still be in the signer's hands: it must not leave after its cancel.
                    self.withdrawn[self.withdrawn_next % WITHDRAWN] = nonce;
                    self.withdrawn_next += 1;
                }
                let member = self.members.iter().find(|member| member.vault == vault);
                let requests =
                    member.and_then(|member| requests_for(&mut self.requests, member.subaccount, instrument));
                let Some(Ok(text)) = requests.map(|requests| requests.cancel(nonce)) else { return };
                self.counts.cancels += 1;
                out.frames.push(text, Tag::Order { trace, nonce, request: Request::Cancel });
            }
        }
    }
}

fn requests_for(
    table: &mut [(SubaccountId, InstrumentId, OrderRequests)],
    subaccount: SubaccountId,
    instrument: InstrumentId,
) -> Option<&mut OrderRequests> {
    table.iter_mut().find(|entry| (entry.0, entry.1) == (subaccount, instrument)).map(|entry| &mut entry.2)
}

/// What the decoder heard, as risk wants it; `None` for what concerns the session alone.
fn report(item: &Heard) -> Option<Report> {
    Some(match *item {
        Heard::Order(row) => Report::Order(row),
        Heard::Fill(fill) => Report::Fill(fill),
        Heard::Balance(balance) => Report::Balance(balance),
        Heard::Answer(answer) => Report::Answer(answer),
        Heard::Snapshot(part) => Report::Snapshot(part),
        Heard::Foreign { subaccount, what: Foreign::Order | Foreign::Fill | Foreign::Position } => {
            Report::Stranger { subaccount }
        }
        // Other currencies may lie in the account: they are not the vault's business.
        Heard::Foreign { what: Foreign::Balance | Foreign::Collateral, .. } => return None,
        Heard::Market(_) | Heard::BestQuote(_) | Heard::Reply(_) => return None,
    })
}

impl Actor for Gateway {
    type In<'a> = In<'a>;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In<'_>, out: &mut Out) {
        match message {
            In::Wire(event) => self.on_wire(at, event, out),
            In::Sealed(crate::actors::signer::Sealed::Order(signed)) => self.on_signed(at, signed, out),
            In::Sealed(crate::actors::signer::Sealed::Login(proof)) => self.session.on_proof(at, *proof, out),
            In::Urgent(urgent) => self.on_urgent(at, &urgent, out),
            In::Tick => self.session.on_tick(at, out),
        }
    }
}

/// Stamps the moment at which a report was understood.
pub fn stamp(report: &mut ReportMsg, at: Nanos) {
    report.trace.stamp(Stage::Decoded, at);
}
