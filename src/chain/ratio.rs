//! The ratio of a wrapped token to what it wraps, from a Chainlink aggregator (`latestRoundData`).

use super::node::{over_http, veiled};
use crate::base::num::{Ratio, div_round};
use crate::base::time::{Nanos, SEC};
use crate::msg::{PastRatio, RatioRound};
use alloy::network::TransactionBuilder;
use alloy::primitives::aliases::U80;
use alloy::primitives::{Address, I256, U256};
use alloy::providers::{DynProvider, Provider};
use alloy::rpc::types::TransactionRequest;
use alloy::sol;
use alloy::sol_types::SolCall;
use std::fmt;

sol! {
    /// The part of Chainlink's `AggregatorV3Interface` that is read.
    interface Aggregator {
        function latestRoundData() external view returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
        function getRoundData(uint80 round) external view returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
        function decimals() external view returns (uint8);
    }
}

/// Aggregator proxies number rounds `phase << 64 | round`.
const PHASE_BITS: u32 = 64;

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
    rpc_url: String,
    aggregator: Address,
    decimals: u8,
    feed: u8,
}

impl RatioSource {
    /// Reads feed number `feed` from `aggregator` through the node at `rpc_url`.
    pub fn new(rpc_url: &str, aggregator: [u8; 20], decimals: u8, feed: u8) -> Result<RatioSource, RatioError> {
        let provider = over_http(rpc_url).map_err(RatioError::Url)?;
        Ok(RatioSource { provider, rpc_url: rpc_url.to_owned(), aggregator: Address::from(aggregator), decimals, feed })
    }

    /// Proves that the aggregator counts as configured. Call once before trusting [`RatioSource::read`].
    pub async fn verify(&self) -> Result<(), RatioError> {
        let found = self.call(Aggregator::decimalsCall {}).await?;
        if found == self.decimals { Ok(()) } else { Err(RatioError::Decimals { expected: self.decimals, found }) }
    }

    /// The latest round, read at `at`.
    pub async fn read(&self, at: Nanos) -> Result<RatioRound, RatioError> {
        Ok(self.latest(at).await?.1)
    }

    /// The latest round, and the first one at or after `lookback_ns` before `at`: a later start counts less growth than
    /// there was, never more. Asks the aggregator about some twenty rounds.
    pub async fn read_with_past(&self, at: Nanos, lookback_ns: u64) -> Result<RatioRound, RatioError> {
        let (newest, round) = self.latest(at).await?;
        let wanted = Nanos(at.0.saturating_sub(lookback_ns));
        let past = self.first_since(wanted, newest, &round).await?;
        Ok(RatioRound { past: Some(past), ..round })
    }

    async fn latest(&self, at: Nanos) -> Result<(U80, RatioRound), RatioError> {
        let round = self.call(Aggregator::latestRoundDataCall {}).await?;
        if round.answeredInRound < round.roundId {
            return Err(RatioError::Answer("answered in an older round"));
        }
        let updated_at = moment(round.updatedAt)?;
        let ratio = scaled(round.answer, self.decimals)?;
        Ok((round.roundId, RatioRound { feed: self.feed, ratio, updated_at, read_at: at, past: None }))
    }

    /// The oldest round of the newest's phase that is not before `wanted`, by bisection. Rounds the aggregator no longer
    /// knows are older.
    async fn first_since(&self, wanted: Nanos, newest: U80, latest: &RatioRound) -> Result<PastRatio, RatioError> {
        let mut found = PastRatio { ratio: latest.ratio, updated_at: latest.updated_at, at: wanted };
        let newest: u128 = newest.to();
        let (mut low, mut high) = ((newest >> PHASE_BITS << PHASE_BITS) + 1, newest);
        while low < high {
            let middle = low + (high - low) / 2;
            let call = Aggregator::getRoundDataCall { round: U80::from(middle) };
            let round = match self.call(call).await {
                Ok(round) => round,
                Err(RatioError::Node(why)) if why.contains("revert") => {
                    low = middle + 1;
                    continue;
                }
                Err(why) => return Err(why),
            };
            let updated_at = moment(round.updatedAt).unwrap_or(Nanos::ZERO);
            if updated_at < wanted {
                low = middle + 1;
            } else {
                found = PastRatio { ratio: scaled(round.answer, self.decimals)?, updated_at, at: wanted };
                high = middle;
            }
        }
        Ok(found)
    }

    async fn call<C: SolCall>(&self, call: C) -> Result<C::Return, RatioError> {
        let request = TransactionRequest::default().with_to(self.aggregator).with_input(call.abi_encode());
        let outcome = self.provider.call(request).await;
        let bytes = outcome.map_err(|why| RatioError::Node(veiled(&self.rpc_url, &why.to_string())))?;
        C::abi_decode_returns(&bytes).map_err(|why| RatioError::Abi(why.to_string()))
    }
}

fn moment(updated: U256) -> Result<Nanos, RatioError> {
    let updated_s: u64 = updated.try_into().map_err(|_| RatioError::Answer("its time is out of range"))?;
    if updated_s == 0 {
        return Err(RatioError::Answer("the round is not finished"));
    }
    Ok(Nanos(updated_s.saturating_mul(SEC)))
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
