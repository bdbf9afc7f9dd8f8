//! What the control plane says to the actors, as bytes for their tapes.

mod chain;

use crate::base::bytes::{Eye, Pen};
use crate::base::ids::{InstrumentId, Right, VaultId};
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::Nanos;
use crate::engine::tape::{LETTER_BYTES, Letter};
use crate::market::instrument::{Instrument, Kind, Listing, OptionTerms};
use crate::msg::{CapitalWish, ChainSight, Command, CurrencyId, Flow, OptionFeeds, PastRatio, RatioRound, Tighter};

type Page = Pen<LETTER_BYTES>;

/// Ends a letter.
fn seal(pen: Page, page: &mut [u8; LETTER_BYTES]) -> usize {
    let length = pen.len();
    *page = pen.page();
    length
}

/// Reads all of a letter of a kind, or nothing.
fn whole<T>(bytes: &[u8], read: impl FnOnce(u8, &mut Eye<'_>) -> Option<T>) -> Option<T> {
    let mut eye = Eye::new(bytes);
    let kind = eye.u8()?;
    read(kind, &mut eye).filter(|_| eye.is_done())
}

const DRAIN: u8 = 1;
const RESUME: u8 = 2;
const KILL: u8 = 3;
const BORROW_RATE: u8 = 4;
const PAUSE: u8 = 5;
const HALT: u8 = 6;
const TIGHTEN: u8 = 7;
const CAPITAL: u8 = 8;
const END: u8 = 9;

fn write_tighter(pen: Page, to: Tighter) -> Page {
    match to {
        Tighter::QuoteAmount(amount) => pen.u8(1).i64(amount.raw()),
        Tighter::OptionAmount(amount) => pen.u8(2).i64(amount.raw()),
        Tighter::CollateralAmount(amount) => pen.u8(3).i64(amount.raw()),
        Tighter::Notional(cash) => pen.u8(4).i128(cash.raw()),
        Tighter::Borrow(cash) => pen.u8(5).i128(cash.raw()),
        Tighter::FillsPerMinute(count) => pen.u8(6).u64(u64::from(count)),
        Tighter::MarkOffset(ratio) => pen.u8(7).i64(ratio.raw()),
        Tighter::LossEma(ratio) => pen.u8(8).i64(ratio.raw()),
        Tighter::Drawdown(ratio) => pen.u8(9).i64(ratio.raw()),
        Tighter::LossPerHour(ratio) => pen.u8(10).i64(ratio.raw()),
        Tighter::LossPerDay(ratio) => pen.u8(11).i64(ratio.raw()),
    }
}

fn read_tighter(eye: &mut Eye<'_>) -> Option<Tighter> {
    Some(match eye.u8()? {
        1 => Tighter::QuoteAmount(Amount::from_raw(eye.i64()?)),
        2 => Tighter::OptionAmount(Amount::from_raw(eye.i64()?)),
        3 => Tighter::CollateralAmount(Amount::from_raw(eye.i64()?)),
        4 => Tighter::Notional(Cash::from_raw(eye.i128()?)),
        5 => Tighter::Borrow(Cash::from_raw(eye.i128()?)),
        6 => Tighter::FillsPerMinute(u32::try_from(eye.u64()?).ok()?),
        7 => Tighter::MarkOffset(Ratio::from_raw(eye.i64()?)),
        8 => Tighter::LossEma(Ratio::from_raw(eye.i64()?)),
        9 => Tighter::Drawdown(Ratio::from_raw(eye.i64()?)),
        10 => Tighter::LossPerHour(Ratio::from_raw(eye.i64()?)),
        11 => Tighter::LossPerDay(Ratio::from_raw(eye.i64()?)),
        _ => return None,
    })
}

fn write_wish(pen: Page, wish: &CapitalWish) -> Page {
    let CapitalWish { flow, amount, sight } = wish;
    let ChainSight { read_at, tokens, pending, base, cash, blocked } = sight;
    let pen = pen.u8(u8::from(*flow == Flow::Withdrawal)).u128(*amount).u64(read_at.0).u128(*tokens).u128(*pending);
    pen.i64(base.raw()).i128(cash.raw()).u8(u8::from(*blocked))
}

fn read_wish(eye: &mut Eye<'_>) -> Option<CapitalWish> {
    let flow = if eye.bool()? { Flow::Withdrawal } else { Flow::Deposit };
    let amount = eye.u128()?;
    let sight = ChainSight {
        read_at: Nanos(eye.u64()?),
        tokens: eye.u128()?,
        pending: eye.u128()?,
        base: Amount::from_raw(eye.i64()?),
        cash: Cash::from_raw(eye.i128()?),
        blocked: eye.bool()?,
    };
    Some(CapitalWish { flow, amount, sight })
}

impl Letter for Command {
    fn write(&self, page: &mut [u8; LETTER_BYTES]) -> usize {
        let pen = match self {
            Command::Drain { vault } => Page::new(DRAIN).u8(vault.0),
            Command::Resume { vault } => Page::new(RESUME).u8(vault.0),
            Command::Kill => Page::new(KILL),
            Command::End { vault, orderly } => Page::new(END).u8(vault.0).u8(u8::from(*orderly)),
            Command::Pause { vault } => Page::new(PAUSE).u8(vault.0),
            Command::Halt { vault } => Page::new(HALT).u8(vault.0),
            Command::Tighten { vault, to } => write_tighter(Page::new(TIGHTEN).u8(vault.0), *to),
            Command::Capital { vault, wish } => write_wish(Page::new(CAPITAL).u8(vault.0), wish),
            Command::BorrowRate { apr, read_at } => Page::new(BORROW_RATE).i64(apr.raw()).u64(read_at.0),
        };
        seal(pen, page)
    }

    fn read(bytes: &[u8]) -> Option<Command> {
        whole(bytes, |kind, eye| match kind {
            DRAIN => Some(Command::Drain { vault: VaultId(eye.u8()?) }),
            RESUME => Some(Command::Resume { vault: VaultId(eye.u8()?) }),
            KILL => Some(Command::Kill),
            END => Some(Command::End { vault: VaultId(eye.u8()?), orderly: eye.bool()? }),
            PAUSE => Some(Command::Pause { vault: VaultId(eye.u8()?) }),
            HALT => Some(Command::Halt { vault: VaultId(eye.u8()?) }),
            TIGHTEN => Some(Command::Tighten { vault: VaultId(eye.u8()?), to: read_tighter(eye)? }),
            CAPITAL => Some(Command::Capital { vault: VaultId(eye.u8()?), wish: read_wish(eye)? }),
            BORROW_RATE => Some(Command::BorrowRate { apr: Ratio::from_raw(eye.i64()?), read_at: Nanos(eye.u64()?) }),
            _ => None,
        })
    }
}

const ROUND: u8 = 1;
const ROUND_WITH_PAST: u8 = 2;

impl Letter for RatioRound {
    fn write(&self, page: &mut [u8; LETTER_BYTES]) -> usize {
        let kind = if self.past.is_some() { ROUND_WITH_PAST } else { ROUND };
        let mut pen = Page::new(kind).u8(self.feed).i64(self.ratio.raw()).u64(self.updated_at.0).u64(self.read_at.0);
        if let Some(past) = &self.past {
            pen = pen.i64(past.ratio.raw()).u64(past.updated_at.0).u64(past.at.0);
        }
        seal(pen, page)
    }

    fn read(bytes: &[u8]) -> Option<RatioRound> {
        whole(bytes, |kind, eye| {
            let (feed, ratio) = (eye.u8()?, Ratio::from_raw(eye.i64()?));
            let (updated_at, read_at) = (Nanos(eye.u64()?), Nanos(eye.u64()?));
            let past = match kind {
                ROUND => None,
                ROUND_WITH_PAST => Some(PastRatio {
                    ratio: Ratio::from_raw(eye.i64()?),
                    updated_at: Nanos(eye.u64()?),
                    at: Nanos(eye.u64()?),
                }),
                _ => return None,
            };
            Some(RatioRound { feed, ratio, updated_at, read_at, past })
        })
    }
}

impl Letter for OptionFeeds {
    fn write(&self, page: &mut [u8; LETTER_BYTES]) -> usize {
        let mut pen = Page::new(1).u8(self.slot).u8(self.currency.0).u64(self.expiry_s);
        for number in self.svi {
            pen = pen.u64(number.to_bits());
        }
        pen = pen.i64(self.forward_diff.raw());
        for sum in self.spot_aggregates {
            pen = pen.i128(sum.raw());
        }
        seal(pen.i64(self.spot.raw()).u64(self.forward_at.0).u64(self.read_at.0), page)
    }

    fn read(bytes: &[u8]) -> Option<OptionFeeds> {
        whole(bytes, |kind, eye| {
            let (slot, currency, expiry_s) = (eye.u8()?, CurrencyId(eye.u8()?), eye.u64()?);
            let mut svi = [0.0; 7];
            for number in &mut svi {
                *number = f64::from_bits(eye.u64()?);
            }
            let feeds = OptionFeeds {
                slot,
                currency,
                expiry_s,
                svi,
                forward_diff: Price::from_raw(eye.i64()?),
                spot_aggregates: [Cash::from_raw(eye.i128()?), Cash::from_raw(eye.i128()?)],
                spot: Price::from_raw(eye.i64()?),
                forward_at: Nanos(eye.u64()?),
                read_at: Nanos(eye.u64()?),
            };
            (kind == 1).then_some(feeds)
        })
    }
}

const LISTED: u8 = 1;
const DELISTED: u8 = 2;
const KINDS: [Kind; 3] = [Kind::Spot, Kind::Perp, Kind::Option];

fn write_instrument(pen: Page, instrument: &Instrument) -> Page {
    let pen = pen.u16(instrument.id.0).name(&instrument.name).u8(instrument.kind as u8).name(&instrument.base_currency);
    let pen = pen.bytes(&instrument.asset).u128(instrument.sub_id).i64(instrument.tick.raw());
    let pen = pen.i64(instrument.step.raw()).i64(instrument.min_amount.raw()).i64(instrument.max_amount.raw());
    let pen = pen.i64(instrument.maker_fee.raw()).i64(instrument.taker_fee.raw()).i128(instrument.base_fee.raw());
    let pen = pen.i64(instrument.mark_fee_cap.raw()).u8(u8::from(instrument.active));
    match &instrument.option {
        None => pen.u8(0),
        Some(terms) => {
            pen.u8(if terms.right == Right::Call { 1 } else { 2 }).u64(terms.expiry_s).i64(terms.strike.raw())
        }
    }
}

fn read_option(eye: &mut Eye<'_>) -> Option<Option<OptionTerms>> {
    let right = match eye.u8()? {
        0 => return Some(None),
        1 => Right::Call,
        2 => Right::Put,
        _ => return None,
    };
    Some(Some(OptionTerms { right, expiry_s: eye.u64()?, strike: Price::from_raw(eye.i64()?) }))
}

fn read_instrument(eye: &mut Eye<'_>) -> Option<Instrument> {
    Some(Instrument {
        id: InstrumentId(eye.u16()?),
        name: eye.name()?,
        kind: *KINDS.get(usize::from(eye.u8()?))?,
        base_currency: eye.name()?,
        asset: eye.take()?,
        sub_id: eye.u128()?,
        tick: Price::from_raw(eye.i64()?),
        step: Amount::from_raw(eye.i64()?),
        min_amount: Amount::from_raw(eye.i64()?),
        max_amount: Amount::from_raw(eye.i64()?),
        maker_fee: Ratio::from_raw(eye.i64()?),
        taker_fee: Ratio::from_raw(eye.i64()?),
        base_fee: Cash::from_raw(eye.i128()?),
        mark_fee_cap: Ratio::from_raw(eye.i64()?),
        active: eye.bool()?,
        option: read_option(eye)?,
    })
}

impl Letter for Listing {
    fn write(&self, page: &mut [u8; LETTER_BYTES]) -> usize {
        let pen = match self {
            Listing::Listed { instrument, watched } => {
                write_instrument(Page::new(LISTED).u8(u8::from(*watched)), instrument)
            }
            Listing::Delisted { id } => Page::new(DELISTED).u16(id.0),
        };
        seal(pen, page)
    }

    fn read(bytes: &[u8]) -> Option<Listing> {
        whole(bytes, |kind, eye| match kind {
            LISTED => {
                let watched = eye.bool()?;
                Some(Listing::Listed { instrument: read_instrument(eye)?, watched })
            }
            DELISTED => Some(Listing::Delisted { id: InstrumentId(eye.u16()?) }),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Name;
    use proptest::prelude::*;
    use std::fmt::Debug;

    /// Reads as written, and nothing shorter or longer reads at all.
    fn same<T: Letter + PartialEq + Debug>(letter: &T) {
        let mut page = [0; LETTER_BYTES];
        let length = letter.write(&mut page);
        assert_eq!(T::read(&page[..length]).as_ref(), Some(letter));
        assert_eq!(T::read(&page[..length - 1]), None);
        assert_eq!(T::read(&page[..=length]), None);
    }

    proptest! {
        #[test]
        fn writing_then_reading_is_identity(
            (a, b, c, d) in (any::<i64>(), any::<u64>(), any::<u64>(), any::<u8>()), (big, name) in (any::<i128>(), "[A-Z][A-Z0-9-]{0,30}"),
            (kind, right, flag, svi) in (0usize..3, 0u8..3, any::<bool>(), any::<[i32; 7]>()),
        ) {
            let vault = VaultId(d);
            let rate = Command::BorrowRate { apr: Ratio::from_raw(a), read_at: Nanos(b) };
            [Command::Drain { vault }, Command::Resume { vault }, Command::Kill, rate].iter().for_each(same);
            let end = Command::End { vault, orderly: flag };
            [Command::Pause { vault }, Command::Halt { vault }, end].iter().for_each(same);
            let (amount, cash, ratio) = (Amount::from_raw(a), Cash::from_raw(big), Ratio::from_raw(a));
            let limits = [
                Tighter::QuoteAmount(amount), Tighter::OptionAmount(amount), Tighter::CollateralAmount(amount),
                Tighter::Notional(cash), Tighter::Borrow(cash), Tighter::FillsPerMinute(b as u32),
                Tighter::MarkOffset(ratio), Tighter::LossEma(ratio), Tighter::Drawdown(ratio),
                Tighter::LossPerHour(ratio), Tighter::LossPerDay(ratio),
            ];
            limits.iter().for_each(|to| same(&Command::Tighten { vault, to: *to }));
            let (tokens, pending) = (big as u128, u128::from(c));
            let sight = ChainSight { read_at: Nanos(b), tokens, pending, base: amount, cash, blocked: flag };
            let wish = |flow| CapitalWish { flow, amount: tokens / 3, sight };
            [Flow::Deposit, Flow::Withdrawal].iter().for_each(|flow| same(&Command::Capital { vault, wish: wish(*flow) }));
            let past = PastRatio { ratio: Ratio::from_raw(a), updated_at: Nanos(c), at: Nanos(b) };
            let round = RatioRound { feed: d, ratio: Ratio::from_raw(a), updated_at: Nanos(b), read_at: Nanos(c), past: None };
            [round, RatioRound { past: Some(past), ..round }].iter().for_each(same);
            same(&OptionFeeds {
                slot: d,
                currency: CurrencyId(d),
                expiry_s: b,
                svi: svi.map(f64::from),
                forward_diff: Price::from_raw(a),
                spot_aggregates: [Cash::from_raw(big), Cash::from_raw(-(big / 2))],
                spot: Price::from_raw(a),
                forward_at: Nanos(b),
                read_at: Nanos(c),
            });
            let name = Name::new(&name).expect("short");
            let terms = OptionTerms { expiry_s: b, strike: Price::from_raw(a), right: if right == 1 { Right::Call } else { Right::Put } };
            let instrument = Instrument {
                id: InstrumentId(b as u16),
                name,
                kind: KINDS[kind],
                base_currency: name,
                asset: [d; 20],
                sub_id: big as u128,
                tick: Price::from_raw(a),
                step: Amount::from_raw(a / 2),
                min_amount: Amount::from_raw(a / 3),
                max_amount: Amount::from_raw(a / 4),
                maker_fee: Ratio::from_raw(a / 5),
                taker_fee: Ratio::from_raw(a / 6),
                base_fee: Cash::from_raw(big),
                mark_fee_cap: Ratio::from_raw(a / 7),
                option: (right > 0).then_some(terms),
                active: flag,
            };
            same(&Listing::Listed { instrument, watched: !flag });
            same(&Listing::Delisted { id: InstrumentId(c as u16) });
        }
    }
}
