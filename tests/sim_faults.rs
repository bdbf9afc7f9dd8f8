//! The Delta-1 vault on a private connection that loses, doubles, delays and reorders what the venue says, and that is
//! cut at random moments: once the faults end, ledger and exchange agree, delta is one and the vault is at work.

use keel::actors::risk::Notice;
use keel::base::ids::{InstrumentId, Nonce, SubaccountId};
use keel::base::num::{Amount, Cash, Ratio};
use keel::base::time::{MS, Nanos, SEC};
use keel::derive::dialect::LOCAL;
use keel::derive::instrument::listings;
use keel::engine::ports::{Event, Transport};
use keel::exchange::world::WorldSettings;
use keel::exchange::{AccountSeed, Settings, developer_accounts};
use keel::io::key::LocalKey;
use keel::market::fair::Model;
use keel::msg::Mode;
use keel::ops::blueprint::{Blueprint, Outside, VaultPlan, currency, vault_id};
use keel::risk::limits::Limits;
use keel::sim::ports::{MemoryStore, Wire};
use keel::sim::venue::SimVenue;
use keel::strategy::basis::Params;
use keel::topology::{Layout, assemble};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// A transport that mistreats what it hears while `faulty` is set.
struct Lossy {
    wire: Wire,
    draws: ChaCha8Rng,
    faulty: Arc<AtomicBool>,
    held: Vec<(Nanos, Vec<u8>)>,
}

impl Lossy {
    fn new(wire: Wire, place: u64, seed: u64, faulty: &Arc<AtomicBool>) -> Lossy {
        let draws = ChaCha8Rng::seed_from_u64(seed * 10 + place);
        Lossy { wire, draws, faulty: Arc::clone(faulty), held: Vec::new() }
    }

    /// When to deliver the copies of a frame: none, one or two moments.
    fn fate(draws: &mut ChaCha8Rng, at: Nanos) -> Vec<Nanos> {
        match draws.random_range(0..100) {
            0..4 => vec![],
            4..8 => vec![at, at.plus(draws.random_range(0..300) * MS)],
            8..16 => vec![at.plus(draws.random_range(0..300) * MS)],
            _ => vec![at],
        }
    }
}

impl Transport for Lossy {
    fn poll(&mut self, at: Nanos, sink: &mut dyn FnMut(Event<'_>)) -> bool {
        let Lossy { wire, draws, faulty, held } = self;
        let faulty = faulty.load(Ordering::Relaxed);
        let mut busy = wire.poll(at, &mut |event| match event {
            Event::Text(text) if faulty => {
                held.extend(Lossy::fate(draws, at).into_iter().map(|due| (due, text.to_vec())));
            }
            Event::Down(_) | Event::Up { .. } => {
                held.clear();
                sink(event);
            }
            Event::Text(_) => sink(event),
        });
        while let Some(place) = held.iter().position(|(due, _)| *due <= at) {
            let (_, text) = held.remove(place);
            sink(Event::Text(&text));
            busy = true;
        }
        busy
    }

    fn send(&mut self, at: Nanos, text: &[u8]) -> bool {
        self.wire.send(at, text)
    }

    fn drop_connection(&mut self) {
        self.wire.drop_connection();
    }
}

fn blueprint(venue: &mut SimVenue, account: &AccountSeed, seed: u64) -> Blueprint {
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
    Blueprint {
        dialect: &LOCAL,
        wallet: account.wallet.into_array(),
        cancel_on_disconnect: seed.is_multiple_of(2),
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
    }
}

fn heals(seed: u64) {
    let account = vault_account();
    let settings = Settings { seed, accounts: vec![account.clone()], ..Settings::default() };
    let mut venue = SimVenue::open(settings, WorldSettings::demo(seed, 120), START);
    let blueprint = blueprint(&mut venue, &account, seed);
    let [public, external, private] = venue.wires();
    let faulty = Arc::new(AtomicBool::new(true));
    let calm = Arc::new(AtomicBool::new(false));
    let wires = [
        Lossy::new(public, 1, seed, &calm),
        Lossy::new(external, 2, seed, &calm),
        Lossy::new(private, 3, seed, &faulty),
    ];
    let outside = Outside { wires, clock: venue.clock(), key: key_of(&account), store: MemoryStore::default() };
    let (cores, mut control) = assemble(blueprint.build(outside), &Layout::single(None));
    let mut turns = cores.into_iter().flat_map(|core| core.turns).collect::<Vec<_>>();

    let mut cuts = ChaCha8Rng::seed_from_u64(seed);
    let (mut last, mut alarms) = (None, Vec::new());
    for step in 0..300 {
        if step == 150 {
            faulty.store(false, Ordering::Relaxed);
        }
        if step < 150 && cuts.random_range(0..100) < 3 {
            venue.cut_private();
        }
        let pause = cuts.random_range(1..200) * MS;
        venue.run(venue.now().plus(pause), &mut turns, &mut control);
        while let Some(notice) = control.notices.receive() {
            match notice {
                Notice::Sample { sample, stats, .. } => last = Some((sample, stats)),
                Notice::Alarm { alarm, .. } => alarms.push((step, alarm)),
                _ => {}
            }
        }
    }
    let (sample, stats) = last.expect("samples");
    let books = venue.report(101).expect("account");
    let perp = books.positions.get("ETH-PERP").map_or(Amount::ZERO, |p| p.amount.to_string().parse().expect("number"));
    let story = format!("seed {seed}: {sample:?}\n{stats:?}\n{alarms:?}");
    assert_eq!(books.balances["WEETH"].to_string().parse::<Amount>().expect("number"), sample.base, "{story}");
    assert_eq!(perp, sample.perp, "{story}");
    assert_eq!(sample.mode, Mode::Live, "{story}");
    assert!((sample.delta - Ratio::ONE).abs() <= ratio("0.01"), "{story}");
    assert!(stats.fills > 3, "{story}");
    assert_eq!(stats.violations, 0, "{story}");
}

#[test]
fn what_is_lost_doubled_or_late_is_made_good() {
    (12..20).for_each(heals);
}
