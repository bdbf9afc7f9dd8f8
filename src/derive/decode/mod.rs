//! Frames as bytes to messages: scanned in place where they look as usual, parsed to a tape where they do not.
//!
//! A refused frame is counted and yields nothing at all, however far it could be read.

mod channel;
mod external;
mod malformed;
mod names;
mod private;
mod public;
mod reply;
mod rfq;
mod scan;
mod source;
mod tape;

use simd_json::{Buffers, Tape};

pub use malformed::{Malformed, REASONS, Refusals};
pub use names::{INSTRUMENTS_MAX, NameTable, NoRoom, Vocabulary};

use crate::base::ids::{SubaccountId, Uuid};
use crate::base::num::Ratio;
use crate::base::time::Nanos;
use crate::derive::request_id::RequestId;
use crate::market::instrument::Listing;
use crate::msg::{
    Answer, Balance, Book, Budget, External, Fill, Market, OrderRow, QuoteRow, RfqRow, Snapshot, Ticker, Verdict,
};
use channel::Channel;
use malformed::Seen;
use scan::Scan;
use source::Source;
use tape::TapeCursor;

/// Longest frame read. A page of a thousand orders stays below it.
pub const FRAME_MAX: usize = 1 << 20;
/// Most messages one frame may carry: the venue's largest page is a thousand rows.
pub const ROWS_MAX: usize = 2048;
/// Frames up to this size are parsed without growing a buffer.
const USUAL_FRAME: usize = 64 * 1024;
/// Messages a frame may carry without growing the list.
const USUAL_ROWS: usize = 64;

/// What one frame said; a frame may say several things.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum Heard {
    /// A public fact.
    Market(Market),
    /// An order of ours changed.
    Order(OrderRow),
    /// A fill of ours; the reply to its order and the channel may both carry it.
    Fill(Fill),
    /// A row of the venue's records of fills; the reply that ends the page follows.
    PastFill(Fill),
    /// A balance of ours changed.
    Balance(Balance),
    /// An RFQ of ours was opened or changed.
    Rfq(RfqRow),
    /// A quote for an RFQ of ours, its legs sorted by instrument name: the best one as pushed, or a row of a poll.
    Quote(QuoteRow),
    /// A quote of ours was executed, and with it this share of the RFQ in all.
    RfqFilled {
        /// The RFQ.
        rfq_id: Uuid,
        /// Share executed so far.
        filled: Ratio,
    },
    /// The venue answered a place, replace or cancel.
    Answer(Answer),
    /// A row of a snapshot; the reply that ends it follows. `Snapshot::End` is the asker's to make.
    Snapshot(Snapshot),
    /// The venue answered something else.
    Reply(Reply),
    /// Something about a subaccount of ours in an instrument or currency that is not in the table.
    Foreign {
        /// Which subaccount.
        subaccount: SubaccountId,
        /// What it was.
        what: Foreign,
    },
}

/// What concerned an unknown instrument or currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// An order.
    Order,
    /// A fill.
    Fill,
    /// A balance change.
    Balance,
    /// A collateral.
    Collateral,
    /// A position.
    Position,
    /// A quote, or one that is not of two different legs; its subaccount is the maker's where the venue says it.
    Quote,
}

/// An answer to a request other than place, replace and cancel-by-nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The request.
    pub id: RequestId,
    /// What was answered.
    pub body: ReplyBody,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// Refused, or lost.
    Failed {
        /// The venue's error code.
        code: i32,
        /// What it means.
        verdict: Verdict,
    },
    /// Done; rows of the answer, if any, came before.
    Done,
    /// `public/login`: the key may act for this subaccount. One per subaccount, before `LoggedIn`.
    Access {
        /// Which.
        subaccount: SubaccountId,
    },
    /// `public/login` succeeded.
    LoggedIn {
        /// Subaccounts the key may act for.
        subaccounts: u32,
    },
    /// `subscribe`, channel by channel.
    Subscribed {
        /// Channels now subscribed.
        accepted: u32,
        /// Channels refused.
        refused: u32,
    },
    /// `cancel_by_instrument` or `cancel_by_label`.
    Cancelled {
        /// How many, −1 if the venue does not say.
        count: i64,
    },
    /// `public/get_time`.
    Time {
        /// The venue's clock (ms precision).
        venue_at: Nanos,
    },
    /// `private/get_account`.
    Account {
        /// Message budget.
        budget: Budget,
        /// Whether cancel-on-disconnect is on.
        cancel_on_disconnect: bool,
    },
    /// `private/get_trade_history`: the fills came before.
    Pages {
        /// Pages in all.
        pages: u64,
    },
    /// `private/poll_quotes`: the quotes came before.
    Quotes {
        /// Pages in all.
        pages: u64,
    },
    /// `private/get_subaccount` could not be computed by the venue (`failed_to_fetch`): ask again.
    Incomplete,
}

/// Reusable memory of the slow path, and what was counted on it.
struct Parser {
    text: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
    refusals: Refusals,
    fallbacks: u64,
}

impl Parser {
    fn new() -> Parser {
        Parser {
            text: Vec::with_capacity(USUAL_FRAME),
            buffers: Buffers::new(USUAL_FRAME),
            tape: Tape(Vec::with_capacity(USUAL_FRAME / 8)),
            refusals: Refusals::default(),
            fallbacks: 0,
        }
    }

    /// Parses to a tape and reads it, counting a refusal.
    #[cold]
    fn read<T>(
        &mut self,
        frame: &[u8],
        read: impl FnOnce(&mut TapeCursor<'_, '_>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let outcome = if frame.len() > FRAME_MAX { Err(Malformed::TooLarge) } else { self.parse(frame, read) };
        match outcome {
            Ok(_) => self.fallbacks += 1,
            Err(why) => self.refusals.note(why),
        }
        outcome
    }

    fn parse<T>(
        &mut self,
        frame: &[u8],
        read: impl FnOnce(&mut TapeCursor<'_, '_>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        self.text.clear();
        self.text.extend_from_slice(frame);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape(&mut self.text, &mut self.buffers, &mut tape);
        let outcome = match parsed {
            Ok(()) => read(&mut TapeCursor(&tape.0)),
            Err(_) => Err(Malformed::Json),
        };
        self.tape = tape.reset();
        outcome
    }
}

/// Reads the venue's frames.
pub struct Decoder {
    words: Vocabulary,
    heard: Vec<Heard>,
    parser: Parser,
}

impl Decoder {
    /// A decoder that knows these names.
    pub fn new(words: Vocabulary) -> Decoder {
        Decoder { words, heard: Vec::with_capacity(USUAL_ROWS), parser: Parser::new() }
    }

    /// What a frame says, in its order; or why nothing of it counts.
    #[inline]
    pub fn decode(&mut self, frame: &[u8]) -> Result<&[Heard], Malformed> {
        self.heard.clear();
        if frame.len() <= FRAME_MAX {
            let mut scan = Scan::new(frame);
            if message(&mut scan, &self.words, &mut self.heard).and_then(|()| scan.end()).is_ok() {
                return Ok(&self.heard);
            }
        }
        self.decode_slowly(frame)
    }

    /// Reads a frame through the tape alone: what [`Decoder::decode`] falls back to.
    #[cold]
    pub fn decode_slowly(&mut self, frame: &[u8]) -> Result<&[Heard], Malformed> {
        let Decoder { words, heard, parser } = self;
        heard.clear();
        parser.read(frame, |cursor| message(cursor, words, heard))?;
        Ok(heard)
    }

    /// Takes a change of the instrument table, without taking memory.
    pub fn apply(&mut self, listing: &Listing) -> Result<(), NoRoom> {
        self.words.apply(listing)
    }

    /// The names it knows.
    pub fn words(&self) -> &Vocabulary {
        &self.words
    }

    /// Frames refused so far, by reason.
    pub fn refusals(&self) -> &Refusals {
        &self.parser.refusals
    }

    /// Frames that were fine but needed the tape: growth means that the venue changed its form.
    pub fn fallbacks(&self) -> u64 {
        self.parser.fallbacks
    }
}

/// Reads an external venue's frames.
pub struct ExternalDecoder {
    symbols: NameTable<u8>,
    parser: Parser,
}

impl ExternalDecoder {
    /// A decoder that knows these symbols (upper case, e.g. `ETHUSDC`), by their place.
    pub fn new<'n>(symbols: impl IntoIterator<Item = &'n str>) -> ExternalDecoder {
        let symbols = NameTable::new((0..).zip(symbols).map(|(place, name)| (name, place)));
        ExternalDecoder { symbols, parser: Parser::new() }
    }

    /// What a `bookTicker` frame says; `None` if the frame only answers a subscription.
    #[inline]
    pub fn decode(&mut self, frame: &[u8]) -> Result<Option<External>, Malformed> {
        if frame.len() <= FRAME_MAX {
            let mut scan = Scan::new(frame);
            if let Ok(external) = external::frame(&mut scan, &self.symbols)
                && scan.end().is_ok()
            {
                return Ok(external);
            }
        }
        let ExternalDecoder { symbols, parser } = self;
        parser.read(frame, |cursor| external::frame(cursor, symbols))
    }

    /// Frames refused so far, by reason.
    pub fn refusals(&self) -> &Refusals {
        &self.parser.refusals
    }

    /// Frames that were fine but needed the tape.
    pub fn fallbacks(&self) -> u64 {
        self.parser.fallbacks
    }
}

/// A notification or a reply.
#[inline]
fn message<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary, out: &mut Vec<Heard>) -> Result<(), Malformed> {
    let mut seen = Seen::default();
    let (mut id, mut code, mut later) = (None, None, None);
    let (mut notified, mut answered) = (false, false);
    s.object(|key, s| match key {
        b"method" => match seen.once(0).and(s.string())? {
            b"subscription" => Ok(()),
            _ => Err(Malformed::Word),
        },
        b"params" => {
            notified = true;
            seen.once(1).and(notification(s, words, out))
        }
        b"id" => seen.once(2).and(request_id(s)).map(|value| id = Some(value)),
        b"result" => {
            seen.once(3)?;
            if s.null() {
                return Ok(());
            }
            answered = true;
            match id {
                Some(id) => reply::result(s, id, words, out),
                None => {
                    later = Some(s.clone());
                    s.skip()
                }
            }
        }
        b"error" => {
            seen.once(4)?;
            code = if s.null() { None } else { Some(private::error_code(s)?) };
            Ok(())
        }
        _ => s.skip(),
    })?;
    match (notified, id, answered, code) {
        (true, None, false, None) => seen.all(2),
        (false, Some(id), true, None) => match later {
            Some(mut s) => reply::result(&mut s, id, words, out),
            None => Ok(()),
        },
        (false, Some(id), false, Some(code)) => {
            out.push(reply::failure(id, code));
            Ok(())
        }
        _ => Err(Malformed::Shape),
    }
}

fn request_id<'f, S: Source<'f>>(s: &mut S) -> Result<RequestId, Malformed> {
    if s.is_string() { RequestId::parse(s.string()?).ok_or(Malformed::Id) } else { Err(Malformed::Id) }
}

/// The params of a notification.
#[inline]
fn notification<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary, out: &mut Vec<Heard>) -> Result<(), Malformed> {
    let mut seen = Seen::default();
    let (mut channel, mut later) = (None, None);
    s.object(|key, s| match key {
        b"channel" => {
            seen.once(0)?;
            channel = Some(Channel::parse(s.string()?, words)?);
            Ok(())
        }
        b"data" => {
            seen.once(1)?;
            match channel {
                Some(channel) => data(s, channel, words, out),
                None => {
                    later = Some(s.clone());
                    s.skip()
                }
            }
        }
        _ => s.skip(),
    })?;
    seen.all(2)?;
    match (later, channel) {
        (Some(mut s), Some(channel)) => data(&mut s, channel, words, out),
        _ => Ok(()),
    }
}

#[inline]
fn data<'f, S: Source<'f>>(
    s: &mut S,
    channel: Channel,
    words: &Vocabulary,
    out: &mut Vec<Heard>,
) -> Result<(), Malformed> {
    match channel {
        Channel::Ticker(id) => {
            out.push(Heard::Market(Market::Ticker(Ticker { instrument: id, ..Ticker::default() })));
            match out.last_mut() {
                Some(Heard::Market(Market::Ticker(ticker))) => public::ticker(s, ticker),
                _ => Err(Malformed::Shape),
            }
        }
        Channel::Book(id) => {
            out.push(Heard::Market(Market::Book(Book { instrument: id, ..Book::default() })));
            match out.last_mut() {
                Some(Heard::Market(Market::Book(book))) => public::book(s, book, words),
                _ => Err(Malformed::Shape),
            }
        }
        Channel::Trades(only) => public::trades(s, only, words, out),
        Channel::Spot => public::spot(s, words, out),
        Channel::Orders(subaccount) => private::rows(s, out, |s| {
            Ok(match private::order(s, Some(subaccount), words)? {
                (_, Some(row)) => Heard::Order(row),
                (subaccount, None) => Heard::Foreign { subaccount, what: Foreign::Order },
            })
        }),
        Channel::Fills(subaccount) => private::rows(s, out, |s| private::fill(s, Some(subaccount), words)),
        Channel::Balances(subaccount) => private::rows(s, out, |s| private::balance(s, subaccount, words)),
        Channel::BestQuotes(subaccount) => rfq::best_quotes(s, subaccount, words, out),
    }
}
