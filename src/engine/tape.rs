//! An actor's tape: what it heard, in the order in which it heard it, so that the same fold can be folded again.
//!
//! What comes from outside is copied; what another actor said is only named, by the number its sender gave it, because
//! a replay of all tapes together says it again. An entry is written before the actor hears it, so that whatever an
//! actor did, the tape knows of; it is published by its first byte, which is stored last, so that a process that dies
//! between any two instructions leaves whole entries and at most one unpublished behind them.
//!
//! ```text
//! entry   code u8 (0x80 + source) · varint ns since the entry before · by the source's shape:
//!           plain   nothing
//!           lane    zigzag varint: number less the last one taken from this lane, less one
//!           body    varint length · bytes
//!         · CRC-32 over all of that, begun with the CRC of the entry before
//! ```
//! Little-endian. The checks form a chain over pages: a page's head holds the last check of the page before it.

mod letters;
mod memory;
mod player;
mod recorder;
mod roll;

pub use letters::{EVENT_BYTES_MAX, read_event, write_event};
pub use memory::MemoryReel;
pub use player::{Difference, Gate, Player, Progress};
pub use recorder::{Recorder, Reel};
pub use roll::{Damage, Entry, Page, Pages, Roll, What};

/// Version of the entries and of what the actors' digests are made of.
pub const VERSION: u32 = 1;
/// Bytes a letter from the control plane may have.
pub const LETTER_BYTES: usize = 384;

/// Which queue an actor opened, or what of the outside it heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Source {
    /// Time passed.
    Tick = 1,
    /// The signer's process is gone.
    Gone,
    /// The operator's switch was thrown.
    Thrown,
    /// The page is full and another follows.
    PageEnd,
    /// The digest of the actor's state at this point.
    Checkpoint,
    /// The venue's public connection.
    Venue,
    /// The external book's connection.
    External,
    /// The private connection.
    Wire,
    /// An answer of the signer's process, without login proofs.
    Answer,
    /// A signature the key gave, other than for a login.
    Signature,
    /// A frame the socket did not take.
    Unsent,
    /// Command of the control plane.
    Command,
    /// Ratio round of the control plane.
    Ratio,
    /// Signed option feeds of the control plane.
    Feeds,
    /// A change of the instrument table.
    Listing,
    /// Lane from market data to pricing.
    Facts,
    /// Lane from pricing.
    Values,
    /// Lane from auction to risk.
    Intents,
    /// Lane from risk to the signer.
    Orders,
    /// Lane from market data to the signer.
    Marks,
    /// Lane from the signer to the gateway.
    Sealed,
    /// Lane from the signer to risk.
    Refusals,
    /// Lane from risk to the gateway.
    Urgent,
    /// Lane from the gateway to risk.
    Reports,
    /// Lane from risk to the auction.
    Accounts,
    /// Lane from risk to the auction.
    Talks,
    /// The signer's journal has hardly room left.
    Cramped,
    /// Lane from risk to the contract stage.
    ContractFacts,
    /// What the chain says to the contract stage.
    Words,
}

/// What follows an entry's moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Plain,
    Lane,
    Body,
}

/// Set in every code, so that no single flipped bit makes an entry look unpublished.
const PUBLISHED: u8 = 0x80;
/// Sources there are, counting the one that is none.
const SOURCES: usize = Source::Words as usize + 1;
/// Bytes of an entry beside its body, at most.
const FRAME_BYTES_MAX: usize = 1 + 10 + 10 + 4;

impl Source {
    /// Every source.
    pub const ALL: [Source; SOURCES - 1] = [
        Source::Tick,
        Source::Gone,
        Source::Thrown,
        Source::PageEnd,
        Source::Checkpoint,
        Source::Venue,
        Source::External,
        Source::Wire,
        Source::Answer,
        Source::Signature,
        Source::Unsent,
        Source::Command,
        Source::Ratio,
        Source::Feeds,
        Source::Listing,
        Source::Facts,
        Source::Values,
        Source::Intents,
        Source::Orders,
        Source::Marks,
        Source::Sealed,
        Source::Refusals,
        Source::Urgent,
        Source::Reports,
        Source::Accounts,
        Source::Talks,
        Source::Cramped,
        Source::ContractFacts,
        Source::Words,
    ];

    fn shape(self) -> Shape {
        match self {
            Source::Tick | Source::Gone | Source::Thrown | Source::PageEnd | Source::Cramped => Shape::Plain,
            Source::Checkpoint
            | Source::Venue
            | Source::External
            | Source::Wire
            | Source::Answer
            | Source::Signature
            | Source::Unsent
            | Source::Command
            | Source::Ratio
            | Source::Feeds
            | Source::Listing
            | Source::Words => Shape::Body,
            _ => Shape::Lane,
        }
    }

    const fn code(self) -> u8 {
        PUBLISHED | self as u8
    }

    fn of_code(code: u8) -> Option<Source> {
        let place = usize::from(code & !PUBLISHED).checked_sub(1)?;
        Source::ALL.get(place).copied().filter(|_| code & PUBLISHED != 0)
    }

    /// True if its entries say no more than that it happened.
    pub fn is_plain(self) -> bool {
        self.shape() == Shape::Plain
    }

    /// True if its entries name a message of a lane.
    pub fn is_lane(self) -> bool {
        self.shape() == Shape::Lane
    }

    /// True if it is a connection to the outside.
    pub fn is_connection(self) -> bool {
        matches!(self, Source::Venue | Source::External | Source::Wire)
    }

    /// True if an actor hears it as a message: neither a mark on the tape nor what became of something it said.
    pub fn is_message(self) -> bool {
        !matches!(self, Source::PageEnd | Source::Checkpoint | Source::Signature | Source::Unsent)
    }
}

/// The check of an entry's bytes behind another.
fn check(chain: u32, parts: &[&[u8]]) -> u32 {
    let mut crc = crc32fast::Hasher::new_with_initial(chain);
    parts.iter().for_each(|part| crc.update(part));
    crc.finalize()
}

/// Writes a varint; its length.
fn put_varint(place: &mut [u8], mut value: u64) -> usize {
    let mut at = 0;
    while value >= 0x80 {
        place[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    place[at] = value as u8;
    at + 1
}

/// Reads a varint at a place; moves on behind it.
fn take_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// What one thread of the control plane says to an actor, as bytes.
pub trait Letter: Copy {
    /// Writes it; its length.
    fn write(&self, page: &mut [u8; LETTER_BYTES]) -> usize;
    /// Reads it.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// Where an actor's messages go, or come from.
pub enum Tape {
    /// Nowhere.
    Off,
    /// Onto a tape.
    Recording(Recorder),
    /// From a tape.
    Replaying(Gate),
}

#[cfg(test)]
mod tests;
