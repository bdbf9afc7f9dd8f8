//! Why a contract refused, from the bytes of its revert, under the contracts' own names.

use crate::risk::mandate::revert::Revert;
use alloy::primitives::{U256, keccak256};
use alloy::sol_types::{Panic, Revert as RevertText, SolError};
use std::fmt;

/// Errors without arguments of settlement, modules, older vaults and the core, beside those the mandates' replicas know.
const FURTHER: &[&str] = &[
    "BTSA_DepositAlreadyProcessed",
    "BTSA_DepositBelowMinimum",
    "BTSA_DepositCapExceeded",
    "BTSA_InsufficientBalance",
    "BTSA_InvalidParams",
    "BTSA_InvalidWithdrawalAmount",
    "BTSA_ModuleNotPartOfMatching",
    "BTSA_MustReceiveShares",
    "BTSA_OnlyShareKeeper",
    "CCT_DepositingTooMuch",
    "CCT_InvalidParams",
    "PPT_CannotChangeStrikeDiffWithOpenSpreads",
    "PPT_InvalidParams",
    "LBT_InvalidParams",
    "LBT_InvalidWithdrawalAmount",
    "LCCT_BuyingTooMuchCollateral",
    "LCCT_CanOnlyOpenShortOptions",
    "LCCT_CannotSellOptionsWithNegativeCash",
    "LCCT_FeeTooHigh",
    "LCCT_InvalidActionExpiry",
    "LCCT_InvalidAsset",
    "LCCT_InvalidDesiredAmount",
    "LCCT_InvalidModule",
    "LCCT_InvalidOptionBalance",
    "LCCT_InvalidParams",
    "LCCT_MustHaveNegativeCash",
    "LCCT_MustHavePositiveCash",
    "LCCT_OnlyShortCallsAllowed",
    "LCCT_OptionDeltaTooHigh",
    "LCCT_OptionExpired",
    "LCCT_OptionExpiryOutOfBounds",
    "LCCT_OptionPriceTooLow",
    "LCCT_PositionInsolvent",
    "LCCT_SellingTooManyCalls",
    "LCCT_SellingTooMuchCollateral",
    "LCCT_SpotLimitPriceTooHigh",
    "LCCT_SpotLimitPriceTooLow",
    "LCCT_WithdrawalNegativeCash",
    "LCCT_WithdrawingUtilisedCollateral",
    "OV_ActionExpired",
    "OV_InvalidActionOwner",
    "OV_InvalidSignature",
    "OV_NeedDeregister",
    "OV_SessionKeyInvalid",
    "OV_SignerNotOwnerOrSessionKeyExpired",
    "M_AccountNotReturned",
    "M_ArrayLengthMismatch",
    "M_MismatchedModule",
    "M_OnlyAllowedModule",
    "M_OnlyTradeExecutor",
    "ASE_LengthMismatch",
    "ASE_OnlyTradeExecutors",
    "TM_AssetMismatch",
    "TM_AssetSubIdMismatch",
    "TM_FeeTooHigh",
    "TM_FillLimitCrossed",
    "TM_InvalidActionsLength",
    "TM_InvalidNonce",
    "TM_InvalidRecipientId",
    "TM_IsBidMismatch",
    "TM_PriceTooHigh",
    "TM_PriceTooLow",
    "TM_SignedAccountMismatch",
    "RFQM_FeeTooHigh",
    "RFQM_InvalidActionsLength",
    "RFQM_InvalidSubaccountId",
    "RFQM_InvalidTakerHash",
    "RFQM_SignedAccountMismatch",
    "BM_NonceAlreadyUsed",
    "BM_OnlyMatching",
    "DM_InvalidDepositActionLength",
    "WM_InvalidWithdrawalActionLength",
    "WM_InvalidFromAccount",
    "BLF_DataExpired",
    "BLF_InvalidSignature",
    "BLF_InvalidTimestamp",
    "SRM_PortfolioBelowMargin",
    "SRM_NoNegativeCash",
    "SRM_NoForwardPrice",
    "WLWERC_NotWhitelisted",
    "CA_WithdrawBlockedByOngoingAuction",
];

/// Most characters kept of a revert string.
const TEXT_MAX: usize = 120;

/// Why a call reverted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A refusal the mandates' replicas predict.
    Mandate(Revert),
    /// A custom error of another contract of the exchange.
    Named(&'static str),
    /// `Error(string)`, shortened to 120 characters.
    Text(String),
    /// `Panic(code)`.
    Panic(U256),
    /// A custom error with this selector that Keel does not know.
    Unknown([u8; 4]),
    /// No reason given, as when gas runs out.
    Bare,
}

impl Refusal {
    /// Decodes the data of a revert.
    pub fn decode(data: &[u8]) -> Refusal {
        let Some(selector) = data.first_chunk::<4>().copied() else { return Refusal::Bare };
        if let Ok(text) = RevertText::abi_decode(data) {
            return Refusal::Text(text.reason.chars().take(TEXT_MAX).collect());
        }
        if let Ok(panic) = Panic::abi_decode(data) {
            return Refusal::Panic(panic.code);
        }
        if let Some(revert) = Revert::of_selector(selector) {
            return Refusal::Mandate(revert);
        }
        let named = FURTHER.iter().find(|name| selector_of(name) == selector);
        named.map_or(Refusal::Unknown(selector), |name| Refusal::Named(name))
    }
}

impl Refusal {
    /// The first four bytes of the error; zeros if it gave none.
    pub fn selector(refusal: &Refusal) -> [u8; 4] {
        match refusal {
            Refusal::Mandate(revert) => selector_of(revert.name()),
            Refusal::Named(name) => selector_of(name),
            Refusal::Text(_) => RevertText::SELECTOR,
            Refusal::Panic(_) => Panic::SELECTOR,
            Refusal::Unknown(selector) => *selector,
            Refusal::Bare => [0; 4],
        }
    }

    /// True if a price or curve was too old: told anew, the feed answers again.
    pub fn is_stale_price(&self) -> bool {
        matches!(self, Refusal::Mandate(Revert::BlfDataTooOld | Revert::LffSettlementDataTooOld))
    }
}

fn selector_of(name: &str) -> [u8; 4] {
    let hash = keccak256(format!("{name}()"));
    [hash[0], hash[1], hash[2], hash[3]]
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Mandate(revert) => write!(f, "{revert}"),
            Refusal::Named(name) => f.write_str(name),
            Refusal::Text(text) => write!(f, "{text:?}"),
            Refusal::Panic(code) => write!(f, "Panic({code:#x})"),
            Refusal::Unknown(selector) => write!(f, "unknown error {:#010x}", u32::from_be_bytes(*selector)),
            Refusal::Bare => f.write_str("no reason given"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_deployed_selectors() {
        let table: [(u32, &str); 20] = [
            (0x64c0_99fa, "OV_InvalidSignature"),
            (0x3536_eebd, "OV_ActionExpired"),
            (0xdd22_3ec1, "OV_InvalidActionOwner"),
            (0xfcc6_c155, "OV_SignerNotOwnerOrSessionKeyExpired"),
            (0x97ed_d0fb, "M_OnlyTradeExecutor"),
            (0xc073_82c5, "M_OnlyAllowedModule"),
            (0xfea8_fa6f, "TM_FillLimitCrossed"),
            (0x15b2_a441, "TM_InvalidNonce"),
            (0x54d0_0bb3, "RFQM_FeeTooHigh"),
            (0xdfad_89e3, "BM_NonceAlreadyUsed"),
            (0x4834_7f66, "DM_InvalidDepositActionLength"),
            (0x0959_8580, "SRM_PortfolioBelowMargin"),
            (0x7037_01fb, "SRM_NoNegativeCash"),
            (0x50b0_8018, "WLWERC_NotWhitelisted"),
            (0x93e8_e9e4, "CA_WithdrawBlockedByOngoingAuction"),
            (0x13a2_308e, "LCCT_SellingTooManyCalls"),
            (0x5179_1086, "BTSA_DepositAlreadyProcessed"),
            (0x9504_b993, "BOCST_OnlySigner"),
            (0x2e40_fbb3, "CCT_SellingTooManyCalls"),
            (0x1141_796d, "BLF_DataTooOld"),
        ];
        for (selector, name) in table {
            let refusal = Refusal::decode(&selector.to_be_bytes());
            assert_eq!((refusal.to_string().as_str(), refusal.is_stale_price()), (name, name == "BLF_DataTooOld"));
        }
    }

    #[test]
    fn strings_panics_and_noise_are_told_apart() {
        let text = RevertText { reason: format!("Invalid signature{}", " ".repeat(500)) };
        let Refusal::Text(kept) = Refusal::decode(&text.abi_encode()) else { panic!("a string") };
        assert!(kept.starts_with("Invalid signature") && kept.len() == TEXT_MAX);
        assert_eq!(Refusal::decode(&Panic { code: U256::from(0x11) }.abi_encode()).to_string(), "Panic(0x11)");
        assert_eq!(Refusal::decode(&[]), Refusal::Bare);
        assert_eq!(Refusal::decode(&[1, 2, 3]), Refusal::Bare);
        assert_eq!(Refusal::decode(&[1, 2, 3, 4]).to_string(), "unknown error 0x01020304");
        assert_eq!(Refusal::decode(&[0x08, 0xc3, 0x79, 0xa0, 1]), Refusal::Unknown([0x08, 0xc3, 0x79, 0xa0]));
    }
}
