// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.27;

import {Fill, Prices, RfqLeg, TradeData} from "./Action.sol";
import {Feed} from "./Kinds.sol";

/// Who may settle.
interface IExecutors {
    function tradeExecutors(address executor) external view returns (bool);
}

/// What subaccounts hold of one collateral, its perp, its options and cash, 18 decimals, moved by settlement only; and the
/// prices of the first two as they are told. It knows neither funding nor interest, and no option expires.
contract Books is Feed {
    struct Account {
        int256 base;
        int256 perp;
        int256 cash;
        /// Price at which the perp's profit last became cash.
        uint256 settledAt;
    }

    error BM_OnlyMatching();
    error OnlyOwner();
    error TM_AssetMismatch();

    int256 private constant ONE = 1e18;

    address public immutable owner;
    address public immutable matching;
    address public immutable baseAsset;
    address public immutable perpAsset;
    uint256 public perpPrice;
    mapping(uint256 => Account) private accounts;
    mapping(uint256 => mapping(uint256 => int256)) private options;
    /// Units of options bought and sold that are open.
    mapping(uint256 => uint256[2]) private open_;

    constructor(address verifier, address base, address perp) {
        owner = msg.sender;
        matching = verifier;
        baseAsset = base;
        perpAsset = perp;
    }

    /// Prices of now, from whoever settles.
    function tell(Prices memory told) external {
        if (msg.sender != owner && !IExecutors(matching).tradeExecutors(msg.sender)) revert BM_OnlyMatching();
        setSpot(uint96(told.spot), uint64(block.timestamp));
        perpPrice = told.perp;
    }

    /// What a subaccount begins with.
    function open(uint256 subaccount, int256 base, int256 perp, int256 cash) external {
        if (msg.sender != owner) revert OnlyOwner();
        accounts[subaccount] = Account(base, perp, cash, perpPrice);
    }

    /// The perp's profit since the last time becomes cash.
    function settlePerp(uint256 subaccount) public {
        Account storage account = accounts[subaccount];
        account.cash += (account.perp * (int256(perpPrice) - int256(account.settledAt))) / ONE;
        account.settledAt = perpPrice;
    }

    /// One side of a fill.
    function move(uint256 subaccount, TradeData memory trade, Fill memory fill) external {
        if (msg.sender != matching) revert BM_OnlyMatching();
        settlePerp(subaccount);
        Account storage account = accounts[subaccount];
        int256 amount = trade.isBid ? int256(fill.amount) : -int256(fill.amount);
        account.cash -= int256(fill.fee);
        if (trade.asset == baseAsset) {
            account.base += amount;
            account.cash -= (amount * int256(fill.price)) / ONE;
        } else if (trade.asset == perpAsset) {
            account.perp += amount;
            account.cash += (amount * (int256(perpPrice) - int256(fill.price))) / ONE;
        } else {
            revert TM_AssetMismatch();
        }
    }

    /// One side of a quote that is executed: its options change hands, and what they cost is paid.
    function take(uint256 subaccount, RfqLeg[] memory legs, bool isTaker, uint256 fee) external {
        if (msg.sender != matching) revert BM_OnlyMatching();
        Account storage account = accounts[subaccount];
        account.cash -= int256(fee);
        for (uint256 i = 0; i < legs.length; i++) {
            int256 amount = isTaker ? -legs[i].amount : legs[i].amount;
            account.cash -= (amount * int256(legs[i].price)) / ONE;
            int256 held = options[subaccount][legs[i].subId];
            options[subaccount][legs[i].subId] = held + amount;
            _count(open_[subaccount], held, false);
            _count(open_[subaccount], held + amount, true);
        }
    }

    function _count(uint256[2] storage sums, int256 held, bool added) private {
        uint256 side = held > 0 ? 0 : 1;
        uint256 units = uint256(held > 0 ? held : -held);
        sums[side] = added ? sums[side] + units : sums[side] - units;
    }

    function optionsOf(uint256 subaccount) external view returns (uint256 bought, uint256 sold) {
        return (open_[subaccount][0], open_[subaccount][1]);
    }

    function balances(uint256 subaccount) external view returns (int256 base, int256 perp, int256 cash) {
        Account storage account = accounts[subaccount];
        return (account.base, account.perp, account.cash);
    }

    /// Worth in cash; the perp's profit must have become cash.
    function value(uint256 subaccount) external view returns (int256) {
        (uint256 spot,) = getSpot();
        Account storage account = accounts[subaccount];
        return (account.base * int256(spot)) / ONE + account.cash;
    }
}
