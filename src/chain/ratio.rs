//! The ratio of a wrapped token to what it wraps, from a Chainlink aggregator (`latestRoundData`).

use crate::base::num::{Ratio, div_round};
use crate::base::time::{Nanos, SEC};
use crate::msg::RatioRound;
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, I256};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::types::TransactionRequest;
use alloy::sol;
use alloy::sol_types::SolCall;
use std::fmt;

sol! {
    /// The part of Chainlink's `AggregatorV3Interface` that is read.
    interface Aggregator {
        function latestRoundData() external view returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
        function decimals() external view returns (uint8);
    }
}

/// Why a ratio could not be read.
#[derive(Debug)]
pub enum RatioError {
    /// The address of the node is not a URL.
    Url(String),
    /// The node did not answer, or with an error.
    Node(String),
    /// The answer is not what the interface promises.
    Abi(String),
    /// The aggregator counts in other decimals than configured (M12: a scale never changes).
    Decimals {
        /// Configured.
        expected: u8,
        /// On chain.
        found: u8,
    },
    /// The answer is zero, negative, absurdly large, or from a round that never finished.
    Answer(&'static str),
}

impl fmt::Display for RatioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RatioError::Url(why) => write!(f, "node address: {why}"),
            RatioError::Node(why) => write!(f, "node: {why}"),
            RatioError::Abi(why) => write!(f, "aggregator answered in another form: {why}"),
            RatioError::Decimals { expected, found } => {
                write!(f, "aggregator has {found} decimals, configured are {expected}")
            }
            RatioError::Answer(why) => write!(f, "aggregator's round is unusable: {why}"),
        }
    }
}

impl std::error::Error for RatioError {}

/// One aggregator behind one node.
#[derive(Clone)]
pub struct RatioSource {
    provider: DynProvider,
    aggregator: Address,
    decimals: u8,
    feed: u8,
}

impl RatioSource {
    /// Reads feed number `feed` from `aggregator` through the node at `rpc_url`.
    pub fn new(rpc_url: &str, aggregator: [u8; 20], decimals: u8, feed: u8) -> Result<RatioSource, RatioError> {
        // The provider's HTTP client asks for a TLS provider of the process; who comes second finds it done.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = rpc_url.parse().map_err(|why| RatioError::Url(format!("{rpc_url}: {why}")))?;
        let provider = ProviderBuilder::new().connect_http(url).erased();
        Ok(RatioSource { provider, aggregator: Address::from(aggregator), decimals, feed })
    }

    /// Proves that the aggregator counts as configured. Call once before trusting [`RatioSource::read`].
    pub async fn verify(&self) -> Result<(), RatioError> {
        let found = self.call(Aggregator::decimalsCall {}).await?;
        if found == self.decimals { Ok(()) } else { Err(RatioError::Decimals { expected: self.decimals, found }) }
    }

    /// The latest round, read at `at`.
    pub async fn read(&self, at: Nanos) -> Result<RatioRound, RatioError> {
        let round = self.call(Aggregator::latestRoundDataCall {}).await?;
        if round.answeredInRound < round.roundId {
            return Err(RatioError::Answer("answered in an older round"));
        }
        let updated_s: u64 = round.updatedAt.try_into().map_err(|_| RatioError::Answer("its time is out of range"))?;
        if updated_s == 0 {
            return Err(RatioError::Answer("the round is not finished"));
        }
        let ratio = scaled(round.answer, self.decimals)?;
        let updated_at = Nanos(updated_s.saturating_mul(SEC));
        Ok(RatioRound { feed: self.feed, ratio, updated_at, read_at: at, past: None })
    }

    async fn call<C: SolCall>(&self, call: C) -> Result<C::Return, RatioError> {
        let request = TransactionRequest::default().with_to(self.aggregator).with_input(call.abi_encode());
        let bytes = self.provider.call(request).await.map_err(|why| RatioError::Node(why.to_string()))?;
        C::abi_decode_returns(&bytes).map_err(|why| RatioError::Abi(why.to_string()))
    }
}

/// An answer of `decimals` decimals as a ratio, rounded down.
fn scaled(answer: I256, decimals: u8) -> Result<Ratio, RatioError> {
    let answer = i128::try_from(answer).map_err(|_| RatioError::Answer("it is too large"))?;
    if answer <= 0 {
        return Err(RatioError::Answer("it is not positive"));
    }
    let nine = 9u8;
    let raw = if decimals <= nine {
        answer.checked_mul(10i128.pow(u32::from(nine - decimals)))
    } else {
        let shift = u32::from(decimals - nine);
        10i128.checked_pow(shift).map(|unit| div_round(answer, unit, crate::base::num::Rounding::Floor))
    };
    raw.and_then(|raw| i64::try_from(raw).ok())
        .filter(|raw| *raw > 0 && *raw <= 1_000 * crate::base::num::E9)
        .map(Ratio::from_raw)
        .ok_or(RatioError::Answer("it is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_answers_and_refuses_the_absurd() {
        let answer = |text: &str| text.parse::<I256>().expect("literal");
        let table = [
            ("1070000000000000000", 18, Some(1_070_000_000)),
            ("100123456", 8, Some(1_001_234_560)),
            ("1070000000", 9, Some(1_070_000_000)),
            ("0", 18, None),
            ("-1", 18, None),
            ("1", 18, None),
            ("1070000000000000000", 8, None),
            ("57896044618658097711785492504343953926634992332820282019728792003956564819967", 18, None),
        ];
        for (text, decimals, want) in table {
            assert_eq!(scaled(answer(text), decimals).ok().map(Ratio::raw), want, "{text} at {decimals}");
        }
    }
}
