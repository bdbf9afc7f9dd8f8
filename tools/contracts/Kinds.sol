// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

/// What sets the kinds of vaults apart for who reads them: parameters and modules of spread and basis vaults, as told.
abstract contract Kinds {
    struct PPTSAParams {
        uint256 maxMarkValueToStrikeDiffRatio;
        uint256 minMarkValueToStrikeDiffRatio;
        uint256 strikeDiff;
        uint256 maxTotalCostTolerance;
        uint256 maxLossOrGainPercentOfTVL;
        uint256 negMaxCashTolerance;
        uint256 minSignatureExpiry;
        uint256 maxSignatureExpiry;
        uint256 optionMinTimeToExpiry;
        uint256 optionMaxTimeToExpiry;
        int256 maxNegCash;
        uint256 rfqFeeFactor;
    }

    struct LBTSAParams {
        uint256 maxPerpFee;
        int256 maxBaseLossPerBase;
        int256 maxBaseLossPerPerp;
        int256 deltaFloor;
        int256 deltaCeil;
        uint256 leverageFloor;
        uint256 leverageCeil;
        uint256 emaDecayFactor;
        uint256 markLossEmaTarget;
        uint256 minSignatureExpiry;
        uint256 maxSignatureExpiry;
    }

    /// Feed of the collateral, modules, and the asset that is traded against it.
    struct Places {
        address feed;
        address deposit;
        address withdrawal;
        address module;
        address derivative;
    }

    PPTSAParams internal spread;
    LBTSAParams internal basis;
    Places internal places;

    function getPPTSAParams() external view returns (PPTSAParams memory) {
        return spread;
    }

    function getLBTSAParams() external view returns (LBTSAParams memory) {
        return basis;
    }

    function getCCTSAAddresses() external view returns (address, address, address, address, address) {
        return _places();
    }

    function getPPTSAAddresses() external view returns (address, address, address, address, address) {
        return _places();
    }

    function getLBTSAAddresses() external view returns (address, address, address, address, address) {
        return _places();
    }

    function _places() private view returns (address, address, address, address, address) {
        return (places.feed, places.deposit, places.withdrawal, places.module, places.derivative);
    }
}

/// A feed whose price, age and heartbeat are told to it; it refuses to answer when what it holds is too old.
contract Feed {
    error BLF_DataTooOld();

    event SpotPriceUpdated(uint96 spot, uint96 confidence, uint64 timestamp);

    uint96 internal price;
    uint64 internal updatedAt;
    uint64 public heartbeat;

    function setHeartbeat(uint64 told) external {
        heartbeat = told;
    }

    function setSpot(uint96 told, uint64 timestamp) public virtual {
        price = told;
        updatedAt = timestamp;
        emit SpotPriceUpdated(told, 1e18, timestamp);
    }

    function getSpot() public view returns (uint256, uint256) {
        if (updatedAt + heartbeat < block.timestamp) revert BLF_DataTooOld();
        return (price, 1e18);
    }
}

/// A wrapper that takes deposits for listed subaccounts only, if told so.
contract Wrapper {
    bool public wlEnabled;
    mapping(uint256 => bool) public wlAccounts;
    address public wrappedAsset;

    constructor(address token) {
        wrappedAsset = token;
    }

    function setList(bool enabled, uint256 subaccount, bool listed) external {
        wlEnabled = enabled;
        wlAccounts[subaccount] = listed;
    }
}
