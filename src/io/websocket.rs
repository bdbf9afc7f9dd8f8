//! The live transport: a WebSocket client on a non-blocking socket, polled by a pinned thread, never waiting.
//!
//! One `poll` does what can be done now: connect, shake hands, read, hand messages out, answer pings, ask for
//! signs of life, write, fall and come back. It needs no runtime and no waker. Once a plain connection is up
//! it allocates nothing; every buffer is taken and touched at construction. A message leaves in one write, head
//! and body together, as soon as it is sent; only what the socket would not take waits, in a bounded buffer.
//!
//! Life is proved by our own pings: any other traffic may still flow in when our way out is dead, and our way
//! out is what cancels need. A pong counts only if it carries the number of a ping that was sent.
//!
//! # Whose frames
//!
//! fastwebsockets can be driven without a runtime (`Waker::noop`, the future kept alive across `Pending`: dropped
//! in the middle of a frame it loses bytes and reads garbage). Measured by `benches/frames.rs` on a
//! busy two-core virtual machine, so the ratios say more than the nanoseconds; both check UTF-8, both are given one
//! frame per read:
//!
//! | ns per text of | 200 B | 1000 B | 4000 B |
//! |---|---|---|---|
//! | read, `frame::Decoder` | 37 | 80 | 305 |
//! | read, fastwebsockets | 142 | 173 | 395 |
//! | write and mask, `Outbox` | 35 | 82 | 435 |
//! | write and mask, fastwebsockets `mask` + `write` | 81 | 142 | 736 |
//!
//! Its reader also takes a new buffer for every few messages and cannot be told to stop. So incoming
//! frames are split by `frame::Decoder`, in place; outgoing ones use fastwebsockets' head and mask, which
//! allocate nothing, and its opcode and close code tables decide what is legal on the way in. Its reader is the
//! other half of a property test: on legal streams both find the same messages, and on hostile ones ours finds none
//! that it does not.

mod address;
mod backoff;
pub mod frame;
pub mod handshake;
pub mod outbox;
mod trouble;
mod wire;

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use fastwebsockets::OpCode;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use ring::rand::{SecureRandom, SystemRandom};

use crate::base::time::{MS, Nanos, SEC};
use crate::engine::ports::{DownReason, Event, Transport};
use crate::io::quarantine::Quarantine;

pub use self::address::AddressError;
use self::address::{Address, Resolver};
use self::backoff::Backoff;
use self::frame::{CLOSE_WITHOUT_CODE, Decoder, Incoming};
use self::outbox::Outbox;
pub use self::trouble::{SetupError, Trouble};
use self::wire::{TlsTerms, Took, Wire};

/// Reads in one poll: a peer that floods us must not starve the thread's other duties.
const READS_PER_POLL: usize = 16;
/// A close status for "we are leaving" (RFC 6455 §7.4.1).
const CLOSE_NORMAL: u16 = 1000;
/// Bytes of a ping: its number.
const PING_BYTES: usize = 8;

/// How a connection behaves. Times in nanoseconds of the `at` given to `poll`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Longest message taken in; a longer one ends the connection. 1 MiB: the largest venue answer is far smaller.
    pub message_bytes_max: usize,
    /// Frames waiting for the socket. 256 KiB: hundreds of orders, sent to a peer that has stopped reading.
    pub outgoing_bytes_max: usize,
    /// Look-up, TCP, TLS and upgrade together.
    pub connect_ns_max: u64,
    /// Time between pings.
    pub ping_every_ns: u64,
    /// Unanswered pings after which the connection is dead.
    pub pings_missed_max: u64,
    /// First wait before reconnecting, before jitter.
    pub backoff_ns_min: u64,
    /// Longest wait before reconnecting; a connection that held this long resets the waits.
    pub backoff_ns_max: u64,
    /// Seeds masks, keys and jitter. Must be unpredictable to whoever chooses the messages: draw it from the system.
    pub seed: [u8; 32],
    /// Addresses to use instead of looking the host up.
    pub addresses: Vec<SocketAddr>,
    /// A DER certificate to trust besides the usual roots.
    pub extra_root: Option<Vec<u8>>,
    /// Messages that are not handed out.
    pub quarantine: Quarantine,
}

impl Settings {
    /// The usual settings, seeded by the system.
    pub fn drawn() -> Result<Settings, SetupError> {
        let mut seed = [0u8; 32];
        let drawn = SystemRandom::new().fill(&mut seed);
        drawn.map_err(|_| SetupError::System(std::io::Error::other("no random bytes")))?;
        Ok(Settings::new(seed))
    }

    /// The usual settings: pings every 0.7 s, dead after 3 missed and so within 2.8 s of falling silent, 0.1 to 10 s
    /// between attempts, 1 MiB messages.
    pub fn new(seed: [u8; 32]) -> Settings {
        Settings {
            message_bytes_max: 1 << 20,
            outgoing_bytes_max: 256 << 10,
            connect_ns_max: 5 * SEC,
            ping_every_ns: 700 * MS,
            pings_missed_max: 3,
            backoff_ns_min: 100 * MS,
            backoff_ns_max: 10 * SEC,
            seed,
            addresses: Vec::new(),
            extra_root: None,
            quarantine: Quarantine::default(),
        }
    }
}

impl Settings {
    /// The same with at most so long between two attempts to connect.
    pub fn patient_for(self, backoff_ns_max: u64) -> Settings {
        Settings { backoff_ns_max, ..self }
    }
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Attempts to connect.
    pub attempts: u32,
    /// Attempts that came up.
    pub connections: u32,
    /// Messages handed out.
    pub messages_in: u64,
    /// Messages taken to send.
    pub messages_out: u64,
    /// Bytes received, heads included.
    pub bytes_in: u64,
    /// Pings sent.
    pub pings: u64,
    /// Time from the last answered ping to its pong, as seen by `poll`.
    pub ping_ns: u64,
}

/// Where the connection stands.
enum Phase {
    Waiting { until: Nanos },
    Resolving { deadline: Nanos },
    Connecting { socket: TcpStream, deadline: Nanos },
    Upgrading { wire: Wire, deadline: Nanos, accept: [u8; 28] },
    Open { wire: Wire },
}

/// Pings sent and answered on this connection.
#[derive(Clone, Copy, Default)]
struct Pings {
    due: Nanos,
    sent: u64,
    answered: u64,
    sent_at: Nanos,
}

/// A WebSocket client that reconnects for ever.
pub struct WebSocket {
    address: Address,
    settings: Settings,
    terms: Option<TlsTerms>,
    resolver: Resolver,
    readiness: Poll,
    events: Events,
    random: ChaCha8Rng,
    backoff: Backoff,
    decoder: Decoder,
    outbox: Outbox,
    pings: Pings,
    up_at: Nanos,
    phase: Phase,
    fault: Option<Trouble>,
    last_trouble: Option<Trouble>,
    counters: Counters,
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("address", &self.address).field("counters", &self.counters).finish()
    }
}

impl WebSocket {
    /// A client for `ws://…` or `wss://…` that connects at its first poll.
    pub fn new(address: &str, settings: Settings) -> Result<WebSocket, SetupError> {
        let address = Address::parse(address).map_err(SetupError::Address)?;
        let terms = match address.secure {
            true => Some(TlsTerms::new(&address.host, settings.extra_root.as_deref()).map_err(SetupError::Tls)?),
            false => None,
        };
        Ok(WebSocket {
            resolver: Resolver::new(&address, &settings.addresses).map_err(SetupError::System)?,
            readiness: Poll::new().map_err(SetupError::System)?,
            events: Events::with_capacity(4),
            random: ChaCha8Rng::from_seed(settings.seed),
            backoff: Backoff::new(settings.backoff_ns_min, settings.backoff_ns_max),
            decoder: Decoder::new(settings.message_bytes_max),
            outbox: Outbox::new(settings.outgoing_bytes_max),
            pings: Pings::default(),
            up_at: Nanos::ZERO,
            phase: Phase::Waiting { until: Nanos::ZERO },
            fault: None,
            last_trouble: None,
            counters: Counters::default(),
            terms,
            address,
            settings,
        })
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Why the last connection, or attempt, ended.
    pub fn last_trouble(&self) -> Option<&Trouble> {
        self.last_trouble.as_ref()
    }

    /// Moves the connection along; an error ends it.
    fn step(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> Result<bool, Trouble> {
        if let Some(fault) = self.fault.take() {
            // What arrived before the way out broke is still true.
            if matches!(fault, Trouble::Io(_)) {
                let _ = self.receive(at, sink);
            }
            return Err(fault);
        }
        match self.phase {
            Phase::Open { .. } => self.turn(at, sink),
            Phase::Waiting { until } if at >= until => self.begin(at),
            Phase::Waiting { .. } => Ok(false),
            Phase::Resolving { deadline } | Phase::Connecting { deadline, .. } | Phase::Upgrading { deadline, .. }
                if at >= deadline =>
            {
                Err(Trouble::TooSlow)
            }
            Phase::Resolving { deadline } => self.resolve(deadline),
            Phase::Connecting { .. } => self.connect(),
            Phase::Upgrading { .. } => self.upgrade(at, sink),
        }
    }

    fn begin(&mut self, at: Nanos) -> Result<bool, Trouble> {
        self.counters.attempts = self.counters.attempts.saturating_add(1);
        self.resolver.ask();
        self.phase = Phase::Resolving { deadline: at.plus(self.settings.connect_ns_max) };
        Ok(true)
    }

    /// Waits for the host's address and starts a TCP connection to it, a different one at each attempt.
    fn resolve(&mut self, deadline: Nanos) -> Result<bool, Trouble> {
        let turn = self.counters.attempts.saturating_sub(1);
        let Some(target) = self.resolver.answer(turn).map_err(|_| Trouble::NoAddress)? else { return Ok(false) };
        let mut socket = TcpStream::connect(target)?;
        self.readiness.registry().register(&mut socket, Token(0), Interest::WRITABLE)?;
        self.phase = Phase::Connecting { socket, deadline };
        Ok(true)
    }

    /// Waits until TCP is connected, then sends the request for the upgrade.
    fn connect(&mut self) -> Result<bool, Trouble> {
        match self.readiness.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ if self.events.is_empty() => return Ok(false),
            _ => {}
        }
        let Phase::Connecting { socket, deadline } = &mut self.phase else { return Ok(false) };
        let deadline = *deadline;
        if let Some(error) = socket.take_error()? {
            return Err(error.into());
        }
        if socket.peer_addr().is_err() {
            return Ok(false);
        }
        socket.set_nodelay(true)?;
        self.readiness.registry().deregister(socket)?;
        let Phase::Connecting { socket, .. } =
            std::mem::replace(&mut self.phase, Phase::Waiting { until: Nanos::ZERO })
        else {
            return Ok(false);
        };
        let wire = Wire::new(socket, self.terms.as_ref())?;
        let mut nonce = [0u8; 16];
        self.random.fill_bytes(&mut nonce);
        let key = handshake::key_of(nonce);
        self.outbox.push_raw(&handshake::request(&self.address.authority, &self.address.path, &key));
        self.phase = Phase::Upgrading { wire, deadline, accept: handshake::accept_of(&key) };
        Ok(true)
    }

    /// Shakes hands; frames that came along with the answer are handed out at once.
    fn upgrade(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> Result<bool, Trouble> {
        let Phase::Upgrading { wire, accept, .. } = &mut self.phase else { return Ok(false) };
        let mut moved = wire.write(&mut self.outbox)?;
        let took = wire.read(self.decoder.room())?;
        if let Took::Bytes(count) = took {
            self.decoder.filled(count);
            self.counters.bytes_in += count as u64;
            moved = true;
        }
        match handshake::read_answer(self.decoder.unread(), accept).map_err(Trouble::Refused)? {
            None if took == Took::End => return Err(Trouble::Ended),
            None => return Ok(moved),
            Some(head_bytes) => self.decoder.skip(head_bytes),
        }
        if let Phase::Upgrading { wire, .. } = std::mem::replace(&mut self.phase, Phase::Waiting { until: Nanos::ZERO })
        {
            self.phase = Phase::Open { wire };
        }
        self.counters.connections = self.counters.connections.saturating_add(1);
        self.pings = Pings { due: at.plus(self.settings.ping_every_ns), ..Pings::default() };
        self.up_at = at;
        sink(Event::Up { attempt: self.counters.connections });
        self.hand_out(at, sink)?;
        Ok(true)
    }

    /// One turn of an open connection: in, signs of life, out.
    fn turn(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> Result<bool, Trouble> {
        let received = self.receive(at, sink)?;
        if at >= self.pings.due {
            self.ask_for_life(at)?;
        }
        Ok(self.flush()? || received)
    }

    /// Reads until nothing is there, and hands out what is whole after each read.
    fn receive(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> Result<bool, Trouble> {
        for read in 0..READS_PER_POLL {
            let Phase::Open { wire } = &mut self.phase else { return Ok(read > 0) };
            let room = self.decoder.room();
            let room_bytes = room.len();
            let count = match wire.read(room)? {
                Took::Bytes(count) => count,
                Took::Nothing => return Ok(read > 0),
                Took::End => return Err(Trouble::Ended),
            };
            self.decoder.filled(count);
            self.counters.bytes_in += count as u64;
            self.hand_out(at, sink)?;
            // A plain socket that gave less than asked is empty: the next poll asks again, one call is saved.
            if count < room_bytes && self.terms.is_none() {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// Hands out whole messages and deals with control frames.
    fn hand_out(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), Trouble> {
        loop {
            match self.decoder.next() {
                Ok(None) => return Ok(()),
                Ok(Some(Incoming::Text(text))) => {
                    self.counters.messages_in += 1;
                    if !self.settings.quarantine.refuses(text) {
                        sink(Event::Text(text));
                    }
                }
                Ok(Some(Incoming::Ping(payload))) => {
                    // Without room the pong is left out: a peer that does not read cannot want it.
                    self.outbox.push_control(OpCode::Pong, payload, self.random.next_u32().to_ne_bytes());
                }
                Ok(Some(Incoming::Pong(payload))) => {
                    let number = <[u8; PING_BYTES]>::try_from(payload).map_or(0, u64::from_be_bytes);
                    if number > self.pings.answered && number <= self.pings.sent {
                        self.pings.answered = number;
                        if number == self.pings.sent {
                            self.counters.ping_ns = at.since(self.pings.sent_at);
                        }
                    }
                }
                Ok(Some(Incoming::Close(code))) => {
                    self.say_goodbye(if code == CLOSE_WITHOUT_CODE { CLOSE_NORMAL } else { code });
                    return Err(Trouble::Closed(code));
                }
                Err(violation) => {
                    self.say_goodbye(violation.close_code());
                    return Err(Trouble::Frame(violation));
                }
            }
        }
    }

    /// Sends the next ping, or concludes from the unanswered ones that nobody is there.
    fn ask_for_life(&mut self, at: Nanos) -> Result<(), Trouble> {
        if self.pings.sent - self.pings.answered >= self.settings.pings_missed_max {
            return Err(Trouble::Silent);
        }
        // A ping that finds no room counts as sent: a peer that reads nothing is as dead as one that says nothing.
        self.pings.sent += 1;
        let mask = self.random.next_u32().to_ne_bytes();
        self.outbox.push_control(OpCode::Ping, &self.pings.sent.to_be_bytes(), mask);
        (self.pings.sent_at, self.pings.due) = (at, at.plus(self.settings.ping_every_ns));
        self.counters.pings += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<bool, Trouble> {
        match &mut self.phase {
            Phase::Open { wire } => Ok(wire.write(&mut self.outbox)?),
            _ => Ok(false),
        }
    }

    /// Tells the peer, if the socket takes it now, that and why we leave.
    fn say_goodbye(&mut self, code: u16) {
        let mask = self.random.next_u32().to_ne_bytes();
        self.outbox.push_control(OpCode::Close, &code.to_be_bytes(), mask);
        if let Phase::Open { wire } = &mut self.phase {
            let _ = wire.write(&mut self.outbox);
            wire.close();
        }
    }

    /// Ends the connection or attempt and arranges the next one.
    fn fall(&mut self, at: Nanos, trouble: Trouble) -> DownReason {
        if matches!(self.phase, Phase::Open { .. }) && at.since(self.up_at) >= self.settings.backoff_ns_max {
            self.backoff.reset();
        }
        let wait_ns = self.backoff.next_ns(self.random.next_u64());
        self.phase = Phase::Waiting { until: at.plus(wait_ns) };
        self.decoder.clear();
        self.outbox.clear();
        let reason = trouble.reason();
        self.last_trouble = Some(trouble);
        reason
    }
}

impl Transport for WebSocket {
    fn poll(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> bool {
        match self.step(at, sink) {
            Ok(moved) => moved,
            Err(trouble) => {
                let reason = self.fall(at, trouble);
                sink(Event::Down(reason));
                true
            }
        }
    }

    fn send(&mut self, _at: Nanos, text: &[u8]) -> bool {
        let Phase::Open { wire } = &mut self.phase else { return false };
        if self.fault.is_some() || !self.outbox.push_text(text, self.random.next_u32().to_ne_bytes()) {
            return false;
        }
        self.counters.messages_out += 1;
        if let Err(cause) = wire.write(&mut self.outbox) {
            self.fault = Some(Trouble::Io(cause));
        }
        true
    }

    fn drop_connection(&mut self) {
        if !matches!(self.phase, Phase::Waiting { .. }) {
            self.say_goodbye(CLOSE_NORMAL);
            self.fault = Some(Trouble::Asked);
        }
    }
}
