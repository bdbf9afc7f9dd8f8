//! The Delta-1 vault in the v2 dialect in virtual time: the same engine on the same exchange, where fills settle on a chain
//! after they are told, and one is taken back.

#[path = "support/basis_vault.rs"]
mod basis_vault;

use basis_vault::{blueprint, key_of, vault_account};
use keel::actors::risk::{Alarm, Notice, Sample, Stats};
use keel::base::num::{Amount, Cash, Ratio, Rounding};
use keel::base::time::{Nanos, SEC};
use keel::derive::dialect::V2_MAINNET;
use keel::engine::switch::Switch;
use keel::exchange::world::WorldSettings;
use keel::exchange::{
    Always, Network, Settings, SettlementAuthority, SettlementRequest, SettlementVerdict, SubaccountReport, TxStatus,
};
use keel::msg::Mode;
use keel::ops::blueprint::Outside;
use keel::sim::ports::MemoryStore;
use keel::sim::venue::SimVenue;
use keel::topology::{Layout, assemble};

const START: Nanos = Nanos(1_800_000_000 * SEC);
const SUBACCOUNT: u64 = 101;

/// What a run has shown.
#[derive(Default)]
struct Seen {
    last: Sample,
    stats: Stats,
    peak: Ratio,
    alarms: Vec<Alarm>,
    unsettled: Vec<u32>,
    journal: Vec<[u8; 64]>,
}

fn run(
    seed: u64,
    seconds: u64,
    prepare: impl FnOnce(&mut SimVenue),
    disturb: impl Fn(&mut SimVenue, u64),
) -> (Seen, SimVenue) {
    let account = vault_account();
    let settings =
        Settings { network: Network::V2Mainnet, seed, accounts: vec![account.clone()], ..Settings::default() };
    let mut venue = SimVenue::open(settings, WorldSettings::demo(seed, seconds), START);
    prepare(&mut venue);
    let mut blueprint = blueprint(&mut venue.exchange, START, &account);
    blueprint.dialect = &V2_MAINNET;
    let store = MemoryStore::default();
    let outside = Outside {
        wires: venue.wires().into(),
        clock: venue.clock(),
        key: key_of(&account),
        store: store.clone(),
        switch: Switch::local(),
    };
    let (cores, mut control) = assemble(blueprint.build(outside), &Layout::single(None));
    let mut turns = cores.into_iter().flat_map(|core| core.turns).collect::<Vec<_>>();
    let mut seen = Seen::default();
    for second in 0..seconds {
        disturb(&mut venue, second);
        venue.run(START.plus((second + 1) * SEC), &mut turns, &mut control);
        while let Some(notice) = control.notices.receive() {
            match notice {
                Notice::Sample { sample, stats, .. } => {
                    seen.peak = seen.peak.max(sample.leverage);
                    (seen.last, seen.stats) = (sample, stats);
                }
                Notice::Alarm { alarm, .. } => seen.alarms.push(alarm),
                Notice::Settlement { unsettled, .. } => seen.unsettled.push(unsettled),
                _ => {}
            }
        }
    }
    seen.journal = store.records();
    (seen, venue)
}

fn books(venue: &SimVenue) -> SubaccountReport {
    venue.report(SUBACCOUNT).expect("account")
}

/// The engine's ledger and the exchange's books say the same.
fn agrees(seen: &Seen, venue: &SimVenue) {
    let books = books(venue);
    let number = |name: &str| books.balances.get(name).map_or_else(|| "0".to_owned(), ToString::to_string);
    assert_eq!(number("WEETH").parse::<Amount>().expect("number"), seen.last.base);
    let perp = books.positions.get("ETH-PERP").map_or_else(|| "0".to_owned(), |p| p.amount.to_string());
    assert_eq!(perp.parse::<Amount>().expect("number"), seen.last.perp);
    let value = Cash::observed(books.value.to_string().as_bytes()).expect("number");
    assert!((value - seen.last.value).abs() < value.scale(Ratio::from_bps(1), Rounding::Ceil), "{value}");
    assert_eq!(seen.stats.violations, 0);
}

#[test]
fn a_whole_run_levers_up_and_unwinds_while_its_fills_settle() {
    let (seen, venue) = run(7, 60, |_| {}, |_, _| {});
    assert!(seen.stats.hedges > 10 && seen.stats.replaces > 10, "{:?}", seen.stats);
    assert!(seen.peak >= "1.29".parse().expect("literal"), "leverage peaked at {}", seen.peak);
    assert_eq!((seen.stats.mismatched, &seen.alarms[..]), (0, &[][..]));
    assert!(seen.stats.reconciled > 3, "{:?}", seen.stats);
    agrees(&seen, &venue);
    let most = seen.unsettled.iter().max().expect("told");
    assert_eq!((seen.unsettled[..2].to_vec(), *most > 2), (vec![1, 0], true), "one is unknown until records are read");
    let trades = venue.exchange.trades_of(SUBACCOUNT);
    let open = trades.iter().filter(|trade| trade.tx != Some(TxStatus::Settled)).count();
    assert!(trades.len() > 30 && open <= 4, "{open} of {}", trades.len());
    assert_eq!(seen.unsettled.last(), Some(&(venue.exchange.unsettled_of(SUBACCOUNT) as u32)));
}

#[test]
fn nonces_are_microseconds_that_grow_in_the_journal() {
    let (seen, _) = run(3, 10, |_| {}, |_, _| {});
    let mut replay = keel::engine::journal::Replay::default();
    seen.journal.iter().for_each(|record| replay.visit(record));
    let unit = V2_MAINNET.nonce_unit;
    assert!(unit.range().contains(&replay.floor().0), "{:?}", replay.floor());
    let at = unit.moment(replay.floor());
    assert!(at > START && at < START.plus(11 * SEC), "{at:?}");
}

#[test]
fn what_settled_while_nobody_listened_is_read_from_the_records() {
    let (seen, venue) = run(
        5,
        24,
        |_| {},
        |venue, second| {
            if second % 6 == 5 && second < 18 {
                venue.cut_private();
            }
        },
    );
    assert_eq!(seen.last.mode, Mode::Live);
    assert!(seen.stats.fills > 5, "{:?}", seen.stats);
    agrees(&seen, &venue);
    assert_eq!(seen.unsettled.last(), Some(&(venue.exchange.unsettled_of(SUBACCOUNT) as u32)), "{:?}", seen.unsettled);
}

/// Settles everything but one deal of the vault, which it refuses.
struct Refusing {
    rest: Always,
    deals: u32,
    refused: u32,
    verdict: Option<(Nanos, SettlementVerdict)>,
}

impl SettlementAuthority for Refusing {
    fn submit(&mut self, at: Nanos, request: SettlementRequest) {
        self.deals += u32::from(!request.actions.is_empty());
        if !request.actions.is_empty() && self.deals == self.refused {
            let verdict = SettlementVerdict { id: request.id, status: TxStatus::Reverted, hash: None };
            self.verdict = Some((at.plus(SEC), verdict));
        } else {
            self.rest.submit(at, request);
        }
    }

    fn poll(&mut self, at: Nanos) -> Option<SettlementVerdict> {
        if self.verdict.as_ref().is_some_and(|(due, _)| *due <= at) {
            return self.verdict.take().map(|(_, verdict)| verdict);
        }
        self.rest.poll(at)
    }

    fn next_due(&self, at: Nanos) -> Option<Nanos> {
        let own = self.verdict.as_ref().map(|(due, _)| *due);
        own.into_iter().chain(self.rest.next_due(at)).min()
    }
}

#[test]
fn a_fill_that_the_chain_refuses_is_undone_and_drains_the_vault() {
    for refused in [3, 8] {
        let refuse = |venue: &mut SimVenue| {
            let rest = Always::after(2 * SEC);
            venue.settle_by(Box::new(Refusing { rest, deals: 0, refused, verdict: None }));
        };
        let (seen, venue) = run(7, 12, refuse, |_, _| {});
        assert_eq!(seen.alarms.first(), Some(&Alarm::Reverted), "deal {refused}: {:?}", seen.alarms);
        assert_eq!(seen.last.mode, Mode::Drain);
        let trades = venue.exchange.trades_of(SUBACCOUNT);
        assert_eq!(trades.iter().filter(|trade| trade.tx == Some(TxStatus::Reverted)).count(), 1);
        agrees(&seen, &venue);
        assert_eq!(seen.unsettled.last(), Some(&0));
    }
}
