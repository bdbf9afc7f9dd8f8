//! Channel names: whose facts a notification carries.

use super::Malformed;
use super::names::Vocabulary;
use crate::base::ids::{InstrumentId, SubaccountId};
use crate::derive::request_id::parse_u64;

/// A channel we listen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Ticker(InstrumentId),
    Book(InstrumentId),
    /// Of one instrument, or of a whole kind and currency.
    Trades(Option<InstrumentId>),
    Spot,
    Orders(SubaccountId),
    Fills(SubaccountId),
    Balances(SubaccountId),
    BestQuotes(SubaccountId),
}

impl Channel {
    #[inline]
    pub(super) fn parse(name: &[u8], words: &Vocabulary) -> Result<Channel, Malformed> {
        if name.first().is_some_and(u8::is_ascii_digit) {
            return Channel::private(name);
        }
        if let Some(rest) = name.strip_prefix(b"ticker_slim.") {
            let (instrument, interval) = split(rest)?;
            return match interval {
                b"100" | b"1000" => known(instrument, words).map(Channel::Ticker),
                _ => Err(Malformed::Channel),
            };
        }
        if let Some(rest) = name.strip_prefix(b"orderbook.") {
            let (instrument, rest) = split(rest)?;
            return match split(rest)? {
                (b"1" | b"10" | b"100", b"1" | b"10" | b"20" | b"100") => known(instrument, words).map(Channel::Book),
                _ => Err(Malformed::Channel),
            };
        }
        if let Some(rest) = name.strip_prefix(b"trades.") {
            return match split(rest) {
                Ok((b"erc20" | b"option" | b"perp", _)) => Ok(Channel::Trades(None)),
                Ok(_) => Err(Malformed::Channel),
                Err(_) => known(rest, words).map(|id| Channel::Trades(Some(id))),
            };
        }
        match name.strip_prefix(b"spot_feed.") {
            Some(currency) if !currency.is_empty() && split(currency).is_err() => Ok(Channel::Spot),
            _ => Err(Malformed::Channel),
        }
    }

    fn private(name: &[u8]) -> Result<Channel, Malformed> {
        let (subaccount, topic) = split(name)?;
        let subaccount = SubaccountId(parse_u64(subaccount).ok_or(Malformed::Channel)?);
        match topic {
            b"orders" => Ok(Channel::Orders(subaccount)),
            b"trades" | b"trades.settled" | b"trades.reverted" => Ok(Channel::Fills(subaccount)),
            b"balances" => Ok(Channel::Balances(subaccount)),
            b"best.quotes" => Ok(Channel::BestQuotes(subaccount)),
            _ => Err(Malformed::Channel),
        }
    }
}

#[inline]
fn known(instrument: &[u8], words: &Vocabulary) -> Result<InstrumentId, Malformed> {
    words.instruments.get(instrument).ok_or(Malformed::Name)
}

#[inline]
fn split(text: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let dot = text.iter().position(|byte| *byte == b'.').ok_or(Malformed::Channel)?;
    Ok((&text[..dot], &text[dot + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_told_apart_and_strange_ones_refused() {
        let words = Vocabulary::new(["ETH-PERP", "ETH-USDC"], ["ETH"]);
        let perp = InstrumentId(0);
        let sub = SubaccountId(42);
        for (name, want) in [
            ("ticker_slim.ETH-PERP.100", Ok(Channel::Ticker(perp))),
            ("ticker_slim.ETH-PERP.1000", Ok(Channel::Ticker(perp))),
            ("ticker_slim.ETH-PERP.10", Err(Malformed::Channel)),
            ("ticker_slim.BTC-PERP.100", Err(Malformed::Name)),
            ("ticker_slim.ETH-PERP", Err(Malformed::Channel)),
            ("orderbook.ETH-USDC.1.10", Ok(Channel::Book(InstrumentId(1)))),
            ("orderbook.ETH-USDC.1.10.1", Err(Malformed::Channel)),
            ("orderbook.ETH-USDC.5.10", Err(Malformed::Channel)),
            ("trades.ETH-PERP", Ok(Channel::Trades(Some(perp)))),
            ("trades.perp.ETH", Ok(Channel::Trades(None))),
            ("trades.spot.ETH", Err(Malformed::Channel)),
            ("spot_feed.ALL", Ok(Channel::Spot)),
            ("spot_feed.", Err(Malformed::Channel)),
            ("spot_feed.E.T", Err(Malformed::Channel)),
            ("42.orders", Ok(Channel::Orders(sub))),
            ("42.trades", Ok(Channel::Fills(sub))),
            ("42.trades.settled", Ok(Channel::Fills(sub))),
            ("42.trades.reverted", Ok(Channel::Fills(sub))),
            ("42.trades.lost", Err(Malformed::Channel)),
            ("42.balances", Ok(Channel::Balances(sub))),
            ("42.best.quotes", Ok(Channel::BestQuotes(sub))),
            ("42.quotes", Err(Malformed::Channel)),
            ("042.orders", Err(Malformed::Channel)),
            ("42", Err(Malformed::Channel)),
            ("", Err(Malformed::Channel)),
            ("../../42.orders", Err(Malformed::Channel)),
            ("99999999999999999999999.orders", Err(Malformed::Channel)),
        ] {
            assert_eq!(Channel::parse(name.as_bytes(), &words), want, "{name}");
        }
    }
}
