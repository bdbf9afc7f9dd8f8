// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {Action, DepositData, TradeData, WithdrawalData} from "./Action.sol";
import {Books} from "./Books.sol";
import {CollateralSigner} from "./CollateralSigner.sol";
import {Decimal, Transcendental} from "./FixedPoint.sol";
import {VaultSigner} from "./VaultSigner.sol";

/// A vault with a leveraged-basis mandate: holds collateral bought with borrowed cash and the perp sold against it. Every
/// order is judged by its whole amount, also when part of it has been filled before.
contract BasisSigner is CollateralSigner {
    using Decimal for uint256;
    using Decimal for int256;

    error CMTSA_PositionInsolvent();
    error LBT_InvalidActionExpiry();
    error LBT_InvalidDeltaChange();
    error LBT_InvalidGainPerUnit();
    error LBT_InvalidModule();
    error LBT_InvalidTradeAsset();
    error LBT_InvalidWithdrawAsset();
    error LBT_MarkLossTooHigh();
    error LBT_NegativeBaseBalance();
    error LBT_PerpFeeTooHigh();
    error LBT_PositivePerpPosition();
    error LBT_PostTradeDeltaOutOfRange();
    error LBT_PostTradeLeverageOutOfRange();

    /// What an order is judged by.
    struct Position {
        bool isBase;
        uint256 spot;
        uint256 perpPrice;
        uint256 base;
        int256 perp;
        /// The vault's value in base.
        uint256 worth;
    }

    Books public immutable books;
    int256 private lossSum;
    uint256 private lossAt;

    constructor(uint256 subaccountId, BaseTSAAddresses memory base, Books kept) VaultSigner(subaccountId, base) {
        books = kept;
    }

    function setFee(CollateralManagementParams memory spot) external onlyOwner {
        collateral = spot;
    }

    function getLBTSAEmaValues() external view returns (int256, uint256) {
        return (lossSum, lossAt);
    }

    function getSubAccountStats() external view returns (int256 perp, uint256 base, int256 cash) {
        int256 held;
        (held, perp, cash) = books.balances(subAccount);
        return (perp, uint256(held), cash);
    }

    function getBasePrice() external view returns (uint256) {
        return _spot();
    }

    function _admit(uint256) internal view override {
        if (_blocked()) revert BTSA_Blocked();
    }

    function _spot() internal view override returns (uint256 spot) {
        (spot,) = books.getSpot();
    }

    function _subaccountValue() internal view override returns (uint256) {
        (int256 base,,) = books.balances(subAccount);
        return uint256(base);
    }

    function _check(Action memory action) internal override {
        if (!_lives(action.expiry, basis.minSignatureExpiry, basis.maxSignatureExpiry)) {
            revert LBT_InvalidActionExpiry();
        }
        books.settlePerp(subAccount);
        if (action.module == places.deposit) {
            _checkDeposit(abi.decode(action.data, (DepositData)));
        } else if (action.module == places.withdrawal) {
            _checkWithdrawal(abi.decode(action.data, (WithdrawalData)));
        } else if (action.module == places.module) {
            _checkTrade(abi.decode(action.data, (TradeData)));
        } else {
            revert LBT_InvalidModule();
        }
    }

    function _checkTrade(TradeData memory trade) private {
        bool isBase = trade.asset == addresses.wrappedDepositAsset;
        if (!isBase && trade.asset != places.derivative) revert LBT_InvalidTradeAsset();
        Position memory at = _position(isBase);
        if (isBase) {
            if (trade.worstFee > at.spot.mul(collateral.feeFactor)) revert CMTSA_FeeTooHigh();
        } else if (trade.worstFee.div(at.perpPrice) > basis.maxPerpFee) {
            revert LBT_PerpFeeTooHigh();
        }
        int256 change = trade.isBid ? trade.desiredAmount : -trade.desiredAmount;
        _checkDelta(at, change, false);
        if (isBase) _checkLeverage(at, change, false);
        _charge(at, trade);
    }

    /// The amount is taken in the token's own places beside numbers of 18, as on the exchange's own vaults.
    function _checkWithdrawal(WithdrawalData memory withdrawal) private view {
        if (withdrawal.asset != addresses.wrappedDepositAsset) revert LBT_InvalidWithdrawAsset();
        Position memory at = _position(true);
        int256 change = -int256(withdrawal.assetAmount);
        _checkLeverage(at, change, true);
        _checkDelta(at, change, true);
    }

    function _position(bool isBase) private view returns (Position memory at) {
        at.isBase = isBase;
        at.spot = _spot();
        at.perpPrice = books.perpPrice();
        (int256 base, int256 perp,) = books.balances(subAccount);
        if (base < 0) revert LBT_NegativeBaseBalance();
        if (perp > 0) revert LBT_PositivePerpPosition();
        int256 worth = books.value(subAccount).div(at.spot.toSigned());
        if (worth < 0) revert CMTSA_PositionInsolvent();
        (at.base, at.perp, at.worth) = (uint256(base), perp, uint256(worth));
    }

    function _checkDelta(Position memory at, int256 change, bool isWithdrawal) private view {
        int256 ratio = int256(at.perpPrice.div(at.spot));
        int256 worth = int256(at.worth);
        if (isWithdrawal) {
            if (change >= 0) revert LBT_InvalidDeltaChange();
            worth += change;
            if (worth == 0 && at.perp == 0) return;
        }
        if (worth <= 0) revert LBT_InvalidDeltaChange();
        int256 exposure = int256(at.base) + at.perp.mul(ratio);
        int256 before = exposure.div(int256(at.worth));
        int256 afterwards = (exposure + (at.isBase ? change : change.mul(ratio))).div(worth);
        if (!_within(before, afterwards, basis.deltaFloor, basis.deltaCeil)) revert LBT_PostTradeDeltaOutOfRange();
    }

    /// More base sold than there is becomes a word too wide to scale.
    function _checkLeverage(Position memory at, int256 change, bool isWithdrawal) private view {
        uint256 worth = isWithdrawal ? uint256(int256(at.worth) + change) : at.worth;
        int256 before = int256(at.base.div(at.worth));
        uint256 base = uint256(int256(at.base) + change);
        if (base == 0 && worth == 0) return;
        int256 afterwards = int256(base.div(worth));
        if (!_within(before, afterwards, int256(basis.leverageFloor), int256(basis.leverageCeil))) {
            revert LBT_PostTradeLeverageOutOfRange();
        }
    }

    /// Into the band, or nearer to it without crossing its far end.
    function _within(int256 before, int256 afterwards, int256 floor, int256 ceil) private pure returns (bool) {
        if (floor <= afterwards && afterwards <= ceil) return true;
        if (before < floor) return before < afterwards && afterwards < ceil;
        return before > ceil && floor < afterwards && afterwards < before;
    }

    /// Charges what the whole order would lose against the mark to a sum that decays.
    function _charge(Position memory at, TradeData memory trade) private {
        int256 mark = int256(at.isBase ? at.spot : at.perpPrice);
        int256 lost = trade.isBid ? trade.limitPrice - mark : mark - trade.limitPrice;
        int256 perUnit = lost.div(int256(at.spot));
        if (perUnit > (at.isBase ? basis.maxBaseLossPerBase : basis.maxBaseLossPerPerp)) {
            revert LBT_InvalidGainPerUnit();
        }
        int256 part = (trade.desiredAmount * perUnit) / int256(at.worth);
        int256 exponent = -int256((block.timestamp - lossAt) * basis.emaDecayFactor);
        int256 decayed = lossSum.mul(int256(Transcendental.exp(exponent)));
        int256 sum = decayed + part;
        if (sum > int256(basis.markLossEmaTarget) && sum > decayed) revert LBT_MarkLossTooHigh();
        (lossSum, lossAt) = (sum, block.timestamp);
    }
}
