//! Limits made tighter while a vault runs. Nothing here makes one looser: that takes a restart.

use super::limits::{Limits, Mandate, OptionLimits};
use super::losses::LossBudgets;
use crate::msg::Tighter;

/// Why a limit stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It would allow more than it does now.
    Looser,
    /// The vault has no such limit.
    Foreign,
}

impl Mandate {
    /// Sets a limit to a smaller value.
    ///
    /// # Errors
    /// Why it stays as it is.
    pub fn tighten(&mut self, to: Tighter) -> Result<(), Kept> {
        match self {
            Mandate::Basis(limits) => basis(limits, to),
            Mandate::Options(limits) => options(limits, to),
        }
    }
}

fn lower<T: PartialOrd>(limit: &mut T, to: T) -> Result<(), Kept> {
    if to > *limit {
        return Err(Kept::Looser);
    }
    *limit = to;
    Ok(())
}

fn budget(limits: &mut LossBudgets, to: Tighter) -> Result<(), Kept> {
    match to {
        Tighter::LossPerHour(share) => lower(&mut limits.hour, share),
        Tighter::LossPerDay(share) => lower(&mut limits.day, share),
        _ => Err(Kept::Foreign),
    }
}

fn basis(limits: &mut Limits, to: Tighter) -> Result<(), Kept> {
    match to {
        Tighter::QuoteAmount(amount) => lower(&mut limits.quote_amount_max, amount),
        Tighter::Notional(cash) => lower(&mut limits.notional_max, cash),
        Tighter::Borrow(cash) => lower(&mut limits.borrow_max, cash),
        Tighter::FillsPerMinute(count) => lower(&mut limits.fills_per_minute_max, count),
        Tighter::MarkOffset(share) => lower(&mut limits.mark_offset_max, share),
        Tighter::LossEma(share) => lower(&mut limits.loss_ema_max, share),
        Tighter::Drawdown(share) => lower(&mut limits.drawdown_max, share),
        Tighter::OptionAmount(_) | Tighter::CollateralAmount(_) => Err(Kept::Foreign),
        Tighter::LossPerHour(_) | Tighter::LossPerDay(_) => budget(&mut limits.losses, to),
    }
}

fn options(limits: &mut OptionLimits, to: Tighter) -> Result<(), Kept> {
    match to {
        Tighter::OptionAmount(amount) => lower(&mut limits.option_amount_max, amount),
        Tighter::CollateralAmount(amount) => lower(&mut limits.collateral_amount_max, amount),
        Tighter::Notional(cash) => lower(&mut limits.notional_max, cash),
        Tighter::FillsPerMinute(count) => lower(&mut limits.fills_per_minute_max, count),
        Tighter::LossPerHour(_) | Tighter::LossPerDay(_) => budget(&mut limits.losses, to),
        Tighter::QuoteAmount(_)
        | Tighter::Borrow(_)
        | Tighter::MarkOffset(_)
        | Tighter::LossEma(_)
        | Tighter::Drawdown(_) => Err(Kept::Foreign),
    }
}
