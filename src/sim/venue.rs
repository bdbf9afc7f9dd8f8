//! The embedded exchange, its crowd and the engine in one thread on virtual time, joined by the same bytes as over
//! sockets. The same seed gives the same run, message by message.

mod carry;
pub mod faults;
mod feeds;
mod imposed;
mod turning;

pub use imposed::Take;

use self::faults::Faults;
use self::imposed::Imposed;
use self::turning::Turning;
use crate::base::time::{MS, Nanos, SEC};
use crate::engine::actor::Turn;
use crate::exchange::server::{SETTLE_NS, World};
use crate::exchange::world::{MarketWorld, WorldSettings};
use crate::exchange::{
    Always, AuthHeaders, ConnId, Exchange, HttpTicket, Out, Outbox, Settings, SettlementAuthority, SubaccountReport,
};
use crate::msg::RatioRound;
use crate::sim::lanes::Lanes;
use crate::sim::ports::{SimClock, Wire};
use crate::topology::ControlEnds;
use alloy_primitives::Keccak256;
use rust_decimal::Decimal;
use std::collections::BTreeSet;

/// How long a text travels one way.
const LATENCY_NS: u64 = 300_000;
/// Longest stretch between two looks, unless a pace says otherwise.
const STEP_NS: u64 = MS;
/// Looks a leap may take to let every text under way arrive.
const SETTLING_LOOKS: u32 = 256;
/// How often the ratio feeds are read.
const RATIO_NS: u64 = 1_000 * MS;

/// How virtual time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Every event at its own moment, and a look at least every `stretch_ns`.
    Busy {
        /// Longest stretch between two looks.
        stretch_ns: u64,
    },
    /// Leaps to the multiples of `step_ns`: what happened meanwhile is told once, on arrival, before the engine's own
    /// timers look. For stages in which nobody trades.
    Quiet {
        /// Length of a leap.
        step_ns: u64,
    },
}

/// What becomes of a request at which the run stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The venue receives it; its answer is under way.
    Delivered,
    /// It never left.
    Lost,
}

/// One text on the private connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// When it was sent.
    pub at: Nanos,
    /// By the engine; else by the venue, or in its place.
    pub by_engine: bool,
    /// Whoever it is for hears it, and as it was said.
    pub arrived: bool,
    /// Something between said it in the venue's place.
    pub forged: bool,
    /// Records ever written to the engine's journal when it said it.
    pub written: u64,
    /// The text.
    pub text: String,
}

/// One simulated venue with the engine attached to it.
pub struct SimVenue {
    /// The exchange.
    pub exchange: Exchange,
    authority: Box<dyn SettlementAuthority>,
    world: MarketWorld,
    world_due: Nanos,
    clock: SimClock,
    now: Nanos,
    wires: [Wire; 3],
    connections: [Option<ConnId>; 2],
    outbox: Outbox,
    ratios_due: Nanos,
    ratio_feeds: Vec<u8>,
    look_back_ns: Option<u64>,
    external_step: u64,
    update_id: u64,
    looks: u64,
    opened: u64,
    sent: Keccak256,
    tape: Option<Vec<Said>>,
    trap: Option<(String, Fate)>,
    stopped: bool,
    faults: Option<Faults>,
    private_up_since: Nanos,
    /// The engine's clock less the venue's.
    skew_ns: i64,
    /// Requests whose answers are not heard.
    muffled: BTreeSet<String>,
    /// Connections that are gone without the venue knowing, and when it will.
    ghosts: Vec<(Nanos, ConnId)>,
    last_ratios: Vec<RatioRound>,
    turning: Turning,
    imposed: Imposed,
}

/// Places of the wires.
const PUBLIC: usize = 0;
const EXTERNAL: usize = 1;
const PRIVATE: usize = 2;

impl SimVenue {
    /// Opens the exchange at `start` and connects three wires: public, external, private.
    pub fn open(settings: Settings, world: WorldSettings, start: Nanos) -> SimVenue {
        let account = settings.accounts.first().map_or(0, |account| account.subaccount);
        let mut exchange = Exchange::new(settings, start);
        let ratio_feeds = if world.options.is_some() { vec![0, 1, 2] } else { vec![0, 1] };
        let mut world = MarketWorld::new(world);
        let mut outbox = Outbox::new();
        world.start(&mut exchange, start, &mut outbox);
        let wires = [Wire::new(), Wire::new(), Wire::new()];
        wires.iter().for_each(Wire::connect);
        let connections = [Some(exchange.connect(start)), Some(exchange.connect(start))];
        SimVenue {
            exchange,
            authority: Box::new(Always::after(SETTLE_NS)),
            world,
            world_due: start,
            clock: SimClock::new(start),
            now: start,
            wires,
            connections,
            outbox,
            ratios_due: start,
            ratio_feeds,
            look_back_ns: None,
            external_step: u64::MAX,
            update_id: 0,
            looks: 0,
            opened: 2,
            sent: Keccak256::new(),
            tape: None,
            trap: None,
            stopped: false,
            faults: None,
            private_up_since: start,
            skew_ns: 0,
            muffled: BTreeSet::new(),
            ghosts: Vec::new(),
            last_ratios: Vec::new(),
            turning: Turning::default(),
            imposed: Imposed::on(account),
        }
    }

    /// The engine's ends of the wires: public, external, private.
    pub fn wires(&self) -> [Wire; 3] {
        self.wires.clone()
    }

    /// From now on every public text that the engine takes is written down.
    pub fn tell_public(&self, lanes: Lanes) {
        self.wires[PUBLIC].tell(lanes);
    }

    /// The clock everything shares.
    pub fn clock(&self) -> SimClock {
        self.clock.clone()
    }

    /// Now.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Now, on the engine's clock.
    pub fn engine_now(&self) -> Nanos {
        self.now.shifted(self.skew_ns)
    }

    /// Gives the next engine a clock that is so much ahead of the venue's, or behind. There must be none at work.
    pub fn skew_clock(&mut self, by_ns: i64) {
        self.skew_ns = by_ns;
        self.clock = SimClock::new(self.engine_now());
    }

    /// The engine's clock less the venue's.
    pub fn skew_ns(&self) -> i64 {
        self.skew_ns
    }

    /// Moments looked at so far, leaps included.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// Connections to the exchange opened so far, public and private.
    pub fn connections_opened(&self) -> u64 {
        self.opened
    }

    /// From now on fills settle by this authority (v2); [`Always`] until then.
    pub fn settle_by(&mut self, authority: Box<dyn SettlementAuthority>) {
        self.authority = authority;
    }

    /// What is due at the exchange by now.
    fn tick_exchange(&mut self) {
        self.exchange.tick(self.now, &mut self.outbox);
        self.exchange.settle_with(&mut *self.authority, self.now, &mut self.outbox);
    }

    /// The world around the exchange.
    pub fn world(&self) -> &MarketWorld {
        &self.world
    }

    /// Names the world's feed (0 weETH, 1 LBTC, 2 sUSDe) behind each place of the engine's ratio feeds.
    pub fn wire_ratio_feeds(&mut self, feeds: &[u8]) {
        self.ratio_feeds = feeds.to_vec();
    }

    /// Tells with every ratio what it was so long ago, as a reader of past rounds would.
    pub fn look_back(&mut self, by_ns: Option<u64>) {
        self.look_back_ns = by_ns;
    }

    /// Ratio of the world's feed (0 weETH, 1 LBTC, 2 sUSDe) at a moment, also one before the start.
    pub fn ratio_at(&self, feed: u8, at: Nanos) -> Decimal {
        self.world.ratio_at(feed, at)
    }

    /// One call over the venue's HTTP side, answered at once.
    pub fn call(&mut self, method: &str, params: &serde_json::Value) -> Option<String> {
        let ticket = HttpTicket(u64::MAX);
        let body = params.to_string();
        let headers = AuthHeaders::default();
        self.exchange.on_http(self.now, method, &headers, body.as_bytes(), ticket, &mut self.outbox);
        let place = self.outbox.iter().position(|out| matches!(out, Out::Http { ticket: t, .. } if *t == ticket))?;
        match self.outbox.remove(place) {
            Out::Http { body, .. } => Some(body),
            Out::Text { .. } | Out::Close { .. } => None,
        }
    }

    /// The exchange's own books of a subaccount.
    pub fn report(&self, subaccount: u64) -> Option<SubaccountReport> {
        self.exchange.subaccount_report(subaccount)
    }

    /// Oracle price of a currency, zero while unknown.
    pub fn spot(&self, currency: &str) -> Decimal {
        self.exchange.oracle_price(currency)
    }

    /// Keccak-256 over every byte the engine has sent so far, in order.
    pub fn sent_digest(&self) -> [u8; 32] {
        self.sent.clone().finalize().0
    }

    /// Cuts both of the engine's venue connections; they come back at the next step.
    pub fn cut_all(&mut self) {
        self.wires[PUBLIC].cut();
        self.cut_private();
    }

    /// Ends both of the engine's connections at the venue too, as the host of a dead process would: what was under way
    /// to the engine is lost, and a run stopped at a request goes on.
    pub fn hang_up(&mut self) {
        self.wires.iter().for_each(Wire::cut);
        for conn in self.connections.iter_mut().filter_map(Option::take) {
            self.exchange.disconnect(conn, self.now, &mut self.outbox);
        }
        (self.trap, self.stopped) = (None, false);
        self.turning.stop_after = None;
        self.muffled.clear();
    }

    /// Cuts the private connection without the venue knowing before `until`: it goes on as if somebody listened.
    pub fn cut_half(&mut self, until: Nanos) {
        self.wires[PRIVATE].cut();
        self.ghosts.extend(self.connections[1].take().map(|conn| (until, conn)));
    }

    /// Something the venue does by itself, now; listeners hear of it.
    pub fn mishap<T>(&mut self, does: impl FnOnce(&mut Exchange, Nanos, &mut Outbox) -> T) -> T {
        does(&mut self.exchange, self.now, &mut self.outbox)
    }

    /// Stops the run at the engine's next private request that names `method`; nothing the engine says after it leaves.
    /// The run goes on after [`SimVenue::hang_up`].
    pub fn stop_at(&mut self, method: &str, fate: Fate) {
        self.trap = Some((format!("\"{method}\""), fate));
    }

    /// True if the run has stopped at a request.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// When the private connection was last established.
    pub fn private_up_since(&self) -> Nanos {
        self.private_up_since
    }

    /// From now on things go wrong on the wires as these faults have it; `None` ends that and hands back what there was.
    pub fn mistreat(&mut self, faults: Option<Faults>) -> Option<Faults> {
        std::mem::replace(&mut self.faults, faults)
    }

    /// The faults at work.
    pub fn faults(&mut self) -> Option<&mut Faults> {
        self.faults.as_mut()
    }

    /// From now on every text of the private connection is remembered.
    pub fn keep_tape(&mut self) {
        self.tape.get_or_insert_default();
    }

    /// Takes what was said on the private connection since it was taken last.
    pub fn take_tape(&mut self) -> Vec<Said> {
        self.tape.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What was said on the private connection since the tape runs.
    pub fn tape(&self) -> &[Said] {
        self.tape.as_deref().unwrap_or_default()
    }

    /// Runs the venue alone until `end`, without an engine.
    pub fn run_alone(&mut self, end: Nanos, pace: Pace) {
        while self.now < end {
            self.now = match pace {
                // Nobody reads the wires: what waits there must not hold time up.
                Pace::Busy { .. } => self.next_deadline().min(self.now.plus(SEC)).min(end).max(self.now.plus(1)),
                Pace::Quiet { step_ns } => Nanos((self.now.0 / step_ns.max(SEC) + 1) * step_ns.max(SEC)).min(end),
            };
            self.tick_clock();
            if self.world_due <= self.now {
                self.turn_world();
            }
            self.tick_exchange();
            self.outbox.clear();
        }
    }

    /// Cuts the public connection; it comes back at the next step.
    pub fn cut_public(&mut self) {
        self.wires[PUBLIC].cut();
    }

    /// Cuts the private connection; it comes back at the next step.
    pub fn cut_private(&mut self) {
        self.wires[PRIVATE].cut();
    }

    /// Runs until `end`, turning the engine at every step.
    pub fn run(&mut self, end: Nanos, turns: &mut [Box<dyn Turn>], control: &mut ControlEnds) {
        self.run_until(end, Pace::Busy { stretch_ns: STEP_NS }, turns, control);
    }

    /// Runs until `end` at a pace. A leap that reaches `end` waits there for texts under way, which takes some virtual
    /// milliseconds more.
    pub fn run_until(&mut self, end: Nanos, pace: Pace, turns: &mut [Box<dyn Turn>], control: &mut ControlEnds) {
        while self.now < end && !self.stopped {
            match pace {
                Pace::Busy { stretch_ns } => self.look(end, stretch_ns.max(1), turns, control),
                Pace::Quiet { step_ns } => self.leap(end, step_ns.max(SEC), turns, control),
            }
        }
    }

    /// One step: what is due at the venue, then the engine until it has nothing left to do.
    pub fn step(&mut self, end: Nanos, turns: &mut [Box<dyn Turn>], control: &mut ControlEnds) {
        self.look(end, STEP_NS, turns, control);
    }

    fn look(&mut self, end: Nanos, stretch_ns: u64, turns: &mut [Box<dyn Turn>], control: &mut ControlEnds) {
        self.now = self.next_moment(end, stretch_ns);
        self.tick_clock();
        self.mend_connections();
        if self.world_due <= self.now {
            self.turn_world();
        }
        self.tick_exchange();
        self.publish_external();
        self.publish_ratios(control);
        self.deliver();
        self.turn_engine(turns);
    }

    /// Leaps to the next multiple of the step. Texts under way arrive first, and those of the leap arrive before the
    /// engine looks at its clock, so that neither side takes the leap for silence.
    fn leap(&mut self, end: Nanos, step_ns: u64, turns: &mut [Box<dyn Turn>], control: &mut ControlEnds) {
        let target = Nanos((self.now.0 / step_ns + 1) * step_ns).min(end);
        self.settle(target, turns, control);
        if self.now >= target {
            return;
        }
        self.now = target;
        self.mend_connections();
        self.turn_world();
        self.tick_exchange();
        self.publish_external();
        self.deliver();
        self.now = self.now.plus(LATENCY_NS);
        self.tick_clock();
        self.publish_ratios(control);
        self.turn_engine(turns);
        self.settle(self.now.plus(SEC), turns, control);
    }

    /// Looks on in small steps until nothing is under way any more.
    fn settle(&mut self, end: Nanos, turns: &mut [Box<dyn Turn>], control: &mut ControlEnds) {
        for _ in 0..SETTLING_LOOKS {
            let waiting = self.wires.iter().any(|wire| wire.next_due().is_some() || !wire.is_up());
            if !waiting || self.now >= end || self.stopped {
                return;
            }
            self.look(end, STEP_NS, turns, control);
        }
    }

    /// When something is due at the venue or in its world.
    fn next_deadline(&self) -> Nanos {
        let settling = self.authority.next_due(self.now).unwrap_or(Nanos::MAX);
        self.exchange.next_deadline().unwrap_or(Nanos::MAX).min(self.world_due).min(settling)
    }

    fn next_moment(&self, end: Nanos, stretch_ns: u64) -> Nanos {
        // What is due already and not taken waits for an actor, and must not hold time up.
        let due = |wire: &Wire| wire.next_due().map(|due| due.shifted(-self.skew_ns)).filter(|due| *due > self.now);
        let wires = self.wires.iter().filter_map(due).min().unwrap_or(Nanos::MAX);
        let soonest = wires.min(self.next_deadline()).min(self.now.plus(stretch_ns)).min(end);
        soonest.max(self.now.plus(1))
    }
}
