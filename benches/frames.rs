//! Frames, signatures and journal records per nanosecond: ours beside the alternatives, in one run.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fastwebsockets::{Frame, OpCode, Payload, Role};
use k256::ecdsa::SigningKey;
use keel::engine::ports::{Clock, Key};
use keel::io::clock::LiveClock;
use keel::io::key::LocalKey;
use keel::io::store::page::{Extent, PAYLOAD_BYTES_MAX, Page};
use keel::io::websocket::frame::{Decoder, Incoming};
use keel::io::websocket::outbox::Outbox;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const SIZES: [usize; 3] = [200, 1_000, 4_000];

/// A text frame as a server sends it.
fn frame(len: usize) -> Vec<u8> {
    let text: Vec<u8> = (0..len).map(|at| b"{\"params\":[0.125]}"[at % 18]).collect();
    let mut out = Vec::new();
    let mut frame = Frame::new(true, OpCode::Text, None, Payload::Borrowed(&text));
    frame.write(&mut out).to_vec()
}

/// Bytes without end: the same frame over and over, one whole frame per read, as a socket would give it.
struct Endless {
    frame: Vec<u8>,
    at: usize,
}

impl AsyncRead for Endless {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let count = into.remaining().min(self.frame.len() - self.at);
        into.put_slice(&self.frame[self.at..self.at + count]);
        self.at = (self.at + count) % self.frame.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
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

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ws_decode");
    for len in SIZES {
        let bytes = frame(len);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::new("own", len), |bencher| {
            let mut decoder = Decoder::new(1 << 20);
            bencher.iter(|| {
                decoder.room()[..bytes.len()].copy_from_slice(black_box(&bytes));
                decoder.filled(bytes.len());
                match decoder.next() {
                    Ok(Some(Incoming::Text(text))) => text.len() + usize::from(text[0]),
                    other => panic!("{other:?}"),
                }
            });
        });
        group.bench_function(BenchmarkId::new("fastwebsockets", len), |bencher| {
            let source = Endless { frame: bytes.clone(), at: 0 };
            let mut socket = fastwebsockets::WebSocket::after_handshake(source, Role::Client);
            let mut context = Context::from_waker(Waker::noop());
            bencher.iter(|| {
                let mut reading = std::pin::pin!(socket.read_frame());
                match reading.as_mut().poll(&mut context) {
                    Poll::Ready(Ok(frame)) => frame.payload.len() + usize::from(frame.payload[0]),
                    _ => panic!("the source always has bytes"),
                }
            });
        });
    }
    group.finish();
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ws_encode");
    for len in SIZES {
        let text = vec![b'x'; len];
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::new("outbox", len), |bencher| {
            let mut outbox = Outbox::new(1 << 16);
            bencher.iter(|| {
                outbox.push_text(black_box(&text), black_box([1, 2, 3, 4]));
                let count = black_box(outbox.waiting()).len();
                outbox.taken(count);
            });
        });
        group.bench_function(BenchmarkId::new("fastwebsockets", len), |bencher| {
            let mut buffer = Vec::with_capacity(1 << 16);
            bencher.iter(|| {
                let mut frame = Frame::new(true, OpCode::Text, None, Payload::Borrowed(black_box(&text)));
                frame.mask();
                black_box(frame.write(&mut buffer)).len()
            });
        });
    }
    group.finish();
}

fn sign(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sign");
    let mut digest = [7u8; 32];
    let mut key = LocalKey::from_bytes(&mut [9; 32]).expect("a key");
    group.bench_function("local_key", |bencher| {
        bencher.iter(|| {
            digest[0] = digest[0].wrapping_add(1);
            key.sign(black_box(&digest))
        });
    });
    group.bench_function("rerandomize", |bencher| bencher.iter(|| key.rerandomize()));
    let other = SigningKey::from_slice(&[9; 32]).expect("a key");
    group.bench_function("k256", |bencher| {
        bencher.iter(|| {
            digest[0] = digest[0].wrapping_add(1);
            other.sign_prehash_recoverable(black_box(&digest))
        });
    });
    group.finish();
}

/// One page written round and round: a journal would fill the disk at this pace.
fn append(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let extent = Extent { sequence: 1, first_record: 0, records: 65_535 };
    let mut page = Page::create(folder.path(), extent).expect("a page");
    let (record, mut slot) = ([5u8; PAYLOAD_BYTES_MAX], 0);
    criterion.bench_function("store_append/248", |bencher| {
        bencher.iter(|| {
            page.write(slot, black_box(&record));
            slot = (slot + 1) % extent.records;
        });
    });
    drop(page);
}

fn clock(criterion: &mut Criterion) {
    let mut clock = LiveClock::new();
    criterion.bench_function("clock_now", |bencher| bencher.iter(|| clock.now()));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = decode, encode, sign, append, clock
}
criterion_main!(benches);
