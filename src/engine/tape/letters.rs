//! What a connection says, as the body of an entry.

use crate::engine::ports::{DownReason, Event};

const TEXT: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;
/// Bytes of an event beside its text.
pub const EVENT_BYTES_MAX: usize = 5;
const REASONS: [DownReason; 6] = [
    DownReason::Io,
    DownReason::Closed,
    DownReason::Protocol,
    DownReason::Silent,
    DownReason::Upgrade,
    DownReason::Asked,
];

/// The head of an event and its length, and the text behind it.
pub fn write_event<'a>(event: &Event<'a>) -> ([u8; EVENT_BYTES_MAX], usize, &'a [u8]) {
    match event {
        Event::Text(text) => ([TEXT, 0, 0, 0, 0], 1, text),
        Event::Up { attempt } => {
            let [a, b, c, d] = attempt.to_le_bytes();
            ([UP, a, b, c, d], 5, &[])
        }
        Event::Down(reason) => ([DOWN, *reason as u8, 0, 0, 0], 2, &[]),
    }
}

/// Reads what [`write_event`] wrote.
pub fn read_event(bytes: &[u8]) -> Option<Event<'_>> {
    match bytes.split_first()? {
        (&TEXT, text) => Some(Event::Text(text)),
        (&UP, attempt) => Some(Event::Up { attempt: u32::from_le_bytes(attempt.try_into().ok()?) }),
        (&DOWN, [reason]) => REASONS.get(usize::from(*reason)).copied().map(Event::Down),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_reads_as_written() {
        let downs = REASONS.map(Event::Down);
        for event in [Event::Text(b"{}"), Event::Text(b""), Event::Up { attempt: 70_000 }].into_iter().chain(downs) {
            let (head, length, text) = write_event(&event);
            let bytes = [&head[..length], text].concat();
            assert_eq!(read_event(&bytes), Some(event));
        }
        for bad in [&b""[..], &[DOWN, 9], &[UP, 1], &[7]] {
            assert_eq!(read_event(bad), None);
        }
    }
}
