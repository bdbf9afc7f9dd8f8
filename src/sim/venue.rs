//! The embedded exchange, its crowd and the engine in one thread on virtual time, joined by the same bytes as over
//! sockets. The same seed gives the same run, message by message.

use crate::base::num::Ratio;
use crate::base::time::{MS, Nanos};
use crate::engine::actor::Turn;
use crate::exchange::server::World;
use crate::exchange::world::path::Coin;
use crate::exchange::world::{MarketWorld, WorldSettings};
use crate::exchange::{AuthHeaders, ConnId, Exchange, HttpTicket, Out, Outbox, Settings, SubaccountReport};
use crate::msg::{Command, RatioRound};
use crate::ops::control::read_borrow_rate;
use crate::sim::ports::{SimClock, Wire};
use crate::topology::ControlEnds;

/// How long a text travels one way.
const LATENCY_NS: u64 = 300_000;
/// Longest stretch between two looks.
const STEP_NS: u64 = MS;
/// How often the ratio feeds are read.
const RATIO_NS: u64 = 1_000 * MS;

/// One simulated venue with the engine attached to it.
pub struct SimVenue {
    /// The exchange.
    pub exchange: Exchange,
    world: MarketWorld,
    world_due: Nanos,
    clock: SimClock,
    now: Nanos,
    wires: [Wire; 3],
    connections: [Option<ConnId>; 2],
    outbox: Outbox,
    ratios_due: Nanos,
    external_step: u64,
    update_id: u64,
}

/// Places of the wires.
const PUBLIC: usize = 0;
const EXTERNAL: usize = 1;
const PRIVATE: usize = 2;

impl SimVenue {
    /// Opens the exchange at `start` and connects three wires: public, external, private.
    pub fn open(settings: Settings, world: WorldSettings, start: Nanos) -> SimVenue {
        let mut exchange = Exchange::new(settings, start);
        let mut world = MarketWorld::new(world);
        let mut outbox = Outbox::new();
        world.start(&mut exchange, start, &mut outbox);
        let wires = [Wire::new(), Wire::new(), Wire::new()];
        wires.iter().for_each(Wire::connect);
        let connections = [Some(exchange.connect(start)), Some(exchange.connect(start))];
        SimVenue {
            exchange,
            world,
            world_due: start,
            clock: SimClock::new(start),
            now: start,
            wires,
            connections,
            outbox,
            ratios_due: start,
            external_step: u64::MAX,
            update_id: 0,
        }
    }

    /// The engine's ends of the wires: public, external, private.
    pub fn wires(&self) -> [Wire; 3] {
        self.wires.clone()
    }

    /// The clock everything shares.
    pub fn clock(&self) -> SimClock {
        self.clock.clone()
    }

    /// Now.
    pub fn now(&self) -> Nanos {
        self.now
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

    /// Cuts the private connection; it comes back at the next step.
    pub fn cut_private(&mut self) {
        self.wires[PRIVATE].cut();
    }

    /// Runs until `end`, turning the engine at every step.
    pub fn run(&mut self, end: Nanos, turns: &mut [Box<dyn Turn>], control: &mut ControlEnds) {
        while self.now < end {
            self.step(end, turns, control);
        }
    }

    /// One step: what is due at the venue, then the engine until it has nothing left to do.
    pub fn step(&mut self, end: Nanos, turns: &mut [Box<dyn Turn>], control: &mut ControlEnds) {
        self.now = self.next_moment(end);
        self.clock.advance_to(self.now);
        self.mend_connections();
        if self.world_due <= self.now {
            self.world_due = self.world.turn(&mut self.exchange, self.now, &mut self.outbox).max(self.now.plus(1));
        }
        self.exchange.tick(self.now, &mut self.outbox);
        self.publish_external();
        self.publish_ratios(control);
        self.deliver();
        while turns.iter_mut().fold(false, |busy, turn| turn.turn() | busy) {}
        self.collect();
        self.deliver();
    }

    fn next_moment(&self, end: Nanos) -> Nanos {
        let wires = self.wires.iter().filter_map(Wire::next_due).min().unwrap_or(Nanos::MAX);
        let venue = self.exchange.next_deadline().unwrap_or(Nanos::MAX).min(self.world_due);
        let soonest = wires.min(venue).min(self.now.plus(STEP_NS)).min(end);
        soonest.max(self.now.plus(1))
    }

    fn mend_connections(&mut self) {
        for (slot, place) in [(0, PUBLIC), (1, PRIVATE)] {
            if self.wires[place].is_up() {
                continue;
            }
            if let Some(conn) = self.connections[slot].take() {
                self.exchange.disconnect(conn, self.now, &mut self.outbox);
                continue;
            }
            self.connections[slot] = Some(self.exchange.connect(self.now));
            self.wires[place].connect();
        }
        if !self.wires[EXTERNAL].is_up() {
            self.wires[EXTERNAL].connect();
        }
    }

    fn publish_external(&mut self) {
        let prices = self.world.prices();
        if prices.step == self.external_step {
            return;
        }
        self.external_step = prices.step;
        for coin in Coin::ALL {
            self.update_id += 1;
            let bid = prices.external[coin.index()].round_dp(2);
            let ask = bid + rust_decimal::Decimal::new(1, 2);
            let symbol = ["ETHUSDC", "BTCUSDC"][coin.index()];
            let text = format!(
                r#"{{"u":{},"s":"{symbol}","b":"{bid}","B":"5.00000000","a":"{ask}","A":"5.00000000"}}"#,
                self.update_id
            );
            self.wires[EXTERNAL].deliver(self.now.plus(LATENCY_NS), text.as_bytes());
        }
    }

    /// What the control plane would read: the borrow rate and the ratio feeds.
    fn publish_ratios(&mut self, control: &mut ControlEnds) {
        if self.now < self.ratios_due {
            return;
        }
        self.ratios_due = self.now.plus(RATIO_NS);
        let currency = self.call("public/get_currency", &serde_json::json!({ "currency": "USDC" }));
        let result = currency.and_then(|body| serde_json::from_str::<serde_json::Value>(&body).ok());
        if let Some(apr) = result.and_then(|body| read_borrow_rate(&body["result"].to_string()).ok()) {
            let _ = control.commands.send(Command::BorrowRate { apr, read_at: self.now });
        }
        let prices = self.world.prices();
        for (feed, coin) in (0u8..).zip(Coin::ALL) {
            let Ok(ratio) = Ratio::observed(prices.ratio[coin.index()].to_string().as_bytes()) else { continue };
            // A full lane only delays the round by a second.
            let _ =
                control.ratios.send(RatioRound { feed, ratio, updated_at: self.now, read_at: self.now, past: None });
        }
    }

    /// Texts of the exchange to the engine.
    fn deliver(&mut self) {
        let due = self.now.plus(LATENCY_NS);
        for out in self.outbox.drain(..) {
            match out {
                Out::Text { conn, text } => {
                    let slot = self.connections.iter().position(|known| *known == Some(conn));
                    if let Some(slot) = slot {
                        self.wires[[PUBLIC, PRIVATE][slot]].deliver(due, text.as_bytes());
                    }
                }
                Out::Close { conn } => {
                    if let Some(slot) = self.connections.iter().position(|known| *known == Some(conn)) {
                        self.wires[[PUBLIC, PRIVATE][slot]].cut();
                    }
                }
                Out::Http { .. } => {}
            }
        }
    }

    /// Texts of the engine to the exchange. They travel at once; the answer takes the way back.
    fn collect(&mut self) {
        for (slot, place) in [(0, PUBLIC), (1, PRIVATE)] {
            while let Some(text) = self.wires[place].take() {
                if let Some(conn) = self.connections[slot] {
                    self.exchange.on_text(conn, self.now, &text, &mut self.outbox);
                }
                self.wires[place].give_back(text);
            }
        }
        while let Some(text) = self.wires[EXTERNAL].take() {
            self.wires[EXTERNAL].give_back(text);
        }
    }
}
