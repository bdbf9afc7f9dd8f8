//! Every parameter of the vaults' contracts has its place in a configuration, with the mission's value or, where the
//! mission names none, the deployment's. The lists are the contracts' own structs, field by field, so that none is
//! forgotten; the mandate's own structs are taken apart below for the same reason.

use keel::config::{Config, Explained, Online};
use keel::risk::limits::{Limits, Mandate};
use keel::risk::mandate::action::{Assets, SignatureLife};
use keel::risk::mandate::basis::Basis;
use keel::risk::mandate::collateral::CollateralLimits;
use keel::risk::mandate::covered_call::CoveredCall;
use keel::risk::mandate::shares::Shares;
use keel::risk::mandate::spread::Spread;
use keel::risk::wall::{BasisWall, OptionContract, OptionWall};
use std::fs;
use std::path::Path;

/// What follows from something else, and says so.
const ELSEWHERE: &str = "";

/// Parameter, as the contract names it; section and field of the configuration; value unless told otherwise; what is
/// allowed.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// `CCTSAParams` and, below it, `CollateralManagementParams`.
const COVERED_CALL: [Row; 11] = [
    ("minSignatureExpiry", "mandate", "signature_min_s", "300 s", "0 to 310 s"),
    ("maxSignatureExpiry", "mandate", "signature_max_s", "599 s", "310 to 599 s"),
    ("optionVolSlippageFactor", "mandate", "vol_factor_min_bps", "5000 bps", "5000 to 10000 bps"),
    ("optionMaxDelta", "mandate", "delta_max", "0.4", "\"0.01\" to \"0.4\" delta"),
    ("optionMaxNegCash", "mandate", "cash_min_usdc", "-100000", "\"-100000\" to \"0\" USDC"),
    ("optionMinTimeToExpiry", "mandate", "option_min_s", "86400 s", "3600 to 2592000 s"),
    ("optionMaxTimeToExpiry", "mandate", "option_max_s", "2592000 s", "3600 to 2592000 s"),
    ("feeFactor", "mandate", "fee_max_bps", "100 bps", "1 to 500 bps"),
    ("spotTransactionLeniency", "mandate", "overshoot_max_bps", "500 bps", "0 to 500 bps"),
    ("worstSpotSellPrice", "mandate", "sell_discount_max_bps", "200 bps", "1 to 200 bps"),
    ("worstSpotBuyPrice", "mandate", "buy_premium_max_bps", "200 bps", "1 to 200 bps"),
];

/// `PPTSAParams` of a seller; its collateral half is the same.
const SELLER: [Row; 12] = [
    ("maxMarkValueToStrikeDiffRatio", "mandate", "spread_ratio_max_bps", "2000 bps", "1 to 9999 bps"),
    ("minMarkValueToStrikeDiffRatio", "mandate", "spread_ratio_min_bps", "50 bps", "1 to 9999 bps"),
    ("strikeDiff", "selection", "strike_diff_usdc", "2000", "\"1\" to \"100000\" USDC"),
    ("maxTotalCostTolerance", "mandate", "cost_tolerance_bps", "3000 bps", "100 to 10000 bps"),
    ("maxLossOrGainPercentOfTVL", "mandate", "share_max_bps", "1000 bps", "1 to 1000 bps"),
    ("negMaxCashTolerance", "mandate", "withdrawal_debt_max_bps", "200 bps", "100 to 10000 bps"),
    ("minSignatureExpiry", "mandate", "signature_min_s", "300 s", "0 to 310 s"),
    ("maxSignatureExpiry", "mandate", "signature_max_s", "599 s", "310 to 599 s"),
    ("optionMinTimeToExpiry", "mandate", "option_min_s", "345600 s", "3600 to 2592000 s"),
    ("optionMaxTimeToExpiry", "mandate", "option_max_s", "691200 s", "3600 to 2592000 s"),
    ("maxNegCash", "mandate", "cash_min_usdc", "-100000", "\"-100000\" to \"0\" USDC"),
    ("rfqFeeFactor", "mandate", "package_fee_max_bps", "10000 bps", "1 to 10000 bps"),
];

/// Where a buyer of spreads differs.
const BUYER: [Row; 5] = [
    ("maxMarkValueToStrikeDiffRatio", "mandate", "spread_ratio_max_bps", "7000 bps", "1 to 9999 bps"),
    ("minMarkValueToStrikeDiffRatio", "mandate", "spread_ratio_min_bps", "1000 bps", "1 to 9999 bps"),
    ("strikeDiff", "selection", "strike_diff_usdc", "200", "\"1\" to \"100000\" USDC"),
    ("maxTotalCostTolerance", "mandate", "cost_tolerance_bps", "20000 bps", "10000 to 50000 bps"),
    ("maxLossOrGainPercentOfTVL", "mandate", "share_max_bps", "200 bps", "1 to 200 bps"),
];

/// `LBTSAParams`, and the only one of its collateral half that it reads.
const BASIS: [Row; 12] = [
    ("maxPerpFee", "mandate", "perp_fee_max_bps", "100 bps", "1 to 100 bps"),
    ("maxBaseLossPerBase", "mandate", "base_loss_max_bps", "100 bps", "1 to 200 bps"),
    ("maxBaseLossPerPerp", "mandate", "perp_loss_max_bps", "100 bps", "1 to 200 bps"),
    ("deltaFloor", "mandate", "delta_min_x", "0.98", "\"0.7\" to \"1\" × TVL"),
    ("deltaCeil", "mandate", "delta_max_x", "1.02", "\"1\" to \"1.3\" × TVL"),
    ("leverageFloor", "mandate", "leverage_min_x", "0.9", "\"0\" to \"1\" × TVL"),
    ("leverageCeil", "mandate", "leverage_max_x", "2", "\"1\" to \"3.05\" × TVL"),
    ("emaDecayFactor", "mandate", "loss_half_life_s", "3600 s", "3466 to 86400 s"),
    ("markLossEmaTarget", "mandate", "loss_sum_max_bps", "20 bps", "1 to 150 bps"),
    ("minSignatureExpiry", "mandate", "signature_min_s", "0 s", "0 to 310 s"),
    ("maxSignatureExpiry", "mandate", "signature_max_s", "599 s", "310 to 599 s"),
    ("feeFactor", "mandate", "base_fee_max_bps", "100 bps", "1 to 500 bps"),
];

/// `TSAParams` of a call seller; who receives the fee is the contract's own affair, and is read there.
const SHARES: [Row; 6] = [
    ("depositCap", "capital", "deposit_cap_base", "10000000", "\"0\" to \"1000000000\" base"),
    ("minDepositValue", "capital", "deposit_min_base", "0.01", "\"0\" to \"1000000000\" base"),
    ("depositScale", "capital", "deposit_scale_x", "1", "\"0.9\" to \"1.12\" ×"),
    ("withdrawScale", "capital", "withdraw_scale_x", "1", "\"0.9\" to \"1.12\" ×"),
    ("managementFee", "capital", "management_fee_bps_per_year", "150 bps", "0 to 200 bps"),
    ("feeRecipient", ELSEWHERE, ELSEWHERE, ELSEWHERE, ELSEWHERE),
];

/// Margins kept to all of it, so that a block more changes no verdict.
const MARGINS: [Row; 2] = [
    ("one block of prices", "mandate", "drift_price_bps", "10 bps", "0 to 100 bps"),
    ("one block of time", "mandate", "drift_s", "4 s", "0 to 60 s"),
];

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tools/config/{name}.toml"));
    fs::read_to_string(path).expect("part of the repository")
}

/// An example without a line of its mandate: what is shown there is only the manual. The selection stays, which gives the
/// distance of strikes.
fn bare(name: &str) -> String {
    let (mut inside, mut text) = (false, String::new());
    for line in example(name).lines() {
        if line.starts_with('[') {
            inside = line == "[vault.mandate]";
        }
        if !inside {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn parse(text: &str) -> Config {
    Config::parse(text, "keel.toml", &Online::first(4)).unwrap_or_else(|errors| panic!("{errors}"))
}

fn find<'c>(config: &'c Config, section: &str, field: &str) -> &'c Explained {
    let section = format!("vault[0].{section}");
    let row = config.explain().iter().find(|row| row.section == section && row.field == field);
    row.unwrap_or_else(|| panic!("{section} has no {field}"))
}

fn hold(config: &Config, rows: &[Row]) {
    for (parameter, section, field, value, allowed) in rows.iter().filter(|(_, section, ..)| *section != ELSEWHERE) {
        let row = find(config, section, field);
        let shown = if row.unit == "bps" || row.unit == "s" {
            format!("{} {}", row.value.trim_end_matches(&format!(" {}", row.unit)), row.unit)
        } else {
            row.value.clone()
        };
        assert_eq!((shown.as_str(), row.allowed.as_str()), (*value, *allowed), "{parameter}: {section}.{field}");
    }
}

#[test]
fn every_parameter_has_its_field_its_value_and_its_range() {
    let calls = parse(&bare("harvest-weeth"));
    hold(&calls, &COVERED_CALL);
    for (name, own) in [("safe-harvest-lbtc", &SELLER[..]), ("maxi-lbtc", &SELLER[..]), ("bull-susde", &BUYER[..])] {
        let config = parse(&bare(name));
        hold(&config, own);
        hold(&config, &COVERED_CALL[7..]);
        hold(&config, &MARGINS);
    }
    hold(&parse(&bare("bull-susde")), &SELLER[5..]);
    let basis = parse(&bare("lbtc-basis"));
    hold(&basis, &BASIS);
    hold(&basis, &MARGINS);
}

const CAPITAL: &str = "\n[vault.capital]\ntoken_decimals = 18\ndeposit_max_base = \"10\"\nwithdrawal_max_base = \"10\"\n\
                       withdrawn_per_day_max_base = \"10\"\n";

#[test]
fn the_shares_have_theirs_and_capital_moves_only_where_a_contract_signs() {
    let calls = parse(&format!("{}{CAPITAL}", bare("harvest-weeth")));
    hold(&calls, &SHARES);
    let capital = &calls.vaults[0].capital;
    assert!(!capital.deposits && !capital.withdrawals, "default: none");
    let basis = parse(&format!("{}{CAPITAL}", bare("lbtc-basis")));
    assert_eq!(find(&basis, "capital", "withdraw_scale_x").value, "0.998");
    assert_eq!(find(&basis, "capital", "management_fee_bps_per_year").value.trim_end_matches(" bps"), "0");
    let wish = format!("{}{CAPITAL}deposits = true\n", bare("harvest-weeth"));
    let why = Config::parse(&wish, "keel.toml", &Online::first(4)).expect_err("v3").to_string();
    assert!(why.contains("vault[0].capital.deposits: a session key on v3"), "{why}");
    let signed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs/good/v2_capital.toml"));
    assert!(parse(&signed.expect("part of the repository")).vaults[0].capital.deposits);
    let none = &parse(&bare("harvest-weeth")).vaults[0].capital;
    assert!(!none.deposits && !none.withdrawals);
}

fn text(value: &dyn std::fmt::Display) -> String {
    value.to_string()
}

/// Digits with zeros behind them.
fn e18(digits: &str, zeros: usize) -> String {
    format!("{digits}{}", "0".repeat(zeros))
}

/// The contract of an option vault's example.
fn contract_of(name: &str) -> OptionContract {
    let OptionWall { contract, .. } = parse(&bare(name)).vaults.remove(0).options().expect("options").limits.wall;
    contract
}

// Each takes every field of a contract apart: a new one does not compile until somebody has said where its value is from.

#[test]
fn no_field_of_the_calls_contract_is_left_to_chance() {
    let OptionContract::Calls(CoveredCall {
        assets: Assets { base: _, derivative: _, token_decimals: _ },
        life: SignatureLife { min_s, max_s },
        vol_factor,
        delta_max,
        cash_min,
        expires_in_min_s,
        expires_in_max_s,
        collateral: CollateralLimits { fee_factor, leniency, worst_sell, worst_buy },
    }) = contract_of("harvest-weeth")
    else {
        panic!("calls")
    };
    assert_eq!(
        [text(&min_s), text(&max_s), text(&expires_in_min_s), text(&expires_in_max_s)],
        ["300", "599", "86400", "2592000"]
    );
    assert_eq!([text(&vol_factor), text(&delta_max)], [e18("5", 17), e18("4", 17)]);
    assert_eq!(text(&cash_min), e18("-1", 23));
    let swaps = [text(&fee_factor), text(&leniency), text(&worst_sell), text(&worst_buy)];
    assert_eq!(swaps, [e18("1", 16), e18("105", 16), e18("98", 16), e18("102", 16)]);
}

#[test]
fn no_field_of_the_spreads_contract_is_left_to_chance() {
    let OptionContract::Spreads(Spread {
        assets: _,
        is_call,
        is_long,
        life: _,
        mark_ratio_min,
        mark_ratio_max,
        strike_distance,
        cost_tolerance,
        loss_or_gain_max,
        debt_tolerance,
        expires_in_min_s: _,
        expires_in_max_s: _,
        cash_min: _,
        fee_factor,
        collateral: _,
    }) = contract_of("bull-susde")
    else {
        panic!("spreads")
    };
    assert!(is_call && is_long);
    let ratios = [text(&mark_ratio_min), text(&mark_ratio_max), text(&strike_distance), text(&cost_tolerance)];
    assert_eq!(ratios, [e18("1", 17), e18("7", 17), e18("2", 20), e18("2", 18)]);
    assert_eq!(
        [text(&loss_or_gain_max), text(&debt_tolerance), text(&fee_factor)],
        [e18("2", 16), e18("2", 16), e18("1", 18)]
    );
}

#[test]
fn no_field_of_the_basis_contract_is_left_to_chance() {
    let basis = parse(&bare("lbtc-basis"));
    let Mandate::Basis(Limits { wall: BasisWall { contract, judged_per_fill: _, drift: _ }, .. }) =
        Mandate::Basis(basis.vaults[0].basis().expect("a basis vault").limits)
    else {
        panic!("basis")
    };
    let Basis {
        assets: _,
        life: _,
        perp_fee_max,
        loss_per_base_max,
        loss_per_perp_max,
        delta,
        leverage,
        decay_per_s,
        loss_target,
        collateral: _,
    } = contract;
    let losses = [text(&perp_fee_max), text(&loss_per_base_max), text(&loss_per_perp_max), text(&loss_target)];
    assert_eq!(losses, [e18("1", 16), e18("1", 16), e18("1", 16), e18("2", 15)]);
    let bands = [text(&delta.floor), text(&delta.ceil), text(&leverage.floor), text(&leverage.ceil)];
    assert_eq!(bands, [e18("98", 16), e18("102", 16), e18("9", 17), e18("2", 18)]);
    assert_eq!(text(&decay_per_s), "192540883488874");
}

#[test]
fn no_field_of_the_shares_is_left_to_chance() {
    let calls = parse(&format!("{}{CAPITAL}", bare("harvest-weeth")));
    let Shares { deposit_cap, deposit_min, deposit_scale, withdraw_scale, management_fee } =
        calls.vaults[0].capital.shares;
    assert_eq!([text(&deposit_cap), text(&deposit_min)], [e18("1", 25), e18("1", 16)]);
    assert_eq!(
        [text(&deposit_scale), text(&withdraw_scale), text(&management_fee)],
        [e18("1", 18), e18("1", 18), e18("15", 15)]
    );
}
