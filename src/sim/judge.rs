//! The leveraged-basis contract in this process: settles what its mandate allows and refuses the rest, over books of its
//! own that only settlement moves. For runs in virtual time; on a real chain `tools/contracts/BasisSigner.sol` does it.

use crate::base::time::Nanos;
use crate::exchange::{SettlementAction, SettlementAuthority, SettlementRequest, SettlementVerdict, TxStatus};
use crate::risk::mandate::action::{Action, Trade, VaultState};
use crate::risk::mandate::basis::{Basis, BasisState};
use crate::risk::mandate::decode::{Module, decode};
use crate::risk::mandate::ema::MarkLoss;
use crate::risk::mandate::feeds::Feeds;
use crate::risk::mandate::fixed::{add_signed, mul_d_signed, sub_signed};
use crate::risk::mandate::revert::Revert;
use alloy_primitives::{Address, I256, U256};
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// What the subaccount holds, 18 decimals. Neither funding nor interest comes into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Collateral.
    pub base: I256,
    /// Perp.
    pub perp: I256,
    /// Cash.
    pub cash: I256,
    /// Price at which the perp's profit last became cash.
    settled_at: I256,
}

/// What the contract did.
#[derive(Clone, Debug, Default)]
pub struct Judgements {
    /// Settlements it approved.
    pub approved: u32,
    /// Of these, fills of an order that had filled before.
    pub repeated: u32,
    /// What it refused, by name.
    pub refused: Vec<Revert>,
    /// What it holds by its own books.
    pub held: Held,
}

/// One vault's contract, its books and its settlements on their way.
pub struct Judge {
    contract: Basis,
    vault: Address,
    names: [String; 2],
    held: Held,
    loss: MarkLoss,
    last_nonce: u64,
    delay_ns: u64,
    waiting: VecDeque<(Nanos, SettlementVerdict)>,
    told: Arc<Mutex<Judgements>>,
}

/// The marks a settlement brings along.
#[derive(Clone, Copy)]
struct Prices {
    spot: U256,
    perp: U256,
}

impl Feeds for Prices {
    fn spot(&self) -> Result<U256, Revert> {
        Ok(self.spot)
    }

    fn vol(&self, _: u128, _: u64) -> Result<U256, Revert> {
        Err(Revert::LvfMissingExpiryData)
    }

    fn forward(&self, _: u64) -> Result<U256, Revert> {
        Err(Revert::LffMissingExpiryData)
    }
}

impl Judge {
    /// For the vault of this address, with this mandate over its real assets, holding so much collateral; it settles the
    /// spot and the perp of these names, this long after a fill.
    pub fn new(vault: Address, contract: Basis, names: [&str; 2], base: Decimal, delay_ns: u64) -> Option<Judge> {
        let held = Held { base: e18(base)?, ..Held::default() };
        Some(Judge {
            contract,
            vault,
            names: names.map(str::to_owned),
            held,
            loss: MarkLoss::NONE,
            last_nonce: 0,
            delay_ns,
            waiting: VecDeque::new(),
            told: Arc::new(Mutex::new(Judgements { held, ..Judgements::default() })),
        })
    }

    /// Where it tells what it did.
    pub fn judgements(&self) -> Arc<Mutex<Judgements>> {
        self.told.clone()
    }

    /// Settles one side of a fill, or refuses it and leaves everything as it was.
    fn settle(&mut self, at: Nanos, side: &SettlementAction, prices: Prices) -> Result<(), Revert> {
        let mut held = self.held;
        held.settle_perp(prices.perp)?;
        let decoded = decode(Module::Trade, &side.action.data, &[]).map_err(|_| Revert::LbtInvalidModule)?;
        let state = BasisState {
            vault: VaultState {
                now_s: at.secs(),
                blocked: false,
                base: held.base,
                cash: held.cash,
                options: Cow::Borrowed(&[]),
                token_balance: U256::ZERO,
                pending_deposits: U256::ZERO,
            },
            perp: held.perp,
            perp_price: Ok(prices.perp),
            mark_to_market: Ok(add_signed(mul_d_signed(held.base, I256::from_raw(prices.spot))?, held.cash)?),
            mark_loss: self.loss,
        };
        let loss = self.contract.check(&decoded.action, U256::from(side.action.expiry), &state, &prices)?;
        let Action::Trade(trade) = decoded.action else { return Err(Revert::LbtInvalidModule) };
        held.fill(self.contract.assets.base, &trade, side).ok_or(Revert::ArithmeticOverflow)?;
        (self.held, self.loss) = (held, loss);
        Ok(())
    }

    /// Every side of the vault's own in a request; others' are not its business.
    fn judge(&mut self, at: Nanos, request: &SettlementRequest) -> TxStatus {
        let own = |side: &&SettlementAction| side.atomic && side.action.signer == self.vault;
        let Some(side) = request.actions.iter().find(own) else { return TxStatus::Settled };
        let mark = |name: &str| request.marks.iter().find(|(known, _)| **known == *name).map(|(_, mark)| *mark);
        let prices = self.names.each_ref().map(|name| mark(name).and_then(e18).map(I256::into_raw));
        let verdict = match prices {
            [Some(spot), Some(perp)] => self.settle(at, side, Prices { spot, perp }),
            _ => Err(Revert::BlfDataTooOld),
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match verdict {
            Ok(()) => {
                told.approved += 1;
                told.repeated += u32::from(side.action.nonce == self.last_nonce);
                self.last_nonce = side.action.nonce;
                told.held = self.held;
                TxStatus::Settled
            }
            Err(why) => {
                told.refused.push(why);
                TxStatus::Reverted
            }
        }
    }
}

impl Held {
    fn settle_perp(&mut self, price: U256) -> Result<(), Revert> {
        let price = I256::from_raw(price);
        let profit = mul_d_signed(self.perp, sub_signed(price, self.settled_at)?)?;
        self.cash = add_signed(self.cash, profit)?;
        self.settled_at = price;
        Ok(())
    }

    /// One side of a fill; none if a number does not fit.
    fn fill(&mut self, base: Address, trade: &Trade, side: &SettlementAction) -> Option<()> {
        let (amount, price, fee) = (e18(side.filled)?, e18(side.price)?, e18(side.fee)?);
        let amount = if trade.is_bid { amount } else { -amount };
        self.cash -= fee;
        if trade.asset == base {
            self.base += amount;
            self.cash -= mul_d_signed(amount, price).ok()?;
        } else {
            self.perp += amount;
            self.cash += mul_d_signed(amount, self.settled_at - price).ok()?;
        }
        Some(())
    }
}

impl SettlementAuthority for Judge {
    fn submit(&mut self, at: Nanos, request: SettlementRequest) {
        let status = self.judge(at, &request);
        self.waiting.push_back((at.plus(self.delay_ns), SettlementVerdict { id: request.id, status, hash: None }));
    }

    fn poll(&mut self, at: Nanos) -> Option<SettlementVerdict> {
        let due = self.waiting.front().is_some_and(|(due, _)| *due <= at);
        due.then(|| self.waiting.pop_front()).flatten().map(|(_, verdict)| verdict)
    }

    fn next_due(&self, _: Nanos) -> Option<Nanos> {
        self.waiting.front().map(|(due, _)| *due)
    }
}

/// A number with 18 decimals; none if it has more.
fn e18(number: Decimal) -> Option<I256> {
    let mut number = number;
    number.rescale(18);
    (number.scale() == 18).then(|| I256::try_from(number.mantissa()).ok()).flatten()
}
