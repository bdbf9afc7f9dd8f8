//! WebSocket frames in: from bytes, however split or joined, to whole messages (RFC 6455 §5), without copying.
//!
//! Bytes are received straight into one buffer, allocated once; an unfragmented message is handed out where it
//! lies. Fragments are joined in a second buffer of the same bound. Nothing here knows a socket or a clock.
//!
//! Refused, each by name: reserved bits and opcodes, masked frames (a server must not mask), lengths not in their
//! shortest form, control frames that are long or fragmented, continuations of nothing, messages begun inside
//! another, text that is not UTF-8, close frames with an impossible code, and binary messages: the venue sends none.

use std::ops::Range;

use fastwebsockets::{CloseCode, OpCode};

/// Longest payload of a control frame (RFC 6455 §5.5).
pub const CONTROL_BYTES_MAX: usize = 125;
/// Longest head of a frame from a server: opcode, length, eight bytes of length.
const HEAD_BYTES_MAX: usize = 10;
/// Least room offered to a read: enough for one whole TLS record and for many frames at once.
const ROOM_BYTES_MIN: usize = 32 * 1024;
/// The status a close frame without a code stands for (RFC 6455 §7.1.5).
pub const CLOSE_WITHOUT_CODE: u16 = 1005;

/// What the peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// One whole message, valid UTF-8.
    Text(&'a [u8]),
    /// To be answered with the same bytes.
    Ping(&'a [u8]),
    /// An answer, or a sign of life nobody asked for.
    Pong(&'a [u8]),
    /// The peer is leaving, with this status.
    Close(u16),
}

/// How the peer broke the protocol. The stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A reserved bit is set, and no extension was agreed.
    ReservedBit,
    /// An opcode without meaning.
    Opcode,
    /// A server must not mask.
    Masked,
    /// A length not in its shortest form.
    Length,
    /// A frame, or a message of fragments, longer than allowed.
    TooLong,
    /// A control frame longer than 125 bytes or in fragments.
    Control,
    /// A continuation without a beginning.
    Continuation,
    /// A new message before the last one ended.
    Interleaved,
    /// Text that is not UTF-8.
    Utf8,
    /// A binary message.
    Binary,
    /// A close frame with half a code, an impossible code or an unreadable reason.
    Close,
}

impl Violation {
    /// The close status that tells the peer (RFC 6455 §7.4.1).
    pub const fn close_code(self) -> u16 {
        match self {
            Violation::TooLong => 1009,
            Violation::Utf8 => 1007,
            Violation::Binary => 1003,
            _ => 1002,
        }
    }
}

/// The start of a frame.
struct Head {
    last: bool,
    opcode: OpCode,
    head_bytes: usize,
    payload_bytes: usize,
}

/// What `step` found, as places in the buffers.
enum Found {
    Nothing,
    Part,
    Text(Range<usize>),
    Joined(usize),
    Ping(Range<usize>),
    Pong(Range<usize>),
    Close(u16),
}

/// Splits received bytes into messages.
pub struct Decoder {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    joined: Box<[u8]>,
    joined_bytes: usize,
    open: bool,
}

impl Decoder {
    /// Makes room for messages of up to `message_bytes_max`. All memory is taken and touched here.
    pub fn new(message_bytes_max: usize) -> Decoder {
        Decoder {
            buffer: touched(message_bytes_max + HEAD_BYTES_MAX + 2 * ROOM_BYTES_MIN),
            start: 0,
            end: 0,
            joined: touched(message_bytes_max),
            joined_bytes: 0,
            open: false,
        }
    }

    /// Forgets everything received: a new connection begins.
    pub fn clear(&mut self) {
        (self.start, self.end, self.joined_bytes, self.open) = (0, 0, 0, false);
    }

    /// Where the next bytes go, at least 32 KiB as long as `next` is called until it has nothing.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < ROOM_BYTES_MIN {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut self.buffer[self.end..]
    }

    /// Says that `count` bytes were written into `room`.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Bytes received and not consumed yet.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Consumes bytes that were no frames: the answer to the upgrade.
    pub fn skip(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// The next message or control frame; `None` until more bytes come. After an error only `clear` helps.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Incoming<'_>>, Violation> {
        let found = loop {
            match self.step()? {
                Found::Part => continue,
                found => break found,
            }
        };
        Ok(match found {
            Found::Nothing | Found::Part => None,
            Found::Text(place) => Some(Incoming::Text(&self.buffer[place])),
            Found::Joined(len) => Some(Incoming::Text(&self.joined[..len])),
            Found::Ping(place) => Some(Incoming::Ping(&self.buffer[place])),
            Found::Pong(place) => Some(Incoming::Pong(&self.buffer[place])),
            Found::Close(code) => Some(Incoming::Close(code)),
        })
    }

    /// Takes one frame.
    fn step(&mut self) -> Result<Found, Violation> {
        let Some(head) = read_head(self.unread())? else { return Ok(Found::Nothing) };
        self.admit(&head)?;
        let from = self.start + head.head_bytes;
        let place = from..from + head.payload_bytes;
        if self.end < place.end {
            return Ok(Found::Nothing);
        }
        self.start = place.end;
        match head.opcode {
            OpCode::Text if head.last => {
                check_utf8(&self.buffer[place.clone()])?;
                Ok(Found::Text(place))
            }
            OpCode::Text | OpCode::Continuation => self.join(place, head.last),
            OpCode::Binary => Err(Violation::Binary),
            OpCode::Close => close_code(&self.buffer[place]).map(Found::Close),
            OpCode::Ping => Ok(Found::Ping(place)),
            OpCode::Pong => Ok(Found::Pong(place)),
        }
    }

    /// What can be said against a frame before its payload has come.
    fn admit(&self, head: &Head) -> Result<(), Violation> {
        let so_far = match head.opcode {
            OpCode::Binary => return Err(Violation::Binary),
            OpCode::Text if self.open => return Err(Violation::Interleaved),
            OpCode::Continuation if !self.open => return Err(Violation::Continuation),
            OpCode::Text | OpCode::Continuation => self.joined_bytes,
            OpCode::Close | OpCode::Ping | OpCode::Pong => return Ok(()),
        };
        if head.payload_bytes > self.joined.len() - so_far { Err(Violation::TooLong) } else { Ok(()) }
    }

    /// Adds a fragment to the message; the last one completes it.
    fn join(&mut self, place: Range<usize>, last: bool) -> Result<Found, Violation> {
        let len = self.joined_bytes + place.len();
        self.joined[self.joined_bytes..len].copy_from_slice(&self.buffer[place]);
        (self.joined_bytes, self.open) = if last { (0, false) } else { (len, true) };
        if !last {
            return Ok(Found::Part);
        }
        check_utf8(&self.joined[..len])?;
        Ok(Found::Joined(len))
    }
}

/// Reads a frame's head; `None` if more bytes are needed. Refuses as early as the bytes allow.
fn read_head(bytes: &[u8]) -> Result<Option<Head>, Violation> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(Violation::ReservedBit);
    }
    let (last, opcode) = (first & 0x80 != 0, OpCode::try_from(first & 0x0f).map_err(|_| Violation::Opcode)?);
    if second & 0x80 != 0 {
        return Err(Violation::Masked);
    }
    let short = second & 0x7f;
    if matches!(opcode, OpCode::Close | OpCode::Ping | OpCode::Pong) && (!last || short > 125) {
        return Err(Violation::Control);
    }
    let (length, shortest, head_bytes) = match (short, rest) {
        (126, &[a, b, ..]) => (u64::from(u16::from_be_bytes([a, b])), 126, 4),
        (127, &[a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), 65_536, 10),
        (126 | 127, _) => return Ok(None),
        (short, _) => (u64::from(short), 0, 2),
    };
    if length < shortest {
        return Err(Violation::Length);
    }
    let payload_bytes = usize::try_from(length).map_err(|_| Violation::TooLong)?;
    Ok(Some(Head { last, opcode, head_bytes, payload_bytes }))
}

fn check_utf8(text: &[u8]) -> Result<(), Violation> {
    std::str::from_utf8(text).map(|_| ()).map_err(|_| Violation::Utf8)
}

/// The status in a close frame's payload.
fn close_code(payload: &[u8]) -> Result<u16, Violation> {
    match payload {
        [] => Ok(CLOSE_WITHOUT_CODE),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            let sound = CloseCode::from(code).is_allowed() && std::str::from_utf8(reason).is_ok();
            if sound { Ok(code) } else { Err(Violation::Close) }
        }
        _ => Err(Violation::Close),
    }
}

/// A zeroed buffer whose pages are all present, so that no first use ever waits for one.
pub(super) fn touched(bytes: usize) -> Box<[u8]> {
    let mut buffer = vec![0u8; bytes].into_boxed_slice();
    for page in buffer.chunks_mut(4096) {
        if let Some(first) = page.first_mut() {
            *std::hint::black_box(first) = 0;
        }
    }
    buffer
}
