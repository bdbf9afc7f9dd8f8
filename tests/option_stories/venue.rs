//! What the venue says: answers, fills, quotes, snapshots.

use super::{BASE, Failure, Play, SUB, Words};
use keel::base::ids::{Nonce, Side, Uuid};
use keel::base::num::{Amount, Cash, Price, Ratio};
use keel::base::time::{MS, SEC};
use keel::msg::*;

impl Play {
    pub(super) fn snapshot(&mut self, said: &mut String) {
        let asked_at = self.at;
        self.at = self.at.plus(MS);
        let begin = Snapshot::Begin {
            subaccount: SUB,
            initial_margin: Cash::ZERO,
            maintenance_margin: Cash::ZERO,
            value: Cash::ZERO,
            liquidation: false,
        };
        let base = Cash::from_raw(i128::from(self.base.raw()) * 1_000_000_000);
        let collateral = [(self.book.base_currency, base), (self.book.cash_currency, self.cash)]
            .map(|(currency, amount)| Snapshot::Collateral { currency, amount });
        let positions = self.held.iter().filter(|(_, amount)| !amount.is_zero()).map(|(instrument, amount)| {
            let (instrument, amount) = (*instrument, *amount);
            Snapshot::Position { instrument, amount, mark: Price::ONE, unsettled: Cash::ZERO, funding: Cash::ZERO }
        });
        let rows =
            self.orders.iter().filter(|row| row.status == OrderStatus::Open).map(|row| Snapshot::OpenOrder(*row));
        let parts: Vec<Snapshot> = std::iter::once(begin).chain(collateral).chain(positions).chain(rows).collect();
        for part in parts.into_iter().chain([Snapshot::End { asked_at }]) {
            self.report(Report::Snapshot(part), said);
        }
    }

    pub(super) fn nonce(&self, words: &Words<'_>) -> Result<Nonce, Failure> {
        let place: usize = words.first().parse()?;
        self.nonces.get(place.wrapping_sub(1)).copied().ok_or_else(|| format!("nothing is called {place}").into())
    }

    pub(super) fn row(&mut self, nonce: Nonce) -> Result<&mut OrderRow, Failure> {
        let row = self.orders.iter_mut().find(|row| row.nonce == nonce);
        row.ok_or_else(|| format!("{} is no order", nonce.0).into())
    }

    pub(super) fn answer(&mut self, answer: Answer, said: &mut String) {
        self.report(Report::Answer(answer), said);
    }

    /// `opens N [replaces=M]`: the venue takes an order; the one it replaces is cancelled by the same answer.
    pub(super) fn opens(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let nonce = self.nonce(words)?;
        let old = match words.get("replaces") {
            Some(place) => Some(self.nonces.get(place.parse::<usize>()? - 1).copied().ok_or("replaces what?")?),
            None => None,
        };
        self.accept(nonce, old, said)
    }

    pub(super) fn accept(&mut self, nonce: Nonce, old: Option<Nonce>, said: &mut String) -> Result<(), Failure> {
        let row = self.row(nonce)?;
        row.status = OrderStatus::Open;
        let order = Some(*row);
        let mut cancelled = None;
        if let Some(old) = old {
            let row = self.row(old)?;
            row.status = OrderStatus::Cancelled;
            cancelled = Some(*row);
        }
        let request = if cancelled.is_some() { Request::Replace } else { Request::Place };
        self.answer(Answer { nonce, request, verdict: Verdict::Accepted, code: 0, order, cancelled }, said);
        Ok(())
    }

    pub(super) fn cancelled(&mut self, nonce: Nonce, said: &mut String) -> Result<(), Failure> {
        let row = self.row(nonce)?;
        row.status = OrderStatus::Cancelled;
        let order = Some(*row);
        let (request, verdict) = (Request::Cancel, Verdict::Accepted);
        self.answer(Answer { nonce, request, verdict, code: 0, order, cancelled: None }, said);
        Ok(())
    }

    pub(super) fn answer_all(&mut self, said: &mut String) -> Result<(), Failure> {
        for (nonce, request, old) in std::mem::take(&mut self.unanswered) {
            match request {
                Request::Cancel => self.cancelled(nonce, said)?,
                _ => self.accept(nonce, old, said)?,
            }
        }
        Ok(())
    }

    /// `refuses N code=.. to=place|replace|execute`.
    pub(super) fn refuses(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let nonce = self.nonce(words)?;
        let request = match words.get("to") {
            Some("replace") => Request::Replace,
            Some("execute") => Request::Execute,
            _ => Request::Place,
        };
        let code = words.number("code", "0")?;
        let answer = Answer { nonce, request, verdict: Verdict::Refused, code, order: None, cancelled: None };
        self.answer(answer, said);
        Ok(())
    }

    /// `fills N amount=..`: part of an order, or all of it, trades at its price.
    pub(super) fn fills(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let nonce = self.nonce(words)?;
        let amount: Amount = words.number("amount", "0")?;
        let row = self.row(nonce)?;
        row.filled += amount;
        if row.filled >= row.amount {
            row.status = OrderStatus::Filled;
        }
        let row = *row;
        let priced = PricedLeg { leg: Leg { instrument: row.instrument, side: row.side, amount }, price: row.price };
        self.book_fill(nonce, priced, said);
        self.report(Report::Order(row), said);
        Ok(())
    }

    pub(super) fn book_fill(&mut self, nonce: Nonce, priced: PricedLeg, said: &mut String) {
        let PricedLeg { leg: Leg { instrument, side, amount }, price } = priced;
        let signed = if side == Side::Buy { amount } else { -amount };
        if instrument == BASE {
            self.base += signed;
        } else {
            match self.held.iter_mut().find(|(id, _)| *id == instrument) {
                Some((_, held)) => *held += signed,
                None => self.held.push((instrument, signed)),
            }
        }
        self.cash -= price.times(signed);
        self.trades += 1;
        let fill = Fill {
            subaccount: SUB,
            trade_id: Uuid(self.trades),
            order_id: Uuid(nonce.0.into()),
            nonce,
            instrument,
            side,
            price,
            amount,
            fee: Cash::ZERO,
            maker: true,
            mark: price,
            venue_at: self.at,
            settlement: Default::default(),
        };
        self.report(Report::Fill(fill), said);
    }

    /// `rfq open|cancelled|expired`: the venue's word about the last request for quotes.
    pub(super) fn rfq(&mut self, status: RfqStatus, said: &mut String) -> Result<(), Failure> {
        let name = self.nonces.iter().rev().find(|nonce| !self.orders.iter().any(|row| row.nonce == **nonce));
        let row = RfqRow {
            subaccount: SUB,
            name: *name.ok_or("nothing was asked for")?,
            rfq_id: Uuid(self.asks),
            status,
            created_at: self.at,
            valid_until: self.at.plus(600 * SEC),
            filled: if status == RfqStatus::Filled { Ratio::ONE } else { Ratio::ZERO },
        };
        self.report(Report::Rfq(row), said);
        Ok(())
    }

    /// `quote ID maker=.. prices=A/B`: per leg, in the order asked for.
    pub(super) fn quote(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let wish = self.asked.ok_or("nothing was asked for")?;
        let (one, other) = words.get("prices").and_then(|text| text.split_once('/')).ok_or("prices=A/B")?;
        let priced = |place: usize, text: &str| -> Result<PricedLeg, Failure> {
            Ok(PricedLeg { leg: wish.legs[place], price: text.parse()? })
        };
        let gone = words.get("status") == Some("cancelled");
        let row = QuoteRow {
            rfq_id: Uuid(self.asks),
            quote_id: Uuid(words.first().parse()?),
            maker: words.number("maker", "1")?,
            direction: Side::Sell,
            status: if gone { RfqStatus::Cancelled } else { RfqStatus::Open },
            filled: Ratio::ONE,
            created_at: self.at,
            legs: [priced(0, one)?, priced(1, other)?],
            fee: None,
        };
        self.report(Report::Quote(row), said);
        Ok(())
    }

    /// `executes N`: the venue takes an execution, closes the request and books both legs.
    pub(super) fn executes(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let nonce = self.nonce(words)?;
        let deal = self.executing.ok_or("nothing is being executed")?;
        let verdict = Verdict::Accepted;
        let answer = Answer { nonce, request: Request::Execute, verdict, code: 0, order: None, cancelled: None };
        self.answer(answer, said);
        let row = RfqRow {
            subaccount: SUB,
            name: Nonce(0),
            rfq_id: deal.rfq_id,
            status: RfqStatus::Filled,
            created_at: self.at,
            valid_until: self.at,
            filled: Ratio::ONE,
        };
        self.report(Report::Rfq(row), said);
        for leg in deal.legs {
            self.book_fill(nonce, leg, said);
        }
        Ok(())
    }

    /// `settles cash=.. beside=..`: the options are gone and their payoff is booked, which the venue tells row by row; what
    /// is gone beside it no row tells.
    pub(super) fn settles(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Failure> {
        let paid = self.cash + words.number::<Cash>("cash", "0")?;
        let options = self.held.drain(..).map(|(instrument, held)| {
            (Asset::Instrument(instrument), [Cash::from_raw(i128::from(held.raw()) * 1_000_000_000), Cash::ZERO])
        });
        let cash = (Asset::Currency(self.book.cash_currency), [std::mem::replace(&mut self.cash, paid), paid]);
        let rows: Vec<_> = options.chain([cash]).collect();
        for (asset, [previous, new]) in rows {
            let kind = BalanceKind::OptionSettlement;
            self.report(Report::Balance(Balance { subaccount: SUB, asset, previous, new, kind }), said);
        }
        self.cash += words.number::<Cash>("beside", "0")?;
        self.snapshot(said);
        Ok(())
    }
}
