// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

/// What an owner signs: a module of the exchange acts on a subaccount with this data until the expiry.
struct Action {
    uint256 subaccountId;
    uint256 nonce;
    address module;
    bytes data;
    uint256 expiry;
    address owner;
    address signer;
}

/// Data of an order in a book.
struct TradeData {
    address asset;
    uint256 subId;
    int256 limitPrice;
    int256 desiredAmount;
    uint256 worstFee;
    uint256 recipientId;
    bool isBid;
}

/// Data of a deposit.
struct DepositData {
    uint256 amount;
    address asset;
    address managerForNewAccount;
}

/// Data of a withdrawal.
struct WithdrawalData {
    address asset;
    uint256 assetAmount;
}

/// What a vault needs of the verifier.
interface IActionHash {
    function domainSeparator() external view returns (bytes32);
    function getActionHash(Action memory action) external view returns (bytes32);
}

/// Contract signatures (ERC-1271).
interface IContractSignature {
    function isValidSignature(bytes32 hash, bytes memory signature) external view returns (bytes4);
}
