//! Random actions put to random vaults, most of them on a boundary, so that every revert and acceptance happens often.

mod basis;
mod call;
pub mod dice;
mod spread;

pub use dice::Dice;

use super::Verdicts;

/// A vault contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// Covered calls.
    CoveredCall,
    /// Spreads, sold and bought.
    Spread,
    /// Swaps, deposits and withdrawals of collateral, of both.
    Collateral,
    /// Leveraged basis.
    Basis,
}

impl Contract {
    /// Every one.
    pub const ALL: [Contract; 4] = [Contract::CoveredCall, Contract::Spread, Contract::Collateral, Contract::Basis];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Contract::CoveredCall => "covered call",
            Contract::Spread => "spread",
            Contract::Collateral => "collateral",
            Contract::Basis => "basis",
        }
    }

    /// What replica and twin say of one random action.
    pub fn judge(self, dice: &mut Dice) -> Verdicts {
        match self {
            Contract::CoveredCall => call::sale(dice),
            Contract::Spread => spread::package(dice),
            Contract::Collateral if dice.chance(50) => call::collateral(dice),
            Contract::Collateral => spread::collateral(dice),
            Contract::Basis => basis::action(dice),
        }
    }

    /// Every revert that its actions must meet.
    pub const fn reverts(self) -> &'static [&'static str] {
        match self {
            Contract::CoveredCall => call::REVERTS,
            Contract::Spread => spread::REVERTS,
            Contract::Collateral => spread::COLLATERAL_REVERTS,
            Contract::Basis => basis::REVERTS,
        }
    }
}
