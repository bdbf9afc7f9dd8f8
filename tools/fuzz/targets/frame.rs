//! Any bytes as a frame: no panic, and where the scanner and the tape both read it, the same messages.
//!
//! Run with `cargo +nightly fuzz run --fuzz-dir tools/fuzz frame`.
#![no_main]

use keel::derive::decode::{Decoder, ExternalDecoder, Heard, Malformed, Vocabulary};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| {
    let words = Vocabulary::new(["ETH-PERP", "ETH-20261225-3500-C", "ETH-20261225-4000-C"], ["USDC", "ETH"]);
    let mut decoder = Decoder::new(words);
    let fast = decoder.decode(frame).map(<[Heard]>::to_vec);
    let slow = decoder.decode_slowly(frame).map(<[Heard]>::to_vec);
    match (fast, slow) {
        // The scanner does not look inside strings and objects it has no use for.
        (Ok(_), Err(Malformed::Json)) => {}
        (fast, slow) => assert_eq!(fast, slow),
    }
    let _ = ExternalDecoder::new(["ETHUSDC"]).decode(frame);
});
