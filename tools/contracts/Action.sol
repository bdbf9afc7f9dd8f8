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

/// One leg of a quote; its amount bears the maker's sign.
struct RfqLeg {
    address asset;
    uint256 subId;
    uint256 price;
    int256 amount;
}

/// Data of a quote.
struct RfqOrder {
    uint256 maxFee;
    RfqLeg[] legs;
}

/// Data of the execution of a quote: the hash of its encoded legs.
struct TakerOrder {
    bytes32 orderHash;
    uint256 maxFee;
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

/// What a settlement fills of one action, 18 decimals; the fee is of the whole fill.
struct Fill {
    uint256 amount;
    uint256 price;
    uint256 fee;
}

/// Prices a settlement brings along, 18 decimals; none if zero.
struct Prices {
    uint256 spot;
    uint256 perp;
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
