// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {Action, IActionHash, IContractSignature} from "./Action.sol";
import {Ecdsa} from "./Ecdsa.sol";
import {Kinds} from "./Kinds.sol";
import {Shares, Token} from "./Shares.sol";

/// A vault that signs by contract: a listed key puts an action to it, or a listed submitter inside a settlement; it holds
/// the action against its mandate, which is for the heir of this contract to say, and from then on answers for its hash.
/// One signature lives at a time.
abstract contract VaultSigner is IContractSignature, Kinds, Shares {
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

    error BOCST_InvalidAction();
    error BOCST_OnlySigner();
    error BOCST_OnlySubmitter();
    error CMTSA_DepositingTooMuch();
    error CMTSA_FeeTooHigh();
    error CMTSA_InvalidAsset();
    error OnlyOwner();

    event ActionSigned(address indexed signer, bytes32 indexed hash, Action action);
    event SignatureRevoked(address indexed revoker, bytes32 indexed hash);
    event SignerUpdated(address indexed signer, bool isSigner);
    event SubmitterUpdated(address indexed submitter, bool isSubmitter);
    event SignaturesDisabledUpdated(bool disabled);

    bytes4 private constant ERC1271_MAGIC = 0x1626ba7e;
    uint256 internal constant ONE = 1e18;

    address public owner;
    uint256 public subAccount;
    bool public isBlocked;
    bool public signaturesDisabled;
    bytes32 public lastSeenHash;
    mapping(address => bool) public isSigner;
    mapping(address => bool) public isSubmitter;
    mapping(bytes32 => bool) public signedData;
    BaseTSAAddresses internal addresses;
    CollateralManagementParams internal collateral;

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

    constructor(uint256 subaccountId, BaseTSAAddresses memory base) {
        owner = msg.sender;
        subAccount = subaccountId;
        addresses = base;
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

    // ---- signing

    function signActionData(Action memory action, bytes memory extraData) external onlySigner {
        _sign(action, extraData);
    }

    /// As older vaults offer it.
    function signActionData(Action memory action) external onlySigner {
        _sign(action, "");
    }

    /// Inside a settlement: a listed submitter brings the action with the signature of a listed key.
    function signActionViaPermit(Action memory action, bytes memory extraData, bytes memory signature)
        external
        onlySubmitter
    {
        address key = Ecdsa.recover(getActionTypedDataHash(action), signature);
        require(key != address(0) && isSigner[key], "Invalid signature");
        _sign(action, extraData);
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

    function getCollateralManagementParams() external view returns (CollateralManagementParams memory) {
        return collateral;
    }

    // ---- the mandate

    function _sign(Action memory action, bytes memory extraData) private {
        if (action.signer != address(this)) revert BOCST_InvalidAction();
        _admit(action.expiry);
        bytes32 hash = getActionTypedDataHash(action);
        _revoke(lastSeenHash);
        lastSeenHash = hash;
        _checkWith(action, extraData);
        signedData[hash] = true;
        emit ActionSigned(address(this), hash, action);
    }

    function _revoke(bytes32 hash) private {
        signedData[hash] = false;
        emit SignatureRevoked(msg.sender, hash);
    }

    /// Reverts if nothing that ends then may be signed now.
    function _admit(uint256 expiry) internal view virtual;

    /// Reverts if the action is outside the mandate.
    function _check(Action memory action) internal virtual;

    /// The same with what came beside the action, which most mandates do not look at.
    function _checkWith(Action memory action, bytes memory) internal virtual {
        _check(action);
    }

    /// Whether a signature that expires then lives within these bounds, both ends included. One that has expired does not,
    /// even where the least life is none.
    function _lives(uint256 expiry, uint256 least, uint256 most) internal view returns (bool) {
        return expiry >= block.timestamp + least && expiry <= block.timestamp + most;
    }

    /// A price of collateral, 18 decimals.
    function _spot() internal view virtual returns (uint256);

    function _checkFee(uint256 worstFee) internal view {
        if (worstFee > (_spot() * collateral.feeFactor) / ONE) revert CMTSA_FeeTooHigh();
    }

    function _token() internal view override returns (Token) {
        return Token(addresses.depositAsset);
    }

    function _blocked() internal view override returns (bool) {
        return isBlocked;
    }
}
