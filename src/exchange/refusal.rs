//! A refusal: the venue's error code, its message and what was wrong in particular.

use serde_json::{Value, json};
use std::fmt;

/// A JSON-RPC error as the venue sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Derive error code (§4.3).
    pub code: i64,
    /// The fixed message of the code.
    pub message: &'static str,
    /// Particulars: which field, which limit.
    pub data: Option<String>,
}

impl Refusal {
    /// The refusal of a code, without particulars.
    pub fn of(code: i64) -> Refusal {
        Refusal { code, message: message(code), data: None }
    }

    /// The refusal of a code with particulars.
    pub fn because(code: i64, data: impl Into<String>) -> Refusal {
        Refusal { code, message: message(code), data: Some(data.into()) }
    }

    /// The `error` member of a JSON-RPC reply.
    pub fn json(&self) -> Value {
        json!({ "code": self.code, "message": self.message, "data": self.data })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)?;
        match &self.data {
            Some(data) => write!(f, ": {data}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// The codes this exchange can send, with their messages.
pub const CODES: [(i64, &str); 68] = [
    (-32000, "Rate limit exceeded"),
    (-32100, "Number of concurrent websocket clients limit exceeded"),
    (-32600, "Invalid Request"),
    (-32601, "Method not found"),
    (-32602, "Invalid params"),
    (-32603, "Internal error"),
    (-32700, "Parse error"),
    (8500, "Counterparty insufficient funds"),
    (8501, "Counterparty max fee order param is too low"),
    (10003, "Subaccount mismatch"),
    (11000, "Insufficient funds"),
    (11003, "Order already cancelled"),
    (11004, "Order already filled"),
    (11005, "Order already expired"),
    (11006, "Order does not exist"),
    (11007, "Self-crossing disallowed"),
    (11008, "Post-only reject"),
    (11009, "Zero liquidity for market or IOC/FOK order"),
    (11010, "Post-only invalid order type"),
    (11011, "Invalid signature expiry"),
    (11012, "Invalid amount"),
    (11013, "Invalid limit price"),
    (11014, "Fill-or-kill not filled"),
    (11015, "MMP frozen"),
    (11016, "Already consumed"),
    (11017, "Non unique nonce"),
    (11018, "Invalid nonce date"),
    (11019, "Open orders limit exceeded"),
    (11020, "Negative ERC20 balance"),
    (11021, "Instrument is not live"),
    (11022, "Reject timestamp exceeded"),
    (11023, "Max fee order param is too low"),
    (11024, "Reduce only not supported with this time in force"),
    (11025, "Reduce only reject"),
    (11027, "Subaccount under liquidation"),
    (11028, "Replaced order filled amount mismatch"),
    (11054, "Replace not supported for this order type"),
    (11100, "RFQ leg instruments not unique"),
    (11101, "RFQ not found"),
    (11102, "Quote not found"),
    (11103, "Quote leg does not match RFQ leg"),
    (11104, "Requested quote or RFQ is not open"),
    (11105, "Requested quote id references a different RFQ"),
    (11106, "Invalid RFQ counterparty"),
    (11108, "RFQ partial fill percentage is too high"),
    (11109, "RFQ filled direction is locked"),
    (11110, "Quote taker cost is higher than the orderbook"),
    (11112, "Too many RFQ legs"),
    (11113, "Too many RFQ counterparties"),
    (12000, "Asset not found"),
    (12001, "Instrument not found"),
    (12002, "Currency not found"),
    (13000, "Invalid channels"),
    (14000, "Account not found"),
    (14001, "Subaccount not found"),
    (14009, "Session key expiry must be at least 5 minutes ahead"),
    (14013, "Invalid Ethereum address"),
    (14014, "Invalid signature"),
    (14020, "Header wallet mismatch"),
    (14021, "Header wallet missing"),
    (14022, "Subscription to private channel failed"),
    (14026, "Session key not found"),
    (14027, "Unauthorized as RFQ maker"),
    (14028, "Cross currency RFQ not supported"),
    (14029, "Session key IP not whitelisted"),
    (14030, "Session key expired"),
    (14031, "Unauthorized key scope"),
    (14039, "Session key expiry is too low"),
];

fn message(code: i64) -> &'static str {
    CODES.iter().find(|(known, _)| *known == code).map_or("Internal error", |(_, message)| message)
}
