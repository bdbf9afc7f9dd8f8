//! Which faults met which states of an order: the generator's own measure.

use super::words::{Method, Reply, Request};
use crate::sim::venue::faults::{Family, Fault, KINDS};
use std::collections::BTreeMap;

/// Where an order stands, as the engine can know it from the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// No order of ours is under way.
    Idle,
    /// Sent; nothing has been heard of it.
    Sent,
    /// It rests.
    Open,
    /// It rests, partly filled.
    Partly,
    /// A replacement has been asked for.
    Replacing,
    /// A cancel has been asked for.
    Leaving,
    /// An answer or a lost connection leaves it open whether it lives.
    Unknown,
    /// The execution of a quote is under way.
    Executing,
}

impl State {
    /// Every state.
    pub const ALL: [State; 8] = [
        State::Idle,
        State::Sent,
        State::Open,
        State::Partly,
        State::Replacing,
        State::Leaving,
        State::Unknown,
        State::Executing,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        ["idle", "sent", "open", "partly", "replacing", "leaving", "unknown", "executing"][self as usize]
    }
}

/// How often each fault met each state.
pub type Matrix = [[u64; State::ALL.len()]; KINDS];

/// Codes that leave the outcome open.
const AMBIGUOUS: [i64; 5] = [-32_603, 9_000, 9_001, 11_016, 11_017];

/// Orders under way, followed on the wire.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    live: BTreeMap<u64, State>,
}

impl Follower {
    /// The engine has said something.
    pub fn sent(&mut self, request: &Request) {
        match request.method {
            Method::Place => drop(self.live.insert(request.nonce, State::Sent)),
            Method::Execute => drop(self.live.insert(request.nonce, State::Executing)),
            Method::Replace => {
                self.move_to(request.replaces, State::Replacing);
                self.live.insert(request.nonce, State::Sent);
            }
            Method::Cancel => self.move_to(request.nonce, State::Leaving),
            Method::Ask | Method::Other => {}
        }
    }

    /// The venue has said something, and the engine hears it.
    pub fn heard(&mut self, reply: &Reply) {
        match reply {
            Reply::Refused { letter: 'c', .. } | Reply::Other => {}
            Reply::Refused { number, code, .. } if AMBIGUOUS.contains(code) => self.move_to(*number, State::Unknown),
            Reply::Refused { number, .. } => drop(self.live.remove(number)),
            Reply::Orders(rows) => rows.iter().for_each(|row| {
                if !row.open {
                    self.live.remove(&row.nonce);
                } else if let Some(state) = self.live.get_mut(&row.nonce)
                    && !matches!(state, State::Leaving | State::Replacing)
                {
                    *state = if row.partly { State::Partly } else { State::Open };
                }
            }),
            Reply::Listed(rows) => {
                let listed = |nonce: &u64| rows.iter().any(|row| row.nonce == *nonce);
                self.live.retain(|nonce, state| listed(nonce) || !matches!(state, State::Unknown | State::Leaving));
            }
        }
    }

    /// The connection or the engine is gone.
    pub fn lost(&mut self) {
        self.live.values_mut().for_each(|state| *state = State::Unknown);
    }

    fn move_to(&mut self, nonce: u64, to: State) {
        self.live.entry(nonce).and_modify(|state| *state = to);
    }

    /// Notes that a fault meets what is under way now.
    pub fn note(&self, fault: Fault, matrix: &mut Matrix) {
        let row = &mut matrix[fault as usize];
        if self.live.is_empty() {
            row[State::Idle as usize] += 1;
        }
        for state in State::ALL {
            row[state as usize] += u64::from(self.live.values().any(|live| *live == state));
        }
    }
}

/// Why a cell cannot be reached, if it cannot.
pub fn unreachable(fault: Fault, state: State) -> Option<&'static str> {
    let about_orders = matches!(
        fault,
        Fault::NonceSeen | Fault::TooLate | Fault::Frozen | Fault::Queued | Fault::ClockRefused | Fault::Liquidating
    );
    match (fault.kind().family, state) {
        (Family::Request, State::Idle) if about_orders => Some("it answers an order, which then is under way"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::soak::words::{Row, request};

    #[test]
    fn an_order_is_followed_through_its_life() {
        let mut follower = Follower::default();
        let text = |method: &str, nonce: u64, old: u64| {
            format!(
                r#"{{"id":"x","method":"private/{method}","params":{{"nonce":"{nonce}","nonce_to_cancel":"{old}"}}}}"#
            )
        };
        let say = |follower: &mut Follower, method, nonce, old| {
            follower.sent(&request(&text(method, nonce, old)).expect("a request"));
        };
        say(&mut follower, "order", 1, 0);
        assert_eq!(follower.live[&1], State::Sent);
        follower.heard(&Reply::Orders(vec![Row { nonce: 1, open: true, partly: true }]));
        assert_eq!(follower.live[&1], State::Partly);
        say(&mut follower, "replace", 2, 1);
        assert_eq!((follower.live[&1], follower.live[&2]), (State::Replacing, State::Sent));
        follower.heard(&Reply::Refused { letter: 'r', number: 2, code: 9_000 });
        say(&mut follower, "cancel_by_nonce", 1, 0);
        assert_eq!((follower.live[&1], follower.live[&2]), (State::Leaving, State::Unknown));
        follower.heard(&Reply::Listed(Vec::new()));
        assert!(follower.live.is_empty());
    }
}
