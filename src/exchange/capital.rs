//! Capital between an owner and its subaccount on v2: a signed deposit or withdrawal, taken in at once and booked when the
//! chain has settled it.
//!
//! Nothing moves before; what a withdrawal is to take can no longer be sold. One that the chain refuses leaves no trace but
//! its state, which `public/get_transaction` tells. The answer has the members of v3's of that name; as what the operation
//! was, which the documents leave open, it tells the module's data that was signed.

use super::admission::{EXPIRY_MAX_S, check_expiry};
use super::catalog::Asset;
use super::eip712::{Action, deposit_module};
use super::keys::Need;
use super::outbox::Outbox;
use super::params::invalid;
use super::public::now;
use super::rpc::{Answer, Call, Method};
use super::settling::{SettlementAction, SettlementVerdict, Tx, TxStatus};
use super::{Exchange, Owner, Refusal};
use crate::base::ids::Uuid;
use crate::base::time::Nanos;
use alloy::sol_types::SolValue;
use alloy_primitives::{Address, U256, hex};
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::BTreeMap;

/// Methods of this part; v3 has others for the same.
pub const METHODS: [Method; 3] = [
    Method::new("private/deposit", deposit),
    Method::new("private/withdraw", withdraw),
    Method::new("public/get_transaction", transaction),
];

/// Movements remembered; the oldest that are over are forgotten first.
const REMEMBERED_MAX: usize = 1_000;

/// A deposit or withdrawal.
#[derive(Clone, Debug)]
struct Movement {
    sub: u64,
    asset: &'static str,
    /// Below zero for a withdrawal.
    amount: Decimal,
    /// The module's data of the signed action.
    data: Vec<u8>,
    tx: Tx,
}

/// Every movement not yet forgotten.
#[derive(Clone, Debug, Default)]
pub struct Movements(BTreeMap<Uuid, Movement>);

impl Movements {
    /// What withdrawals on their way will take of an asset of a subaccount.
    fn leaving(&self, sub: u64, asset: &str) -> Decimal {
        let open = self.0.values().filter(|m| m.sub == sub && m.asset == asset && !m.tx.status.is_final());
        open.map(|m| -m.amount.min(Decimal::ZERO)).sum()
    }

    fn remember(&mut self, id: Uuid, movement: Movement) {
        if self.0.len() >= REMEMBERED_MAX {
            let over = self.0.iter().find(|(_, m)| m.tx.status.is_final()).map(|(id, _)| *id);
            if let Some(id) = over {
                self.0.remove(&id);
            }
        }
        self.0.insert(id, movement);
    }
}

fn deposit(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    take_in(exchange, call, true)
}

fn withdraw(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    take_in(exchange, call, false)
}

fn transaction(exchange: &mut Exchange, call: &Call) -> Result<Answer, Refusal> {
    let id = call.params.uuid("transaction_id")?;
    let found = exchange.settling.movements.0.get(&id);
    let Movement { data, tx, .. } = found.ok_or_else(|| invalid("transaction_id", "one of a deposit or withdrawal"))?;
    let hash = tx.hash.map(|hash| hash.to_string());
    let error = (tx.status == TxStatus::Reverted).then_some("reverted by the chain");
    let data = hex::encode_prefixed(data);
    now(json!({ "data": data, "status": tx.status.wire(), "transaction_hash": hash, "error_log": error }))
}

/// Checks everything but the chain's word: signature, authority, nonce, expiry, amount, and what must stay.
fn take_in(exchange: &mut Exchange, call: &Call, is_deposit: bool) -> Result<Answer, Refusal> {
    let p = call.params;
    let caller = call.known()?;
    let sub = p.u64("subaccount_id")?;
    exchange.owned(caller.wallet, sub)?;
    let name = p.text("asset_name")?;
    let asset = exchange.find_asset(name).ok_or_else(|| Refusal::because(12000, name))?;
    let (asset_name, amount) = (asset.name, p.decimal("amount")?);
    let native = native(asset, amount)?;
    let (module, data) = if is_deposit {
        let module = deposit_module(exchange.settings.network).ok_or_else(|| Refusal::of(-32601))?;
        (module, (native, asset.address, Address::ZERO).abi_encode_params())
    } else {
        (exchange.modules.withdrawal, (asset.address, native).abi_encode_params())
    };
    let action = Action {
        subaccount: sub,
        nonce: p.u64("nonce")?,
        module,
        data,
        expiry: p.u64("signature_expiry_sec")?,
        owner: caller.wallet,
        signer: p.address("signer")?,
    };
    let (signature, atomic) = (p.text("signature")?, p.flag("is_atomic_signing")?);
    exchange.may_move(&action, signature, atomic, is_deposit, call)?;
    if !is_deposit {
        exchange.check_leaving(sub, asset_name, amount)?;
    }
    if let Some(account) = exchange.subs.get_mut(&sub) {
        account.nonces.insert(action.nonce);
    }
    let id = exchange.ids.uuid();
    let tx = Tx { status: TxStatus::Requested, hash: None };
    let moved = if is_deposit { amount } else { -amount };
    let data = action.data.clone();
    exchange.settling.movements.remember(id, Movement { sub, asset: asset_name, amount: moved, data, tx });
    let side = SettlementAction {
        digest: action.digest(exchange.domain),
        action,
        signature: signature.to_owned(),
        atomic,
        extra_data: Vec::new(),
        filled: amount,
        price: Decimal::ZERO,
        fee: Decimal::ZERO,
    };
    exchange.ask_settlement(id, [Some(side)]);
    now(json!({ "status": tx.status.wire(), "transaction_id": format!("{id:?}") }))
}

/// An amount in the token's own decimals, or 11012.
fn native(asset: &Asset, amount: Decimal) -> Result<U256, Refusal> {
    let whole = amount.normalize();
    let spare = u32::from(asset.decimals).checked_sub(whole.scale());
    let spare = spare.filter(|_| amount > Decimal::ZERO).ok_or_else(|| {
        Refusal::because(11012, format!("{amount} is not a positive amount of {} decimals", asset.decimals))
    })?;
    Ok(U256::from(whole.mantissa().unsigned_abs()) * U256::from(10).pow(U256::from(spare)))
}

impl Exchange {
    fn may_move(
        &self,
        action: &Action,
        signature: &str,
        atomic: bool,
        is_deposit: bool,
        call: &Call,
    ) -> Result<(), Refusal> {
        let caller = call.known()?;
        let wallet = self.wallet(caller.wallet)?;
        let key = self.proved_by(action, signature, "what the module's data holds")?;
        if atomic && wallet.owner != (Owner::Contract { atomic: true }) {
            return Err(Refusal::because(14033, caller.wallet.to_string()));
        }
        // A contract itself decides what leaves it; a key that may withdraw is what another owner needs.
        let by_contract = action.signer == action.owner && self.is_contract(action.owner);
        let need = if is_deposit || by_contract { Need::AnyTrade } else { Need::Withdraw };
        for signer in [caller.signer, key] {
            wallet.allow(caller.wallet, signer, need, Some(action.subaccount), call.at)?;
        }
        self.check_nonce(action.subaccount, action.nonce, call.at)?;
        check_expiry(action.expiry, EXPIRY_MAX_S, call.at)
    }

    /// What a subaccount holds of an asset and is not about to leave it.
    pub(super) fn staying(&self, sub: u64, asset: &str) -> Decimal {
        let held = self.subs.get(&sub).and_then(|sub| sub.holdings.get(asset)).map_or(Decimal::ZERO, |h| h.amount);
        held - self.settling.movements.leaving(sub, asset)
    }

    /// 11020, 11000: may so much leave, beside what is on its way?
    fn check_leaving(&self, id: u64, asset: &'static str, amount: Decimal) -> Result<(), Refusal> {
        let mut after = self.subs.get(&id).ok_or_else(|| Refusal::of(14001))?.clone();
        let (staying, selling) = (self.staying(id, asset), self.selling(&after, asset));
        if amount + selling > staying {
            return Err(Refusal::because(11020, format!("{asset} {staying}, open sells {selling}")));
        }
        let names: Vec<_> = after.holdings.keys().copied().collect();
        for name in names {
            let staying = self.staying(id, name) - if name == asset { amount } else { Decimal::ZERO };
            after.holdings.entry(name).or_default().amount = staying;
        }
        let margin = self.margin_of(&after).initial() + self.open_orders_margin(&after, None);
        if margin < Decimal::ZERO {
            return Err(Refusal::because(11000, format!("initial margin would be {}", margin.round_dp(2))));
        }
        Ok(())
    }

    /// Books a verdict about a movement; false if it is about something else.
    pub(super) fn settle_movement(&mut self, verdict: &SettlementVerdict, at: Nanos, out: &mut Outbox) -> bool {
        let Some(movement) = self.settling.movements.0.get_mut(&verdict.id) else { return false };
        if movement.tx.status.is_final() || movement.tx.status >= verdict.status {
            return true;
        }
        movement.tx = Tx { status: verdict.status, hash: verdict.hash };
        let Movement { sub, asset, amount, .. } = *movement;
        if verdict.status != TxStatus::Settled {
            return true;
        }
        if amount > Decimal::ZERO {
            self.deposit(sub, asset, amount, at, out);
        } else {
            let change = self.with_account(sub, |account| {
                let holding = account.holdings.entry(asset).or_default();
                let before = holding.amount;
                holding.amount += amount;
                (before, holding.amount)
            });
            self.note_balance(sub, asset, change.0, change.1, "asset_withdrawal");
            self.flush(out);
        }
        true
    }

    /// Deposits and withdrawals of a subaccount that are neither settled nor reverted.
    pub fn moving(&self, sub: u64) -> usize {
        let open = |m: &&Movement| m.sub == sub && !m.tx.status.is_final();
        self.settling.movements.0.values().filter(open).count()
    }
}
