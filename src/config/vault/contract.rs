//! `[vault.v2]`: the contract that signs for a covered-call vault on v2, as it must be found on chain.

use crate::base::num::{Cash, Ratio};
use crate::base::time::SEC;
use crate::config::read::{Absent, Bps, Field, Rule, Section, Span, Spec};
use crate::config::sections::url_rule;
use crate::config::shape::{CoveredCallTerms, V2Contract};
use crate::config::text::{Url, address, show_address};
use crate::derive::dialect::{Address, Dialect, V2_MAINNET, V2_TESTNET};

const RPC: Spec = ("rpc_url", "JSON-RPC endpoint of that network; shown without its path");
const CONTRACT: Spec = ("contract_address", "the vault's contract, which owns its subaccount");
const WRAPPED: Spec = ("wrapped_asset_address", "wrapped collateral, as the exchange names it");
const GAS: Spec = ("gas_balance_min_eth", "least the session key holds to pay for signatures");
const SIGNATURE_MIN: Spec = ("signature_min_s", "shortest life of a signature there");
const SIGNATURE_MAX: Spec = ("signature_max_s", "longest life of a signature there");
const VOL: Spec = ("vol_factor_x", "factor on volatility before an option is priced there");
const DELTA: Spec = ("delta_max", "highest delta sold there");
const CASH: Spec = ("cash_min_usdc", "cash below which nothing is sold or withdrawn there");
const LIFE_MIN: Spec = ("life_min_s", "shortest life of an option sold there");
const LIFE_MAX: Spec = ("life_max_s", "longest life of an option sold there");
const FEE: Spec = ("fee_max_bps", "highest fee signed for there, as a share of the collateral's price");
const LENIENCY: Spec = ("leniency_x", "how far a swap may overshoot the cash balance there");
const SELL: Spec = ("sell_discount_max_bps", "furthest below its price collateral is sold there");
const BUY: Spec = ("buy_premium_max_bps", "furthest above its price collateral is bought there");

/// The section, field by field.
pub(in crate::config) struct ContractDraft {
    dialect: Field<&'static str>,
    rpc: Field<Url>,
    contract: Field<Address>,
    wrapped: Field<Address>,
    gas: Field<Cash>,
    signature: [Field<Span>; 2],
    vol: Field<Ratio>,
    delta: Field<Ratio>,
    cash: Field<Cash>,
    life: [Field<Span>; 2],
    fee: Field<Bps>,
    leniency: Field<Ratio>,
    sell: Field<Bps>,
    buy: Field<Bps>,
}

fn share(section: &Section<'_>, spec: Spec, range: [i64; 2], default: i64) -> Field<Ratio> {
    let range = Ratio::from_bps(range[0])..=Ratio::from_bps(range[1]);
    section.decimal(spec, "", range, Some(Ratio::from_bps(default)))
}

/// Reads the section, if it is given. Defaults are those of the contracts' own deployment; ranges end where an owner's
/// rights end.
pub(super) fn read(section: Section<'_>) -> Option<ContractDraft> {
    if !section.is_given() {
        return None;
    }
    let s = &section;
    let place = |spec| {
        let allowed = "0x and 40 hexadecimal digits".to_owned();
        s.text(spec, Rule { unit: "", allowed, absent: Absent::Refused, show: show_address }, address)
    };
    let networks = [V2_MAINNET.name, V2_TESTNET.name].map(|name| (name, name));
    let cash = Cash::whole(-100_000)..=Cash::ZERO;
    let draft = ContractDraft {
        dialect: s.choice(("network", "network of the contract"), &networks, None),
        rpc: s.text(RPC, url_rule("https", "http", Absent::Refused), |text| Url::read(text, "https", "http", true)),
        contract: place(CONTRACT),
        wrapped: place(WRAPPED),
        gas: s.decimal(GAS, "ETH", Cash::ZERO..=Cash::whole(100), Some(Cash::from_raw(Cash::ONE.raw() / 100))),
        signature: [s.seconds(SIGNATURE_MIN, 60..=310, 60), s.seconds(SIGNATURE_MAX, 310..=1_800, 900)],
        vol: share(s, VOL, [1, 10_000], 8_000),
        delta: share(s, DELTA, [1, 4_999], 2_000),
        cash: s.decimal(CASH, "USDC", cash, Some(Cash::whole(-100_000))),
        life: [s.seconds(LIFE_MIN, 3_600..=2_592_000, 518_400), s.seconds(LIFE_MAX, 3_600..=2_592_000, 691_200)],
        fee: s.bps(FEE, 0..=500, 100),
        leniency: share(s, LENIENCY, [10_000, 12_000], 10_500),
        sell: s.bps(SELL, 0..=2_000, 150),
        buy: s.bps(BUY, 0..=2_000, 150),
    };
    draft.life[0].at_most(&draft.life[1], "no option could be sold", s.notes);
    section.finish();
    Some(draft)
}

impl ContractDraft {
    /// The contract, if every field was sound.
    pub(in crate::config) fn build(&self) -> Option<V2Contract> {
        let seconds = |field: &Field<Span>| field.value.map(|Span(ns)| ns / SEC);
        let ratio = |field: &Field<Bps>| field.value.map(Bps::ratio);
        let off = |ratio: Ratio| Ratio::from_raw(Ratio::ONE.raw() - ratio.raw());
        let above = |ratio: Ratio| Ratio::from_raw(Ratio::ONE.raw() + ratio.raw());
        Some(V2Contract {
            dialect: Dialect::named(self.dialect.value?)?,
            rpc_url: self.rpc.value.clone()?,
            address: self.contract.value?,
            wrapped_asset: self.wrapped.value?,
            gas_balance_min: self.gas.value?,
            terms: CoveredCallTerms {
                signature_s_min: seconds(&self.signature[0])?,
                signature_s_max: seconds(&self.signature[1])?,
                vol_factor: self.vol.value?,
                delta_max: self.delta.value?,
                cash_min: self.cash.value?,
                life_s_min: seconds(&self.life[0])?,
                life_s_max: seconds(&self.life[1])?,
                fee_max: ratio(&self.fee)?,
                leniency: self.leniency.value?,
                worst_sell: off(ratio(&self.sell)?),
                worst_buy: above(ratio(&self.buy)?),
            },
        })
    }
}
