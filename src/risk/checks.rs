//! Every pre-trade check, in the order it is applied. Add a row, never an exception.
//!
//! A row is a name (its metric and its refusal) and one function of one shape. Nothing turns a row off.

use crate::account::holdings::{Holdings, Marks};
use crate::account::ledger::Ledger;
use crate::account::order::LiveOrder;
use crate::base::ids::{InstrumentId, Nonce, Side};
use crate::base::num::{Amount, Cash, Price, Ratio, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::market::instrument::{Instrument, Kind};
use crate::msg::{Guards, Life, Mode, Purpose, TimeInForce, Value, Wish};
use crate::risk::limits::{Limits, Mandate};
use crate::risk::mandate::ema::MarkLoss;
use crate::risk::option_checks::OPTION_CHECKS;
use crate::risk::wall;

/// Everything a check may look at.
pub struct Case<'a> {
    /// Now.
    pub at: Nanos,
    /// What is wished.
    pub wish: Wish,
    /// The live order it replaces.
    pub replaced: Option<&'a LiveOrder>,
    /// The vault's ledger.
    pub ledger: &'a Ledger,
    /// The vault's limits.
    pub limits: &'a Limits,
    /// The instrument wished for; `None` if the vault may not trade it.
    pub instrument: Option<&'a Instrument>,
    /// Value of the base.
    pub base: &'a Value,
    /// Value of the perp.
    pub perp: &'a Value,
    /// What the vault may do.
    pub mode: Mode,
    /// The private session is up.
    pub session_up: bool,
    /// The wish could trade with an order of another vault of the wallet.
    pub meets_another: bool,
    /// Whether the contract that signs for the vault could sign now; none if the session key alone signs.
    pub contract_free: Option<bool>,
    /// Loss sum decayed to now.
    pub loss_ema: Ratio,
    /// The same as the mandate's contract keeps it: with its own decay, without credit for gains.
    pub mark_loss: MarkLoss,
    /// What an earlier run may have lost, at worst.
    pub inherited_loss: MarkLoss,
    /// Messages the rate budget still allows for this purpose, for the wallet and for the instrument.
    pub budget_left: u32,
    /// Fills in the last minute.
    pub fills_last_minute: u32,
    /// Venue clock minus ours, once measured.
    pub venue_offset_ns: Option<i64>,
    /// When the session key expires.
    pub key_expires_at: Nanos,
}

/// One row.
pub struct Check {
    /// Name in metrics, reports and refusals.
    pub name: &'static str,
    /// True when the wish may pass.
    pub passes: fn(&Case<'_>) -> bool,
}

/// Number of rows.
pub const CHECK_COUNT: usize = 14;

/// The row that grants nothing beside what is under way, of both tables.
pub const ALONE_ROW: usize = 9;

/// The row that asks the mandate's contract.
pub const MANDATE_ROW: usize = CHECK_COUNT - 1;

/// The table. Sources: SEC rule 15c3-5 and MiFID II RTS 6 (pre-trade controls), strategy specification §1.1, §2.6, §2.12.
pub const CHECKS: [Check; CHECK_COUNT] = [
    Check { name: "awake", passes: awake },
    Check { name: "fresh", passes: fresh },
    Check { name: "known", passes: known },
    Check { name: "on_tick", passes: on_tick },
    Check { name: "sized", passes: sized },
    Check { name: "collared", passes: collared },
    Check { name: "covered", passes: covered },
    Check { name: "in_delta", passes: in_delta },
    Check { name: "in_cash", passes: in_cash },
    Check { name: "alone", passes: alone },
    Check { name: "paced", passes: paced },
    Check { name: "unexpired", passes: unexpired },
    Check { name: "settled", passes: settled },
    Check { name: "mandate", passes: mandate },
];

/// Names of the rows a vault's wishes are held against, in order: one per place of its refusal counters.
pub fn row_names(mandate: &Mandate) -> [&'static str; CHECK_COUNT] {
    match mandate {
        Mandate::Basis(_) => CHECKS.each_ref().map(|check| check.name),
        Mandate::Options(_) => OPTION_CHECKS.each_ref().map(|check| check.name),
    }
}

/// Index of the first row that refuses.
pub fn refusal(case: &Case<'_>) -> Option<usize> {
    CHECKS.iter().position(|check| !(check.passes)(case))
}

impl Case<'_> {
    fn marks(&self) -> Marks {
        Marks { base: self.base.mark, perp: self.perp.mark }
    }

    pub(crate) fn is_base(&self) -> bool {
        self.wish.instrument == self.ledger.book().base
    }

    fn own_value(&self) -> &Value {
        if self.is_base() { self.base } else { self.perp }
    }

    fn replaced_nonce(&self) -> Option<Nonce> {
        self.replaced.map(|order| order.nonce)
    }

    /// What live orders may still fill, plus this wish if it is of that instrument and side. A replaced order shares
    /// its reservation with the wish: the larger of the two counts.
    fn worst(&self, instrument: InstrumentId, side: Side) -> Amount {
        let others = self.ledger.reserved(instrument, side, self.replaced_nonce());
        let ours = self.wish.instrument == instrument && self.wish.side == side;
        let old = self.replaced.filter(|old| old.wish.instrument == instrument && old.wish.side == side);
        let old_open = old.map_or(Amount::ZERO, LiveOrder::open);
        others + if ours { self.wish.amount.max(old_open) } else { old_open }
    }

    /// Base and perp if every live order of `side` and this wish filled, and nothing of the other side did.
    fn worst_position(&self, side: Side) -> (Amount, Amount) {
        let holdings = self.ledger.holdings();
        let book = self.ledger.book();
        let base = self.worst(book.base, side);
        let perp = book.perp.map_or(Amount::ZERO, |perp| self.worst(perp, side));
        match side {
            Side::Buy => (holdings.base + base, holdings.perp + perp),
            Side::Sell => (holdings.base - base, holdings.perp - perp),
        }
    }

    /// Live orders, but for the replaced one.
    fn others(&self) -> impl Iterator<Item = &LiveOrder> {
        self.ledger.orders().filter(|order| Some(order.nonce) != self.replaced_nonce())
    }

    /// Those that move exposure as the wish does.
    pub(crate) fn others_on_side(&self) -> impl Iterator<Item = &LiveOrder> {
        self.others().filter(|order| order.wish.side == self.wish.side)
    }

    fn mark(&self, instrument: InstrumentId) -> Price {
        if instrument == self.ledger.book().base { self.base.mark } else { self.perp.mark }
    }

    /// What an amount at a wish's price may lose against mark.
    fn loss_of(&self, wish: &Wish, amount: Amount) -> Cash {
        Case::loss(wish.side, wish.price, amount, self.mark(wish.instrument))
    }

    /// What live orders, but for the replaced one, may still lose against mark, in quote currency.
    fn loss_of_others(&self) -> Cash {
        self.others().map(|order| self.loss_of(&order.wish, order.open())).sum()
    }

    /// An amount of cash as a share of value; zero while the vault is worth nothing.
    fn share(&self, cash: Cash) -> Ratio {
        let worth = self.ledger.holdings().value(self.marks());
        if worth.is_positive() { cash.over(worth, Rounding::Ceil) } else { Ratio::ZERO }
    }

    /// What live orders may still lose, as a share of value.
    pub(crate) fn live_loss(&self) -> Ratio {
        self.share(self.loss_of_others())
    }

    /// What live orders may lose once this wish is one of them, as a share of value.
    pub(crate) fn granted_loss(&self) -> Ratio {
        let wish = self.loss_of(&self.wish, self.wish.amount);
        if self.limits.wall.judged_per_fill {
            return self.repeated_loss() + self.share(wish);
        }
        let old = self.replaced.map_or(Cash::ZERO, |old| self.loss_of(&old.wish, old.open()));
        self.share(self.loss_of_others() + wish.max(old))
    }

    /// The same where every fill counts as one of the whole order: each order twice, and the wish once, beside what it
    /// is judged for.
    pub(crate) fn repeated_loss(&self) -> Ratio {
        let twice = |order: &LiveOrder| {
            let whole = self.loss_of(&order.wish, order.wish.amount);
            whole + whole
        };
        self.share(self.others().map(twice).sum::<Cash>() + self.loss_of(&self.wish, self.wish.amount))
    }

    /// What is held when of every order on the wish's side, and of the wish, nothing is left to fill but `step` of
    /// `last`; at their limits where these lose, with this fee on each unit of the wish.
    pub(crate) fn before_last(&self, last: &Wish, step: Amount, fee: Price) -> Holdings {
        let (held, marks, side) = (self.ledger.holdings(), self.marks(), self.wish.side);
        let (mut base, mut perp) = self.worst_position(side);
        let left = Amount::from_raw(step.raw() * side.sign());
        if last.instrument == self.ledger.book().base {
            base -= left;
        } else {
            perp -= left;
        }
        let lost = self.loss_of_others() + self.loss_of(&self.wish, self.wish.amount) + fee.times(self.wish.amount);
        Holdings {
            base,
            perp,
            cash: held.cash - marks.base.times(base - held.base) - lost,
            perp_cost: held.perp_cost + marks.perp.times(perp - held.perp),
        }
    }

    /// Loss against mark if filled at the limit, in quote currency; zero if no worse than the mark.
    pub(crate) fn loss(side: Side, price: Price, amount: Amount, mark: Price) -> Cash {
        let per_unit = Price::from_raw((price - mark).raw() * side.sign()).max(Price::ZERO);
        per_unit.times(amount)
    }
}

/// The vault may act: live, or draining and this brings risk down; the session carries it; the truth is certain.
fn awake(case: &Case<'_>) -> bool {
    let permitted = match case.mode {
        Mode::Live => true,
        Mode::Drain => case.wish.purpose == Purpose::Hedge,
        Mode::Starting | Mode::Halted => false,
    };
    permitted && case.session_up && !case.ledger.is_uncertain()
}

/// Both marks are recent (D2), and neither is a jump that a single ticker has told (D5); a quote also needs every guard clear and its value unexpired.
fn fresh(case: &Case<'_>) -> bool {
    let alive = |value: &Value| {
        value.mark.is_positive()
            && !value.guards.has(Guards::NO_PRICE)
            && case.at.since(value.priced_at) <= case.limits.value_age_ns_max
    };
    let clear = |value: &Value| value.guards.is_clear() && case.at <= value.good_until;
    let quotable = case.wish.purpose == Purpose::Hedge || (clear(case.base) && clear(case.perp));
    alive(case.base) && alive(case.perp) && quotable
}

/// A live instrument of the vault, used for what the vault uses it for.
fn known(case: &Case<'_>) -> bool {
    let Some(instrument) = case.instrument else { return false };
    let purpose_fits = match case.wish.purpose {
        Purpose::Quote => {
            instrument.id == case.ledger.book().base
                && instrument.kind == Kind::Spot
                && case.wish.tif == TimeInForce::PostOnly
        }
        Purpose::Hedge => Some(instrument.id) == case.ledger.book().perp && instrument.kind == Kind::Perp,
        Purpose::Write | Purpose::Convert | Purpose::Package => false,
    };
    instrument.active && purpose_fits
}

/// Price on a tick, amount on a step and inside the venue's bounds (Derive 11012, 11013).
fn on_tick(case: &Case<'_>) -> bool {
    let Some(instrument) = case.instrument else { return false };
    let Wish { price, amount, .. } = case.wish;
    price.is_positive()
        && price.on_tick(instrument.tick)
        && amount.is_positive()
        && amount.on_step(instrument.step)
        && amount >= instrument.min_amount
        && amount <= instrument.max_amount
}

/// Inside the vault's own amount and notional limits (RTS 6 15(1)(b,c)).
fn sized(case: &Case<'_>) -> bool {
    let amount_max = match case.wish.purpose {
        Purpose::Quote => case.limits.quote_amount_max,
        Purpose::Hedge => case.limits.hedge_amount_max,
        Purpose::Write | Purpose::Convert | Purpose::Package => Amount::ZERO,
    };
    case.wish.amount <= amount_max && case.wish.price.times(case.wish.amount) <= case.limits.notional_max
}

/// Near the mark, inside the venue's band when aggressive, not through the book when passive, and inside the decaying
/// loss budget with every live order counted at its full loss (M5, RTS 6 15(1)(a)).
fn collared(case: &Case<'_>) -> bool {
    let value = case.own_value();
    let Wish { side, price, amount, tif, .. } = case.wish;
    let near = (price - value.mark).abs() <= value.mark.scale(case.limits.mark_offset_max, Rounding::Floor);
    let band_ok = tif == TimeInForce::PostOnly
        || match side {
            Side::Buy => !value.band_high.is_positive() || price <= value.band_high,
            Side::Sell => price >= value.band_low,
        };
    let passive = tif != TimeInForce::PostOnly
        || match side {
            Side::Buy => !value.ask.is_positive() || price < value.ask,
            Side::Sell => !value.bid.is_positive() || price > value.bid,
        };
    let own = Case::loss(side, price, amount, value.mark);
    if !(near && band_ok && passive) || own == Cash::ZERO {
        return near && band_ok && passive;
    }
    let live = case.loss_of_others();
    let worth = case.ledger.holdings().value(case.marks());
    worth.is_positive() && case.loss_ema + (own + live).over(worth, Rounding::Ceil) <= case.limits.loss_ema_max
}

/// Covered in the worst case: no short spot, never a long perp (M13), initial margin left after every fill unless the
/// wish brings risk down (Derive 11000, 11020, `LBT_PositivePerpPosition`).
fn covered(case: &Case<'_>) -> bool {
    let (base_low, _) = case.worst_position(Side::Sell);
    let (base_high, perp_high) = case.worst_position(Side::Buy);
    if base_low.is_negative() || perp_high.is_positive() {
        return false;
    }
    let lowers_risk = case.is_base() == (case.wish.side == Side::Sell);
    if lowers_risk {
        return true;
    }
    let holdings = case.ledger.holdings();
    let marks = case.marks();
    let bought = base_high - holdings.base;
    let (_, perp_low) = case.worst_position(Side::Sell);
    let filled = Holdings {
        base: base_high,
        perp: perp_low,
        cash: holdings.cash - case.base.mark.times(bought),
        perp_cost: holdings.perp_cost + marks.perp.times(perp_low - holdings.perp),
    };
    let kept = filled.value(marks).scale(case.limits.margin_buffer, Rounding::Ceil);
    filled.margin_left(marks, case.limits.margin_factor, case.limits.perp_requirement) >= kept
}

/// `floor ≤ new ≤ ceiling`, or strictly nearer to the band than before without crossing it (§2.6 `within`).
fn within(old: Ratio, new: Ratio, floor: Ratio, ceiling: Ratio) -> bool {
    (floor <= new && new <= ceiling)
        || (old < floor && old < new && new < ceiling)
        || (old > ceiling && floor < new && new < old)
}

/// Delta, and for base orders leverage, in their bands after the worst fills on the wish's side, or improving (M3, M10).
fn in_delta(case: &Case<'_>) -> bool {
    let holdings = case.ledger.holdings();
    let marks = case.marks();
    let tvl = holdings.tvl(marks);
    if !tvl.is_positive() {
        return false;
    }
    let (base, perp) = case.worst_position(case.wish.side);
    let over_tvl = |amount: Amount| amount.over(tvl, Rounding::HalfUp);
    let exposure = base + perp.scale(marks.ratio(), Rounding::HalfUp);
    let before = over_tvl(holdings.exposure(marks));
    let delta_ok = within(before, over_tvl(exposure), case.limits.delta_min, case.limits.delta_max);
    let leverage_ok = !case.is_base()
        || within(over_tvl(holdings.base), over_tvl(base), case.limits.leverage_min, case.limits.leverage_max);
    delta_ok && leverage_ok
}

/// Borrowing stays inside its limit if every buy fills at its price.
fn in_cash(case: &Case<'_>) -> bool {
    if !case.is_base() || case.wish.side == Side::Sell {
        return true;
    }
    let book = case.ledger.book();
    let others: Cash = case
        .ledger
        .orders()
        .filter(|order| order.wish.instrument == book.base && order.wish.side == Side::Buy)
        .filter(|order| Some(order.nonce) != case.replaced_nonce())
        .map(|order| order.wish.price.times(order.open()))
        .sum();
    let spent = others + case.wish.price.times(case.wish.amount);
    case.ledger.holdings().cash - spent >= -case.limits.borrow_max
}

/// Room to track it; no order of unknown fate near it (O4); at most one quote beside the one it replaces (O5); no order
/// of any vault of ours it could trade with (M9, Derive 11007).
fn alone(case: &Case<'_>) -> bool {
    let others = || case.ledger.orders().filter(|order| Some(order.nonce) != case.replaced_nonce());
    let doubtful = others().any(|order| {
        order.life == Life::Unknown
            && (case.wish.purpose == Purpose::Quote || order.wish.instrument == case.wish.instrument)
    });
    let second_quote = case.wish.purpose == Purpose::Quote && others().any(|o| o.wish.purpose == Purpose::Quote);
    let replaceable = case.replaced.is_none_or(|old| old.life == Life::Open && old.final_filled.is_none());
    let crosses = case.meets_another || others().any(|order| order.could_trade_with(&case.wish));
    case.ledger.has_room() && replaceable && !doubtful && !second_quote && !crosses
}

/// Inside the message budget and the fill throttle (RTS 6 15(1)(d), 15(3); O7). The throttle drains the vault, and
/// the fills that did so must still be hedged: hedges are stopped at twice the rate only.
fn paced(case: &Case<'_>) -> bool {
    let fills_max = match case.wish.purpose {
        Purpose::Quote => case.limits.fills_per_minute_max,
        Purpose::Hedge => case.limits.fills_per_minute_max.saturating_mul(2),
        Purpose::Write | Purpose::Convert | Purpose::Package => 0,
    };
    case.budget_left > 0 && case.fills_last_minute < fills_max
}

/// Our clock agrees with the venue's (K2), and the signature's life fits venue, mandate and session key (K6, O9).
fn unexpired(case: &Case<'_>) -> bool {
    let Some(offset) = case.venue_offset_ns else { return false };
    let life = case.limits.order_life_ns;
    offset.unsigned_abs() <= case.limits.clock_offset_ns_max
        && (300 * SEC..600 * SEC).contains(&life)
        && case.at.plus(life) < case.key_expires_at
}

/// Where the vault's contract signs, nothing depends on a signature made earlier: no order this would replace, no fill,
/// deposit or withdrawal unsettled, for the new signature ends the old one at once (K10, strategy specification §0.4).
fn settled(case: &Case<'_>) -> bool {
    case.contract_free.is_none_or(|free| free && case.replaced.is_none())
}

/// The contract of the mandate would sign it (strategy specification §2.6).
fn mandate(case: &Case<'_>) -> bool {
    wall::basis::verdict(case).is_ok()
}
