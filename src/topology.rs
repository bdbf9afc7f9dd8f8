//! Every actor, lane, depth, overflow rule and core on one page.
//!
//! ```text
//!  public ws ─▶ market_data ─facts─▶ pricing ─values─▶ auction ─intents─▶ risk ─orders─▶ signer ─sealed─▶ gateway ─▶ private ws
//!                    ▲                  └──values────────────────────────▶│ ▲               urgent ─────────▲ │
//!             control plane: ratios     control plane: commands ─────────▶│ └───────────── reports ───────────┘
//!                                       auction ◀──── accounts, talks ────┘──notices──▶ control plane
//!             control plane: listings ─▶ every actor, the last of the pipeline first
//!             market_data ─marks─▶ signer ─refusals─▶ risk
//!
//!  where a vault's contract signs, between signer and gateway:
//!             signer ─sealed, refusals─▶ contract ─sealed─▶ gateway
//!             contract ─refusals─▶ risk ─contract_facts─▶ contract ─asks─▶ control plane ─words─▶ contract
//! ```

mod cells;
mod letters;

use crate::actors::signer::Sealed;
use crate::actors::signer::contract::Contract;
use crate::base::ids::InstrumentId;
use crate::base::queue::{Conflating, Post, Postbox, Receiver, Sender, Watched, open_lane, watched_lane, watched_post};
use crate::engine::actor::Turn;
use crate::engine::ear::Ear;
use crate::engine::ports::{Clock, Key, Store, Transport, Wall};
use crate::engine::tape::Tape;
use crate::market::instrument::Listing;
use crate::msg::{ChainAsk, ChainWord, Command, ContractFact, Mark, OptionFeeds, RatioRound, ReportMsg};
use crate::risk::order::Granted;
pub use cells::{GatewayEnd, MarketDataEnd};

/// What happens to a message whose lane is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The newest per key waits, older ones vanish: prices and accounts.
    Conflate,
    /// The sender keeps it and stops taking in more until there is room: facts.
    Hold,
    /// It is dropped, and wished again if still wanted: wishes.
    Drop,
    /// It cannot happen: more room than can be under way, asserted.
    Never,
    /// It is dropped and counted: news for display.
    Count,
}

/// One lane.
#[derive(Clone, Copy, Debug)]
pub struct LaneSpec {
    /// What it carries.
    pub name: &'static str,
    /// Who writes.
    pub from: &'static str,
    /// Who reads.
    pub to: &'static str,
    /// Messages it holds.
    pub depth: usize,
    /// What happens when it is full.
    pub overflow: Overflow,
}

const fn spec(name: &'static str, from: &'static str, to: &'static str, depth: usize, overflow: Overflow) -> LaneSpec {
    LaneSpec { name, from, to, depth, overflow }
}

/// Every lane. Depths: prices conflate, so a burst of one frame per instrument is enough; a venue frame can carry two
/// thousand facts; at most four orders per vault can be under way.
pub const LANES: [LaneSpec; 22] = [
    spec("facts", "market_data", "pricing", 1_024, Overflow::Conflate),
    spec("values", "pricing", "auction", 256, Overflow::Conflate),
    spec("values", "pricing", "risk", 256, Overflow::Conflate),
    spec("intents", "auction", "risk", 64, Overflow::Drop),
    spec("orders", "risk", "signer", 64, Overflow::Never),
    spec("marks", "market_data", "signer", 1_024, Overflow::Conflate),
    spec("sealed", "signer", "gateway", 64, Overflow::Never),
    spec("refusals", "signer", "risk", 64, Overflow::Hold),
    spec("urgent", "risk", "gateway", 256, Overflow::Hold),
    spec("reports", "gateway", "risk", 4_096, Overflow::Hold),
    spec("accounts", "risk", "auction", 64, Overflow::Conflate),
    spec("talks", "risk", "auction", 64, Overflow::Conflate),
    spec("notices", "risk", "control plane", 4_096, Overflow::Count),
    spec("commands", "control plane", "risk", 64, Overflow::Hold),
    spec("ratios", "control plane", "market_data", 64, Overflow::Hold),
    spec("feeds", "control plane", "market_data", 64, Overflow::Hold),
    spec("listings", "control plane", "every actor", 512, Overflow::Hold),
    // Where a vault's contract signs: at most one order of it is under way.
    spec("sealed", "signer", "contract", 64, Overflow::Never),
    spec("refusals", "signer", "contract", 64, Overflow::Hold),
    spec("contract_facts", "risk", "contract", 64, Overflow::Hold),
    spec("asks", "contract", "control plane", 64, Overflow::Hold),
    spec("words", "control plane", "contract", 64, Overflow::Hold),
];

/// The actors, in the order in which one thread running all of them turns them.
pub const ACTORS: [&str; 6] = ["market_data", "pricing", "auction", "risk", "signer", "gateway"];

/// Whose tapes there are: every actor's, and the contract stage's where there is one.
pub const TAPES: [&str; 7] = ["market_data", "pricing", "auction", "risk", "signer", "gateway", "contract"];

/// The signer's place among them; the contract stage, where there is one, is turned right behind it.
const SIGNER: usize = 4;

/// Which core each actor runs on; actors that share one are turned in pipeline order by one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Absolute core number per actor, in the order of [`ACTORS`]; `None` leaves its thread unpinned.
    pub cores: [Option<usize>; 6],
}

impl Layout {
    /// All actors in one thread, on `core` if given.
    pub const fn single(core: Option<usize>) -> Layout {
        Layout { cores: [core; 6] }
    }

    /// The same with the signer's turn beside risk's: what signs is another process, and the way there costs no thread.
    pub const fn apart(self) -> Layout {
        let mut cores = self.cores;
        cores[SIGNER] = cores[3];
        Layout { cores }
    }

    /// What suits a host with `online` cores: one core is left to the control plane and the kernel; with six more each
    /// actor has its own, else all share the last core.
    pub fn auto(online: usize) -> Layout {
        match online {
            0 | 1 => Layout::single(None),
            2..=6 => Layout::single(Some(online - 1)),
            _ => Layout { cores: std::array::from_fn(|place| Some(online - 6 + place)) },
        }
    }
}

/// Who signs.
pub enum Signing<K, S> {
    /// The actor, with the key in this process.
    Here(crate::actors::signer::Signer<K, S>),
    /// A process of its own.
    Apart(Box<dyn Wall + Send>),
}

/// The folds, and the outside they are given.
pub struct Parts<T, C, K, S> {
    /// Market data, with its venue connection and the external one, if there is one.
    pub market_data: (crate::actors::market_data::MarketData, T, Option<T>),
    /// Pricing.
    pub pricing: crate::actors::pricing::Pricing,
    /// Auction.
    pub auction: crate::actors::auction::Auction,
    /// Risk.
    pub risk: crate::actors::risk::Risk,
    /// Signer, or the way to the one behind the wall.
    pub signer: Signing<K, S>,
    /// Where a vault's contract signs, if one does.
    pub contract: Option<Contract>,
    /// Gateway, with its private connection.
    pub gateway: (crate::actors::gateway::Gateway, T),
    /// Source of moments; each actor gets its own copy.
    pub clock: C,
    /// Instruments in the table.
    pub instruments: usize,
    /// External symbols and ratio feeds configured.
    pub external_feeds: usize,
    /// Their tapes, in the order of [`TAPES`].
    pub tapes: [Tape; 7],
}

/// No tapes.
pub fn tapes_off() -> [Tape; 7] {
    std::array::from_fn(|_| Tape::Off)
}

/// The control plane's ends of the lanes.
pub struct ControlEnds {
    /// Commands to risk; any thread may hold a copy.
    pub commands: Post<Command>,
    /// Ratio rounds to market data; any thread may hold a copy.
    pub ratios: Post<RatioRound>,
    /// The venue's signed option feeds to market data.
    pub feeds: Post<OptionFeeds>,
    /// Changes of the instrument table to every actor.
    pub bulletin: Bulletin,
    /// News from risk.
    pub notices: Receiver<crate::actors::risk::Notice>,
    /// The chain's ends, if a vault's contract signs.
    pub chain: Option<ChainEnds>,
}

/// What the chain's side hears and says.
pub struct ChainEnds {
    /// From the contract stage.
    pub asks: Receiver<ChainAsk>,
    /// To it.
    pub words: Sender<ChainWord>,
}

/// Tells every actor of a change in the instrument table, the last of the pipeline first: whoever acts on news of an
/// instrument finds that all behind it know the instrument already. One thread speaks.
#[derive(Clone)]
pub struct Bulletin {
    posts: Vec<Post<Listing>>,
}

impl Bulletin {
    /// Says it to all, or to none while one of them has no room; true if said.
    pub fn announce(&self, listing: &Listing) -> bool {
        !self.posts.iter().any(Post::is_full) && self.posts.iter().all(|post| post.send(*listing).is_ok())
    }
}

/// One thread's worth of actors.
pub struct Core {
    /// Absolute core number to pin to.
    pub core: Option<usize>,
    /// What it turns, in pipeline order.
    pub turns: Vec<Box<dyn Turn>>,
}

fn lane_spec(name: &str, to: &str) -> &'static LaneSpec {
    let spec = LANES.iter().find(|spec| spec.name == name && spec.to == to);
    spec.expect("every wired lane is in the table")
}

/// Who watches the lanes of a pipeline: nobody, but in a simulator.
pub trait Watcher {
    /// A witness for a lane, read by `reader`.
    fn witness<M: Copy + PartialEq + Send + 'static>(
        &self,
        _lane: &'static LaneSpec,
        _reader: &'static str,
    ) -> Option<Watched<M>> {
        None
    }
}

/// No watcher.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Watcher for Nobody {}

/// How actors are joined.
enum Wiring<'w, W> {
    /// As the table says.
    Bounded(&'w W),
    /// Without end, for a replay: what was dropped or overwritten then, the tapes do not ask for.
    Open,
}

impl<W: Watcher> Wiring<'_, W> {
    fn of<'w>(tapes: &[Tape; 7], watcher: &'w W) -> Wiring<'w, W> {
        let replaying = tapes.iter().any(|tape| matches!(tape, Tape::Replaying(_)));
        if replaying { Wiring::Open } else { Wiring::Bounded(watcher) }
    }

    fn wire<M: Copy + PartialEq + Send + 'static>(&self, name: &str, to: &str) -> (Sender<M>, Receiver<M>) {
        let spec = lane_spec(name, to);
        match self {
            Wiring::Bounded(watcher) => watched_lane(spec.depth, watcher.witness(spec, spec.to)),
            Wiring::Open => open_lane(),
        }
    }

    /// A lane that keeps the newest of each of `keys` while its reader is behind.
    fn wire_newest<M: Copy + PartialEq + Send + 'static>(
        &self,
        name: &str,
        to: &str,
        keys: usize,
    ) -> (Conflating<M>, Receiver<M>) {
        let (sender, receiver) = self.wire(name, to);
        (Conflating::new(sender, keys), receiver)
    }

    fn wire_post<M: Copy + PartialEq + Send + 'static>(
        &self,
        name: &str,
        to: &str,
        reader: &'static str,
    ) -> (Post<M>, Postbox<M>) {
        let spec = lane_spec(name, to);
        let witness = match self {
            Wiring::Bounded(watcher) => watcher.witness(spec, reader),
            Wiring::Open => None,
        };
        watched_post(spec.depth, witness)
    }

    /// The bulletin, and each actor's end of it in the order of [`ACTORS`].
    fn wire_listings(&self) -> (Bulletin, [Postbox<Listing>; 6]) {
        let ends = ACTORS.map(|actor| self.wire_post("listings", "every actor", actor));
        let posts = ends.iter().rev().map(|(post, _): &(Post<Listing>, _)| post.clone()).collect();
        (Bulletin { posts }, ends.map(|(_, postbox)| postbox))
    }
}

/// What the signer writes to: what it sealed, and what it refused.
type Signed = (Sender<Sealed>, Sender<ReportMsg>);

/// Puts the contract stage, if there is one, between signer and gateway. Returns what the signer writes to instead of the
/// lanes given, the stage's turn, and the chain's ends.
fn wire_contract<C: Clock + Send + 'static, W: Watcher>(
    contract: Option<Contract>,
    (wiring, ear): (&Wiring<'_, W>, Ear<C>),
    bulletin: &mut Bulletin,
    (facts, (sealed, refusals)): (Receiver<ContractFact>, Signed),
) -> (Signed, Option<Box<dyn Turn>>, Option<ChainEnds>) {
    let Some(contract) = contract else { return ((sealed, refusals), None, None) };
    let (signer_sealed, sealed_in) = wiring.wire("sealed", "contract");
    let (signer_refusals, refusals_in) = wiring.wire("refusals", "contract");
    let (asks, asks_in) = wiring.wire("asks", "control plane");
    let (words, words_in) = wiring.wire("words", "contract");
    let (post, listings) = wiring.wire_post("listings", "every actor", TAPES[6]);
    // Behind the gateway, before the signer.
    bulletin.posts.insert(1, post);
    let inbox = cells::ContractIn { sealed: sealed_in, refusals: refusals_in, words: words_in, facts, listings };
    let outbox = cells::ContractOut { sealed, refusals, asks };
    let turn: Box<dyn Turn> = Box::new(cells::ContractCell::new(contract, ear, inbox, outbox));
    ((signer_sealed, signer_refusals), Some(turn), Some(ChainEnds { asks: asks_in, words }))
}

/// Connects the actors and groups them by core.
pub fn assemble<T, C, K, S>(parts: Parts<T, C, K, S>, layout: &Layout) -> (Vec<Core>, ControlEnds)
where
    T: Transport + Send + 'static,
    C: Clock + Clone + Send + 'static,
    K: Key + Send + 'static,
    S: Store + Send + 'static,
{
    assemble_watched(parts, layout, &Nobody)
}

/// The same with every lane watched.
#[allow(clippy::too_many_lines)] // Every lane of the pipeline in one place, on purpose.
pub fn assemble_watched<T, C, K, S, W>(
    parts: Parts<T, C, K, S>,
    layout: &Layout,
    watcher: &W,
) -> (Vec<Core>, ControlEnds)
where
    T: Transport + Send + 'static,
    C: Clock + Clone + Send + 'static,
    K: Key + Send + 'static,
    S: Store + Send + 'static,
    W: Watcher,
{
    let wiring = Wiring::of(&parts.tapes, watcher);
    let keys = cells::fact_keys(parts.instruments, parts.external_feeds);
    let (facts, facts_in) = wiring.wire_newest("facts", "pricing", keys);
    let (values, values_in) = wiring.wire_newest("values", "auction", parts.instruments);
    let (risk_values, risk_values_in) = wiring.wire_newest("values", "risk", parts.instruments);
    let (intents, intents_in) = wiring.wire("intents", "risk");
    let (orders, orders_in) = wiring.wire("orders", "signer");
    let (marks, marks_in) = wiring.wire_newest("marks", "signer", parts.instruments);
    let (sealed, sealed_in) = wiring.wire("sealed", "gateway");
    let (refusals, refusals_in) = wiring.wire("refusals", "risk");
    let (urgent, urgent_in) = wiring.wire("urgent", "gateway");
    let (reports, reports_in) = wiring.wire("reports", "risk");
    let (accounts, accounts_in) = wiring.wire_newest("accounts", "auction", crate::actors::auction::INTENTS_MAX);
    let (talks, talks_in) = wiring.wire_newest("talks", "auction", crate::actors::auction::INTENTS_MAX);
    let (notices, notices_in) = wiring.wire("notices", "control plane");
    let (commands, commands_in) = wiring.wire_post("commands", "risk", "risk");
    let (ratios, ratios_in) = wiring.wire_post("ratios", "market_data", "market_data");
    let (feeds, feeds_in) = wiring.wire_post("feeds", "market_data", "market_data");
    let (contract_facts, contract_facts_in) = wiring.wire("contract_facts", "contract");
    let (mut bulletin, [to_market_data, to_pricing, to_auction, to_risk, to_signer, to_gateway]) =
        wiring.wire_listings();

    let Parts { clock, tapes, .. } = parts;
    let [for_market_data, for_pricing, for_auction, for_risk, for_signer, for_gateway, for_contract] =
        tapes.map(|tape| Ear::new(clock.clone(), tape));
    let lanes = (contract_facts_in, (sealed, refusals));
    let (signed, stage, chain) = wire_contract(parts.contract, (&wiring, for_contract), &mut bulletin, lanes);
    let ((market_data, venue, external), (gateway, private)) = (parts.market_data, parts.gateway);
    let turns: [Box<dyn Turn>; 6] = [
        Box::new(cells::MarketDataCell::new(
            market_data,
            for_market_data,
            (venue, external),
            cells::MarketDataIn { ratios: ratios_in, feeds: feeds_in, listings: to_market_data },
            cells::MarketDataOut { facts, marks, instruments: parts.instruments, feeds: parts.external_feeds },
        )),
        Box::new(cells::PricingCell::new(parts.pricing, for_pricing, (facts_in, to_pricing), (values, risk_values))),
        Box::new(cells::AuctionCell::new(
            parts.auction,
            for_auction,
            cells::AuctionIn { values: values_in, accounts: accounts_in, talks: talks_in, listings: to_auction },
            intents,
        )),
        Box::new(cells::RiskCell::new(
            parts.risk,
            for_risk,
            cells::RiskIn {
                commands: commands_in,
                reports: reports_in,
                refusals: refusals_in,
                values: risk_values_in,
                intents: intents_in,
                listings: to_risk,
            },
            cells::RiskOut { orders, urgent, accounts, talks, notices, contract_facts },
        )),
        signer_cell(parts.signer, for_signer, (orders_in, marks_in, to_signer), signed),
        Box::new(cells::GatewayCell::new(
            gateway,
            for_gateway,
            private,
            cells::GatewayIn { sealed: sealed_in, urgent: urgent_in, listings: to_gateway },
            reports,
        )),
    ];
    (group(turns, stage, layout), ControlEnds { commands, ratios, feeds, bulletin, notices: notices_in, chain })
}

/// The signer's cell, whichever side of the wall the key is on.
fn signer_cell<C, K, S>(
    signing: Signing<K, S>,
    ear: Ear<C>,
    (orders, marks, listings): (Receiver<Granted>, Receiver<Mark>, Postbox<Listing>),
    (sealed, refusals): (Sender<Sealed>, Sender<ReportMsg>),
) -> Box<dyn Turn>
where
    C: Clock + Send + 'static,
    K: Key + Send + 'static,
    S: Store + Send + 'static,
{
    let (inbox, outbox) = (cells::SignerIn { orders, marks, listings }, cells::SignerOut { sealed, refusals });
    match signing {
        Signing::Here(signer) => Box::new(cells::SignerCell::new(signer, ear, inbox, outbox)),
        Signing::Apart(wall) => Box::new(cells::WallCell::new(ear, inbox, outbox, wall)),
    }
}

/// Puts actors of one core into one thread, keeping pipeline order; the contract stage goes behind the signer.
fn group(turns: [Box<dyn Turn>; 6], stage: Option<Box<dyn Turn>>, layout: &Layout) -> Vec<Core> {
    let mut places: Vec<(Box<dyn Turn>, Option<usize>)> = turns.into_iter().zip(layout.cores).collect();
    stage.into_iter().for_each(|stage| places.insert(SIGNER + 1, (stage, layout.cores[SIGNER])));
    let mut cores: Vec<Core> = Vec::new();
    for (turn, core) in places {
        match cores.iter_mut().find(|group| group.core == core) {
            Some(group) => group.turns.push(turn),
            None => cores.push(Core { core, turns: vec![turn] }),
        }
    }
    cores
}

/// A value's conflation key.
fn key(instrument: InstrumentId) -> usize {
    usize::from(instrument.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_follow_the_host() {
        assert_eq!(Layout::auto(1), Layout::single(None));
        assert_eq!(Layout::auto(2), Layout::single(Some(1)));
        assert_eq!(Layout::auto(8).cores, [2, 3, 4, 5, 6, 7].map(Some));
    }

    #[test]
    fn every_lane_joins_known_actors() {
        for spec in LANES {
            for end in [spec.from, spec.to] {
                let known = ["control plane", "every actor", "contract"];
                assert!(known.contains(&end) || ACTORS.contains(&end), "{end}");
            }
        }
    }
}
