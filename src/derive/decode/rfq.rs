//! RFQs of ours and the quotes for them: pushed, polled, opened, withdrawn and executed.

use alloy_primitives::keccak256;

use super::malformed::{Malformed, Seen};
use super::names::Vocabulary;
use super::private::{error_code, page};
use super::reply::answer;
use super::source::Source;
use super::{Foreign, Heard, ROWS_MAX, ReplyBody};
use crate::base::ids::{Nonce, Side, SubaccountId, Uuid};
use crate::base::num::{Cash, Ratio};
use crate::base::time::Nanos;
use crate::derive::request_id::RequestId;
use crate::msg::{LEGS, PricedLeg, QuoteRow, Request, RfqRow, RfqStatus, Verdict};

/// Legs read before a quote is refused: the venue lets others quote larger packages.
const LEGS_READ_MAX: usize = 64;
/// Longest wallet text: `0x` and forty digits.
const WALLET_BYTES: usize = 42;

fn status<'f, S: Source<'f>>(s: &mut S) -> Result<RfqStatus, Malformed> {
    match s.string()? {
        b"open" => Ok(RfqStatus::Open),
        b"filled" => Ok(RfqStatus::Filled),
        b"cancelled" => Ok(RfqStatus::Cancelled),
        b"expired" => Ok(RfqStatus::Expired),
        _ => Err(Malformed::Word),
    }
}

/// Reads a share of an RFQ, 0 to 1.
fn share<'f, S: Source<'f>>(s: &mut S) -> Result<Ratio, Malformed> {
    let share = Ratio::from_raw(s.observed()?);
    if share.is_negative() || share > Ratio::ONE { Err(Malformed::Range) } else { Ok(share) }
}

/// Tells makers apart by a hash of the wallet, whatever the case of its digits.
fn maker<'f, S: Source<'f>>(s: &mut S) -> Result<u64, Malformed> {
    let text = s.string()?;
    let mut lower = [0; WALLET_BYTES];
    let wallet = lower.get_mut(..text.len()).ok_or(Malformed::Id)?;
    wallet.copy_from_slice(text);
    wallet.make_ascii_lowercase();
    let hash = keccak256(wallet);
    // Zero is for a maker the venue does not name.
    Ok(hash.last_chunk::<8>().map_or(1, |tail| u64::from_be_bytes(*tail)).max(1))
}

/// The quote's legs, sorted by instrument name.
#[derive(Clone, Copy)]
struct Legs<'f> {
    names: [&'f [u8]; LEGS],
    legs: [PricedLeg; LEGS],
    count: usize,
    /// Every leg is of an instrument we know.
    known: bool,
}

impl<'f> Legs<'f> {
    fn read<S: Source<'f>>(s: &mut S, words: &Vocabulary) -> Result<Legs<'f>, Malformed> {
        let mut legs = Legs { names: [b""; LEGS], legs: [PricedLeg::default(); LEGS], count: 0, known: true };
        s.array(|s| legs.push(s, words))?;
        Ok(legs)
    }

    fn push<S: Source<'f>>(&mut self, s: &mut S, words: &Vocabulary) -> Result<(), Malformed> {
        let mut name: &[u8] = b"";
        let mut priced = PricedLeg::default();
        let mut seen = Seen::default();
        s.object(|key, s| match key {
            b"instrument_name" => seen.once(0).and(s.string()).map(|value| name = value),
            b"amount" => seen.once(1).and(s.amount()).map(|value| priced.leg.amount = value),
            b"direction" => seen.once(2).and(s.side()).map(|value| priced.leg.side = value),
            b"price" => seen.once(3).and(s.price()).map(|value| priced.price = value),
            _ => s.skip(),
        })?;
        seen.all(4)?;
        if !priced.leg.amount.is_positive() {
            return Err(Malformed::Range);
        }
        match words.instruments.get(name) {
            Some(instrument) => priced.leg.instrument = instrument,
            None => self.known = false,
        }
        if let (Some(leg), Some(place)) = (self.legs.get_mut(self.count), self.names.get_mut(self.count)) {
            (*leg, *place) = (priced, name);
        }
        self.count += 1;
        if self.count > LEGS_READ_MAX { Err(Malformed::Count) } else { Ok(()) }
    }

    /// The legs in order of name, if they are a spread of two instruments we know.
    fn spread(mut self) -> Option<[PricedLeg; LEGS]> {
        if self.count != LEGS || !self.known || self.names[0] == self.names[1] {
            return None;
        }
        if self.names[0] > self.names[1] {
            self.legs.swap(0, 1);
        }
        Some(self.legs)
    }
}

/// One quote as everybody may see it; without legs that we can read it is foreign.
fn quote<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary, fee: Option<Cash>) -> Result<Heard, Malformed> {
    let mut row = QuoteRow {
        rfq_id: Uuid(0),
        quote_id: Uuid(0),
        maker: 0,
        direction: Side::Buy,
        status: RfqStatus::Open,
        filled: Ratio::ZERO,
        created_at: Nanos::ZERO,
        legs: [PricedLeg::default(); LEGS],
        fee,
    };
    let (mut legs, mut subaccount) = (None, SubaccountId(0));
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"quote_id" => seen.once(0).and(s.uuid()).map(|value| row.quote_id = value),
        b"rfq_id" => seen.once(1).and(s.uuid()).map(|value| row.rfq_id = value),
        b"direction" => seen.once(2).and(s.side()).map(|value| row.direction = value),
        b"status" => seen.once(3).and(status(s)).map(|value| row.status = value),
        b"fill_pct" => seen.once(4).and(share(s)).map(|value| row.filled = value),
        b"creation_timestamp" => seen.once(5).and(s.millis()).map(|value| row.created_at = value),
        b"legs" => seen.once(6).and(Legs::read(s, words)).map(|value| legs = Some(value)),
        b"wallet" => seen.once(7).and(maker(s)).map(|value| row.maker = value),
        b"subaccount_id" => seen.once(8).and(s.uint()).map(|value| subaccount = SubaccountId(value)),
        _ => s.skip(),
    })?;
    seen.all(7)?;
    Ok(match legs.and_then(Legs::spread) {
        Some(legs) => Heard::Quote(QuoteRow { legs, ..row }),
        None => Heard::Foreign { subaccount, what: Foreign::Quote },
    })
}

/// The best quote of each open RFQ of a subaccount. An RFQ without one says nothing: polls tell what is gone.
pub(super) fn best_quotes<'f, S: Source<'f>>(
    s: &mut S,
    subaccount: SubaccountId,
    words: &Vocabulary,
    out: &mut Vec<Heard>,
) -> Result<(), Malformed> {
    let mut rows = 0;
    s.array(|s| {
        rows += 1;
        if rows > ROWS_MAX {
            return Err(Malformed::Count);
        }
        match best_quote(s, words)? {
            Some(Heard::Foreign { what, .. }) => out.push(Heard::Foreign { subaccount, what }),
            Some(heard) => out.push(heard),
            None => {}
        }
        Ok(())
    })
}

fn best_quote<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary) -> Result<Option<Heard>, Malformed> {
    let (mut rfq_id, mut best, mut failed) = (Uuid(0), None, false);
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"rfq_id" => seen.once(0).and(s.uuid()).map(|value| rfq_id = value),
        b"result" => {
            seen.once(1)?;
            best = if s.null() { None } else { estimate(s, words)? };
            Ok(())
        }
        b"error" => {
            seen.once(2)?;
            failed = !s.null() && error_code(s).map(|_| true)?;
            Ok(())
        }
        _ => s.skip(),
    })?;
    seen.all(1)?;
    match best {
        Some(Heard::Quote(quote)) if quote.rfq_id != rfq_id => Err(Malformed::Id),
        Some(_) if failed => Err(Malformed::Shape),
        other => Ok(other),
    }
}

/// What the venue estimates for executing the best quote, and the quote.
fn estimate<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary) -> Result<Option<Heard>, Malformed> {
    let (mut fee, mut best) = (Cash::ZERO, None);
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"best_quote" => {
            seen.once(0)?;
            best = if s.null() { None } else { Some(quote(s, words, None)?) };
            Ok(())
        }
        b"estimated_fee" => seen.once(1).and(s.cash()).map(|value| fee = value),
        _ => s.skip(),
    })?;
    seen.all(2)?;
    if let Some(Heard::Quote(quote)) = &mut best {
        quote.fee = Some(fee);
    }
    Ok(best)
}

/// The RFQ that a request of ours opened.
pub(super) fn opened<'f, S: Source<'f>>(s: &mut S, name: Nonce) -> Result<RfqRow, Malformed> {
    let mut row = RfqRow {
        subaccount: SubaccountId(0),
        name,
        rfq_id: Uuid(0),
        status: RfqStatus::Open,
        created_at: Nanos::ZERO,
        valid_until: Nanos::ZERO,
        filled: Ratio::ZERO,
    };
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"subaccount_id" => seen.once(0).and(s.uint()).map(|value| row.subaccount = SubaccountId(value)),
        b"rfq_id" => seen.once(1).and(s.uuid()).map(|value| row.rfq_id = value),
        b"status" => seen.once(2).and(status(s)).map(|value| row.status = value),
        b"creation_timestamp" => seen.once(3).and(s.millis()).map(|value| row.created_at = value),
        b"valid_until" => seen.once(4).and(s.millis()).map(|value| row.valid_until = value),
        b"filled_pct" => seen.once(5).and(share(s)).map(|value| row.filled = value),
        _ => s.skip(),
    })?;
    seen.all(6)?;
    Ok(row)
}

/// How many RFQs a `cancel_batch_rfqs` has ended.
pub(super) fn cancelled_ids<'f, S: Source<'f>>(s: &mut S) -> Result<i64, Malformed> {
    let mut count = 0;
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"cancelled_ids" => {
            seen.once(0)?;
            s.array(|s| {
                count += 1;
                if count > ROWS_MAX as i64 { Err(Malformed::Count) } else { s.uuid().map(|_| ()) }
            })
        }
        _ => s.skip(),
    })?;
    seen.all(1)?;
    Ok(count)
}

/// A page of quotes.
pub(super) fn polled<'f, S: Source<'f>>(
    s: &mut S,
    words: &Vocabulary,
    out: &mut Vec<Heard>,
) -> Result<ReplyBody, Malformed> {
    let pages = page(s, b"quotes", out, |s| quote(s, words, None))?;
    Ok(ReplyBody::Quotes { pages })
}

/// The execution of a quote: it must bear our nonce.
pub(super) fn executed<'f, S: Source<'f>>(s: &mut S, id: RequestId, out: &mut Vec<Heard>) -> Result<(), Malformed> {
    let (mut nonce, mut state, mut rfq_id, mut filled) = (0, RfqStatus::Open, Uuid(0), Ratio::ZERO);
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"nonce" => seen.once(0).and(s.nonce()).map(|value| nonce = value),
        b"status" => seen.once(1).and(status(s)).map(|value| state = value),
        b"rfq_id" => seen.once(2).and(s.uuid()).map(|value| rfq_id = value),
        b"rfq_filled_pct" => seen.once(3).and(share(s)).map(|value| filled = value),
        _ => s.skip(),
    })?;
    seen.all(4)?;
    same_nonce(nonce, id)?;
    let verdict = match state {
        RfqStatus::Filled => Verdict::Accepted,
        RfqStatus::Cancelled | RfqStatus::Expired => Verdict::Refused,
        // Neither done nor refused: it may still come.
        RfqStatus::Open => Verdict::Unknown,
    };
    out.push(Heard::Answer(answer(id, Request::Execute, verdict, 0)));
    out.push(Heard::RfqFilled { rfq_id, filled });
    Ok(())
}

fn same_nonce(nonce: u64, id: RequestId) -> Result<(), Malformed> {
    if nonce == id.number { Ok(()) } else { Err(Malformed::Id) }
}
