//! The venue's error codes and what each tells us about a request.

use crate::msg::Verdict::{self, Halt, RateLimited, Refused, Unknown};

/// One error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The venue's number.
    pub code: i32,
    /// What it says.
    pub name: &'static str,
    /// What an order, replace or cancel answered with it has become.
    pub verdict: Verdict,
}

const fn row(code: i32, name: &'static str, verdict: Verdict) -> ErrorCode {
    ErrorCode { code, name, verdict }
}

/// Every documented code, lowest first.
///
/// Refused means certainly not done. Failures inside the venue leave the outcome open, and so does a nonce it says
/// it has seen (11016, 11017): an order of that name may be live. A connection that is not logged in (14021) heals by a
/// new one. Wrong keys, wallets, chains, clocks and
/// compliance stop everything, because no later request would fare better.
pub const ERROR_CODES: [ErrorCode; 135] = [
    row(-32700, "parse error", Refused),
    row(-32603, "internal error", Unknown),
    row(-32602, "invalid params", Refused),
    row(-32601, "method not found", Refused),
    row(-32600, "invalid request", Refused),
    row(-32100, "too many concurrent WS clients", RateLimited),
    row(-32000, "rate limit exceeded", RateLimited),
    row(8000, "database error", Unknown),
    row(8500, "counterparty insufficient funds", Refused),
    row(8501, "counterparty max fee too low", Refused),
    row(9000, "order confirmation timeout", Unknown),
    row(9001, "engine confirmation timeout", Unknown),
    row(9002, "cache connection error", Unknown),
    row(10000, "manager not found", Refused),
    row(10001, "asset is not ERC20", Refused),
    row(10002, "wallet mismatch", Halt),
    row(10003, "subaccount mismatch", Halt),
    row(10004, "multiple currencies unsupported", Refused),
    row(10005, "max subaccounts", Refused),
    row(10006, "max session keys", Refused),
    row(10007, "max assets per subaccount", Refused),
    row(10008, "max expiries per subaccount", Refused),
    row(10009, "invalid recipient subaccount", Refused),
    row(10010, "PMRM accepts USDC collateral only", Refused),
    row(10011, "ERC20 insufficient allowance", Refused),
    row(10012, "ERC20 insufficient balance", Refused),
    row(10013, "pending deposit", Refused),
    row(10014, "pending withdrawal", Refused),
    row(10015, "PM2 collateral constraint", Refused),
    row(10016, "PM2 collateral unsupported", Refused),
    row(11000, "insufficient funds (margin)", Refused),
    row(11002, "rejected from queue", Refused),
    row(11003, "already cancelled", Refused),
    row(11004, "already filled", Refused),
    row(11005, "already expired", Refused),
    row(11006, "order does not exist", Refused),
    row(11007, "self-cross disallowed", Refused),
    row(11008, "post-only would cross", Refused),
    row(11009, "zero liquidity", Refused),
    row(11010, "post-only invalid for type", Refused),
    row(11011, "invalid signature expiry", Refused),
    row(11012, "invalid amount", Refused),
    row(11013, "invalid limit price", Refused),
    row(11014, "FOK not filled", Refused),
    row(11015, "MMP frozen", Refused),
    row(11016, "already consumed", Unknown),
    row(11017, "nonce not unique", Unknown),
    row(11018, "invalid nonce date", Halt),
    row(11019, "open-orders limit", Refused),
    row(11020, "negative ERC20 balance", Refused),
    row(11021, "instrument not live", Refused),
    row(11022, "reject_timestamp exceeded", Refused),
    row(11023, "max_fee too low", Refused),
    row(11024, "reduce_only not supported with this TIF", Refused),
    row(11025, "reduce_only reject", Refused),
    row(11026, "transfer reject", Refused),
    row(11027, "subaccount under liquidation", Halt),
    row(11028, "replace: filled amount mismatch", Refused),
    row(11029, "open-interest cap", Refused),
    row(11050, "trigger order cancelled", Refused),
    row(11051, "invalid trigger price", Refused),
    row(11052, "trigger order limit", Refused),
    row(11053, "trigger price type unsupported", Refused),
    row(11054, "replace unsupported for trigger orders", Refused),
    row(11055, "market order invalid trigger price", Refused),
    row(11100, "RFQ leg instruments not unique", Refused),
    row(11101, "RFQ not found", Refused),
    row(11102, "quote not found", Refused),
    row(11103, "RFQ leg mismatch", Refused),
    row(11104, "RFQ not open", Refused),
    row(11105, "RFQ id mismatch", Refused),
    row(11106, "invalid RFQ counterparty", Refused),
    row(11107, "quote cost too high", Refused),
    row(11108, "RFQ partial-fill pct too high", Refused),
    row(11109, "RFQ filled direction locked", Refused),
    row(11110, "taker cost worse than orderbook (taker protection)", Refused),
    row(11111, "RFQ disabled for account", Refused),
    row(11112, "too many RFQ legs", Refused),
    row(11113, "too many counterparties", Refused),
    row(11200, "auction not ongoing", Refused),
    row(11201, "open orders not allowed", Refused),
    row(11202, "price limit exceeded", Refused),
    row(11203, "last trade id mismatch", Refused),
    row(12000, "asset not found", Refused),
    row(12001, "instrument not found", Refused),
    row(12002, "currency not found", Refused),
    row(12003, "USDC has no caps", Refused),
    row(13000, "invalid channels", Refused),
    row(14000, "account not found", Halt),
    row(14001, "subaccount not found", Halt),
    row(14002, "subaccount withdrawn", Halt),
    row(14008, "use deregister_session_key (v2)", Halt),
    row(14009, "session key expiry too low", Halt),
    row(14010, "session key already registered", Halt),
    row(14011, "session key registered to other account", Halt),
    row(14012, "address not checksummed", Halt),
    row(14013, "invalid address", Halt),
    row(14014, "invalid signature", Halt),
    row(14015, "nonce mismatch", Halt),
    row(14016, "raw tx function mismatch", Halt),
    row(14017, "raw tx contract mismatch", Halt),
    row(14018, "raw tx params mismatch", Halt),
    row(14019, "raw tx param values mismatch", Halt),
    row(14020, "header wallet mismatch", Halt),
    row(14021, "header wallet missing", Refused),
    row(14022, "private channel subscription failed", Halt),
    row(14023, "signer not owner", Halt),
    row(14024, "chain id mismatch", Halt),
    row(14025, "missing private param", Refused),
    row(14026, "session key not found", Halt),
    row(14027, "unauthorized RFQ maker", Refused),
    row(14028, "cross-currency RFQ unsupported", Refused),
    row(14029, "session key IP not whitelisted", Halt),
    row(14030, "session key expired", Halt),
    row(14031, "unauthorized key scope", Halt),
    row(14032, "scope not admin", Halt),
    row(14033, "account not whitelisted for atomic orders", Halt),
    row(14034, "referral code not found", Refused),
    row(14039, "session key expiry too low (v3)", Halt),
    row(16000, "restricted region", Halt),
    row(16001, "account disabled (compliance)", Halt),
    row(16002, "OFAC blocked", Halt),
    row(16100, "sentinel auth invalid", Halt),
    row(18000, "invalid block number", Refused),
    row(18001, "block estimation failed", Refused),
    row(18002, "light account owner mismatch", Refused),
    row(18003, "vault ERC20 asset missing", Refused),
    row(18004, "vault ERC20 pool missing", Refused),
    row(18005, "vault: add asset before balance", Refused),
    row(18006, "invalid swell season", Refused),
    row(18007, "vault not found", Refused),
    row(18010, "vault closed", Refused),
    row(18011, "vault cooldown active", Refused),
    row(18013, "curator stake below min", Refused),
    row(19000, "maker program not found", Refused),
];

/// The row of a code, if documented.
pub fn lookup(code: i32) -> Option<&'static ErrorCode> {
    ERROR_CODES.binary_search_by_key(&code, |row| row.code).ok().map(|at| &ERROR_CODES[at])
}

/// What a code means; one we do not know may mean anything.
pub fn verdict(code: i32) -> Verdict {
    lookup(code).map_or(Unknown, |row| row.verdict)
}

/// True for a refusal to withdraw RFQs that says there is nothing to withdraw (Derive 11101 not found, 11104 not open).
pub fn is_withdrawn(code: i32) -> bool {
    matches!(code, 11_101 | 11_104)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_finds_every_row() {
        assert!(ERROR_CODES.is_sorted_by(|a, b| a.code < b.code));
        for row in &ERROR_CODES {
            assert_eq!(lookup(row.code), Some(row));
            assert!(!row.name.is_empty());
        }
        assert_eq!(lookup(1), None);
        assert_eq!(verdict(1), Unknown);
        assert_eq!(verdict(i32::MIN), Unknown);
    }

    /// Every code, by verdict: a change to one row must be made here too.
    #[test]
    fn every_code_has_the_verdict_it_was_given() {
        let of = |verdict| -> Vec<i32> {
            ERROR_CODES.iter().filter(|row| row.verdict == verdict).map(|row| row.code).collect()
        };
        assert_eq!(of(RateLimited), [-32100, -32000]);
        assert_eq!(of(Unknown), [-32603, 8000, 9000, 9001, 9002, 11016, 11017]);
        assert_eq!(
            of(Halt),
            [
                10002, 10003, 11018, 11027, 14000, 14001, 14002, 14008, 14009, 14010, 14011, 14012, 14013, 14014,
                14015, 14016, 14017, 14018, 14019, 14020, 14022, 14023, 14024, 14026, 14029, 14030, 14031, 14032,
                14033, 14039, 16000, 16001, 16002, 16100
            ]
        );
        assert_eq!(
            of(Refused),
            [
                -32700, -32602, -32601, -32600, 8500, 8501, 10000, 10001, 10004, 10005, 10006, 10007, 10008, 10009,
                10010, 10011, 10012, 10013, 10014, 10015, 10016, 11000, 11002, 11003, 11004, 11005, 11006, 11007,
                11008, 11009, 11010, 11011, 11012, 11013, 11014, 11015, 11019, 11020, 11021, 11022, 11023, 11024,
                11025, 11026, 11028, 11029, 11050, 11051, 11052, 11053, 11054, 11055, 11100, 11101, 11102, 11103,
                11104, 11105, 11106, 11107, 11108, 11109, 11110, 11111, 11112, 11113, 11200, 11201, 11202, 11203,
                12000, 12001, 12002, 12003, 13000, 14021, 14025, 14027, 14028, 14034, 18000, 18001, 18002, 18003,
                18004, 18005, 18006, 18007, 18010, 18011, 18013, 19000
            ]
        );
        assert!(of(Verdict::Accepted).is_empty());
    }
}
