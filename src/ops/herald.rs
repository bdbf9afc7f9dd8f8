//! The engine's beat, sent to its sentry: only while every core of the pipeline turns and risk has lately said how things
//! stand. Silence is the alarm; nobody here may speak for a pipeline that hangs.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::base::time::{Nanos, SEC};
use crate::derive::dialect::Address;
use crate::engine::core::Pulse;
use crate::msg::Mode;
use crate::ops::news::News;
use crate::ops::sentry::beat::{Beat, Secret, State};
use crate::ops::sentry::wall_now;

/// Oldest word of risk about a vault that is passed on as life: ten of its regular ones.
const WORD_NS_MAX: u64 = SEC;

/// Sends beats.
pub struct Herald {
    socket: UdpSocket,
    secret: Secret,
    pulse: Pulse,
    beat: Beat,
    /// Moment of our own clock and what the newest looks of risk were stamped with.
    heard: (Nanos, Nanos),
}

impl Herald {
    /// Sends to `address` what only holders of `secret` can make, on behalf of a pipeline whose orders `signer` signs.
    ///
    /// # Errors
    /// Why nothing can be sent, in words.
    pub fn new(address: SocketAddr, secret: Secret, signer: Address, pulse: Pulse) -> Result<Herald, String> {
        let own = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let open = || {
            let socket = UdpSocket::bind(own)?;
            socket.set_nonblocking(true)?;
            socket.connect(address)?;
            Ok(socket)
        };
        let socket = open().map_err(|why: std::io::Error| format!("cannot send beats to {address}: {why}"))?;
        let at = wall_now();
        let beat = Beat { run: at, count: 0, at, nonce: 0, signer, state: State::Running, halted: 0 };
        Ok(Herald { socket, secret, pulse, beat, heard: (Nanos::ZERO, Nanos::ZERO) })
    }

    /// Sends a beat at our moment `at`, if the pipeline lives.
    pub fn beat(&mut self, at: Nanos, news: &News) {
        let turns = self.pulse.beats();
        let looks = || news.vaults().iter().map(|vault| vault.last);
        let oldest = looks().map(|last| last.map_or(Nanos::ZERO, |last| last.at)).min().unwrap_or(Nanos::ZERO);
        if oldest > self.heard.1 {
            self.heard = (at, oldest);
        }
        let said = self.heard.1 > Nanos::ZERO && at.since(self.heard.0) <= WORD_NS_MAX;
        if turns && said {
            let halted = looks().enumerate().filter(|(_, last)| last.is_some_and(|last| last.mode == Mode::Halted));
            self.beat.halted = halted.fold(0, |bits, (place, _)| bits | 1 << place.min(7));
            self.beat.nonce = looks().flatten().map(|last| last.nonce.0).max().unwrap_or(0);
            self.send(State::Running);
        }
    }

    /// The run is over; said more than once, since a datagram may be lost.
    pub fn end(&mut self, flat: bool) {
        (0..3).for_each(|_| self.send(if flat { State::Ended } else { State::Abandoned }));
    }

    fn send(&mut self, state: State) {
        self.beat = Beat { count: self.beat.count + 1, at: wall_now(), state, ..self.beat };
        // What does not leave is missed by the sentry, which is what it is there for.
        let _ = self.socket.send(&self.beat.seal(&self.secret));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::risk::{Notice, Sample};
    use crate::base::ids::{Nonce, VaultId};
    use crate::base::time::MS;
    use crate::engine::actor::Turn;
    use crate::engine::core::{Idle, run};
    use crate::ops::news::Traded;
    use crate::ops::sentry::beat::{BEAT_BYTES, Ear};
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Still;

    impl Turn for Still {
        fn turn(&mut self) -> bool {
            false
        }

        fn name(&self) -> &'static str {
            "still"
        }
    }

    fn told(news: &mut News, vault: u8, at: Nanos, mode: Mode) {
        let sample = Sample { at, mode, nonce: Nonce(7), ..Sample::default() };
        news.take(|_, _| Traded::Base, Notice::Sample { vault: VaultId(vault), sample, stats: Default::default() });
    }

    #[test]
    fn it_speaks_only_for_cores_that_turn_and_a_risk_that_talks() {
        let heard = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        heard.set_nonblocking(true).expect("a flag");
        let mut ear = Ear::new(Secret::new(&[3; 32]), SEC);
        let mut next = || {
            let mut page = [0; BEAT_BYTES + 1];
            heard.recv(&mut page).ok().map(|length| ear.hear(wall_now(), &page[..length]).expect("a beat"))
        };
        let mut pulse = Pulse::default();
        let passes = pulse.watch();
        let turn = || {
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| drop(run(vec![Box::new(Still)], (&stop, &passes), Idle::Yield)));
                let mut look = pulse.clone();
                look.beats();
                while !look.beats() {
                    std::thread::yield_now();
                }
                stop.store(true, Ordering::Relaxed);
            });
        };
        let address = heard.local_addr().expect("bound");
        let mut herald = Herald::new(address, Secret::new(&[3; 32]), [9; 20], pulse.clone()).expect("sends");
        let (start, mut news) = (Nanos(10 * SEC), News::new(2));
        turn();
        herald.beat(start, &news);
        assert_eq!(next(), None, "risk has said nothing yet");
        told(&mut news, 0, start, Mode::Live);
        turn();
        herald.beat(start, &news);
        assert_eq!(next(), None, "nor of every vault");
        told(&mut news, 1, start, Mode::Halted);
        turn();
        herald.beat(start, &news);
        let beat = next().expect("alive");
        assert_eq!((beat.count, beat.nonce, beat.halted, beat.signer), (1, 7, 0b10, [9; 20]));
        herald.beat(start.plus(MS), &news);
        assert_eq!(next(), None, "the core stands still");
        turn();
        herald.beat(start.plus(WORD_NS_MAX), &news);
        assert!(next().is_some());
        turn();
        herald.beat(start.plus(WORD_NS_MAX + MS), &news);
        assert_eq!(next(), None, "risk talks no more");
        herald.end(false);
        assert_eq!(next().map(|beat| beat.state), Some(State::Abandoned));
    }
}
