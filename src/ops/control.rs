//! The control plane: supervised actix actors for whatever may wait. None of them can hold up the pipeline.
//!
//! `Clerk` keeps the pipeline's news; `RatioReader` polls the chain and `RateReader` the venue's lending rate, and each tells
//! the pipeline on its own. A reader that dies is restarted by its supervisor; what it last said grows stale, and the
//! pipeline's guards do the rest.

use crate::actors::risk::Notice;
use crate::base::ids::InstrumentId;
use crate::base::num::Ratio;
use crate::base::queue::{Post, Receiver};
use crate::chain::ratio::RatioSource;
use crate::engine::ports::Clock;
use crate::io::clock::LiveClock;
use crate::msg::{Command, Fill, RatioRound};
use crate::ops::news::News;
use crate::ops::rest::Rest;
use crate::topology::ControlEnds;
use actix::prelude::*;
use serde::Deserialize;
use std::time::Duration;

/// How often the pipeline's news are collected.
const COLLECT: Duration = Duration::from_millis(10);
/// How often the venue's lending rate is read.
const RATE_EVERY: Duration = Duration::from_secs(10);

/// Asks for the news so far.
#[derive(Clone, Copy, Debug)]
pub struct Ask;

impl Message for Ask {
    type Result = News;
}

/// Counts what the readers could not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Ratio reads that failed.
    pub ratio: u64,
    /// Rate reads that failed.
    pub rate: u64,
    /// The last failure, in words.
    pub last: Option<String>,
}

/// Asks what the readers could not read.
#[derive(Clone, Copy, Debug)]
pub struct AskTroubles;

impl Message for AskTroubles {
    type Result = Troubles;
}

#[derive(Debug)]
enum Failed {
    Ratio(String),
    Rate(String),
}

impl Message for Failed {
    type Result = ();
}

/// Keeper of the news.
pub struct Clerk {
    notices: Receiver<Notice>,
    news: News,
    perps: Vec<Option<InstrumentId>>,
    troubles: Troubles,
}

impl Clerk {
    /// `perps` names each vault's perp, to tell fills apart.
    pub fn new(notices: Receiver<Notice>, perps: Vec<Option<InstrumentId>>) -> Clerk {
        let news = News::new(perps.len());
        Clerk { notices, news, perps, troubles: Troubles::default() }
    }

    fn collect(&mut self) {
        while let Some(notice) = self.notices.receive() {
            let perps = &self.perps;
            let is_perp = |vault: usize, fill: &Fill| perps.get(vault) == Some(&Some(fill.instrument));
            self.news.take(is_perp, notice);
        }
    }
}

impl Actor for Clerk {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(COLLECT, |clerk, _| clerk.collect());
    }
}

impl Handler<Ask> for Clerk {
    type Result = MessageResult<Ask>;

    fn handle(&mut self, _: Ask, _: &mut Self::Context) -> Self::Result {
        self.collect();
        MessageResult(self.news.clone())
    }
}

impl Handler<AskTroubles> for Clerk {
    type Result = MessageResult<AskTroubles>;

    fn handle(&mut self, _: AskTroubles, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.troubles.clone())
    }
}

impl Handler<Failed> for Clerk {
    type Result = ();

    fn handle(&mut self, failed: Failed, _: &mut Self::Context) {
        let why = match failed {
            Failed::Ratio(why) => {
                self.troubles.ratio += 1;
                why
            }
            Failed::Rate(why) => {
                self.troubles.rate += 1;
                why
            }
        };
        self.troubles.last = Some(why);
    }
}

/// Polls one aggregator.
pub struct RatioReader {
    source: RatioSource,
    every: Duration,
    clock: LiveClock,
    rounds: Post<RatioRound>,
    clerk: Addr<Clerk>,
    reading: bool,
}

impl RatioReader {
    /// Reads `source` every `every` and tells market data; failures go to `clerk`.
    pub fn new(
        source: RatioSource,
        every: Duration,
        clock: LiveClock,
        rounds: Post<RatioRound>,
        clerk: Addr<Clerk>,
    ) -> RatioReader {
        RatioReader { source, every, clock, rounds, clerk, reading: false }
    }

    fn read(&mut self, context: &mut Context<Self>) {
        if std::mem::replace(&mut self.reading, true) {
            return; // the last read is still under way
        }
        let (source, at) = (self.source.clone(), self.clock.now());
        let read = async move { source.read(at).await };
        read.into_actor(self)
            .map(|answer, reader, _| {
                reader.reading = false;
                match answer {
                    // A full lane means that the pipeline has stopped listening; the next round says the same.
                    Ok(round) => {
                        let _ = reader.rounds.send(round);
                    }
                    Err(why) => reader.clerk.do_send(Failed::Ratio(why.to_string())),
                }
            })
            .spawn(context);
    }
}

impl Actor for RatioReader {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.reading = false;
        self.read(context);
        context.run_interval(self.every, |reader, context| reader.read(context));
    }
}

impl Supervised for RatioReader {}

/// Polls the venue's USDC borrow rate.
pub struct RateReader {
    rest: Rest,
    clock: LiveClock,
    commands: Post<Command>,
    clerk: Addr<Clerk>,
}

impl RateReader {
    /// Reads from `rest` and tells risk; failures go to `clerk`.
    pub fn new(rest: Rest, clock: LiveClock, commands: Post<Command>, clerk: Addr<Clerk>) -> RateReader {
        RateReader { rest, clock, commands, clerk }
    }

    fn read(&mut self, context: &mut Context<Self>) {
        let (rest, at) = (self.rest.clone(), self.clock.now());
        let read = async move { borrow_rate(&rest).await };
        read.into_actor(self)
            .map(move |answer, reader, _| match answer {
                Ok(apr) => {
                    let _ = reader.commands.send(Command::BorrowRate { apr, read_at: at });
                }
                Err(why) => reader.clerk.do_send(Failed::Rate(why)),
            })
            .spawn(context);
    }
}

impl Actor for RateReader {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.read(context);
        context.run_interval(RATE_EVERY, |reader, context| reader.read(context));
    }
}

impl Supervised for RateReader {}

#[derive(Deserialize)]
struct CurrencyRow {
    spot: Vec<SpotRow>,
}

#[derive(Deserialize)]
struct SpotRow {
    universes: Vec<UniverseRow>,
}

#[derive(Deserialize)]
struct UniverseRow {
    lending: Option<LendingRow>,
}

#[derive(Deserialize)]
struct LendingRow {
    borrow_apy: String,
}

/// The annual borrow rate of USDC: the dearest pool the venue lists, since which one applies depends on the manager.
async fn borrow_rate(rest: &Rest) -> Result<Ratio, String> {
    let params = serde_json::json!({ "currency": "USDC" });
    let text = rest.call("public/get_currency", &params, None).await.map_err(|why| why.to_string())?;
    read_borrow_rate(&text)
}

/// The dearest annual borrow rate in the result of `public/get_currency`.
pub fn read_borrow_rate(result: &str) -> Result<Ratio, String> {
    let row: CurrencyRow = serde_json::from_str(result).map_err(|why| format!("public/get_currency: {why}"))?;
    let rates = row.spot.iter().flat_map(|spot| &spot.universes).filter_map(|universe| universe.lending.as_ref());
    rates
        .filter_map(|lending| Ratio::observed(lending.borrow_apy.as_bytes()).ok())
        .max()
        .ok_or_else(|| "public/get_currency: USDC has no lending pool".to_owned())
}

/// What the control plane is made of.
pub struct Plan {
    /// Lanes.
    pub ends: ControlEnds,
    /// Each vault's perp, where it has one.
    pub perps: Vec<Option<InstrumentId>>,
    /// Aggregators to poll.
    pub ratios: Vec<RatioSource>,
    /// How often.
    pub ratio_every: Duration,
    /// Venue to ask for rates.
    pub rest: Rest,
    /// Clock.
    pub clock: LiveClock,
}

/// Starts the actors on the present arbiter and returns the clerk's address.
pub fn start(plan: Plan) -> Addr<Clerk> {
    let ControlEnds { commands, ratios, notices } = plan.ends;
    let clerk = Clerk::new(notices, plan.perps).start();
    for source in plan.ratios {
        let (clerk, clock, every, rounds) = (clerk.clone(), plan.clock.clone(), plan.ratio_every, ratios.clone());
        Supervisor::start(move |_| RatioReader::new(source, every, clock, rounds, clerk));
    }
    let (rest, clock, reader_clerk) = (plan.rest, plan.clock, clerk.clone());
    Supervisor::start(move |_| RateReader::new(rest, clock, commands, reader_clerk));
    clerk
}
