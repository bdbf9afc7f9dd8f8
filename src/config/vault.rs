//! One `[[vault]]`: who it is, what it trades, and the parts that say how.

mod basis;
mod fair;
mod limits;

use super::Strategy;
use super::read::{Absent, Bps, Field, Rule, Section, Span};
use super::text::{address, code, instrument, quoted, show_address};
use crate::base::num::{E9, Ratio, Rounding, div_round};
use crate::market::fair::Model;
use crate::risk::limits::Limits;
use crate::strategy::basis::Params;

/// External quote currencies an external symbol may end in.
const QUOTES: [&str; 4] = ["USDC", "USDT", "FDUSD", "USD"];

/// What identifies a vault, field by field, for the checks between vaults.
pub(super) struct Draft {
    pub(super) section: String,
    pub(super) line: usize,
    pub(super) name: Field<String>,
    pub(super) strategy: Field<Strategy>,
    pub(super) subaccount: Field<u64>,
    pub(super) base_instrument: Field<String>,
    pub(super) base_currency: Field<String>,
    pub(super) perp_instrument: Field<String>,
    pub(super) external_symbol: Field<String>,
    pub(super) aggregator: Field<[u8; 20]>,
    pub(super) ratio_decimals: Field<u8>,
    /// Models of base and perp, their places not yet filled in.
    pub(super) models: Option<(Model, Model)>,
    pub(super) params: Option<Params>,
    pub(super) limits: Option<Limits>,
}

/// What the venue asks of collateral and perp, typed once for strategy and limits.
struct Margin {
    factor: Field<Bps>,
    requirement: Field<Bps>,
}

fn named<'r>(allowed: &str, default: Absent<String>) -> Rule<'r, String> {
    Rule { unit: "", allowed: allowed.to_owned(), absent: default, show: String::clone }
}

/// Reads one vault; `poll` is how often its ratio feed is read.
pub(super) fn vault(section: Section<'_>, poll: &Field<Span>) -> Draft {
    let rule = named("1 to 32 of a-z, 0-9, - and _", Absent::Refused);
    let name = section.text(("name", "name in reports and commands"), rule, vault_name);
    let strategy = section.choice(("strategy", "what it does"), &[("delta1-basis", Strategy::Delta1Basis)], None);
    let spec = ("subaccount_id", "venue subaccount it trades, owned by wallet.owner_address");
    let subaccount = section.integer(spec, "", 1..=i64::MAX, None).map(i64::unsigned_abs);
    let spec = ("base_instrument", "spot instrument of the base");
    let rule = named("CURRENCY-USDC in upper case", Absent::Refused);
    let base_instrument = section.text(spec, rule, |text| instrument(text, "-USDC"));
    let currency = base_instrument.value.as_ref().and_then(|name| name.strip_suffix("-USDC")).map(str::to_owned);
    let rule = named("the currency of base_instrument", currency.clone().map_or(Absent::Fine, Absent::Default));
    let base_currency = section.text(("base_currency", "collateral that is the base"), rule, |text| code(text, 16));
    if base_currency.value.is_some() && currency.is_some() && base_currency.value != currency {
        let allowed = currency.map(|currency| format!("\"{currency}\"")).unwrap_or_default();
        base_currency.refuse("not the currency of base_instrument", allowed, section.notes);
    }
    let spec = ("perp_instrument", "perp it hedges with, short only");
    let rule = named("CURRENCY-PERP in upper case", Absent::Refused);
    let perp_instrument = section.text(spec, rule, |text| instrument(text, "-PERP"));
    let spec = ("external_symbol", "symbol of the perp's coin on the external book");
    let rule = named("upper case, the perp's currency followed by USDC, USDT, FDUSD or USD", Absent::Refused);
    let external_symbol = section.text(spec, rule, |text| code(text, 20));
    check_symbol(&external_symbol, &perp_instrument, &section);

    let ratio = Feed::read(section.child("ratio"), poll);
    let fair = fair::Fields::read(section.child("fair"));
    let margin = Margin::read(section.child("margin"));
    let limits = limits::Fields::read(section.child("limits"));
    let basis = basis::Fields::read(section.child("basis"), &limits, &margin);
    limits.check(&fair, section.notes);
    basis.check(&limits, section.notes);
    let models = ratio.reference.value.zip(ratio.deviation.value).zip(ratio.age.value);
    let models = models.and_then(|((reference, deviation), age)| fair.models(reference, deviation.ratio(), age.0));
    let draft = Draft {
        section: section.name().to_owned(),
        line: section.line,
        name,
        strategy,
        subaccount,
        base_instrument,
        base_currency,
        perp_instrument,
        external_symbol,
        aggregator: ratio.aggregator,
        ratio_decimals: ratio.decimals,
        models,
        params: basis.build(&margin),
        limits: limits.build(&margin),
    };
    section.finish();
    draft
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

/// `[vault.ratio]`.
struct Feed {
    aggregator: Field<[u8; 20]>,
    decimals: Field<u8>,
    reference: Field<Ratio>,
    deviation: Field<Bps>,
    age: Field<Span>,
}

impl Feed {
    fn read(section: Section<'_>, poll: &Field<Span>) -> Feed {
        let rule = Rule {
            unit: "",
            allowed: "0x and 40 hexadecimal digits".into(),
            absent: Absent::Refused,
            show: show_address,
        };
        let spec = ("aggregator_address", "Chainlink feed of what one base is worth in the perp's coin");
        let aggregator = section.text(spec, rule, address);
        let spec = ("answer_decimals", "decimals of the feed's answers");
        let decimals = section.integer(spec, "", 0..=18, None).map(|decimals| decimals.unsigned_abs() as u8);
        let spec = ("reference_x", "ratio expected; review it when the token's yield has moved it");
        let reference = section.decimal(spec, "×", Ratio::from_bps(5_000)..=Ratio::whole(3), None);
        let spec = ("deviation_max_bps", "furthest the ratio may be from its reference");
        let deviation = section.bps(spec, 1..=1_000, 100);
        let spec = ("age_max_s", "oldest usable answer by the chain's clock; the feed's heartbeat and an hour");
        let age = section.seconds(spec, 60..=172_800, 90_000);
        if let (Some(Span(age_ns)), Some(Span(poll_ns))) = (age.value, poll.value)
            && 2 * poll_ns > age_ns
        {
            let what = format!("the feed would be read too seldom for {}", age.path);
            poll.refuse(what, "at most half of every vault's ratio.age_max_s", section.notes);
        }
        section.finish();
        Feed { aggregator, decimals, reference, deviation, age }
    }
}

impl Margin {
    fn read(section: Section<'_>) -> Margin {
        let spec = ("collateral_factor_bps", "share of the base's value that counts for initial margin");
        let factor = section.bps(spec, 1..=9_999, 5_005);
        let spec = ("perp_requirement_bps", "initial margin of the perp as a share of its value");
        let requirement = section.bps(spec, 1..=5_000, 1_000);
        section.finish();
        Margin { factor, requirement }
    }

    /// Highest leverage with `buffer` of TVL free: `L·f − (L−1)·(1+im) ≥ buffer`.
    fn cap(&self, buffer: Ratio) -> Option<Ratio> {
        let (factor, requirement) = (self.factor.value?.ratio(), self.requirement.value?.ratio());
        let room = i128::from((Ratio::ONE + requirement - buffer).raw()) * i128::from(E9);
        let per_unit = i128::from((Ratio::ONE + requirement - factor).raw());
        i64::try_from(div_round(room, per_unit, Rounding::Floor)).ok().map(Ratio::from_raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(bps: i64) -> Field<Bps> {
        Field { value: Some(Bps(bps)), path: String::new(), line: 1 }
    }

    /// Worked example D12 of the strategy specification, and its buffered form.
    #[test]
    fn margin_caps_leverage() {
        let cap = |factor, requirement, buffer| {
            let margin = Margin { factor: given(factor), requirement: given(requirement) };
            margin.cap(Ratio::from_bps(buffer)).expect("given").to_string()
        };
        assert_eq!(cap(5_005, 1_000, 0), "1.834862385");
        assert_eq!(cap(5_005, 1_000, 200), "1.801501251");
        assert_eq!(cap(8_550, 650, 0), "5.071428571");
    }
}
