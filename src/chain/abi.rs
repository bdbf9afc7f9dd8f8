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

    /// Limits of a spread vault; seconds, dollars and fractions of 18 decimals.
    #[derive(Debug, PartialEq, Eq)]
    struct PPTSAParams {
        uint256 maxMarkValueToStrikeDiffRatio;
        uint256 minMarkValueToStrikeDiffRatio;
        uint256 strikeDiff;
        uint256 maxTotalCostTolerance;
        uint256 maxLossOrGainPercentOfTVL;
        uint256 negMaxCashTolerance;
        uint256 minSignatureExpiry;
        uint256 maxSignatureExpiry;
        uint256 optionMinTimeToExpiry;
        uint256 optionMaxTimeToExpiry;
        int256 maxNegCash;
        uint256 rfqFeeFactor;
    }

    /// Limits of a basis vault; seconds and fractions of 18 decimals.
    #[derive(Debug, PartialEq, Eq)]
    struct LBTSAParams {
        uint256 maxPerpFee;
        int256 maxBaseLossPerBase;
        int256 maxBaseLossPerPerp;
        int256 deltaFloor;
        int256 deltaCeil;
        uint256 leverageFloor;
        uint256 leverageCeil;
        uint256 emaDecayFactor;
        uint256 markLossEmaTarget;
        uint256 minSignatureExpiry;
        uint256 maxSignatureExpiry;
    }

    /// What a vault is bound to: its feed, its modules (`module` trades, or answers RFQs in a spread vault), and the
    /// asset it trades against its collateral.
    interface Bound {
        function getCCTSAAddresses()
            external view
            returns (address feed, address deposit, address withdrawal, address module, address derivative);
        function getPPTSAAddresses()
            external view
            returns (address feed, address deposit, address withdrawal, address module, address derivative);
        function getLBTSAAddresses()
            external view
            returns (address feed, address deposit, address withdrawal, address module, address derivative);
        function getPPTSAParams() external view returns (PPTSAParams);
        function getLBTSAParams() external view returns (LBTSAParams);
    }

    /// Terms of a vault's shares: tokens in their own decimals, fractions of 18.
    #[derive(Debug, PartialEq, Eq)]
    struct TSAParams {
        uint256 depositCap;
        uint256 minDepositValue;
        uint256 depositScale;
        uint256 withdrawScale;
        uint256 managementFee;
        address feeRecipient;
    }

    /// A vault that signs by contract.
    interface VaultSigner {
        event ActionSigned(address indexed signer, bytes32 indexed hash, Action action);

        function signActionData(Action action, bytes extraData) external;
        function revokeSignature(bytes32 hash) external;
        function getActionTypedDataHash(Action action) external view returns (bytes32);
        function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4);
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
        function getSubAccountStats() external view returns (uint256 open, uint256 base, int256 cash);
        function getBasePrice() external view returns (uint256);
    }

    /// A covered-call vault of before signing took extra data.
    interface LegacyVaultSigner {
        function signActionData(Action action) external;
    }

    /// A vault's shares: two queues, kept by whoever it lists. Tokens and shares in the token's own decimals.
    interface VaultShares {
        event DepositInitiated(uint256 indexed depositId, address indexed recipient, uint256 amount);
        event DepositProcessed(uint256 indexed depositId, address indexed recipient, bool success, uint256 shares);

        function processDeposits(uint256[] ids) external;
        function processWithdrawalRequests(uint256 limit) external;
        function collectFee() external;
        function shareKeeper(address keeper) external view returns (bool);
        function totalPendingDeposits() external view returns (uint256);
        function totalPendingWithdrawals() external view returns (uint256);
        function totalSupply() external view returns (uint256);
        function getAccountValue(bool includePending) external view returns (uint256);
        function getSharesValue(uint256 shares) external view returns (uint256);
        function getTSAParams() external view returns (TSAParams);
        function lastFeeCollected() external view returns (uint256);
    }

    /// The settlement that verifies signed actions.
    interface Matching {
        function domainSeparator() external view returns (bytes32);
        function subAccountToOwner(uint256 subaccount) external view returns (address);
        function allowedModules(address module) external view returns (bool);
        function verifyAndMatch(Action[] actions, bytes[] signatures, bytes data) external;
    }

    /// What oracles sign of a feed, with who did; deadline and timestamp in Unix seconds.
    #[derive(Debug, PartialEq, Eq)]
    struct FeedData {
        bytes data;
        uint256 deadline;
        uint64 timestamp;
        address[] signers;
        bytes[] signatures;
    }

    /// A spot feed: it refuses to answer when what it holds is older than its heartbeat, seconds, and takes signed data
    /// from anybody.
    interface SpotFeed {
        event SpotPriceUpdated(uint96 spot, uint96 confidence, uint64 timestamp);

        function acceptData(bytes data) external;
        function heartbeat() external view returns (uint64);
    }

    /// The wrapper of a token, which may take it for listed subaccounts only.
    interface Wrapper {
        function wlEnabled() external view returns (bool);
        function wlAccounts(uint256 subaccount) external view returns (bool);
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
