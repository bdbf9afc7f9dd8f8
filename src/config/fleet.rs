//! All vaults together: what they share, what they must not share, and the places everything gets.

use std::cell::RefCell;

use super::read::{Field, Notes};
use super::shape::{BasisVault, OptionVaultConfig, RatioFeed, V2Contract, VaultConfig, VaultKind};
use super::vault::{BasisDraft, Draft, Feed, KindDraft, OptionDraft};
use super::{Fleet, Isolation, Signer, Venue, Wallet};
use crate::account::ledger::Book;
use crate::actors::pricing::VALUES_MAX;
use crate::base::ids::{InstrumentId, Name, SubaccountId, VaultId};
use crate::market::fair::Model;
use crate::msg::CurrencyId;

/// Currency of cash; always the first of the currencies.
const CASH: &str = "USDC";

/// The place of `item`, which is added if it is new. Lists here hold at most two items per vault.
fn place_of<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    list.iter().position(|other| *other == item).unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    })
}

/// Checks the vaults against each other.
pub(super) fn check(drafts: &[Draft], notes: &RefCell<Notes>) {
    for (place, draft) in drafts.iter().enumerate() {
        let earlier = &drafts[..place];
        unique(&draft.name, earlier.iter().map(|other| &other.name), "a name of its own", notes);
        let subaccounts = earlier.iter().map(|other| &other.subaccount);
        unique(&draft.subaccount, subaccounts, "a subaccount of its own", notes);
        for other in earlier {
            check_pair(draft, other, notes);
        }
    }
    let mut names = Vec::new();
    for draft in drafts {
        let perp = draft.basis().map(|basis| &basis.perp_instrument);
        names.extend(std::iter::once(&draft.base_instrument).chain(perp).filter_map(|field| field.value.clone()));
    }
    names.sort_unstable();
    names.dedup();
    if names.len() > VALUES_MAX {
        let what = format!("{} instruments in all", names.len());
        notes.borrow_mut().errors.push(drafts[0].line, "vault", what, format!("at most {VALUES_MAX}"));
    }
}

/// A contract owns one subaccount, and everything a session does is its doing: the file is all about it.
pub(super) fn check_contracts(
    drafts: &[Draft],
    (venue, wallet, signer): (&Option<Venue>, &Option<Wallet>, &Option<Signer>),
    notes: &RefCell<Notes>,
) {
    for contract in drafts.iter().filter_map(|draft| draft.contract.as_ref()) {
        if drafts.len() > 1 {
            let what = "its contract owns no other vault's subaccount";
            contract.contract.refuse(what, "one vault in a file with [vault.v2]", notes);
        }
        if let (Some(network), Some(venue)) = (contract.network.value, venue)
            && venue.environment.dialect.name != network
        {
            let what = format!("orders would be signed for {}", venue.environment.dialect.name);
            contract.network.refuse(what, "the network that venue.environment names", notes);
        }
        if let (Some(own), Some(wallet)) = (contract.contract.value, wallet)
            && own != wallet.owner
        {
            contract.contract.refuse("it is not the wallet that owns the subaccount", "wallet.owner_address", notes);
        }
        contract.check_key(signer.is_some_and(|signer| signer.isolation == Isolation::Process), notes);
        if wallet.as_ref().is_some_and(|wallet| wallet.seal.descriptor().is_some()) {
            contract.check_descriptor(notes);
        }
    }
}

fn unique<'d, T: PartialEq + 'd>(
    own: &Field<T>,
    mut others: impl Iterator<Item = &'d Field<T>>,
    allowed: &str,
    notes: &RefCell<Notes>,
) {
    if own.value.is_some()
        && let Some(twin) = others.find(|other| other.value == own.value)
    {
        own.refuse(format!("the same as {} in line {}", twin.path, twin.line), allowed, notes);
    }
}

/// One instrument has one value, so two vaults that price it must price it alike.
fn check_pair(own: &Draft, other: &Draft, notes: &RefCell<Notes>) {
    if let (Some(basis), Some(other_basis)) = (own.basis(), other.basis()) {
        check_values((own, basis), (other, other_basis), notes);
    }
    check_collateral(own, other, notes);
    let (Some(feed), Some(other_feed)) = (own.feed(), other.feed()) else { return };
    let same_feed = feed.aggregator.value.is_some() && feed.aggregator.value == other_feed.aggregator.value;
    if same_feed && feed.decimals.value != other_feed.decimals.value && other_feed.decimals.value.is_some() {
        let what = format!("the same feed has other decimals in line {}", other_feed.decimals.line);
        feed.decimals.refuse(what, "one number of decimals per feed", notes);
    }
}

/// A collateral has one value, and our own orders must not meet in its book (M9): a basis vault quotes there all day by
/// its own fair value, an option vault converts there at the venue's mark.
fn check_collateral(own: &Draft, other: &Draft, notes: &RefCell<Notes>) {
    let known = own.base_instrument.value.is_some() && own.kind.is_some() && other.kind.is_some();
    if !known || own.base_instrument.value != other.base_instrument.value {
        return;
    }
    let mixed = own.basis().is_some() != other.basis().is_some();
    let feeds = own.feed().and_then(|feed| feed.aggregator.value).zip(other.feed().and_then(|f| f.aggregator.value));
    let differ = own.basis().is_none() && !mixed && feeds.is_some_and(|(one, two)| one != two);
    if mixed || differ {
        let what = format!("{} values it differently", other.section);
        let allowed = format!("another collateral than {} in line {}", other.section, other.line);
        own.base_instrument.refuse(what, allowed, notes);
    }
}

fn check_values(
    (draft, own): (&Draft, &BasisDraft),
    (other_draft, other): (&Draft, &BasisDraft),
    notes: &RefCell<Notes>,
) {
    let refuse = |field: &Field<String>, why: &str| {
        let what = format!("{} values it differently: {why}", other_draft.section);
        field.refuse(what, format!("the same as {} in line {}", other_draft.section, other_draft.line), notes);
    };
    let shares = |a: &Field<String>, b: &Field<String>| a.value.is_some() && a.value == b.value;
    let symbols_differ = own.external_symbol.value != other.external_symbol.value;
    let (Some((base, perp)), Some((other_base, other_perp))) = (&own.models, &other.models) else { return };
    if shares(&draft.base_instrument, &other_draft.base_instrument) {
        if base != other_base {
            refuse(&draft.base_instrument, "its ratio or fair section differs");
        } else if symbols_differ || own.feed.aggregator.value != other.feed.aggregator.value {
            refuse(&draft.base_instrument, "its external symbol or ratio feed differs");
        }
    }
    if shares(&own.perp_instrument, &other.perp_instrument) {
        if perp != other_perp {
            refuse(&own.perp_instrument, "its fair section differs");
        } else if symbols_differ {
            refuse(&own.perp_instrument, "its external symbol differs");
        }
    }
}

/// Gives everything its place; `None` if a vault is incomplete.
pub(super) fn build(drafts: Vec<Draft>) -> Option<Fleet> {
    let mut fleet = Fleet { currencies: vec![CASH.to_owned()], ..Fleet::default() };
    for (place, draft) in drafts.into_iter().enumerate() {
        let vault = vault(VaultId(u8::try_from(place).ok()?), draft, &mut fleet)?;
        fleet.vaults.push(vault);
    }
    Some(fleet)
}

fn vault(id: VaultId, draft: Draft, fleet: &mut Fleet) -> Option<VaultConfig> {
    let contract = match &draft.contract {
        Some(contract) => Some(contract.build()?),
        None => None,
    };
    let presign = contract.as_ref().and_then(V2Contract::presign);
    let base_instrument = draft.base_instrument.value?;
    let base = place_of_instrument(fleet, &base_instrument)?;
    let base_currency = draft.base_currency.value?;
    let currency = u8::try_from(place_of(&mut fleet.currencies, base_currency.clone())).ok()?;
    let (kind, perp, options, fence) = match draft.kind? {
        KindDraft::Basis(basis) => {
            let fence = basis.fence?;
            let basis = basis_vault(basis, fleet)?;
            let perp = place_of_instrument(fleet, &basis.perp_instrument)?;
            (VaultKind::Basis(basis), Some(perp), None, fence)
        }
        KindDraft::Options(options) => {
            let fence = options.fence?;
            let mut options = option_vault(options, fleet)?;
            if let Some(presign) = presign {
                options.sign_first(presign);
            }
            // Signed feeds name the currency, so it has a place even if nobody holds it.
            place_of(&mut fleet.currencies, options.option_currency.clone());
            let currency = Name::new(&options.option_currency)?;
            (VaultKind::Options(options), None, Some(currency), fence)
        }
    };
    Some(VaultConfig {
        name: draft.name.value?,
        strategy: draft.strategy.value?,
        book: Book {
            vault: id,
            subaccount: SubaccountId(draft.subaccount.value?),
            base,
            perp,
            options,
            base_currency: CurrencyId(currency),
            cash_currency: CurrencyId(0),
        },
        base_instrument,
        base_currency,
        kind,
        fence,
        contract,
        capital: draft.capital?,
        keeper: draft.keeper,
    })
}

fn place_of_instrument(fleet: &mut Fleet, name: &str) -> Option<InstrumentId> {
    u16::try_from(place_of(&mut fleet.instruments, name.to_owned())).ok().map(InstrumentId)
}

fn ratio_feed(feed: &Feed, fleet: &mut Fleet) -> Option<(RatioFeed, u8)> {
    let feed = RatioFeed { aggregator: feed.aggregator.value?, decimals: feed.decimals.value? };
    Some((feed, u8::try_from(place_of(&mut fleet.ratio_feeds, feed)).ok()?))
}

fn basis_vault(draft: BasisDraft, fleet: &mut Fleet) -> Option<BasisVault> {
    let external_symbol = draft.external_symbol.value?;
    let external = u8::try_from(place_of(&mut fleet.external_symbols, external_symbol.clone())).ok()?;
    let (feed, place) = ratio_feed(&draft.feed, fleet)?;
    let (base_model, perp_model) = draft.models?;
    Some(BasisVault {
        perp_instrument: draft.perp_instrument.value?,
        external_symbol,
        ratio_feed: feed,
        base_model: Model { external, ratio_feed: Some(place), ..base_model },
        perp_model: Model { external, ..perp_model },
        params: draft.params?,
        limits: draft.limits?,
    })
}

fn option_vault(draft: OptionDraft, fleet: &mut Fleet) -> Option<OptionVaultConfig> {
    let feed = match &draft.feed {
        Some(feed) => Some(ratio_feed(feed, fleet)?.0),
        None => None,
    };
    Some(OptionVaultConfig {
        option_currency: draft.option_currency.value?,
        params: draft.params?,
        limits: draft.limits?,
        ratio_feed: feed,
        lookback_ns: draft.lookback_ns?,
        ticker_age_ns_max: draft.ticker_age_ns_max?,
    })
}
