// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {Ecdsa} from "./Ecdsa.sol";
import {Feed} from "./Kinds.sol";

/// A feed that anybody may bring a price to which its oracle has signed, and which takes no price of anybody else. A price
/// must be younger than the one it holds. What exactly is signed is of our own choosing where the exchange's documents are
/// silent: EIP-712 over `FeedData(bytes data,uint256 deadline,uint64 timestamp)` under the verifier's domain.
contract OracleFeed is Feed {
    struct FeedData {
        /// Price and confidence, 18 decimals each.
        bytes data;
        /// Last second at which it may be brought.
        uint256 deadline;
        /// When the price was made, Unix seconds.
        uint64 timestamp;
        address[] signers;
        bytes[] signatures;
    }

    error BLF_DataExpired();
    error BLF_InvalidSignature();
    error BLF_InvalidTimestamp();

    bytes32 private constant FEED_TYPE = keccak256("FeedData(bytes data,uint256 deadline,uint64 timestamp)");

    address public immutable oracle;
    bytes32 public immutable domain;

    constructor(address key, bytes32 separator) {
        oracle = key;
        domain = separator;
    }

    function acceptData(bytes calldata encoded) external {
        FeedData memory told = abi.decode(encoded, (FeedData));
        if (told.deadline < block.timestamp) revert BLF_DataExpired();
        if (told.timestamp > block.timestamp || told.timestamp <= updatedAt) revert BLF_InvalidTimestamp();
        if (told.signers.length != 1 || told.signatures.length != 1) revert BLF_InvalidSignature();
        bytes32 hashed = keccak256(abi.encode(FEED_TYPE, keccak256(told.data), told.deadline, told.timestamp));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, hashed));
        if (told.signers[0] != oracle || Ecdsa.recover(digest, told.signatures[0]) != oracle) {
            revert BLF_InvalidSignature();
        }
        (uint96 spot,) = abi.decode(told.data, (uint96, uint64));
        super.setSpot(spot, told.timestamp);
    }

    function setSpot(uint96, uint64) public pure override {
        revert BLF_InvalidSignature();
    }
}
