// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {TradeData} from "./Action.sol";
import {VaultSigner} from "./VaultSigner.sol";

/// A vault that turns its cash into collateral, or collateral into the cash it owes, near the collateral's price.
abstract contract Swaps is VaultSigner {
    error CMTSA_BuyingTooMuchCollateral();
    error CMTSA_MustHaveNegativeCash();
    error CMTSA_MustHavePositiveCash();
    error CMTSA_SellingTooMuchCollateral();
    error CMTSA_SpotLimitPriceTooHigh();
    error CMTSA_SpotLimitPriceTooLow();

    function _checkCollateral(TradeData memory trade, int256 cash) internal view {
        int256 spot = int256(_spot());
        int256 value = (trade.limitPrice * trade.desiredAmount) / int256(ONE);
        int256 allowed = (cash * collateral.spotTransactionLeniency) / int256(ONE);
        if (trade.isBid) {
            if (cash <= 0) revert CMTSA_MustHavePositiveCash();
            _checkFee(trade.worstFee);
            if (trade.limitPrice > (spot * int256(collateral.worstSpotBuyPrice)) / int256(ONE)) {
                revert CMTSA_SpotLimitPriceTooHigh();
            }
            if (value > allowed) revert CMTSA_BuyingTooMuchCollateral();
        } else {
            if (cash >= 0) revert CMTSA_MustHaveNegativeCash();
            _checkFee(trade.worstFee);
            if (trade.limitPrice < (spot * int256(collateral.worstSpotSellPrice)) / int256(ONE)) {
                revert CMTSA_SpotLimitPriceTooLow();
            }
            if (value > -allowed) revert CMTSA_SellingTooMuchCollateral();
        }
    }
}
