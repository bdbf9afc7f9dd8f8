// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {Action} from "./Action.sol";

/// What it needs of the verifier.
interface IMatching {
    function tradeExecutors(address executor) external view returns (bool);
    function verifyAndMatch(Action[] memory actions, bytes[] memory signatures, bytes memory data) external;
}

/// What it needs of a vault.
interface IPermitSigner {
    function signActionViaPermit(Action memory action, bytes memory extraData, bytes memory signature) external;
}

/// Settles actions of vaults that approve them only inside the settlement: each is put to its vault first, and all stand
/// or fall together.
contract AtomicExecutor {
    struct AtomicAction {
        bool isAtomic;
        bytes extraData;
    }

    error ASE_LengthMismatch();
    error ASE_OnlyTradeExecutors();

    IMatching public immutable matching;

    constructor(IMatching verifier) {
        matching = verifier;
    }

    function atomicVerifyAndMatch(
        Action[] memory actions,
        bytes[] memory signatures,
        bytes memory data,
        AtomicAction[] memory atomic
    ) external {
        if (!matching.tradeExecutors(msg.sender)) revert ASE_OnlyTradeExecutors();
        if (atomic.length != actions.length || signatures.length != actions.length) revert ASE_LengthMismatch();
        for (uint256 i = 0; i < actions.length; i++) {
            if (atomic[i].isAtomic) {
                IPermitSigner(actions[i].signer).signActionViaPermit(actions[i], atomic[i].extraData, signatures[i]);
            }
        }
        matching.verifyAndMatch(actions, signatures, data);
    }
}
