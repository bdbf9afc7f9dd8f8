//! Public frames in, market facts out. Subscribes, understands, counts what it cannot understand, and drops a
//! connection that has gone silent.

mod watch;

use crate::base::buggify::{Place, bends};
use crate::base::bytes::Scratch;
use crate::base::time::{Nanos, SEC};
use crate::derive::decode::{Decoder, ExternalDecoder, Heard, Reply, ReplyBody};
use crate::derive::encode::request;
use crate::derive::request_id::RequestKind;
use crate::engine::actor::Actor;
use crate::engine::frames::Frames;
use crate::engine::ports::Event;
use crate::market::instrument::Listing;
use crate::msg::{Cause, Feed, Market, MarketMsg, OptionFeeds, RatioRound, Stage, Trace};
use watch::WatchList;

/// A connection that says nothing for this long is half-open.
const SILENCE_NS_MAX: u64 = 3 * SEC;
/// A refused subscription is asked for again after this long at first, and this long at last.
const AGAIN_NS: [u64; 2] = [SEC, 60 * SEC];
/// Longest subscription request.
const REQUEST_BYTES: usize = 16 * 1024;
/// Facts one frame can carry here.
const FACTS: usize = 2_048;

/// What market data hears.
#[derive(Clone, Copy, Debug)]
pub enum In<'a> {
    /// From the venue's public connection.
    Venue(Event<'a>),
    /// From the external book's connection.
    External(Event<'a>),
    /// From the control plane.
    Ratio(RatioRound),
    /// The venue's signed feeds, from the control plane.
    Feeds(OptionFeeds),
    /// The instrument table has changed.
    Listing(Listing),
    /// Time passed.
    Tick,
}

/// What one step says.
pub struct Out {
    /// Facts.
    pub facts: Vec<MarketMsg>,
    /// Requests for the venue's public connection.
    pub venue: Frames<()>,
    /// The venue's connection must be dropped.
    pub drop_venue: bool,
    /// The external connection must be dropped.
    pub drop_external: bool,
}

impl Default for Out {
    fn default() -> Self {
        Out { facts: Vec::with_capacity(FACTS), venue: Frames::default(), drop_venue: false, drop_external: false }
    }
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// Frames of the venue.
    pub venue_frames: u64,
    /// Frames of the external book.
    pub external_frames: u64,
    /// Frames refused as malformed.
    pub malformed: u64,
    /// Connections lost.
    pub lost: u64,
    /// Subscriptions refused.
    pub unsubscribed: u64,
    /// Instruments for which the decoder had no room.
    pub listings_refused: u64,
}

/// One connection's liveness.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Line {
    up: bool,
    heard_at: Nanos,
}

impl Line {
    fn silent(&self, at: Nanos) -> bool {
        self.up && (at.since(self.heard_at) > SILENCE_NS_MAX || bends(Place::SilentEarly))
    }
}

/// When what the venue refused is asked for again, and how long the next wait will be.
#[derive(Clone, Copy, Debug, Hash)]
struct Again {
    due: Option<Nanos>,
    wait_ns: u64,
}

impl Default for Again {
    fn default() -> Again {
        Again { due: None, wait_ns: AGAIN_NS[0] }
    }
}

impl Again {
    fn refused(&mut self, at: Nanos) {
        if self.due.is_none() {
            self.due = Some(at.plus(self.wait_ns));
            self.wait_ns = (2 * self.wait_ns).min(AGAIN_NS[1]);
        }
    }

    fn take(&mut self, at: Nanos) -> bool {
        self.due.take_if(|due| at >= *due).is_some()
    }
}

/// The market-data actor.
#[derive(Debug, Hash)]
pub struct MarketData {
    channels: Box<[String]>,
    watched: WatchList,
    again: Again,
    decoder: Decoder,
    external_decoder: ExternalDecoder,
    venue: Line,
    external: Line,
    counts: Counts,
    requests: u64,
    buffer: Scratch<REQUEST_BYTES>,
}

impl MarketData {
    /// Subscribes to `channels` at every connection, and to the tickers of watched options while they are watched.
    pub fn new(channels: Vec<String>, decoder: Decoder, external_decoder: ExternalDecoder) -> MarketData {
        MarketData {
            channels: channels.into_boxed_slice(),
            watched: WatchList::default(),
            again: Again::default(),
            decoder,
            external_decoder,
            venue: Line::default(),
            external: Line::default(),
            counts: Counts::default(),
            requests: 0,
            buffer: Scratch::default(),
        }
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn on_venue(&mut self, at: Nanos, event: Event<'_>, out: &mut Out) {
        self.venue.heard_at = at;
        match event {
            Event::Up { .. } => {
                self.venue.up = true;
                self.again = Again::default();
                self.subscribe(out);
            }
            Event::Down(_) => {
                self.venue.up = false;
                self.counts.lost += 1;
                out.facts.push(lost(at, Feed::Venue));
            }
            Event::Text(frame) => {
                self.counts.venue_frames += 1;
                let Ok(heard) = self.decoder.decode(frame) else {
                    self.counts.malformed += 1;
                    return;
                };
                for item in heard {
                    match item {
                        Heard::Market(body) => out.facts.push(MarketMsg { trace: seen(at), body: *body }),
                        Heard::Reply(reply) => {
                            let refused = refused(reply);
                            if refused > 0 {
                                self.counts.unsubscribed += u64::from(refused);
                                self.again.refused(at);
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    /// Subscribes to every channel; those watched for a while follow.
    fn subscribe(&mut self, out: &mut Out) {
        self.watched.forget_subscriptions();
        self.requests += 1;
        let channels = self.channels.iter().map(String::as_str);
        let text = request::subscribe(&mut self.buffer[..], self.requests, channels);
        out.venue.push(text.expect("the subscription was proved to fit at start"), ());
    }

    /// Brings the venue's subscriptions up to what is watched, a bounded request at a time.
    fn subscribe_watched(&mut self, out: &mut Out) {
        if !self.venue.up {
            return;
        }
        for wanted in [true, false] {
            let channels = self.watched.due(wanted);
            if channels.is_empty() {
                continue;
            }
            self.requests += 1;
            let names = channels.iter().map(|channel| channel.as_str());
            let text = match wanted {
                true => request::subscribe(&mut self.buffer[..], self.requests, names),
                false => request::unsubscribe(&mut self.buffer[..], self.requests, names),
            };
            out.venue.push(text.expect("a bounded list of channels fits"), ());
        }
    }

    fn on_external(&mut self, at: Nanos, event: Event<'_>, out: &mut Out) {
        self.external.heard_at = at;
        match event {
            Event::Up { .. } => self.external.up = true,
            Event::Down(_) => {
                self.external.up = false;
                self.counts.lost += 1;
                out.facts.push(lost(at, Feed::External));
            }
            Event::Text(frame) => {
                self.counts.external_frames += 1;
                match self.external_decoder.decode(frame) {
                    Ok(Some(quote)) => {
                        out.facts.push(MarketMsg { trace: seen(at), body: Market::External(quote) });
                    }
                    Ok(None) => {}
                    Err(_) => self.counts.malformed += 1,
                }
            }
        }
    }
}

/// How many subscriptions an answer refuses; an answer that refuses the request counts as one.
fn refused(reply: &Reply) -> u32 {
    match (reply.id.kind, reply.body) {
        (_, ReplyBody::Subscribed { refused, .. }) => refused,
        (RequestKind::Subscribe, ReplyBody::Failed { .. }) => 1,
        _ => 0,
    }
}

fn seen(at: Nanos) -> Trace {
    let mut trace = Trace::from_frame(Cause::Market, at);
    trace.stamp(Stage::Decoded, at);
    trace
}

fn lost(at: Nanos, feed: Feed) -> MarketMsg {
    MarketMsg { trace: seen(at), body: Market::Lost(feed) }
}

impl Actor for MarketData {
    type In<'a> = In<'a>;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In<'_>, out: &mut Out) {
        match message {
            In::Venue(event) => self.on_venue(at, event, out),
            In::External(event) => self.on_external(at, event, out),
            In::Ratio(round) => {
                out.facts.push(MarketMsg { trace: seen(at), body: Market::Ratio(round) });
            }
            In::Feeds(feeds) => out.facts.push(MarketMsg { trace: seen(at), body: Market::Feeds(feeds) }),
            In::Listing(listing) => {
                if self.decoder.apply(&listing).is_err() {
                    self.counts.listings_refused += 1;
                }
                self.watched.apply(&listing);
            }
            In::Tick => {
                if self.venue.up && self.again.take(at) {
                    self.subscribe(out);
                } else {
                    self.subscribe_watched(out);
                }
                out.drop_venue = self.venue.silent(at);
                out.drop_external = self.external.silent(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::decode::Vocabulary;

    const START: Nanos = Nanos(1_000 * SEC);
    const REFUSED: &[u8] = br#"{"id":"s1","result":{"status":{"a":"ok","b":"no"},"current_subscriptions":["a"]}}"#;
    const GRANTED: &[u8] = br#"{"id":"s1","result":{"status":{"a":"ok","b":"ok"},"current_subscriptions":["a"]}}"#;
    const LIMITED: &[u8] = br#"{"id":"s1","error":{"code":-32000,"message":"Rate limit exceeded"}}"#;

    fn actor() -> MarketData {
        let channels = vec!["a".to_owned(), "b".to_owned()];
        let words = Vocabulary::new(["ETH-PERP"], ["USDC"]);
        MarketData::new(channels, Decoder::new(words), ExternalDecoder::new(["ethusdc"]))
    }

    /// How many requests the actor makes on hearing a message.
    fn asks(actor: &mut MarketData, at: Nanos, message: In<'_>) -> usize {
        let mut out = Out::default();
        actor.on(at, message, &mut out);
        out.venue.iter().count()
    }

    #[test]
    fn what_the_venue_refused_is_asked_for_again_ever_more_slowly() {
        for answer in [REFUSED, LIMITED] {
            let mut actor = actor();
            assert_eq!(asks(&mut actor, START, In::Venue(Event::Up { attempt: 1 })), 1);
            let mut at = START;
            for wait_s in [1, 2, 4, 8, 16, 32, 60, 60] {
                asks(&mut actor, at, In::Venue(Event::Text(answer)));
                asks(&mut actor, at, In::Venue(Event::Text(answer)));
                assert_eq!(asks(&mut actor, at.plus(wait_s * SEC - 1), In::Tick), 0, "{wait_s} s");
                at = at.plus(wait_s * SEC);
                assert_eq!(asks(&mut actor, at, In::Tick), 1, "{wait_s} s");
                assert_eq!(asks(&mut actor, at, In::Tick), 0, "once");
            }
            assert_eq!(actor.counts().unsubscribed, 16);
            asks(&mut actor, at, In::Venue(Event::Text(GRANTED)));
            assert_eq!(asks(&mut actor, at.plus(100 * SEC), In::Tick), 0, "all is well");
        }
    }

    #[test]
    fn a_new_connection_subscribes_at_once_and_waits_anew() {
        let mut actor = actor();
        asks(&mut actor, START, In::Venue(Event::Up { attempt: 1 }));
        asks(&mut actor, START, In::Venue(Event::Text(REFUSED)));
        asks(&mut actor, START, In::Venue(Event::Down(crate::engine::ports::DownReason::Closed)));
        assert_eq!(asks(&mut actor, START.plus(9 * SEC), In::Tick), 0, "nobody to ask");
        assert_eq!(asks(&mut actor, START.plus(10 * SEC), In::Venue(Event::Up { attempt: 2 })), 1);
        assert_eq!(asks(&mut actor, START.plus(20 * SEC), In::Tick), 0);
    }
}
