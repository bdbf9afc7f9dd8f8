// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {DepositData, TradeData} from "./Action.sol";
import {Decimal} from "./FixedPoint.sol";
import {VaultSigner} from "./VaultSigner.sol";

/// A vault that holds one collateral beside cash: what it may deposit of it, and how it swaps one for the other.
abstract contract CollateralSigner is VaultSigner {
    using Decimal for uint256;
    using Decimal for int256;

    error CMTSA_BuyingTooMuchCollateral();
    error CMTSA_MustHaveNegativeCash();
    error CMTSA_MustHavePositiveCash();
    error CMTSA_SellingTooMuchCollateral();
    error CMTSA_SpotLimitPriceTooHigh();
    error CMTSA_SpotLimitPriceTooLow();

    /// Tokens that lie here and are not owed to depositors in waiting.
    function _checkDeposit(DepositData memory deposit) internal view {
        if (deposit.asset != addresses.wrappedDepositAsset) revert CMTSA_InvalidAsset();
        if (deposit.amount > _token().balanceOf(address(this)) - totalPendingDeposits) revert CMTSA_DepositingTooMuch();
    }

    /// Cash is spent, or a debt is paid, and either by little more than there is.
    function _checkSwap(TradeData memory trade, int256 cash) internal view {
        if (trade.isBid && cash <= 0) revert CMTSA_MustHavePositiveCash();
        if (!trade.isBid && cash >= 0) revert CMTSA_MustHaveNegativeCash();
        uint256 spot = _spot();
        if (trade.worstFee > spot.mul(collateral.feeFactor)) revert CMTSA_FeeTooHigh();
        uint256 limit = trade.limitPrice.toUnsigned();
        if (trade.isBid) {
            if (limit > spot.mul(collateral.worstSpotBuyPrice)) revert CMTSA_SpotLimitPriceTooHigh();
            int256 cost = trade.limitPrice.mul(trade.desiredAmount);
            if (cost > cash.mul(collateral.spotTransactionLeniency)) revert CMTSA_BuyingTooMuchCollateral();
        } else {
            if (limit < spot.mul(collateral.worstSpotSellPrice)) revert CMTSA_SpotLimitPriceTooLow();
            uint256 proceeds = trade.limitPrice.mul(trade.desiredAmount).magnitude();
            uint256 debt = cash.mul(collateral.spotTransactionLeniency).magnitude();
            if (proceeds > debt) revert CMTSA_SellingTooMuchCollateral();
        }
    }

    /// A token amount of so many places, in 18.
    function _decimal(uint256 amount) internal view returns (uint256) {
        uint256 places = _token().decimals();
        return places <= 18 ? amount * 10 ** (18 - places) : amount / 10 ** (places - 18);
    }
}
