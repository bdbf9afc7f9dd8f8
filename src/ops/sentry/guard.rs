//! The sentry as a fold: beats, the venue's words and time in; requests and words for people out.
//!
//! While the engine lives it only reads. When the beat has been missing too long, or the engine says that a vault is halted
//! or that it left orders behind, it cancels until the venue says that nothing rests, and looks again for as long as the
//! reason lasts. An order the engine cannot have made is cancelled whoever lives.

use std::collections::VecDeque;
use std::fmt;

use super::badge::Badge;
use super::beat::{Beat, State};
use super::words::{self, Ask, Heard, Seen};
use crate::base::ids::SubaccountId;
use crate::base::time::{MS, Nanos, SEC};
use crate::derive::dialect::Address;
use crate::engine::ports::{Event, Key};

/// Requests to cancel everything the venue takes in [`CANCEL_WINDOW_NS`].
const CANCELS_MAX: usize = 5;
/// Length of the venue's window for them.
const CANCEL_WINDOW_NS: u64 = 5 * SEC;
/// An answer not heard by then is asked for again.
const ANSWER_NS_MAX: u64 = SEC;
/// Time between two rounds of cancelling while something rests.
const ROUND_NS: u64 = 200 * MS;
/// Time between two looks while nothing rests.
const LOOK_NS: u64 = SEC;
/// The beat after this long must know the name of an order of the engine's.
const NAMED_NS_MAX: u64 = SEC;
/// Orders waiting to be named by a beat: more than eight vaults can have under way.
const UNNAMED_MAX: usize = 256;

/// What it guards, and how patiently.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Owner of the subaccounts.
    pub wallet: Address,
    /// Subaccounts, by vault.
    pub subaccounts: Vec<SubaccountId>,
    /// Silence after which the engine counts as dead.
    pub silence_ns_max: u64,
}

/// Why a subaccount is being cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The engine's beat is missing.
    Silent,
    /// The engine says that this vault is halted.
    Halted,
    /// The engine has ended and may have left orders behind.
    Abandoned,
    /// An order that the engine cannot have made.
    Foreign,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Silent => "the engine is silent",
            Why::Halted => "the engine has halted the vault",
            Why::Abandoned => "the engine ended and may have left orders behind",
            Why::Foreign => "an order the engine did not make",
        })
    }
}

/// What people are told.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    /// Logged in and subscribed.
    Watching,
    /// The connection to the venue is gone.
    VenueLost,
    /// The venue refuses a request.
    Refused {
        /// The venue's code.
        code: i64,
        /// The venue's words.
        message: String,
    },
    /// A run of the engine is heard for the first time, or again.
    Heard {
        /// When it began.
        run: Nanos,
    },
    /// It ended and left nothing behind.
    Ended,
    /// Orders of a subaccount are being cancelled.
    Clearing {
        /// Whose.
        subaccount: SubaccountId,
        /// Why.
        why: Why,
    },
    /// The venue says that nothing rests any more.
    Clear {
        /// Whose.
        subaccount: SubaccountId,
        /// Since clearing began.
        after_ns: u64,
    },
    /// An order that the engine cannot have made.
    Foreign(Seen),
    /// A trade while no engine lives.
    Traded {
        /// Whose.
        subaccount: SubaccountId,
    },
}

impl Word {
    /// True for what a person must look at.
    pub fn is_alarm(&self) -> bool {
        !matches!(self, Word::Watching | Word::Heard { .. } | Word::Ended | Word::Clear { .. })
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Word::Watching => f.write_str("watching: logged in and subscribed"),
            Word::VenueLost => f.write_str("the connection to the venue is gone"),
            Word::Refused { code, message } => write!(f, "the venue refuses: {code} {message}"),
            Word::Heard { run } => write!(f, "the engine lives (run {})", run.0),
            Word::Ended => f.write_str("the engine has ended and left nothing behind"),
            Word::Clearing { subaccount, why } => write!(f, "cancelling everything of {}: {why}", subaccount.0),
            Word::Clear { subaccount, after_ns } => {
                write!(f, "nothing of {} rests any more, after {} ms", subaccount.0, after_ns / MS)
            }
            Word::Foreign(order) => {
                let (order_id, subaccount, nonce) = (&order.order_id, order.subaccount.0, order.nonce);
                write!(f, "order {order_id} of {subaccount}, nonce {nonce}, is not the engine's")
            }
            Word::Traded { subaccount } => write!(f, "a trade of {} while no engine lives", subaccount.0),
        }
    }
}

/// What the sentry hears.
pub enum In<'a> {
    /// From the venue.
    Wire(Event<'a>),
    /// From the engine.
    Beat(&'a Beat),
    /// Time passed.
    Tick,
}

/// What one step says.
#[derive(Default)]
pub struct Out {
    /// To the venue.
    pub texts: Vec<Vec<u8>>,
    /// To people.
    pub words: Vec<Word>,
    /// The connection must be dropped.
    pub drop_connection: bool,
}

/// How far the connection has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Down,
    /// Login or subscription sent: number of the request, and when.
    Entering {
        seq: u64,
        at: Nanos,
        subscribing: bool,
    },
    Up,
}

/// What is known of the engine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Engine {
    /// Its last beat says that it runs.
    Alive { heard_at: Nanos },
    /// It has been silent too long.
    Silent,
    /// It has ended well.
    Ended,
    /// It has ended with orders behind it.
    Abandoned,
}

/// One subaccount.
struct Post {
    subaccount: SubaccountId,
    /// Why it is being cleared, since when, and whether the venue has said that nothing rests.
    clearing: Option<(Why, Nanos, bool)>,
    /// The list of open orders that was asked for: number of the request, and when.
    asked: Option<(u64, Nanos)>,
    /// When the next round is due.
    due: Nanos,
    /// Orders known not to be the engine's.
    foreign: Vec<String>,
}

/// The sentry.
pub struct Guard<K> {
    terms: Terms,
    badge: Badge<K>,
    line: Line,
    engine: Engine,
    /// The engine's last beat.
    last: Option<Beat>,
    posts: Vec<Post>,
    /// When everything was asked to be cancelled, oldest first.
    cancels: VecDeque<Nanos>,
    /// Orders that a later beat must know.
    unnamed: VecDeque<(Nanos, Seen)>,
    seq: u64,
}

impl<K: Key> Guard<K> {
    /// From `at` on; an engine that is not heard within the silence allowed counts as dead.
    pub fn new(at: Nanos, terms: Terms, badge: Badge<K>) -> Guard<K> {
        let post = |subaccount: &SubaccountId| Post {
            subaccount: *subaccount,
            clearing: None,
            asked: None,
            due: Nanos::ZERO,
            foreign: Vec::new(),
        };
        Guard {
            posts: terms.subaccounts.iter().map(post).collect(),
            terms,
            badge,
            line: Line::Down,
            engine: Engine::Alive { heard_at: at },
            last: None,
            cancels: VecDeque::with_capacity(CANCELS_MAX),
            unnamed: VecDeque::new(),
            seq: 0,
        }
    }

    /// Hears one message at one moment.
    pub fn on(&mut self, at: Nanos, message: In<'_>, out: &mut Out) {
        match message {
            In::Wire(Event::Up { .. }) => self.enter(at, out),
            In::Wire(Event::Down(_)) => self.on_down(out),
            In::Wire(Event::Text(text)) => match words::read(text) {
                Some(Heard::Answer { seq, result }) => self.on_answer(at, seq, result, out),
                Some(Heard::Orders(orders)) => orders.into_iter().for_each(|order| self.on_order(at, order, out)),
                Some(Heard::Trades(subaccounts)) => self.on_trades(&subaccounts, out),
                None => {}
            },
            In::Beat(beat) => self.on_beat(at, beat, out),
            In::Tick => self.on_tick(at, out),
        }
    }

    fn say(&mut self, ask: &Ask, out: &mut Out) -> u64 {
        self.seq += 1;
        out.texts.push(ask.write(self.seq).expect("eight subaccounts fit into a request"));
        self.seq
    }

    fn enter(&mut self, at: Nanos, out: &mut Out) {
        let (timestamp_ms, signature) = self.badge.prove(at);
        let seq = self.say(&Ask::Login { wallet: self.terms.wallet, timestamp_ms, signature }, out);
        self.line = Line::Entering { seq, at, subscribing: false };
    }

    fn on_down(&mut self, out: &mut Out) {
        if self.line == Line::Up {
            out.words.push(Word::VenueLost);
        }
        self.line = Line::Down;
        self.posts.iter_mut().for_each(|post| post.asked = None);
    }

    fn on_answer(&mut self, at: Nanos, seq: u64, result: Result<serde_json::Value, (i64, String)>, out: &mut Out) {
        let result = match result {
            Ok(result) => result,
            Err((code, message)) => {
                out.words.push(Word::Refused { code, message });
                // What was not listed is listed again; what was not let in comes again with a new connection.
                self.posts.iter_mut().filter(|post| post.asked.is_some_and(|(asked, _)| asked == seq)).for_each(
                    |post| {
                        (post.asked, post.due) = (None, at.plus(LOOK_NS));
                    },
                );
                out.drop_connection |= matches!(self.line, Line::Entering { seq: waited, .. } if waited == seq);
                return;
            }
        };
        match self.line {
            Line::Entering { seq: waited, subscribing: false, .. } if waited == seq => {
                let seq = self.say(&Ask::Subscribe(self.terms.subaccounts.clone()), out);
                self.line = Line::Entering { seq, at, subscribing: true };
            }
            Line::Entering { seq: waited, subscribing: true, .. } if waited == seq => {
                self.line = Line::Up;
                out.words.push(Word::Watching);
                // What was placed while nobody looked.
                (0..self.posts.len()).for_each(|place| self.look(at, place, out));
            }
            _ => self.on_list(at, seq, &result, out),
        }
    }

    fn look(&mut self, at: Nanos, place: usize, out: &mut Out) {
        let seq = self.say(&Ask::OpenOrders(self.posts[place].subaccount), out);
        self.posts[place].asked = Some((seq, at));
    }

    /// The open orders of a subaccount.
    fn on_list(&mut self, at: Nanos, seq: u64, result: &serde_json::Value, out: &mut Out) {
        let Some(place) = self.posts.iter().position(|post| post.asked.is_some_and(|(asked, _)| asked == seq)) else {
            return;
        };
        let Some(orders) = words::open_orders(result) else { return };
        self.posts[place].asked = None;
        let ids: Vec<String> = orders.iter().map(|order| order.order_id.clone()).collect();
        orders.into_iter().for_each(|order| self.on_order(at, order, out));
        let post = &mut self.posts[place];
        post.foreign.retain(|order_id| ids.contains(order_id));
        let Some((why, since, clear)) = &mut post.clearing else { return };
        let resting = if *why == Why::Foreign { !post.foreign.is_empty() } else { !ids.is_empty() };
        post.due = at.plus(if resting { ROUND_NS } else { LOOK_NS });
        if !resting && !*clear {
            out.words.push(Word::Clear { subaccount: post.subaccount, after_ns: at.since(*since) });
        }
        *clear = !resting;
        if !resting && *why == Why::Foreign {
            post.clearing = None;
        }
    }

    fn on_order(&mut self, at: Nanos, order: Seen, out: &mut Out) {
        if !order.open || !self.posts.iter().any(|post| post.subaccount == order.subaccount) {
            return;
        }
        match (self.engine, self.last) {
            (Engine::Alive { .. }, Some(beat)) if order.signer.is_some_and(|signer| signer != beat.signer) => {
                self.on_foreign(at, order, out);
            }
            (Engine::Alive { .. }, last) => {
                let named = last.is_some_and(|beat| order.nonce <= beat.nonce);
                if !named && self.unnamed.len() < UNNAMED_MAX {
                    self.unnamed.push_back((at, order));
                }
            }
            (Engine::Ended, _) => self.on_foreign(at, order, out),
            // Everything goes anyway.
            (Engine::Silent | Engine::Abandoned, _) => {}
        }
    }

    fn on_foreign(&mut self, at: Nanos, order: Seen, out: &mut Out) {
        let Some(post) = self.posts.iter_mut().find(|post| post.subaccount == order.subaccount) else { return };
        if post.foreign.contains(&order.order_id) {
            return;
        }
        post.foreign.push(order.order_id.clone());
        begin(post, at, Why::Foreign, out);
        out.words.push(Word::Foreign(order));
    }

    fn on_trades(&mut self, subaccounts: &[SubaccountId], out: &mut Out) {
        if matches!(self.engine, Engine::Alive { .. }) {
            return;
        }
        let ours = subaccounts.iter().filter(|sub| self.terms.subaccounts.contains(sub));
        out.words.extend(ours.map(|sub| Word::Traded { subaccount: *sub }));
    }

    fn on_beat(&mut self, at: Nanos, beat: &Beat, out: &mut Out) {
        let known = self.last.replace(*beat).is_some_and(|last| last.run == beat.run);
        let was_alive = matches!(self.engine, Engine::Alive { .. });
        match beat.state {
            State::Running => {
                if !known || !was_alive {
                    out.words.push(Word::Heard { run: beat.run });
                }
                self.engine = Engine::Alive { heard_at: at };
                for (place, post) in self.posts.iter_mut().enumerate() {
                    let halted = place < 8 && beat.halted & (1 << place) != 0;
                    match post.clearing {
                        _ if halted => begin(post, at, Why::Halted, out),
                        Some((Why::Foreign, ..)) | None => {}
                        Some(_) => post.clearing = None,
                    }
                }
                self.judge_names(at, beat, out);
            }
            State::Ended => {
                if self.engine != Engine::Ended {
                    out.words.push(Word::Ended);
                }
                self.engine = Engine::Ended;
                self.posts.iter_mut().for_each(|post| (post.clearing, post.due) = (None, at));
            }
            State::Abandoned => {
                self.engine = Engine::Abandoned;
                self.posts.iter_mut().for_each(|post| begin(post, at, Why::Abandoned, out));
            }
        }
    }

    /// Orders seen a while ago whose names the engine has still not given to any.
    fn judge_names(&mut self, at: Nanos, beat: &Beat, out: &mut Out) {
        while let Some((seen_at, order)) = self.unnamed.front()
            && (order.nonce <= beat.nonce || at.since(*seen_at) > NAMED_NS_MAX)
        {
            let strange = order.nonce > beat.nonce || order.signer.is_some_and(|signer| signer != beat.signer);
            if let Some((_, order)) = self.unnamed.pop_front().filter(|_| strange) {
                self.on_foreign(at, order, out);
            }
        }
    }

    fn on_tick(&mut self, at: Nanos, out: &mut Out) {
        if let Engine::Alive { heard_at } = self.engine
            && at.since(heard_at) >= self.terms.silence_ns_max
        {
            self.engine = Engine::Silent;
            self.unnamed.clear();
            self.posts.iter_mut().for_each(|post| begin(post, at, Why::Silent, out));
        }
        if matches!(self.line, Line::Entering { at: since, .. } if at.since(since) > 5 * ANSWER_NS_MAX) {
            (self.line, out.drop_connection) = (Line::Down, true);
        }
        if self.line == Line::Up {
            (0..self.posts.len()).for_each(|place| self.turn(at, place, out));
        }
    }

    /// One subaccount's next round, if it is due.
    fn turn(&mut self, at: Nanos, place: usize, out: &mut Out) {
        let post = &self.posts[place];
        let waiting = post.asked.is_some_and(|(_, asked_at)| at.since(asked_at) <= ANSWER_NS_MAX);
        if waiting || at < post.due {
            return;
        }
        match post.clearing {
            Some((.., false)) => {
                while self.cancels.front().is_some_and(|sent| at.since(*sent) > CANCEL_WINDOW_NS) {
                    self.cancels.pop_front();
                }
                if self.cancels.len() < CANCELS_MAX {
                    self.cancels.push_back(at);
                    self.say(&Ask::CancelAll(self.posts[place].subaccount), out);
                }
                self.look(at, place, out);
            }
            Some((.., true)) => self.look(at, place, out),
            // Nobody lives who could have placed something: whatever shows up is foreign.
            None if self.engine == Engine::Ended => {
                self.posts[place].due = at.plus(5 * LOOK_NS);
                self.look(at, place, out);
            }
            None => {}
        }
    }
}

/// Begins to clear a subaccount, or goes on for a graver reason.
fn begin(post: &mut Post, at: Nanos, why: Why, out: &mut Out) {
    match &mut post.clearing {
        Some((known, ..)) if *known == why => {}
        // A foreign order among the engine's own: once all must go, all count.
        Some((known, _, clear)) => (*known, *clear) = (if why == Why::Foreign { *known } else { why }, false),
        None => {
            (post.clearing, post.due) = (Some((why, at, false)), at);
            out.words.push(Word::Clearing { subaccount: post.subaccount, why });
        }
    }
}
