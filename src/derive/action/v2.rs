//! Data layouts only v2 signs: deposits, withdrawals and transfers. Orders and quotes are as in v3.

use super::words::Words;
use crate::base::ids::SubaccountId;
use crate::derive::dialect::Address;
use crate::msg::Flow;

/// Deposit: `(amount in native units, asset, manager of a new subaccount or zero)`.
pub fn deposit_data(amount_native: u128, asset: Address, manager: Address) -> Vec<u8> {
    let mut words = Words::with_capacity(3);
    words.uint(amount_native).address(asset).address(manager);
    words.into_bytes()
}

/// Withdrawal: `(asset, amount in native units)`; funds go to the action's owner.
pub fn withdraw_data(asset: Address, amount_native: u128) -> Vec<u8> {
    let mut words = Words::with_capacity(2);
    words.address(asset).uint(amount_native);
    words.into_bytes()
}

/// What a movement of capital signs: a deposit goes into the subaccount there is, a withdrawal to the owner.
pub fn movement_data(flow: Flow, asset: Address, amount_native: u128) -> Vec<u8> {
    match flow {
        Flow::Deposit => deposit_data(amount_native, asset, [0; 20]),
        Flow::Withdrawal => withdraw_data(asset, amount_native),
    }
}

/// One asset of a v2 transfer: `(asset, sub-id, amount·1e18)`.
pub type Moved = (Address, u128, i128);

/// Transfer: `(to, manager of a new subaccount or zero, moved assets)`.
pub fn transfer_data(to: SubaccountId, manager: Address, moved: &[Moved]) -> Vec<u8> {
    let mut words = Words::with_capacity(5 + 3 * moved.len());
    words.uint(32).uint(to.0.into()).address(manager).uint(96).uint(moved.len() as u128);
    for &(asset, sub_id, amount) in moved {
        words.address(asset).uint(sub_id).int(amount);
    }
    words.into_bytes()
}
