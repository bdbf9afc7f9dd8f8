//! The Delta-1 vault on the embedded exchange in virtual time: whole runs, checked against the exchange's own books.

use keel::actors::risk::{Notice, Sample, Stats};
use keel::base::ids::{InstrumentId, Nonce, SubaccountId};
use keel::base::num::{Amount, Cash, Ratio, Rounding};
use keel::base::time::{Nanos, SEC};
use keel::derive::dialect::LOCAL;
use keel::derive::instrument::listings;
use keel::exchange::world::WorldSettings;
use keel::exchange::{AccountSeed, Settings, developer_accounts};
use keel::io::key::LocalKey;
use keel::market::fair::Model;
use keel::msg::Mode;
use keel::ops::blueprint::{Blueprint, Outside, VaultPlan, currency, vault_id};
use keel::risk::limits::Limits;
use keel::sim::ports::MemoryStore;
use keel::sim::venue::SimVenue;
use keel::strategy::basis::Params;
use keel::topology::{Layout, assemble};

const START: Nanos = Nanos(1_800_000_000 * SEC);

fn ratio(text: &str) -> Ratio {
    text.parse().expect("literal")
}

fn amount(text: &str) -> Amount {
    text.parse().expect("literal")
}

fn params() -> Params {
    Params {
        target_leverage: ratio("1.3"),
        enter_carry: ratio("0.03"),
        exit_carry: ratio("0"),
        bid_offset: Ratio::from_bps(3),
        ask_offset: Ratio::from_bps(-3),
        soft_delta_min: ratio("0.99"),
        soft_delta_max: ratio("1.01"),
        clip: amount("1"),
        mark_offset_max: Ratio::from_bps(100),
        loss_ema_max: Ratio::from_bps(20),
        margin_factor: ratio("0.5005"),
        perp_requirement: ratio("0.066"),
        margin_buffer: ratio("0.02"),
        reprice_min: Ratio::from_bps(1),
        adverse_cancel: Ratio::from_bps(2),
        resize_min: ratio("0.25"),
        hedge_slippage: Ratio::from_bps(50),
        refresh_ns: 60 * SEC,
        refusal_pause_ns: SEC / 100,
    }
}

fn limits() -> Limits {
    Limits {
        delta_min: ratio("0.98"),
        delta_max: ratio("1.02"),
        leverage_min: ratio("0.9"),
        leverage_max: ratio("2"),
        mark_offset_max: Ratio::from_bps(100),
        loss_ema_max: Ratio::from_bps(20),
        loss_decay_e18: 192_540_883_488_874,
        quote_amount_max: amount("1"),
        hedge_amount_max: amount("5"),
        notional_max: Cash::whole(50_000),
        borrow_max: Cash::whole(500_000),
        margin_factor: ratio("0.5005"),
        perp_requirement: ratio("0.066"),
        margin_buffer: ratio("0.01"),
        drawdown_max: ratio("0.01"),
        fills_per_minute_max: 600,
        order_life_ns: 590 * SEC,
        reject_after_ns: SEC,
        clock_offset_ns_max: SEC,
        value_age_ns_max: SEC / 2,
        cash_tolerance: Cash::ONE,
    }
}

fn model(feed: Option<u8>) -> Model {
    Model {
        external: 0,
        ratio_feed: feed,
        ratio_reference: if feed.is_some() { ratio("1.0712") } else { Ratio::ONE },
        ratio_deviation_max: Ratio::from_bps(50),
        mark_deviation_max: Ratio::from_bps(50),
        move_max: Ratio::from_bps(100),
        move_window_ns: 10 * SEC,
        ticker_age_ns_max: 2 * SEC,
        external_age_ns_max: SEC,
        ratio_age_ns_max: 86_400 * SEC,
    }
}

struct Outcome {
    samples: Vec<Sample>,
    stats: Stats,
    notices: Vec<Notice>,
    deltas: Vec<Ratio>,
}

fn vault_account() -> AccountSeed {
    let mut account = developer_accounts(1, 1).remove(0);
    account.balances = vec![("WEETH".to_owned(), "100".parse().expect("literal"))];
    account
}

fn key_of(account: &AccountSeed) -> LocalKey {
    let hex = account.session_key_hex.trim_start_matches("0x");
    let mut secret = [0u8; 32];
    for (place, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).expect("hex");
    }
    LocalKey::from_bytes(&mut secret).expect("valid key")
}

fn run(seed: u64, seconds: u64, disturb: impl Fn(&mut SimVenue, u64)) -> (Outcome, SimVenue) {
    let account = vault_account();
    let settings = Settings { seed, accounts: vec![account.clone()], ..Settings::default() };
    let mut venue = SimVenue::open(settings, WorldSettings::demo(seed, seconds), START);
    let instruments = ["WEETH-USDC", "ETH-PERP"]
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let body = venue
                .call("public/get_instrument", &serde_json::json!({ "instrument_name": name }))
                .expect("answers at once");
            let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            let text = body["result"].to_string();
            listings(text.as_bytes(), InstrumentId(place as u16)).expect("listing").remove(0).instrument
        })
        .collect();
    let currencies = vec!["USDC".to_owned(), "WEETH".to_owned()];
    let book = keel::account::ledger::Book {
        vault: vault_id(0),
        subaccount: SubaccountId(account.subaccount),
        base: InstrumentId(0),
        perp: InstrumentId(1),
        base_currency: currency(&currencies, "WEETH").expect("listed"),
        cash_currency: currency(&currencies, "USDC").expect("listed"),
    };
    let blueprint = Blueprint {
        dialect: &LOCAL,
        wallet: account.wallet.into_array(),
        cancel_on_disconnect: true,
        instruments,
        currencies,
        external_symbols: vec!["ETHUSDC".to_owned()],
        ratio_feeds: 1,
        vaults: vec![VaultPlan {
            book,
            params: params(),
            limits: limits(),
            base_model: model(Some(0)),
            perp_model: model(None),
        }],
        key_expires_at: Nanos::MAX,
        nonce_floor: Nonce(0),
    };
    let outside =
        Outside { wires: venue.wires(), clock: venue.clock(), key: key_of(&account), store: MemoryStore::default() };
    let (cores, mut control) = assemble(blueprint.build(outside), &Layout::single(None));
    let mut turns = cores.into_iter().flat_map(|core| core.turns).collect::<Vec<_>>();

    let mut outcome = Outcome { samples: Vec::new(), stats: Stats::default(), notices: Vec::new(), deltas: Vec::new() };
    for second in 0..seconds {
        disturb(&mut venue, second);
        venue.run(START.plus((second + 1) * SEC), &mut turns, &mut control);
        while let Some(notice) = control.notices.receive() {
            match notice {
                Notice::Sample { sample, stats, .. } => {
                    outcome.samples.push(sample);
                    outcome.stats = stats;
                }
                Notice::Hedged { delta, .. } => outcome.deltas.push(delta),
                other => outcome.notices.push(other),
            }
        }
    }
    (outcome, venue)
}

#[test]
fn a_whole_run_levers_up_and_unwinds_with_delta_one() {
    let (outcome, venue) = run(7, 60, |_, _| {});
    let stats = outcome.stats;
    let peak = outcome.samples.iter().map(|sample| sample.leverage).max().expect("samples");
    let last = outcome.samples.last().expect("samples");
    println!("{stats:#?}\n{last:#?}\npeak leverage {peak}");
    for notice in outcome.notices.iter().filter(|n| !matches!(n, Notice::Filled { .. })) {
        println!("{notice:?}");
    }
    assert!(stats.hedges > 10 && stats.replaces > 10, "{stats:?}");
    assert!(peak >= ratio("1.29"), "leverage peaked at {peak}");
    assert!(last.leverage <= ratio("1.01"), "leverage ended at {}", last.leverage);
    assert_eq!(stats.violations, 0);
    for delta in &outcome.deltas {
        assert!((*delta - Ratio::ONE).abs() <= ratio("0.01"), "delta {delta} after a hedge");
    }
    let books = venue.report(101).expect("account");
    assert_eq!(books.balances["WEETH"].to_string().parse::<Amount>().expect("number"), last.base);
    let value = Cash::observed(books.value.to_string().as_bytes()).expect("number");
    // The last sample is up to 100 ms old, and marks have moved since; cash itself is compared at each reconciliation.
    assert!((value - last.value).abs() < value.scale(Ratio::from_bps(1), Rounding::Ceil), "{value} {}", last.value);
    assert_eq!(stats.mismatched, 0);
    assert!(stats.reconciled > 3, "{stats:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (first, _) = run(3, 10, |_, _| {});
    let (second, _) = run(3, 10, |_, _| {});
    assert_eq!(first.samples, second.samples);
    assert_eq!(first.stats, second.stats);
    let (other, _) = run(4, 10, |_, _| {});
    assert_ne!(first.samples, other.samples);
}

#[test]
fn losing_the_session_in_the_middle_loses_nothing() {
    let (outcome, venue) = run(5, 20, |venue, second| {
        if second % 4 == 3 {
            venue.cut_private();
        }
    });
    let last = outcome.samples.last().expect("samples");
    assert_eq!(last.mode, Mode::Live);
    assert_eq!(outcome.stats.violations, 0);
    assert!(outcome.stats.fills > 5, "{:?}", outcome.stats);
    let books = venue.report(101).expect("account");
    assert_eq!(books.balances["WEETH"].to_string().parse::<Amount>().expect("number"), last.base);
}
