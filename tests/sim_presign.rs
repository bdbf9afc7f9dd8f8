//! A vault that trades spreads by RFQ where its contract signs each execution before it leaves, in virtual time: the same
//! engine on the same exchange, the contracts themselves in a machine of this process, and what goes wrong on the way.

#[path = "support/evm.rs"]
#[allow(dead_code)]
mod evm;
#[path = "support/virtual_chain.rs"]
#[allow(dead_code)]
mod virtual_chain;

use keel::actors::risk::{Alarm, Notice};
use keel::base::time::{MS, Nanos, SEC};
use keel::chain::presign::words::Why;
use keel::exchange::TxStatus;
use keel::exchange::world::WorldSettings;
use keel::msg::{ContractAlarm, Mode};
use keel::sim::rig::{Rig, Scene};
use keel::sim::venue::Pace;
use keel::sim::weeks::FIRST_EXPIRY_S;
use virtual_chain::{Chain, Contracts};

/// Five seconds before the auction begins.
const START: Nanos = Nanos((FIRST_EXPIRY_S + 18_595) * SEC);
const STEP_NS: u64 = 100 * MS;
const BASE: u64 = 10;

/// The demonstration's vault, which owns the first developer account's subaccount.
fn scene(vault: &str, subaccount: u64) -> Scene {
    let values = [
        ("@WS@", "wss://127.0.0.1:9/ws"),
        ("@REST@", "https://127.0.0.1:9"),
        ("@KEY@", "session.key"),
        ("@CHAIN@", "http://127.0.0.1:9"),
        ("@OWNER@", vault),
        ("@WRAPPED@", "0xeaF03Bb3280C609d35E7F84d24a996c7C0b74F5f"),
        ("@SUBACCOUNT@", &subaccount.to_string()),
    ];
    let text = include_str!("../src/cli/demo/maxi-v2.toml").to_owned();
    let config = values.iter().fold(text, |text, (name, value)| text.replace(name, value));
    let (collateral, currency, deposit) = ("LBTC", "BTC", "10");
    Scene { config: config.into(), file: "maxi-v2.toml", collateral, currency, deposit, ratio_feeds: &[] }
}

struct Run {
    rig: Rig,
    chain: Chain,
    contracts: Contracts,
    alarms: Vec<Alarm>,
    mode: Mode,
    unsigned: u64,
    executions: u64,
}

impl Run {
    fn open(seed: u64) -> Run {
        let subaccount = keel::exchange::developer_accounts(seed, 1).remove(0).subaccount;
        let contracts = Contracts::deploy(subaccount, BASE, START.secs());
        let scene = scene(&contracts.vault.to_string(), subaccount);
        let mut rig = Rig::open(&scene, seed, WorldSettings::option_demo(seed), START).expect("sound");
        let chain = Chain::new(contracts.clone(), START);
        rig.venue.settle_by(Box::new(chain.settles.clone()));
        Run { rig, chain, contracts, alarms: Vec::new(), mode: Mode::Starting, unsigned: 0, executions: 0 }
    }

    /// Runs until a moment, or until `enough`.
    fn until(&mut self, seconds: u64, enough: impl Fn(&Run) -> bool) -> bool {
        let end = START.plus(seconds * SEC);
        while self.rig.venue.now() < end {
            if enough(self) {
                return true;
            }
            let next = self.rig.venue.now().plus(STEP_NS);
            let (alarms, mode) = (&mut self.alarms, &mut self.mode);
            let (unsigned, executions) = (&mut self.unsigned, &mut self.executions);
            while self.rig.venue.now() < next {
                self.rig.run(next, Pace::Busy { stretch_ns: STEP_NS }, &mut |notice| match notice {
                    Notice::Alarm { alarm, .. } => alarms.push(*alarm),
                    Notice::Mode { mode: now, .. } => *mode = *now,
                    Notice::Sample { stats, .. } => (*unsigned, *executions) = (stats.unsigned, stats.executions),
                    _ => {}
                });
            }
            let (at, unsettled) = (self.rig.venue.now(), self.unsettled());
            if let Some(ends) = self.rig.chain() {
                self.chain.turn(at, ends, unsettled);
            }
        }
        enough(self)
    }

    fn unsettled(&self) -> usize {
        self.rig.venue.exchange.unsettled_of(self.rig.subaccount())
    }

    fn trades(&self) -> usize {
        self.rig.venue.exchange.trades_of(self.rig.subaccount()).len()
    }

    /// Everything the venue took was signed by the contract, everything settled, and the chain's books agree.
    fn proves(&self, trades: usize) {
        let exchange = &self.rig.venue.exchange;
        let taken = exchange.accepted_of(self.rig.subaccount());
        assert!(taken.iter().all(|nonce| self.chain.record.signed.contains(nonce)), "{taken:?}");
        let ends: Vec<_> = exchange.trades_of(self.rig.subaccount()).iter().map(|trade| trade.tx).collect();
        assert!(ends.len() >= trades && ends.iter().all(|end| *end == Some(TxStatus::Settled)), "{ends:?}");
        let books = self.rig.venue.report(self.rig.subaccount()).expect("account");
        let sold: rust_decimal::Decimal =
            books.positions.values().map(|position| (-position.amount).max(rust_decimal::Decimal::ZERO)).sum();
        let [bought, short] = self.contracts.options_of(self.rig.subaccount()).map(|units| units.to_string());
        assert_eq!((&bought, short), (&sold.normalize().to_string(), bought.clone()), "the chain's books");
    }
}

/// So many legs are traded and settled.
fn traded(legs: usize) -> impl Fn(&Run) -> bool {
    move |run| run.trades() >= legs && run.unsettled() == 0
}

#[test]
fn every_execution_is_signed_before_it_leaves_and_settles() {
    let mut run = Run::open(7);
    assert!(run.until(240, traded(6)), "{} legs, {:?}", run.trades(), run.chain.record.refused);
    run.proves(6);
    assert_eq!((run.mode, &run.alarms[..]), (Mode::Live, &[][..]));
}

#[test]
fn a_dropped_transaction_is_sent_again_and_the_execution_leaves_then() {
    let mut run = Run::open(7);
    run.chain.drops = 2;
    assert!(run.until(240, traded(4)), "{} legs, {:?}", run.trades(), run.chain.record.refused);
    run.proves(4);
    assert_eq!(run.chain.drops, 0);
}

#[test]
fn a_quote_does_not_outlive_the_wait_for_a_block() {
    let mut run = Run::open(7);
    assert!(run.until(120, |run| run.executions > 0), "an execution is granted");
    // No block for longer than a quote lives: what waits is given up, and nothing leaves unsigned.
    run.chain.stalled_until = run.rig.venue.now().plus(40 * SEC);
    assert!(run.until(160, |run| run.unsigned > 0), "given up");
    assert_eq!(run.trades(), 0, "nothing was executed");
    assert!(run.until(400, traded(4)), "{} legs, {:?}", run.trades(), run.chain.record.refused);
    run.proves(4);
    assert!(run.chain.record.refused.contains(&Why::Withdrawn), "{:?}", run.chain.record.refused);
}

#[test]
fn what_the_contract_refuses_never_leaves_and_the_vault_drains() {
    let mut run = Run::open(7);
    // It takes a spread to be worth more than anybody pays.
    run.contracts.set_unit_mark(400);
    assert!(run.until(400, |run| run.mode == Mode::Drain), "{:?}", run.chain.record.refused);
    assert_eq!((run.trades(), run.chain.record.signed.len()), (0, 0));
    let refused = |alarm: &&Alarm| matches!(alarm, Alarm::Contract(ContractAlarm::Refused(_)));
    assert_eq!(run.alarms.iter().filter(refused).count(), 3, "{:?}", run.alarms);
    assert_eq!(run.chain.record.transactions, [0, 0], "the trial call costs nothing");
}

#[test]
fn a_signature_that_was_live_at_a_crash_is_gone_before_the_next_and_no_fill_is_lost() {
    let mut run = Run::open(7);
    assert!(run.until(120, |run| run.contracts.live().is_some()), "signed");
    run.rig.kill();
    run.until(130, |_| false);
    run.rig.start().expect("from its journal");
    run.chain.restart();
    let before = run.trades();
    assert!(run.until(500, traded(before + 4)), "{} legs, {:?}", run.trades(), run.chain.record.refused);
    run.proves(before + 4);
}
