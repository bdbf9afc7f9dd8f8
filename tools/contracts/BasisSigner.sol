// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {Action, TradeData} from "./Action.sol";
import {Books} from "./Books.sol";
import {VaultSigner} from "./VaultSigner.sol";

/// A vault with a leveraged-basis mandate: holds collateral bought with borrowed cash and the perp sold against it. Every
/// order is judged by its whole amount, also when part of it has been filled before. It moves no capital.
contract BasisSigner is VaultSigner {
    error CMTSA_PositionInsolvent();
    error LBT_InvalidActionExpiry();
    error LBT_InvalidDeltaChange();
    error LBT_InvalidGainPerUnit();
    error LBT_InvalidModule();
    error LBT_InvalidTradeAsset();
    error LBT_MarkLossTooHigh();
    error LBT_NegativeBaseBalance();
    error LBT_PerpFeeTooHigh();
    error LBT_PositivePerpPosition();
    error LBT_PostTradeDeltaOutOfRange();
    error LBT_PostTradeLeverageOutOfRange();

    int256 private constant WAD = 1e18;
    /// The natural logarithm of two, 18 decimals.
    uint256 private constant LN_2 = 693147180559945309;
    /// Beyond it nothing is left of a sum.
    uint256 private constant EXPONENT_MAX = 42e18;
    /// Terms of the series of e^-r below ln 2: the next is under one unit.
    uint256 private constant TERMS = 20;

    /// What an order is judged by.
    struct Position {
        bool isBase;
        int256 spot;
        int256 perpPrice;
        int256 base;
        int256 perp;
        /// The vault's value in base.
        int256 worth;
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

    function _admit(uint256 life) internal view override {
        if (_blocked()) revert BTSA_Blocked();
        if (life < basis.minSignatureExpiry || life > basis.maxSignatureExpiry) revert LBT_InvalidActionExpiry();
    }

    function _spot() internal view override returns (uint256 spot) {
        (spot,) = books.getSpot();
    }

    function _subaccountValue() internal view override returns (uint256) {
        (int256 base,,) = books.balances(subAccount);
        return uint256(base);
    }

    function _check(Action memory action) internal override {
        books.settlePerp(subAccount);
        if (action.module != places.module) revert LBT_InvalidModule();
        TradeData memory trade = abi.decode(action.data, (TradeData));
        Position memory at = _position(trade.asset);
        if (at.isBase) {
            _checkFee(trade.worstFee);
        } else if ((int256(trade.worstFee) * WAD) / at.perpPrice > int256(basis.maxPerpFee)) {
            revert LBT_PerpFeeTooHigh();
        }
        int256 change = trade.isBid ? trade.desiredAmount : -trade.desiredAmount;
        _checkDelta(at, change);
        if (at.isBase) _checkLeverage(at, change);
        _charge(at, trade);
    }

    function _position(address asset) private view returns (Position memory at) {
        at.isBase = asset == addresses.wrappedDepositAsset;
        if (!at.isBase && asset != places.derivative) revert LBT_InvalidTradeAsset();
        at.spot = int256(_spot());
        at.perpPrice = int256(books.perpPrice());
        (at.base, at.perp,) = books.balances(subAccount);
        if (at.base < 0) revert LBT_NegativeBaseBalance();
        if (at.perp > 0) revert LBT_PositivePerpPosition();
        at.worth = (books.value(subAccount) * WAD) / at.spot;
        if (at.worth < 0) revert CMTSA_PositionInsolvent();
    }

    function _checkDelta(Position memory at, int256 change) private view {
        if (at.worth <= 0) revert LBT_InvalidDeltaChange();
        int256 ratio = (at.perpPrice * WAD) / at.spot;
        int256 exposure = at.base + (at.perp * ratio) / WAD;
        int256 moved = at.isBase ? change : (change * ratio) / WAD;
        int256 before = (exposure * WAD) / at.worth;
        int256 afterwards = ((exposure + moved) * WAD) / at.worth;
        if (!_within(before, afterwards, basis.deltaFloor, basis.deltaCeil)) revert LBT_PostTradeDeltaOutOfRange();
    }

    function _checkLeverage(Position memory at, int256 change) private view {
        int256 before = (at.base * WAD) / at.worth;
        int256 afterwards = ((at.base + change) * WAD) / at.worth;
        int256 floor = int256(basis.leverageFloor);
        if (at.base + change < 0 || !_within(before, afterwards, floor, int256(basis.leverageCeil))) {
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
        int256 mark = at.isBase ? at.spot : at.perpPrice;
        int256 lost = trade.isBid ? trade.limitPrice - mark : mark - trade.limitPrice;
        int256 perUnit = (lost * WAD) / at.spot;
        if (perUnit > (at.isBase ? basis.maxBaseLossPerBase : basis.maxBaseLossPerPerp)) {
            revert LBT_InvalidGainPerUnit();
        }
        int256 decayed = (lossSum * int256(_decay((block.timestamp - lossAt) * basis.emaDecayFactor))) / WAD;
        int256 sum = decayed + (trade.desiredAmount * perUnit) / at.worth;
        if (sum > int256(basis.markLossEmaTarget) && sum > decayed) revert LBT_MarkLossTooHigh();
        (lossSum, lossAt) = (sum, block.timestamp);
    }

    /// e^-x, 18 decimals: halved for every ln 2 in x, and a series for the rest.
    function _decay(uint256 x) private pure returns (uint256) {
        if (x > EXPONENT_MAX) return 0;
        int256 rest = int256(x % LN_2);
        (int256 sum, int256 term) = (WAD, WAD);
        for (int256 i = 1; i <= int256(TERMS); i++) {
            term = (-term * rest) / (WAD * i);
            sum += term;
        }
        return uint256(sum) >> (x / LN_2);
    }
}
