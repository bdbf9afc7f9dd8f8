//! The Delta-1 vault in the v2 dialect in virtual time: the same engine on the same exchange, where fills settle on a chain
//! after they are told, and one is taken back; and where the vault's contract, in this process, judges every fill.

#[path = "support/basis_vault.rs"]
mod basis_vault;

use basis_vault::{INSTRUMENTS, amount, blueprint, key_of, ratio, vault_account};
use keel::actors::risk::{Alarm, Notice, Sample, Stats};
use keel::base::num::{Amount, Cash, Ratio, Rounding};
use keel::base::time::{Nanos, SEC};
use keel::derive::dialect::V2_MAINNET;
use keel::derive::seal::ContractCharter;
use keel::engine::switch::Switch;
use keel::exchange::world::WorldSettings;
use keel::exchange::{
    AccountSeed, Always, Network, Owner, Settings, SettlementAuthority, SettlementRequest, SettlementVerdict,
    SubaccountReport, TxStatus,
};
use keel::msg::Mode;
use keel::ops::blueprint::{BasisPlan, Blueprint, ContractPlan, Outside, PlanKind};
use keel::risk::mandate::revert::Revert;
use keel::sim::judge::{Judge, Judgements};
use keel::sim::ports::MemoryStore;
use keel::sim::venue::SimVenue;
use keel::strategy::basis::Bounds;
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
    run_as(vault_account(), (seed, seconds), |venue, _| prepare(venue), disturb)
}

fn run_as(
    account: AccountSeed,
    (seed, seconds): (u64, u64),
    prepare: impl FnOnce(&mut SimVenue, &mut Blueprint),
    disturb: impl Fn(&mut SimVenue, u64),
) -> (Seen, SimVenue) {
    let settings =
        Settings { network: Network::V2Mainnet, seed, accounts: vec![account.clone()], ..Settings::default() };
    let mut venue = SimVenue::open(settings, WorldSettings::demo(seed, seconds), START);
    let mut blueprint = blueprint(&mut venue.exchange, START, &account);
    blueprint.dialect = &V2_MAINNET;
    prepare(&mut venue, &mut blueprint);
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

/// A run in which the vault's contract judges each fill inside its settlement.
fn run_judged((seed, seconds): (u64, u64), shape: impl FnOnce(&mut BasisPlan)) -> (Seen, SimVenue, Judgements) {
    let mut account = vault_account();
    account.owner = Owner::Contract { atomic: true };
    let wallet = account.wallet;
    let mut told = None;
    let (seen, venue) = run_as(
        account,
        (seed, seconds),
        |venue, blueprint| {
            let charter = ContractCharter { address: wallet.into_array(), presigned: false };
            blueprint.contract = Some(ContractPlan { charter, journaled: None });
            let PlanKind::Basis(basis) = &mut blueprint.vaults[0].kind else { panic!("a basis vault") };
            // A hedge is charged its distance from the mark at every fill.
            basis.params.hedge_slippage = Ratio::from_bps(10);
            let mut contract = basis.limits.wall.contract;
            contract.assets.base = blueprint.instruments[0].asset.into();
            contract.assets.derivative = blueprint.instruments[1].asset.into();
            shape(basis);
            let hundred = "100".parse().expect("literal");
            let judge = Judge::new(wallet, contract, INSTRUMENTS, hundred, 2 * SEC).expect("it fits");
            told = Some(judge.judgements());
            venue.settle_by(Box::new(judge));
        },
        |_, _| {},
    );
    let told = told.expect("prepared").lock().expect("no panic").clone();
    (seen, venue, told)
}

/// Keeps to what the contract allows at every partial fill.
fn heed(basis: &mut BasisPlan) {
    basis.limits.wall.judged_per_fill = true;
    basis.params.judged_per_fill = Some(Bounds {
        delta_min: ratio("0.981"),
        delta_max: ratio("1.019"),
        leverage_min: ratio("0.901"),
        leverage_max: ratio("1.999"),
    });
}

#[test]
fn a_contract_that_judges_every_fill_refuses_none() {
    for seed in [7, 11] {
        let (seen, venue, told) = run_judged((seed, 40), heed);
        assert_eq!((&told.refused[..], &seen.alarms[..]), (&[][..], &[][..]), "seed {seed}");
        assert!(told.approved > 40 && told.repeated > 3, "seed {seed}: {told:?}");
        assert!(seen.stats.hedges > 5 && seen.peak > ratio("1.1"), "seed {seed}: {:?} {}", seen.stats, seen.peak);
        agrees(&seen, &venue);
        let books = books(&venue);
        let perp = books.positions.get("ETH-PERP").map(|position| position.amount).unwrap_or_default();
        let wad = |number: rust_decimal::Decimal| (number * rust_decimal::Decimal::from(1_000_000_000)).normalize();
        let held = [told.held.base, told.held.perp].map(|wad| wad.to_string());
        let own = [books.balances["WEETH"], perp].map(|number| format!("{}", wad(number)));
        let grown = |nine: &String| if nine == "0" { nine.clone() } else { format!("{nine}000000000") };
        assert_eq!(held, own.each_ref().map(grown), "seed {seed}: the contract's books");
    }
}

#[test]
fn an_order_judged_only_once_is_refused_at_a_later_part() {
    let (seen, venue, told) = run_judged((7, 30), |basis| {
        basis.params.soft_delta_max = ratio("1.02");
        basis.params.clip = amount("2");
        basis.limits.quote_amount_max = amount("2");
    });
    assert!(told.refused.contains(&Revert::LbtPostTradeDeltaOutOfRange), "{told:?}");
    assert_eq!(seen.alarms.first(), Some(&Alarm::Reverted), "{:?}", seen.alarms);
    assert_eq!(seen.last.mode, Mode::Drain);
    agrees(&seen, &venue);
}
