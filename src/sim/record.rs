//! What a simulated vault went through: the numbers behind tables, plots, JSON and digest. Amounts are exact decimals.

use rust_decimal::Decimal;
use serde::Serialize;
use std::collections::BTreeMap;

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Record {
    /// Vault kind: `harvest`, `safe-harvest`, `maxi` or `bull`.
    pub vault: String,
    /// Shape of the price path.
    pub market: String,
    /// Seed of prices and crowd.
    pub seed: u64,
    /// Collateral asset, e.g. `WEETH`.
    pub collateral: String,
    /// Currency of the options, e.g. `ETH`.
    pub currency: String,
    /// First moment, unix seconds.
    pub start_s: u64,
    /// Last moment, unix seconds.
    pub end_s: u64,
    /// Collateral deposited at the start.
    pub deposited: Decimal,
    /// One row per week.
    pub weeks: Vec<Week>,
    /// Every phase entered.
    pub stages: Vec<Stage>,
    /// Index price of the options' currency, at least every ten minutes.
    pub prices: Vec<PricePoint>,
    /// Value of the vault, at least every hour.
    pub values: Vec<ValuePoint>,
    /// Every auction, option and collateral alike.
    pub auctions: Vec<Auction>,
    /// What must not have happened, in words; empty in a good run.
    pub violations: Vec<String>,
    /// What a person would have been told.
    pub concerns: Vec<Concern>,
    /// Wishes the checks before the signer refused, by the check's name; those of the mandate by its contract's names too.
    pub refused: BTreeMap<&'static str, u64>,
    /// Keccak-256 over every byte the engine sent and every row above, hexadecimal: equal runs have equal digests.
    pub digest: String,
}

/// One week, from one collateral-only phase to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Week {
    /// Number, from 1.
    pub week: u32,
    /// Expiry, unix seconds.
    pub expiry_s: u64,
    /// Strikes in the order of the legs.
    pub strikes: Vec<Decimal>,
    /// Index price when the auction began.
    pub index_at_auction: Decimal,
    /// Delta of the (first) leg when chosen.
    pub delta: Decimal,
    /// Mark over strike distance when chosen; zero for covered calls.
    pub ratio: Decimal,
    /// Units sold or bought.
    pub units: Decimal,
    /// Units that could have been.
    pub units_wanted: Decimal,
    /// Lots executed, or fills of the resting order.
    pub lots: u32,
    /// Average price per unit, before fees: received positive, paid negative.
    pub average_price: Decimal,
    /// Average mark per unit at the fills, same sign.
    pub average_mark: Decimal,
    /// Premium received (negative: paid), before fees, USDC.
    pub premium: Decimal,
    /// Fees paid in the week, USDC.
    pub fees: Decimal,
    /// Of these, on options.
    pub option_fees: Decimal,
    /// Settlement price.
    pub settlement: Decimal,
    /// Cash received at settlement (negative: paid), USDC.
    pub payoff: Decimal,
    /// Collateral bought (negative: sold).
    pub collateral_traded: Decimal,
    /// Cost of those trades against mark, USDC.
    pub collateral_cost: Decimal,
    /// Interest received (negative: paid), USDC.
    pub interest: Decimal,
    /// Most the vault was allowed to spend; zero for sellers.
    pub budget: Decimal,
    /// Cash left at the end of the week, USDC.
    pub cash_left: Decimal,
    /// Collateral at the end of the week.
    pub base: Decimal,
    /// Price of the collateral at the end of the week, USDC.
    pub base_price: Decimal,
    /// Vault value at the end of the week, in collateral.
    pub value: Decimal,
    /// Value over the collateral deposited, as a share: what the vault has over holding.
    pub over_holding: Decimal,
}

/// A phase entered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stage {
    /// When, unix milliseconds.
    pub at_ms: u64,
    /// Its name.
    pub phase: String,
    /// What there is to say of it: strikes, budget, amounts.
    pub what: String,
}

/// Index price at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PricePoint {
    /// When, unix seconds.
    pub at_s: u64,
    /// Price, USD.
    pub price: Decimal,
}

/// Vault value at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ValuePoint {
    /// When, unix seconds.
    pub at_s: u64,
    /// Value with options at mark, in collateral.
    pub value: Decimal,
    /// Value, USD.
    pub value_usd: Decimal,
    /// What the deposit alone would be worth, USD.
    pub holding_usd: Decimal,
}

/// One auction.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Auction {
    /// `option-auction` or `spot-auction`.
    pub phase: String,
    /// Week it belongs to.
    pub week: u32,
    /// When its clock started, unix milliseconds.
    pub started_ms: u64,
    /// Demands, about one a second.
    pub demands: Vec<DemandPoint>,
    /// Fills: whole packages for spreads.
    pub fills: Vec<FillPoint>,
}

/// What an auction demanded at a moment, per unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct DemandPoint {
    /// When, unix milliseconds.
    pub at_ms: u64,
    /// Limit: received positive, paid negative for spreads; plain price otherwise.
    pub limit: Decimal,
    /// Mark, same sign.
    pub mark: Decimal,
    /// Best open quote after fees, same sign.
    pub best: Option<Decimal>,
    /// Units still wanted.
    pub remaining: Decimal,
}

/// One fill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct FillPoint {
    /// When, unix milliseconds.
    pub at_ms: u64,
    /// Price per unit, signed as demands are.
    pub price: Decimal,
    /// Mark per unit at the fill.
    pub mark: Decimal,
    /// Units.
    pub amount: Decimal,
}

/// What a person would have been told.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Concern {
    /// When, unix milliseconds.
    pub at_ms: u64,
    /// What.
    pub what: String,
}
