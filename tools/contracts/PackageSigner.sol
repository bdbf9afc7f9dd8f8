// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {Action, DepositData, RfqLeg, RfqOrder, TakerOrder, TradeData, WithdrawalData} from "./Action.sol";
import {Books} from "./Books.sol";
import {Swaps} from "./Swaps.sol";
import {VaultSigner} from "./VaultSigner.sol";

/// A vault that trades spreads by requests for quotes: two options of one expiry, equal and opposite, a fixed distance
/// apart. What it holds is what its settlements have left in the books; what one spread is worth is told to it by its
/// owner, where a live vault prices both options.
contract PackageSigner is Swaps {
    error PPT_CannotTradeWithTooMuchNegativeCash();
    error PPT_InvalidActionExpiry();
    error PPT_InvalidAsset();
    error PPT_InvalidBaseBalance();
    error PPT_InvalidDesiredAmount();
    error PPT_InvalidHighStrikeAmount();
    error PPT_InvalidMakerTradeDetails();
    error PPT_InvalidModule();
    error PPT_InvalidOptionDetails();
    error PPT_InvalidSpreadBalance();
    error PPT_InvalidTradeAmount();
    error PPT_InvalidTradeLength();
    error PPT_MarkValueNotWithinBounds();
    error PPT_NegativeBaseBalance();
    error PPT_StrikePriceOutsideOfDiff();
    error PPT_TotalCostBelowTolerance();
    error PPT_TotalCostOverTolerance();
    error PPT_TradeDataDoesNotMatchOrderHash();
    error PPT_TradeFeeTooHigh();
    error PPT_TradeTooLarge();
    error PPT_WithdrawingUtilisedCollateral();
    error PPT_WithdrawingWithOpenTrades();

    Books public immutable books;
    address public immutable tradeModule;
    bool public immutable isCallSpread;
    bool public immutable isLongSpread;
    uint256 public unitMark;

    constructor(
        uint256 subaccountId,
        BaseTSAAddresses memory base,
        Books kept,
        address orders,
        bool isCall,
        bool isLong
    ) VaultSigner(subaccountId, base) {
        (books, tradeModule, isCallSpread, isLongSpread) = (kept, orders, isCall, isLong);
    }

    // ---- what the owner sets

    function setSwaps(CollateralManagementParams memory told) external onlyOwner {
        collateral = told;
    }

    function setUnitMark(uint256 told) external onlyOwner {
        unitMark = told;
    }

    // ---- what a preflight reads

    function getSubAccountStats() public view returns (uint256 open, uint256 base, int256 cash) {
        uint256 sold;
        int256 held;
        (open, sold) = books.optionsOf(subAccount);
        (held,, cash) = books.balances(subAccount);
        if (open != sold) revert PPT_InvalidSpreadBalance();
        if (held < 0) revert PPT_NegativeBaseBalance();
        base = uint256(held);
    }

    function getBasePrice() external view returns (uint256) {
        return _spot();
    }

    // ---- the mandate

    function _admit(uint256 expiry) internal view override {
        if (_blocked()) revert BTSA_Blocked();
        if (!_lives(expiry, spread.minSignatureExpiry, spread.maxSignatureExpiry)) revert PPT_InvalidActionExpiry();
    }

    function _spot() internal view override returns (uint256 spot) {
        (spot,) = books.getSpot();
    }

    function _subaccountValue() internal view override returns (uint256 base) {
        (, base,) = getSubAccountStats();
    }

    function _check(Action memory action) internal view override {
        _checkWith(action, "");
    }

    function _checkWith(Action memory action, bytes memory legs) internal view override {
        if (action.module == places.deposit) {
            DepositData memory deposit = abi.decode(action.data, (DepositData));
            if (deposit.asset != addresses.wrappedDepositAsset) revert CMTSA_InvalidAsset();
            uint256 free = _token().balanceOf(address(this)) - totalPendingDeposits;
            if (deposit.amount > free) revert CMTSA_DepositingTooMuch();
        } else if (action.module == places.withdrawal) {
            _checkWithdrawal(abi.decode(action.data, (WithdrawalData)));
        } else if (action.module == tradeModule) {
            TradeData memory trade = abi.decode(action.data, (TradeData));
            if (trade.desiredAmount <= 0) revert PPT_InvalidDesiredAmount();
            if (trade.asset != addresses.wrappedDepositAsset) revert PPT_InvalidAsset();
            (,, int256 cash) = books.balances(subAccount);
            _checkCollateral(trade, cash);
        } else if (action.module != places.module) {
            revert PPT_InvalidModule();
        } else if (legs.length > 0) {
            TakerOrder memory taken = abi.decode(action.data, (TakerOrder));
            if (keccak256(legs) != taken.orderHash) revert PPT_TradeDataDoesNotMatchOrderHash();
            _checkLegs(abi.decode(legs, (RfqLeg[])), taken.maxFee, true);
        } else {
            RfqOrder memory made = abi.decode(action.data, (RfqOrder));
            _checkLegs(made.legs, made.maxFee, false);
        }
    }

    function _checkWithdrawal(WithdrawalData memory withdrawal) private view {
        if (withdrawal.asset != addresses.wrappedDepositAsset) revert PPT_InvalidAsset();
        (uint256 open, uint256 base, int256 cash) = getSubAccountStats();
        if (open != 0) revert PPT_WithdrawingWithOpenTrades();
        uint256 amount = withdrawal.assetAmount * 10 ** (18 - _token().decimals());
        if (amount > base) revert PPT_InvalidBaseBalance();
        uint256 left = ((base - amount) * _spot()) / ONE;
        if (cash < 0 && uint256(-cash) > (left * spread.negMaxCashTolerance) / ONE) {
            revert PPT_WithdrawingUtilisedCollateral();
        }
    }

    /// Amounts bear the maker's sign: what the vault takes, it takes from there.
    function _checkLegs(RfqLeg[] memory legs, uint256 maxFee, bool isTaker) private view {
        if (legs.length != 2) revert PPT_InvalidTradeLength();
        uint256 low = _strike(legs[0]);
        uint256 high = _strike(legs[1]);
        bool sameAsset = legs[0].asset == legs[1].asset && legs[0].asset == places.derivative;
        if (!sameAsset || uint32(legs[0].subId) != uint32(legs[1].subId)) revert PPT_InvalidMakerTradeDetails();
        int256 amount = legs[1].amount;
        if (low > high) (low, high, amount) = (high, low, legs[0].amount);
        bool receivesHigh = (isCallSpread == isLongSpread) ? isTaker : !isTaker;
        if (receivesHigh ? amount <= 0 : amount >= 0) revert PPT_InvalidHighStrikeAmount();
        if (high - low != spread.strikeDiff) revert PPT_StrikePriceOutsideOfDiff();
        if (legs[0].amount + legs[1].amount != 0) revert PPT_InvalidTradeAmount();
        _checkSpread(legs, maxFee, uint256(amount > 0 ? amount : -amount));
    }

    /// An option's id is its expiry, its strike in eight decimals from bit 32 and the call flag at bit 95.
    function _strike(RfqLeg memory leg) private view returns (uint256) {
        uint256 expiry = uint32(leg.subId);
        bool tooSoon = expiry < block.timestamp + spread.optionMinTimeToExpiry;
        bool tooLate = expiry > block.timestamp + spread.optionMaxTimeToExpiry;
        if (tooSoon || tooLate || (leg.subId >> 95 == 1) != isCallSpread) revert PPT_InvalidOptionDetails();
        return uint256(uint64(leg.subId >> 32) & 0x7fffffffffffffff) * 1e10;
    }

    function _checkSpread(RfqLeg[] memory legs, uint256 maxFee, uint256 units) private view {
        (uint256 open, uint256 base, int256 cash) = getSubAccountStats();
        if (cash < spread.maxNegCash) revert PPT_CannotTradeWithTooMuchNegativeCash();
        int256 paid = int256(legs[0].price) * legs[0].amount + int256(legs[1].price) * legs[1].amount;
        uint256 cost = uint256(paid > 0 ? paid : -paid) / ONE;
        if (maxFee > (cost * spread.rfqFeeFactor) / ONE) revert PPT_TradeFeeTooHigh();
        uint256 bound = (((unitMark * units) / ONE) * spread.maxTotalCostTolerance) / ONE;
        if (isLongSpread && cost > bound) revert PPT_TotalCostOverTolerance();
        if (!isLongSpread && cost < bound) revert PPT_TotalCostBelowTolerance();
        uint256 ratio = (unitMark * ONE) / spread.strikeDiff;
        bool tooLow = ratio < spread.minMarkValueToStrikeDiffRatio;
        if (tooLow || ratio > spread.maxMarkValueToStrikeDiffRatio) revert PPT_MarkValueNotWithinBounds();
        uint256 worth = (base * _spot()) / ONE;
        uint256 size = ((open + units) * spread.strikeDiff) / ONE;
        if (size > (worth * spread.maxLossOrGainPercentOfTVL) / ONE) revert PPT_TradeTooLarge();
    }
}
