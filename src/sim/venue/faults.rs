//! What goes wrong between engine and venue: a seed draws which kinds of faults a run has, how often, and when.

use crate::base::time::{MS, Nanos, SEC};
use crate::exchange::world::draws::Draws;

/// Kinds of faults. The wires' own come first; the others are the driver's to bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A text of the venue on the private connection never arrives.
    ReplyLost,
    /// It arrives twice.
    ReplyTwice,
    /// It arrives late, after others.
    ReplyLate,
    /// A market text never arrives.
    NewsLost,
    /// It arrives late.
    NewsLate,
    /// A request of the engine never arrives.
    RequestLost,
    /// The private connection is open and carries nothing, neither way.
    PrivateSilent,
    /// The public connection is open and carries nothing.
    PublicSilent,
    /// The private connection is cut.
    PrivateCut,
    /// The public connection is cut.
    PublicCut,
    /// Both are.
    AllCut,
    /// The engine is killed and started again.
    Killed,
    /// The engine is killed at a request that the venue still receives.
    KilledAfterRequest,
    /// The engine is killed at a request that never leaves.
    KilledBeforeRequest,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 14] = [
        Fault::ReplyLost,
        Fault::ReplyTwice,
        Fault::ReplyLate,
        Fault::NewsLost,
        Fault::NewsLate,
        Fault::RequestLost,
        Fault::PrivateSilent,
        Fault::PublicSilent,
        Fault::PrivateCut,
        Fault::PublicCut,
        Fault::AllCut,
        Fault::Killed,
        Fault::KilledAfterRequest,
        Fault::KilledBeforeRequest,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Fault::ReplyLost => "reply-lost",
            Fault::ReplyTwice => "reply-twice",
            Fault::ReplyLate => "reply-late",
            Fault::NewsLost => "news-lost",
            Fault::NewsLate => "news-late",
            Fault::RequestLost => "request-lost",
            Fault::PrivateSilent => "private-silent",
            Fault::PublicSilent => "public-silent",
            Fault::PrivateCut => "private-cut",
            Fault::PublicCut => "public-cut",
            Fault::AllCut => "all-cut",
            Fault::Killed => "killed",
            Fault::KilledAfterRequest => "killed-after-request",
            Fault::KilledBeforeRequest => "killed-before-request",
        }
    }

    /// Most often it happens: per text for those of texts, per second for the others.
    const fn odds_max(self) -> f64 {
        match self {
            Fault::ReplyLost | Fault::ReplyTwice => 0.05,
            Fault::ReplyLate => 0.1,
            Fault::NewsLost | Fault::NewsLate => 0.3,
            Fault::RequestLost => 0.03,
            Fault::PrivateSilent | Fault::PublicSilent | Fault::AllCut => 0.03,
            Fault::PrivateCut | Fault::PublicCut => 0.06,
            Fault::Killed | Fault::KilledAfterRequest | Fault::KilledBeforeRequest => 0.02,
        }
    }
}

/// How often each kind fired.
pub type Fired = [u64; Fault::ALL.len()];

/// Faults of one run.
#[derive(Debug)]
pub struct Faults {
    odds: [f64; Fault::ALL.len()],
    draws: Draws,
    fired: Fired,
    /// Silence of the private and the public connection ends.
    silent_until: [Nanos; 2],
    /// The private connection last lost a request or was silent.
    private_hurt_at: Nanos,
}

/// Longest a text is late.
const LATE_S: f64 = 0.3;
/// Silences last between these, seconds.
const SILENCE_S: (f64, f64) = (0.5, 12.0);

impl Faults {
    /// The private connection's replies lost, doubled and late, and nothing else.
    pub fn of_replies(seed: u64) -> Faults {
        let mut faults = Faults::none(seed);
        faults.odds[Fault::ReplyLost as usize] = 0.04;
        faults.odds[Fault::ReplyTwice as usize] = 0.04;
        faults.odds[Fault::ReplyLate as usize] = 0.08;
        faults
    }

    /// About half of all kinds, each at a rate of its own between nothing and its most: another mix for each seed.
    pub fn swarm(seed: u64) -> Faults {
        let mut faults = Faults::none(seed);
        for fault in Fault::ALL {
            let (drawn, share) = (faults.draws.happens(0.5), faults.draws.uniform());
            faults.odds[fault as usize] = if drawn { share * fault.odds_max() } else { 0.0 };
        }
        faults
    }

    fn none(seed: u64) -> Faults {
        let (odds, fired) = ([0.0; Fault::ALL.len()], [0; Fault::ALL.len()]);
        Faults {
            odds,
            draws: Draws::new(seed, 77),
            fired,
            silent_until: [Nanos::ZERO; 2],
            private_hurt_at: Nanos::ZERO,
        }
    }

    /// How often each kind fired so far.
    pub fn fired(&self) -> Fired {
        self.fired
    }

    /// True if a fault happens, at its odds over `share` of a second or for one text.
    pub fn strikes(&mut self, fault: Fault, share: f64) -> bool {
        let odds = self.odds[fault as usize] * share;
        let strikes = odds > 0.0 && self.draws.happens(odds);
        self.fired[fault as usize] += u64::from(strikes);
        strikes
    }

    /// Lets a silence begin if one is due.
    pub fn hush(&mut self, at: Nanos, share: f64) {
        for (place, fault) in [Fault::PrivateSilent, Fault::PublicSilent].into_iter().enumerate() {
            if at >= self.silent_until[place] && self.strikes(fault, share) {
                let length = self.draws.between(SILENCE_S.0, SILENCE_S.1);
                self.silent_until[place] = at.plus((length * 1_000.0) as u64 * MS);
            }
        }
    }

    /// True if the public connection carries nothing.
    pub fn is_deaf(&self, at: Nanos) -> bool {
        at < self.silent_until[1]
    }

    /// When a request was last lost, or the private connection last silent.
    pub fn private_hurt_at(&self) -> Nanos {
        self.private_hurt_at
    }

    /// When the copies of a text of the venue arrive: none, one or two moments.
    pub(super) fn fates(&mut self, private: bool, at: Nanos, due: Nanos) -> [Option<Nanos>; 2] {
        let place = usize::from(!private);
        if at < self.silent_until[place] {
            self.hurt(private, at);
            return [None, None];
        }
        let late = due.plus((self.draws.between(0.0, LATE_S) * SEC as f64) as u64);
        let [lost, delayed] =
            if private { [Fault::ReplyLost, Fault::ReplyLate] } else { [Fault::NewsLost, Fault::NewsLate] };
        if self.strikes(lost, 1.0) {
            return [None, None];
        }
        if private && self.strikes(Fault::ReplyTwice, 1.0) {
            return [Some(due), Some(late)];
        }
        if self.strikes(delayed, 1.0) { [Some(late), None] } else { [Some(due), None] }
    }

    /// True if a request of the engine does not arrive.
    pub(super) fn loses_request(&mut self, at: Nanos) -> bool {
        let lost = at < self.silent_until[0] || self.strikes(Fault::RequestLost, 1.0);
        if lost {
            self.hurt(true, at);
        }
        lost
    }

    fn hurt(&mut self, private: bool, at: Nanos) {
        if private {
            self.private_hurt_at = at;
        }
    }
}
