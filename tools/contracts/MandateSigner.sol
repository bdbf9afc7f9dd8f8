// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {
    Action, TradeData, DepositData, WithdrawalData, IActionHash, IContractSignature
} from "./Action.sol";
import {Ecdsa} from "./Ecdsa.sol";
import {Kinds} from "./Kinds.sol";
import {Shares, Token} from "./Shares.sol";

/// A vault that signs by contract: a listed key puts an action to it, it checks the action against a covered-call mandate,
/// and from then on answers for its hash. One signature lives at a time. Balances and prices are told to it by its owner,
/// where a live vault reads its subaccount and feeds; a price floor stands where a live vault prices the option.
contract MandateSigner is IContractSignature, Kinds, Shares {
    struct BaseTSAAddresses {
        address subAccounts;
        address auction;
        address wrappedDepositAsset;
        address cash;
        address depositAsset;
        address manager;
        address matching;
    }

    struct CollateralManagementParams {
        uint256 feeFactor;
        int256 spotTransactionLeniency;
        uint256 worstSpotSellPrice;
        uint256 worstSpotBuyPrice;
    }

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

    error BOCST_InvalidAction();
    error BOCST_OnlySigner();
    error BOCST_OnlySubmitter();
    error CMTSA_BuyingTooMuchCollateral();
    error CMTSA_DepositingTooMuch();
    error CMTSA_FeeTooHigh();
    error CMTSA_InvalidAsset();
    error CMTSA_MustHaveNegativeCash();
    error CMTSA_MustHavePositiveCash();
    error CMTSA_SellingTooMuchCollateral();
    error CMTSA_SpotLimitPriceTooHigh();
    error CMTSA_SpotLimitPriceTooLow();
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
    error OnlyOwner();

    event ActionSigned(address indexed signer, bytes32 indexed hash, Action action);
    event SignatureRevoked(address indexed revoker, bytes32 indexed hash);
    event SignerUpdated(address indexed signer, bool isSigner);
    event SubmitterUpdated(address indexed submitter, bool isSubmitter);
    event SignaturesDisabledUpdated(bool disabled);

    bytes4 private constant ERC1271_MAGIC = 0x1626ba7e;
    uint256 private constant ONE = 1e18;

    address public owner;
    uint256 public subAccount;
    bool public isBlocked;
    bool public signaturesDisabled;
    bytes32 public lastSeenHash;
    mapping(address => bool) public isSigner;
    mapping(address => bool) public isSubmitter;
    mapping(bytes32 => bool) public signedData;
    Holdings public holdings;
    Contracts public contracts;
    BaseTSAAddresses private addresses;
    CCTSAParams private params;
    CollateralManagementParams private collateral;

    modifier onlyOwner() {
        if (msg.sender != owner) revert OnlyOwner();
        _;
    }

    modifier onlySigner() {
        if (!isSigner[msg.sender]) revert BOCST_OnlySigner();
        _;
    }

    modifier onlySubmitter() {
        if (!isSubmitter[msg.sender]) revert BOCST_OnlySubmitter();
        _;
    }

    constructor(uint256 subaccountId, BaseTSAAddresses memory base, Contracts memory named) {
        owner = msg.sender;
        subAccount = subaccountId;
        addresses = base;
        contracts = named;
    }

    // ---- what the owner sets

    function setSigner(address key, bool allowed) external onlyOwner {
        isSigner[key] = allowed;
        emit SignerUpdated(key, allowed);
    }

    function setSubmitter(address submitter, bool allowed) external onlyOwner {
        isSubmitter[submitter] = allowed;
        emit SubmitterUpdated(submitter, allowed);
    }

    function setSignaturesDisabled(bool disabled) external onlyOwner {
        signaturesDisabled = disabled;
        emit SignaturesDisabledUpdated(disabled);
    }

    function setBlocked(bool blocked) external onlyOwner {
        isBlocked = blocked;
    }

    function setParams(CCTSAParams memory options, CollateralManagementParams memory spot) external onlyOwner {
        params = options;
        collateral = spot;
    }

    function setHoldings(Holdings memory told) external onlyOwner {
        holdings = told;
    }

    function setKinds(PPTSAParams memory ofSpread, LBTSAParams memory ofBasis, Places memory named) external onlyOwner {
        spread = ofSpread;
        basis = ofBasis;
        places = named;
    }

    function setTSAParams(TSAParams memory told) external onlyOwner {
        collectFee();
        terms = told;
    }

    function setShareKeeper(address keeper, bool allowed) external onlyOwner {
        shareKeeper[keeper] = allowed;
    }

    function approveModule(address module, uint256 amount) external onlyOwner {
        _token().approve(module, amount);
    }

    /// What settlement of a deposit (or, below zero, a withdrawal) does to this contract and its subaccount.
    function moveCapital(int256 amount) external onlyOwner {
        if (amount > 0) {
            _token().transfer(addresses.wrappedDepositAsset, uint256(amount));
            holdings.base += uint256(amount);
        } else {
            _token().mint(address(this), uint256(-amount));
            holdings.base -= uint256(-amount);
        }
    }

    // ---- signing

    function signActionData(Action memory action, bytes memory) external onlySigner {
        _sign(action);
    }

    /// As older vaults offer it.
    function signActionData(Action memory action) external onlySigner {
        _sign(action);
    }

    /// Inside a settlement: a listed submitter brings the action with the signature of a listed key.
    function signActionViaPermit(Action memory action, bytes memory, bytes memory signature) external onlySubmitter {
        address key = Ecdsa.recover(getActionTypedDataHash(action), signature);
        require(key != address(0) && isSigner[key], "Invalid signature");
        _sign(action);
    }

    function revokeActionSignature(Action memory action) external onlySigner {
        _revoke(getActionTypedDataHash(action));
    }

    function revokeSignature(bytes32 hash) external onlySigner {
        _revoke(hash);
    }

    function isValidSignature(bytes32 hash, bytes memory) external view returns (bytes4) {
        if (isBlocked) revert BTSA_Blocked();
        return !signaturesDisabled && signedData[hash] ? ERC1271_MAGIC : bytes4(0xffffffff);
    }

    function isActionSigned(Action memory action) external view returns (bool) {
        return signedData[getActionTypedDataHash(action)];
    }

    function getActionTypedDataHash(Action memory action) public view returns (bytes32) {
        IActionHash matching = IActionHash(addresses.matching);
        return keccak256(abi.encodePacked(hex"1901", matching.domainSeparator(), matching.getActionHash(action)));
    }

    // ---- what a preflight reads

    function getBaseTSAAddresses() external view returns (BaseTSAAddresses memory) {
        return addresses;
    }

    function getCCTSAParams() external view returns (CCTSAParams memory) {
        return params;
    }

    function getCollateralManagementParams() external view returns (CollateralManagementParams memory) {
        return collateral;
    }

    function getSubAccountStats() external view returns (uint256 numShort, uint256 base, int256 cash) {
        return (holdings.numShort, holdings.base, holdings.cash);
    }

    function getBasePrice() external view returns (uint256) {
        return holdings.spot;
    }

    // ---- the mandate

    function _sign(Action memory action) private {
        if (action.signer != address(this)) revert BOCST_InvalidAction();
        uint256 life = action.expiry > block.timestamp ? action.expiry - block.timestamp : 0;
        if (life < params.minSignatureExpiry || life > params.maxSignatureExpiry) revert CCT_InvalidActionExpiry();
        bytes32 hash = getActionTypedDataHash(action);
        _revoke(lastSeenHash);
        lastSeenHash = hash;
        _check(action);
        signedData[hash] = true;
        emit ActionSigned(address(this), hash, action);
    }

    function _revoke(bytes32 hash) private {
        signedData[hash] = false;
        emit SignatureRevoked(msg.sender, hash);
    }

    function _check(Action memory action) private view {
        if (action.module == contracts.deposit) {
            _checkDeposit(abi.decode(action.data, (DepositData)));
        } else if (action.module == contracts.withdrawal) {
            _checkWithdrawal(abi.decode(action.data, (WithdrawalData)));
        } else if (action.module == contracts.trade) {
            TradeData memory trade = abi.decode(action.data, (TradeData));
            if (trade.desiredAmount <= 0) revert CCT_InvalidDesiredAmount();
            if (trade.asset == addresses.wrappedDepositAsset) {
                _checkCollateral(trade);
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

    function _checkCollateral(TradeData memory trade) private view {
        int256 spot = int256(holdings.spot);
        int256 value = (trade.limitPrice * trade.desiredAmount) / int256(ONE);
        int256 allowed = (holdings.cash * collateral.spotTransactionLeniency) / int256(ONE);
        if (trade.isBid) {
            if (holdings.cash <= 0) revert CMTSA_MustHavePositiveCash();
            _checkFee(trade.worstFee);
            if (trade.limitPrice > (spot * int256(collateral.worstSpotBuyPrice)) / int256(ONE)) {
                revert CMTSA_SpotLimitPriceTooHigh();
            }
            if (value > allowed) revert CMTSA_BuyingTooMuchCollateral();
        } else {
            if (holdings.cash >= 0) revert CMTSA_MustHaveNegativeCash();
            _checkFee(trade.worstFee);
            if (trade.limitPrice < (spot * int256(collateral.worstSpotSellPrice)) / int256(ONE)) {
                revert CMTSA_SpotLimitPriceTooLow();
            }
            if (value > -allowed) revert CMTSA_SellingTooMuchCollateral();
        }
    }

    function _token() internal view override returns (Token) {
        return Token(addresses.depositAsset);
    }

    function _blocked() internal view override returns (bool) {
        return isBlocked;
    }

    function _subaccountValue() internal view override returns (uint256) {
        return holdings.base;
    }

    function _checkFee(uint256 worstFee) private view {
        if (worstFee > (holdings.spot * collateral.feeFactor) / ONE) revert CMTSA_FeeTooHigh();
    }
}
