//! From the bytes of an action back to what it asks for, as strictly as the contracts' own decoder.

use super::action::{Action, Leg, Rfq, Role, Trade, Transfer};
use alloy_primitives::{Address, B256, I256, U256, keccak256};
use std::fmt;

const WORD: usize = 32;
/// Words of one leg.
const LEG_WORDS: usize = 4;

/// Which module an action names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// Deposit: `(amount, asset, manager of a new subaccount)`.
    Deposit,
    /// Withdrawal: `(asset, amount)`.
    Withdraw,
    /// Trade: `TradeData`.
    Trade,
    /// Request for quote: `RfqOrder` of a maker, `TakerOrder` of a taker.
    Rfq,
    /// Any other.
    Other,
}

/// An action as read, with what the signers do not look at but should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What the contracts judge.
    pub action: Action<'static>,
    /// Subaccount that receives an order's fills. No contract holds a taker's against its own.
    pub recipient: Option<U256>,
    /// Bytes beyond what was read; the contracts ignore them, but they change the hash.
    pub surplus: usize,
}

/// Why bytes are no such action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They end before the last field.
    Short,
    /// A word too large for an address.
    Address,
    /// A word that is neither false nor true.
    Flag,
    /// An offset or a length that leads out of the bytes.
    Offset,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::Short => "the data ends before its last field",
            Malformed::Address => "an address has more than 20 bytes",
            Malformed::Flag => "a flag is neither 0 nor 1",
            Malformed::Offset => "an offset or length leads out of the data",
        })
    }
}

impl std::error::Error for Malformed {}

/// Words read one after the other.
struct Words<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    fn of(data: &'a [u8]) -> Words<'a> {
        Words { data, at: 0 }
    }

    fn word(&mut self) -> Result<[u8; WORD], Malformed> {
        let end = self.at.checked_add(WORD).ok_or(Malformed::Short)?;
        let word = self.data.get(self.at..end).ok_or(Malformed::Short)?;
        self.at = end;
        word.try_into().map_err(|_| Malformed::Short)
    }

    fn uint(&mut self) -> Result<U256, Malformed> {
        self.word().map(U256::from_be_bytes)
    }

    fn int(&mut self) -> Result<I256, Malformed> {
        self.uint().map(I256::from_raw)
    }

    fn address(&mut self) -> Result<Address, Malformed> {
        let word = self.word()?;
        let (high, low) = word.split_at(WORD - 20);
        if high.iter().any(|byte| *byte != 0) {
            return Err(Malformed::Address);
        }
        Ok(Address::from_slice(low))
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        match self.uint()? {
            U256::ZERO => Ok(false),
            U256::ONE => Ok(true),
            _ => Err(Malformed::Flag),
        }
    }

    /// A count of bytes or elements that cannot exceed the data.
    fn count(&mut self) -> Result<usize, Malformed> {
        let word = self.uint()?;
        usize::try_from(word).ok().filter(|count| *count <= self.data.len()).ok_or(Malformed::Offset)
    }

    /// The words that the next offset leads to.
    fn follow(&mut self) -> Result<Words<'a>, Malformed> {
        let offset = self.count()?;
        self.data.get(offset..).map(Words::of).ok_or(Malformed::Offset)
    }

    fn legs(&mut self) -> Result<Vec<Leg>, Malformed> {
        let count = self.count()?;
        let room = self.data.len().saturating_sub(self.at) / (WORD * LEG_WORDS);
        if count > room {
            return Err(Malformed::Offset);
        }
        (0..count).map(|_| self.leg()).collect()
    }

    fn leg(&mut self) -> Result<Leg, Malformed> {
        Ok(Leg { asset: self.address()?, sub_id: self.uint()?, price: self.uint()?, amount: self.int()? })
    }
}

/// Reads `action.data` of a module. For the RFQ module, `extra` (`extraData`) empty means that the vault is the maker and
/// the legs are in the data; otherwise it is the taker and they are in `extra`.
pub fn decode(module: Module, data: &[u8], extra: &[u8]) -> Result<Decoded, Malformed> {
    let mut words = Words::of(data);
    let (action, recipient) = match module {
        Module::Deposit => {
            let amount = words.uint()?;
            let asset = words.address()?;
            words.address()?;
            (Action::Deposit(Transfer { asset, amount }), None)
        }
        Module::Withdraw => (Action::Withdraw(Transfer { asset: words.address()?, amount: words.uint()? }), None),
        Module::Trade => {
            let (trade, recipient) = trade(&mut words)?;
            (Action::Trade(trade), Some(recipient))
        }
        Module::Rfq => return rfq(data, extra),
        Module::Other => return Ok(Decoded { action: Action::Other, recipient: None, surplus: 0 }),
    };
    Ok(Decoded { action, recipient, surplus: data.len() - words.at })
}

fn trade(words: &mut Words<'_>) -> Result<(Trade, U256), Malformed> {
    let asset = words.address()?;
    let sub_id = words.uint()?;
    let (limit_price, amount, worst_fee) = (words.int()?, words.int()?, words.uint()?);
    let recipient = words.uint()?;
    Ok((Trade { asset, sub_id, limit_price, amount, worst_fee, is_bid: words.flag()? }, recipient))
}

fn rfq(data: &[u8], extra: &[u8]) -> Result<Decoded, Malformed> {
    let mut words = Words::of(data);
    let (rfq, read) = if extra.is_empty() {
        let mut order = words.follow()?;
        let max_fee = order.uint()?;
        let mut list = order.follow()?;
        let legs = list.legs()?;
        let end = data.len() - list.data.len() + list.at;
        (Rfq { role: Role::Maker, max_fee, legs: legs.into() }, end)
    } else {
        let order_hash = B256::from(words.word()?);
        let max_fee = words.uint()?;
        let legs = Words::of(extra).follow()?.legs()?;
        let role = Role::Taker { order_hash, legs_hash: keccak256(extra) };
        (Rfq { role, max_fee, legs: legs.into() }, words.at)
    };
    Ok(Decoded { action: Action::Rfq(rfq), recipient: None, surplus: data.len().saturating_sub(read) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word(value: u64) -> [u8; WORD] {
        U256::from(value).to_be_bytes()
    }

    #[test]
    fn what_is_no_action_is_refused_by_reason() {
        let words = |values: &[u64]| values.iter().flat_map(|value| word(*value)).collect::<Vec<u8>>();
        let trade = words(&[7, 0, 1, 2, 3, 4, 1]);
        let decoded = decode(Module::Trade, &trade, &[]).expect("well formed");
        assert_eq!((decoded.recipient, decoded.surplus), (Some(U256::from(4)), 0));
        let mut wide = trade.clone();
        wide[11] = 1;
        let cases = [
            (Module::Trade, trade[..223].to_vec(), vec![], Malformed::Short),
            (Module::Trade, wide, vec![], Malformed::Address),
            (Module::Trade, words(&[7, 0, 1, 2, 3, 4, 2]), vec![], Malformed::Flag),
            (Module::Deposit, words(&[1, 2]), vec![], Malformed::Short),
            (Module::Withdraw, vec![], vec![], Malformed::Short),
            (Module::Rfq, words(&[1 << 40]), vec![], Malformed::Offset),
            (Module::Rfq, words(&[32, 9, 64, 2, 7, 0, 0, 0]), vec![], Malformed::Offset),
            (Module::Rfq, words(&[0, 0]), words(&[32, u64::MAX]), Malformed::Offset),
            (Module::Rfq, words(&[0]), words(&[32, 0]), Malformed::Short),
        ];
        for (module, data, extra, expected) in cases {
            assert_eq!(decode(module, &data, &extra), Err(expected), "{module:?} {} bytes", data.len());
        }
        let longer = [trade, vec![0; 5]].concat();
        assert_eq!(decode(Module::Trade, &longer, &[]).map(|decoded| decoded.surplus), Ok(5));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_action_or_a_named_fault(
            data in proptest::collection::vec(any::<u8>(), 0..600),
            extra in proptest::collection::vec(any::<u8>(), 0..600),
            small in proptest::collection::vec(0_u64..300, 0..16),
        ) {
            let words: Vec<u8> = small.iter().flat_map(|value| word(*value)).collect();
            for module in [Module::Deposit, Module::Withdraw, Module::Trade, Module::Rfq, Module::Other] {
                for (data, extra) in [(&data, &extra), (&words, &extra), (&data, &words), (&words, &words)] {
                    if let Ok(decoded) = decode(module, data, extra) {
                        prop_assert!(decoded.surplus <= data.len());
                    }
                    let _ = decode(module, data, &[]);
                }
            }
        }
    }
}
