//! Bounded lock-free lanes between two actors, and the small fixed batches actors write into.
//!
//! A lane between two actors has one producer and one consumer (`rtrb`). What happens when it is full is the sender's
//! rule: a [`Conflating`] sender keeps the newest per key, a plain [`Sender`] hands the message back. Where several
//! threads of the control plane speak to one actor, the lane is a [`Post`] (`crossbeam`).

use crossbeam::queue::ArrayQueue;
use std::sync::Arc;

/// The writing end of a lane.
pub struct Sender<T> {
    ring: rtrb::Producer<T>,
}

/// The reading end of a lane.
pub struct Receiver<T> {
    ring: rtrb::Consumer<T>,
}

/// A lane of `depth` messages.
pub fn lane<T: Copy>(depth: usize) -> (Sender<T>, Receiver<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(depth);
    (Sender { ring: producer }, Receiver { ring: consumer })
}

impl<T: Copy> Sender<T> {
    /// Sends, or hands the message back when the lane is full.
    pub fn send(&mut self, message: T) -> Result<(), T> {
        self.ring.push(message).map_err(|rtrb::PushError::Full(message)| message)
    }

    /// Free places.
    pub fn room(&self) -> usize {
        self.ring.slots()
    }
}

impl<T: Copy> Receiver<T> {
    /// The next message, if any.
    pub fn receive(&mut self) -> Option<T> {
        self.ring.pop().ok()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
}

/// The writing end of a lane with several writers; copies share it.
pub struct Post<T> {
    queue: Arc<ArrayQueue<T>>,
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        Post { queue: Arc::clone(&self.queue) }
    }
}

/// The reading end of a lane with several writers.
pub struct Postbox<T> {
    queue: Arc<ArrayQueue<T>>,
}

/// A lane of `depth` messages that any number of threads may write to.
pub fn post<T: Copy>(depth: usize) -> (Post<T>, Postbox<T>) {
    let queue = Arc::new(ArrayQueue::new(depth));
    (Post { queue: Arc::clone(&queue) }, Postbox { queue })
}

impl<T: Copy> Post<T> {
    /// Sends, or hands the message back when the lane is full.
    pub fn send(&self, message: T) -> Result<(), T> {
        self.queue.push(message)
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
        self.queue.pop()
    }
}

/// A sender for prices: when the lane is full the newest message per key waits in its place and older ones vanish.
pub struct Conflating<T> {
    sender: Sender<T>,
    waiting: Box<[Option<T>]>,
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
        self.flush();
        if !self.any_waiting && self.sender.send(message).is_ok() {
            return;
        }
        if self.waiting[key].replace(message).is_some() {
            self.conflated += 1;
        }
        self.any_waiting = true;
    }

    /// Sends what waits, as far as there is room. Call once a turn.
    pub fn flush(&mut self) {
        if !self.any_waiting {
            return;
        }
        for place in &mut self.waiting {
            if let Some(message) = *place {
                if self.sender.send(message).is_err() {
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

    #[test]
    fn a_batch_drains_in_order_and_is_empty_after() {
        let mut batch: Batch<u8, 3> = Batch::default();
        batch.push(1);
        batch.push(2);
        assert_eq!(batch.drain().collect::<Vec<_>>(), [1, 2]);
        assert!(batch.is_empty());
    }
}
