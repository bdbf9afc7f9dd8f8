//! Reads one actor's tape, page by page, and tells a torn end from damage in the middle.

use super::{SOURCES, Shape, Source, check, read_event, take_varint, unzigzag};
use crate::base::time::Nanos;
use crate::engine::ports::Event;
use std::fmt;

/// A page's entries as they lie there, and the check they begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its number, from one.
    pub number: u64,
    /// The last check of the page before.
    pub chain: u32,
    /// The last moment of the page before.
    pub after: Nanos,
    /// Its entries, and whatever lies behind them.
    pub bytes: Vec<u8>,
}

/// The pages of a tape in order.
pub trait Pages: Send {
    /// The next page, if there is one.
    ///
    /// # Errors
    /// It cannot be read, in words.
    fn next_page(&mut self) -> Result<Option<Page>, String>;
}

impl Pages for std::vec::IntoIter<Page> {
    fn next_page(&mut self) -> Result<Option<Page>, String> {
        Ok(self.next())
    }
}

/// Why a tape must not be believed beyond a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Page.
    pub page: u64,
    /// Byte in its entries.
    pub offset: u64,
    /// What is wrong there.
    pub why: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}, byte {}: {}", self.page, self.offset, self.why)
    }
}

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Nothing more.
    Plain,
    /// The number of a message on its lane.
    Lane(u64),
    /// Bytes.
    Body(Vec<u8>),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Nanos,
    /// From where.
    pub source: Source,
    /// What.
    pub what: What,
}

impl Entry {
    /// The text that a connection handed out; none of anything else.
    pub fn text(&self) -> Option<&[u8]> {
        let What::Body(body) = &self.what else { return None };
        match self.source.is_connection().then(|| read_event(body))?? {
            Event::Text(text) => Some(text),
            Event::Up { .. } | Event::Down(_) => None,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Plain => write!(f, "{:?}", self.source),
            What::Lane(number) => write!(f, "{:?} number {number}", self.source),
            What::Body(body) => write!(f, "{:?} of {} bytes", self.source, body.len()),
        }
    }
}

/// An entry as it lies on a page.
struct Raw {
    source: Source,
    after_ns: u64,
    extra: u64,
    body: std::ops::Range<usize>,
    /// Where the next begins.
    end: usize,
    /// The check of its bytes behind that of the entry before.
    computed: u32,
    stored: u32,
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk::<4>().map(|word| u32::from_le_bytes(*word))
}

impl Raw {
    /// What lies at a place; `None` if it cannot be an entry.
    fn at(bytes: &[u8], start: usize, chain: u32) -> Option<Raw> {
        let source = Source::of_code(*bytes.get(start)?)?;
        let mut at = start + 1;
        let after_ns = take_varint(bytes, &mut at)?;
        let extra = if source.shape() == Shape::Plain { 0 } else { take_varint(bytes, &mut at)? };
        let length = if source.shape() == Shape::Body { usize::try_from(extra).ok()? } else { 0 };
        let body = at..at.checked_add(length)?;
        let stored = u32_at(bytes, body.end)?;
        let computed = check(chain, &[&bytes[start..body.end]]);
        Some(Raw { source, after_ns, extra, end: body.end + 4, body, computed, stored })
    }

    fn is_sound(&self) -> bool {
        self.computed == self.stored
    }
}

/// A tape being read.
pub struct Roll {
    pages: Box<dyn Pages>,
    page: Page,
    /// Looked at early, to know whether the page before it was the last.
    ahead: Option<Page>,
    at: usize,
    chain: u32,
    moment: Nanos,
    taken: [u64; SOURCES],
    torn: u64,
    over: bool,
    /// Nothing was read yet, and the first page is not the tape's first.
    begins_within: bool,
}

impl Roll {
    /// Over these pages.
    pub fn new(pages: impl Pages + 'static) -> Roll {
        Roll {
            pages: Box::new(pages),
            page: Page::default(),
            ahead: None,
            at: 0,
            chain: 0,
            moment: Nanos::ZERO,
            taken: [0; SOURCES],
            torn: 0,
            over: false,
            begins_within: false,
        }
    }

    /// Over pages whose first has this number, above one: the check of what is before it is taken from its own head, and
    /// the numbers of messages are counted from its beginning. Such a tape can be looked through, not folded.
    pub fn from_page(first: u64, pages: impl Pages + 'static) -> Roll {
        let mut roll = Roll::new(pages);
        roll.page.number = first - 1;
        roll.begins_within = true;
        roll
    }

    /// Over one page alone; the numbers of messages are counted from its beginning.
    pub fn of_page(page: Page) -> Roll {
        let (chain, moment) = (page.chain, page.after);
        Roll { page, chain, moment, ..Roll::new(Vec::new().into_iter()) }
    }

    /// Bytes behind the last whole entry, once the end was reached: of an entry that was not published, or that did not
    /// reach the disk.
    pub fn torn(&self) -> u64 {
        self.torn
    }

    /// The next entry; none at the end, a torn one included.
    ///
    /// # Errors
    /// Where the tape is damaged with sound entries behind it, or does not follow from what is before.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Damage> {
        if (self.page.number == 0 || self.begins_within) && !self.over && !self.turn()? {
            self.over = true;
        }
        while !self.over {
            let raw = Raw::at(&self.page.bytes, self.at, self.chain);
            let Some(raw) = raw.filter(Raw::is_sound) else {
                self.end()?;
                return Ok(None);
            };
            (self.at, self.chain) = (raw.end, raw.computed);
            self.moment = self.moment.plus(raw.after_ns);
            if raw.source != Source::PageEnd {
                return self.entry(&raw).map(Some);
            }
            if self.page.bytes[self.at..].iter().any(|byte| *byte != 0) {
                return Err(self.damage("something lies behind the end of the page"));
            }
            // A process that dies between two pages leaves the next one unborn.
            self.over = !self.turn()?;
        }
        Ok(None)
    }

    fn entry(&mut self, raw: &Raw) -> Result<Entry, Damage> {
        let what = match raw.source.shape() {
            Shape::Plain => What::Plain,
            Shape::Body => What::Body(self.page.bytes[raw.body.clone()].to_vec()),
            Shape::Lane => {
                let last = &mut self.taken[raw.source as usize];
                *last = last.wrapping_add(1).wrapping_add(unzigzag(raw.extra) as u64);
                What::Lane(*last)
            }
        };
        Ok(Entry { at: self.moment, source: raw.source, what })
    }

    fn damage(&self, why: &str) -> Damage {
        Damage { page: self.page.number, offset: self.at as u64, why: why.to_owned() }
    }

    fn fetch(&mut self) -> Result<Option<Page>, Damage> {
        match self.ahead.take() {
            Some(page) => Ok(Some(page)),
            None => self.pages.next_page().map_err(|why| Damage { page: self.page.number + 1, offset: 0, why }),
        }
    }

    /// Goes on to the next page; false if there is none.
    fn turn(&mut self) -> Result<bool, Damage> {
        let Some(page) = self.fetch()? else { return Ok(false) };
        if page.number != self.page.number + 1 {
            let (page, missing) = (page.number, self.page.number + 1);
            return Err(Damage { page, offset: 0, why: format!("page {missing} is missing before it") });
        }
        if std::mem::take(&mut self.begins_within) {
            (self.chain, self.moment) = (page.chain, page.after);
        }
        let blank = page.bytes.iter().all(|byte| *byte == 0);
        if (page.chain, page.after) != (self.chain, self.moment) && !blank {
            return Err(Damage { page: page.number, offset: 0, why: "does not follow the page before it".into() });
        }
        (self.page, self.at) = (page, 0);
        Ok(!blank)
    }

    /// What lies here is no entry: the end, if nothing sound follows.
    fn end(&mut self) -> Result<(), Damage> {
        self.over = true;
        let rest = &self.page.bytes[self.at.min(self.page.bytes.len())..];
        let torn = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        if torn > 0 && self.goes_on() {
            return Err(self.damage("an entry is damaged and sound ones follow it"));
        }
        while let Some(page) = self.fetch()? {
            if page.bytes.iter().any(|byte| *byte != 0) {
                return Err(self.damage("the page ends early and another follows it"));
            }
        }
        self.torn = torn;
        Ok(())
    }

    /// True if a sound entry lies anywhere behind this place: the check of one begins with that of the one before it,
    /// which lies right in front of it.
    fn goes_on(&self) -> bool {
        let bytes = &self.page.bytes;
        let sound = |start: usize, chain: u32| Raw::at(bytes, start, chain).is_some_and(|raw| raw.is_sound());
        // If only the check itself is broken, the next entry knows what it was.
        let here = Raw::at(bytes, self.at, self.chain);
        if here.is_some_and(|raw| sound(raw.end, raw.computed)) {
            return true;
        }
        (self.at + 1..bytes.len()).any(|start| {
            bytes[start] & super::PUBLISHED != 0
                && start.checked_sub(4).and_then(|at| u32_at(bytes, at)).is_some_and(|chain| sound(start, chain))
        })
    }
}
