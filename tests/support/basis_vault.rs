//! The Delta-1 vault of the demo, as the engine is given it: limits, models, key and the venue's own listings.

#![allow(dead_code)] // Every binary that includes this uses its own part of it.

use keel::account::ledger::Book;
use keel::base::ids::{InstrumentId, SubaccountId};
use keel::base::num::{Amount, Cash, Ratio};
use keel::base::time::{Nanos, SEC};
use keel::derive::dialect::LOCAL;
use keel::derive::instrument::listings;
use keel::derive::seal::envelope::FenceLimits;
use keel::engine::journal::Replay;
use keel::exchange::{AccountSeed, AuthHeaders, Exchange, HttpTicket, Out, Outbox, developer_accounts};
use keel::io::key::LocalKey;
use keel::market::fair::Model;
use keel::market::instrument::Instrument;
use keel::ops::blueprint::{BasisPlan, Blueprint, PlanKind, VaultPlan, currency, vault_id};
use keel::risk::capital::CapitalLimits;
use keel::risk::limits::{Limits, Mandate};
use keel::strategy::basis::Params;

/// Names of the base and the perp, by place.
pub const INSTRUMENTS: [&str; 2] = ["WEETH-USDC", "ETH-PERP"];
/// The external symbol.
pub const EXTERNAL: &str = "ETHUSDC";

pub fn ratio(text: &str) -> Ratio {
    text.parse().expect("literal")
}

pub fn amount(text: &str) -> Amount {
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
        judged_per_fill: None,
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
        off_peg_ns_max: 30_000_000_000,
        losses: keel::risk::losses::LossBudgets::ALL,
        fills_per_minute_max: 600,
        order_life_ns: 590 * SEC,
        reject_after_ns: SEC,
        clock_offset_ns_max: SEC,
        value_age_ns_max: SEC / 2,
        cash_tolerance: Cash::ONE,
        wall: keel::risk::wall::terms::BasisTerms::MISSION.wall(),
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

/// An account holding nothing but base collateral, as after the first deposits.
pub fn vault_account() -> AccountSeed {
    let mut account = developer_accounts(1, 1).remove(0);
    account.balances = vec![("WEETH".to_owned(), "100".parse().expect("literal"))];
    account
}

/// The account's session key.
pub fn key_of(account: &AccountSeed) -> LocalKey {
    let hex = account.session_key_hex.trim_start_matches("0x");
    let mut secret = [0u8; 32];
    for (place, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).expect("hex");
    }
    LocalKey::from_bytes(&mut secret).expect("valid key")
}

/// What the venue lists about an instrument.
pub fn listing(exchange: &mut Exchange, at: Nanos, id: InstrumentId, name: &str) -> Instrument {
    let mut outbox = Outbox::new();
    let ticket = HttpTicket(u64::MAX);
    let ask = serde_json::json!({ "instrument_name": name }).to_string();
    exchange.on_http(at, "public/get_instrument", &AuthHeaders::default(), ask.as_bytes(), ticket, &mut outbox);
    let body = outbox.into_iter().find_map(|out| match out {
        Out::Http { body, .. } => Some(body),
        Out::Text { .. } | Out::Close { .. } => None,
    });
    let body: serde_json::Value = serde_json::from_str(&body.expect("answers at once")).expect("JSON");
    listings(body["result"].to_string().as_bytes(), id).expect("listing").remove(0).instrument
}

/// The vault on the instruments that `exchange` lists.
pub fn blueprint(exchange: &mut Exchange, at: Nanos, account: &AccountSeed) -> Blueprint {
    let instruments =
        (0u16..).zip(INSTRUMENTS).map(|(place, name)| listing(exchange, at, InstrumentId(place), name)).collect();
    let currencies = vec!["USDC".to_owned(), "WEETH".to_owned()];
    let book = Book {
        vault: vault_id(0),
        subaccount: SubaccountId(account.subaccount),
        base: InstrumentId(0),
        perp: Some(InstrumentId(1)),
        options: None,
        base_currency: currency(&currencies, "WEETH").expect("listed"),
        cash_currency: currency(&currencies, "USDC").expect("listed"),
    };
    Blueprint {
        dialect: &LOCAL,
        wallet: account.wallet.into_array(),
        cancel_on_disconnect: true,
        instruments,
        currencies,
        external_symbols: vec![EXTERNAL.to_owned()],
        ratio_feeds: 1,
        vaults: vec![VaultPlan {
            book,
            kind: PlanKind::Basis(BasisPlan {
                params: params(),
                limits: limits(),
                base_model: model(Some(0)),
                perp_model: model(None),
            }),
            // Worlds and measurements run at a pace no venue allows.
            fence: FenceLimits {
                orders_per_minute_max: u32::MAX,
                notional_per_hour_max: Cash::whole(1_000_000_000_000),
                notional_per_day_max: Cash::whole(1_000_000_000_000),
                bought_per_day_max: Cash::whole(1_000_000_000_000),
                given_per_hour_max: Cash::whole(1_000_000_000_000),
                given_per_day_max: Cash::whole(1_000_000_000_000),
                ..FenceLimits::of(&Mandate::Basis(limits()))
            },
            capital: CapitalLimits::NONE,
            principal: None,
            lost: None,
            loss_sum: None,
            stopped: None,
            wrapped: None,
        }],
        key_expires_at: Nanos::MAX,
        past: Replay::default(),
        refusals_max: 5,
        contract: None,
    }
}
