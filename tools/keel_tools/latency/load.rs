//! The load: frames at fixed times whatever the other side does, and a book of which of them were answered when.

use super::socket::{Peer, accept};
use super::stand_in::{Said, StandIn, bid_ticks};
use super::{Kind, histogram};
use crate::basis_vault::{EXTERNAL, INSTRUMENTS, vault_account};
use hdrhistogram::Histogram;
use keel::base::time::{MS, Nanos, SEC};
use keel::engine::ports::Clock;
use keel::io::clock::LiveClock;
use keel::io::host;
use std::collections::VecDeque;
use std::net::TcpListener;

/// How often the prices that stand still are said again.
const KEEP_ALIVE_NS: u64 = 200 * MS;
/// Room before the next frame without which other work waits.
const GAP_NS: u64 = 50_000;
/// How long the last answers are waited for.
const LAST_NS: u64 = SEC;
/// How long the subject may take until it quotes.
const READY_NS: u64 = 15 * SEC;
/// Every so many looks at the private connection, the other two are looked at.
const LOOKS: u64 = 64;
/// Orders kept for checking their signatures.
const ORDERS_KEPT: usize = 8;

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Frames per second.
    pub rate_hz: u64,
    /// Frames counted.
    pub frames: u64,
    /// Frames sent before.
    pub warm_up: u64,
    /// Core to send from.
    pub core: Option<usize>,
}

/// What one round found.
pub struct Round {
    /// Waits from the scheduled send.
    pub waits: Histogram<u64>,
    /// Lateness of the load's own sends.
    pub lateness: Histogram<u64>,
    /// Frames counted.
    pub sent: u64,
    /// Frames answered by the answer to a later one.
    pub overtaken: u64,
    /// Frames not answered.
    pub missed: u64,
    /// The last orders, as they came.
    pub orders: VecDeque<Vec<u8>>,
}

/// Frames under way and what became of the others.
struct Ledger {
    open: VecDeque<(u64, Nanos)>,
    first: u64,
    round: Round,
}

impl Ledger {
    fn new(first: u64) -> Ledger {
        let round = Round {
            waits: histogram(),
            lateness: histogram(),
            sent: 0,
            overtaken: 0,
            missed: 0,
            orders: VecDeque::with_capacity(ORDERS_KEPT + 1),
        };
        Ledger { open: VecDeque::with_capacity(4_096), first, round }
    }

    fn sent(&mut self, frame: u64, due: Nanos, at: Nanos) {
        self.open.push_back((frame, due));
        if frame >= self.first {
            self.round.sent += 1;
            self.round.lateness.saturating_record(at.since(due).max(1));
        }
    }

    fn charge(&mut self, at: Nanos) -> Option<u64> {
        let (frame, due) = self.open.pop_front()?;
        if frame >= self.first {
            self.round.waits.saturating_record(at.since(due).max(1));
        }
        Some(frame)
    }

    /// The oldest open frame was answered.
    fn answered_next(&mut self, at: Nanos) {
        self.charge(at);
    }

    /// An order at this price: it answers the newest frame that asks for it, and every frame before that one.
    fn answered_at(&mut self, at: Nanos, ticks: u64) {
        let Some(place) = self.open.iter().rposition(|(frame, _)| bid_ticks(*frame) == ticks) else { return };
        for older in (0..=place).rev() {
            let frame = self.charge(at);
            if older > 0 && frame.is_some_and(|frame| frame >= self.first) {
                self.round.overtaken += 1;
            }
        }
    }

    fn keep(&mut self, text: &[u8]) {
        self.round.orders.push_back(text.to_vec());
        if self.round.orders.len() > ORDERS_KEPT {
            self.round.orders.pop_front();
        }
    }

    fn close(mut self, at: Nanos) -> Round {
        while let Some(frame) = self.charge(at) {
            self.round.missed += u64::from(frame >= self.first);
        }
        self.round
    }
}

/// The venue with its three connections.
struct Venue {
    public: Peer,
    external: Peer,
    private: Peer,
    stand_in: StandIn,
    clock: LiveClock,
    alive_at: Nanos,
    update: u64,
    kind: Kind,
    spin: bool,
}

impl Load {
    /// Waits for the subject, warms it up, and measures.
    pub fn drive(self, kind: Kind, listener: &TcpListener) -> Result<Round, String> {
        if let Some(core) = self.core {
            host::pin_to_core(core).map_err(|why| why.to_string())?;
        }
        let mut venue = Venue::open(kind, listener, self.core.is_some())?;
        let mut ledger = Ledger::new(self.warm_up + 1);
        venue.ready(&mut ledger)?;
        let interval_ns = SEC / self.rate_hz;
        let start = venue.clock.now().plus(10 * MS);
        let total = self.warm_up + self.frames;
        let (mut next, mut looks) = (1, 0u64);
        while next <= total {
            let due = start.plus(next * interval_ns);
            let at = venue.clock.now();
            if at >= due {
                venue.publish(next, at)?;
                ledger.sent(next, due, at);
                next += 1;
                continue;
            }
            looks += 1;
            venue.look(&mut ledger, looks)?;
            if ledger.open.is_empty() && due.since(at) > GAP_NS {
                venue.keep_alive(at)?;
            }
        }
        let last = venue.clock.now().plus(LAST_NS);
        while !ledger.open.is_empty() && venue.clock.now() < last {
            venue.look(&mut ledger, 0)?;
        }
        Ok(ledger.close(venue.clock.now()))
    }
}

impl Venue {
    fn open(kind: Kind, listener: &TcpListener, spin: bool) -> Result<Venue, String> {
        let (mut public, mut external, mut private) = (None, None, None);
        for _ in 0..3 {
            let (path, peer) = accept(listener)?;
            match path.as_str() {
                "/public" => public = Some(peer),
                "/external" => external = Some(peer),
                "/private" => private = Some(peer),
                other => return Err(format!("a connection to {other}, which does not exist")),
            }
        }
        let (Some(public), Some(external), Some(private)) = (public, external, private) else {
            return Err("two connections to the same path".to_owned());
        };
        let stand_in = StandIn::new(vault_account().subaccount, INSTRUMENTS);
        let (clock, alive_at) = (LiveClock::new(), Nanos::ZERO);
        Ok(Venue { public, external, private, stand_in, clock, alive_at, update: 0, kind, spin })
    }

    /// Until the engine's first order rests; the others are ready once connected.
    fn ready(&mut self, ledger: &mut Ledger) -> Result<(), String> {
        let deadline = self.clock.now().plus(READY_NS);
        while self.kind == Kind::Engine && self.stand_in.resting_ticks() != Some(bid_ticks(0)) {
            let at = self.clock.now();
            if at > deadline {
                return Err(format!("no quote within {} s", READY_NS / SEC));
            }
            self.keep_alive(at)?;
            self.look(ledger, 0)?;
        }
        Ok(())
    }

    fn publish(&mut self, frame: u64, at: Nanos) -> Result<(), String> {
        self.public.say(self.stand_in.book(frame, at.ms()))
    }

    /// Reads what arrived, charges it, then answers it.
    fn look(&mut self, ledger: &mut Ledger, looks: u64) -> Result<(), String> {
        let Venue { public, private, external, stand_in, clock, kind, spin, .. } = self;
        let mut replies = Vec::new();
        let mut unread = false;
        let arrived = private.poll(&mut |text| {
            let at = clock.now();
            if *kind == Kind::Echo {
                return ledger.answered_next(at);
            }
            match stand_in.hear(text, at.ms(), &mut |reply| replies.push(reply.to_owned())) {
                Some(Said::Priced { ticks }) => {
                    ledger.answered_at(at, ticks);
                    ledger.keep(text);
                }
                Some(Said::Cancel | Said::Session) => {}
                None => unread = true,
            }
        })?;
        if unread {
            return Err("a request this stand-in does not know".to_owned());
        }
        for reply in replies {
            private.say(&reply)?;
        }
        if looks.is_multiple_of(LOOKS) {
            let mut replies = Vec::new();
            let ms = clock.now().ms();
            public.poll(&mut |text| {
                stand_in.hear(text, ms, &mut |reply| replies.push(reply.to_owned()));
            })?;
            external.poll(&mut |_| ())?;
            for reply in replies {
                public.say(&reply)?;
            }
        }
        if !arrived && !*spin {
            std::thread::yield_now();
        }
        Ok(())
    }

    fn keep_alive(&mut self, at: Nanos) -> Result<(), String> {
        if at.since(self.alive_at) < KEEP_ALIVE_NS {
            return Ok(());
        }
        self.alive_at = at;
        self.update += 1;
        for place in 0..INSTRUMENTS.len() {
            self.public.say(self.stand_in.ticker(place, at.ms()))?;
        }
        self.external.say(self.stand_in.external(EXTERNAL, self.update))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame that was overtaken or lost is charged from its own schedule.
    #[test]
    fn every_frame_is_charged_from_its_schedule() {
        let mut ledger = Ledger::new(1);
        for frame in 0..6 {
            let due = Nanos(1_000 * (frame + 1));
            ledger.sent(frame, due, due.plus(5));
        }
        ledger.answered_at(Nanos(1_100), bid_ticks(0)); // warm-up: not counted
        ledger.answered_at(Nanos(5_500), bid_ticks(3)); // overtakes 1 and 2
        ledger.answered_at(Nanos(5_600), 1); // a price nobody asked for
        let round = ledger.close(Nanos(10_000));
        assert_eq!((round.sent, round.overtaken, round.missed), (5, 2, 2));
        let near = |quantile: f64, want: u64| {
            let found = round.waits.value_at_quantile(quantile);
            assert!(found.abs_diff(want) < 10, "{found} for {want}");
        };
        assert_eq!(round.waits.len(), 5);
        near(0.0, 1_500); // frame 3: due 4 000, answered 5 500
        near(0.2, 1_500);
        near(0.4, 2_500);
        near(0.6, 3_500);
        near(0.8, 4_000); // frame 5, never answered
        near(1.0, 5_000); // frame 4, never answered
    }
}
