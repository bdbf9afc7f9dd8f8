//! A tape with any bytes changed, and any bytes as a tape: what is read is a beginning of what was written, and a changed
//! byte with sound entries behind it is damage, not an end.
//!
//! Input: changes of five bytes each, a place and what is xored into it; then, behind a `0xff`, what to read as a page.
#![no_main]

use keel::base::time::{MS, Nanos};
use keel::engine::ports::{DownReason, Event};
use keel::engine::tape::{Entry, Letter, Page, Recorder, Roll, Source, What, read_event};
use keel::market::instrument::Listing;
use keel::msg::{ChainWord, Command, OptionFeeds, RatioRound};
use keel::sim::ports::MemoryReel;
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fn sound() -> &'static (Page, Vec<Entry>) {
    static SOUND: OnceLock<(Page, Vec<Entry>)> = OnceLock::new();
    SOUND.get_or_init(|| {
        let reel = MemoryReel::default();
        let mut tape = Recorder::new(Box::new(reel.clone()));
        for step in 1..12u64 {
            let at = Nanos(1_800_000_000_000_000_000 + step * MS);
            tape.plain(at, Source::Tick);
            tape.lane(at, Source::Reports, step * step);
            tape.event(at, Source::Wire, &Event::Text(&vec![b'a' + step as u8; step as usize * 7]));
            tape.checkpoint(at, false, || step);
        }
        tape.event(Nanos::MAX, Source::Wire, &Event::Down(DownReason::Silent));
        let page = reel.page();
        let entries = read(page.clone()).0;
        assert_eq!(entries.len(), 35);
        (page, entries)
    })
}

fn read(page: Page) -> (Vec<Entry>, bool) {
    let mut roll = Roll::new(vec![page].into_iter());
    let mut entries = Vec::new();
    loop {
        match roll.next_entry() {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => return (entries, true),
            Err(_) => return (entries, false),
        }
    }
}

/// A letter that is understood is written as it was read.
fn letter<T: Letter>(bytes: &[u8]) {
    if let Some(letter) = T::read(bytes) {
        let mut page = [0; keel::engine::tape::LETTER_BYTES];
        let length = letter.write(&mut page);
        assert_eq!(&page[..length], bytes);
    }
}

fuzz_target!(|input: &[u8]| {
    let (page, entries) = sound();
    let split = input.iter().position(|byte| *byte == 0xff).unwrap_or(input.len());
    let (changes, rest) = input.split_at(split);
    let mut changed = page.clone();
    for [a, b, c, d, bits] in changes.as_chunks::<5>().0 {
        let place = u32::from_le_bytes([*a, *b, *c, *d]) as usize % changed.bytes.len();
        changed.bytes[place] ^= bits;
    }
    let differs = changed.bytes.iter().zip(&page.bytes).filter(|(one, two)| one != two).count();
    let (found, in_order) = read(changed);
    assert!(entries.starts_with(&found), "what is read was written");
    assert!(differs > 0 || (in_order && found.len() == entries.len()));
    // One changed byte cannot hide what follows its entry.
    assert!(differs != 1 || !in_order || found.len() + 1 == entries.len());
    let rest = rest.get(1..).unwrap_or_default();
    let (found, _) = read(Page { number: 1, bytes: rest.to_vec(), ..Page::default() });
    for entry in found {
        if let What::Body(body) = entry.what {
            let _ = read_event(&body);
        }
    }
    let _ = read_event(rest);
    letter::<Command>(rest);
    letter::<RatioRound>(rest);
    letter::<OptionFeeds>(rest);
    letter::<Listing>(rest);
    letter::<ChainWord>(rest);
});
