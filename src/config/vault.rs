//! One `[[vault]]`: who it is, what it trades, and the parts that say how.

mod basis;
mod bounds;
mod capital;
mod contract;
mod envelope;
mod fair;
mod keeper;
mod limits;
mod mandate;
mod margin;
mod options;
mod ratio;

use super::read::{Absent, Field, Rule, Section, Span};
use super::shape::Strategy;
use super::text::{code, instrument, quoted};
use crate::derive::seal::envelope::FenceLimits;
use crate::market::fair::Model;
use crate::msg::Product;
use crate::risk::capital::CapitalLimits;
use crate::risk::limits::{Limits, Mandate};
use crate::risk::wall::BasisWall;
use crate::strategy::basis::Params;
pub(super) use contract::ContractDraft;
pub use keeper::{DepositPhases, KeeperConfig};
use margin::Margin;
pub(super) use options::OptionDraft;
pub(super) use ratio::Feed;

/// External quote currencies an external symbol may end in.
const QUOTES: [&str; 4] = ["USDC", "USDT", "FDUSD", "USD"];

/// What the vaults of a file need beside the venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// An external order book.
    pub(super) external: bool,
    /// Ratio feeds.
    pub(super) ratios: bool,
}

impl Needs {
    /// By the strategies of these tables; one that cannot be read needs nothing.
    pub(super) fn of(tables: &[Section<'_>]) -> Needs {
        let strategy = |table: &Section<'_>| {
            let name = table.peek("strategy")?;
            Strategy::ALL.into_iter().find(|strategy| strategy.name() == name)
        };
        tables.iter().filter_map(strategy).fold(Needs::default(), |needs, strategy| Needs {
            external: needs.external || strategy == Strategy::Delta1Basis,
            ratios: needs.ratios || matches!(strategy, Strategy::Delta1Basis | Strategy::Bull),
        })
    }
}

/// What identifies a vault, field by field, for the checks between vaults.
pub(super) struct Draft {
    pub(super) section: String,
    pub(super) line: usize,
    pub(super) name: Field<String>,
    pub(super) strategy: Field<Strategy>,
    pub(super) subaccount: Field<u64>,
    pub(super) base_instrument: Field<String>,
    pub(super) base_currency: Field<String>,
    /// What its capital may do; none if that is faulty, which has been noted by then.
    pub(super) capital: Option<CapitalLimits>,
    /// How its shares are kept, if they are.
    pub(super) keeper: Option<KeeperConfig>,
    /// None if the strategy is not known, which has been noted by then.
    pub(super) kind: Option<KindDraft>,
    /// Of a vault that a contract signs for.
    pub(super) contract: Option<ContractDraft>,
}

/// What the strategy needs.
pub(super) enum KindDraft {
    Basis(BasisDraft),
    Options(OptionDraft),
}

/// What a Delta-1 Basis vault adds.
pub(super) struct BasisDraft {
    pub(super) perp_instrument: Field<String>,
    pub(super) external_symbol: Field<String>,
    pub(super) feed: Feed,
    /// Models of base and perp, their places not yet filled in.
    pub(super) models: Option<(Model, Model)>,
    pub(super) params: Option<Params>,
    pub(super) limits: Option<Limits>,
    pub(super) fence: Option<FenceLimits>,
}

impl Draft {
    pub(super) fn basis(&self) -> Option<&BasisDraft> {
        match &self.kind {
            Some(KindDraft::Basis(basis)) => Some(basis),
            _ => None,
        }
    }

    /// Its ratio feed, if it has one.
    pub(super) fn feed(&self) -> Option<&Feed> {
        match self.kind.as_ref()? {
            KindDraft::Basis(basis) => Some(&basis.feed),
            KindDraft::Options(options) => options.feed.as_ref(),
        }
    }
}

fn named<'r>(allowed: &str, default: Absent<String>) -> Rule<'r, String> {
    Rule { unit: "", allowed: allowed.to_owned(), absent: default, show: String::clone }
}

/// Reads one vault; `poll` is how often its ratio feed is read.
pub(super) fn vault(section: Section<'_>, poll: &Field<Span>) -> Draft {
    let rule = named("1 to 32 of a-z, 0-9, - and _", Absent::Refused);
    let name = section.text(("name", "name in reports and commands"), rule, vault_name);
    let words = Strategy::ALL.map(|strategy| (strategy.name(), strategy));
    let strategy = section.choice(("strategy", "what it does"), &words, None);
    let spec = ("subaccount_id", "venue subaccount it trades, owned by wallet.owner_address");
    let subaccount = section.integer(spec, "", 1..=i64::MAX, None).map(i64::unsigned_abs);
    let spec = ("base_instrument", "spot instrument of the base");
    let rule = named("CURRENCY-USDC in upper case", Absent::Refused);
    let base_instrument = section.text(spec, rule, |text| instrument(text, "-USDC"));
    let currency = base_instrument.value.as_ref().and_then(|name| name.strip_suffix("-USDC")).map(str::to_owned);
    let rule = named("the currency of base_instrument", currency.clone().map_or(Absent::Fine, Absent::Default));
    let base_currency = section.text(("base_currency", "collateral that is the base"), rule, |text| code(text, 16));
    if base_currency.value.is_some() && currency.is_some() && base_currency.value != currency {
        let allowed = currency.as_ref().map(|currency| format!("\"{currency}\"")).unwrap_or_default();
        base_currency.refuse("not the currency of base_instrument", allowed, section.notes);
    }
    let contract = strategy.value.and_then(|strategy| contract::read(section.child("v2"), strategy));
    let kind = strategy.value.map(|strategy| match strategy.product() {
        None => KindDraft::Basis(basis_vault(&section, poll, contract.as_ref())),
        Some(product) => KindDraft::Options(option_vault(&section, product, currency, contract.as_ref())),
    });
    let capital = strategy.value.and_then(|strategy| {
        match capital::Fields::read(section.child("capital"), strategy, section.holds("v2")) {
            Some(fields) => fields.build(),
            None => Some(CapitalLimits::NONE),
        }
    });
    let keeper = strategy.value.and_then(|strategy| {
        let others = [section.holds("v2"), section.holds("capital")];
        keeper::Fields::read(section.child("keeper"), strategy, others)?.build()
    });
    // Without a strategy nobody knows which of the other names belong here.
    if kind.is_some() {
        section.finish();
    }
    Draft {
        section: section.name().to_owned(),
        line: section.line,
        name,
        strategy,
        subaccount,
        base_instrument,
        base_currency,
        capital,
        keeper,
        kind,
        contract,
    }
}

fn basis_vault(section: &Section<'_>, poll: &Field<Span>, contract: Option<&ContractDraft>) -> BasisDraft {
    let spec = ("perp_instrument", "perp it hedges with, short only");
    let rule = named("CURRENCY-PERP in upper case", Absent::Refused);
    let perp_instrument = section.text(spec, rule, |text| instrument(text, "-PERP"));
    let spec = ("external_symbol", "symbol of the perp's coin on the external book");
    let rule = named("upper case, the perp's currency followed by USDC, USDT, FDUSD or USD", Absent::Refused);
    let external_symbol = section.text(spec, rule, |text| code(text, 20));
    check_symbol(&external_symbol, &perp_instrument, section);

    let ratio = ratio::Fields::read(section.child("ratio"), poll);
    let fair = fair::Fields::read(section.child("fair"));
    let margin = Margin::read(section.child("margin"));
    let limits = limits::Fields::read(section.child("limits"));
    let mandate = mandate::Fields::read(section.child("mandate"));
    let basis = basis::Fields::read(section.child("basis"), &limits, &margin);
    limits.check(&fair, section.notes);
    mandate.check(&limits, section.notes);
    let judged_per_fill = contract.is_some_and(ContractDraft::judges_fills);
    let wall = mandate.build().map(|wall| BasisWall { judged_per_fill, ..wall });
    let built = wall.and_then(|wall| limits.build(&margin, wall));
    let implied = built.map(|limits| FenceLimits::of(&Mandate::Basis(limits)));
    let fence = envelope::Fields::read(section.child("envelope"), implied.unwrap_or(FenceLimits::CLOSED), true);
    if let Some(implied) = &implied {
        fence.check(&limits.bounds, implied, section.notes);
    }
    basis.check(&limits, section.notes);
    if let Some(contract) = contract {
        contract.check_life(&limits.bounds, &basis.refresh, section.notes);
    }
    let models = ratio.reference.value.zip(ratio.deviation.value).zip(ratio.age.value);
    let models = models.and_then(|((reference, deviation), age)| fair.models(reference, deviation.ratio(), age.0));
    BasisDraft {
        perp_instrument,
        external_symbol,
        feed: ratio.feed,
        models,
        params: basis
            .build(&margin)
            .map(|params| Params { judged_per_fill: mandate.bounds().filter(|_| judged_per_fill), ..params }),
        limits: built,
        fence: fence.build(),
    }
}

fn option_vault(
    section: &Section<'_>,
    product: Product,
    base: Option<String>,
    contract: Option<&ContractDraft>,
) -> OptionDraft {
    let spec = ("option_currency", "currency of the options it trades");
    let rule = named("1 to 16 of A-Z and 0-9", Absent::Refused);
    let option_currency = section.text(spec, rule, |text| code(text, 16));
    options::read(section, product, option_currency, (&base.unwrap_or_default(), contract))
}

fn vault_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(plain);
    if fits { Ok(text.to_owned()) } else { Err(format!("{} is not such a name", quoted(text))) }
}

/// The perp is valued with the external mid directly, so the symbol must be of the same coin.
fn check_symbol(symbol: &Field<String>, perp: &Field<String>, section: &Section<'_>) {
    let (Some(text), Some(perp)) = (&symbol.value, &perp.value) else { return };
    let coin = perp.trim_end_matches("-PERP");
    if !text.strip_prefix(coin).is_some_and(|quote| QUOTES.contains(&quote)) {
        let what = format!("{} is not {coin} against dollars, but {perp} is valued with it", quoted(text));
        symbol.refuse(what, QUOTES.map(|quote| format!("{coin}{quote}")).join(", "), section.notes);
    }
}
