//! What a tape costs an actor: one entry of each kind onto a page in memory, check included.

use criterion::{Criterion, criterion_group, criterion_main};
use keel::base::digest::digest;
use keel::base::time::Nanos;
use keel::engine::ports::Event;
use keel::engine::tape::{Recorder, Reel, Source};
use std::hint::black_box;
use std::sync::atomic::{Ordering, fence};

/// Bytes of a page, as on disk.
const PAGE_BYTES: usize = 4 << 20;
/// A frame of the venue's book or ticker.
const FRAME_BYTES: usize = 600;

/// One page, written over and over.
struct Round {
    page: Vec<u8>,
    used: usize,
}

impl Reel for Round {
    fn room(&self) -> usize {
        self.page.len() - self.used
    }

    fn put(&mut self, code: u8, parts: [&[u8]; 4]) {
        let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let place = &mut self.page[self.used..self.used + length];
        let mut at = 1;
        for part in parts {
            place[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        fence(Ordering::Release);
        place[0] = code;
        self.used += length;
    }

    fn turn(&mut self, _: u32, _: Nanos) -> bool {
        self.used = 0;
        true
    }
}

fn recorder() -> Recorder {
    Recorder::new(Box::new(Round { page: vec![1; PAGE_BYTES], used: 0 }))
}

fn entries(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tape");
    let (mut tape, mut at) = (recorder(), 1_800_000_000_000_000_000u64);
    group.bench_function("tick", |bencher| {
        bencher.iter(|| {
            at += 1_000_000;
            tape.plain(black_box(Nanos(at)), Source::Tick);
        });
    });
    let mut number = 0;
    group.bench_function("lane", |bencher| {
        bencher.iter(|| {
            (at, number) = (at + 20_000, number + 1);
            tape.lane(black_box(Nanos(at)), Source::Facts, number);
        });
    });
    let frame = vec![b'7'; FRAME_BYTES];
    group.bench_function("frame of 600 bytes", |bencher| {
        bencher.iter(|| {
            at += 20_000;
            tape.event(black_box(Nanos(at)), Source::Venue, &Event::Text(&frame));
        });
    });
    group.finish();
}

fn state(criterion: &mut Criterion) {
    let words: Vec<u64> = (0..8_192).collect();
    criterion.bench_function("digest of 64 KiB in words", |bencher| {
        bencher.iter(|| digest(black_box(&words)));
    });
}

criterion_group!(benches, entries, state);
criterion_main!(benches);
