// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

/// Signatures of keys.
library Ecdsa {
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// Whose key made a signature of 65 bytes; zero for none, and for the second form that every signature has.
    function recover(bytes32 digest, bytes memory signature) internal pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
        return uint256(s) <= HALF_ORDER ? ecrecover(digest, v, r, s) : address(0);
    }
}
