//! Configurations good and bad: each bad one is refused with its line and its reason, the good ones mean what they say.

use std::fs;
use std::path::{Path, PathBuf};

use keel::base::ids::{InstrumentId, SubaccountId, VaultId};
use keel::base::num::{Cash, Ratio};
use keel::config::{BasisVault, Config, ConfigErrors, Idle, Layout, Online, RatioFeed, table};
use keel::msg::CurrencyId;

const EXAMPLES: &str = "tools/config";
const GOOD: &str = "tests/configs/good";
const BAD: &str = "tests/configs/bad";

fn folder(path: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let entries = fs::read_dir(&folder).expect("the corpus is part of the repository");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the corpus is UTF-8")
}

fn text(path: &str) -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, "keel.toml", &Online::first(4))
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn basis(config: &Config, vault: usize) -> &BasisVault {
    config.vaults[vault].basis().expect("a basis vault")
}

/// The first line says what the message must contain; a line that ends in `# here` must be the one it names.
#[test]
fn every_bad_configuration_is_refused_by_line_and_reason() {
    let files = folder(BAD);
    assert!(files.len() >= 100, "{} files", files.len());
    let faults: Vec<String> = files.iter().filter_map(|file| fault(file)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// What is wrong with how a bad file is refused.
fn fault(file: &Path) -> Option<String> {
    let text = read(file);
    let name = file.display();
    let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    let Some(expect) = first.trim_end_matches("  # here").strip_prefix("# expect: ") else {
        return Some(format!("{name} expects nothing"));
    };
    let marked = text.split('\n').position(|line| line.trim_end().ends_with("# here")).map_or(1, |place| place + 1);
    let Err(errors) = parse(&text) else { return Some(format!("{name} was accepted")) };
    let message = errors.to_string();
    let start = format!("keel.toml:{marked}: ");
    let told =
        message.lines().any(|line| line.starts_with(&start) && line.contains(expect) && line.contains("; allowed: "));
    (!told).then(|| format!("{name} should say in line {marked} {expect:?}, but says\n{message}"))
}

#[test]
fn every_good_configuration_is_accepted_and_explained() {
    let files = folder(GOOD);
    assert!(files.len() >= 2);
    for file in files {
        let config = good(&read(&file));
        assert!(config.explain().iter().all(|row| !row.value.is_empty() && !row.meaning.is_empty()));
    }
}

#[test]
fn all_faults_are_told_at_once_and_by_line() {
    let text = text("tests/configs/good/minimal.toml")
        .replace("\"testnet\"", "\"tetsnet\"")
        .replace("subaccount_id = 1001", "subaccount_id = -1")
        .replace("clip_base = \"1\"", "clip = 1\nbid_offset_bps = 1.5");
    let errors = parse(&text).expect_err("five faults");
    let lines: Vec<usize> = errors.problems().iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [3, 15, 31, 32, 33], "{errors}");
}

#[test]
fn no_message_repeats_a_secret() {
    for file in ["secret_inline", "secret_inline_short", "secret_elsewhere", "url_password"] {
        let errors = parse(&text(&format!("{BAD}/{file}.toml"))).expect_err("refused").to_string();
        assert!(!errors.contains("4c4c") && !errors.contains("5d5d") && !errors.contains("hush"), "{errors}");
    }
    let access = format!("access-key/{}", "6e".repeat(32));
    let config = good(&text("tests/configs/good/minimal.toml").replace("access-key", &access));
    let shown = format!("{}\n{config:?}", table(config.explain()));
    let chain = config.chain.as_ref().expect("a basis vault reads ratios");
    assert!(chain.rpc_url.as_str().ends_with(&access) && !shown.contains("access-key"), "{shown}");
}

#[test]
fn thousands_of_faults_make_a_bounded_message() {
    let many: String = (0..3_000).map(|n| format!("unknown_{n} = 1\n")).collect();
    let message = parse(&many).expect_err("refused").to_string();
    assert!(message.lines().count() <= 101 && message.contains("and 2"), "{message}");
}

#[test]
fn size_is_bounded_and_carriage_returns_are_no_fault() {
    let minimal = text("tests/configs/good/minimal.toml");
    let filled = |bytes: usize| format!("{minimal}#{}", "x".repeat(bytes - minimal.len() - 1));
    good(&filled(64 * 1024));
    let message = parse(&filled(64 * 1024 + 1)).expect_err("too large").to_string();
    assert!(message.contains("keel.toml:1: is larger than 65536 bytes"), "{message}");
    let windows = good(&minimal.replace('\n', "\r\n"));
    assert_eq!(windows.vaults, good(&minimal).vaults);
    assert_eq!(windows.explain(), good(&minimal).explain());
}

#[test]
fn the_smallest_configuration_gets_the_mission_defaults() {
    let config = good(&text("tests/configs/good/minimal.toml"));
    assert_eq!(config.venue.environment.ws, "wss://testnet.api.derive.xyz/v3/ws");
    assert_eq!((config.topology.layout, config.topology.idle), (Layout::Auto, Idle::Spin));
    assert!(config.venue.cancel_on_disconnect && config.state_dir.is_none() && config.warnings().is_empty());
    let BasisVault { params, limits, base_model: base, .. } = basis(&config, 0);
    let ratio = |text: &str| text.parse::<Ratio>().expect("literal");
    // Two is wanted; with the contract's factors and two percent kept free 1.801 can be had.
    assert_eq!(params.target_leverage, ratio("1.8"));
    assert_eq!((params.soft_delta_min, params.soft_delta_max), (ratio("0.99"), ratio("1.01")));
    assert_eq!((limits.delta_min, limits.delta_max), (ratio("0.98"), ratio("1.02")));
    assert_eq!((limits.leverage_min, limits.leverage_max), (ratio("0.9"), ratio("2")));
    assert_eq!((limits.mark_offset_max, limits.loss_ema_max), (ratio("0.01"), ratio("0.002")));
    assert_eq!(limits.loss_decay_e18, 192_540_883_488_874);
    assert_eq!(limits.order_life_ns, 310_000_000_000);
    assert_eq!((params.margin_factor, limits.perp_requirement), (ratio("0.5005"), ratio("0.1")));
    assert_eq!((base.ratio_age_ns_max, base.ticker_age_ns_max), (90_000_000_000_000, 2_000_000_000));
}

#[test]
fn vaults_share_places_in_a_fixed_order() {
    let config = good(&text("tests/configs/good/two_vaults.toml"));
    assert_eq!(config.instruments(), ["WEETH-USDC", "ETH-PERP", "RSETH-USDC"]);
    assert_eq!(config.currencies(), ["USDC", "WEETH", "RSETH"]);
    assert_eq!(config.external_symbols(), ["ETHUSDC"]);
    let feeds: Vec<u8> = config.ratio_feeds().iter().map(|RatioFeed { decimals, .. }| *decimals).collect();
    assert_eq!(feeds, [18, 8]);
    let second = &config.vaults[1];
    assert_eq!((second.book.vault, second.book.subaccount), (VaultId(1), SubaccountId(8)));
    assert_eq!((second.book.base, second.book.perp), (InstrumentId(2), Some(InstrumentId(1))));
    assert_eq!((second.book.base_currency, second.book.cash_currency), (CurrencyId(2), CurrencyId(0)));
    let (own, other) = (basis(&config, 1), basis(&config, 0));
    assert_eq!((own.base_model.external, own.base_model.ratio_feed), (0, Some(1)));
    assert_eq!(own.perp_model.ratio_feed, None);
    assert_eq!(own.perp_model, other.perp_model);
    let models: Vec<_> = config.models().map(|(_, model)| model).collect();
    assert_eq!(models, [other.base_model, own.perp_model, own.base_model]);
    // The default target follows the vault's own margin and limits.
    assert_eq!(other.params.target_leverage, Ratio::whole(2));
    assert_eq!(own.params.target_leverage, Ratio::from_bps(15_000));
    let notional: Cash = "20000.123456789012345678".parse().expect("literal");
    assert_eq!((other.limits.notional_max, other.limits.order_life_ns), (notional, 512_000_000_000));
    assert_eq!((config.topology.layout, config.topology.idle), (Layout::Single(Some(3)), Idle::Yield));
    assert_eq!(config.venue.environment.rest, "http://127.0.0.1:9000/v3");
    assert_eq!(config.venue.environment.dialect.chain_id, 31_337);
}

#[test]
fn v2_is_spoken_to_a_local_exchange() {
    let config = good(&text("tests/configs/good/v2_dialect.toml"));
    let environment = &config.venue.environment;
    assert_eq!((environment.dialect.name, environment.dialect.chain_id), ("v2-mainnet", 957));
    assert_eq!((&*environment.ws, &*environment.rest), ("ws://127.0.0.1:9000/ws", "http://127.0.0.1:9000"));
    assert!(environment.dialect.settles_fills());
}

#[test]
fn spread_takes_the_last_six_cores_or_those_named() {
    let minimal = text("tests/configs/good/minimal.toml");
    let layout = |more: &str| {
        let text = format!("{minimal}\n[topology]\nlayout = \"spread\"\n{more}");
        Config::parse(&text, "keel.toml", &Online::first(8)).map(|config| config.topology.layout)
    };
    assert_eq!(layout(""), Ok(Layout::Spread([2, 3, 4, 5, 6, 7])));
    let named = "cores = { gateway = 0, signer = 1, risk = 2, auction = 3, pricing = 4, market_data = 5 }";
    assert_eq!(layout(named), Ok(Layout::Spread([5, 4, 3, 2, 1, 0])));
}

/// The examples are the manual: each field, its range and its default as the code has them.
#[test]
fn examples_parse_and_show_every_field_with_its_range() {
    for file in folder(EXAMPLES) {
        let (example, name) = (read(&file), file.display());
        let config = good(&example);
        assert_eq!(config.vaults.len(), 1);
        for row in config.explain().iter().filter(|row| row.source != "derived") {
            let given = example.contains(&format!("\n{} = ", row.field));
            assert!(given || example.contains(&format!("\n# {} = ", row.field)), "{name} lacks {}", row.field);
            let allowed = row.allowed.split(": 0").next().unwrap_or_default();
            assert!(example.contains(&format!("Allowed: {allowed}")), "{name}: {} is not {allowed}", row.field);
        }
        let shown = example.lines().zip(example.lines().skip(1)).filter(|(comment, _)| comment.ends_with("; default."));
        let without: String = example
            .lines()
            .filter(|line| !shown.clone().any(|(_, field)| field == *line))
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(shown.count() > 35);
        let implied = good(&without);
        assert_eq!(
            (&implied.vaults, &implied.venue, implied.topology),
            (&config.vaults, &config.venue, config.topology),
            "{name}"
        );
    }
}

/// The commented section of every example is sound as it stands, and shows each field with its range and default.
#[test]
fn examples_show_the_sentry() {
    for file in folder(EXAMPLES) {
        let example = read(&file);
        let start = example.find("# [sentry]").expect("shown");
        let end = start + example[start..].find("\n\n").expect("ends");
        let fields = example[start..end].lines().filter(|line| line.starts_with("# [") || line.contains(" = "));
        let section: String = fields.map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
        let config = good(&format!("{}{section}{}", &example[..start], &example[end..]));
        let rows: Vec<_> = config.explain().iter().filter(|row| row.section == "sentry").collect();
        assert_eq!(rows.len(), 7);
        for row in rows {
            assert!(
                example[start..end].contains(&format!("Allowed: {}", row.allowed)),
                "{}: {}",
                row.field,
                row.allowed
            );
        }
        let short: String = section
            .lines()
            .filter(|line| !line.contains("_ms") && !line.contains("listen"))
            .fold(String::new(), |text, line| text + line + "\n");
        let implied = good(&format!("{}{short}{}", &example[..start], &example[end..])).sentry.expect("given");
        let shown = config.sentry.expect("given");
        assert_eq!((implied.beat_ns, implied.silence_ns_max), (shown.beat_ns, shown.silence_ns_max));
        assert_eq!((implied.clock_offset_ns_max, implied.listen), (shown.clock_offset_ns_max, shown.address));
    }
}

#[test]
fn explain_tells_where_each_value_came_from() {
    let config = good(&text("tests/configs/good/minimal.toml"));
    let find = |section: &str, field: &str| {
        let row = config.explain().iter().find(|row| row.section == section && row.field == field);
        row.map(|row| (row.value.as_str(), row.unit.as_str(), row.source.as_str()))
    };
    assert_eq!(find("vault[0].basis", "clip_base"), Some(("1", "base", "keel.toml:32")));
    assert_eq!(find("vault[0].limits", "order_life_s"), Some(("310", "s", "default")));
    assert_eq!(find("vault[0].basis", "margin_leverage_cap_x"), Some(("1.801501251", "× TVL", "derived")));
    assert_eq!(find("venue", "chain_id"), Some(("11155111", "", "derived")));
    assert_eq!(table(config.explain()).lines().filter(|line| line.starts_with('[')).count(), 16);
}
