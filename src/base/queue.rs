//! Bounded lock-free lanes between two actors, and the small fixed batches actors write into.
//!
//! A lane between two actors has one producer and one consumer (`rtrb`). What happens when it is full is the sender's
//! rule: a [`Conflating`] sender keeps the newest per key, a plain [`Sender`] hands the message back. Where several
//! threads of the control plane speak to one actor, the lane is a [`Post`] (`crossbeam`).
//!
//! Every message carries the number its sender gave it, so that a reader's tape can name what was taken. A replay joins
//! its actors by [`open_lane`]s: they have no end, and the reader takes the message it names.
//!
//! A simulator may have a lane watched: the same lane, with a [`Witness`] that is told what was said and what was taken.

use super::buggify::{Place, bends};
use crossbeam::queue::ArrayQueue;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A message with its number, from one, counted over everything its sender wanted to say.
#[derive(Clone, Copy)]
struct Numbered<T> {
    number: u64,
    message: T,
}

/// What an open lane holds.
struct Shelf<T>(Arc<Mutex<Said<T>>>);

/// What was said and not taken, each with its conflation key.
type Said<T> = VecDeque<(Option<usize>, Numbered<T>)>;

impl<T: Copy> Shelf<T> {
    fn lock(&self) -> MutexGuard<'_, Said<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the message of this number. What its key said before it is gone, as it was on the lane that is replayed.
    fn take(&self, number: u64) -> Option<T> {
        let mut waiting = self.lock();
        let (key, message) =
            waiting.iter().find(|(_, said)| said.number == number).map(|(key, said)| (*key, said.message))?;
        waiting.retain(|(other, said)| said.number > number || *other != key);
        Some(message)
    }
}

/// Is told, in this order, what is said on a lane and what its reader takes.
pub trait Witness<T>: Send {
    /// A message is said; with its key where the lane keeps the newest of each.
    fn said(&mut self, key: Option<usize>, message: &T);
    /// The lane was full, and the message said last was handed back.
    fn handed_back(&mut self);
    /// A newer message took the place of one that waited, and the lane counts that.
    fn overwrote(&mut self);
    /// The reader took a message, or found none; with the number it was said under where the lane counts them, else zero.
    fn took(&mut self, next: Option<(u64, &T)>);
}

/// A witness, shared by both ends of its lane.
pub type Watched<T> = Arc<Mutex<dyn Witness<T>>>;

/// Tells a lane's witness, if it has one.
fn tell<T>(witness: &Option<Watched<T>>, news: impl FnOnce(&mut (dyn Witness<T> + 'static))) {
    if let Some(witness) = witness {
        news(&mut *witness.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

enum Write<T> {
    Bounded(rtrb::Producer<Numbered<T>>),
    Open(Shelf<T>),
}

enum Read<T> {
    Bounded(rtrb::Consumer<Numbered<T>>),
    Open(Shelf<T>),
}

/// The writing end of a lane.
pub struct Sender<T> {
    ring: Write<T>,
    said: u64,
    witness: Option<Watched<T>>,
}

/// The reading end of a lane.
pub struct Receiver<T> {
    ring: Read<T>,
    taken: u64,
    witness: Option<Watched<T>>,
}

/// A lane of `depth` messages.
pub fn lane<T: Copy>(depth: usize) -> (Sender<T>, Receiver<T>) {
    watched_lane(depth, None)
}

/// A lane of `depth` messages with a witness, if one is given.
pub fn watched_lane<T: Copy>(depth: usize, witness: Option<Watched<T>>) -> (Sender<T>, Receiver<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(depth);
    let sender = Sender { ring: Write::Bounded(producer), said: 0, witness: witness.clone() };
    (sender, Receiver { ring: Read::Bounded(consumer), taken: 0, witness })
}

/// A lane without end, from which the reader takes what it names. Not for the hot path: it locks and allocates.
pub fn open_lane<T: Copy>() -> (Sender<T>, Receiver<T>) {
    let shelf = Arc::new(Mutex::new(VecDeque::new()));
    let sender = Sender { ring: Write::Open(Shelf(Arc::clone(&shelf))), said: 0, witness: None };
    (sender, Receiver { ring: Read::Open(Shelf(shelf)), taken: 0, witness: None })
}

impl<T: Copy> Sender<T> {
    /// Sends, or hands the message back when the lane is full.
    pub fn send(&mut self, message: T) -> Result<(), T> {
        let numbered = self.number(None, message);
        self.put(None, numbered).map_err(|numbered| {
            tell(&self.witness, Witness::handed_back);
            numbered.message
        })
    }

    /// Free places.
    pub fn room(&self) -> usize {
        match &self.ring {
            Write::Bounded(ring) => ring.slots(),
            Write::Open(_) => usize::MAX,
        }
    }

    fn number(&mut self, key: Option<usize>, message: T) -> Numbered<T> {
        tell(&self.witness, |witness| witness.said(key, &message));
        self.said += 1;
        Numbered { number: self.said, message }
    }

    fn put(&mut self, key: Option<usize>, numbered: Numbered<T>) -> Result<(), Numbered<T>> {
        match &mut self.ring {
            Write::Bounded(ring) => ring.push(numbered).map_err(|rtrb::PushError::Full(numbered)| numbered),
            Write::Open(shelf) => {
                shelf.lock().push_back((key, numbered));
                Ok(())
            }
        }
    }
}

impl<T: Copy> Receiver<T> {
    /// The next message, if any.
    pub fn receive(&mut self) -> Option<T> {
        if bends(Place::LaneHolds) {
            return None;
        }
        let next = match &mut self.ring {
            Read::Bounded(ring) => ring.pop().ok(),
            Read::Open(shelf) => shelf.lock().pop_front().map(|(_, numbered)| numbered),
        };
        let next = next.map(|Numbered { number, message }| {
            self.taken = number;
            message
        });
        let number = self.taken;
        tell(&self.witness, |witness| witness.took(next.as_ref().map(|message| (number, message))));
        next
    }

    /// The number of the last message taken; zero before the first.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The message of this number, if it was said; only an open lane can be asked.
    pub fn receive_numbered(&mut self, number: u64) -> Option<T> {
        match &mut self.ring {
            Read::Bounded(_) => None,
            Read::Open(shelf) => shelf.take(number).inspect(|_| self.taken = number),
        }
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        match &self.ring {
            Read::Bounded(ring) => ring.is_empty(),
            Read::Open(shelf) => shelf.lock().is_empty(),
        }
    }
}

/// The writing end of a lane with several writers; copies share it.
pub struct Post<T> {
    queue: Arc<ArrayQueue<T>>,
    witness: Option<Watched<T>>,
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        Post { queue: Arc::clone(&self.queue), witness: self.witness.clone() }
    }
}

/// The reading end of a lane with several writers.
pub struct Postbox<T> {
    queue: Arc<ArrayQueue<T>>,
    witness: Option<Watched<T>>,
}

/// A lane of `depth` messages that any number of threads may write to.
pub fn post<T: Copy>(depth: usize) -> (Post<T>, Postbox<T>) {
    watched_post(depth, None)
}

/// The same with a witness, if one is given; then only one thread may write.
pub fn watched_post<T: Copy>(depth: usize, witness: Option<Watched<T>>) -> (Post<T>, Postbox<T>) {
    let queue = Arc::new(ArrayQueue::new(depth));
    (Post { queue: Arc::clone(&queue), witness: witness.clone() }, Postbox { queue, witness })
}

impl<T: Copy> Post<T> {
    /// Sends, or hands the message back when the lane is full.
    pub fn send(&self, message: T) -> Result<(), T> {
        tell(&self.witness, |witness| witness.said(None, &message));
        self.queue.push(message).inspect_err(|_| tell(&self.witness, Witness::handed_back))
    }
}

impl<T> Post<T> {
    /// True if a message would be handed back.
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }
}

impl<T: Copy> Postbox<T> {
    /// The next message, if any.
    pub fn receive(&mut self) -> Option<T> {
        if bends(Place::PostHolds) {
            return None;
        }
        let next = self.queue.pop();
        tell(&self.witness, |witness| witness.took(next.as_ref().map(|message| (0, message))));
        next
    }
}

/// A sender for prices: when the lane is full the newest message per key waits in its place and older ones vanish.
pub struct Conflating<T> {
    sender: Sender<T>,
    waiting: Box<[Option<Numbered<T>>]>,
    any_waiting: bool,
    conflated: u64,
}

impl<T: Copy> Conflating<T> {
    /// Over `sender`, for keys `0..keys`.
    pub fn new(sender: Sender<T>, keys: usize) -> Conflating<T> {
        Conflating { sender, waiting: vec![None; keys].into_boxed_slice(), any_waiting: false, conflated: 0 }
    }

    /// Sends, or keeps as the newest of its key. Keys outside the range are refused by assertion: a wiring error.
    pub fn send(&mut self, key: usize, message: T) {
        self.make_way();
        let numbered = self.sender.number(Some(key), message);
        if !self.any_waiting && !bends(Place::LaneLooksFull) && self.sender.put(Some(key), numbered).is_ok() {
            return;
        }
        if self.waiting[key].replace(numbered).is_some() {
            self.conflated += 1;
            tell(&self.sender.witness, Witness::overwrote);
        }
        self.any_waiting = true;
    }

    /// Sends what waits, as far as there is room. Call once a turn.
    pub fn flush(&mut self) {
        if !bends(Place::FlushWaits) {
            self.make_way();
        }
    }

    fn make_way(&mut self) {
        if !self.any_waiting {
            return;
        }
        for (key, place) in self.waiting.iter_mut().enumerate() {
            if let Some(numbered) = *place {
                if self.sender.put(Some(key), numbered).is_err() {
                    return;
                }
                *place = None;
            }
        }
        self.any_waiting = false;
    }

    /// Messages overwritten by a newer one of the same key.
    pub fn conflated(&self) -> u64 {
        self.conflated
    }
}

/// What one step of an actor says: at most `N` messages, in place, no allocation.
#[derive(Clone, Copy, Debug)]
pub struct Batch<T, const N: usize> {
    items: [Option<T>; N],
    len: usize,
}

impl<T: Copy, const N: usize> Default for Batch<T, N> {
    fn default() -> Self {
        Batch { items: [None; N], len: 0 }
    }
}

impl<T: Copy, const N: usize> Batch<T, N> {
    /// Adds a message. More than `N` in one step is our own error and asserts.
    pub fn push(&mut self, message: T) {
        assert!(self.len < N, "a step said more than its batch can hold");
        self.items[self.len] = Some(message);
        self.len += 1;
    }

    /// Free places.
    pub fn room(&self) -> usize {
        N - self.len
    }

    /// What was said, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items[..self.len].iter().flatten()
    }

    /// Takes everything out, in order, and leaves the batch empty.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        let len = std::mem::take(&mut self.len);
        self.items[..len].iter_mut().filter_map(Option::take)
    }

    /// True when nothing was said.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_hands_the_message_back() {
        let (mut sender, mut receiver) = lane(2);
        assert_eq!((sender.send(1), sender.send(2), sender.send(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((receiver.receive(), receiver.receive(), receiver.receive()), (Some(1), Some(2), None));
    }

    #[test]
    fn a_conflating_sender_keeps_the_newest_of_each_key() {
        let (sender, mut receiver) = lane(1);
        let mut prices = Conflating::new(sender, 2);
        for (key, price) in [(0, 10), (0, 11), (1, 20), (0, 12), (1, 21)] {
            prices.send(key, price);
        }
        let mut seen = Vec::new();
        while let Some(price) = receiver.receive() {
            seen.push(price);
            prices.flush();
        }
        assert_eq!(seen, [10, 12, 21]);
        assert_eq!(prices.conflated(), 2);
    }

    /// Whatever a bounded lane let through, in whatever order, an open one gives by its numbers.
    #[test]
    fn an_open_lane_gives_what_a_conflating_one_let_through() {
        let said = [(0, 10), (0, 11), (1, 20), (0, 12), (1, 21), (0, 13)];
        let (sender, mut receiver) = lane(1);
        let mut prices = Conflating::new(sender, 2);
        let (open, mut shelf) = open_lane();
        let mut same = Conflating::new(open, 2);
        let mut taken = Vec::new();
        for (key, price) in said {
            prices.send(key, price);
            same.send(key, price);
            if price == 12 {
                taken.push((receiver.receive().expect("one waits"), receiver.taken()));
            }
        }
        while let Some(price) = receiver.receive() {
            taken.push((price, receiver.taken()));
            prices.flush();
        }
        assert_eq!(taken, [(10, 1), (12, 4), (13, 6), (21, 5)]);
        assert_eq!(shelf.receive_numbered(7), None, "not said yet");
        for (price, number) in taken {
            assert_eq!((shelf.receive_numbered(number), shelf.taken()), (Some(price), number));
        }
        assert!(shelf.is_empty(), "what was overwritten does not pile up");
    }

    #[test]
    fn a_batch_drains_in_order_and_is_empty_after() {
        let mut batch: Batch<u8, 3> = Batch::default();
        batch.push(1);
        batch.push(2);
        assert_eq!(batch.drain().collect::<Vec<_>>(), [1, 2]);
        assert!(batch.is_empty());
    }
}
