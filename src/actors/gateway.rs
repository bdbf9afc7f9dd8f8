//! The private session: signed orders and cancels out, everything the venue says about us in.
//!
//! It refuses to let leave what a stop has fenced off, what a cancel has overtaken, and what has become too old.

mod execution;
mod movement;
mod session;
mod talks;

use crate::actors::signer::Sealed;
use crate::base::bytes::Scratch;
use crate::base::ids::{Epoch, Nonce, SubaccountId, VaultId};
use crate::base::time::{MS, Nanos};
use crate::derive::decode::{Decoder, Foreign, Heard, Reply, ReplyBody};
use crate::derive::desk::{Desk, MemberTerms};
use crate::derive::dialect::Address;
use crate::derive::encode::order::{OrderForm, OrderRequests, OrderWire, Replaced};
use crate::derive::request_id::RequestKind;
use crate::derive::seal::Signed;
use crate::engine::actor::Actor;
use crate::engine::frames::Frames;
use crate::engine::ports::Event;
use crate::market::instrument::{Instrument, Listing};
use crate::msg::{Cause, Purpose, Report, ReportMsg, Request, Stage, Trace, Unsent, Urgent, Verdict};
pub use session::Terms;
use session::{Session, says_logged_out};
use talks::Talks;

/// Reports one frame can make.
const REPORTS: usize = 2_304;
/// How often an open RFQ is polled for its quotes, unless told otherwise.
pub const POLL_NS: u64 = 500 * MS;
/// Longest execution of a quote.
const REQUEST_BYTES: usize = 2048;
/// Cancelled names remembered until their order shows up: more than can be under way.
const WITHDRAWN: usize = 64;
/// Cancels that are remembered: as many orders as a vault has live.
const CANCELLED: usize = 16;
/// A cancel asked for again so soon says nothing new: what a thread that stood still finds waiting would only spend the
/// messages that the venue grants to other cancels.
const AGAIN_NS: u64 = 10 * MS;

/// What the gateway hears.
#[derive(Clone, Copy)]
pub enum In<'a> {
    /// From the private connection.
    Wire(Event<'a>),
    /// From the signer.
    Sealed(&'a Sealed),
    /// From risk, on its own lane.
    Urgent(Urgent),
    /// An instrument came or went.
    Listing(Listing),
    /// Time passed.
    Tick,
}

/// What a request is about, so that its fate can be reported when the socket does not take it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tag {
    /// Place, replace, cancel or execute.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// Frames heard.
    pub frames: u64,
    /// Frames refused as malformed.
    pub malformed: u64,
    /// Orders handed to the socket.
    pub orders: u64,
    /// Cancels handed to the socket.
    pub cancels: u64,
    /// Orders kept back by a stop, a cancel, age or because they came twice.
    pub kept_back: u64,
    /// Connections lost.
    pub lost: u64,
    /// Executions of quotes handed to the socket.
    pub executions: u64,
    /// RFQs handed to the socket.
    pub asks: u64,
    /// RFQs withdrawn.
    pub unasks: u64,
    /// Polls for quotes.
    pub polls: u64,
    /// Quotes ignored: of unknown instruments, for no RFQ of ours, or not for its package.
    pub quotes_ignored: u64,
    /// Listings for which there was no place.
    pub listings_refused: u64,
}

/// One vault's subaccount, for subscriptions and snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Vault.
    pub vault: VaultId,
    /// Its subaccount.
    pub subaccount: SubaccountId,
}

/// The gateway actor.
#[derive(Debug, Hash)]
pub struct Gateway {
    session: Session,
    talks: Talks,
    decoder: Decoder,
    requests: Desk<OrderRequests>,
    members: Box<[Member]>,
    form: OrderForm,
    epoch: Epoch,
    withdrawn: [Nonce; WITHDRAWN],
    withdrawn_next: usize,
    /// The last cancels that left, each with its moment.
    cancelled: [(Nonce, Nanos); CANCELLED],
    cancelled_next: usize,
    last_sent: Nonce,
    /// Highest name handed over by the signer, sent or kept back.
    last_heard: Nonce,
    counts: Counts,
    buffer: Scratch<REQUEST_BYTES>,
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
        let form = OrderForm { signer, nonces: terms.dialect.nonce_unit, atomic: terms.atomic };
        Gateway {
            session: Session::new(terms, &members),
            talks: Talks::new(POLL_NS, form.nonces),
            decoder,
            requests: Desk::new(pairs, |subaccount, instrument| prepare(&form, subaccount, instrument)),
            members: members.into_boxed_slice(),
            form,
            epoch: Epoch(0),
            withdrawn: [Nonce(0); WITHDRAWN],
            withdrawn_next: 0,
            cancelled: [(Nonce(0), Nanos::ZERO); CANCELLED],
            cancelled_next: 0,
            last_sent: Nonce(0),
            last_heard: Nonce(0),
            counts: Counts::default(),
            buffer: Scratch::default(),
        }
    }

    /// Also for the options of these members, as they are listed; their open RFQs are polled every `poll_ns`.
    pub fn with_options(mut self, members: impl IntoIterator<Item = MemberTerms>, poll_ns: u64) -> Gateway {
        self.talks = Talks::new(poll_ns, self.form.nonces);
        for terms in members {
            self.requests.admit(terms);
            if terms.option_currency.is_some() {
                self.session.add_trader(terms.subaccount);
            }
        }
        self
    }

    /// Takes a change of the instrument table. An instrument without a place stays a stranger, and is counted.
    pub fn apply(&mut self, listing: &Listing) {
        let Gateway { decoder, requests, form, .. } = self;
        let known = decoder.apply(listing);
        let written = requests.apply(listing, |subaccount, instrument| prepare(form, subaccount, instrument));
        if known.and(written).is_err() {
            self.counts.listings_refused += 1;
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
                self.talks.on_down(out);
            }
            Event::Text(frame) => {
                self.counts.frames += 1;
                let trace = Trace::from_frame(Cause::Private, at);
                let Gateway { decoder, session, talks, counts, .. } = self;
                match decoder.decode(frame) {
                    Ok(heard) => {
                        for item in heard {
                            // Nothing can be cancelled any more on a connection that has lost its login: only a new one
                            // brings that back, and lets the venue cancel what this one placed.
                            out.drop_connection |= session.is_up() && says_logged_out(item);
                            on_heard(at, trace, item, (session, talks), (counts, out));
                        }
                    }
                    Err(_) => {
                        counts.malformed += 1;
                        out.report(trace, Report::Unreadable);
                    }
                }
            }
        }
    }

    /// Why what was granted must not leave any more.
    fn kept_back(&self, at: Nanos, epoch: Epoch, nonce: Nonce, late_after: Nanos) -> Option<Unsent> {
        if epoch < self.epoch {
            Some(Unsent::Fenced)
        } else if self.withdrawn.contains(&nonce) {
            Some(Unsent::Withdrawn)
        } else if at > late_after {
            Some(Unsent::Late)
        } else if !self.session.is_up() {
            Some(Unsent::Down)
        } else {
            None
        }
    }

    /// True for what the signer has handed over before: names only rise, and what became of the first is told once.
    fn is_repeated(&mut self, nonce: Nonce) -> bool {
        let repeated = nonce <= self.last_heard;
        self.last_heard = self.last_heard.max(nonce);
        self.counts.kept_back += u64::from(repeated);
        repeated
    }

    fn on_signed(&mut self, at: Nanos, signed: &Signed, out: &mut Out) {
        let order = signed.order();
        let (nonce, trace) = (order.nonce(), order.trace());
        if self.is_repeated(nonce) {
            return;
        }
        let request = if order.replaced().is_some() { Request::Replace } else { Request::Place };
        if let Some(why) = self.kept_back(at, order.epoch(), nonce, order.late_after()) {
            self.counts.kept_back += 1;
            out.report(trace, Report::Unsent { nonce, request, why });
            return;
        }
        let wire = OrderWire {
            terms: signed.terms(),
            tif: order.tif(),
            // Whatever rests is cancelled by the venue when we are gone (Derive §4.5); a hedge never rests.
            mmp: matches!(order.purpose(), Purpose::Quote | Purpose::Write | Purpose::Convert),
            reduce_only: order.reduce_only(),
            reject_after_ms: order.reject_ms(),
            signature: signed.signature(),
        };
        let Some(entry) = self.requests.get(order.subaccount(), order.instrument()) else {
            // Delisted since it was signed.
            out.report(trace, Report::Unsent { nonce, request, why: Unsent::Late });
            return;
        };
        let requests = &mut entry.prepared;
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

    fn subaccount(&self, vault: VaultId) -> Option<SubaccountId> {
        self.members.iter().find(|member| member.vault == vault).map(|member| member.subaccount)
    }

    fn on_urgent(&mut self, at: Nanos, urgent: &Urgent, out: &mut Out) {
        match *urgent {
            Urgent::Stop { epoch } => self.epoch = self.epoch.max(epoch),
            Urgent::Ask { vault, name, wish } => {
                let Some(subaccount) = self.subaccount(vault) else { return };
                if self.session.is_up() {
                    let words = self.decoder.words();
                    self.talks.ask(at, (subaccount, name, wish), words, (&mut self.counts, out));
                } else {
                    let refused = Report::RfqRefused { name, verdict: Verdict::Refused, code: 0 };
                    out.report(Trace::default(), refused);
                }
            }
            Urgent::Unask { vault, rfq_id } => {
                // Without a session there is nothing to withdraw: the next login withdraws everything.
                if let Some(subaccount) = self.subaccount(vault).filter(|_| self.session.is_up()) {
                    self.counts.unasks += 1;
                    self.talks.unask(at, subaccount, rfq_id, out);
                }
            }
            Urgent::Reconcile { vault } => self.session.ask_snapshot(at, vault, out),
            Urgent::Cancel { trace, nonce, instrument, vault } => {
                if nonce > self.last_sent {
                    // It may still be in the signer's hands: it must not leave after its cancel.
                    self.withdrawn[self.withdrawn_next % WITHDRAWN] = nonce;
                    self.withdrawn_next += 1;
                }
                let Some(subaccount) = self.subaccount(vault) else { return };
                let Some(entry) = self.requests.get(subaccount, instrument) else { return };
                if self.cancelled.iter().any(|(name, left)| *name == nonce && at.since(*left) < AGAIN_NS) {
                    return;
                }
                let Ok(text) = entry.prepared.cancel(nonce) else { return };
                self.cancelled[self.cancelled_next % CANCELLED] = (nonce, at);
                self.cancelled_next += 1;
                self.counts.cancels += 1;
                out.frames.push(text, Tag::Order { trace, nonce, request: Request::Cancel });
            }
        }
    }
}

fn prepare(form: &OrderForm, subaccount: SubaccountId, instrument: &Instrument) -> OrderRequests {
    let requests = OrderRequests::new(subaccount, &instrument.name, form);
    requests.expect("instrument names were checked when they were read")
}

/// Hands what was heard to whom it concerns.
fn on_heard(
    at: Nanos,
    trace: Trace,
    item: &Heard,
    (session, talks): (&mut Session, &mut Talks),
    (counts, out): (&mut Counts, &mut Out),
) {
    match item {
        Heard::Rfq(row) => talks.on_opened(trace, row, out),
        Heard::Quote(quote) => talks.on_quote(trace, quote, (counts, out)),
        Heard::RfqFilled { rfq_id, filled } => talks.on_filled(trace, *rfq_id, *filled, out),
        Heard::Foreign { what: Foreign::Quote, .. } => counts.quotes_ignored += 1,
        Heard::Reply(reply) => on_reply(at, trace, reply, (session, talks), out),
        item => {
            if let Some(body) = report(item) {
                out.report(trace, body);
            }
        }
    }
}

fn on_reply(at: Nanos, trace: Trace, reply: &Reply, (session, talks): (&mut Session, &mut Talks), out: &mut Out) {
    match reply.id.kind {
        RequestKind::SendRfq | RequestKind::CancelRfq | RequestKind::PollQuotes => talks.on_reply(trace, reply, out),
        RequestKind::CancelRfqs => {
            if let Some(subaccount) = session.on_cleared(reply, out) {
                talks.on_cleared(subaccount, out);
                session.come_up(out);
            }
        }
        _ => {
            if let ReplyBody::Account { budget, .. } = reply.body {
                talks.set_rate(budget.other_tps);
            }
            session.on_reply(at, reply, out);
        }
    }
}

/// What the decoder heard, as risk wants it; `None` for what concerns the session alone.
fn report(item: &Heard) -> Option<Report> {
    Some(match *item {
        Heard::Order(row) => Report::Order(row),
        Heard::Fill(fill) => Report::Fill(fill),
        Heard::PastFill(fill) => Report::PastFill(fill),
        Heard::Balance(balance) => Report::Balance(balance),
        Heard::Answer(answer) => Report::Answer(answer),
        Heard::Snapshot(part) => Report::Snapshot(part),
        Heard::Foreign { subaccount, what: Foreign::Order | Foreign::Fill | Foreign::Position } => {
            Report::Stranger { subaccount }
        }
        // Other currencies may lie in the account: they are not the vault's business.
        Heard::Foreign { what: Foreign::Balance | Foreign::Collateral | Foreign::Quote, .. } => return None,
        // Those of RFQs and replies have gone their own way.
        Heard::Market(_) | Heard::Reply(_) | Heard::Rfq(_) | Heard::Quote(_) | Heard::RfqFilled { .. } => return None,
    })
}

impl Actor for Gateway {
    type In<'a> = In<'a>;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In<'_>, out: &mut Out) {
        match message {
            In::Wire(event) => self.on_wire(at, event, out),
            In::Sealed(Sealed::Order(signed)) => self.on_signed(at, signed, out),
            In::Sealed(Sealed::Execution(signed)) => self.on_execution(at, signed, out),
            In::Sealed(Sealed::Movement(signed)) => self.on_movement(at, signed, out),
            In::Sealed(Sealed::Login(proof)) => self.session.on_proof(at, *proof, out),
            In::Urgent(urgent) => self.on_urgent(at, &urgent, out),
            In::Listing(listing) => self.apply(&listing),
            In::Tick => {
                self.session.on_tick(at, out);
                if self.session.is_up() {
                    self.talks.on_tick(at, (&mut self.counts, out));
                }
            }
        }
    }
}

/// Stamps the moment at which a report was understood.
pub fn stamp(report: &mut ReportMsg, at: Nanos) {
    report.trace.stamp(Stage::Decoded, at);
}

#[cfg(test)]
mod fence_tests;
#[cfg(test)]
mod tests;
