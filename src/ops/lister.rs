//! What the control plane asks the venue about options, and what it makes of the answers: changes of the instrument
//! table to every actor, signed feeds to pricing. Asking itself is the caller's: over HTTP when live, at once in a
//! simulation.

use crate::base::ids::{InstrumentId, Name};
use crate::base::queue::Post;
use crate::base::time::{Nanos, SEC};
use crate::derive::feeds::{Wanted, option_feeds};
use crate::derive::instrument::listings;
use crate::market::instrument::{Instrument, Listing};
use crate::msg::{CurrencyId, OptionFeeds};
use crate::ops::roster::Roster;
use crate::topology::Bulletin;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// How often listings are read: the venue lists new expiries once a day and new strikes when spot moves far.
const LISTINGS_NS: u64 = 3_600 * SEC;
/// And while an option auction is near, when a new strike may be the one to choose.
const WATCHED_LISTINGS_NS: u64 = 300 * SEC;
/// How often the signed feeds of watched expiries are read.
const FEEDS_NS: u64 = 10 * SEC;
/// A failed read is repeated after this long.
const AGAIN_NS: u64 = 5 * SEC;
/// Rows of a page (the venue's largest).
const PAGE_SIZE: u32 = 1_000;

/// One question to the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// One page of a currency's live options.
    Options {
        /// Currency.
        currency: Name,
        /// Page, from 1.
        page: u32,
    },
    /// The signed feeds of one expiry.
    Feeds {
        /// Currency.
        currency: Name,
        /// Expiry, unix seconds.
        expiry_s: u64,
    },
}

impl Question {
    /// Method to call.
    pub const fn method(&self) -> &'static str {
        match self {
            Question::Options { .. } => "public/get_all_instruments",
            Question::Feeds { .. } => "public/get_latest_signed_feeds",
        }
    }

    /// Its parameters.
    pub fn params(&self) -> Value {
        match self {
            Question::Options { currency, page } => json!({
                "instrument_type": "option", "currency": currency.as_str(), "expired": false,
                "page": page, "page_size": PAGE_SIZE,
            }),
            Question::Feeds { currency, expiry_s } => json!({ "currency": currency.as_str(), "expiry": expiry_s }),
        }
    }
}

#[derive(Deserialize)]
struct Page {
    pagination: Option<Pagination>,
}

#[derive(Deserialize)]
struct Pagination {
    num_pages: u32,
}

/// Keeper of the roster.
pub struct Lister {
    roster: Roster,
    bulletin: Bulletin,
    feeds: Post<OptionFeeds>,
    currencies: Vec<String>,
    changes: VecDeque<Listing>,
    pages: Vec<Question>,
    listings_due: Nanos,
    feeds_due: Nanos,
}

impl Lister {
    /// Over `roster`; `currencies` gives each currency its place.
    pub fn new(roster: Roster, bulletin: Bulletin, feeds: Post<OptionFeeds>, currencies: Vec<String>) -> Lister {
        Lister {
            roster,
            bulletin,
            feeds,
            currencies,
            changes: VecDeque::new(),
            pages: Vec::new(),
            listings_due: Nanos::ZERO,
            feeds_due: Nanos::ZERO,
        }
    }

    /// True if an option that is wanted found no place.
    pub fn is_crowded(&self) -> bool {
        self.roster.is_crowded()
    }

    /// The option in a place.
    pub fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        self.roster.instrument(id)
    }

    /// When there is something to ask next.
    pub fn next_due(&self) -> Nanos {
        let watching = !self.roster.watched_expiries().is_empty();
        if watching { self.listings_due.min(self.feeds_due) } else { self.listings_due }
    }

    /// What is due to be asked now.
    pub fn questions(&mut self, at: Nanos) -> Vec<Question> {
        let mut questions = std::mem::take(&mut self.pages);
        if at >= self.listings_due {
            let watching = !self.roster.watched_expiries().is_empty();
            let regular = at.plus(if watching { WATCHED_LISTINGS_NS } else { LISTINGS_NS });
            self.listings_due = self.roster.next_turn(at).map_or(regular, |turn| turn.min(regular));
            questions.extend(self.roster.currencies().into_iter().map(|c| Question::Options { currency: c, page: 1 }));
        }
        if at >= self.feeds_due {
            self.feeds_due = at.plus(FEEDS_NS);
            let watched = self.roster.watched_expiries().into_iter();
            questions.extend(watched.map(|(currency, expiry_s)| Question::Feeds { currency, expiry_s }));
        }
        questions
    }

    /// Takes the `result` of a question; what could not be understood is said in words.
    ///
    /// # Errors
    /// The answer is not what the venue documents.
    pub fn answer(&mut self, at: Nanos, question: &Question, result: &str) -> Result<(), String> {
        let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", question.method());
        match *question {
            Question::Options { currency, page } => {
                let rows = listings(result.as_bytes(), Default::default()).map_err(|why| wrong(&why))?;
                let listed: Vec<Instrument> = rows.into_iter().map(|row| row.instrument).collect();
                self.changes.extend(self.roster.update(at, currency, &listed));
                let pages =
                    serde_json::from_str(result).ok().and_then(|p: Page| p.pagination).map_or(1, |p| p.num_pages);
                if page < pages {
                    self.pages.push(Question::Options { currency, page: page + 1 });
                }
                // What has just been listed may have to be watched before the regular time.
                if let Some(turn) = self.roster.next_turn(at) {
                    self.listings_due = self.listings_due.min(turn);
                }
            }
            Question::Feeds { currency, expiry_s } => {
                let place = self.currencies.iter().position(|known| *known == *currency);
                let place = place.and_then(|place| u8::try_from(place).ok());
                let id = place.map(CurrencyId).ok_or_else(|| wrong(&"a currency nobody trades"))?;
                let slot = self.roster.watched_expiries().iter().position(|watched| *watched == (currency, expiry_s));
                let wanted = Wanted { slot: slot.unwrap_or_default() as u8, currency: id, expiry_s };
                let read = option_feeds(result.as_bytes(), &currency, &[wanted], at).map_err(|why| wrong(&why))?;
                for feeds in read {
                    // A full lane means that pricing is behind; the next round says the same.
                    let _ = self.feeds.send(feeds);
                }
            }
        }
        self.announce();
        Ok(())
    }

    /// Something could not be read: it is asked for again soon.
    pub fn ask_again(&mut self, at: Nanos) {
        self.listings_due = self.listings_due.min(at.plus(AGAIN_NS));
    }

    /// Passes on what the actors had no room for yet.
    pub fn announce(&mut self) {
        while self.changes.front().is_some_and(|change| self.bulletin.announce(change)) {
            self.changes.pop_front();
        }
    }
}
