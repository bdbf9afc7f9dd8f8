//! The RFQs under way: asked for, polled while open, withdrawn; and what the venue says of them, matched to what was
//! asked for.

use super::{Counts, Out, Tag};
use crate::base::ids::{Nonce, SubaccountId, Uuid};
use crate::base::num::{Ratio, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::derive::decode::{Reply, ReplyBody, Vocabulary};
use crate::derive::dialect::NonceUnit;
use crate::derive::encode::rfq::{self, LegText};
use crate::derive::encode::{EncodeError, rfq::QUOTES_PER_PAGE};
use crate::derive::errors::is_withdrawn;
use crate::derive::request_id::RequestKind;
use crate::msg::{LEGS, PricedLeg, QuoteRow, Report, RfqRow, RfqStatus, RfqWish, Trace, Verdict};

/// RFQs remembered at once: one per vault is open, others are ending.
const TALKS: usize = 16;
/// Longest request about an RFQ.
const REQUEST_BYTES: usize = 1024;
/// A poll or withdrawal unanswered for this long is sent again.
const AGAIN_NS: u64 = SEC;
/// An RFQ asked for but unanswered for this long ends the connection: nobody knows whether it is open.
const ANSWER_NS_MAX: u64 = 5 * SEC;
/// An RFQ is over for good this long after its window: the venue's clock may differ from ours.
const OVER_NS: u64 = 5 * SEC;
/// Instrument not found (Derive 12001): reported when a leg has been delisted.
const NO_INSTRUMENT: i32 = 12_001;

/// One RFQ.
#[derive(Clone, Copy)]
struct Talk {
    subaccount: SubaccountId,
    name: Nonce,
    wish: RfqWish,
    asked_at: Nanos,
    /// The venue's answer.
    row: Option<RfqRow>,
    /// Number and moment of the poll under way.
    poll: Option<(u64, Nanos)>,
    polled_at: Nanos,
    /// When it was last withdrawn.
    leaving: Option<Nanos>,
}

/// All of them.
pub(super) struct Talks {
    talks: [Option<Talk>; TALKS],
    poll_ns: u64,
    nonces: NonceUnit,
    /// Least time between two polls, whosesoever: executions and withdrawals share their budget (Derive §4.2).
    gap_ns: u64,
    polled_at: Nanos,
    seq: u64,
    buffer: Box<[u8; REQUEST_BYTES]>,
}

impl Talks {
    pub(super) fn new(poll_ns: u64, nonces: NonceUnit) -> Talks {
        let buffer = Box::new([0; REQUEST_BYTES]);
        Talks { talks: [None; TALKS], poll_ns, nonces, gap_ns: 0, polled_at: Nanos::ZERO, seq: 0, buffer }
    }

    /// Polls use no more than two fifths of the requests per second that the venue allows.
    pub(super) fn set_rate(&mut self, tps: u32) {
        self.gap_ns = 5 * SEC / (2 * u64::from(tps.max(1)));
    }

    fn find(&mut self, is: impl Fn(&Talk) -> bool) -> Option<&mut Option<Talk>> {
        self.talks.iter_mut().find(|talk| talk.as_ref().is_some_and(&is))
    }

    fn by_rfq(&mut self, rfq_id: Uuid) -> Option<&mut Option<Talk>> {
        self.find(|talk| talk.row.is_some_and(|row| row.rfq_id == rfq_id))
    }

    /// Sends an RFQ; one that cannot be sent is refused at once.
    pub(super) fn ask(
        &mut self,
        at: Nanos,
        (subaccount, name, wish): (SubaccountId, Nonce, RfqWish),
        words: &Vocabulary,
        (counts, out): (&mut Counts, &mut Out),
    ) {
        let refuse = |out: &mut Out, code| {
            out.report(Trace::default(), Report::RfqRefused { name, verdict: Verdict::Refused, code });
        };
        let named = |place: usize| {
            let leg = wish.legs[place];
            words.name(leg.instrument).map(|name| LegText { name, side: leg.side, amount: leg.amount })
        };
        let (Some(one), Some(two)) = (named(0), named(1)) else { return refuse(out, NO_INSTRUMENT) };
        match rfq::send_rfq(&mut self.buffer[..], (name, self.nonces), subaccount, &[one, two], wish.partial_fill_step)
        {
            Ok(text) => {
                counts.asks += 1;
                out.frames.push(text, Tag::Session);
            }
            Err(_) => return refuse(out, 0),
        }
        let talk =
            Talk { subaccount, name, wish, asked_at: at, row: None, poll: None, polled_at: Nanos::ZERO, leaving: None };
        // The oldest gives way: it has been over for long.
        let oldest = self.talks.iter_mut().min_by_key(|talk| talk.map_or(Nanos::ZERO, |talk| talk.asked_at));
        if let Some(place) = oldest {
            *place = Some(talk);
        }
    }

    /// Withdraws an RFQ.
    pub(super) fn unask(&mut self, at: Nanos, subaccount: SubaccountId, rfq_id: Uuid, out: &mut Out) {
        let mut name = Nonce(0);
        if let Some(Some(talk)) = self.by_rfq(rfq_id) {
            talk.leaving = Some(at);
            name = talk.name;
        }
        let text = rfq::cancel_rfq(&mut self.buffer[..], name, subaccount, rfq_id);
        push(text, out);
    }

    /// The venue has opened an RFQ of ours.
    pub(super) fn on_opened(&mut self, trace: Trace, row: &RfqRow, out: &mut Out) {
        if let Some(place) = self.find(|talk| talk.name == row.name)
            && let Some(talk) = place
        {
            talk.row = Some(*row);
            if row.status != RfqStatus::Open {
                *place = None;
            }
        }
        out.report(trace, Report::Rfq(*row));
    }

    /// Reports a quote as the RFQ states its legs; one that does not fit the RFQ is ignored (Derive 11103).
    pub(super) fn on_quote(&mut self, trace: Trace, quote: &QuoteRow, (counts, out): (&mut Counts, &mut Out)) {
        let wish = self.by_rfq(quote.rfq_id).and_then(|talk| talk.as_ref()).map(|talk| talk.wish);
        match wish.and_then(|wish| fitted(quote, &wish)) {
            Some(quote) => out.report(trace, Report::Quote(quote)),
            None => counts.quotes_ignored += 1,
        }
    }

    /// An execution of ours has filled part of an RFQ.
    pub(super) fn on_filled(&mut self, trace: Trace, rfq_id: Uuid, filled: Ratio, out: &mut Out) {
        let Some(place) = self.by_rfq(rfq_id) else { return };
        let Some(row) = place.as_mut().and_then(|talk| talk.row.as_mut()) else { return };
        row.filled = row.filled.max(filled);
        if row.filled >= Ratio::ONE {
            row.status = RfqStatus::Filled;
        }
        let row = *row;
        if row.status != RfqStatus::Open {
            *place = None;
        }
        out.report(trace, Report::Rfq(row));
    }

    /// The venue has answered a request about an RFQ.
    pub(super) fn on_reply(&mut self, trace: Trace, reply: &Reply, out: &mut Out) {
        let number = reply.id.number;
        match (reply.id.kind, reply.body) {
            (RequestKind::SendRfq, ReplyBody::Failed { code, verdict }) => {
                if let Some(place) = self.find(|talk| talk.name == Nonce(number)) {
                    *place = None;
                }
                out.report(trace, Report::RfqRefused { name: Nonce(number), verdict, code });
            }
            (RequestKind::CancelRfq, ReplyBody::Done) => self.end(trace, number, out),
            (RequestKind::CancelRfq, ReplyBody::Failed { code, .. }) if is_withdrawn(code) => {
                self.end(trace, number, out);
            }
            (RequestKind::PollQuotes, body) => self.on_polled(trace, number, body, out),
            _ => {}
        }
    }

    fn on_polled(&mut self, trace: Trace, seq: u64, body: ReplyBody, out: &mut Out) {
        let asked = self.find(|talk| talk.poll.is_some_and(|(asked, _)| asked == seq)).and_then(Option::as_mut);
        let Some(talk) = asked else { return };
        let Some((_, asked_at)) = talk.poll.take() else { return };
        // More quotes than one page holds: what is not on it may still be open.
        if let (ReplyBody::Quotes { pages: ..=1 }, Some(row)) = (body, talk.row) {
            out.report(trace, Report::QuotesComplete { rfq_id: row.rfq_id, asked_at });
        }
    }

    /// An RFQ is withdrawn, or was over before it could be.
    fn end(&mut self, trace: Trace, name: u64, out: &mut Out) {
        let Some(place) = self.find(|talk| talk.name == Nonce(name)) else { return };
        if let Some(row) = place.take().and_then(|talk| talk.row) {
            out.report(trace, Report::Rfq(RfqRow { status: RfqStatus::Cancelled, ..row }));
        }
    }

    /// Every RFQ of a subaccount that was open before this connection is withdrawn.
    pub(super) fn on_cleared(&mut self, subaccount: SubaccountId, out: &mut Out) {
        for place in &mut self.talks {
            let Some(talk) = place.filter(|talk| talk.subaccount == subaccount) else { continue };
            *place = None;
            if let Some(row) = talk.row {
                out.report(Trace::default(), Report::Rfq(RfqRow { status: RfqStatus::Cancelled, ..row }));
            }
        }
    }

    /// The connection is gone: what was asked for and not answered may be open until the next login withdraws it.
    pub(super) fn on_down(&mut self, out: &mut Out) {
        for place in &mut self.talks {
            let Some(talk) = place else { continue };
            (talk.poll, talk.leaving) = (None, None);
            if talk.row.is_none() {
                let refused = Report::RfqRefused { name: talk.name, verdict: Verdict::Unknown, code: 0 };
                out.report(Trace::default(), refused);
                *place = None;
            }
        }
    }

    /// Polls what is open, repeats what is unanswered and ends what is over.
    pub(super) fn on_tick(&mut self, at: Nanos, (counts, out): (&mut Counts, &mut Out)) {
        self.poll(at, (counts, out));
        let Talks { talks, buffer, .. } = self;
        for place in talks {
            let Some(talk) = place else { continue };
            let Some(row) = talk.row else {
                if at.since(talk.asked_at) > ANSWER_NS_MAX {
                    talk.asked_at = at;
                    out.drop_connection = true;
                }
                continue;
            };
            if at > row.valid_until.plus(OVER_NS) {
                *place = None;
                out.report(Trace::default(), Report::Rfq(RfqRow { status: RfqStatus::Expired, ..row }));
                continue;
            }
            if talk.leaving.is_some_and(|since| at.since(since) > AGAIN_NS) {
                talk.leaving = Some(at);
                push(rfq::cancel_rfq(&mut buffer[..], talk.name, talk.subaccount, row.rfq_id), out);
            }
        }
    }

    /// Polls the RFQ that has waited longest, if it is due and the budget allows.
    fn poll(&mut self, at: Nanos, (counts, out): (&mut Counts, &mut Out)) {
        let Talks { talks, poll_ns, gap_ns, polled_at, seq, buffer, .. } = self;
        let due = |talk: &&mut Talk| {
            let wait_ns = if talk.poll.is_some() { (*poll_ns).max(AGAIN_NS) } else { *poll_ns };
            let live = talk.row.is_some_and(|row| at <= row.valid_until.plus(OVER_NS));
            live && at.since(talk.polled_at) >= wait_ns
        };
        let longest = talks.iter_mut().flatten().filter(due).min_by_key(|talk| talk.polled_at);
        let Some(talk) = longest.filter(|_| at.since(*polled_at) >= *gap_ns) else { return };
        let Some(row) = talk.row else { return };
        *seq += 1;
        (talk.poll, talk.polled_at, *polled_at) = (Some((*seq, at)), at, at);
        counts.polls += 1;
        push(rfq::poll_quotes(&mut buffer[..], *seq, talk.subaccount, row.rfq_id), out);
    }
}

fn push(text: Result<&[u8], EncodeError>, out: &mut Out) {
    // Of fixed width but for numbers: they fit, whatever the numbers.
    debug_assert!(text.is_ok());
    if let Ok(text) = text {
        out.frames.push(text, Tag::Session);
    }
}

/// The quote with its legs in the order of the RFQ and the share of it that they cover; `None` if it is a quote for
/// something else.
fn fitted(quote: &QuoteRow, wish: &RfqWish) -> Option<QuoteRow> {
    let mut legs = [PricedLeg::default(); LEGS];
    let mut share: Option<Ratio> = None;
    for (place, want) in legs.iter_mut().zip(&wish.legs) {
        let fits = |priced: &&PricedLeg| (priced.leg.instrument, priced.leg.side) == (want.instrument, want.side);
        let priced = quote.legs.iter().find(fits)?;
        let covered = priced.leg.amount.over(want.amount, Rounding::Floor);
        if covered > Ratio::ONE || share.is_some_and(|share| share != covered) {
            return None;
        }
        (*place, share) = (*priced, Some(covered));
    }
    share.map(|filled| QuoteRow { legs, filled, ..*quote })
}

/// Every open quote must be able to be reported in one step.
const _: () = assert!(QUOTES_PER_PAGE < super::REPORTS as u64);
