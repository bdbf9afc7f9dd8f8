//! Login, subscriptions, clock and snapshots: what must be said at every connection before orders may leave.

use super::{Member, Out, Tag};
use crate::base::buggify::{Place, bends};
use crate::base::bytes::Scratch;
use crate::base::ids::{SubaccountId, VaultId};
use crate::base::time::{MS, Nanos, SEC};
use crate::derive::decode::{Heard, Reply, ReplyBody};
use crate::derive::dialect::{Address, Dialect};
use crate::derive::encode::{EncodeError, request, rfq};
use crate::derive::errors::is_withdrawn;
use crate::derive::request_id::RequestKind;
use crate::derive::seal::LoginProof;
use crate::msg::{Report, Session as State, Snapshot, Trace, Verdict};

/// Longest session request.
const REQUEST_BYTES: usize = 8 * 1024;
/// How often the venue's clock is asked.
const TIME_NS: u64 = 10 * SEC;
/// A question about time or budget unanswered for this long is asked again.
const AGAIN_NS: u64 = SEC;
/// A login or subscription unanswered for this long ends the connection.
const ANSWER_NS_MAX: u64 = 5 * SEC;
/// So does a snapshot: a half-open connection must be found within three seconds.
const SNAPSHOT_NS_MAX: u64 = 3 * SEC;
/// How far back fills may be unsettled: settlement takes seconds where all is well.
const RECORDS_MS: u64 = 24 * 3_600_000;
/// Code reported when the key may not act for a subaccount of ours (Derive 14001).
const NO_ACCESS: i32 = 14_001;

/// After so many connections in a row that the venue would not have, a person is needed.
const UNHEARD_MAX: u8 = 3;

/// Code of an answer to a request that only a logged-in connection may make (Derive 14021).
const LOGGED_OUT: i32 = 14_021;

/// True for an answer that says that this connection is not logged in.
pub(super) fn says_logged_out(item: &Heard) -> bool {
    match item {
        Heard::Answer(answer) => answer.code == LOGGED_OUT,
        Heard::Reply(Reply { body: ReplyBody::Failed { code, .. }, .. }) => *code == LOGGED_OUT,
        _ => false,
    }
}

/// What the session needs to know.
#[derive(Clone, Debug, Hash)]
pub struct Terms {
    /// Owner of the subaccounts.
    pub wallet: Address,
    /// Ask the venue to cancel market-maker orders when the connection drops (Derive §4.5).
    pub cancel_on_disconnect: bool,
    /// What is spoken.
    pub dialect: &'static Dialect,
    /// The owner's contract approves each fill inside its settlement (v2).
    pub atomic: bool,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// No connection.
    Offline,
    /// Connected; the login waits for a proof.
    Proving,
    /// Login sent.
    LoggingIn,
    /// Logged in; subscription sent.
    Subscribing,
    /// Usable.
    Up,
    /// Refused: nothing more is tried on this connection.
    Rejected,
}

/// A snapshot under way.
#[derive(Clone, Copy, Debug, Hash)]
struct Asked {
    subaccount: SubaccountId,
    at: Nanos,
    /// Number of the request whose answer comes next; an answer to another says nothing about this snapshot.
    seq: u64,
}

/// One subaccount's fills of earlier sessions, while they are read from the venue's records (v2).
#[derive(Clone, Copy, Debug, Hash)]
struct Records {
    subaccount: SubaccountId,
    page: u32,
    at: Nanos,
    /// Number of the request whose answer comes next.
    seq: u64,
}

/// The session's state.
#[derive(Debug, Hash)]
pub(super) struct Session {
    terms: Terms,
    phase: Phase,
    members: Box<[Member]>,
    channels: Vec<String>,
    /// Subaccounts that may have RFQs of an earlier connection.
    traders: Vec<SubaccountId>,
    /// Withdrawals of those RFQs that are not answered yet: number of the request, and whose.
    clearing: Vec<(u64, SubaccountId)>,
    subscribed: bool,
    /// Connections in a row that were refused before they came up, by a venue that may have lost their login.
    unheard: u8,
    proof: Option<LoginProof>,
    since: Nanos,
    access: u64,
    seq: u64,
    asked: Option<Asked>,
    records: Vec<Records>,
    wanted: [bool; 8],
    time_asked_at: Nanos,
    /// Number of the unanswered request for the time, zero if it was answered.
    time_seq: u64,
    budget_known: bool,
    best_rtt_ns: u64,
    buffer: Scratch<REQUEST_BYTES>,
}

impl Session {
    pub(super) fn new(terms: Terms, members: &[Member]) -> Session {
        let names: &[&str] = if terms.dialect.settles_fills() {
            &["orders", "trades", "trades.settled", "trades.reverted", "balances"]
        } else {
            &["orders", "trades", "balances"]
        };
        let channels = members
            .iter()
            .flat_map(|member| names.iter().map(|name| format!("{}.{name}", member.subaccount.0)))
            .collect();
        Session {
            terms,
            phase: Phase::Offline,
            members: members.into(),
            channels,
            traders: Vec::new(),
            clearing: Vec::new(),
            subscribed: false,
            unheard: 0,
            proof: None,
            since: Nanos::ZERO,
            access: 0,
            seq: 0,
            asked: None,
            records: Vec::with_capacity(members.len()),
            wanted: [false; 8],
            time_asked_at: Nanos::ZERO,
            time_seq: 0,
            budget_known: false,
            best_rtt_ns: u64::MAX,
            buffer: Scratch::default(),
        }
    }

    /// From the next connection on, the RFQs of this member are withdrawn at login and its best quotes subscribed.
    pub(super) fn add_trader(&mut self, subaccount: SubaccountId) {
        self.channels.push(format!("{}.best.quotes", subaccount.0));
        self.traders.push(subaccount);
        self.clearing.reserve(self.traders.len());
    }

    pub(super) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// Writes and queues one request.
    fn say(
        &mut self,
        out: &mut Out,
        write: impl for<'b> FnOnce(&'b mut [u8], u64, &Context<'_>) -> Result<&'b [u8], EncodeError>,
    ) {
        self.seq += 1;
        let context = Context { terms: &self.terms, channels: &self.channels };
        let text = write(&mut self.buffer[..], self.seq, &context);
        out.frames.push(text.expect("session requests were proved to fit at start"), Tag::Session);
    }

    pub(super) fn on_up(&mut self, at: Nanos, out: &mut Out) {
        self.phase = Phase::Proving;
        self.since = at;
        self.access = 0;
        self.clearing.clear();
        self.subscribed = false;
        self.asked = None;
        self.records.clear();
        self.budget_known = false;
        self.wanted = [false; 8];
        self.log_in(at, out);
    }

    pub(super) fn on_down(&mut self, out: &mut Out) {
        self.phase = Phase::Offline;
        self.asked = None;
        out.report(Trace::default(), Report::Session(State::Down));
    }

    pub(super) fn on_proof(&mut self, at: Nanos, proof: LoginProof, out: &mut Out) {
        self.proof = Some(proof);
        self.log_in(at, out);
    }

    fn log_in(&mut self, at: Nanos, out: &mut Out) {
        let (Phase::Proving, Some(proof)) = (self.phase, self.proof) else { return };
        self.phase = Phase::LoggingIn;
        self.since = at;
        self.say(out, |buffer, seq, context| {
            request::login(buffer, seq, &context.terms.wallet, proof.timestamp_ms, &proof.signature)
        });
    }

    fn reject(&mut self, code: i32, out: &mut Out) {
        self.phase = Phase::Rejected;
        out.report(Trace::default(), Report::Session(State::Rejected { code }));
    }

    /// A login that was lost between its answer and the subscription heals by another; a channel that is always refused
    /// needs a person.
    fn unheard(&mut self, code: i32, out: &mut Out) {
        if self.phase == Phase::Offline {
            return;
        }
        self.unheard += 1;
        if self.unheard >= UNHEARD_MAX {
            self.reject(code, out);
        } else {
            self.phase = Phase::Offline;
            out.drop_connection = true;
        }
    }

    fn on_logged_in(&mut self, at: Nanos, out: &mut Out) {
        if self.access.count_ones() as usize != self.members.len() {
            return self.reject(NO_ACCESS, out);
        }
        self.phase = Phase::Subscribing;
        self.since = at;
        self.say(out, |buffer, seq, context| {
            request::subscribe(buffer, seq, context.channels.iter().map(String::as_str))
        });
        self.say(out, |buffer, seq, context| request::get_account(buffer, seq, &context.terms.wallet));
        if self.terms.cancel_on_disconnect {
            self.say(out, |buffer, seq, context| {
                request::set_cancel_on_disconnect(buffer, seq, &context.terms.wallet, true)
            });
        }
        for place in 0..self.traders.len() {
            let subaccount = self.traders[place];
            self.say(out, |buffer, seq, _| rfq::cancel_rfqs(buffer, seq, subaccount));
            self.clearing.push((self.seq, subaccount));
        }
        if self.terms.dialect.settles_fills() {
            for place in 0..self.members.len() {
                let subaccount = self.members[place].subaccount;
                self.records.push(Records { subaccount, page: 1, at, seq: 0 });
                self.ask_records(at, place, out);
            }
        }
        self.ask_time(at, out);
    }

    /// Asks for a page of a subaccount's fills.
    fn ask_records(&mut self, at: Nanos, place: usize, out: &mut Out) {
        let Records { subaccount, page, .. } = self.records[place];
        let from_ms = at.ms().saturating_sub(RECORDS_MS);
        let want = request::TradePage { subaccount, from_ms, page, page_size: 1_000 };
        self.say(out, |buffer, seq, _| request::get_trade_history(buffer, seq, want));
        self.records[place] = Records { subaccount, page, at, seq: self.seq };
    }

    /// A page of fills has come; the rest is asked for, if there is more.
    fn on_records(&mut self, at: Nanos, reply: &Reply, pages: u64, out: &mut Out) {
        let Some(place) = self.records.iter().position(|records| records.seq == reply.id.number) else { return };
        if u64::from(self.records[place].page) < pages {
            self.records[place].page += 1;
            return self.ask_records(at, place, out);
        }
        let Records { subaccount, .. } = self.records.swap_remove(place);
        out.report(Trace::default(), Report::PastFillsComplete { subaccount });
    }

    /// The venue has answered a withdrawal of all RFQs: whose are gone, if they are.
    pub(super) fn on_cleared(&mut self, reply: &Reply, out: &mut Out) -> Option<SubaccountId> {
        let place = self.clearing.iter().position(|(seq, _)| *seq == reply.id.number)?;
        match reply.body {
            ReplyBody::Cancelled { .. } => Some(self.clearing.swap_remove(place).1),
            // Nothing was open: as good as withdrawn.
            ReplyBody::Failed { code, .. } if is_withdrawn(code) => Some(self.clearing.swap_remove(place).1),
            ReplyBody::Failed { code, verdict } => {
                self.refused(code, verdict, out);
                None
            }
            _ => None,
        }
    }

    /// The session is usable once everything said at login has been answered.
    pub(super) fn come_up(&mut self, out: &mut Out) {
        if self.phase == Phase::Subscribing && self.subscribed && self.clearing.is_empty() {
            (self.phase, self.unheard) = (Phase::Up, 0);
            out.report(Trace::default(), Report::Session(State::Up));
        }
    }

    /// Rate limits and hiccups heal by reconnecting; a refusal needs a person.
    fn refused(&mut self, code: i32, verdict: Verdict, out: &mut Out) {
        if code == LOGGED_OUT {
            self.unheard(code, out);
        } else if matches!(verdict, Verdict::Halt | Verdict::Refused) {
            self.reject(code, out);
        } else {
            out.drop_connection = true;
        }
    }

    fn ask_time(&mut self, at: Nanos, out: &mut Out) {
        self.time_asked_at = at;
        self.say(out, |buffer, seq, _| request::get_time(buffer, seq));
        self.time_seq = self.seq;
    }

    /// Half the round trip is the best guess of how old the answer is; only answers about as quick as the quickest
    /// count, because a slow one says more about the road than about the clock. A road that has become slower for good
    /// is believed after a few of them.
    fn on_time(&mut self, at: Nanos, venue_at: Nanos, out: &mut Out) {
        let rtt_ns = at.since(self.time_asked_at);
        if rtt_ns > self.best_rtt_ns.saturating_mul(2).max(MS) {
            self.best_rtt_ns = self.best_rtt_ns.saturating_mul(2);
            return;
        }
        self.best_rtt_ns = self.best_rtt_ns.min(rtt_ns.max(1));
        let middle = self.time_asked_at.plus(rtt_ns / 2);
        // The venue says whole milliseconds, so its clock reads half a millisecond more on average.
        let offset_ns = venue_at.plus(MS / 2).0.wrapping_sub(middle.0) as i64;
        out.report(Trace::default(), Report::VenueTime { offset_ns, rtt_ns });
    }

    pub(super) fn ask_snapshot(&mut self, at: Nanos, vault: VaultId, out: &mut Out) {
        let Some(place) = self.members.iter().position(|member| member.vault == vault) else { return };
        if self.phase != Phase::Up {
            return;
        }
        if self.asked.is_some() {
            self.wanted[place] = true; // one at a time: its parts carry no name of the request
            return;
        }
        self.wanted[place] = false;
        let subaccount = self.members[place].subaccount;
        self.say(out, |buffer, seq, _| request::get_subaccount(buffer, seq, subaccount));
        self.asked = Some(Asked { subaccount, at, seq: self.seq });
    }

    /// The snapshot under way, if this is the answer it waits for.
    fn asked_as(&self, reply: &Reply) -> Option<Asked> {
        self.asked.filter(|asked| asked.seq == reply.id.number)
    }

    fn next_snapshot(&mut self, at: Nanos, out: &mut Out) {
        self.asked = None;
        if let Some(place) = self.wanted[..self.members.len()].iter().position(|wanted| *wanted) {
            let vault = self.members[place].vault;
            self.ask_snapshot(at, vault, out);
        }
    }

    pub(super) fn on_reply(&mut self, at: Nanos, reply: &Reply, out: &mut Out) {
        match (reply.id.kind, reply.body) {
            (_, ReplyBody::Access { subaccount }) => {
                if let Some(place) = self.members.iter().position(|member| member.subaccount == subaccount) {
                    self.access |= 1 << place;
                }
            }
            (RequestKind::Login, ReplyBody::LoggedIn { .. }) => self.on_logged_in(at, out),
            (RequestKind::Login | RequestKind::Subscribe, ReplyBody::Failed { code, verdict }) => {
                self.refused(code, verdict, out);
            }
            (RequestKind::Subscribe, ReplyBody::Subscribed { refused, .. }) => {
                if refused > 0 {
                    self.unheard(0, out);
                } else {
                    self.subscribed = true;
                    self.come_up(out);
                }
            }
            (RequestKind::Time, ReplyBody::Time { venue_at }) if reply.id.number == self.time_seq => {
                self.time_seq = 0;
                self.on_time(at, venue_at, out)
            }
            (RequestKind::Account, ReplyBody::Account { budget, .. }) => {
                self.budget_known = true;
                out.report(Trace::default(), Report::Budget(budget));
            }
            (RequestKind::TradeHistory, ReplyBody::Pages { pages }) => self.on_records(at, reply, pages, out),
            (RequestKind::Subaccount, ReplyBody::Done) => {
                if let Some(Asked { subaccount, at, .. }) = self.asked_as(reply) {
                    self.say(out, |buffer, seq, _| request::get_open_orders(buffer, seq, subaccount));
                    self.asked = Some(Asked { subaccount, at, seq: self.seq });
                } else if let Some(Asked { subaccount, .. }) = self.asked {
                    // An old answer has overwritten part of the snapshot under way: it proves nothing, begin anew.
                    self.members.iter().zip(&mut self.wanted).for_each(|(m, w)| *w |= m.subaccount == subaccount);
                    self.next_snapshot(at, out);
                }
            }
            (RequestKind::OpenOrders, ReplyBody::Done) => {
                if let Some(Asked { at: asked_at, .. }) = self.asked_as(reply) {
                    out.report(Trace::default(), Report::Snapshot(Snapshot::End { asked_at }));
                    self.next_snapshot(at, out);
                }
            }
            (RequestKind::Subaccount | RequestKind::OpenOrders, ReplyBody::Failed { .. } | ReplyBody::Incomplete) => {
                if let Some(Asked { subaccount, .. }) = self.asked {
                    out.report(Trace::default(), Report::NoSnapshot { subaccount });
                }
                self.next_snapshot(at, out);
            }
            _ => {}
        }
    }

    pub(super) fn on_tick(&mut self, at: Nanos, out: &mut Out) {
        let waiting = matches!(self.phase, Phase::LoggingIn | Phase::Subscribing);
        if waiting && (at.since(self.since) > ANSWER_NS_MAX || bends(Place::LoginOver)) {
            self.since = at;
            out.drop_connection = true;
        }
        // A venue that leaves a snapshot unanswered is half gone; a new connection also rules out its late answer.
        if self.asked.is_some_and(|asked| at.since(asked.at) > SNAPSHOT_NS_MAX || bends(Place::SnapshotOver)) {
            self.asked = None;
            out.drop_connection = true;
        }
        let late = self.records.iter().position(|records| at.since(records.at) > SNAPSHOT_NS_MAX);
        if let Some(place) = late.filter(|_| self.phase == Phase::Up) {
            self.ask_records(at, place, out);
        }
        let unanswered = self.time_seq != 0 || !self.budget_known;
        let again_ns = if unanswered { AGAIN_NS } else { TIME_NS };
        if self.phase == Phase::Up && (at.since(self.time_asked_at) > again_ns || bends(Place::TimeAgain)) {
            if !self.budget_known {
                self.say(out, |buffer, seq, context| request::get_account(buffer, seq, &context.terms.wallet));
            }
            self.ask_time(at, out);
        }
    }
}

/// What request writers may look at while the buffer is borrowed.
struct Context<'a> {
    terms: &'a Terms,
    channels: &'a [String],
}
