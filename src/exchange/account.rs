//! Wallets, subaccounts and their books: collateral with cost basis, cash with interest, nonces.

use super::catalog::CASH;
use super::keys::{KeyLoss, Need, SessionKey};
use super::lending::Lending;
use super::limits::Budgets;
use super::mmp::Mmp;
use super::money::truncate;
use super::options::{OptionPosition, SettlementRow};
use super::order::{Order, TradeRow};
use super::position::Position;
use super::{OrderId, Owner, Refusal, Tier};
use crate::base::time::Nanos;
use alloy_primitives::Address;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Order and trade records kept per subaccount.
pub const HISTORY_MAX: usize = 10_000;
/// Used nonces remembered per subaccount; older ones fall under the floor and are refused.
const NONCES_MAX: usize = 500_000;

/// An account owner.
#[derive(Clone, Debug)]
pub struct Wallet {
    /// What owns it.
    pub owner: Owner,
    /// Request budgets.
    pub tier: Tier,
    /// Requests charged so far.
    pub budgets: Budgets,
    /// Session keys by address.
    pub keys: BTreeMap<Address, SessionKey>,
    /// What has become of them all for now, if anything.
    pub loss: Option<KeyLoss>,
    /// Its subaccounts.
    pub subaccounts: Vec<u64>,
    /// Cancel mmp orders and quotes when their connection drops.
    pub cancel_on_disconnect: bool,
    /// May answer requests for quotes (else Derive 14027).
    pub rfq_maker: bool,
    /// Unix second of creation.
    pub created_s: u64,
    /// Last nonce of an account-level action; the next must be higher.
    pub account_nonce: u64,
}

impl Wallet {
    /// A wallet without keys or subaccounts.
    pub fn new(tier: Tier, at: Nanos) -> Wallet {
        Wallet {
            owner: Owner::Key,
            tier,
            budgets: Budgets::default(),
            keys: BTreeMap::new(),
            loss: None,
            subaccounts: Vec::new(),
            cancel_on_disconnect: false,
            rfq_maker: false,
            created_s: at.secs(),
            account_nonce: 0,
        }
    }

    /// 14027 unless the wallet may answer requests for quotes.
    pub fn makes_quotes(&self, owner: Address) -> Result<(), Refusal> {
        if self.rfq_maker { Ok(()) } else { Err(Refusal::because(14027, owner.to_string())) }
    }

    /// Checks that `signer` may do `need` for this wallet, on `sub` if given: 14026, 14030, 14031.
    pub fn allow(
        &self,
        owner: Address,
        signer: Address,
        need: Need,
        sub: Option<u64>,
        at: Nanos,
    ) -> Result<(), Refusal> {
        if signer == owner {
            return Ok(());
        }
        let key = self.keys.get(&signer).ok_or_else(|| Refusal::because(14026, signer.to_string()))?;
        if let Some(code) = self.loss.and_then(|loss| loss.refuses(need)) {
            return Err(Refusal::because(code, signer.to_string()));
        }
        if !key.is_live(at) {
            return Err(Refusal::because(14030, format!("{signer} lapsed at {}", key.expiry_s)));
        }
        if let Some(sub) = sub.filter(|sub| !key.reaches(*sub)) {
            return Err(Refusal::because(14031, format!("{signer} may not act for subaccount {sub}")));
        }
        if key.satisfies(need) {
            return Ok(());
        }
        Err(Refusal::because(14031, format!("{signer} holds {:?}, needed: {need:?}", key.scopes.names())))
    }
}

/// An asset held.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    /// Signed amount; only USDC may be negative.
    pub amount: Decimal,
    /// Average entry price with fees; zero while unknown.
    pub average: Decimal,
    /// Average entry price without fees.
    pub average_excl: Decimal,
    /// Realised PnL with fees.
    pub realized: Decimal,
    /// Realised PnL without fees.
    pub realized_excl: Decimal,
    /// Fees charged on its trades.
    pub fees: Decimal,
    /// Unix ms since it is held.
    pub created_ms: u64,
}

impl Holding {
    /// Books a spot fill of a signed amount; returns PnL realised with and without fees.
    pub fn trade(&mut self, signed: Decimal, price: Decimal, fee: Decimal) -> (Decimal, Decimal) {
        self.fees += fee;
        let before = self.amount;
        self.amount += signed;
        if signed > Decimal::ZERO {
            let cost = price * signed;
            self.average_excl = truncate((self.average_excl * before + cost) / self.amount);
            self.average = truncate((self.average * before + cost + fee) / self.amount);
            return (Decimal::ZERO, Decimal::ZERO);
        }
        let realized_excl = truncate((price - self.average_excl) * -signed);
        let realized = truncate((price - self.average) * -signed) - fee;
        self.realized += realized;
        self.realized_excl += realized_excl;
        (realized, realized_excl)
    }
}

/// Nonces already used by a subaccount's orders: unique, in any order, bounded in memory.
#[derive(Clone, Debug, Default)]
pub struct Nonces {
    used: BTreeSet<u64>,
    floor: u64,
}

impl Nonces {
    /// True if the nonce was used or can no longer be known to be unused.
    pub fn is_used(&self, nonce: u64) -> bool {
        nonce < self.floor || self.used.contains(&nonce)
    }

    /// Marks a nonce used.
    pub fn insert(&mut self, nonce: u64) {
        self.used.insert(nonce);
        if self.used.len() > NONCES_MAX
            && let Some(oldest) = self.used.pop_first()
        {
            self.floor = oldest + 1;
        }
    }

    /// Nonces used that are remembered, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.used.iter().copied()
    }

    /// Frees the nonce of an order that was refused.
    pub fn release(&mut self, nonce: u64) {
        self.used.remove(&nonce);
    }
}

/// A margin account.
#[derive(Clone, Debug)]
pub struct Subaccount {
    /// Owner.
    pub wallet: Address,
    /// Free text.
    pub label: String,
    /// Exempt from margin: an account of the house.
    pub house: bool,
    /// Assets by name, USDC among them.
    pub holdings: BTreeMap<&'static str, Holding>,
    /// Perp positions by instrument.
    pub positions: BTreeMap<usize, Position>,
    /// Option positions by instrument.
    pub options: BTreeMap<usize, OptionPosition>,
    /// Resting orders.
    pub open: BTreeSet<OrderId>,
    /// Nonces used by orders.
    pub nonces: Nonces,
    /// Market-maker protection by currency.
    pub mmp: BTreeMap<String, Mmp>,
    /// Orders that ended, newest last.
    pub ended: VecDeque<Order>,
    /// Fills, newest last.
    pub trades: VecDeque<TradeRow>,
    /// Funding settlements as (ms, instrument, pnl, funding), newest last.
    pub settlements: VecDeque<(u64, usize, Decimal, Decimal)>,
    /// Settled option positions, newest last.
    pub option_settlements: VecDeque<SettlementRow>,
    /// Interest payments as (ms, amount), newest last.
    pub interest: VecDeque<(u64, Decimal)>,
    /// Lending index at which cash last grew.
    pub cash_index: Decimal,
    /// Interest grown but not yet in the balance.
    pub pending_interest: Decimal,
    /// Interest in the balance.
    pub cumulative_interest: Decimal,
    /// Fees charged.
    pub fees_paid: Decimal,
    /// Funding paid, net.
    pub funding_paid: Decimal,
}

impl Subaccount {
    /// An empty subaccount.
    pub fn new(wallet: Address, label: &str, house: bool, lending: &Lending) -> Subaccount {
        Subaccount {
            wallet,
            label: label.to_string(),
            house,
            holdings: BTreeMap::new(),
            positions: BTreeMap::new(),
            options: BTreeMap::new(),
            open: BTreeSet::new(),
            nonces: Nonces::default(),
            mmp: BTreeMap::new(),
            ended: VecDeque::new(),
            trades: VecDeque::new(),
            settlements: VecDeque::new(),
            option_settlements: VecDeque::new(),
            interest: VecDeque::new(),
            cash_index: lending.supply_index,
            pending_interest: Decimal::ZERO,
            cumulative_interest: Decimal::ZERO,
            fees_paid: Decimal::ZERO,
            funding_paid: Decimal::ZERO,
        }
    }

    /// Amount of an asset held.
    pub fn balance(&self, asset: &str) -> Decimal {
        self.holdings.get(asset).map_or(Decimal::ZERO, |h| h.amount)
    }

    /// Interest grown on cash and not yet paid into it.
    pub fn interest_due(&self, lending: &Lending) -> Decimal {
        let cash = self.balance(CASH);
        let index = lending.index(cash);
        truncate(self.pending_interest + cash * (index / self.cash_index - Decimal::ONE))
    }

    /// Signed size of a perp or option position.
    pub fn position(&self, ix: usize) -> Decimal {
        let perp = self.positions.get(&ix).map(|p| p.amount);
        perp.or_else(|| self.options.get(&ix).map(|p| p.amount)).unwrap_or_default()
    }

    /// Changes cash; what has grown so far becomes pending interest first.
    pub fn change_cash(&mut self, delta: Decimal, lending: &Lending) {
        self.pending_interest = self.interest_due(lending);
        let cash = self.holdings.entry(CASH).or_default();
        cash.amount += delta;
        self.cash_index = lending.index(cash.amount);
    }

    /// Pays pending interest into cash; returns what was paid.
    pub fn capitalise_interest(&mut self, at: Nanos, lending: &Lending) -> Decimal {
        let due = self.interest_due(lending);
        if due.is_zero() {
            return due;
        }
        self.change_cash(due, lending);
        self.pending_interest = Decimal::ZERO;
        self.cumulative_interest += due;
        keep(&mut self.interest, (at.ms(), due));
        due
    }
}

/// Appends to a bounded record.
pub fn keep<T>(record: &mut VecDeque<T>, row: T) {
    if record.len() == HISTORY_MAX {
        record.pop_front();
    }
    record.push_back(row);
}

#[cfg(test)]
mod tests {
    use super::super::money::constant;
    use super::*;

    #[test]
    fn nonces_are_unique_and_forget_downwards() {
        let mut nonces = Nonces::default();
        nonces.insert(5);
        nonces.insert(3);
        assert!(nonces.is_used(3) && nonces.is_used(5) && !nonces.is_used(4));
        nonces.release(5);
        assert!(!nonces.is_used(5));
        (10..=10 + NONCES_MAX as u64).for_each(|n| nonces.insert(n));
        assert!(nonces.is_used(3) && nonces.is_used(4), "forgotten nonces stay refused");
    }

    #[test]
    fn a_spot_holding_keeps_its_cost_with_and_without_fees() {
        let mut h = Holding::default();
        h.trade(Decimal::from(2), Decimal::from(100), Decimal::ONE);
        h.trade(Decimal::from(2), Decimal::from(110), Decimal::ONE);
        assert_eq!((h.average_excl, h.average), (Decimal::from(105), constant("105.5")));
        let (realized, excl) = h.trade(Decimal::from(-1), Decimal::from(115), Decimal::ONE);
        assert_eq!((realized, excl), (constant("8.5"), Decimal::from(10)));
        assert_eq!(h.amount, Decimal::from(3));
    }
}
