// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {Action, Fill, Prices} from "./Action.sol";
import {Books} from "./Books.sol";

/// What it needs of the verifier.
interface IMatching {
    function tradeExecutors(address executor) external view returns (bool);
    function books() external view returns (Books);
    function verifyAndMatch(Action[] memory actions, bytes[] memory signatures, bytes memory data) external;
}

/// What it needs of a vault.
interface IPermitSigner {
    function signActionViaPermit(Action memory action, bytes memory extraData, bytes memory signature) external;
}

/// Settles actions of vaults that approve them only inside the settlement: the prices it brings are told, then each action
/// is put to its vault, and all stand or fall together.
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
        (, Prices memory prices) = abi.decode(data, (Fill[], Prices));
        if (prices.spot > 0) matching.books().tell(prices);
        for (uint256 i = 0; i < actions.length; i++) {
            if (atomic[i].isAtomic) {
                IPermitSigner(actions[i].signer).signActionViaPermit(actions[i], atomic[i].extraData, signatures[i]);
            }
        }
        matching.verifyAndMatch(actions, signatures, data);
    }
}
