//! All vaults together: what they share, what they must not share, and the places everything gets.

use std::cell::RefCell;

use super::read::{Field, Notes};
use super::vault::Draft;
use super::{Fleet, RatioFeed, VaultConfig};
use crate::account::ledger::Book;
use crate::actors::pricing::VALUES_MAX;
use crate::base::ids::{InstrumentId, SubaccountId, VaultId};
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
        names.extend(
            [&draft.base_instrument, &draft.perp_instrument].into_iter().filter_map(|field| field.value.clone()),
        );
    }
    names.sort_unstable();
    names.dedup();
    if names.len() > VALUES_MAX {
        let what = format!("{} instruments in all", names.len());
        notes.borrow_mut().errors.push(drafts[0].line, "vault", what, format!("at most {VALUES_MAX}"));
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
    let refuse = |field: &Field<String>, why: &str| {
        let what = format!("{} values it differently: {why}", other.section);
        field.refuse(what, format!("the same as {} in line {}", other.section, other.line), notes);
    };
    let shares = |a: &Field<String>, b: &Field<String>| a.value.is_some() && a.value == b.value;
    let symbols_differ = own.external_symbol.value != other.external_symbol.value;
    if let (Some((base, perp)), Some((other_base, other_perp))) = (&own.models, &other.models) {
        if shares(&own.base_instrument, &other.base_instrument) {
            if base != other_base {
                refuse(&own.base_instrument, "its ratio or fair section differs");
            } else if symbols_differ || own.aggregator.value != other.aggregator.value {
                refuse(&own.base_instrument, "its external symbol or ratio feed differs");
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
    let same_feed = own.aggregator.value.is_some() && own.aggregator.value == other.aggregator.value;
    if same_feed && own.ratio_decimals.value != other.ratio_decimals.value && other.ratio_decimals.value.is_some() {
        let what = format!("the same feed has other decimals in line {}", other.ratio_decimals.line);
        own.ratio_decimals.refuse(what, "one number of decimals per feed", notes);
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
    let external_symbol = draft.external_symbol.value?;
    let external = u8::try_from(place_of(&mut fleet.external_symbols, external_symbol.clone())).ok()?;
    let feed = RatioFeed { aggregator: draft.aggregator.value?, decimals: draft.ratio_decimals.value? };
    let ratio_feed = u8::try_from(place_of(&mut fleet.ratio_feeds, feed)).ok()?;
    let (base_instrument, perp_instrument) = (draft.base_instrument.value?, draft.perp_instrument.value?);
    let mut instrument =
        |name: &String| u16::try_from(place_of(&mut fleet.instruments, name.clone())).ok().map(InstrumentId);
    let (base, perp) = (instrument(&base_instrument)?, instrument(&perp_instrument)?);
    let base_currency = draft.base_currency.value?;
    let currency = u8::try_from(place_of(&mut fleet.currencies, base_currency.clone())).ok()?;
    let (base_model, perp_model) = draft.models?;
    Some(VaultConfig {
        name: draft.name.value?,
        strategy: draft.strategy.value?,
        book: Book {
            vault: id,
            subaccount: SubaccountId(draft.subaccount.value?),
            base,
            perp: Some(perp),
            options: None,
            base_currency: CurrencyId(currency),
            cash_currency: CurrencyId(0),
        },
        base_instrument,
        base_currency,
        perp_instrument,
        external_symbol,
        ratio_feed: feed,
        base_model: Model { external, ratio_feed: Some(ratio_feed), ..base_model },
        perp_model: Model { external, ..perp_model },
        params: draft.params?,
        limits: draft.limits?,
    })
}
