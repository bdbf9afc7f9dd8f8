//! JSON-RPC ids that say what was asked and about which order, so a reply can be read without memory of the request.

/// Kind of request, as the first letter of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RequestKind {
    /// `public/login`.
    Login = b'l',
    /// `subscribe`.
    Subscribe = b's',
    /// `unsubscribe`.
    Unsubscribe = b'u',
    /// `private/order`; the number is the nonce.
    Order = b'o',
    /// `private/replace`; the number is the new order's nonce.
    Replace = b'r',
    /// `private/cancel`.
    Cancel = b'x',
    /// `private/cancel_by_nonce`; the number is the nonce.
    CancelByNonce = b'c',
    /// `private/cancel_by_instrument`.
    CancelByInstrument = b'i',
    /// `private/cancel_by_label`.
    CancelByLabel = b'b',
    /// `private/cancel_all`.
    CancelAll = b'a',
    /// `private/set_cancel_on_disconnect`.
    CancelOnDisconnect = b'd',
    /// `private/get_subaccount`.
    Subaccount = b'p',
    /// `private/get_open_orders`.
    OpenOrders = b'q',
    /// `private/get_account`.
    Account = b'w',
    /// `public/get_time`.
    Time = b't',
    /// `private/get_trade_history`.
    TradeHistory = b'h',
    /// `private/get_order`.
    GetOrder = b'g',
    /// `private/set_mmp_config`.
    MmpConfig = b'm',
    /// `private/send_rfq`; the number is our name for the RFQ.
    SendRfq = b'f',
    /// `private/cancel_rfq`; the number is our name for the RFQ.
    CancelRfq = b'n',
    /// `private/cancel_batch_rfqs`.
    CancelRfqs = b'k',
    /// `private/poll_quotes`.
    PollQuotes = b'v',
    /// `private/execute_quote`; the number is the nonce.
    ExecuteQuote = b'e',
    /// `private/deposit` (v2); the number is the nonce.
    Deposit = b'y',
    /// `private/withdraw` (v2); the number is the nonce.
    Withdraw = b'j',
}

/// Every kind.
pub const REQUEST_KINDS: [RequestKind; 25] = [
    RequestKind::Login,
    RequestKind::Subscribe,
    RequestKind::Unsubscribe,
    RequestKind::Order,
    RequestKind::Replace,
    RequestKind::Cancel,
    RequestKind::CancelByNonce,
    RequestKind::CancelByInstrument,
    RequestKind::CancelByLabel,
    RequestKind::CancelAll,
    RequestKind::CancelOnDisconnect,
    RequestKind::Subaccount,
    RequestKind::OpenOrders,
    RequestKind::Account,
    RequestKind::Time,
    RequestKind::TradeHistory,
    RequestKind::GetOrder,
    RequestKind::MmpConfig,
    RequestKind::SendRfq,
    RequestKind::CancelRfq,
    RequestKind::CancelRfqs,
    RequestKind::PollQuotes,
    RequestKind::ExecuteQuote,
    RequestKind::Deposit,
    RequestKind::Withdraw,
];

impl RequestKind {
    /// The letter.
    pub const fn letter(self) -> u8 {
        self as u8
    }

    /// The kind of a letter.
    pub fn from_letter(letter: u8) -> Option<RequestKind> {
        REQUEST_KINDS.into_iter().find(|kind| kind.letter() == letter)
    }

    /// The method's name.
    pub const fn method(self) -> &'static str {
        match self {
            RequestKind::Login => "public/login",
            RequestKind::Subscribe => "subscribe",
            RequestKind::Unsubscribe => "unsubscribe",
            RequestKind::Order => "private/order",
            RequestKind::Replace => "private/replace",
            RequestKind::Cancel => "private/cancel",
            RequestKind::CancelByNonce => "private/cancel_by_nonce",
            RequestKind::CancelByInstrument => "private/cancel_by_instrument",
            RequestKind::CancelByLabel => "private/cancel_by_label",
            RequestKind::CancelAll => "private/cancel_all",
            RequestKind::CancelOnDisconnect => "private/set_cancel_on_disconnect",
            RequestKind::Subaccount => "private/get_subaccount",
            RequestKind::OpenOrders => "private/get_open_orders",
            RequestKind::Account => "private/get_account",
            RequestKind::Time => "public/get_time",
            RequestKind::TradeHistory => "private/get_trade_history",
            RequestKind::GetOrder => "private/get_order",
            RequestKind::MmpConfig => "private/set_mmp_config",
            RequestKind::SendRfq => "private/send_rfq",
            RequestKind::CancelRfq => "private/cancel_rfq",
            RequestKind::CancelRfqs => "private/cancel_batch_rfqs",
            RequestKind::PollQuotes => "private/poll_quotes",
            RequestKind::ExecuteQuote => "private/execute_quote",
            RequestKind::Deposit => "private/deposit",
            RequestKind::Withdraw => "private/withdraw",
        }
    }
}

/// What an id says: kind and number (a nonce or a sequence number), e.g. `o1763683200000000001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    /// What was asked.
    pub kind: RequestKind,
    /// The order's nonce where the request is about one, else the caller's sequence number.
    pub number: u64,
}

impl RequestId {
    /// Reads an id of ours; anything else is `None`.
    pub fn parse(text: &[u8]) -> Option<RequestId> {
        let (&letter, digits) = text.split_first()?;
        let kind = RequestKind::from_letter(letter)?;
        Some(RequestId { kind, number: parse_u64(digits)? })
    }
}

/// Reads plain digits, without sign, blank or overflow; no leading zero but `0` itself.
pub(crate) fn parse_u64(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 20 || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_foreign_ones_do_not() {
        for kind in REQUEST_KINDS {
            assert_eq!(RequestKind::from_letter(kind.letter()), Some(kind), "letters must be unique");
            let text = format!("{}{}", kind.letter() as char, u64::MAX);
            assert_eq!(RequestId::parse(text.as_bytes()), Some(RequestId { kind, number: u64::MAX }));
        }
        for bad in ["", "o", "z1", "1", "o-1", "o1 ", "o01", "o18446744073709551616", "probe-1"] {
            assert_eq!(RequestId::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
