//! Marked places of our own code that the simulator may bend: a lane that gives nothing this once, a time limit that is
//! over early, a look that is missed. Each bend is something that a slow or crowded host may do to the engine, so every
//! rule must hold beside it.
//!
//! Bends are compiled in with the feature `buggify` only, and then drawn from the seed of a storm, on the thread that
//! plays it; without the feature [`bends`] is `false` to the compiler, and nothing of it is left in the program.

/// A place that may be bent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Place {
    /// A lane between two actors.
    LaneHolds,
    /// A lane with several writers.
    PostHolds,
    /// A lane for prices, when something is said.
    LaneLooksFull,
    /// A lane for prices, when what waited is sent on.
    FlushWaits,
    /// The lane of reports from the gateway to risk.
    ReportsWait,
    /// Messages an actor takes in one turn.
    ShortTurn,
    /// An order's answer.
    DoubtsEarly,
    /// A cancel's answer.
    CancelsAgain,
    /// A snapshot that risk waits for.
    AsksAgain,
    /// The regular look at the account.
    LooksEarly,
    /// What the strategy is told.
    TellsAgain,
    /// A snapshot that the gateway waits for.
    SnapshotOver,
    /// A login or subscription that the gateway waits for.
    LoginOver,
    /// The venue's clock.
    TimeAgain,
    /// The public line.
    SilentEarly,
    /// The next nonce.
    NonceSkips,
    /// The message budget of quotes and hedges.
    BudgetEmpty,
    /// A strategy's look.
    LookMissed,
    /// A wish's answer.
    WishLost,
    /// The signer's chores.
    ChoreEarly,
    /// A value's heartbeat.
    ValueAgain,
}

/// Number of places.
pub const PLACES: usize = Place::ValueAgain as usize + 1;

/// Times each place was bent.
pub type Bent = [u64; PLACES];

/// Every place: its name, what happens there, and how often where a seed has chosen it, of a million times.
pub const TABLE: [(&str, &str, u32); PLACES] = [
    ("lane-holds", "a lane gives nothing this once", 250_000),
    ("post-holds", "a lane with several writers gives nothing this once", 250_000),
    ("lane-looks-full", "a price waits as if its lane were full", 250_000),
    ("flush-waits", "what waits beside a lane goes on waiting", 250_000),
    ("reports-wait", "reports wait as if risk were behind", 250_000),
    ("short-turn", "an actor takes one message and no more", 250_000),
    ("doubts-early", "an order that is not answered yet counts as unanswered", 2_000),
    ("cancels-again", "a cancel is asked for again soon", 20_000),
    ("asks-again", "a snapshot under way is asked for again", 5_000),
    ("looks-early", "the account is looked at though nothing asks for it", 5_000),
    ("tells-again", "the strategy is told what it knows", 250_000),
    ("snapshot-over", "a snapshot that is not late ends the connection", 2_000),
    ("login-over", "a login that is not late ends the connection", 2_000),
    ("time-again", "the venue's clock is asked for again", 5_000),
    ("silent-early", "a public line that speaks counts as silent", 200),
    ("nonce-skips", "a millisecond of nonces is left out", 250_000),
    ("budget-empty", "quotes and hedges find the message budget used up", 50_000),
    ("look-missed", "a strategy misses a look", 250_000),
    ("wish-lost", "a wish that is not answered yet counts as lost", 20_000),
    ("chore-early", "the signer does its chores early", 20_000),
    ("value-again", "a value is said again though nothing has changed", 100_000),
];

/// True if the program has bends.
pub const COMPILED_IN: bool = cfg!(feature = "buggify");

/// True if this place is bent now; never twice in a row.
#[inline(always)]
pub fn bends(place: Place) -> bool {
    #[cfg(feature = "buggify")]
    return drawn::bends(place);
    #[cfg(not(feature = "buggify"))]
    {
        let _ = place;
        false
    }
}

#[cfg(feature = "buggify")]
pub use drawn::{begin, end};

/// From now on this thread bends what `seed` chooses. Nothing happens where bends are not compiled in.
#[cfg(not(feature = "buggify"))]
pub fn begin(_seed: u64) {}

/// No more bends on this thread; how many there were.
#[cfg(not(feature = "buggify"))]
pub fn end() -> Bent {
    [0; PLACES]
}

#[cfg(feature = "buggify")]
mod drawn {
    use super::{Bent, PLACES, Place, TABLE};
    use std::cell::RefCell;

    /// A seed chooses one place in so many.
    const CHOSEN_EVERY: u64 = 4;
    const MILLION: u64 = 1_000_000;

    thread_local! {
        static WHIMS: RefCell<Option<Whims>> = const { RefCell::new(None) };
    }

    struct Whims {
        state: u64,
        chosen: u32,
        last: u32,
        bent: Bent,
    }

    impl Whims {
        /// SplitMix64.
        fn draw(&mut self) -> u64 {
            self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        }
    }

    /// From now on this thread bends what `seed` chooses.
    pub fn begin(seed: u64) {
        let mut whims = Whims { state: seed ^ 0x6275_6767_6966_7900, chosen: 0, last: 0, bent: [0; PLACES] };
        for place in 0..PLACES {
            whims.chosen |= u32::from(whims.draw().is_multiple_of(CHOSEN_EVERY)) << place;
        }
        WHIMS.set(Some(whims));
    }

    /// No more bends on this thread; how many there were.
    pub fn end() -> Bent {
        WHIMS.take().map_or([0; PLACES], |whims| whims.bent)
    }

    pub(super) fn bends(place: Place) -> bool {
        WHIMS.with_borrow_mut(|whims| {
            let Some(whims) = whims else { return false };
            let (bit, odds) = (1u32 << place as u8, u64::from(TABLE[place as usize].2));
            if whims.chosen & bit == 0 {
                return false;
            }
            let bent = whims.draw() % MILLION < odds && whims.last & bit == 0;
            whims.last = if bent { whims.last | bit } else { whims.last & !bit };
            whims.bent[place as usize] += u64::from(bent);
            bent
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_names_of_their_own() {
        let names: std::collections::BTreeSet<&str> = TABLE.iter().map(|(name, _, _)| *name).collect();
        assert_eq!(names.len(), PLACES);
    }

    #[test]
    #[cfg(not(feature = "buggify"))]
    fn nothing_bends_without_the_feature() {
        begin(1);
        assert!((0..10_000).all(|_| !bends(Place::LaneHolds)));
        assert_eq!(end(), [0; PLACES]);
    }

    #[test]
    #[cfg(feature = "buggify")]
    fn a_seed_bends_the_same_again_and_every_place_is_chosen_by_some() {
        let all = |seed| {
            begin(seed);
            for place in [Place::LaneHolds, Place::ShortTurn, Place::ValueAgain] {
                let bent: Vec<bool> = (0..1_000).map(|_| bends(place)).collect();
                assert!(bent.windows(2).all(|two| two != [true, true]), "{place:?}");
            }
            end()
        };
        assert!((0..100).all(|seed| all(seed) == all(seed)));
        for place in [Place::LaneHolds, Place::ShortTurn, Place::ValueAgain] {
            let seeds = (0..400).filter(|seed| all(*seed)[place as usize] > 0).count();
            assert!((60..140).contains(&seeds), "{place:?} in {seeds}");
        }
        assert!(!bends(Place::LaneHolds), "no storm, no bends");
    }
}
