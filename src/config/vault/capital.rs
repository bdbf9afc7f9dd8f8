//! `[vault.capital]`: whether deposits and withdrawals may be signed for a vault whose contract is on v2, how large they
//! may be, and the parameters of the contract's shares.

use crate::base::num::{Amount, E9, Ratio};
use crate::config::read::{Bps, Field, Section, Spec};
use crate::config::shape::Strategy;
use crate::risk::capital::CapitalLimits;
use crate::risk::mandate::shares::Shares;
use alloy_primitives::U256;

const DEPOSITS: Spec = ("deposits", "the signer may sign deposits into the subaccount; only with [vault.v2]");
const WITHDRAWALS: Spec = ("withdrawals", "the signer may sign withdrawals to the contract; only with [vault.v2]");
const DECIMALS: Spec = ("token_decimals", "decimals of the deposited token");
const DEPOSIT_MAX: Spec = ("deposit_max_base", "largest single deposit");
const WITHDRAWAL_MAX: Spec = ("withdrawal_max_base", "largest single withdrawal");
const DAY_MAX: Spec = ("withdrawn_per_day_max_base", "most withdrawn in a day");
const CAP: Spec = ("deposit_cap_base", "most the vault may be worth once a deposit is in");
const MIN: Spec = ("deposit_min_base", "least that is deposited");
const DEPOSIT_SCALE: Spec = ("deposit_scale_x", "share of a deposit that buys shares");
const WITHDRAW_SCALE: Spec = ("withdraw_scale_x", "share of a withdrawal that is paid");
const FEE: Spec = ("management_fee_bps_per_year", "shares minted to the manager in a year, of all shares");

/// Largest amount of base anywhere.
const BASE_MAX: Amount = Amount::whole(1_000_000_000);

/// The section, field by field.
pub(super) struct Fields {
    deposits: Field<bool>,
    withdrawals: Field<bool>,
    decimals: Field<i64>,
    deposit_max: Field<Amount>,
    withdrawal_max: Field<Amount>,
    day_max: Field<Amount>,
    cap: Field<Amount>,
    min: Field<Amount>,
    deposit_scale: Field<Ratio>,
    withdraw_scale: Field<Ratio>,
    fee: Field<Bps>,
}

/// Nine decimals as eighteen.
fn wad(raw: i64) -> U256 {
    U256::from(raw.max(0).unsigned_abs()) * U256::from(E9.unsigned_abs())
}

impl Fields {
    /// Reads the section, if it is given; `signs` is true for a vault whose contract signs. Defaults are those of the
    /// contracts' own deployment (strategy specification §2.7); ranges end where an owner's rights end.
    pub(super) fn read(section: Section<'_>, strategy: Strategy, signs: bool) -> Option<Fields> {
        if !section.is_given() {
            return None;
        }
        let s = &section;
        let base = |spec, low: Amount, default| s.decimal(spec, "base", low..=BASE_MAX, default);
        let scale =
            |spec, default| s.decimal(spec, "×", Ratio::from_bps(9_000)..=Ratio::from_bps(11_200), Some(default));
        let least = if strategy == Strategy::Harvest { Amount::from_raw(E9 / 100) } else { Amount::ZERO };
        let paid = if strategy == Strategy::Delta1Basis { Ratio::from_bps(9_980) } else { Ratio::ONE };
        let fields = Fields {
            deposits: s.boolean(DEPOSITS, false),
            withdrawals: s.boolean(WITHDRAWALS, false),
            decimals: s.integer(DECIMALS, "", 0..=18, None),
            deposit_max: base(DEPOSIT_MAX, Amount::from_raw(1), None),
            withdrawal_max: base(WITHDRAWAL_MAX, Amount::from_raw(1), None),
            day_max: base(DAY_MAX, Amount::from_raw(1), None),
            cap: base(CAP, Amount::ZERO, Some(Amount::whole(10_000_000))),
            min: base(MIN, Amount::ZERO, Some(least)),
            deposit_scale: scale(DEPOSIT_SCALE, Ratio::ONE),
            withdraw_scale: scale(WITHDRAW_SCALE, paid),
            fee: s.bps(FEE, 0..=200, if strategy == Strategy::Harvest { 150 } else { 0 }),
        };
        for may in [&fields.deposits, &fields.withdrawals] {
            if may.value == Some(true) && !signs {
                let what = "a session key on v3 must not be able to move capital";
                may.refuse(what, "false, or a vault with [vault.v2]", s.notes);
            }
        }
        fields.withdrawal_max.at_most(&fields.day_max, "a day would not hold one withdrawal", s.notes);
        fields.min.at_most(&fields.deposit_max, "nothing could be deposited", s.notes);
        section.finish();
        Some(fields)
    }

    pub(super) fn build(&self) -> Option<CapitalLimits> {
        Some(CapitalLimits {
            deposits: self.deposits.value?,
            withdrawals: self.withdrawals.value?,
            token_decimals: u8::try_from(self.decimals.value?).ok()?,
            deposit_max: self.deposit_max.value?,
            withdrawal_max: self.withdrawal_max.value?,
            withdrawn_per_day_max: self.day_max.value?,
            shares: Shares {
                deposit_cap: wad(self.cap.value?.raw()),
                deposit_min: wad(self.min.value?.raw()),
                deposit_scale: wad(self.deposit_scale.value?.raw()),
                withdraw_scale: wad(self.withdraw_scale.value?.raw()),
                management_fee: wad(self.fee.value?.ratio().raw()),
            },
        })
    }
}
