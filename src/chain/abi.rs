//! The part of the v2 contracts' interface that Keel calls.

use alloy::sol;

sol! {
    /// What an owner signs: a module acts on a subaccount with this data until the expiry (Unix seconds).
    #[derive(Debug, PartialEq, Eq)]
    struct Action {
        uint256 subaccountId;
        uint256 nonce;
        address module;
        bytes data;
        uint256 expiry;
        address owner;
        address signer;
    }

    /// Contracts a vault was set up with.
    #[derive(Debug, PartialEq, Eq)]
    struct BaseTSAAddresses {
        address subAccounts;
        address auction;
        address wrappedDepositAsset;
        address cash;
        address depositAsset;
        address manager;
        address matching;
    }

    /// Limits of buying and selling collateral; fractions of 18 decimals.
    #[derive(Debug, PartialEq, Eq)]
    struct CollateralManagementParams {
        uint256 feeFactor;
        int256 spotTransactionLeniency;
        uint256 worstSpotSellPrice;
        uint256 worstSpotBuyPrice;
    }

    /// Limits of a covered-call vault; seconds, and fractions of 18 decimals.
    #[derive(Debug, PartialEq, Eq)]
    struct CCTSAParams {
        uint256 minSignatureExpiry;
        uint256 maxSignatureExpiry;
        uint256 optionVolSlippageFactor;
        uint256 optionMaxDelta;
        int256 optionMaxNegCash;
        uint256 optionMinTimeToExpiry;
        uint256 optionMaxTimeToExpiry;
    }

    /// A vault that signs by contract.
    interface VaultSigner {
        event ActionSigned(address indexed signer, bytes32 indexed hash, Action action);
        event SignatureRevoked(address indexed revoker, bytes32 indexed hash);

        function signActionData(Action action, bytes extraData) external;
        function revokeSignature(bytes32 hash) external;
        function getActionTypedDataHash(Action action) external view returns (bytes32);
        function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4);
        function isActionSigned(Action action) external view returns (bool);
        function signedData(bytes32 hash) external view returns (bool);
        function lastSeenHash() external view returns (bytes32);
        function isSigner(address key) external view returns (bool);
        function isSubmitter(address submitter) external view returns (bool);
        function signaturesDisabled() external view returns (bool);
        function isBlocked() external view returns (bool);
        function subAccount() external view returns (uint256);
        function getBaseTSAAddresses() external view returns (BaseTSAAddresses);
        function getCollateralManagementParams() external view returns (CollateralManagementParams);
        function getCCTSAParams() external view returns (CCTSAParams);
        function getSubAccountStats() external view returns (uint256 short, uint256 base, int256 cash);
        function getBasePrice() external view returns (uint256);
    }

    /// A covered-call vault of before signing took extra data.
    interface LegacyVaultSigner {
        function signActionData(Action action) external;
    }

    /// The settlement that verifies signed actions.
    interface Matching {
        function domainSeparator() external view returns (bytes32);
        function getActionHash(Action action) external view returns (bytes32);
        function subAccountToOwner(uint256 subaccount) external view returns (address);
        function sessionKeys(address key, address owner) external view returns (uint256);
        function allowedModules(address module) external view returns (bool);
        function tradeExecutors(address executor) external view returns (bool);
        function verifyAndMatch(Action[] actions, bytes[] signatures, bytes data) external;
    }

    /// One balance of a subaccount, 18 decimals.
    #[derive(Debug, PartialEq, Eq)]
    struct AssetBalance {
        address asset;
        uint256 subId;
        int256 balance;
    }

    /// The ledger of subaccounts.
    interface SubAccounts {
        function getAccountBalances(uint256 subaccount) external view returns (AssetBalance[]);
        function getBalance(uint256 subaccount, address asset, uint256 subId) external view returns (int256);
    }

    /// A spot feed.
    interface SpotFeed {
        function getSpot() external view returns (uint256 price, uint256 confidence);
        function heartbeat() external view returns (uint64);
    }

    /// A token.
    interface Erc20 {
        function balanceOf(address holder) external view returns (uint256);
        function allowance(address holder, address spender) external view returns (uint256);
        function decimals() external view returns (uint8);
    }
}

#[cfg(test)]
#[path = "abi_tests.rs"]
mod tests;
