//! A relay between an engine and what it connects to: it can hold traffic back on live sockets, cut it, delay it, and
//! notes when the engine's frames come by. It reads frames only to tell what they are about, and changes none.

use memchr::memmem;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait of a read: how soon a held or cut connection is noticed.
const READ: Duration = Duration::from_millis(2);

/// Sightings kept until they are read; what nobody reads is let go.
const SIGHTINGS: usize = 65_536;

/// What a connection of the engine is for, as its first text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Not known yet.
    New = 0,
    /// It logs in.
    Private = 1,
    /// It subscribes without a login.
    Public = 2,
}

/// What came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A connection was closed by the engine.
    Closed,
    /// A login.
    Login,
    /// An order or a replacement.
    Order,
    /// A cancel.
    Cancel,
    /// Any other text of the engine.
    Other,
    /// Bytes for the engine were passed on.
    Down,
}

/// Something that came by, and when.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
    /// The nonce of the order it is about, as the engine names its requests; zero if it names none.
    pub nonce: u64,
}

#[derive(Default)]
struct Shared {
    hold: [AtomicBool; 3],
    cut: AtomicU64,
    delay_us: AtomicU64,
    over: AtomicBool,
}

/// The relay. It ends with its owner.
pub struct Relay {
    /// Where the engine connects.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    sightings: Mutex<Receiver<Sighting>>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Relay {
    /// To `target`, e.g. `127.0.0.1:9000`.
    pub fn start(target: &str) -> Result<Relay, String> {
        let target: SocketAddr = target.parse().map_err(|why| format!("{target}: {why}"))?;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|why| why.to_string())?;
        let address = listener.local_addr().map_err(|why| why.to_string())?;
        let (sender, sightings) = sync_channel(SIGHTINGS);
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if own.over.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(server) = TcpStream::connect(target) {
                    join(client, server, &own, &sender);
                }
            }
        });
        Ok(Relay { address, shared, sightings: Mutex::new(sightings) })
    }

    /// Passes nothing on, in either direction, on connections of this kind, or everything again; sockets stay open.
    pub fn hold(&self, line: Line, held: bool) {
        self.shared.hold[line as usize].store(held, Ordering::Relaxed);
    }

    /// Closes every connection.
    pub fn cut(&self) {
        self.shared.cut.fetch_add(1, Ordering::Relaxed);
    }

    /// Passes everything on so much later.
    pub fn delay(&self, delay: Duration) {
        self.shared.delay_us.store(delay.as_micros() as u64, Ordering::Relaxed);
    }

    /// The next thing that came by, within `longest`.
    pub fn next(&self, longest: Duration) -> Option<Sighting> {
        self.sightings.lock().ok()?.recv_timeout(longest).ok()
    }

    /// Forgets what came by so far.
    pub fn forget(&self) {
        while self.next(Duration::ZERO).is_some() {}
    }

    /// The first thing that is wanted, within `longest`.
    pub fn wait_for(&self, longest: Duration, wanted: impl Fn(&Sighting) -> bool) -> Option<Sighting> {
        let until = Instant::now() + longest;
        loop {
            let sighting = self.next(until.saturating_duration_since(Instant::now()))?;
            if wanted(&sighting) {
                return Some(sighting);
            }
        }
    }
}

fn join(client: TcpStream, server: TcpStream, shared: &Arc<Shared>, sender: &SyncSender<Sighting>) {
    let (Ok(client_out), Ok(server_out)) = (client.try_clone(), server.try_clone()) else { return };
    let line = Arc::new(AtomicU8::new(Line::New as u8));
    let born = shared.cut.load(Ordering::Relaxed);
    for (from, to, up) in [(client, server_out, true), (server, client_out, false)] {
        let pump = Pump { shared: Arc::clone(shared), sender: sender.clone(), line: Arc::clone(&line), born, up };
        thread::spawn(move || pump.run(from, to));
    }
}

struct Pump {
    shared: Arc<Shared>,
    sender: SyncSender<Sighting>,
    line: Arc<AtomicU8>,
    born: u64,
    up: bool,
}

impl Pump {
    fn run(&self, mut from: TcpStream, mut to: TcpStream) {
        // A socket that cannot be told this is as good as closed.
        let ready =
            from.set_read_timeout(Some(READ)).and_then(|()| from.set_nodelay(true)).and_then(|()| to.set_nodelay(true));
        let mut bytes = vec![0; 64 * 1024];
        let (mut reader, mut kept) = (Frames::default(), Vec::new());
        while ready.is_ok() {
            let shared = &self.shared;
            if shared.cut.load(Ordering::Relaxed) != self.born || shared.over.load(Ordering::Relaxed) {
                break;
            }
            let held = shared.hold[usize::from(self.line.load(Ordering::Relaxed))].load(Ordering::Relaxed);
            let count = match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => count,
                Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
                Err(_) => break,
            };
            kept.extend_from_slice(&bytes[..count]);
            // What is held is taken in all the same: only so is the end of a connection seen.
            if held || kept.is_empty() {
                continue;
            }
            let at = Instant::now();
            if self.up {
                reader.take(&kept, |text| self.saw(at, text));
            }
            thread::sleep(Duration::from_micros(shared.delay_us.load(Ordering::Relaxed)));
            if to.write_all(&kept).is_err() {
                break;
            }
            kept.clear();
            if !self.up {
                self.say(Instant::now(), What::Down, 0);
            }
        }
        if self.up {
            self.say(Instant::now(), What::Closed, 0);
        }
        // The other direction reads its end.
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    fn say(&self, at: Instant, what: What, nonce: u64) {
        let _ = self.sender.try_send(Sighting { at, what, nonce });
    }

    fn saw(&self, at: Instant, text: &[u8]) {
        let has = |word: &str| memmem::find(text, word.as_bytes()).is_some();
        let what = if has("\"public/login\"") {
            What::Login
        } else if has("\"private/order\"") || has("\"private/replace\"") {
            What::Order
        } else if has("\"private/cancel") {
            What::Cancel
        } else {
            What::Other
        };
        if self.line.load(Ordering::Relaxed) == Line::New as u8 {
            let line = if what == What::Login { Line::Private } else { Line::Public };
            self.line.store(line as u8, Ordering::Relaxed);
        }
        self.say(at, what, nonce_of(text));
    }
}

/// The nonce in the id of a request: a letter for what it asks, and the nonce of the order it asks it of.
fn nonce_of(text: &[u8]) -> u64 {
    const ID: &[u8] = br#""id":""#;
    let id = memmem::find(text, ID).map(|at| &text[at + ID.len()..]).unwrap_or_default();
    let digits = id.iter().skip(1).take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |nonce, digit| nonce.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

/// The texts in a stream of masked frames behind an HTTP request.
#[derive(Default)]
struct Frames {
    pending: Vec<u8>,
    upgraded: bool,
}

impl Frames {
    fn take(&mut self, bytes: &[u8], mut text: impl FnMut(&[u8])) {
        self.pending.extend_from_slice(bytes);
        if !self.upgraded {
            let Some(end) = memmem::find(&self.pending, b"\r\n\r\n") else { return };
            self.pending.drain(..end + 4);
            self.upgraded = true;
        }
        while let Some((head, length, mask)) = frame_head(&self.pending) {
            if self.pending.len() < head + length {
                return;
            }
            let opcode = self.pending[0] & 0x0f;
            let mut payload: Vec<u8> = self.pending.drain(..head + length).skip(head).collect();
            payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            if opcode == 1 {
                text(&payload);
            }
        }
    }
}

/// Length of a masked frame's head and payload, and its mask, once all of the head is there.
fn frame_head(bytes: &[u8]) -> Option<(usize, usize, [u8; 4])> {
    let short = usize::from(bytes.get(1)? & 0x7f);
    let (at, length) = match short {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, short),
    };
    Some((at + 4, length, bytes.get(at..at + 4)?.try_into().ok()?))
}
