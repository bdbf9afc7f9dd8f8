//! Plays one actor's tape back: it opens the queue the tape names next, and no other, and compares digests.

use super::{Damage, Entry, Letter, Roll, Source, What};
use crate::base::queue::Receiver;
use crate::base::time::Nanos;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Two digests that should be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which checkpoint, from one.
    pub checkpoint: u64,
    /// When it was taken.
    pub at: Nanos,
    /// What the tape says.
    pub recorded: u64,
    /// What the replay makes of it.
    pub replayed: u64,
}

/// How far a tape was played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Messages heard.
    pub messages: u64,
    /// Checkpoints that were equal.
    pub equal: u64,
    /// Moment of the first entry.
    pub began_at: Nanos,
    /// Moment of the last entry played.
    pub last_at: Nanos,
    /// The tape ends with a checkpoint taken at an orderly end.
    pub closed: bool,
}

/// One tape, and how far it was played.
pub struct Player {
    roll: Roll,
    next: Option<Entry>,
    horizon: Nanos,
    checkpoints_max: u64,
    progress: Progress,
    played: u64,
    difference: Option<Difference>,
    damage: Option<Damage>,
}

/// A checkpoint as it lies on the tape.
struct Mark {
    digest: u64,
    closed: bool,
}

impl Mark {
    fn read(what: &What) -> Option<Mark> {
        let What::Body(body) = what else { return None };
        let (digest, rest) = body.split_first_chunk::<8>()?;
        let (_, flags) = rest.split_first_chunk::<8>()?;
        Some(Mark { digest: u64::from_le_bytes(*digest), closed: flags == [1] })
    }
}

impl Player {
    /// From the beginning.
    pub fn new(roll: Roll) -> Player {
        let mut player = Player {
            roll,
            next: None,
            horizon: Nanos::MAX,
            checkpoints_max: u64::MAX,
            progress: Progress::default(),
            played: 0,
            difference: None,
            damage: None,
        };
        player.advance();
        player.progress.began_at = player.next.as_ref().map_or(Nanos::ZERO, |entry| entry.at);
        player
    }

    fn advance(&mut self) {
        self.next = match self.roll.next_entry() {
            Ok(next) => next,
            Err(damage) => {
                self.damage = Some(damage);
                None
            }
        };
    }

    /// The entry to be played next.
    pub fn next(&self) -> Option<&Entry> {
        self.next.as_ref().filter(|_| self.difference.is_none() && self.progress.equal < self.checkpoints_max)
    }

    /// True if nothing is left but the checkpoint of an orderly end.
    pub fn is_over(&self) -> bool {
        self.next().is_none_or(|entry| {
            entry.source == Source::Checkpoint && Mark::read(&entry.what).is_some_and(|mark| mark.closed)
        })
    }

    /// Nothing later than this is played.
    pub fn set_horizon(&mut self, at: Nanos) {
        self.horizon = at;
    }

    /// Nothing behind this many checkpoints is played.
    pub fn set_checkpoints_max(&mut self, count: u64) {
        self.checkpoints_max = count;
    }

    /// Entries played.
    pub fn played(&self) -> u64 {
        self.played
    }

    /// How far it was played.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The first checkpoint that was not equal.
    pub fn difference(&self) -> Option<Difference> {
        self.difference
    }

    /// Where the tape ceases to be believable.
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }

    /// Bytes of an unfinished entry at the end.
    pub fn torn(&self) -> u64 {
        self.roll.torn()
    }

    /// The body of the next entry, if it is of this source.
    fn body(&self, source: Source) -> Option<&[u8]> {
        let entry = self.next().filter(|entry| entry.source == source && entry.at <= self.horizon)?;
        match &entry.what {
            What::Body(body) => Some(body),
            What::Plain | What::Lane(_) => None,
        }
    }

    fn play(&mut self) -> Option<(Nanos, What)> {
        let entry = self.next.take()?;
        self.played += 1;
        self.progress.messages += u64::from(entry.source.is_message());
        self.progress.last_at = entry.at;
        self.advance();
        Some((entry.at, entry.what))
    }

    fn check(&mut self, digest: impl FnOnce() -> u64) {
        let Some(mark) =
            self.next().filter(|next| next.source == Source::Checkpoint).map(|next| Mark::read(&next.what))
        else {
            return;
        };
        let Some((at, _)) = self.play() else { return };
        let (recorded, replayed) = (mark.as_ref().map_or(0, |mark| mark.digest), digest());
        if recorded == replayed {
            self.progress.equal += 1;
            self.progress.closed |= mark.is_some_and(|mark| mark.closed);
        } else {
            self.difference = Some(Difference { checkpoint: self.progress.equal + 1, at, recorded, replayed });
        }
    }
}

/// The player, shared by the actor that is played to and whoever runs the replay.
#[derive(Clone)]
pub struct Gate(Arc<Mutex<Player>>);

impl Gate {
    /// Over a player.
    pub fn new(player: Player) -> Gate {
        Gate(Arc::new(Mutex::new(player)))
    }

    /// The player.
    pub fn player(&self) -> MutexGuard<'_, Player> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The moment of the next entry, if it is this and says no more.
    pub fn plain(&self, source: Source) -> Option<Nanos> {
        let mut player = self.player();
        let due = player.next().is_some_and(|entry| entry.source == source && entry.at <= player.horizon);
        if due { player.play().map(|(at, _)| at) } else { None }
    }

    /// The next entry's message from a lane, if it is of this lane and was said by now.
    pub fn lane<T: Copy>(&self, source: Source, lane: &mut Receiver<T>) -> Option<(Nanos, T)> {
        let mut player = self.player();
        let entry = player.next().filter(|entry| entry.source == source && entry.at <= player.horizon)?;
        let What::Lane(number) = entry.what else { return None };
        let message = lane.receive_numbered(number)?;
        player.play().map(|(at, _)| (at, message))
    }

    /// The next entry's body, if it is of this source and `read` understands it.
    pub fn body<T>(&self, source: Source, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<(Nanos, T)> {
        let mut player = self.player();
        let read = player.body(source).and_then(read)?;
        player.play().map(|(at, _)| (at, read))
    }

    /// The next entry's letter, if it is of this source.
    pub fn letter<T: Letter>(&self, source: Source) -> Option<(Nanos, T)> {
        self.body(source, T::read)
    }

    /// The next entry's body as it is, if it is of this source and about `what`.
    pub fn is_about(&self, source: Source, what: &[u8]) -> bool {
        self.body(source, |body| (body == what).then_some(())).is_some()
    }

    /// The signature the tape holds next; not taken.
    pub fn signature(&self) -> Option<[u8; 65]> {
        self.player().body(Source::Signature)?.try_into().ok()
    }

    /// Compares with the checkpoint, if one is next.
    pub fn check(&self, digest: impl FnOnce() -> u64) {
        self.player().check(digest);
    }
}
