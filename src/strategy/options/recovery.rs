//! Where a restart finds itself: a pure function of the proved account and the phase the journal remembers.

use crate::base::ids::Side;
use crate::base::num::Cash;
use crate::base::time::{Nanos, SEC};
use crate::msg::{Milestone, Phase};
use crate::strategy::options::Look;
use crate::strategy::options::position::{Stance, pick_held, units_held};

/// The phase to resume, with the clock that was running (strategy specification §1.0.4).
pub(super) fn resume(look: &Look<'_>, stance: Stance) -> Milestone {
    let memory = look.view.remembered.copied().unwrap_or_default();
    match stance {
        Stance::Settling { expiry_s } => await_settlement(look, &memory, expiry_s),
        Stance::Open { expiry_s } => holding(look, &memory, expiry_s),
        Stance::Flat | Stance::Moving | Stance::Misshapen => flat(look, &memory),
    }
}

fn now(look: &Look<'_>, phase: Phase) -> Milestone {
    Milestone { phase, started_at: look.at, ..Milestone::default() }
}

/// An execution whose end nobody saw was done if more is held than what was paid for.
fn reckoned(look: &Look<'_>, memory: &Milestone) -> Milestone {
    if look.params.product.side() == Side::Sell {
        return *memory;
    }
    let units = units_held(look.view, look.params.product);
    let lost = if units > memory.units { memory.pledged } else { Cash::ZERO };
    Milestone { spent: memory.spent + lost, pledged: Cash::ZERO, units, ..*memory }
}

fn await_settlement(look: &Look<'_>, memory: &Milestone, expiry_s: u64) -> Milestone {
    if memory.phase == Phase::AwaitSettlement && memory.expiry_s == expiry_s {
        return *memory;
    }
    let strikes = pick_held(look.view, look.params.product).map_or(memory.strikes, |pick| pick.strikes());
    Milestone { expiry_s, strikes, ..now(look, Phase::AwaitSettlement) }
}

/// True while an auction that began then may still run.
fn runs(look: &Look<'_>, started_at: Nanos, expiry_s: u64) -> bool {
    let end = started_at.plus(look.params.week.auction_s.saturating_mul(SEC));
    look.at < end && look.at.secs() < expiry_s
}

/// Options alive: the auction goes on with its original clock while that runs, else their expiry is awaited. A buyer
/// goes on only with the budget the journal remembers.
fn holding(look: &Look<'_>, memory: &Milestone, expiry_s: u64) -> Milestone {
    let same = memory.expiry_s == expiry_s;
    if same && memory.phase == Phase::OptionAuction {
        return if runs(look, memory.started_at, expiry_s) {
            reckoned(look, memory)
        } else {
            await_settlement(look, memory, expiry_s)
        };
    }
    let ended = same && memory.phase == Phase::AwaitSettlement;
    let started_at = Nanos(look.params.week.auction_start_s(expiry_s).saturating_mul(SEC));
    let seller = look.params.product.side() == Side::Sell;
    if seller && !ended && look.at >= started_at && runs(look, started_at, expiry_s) {
        let strikes = pick_held(look.view, look.params.product).map_or(memory.strikes, |pick| pick.strikes());
        return Milestone { started_at, expiry_s, strikes, ..now(look, Phase::OptionAuction) };
    }
    await_settlement(look, memory, expiry_s)
}

/// A credit of which no journal tells: the last settlement's while its collateral auction may run, with the clock that
/// auction would have; else nobody's to trade.
fn unremembered_credit(look: &Look<'_>) -> Milestone {
    let week = &look.params.week;
    let expiry_s = week.last_settlement_s(look.at.secs());
    let start_s = expiry_s.saturating_add(week.spot_delay_s);
    if look.at.secs() >= start_s.saturating_add(look.params.collateral.auction_s_max) {
        return now(look, Phase::CollateralOnly);
    }
    let started_at = Nanos(start_s.saturating_mul(SEC)).min(look.at);
    Milestone { started_at, expiry_s, ..now(look, Phase::SpotAuction) }
}

/// No options. What was sold and not yet settled is never sold twice: a remembered wait goes on until its end.
fn flat(look: &Look<'_>, memory: &Milestone) -> Milestone {
    let week = &look.params.week;
    let terms = &look.params.collateral;
    let settled_s = memory.expiry_s.saturating_add(week.spot_delay_s).saturating_add(terms.auction_s_max);
    let auctioned = matches!(memory.phase, Phase::AwaitSettlement | Phase::OptionAuction) && memory.expiry_s > 0;
    let expired = memory.phase == Phase::AwaitSettlement || look.at.secs() >= memory.expiry_s;
    if auctioned && expired && look.at.secs() < settled_s {
        return Milestone { phase: Phase::AwaitSettlement, ..*memory };
    }
    let debt = look.view.account.cash < -terms.dust;
    if memory.phase == Phase::SpotAuction {
        let ends_at = memory.started_at.plus(terms.auction_s_max.saturating_mul(SEC));
        if debt || look.at < ends_at {
            return *memory;
        }
    }
    if debt {
        return Milestone { expiry_s: memory.expiry_s, ..now(look, Phase::SpotAuction) };
    }
    if memory.phase == Phase::OptionAuction && runs(look, memory.started_at, memory.expiry_s) {
        return reckoned(look, memory);
    }
    if memory.phase == Phase::Boot && look.view.account.cash > terms.dust {
        return unremembered_credit(look);
    }
    now(look, Phase::CollateralOnly)
}
