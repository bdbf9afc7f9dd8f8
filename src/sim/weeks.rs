//! Whole weeks of an option vault in virtual time: what is asked for.

use crate::exchange::world::weeks::Shape;

/// Which option vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vault {
    /// Short calls by delta, sold by a resting order.
    Harvest,
    /// Short call spreads, sold by RFQ.
    SafeHarvest,
    /// Short put spreads, sold by RFQ.
    Maxi,
    /// Long call spreads, bought by RFQ with the yield earned.
    Bull,
}

impl Vault {
    /// Every vault, for tables and command lines.
    pub const ALL: [Vault; 4] = [Vault::Harvest, Vault::SafeHarvest, Vault::Maxi, Vault::Bull];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Vault::Harvest => "harvest",
            Vault::SafeHarvest => "safe-harvest",
            Vault::Maxi => "maxi",
            Vault::Bull => "bull",
        }
    }
}

/// What to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which vault.
    pub vault: Vault,
    /// How many weeks.
    pub weeks: u32,
    /// Seeds prices and crowd.
    pub seed: u64,
    /// Shape of the price path.
    pub market: Shape,
}

impl Terms {
    /// The command that simulates these terms again.
    pub fn command(&self) -> String {
        let Terms { vault, weeks, seed, market } = self;
        format!("keel sim --vault {} --weeks {weeks} --seed {seed} --market {}", vault.name(), market.name())
    }
}
