//! What goes wrong between engine and venue: a seed draws which kinds of faults a run has, how often, and when.

mod elsewhere;
mod kinds;
mod texts;

pub use elsewhere::ELSEWHERE;
pub use kinds::{CATALOGUE, Family, Fault, KINDS, Kind};
pub(in crate::sim) use texts::member;

use crate::base::time::{MS, Nanos, SEC};
use crate::exchange::world::draws::Draws;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// How often each kind fired.
pub type Fired = [u64; KINDS];

/// One time that a fault fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strike {
    /// When, on the venue's clock.
    pub at: Nanos,
    /// Which kind.
    pub fault: Fault,
    /// How many of its kind came before.
    pub nth: u64,
}

/// Which faults a run may have: all the seed draws, unless a shrinking search has taken some away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    kinds: [bool; KINDS],
    spared: BTreeSet<(Fault, u64)>,
}

impl Allowed {
    /// Everything.
    pub fn all() -> Allowed {
        Allowed { kinds: [true; KINDS], spared: BTreeSet::new() }
    }

    /// Nothing.
    pub fn none() -> Allowed {
        Allowed { kinds: [false; KINDS], spared: BTreeSet::new() }
    }

    /// With a kind, or without it.
    pub fn with(mut self, fault: Fault, allowed: bool) -> Allowed {
        self.kinds[fault as usize] = allowed;
        self
    }

    /// Without these strikes.
    pub fn without(mut self, strikes: &[Strike]) -> Allowed {
        self.spared.extend(strikes.iter().map(|strike| (strike.fault, strike.nth)));
        self
    }
}

/// What becomes of a text of the venue.
pub(super) struct Passage<'a> {
    /// What arrives.
    pub text: Cow<'a, str>,
    /// When its copies arrive: none, one or two moments.
    pub due: [Option<Nanos>; 2],
    /// It says what was said, in other words.
    pub told: bool,
}

impl Passage<'_> {
    /// It arrives as it was said, at its time.
    pub(super) fn of(due: Nanos, text: &str) -> Passage<'_> {
        Passage { text: Cow::Borrowed(text), due: [Some(due), None], told: false }
    }
}

/// What becomes of a request.
pub(super) enum Handling {
    /// The venue receives and answers it.
    Through,
    /// It is gone.
    Lost,
    /// Something between answers it; the venue may receive it all the same, and what it says is not heard.
    Answered {
        /// The answer.
        text: String,
        /// The venue receives it.
        delivered: bool,
    },
}

/// Faults of one run.
#[derive(Debug)]
pub struct Faults {
    odds: [f64; KINDS],
    /// A stream for each kind, so that taking one away leaves the others' draws as they were.
    draws: Vec<Draws>,
    spared: BTreeSet<(Fault, u64)>,
    drawn: Fired,
    fired: Fired,
    log: Vec<Strike>,
    /// Since when and until when each lasting kind lasts.
    began: [Nanos; KINDS],
    until: [Nanos; KINDS],
    /// Which channels or which actor it is about.
    choice: [u64; KINDS],
    /// The private connection last lost a request or was silent.
    private_hurt_at: Nanos,
    /// A text of the venue on it last did not arrive as it was, or not in time.
    reply_hurt_at: Nanos,
}

/// Longest a text is late.
const LATE_S: f64 = 0.3;
/// Silences last between these, seconds.
const SILENCE_S: (f64, f64) = (0.5, 12.0);
/// A process stands still, or one of its actors, between these.
const STILL_S: (f64, f64) = (0.05, 4.0);
/// First of the streams.
const STREAMS: u64 = 7_700;
/// One channel in so many falls silent.
pub(super) const CHANNEL_SHARE: u64 = 3;

impl Faults {
    /// The private connection's replies lost, doubled and late, and nothing else.
    pub fn of_replies(seed: u64) -> Faults {
        let mut faults = Faults::none(seed);
        faults.odds[Fault::ReplyLost as usize] = 0.04;
        faults.odds[Fault::ReplyTwice as usize] = 0.04;
        faults.odds[Fault::ReplyLate as usize] = 0.08;
        faults
    }

    /// One kind alone, at its most.
    pub fn of(seed: u64, fault: Fault) -> Faults {
        let mut faults = Faults::none(seed);
        faults.odds[fault as usize] = fault.kind().odds_max;
        faults
    }

    /// Some of all kinds, each at a rate of its own between nothing and its most: another mix for each seed. Many runs
    /// have few kinds, some have most.
    pub fn swarm(seed: u64, allowed: &Allowed) -> Faults {
        let mut faults = Faults::none(seed);
        let mut mix = Draws::new(seed, 77);
        let share_of_kinds = mix.between(0.05, 0.6);
        for kind in &CATALOGUE {
            let (drawn, share) = (mix.happens(share_of_kinds), mix.uniform());
            let drawn = drawn && allowed.kinds[kind.fault as usize];
            faults.odds[kind.fault as usize] = if drawn { share * kind.odds_max } else { 0.0 };
        }
        faults.spared = allowed.spared.clone();
        faults
    }

    fn none(seed: u64) -> Faults {
        Faults {
            odds: [0.0; KINDS],
            draws: (0..KINDS as u64).map(|place| Draws::new(seed, STREAMS + place)).collect(),
            spared: BTreeSet::new(),
            drawn: [0; KINDS],
            fired: [0; KINDS],
            log: Vec::new(),
            began: [Nanos::ZERO; KINDS],
            until: [Nanos::ZERO; KINDS],
            choice: [0; KINDS],
            private_hurt_at: Nanos::ZERO,
            reply_hurt_at: Nanos::ZERO,
        }
    }

    /// How often each kind fired so far.
    pub fn fired(&self) -> Fired {
        self.fired
    }

    /// Every strike so far, in order.
    pub fn log(&self) -> &[Strike] {
        &self.log
    }

    /// True if a fault happens, at its odds over `share` of a second or for one text.
    pub fn strikes(&mut self, at: Nanos, fault: Fault, share: f64) -> bool {
        let place = fault as usize;
        let odds = self.odds[place] * share;
        if odds <= 0.0 || !self.draws[place].happens(odds) {
            return false;
        }
        let nth = self.drawn[place];
        self.drawn[place] += 1;
        let strikes = !self.spared.contains(&(fault, nth));
        if strikes {
            self.fired[place] += 1;
            self.log.push(Strike { at, fault, nth });
        }
        strikes
    }

    /// A draw that belongs to a fault that has just struck.
    pub fn draw(&mut self, fault: Fault, low: f64, high: f64) -> f64 {
        self.draws[fault as usize].between(low, high)
    }

    /// One of so many places, drawn for a fault that has just struck.
    pub fn pick(&mut self, fault: Fault, places: usize) -> usize {
        ((self.draw(fault, 0.0, 1.0) * places as f64) as usize).min(places.saturating_sub(1))
    }

    /// Lets what lasts begin, if it is due.
    pub fn begin_spans(&mut self, at: Nanos, share: f64) {
        for kind in CATALOGUE.iter().filter(|kind| kind.family == Family::Span) {
            let place = kind.fault as usize;
            if at < self.until[place] || !self.strikes(at, kind.fault, share) {
                continue;
            }
            let still = matches!(kind.fault, Fault::Paused | Fault::Starved);
            let (least, most) = if still { STILL_S } else { SILENCE_S };
            let length = self.draw(kind.fault, least, most);
            self.choice[place] = self.pick(kind.fault, 64) as u64;
            self.began[place] = at;
            self.until[place] = at.plus((length * 1_000.0) as u64 * MS);
        }
    }

    /// When a lasting fault last began, or ended.
    pub fn turned(&self, fault: Fault, at: Nanos) -> Nanos {
        let (began, until) = (self.began[fault as usize], self.until[fault as usize]);
        if until <= at { until } else { began }
    }

    /// Until when a lasting fault lasts, if it is at work.
    pub fn lasts(&self, fault: Fault, at: Nanos) -> Option<Nanos> {
        Some(self.until[fault as usize]).filter(|until| at < *until)
    }

    /// How far the chain's clock is ahead, or behind, while it is wrong: by a minute, an hour or days.
    pub fn chain_skew_ns(&self, at: Nanos) -> i64 {
        let choice = self.choice[Fault::ChainClock as usize];
        let reach_s = [61, 3_600, 3 * 86_400][(choice / 2 % 3) as usize];
        let sign = if choice.is_multiple_of(2) { 1 } else { -1 };
        self.lasts(Fault::ChainClock, at).map_or(0, |_| sign * reach_s * SEC as i64)
    }

    /// What was drawn for a fault when it last began to last, from nought to 63.
    pub fn choice(&self, fault: Fault) -> usize {
        self.choice[fault as usize] as usize
    }

    /// True while one of the engine's feeds says nothing: prices, its own orders, or both.
    pub fn is_silent(&self, at: Nanos) -> bool {
        let silences =
            [Fault::PrivateSilent, Fault::PublicSilent, Fault::ChannelSilent, Fault::Stalled, Fault::ExternalSilent];
        silences.into_iter().chain([Fault::Unreachable, Fault::Paused]).any(|fault| self.lasts(fault, at).is_some())
    }

    /// The actor that does not turn, of so many.
    pub fn starved(&self, at: Nanos, actors: usize) -> Option<usize> {
        self.lasts(Fault::Starved, at).map(|_| self.choice[Fault::Starved as usize] as usize % actors.max(1))
    }

    /// Since when no prices come to an engine at work, if none do: the public connection carries nothing.
    pub fn deaf_since(&self, at: Nanos) -> Option<Nanos> {
        let deaf = [Fault::PublicSilent, Fault::Stalled].into_iter().filter(|fault| self.lasts(*fault, at).is_some());
        let since = deaf.map(|fault| self.began[fault as usize]).min()?;
        // What a stall held back comes at its end, and what came to an engine that slept is heard when it wakes.
        let asleep = [Fault::Paused, Fault::Starved];
        if asleep.into_iter().any(|fault| self.lasts(fault, at).is_some()) {
            return None;
        }
        let over = asleep.into_iter().chain([Fault::Stalled]).map(|fault| self.until[fault as usize]);
        Some(over.filter(|until| *until <= at).fold(since, Nanos::max))
    }

    /// When a request was last lost or answered by nobody, or the private connection last silent.
    pub fn private_hurt_at(&self) -> Nanos {
        self.private_hurt_at
    }

    /// When a text of the venue on the private connection last did not arrive as it was, or not in time.
    pub fn reply_hurt_at(&self) -> Nanos {
        self.reply_hurt_at
    }

    /// Notes that requests cannot get through, or not in time.
    pub fn hurt_private(&mut self, at: Nanos) {
        self.private_hurt_at = at;
    }

    fn late(&mut self, fault: Fault, due: Nanos) -> Nanos {
        due.plus((self.draw(fault, 0.0, LATE_S) * SEC as f64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes_of(faults: &mut Faults, fault: Fault) -> Vec<bool> {
        (0..200).map(|at| faults.strikes(Nanos(at), fault, 1.0)).collect()
    }

    #[test]
    fn taking_a_kind_or_a_strike_away_leaves_the_others_alone() {
        let seed = 11;
        let whole = |allowed: Allowed| Faults { odds: [0.2; KINDS], ..Faults::swarm(seed, &allowed) };
        let lost = strikes_of(&mut whole(Allowed::all()), Fault::ReplyLost);
        let mut other = whole(Allowed::all());
        strikes_of(&mut other, Fault::NewsLate);
        assert_eq!(strikes_of(&mut other, Fault::ReplyLost), lost);
        let first = Strike { at: Nanos::ZERO, fault: Fault::ReplyLost, nth: 0 };
        let mut spared = whole(Allowed::all().without(&[first]));
        let place = lost.iter().position(|struck| *struck).expect("it strikes");
        let mut want = lost.clone();
        want[place] = false;
        assert_eq!(strikes_of(&mut spared, Fault::ReplyLost), want);
        assert_eq!(spared.fired()[Fault::ReplyLost as usize], want.iter().filter(|struck| **struck).count() as u64);
    }

    #[test]
    fn no_kind_strikes_that_is_not_allowed() {
        let mut faults = Faults::swarm(3, &Allowed::none());
        assert!(CATALOGUE.iter().all(|kind| !strikes_of(&mut faults, kind.fault).contains(&true)));
    }
}
