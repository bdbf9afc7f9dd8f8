// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {Action, TradeData, DepositData, WithdrawalData} from "./Action.sol";
import {Swaps} from "./Swaps.sol";
import {VaultSigner} from "./VaultSigner.sol";

/// A vault with a covered-call mandate. Balances and prices are told to it by its owner, where a live vault reads its
/// subaccount and feeds; a price floor stands where a live vault prices the option.
contract MandateSigner is Swaps {
    struct CCTSAParams {
        uint256 minSignatureExpiry;
        uint256 maxSignatureExpiry;
        uint256 optionVolSlippageFactor;
        uint256 optionMaxDelta;
        int256 optionMaxNegCash;
        uint256 optionMinTimeToExpiry;
        uint256 optionMaxTimeToExpiry;
    }

    /// Modules and assets an action may name.
    struct Contracts {
        address deposit;
        address withdrawal;
        address trade;
        address option;
    }

    /// What a live vault would read: 18 decimals.
    struct Holdings {
        uint256 base;
        uint256 numShort;
        int256 cash;
        uint256 undeposited;
        uint256 spot;
        int256 optionFloor;
    }

    error CCT_CanOnlyOpenShortOptions();
    error CCT_CannotSellOptionsWithNegativeCash();
    error CCT_InvalidActionExpiry();
    error CCT_InvalidAsset();
    error CCT_InvalidDesiredAmount();
    error CCT_InvalidModule();
    error CCT_OnlyShortCallsAllowed();
    error CCT_OptionExpired();
    error CCT_OptionExpiryOutOfBounds();
    error CCT_OptionPriceTooLow();
    error CCT_SellingTooManyCalls();
    error CCT_WithdrawalNegativeCash();
    error CCT_WithdrawingUtilisedCollateral();

    Holdings public holdings;
    Contracts public contracts;
    CCTSAParams private params;

    constructor(uint256 subaccountId, BaseTSAAddresses memory base, Contracts memory named)
        VaultSigner(subaccountId, base)
    {
        contracts = named;
    }

    // ---- what the owner sets

    function setParams(CCTSAParams memory options, CollateralManagementParams memory spot) external onlyOwner {
        params = options;
        collateral = spot;
    }

    function setHoldings(Holdings memory told) external onlyOwner {
        holdings = told;
    }

    /// What settlement of a deposit (or, below zero, a withdrawal) does to this contract and its subaccount.
    function moveCapital(int256 amount) external {
        if (msg.sender != owner && msg.sender != addresses.matching) revert OnlyOwner();
        if (amount > 0) {
            _token().transfer(addresses.wrappedDepositAsset, uint256(amount));
            holdings.base += uint256(amount);
        } else {
            _token().take(addresses.wrappedDepositAsset, uint256(-amount));
            holdings.base -= uint256(-amount);
        }
    }

    // ---- what a preflight reads

    function getCCTSAParams() external view returns (CCTSAParams memory) {
        return params;
    }

    function getSubAccountStats() external view returns (uint256 numShort, uint256 base, int256 cash) {
        return (holdings.numShort, holdings.base, holdings.cash);
    }

    function getBasePrice() external view returns (uint256) {
        return holdings.spot;
    }

    // ---- the mandate

    function _admit(uint256 expiry) internal view override {
        if (!_lives(expiry, params.minSignatureExpiry, params.maxSignatureExpiry)) revert CCT_InvalidActionExpiry();
    }

    function _spot() internal view override returns (uint256) {
        return holdings.spot;
    }

    function _check(Action memory action) internal view override {
        if (action.module == contracts.deposit) {
            _checkDeposit(abi.decode(action.data, (DepositData)));
        } else if (action.module == contracts.withdrawal) {
            _checkWithdrawal(abi.decode(action.data, (WithdrawalData)));
        } else if (action.module == contracts.trade) {
            TradeData memory trade = abi.decode(action.data, (TradeData));
            if (trade.desiredAmount <= 0) revert CCT_InvalidDesiredAmount();
            if (trade.asset == addresses.wrappedDepositAsset) {
                _checkCollateral(trade, holdings.cash);
            } else if (trade.asset == contracts.option) {
                _checkOption(trade);
            } else {
                revert CCT_InvalidAsset();
            }
        } else {
            revert CCT_InvalidModule();
        }
    }

    function _checkDeposit(DepositData memory deposit) private view {
        if (deposit.asset != addresses.wrappedDepositAsset) revert CMTSA_InvalidAsset();
        if (deposit.amount > holdings.undeposited) revert CMTSA_DepositingTooMuch();
    }

    function _checkWithdrawal(WithdrawalData memory withdrawal) private view {
        if (withdrawal.asset != addresses.wrappedDepositAsset) revert CCT_InvalidAsset();
        if (holdings.base < withdrawal.assetAmount + holdings.numShort) revert CCT_WithdrawingUtilisedCollateral();
        if (holdings.cash < params.optionMaxNegCash) revert CCT_WithdrawalNegativeCash();
    }

    function _checkOption(TradeData memory trade) private view {
        if (trade.isBid) revert CCT_CanOnlyOpenShortOptions();
        if (uint256(trade.desiredAmount) + holdings.numShort > holdings.base) revert CCT_SellingTooManyCalls();
        if (holdings.cash < params.optionMaxNegCash) revert CCT_CannotSellOptionsWithNegativeCash();
        _checkFee(trade.worstFee);
        // An option's id is its expiry, its strike from bit 32 and the call flag at bit 95.
        if ((trade.subId >> 95) & 1 == 0) revert CCT_OnlyShortCallsAllowed();
        uint256 expiry = trade.subId & 0xffffffff;
        if (block.timestamp >= expiry) revert CCT_OptionExpired();
        uint256 remaining = expiry - block.timestamp;
        if (remaining < params.optionMinTimeToExpiry || remaining > params.optionMaxTimeToExpiry) {
            revert CCT_OptionExpiryOutOfBounds();
        }
        if (trade.limitPrice <= holdings.optionFloor) revert CCT_OptionPriceTooLow();
    }

    function _subaccountValue() internal view override returns (uint256) {
        return holdings.base;
    }
}
