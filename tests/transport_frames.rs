//! Frames split or joined anywhere: the same messages; hostile bytes: a refusal, never a panic, never beyond the cap.
//! The other opinion is fastwebsockets' reader, driven without a runtime.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use keel::io::websocket::frame::{CLOSE_WITHOUT_CODE, Decoder, Incoming, Violation};
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const CAP_BYTES: usize = 70_000;

/// What a reader made of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Text(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16),
}

/// Feeds the stream in pieces and collects what comes out, up to the first violation or close.
fn decode(stream: &[u8], pieces: &[usize], cap_bytes: usize) -> (Vec<Seen>, Option<Violation>) {
    let mut decoder = Decoder::new(cap_bytes);
    let (mut seen, mut rest, mut turn) = (Vec::new(), stream, 0);
    while !rest.is_empty() {
        let room = decoder.room();
        assert!(room.len() >= 32 * 1024, "room for a read at all times");
        let count = pieces.get(turn % pieces.len().max(1)).copied().unwrap_or(usize::MAX).clamp(1, rest.len());
        let count = count.min(room.len());
        room[..count].copy_from_slice(&rest[..count]);
        decoder.filled(count);
        (rest, turn) = (&rest[count..], turn + 1);
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(Incoming::Text(text))) => {
                    assert!(text.len() <= cap_bytes && std::str::from_utf8(text).is_ok());
                    seen.push(Seen::Text(text.to_vec()));
                }
                Ok(Some(Incoming::Ping(payload))) => seen.push(Seen::Ping(payload.to_vec())),
                Ok(Some(Incoming::Pong(payload))) => seen.push(Seen::Pong(payload.to_vec())),
                Ok(Some(Incoming::Close(code))) => {
                    seen.push(Seen::Close(code));
                    return (seen, None);
                }
                Err(violation) => return (seen, Some(violation)),
            }
        }
    }
    (seen, None)
}

/// A frame, unmasked, written from the RFC and not with the library under comparison.
fn frame(last: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![u8::from(last) << 7 | opcode];
    match payload.len() {
        len @ 0..126 => out.push(len as u8),
        len @ 126..65_536 => {
            out.push(126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(payload);
    out
}

/// One thing a server might send: its frames, and what a reader should make of them.
fn sent() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<Seen>)> {
    let text = prop_oneof![
        8 => "\\PC{0,40}",
        2 => "\\PC{100,300}",
        1 => (65_000usize..66_000).prop_map(|len| "x".repeat(len)),
    ];
    let control = prop::collection::vec(any::<u8>(), 0..=125);
    prop_oneof![
        4 => (text.clone(), prop::collection::vec(0usize..400, 0..4), control.clone()).prop_map(fragmented),
        4 => text.prop_map(|text| (vec![frame(true, 1, text.as_bytes())], vec![Seen::Text(text.into_bytes())])),
        1 => control.clone().prop_map(|payload| (vec![frame(true, 9, &payload)], vec![Seen::Ping(payload)])),
        1 => control.prop_map(|payload| (vec![frame(true, 10, &payload)], vec![Seen::Pong(payload)])),
    ]
}

/// A text in fragments, cut anywhere, even inside a character, with a ping after the first fragment.
fn fragmented((text, cuts, ping): (String, Vec<usize>, Vec<u8>)) -> (Vec<Vec<u8>>, Vec<Seen>) {
    let bytes = text.into_bytes();
    let mut places: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let (mut frames, mut from) = (Vec::new(), 0);
    for (turn, &to) in places.iter().enumerate() {
        frames.push(frame(turn + 1 == places.len(), u8::from(turn == 0), &bytes[from..to]));
        from = to;
    }
    let mut seen = vec![Seen::Text(bytes)];
    if frames.len() > 1 {
        frames.insert(1, frame(true, 9, &ping));
        seen.insert(0, Seen::Ping(ping));
    }
    (frames, seen)
}

/// A stream that comes in pieces, with `Pending` between them.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
    ready: bool,
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        self.ready = !self.ready;
        if !self.ready {
            return Poll::Pending;
        }
        let count = self.piece.min(into.remaining()).min(self.bytes.len() - self.at);
        into.put_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The texts fastwebsockets finds. The future lives across `Pending`: dropped in mid-frame it would lose bytes.
fn other_opinion(stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let source = Pieces { bytes: stream.to_vec(), at: 0, piece, ready: false };
    let mut socket = WebSocket::after_handshake(source, Role::Client);
    socket.set_max_message_size(CAP_BYTES + 1);
    let mut socket = FragmentCollector::new(socket);
    let mut reading = std::pin::pin!(async move {
        let mut texts = Vec::new();
        while let Ok(frame) = socket.read_frame().await {
            match frame.opcode {
                OpCode::Text => texts.push(frame.payload.to_vec()),
                OpCode::Close => break,
                _ => {}
            }
        }
        texts
    });
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(texts) = reading.as_mut().poll(&mut context) {
            return texts;
        }
    }
}

fn texts(seen: &[Seen]) -> Vec<Vec<u8>> {
    seen.iter().filter_map(|one| if let Seen::Text(text) = one { Some(text.clone()) } else { None }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any legal stream, cut anywhere, gives the messages that were sent, to us and to fastwebsockets.
    #[test]
    fn any_chunking_gives_the_same_messages(
        sent in prop::collection::vec(sent(), 0..8),
        pieces in prop::collection::vec(1usize..3_000, 1..6),
        close in prop::option::of(prop::sample::select(vec![1000u16, 1001, 1011, 3000, 4999])),
    ) {
        let mut stream: Vec<u8> = sent.iter().flat_map(|(frames, _)| frames.concat()).collect();
        let mut expected: Vec<Seen> = sent.into_iter().flat_map(|(_, seen)| seen).collect();
        if let Some(code) = close {
            stream.extend(frame(true, 8, &[&code.to_be_bytes()[..], b"bye"].concat()));
            expected.push(Seen::Close(code));
        }
        prop_assert_eq!(decode(&stream, &pieces, CAP_BYTES), (expected.clone(), None));
        prop_assert_eq!(decode(&stream, &[usize::MAX], CAP_BYTES), (expected.clone(), None));
        if stream.len() < 5_000 {
            prop_assert_eq!(decode(&stream, &[1], CAP_BYTES), (expected.clone(), None));
        }
        prop_assert_eq!(other_opinion(&stream, pieces[0]), texts(&expected));
    }

    /// Hostile bytes, and legal streams with bytes changed, end in messages or a refusal, the same for any chunking;
    /// and we never see a message that the other reader does not.
    #[test]
    fn hostile_bytes_are_refused(
        sent in prop::collection::vec(sent(), 0..4),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        piece in 1usize..200,
    ) {
        let mut stream: Vec<u8> = sent.iter().flat_map(|(frames, _)| frames.concat()).collect();
        stream.extend(noise);
        for (place, byte) in changes {
            if !stream.is_empty() {
                let at = place.index(stream.len());
                stream[at] = byte;
            }
        }
        let whole = decode(&stream, &[usize::MAX], CAP_BYTES);
        prop_assert_eq!(&decode(&stream, &[piece], CAP_BYTES), &whole);
        let (ours, theirs) = (texts(&whole.0), other_opinion(&stream, piece));
        prop_assert!(theirs.starts_with(&ours), "{} texts against {}", ours.len(), theirs.len());
    }

    /// The cap is the longest message taken, whole or in fragments.
    #[test]
    fn the_cap_is_exact(cap in 0usize..500, over in 0usize..3, pieces in 1usize..5) {
        let text = vec![b'a'; cap + over];
        let expected = if over == 0 { (vec![Seen::Text(text.clone())], None) } else { (vec![], Some(Violation::TooLong)) };
        prop_assert_eq!(decode(&frame(true, 1, &text), &[7], cap), expected.clone());
        let size = (text.len() / pieces).max(1);
        let parts: Vec<&[u8]> = if text.is_empty() { vec![&[]] } else { text.chunks(size).collect() };
        let frames: Vec<Vec<u8>> = parts.iter().enumerate()
            .map(|(turn, part)| frame(turn + 1 == parts.len(), u8::from(turn == 0), part)).collect();
        prop_assert_eq!(decode(&frames.concat(), &[7], cap), expected);
    }
}

#[test]
fn each_rule_refuses_by_its_own_name() {
    let text = |payload: &[u8]| frame(true, 1, payload);
    let close = |payload: &[u8]| frame(true, 8, payload);
    for (stream, violation) in [
        (vec![0xc1, 0], Violation::ReservedBit),
        (vec![0xa1, 0], Violation::ReservedBit),
        (vec![0x91, 0], Violation::ReservedBit),
        (vec![0x83, 0], Violation::Opcode),
        (vec![0x8b, 0], Violation::Opcode),
        (vec![0x81, 0x85, 1, 2, 3, 4], Violation::Masked),
        (vec![0x81, 126, 0, 125], Violation::Length),
        (vec![0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255], Violation::Length),
        (vec![0x81, 127, 0, 0, 0, 0, 0, 2, 0, 0], Violation::TooLong),
        (vec![0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255], Violation::TooLong),
        (vec![0x89, 126, 0, 126], Violation::Control),
        (vec![0x8a, 127], Violation::Control),
        (vec![0x88, 126], Violation::Control),
        (vec![0x09, 0], Violation::Control),
        (vec![0x80, 0], Violation::Continuation),
        ([frame(false, 1, b"a"), text(b"b")].concat(), Violation::Interleaved),
        ([frame(true, 9, b""), frame(true, 0, b"c")].concat(), Violation::Continuation),
        (text(b"\xff"), Violation::Utf8),
        (text(b"\xed\xa0\x80"), Violation::Utf8),
        ([frame(false, 1, b"\xe2\x82"), frame(true, 0, b"(")].concat(), Violation::Utf8),
        (vec![0x82, 0], Violation::Binary),
        (vec![0x02, 5], Violation::Binary),
        (close(&[3]), Violation::Close),
        (close(&999u16.to_be_bytes()), Violation::Close),
        (close(&1005u16.to_be_bytes()), Violation::Close),
        (close(&[&1000u16.to_be_bytes()[..], b"\xff"].concat()), Violation::Close),
    ] {
        for piece in [1, usize::MAX] {
            let (seen, refused) = decode(&stream, &[piece], CAP_BYTES);
            assert_eq!((texts(&seen), refused), (vec![], Some(violation)), "{stream:02x?}");
        }
    }
    assert_eq!(decode(&close(&[]), &[1], CAP_BYTES).0, [Seen::Close(CLOSE_WITHOUT_CODE)]);
}

#[test]
fn a_cleared_decoder_remembers_nothing() {
    let mut decoder = Decoder::new(1_000);
    for _ in 0..3 {
        let begun = [frame(false, 1, b"lost"), vec![0x81]].concat();
        decoder.room()[..begun.len()].copy_from_slice(&begun);
        decoder.filled(begun.len());
        assert_eq!(decoder.next(), Ok(None));
        decoder.clear();
        let text = frame(true, 1, b"new");
        decoder.room()[..text.len()].copy_from_slice(&text);
        decoder.filled(text.len());
        assert_eq!(decoder.next(), Ok(Some(Incoming::Text(b"new"))));
    }
}
