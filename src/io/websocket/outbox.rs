//! WebSocket frames out: masked messages waiting in one bounded buffer for the socket to take them.
//!
//! Head and mask are fastwebsockets' own (`Frame::fmt_head`, `unmask`), applied in place: nothing is allocated,
//! and whatever waits leaves in a single write.

use fastwebsockets::{Frame, OpCode, Payload, unmask};

use super::frame::{CONTROL_BYTES_MAX, touched};

/// Longest head of a masked frame.
pub const HEAD_BYTES_MAX: usize = 14;
/// Room that texts leave to pings, pongs and the close frame.
const CONTROL_ROOM_BYTES: usize = 4 * (HEAD_BYTES_MAX + CONTROL_BYTES_MAX);

/// Frames waiting to be written.
pub struct Outbox {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Outbox {
    /// Room for `bytes` of texts and their heads, and for a few control frames besides.
    pub fn new(bytes: usize) -> Outbox {
        Outbox { buffer: touched(bytes + CONTROL_ROOM_BYTES), start: 0, end: 0 }
    }

    /// Throws away what is waiting.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// What is waiting.
    pub fn waiting(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Says that `count` bytes of it are gone.
    pub fn taken(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.clear();
        }
    }

    /// Adds a text frame whole, or not at all.
    pub fn push_text(&mut self, text: &[u8], mask: [u8; 4]) -> bool {
        self.push_frame(OpCode::Text, text, mask, CONTROL_ROOM_BYTES)
    }

    /// Adds a control frame whole, or not at all; longer payloads than the protocol allows are not taken.
    pub fn push_control(&mut self, opcode: OpCode, payload: &[u8], mask: [u8; 4]) -> bool {
        payload.len() <= CONTROL_BYTES_MAX && self.push_frame(opcode, payload, mask, 0)
    }

    /// Adds bytes that are no frame: the request for the upgrade.
    pub fn push_raw(&mut self, bytes: &[u8]) -> bool {
        if !self.make_room(bytes.len()) {
            return false;
        }
        self.buffer[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
        true
    }

    fn push_frame(&mut self, opcode: OpCode, payload: &[u8], mask: [u8; 4], spare: usize) -> bool {
        if !self.make_room(HEAD_BYTES_MAX + payload.len() + spare) {
            return false;
        }
        let room = &mut self.buffer[self.end..];
        let head_bytes = Frame::new(true, opcode, Some(mask), Payload::Borrowed(payload)).fmt_head(room);
        let body = &mut room[head_bytes..head_bytes + payload.len()];
        body.copy_from_slice(payload);
        unmask(body, mask);
        self.end += head_bytes + payload.len();
        true
    }

    /// True if `bytes` fit behind what is waiting, which is moved to the front if that helps.
    fn make_room(&mut self, bytes: usize) -> bool {
        if self.buffer.len() - self.end >= bytes {
            return true;
        }
        if self.buffer.len() - (self.end - self.start) < bytes {
            return false;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_whole_or_not_at_all_and_control_frames_always_fit() {
        let mut outbox = Outbox::new(2 * (100 + HEAD_BYTES_MAX));
        assert!(outbox.push_text(&[b'a'; 100], [0; 4]));
        assert!(outbox.push_text(&[b'b'; 100], [0; 4]));
        let before = outbox.waiting().to_vec();
        assert!(!outbox.push_text(&[b'c'; 100], [0; 4]));
        assert_eq!(outbox.waiting(), before);
        for _ in 0..4 {
            assert!(outbox.push_control(OpCode::Pong, &[1; CONTROL_BYTES_MAX], [0; 4]));
        }
        assert!(!outbox.push_control(OpCode::Pong, &[1; CONTROL_BYTES_MAX + 1], [0; 4]));
        // Half gone: the rest moves to the front and a new text fits again.
        let rest = outbox.waiting()[700..].to_vec();
        outbox.taken(700);
        assert_eq!(outbox.waiting(), rest);
    }

    #[test]
    fn heads_and_masks_are_as_the_rfc_has_them() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        // RFC 6455 §5.7: a masked "Hello".
        let mut outbox = Outbox::new(1 << 17);
        assert!(outbox.push_text(b"Hello", mask));
        assert_eq!(outbox.waiting(), [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        for (len, head) in [(125, &[0x81, 0xfd][..]), (126, &[0x81, 0xfe, 0, 126]), (65_535, &[0x81, 0xfe, 255, 255])] {
            outbox.clear();
            assert!(outbox.push_text(&vec![b'x'; len], mask));
            assert_eq!(&outbox.waiting()[..head.len()], head);
            assert_eq!(outbox.waiting()[head.len()..head.len() + 4], mask);
            let plain: Vec<u8> =
                outbox.waiting()[head.len() + 4..].iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect();
            assert_eq!(plain, vec![b'x'; len]);
        }
        outbox.clear();
        assert!(outbox.push_text(&vec![b'x'; 65_536], mask));
        assert_eq!(outbox.waiting()[..10], [0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
