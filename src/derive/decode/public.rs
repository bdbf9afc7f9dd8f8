//! Public channels: ticker, order book, trades and spot index.

use super::malformed::{Malformed, Seen};
use super::names::Vocabulary;
use super::source::Source;
use super::{Heard, ROWS_MAX};
use crate::base::ids::InstrumentId;
use crate::base::num::{Amount, Price, Ratio};
use crate::base::time::Nanos;
use crate::msg::{Book, DEPTH, Level, Market, OptionPricing, SpotIndex, Ticker, TradePrint};

/// Most levels per side any subscription carries.
const LEVELS_MAX: usize = 100;
/// Highest implied volatility believed, per year: 10⁴ %.
const IV_MAX: Ratio = Ratio::whole(100);

/// `ticker_slim` data, written into `ticker` in place: it is the hottest message and not a small one.
#[inline]
pub(super) fn ticker<'f, S: Source<'f>>(s: &mut S, ticker: &mut Ticker) -> Result<(), Malformed> {
    let mut inner = Seen::default();
    s.object(|key, s| match key {
        b"instrument_ticker" => inner.once(0).and_then(|()| ticker_fields(s, ticker)),
        _ => s.skip(),
    })?;
    inner.all(1)?;
    let crossed = ticker.bid.is_positive() && ticker.ask.is_positive() && ticker.bid > ticker.ask;
    if crossed || ticker.band_low > ticker.band_high {
        return Err(Malformed::Crossed);
    }
    if ticker.index.is_zero() { Err(Malformed::Range) } else { Ok(()) }
}

#[inline]
fn ticker_fields<'f, S: Source<'f>>(s: &mut S, ticker: &mut Ticker) -> Result<(), Malformed> {
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"t" => seen.once(0).and(s.millis()).map(|at| ticker.venue_at = at),
        b"a" => seen.once(1).and(s.price()).map(|price| ticker.ask = price),
        b"A" => seen.once(2).and(shown(s)).map(|amount| ticker.ask_amount = amount),
        b"b" => seen.once(3).and(s.price()).map(|price| ticker.bid = price),
        b"B" => seen.once(4).and(shown(s)).map(|amount| ticker.bid_amount = amount),
        b"f" => seen.once(5).and(optional_ratio(s)).map(|rate| ticker.funding_hourly = rate),
        b"I" => seen.once(6).and(s.mark()).map(|price| ticker.index = price),
        b"M" => seen.once(7).and(s.mark()).map(|price| ticker.mark = price),
        b"minp" => seen.once(8).and(s.mark()).map(|price| ticker.band_low = price),
        b"maxp" => seen.once(9).and(s.mark()).map(|price| ticker.band_high = price),
        b"option_pricing" => {
            seen.once(10)?;
            ticker.option = if s.null() { None } else { Some(option_pricing(s)?) };
            Ok(())
        }
        _ => s.skip(),
    })?;
    seen.all(11)
}

/// An amount shown to the public: digits beyond ours are dropped.
#[inline]
fn shown<'f, S: Source<'f>>(s: &mut S) -> Result<Amount, Malformed> {
    s.mark().map(|amount| Amount::from_raw(amount.raw()))
}

fn ratio<'f, S: Source<'f>>(s: &mut S) -> Result<Ratio, Malformed> {
    s.observed().map(Ratio::from_raw)
}

#[inline]
fn optional_ratio<'f, S: Source<'f>>(s: &mut S) -> Result<Ratio, Malformed> {
    if s.null() { Ok(Ratio::ZERO) } else { ratio(s) }
}

fn option_pricing<'f, S: Source<'f>>(s: &mut S) -> Result<OptionPricing, Malformed> {
    let mut option = OptionPricing::default();
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"d" => seen.once(0).and(ratio(s)).map(|value| option.delta = value),
        b"i" => seen.once(1).and(ratio(s)).map(|value| option.mark_iv = value),
        b"f" => seen.once(2).and(s.mark()).map(|price| option.forward = price),
        b"df" => seen.once(3).and(ratio(s)).map(|value| option.discount = value),
        b"m" => seen.once(4).and(s.mark()).map(|price| option.mark = price),
        b"g" => seen.once(5).and(ratio(s)).map(|value| option.gamma = value),
        b"v" => seen.once(6).and(ratio(s)).map(|value| option.vega = value),
        b"t" => seen.once(7).and(ratio(s)).map(|value| option.theta = value),
        _ => s.skip(),
    })?;
    seen.all(8)?;
    let believable = option.delta.abs() <= Ratio::ONE
        && option.mark_iv.is_positive()
        && option.mark_iv <= IV_MAX
        && option.forward.is_positive()
        && option.discount.is_positive();
    if believable { Ok(option) } else { Err(Malformed::Range) }
}

/// `orderbook` data, written into `book` in place.
#[inline]
pub(super) fn book<'f, S: Source<'f>>(s: &mut S, book: &mut Book, words: &Vocabulary) -> Result<(), Malformed> {
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"timestamp" => seen.once(0).and(s.millis()).map(|at| book.venue_at = at),
        b"bids" => {
            seen.once(1).and(side(s, &mut book.bids, |better, worse| better > worse)).map(|n| book.bid_count = n)
        }
        b"asks" => {
            seen.once(2).and(side(s, &mut book.asks, |better, worse| better < worse)).map(|n| book.ask_count = n)
        }
        b"publish_id" => seen.once(3).and(s.uint()).map(|id| book.publish_id = id),
        b"instrument_name" => {
            seen.once(4)?;
            let named = words.instruments.get(s.string()?);
            if named == Some(book.instrument) { Ok(()) } else { Err(Malformed::Name) }
        }
        _ => s.skip(),
    })?;
    seen.all(3)?;
    match (book.bids().first(), book.asks().first()) {
        (Some(bid), Some(ask)) if bid.price > ask.price => Err(Malformed::Crossed),
        _ => Ok(()),
    }
}

/// Reads one side into `kept`, checking every level even where it is not kept; the number kept.
#[inline]
fn side<'f, S: Source<'f>>(
    s: &mut S,
    kept: &mut [Level; DEPTH],
    better: impl Fn(Price, Price) -> bool,
) -> Result<u8, Malformed> {
    let mut count = 0;
    let mut last: Option<Price> = None;
    s.array(|s| {
        let level = level(s)?;
        if last.is_some_and(|last| !better(last, level.price)) {
            return Err(Malformed::Unsorted);
        }
        last = Some(level.price);
        if let Some(room) = kept.get_mut(count) {
            *room = level;
        }
        count += 1;
        if count > LEVELS_MAX { Err(Malformed::Count) } else { Ok(()) }
    })?;
    Ok(count.min(DEPTH) as u8)
}

#[inline]
fn level<'f, S: Source<'f>>(s: &mut S) -> Result<Level, Malformed> {
    let mut level = Level::default();
    let mut place = 0;
    s.array(|s| {
        place += 1;
        match place {
            1 => s.price().map(|price| level.price = price),
            2 => shown(s).map(|amount| level.amount = amount),
            _ => Err(Malformed::Shape),
        }
    })?;
    if place != 2 {
        return Err(Malformed::Shape);
    }
    if level.price.is_positive() && level.amount.is_positive() { Ok(level) } else { Err(Malformed::Range) }
}

/// `trades` data: the taker rows of instruments we know. Rows of `only`'s channel must all be of it.
pub(super) fn trades<'f, S: Source<'f>>(
    s: &mut S,
    only: Option<InstrumentId>,
    words: &Vocabulary,
    out: &mut Vec<Heard>,
) -> Result<(), Malformed> {
    s.array(|s| {
        let (name, taker, mut print) = trade(s)?;
        let id = words.instruments.get(name);
        if only.is_some() && id != only {
            return Err(Malformed::Name);
        }
        if let Some(id) = id.filter(|_| taker) {
            print.instrument = id;
            out.push(Heard::Market(Market::Trade(print)));
        }
        if out.len() > ROWS_MAX { Err(Malformed::Count) } else { Ok(()) }
    })
}

/// One public trade row: instrument name, whether it is the taker's, and the rest.
fn trade<'f, S: Source<'f>>(s: &mut S) -> Result<(&'f [u8], bool, TradePrint), Malformed> {
    let (mut name, mut taker): (&[u8], _) = (b"", false);
    let (mut id, mut direction) = (None, None);
    let (mut price, mut amount, mut venue_at) = (Price::ZERO, Amount::ZERO, Nanos::ZERO);
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"trade_id" => seen.once(0).and(s.uuid()).map(|value| id = Some(value)),
        b"instrument_name" => seen.once(1).and(s.string()).map(|value| name = value),
        b"direction" => seen.once(2).and(s.side()).map(|value| direction = Some(value)),
        b"trade_price" => seen.once(3).and(s.price()).map(|value| price = value),
        b"trade_amount" => seen.once(4).and(shown(s)).map(|value| amount = value),
        b"liquidity_role" => seen.once(5).and(is_taker(s)).map(|value| taker = value),
        b"timestamp" => seen.once(6).and(s.millis()).map(|value| venue_at = value),
        _ => s.skip(),
    })?;
    let (Some(trade_id), Some(side)) = (id, direction) else { return Err(Malformed::Missing) };
    seen.all(7)?;
    if !price.is_positive() || !amount.is_positive() {
        return Err(Malformed::Range);
    }
    Ok((name, taker, TradePrint { instrument: InstrumentId(0), trade_id, side, price, amount, venue_at }))
}

/// Reads a liquidity role.
pub(super) fn is_taker<'f, S: Source<'f>>(s: &mut S) -> Result<bool, Malformed> {
    match s.string()? {
        b"taker" => Ok(true),
        b"maker" => Ok(false),
        _ => Err(Malformed::Word),
    }
}

/// `spot_feed` data: the currencies we know.
pub(super) fn spot<'f, S: Source<'f>>(s: &mut S, words: &Vocabulary, out: &mut Vec<Heard>) -> Result<(), Malformed> {
    let first = out.len();
    let mut at = Nanos::ZERO;
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"timestamp" => seen.once(0).and(s.millis()).map(|value| at = value),
        b"feeds" => {
            seen.once(1)?;
            s.object(|name, s| match words.currencies.get(name) {
                None => s.skip(),
                Some(currency) => {
                    let (price, confidence) = feed(s)?;
                    out.push(Heard::Market(Market::Spot(SpotIndex { currency, price, confidence, venue_at: at })));
                    if out.len() > ROWS_MAX { Err(Malformed::Count) } else { Ok(()) }
                }
            })
        }
        _ => s.skip(),
    })?;
    seen.all(2)?;
    for heard in &mut out[first..] {
        if let Heard::Market(Market::Spot(index)) = heard {
            index.venue_at = at;
        }
    }
    Ok(())
}

fn feed<'f, S: Source<'f>>(s: &mut S) -> Result<(Price, Ratio), Malformed> {
    let (mut price, mut confidence) = (Price::ZERO, Ratio::ZERO);
    let mut seen = Seen::default();
    s.object(|key, s| match key {
        b"price" => seen.once(0).and(s.mark()).map(|value| price = value),
        b"confidence" => seen.once(1).and(ratio(s)).map(|value| confidence = value),
        _ => s.skip(),
    })?;
    seen.all(2)?;
    let believable = price.is_positive() && (Ratio::ZERO..=Ratio::ONE).contains(&confidence);
    if believable { Ok((price, confidence)) } else { Err(Malformed::Range) }
}
