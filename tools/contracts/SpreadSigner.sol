// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {Action, DepositData, TradeData, WithdrawalData} from "./Action.sol";
import {CollateralSigner} from "./CollateralSigner.sol";
import {Black76, Decimal} from "./FixedPoint.sol";
import {Feed} from "./Kinds.sol";
import {VaultSigner} from "./VaultSigner.sol";

/// A vault with a spread mandate: pairs of options of one kind, always bought or always sold, quoted or taken. Balances,
/// forward and a volatility that is a straight line in the strike are told to it by its owner; the spot it reads from a feed.
contract SpreadSigner is CollateralSigner {
    using Decimal for uint256;
    using Decimal for int256;

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

    /// One leg of a quote, its amount with the maker's sign.
    struct Leg {
        address asset;
        uint256 subId;
        uint256 price;
        int256 amount;
    }

    /// What a maker signs.
    struct RfqOrder {
        uint256 maxFee;
        Leg[] legs;
    }

    /// What a taker signs; the legs travel beside it.
    struct TakerOrder {
        bytes32 orderHash;
        uint256 maxFee;
    }

    /// What a live vault would read, 18 decimals.
    struct Told {
        int256 base;
        int256 cash;
        uint256 vol;
        /// Volatility by which each unit of strike differs from the last.
        int256 tilt;
        uint256 forward;
    }

    /// One leg with what its id says and its mark.
    struct Strike {
        uint256 expiry;
        uint256 strike;
        uint256 mark;
        uint256 price;
        int256 amount;
    }

    address public immutable quotes;
    bool public immutable isCallSpread;
    bool public immutable isLongSpread;
    Told public told;
    int256[] private options;

    constructor(uint256 subaccountId, BaseTSAAddresses memory base, address module, bool isCall, bool isLong)
        VaultSigner(subaccountId, base)
    {
        (quotes, isCallSpread, isLongSpread) = (module, isCall, isLong);
    }

    // ---- what the owner sets

    function setSwaps(CollateralManagementParams memory swaps) external onlyOwner {
        collateral = swaps;
    }

    function setTold(Told memory now_, int256[] memory held) external onlyOwner {
        (told, options) = (now_, held);
    }

    // ---- what a preflight reads

    function getSubAccountStats() public view returns (uint256 open, uint256 base, int256 cash) {
        uint256 sold;
        for (uint256 i = 0; i < options.length; i++) {
            if (options[i] > 0) open += options[i].magnitude();
            else sold += options[i].magnitude();
        }
        if (open != sold) revert PPT_InvalidSpreadBalance();
        if (told.base < 0) revert PPT_NegativeBaseBalance();
        return (open, uint256(told.base), told.cash);
    }

    function getBasePrice() external view returns (uint256) {
        return _spot();
    }

    // ---- the mandate

    function _admit(uint256) internal view override {
        if (_blocked()) revert BTSA_Blocked();
    }

    function _spot() internal view override returns (uint256 spot) {
        (spot,) = Feed(places.feed).getSpot();
    }

    function _subaccountValue() internal view override returns (uint256) {
        return uint256(told.base);
    }

    function _check(Action memory action) internal view override {
        _checkWith(action, "");
    }

    function _checkWith(Action memory action, bytes memory legs) internal view override {
        if (!_lives(action.expiry, spread.minSignatureExpiry, spread.maxSignatureExpiry)) {
            revert PPT_InvalidActionExpiry();
        }
        if (action.module == places.deposit) {
            _checkDeposit(abi.decode(action.data, (DepositData)));
        } else if (action.module == places.withdrawal) {
            _checkWithdrawal(abi.decode(action.data, (WithdrawalData)));
        } else if (action.module == places.module) {
            TradeData memory trade = abi.decode(action.data, (TradeData));
            if (trade.desiredAmount <= 0) revert PPT_InvalidDesiredAmount();
            if (trade.asset != addresses.wrappedDepositAsset) revert PPT_InvalidAsset();
            _checkSwap(trade, told.cash);
        } else if (action.module == quotes) {
            if (legs.length > 0) {
                TakerOrder memory taken = abi.decode(action.data, (TakerOrder));
                if (keccak256(legs) != taken.orderHash) revert PPT_TradeDataDoesNotMatchOrderHash();
                _checkLegs(abi.decode(legs, (Leg[])), taken.maxFee, true);
            } else {
                RfqOrder memory made = abi.decode(action.data, (RfqOrder));
                _checkLegs(made.legs, made.maxFee, false);
            }
        } else {
            revert PPT_InvalidModule();
        }
    }

    function _checkWithdrawal(WithdrawalData memory withdrawal) private view {
        if (withdrawal.asset != addresses.wrappedDepositAsset) revert PPT_InvalidAsset();
        (uint256 open, uint256 base, int256 cash) = getSubAccountStats();
        if (open != 0) revert PPT_WithdrawingWithOpenTrades();
        uint256 amount = _decimal(withdrawal.assetAmount);
        if (amount > base) revert PPT_InvalidBaseBalance();
        if (cash >= 0) return;
        uint256 owedMost = (base - amount).mul(_spot()).mul(spread.negMaxCashTolerance);
        if (cash.magnitude() > owedMost) revert PPT_WithdrawingUtilisedCollateral();
    }

    function _checkLegs(Leg[] memory legs, uint256 maxFee, bool isTaker) private view {
        if (legs.length != 2) revert PPT_InvalidTradeLength();
        Strike memory low = _terms(legs[0]);
        Strike memory high = _terms(legs[1]);
        // Both are marked by the volatility of whichever comes first.
        uint256 vol = Decimal.toUnsigned(int256(told.vol) + told.tilt.mul(low.strike.toSigned()));
        (low.mark, high.mark) = (_mark(low, vol), _mark(high, vol));
        bool sameAsset = legs[0].asset == legs[1].asset && legs[0].asset == places.derivative;
        if (!sameAsset || low.expiry != high.expiry) revert PPT_InvalidMakerTradeDetails();
        if (low.strike > high.strike) (low, high) = (high, low);
        bool receivesHigh = (isCallSpread == isLongSpread) ? isTaker : !isTaker;
        if (receivesHigh ? high.amount <= 0 : high.amount >= 0) revert PPT_InvalidHighStrikeAmount();
        uint256 distance = high.strike - low.strike;
        if (distance != spread.strikeDiff) revert PPT_StrikePriceOutsideOfDiff();
        if (high.amount != -low.amount) revert PPT_InvalidTradeAmount();
        _checkSpread(low, high, maxFee);
    }

    /// An option's id is its expiry, its strike in eight decimals from bit 32 and the call flag at bit 95.
    function _terms(Leg memory leg) private view returns (Strike memory terms) {
        require(leg.subId < 1 << 96, "SafeCast: wider than 96 bits");
        terms.expiry = leg.subId & 0xffffffff;
        terms.strike = ((leg.subId >> 32) & ((1 << 63) - 1)) * 1e10;
        (terms.price, terms.amount) = (leg.price, leg.amount);
        bool tooSoon = terms.expiry < block.timestamp + spread.optionMinTimeToExpiry;
        bool tooLate = terms.expiry > block.timestamp + spread.optionMaxTimeToExpiry;
        if (tooSoon || tooLate || (leg.subId >> 95 == 1) != isCallSpread) revert PPT_InvalidOptionDetails();
    }

    function _mark(Strike memory at, uint256 vol) private view returns (uint256) {
        Black76.Input memory input = Black76.Input(at.expiry - block.timestamp, vol, told.forward, at.strike);
        (uint256 call, uint256 put) = Black76.prices(input);
        return isCallSpread ? call : put;
    }

    function _checkSpread(Strike memory low, Strike memory high, uint256 maxFee) private view {
        (uint256 open, uint256 base, int256 cash) = getSubAccountStats();
        if (cash < spread.maxNegCash) revert PPT_CannotTradeWithTooMuchNegativeCash();
        uint256 cost = (low.price.toSigned().mul(low.amount) + high.price.toSigned().mul(high.amount)).magnitude();
        if (maxFee > cost.mul(spread.rfqFeeFactor)) revert PPT_TradeFeeTooHigh();
        _checkCost(low, high, cost);
        uint256 distance = high.strike - low.strike;
        uint256 size = open.mul(distance) + high.amount.magnitude().mul(distance);
        if (size > base.mul(_spot()).mul(spread.maxLossOrGainPercentOfTVL)) revert PPT_TradeTooLarge();
    }

    /// The cost against the mark, whichever sign either has; and the mark against the distance of the strikes.
    function _checkCost(Strike memory low, Strike memory high, uint256 cost) private view {
        (int256 lowMark, int256 highMark) = (low.mark.toSigned(), high.mark.toSigned());
        uint256 mark = (lowMark.mul(low.amount) + highMark.mul(high.amount)).magnitude();
        uint256 bound = mark.mul(spread.maxTotalCostTolerance);
        if (isLongSpread && cost > bound) revert PPT_TotalCostOverTolerance();
        if (!isLongSpread && cost < bound) revert PPT_TotalCostBelowTolerance();
        uint256 ratio = (lowMark - highMark).magnitude().div(high.strike - low.strike);
        bool tooLow = ratio < spread.minMarkValueToStrikeDiffRatio;
        if (tooLow || ratio > spread.maxMarkValueToStrikeDiffRatio) revert PPT_MarkValueNotWithinBounds();
    }
}
