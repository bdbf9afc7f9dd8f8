//! The market as the texts that really reached the engine tell it, in ordered maps of decimals: what market data says of a
//! book must be those levels, and every value must show the top that the facts pricing has taken leave.

use crate::base::ids::InstrumentId;
use crate::base::num::{E9, Price};
use crate::base::time::{Nanos, SEC};
use crate::market::instrument::{Kind, Listing, OptionTerms};
use crate::msg::{Book, DEPTH, Feed, Level, Market, OptionPricing, Ticker, Value};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::BTreeMap;

/// Oldest ticker of an option that an older stamp does not displace.
const OPTION_TICKER_AGE_NS: u64 = 5 * SEC;
/// Most levels of a side that a subscription carries.
const LEVELS_MAX: usize = 100;

/// Milliseconds since 1970 of this century.
const MILLIS: std::ops::Range<u64> = 946_684_800_000..4_102_444_800_000;

/// One side or the other, by price.
type Side = BTreeMap<Decimal, Decimal>;

/// A whole book.
#[derive(Clone, Debug, Default, PartialEq)]
struct Ladder {
    bids: Side,
    asks: Side,
}

#[derive(serde::Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(serde::Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    channel: &'a str,
    #[serde(borrow)]
    data: Told<'a>,
}

#[derive(serde::Deserialize)]
struct Told<'a> {
    #[serde(default = "unsaid")]
    instrument_name: &'a str,
    timestamp: u64,
    /// Read for its shape only.
    #[serde(default)]
    #[serde(rename = "publish_id")]
    _publish_id: u64,
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>,
}

/// What an instrument is not called.
const fn unsaid() -> &'static str {
    "\0"
}

/// A side whose levels are numbers, each worse than the one before; else the text is no book.
fn side(levels: &[[&str; 2]], better: fn(&Decimal, &Decimal) -> bool) -> Option<Side> {
    let mut side = Side::new();
    let mut last: Option<Decimal> = None;
    for [price, amount] in levels {
        let (price, amount) = (price.parse::<Decimal>().ok()?, amount.parse::<Decimal>().ok()?.trunc_with_scale(9));
        let sound = price > Decimal::ZERO && amount > Decimal::ZERO && price.scale() <= 9;
        if !sound || last.is_some_and(|last| !better(&last, &price)) {
            return None;
        }
        last = Some(price);
        side.insert(price, amount);
    }
    (levels.len() <= LEVELS_MAX).then_some(side)
}

/// The book a text tells of, and of what.
fn ladder(text: &[u8]) -> Option<(String, Ladder)> {
    let frame: Frame<'_> = serde_json::from_slice(text).ok()?;
    let Params { channel, data } = frame.params;
    let name = channel.split('.').nth(1)?;
    let named = data.instrument_name == unsaid() || data.instrument_name == name;
    if !named || !MILLIS.contains(&data.timestamp) {
        return None;
    }
    let (bids, asks) = (side(&data.bids, |last, next| last > next)?, side(&data.asks, |last, next| last < next)?);
    let crossed = bids.keys().next_back().zip(asks.keys().next()).is_some_and(|(bid, ask)| bid > ask);
    (!crossed).then(|| (name.to_owned(), Ladder { bids, asks }))
}

fn raw(decimal: Decimal) -> Option<i64> {
    (decimal * Decimal::from(E9)).to_i64()
}

/// True if these are the first levels of that side.
fn agrees<'a>(said: &[Level], levels: impl Iterator<Item = (&'a Decimal, &'a Decimal)>) -> bool {
    let levels: Vec<(i64, i64)> =
        levels.take(DEPTH).filter_map(|(price, amount)| Some((raw(*price)?, raw(*amount)?))).collect();
    said.iter().map(|level| (level.price.raw(), level.amount.raw())).eq(levels)
}

/// What pricing has been told of an instrument.
#[derive(Clone, Debug)]
struct View {
    bid: Price,
    ask: Price,
    mark: Price,
    told_at: Nanos,
    heard: Nanos,
    option: Option<OptionPricing>,
}

/// The twin.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// The book of the last text, if nothing was said of it yet.
    owed: Option<(String, Ladder)>,
    views: BTreeMap<InstrumentId, View>,
    options: BTreeMap<InstrumentId, OptionTerms>,
}

impl Books {
    /// Market data has heard a text: what is wrong with what it made of the one before.
    pub fn heard(&mut self, text: &[u8]) -> Option<String> {
        let unsaid = self.owed.take().map(|(name, _)| format!("nothing was said of a book of {name}"));
        if text.windows(b"\"orderbook.".len()).any(|window| window == b"\"orderbook.") {
            self.owed = ladder(text);
        }
        unsaid
    }

    /// Market data has said a book of that name.
    pub fn said(&mut self, name: &str, book: &Book) -> Option<String> {
        let Some((told, ladder)) = self.owed.take() else {
            return Some(format!("a book of {name} was said that no text tells"));
        };
        let same = agrees(book.bids(), ladder.bids.iter().rev()) && agrees(book.asks(), ladder.asks.iter());
        (told != name || !same).then(|| format!("{name}: {book:?} of {ladder:?}"))
    }

    /// Pricing has taken a fact.
    pub fn taken(&mut self, at: Nanos, fact: &Market, age_ns: u64) {
        match fact {
            Market::Ticker(ticker) => {
                let age_ns = if self.options.contains_key(&ticker.instrument) { OPTION_TICKER_AGE_NS } else { age_ns };
                self.tick(at, ticker, age_ns);
            }
            Market::Book(book) => {
                let top = |levels: &[Level]| -> BTreeMap<Price, ()> {
                    levels.iter().map(|level| (level.price, ())).collect()
                };
                if let Some(view) = self.views.get_mut(&book.instrument).filter(|view| book.venue_at >= view.told_at) {
                    view.bid = top(book.bids()).keys().next_back().copied().unwrap_or_default();
                    view.ask = top(book.asks()).keys().next().copied().unwrap_or_default();
                }
            }
            Market::Lost(Feed::Venue) => self.views.clear(),
            _ => {}
        }
    }

    fn tick(&mut self, at: Nanos, ticker: &Ticker, age_ns: u64) {
        let heard = match self.views.get(&ticker.instrument) {
            Some(known) if known.told_at > ticker.venue_at && at.since(known.heard) <= age_ns => return,
            Some(known) if known.told_at == ticker.venue_at => known.heard,
            _ => at,
        };
        let Ticker { bid, ask, mark, venue_at: told_at, option, .. } = *ticker;
        self.views.insert(ticker.instrument, View { bid, ask, mark, told_at, heard, option });
    }

    /// Pricing has heard of a change in the instrument table.
    pub fn listed(&mut self, listing: &Listing) {
        match listing {
            Listing::Delisted { id } => {
                self.views.remove(id);
                self.options.remove(id);
            }
            Listing::Listed { instrument, watched } if instrument.kind == Kind::Option => {
                let Some(terms) = instrument.option else { return };
                let same = self.options.insert(instrument.id, terms) == Some(terms);
                if !same || !watched {
                    self.views.remove(&instrument.id);
                }
            }
            Listing::Listed { .. } => {}
        }
    }

    /// What a value shows otherwise than the facts leave it.
    pub fn priced(&self, value: &Value) -> Option<String> {
        let none = Price::ZERO;
        let view = self.views.get(&value.instrument);
        let (bid, ask, mark) = view.map_or((none, none, none), |view| (view.bid, view.ask, view.mark));
        ((value.bid, value.ask, value.mark) != (bid, ask, mark)).then(|| {
            format!(
                "instrument {}: {} / {} at {}, the twin {bid} / {ask} at {mark}",
                value.instrument.0, value.bid, value.ask, value.mark
            )
        })
    }

    /// What is known of an option: its terms, and what its ticker says of its price.
    pub fn option(&self, instrument: InstrumentId) -> Option<(&OptionTerms, &OptionPricing)> {
        let view = self.views.get(&instrument)?;
        self.options.get(&instrument).zip(view.option.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::num::Amount;

    const TEXT: &str = r#"{"method":"subscription","params":{"channel":"orderbook.A.1.10","data":{"instrument_name":"A",
        "publish_id":1,"timestamp":1763683200000,"bids":[["9","1"],["8","2.0000000019"]],"asks":[["9.5","3"]]}}}"#;

    fn level(price: &str, amount: &str) -> Level {
        Level { price: price.parse().expect("literal"), amount: amount.parse().expect("literal") }
    }

    fn book() -> Book {
        let mut book = Book { bid_count: 2, ask_count: 1, ..Book::default() };
        book.bids[..2].copy_from_slice(&[level("9", "1"), level("8", "2.000000001")]);
        book.asks[0] = level("9.5", "3");
        book
    }

    #[test]
    fn a_book_is_what_its_text_says() {
        let told = |book: Book| {
            let mut books = Books::default();
            assert_eq!(books.heard(TEXT.as_bytes()), None);
            books.said("A", &book)
        };
        assert_eq!(told(book()), None);
        let mut swapped = book();
        swapped.bids.swap(0, 1);
        let mut thinner = book();
        thinner.asks[0].amount = Amount::ONE;
        for wrong in [swapped, thinner, Book { bid_count: 1, ..book() }, Book { ask_count: 0, ..book() }] {
            assert!(told(wrong).is_some(), "{wrong:?}");
        }
        let mut books = Books::default();
        assert!(books.said("A", &book()).is_some(), "out of nothing");
        books.heard(TEXT.as_bytes());
        assert!(books.heard(b"{}").is_some(), "passed over");
        for garbled in [TEXT.replace("\"8\"", "\"9\""), TEXT.replace("9.5", "8.5"), TEXT.replace("\"A\",", "\"B\",")] {
            books.heard(garbled.as_bytes());
            assert_eq!(books.heard(b"{}"), None, "no book: {garbled}");
        }
    }

    #[test]
    fn a_value_shows_the_newest_top() {
        let (mut books, id, age_ns) = (Books::default(), InstrumentId(0), 2 * SEC);
        let ticker = |at, bid, ask| {
            let (bid, ask, mark) = (Price::whole(bid), Price::whole(ask), Price::whole(5));
            Market::Ticker(Ticker { instrument: id, venue_at: Nanos(at), bid, ask, mark, ..Ticker::default() })
        };
        let shows = |books: &Books, bid: &str, ask: &str, mark: i64| {
            let [bid, ask] = [bid, ask].map(|price| price.parse().expect("literal"));
            books.priced(&Value { instrument: id, bid, ask, mark: Price::whole(mark), ..Value::default() })
        };
        assert_eq!(shows(&books, "0", "0", 0), None);
        let told = |at, books: &mut Books, fact: Market| books.taken(Nanos(at), &fact, age_ns);
        told(1, &mut books, Market::Book(book()));
        assert_eq!(shows(&books, "0", "0", 0), None, "a book says nothing of marks");
        told(2, &mut books, ticker(10, 7, 8));
        assert_eq!(shows(&books, "7", "8", 5), None);
        told(3, &mut books, ticker(9, 1, 2));
        told(3, &mut books, Market::Book(Book { venue_at: Nanos(9), ..book() }));
        assert_eq!(shows(&books, "7", "8", 5), None, "older ones");
        told(4, &mut books, Market::Book(Book { venue_at: Nanos(11), ..book() }));
        assert_eq!(shows(&books, "9", "9.5", 5), None);
        assert!(shows(&books, "8", "9.5", 5).is_some() && shows(&books, "9", "9.5", 6).is_some());
        told(3 * SEC, &mut books, ticker(9, 1, 2));
        assert_eq!(shows(&books, "1", "2", 5), None, "the newer one is too old by now");
        told(3 * SEC, &mut books, Market::Lost(Feed::Venue));
        assert_eq!(shows(&books, "0", "0", 0), None);
    }
}
