//! The thin shell: axum on loopback, one thread, one exchange, bounded queues to every peer.
//!
//! WebSocket at `/ws`; POST at `/{public|private}/{method}`; on v3 the same below `/v3` as well. A peer that does not read
//! its frames is hung up on; nobody waits for it.

use super::{Always, AuthHeaders, ConnId, Dialect, Exchange, HttpTicket, Out, Outbox, Settings, SettlementAuthority};
use crate::base::time::{MS, Nanos, SEC};
use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::serve::ListenerExt;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot, watch};

/// Requests waiting for the exchange, all peers together.
const INBOX_MAX: usize = 4_096;
/// Frames waiting for one peer; more and it is too slow.
const OUTBOUND_MAX: usize = 4_096;
/// Requests handled between two looks at the clock.
const BATCH_MAX: usize = 64;
/// How long one frame may take to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// The server pings this often (Derive §4.1).
const PING_EVERY: Duration = Duration::from_secs(180);
/// Time from fill to settlement where no authority says otherwise (v2): about a block of its chain.
pub const SETTLE_NS: u64 = 2_000 * MS;

/// What moves the market: prices, crowd and feeds.
pub trait World: Send {
    /// Called once before the first connection.
    fn start(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox);
    /// Called when due; returns the moment of the next turn.
    fn turn(&mut self, ex: &mut Exchange, at: Nanos, out: &mut Outbox) -> Nanos;
}

/// How to serve.
pub struct Options {
    /// Address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The exchange itself.
    pub settings: Settings,
    /// What moves the market, if anything.
    pub world: Option<Box<dyn World>>,
    /// Who settles fills on v2; unless given, everything settles after [`SETTLE_NS`].
    pub authority: Option<Box<dyn SettlementAuthority>>,
    /// Core to pin the exchange's thread to.
    pub core: Option<usize>,
}

type Work = Box<dyn FnOnce(&mut Exchange, Nanos, &mut Outbox) + Send>;

enum Input {
    Connect { frames: mpsc::Sender<String>, name: oneshot::Sender<ConnId> },
    Text { conn: ConnId, text: Bytes },
    Gone { conn: ConnId },
    Http { method: String, headers: AuthHeaders, body: Bytes, reply: oneshot::Sender<(u16, String)> },
    Work(Work),
}

/// A serving exchange. Dropping it stops it.
pub struct Running {
    /// The bound address.
    pub local_addr: SocketAddr,
    inbox: mpsc::Sender<Input>,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    /// Asks the exchange to stop; returns at once.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Stops the exchange and waits until its thread has ended.
    pub fn join(mut self) {
        self.end();
    }

    /// Waits until the exchange ends by itself or by [`Running::stop`] from elsewhere.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }

    fn end(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }

    /// Runs `work` on the exchange between two requests and returns its result; `None` once stopped. Not to be called
    /// from an async task.
    pub fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Exchange, Nanos, &mut Outbox) -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = std::sync::mpsc::sync_channel(1);
        let work: Work = Box::new(move |exchange, at, out| {
            done.send(work(exchange, at, out)).ok();
        });
        self.inbox.blocking_send(Input::Work(work)).ok()?;
        result.recv().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Binds, starts the exchange's thread and returns once it accepts connections.
pub fn spawn(options: Options) -> std::io::Result<Running> {
    let listener = std::net::TcpListener::bind(options.listen)?;
    listener.set_nonblocking(true)?;
    let local_addr = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (inbox, requests) = mpsc::channel(INBOX_MAX);
    let (stop, stopped) = watch::channel(false);
    let door = inbox.clone();
    let thread = std::thread::Builder::new().name("exchange".into()).spawn(move || {
        options.core.into_iter().for_each(pin);
        runtime.block_on(serve(listener, options, door, requests, stopped));
    })?;
    Ok(Running { local_addr, inbox, stop, thread: Some(thread) })
}

/// Pins the calling thread; a core that does not exist leaves it where it is.
#[cfg(target_os = "linux")]
fn pin(core: usize) {
    if core >= libc::CPU_SETSIZE as usize {
        return;
    }
    // SAFETY: the set is plain data, fully initialised by zeroing, and the index is within it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

#[cfg(not(target_os = "linux"))]
fn pin(_: usize) {}

/// Unix time that never goes back: the wall clock once, the monotonic clock from then on.
struct Clock {
    unix: u64,
    start: Instant,
}

impl Clock {
    fn new() -> Clock {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
        Clock { unix, start: Instant::now() }
    }

    fn now(&self) -> Nanos {
        Nanos(self.unix + self.start.elapsed().as_nanos() as u64)
    }
}

#[derive(Clone)]
struct Door {
    inbox: mpsc::Sender<Input>,
    frame_bytes_max: usize,
    headers: [&'static str; 3],
}

async fn serve(
    listener: std::net::TcpListener,
    options: Options,
    inbox: mpsc::Sender<Input>,
    requests: mpsc::Receiver<Input>,
    stopped: watch::Receiver<bool>,
) {
    let frame_bytes_max = options.settings.frame_bytes_max;
    let dialect = options.settings.dialect();
    let door = Door { inbox, frame_bytes_max, headers: headers(dialect) };
    let mut router = Router::new().route("/ws", any(upgrade)).route("/{scope}/{method}", post(http));
    if dialect == Dialect::V3 {
        router = router.route("/v3/ws", any(upgrade)).route("/v3/{scope}/{method}", post(http));
    }
    let router = router.layer(DefaultBodyLimit::max(frame_bytes_max)).with_state(door);
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let listener = listener.tap_io(|socket| {
        socket.set_nodelay(true).ok();
    });
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let clock = Clock::new();
    let exchange = Exchange::new(options.settings, clock.now());
    let floor = Floor {
        exchange,
        authority: options.authority.unwrap_or_else(|| Box::new(Always::after(SETTLE_NS))),
        clock,
        peers: HashMap::new(),
        replies: HashMap::new(),
        tickets: 0,
        out: Outbox::new(),
    };
    floor.run(options.world, requests, stopped).await;
    server.abort();
}

/// The exchange and everyone it must answer.
struct Floor {
    exchange: Exchange,
    authority: Box<dyn SettlementAuthority>,
    clock: Clock,
    peers: HashMap<ConnId, mpsc::Sender<String>>,
    replies: HashMap<HttpTicket, oneshot::Sender<(u16, String)>>,
    tickets: u64,
    out: Outbox,
}

impl Floor {
    async fn run(
        mut self,
        mut world: Option<Box<dyn World>>,
        mut requests: mpsc::Receiver<Input>,
        mut stopped: watch::Receiver<bool>,
    ) {
        if let Some(world) = &mut world {
            world.start(&mut self.exchange, self.clock.now(), &mut self.out);
        }
        let mut turn = self.clock.now();
        while !*stopped.borrow() {
            let now = self.clock.now();
            if let Some(world) = world.as_mut().filter(|_| turn <= now) {
                turn = world.turn(&mut self.exchange, now, &mut self.out).max(now.plus(1));
            }
            self.exchange.tick(now, &mut self.out);
            self.exchange.settle_with(&mut *self.authority, now, &mut self.out);
            self.deliver();
            let world_due = if world.is_some() { turn } else { Nanos::MAX };
            let settling = self.authority.next_due(now).unwrap_or(Nanos::MAX);
            let due = self.exchange.next_deadline().unwrap_or(Nanos::MAX).min(world_due).min(settling);
            let pause = Duration::from_nanos(due.since(self.clock.now()).min(SEC));
            tokio::select! {
                biased;
                changed = stopped.changed() => if changed.is_err() { break },
                input = requests.recv() => match input {
                    Some(input) => self.take(input, &mut requests),
                    None => break,
                },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn take(&mut self, first: Input, requests: &mut mpsc::Receiver<Input>) {
        let mut next = Some(first);
        for _ in 0..BATCH_MAX {
            let Some(input) = next.take() else { return };
            self.handle(input);
            self.deliver();
            next = requests.try_recv().ok();
        }
        if let Some(input) = next {
            self.handle(input);
            self.deliver();
        }
    }

    fn handle(&mut self, input: Input) {
        let at = self.clock.now();
        match input {
            Input::Connect { frames, name } => {
                let conn = self.exchange.connect(at);
                self.peers.insert(conn, frames);
                name.send(conn).ok();
            }
            Input::Text { conn, text } => self.exchange.on_text(conn, at, &text, &mut self.out),
            Input::Gone { conn } => {
                self.peers.remove(&conn);
                self.exchange.disconnect(conn, at, &mut self.out);
            }
            Input::Http { method, headers, body, reply } => {
                self.tickets += 1;
                let ticket = HttpTicket(self.tickets);
                self.replies.insert(ticket, reply);
                self.exchange.on_http(at, &method, &headers, &body, ticket, &mut self.out);
            }
            Input::Work(work) => work(&mut self.exchange, at, &mut self.out),
        }
    }

    /// Hands every output over without waiting; who cannot take it is hung up on.
    fn deliver(&mut self) {
        while !self.out.is_empty() {
            for out in std::mem::take(&mut self.out) {
                match out {
                    Out::Text { conn, text } => {
                        let full = self.peers.get(&conn).is_some_and(|peer| peer.try_send(text).is_err());
                        if full {
                            self.hang_up(conn);
                        }
                    }
                    Out::Http { ticket, status, body } => {
                        if let Some(reply) = self.replies.remove(&ticket) {
                            reply.send((status, body)).ok();
                        }
                    }
                    Out::Close { conn } => self.hang_up(conn),
                }
            }
        }
    }

    fn hang_up(&mut self, conn: ConnId) {
        self.peers.remove(&conn);
        let at = self.clock.now();
        self.exchange.disconnect(conn, at, &mut self.out);
    }
}

/// Names of the headers that prove who asks, as the dialect has them.
const fn headers(dialect: Dialect) -> [&'static str; 3] {
    match dialect {
        Dialect::V3 => ["x-derivewallet", "x-derivetimestamp", "x-derivesignature"],
        Dialect::V2 => ["x-lyrawallet", "x-lyratimestamp", "x-lyrasignature"],
    }
}

async fn upgrade(State(door): State<Door>, request: WebSocketUpgrade) -> Response {
    let limit = door.frame_bytes_max;
    request.max_message_size(limit).max_frame_size(limit).on_upgrade(move |socket| peer(socket, door))
}

/// One WebSocket peer: frames in to the exchange, frames out from its queue.
async fn peer(mut socket: WebSocket, door: Door) {
    let (frames, mut outbound) = mpsc::channel(OUTBOUND_MAX);
    let (name, named) = oneshot::channel();
    if door.inbox.send(Input::Connect { frames, name }).await.is_err() {
        return;
    }
    let Ok(conn) = named.await else { return };
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        let outgoing = tokio::select! {
            biased;
            frame = outbound.recv() => match frame {
                Some(text) => Message::Text(text.into()),
                None => break,
            },
            incoming = socket.recv() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    let text = Bytes::from(text);
                    if door.inbox.send(Input::Text { conn, text }).await.is_err() {
                        return;
                    }
                    continue;
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
            _ = ping.tick() => Message::Ping(Bytes::new()),
        };
        if !matches!(tokio::time::timeout(SEND_TIMEOUT, socket.send(outgoing)).await, Ok(Ok(()))) {
            break;
        }
    }
    door.inbox.send(Input::Gone { conn }).await.ok();
    tokio::time::timeout(SEND_TIMEOUT, socket.send(Message::Close(None))).await.ok();
}

async fn http(
    State(door): State<Door>,
    Path((scope, method)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_string);
    let [wallet, timestamp, signature] = door.headers.map(text);
    let headers = AuthHeaders { wallet, timestamp, signature };
    let (reply, replied) = oneshot::channel();
    let request = Input::Http { method: format!("{scope}/{method}"), headers, body, reply };
    let answer = match door.inbox.send(request).await {
        Ok(()) => replied.await.ok(),
        Err(_) => None,
    };
    match answer {
        Some((status, body)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
