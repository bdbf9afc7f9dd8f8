//! Option vaults: their defaults are the mission's numbers, their ranges end where they say, their examples mean it.

use std::fs;
use std::path::Path;

use keel::base::ids::Name;
use keel::base::num::{Amount, Cash, Price, Ratio};
use keel::config::{
    Config, ConfigErrors, Explained, FeedRefresh, Online, OptionVaultConfig, RatioFeed, Strategy, VaultKind,
};
use keel::msg::Product;
use keel::risk::limits::OptionLimits;
use keel::strategy::options::amend::Amend;
use keel::strategy::options::params::{
    AuctionTerms, CollateralAuction, IvDecay, LimitAuction, OptionParams, RfqAuction, Selection, Week,
};
use rust_decimal::Decimal;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 86_400;
const SEC: u64 = 1_000_000_000;

const EXAMPLES: [&str; 7] = [
    "harvest-weeth",
    "safe-harvest-lbtc",
    "safe-harvest-weeth",
    "maxi-lbtc",
    "bull-susde",
    "weeth-basis",
    "lbtc-basis",
];
const DEMOS: [&str; 4] = ["harvest", "safe-harvest", "maxi", "bull"];

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("part of the repository")
}

fn example(name: &str) -> String {
    text(&format!("tools/config/{name}.toml"))
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, "keel.toml", &Online::first(4))
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn ratio(text: &str) -> Ratio {
    text.parse().expect("literal")
}

fn price(text: &str) -> Price {
    text.parse().expect("literal")
}

fn amount(text: &str) -> Amount {
    text.parse().expect("literal")
}

/// The only vault of an example; what is a default there is left out, as `config_files` proves for every example.
fn vault(name: &str) -> OptionVaultConfig {
    match good(&example(name)).vaults.remove(0).kind {
        VaultKind::Options(options) => options,
        VaultKind::Basis(_) => panic!("{name} is no option vault"),
    }
}

fn week(option_delay_min: u64, auction_s: u64) -> Week {
    Week {
        expiry_days: 7,
        expiry_s_min: 144 * HOUR_S,
        option_delay_s: option_delay_min * MINUTE_S,
        auction_s,
        spot_delay_s: 60 * MINUTE_S,
        settlement_s_max: 2 * HOUR_S,
    }
}

fn collateral(reprice_min: &str) -> CollateralAuction {
    CollateralAuction {
        init_spread: Ratio::ZERO,
        spread_per_s: ratio("0.00002"),
        max_spread: ratio("0.014"),
        auction_s_max: 900,
        reprice_min: price(reprice_min),
        dust: Cash::ONE,
    }
}

#[test]
fn harvest_gets_the_missions_numbers() {
    let OptionVaultConfig { option_currency, params, limits, ratio_feed, lookback_ns, .. } = vault("harvest-weeth");
    assert_eq!((option_currency.as_str(), ratio_feed, lookback_ns), ("ETH", None, 0));
    let want = OptionParams {
        product: Product::CoveredCall,
        week: week(300, HOUR_S),
        selection: Selection::Delta { target: ratio("0.1"), min: ratio("0.05"), max: ratio("0.15") },
        auction: AuctionTerms::Limit(LimitAuction {
            decay: IvDecay::Additive {
                init: Ratio::ZERO,
                per_s: ratio("0.00005"),
                max: ratio("0.1"),
                floor: ratio("0.25"),
            },
            reprice_min: price("0.1"),
            vol_factor_min: ratio("0.8"),
            floor_margin: ratio("0.001"),
            reselect_move: ratio("0.01"),
        }),
        collateral: collateral("2"),
        refusal_pause_ns: SEC,
        refresh_ns: 60 * SEC,
        amend: Amend::Replace,
    };
    assert_eq!(params, want);
    assert_eq!((limits.delta_min, limits.delta_max), (ratio("0.05"), ratio("0.15")));
    assert_eq!((limits.vol_factor_min, limits.iv_min), (ratio("0.8"), ratio("0.2")));
    assert_eq!((limits.life_s_min, limits.life_s_max), (6 * DAY_S, 8 * DAY_S));
    assert_eq!(
        (limits.cash_min, limits.strike_diff, limits.tvl_share_max),
        (Cash::whole(-2_000), Price::ZERO, Ratio::ZERO)
    );
}

/// Name, currency, product, strike distance, ratios, lot, costs, spread per minute and cap, collateral's price change.
type Row<'t> = (&'t str, &'t str, Product, &'t str, [&'t str; 3], [&'t str; 2], [&'t str; 2], [&'t str; 2], &'t str);

#[test]
fn spread_vaults_get_the_table_of_the_specification() {
    let (sold, short) = (["0.02", "0.07", "0.12"], ["0.5", "1"]);
    let (calls, puts, long) = (Product::ShortCallSpread, Product::ShortPutSpread, Product::LongCallSpread);
    let table: [Row<'_>; 4] = [
        ("safe-harvest-weeth", "ETH", calls, "100", sold, ["15", "5"], ["-200", "-1"], short, "2"),
        ("safe-harvest-lbtc", "BTC", calls, "2000", sold, ["4", "2"], ["-2000", "-20"], short, "2"),
        ("maxi-lbtc", "BTC", puts, "2000", sold, ["2", "1"], ["-2000", "-20"], short, "2"),
        (
            "bull-susde",
            "ETH",
            long,
            "200",
            ["0.25", "0.4", "0.55"],
            ["50", "25"],
            ["0", "140"],
            ["0.1", "0.2"],
            "0.001",
        ),
    ];
    for (name, currency, product, strike_diff, [min, target, max], lot, cost, [per_min, cap], reprice) in table {
        let options = vault(name);
        let buys = product == Product::LongCallSpread;
        let rfq = RfqAuction {
            lot_size: amount(lot[0]),
            lot_rounding: amount(lot[1]),
            lot_life_s: 120,
            freeze_s: 15,
            init_spread: Ratio::ZERO,
            spread_per_min: ratio(per_min),
            max_spread: ratio(cap),
            unit_cost_min: price(cost[0]),
            unit_cost_max: price(cost[1]),
            partial_fill_step: Ratio::ONE,
            maker_pause_ns: 4 * SEC,
            poll_ns: SEC / 2,
            reselect_move: ratio("0.01"),
            budget_share: if buys { Ratio::ONE } else { Ratio::ZERO },
            budget_share_max: if buys { ratio("0.01") } else { Ratio::ZERO },
        };
        let selection = Selection::SpreadRatio {
            strike_diff: price(strike_diff),
            target: ratio(target),
            min: ratio(min),
            max: ratio(max),
        };
        let want = OptionParams {
            product,
            week: week(310, 2 * HOUR_S),
            selection,
            auction: AuctionTerms::Rfq(rfq),
            collateral: collateral(reprice),
            refusal_pause_ns: SEC,
            refresh_ns: 60 * SEC,
            amend: Amend::Replace,
        };
        assert_eq!(options.params, want, "{name}");
        assert_eq!(options.option_currency, currency, "{name}");
        assert_eq!((options.ratio_feed.is_some(), options.lookback_ns), (buys, if buys { 7 * DAY_S * SEC } else { 0 }));
        check_limits(&options.limits, buys, price(strike_diff));
    }
}

fn check_limits(limits: &OptionLimits, buys: bool, strike_diff: Price) {
    let [low, high] = if buys { ["0.1", "0.7"] } else { ["0.005", "0.2"] };
    assert_eq!((limits.spread_ratio_min, limits.spread_ratio_max), (ratio(low), ratio(high)));
    assert_eq!(limits.strike_diff, strike_diff);
    assert_eq!(limits.tvl_share_max, ratio(if buys { "0.01" } else { "0.1" }));
    assert_eq!(limits.mark_tolerance, ratio(if buys { "1.25" } else { "0.45" }));
    assert_eq!((limits.life_s_min, limits.life_s_max), (345_600, 691_200));
    assert_eq!(limits.cash_min, Cash::whole(if buys { -100_000 } else { -2_000 }));
    assert_eq!((limits.buy_premium_max, limits.sell_discount_max), (ratio("0.015"), ratio("0.015")));
    assert_eq!((limits.order_life_ns, limits.value_age_ns_max), (310 * SEC, 3 * SEC));
}

#[test]
fn what_is_not_the_default_is_taken_as_typed() {
    let config = good(&text("tests/configs/good/option_vaults.toml"));
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    let strategies: Vec<Strategy> = config.vaults.iter().map(|vault| vault.strategy).collect();
    assert_eq!(strategies, Strategy::ALL[1..]);
    assert_eq!(config.instruments(), ["WEETH-USDC", "LBTC-USDC", "SUSDE-USDC"]);
    assert_eq!(config.currencies(), ["USDC", "WEETH", "ETH", "LBTC", "BTC", "SUSDE"]);
    assert!(config.external.is_none() && config.chain.is_some() && config.external_symbols().is_empty());
    assert_eq!(config.ratio_feeds(), [RatioFeed { aggregator: [0x22; 20], decimals: 18 }]);
    let books: Vec<_> = config.vaults.iter().map(|vault| (vault.book.perp, vault.book.options)).collect();
    let coins = ["ETH", "ETH", "BTC", "ETH"].map(|coin| (None, Name::new(coin)));
    assert_eq!(books, coins);
    assert_eq!(config.models().count(), 0);
    let params = |place: usize| config.vaults[place].options().expect("an option vault").params;
    let AuctionTerms::Limit(limit) = params(0).auction else { panic!("harvest sells by limit order") };
    let per_min = ratio("0.001234567");
    assert_eq!(limit.decay, IvDecay::Multiplicative { init: ratio("0.01"), per_min, max: ratio("0.05") });
    let deltas = Selection::SpreadDelta { strike_diff: price("200"), bought: ratio("0.7"), sold: ratio("0.4") };
    assert_eq!(params(3).selection, deltas);
}

#[test]
fn a_spread_vaults_contract_signs_before_its_executions_leave() {
    let written = text("tests/configs/good/v2_presign_rfq.toml");
    // It is how a contract signs for such a vault unless something else is said.
    for text in [written.clone(), written.replace("signing = \"pre-sign\"\n", "")] {
        let config = good(&text);
        let vault = &config.vaults[0];
        let presign = vault.contract.as_ref().and_then(|contract| contract.presign()).expect("before");
        let options = vault.options().expect("an option vault");
        assert_eq!((presign.sign_within_ns, options.limits.reject_after_ns), (20 * SEC, 20 * SEC));
        let Amend::Resign(cost) = options.params.amend else { panic!("each price is signed anew") };
        assert_eq!((cost.gas, cost.off_book_ns), ("0.05".parse().expect("literal"), 4 * SEC));
        assert_eq!(presign.refresh, None, "nothing is brought to a feed unless it is wanted");
    }
    let refreshed = |more: &str| {
        let config = good(&format!("{written}submit_feeds = true\n{more}"));
        config.vaults[0].contract.as_ref().and_then(|contract| contract.presign()?.refresh).expect("wanted")
    };
    assert_eq!(refreshed(""), FeedRefresh { age_bps_max: 6_000, pause_ns: 15 * SEC });
    let own = FeedRefresh { age_bps_max: 9_500, pause_ns: 2 * SEC };
    assert_eq!(refreshed("feed_age_max_bps = 9500\nfeed_pause_s = 2\n"), own);
}

#[test]
fn sections_are_asked_for_only_where_a_vault_needs_them() {
    let alone = good(&text("tests/configs/good/harvest_only.toml"));
    assert!(alone.external.is_none() && alone.chain.is_none() && alone.warnings().is_empty());
    let given =
        "[external]\nws_url = \"wss://book.example.org\"\n\n[chain]\nrpc_url = \"https://rpc.example.org\"\n\n[venue]";
    let config = good(&text("tests/configs/good/harvest_only.toml").replace("[venue]", given));
    assert_eq!(config.warnings().len(), 2, "{:?}", config.warnings());
    assert!(config.warnings().iter().all(|warning| warning.ends_with("no vault of this file needs it")));
    assert!(config.external.is_some() && config.chain.is_some());
    let bull = example("bull-susde");
    assert!(good(&bull).external.is_none() && good(&bull).chain.is_some());
}

#[test]
fn doubtful_choices_are_warned_about() {
    let table = [
        (
            "harvest-weeth",
            "iv_spread_bps_per_s = \"0.5\"",
            "iv_spread_bps_per_s = \"0.1\"",
            "never reached: the spread is 360 bps",
        ),
        (
            "safe-harvest-weeth",
            "spread_bps_per_min = 5000",
            "spread_bps_per_min = 4000",
            "never reached: the spread is 8000 bps",
        ),
        (
            "bull-susde",
            "spread_bps_per_s = \"0.2\"",
            "spread_bps_per_s = \"0.1\"",
            "never reached: the spread is 90 bps",
        ),
        ("maxi-lbtc", "spot_delay_s = 3600", "spot_delay_s = 18000", "may last until after options are due"),
    ];
    for (name, old, new, expect) in table {
        let typed = example(name);
        assert!(typed.contains(old) && good(&typed).warnings().is_empty(), "{name}");
        let config = good(&typed.replace(old, new));
        assert!(config.warnings().iter().any(|warning| warning.contains(expect)), "{name}: {:?}", config.warnings());
    }
}

/// A demo differs from a real vault in pace and addresses only.
#[test]
fn demos_parse_once_their_holes_are_filled() {
    let holes = [
        ("@WS@", "ws://127.0.0.1:9000/v3/ws"),
        ("@REST@", "http://127.0.0.1:9000/v3"),
        ("@BOOK@", "ws://127.0.0.1:9001"),
        ("@RPC@", "http://127.0.0.1:9002"),
        ("@OWNER@", "0x1111111111111111111111111111111111111111"),
        ("@SUBACCOUNT@", "1001"),
        ("@KEY@", "session.key"),
    ];
    for name in DEMOS {
        let typed = text(&format!("src/cli/demo/{name}.toml"));
        let filled = holes.iter().fold(typed, |text, (hole, value)| text.replace(hole, value));
        let config = good(&filled);
        assert!(config.warnings().is_empty(), "{name}: {:?}", config.warnings());
        assert_eq!(config.vaults[0].strategy.name(), name);
        let params = config.vaults[0].options().expect("an option vault").params;
        let real = if name == "harvest" { week(300, HOUR_S) } else { week(310, 2 * HOUR_S) };
        assert_eq!(params.week, real, "{name}");
    }
}

/// Both ends of a range as its row tells them, if it has one; decimals stand in quotes.
fn ends(row: &Explained) -> Option<(Decimal, Option<Decimal>, bool)> {
    // Names count letters, not amounts: "1 to 32 of a-z".
    if row.allowed.contains(" of ") {
        return None;
    }
    let quoted = row.allowed.starts_with('"');
    let (low, rest) = row.allowed.split_once(' ')?;
    let number = |text: &str| text.trim_matches('"').parse::<Decimal>().ok();
    let high = match rest.strip_prefix("to ") {
        Some(rest) => Some(number(rest.split(' ').next()?)?),
        None if rest.starts_with("or more") => None,
        None => return None,
    };
    Some((number(low)?, high, quoted))
}

/// What is said of one line when its value is replaced.
fn said(text: &str, line: usize, field: &str, value: Decimal, quoted: bool) -> String {
    let value = if quoted { format!("\"{}\"", value.normalize()) } else { value.normalize().to_string() };
    let lines = text.lines().enumerate();
    let typed = lines.map(|(at, old)| if at + 1 == line { format!("{field} = {value}\n") } else { format!("{old}\n") });
    match parse(&typed.collect::<String>()) {
        Ok(_) => String::new(),
        Err(errors) => {
            let here = |problem: &&keel::config::Problem| problem.line == line && problem.field.ends_with(field);
            errors.problems().iter().filter(here).map(|problem| format!("{}; ", problem.what)).collect()
        }
    }
}

/// Every number of every example: the ends of its range are in it, the next number is not.
#[test]
fn every_range_ends_where_it_says() {
    let mut ranges = 0;
    for name in EXAMPLES {
        let typed = example(name);
        for row in good(&typed).explain() {
            let Some(line) = row.source.strip_prefix("keel.toml:").and_then(|line| line.parse::<usize>().ok()) else {
                continue;
            };
            let Some((low, high, quoted)) = ends(row) else { continue };
            let step = if quoted { Decimal::new(1, 5) } else { Decimal::ONE };
            let outside = [Some(low - step), high.map(|high| high + step)];
            for value in outside.into_iter().flatten() {
                let said = said(&typed, line, &row.field, value, quoted);
                assert!(said.contains("is out of range"), "{name}: {} = {value}: {said:?}", row.field);
            }
            for value in [Some(low), high].into_iter().flatten() {
                let said = said(&typed, line, &row.field, value, quoted);
                assert!(!said.contains("out of range"), "{name}: {} = {value}: {said:?}", row.field);
            }
            ranges += 1;
        }
    }
    assert!(ranges > 250, "{ranges} ranges");
}
