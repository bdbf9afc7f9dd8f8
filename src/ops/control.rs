//! The control plane: supervised actix actors for whatever may wait. None of them can hold up the pipeline.
//!
//! `Clerk` keeps the pipeline's news; `RatioReader` polls the chain, `RateReader` the venue's lending rate and
//! `ListingReader` its options and their signed feeds, and each tells the pipeline on its own. A reader that dies is restarted by its supervisor; what it last said grows stale, and the
//! pipeline's guards do the rest.

use crate::account::ledger::Book;
use crate::actors::risk::Notice;
use crate::base::ids::InstrumentId;
use crate::base::num::Ratio;
use crate::base::queue::{Post, Receiver};
use crate::chain::keeper::service::{Line, Shared, standing};
use crate::chain::ratio::RatioSource;
use crate::engine::ports::Clock;
use crate::io::clock::LiveClock;
use crate::market::instrument::Instrument;
use crate::msg::{Command, Fill, RatioRound};
use crate::ops::herald::Herald;
use crate::ops::lister::{Lister, Question};
use crate::ops::news::{News, Traded};
use crate::ops::rest::{Rest, RestError};
use crate::ops::roster::Roster;
use crate::topology::ControlEnds;
use actix::prelude::*;
use serde::Deserialize;
use std::time::Duration;

/// How often the pipeline's news are collected.
const COLLECT: Duration = Duration::from_millis(10);
/// How often the venue's lending rate is read.
const RATE_EVERY: Duration = Duration::from_secs(10);
/// How often the lister is asked whether something is due.
const LIST_EVERY: Duration = Duration::from_millis(250);

/// Asks for the news so far.
#[derive(Clone, Copy, Debug)]
pub struct Ask;

impl Message for Ask {
    type Result = News;
}

/// The run is over: no beat follows. True if nothing rests at the venue.
#[derive(Clone, Copy, Debug)]
pub struct Over(pub bool);

impl Message for Over {
    type Result = ();
}

/// Counts what the readers could not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Ratio reads that failed.
    pub ratio: u64,
    /// Rate reads that failed.
    pub rate: u64,
    /// Reads of listings and signed feeds that failed.
    pub listings: u64,
    /// The last failure, in words.
    pub last: Option<String>,
}

/// The keepers of shares are to come to their end.
#[derive(Clone, Copy, Debug)]
pub struct Dismiss;

impl Message for Dismiss {
    type Result = ();
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
    Listings(String),
}

impl Message for Failed {
    type Result = ();
}

/// Keeper of the news.
pub struct Clerk {
    notices: Receiver<Notice>,
    news: News,
    books: Vec<Book>,
    troubles: Troubles,
    herald: Option<(Herald, Duration, LiveClock)>,
    keepers: Vec<KeeperPost>,
}

/// Who keeps the shares of a vault.
pub struct KeeperPost {
    /// The vault's place.
    pub place: usize,
    /// How the keeper hears of the pipeline.
    pub line: Line,
    /// How it stands.
    pub shared: Shared,
}

impl Clerk {
    /// `books` names each vault's instruments, to tell fills apart.
    pub fn new(notices: Receiver<Notice>, books: Vec<Book>) -> Clerk {
        let news = News::new(books.len());
        Clerk { notices, news, books, troubles: Troubles::default(), herald: None, keepers: Vec::new() }
    }

    /// Also tells a sentry that all is well, every so often, for as long as it is.
    pub fn with_herald(self, herald: Option<(Herald, Duration, LiveClock)>) -> Clerk {
        Clerk { herald, ..self }
    }

    /// Also tells those who keep shares what they must hear.
    pub fn with_keepers(self, keepers: Vec<KeeperPost>) -> Clerk {
        Clerk { keepers, ..self }
    }

    fn beat(&mut self) {
        self.collect();
        if let Some((herald, _, clock)) = &mut self.herald {
            herald.beat(clock.now(), &self.news);
        }
    }

    fn collect(&mut self) {
        while let Some(notice) = self.notices.receive() {
            self.keepers.iter_mut().for_each(|keeper| keeper.line.hear(&notice));
            let books = &self.books;
            let traded =
                |vault: usize, fill: &Fill| books.get(vault).map_or(Traded::Base, |book| Traded::of(book, fill));
            self.news.take(traded, notice);
        }
    }
}

impl Actor for Clerk {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(COLLECT, |clerk, _| clerk.collect());
        if let Some((_, every, _)) = &self.herald {
            context.run_interval(*every, |clerk, _| clerk.beat());
        }
    }
}

impl Handler<Ask> for Clerk {
    type Result = MessageResult<Ask>;

    fn handle(&mut self, _: Ask, _: &mut Self::Context) -> Self::Result {
        self.collect();
        for keeper in &self.keepers {
            self.news.keep(keeper.place, standing(&keeper.shared));
        }
        MessageResult(self.news.clone())
    }
}

impl Handler<Over> for Clerk {
    type Result = ();

    fn handle(&mut self, Over(flat): Over, _: &mut Self::Context) {
        if let Some((mut herald, ..)) = self.herald.take() {
            herald.end(flat);
        }
    }
}

impl Handler<Dismiss> for Clerk {
    type Result = ();

    fn handle(&mut self, _: Dismiss, _: &mut Self::Context) {
        self.keepers.iter_mut().for_each(|keeper| keeper.line.hang_up());
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
            Failed::Listings(why) => {
                self.troubles.listings += 1;
                why
            }
        };
        self.troubles.last = Some(why);
    }
}

/// Polls one aggregator.
pub struct RatioReader {
    source: RatioSource,
    lookback_ns: Option<u64>,
    every: Duration,
    clock: LiveClock,
    rounds: Post<RatioRound>,
    clerk: Addr<Clerk>,
    reading: bool,
}

impl RatioReader {
    /// Reads `source`, with its past if a look-back is given, every `every` and tells market data; failures go to `clerk`.
    pub fn new(
        (source, lookback_ns): (RatioSource, Option<u64>),
        every: Duration,
        clock: LiveClock,
        rounds: Post<RatioRound>,
        clerk: Addr<Clerk>,
    ) -> RatioReader {
        RatioReader { source, lookback_ns, every, clock, rounds, clerk, reading: false }
    }

    fn read(&mut self, context: &mut Context<Self>) {
        if std::mem::replace(&mut self.reading, true) {
            return; // the last read is still under way
        }
        let (source, lookback, at) = (self.source.clone(), self.lookback_ns, self.clock.now());
        let read = async move {
            match lookback {
                Some(lookback_ns) => source.read_with_past(at, lookback_ns).await,
                None => source.read(at).await,
            }
        };
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

/// Reads listings and signed feeds for the option vaults.
pub struct ListingReader {
    lister: Lister,
    rest: Rest,
    clock: LiveClock,
    clerk: Addr<Clerk>,
    reading: bool,
}

impl ListingReader {
    /// Asks `rest` what `lister` wants to know; failures go to `clerk`.
    pub fn new(lister: Lister, rest: Rest, clock: LiveClock, clerk: Addr<Clerk>) -> ListingReader {
        ListingReader { lister, rest, clock, clerk, reading: false }
    }

    fn read(&mut self, context: &mut Context<Self>) {
        self.lister.announce();
        if self.reading {
            return; // the last round is still under way
        }
        let questions = self.lister.questions(self.clock.now());
        if questions.is_empty() {
            return;
        }
        self.reading = true;
        let rest = self.rest.clone();
        let ask = async move {
            let mut answers = Vec::with_capacity(questions.len());
            for question in questions {
                answers.push((question, rest.call(question.method(), &question.params(), None).await));
            }
            answers
        };
        ask.into_actor(self).map(|answers, reader, _| reader.take(answers)).spawn(context);
    }

    fn take(&mut self, answers: Vec<(Question, Result<String, RestError>)>) {
        self.reading = false;
        let at = self.clock.now();
        for (question, answer) in answers {
            let outcome =
                answer.map_err(|why| why.to_string()).and_then(|text| self.lister.answer(at, &question, &text));
            if let Err(why) = outcome {
                self.lister.ask_again(at);
                self.clerk.do_send(Failed::Listings(why));
            }
        }
        if self.lister.is_crowded() {
            self.clerk.do_send(Failed::Listings("more options are listed than the instrument table has places".into()));
        }
    }
}

impl Actor for ListingReader {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.reading = false;
        self.read(context);
        context.run_interval(LIST_EVERY, |reader, context| reader.read(context));
    }
}

impl Supervised for ListingReader {}

/// Asks which options stand in these places; places without one are left out.
#[derive(Clone, Debug)]
pub struct AskInstruments(pub Vec<InstrumentId>);

impl Message for AskInstruments {
    type Result = Vec<Instrument>;
}

impl Handler<AskInstruments> for ListingReader {
    type Result = MessageResult<AskInstruments>;

    fn handle(&mut self, ask: AskInstruments, _: &mut Self::Context) -> Self::Result {
        let named =
            |id: &InstrumentId| self.lister.instrument(*id).map(|instrument| Instrument { id: *id, ..*instrument });
        MessageResult(ask.0.iter().filter_map(named).collect())
    }
}

/// What the control plane is made of.
pub struct Plan {
    /// Lanes.
    pub ends: ControlEnds,
    /// Each vault's assets.
    pub books: Vec<Book>,
    /// Aggregators to poll, each with how far it looks back, if it does.
    pub ratios: Vec<(RatioSource, Option<u64>)>,
    /// How often.
    pub ratio_every: Duration,
    /// What the option vaults need listed, if there are any.
    pub roster: Option<Roster>,
    /// Currencies, by place.
    pub currencies: Vec<String>,
    /// Venue to ask for rates and listings.
    pub rest: Rest,
    /// Clock.
    pub clock: LiveClock,
    /// Who tells the sentry, and how often.
    pub herald: Option<(Herald, Duration)>,
    /// Who keeps shares.
    pub keepers: Vec<KeeperPost>,
}

/// Whom to ask.
#[derive(Clone, Debug)]
pub struct Desks {
    /// Keeper of the news.
    pub clerk: Addr<Clerk>,
    /// Reader of listings, if options are traded.
    pub listings: Option<Addr<ListingReader>>,
}

/// Starts the actors on the present arbiter.
pub fn start(plan: Plan) -> Desks {
    let ControlEnds { commands, ratios, feeds, bulletin, notices, chain: _ } = plan.ends;
    let herald = plan.herald.map(|(herald, every)| (herald, every, plan.clock.clone()));
    let clerk = Clerk::new(notices, plan.books).with_herald(herald).with_keepers(plan.keepers).start();
    for source in plan.ratios {
        let (clerk, clock, every, rounds) = (clerk.clone(), plan.clock.clone(), plan.ratio_every, ratios.clone());
        Supervisor::start(move |_| RatioReader::new(source, every, clock, rounds, clerk));
    }
    let listings = plan.roster.map(|roster| {
        let lister = Lister::new(roster, bulletin, feeds, plan.currencies);
        let (rest, clock, clerk) = (plan.rest.clone(), plan.clock.clone(), clerk.clone());
        Supervisor::start(move |_| ListingReader::new(lister, rest, clock, clerk))
    });
    let (rest, clock, reader_clerk) = (plan.rest, plan.clock, clerk.clone());
    Supervisor::start(move |_| RateReader::new(rest, clock, commands, reader_clerk));
    Desks { clerk, listings }
}
