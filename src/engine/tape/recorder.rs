//! Writes one actor's tape: no allocation, no system call, no waiting.

use super::{EVENT_BYTES_MAX, FRAME_BYTES_MAX, LETTER_BYTES, Letter, SOURCES, Shape, Source};
use super::{check, put_varint, write_event, zigzag};
use crate::base::time::{Nanos, SEC};
use crate::engine::ports::Event;

/// How often the state's digest is written, at the first tick after that.
const CHECKPOINT_NS: u64 = SEC;

/// Bytes of the entry that ends a page.
const PAGE_END_BYTES: usize = 1 + 1 + 4;

/// Where the bytes of a tape go, page by page.
pub trait Reel: Send {
    /// Bytes left on the page.
    fn room(&self) -> usize;
    /// Puts an entry on the page, which has room for it: `code` is stored behind everything else, so that a reader sees
    /// the entry whole or not at all.
    fn put(&mut self, code: u8, parts: [&[u8]; 4]);
    /// Goes on to the next page, which follows an entry with this check and this moment. False if there is none: the
    /// tape ends here.
    fn turn(&mut self, chain: u32, at: Nanos) -> bool;
}

/// The head of a tape that is being written.
pub struct Recorder {
    reel: Box<dyn Reel>,
    chain: u32,
    last_at: Nanos,
    taken: [u64; SOURCES],
    checkpoint_due: Nanos,
    heard: u64,
    ended: bool,
}

impl Recorder {
    /// Onto an empty reel; the first checkpoint is taken at the first tick.
    pub fn new(reel: Box<dyn Reel>) -> Recorder {
        Recorder {
            reel,
            chain: 0,
            last_at: Nanos::ZERO,
            taken: [0; SOURCES],
            checkpoint_due: Nanos::ZERO,
            heard: 0,
            ended: false,
        }
    }

    fn put(&mut self, at: Nanos, source: Source, extra: Option<u64>, body: [&[u8]; 2]) {
        if self.ended {
            return;
        }
        let mut head = [0; FRAME_BYTES_MAX];
        let mut length = put_varint(&mut head, at.since(self.last_at));
        if let Some(extra) = extra {
            length += put_varint(&mut head[length..], extra);
        }
        let head = &head[..length];
        if !self.has_room(1 + head.len() + body[0].len() + body[1].len() + 4) {
            self.ended = true;
            return;
        }
        self.chain = check(self.chain, &[&[source.code()], head, body[0], body[1]]);
        self.reel.put(source.code(), [head, body[0], body[1], &self.chain.to_le_bytes()]);
        self.last_at = self.last_at.max(at);
        self.heard += u64::from(source.is_message());
    }

    /// True if an entry fits on this page or, after turning it, on the next; every page keeps room for its end.
    fn has_room(&mut self, bytes: usize) -> bool {
        let needed = bytes + PAGE_END_BYTES;
        if self.reel.room() >= needed {
            return true;
        }
        let code = Source::PageEnd.code();
        self.chain = check(self.chain, &[&[code, 0]]);
        self.reel.put(code, [&[0], &[], &[], &self.chain.to_le_bytes()]);
        self.reel.turn(self.chain, self.last_at) && self.reel.room() >= needed
    }

    /// Notes something that says all there is to say.
    pub fn plain(&mut self, at: Nanos, source: Source) {
        debug_assert_eq!(source.shape(), Shape::Plain);
        self.put(at, source, None, [&[], &[]]);
    }

    /// Notes that the message of this number was taken from a lane.
    pub fn lane(&mut self, at: Nanos, source: Source, number: u64) {
        debug_assert_eq!(source.shape(), Shape::Lane);
        let last = std::mem::replace(&mut self.taken[source as usize], number);
        let step = number.wrapping_sub(last).wrapping_sub(1) as i64;
        self.put(at, source, Some(zigzag(step)), [&[], &[]]);
    }

    /// Notes bytes.
    pub fn body(&mut self, at: Nanos, source: Source, head: &[u8], rest: &[u8]) {
        debug_assert_eq!(source.shape(), Shape::Body);
        self.put(at, source, Some((head.len() + rest.len()) as u64), [head, rest]);
    }

    /// Notes what a connection said.
    pub fn event(&mut self, at: Nanos, source: Source, event: &Event<'_>) {
        let (head, length, text): ([u8; EVENT_BYTES_MAX], usize, &[u8]) = write_event(event);
        self.body(at, source, &head[..length], text);
    }

    /// Notes what the control plane said.
    pub fn letter(&mut self, at: Nanos, source: Source, letter: &impl Letter) {
        let mut page = [0; LETTER_BYTES];
        let length = letter.write(&mut page);
        self.body(at, source, &page[..length], &[]);
    }

    /// Notes the state's digest, if one is due or the tape is to be `closed`.
    pub fn checkpoint(&mut self, at: Nanos, closed: bool, digest: impl FnOnce() -> u64) {
        if self.ended || (at < self.checkpoint_due && !closed) {
            return;
        }
        self.checkpoint_due = at.plus(CHECKPOINT_NS);
        let (digest, heard) = (digest().to_le_bytes(), self.heard.to_le_bytes());
        let mut body = [0; 17];
        body[..8].copy_from_slice(&digest);
        body[8..16].copy_from_slice(&heard);
        body[16] = u8::from(closed);
        self.body(at, Source::Checkpoint, &body, &[]);
    }
}
