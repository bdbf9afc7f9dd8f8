//! Binance `bookTicker`: best bid and ask of an external spot market, bare or wrapped in a combined stream.

use super::malformed::{Malformed, Seen};
use super::names::NameTable;
use super::source::Source;
use crate::base::num::{Amount, Price};
use crate::msg::External;

/// One frame; `None` if it answers a request instead (`{"result":null,"id":1}`).
#[inline]
pub(super) fn frame<'f, S: Source<'f>>(s: &mut S, symbols: &NameTable<u8>) -> Result<Option<External>, Malformed> {
    let mut fields = Fields::default();
    let (mut wrapped, mut reply) = (false, false);
    s.object(|key, s| match key {
        b"data" if wrapped => Err(Malformed::Duplicate),
        b"data" => {
            wrapped = true;
            s.object(|key, s| fields.read(key, s, symbols))
        }
        b"result" => {
            reply = true;
            s.skip()
        }
        _ => fields.read(key, s, symbols),
    })?;
    if reply && !wrapped && fields.seen.all(1).is_err() {
        return Ok(None);
    }
    fields.finish().map(Some)
}

#[derive(Default)]
struct Fields {
    seen: Seen,
    symbol: u8,
    update_id: u64,
    bid: Price,
    bid_amount: Amount,
    ask: Price,
    ask_amount: Amount,
}

impl Fields {
    #[inline]
    fn read<'f, S: Source<'f>>(&mut self, key: &[u8], s: &mut S, symbols: &NameTable<u8>) -> Result<(), Malformed> {
        match key {
            b"u" => self.seen.once(0).and(s.uint()).map(|id| self.update_id = id),
            b"s" => {
                self.seen.once(1)?;
                self.symbol = symbols.get(s.string()?).ok_or(Malformed::Name)?;
                Ok(())
            }
            b"b" => self.seen.once(2).and(s.price()).map(|price| self.bid = price),
            b"B" => self.seen.once(3).and(s.amount()).map(|amount| self.bid_amount = amount),
            b"a" => self.seen.once(4).and(s.price()).map(|price| self.ask = price),
            b"A" => self.seen.once(5).and(s.amount()).map(|amount| self.ask_amount = amount),
            _ => s.skip(),
        }
    }

    #[inline]
    fn finish(self) -> Result<External, Malformed> {
        self.seen.all(6)?;
        if !self.bid.is_positive() || !self.ask.is_positive() {
            return Err(Malformed::Range);
        }
        if self.bid > self.ask {
            return Err(Malformed::Crossed);
        }
        Ok(External {
            symbol: self.symbol,
            update_id: self.update_id,
            bid: self.bid,
            bid_amount: self.bid_amount,
            ask: self.ask,
            ask_amount: self.ask_amount,
        })
    }
}
