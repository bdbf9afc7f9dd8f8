//! What is written is read, a torn end is dropped, and no flipped bit passes.

use super::*;
use crate::base::queue::lane;
use crate::base::time::Nanos;
use crate::engine::ports::Event;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

/// Pages of a fixed length in memory.
#[derive(Clone)]
struct Desk {
    pages: Arc<Mutex<Vec<Page>>>,
    bytes: usize,
}

impl Desk {
    fn new(bytes: usize) -> Desk {
        let first = Page { number: 1, ..Page::default() };
        Desk { pages: Arc::new(Mutex::new(vec![first])), bytes }
    }

    fn last<T>(&self, work: impl FnOnce(&mut Page) -> T) -> T {
        work(self.pages.lock().expect("one thread").last_mut().expect("a page"))
    }

    /// The pages as they lie on a disk, with free space behind what was written.
    fn taken(&self) -> Vec<Page> {
        let mut pages = self.pages.lock().expect("one thread").clone();
        pages.iter_mut().for_each(|page| page.bytes.resize(self.bytes, 0));
        pages
    }
}

impl Reel for Desk {
    fn room(&self) -> usize {
        self.bytes - self.last(|page| page.bytes.len())
    }

    fn put(&mut self, code: u8, parts: [&[u8]; 4]) {
        self.last(|page| {
            page.bytes.push(code);
            parts.iter().for_each(|part| page.bytes.extend_from_slice(part));
        });
    }

    fn turn(&mut self, chain: u32, after: Nanos) -> bool {
        let number = self.last(|page| page.number) + 1;
        self.pages.lock().expect("one thread").push(Page { number, chain, after, bytes: Vec::new() });
        true
    }
}

/// Reads to the end: what was read, and the bytes that were torn.
fn read(pages: Vec<Page>) -> Result<(Vec<Entry>, u64), Damage> {
    let mut roll = Roll::new(pages.into_iter());
    let mut entries = Vec::new();
    while let Some(entry) = roll.next_entry()? {
        entries.push(entry);
    }
    Ok((entries, roll.torn()))
}

fn write(entries: &[Entry], page_bytes: usize) -> Vec<Page> {
    let desk = Desk::new(page_bytes);
    let mut recorder = Recorder::new(Box::new(desk.clone()));
    for entry in entries {
        match &entry.what {
            What::Plain => recorder.plain(entry.at, entry.source),
            What::Lane(number) => recorder.lane(entry.at, entry.source, *number),
            What::Body(body) => recorder.body(entry.at, entry.source, body, &[]),
        }
    }
    desk.taken()
}

fn some_entries() -> Vec<Entry> {
    let entry = |at: u64, source, what| Entry { at: Nanos(1_800_000_000_000_000_000 + at), source, what };
    vec![
        entry(0, Source::Tick, What::Plain),
        entry(1_000_000, Source::Facts, What::Lane(1)),
        entry(1_000_000, Source::Facts, What::Lane(4)),
        entry(1_000_300, Source::Facts, What::Lane(2)),
        entry(2_000_000, Source::Venue, What::Body(b"\0{\"method\":\"subscription\"}".to_vec())),
        entry(2_000_000, Source::Wire, What::Body(vec![0xff; 40])),
        entry(3_000_000, Source::Tick, What::Plain),
        entry(3_000_001, Source::Intents, What::Lane(1 << 40)),
    ]
}

#[test]
fn sources_have_their_codes() {
    for (place, source) in Source::ALL.into_iter().enumerate() {
        assert_eq!(source as usize, place + 1);
        assert_eq!(Source::of_code(source.code()), Some(source));
        assert!(source.code().count_ones() >= 2, "one flipped bit must not make it nothing");
    }
    assert_eq!((Source::of_code(0), Source::of_code(PUBLISHED), Source::of_code(1)), (None, None, None));
}

prop_compose! {
    fn any_entry()(source in 0..Source::ALL.len(), after in any::<u32>(), number in any::<u64>(), body in proptest::collection::vec(any::<u8>(), 0..60)) -> (Entry, u64) {
        let source = match Source::ALL[source] { Source::PageEnd => Source::Tick, source => source };
        let what = match source.shape() {
            Shape::Plain => What::Plain,
            Shape::Lane => What::Lane(number),
            Shape::Body => What::Body(body),
        };
        (Entry { at: Nanos::ZERO, source, what }, u64::from(after))
    }
}

proptest! {
    #[test]
    fn writing_then_reading_is_identity(drawn in proptest::collection::vec(any_entry(), 0..80), page_bytes in 100usize..600) {
        let mut at = Nanos(1_800_000_000_000_000_000);
        let entries: Vec<Entry> = drawn.into_iter().map(|(entry, after)| {
            at = at.plus(after);
            Entry { at, ..entry }
        }).collect();
        let pages = write(&entries, page_bytes);
        prop_assert_eq!(read(pages), Ok((entries, 0)));
    }

    #[test]
    fn varints_read_as_written(value in any::<u64>(), signed in any::<i64>()) {
        let mut place = [0; 10];
        let length = put_varint(&mut place, value);
        let mut at = 0;
        prop_assert_eq!((take_varint(&place[..length], &mut at), at), (Some(value), length));
        prop_assert_eq!(unzigzag(zigzag(signed)), signed);
    }
}

/// A process may die between any two bytes of the last entry; the code, which publishes it, is the last of them.
#[test]
fn an_end_torn_at_any_byte_is_dropped() {
    let entries = some_entries();
    for whole in 0..entries.len() {
        let before: usize = write(&entries[..whole], 4_096)[0].bytes.iter().rposition(|b| *b != 0).map_or(0, |p| p + 1);
        let page = write(&entries[..=whole], 4_096).remove(0);
        let after = page.bytes.iter().rposition(|b| *b != 0).map_or(0, |p| p + 1);
        // The check's last bytes may be zeros.
        let after = after.max(before + 6);
        for cut in before..after {
            for published in [false, true] {
                let mut torn = page.clone();
                torn.bytes[cut..].fill(0);
                if cut > before && !published {
                    torn.bytes[before] = 0;
                }
                if torn == page {
                    continue;
                }
                let (read, _) = read(vec![torn]).unwrap_or_else(|why| panic!("entry {whole} cut at {cut}: {why}"));
                assert_eq!(read, entries[..whole], "entry {whole} cut at {cut}");
            }
        }
    }
}

#[test]
fn no_flipped_bit_passes() {
    let entries = some_entries();
    let (one, many) = (write(&entries, 4_096), write(&entries, 64));
    assert!(many.len() > 2);
    for pages in [one, many] {
        for page in 0..pages.len() {
            let used = pages[page].bytes.iter().rposition(|b| *b != 0).expect("written") + 1;
            for bit in 0..8 * (used + 4).min(pages[page].bytes.len()) {
                let mut flipped = pages.clone();
                flipped[page].bytes[bit / 8] ^= 1 << (bit % 8);
                match read(flipped) {
                    // In the middle it is refused, by its place.
                    Err(damage) => assert_eq!(damage.page, page as u64 + 1, "{damage}"),
                    // At the end it looks like an entry that was not written whole.
                    Ok((read, torn)) => {
                        assert!(torn > 0, "page {page} bit {bit} passed");
                        assert!(page == pages.len() - 1 && read.len() + 2 >= entries.len(), "page {page} bit {bit}");
                        assert_eq!(read, entries[..read.len()]);
                    }
                }
            }
        }
    }
}

#[test]
fn pages_that_do_not_belong_together_are_refused() {
    let pages = write(&some_entries(), 64);
    let mut missing = pages.clone();
    missing.remove(1);
    assert!(read(missing).is_err_and(|why| why.to_string().contains("page 2 is missing")));
    let mut foreign = pages.clone();
    foreign[1].chain ^= 1;
    assert!(read(foreign).is_err_and(|why| (why.page, why.offset) == (2, 0)));
    let mut cut = pages;
    let last = cut[0].bytes.len() - 1;
    cut[0].bytes[last.saturating_sub(40)..].fill(0);
    assert!(read(cut).is_err_and(|why| why.page == 1));
}

#[test]
fn a_gate_opens_what_the_tape_names_and_nothing_else() {
    let desk = Desk::new(4_096);
    let mut recorder = Recorder::new(Box::new(desk.clone()));
    let at = |ms| Nanos::from_ms(ms);
    recorder.event(at(1), Source::Venue, &Event::Up { attempt: 2 });
    recorder.lane(at(2), Source::Facts, 2);
    recorder.plain(at(3), Source::Tick);
    recorder.checkpoint(at(3), false, || 77);
    recorder.checkpoint(at(4), false, || 78);
    recorder.checkpoint(at(5), true, || 79);
    let gate = Gate::new(Player::new(Roll::new(desk.taken().into_iter())));
    let (mut said, mut heard) = crate::base::queue::open_lane();
    assert!(said.send('a').is_ok());
    assert_eq!(gate.lane(Source::Facts, &mut heard), None, "the venue comes first");
    assert_eq!(gate.plain(Source::Tick), None);
    let up = gate.body(Source::Venue, |body| (read_event(body) == Some(Event::Up { attempt: 2 })).then_some(()));
    assert_eq!(up, Some((at(1), ())));
    assert_eq!(gate.lane(Source::Facts, &mut heard), None, "not said yet");
    assert!(said.send('b').is_ok());
    assert_eq!(gate.lane(Source::Facts, &mut heard), Some((at(2), 'b')));
    gate.player().set_horizon(at(2));
    assert_eq!(gate.plain(Source::Tick), None, "later than the horizon");
    gate.player().set_horizon(at(9));
    assert_eq!(gate.plain(Source::Tick), Some(at(3)));
    gate.check(|| 77);
    assert!(gate.player().is_over(), "the second was not due, the third is the end");
    gate.check(|| 80);
    let difference = Difference { checkpoint: 2, at: at(5), recorded: 79, replayed: 80 };
    let player = gate.player();
    assert_eq!((player.difference(), player.progress().equal), (Some(difference), 1));
    assert!(player.next().is_none());
}

#[test]
fn a_bounded_lane_has_nothing_to_name() {
    let (mut said, mut heard) = lane(4);
    assert!(said.send(1).is_ok());
    assert_eq!((heard.receive_numbered(1), heard.receive(), heard.taken()), (None, Some(1), 1));
}
