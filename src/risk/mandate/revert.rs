//! Every way in which the v2 contracts refuse, under the contracts' own names.

use alloy_primitives::keccak256;
use std::fmt;

macro_rules! reverts {
    (custom { $($custom:ident $custom_name:literal)* } other { $($(#[$doc:meta])* $other:ident $other_name:literal $signature:expr,)* }) => {
        /// A revert of a v2 contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Revert {
            $(#[doc = concat!("Custom error `", $custom_name, "()`.")] $custom,)*
            $($(#[$doc])* $other,)*
        }

        impl Revert {
            /// Every revert, in declaration order.
            pub const ALL: &[Revert] = &[$(Revert::$custom,)* $(Revert::$other,)*];

            /// Name as the contracts spell it; panics and revert strings as a decoder prints them.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Revert::$custom => $custom_name,)*
                    $(Revert::$other => $other_name,)*
                }
            }

            const fn signature(self) -> Option<&'static str> {
                match self {
                    $(Revert::$custom => Some(concat!($custom_name, "()")),)*
                    $(Revert::$other => $signature,)*
                }
            }
        }
    };
}

reverts! {
    custom {
        BocstInvalidAction "BOCST_InvalidAction"
        BocstOnlySigner "BOCST_OnlySigner"
        BocstOnlySubmitter "BOCST_OnlySubmitter"
        BtsaBlocked "BTSA_Blocked"
        BtsaDepositBelowMinimum "BTSA_DepositBelowMinimum"
        BtsaDepositCapExceeded "BTSA_DepositCapExceeded"
        BtsaMustReceiveShares "BTSA_MustReceiveShares"
        CmtsaBuyingTooMuchCollateral "CMTSA_BuyingTooMuchCollateral"
        CmtsaDepositingTooMuch "CMTSA_DepositingTooMuch"
        CmtsaFeeTooHigh "CMTSA_FeeTooHigh"
        CmtsaInvalidAsset "CMTSA_InvalidAsset"
        CmtsaMustHaveNegativeCash "CMTSA_MustHaveNegativeCash"
        CmtsaMustHavePositiveCash "CMTSA_MustHavePositiveCash"
        CmtsaPositionInsolvent "CMTSA_PositionInsolvent"
        CmtsaSellingTooMuchCollateral "CMTSA_SellingTooMuchCollateral"
        CmtsaSpotLimitPriceTooHigh "CMTSA_SpotLimitPriceTooHigh"
        CmtsaSpotLimitPriceTooLow "CMTSA_SpotLimitPriceTooLow"
        CctCanOnlyOpenShortOptions "CCT_CanOnlyOpenShortOptions"
        CctCannotSellOptionsWithNegativeCash "CCT_CannotSellOptionsWithNegativeCash"
        CctInvalidActionExpiry "CCT_InvalidActionExpiry"
        CctInvalidAsset "CCT_InvalidAsset"
        CctInvalidDesiredAmount "CCT_InvalidDesiredAmount"
        CctInvalidModule "CCT_InvalidModule"
        CctInvalidOptionBalance "CCT_InvalidOptionBalance"
        CctOnlyShortCallsAllowed "CCT_OnlyShortCallsAllowed"
        CctOptionDeltaTooHigh "CCT_OptionDeltaTooHigh"
        CctOptionExpired "CCT_OptionExpired"
        CctOptionExpiryOutOfBounds "CCT_OptionExpiryOutOfBounds"
        CctOptionPriceTooLow "CCT_OptionPriceTooLow"
        CctSellingTooManyCalls "CCT_SellingTooManyCalls"
        CctWithdrawalNegativeCash "CCT_WithdrawalNegativeCash"
        CctWithdrawingUtilisedCollateral "CCT_WithdrawingUtilisedCollateral"
        PptCannotTradeWithTooMuchNegativeCash "PPT_CannotTradeWithTooMuchNegativeCash"
        PptInvalidActionExpiry "PPT_InvalidActionExpiry"
        PptInvalidAsset "PPT_InvalidAsset"
        PptInvalidBaseBalance "PPT_InvalidBaseBalance"
        PptInvalidDesiredAmount "PPT_InvalidDesiredAmount"
        PptInvalidHighStrikeAmount "PPT_InvalidHighStrikeAmount"
        PptInvalidMakerTradeDetails "PPT_InvalidMakerTradeDetails"
        PptInvalidModule "PPT_InvalidModule"
        PptInvalidOptionDetails "PPT_InvalidOptionDetails"
        PptInvalidSpreadBalance "PPT_InvalidSpreadBalance"
        PptInvalidTradeAmount "PPT_InvalidTradeAmount"
        PptInvalidTradeLength "PPT_InvalidTradeLength"
        PptMarkValueNotWithinBounds "PPT_MarkValueNotWithinBounds"
        PptNegativeBaseBalance "PPT_NegativeBaseBalance"
        PptStrikePriceOutsideOfDiff "PPT_StrikePriceOutsideOfDiff"
        PptTotalCostBelowTolerance "PPT_TotalCostBelowTolerance"
        PptTotalCostOverTolerance "PPT_TotalCostOverTolerance"
        PptTradeDataDoesNotMatchOrderHash "PPT_TradeDataDoesNotMatchOrderHash"
        PptTradeFeeTooHigh "PPT_TradeFeeTooHigh"
        PptTradeTooLarge "PPT_TradeTooLarge"
        PptWithdrawingUtilisedCollateral "PPT_WithdrawingUtilisedCollateral"
        PptWithdrawingWithOpenTrades "PPT_WithdrawingWithOpenTrades"
        LbtInvalidActionExpiry "LBT_InvalidActionExpiry"
        LbtInvalidDeltaChange "LBT_InvalidDeltaChange"
        LbtInvalidGainPerUnit "LBT_InvalidGainPerUnit"
        LbtInvalidModule "LBT_InvalidModule"
        LbtInvalidTradeAsset "LBT_InvalidTradeAsset"
        LbtInvalidWithdrawAsset "LBT_InvalidWithdrawAsset"
        LbtMarkLossTooHigh "LBT_MarkLossTooHigh"
        LbtNegativeBaseBalance "LBT_NegativeBaseBalance"
        LbtPerpFeeTooHigh "LBT_PerpFeeTooHigh"
        LbtPositivePerpPosition "LBT_PositivePerpPosition"
        LbtPostTradeDeltaOutOfRange "LBT_PostTradeDeltaOutOfRange"
        LbtPostTradeLeverageOutOfRange "LBT_PostTradeLeverageOutOfRange"
        BlfDataTooOld "BLF_DataTooOld"
        LvfMissingExpiryData "LVF_MissingExpiryData"
        LffMissingExpiryData "LFF_MissingExpiryData"
        LffSettlementDataTooOld "LFF_SettlementDataTooOld"
        SviInvalidParameters "SVI_InvalidParameters"
        SviNoForwardPrice "SVI_NoForwardPrice"
        ExpOverflow "ExpOverflow"
        LnNegativeUndefined "LnNegativeUndefined"
        LnZero "Overflow"
    }
    other {
        /// Checked arithmetic left 256 bits.
        ArithmeticOverflow "Panic(0x11)" Some("Panic(uint256)"),
        /// Division by zero.
        DivisionByZero "Panic(0x12)" Some("Panic(uint256)"),
        /// `require` of the volatility curve: the variance at its vertex is negative.
        SviNegativeVariance "SVI: value must be positive" Some("Error(string)"),
        /// A number does not fit the narrower type; the library's version decides how it says so.
        SafeCast "SafeCast" None,
    }
}

impl Revert {
    /// First four bytes of the revert data; none where they depend on the library the contract was built with.
    pub fn selector(self) -> Option<[u8; 4]> {
        self.signature().map(|text| {
            let hash = keccak256(text);
            [hash[0], hash[1], hash[2], hash[3]]
        })
    }

    /// The custom error with this selector; none for panics, revert strings and errors of other contracts.
    pub fn of_selector(selector: [u8; 4]) -> Option<Self> {
        let custom = |revert: &Self| !matches!(revert.signature(), None | Some("Panic(uint256)" | "Error(string)"));
        Self::ALL.iter().copied().filter(custom).find(|revert| revert.selector() == Some(selector))
    }
}

impl fmt::Display for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Revert {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Selectors as the deployed contracts' interfaces give them.
    const SELECTORS: &[(&str, u32)] = &[
        ("BOCST_InvalidAction", 0x77ca_bbfb),
        ("BTSA_Blocked", 0x0645_006b),
        ("BTSA_DepositBelowMinimum", 0x27ef_3c96),
        ("BTSA_DepositCapExceeded", 0x5521_d243),
        ("BTSA_MustReceiveShares", 0x6337_5958),
        ("CMTSA_BuyingTooMuchCollateral", 0xea76_a3eb),
        ("CMTSA_FeeTooHigh", 0x4a22_3f29),
        ("CMTSA_MustHaveNegativeCash", 0x31dc_9e31),
        ("CMTSA_SellingTooMuchCollateral", 0xe47f_7257),
        ("CMTSA_SpotLimitPriceTooLow", 0x7131_82f5),
        ("CCT_CanOnlyOpenShortOptions", 0xa359_5a0b),
        ("CCT_CannotSellOptionsWithNegativeCash", 0xf0ae_240b),
        ("CCT_InvalidOptionBalance", 0x3054_3347),
        ("CCT_OptionDeltaTooHigh", 0x0ba5_e917),
        ("CCT_OptionExpiryOutOfBounds", 0xf63c_536d),
        ("CCT_OptionPriceTooLow", 0xcccd_0b12),
        ("CCT_SellingTooManyCalls", 0x2e40_fbb3),
        ("CCT_WithdrawingUtilisedCollateral", 0xf4df_a3d8),
        ("PPT_CannotTradeWithTooMuchNegativeCash", 0x0887_047d),
        ("PPT_InvalidHighStrikeAmount", 0x5097_9787),
        ("PPT_InvalidMakerTradeDetails", 0xc2da_9873),
        ("PPT_MarkValueNotWithinBounds", 0x2545_3e77),
        ("PPT_TotalCostBelowTolerance", 0x9da7_8498),
        ("PPT_TotalCostOverTolerance", 0xbbff_2731),
        ("PPT_TradeTooLarge", 0x7aa9_6c7e),
        ("PPT_WithdrawingWithOpenTrades", 0x51a9_e7f2),
        ("LBT_InvalidGainPerUnit", 0xf92b_0443),
        ("LBT_MarkLossTooHigh", 0x4764_795c),
        ("LBT_PostTradeDeltaOutOfRange", 0x2f60_ce70),
        ("BLF_DataTooOld", 0x1141_796d),
        ("LVF_MissingExpiryData", 0x3627_3890),
        ("LFF_SettlementDataTooOld", 0x7cda_43cb),
    ];

    #[test]
    fn names_hash_to_the_deployed_selectors() {
        for (name, selector) in SELECTORS {
            let revert = Revert::of_selector(selector.to_be_bytes()).map(Revert::name);
            assert_eq!(revert, Some(*name));
        }
    }

    #[test]
    fn panics_and_strings_are_not_custom_errors() {
        assert_eq!(Revert::ArithmeticOverflow.selector(), Some([0x4e, 0x48, 0x7b, 0x71]));
        assert_eq!(Revert::of_selector([0x4e, 0x48, 0x7b, 0x71]), None);
        assert_eq!(Revert::of_selector([0x08, 0xc3, 0x79, 0xa0]), None);
        assert_eq!(Revert::SafeCast.selector(), None);
    }
}
