//! `[vault.keeper]`: who makes shares of deposits, pays withdrawals and collects the fee of a vault whose contract is on v2.

use std::fmt;
use std::path::PathBuf;

use crate::base::num::{Amount, Cash, E9};
use crate::base::time::SEC;
use crate::config::read::{Absent, Bps, Field, Section, Span, Spec};
use crate::config::sections::{path, path_rule};
use crate::config::shape::Strategy;

const KEY: Spec =
    ("key_file", "file with the key the contract lists as keeper; it pays for gas and signs nothing else");
const DEPLOYED: Spec = ("deployed_block", "block the contract was deployed in: deposits are searched for from there");
const SPAN: Spec = ("logs_span_blocks", "blocks searched by one question; nodes refuse too many");
const PHASES: Spec = ("deposit_phases", "when deposits become shares and idle tokens go to work");
const DEPOSITS: Spec = ("deposit_batch", "most deposits in one transaction");
const WITHDRAWALS: Spec = ("withdrawal_batch", "most withdrawals paid in one transaction");
const BUFFER: Spec = ("buffer_bps", "collateral taken back on top of what withdrawals need");
const SWEEP: Spec = ("sweep_min_base", "least idle tokens worth a deposit into the subaccount");
const FEE: Spec = ("fee_every_s", "time between two collections of the management fee; 0 never collects");
const GAS: Spec = ("gas_limit", "gas a transaction may use");
const PRICE: Spec = ("gas_price_max_gwei", "most paid per gas");
const TIP: Spec = ("gas_tip_gwei", "of it to the block's builder at first");
const BALANCE: Spec = ("gas_balance_min_eth", "least that key holds before a person is told");
const RETRY: Spec = ("retry_blocks", "blocks to wait after something failed");

/// When an option vault's deposits become shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepositPhases {
    /// While nothing but collateral is held.
    CollateralOnly,
    /// Then, and while options wait for their settlement.
    OrSettlement,
    /// At any time: a vault without a week.
    AnyTime,
}

impl fmt::Display for DepositPhases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DepositPhases::CollateralOnly => "collateral-only",
            DepositPhases::OrSettlement => "collateral-only-or-settlement",
            DepositPhases::AnyTime => "any-time",
        })
    }
}

/// How a vault's shares are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeeperConfig {
    /// File of the key that pays.
    pub key_file: PathBuf,
    /// Block the contract was deployed in.
    pub deployed_block: u64,
    /// Blocks searched by one question.
    pub logs_span_blocks: u64,
    /// When deposits become shares.
    pub deposit_phases: DepositPhases,
    /// Most deposits in one transaction.
    pub deposit_batch: usize,
    /// Most withdrawals paid in one transaction.
    pub withdrawal_batch: u64,
    /// Taken back on top of what withdrawals need, 1/10 000.
    pub buffer_bps: u32,
    /// Least idle tokens worth a deposit.
    pub sweep_min: Amount,
    /// Time between two collections of the fee, seconds.
    pub fee_every_s: u64,
    /// Gas a transaction may use.
    pub gas_limit: u64,
    /// Most paid per gas, wei.
    pub gas_price_wei_max: u128,
    /// Of it to the block's builder at first, wei.
    pub gas_tip_wei: u128,
    /// Least the key holds, ETH.
    pub gas_balance_min: Cash,
    /// Blocks to wait after something failed.
    pub retry_blocks: u64,
}

/// The section, field by field.
pub(super) struct Fields {
    key: Field<PathBuf>,
    deployed: Field<i64>,
    span: Field<i64>,
    phases: Option<Field<DepositPhases>>,
    deposits: Field<i64>,
    withdrawals: Field<i64>,
    buffer: Field<Bps>,
    sweep: Field<Amount>,
    fee: Field<Span>,
    gas: Field<i64>,
    price: Field<Cash>,
    tip: Field<Cash>,
    balance: Field<Cash>,
    retry: Field<i64>,
}

/// A thousandth of a gwei or of an ETH, in units of [`Cash`].
fn milli(thousandths: i128) -> Cash {
    Cash::from_raw(thousandths * Cash::ONE.raw() / 1_000)
}

impl Fields {
    /// Reads the section, if it is given; `signs` is true for a vault whose contract signs, `moves` if its capital is
    /// spoken of.
    pub(super) fn read(section: Section<'_>, strategy: Strategy, [signs, moves]: [bool; 2]) -> Option<Fields> {
        if !section.is_given() {
            return None;
        }
        let s = &section;
        let gwei = |spec, default| s.decimal(spec, "gwei", Cash::ZERO..=Cash::whole(10_000), Some(milli(default)));
        let phases = [DepositPhases::CollateralOnly, DepositPhases::OrSettlement];
        let words = phases.map(|phase| (phase.to_string(), phase));
        let words: Vec<(&str, DepositPhases)> = words.iter().map(|(name, phase)| (name.as_str(), *phase)).collect();
        let has_week = strategy != Strategy::Delta1Basis;
        let fields = Fields {
            key: s.text(KEY, path_rule("path of a plain file with mode 0600 or 0400", Absent::Refused), path),
            deployed: s.integer(DEPLOYED, "", 0..=i64::MAX, None),
            span: s.integer(SPAN, "", 1..=1_000_000, Some(10_000)),
            phases: has_week.then(|| s.choice(PHASES, &words, Some(DepositPhases::OrSettlement))),
            deposits: s.integer(DEPOSITS, "", 1..=64, Some(32)),
            withdrawals: s.integer(WITHDRAWALS, "", 1..=64, Some(32)),
            buffer: s.bps(BUFFER, 0..=1_000, 100),
            sweep: s.decimal(
                SWEEP,
                "base",
                Amount::from_raw(1)..=Amount::whole(1_000_000),
                Some(Amount::from_raw(E9 / 100)),
            ),
            fee: s.seconds(FEE, 0..=31_536_000, 86_400),
            gas: s.integer(GAS, "", 100_000..=30_000_000, Some(5_000_000)),
            price: gwei(PRICE, 10_000),
            tip: gwei(TIP, 1),
            balance: s.decimal(BALANCE, "ETH", Cash::ZERO..=Cash::whole(100), Some(milli(10))),
            retry: s.integer(RETRY, "", 1..=100_000, Some(150)),
        };
        fields.tip.at_most(&fields.price, "nothing could be offered", s.notes);
        if !signs {
            let what = "only a contract on v2 has shares to keep";
            fields.key.refuse(what, "no [vault.keeper] without [vault.v2]", s.notes);
        } else if !moves {
            let what = "nothing says how much may be moved, nor what the token's decimals are";
            fields.key.refuse(what, "[vault.capital] beside [vault.keeper]", s.notes);
        }
        section.finish();
        Some(fields)
    }

    pub(super) fn build(&self) -> Option<KeeperConfig> {
        // One gwei is 10^9 wei, one unit of the decimal 10^18.
        let wei = |gwei: Cash| gwei.raw().unsigned_abs() / 1_000_000_000;
        let count = |field: &Field<i64>| field.value.map(i64::unsigned_abs);
        Some(KeeperConfig {
            key_file: self.key.value.clone()?,
            deployed_block: count(&self.deployed)?,
            logs_span_blocks: count(&self.span)?,
            deposit_phases: match &self.phases {
                Some(phases) => phases.value?,
                None => DepositPhases::AnyTime,
            },
            deposit_batch: usize::try_from(count(&self.deposits)?).ok()?,
            withdrawal_batch: count(&self.withdrawals)?,
            buffer_bps: u32::try_from(self.buffer.value?.0).ok()?,
            sweep_min: self.sweep.value?,
            fee_every_s: self.fee.value?.0 / SEC,
            gas_limit: count(&self.gas)?,
            gas_price_wei_max: wei(self.price.value?),
            gas_tip_wei: wei(self.tip.value?),
            gas_balance_min: self.balance.value?,
            retry_blocks: count(&self.retry)?,
        })
    }
}
