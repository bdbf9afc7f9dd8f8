//! Capital on its way between a vault's contract and its subaccount: what a keeper asks for, held against duties of
//! our own and then against the contract. A [`Movement`] cannot be made elsewhere.
//!
//! Only v2 has such signatures; a v3 session key must not be able to give them.

use super::Grant;
use super::limits::Mandate;
use super::mandate::action::Assets;
use super::mandate::shares::Shares;
use super::wall;
use crate::account::holdings::Marks;
use crate::account::ledger::Ledger;
use crate::base::ids::{Epoch, Name, Nonce, SubaccountId, VaultId};
use crate::base::num::{Amount, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::msg::{CapitalWish, Flow, Guards, Mode, Phase, Value};
use alloy_primitives::{Address, U256};

/// What was read of the chain is too old to decide on after this: fifteen of its blocks.
const SIGHT_NS_MAX: u64 = 30 * SEC;

/// What a vault's capital may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CapitalLimits {
    /// Deposits may be signed.
    pub deposits: bool,
    /// Withdrawals may be signed.
    pub withdrawals: bool,
    /// Decimals of the deposited token.
    pub token_decimals: u8,
    /// Largest deposit.
    pub deposit_max: Amount,
    /// Largest withdrawal.
    pub withdrawal_max: Amount,
    /// Most withdrawn in a day.
    pub withdrawn_per_day_max: Amount,
    /// Parameters of the contract's shares.
    pub shares: Shares,
}

impl CapitalLimits {
    /// Nothing moves.
    pub const NONE: CapitalLimits = CapitalLimits {
        deposits: false,
        withdrawals: false,
        token_decimals: 18,
        deposit_max: Amount::ZERO,
        withdrawal_max: Amount::ZERO,
        withdrawn_per_day_max: Amount::ZERO,
        shares: Shares {
            deposit_cap: U256::ZERO,
            deposit_min: U256::ZERO,
            deposit_scale: U256::ZERO,
            withdraw_scale: U256::ZERO,
            management_fee: U256::ZERO,
        },
    };

    /// Whether the vault may sign for this at all.
    pub const fn allows(&self, flow: Flow) -> bool {
        match flow {
            Flow::Deposit => self.deposits,
            Flow::Withdrawal => self.withdrawals,
        }
    }

    /// Most that one movement may take.
    pub const fn amount_max(&self, flow: Flow) -> Amount {
        match flow {
            Flow::Deposit => self.deposit_max,
            Flow::Withdrawal => self.withdrawal_max,
        }
    }

    /// An amount of nine decimals in the token's own, rounded down.
    pub fn in_token(&self, amount: Amount) -> u128 {
        let raw = u128::from(amount.raw().max(0).unsigned_abs());
        match self.token_decimals {
            more @ 9.. => raw.saturating_mul(10_u128.saturating_pow(u32::from(more) - 9)),
            less => raw / 10_u128.pow(9 - u32::from(less)),
        }
    }

    /// A token amount in 18 decimals; none if it does not fit.
    pub fn in_wad(&self, amount: u128) -> Option<U256> {
        let assets = Assets { base: Address::ZERO, derivative: Address::ZERO, token_decimals: self.token_decimals };
        assets.to_18_decimals(U256::from(amount)).ok()
    }
}

/// Everything a check of capital may look at.
pub struct CapitalCase<'a> {
    /// Now.
    pub at: Nanos,
    /// What is wished.
    pub wish: CapitalWish,
    /// The vault's ledger.
    pub ledger: &'a Ledger,
    /// What its capital may do.
    pub limits: &'a CapitalLimits,
    /// Its mandate.
    pub mandate: &'a Mandate,
    /// The collateral, as the venue names it.
    pub currency: Name,
    /// Value of the base.
    pub base: &'a Value,
    /// Value of the perp, of a vault that has one.
    pub perp: &'a Value,
    /// Where an option vault stands in its week.
    pub phase: Phase,
    /// An RFQ is open.
    pub asking: bool,
    /// Another movement is under way.
    pub moving: bool,
    /// The vault's contract could sign now; none if none signs beforehand.
    pub contract_free: Option<bool>,
    /// What the vault may do.
    pub mode: Mode,
    /// The private session is up.
    pub session_up: bool,
    /// Venue clock minus ours, once measured.
    pub venue_offset_ns: Option<i64>,
    /// When the session key expires.
    pub key_expires_at: Nanos,
}

/// One row.
pub struct CapitalCheck {
    /// Name in news and refusals.
    pub name: &'static str,
    /// True when the wish may pass.
    pub passes: fn(&CapitalCase<'_>) -> bool,
}

/// The table. Sources: strategy specification §0.4, §2.3 to §2.6, §2.10, §2.12.
pub const CAPITAL_CHECKS: [CapitalCheck; 11] = [
    CapitalCheck { name: "permitted", passes: permitted },
    CapitalCheck { name: "awake", passes: awake },
    CapitalCheck { name: "seen", passes: seen },
    CapitalCheck { name: "fresh", passes: fresh },
    CapitalCheck { name: "sized", passes: sized },
    CapitalCheck { name: "settled", passes: settled },
    CapitalCheck { name: "alone", passes: alone },
    CapitalCheck { name: "timely", passes: timely },
    CapitalCheck { name: "covered", passes: covered },
    CapitalCheck { name: "unexpired", passes: unexpired },
    CapitalCheck { name: "mandate", passes: mandate },
];

impl CapitalCase<'_> {
    /// Life of the signature, as of any other of the vault.
    pub(super) fn life_ns(&self) -> u64 {
        match self.mandate {
            Mandate::Basis(limits) => limits.order_life_ns,
            Mandate::Options(limits) => limits.order_life_ns,
        }
    }

    /// How long it may wait before it leaves, as any order of the vault.
    fn reject_after_ns(&self) -> u64 {
        match self.mandate {
            Mandate::Basis(limits) => limits.reject_after_ns,
            Mandate::Options(limits) => limits.reject_after_ns,
        }
    }

    fn value_age_ns_max(&self) -> u64 {
        match self.mandate {
            Mandate::Basis(limits) => limits.value_age_ns_max,
            Mandate::Options(limits) => limits.value_age_ns_max,
        }
    }

    /// Marks of base and perp; a vault without a perp needs none for it.
    pub(super) fn marks(&self) -> Marks {
        let perp = if self.ledger.book().perp.is_some() { self.perp.mark } else { self.base.mark };
        Marks { base: self.base.mark, perp }
    }

    /// Index of the first row that refuses.
    pub fn refusal(&self) -> Option<usize> {
        CAPITAL_CHECKS.iter().position(|check| !(check.passes)(self))
    }
}

/// The configuration allows this direction.
fn permitted(case: &CapitalCase<'_>) -> bool {
    case.limits.allows(case.wish.flow)
}

/// The vault is not halted or starting, the session carries it, the truth is certain.
fn awake(case: &CapitalCase<'_>) -> bool {
    matches!(case.mode, Mode::Live | Mode::Drain) && case.session_up && !case.ledger.is_uncertain()
}

/// What the keeper saw of the chain is recent, and the contract is not blocked.
fn seen(case: &CapitalCase<'_>) -> bool {
    let sight = &case.wish.sight;
    sight.read_at <= case.at && case.at.since(sight.read_at) <= SIGHT_NS_MAX && !sight.blocked
}

/// The marks it is judged by are recent.
fn fresh(case: &CapitalCase<'_>) -> bool {
    let recent = |value: &Value| {
        value.mark.is_positive()
            && !value.guards.has(Guards::NO_PRICE)
            && case.at.since(value.priced_at) <= case.value_age_ns_max()
    };
    recent(case.base) && (case.ledger.book().perp.is_none() || recent(case.perp))
}

/// More than nothing, and no more than one movement may take.
fn sized(case: &CapitalCase<'_>) -> bool {
    let most = case.limits.in_token(case.limits.amount_max(case.wish.flow));
    (1..=most).contains(&case.wish.amount)
}

/// No fill, deposit or withdrawal waits to be settled, which a new signature would make fail (§0.4), by the venue's word
/// and by the chain's, which shows the collateral the venue shows. A contract that signs beforehand could do so now.
fn settled(case: &CapitalCase<'_>) -> bool {
    case.ledger.unsettled() == 0
        && case.contract_free.unwrap_or(true)
        && case.wish.sight.base == case.ledger.holdings().base
}

/// No order lives, no quote may be executed, no other capital moves: each would lose its signature to this one.
fn alone(case: &CapitalCase<'_>) -> bool {
    case.ledger.orders().next().is_none() && !case.asking && !case.moving
}

/// Between the auctions of a week: withdrawals while nothing but collateral is there, deposits also while options wait
/// for their end (§2.10). A basis vault has no week.
fn timely(case: &CapitalCase<'_>) -> bool {
    match (case.mandate, case.wish.flow) {
        (Mandate::Basis(_), _) => true,
        (Mandate::Options(_), Flow::Deposit) => {
            matches!(case.phase, Phase::CollateralOnly | Phase::AwaitSettlement)
        }
        (Mandate::Options(_), Flow::Withdrawal) => case.phase == Phase::CollateralOnly,
    }
}

/// A deposit is worth a signature and fits under the cap; a withdrawal leaves whatever was written covered.
fn covered(case: &CapitalCase<'_>) -> bool {
    let Some(amount) = case.limits.in_wad(case.wish.amount) else { return false };
    match case.wish.flow {
        Flow::Deposit => {
            let held = case.ledger.holdings().value(case.marks()).over_price(case.base.mark, Rounding::Ceil);
            let tokens = case.limits.in_wad(case.wish.sight.tokens);
            let after = tokens.and_then(|tokens| wall::amount_unsigned(held).checked_add(tokens));
            after.is_some_and(|after| case.limits.shares.check_deposit(amount, after).is_ok())
        }
        Flow::Withdrawal => {
            let base = wall::amount_unsigned(case.ledger.holdings().base);
            let written = wall::amount_unsigned(case.ledger.options().short());
            base.checked_sub(written).is_some_and(|free| amount <= free)
        }
    }
}

/// The signature's life fits the mandate and the session key.
fn unexpired(case: &CapitalCase<'_>) -> bool {
    let life = case.life_ns();
    case.venue_offset_ns.is_some() && (300 * SEC..600 * SEC).contains(&life) && case.at.plus(life) < case.key_expires_at
}

/// The contract of the mandate would sign it (§2.3 to §2.6).
fn mandate(case: &CapitalCase<'_>) -> bool {
    wall::capital::verdict(case).is_ok()
}

/// Permission to sign and send one movement of capital. Made by [`grant`] only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Movement {
    vault: VaultId,
    subaccount: SubaccountId,
    epoch: Epoch,
    nonce: Nonce,
    flow: Flow,
    amount: u128,
    currency: Name,
    token_decimals: u8,
    expires_s: u64,
    late_after: Nanos,
}

impl Movement {
    /// Whose.
    pub fn vault(&self) -> VaultId {
        self.vault
    }
    /// Subaccount it goes into or comes from.
    pub fn subaccount(&self) -> SubaccountId {
        self.subaccount
    }
    /// Epoch it was granted in.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// Its name.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }
    /// Which way.
    pub fn flow(&self) -> Flow {
        self.flow
    }
    /// How much, in the token's own decimals.
    pub fn amount(&self) -> u128 {
        self.amount
    }
    /// Of what, as the venue names it.
    pub fn currency(&self) -> &Name {
        &self.currency
    }
    /// Decimals of the token.
    pub fn token_decimals(&self) -> u8 {
        self.token_decimals
    }
    /// When its signature expires, venue unix seconds.
    pub fn expires_s(&self) -> u64 {
        self.expires_s
    }
    /// It must not leave later than this, our clock.
    pub fn late_after(&self) -> Nanos {
        self.late_after
    }
}

/// Applies every check; a pass is a permission under this name, a refusal the index of the row that refused.
pub fn grant(case: &CapitalCase<'_>, grant: &Grant) -> Result<Movement, usize> {
    match (case.refusal(), case.venue_offset_ns) {
        (None, Some(offset)) => {
            let book = case.ledger.book();
            Ok(Movement {
                vault: book.vault,
                subaccount: book.subaccount,
                epoch: grant.epoch,
                nonce: grant.nonce,
                flow: case.wish.flow,
                amount: case.wish.amount,
                currency: case.currency,
                token_decimals: case.limits.token_decimals,
                expires_s: case.at.shifted(offset).plus(case.life_ns()).secs(),
                late_after: case.at.plus(case.reject_after_ns()),
            })
        }
        (row, _) => Err(row.unwrap_or(CAPITAL_CHECKS.len() - 2)), // `unexpired` refuses without an offset
    }
}

#[cfg(test)]
#[path = "capital_tests.rs"]
mod tests;
