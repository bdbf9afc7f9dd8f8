//! Any answer of the venue to any request of ours: what became of the request is told once, under its own name, and never
//! better than the venue said.
//!
//! The first eight bytes are a code and which request it answers, the rest is what stands in the frame beside it.
#![no_main]

use keel::derive::decode::{Decoder, Heard, ReplyBody, Vocabulary};
use keel::derive::errors::{lookup, verdict};
use keel::derive::request_id::{RequestId, RequestKind};
use keel::msg::Verdict;
use libfuzzer_sys::fuzz_target;

const LETTERS: std::ops::RangeInclusive<u8> = b'A'..=b'z';

/// Holds what was heard of an error against the code that was sent.
fn check(heard: &[Heard], id: RequestId, code: i32) {
    let [heard] = heard else { panic!("one answer, not {heard:?}") };
    let (told, name) = match heard {
        Heard::Answer(answer) => {
            assert_eq!(answer.code, code);
            assert!(answer.order.is_none() && answer.cancelled.is_none());
            (answer.verdict, answer.nonce.0)
        }
        Heard::Reply(reply) => match reply.body {
            ReplyBody::Failed { code: told, verdict } => {
                assert_eq!((told, reply.id), (code, id));
                (verdict, reply.id.number)
            }
            body => panic!("an error was read as {body:?}"),
        },
        other => panic!("an error was read as {other:?}"),
    };
    assert_eq!(name, id.number);
    assert_ne!(told, Verdict::Accepted, "an error is no acceptance");
    assert_eq!(told, verdict(code));
    if lookup(code).is_none() {
        assert_eq!(told, Verdict::Unknown, "what is not documented may mean anything");
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((head, rest)) = input.split_first_chunk::<8>() else { return };
    let [a, b, c, d, letter, number @ ..] = *head;
    let code = i32::from_le_bytes([a, b, c, d]);
    let kind = LETTERS.clone().filter_map(RequestKind::from_letter).nth(usize::from(letter) % 25);
    let Some(kind) = kind else { return };
    let id = RequestId { kind, number: u64::from(u32::from_le_bytes([number[0], number[1], number[2], 1])) };
    let mut decoder = Decoder::new(Vocabulary::new(["ETH-PERP", "ETH-20261225-4000-C"], ["USDC", "ETH"]));
    let mut frame = format!(
        "{{\"id\":\"{}{}\",\"error\":{{\"code\":{code},\"message\":\"x\"}}}}",
        kind.letter() as char,
        id.number
    )
    .into_bytes();
    check(decoder.decode(&frame).expect("an error reply"), id, code);
    // With anything for a result there is no panic, and no answer to another request.
    frame.truncate(frame.windows(7).position(|part| part == b"\"error\"").unwrap_or(0));
    frame.extend_from_slice(b"\"result\":");
    frame.extend_from_slice(rest);
    frame.push(b'}');
    let Ok(heard) = decoder.decode(&frame) else { return };
    for heard in heard {
        match heard {
            Heard::Answer(answer) => assert_eq!(answer.nonce.0, id.number),
            Heard::Reply(reply) => assert_eq!(reply.id, id),
            _ => {}
        }
    }
});
