//! What a vault that spends its yield must keep: the principal, in collateral. Its auctions may not begin, nor go on, once
//! losing all they spend would leave less (strategy specification §2.12: value never below principal).
//!
//! It is founded on what the vault is worth when the engine first meets it, less what it has earned over the look-back and
//! may still spend; deposits add to it, withdrawals take their share of it, and the rate of the collateral shrinks it. A
//! loss, a fee or a slip in a conversion does not: later yield makes up for it before anything is bought again. The
//! journal keeps it, because the venue's history does not say what was deposit and what was yield.

use super::Out;
use super::desk::Desk;
use crate::base::num::{Amount, Cash, Price, Ratio, Rounding, div_round};
use crate::msg::{Asset, Balance, BalanceKind, Milestone, Mode, Note, Phase, Principal};
use crate::risk::limits::Mandate;
use crate::risk::order::Granted;

impl Desk {
    fn spends_yield(&self) -> bool {
        matches!(self.mandate, Mandate::Options(limits) if !limits.sells())
    }

    /// Collateral and what cash would buy of it, or cost. Options count as nothing: they may end so.
    fn worth_in_base(&self) -> Option<Amount> {
        let (marks, _) = self.believed_marks()?;
        let holdings = self.ledger.holdings();
        Some(holdings.base + holdings.cash.over_price(marks.base, Rounding::Floor))
    }

    /// What could be lost before the principal is touched, in quote currency; below zero if it is touched already.
    pub(super) fn surplus(&self) -> Option<Cash> {
        let kept = self.principal?.at(self.accrual?.rate);
        let ((marks, _), holdings) = (self.believed_marks()?, self.ledger.holdings());
        Some(marks.base.times(holdings.base - kept) + holdings.cash)
    }

    /// Founds the principal as soon as worth and yield are known.
    pub(super) fn found_principal(&mut self, out: &mut Out) {
        let known = self.principal.is_some() || self.mode != Mode::Live || self.ledger.is_uncertain();
        if known || !self.spends_yield() || out.orders.room() == 0 {
            return;
        }
        let believed = self.believed_marks().is_some_and(|(_, now)| now);
        let (Some(worth), Some(accrual)) = (self.worth_in_base().filter(|_| believed), self.accrual) else { return };
        let kept = worth.scale(Ratio::ONE - accrual.share.max(Ratio::ZERO), Rounding::Ceil);
        self.keep(Principal { base: kept.max(Amount::ZERO), rate: accrual.rate }, out);
    }

    fn keep(&mut self, principal: Principal, out: &mut Out) {
        self.principal = Some(principal);
        out.orders.push(Granted::Note { vault: self.vault(), note: Note::Principal(principal) });
    }

    /// A deposit is principal from its first moment; a withdrawal takes principal and yield alike. The ledger has it.
    pub(super) fn note_transfer(&mut self, balance: &Balance, out: &mut Out) {
        let Some(moved) = self.transferred(balance) else { return };
        if let Some((marks, _)) = self.believed_marks() {
            let worth = self.ledger.holdings().tvl(marks);
            self.losses.note_flow(worth - moved, worth);
        }
        let (Some(principal), Some(worth)) = (self.principal, self.worth_in_base()) else { return };
        let rate = self.accrual.map_or(principal.rate, |accrual| accrual.rate);
        let kept = principal.at(rate);
        let base = if moved.is_positive() { kept + moved } else { left_of(kept, worth - moved, worth) };
        self.keep(Principal { base, rate }, out);
    }

    /// What came of capital, or went, in base units; `None` if nothing did, or if it is not known what it is worth.
    fn transferred(&self, balance: &Balance) -> Option<Amount> {
        let book = self.ledger.book();
        let ours = balance.subaccount == book.subaccount && balance.kind == BalanceKind::Transfer;
        let price = match balance.asset {
            Asset::Currency(currency) if currency == book.base_currency => Price::ONE,
            Asset::Currency(currency) if currency == book.cash_currency => self.believed_marks()?.0.base,
            _ => return None,
        };
        let moved = balance.new - balance.previous;
        (ours && price.is_positive()).then(|| moved.over_price(price, Rounding::Ceil))
    }

    /// A phase announced, its budget cut to what may be lost. While that is not known yet, as just after a start, nothing
    /// is cut and nothing can be spent: the purse is empty without it.
    pub(super) fn within_principal(&self, next: Milestone) -> Milestone {
        if next.phase != Phase::OptionAuction || !self.spends_yield() {
            return next;
        }
        let Some(surplus) = self.surplus() else { return next };
        let most = surplus + next.spent + next.pledged;
        Milestone { budget: next.budget.min(most.max(Cash::ZERO)), ..next }
    }
}

/// Principal after a withdrawal that left `after` of `before`, rounded up.
fn left_of(kept: Amount, before: Amount, after: Amount) -> Amount {
    if !before.is_positive() || !after.is_positive() {
        return if after.is_positive() { kept } else { Amount::ZERO };
    }
    let product = i128::from(kept.raw()) * i128::from(after.raw());
    Amount::from_raw(i64::try_from(div_round(product, i128::from(before.raw()), Rounding::Ceil)).unwrap_or(kept.raw()))
}

#[cfg(test)]
mod tests {
    use super::super::option_stage::*;
    use super::super::*;
    use super::left_of;
    use crate::base::num::Amount;
    use crate::msg::{Asset, Balance, BalanceKind, CurrencyId, Guards, Note, Phase, Principal, Product, Report, Value};

    fn kept(stage: &Stage) -> Principal {
        stage.risk.desks[0].principal.expect("founded")
    }

    /// 100 of collateral at 2 700, of which a tenth is yield.
    fn stage() -> Stage {
        let mut stage = Stage::new(Product::LongCallSpread, "0");
        let said = stage.tick(1);
        assert_eq!(kept(&stage), Principal { base: Amount::whole(90), rate: crate::base::num::Ratio::ONE });
        assert!(
            said.orders.contains(&Granted::Note { vault: VAULT, note: Note::Principal(kept(&stage)) }),
            "journaled"
        );
        stage
    }

    fn budget(stage: &mut Stage, wished: &str) -> String {
        stage.milestone(Phase::OptionAuction, wished);
        stage.risk.desks[0].milestone.budget.to_string()
    }

    fn moved(stage: &mut Stage, currency: u8, from: &str, to: &str) {
        let (previous, new) = (cash(from), cash(to));
        let asset = Asset::Currency(CurrencyId(currency));
        stage.report(Report::Balance(Balance { subaccount: SUB, asset, previous, new, kind: BalanceKind::Transfer }));
    }

    #[test]
    fn an_auction_gets_what_is_above_the_principal_to_the_last_unit() {
        assert_eq!(budget(&mut stage(), "27000"), "27000");
        assert_eq!(budget(&mut stage(), "27000.000000001"), "27000");
        // A debt of 26 999 leaves one dollar, and one of 27 001 nothing.
        for (debt, left) in [("-26999", "1"), ("-27000", "0"), ("-27001", "0")] {
            let mut stage = stage();
            stage.snapshot(debt, &[], &[]);
            stage.snapshot(debt, &[], &[]);
            stage.risk.desks[0].ledger.mistrust();
            stage.snapshot(debt, &[], &[]);
            assert_eq!(budget(&mut stage, "30000"), left, "{debt}");
        }
    }

    #[test]
    fn deposits_add_and_withdrawals_take_their_share() {
        let mut stage = stage();
        moved(&mut stage, 1, "100", "150");
        assert_eq!(kept(&stage).base, Amount::whole(140));
        moved(&mut stage, 1, "150", "75");
        assert_eq!(kept(&stage).base, Amount::whole(70));
        moved(&mut stage, 0, "0", "2700");
        assert_eq!(kept(&stage).base, Amount::whole(71));
    }

    /// Half the price that is believed would make a deposit of cash twice the collateral.
    #[test]
    fn a_mark_that_is_not_believed_founds_and_moves_nothing() {
        let rumour = |mark, guards| {
            let mark = crate::base::num::Price::whole(mark);
            In::Value(Value { instrument: BASE, mark, guards, ..Value::default() })
        };
        for (mark, guards) in [(1_350, Guards::UNCONFIRMED), (0, Guards::TICKER_STALE)] {
            let mut stage = stage();
            stage.hear(rumour(mark, guards));
            moved(&mut stage, 0, "0", "2700");
            assert_eq!(kept(&stage).base, Amount::whole(91), "{mark}");
            stage.risk.desks[0].principal = None;
            stage.tick(1);
            assert!(stage.risk.desks[0].principal.is_none(), "{mark}");
        }
    }

    #[test]
    fn growth_of_the_rate_frees_what_it_adds() {
        let principal = Principal { base: amount("90"), rate: ratio("1.08") };
        assert_eq!(principal.at(ratio("1.08")), amount("90"));
        assert_eq!(principal.at(ratio("1.09")).to_string(), "89.174311927");
        assert_eq!(principal.at(crate::base::num::Ratio::ZERO), Amount::from_raw(i64::MAX));
        assert_eq!(left_of(amount("90"), amount("100"), amount("33.333333333")).to_string(), "30");
        assert_eq!(left_of(amount("90"), amount("100"), Amount::ZERO), Amount::ZERO);
    }

    #[test]
    fn a_restart_remembers_and_a_seller_keeps_none() {
        let mut stage = stage();
        stage.risk.desks[0].principal =
            Some(Principal { base: Amount::whole(100), rate: crate::base::num::Ratio::ONE });
        assert_eq!(budget(&mut stage, "27000"), "0", "what an earlier run knew counts, not what is there");
        let mut seller = Stage::new(Product::ShortCallSpread, "0");
        seller.tick(1);
        assert_eq!(seller.risk.desks[0].principal, None);
    }
}
