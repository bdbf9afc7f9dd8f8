//! What the chain says to the contract stage, as bytes for its tape.

use super::{Page, seal, whole};
use crate::base::bytes::Eye;
use crate::base::ids::Nonce;
use crate::engine::tape::{LETTER_BYTES, Letter};
use crate::msg::{ChainWord, ContractAlarm, ContractHalt, Unbacked, Unsigned};

const HELLO: u8 = 1;
const READY: u8 = 2;
const SIGNED: u8 = 3;
const ADOPTED: u8 = 4;
const REFUSED: u8 = 5;
const UNBACKED: u8 = 6;
const HALTED: u8 = 7;
const ALARM: u8 = 8;

fn write_unsigned(pen: Page, why: Unsigned) -> Page {
    match why {
        Unsigned::Recovering => pen.u8(1),
        Unsigned::Unsettled => pen.u8(2),
        Unsigned::Busy => pen.u8(3),
        Unsigned::NotListed => pen.u8(4),
        Unsigned::Disabled => pen.u8(5),
        Unsigned::Blocked => pen.u8(6),
        Unsigned::Reverted(selector) => pen.u8(7).bytes(&selector),
        Unsigned::Unreachable => pen.u8(8),
        Unsigned::OtherHash => pen.u8(9),
        Unsigned::Late => pen.u8(10),
        Unsigned::Withdrawn => pen.u8(11),
        Unsigned::Halted => pen.u8(12),
        Unsigned::Kind => pen.u8(13),
        Unsigned::StalePrice => pen.u8(14),
    }
}

fn read_unsigned(eye: &mut Eye<'_>) -> Option<Unsigned> {
    Some(match eye.u8()? {
        1 => Unsigned::Recovering,
        2 => Unsigned::Unsettled,
        3 => Unsigned::Busy,
        4 => Unsigned::NotListed,
        5 => Unsigned::Disabled,
        6 => Unsigned::Blocked,
        7 => Unsigned::Reverted(eye.take()?),
        8 => Unsigned::Unreachable,
        9 => Unsigned::OtherHash,
        10 => Unsigned::Late,
        11 => Unsigned::Withdrawn,
        12 => Unsigned::Halted,
        13 => Unsigned::Kind,
        14 => Unsigned::StalePrice,
        _ => return None,
    })
}

fn write_unbacked(pen: Page, why: Unbacked) -> Page {
    pen.u8(match why {
        Unbacked::Suspended => 1,
        Unbacked::Lost => 2,
        Unbacked::Expired => 3,
    })
}

fn read_unbacked(eye: &mut Eye<'_>) -> Option<Unbacked> {
    Some(match eye.u8()? {
        1 => Unbacked::Suspended,
        2 => Unbacked::Lost,
        3 => Unbacked::Expired,
        _ => return None,
    })
}

fn write_alarm(pen: Page, alarm: ContractAlarm) -> Page {
    match alarm {
        ContractAlarm::GasLow => pen.u8(1),
        ContractAlarm::FeeAtCap => pen.u8(2),
        ContractAlarm::Leftover => pen.u8(3),
        ContractAlarm::NotTaken => pen.u8(4),
        ContractAlarm::LateUnsettled => pen.u8(5),
        ContractAlarm::Foreign => pen.u8(6),
        ContractAlarm::Disabled(is) => pen.u8(7).u8(u8::from(is)),
        ContractAlarm::Blocked(is) => pen.u8(8).u8(u8::from(is)),
        ContractAlarm::Listed(is) => pen.u8(9).u8(u8::from(is)),
        ContractAlarm::NodeSilent => pen.u8(10),
        ContractAlarm::Refused(selector) => pen.u8(11).bytes(&selector),
        ContractAlarm::StalePrice(is) => pen.u8(12).u8(u8::from(is)),
        ContractAlarm::NotRefreshed => pen.u8(13),
    }
}

fn read_alarm(eye: &mut Eye<'_>) -> Option<ContractAlarm> {
    Some(match eye.u8()? {
        1 => ContractAlarm::GasLow,
        2 => ContractAlarm::FeeAtCap,
        3 => ContractAlarm::Leftover,
        4 => ContractAlarm::NotTaken,
        5 => ContractAlarm::LateUnsettled,
        6 => ContractAlarm::Foreign,
        7 => ContractAlarm::Disabled(eye.bool()?),
        8 => ContractAlarm::Blocked(eye.bool()?),
        9 => ContractAlarm::Listed(eye.bool()?),
        10 => ContractAlarm::NodeSilent,
        11 => ContractAlarm::Refused(eye.take()?),
        12 => ContractAlarm::StalePrice(eye.bool()?),
        13 => ContractAlarm::NotRefreshed,
        _ => return None,
    })
}

impl Letter for ChainWord {
    fn write(&self, page: &mut [u8; LETTER_BYTES]) -> usize {
        let pen = match *self {
            ChainWord::Hello => Page::new(HELLO),
            ChainWord::Ready(ready) => Page::new(READY).u8(u8::from(ready)),
            ChainWord::Signed { nonce, block } => Page::new(SIGNED).u64(nonce.0).u64(block),
            ChainWord::Adopted(nonce) => Page::new(ADOPTED).u64(nonce.0),
            ChainWord::Refused { nonce, why } => write_unsigned(Page::new(REFUSED).u64(nonce.0), why),
            ChainWord::Unbacked { nonce, why } => write_unbacked(Page::new(UNBACKED).u64(nonce.0), why),
            ChainWord::Halted(ContractHalt::KeyUsedElsewhere) => Page::new(HALTED).u8(1),
            ChainWord::Halted(ContractHalt::RevocationReverted) => Page::new(HALTED).u8(2),
            ChainWord::Alarm(alarm) => write_alarm(Page::new(ALARM), alarm),
        };
        seal(pen, page)
    }

    fn read(bytes: &[u8]) -> Option<ChainWord> {
        whole(bytes, |kind, eye| {
            Some(match kind {
                HELLO => ChainWord::Hello,
                READY => ChainWord::Ready(eye.bool()?),
                SIGNED => ChainWord::Signed { nonce: Nonce(eye.u64()?), block: eye.u64()? },
                ADOPTED => ChainWord::Adopted(Nonce(eye.u64()?)),
                REFUSED => ChainWord::Refused { nonce: Nonce(eye.u64()?), why: read_unsigned(eye)? },
                UNBACKED => ChainWord::Unbacked { nonce: Nonce(eye.u64()?), why: read_unbacked(eye)? },
                HALTED => ChainWord::Halted(match eye.u8()? {
                    1 => ContractHalt::KeyUsedElsewhere,
                    2 => ContractHalt::RevocationReverted,
                    _ => return None,
                }),
                ALARM => ChainWord::Alarm(read_alarm(eye)?),
                _ => return None,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every letter of three bytes and every one with a nonce, a reason and a selector: read, it is written as it was.
    #[test]
    fn what_is_read_is_written_as_it_was() {
        let mut read = 0;
        let mut check = |bytes: &[u8]| {
            let Some(word) = ChainWord::read(bytes) else { return };
            let mut page = [0; LETTER_BYTES];
            let length = word.write(&mut page);
            assert_eq!(&page[..length], bytes);
            read += 1;
        };
        for kind in 0..=9 {
            check(&[kind]);
            for reason in 0..=15 {
                let nonce = [7; 8];
                check(&[kind, reason]);
                check(&[[kind].as_slice(), &nonce].concat());
                check(&[[kind].as_slice(), &nonce, &nonce].concat());
                check(&[[kind].as_slice(), &nonce, &[reason]].concat());
                check(&[[kind].as_slice(), &nonce, &[reason, 1, 2, 3, 4]].concat());
                check(&[kind, reason, 0]);
                check(&[kind, reason, 1]);
                check(&[kind, reason, 1, 2, 3, 4]);
            }
        }
        // Hello; adopted and signed once per reason tried; two ready; thirteen reasons, one of them with a selector; three;
        // two; eight alarms without more, four with a flag, one with a selector.
        assert_eq!(read, 1 + 16 + 16 + 2 + 13 + 1 + 3 + 2 + 8 + 4 * 2 + 1);
    }
}
