//! A vault's keeper beside a running engine: told what the pipeline says, started anew when it fails, and stopped with it.
//! Whatever its node says, trading goes on.

use super::ears::Ears;
use super::standing::Standing;
use super::task::{CapitalDesk, Task};
use super::words::{Event, Moment, Word};
use crate::actors::risk::Notice;
use crate::engine::ports::Key;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, MissedTickBehavior, timeout};

/// Events that may wait for a keeper that waits for its node: one movement of capital has four, and a moment that finds
/// no room is told again with the next look of risk.
const EVENTS: usize = 64;

/// How often the chain is looked at, and how patiently.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Time between two looks.
    pub look: Duration,
    /// Silence of the node after which to raise the alarm.
    pub silent_max: Duration,
    /// First pause after a failure; each one in a row is twice as long.
    pub again: Duration,
    /// Longest pause.
    pub again_max: Duration,
    /// Longest wait at the end for a transaction that is on its way.
    pub stop_max: Duration,
}

/// What others may read of a keeper.
pub type Shared = Arc<Mutex<Standing>>;

/// A copy of how a keeper stands.
pub fn standing(shared: &Shared) -> Standing {
    shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The pipeline's end of a keeper's line.
#[derive(Debug)]
pub struct Line {
    ears: Ears,
    /// Gone once the keeper is to stop.
    events: Option<Sender<Event>>,
    told: Option<Moment>,
}

impl Line {
    /// A line, and the keeper's end of it.
    pub fn open(ears: Ears) -> (Line, Receiver<Event>) {
        let (events, heard) = channel(EVENTS);
        (Line { ears, events: Some(events), told: None }, heard)
    }

    /// Passes on what the keeper must hear of it, without waiting.
    pub fn hear(&mut self, notice: &Notice) {
        let (Some(event), Some(events)) = (self.ears.hear(notice), &self.events) else { return };
        match event {
            Event::Moment(moment) if self.told == Some(moment) => {}
            Event::Moment(moment) => {
                if events.try_send(event).is_ok() {
                    self.told = Some(moment);
                }
            }
            // A keeper that misses one loses sight of its capital, says so, and begins again from the chain.
            event => drop(events.try_send(event)),
        }
    }

    /// Nothing more is said: the keeper comes to its end.
    pub fn hang_up(&mut self) {
        self.events = None;
    }
}

/// What a keeper works with.
pub struct Service<M> {
    /// Makes it, at the start and after a failure.
    pub make: M,
    /// How often it looks.
    pub pace: Pace,
    /// Where it tells how it stands.
    pub shared: Shared,
}

impl<M> Service<M> {
    fn note(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<K: Key, D: CapitalDesk, M: Fn() -> Result<Task<K, D>, String>> Service<M> {
    /// Keeps until the line is hung up; a failure is told, and after a pause it begins anew from what the chain says.
    pub async fn run(self, mut events: Receiver<Event>) {
        let (mut moment, mut pause) = (None, self.pace.again);
        loop {
            let began = Instant::now();
            let Err(why) = self.live(&mut events, &mut moment).await else { return };
            if began.elapsed() > self.pace.again_max {
                pause = self.pace.again;
            }
            self.note(|standing| standing.failed(&why, pause));
            if !rest(&mut events, &mut moment, pause).await {
                return;
            }
            pause = (pause * 2).min(self.pace.again_max);
        }
    }

    async fn live(&self, events: &mut Receiver<Event>, moment: &mut Option<Moment>) -> Result<(), String> {
        let mut task = (self.make)()?;
        // What it may do now was said to the one before it.
        if let Some(moment) = *moment {
            self.told(task.tell(Event::Moment(moment)).await);
        }
        let mut looks = tokio::time::interval(self.pace.look);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silent_since: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => {
                        remember(moment, &event);
                        self.told(task.tell(event).await);
                    }
                    None => return self.end(&mut task, looks).await,
                },
                _ = looks.tick() => self.look(&mut task, &mut silent_since).await,
            }
        }
    }

    async fn look(&self, task: &mut Task<K, D>, silent_since: &mut Option<Instant>) {
        match task.poll().await {
            Ok(words) => {
                *silent_since = None;
                self.told(words);
            }
            Err(why) => {
                let since = *silent_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= self.pace.silent_max {
                    *silent_since = Some(Instant::now());
                    self.note(|standing| standing.alarm(format!("its node does not answer: {why}")));
                }
            }
        }
        let (gas_used, paid_wei) = task.spent();
        self.note(|standing| (standing.gas_used, standing.paid_wei) = (gas_used, paid_wei));
    }

    /// Begins nothing more, and sees a transaction on its way into a block if that happens soon.
    async fn end(&self, task: &mut Task<K, D>, mut looks: tokio::time::Interval) -> Result<(), String> {
        self.told(task.tell(Event::Stop).await);
        let until = Instant::now() + self.pace.stop_max;
        while task.is_sending() && Instant::now() < until {
            looks.tick().await;
            if let Ok(words) = task.poll().await {
                self.told(words);
            }
        }
        let sending = task.is_sending();
        self.note(|standing| standing.ended(sending));
        Ok(())
    }

    fn told(&self, words: Vec<Word>) {
        if !words.is_empty() {
            self.note(|standing| words.iter().for_each(|word| standing.hear(word)));
        }
    }
}

fn remember(moment: &mut Option<Moment>, event: &Event) {
    if let Event::Moment(now) = event {
        *moment = Some(*now);
    }
}

/// Lets a while pass without losing what is said meanwhile; false if the line is hung up.
async fn rest(events: &mut Receiver<Event>, moment: &mut Option<Moment>, pause: Duration) -> bool {
    let until = Instant::now() + pause;
    loop {
        match timeout(until.saturating_duration_since(Instant::now()), events.recv()).await {
            Err(_) => return true,
            Ok(None) => return false,
            Ok(Some(event)) => remember(moment, &event),
        }
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
