// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {
    Action,
    TradeData,
    RfqLeg,
    RfqOrder,
    TakerOrder,
    DepositData,
    WithdrawalData,
    Fill,
    Prices,
    IActionHash,
    IContractSignature
} from "./Action.sol";
import {Books} from "./Books.sol";
import {Ecdsa} from "./Ecdsa.sol";

/// A vault whose capital settlement moves: what the subaccount gains, below zero what it gives back.
interface ICapital {
    function moveCapital(int256 amount) external;
}

/// Verifies signed actions as the exchange's settlement does, consumes their nonces, and records what was filled.
/// Without books it moves no assets: then it says only whether a signature would have settled.
contract Matching is IActionHash {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 public constant ACTION_TYPEHASH = keccak256(
        "Action(uint256 subaccountId,uint256 nonce,address module,bytes data,uint256 expiry,address owner,address signer)"
    );
    bytes4 private constant ERC1271_MAGIC = 0x1626ba7e;

    error OV_ActionExpired();
    error OV_InvalidActionOwner();
    error OV_InvalidSignature();
    error OV_SignerNotOwnerOrSessionKeyExpired();
    error OV_NeedDeregister();
    error M_OnlyTradeExecutor();
    error M_OnlyAllowedModule();
    error M_ArrayLengthMismatch();
    error M_MismatchedModule();
    error BM_NonceAlreadyUsed();
    error RFQM_FeeTooHigh();
    error RFQM_InvalidTakerHash();
    error TM_InvalidNonce();
    error TM_FeeTooHigh();
    error TM_FillLimitCrossed();
    error TM_PriceTooHigh();
    error TM_PriceTooLow();
    error OnlyAdmin();

    event Settled(bytes32 indexed digest, uint256 amount);
    event SessionKeyRegistered(address owner, address sessionKey, uint256 expiry);

    address public admin;
    /// Orders are signed for this module; every other allowed module's nonces are used once.
    address public tradeModule;
    /// Quotes and their executions are signed for this module.
    address public rfqModule;
    /// Deposits and withdrawals are signed for these, if they move anything.
    address public depositModule;
    address public withdrawalModule;
    /// Where orders and quotes move assets, if anywhere.
    Books public books;
    mapping(address => bool) public tradeExecutors;
    mapping(address => bool) public allowedModules;
    mapping(uint256 => address) public subAccountToOwner;
    mapping(address => mapping(address => uint256)) public sessionKeys;
    mapping(address => mapping(uint256 => bool)) public usedNonces;
    mapping(address => mapping(uint256 => bytes32)) public seenNonces;
    mapping(address => mapping(uint256 => uint256)) public filled;

    modifier onlyAdmin() {
        if (msg.sender != admin) revert OnlyAdmin();
        _;
    }

    /// A function rather than a constructor, so that the code can be put at a fixed address.
    function initialize(address administrator, address orders) external {
        if (admin != address(0)) revert OnlyAdmin();
        admin = administrator;
        tradeModule = orders;
        allowedModules[orders] = true;
    }

    function setTradeExecutor(address executor, bool allowed) external onlyAdmin {
        tradeExecutors[executor] = allowed;
    }

    function setAllowedModule(address module, bool allowed) external onlyAdmin {
        allowedModules[module] = allowed;
    }

    function setRfqModule(address quotes) external onlyAdmin {
        rfqModule = quotes;
        allowedModules[quotes] = true;
    }

    function setCapitalModules(address deposit, address withdrawal) external onlyAdmin {
        depositModule = deposit;
        withdrawalModule = withdrawal;
    }

    function setSubAccountOwner(uint256 subaccountId, address owner) external onlyAdmin {
        subAccountToOwner[subaccountId] = owner;
    }

    function setBooks(Books kept) external onlyAdmin {
        books = kept;
    }

    function registerSessionKey(address sessionKey, uint256 expiry) external {
        if (expiry <= sessionKeys[sessionKey][msg.sender]) revert OV_NeedDeregister();
        sessionKeys[sessionKey][msg.sender] = expiry;
        emit SessionKeyRegistered(msg.sender, sessionKey, expiry);
    }

    function domainSeparator() public view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("Matching"), keccak256("1.0"), block.chainid, address(this))
        );
    }

    function getActionHash(Action memory action) public pure returns (bytes32) {
        return keccak256(
            abi.encode(
                ACTION_TYPEHASH,
                action.subaccountId,
                action.nonce,
                action.module,
                keccak256(action.data),
                action.expiry,
                action.owner,
                action.signer
            )
        );
    }

    /// Settles all or nothing. `data` is `abi.encode(Fill[], Prices)`: what is filled of each action; where quotes are
    /// executed, `abi.encode(Fill[], Prices, bytes)` with the maker's legs in the end.
    function verifyAndMatch(Action[] memory actions, bytes[] memory signatures, bytes memory data) external {
        if (!tradeExecutors[msg.sender]) revert M_OnlyTradeExecutor();
        (Fill[] memory fills,) = abi.decode(data, (Fill[], Prices));
        if (signatures.length != actions.length || fills.length != actions.length) revert M_ArrayLengthMismatch();
        for (uint256 i = 0; i < actions.length; i++) {
            if (!allowedModules[actions[i].module]) revert M_OnlyAllowedModule();
            if (actions[i].module != actions[0].module) revert M_MismatchedModule();
            bytes32 digest = _verify(actions[i], signatures[i]);
            _consume(actions[i], fills[i]);
            if (actions[i].module == rfqModule) {
                (,, bytes memory legs) = abi.decode(data, (Fill[], Prices, bytes));
                _takeQuote(actions[i], fills[i].fee, legs);
            }
            _moveCapital(actions[i]);
            emit Settled(digest, fills[i].amount);
        }
    }

    function _verify(Action memory action, bytes memory signature) private view returns (bytes32 digest) {
        if (block.timestamp > action.expiry) revert OV_ActionExpired();
        address owner = subAccountToOwner[action.subaccountId];
        if (owner != address(0) && owner != action.owner) revert OV_InvalidActionOwner();
        if (action.signer != action.owner && sessionKeys[action.signer][action.owner] < block.timestamp) {
            revert OV_SignerNotOwnerOrSessionKeyExpired();
        }
        digest = keccak256(abi.encodePacked(hex"1901", domainSeparator(), getActionHash(action)));
        if (!_signed(action.signer, digest, signature)) revert OV_InvalidSignature();
    }

    function _signed(address signer, bytes32 digest, bytes memory signature) private view returns (bool) {
        if (signer.code.length > 0) {
            (bool done, bytes memory answer) =
                signer.staticcall(abi.encodeCall(IContractSignature.isValidSignature, (digest, signature)));
            return done && answer.length >= 32 && abi.decode(answer, (bytes32)) == bytes32(ERC1271_MAGIC);
        }
        address recovered = Ecdsa.recover(digest, signature);
        return recovered != address(0) && recovered == signer;
    }

    /// A quote or its execution, by its data's length: both must be of these legs.
    function _takeQuote(Action memory action, uint256 fee, bytes memory legs) private {
        bool isTaker = action.data.length == 64;
        TakerOrder memory order;
        if (isTaker) {
            order = abi.decode(action.data, (TakerOrder));
        } else {
            RfqOrder memory made = abi.decode(action.data, (RfqOrder));
            order = TakerOrder(keccak256(abi.encode(made.legs)), made.maxFee);
        }
        if (keccak256(legs) != order.orderHash) revert RFQM_InvalidTakerHash();
        if (fee > order.maxFee) revert RFQM_FeeTooHigh();
        if (address(books) != address(0)) {
            books.take(action.subaccountId, abi.decode(legs, (RfqLeg[])), isTaker, fee);
        }
    }

    function _moveCapital(Action memory action) private {
        if (action.module == depositModule) {
            ICapital(action.owner).moveCapital(int256(abi.decode(action.data, (DepositData)).amount));
        } else if (action.module == withdrawalModule) {
            ICapital(action.owner).moveCapital(-int256(abi.decode(action.data, (WithdrawalData)).assetAmount));
        }
    }

    function _consume(Action memory action, Fill memory fill) private {
        if (action.module != tradeModule) {
            if (usedNonces[action.owner][action.nonce]) revert BM_NonceAlreadyUsed();
            usedNonces[action.owner][action.nonce] = true;
            return;
        }
        bytes32 data = keccak256(action.data);
        bytes32 seen = seenNonces[action.owner][action.nonce];
        if (seen != bytes32(0) && seen != data) revert TM_InvalidNonce();
        seenNonces[action.owner][action.nonce] = data;
        TradeData memory trade = abi.decode(action.data, (TradeData));
        uint256 total = filled[action.owner][action.nonce] + fill.amount;
        if (total > uint256(trade.desiredAmount)) revert TM_FillLimitCrossed();
        filled[action.owner][action.nonce] = total;
        if (fill.fee * 1e18 > trade.worstFee * fill.amount) revert TM_FeeTooHigh();
        if (trade.isBid && int256(fill.price) > trade.limitPrice) revert TM_PriceTooHigh();
        if (!trade.isBid && int256(fill.price) < trade.limitPrice) revert TM_PriceTooLow();
        if (address(books) != address(0)) books.move(action.subaccountId, trade, fill);
    }
}
