//! Delta-1 Basis: hold `target leverage × TVL` of the base, bought with borrowed USDC by resting bids near fair value,
//! and short the perp on every fill so that delta stays one. When carry turns, the same in reverse.
//!
//! Rules: strategy specification §1.1. It never asks for a long perp and never quotes on a value with a guard set.

use crate::account::holdings::{Holdings, Marks};
use crate::base::ids::{InstrumentId, Side};
use crate::base::num::{Amount, Price, Ratio, Rounding};
use crate::base::time::Nanos;
use crate::market::carry;
use crate::msg::{Act, Guards, Life, Mode, Purpose, TimeInForce, Wish, Working};
use crate::strategy::{Strategy, View};

/// Hedges under way at once: a second covers fills that came while the first sits in the venue's speed bump.
const HEDGES_MAX: usize = 2;

/// What the operator chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Params {
    /// Leverage held while carry is good (base over TVL).
    pub target_leverage: Ratio,
    /// Annual carry at or above which leverage is built.
    pub enter_carry: Ratio,
    /// Annual carry at or below which leverage is unwound; below `enter_carry`.
    pub exit_carry: Ratio,
    /// Bid offset from fair: bid = fair · (1 + this).
    pub bid_offset: Ratio,
    /// Ask offset from fair: ask = fair · (1 + this); slightly negative pays for leaving.
    pub ask_offset: Ratio,
    /// Lowest delta quotes may lead to.
    pub soft_delta_min: Ratio,
    /// Highest delta quotes may lead to.
    pub soft_delta_max: Ratio,
    /// Largest quote, in base.
    pub clip: Amount,
    /// Furthest a quote or hedge may be from the mark.
    pub mark_offset_max: Ratio,
    /// Loss against mark allowed as a decaying share of TVL.
    pub loss_ema_max: Ratio,
    /// Collateral factor of the base for initial margin.
    pub margin_factor: Ratio,
    /// Initial margin requirement of the perp.
    pub perp_requirement: Ratio,
    /// Share of TVL kept free of margin.
    pub margin_buffer: Ratio,
    /// Smallest relative price change worth a replace.
    pub reprice_min: Ratio,
    /// Relative adverse change at which a cancel goes out before anything else.
    pub adverse_cancel: Ratio,
    /// Share of the clip by which the amount must differ to be worth a replace.
    pub resize_min: Ratio,
    /// How far through the mark a hedge may trade.
    pub hedge_slippage: Ratio,
    /// An order this close to its expiry is replaced.
    pub refresh_ns: u64,
    /// Pause after a refused wish.
    pub refusal_pause_ns: u64,
    /// Bounds of a contract that judges each partial fill by its order's whole amount, if one does.
    pub judged_per_fill: Option<Bounds>,
}

/// Where delta and leverage must stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Lowest delta, × TVL.
    pub delta_min: Ratio,
    /// Highest delta, × TVL.
    pub delta_max: Ratio,
    /// Lowest leverage, × TVL.
    pub leverage_min: Ratio,
    /// Highest leverage, × TVL.
    pub leverage_max: Ratio,
}

/// What is remembered between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    /// Carry is good and leverage is wanted; not decided yet right after a start.
    pub carrying: Option<bool>,
    /// Number of the last refusal seen.
    refused_seen: u32,
    /// No wishes before this moment.
    quiet_until: Nanos,
}

/// The strategy with its parameters.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Basis {
    params: Params,
}

/// Which way the position must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Below target: bid.
    Enter,
    /// Within half a clip of target.
    Hold,
    /// Above target: ask.
    Exit,
}

/// One look, with what follows from it worked out once.
struct Look<'a> {
    params: &'a Params,
    view: &'a View<'a>,
    at: Nanos,
    marks: Marks,
    holdings: Holdings,
    tvl: Amount,
    exposure: Amount,
    target: Option<Ratio>,
}

impl Basis {
    /// With the operator's parameters.
    pub fn new(params: Params) -> Basis {
        Basis { params }
    }

    /// Leverage wanted now. Carry turns it on and off with hysteresis; after a start inside the dead band, what is held
    /// tells which way it was. None while the borrow rate is unknown.
    fn target(&self, state: &mut State, carry: Option<Ratio>, leverage: Option<Ratio>) -> Option<Ratio> {
        let (carry, leverage) = (carry?, leverage?);
        let params = &self.params;
        let carrying = if carry <= params.exit_carry {
            false
        } else if carry >= params.enter_carry {
            true
        } else {
            let halfway = Ratio::from_raw(Ratio::ONE.raw().midpoint(params.target_leverage.raw()));
            state.carrying.unwrap_or(leverage > halfway)
        };
        state.carrying = Some(carrying);
        Some(if carrying { params.target_leverage } else { Ratio::ONE })
    }
}

impl Strategy for Basis {
    type State = State;

    fn intent(&self, state: &mut State, view: &View<'_>, at: Nanos) -> Option<Act> {
        let account = view.account;
        if account.intent_refused != state.refused_seen {
            state.refused_seen = account.intent_refused;
            state.quiet_until = at.plus(self.params.refusal_pause_ns);
        }
        if account.mode == Mode::Halted {
            return None;
        }
        // Nobody knows what we hold: nothing may rest on a guess.
        if account.mode == Mode::Starting {
            return withdraw_quotes(view);
        }
        let marks = Marks { base: view.base.mark, perp: view.perp.mark };
        let usable = marks.base.is_positive() && marks.perp.is_positive();
        if !usable || view.base.guards.with(view.perp.guards).has(Guards::NO_PRICE) {
            return withdraw_quotes(view);
        }
        let holdings =
            Holdings { base: account.base, perp: account.perp, cash: account.cash, perp_cost: account.perp_cost };
        let tvl = holdings.tvl(marks);
        if !tvl.is_positive() {
            return withdraw_quotes(view);
        }
        let exposure = holdings.exposure(marks);
        let carry = account.borrow_apr.map(|apr| carry::annual(view.perp.funding_hourly, apr));
        let target = self.target(state, carry, holdings.leverage(marks));
        let look = Look { params: &self.params, view, at, marks, holdings, tvl, exposure, target };
        // A cancel waits for nothing: not for a hedge, and not for the pause after a refusal.
        let wish = look.withdraw().or_else(|| look.hedge()).or_else(|| look.quote());
        wish.filter(|act| at >= state.quiet_until || matches!(act, Act::Cancel { .. }))
    }
}

/// Cancels one resting quote, if there is any.
fn withdraw_quotes(view: &View<'_>) -> Option<Act> {
    let working = view.account.working.iter().flatten();
    working
        .filter(|order| order.wish.purpose == Purpose::Quote)
        .find(|order| matches!(order.life, Life::Open | Life::Pending))
        .map(|order| Act::Cancel { nonce: order.nonce })
}

impl Look<'_> {
    fn working(&self, instrument: InstrumentId) -> impl Iterator<Item = &Working> {
        self.view.account.working.iter().flatten().filter(move |order| order.wish.instrument == instrument)
    }

    /// A perp trade that brings delta to one, less what is already under way.
    fn hedge(&self) -> Option<Act> {
        let perp = self.view.perp_instrument;
        let in_flight = || self.working(perp.id);
        let unknown = in_flight().any(|order| order.life == Life::Unknown);
        if unknown || in_flight().count() >= HEDGES_MAX {
            return None;
        }
        let under_way: Amount =
            in_flight().map(|order| Amount::from_raw(order.remaining().raw() * order.wish.side.sign())).sum();
        let bought: Amount = in_flight().filter(|order| order.wish.side == Side::Buy).map(Working::remaining).sum();
        let need = self.holdings.hedge(self.marks) - under_way;
        let (side, wanted) = if need.is_negative() {
            (Side::Sell, need.abs())
        } else {
            // Never long: at most what is short and not yet being bought back (M13).
            (Side::Buy, need.min((-self.holdings.perp - bought).max(Amount::ZERO)))
        };
        let amount = perp.whole_steps(wanted.min(perp.max_amount).min(self.hedge_room(side)));
        if amount < perp.min_amount {
            return None;
        }
        let slippage = self.params.hedge_slippage.min(self.params.mark_offset_max);
        let value = self.view.perp;
        let price = match side {
            Side::Sell => value.mark.scale(Ratio::ONE - slippage, Rounding::Ceil).max(value.band_low),
            Side::Buy => {
                let limit = value.mark.scale(Ratio::ONE + slippage, Rounding::Floor);
                if value.band_high.is_positive() { limit.min(value.band_high) } else { limit }
            }
        };
        Some(Act::Place(Wish {
            instrument: perp.id,
            side,
            price: perp.passive_price(side, price),
            amount,
            tif: TimeInForce::Ioc,
            reduce_only: side == Side::Buy,
            purpose: Purpose::Hedge,
        }))
    }

    fn direction(&self) -> Direction {
        let Some(target) = self.target else { return Direction::Hold };
        let wanted = self.tvl.scale(target, Rounding::HalfUp) - self.holdings.base;
        let dead_band = Amount::from_raw(self.params.clip.raw() / 2);
        if wanted > dead_band {
            Direction::Enter
        } else if wanted < -dead_band {
            Direction::Exit
        } else {
            Direction::Hold
        }
    }

    /// The side on which a quote may rest now, if any.
    fn quote_side(&self) -> Option<Side> {
        let usable = self.view.base.guards.is_clear()
            && self.view.perp.guards.is_clear()
            && self.at <= self.view.base.good_until
            && self.view.account.mode == Mode::Live;
        match self.direction() {
            Direction::Enter if usable => Some(Side::Buy),
            Direction::Exit if usable => Some(Side::Sell),
            _ => None,
        }
    }

    /// Cancels a quote that must not rest any longer: unwanted, on the wrong side, or too eager by now.
    fn withdraw(&self) -> Option<Act> {
        let Some(side) = self.quote_side() else { return withdraw_quotes(self.view) };
        let wanted = self.view.base_instrument.passive_price(side, self.quote_price(side));
        self.working(self.view.base_instrument.id)
            .filter(|order| order.wish.purpose == Purpose::Quote)
            .filter(|order| matches!(order.life, Life::Open | Life::Pending))
            .find(|order| order.wish.side != side || self.is_adverse(order, wanted))
            .map(|order| Act::Cancel { nonce: order.nonce })
    }

    /// How much more the order pays (or how much less it asks) than we now want.
    fn eagerness(order: &Working, wanted: Price) -> Price {
        Price::from_raw((order.wish.price - wanted).raw() * order.wish.side.sign())
    }

    /// The market moved against the order by more than may rest for the time a replace takes.
    fn is_adverse(&self, order: &Working, wanted: Price) -> bool {
        Self::eagerness(order, wanted) > self.view.base.fair.scale(self.params.adverse_cancel, Rounding::Floor)
    }

    /// Keeps the resting quote what it should be: none, or one order at the desired price and amount.
    fn quote(&self) -> Option<Act> {
        let side = self.quote_side()?;
        let base = self.view.base_instrument;
        let mut resting = self.working(base.id);
        let first = resting.next();
        if resting.next().is_some() {
            return None; // a replacement is under way
        }
        let price = base.passive_price(side, self.quote_price(side));
        let amount = base.whole_steps(self.quote_amount(side, price).min(base.max_amount));
        let wish = Wish {
            instrument: base.id,
            side,
            price,
            amount,
            tif: TimeInForce::PostOnly,
            reduce_only: false,
            purpose: Purpose::Quote,
        };
        match first {
            None if amount >= base.min_amount && self.view.account.quote_budget > 0 => Some(Act::Place(wish)),
            None => None,
            Some(order) => self.adjust(order, wish),
        }
    }

    /// What to do about a resting quote, given what we would want instead.
    fn adjust(&self, order: &Working, wish: Wish) -> Option<Act> {
        if !matches!(order.life, Life::Open | Life::Pending) {
            return None;
        }
        if wish.amount < self.view.base_instrument.min_amount {
            return Some(Act::Cancel { nonce: order.nonce });
        }
        let too_eager = Self::eagerness(order, wish.price);
        let reference = self.view.base.fair;
        if order.life == Life::Pending || self.view.account.quote_budget == 0 {
            return None;
        }
        let moved = too_eager.abs() >= reference.scale(self.params.reprice_min, Rounding::Ceil).max(Price::from_raw(1));
        let resized =
            (wish.amount - order.remaining()).abs() >= self.params.clip.scale(self.params.resize_min, Rounding::Ceil);
        let expiring = self.at.plus(self.params.refresh_ns) >= order.expires_at;
        (moved || resized || expiring).then_some(Act::Replace { old: order.nonce, new: wish })
    }

    /// `fair · (1 + s)`, inside `mark · (1 ± limit)`, and never through the other side of the book.
    fn quote_price(&self, side: Side) -> Price {
        let value = self.view.base;
        let tick = self.view.base_instrument.tick;
        let limit = self.params.mark_offset_max;
        match side {
            Side::Buy => {
                let wanted = value.fair.scale(Ratio::ONE + self.params.bid_offset, Rounding::Floor);
                let capped = wanted.min(value.mark.scale(Ratio::ONE + limit, Rounding::Floor));
                if value.ask.is_positive() { capped.min(value.ask - tick) } else { capped }
            }
            Side::Sell => {
                let wanted = value.fair.scale(Ratio::ONE + self.params.ask_offset, Rounding::Ceil);
                let floored = wanted.max(value.mark.scale(Ratio::ONE - limit, Rounding::Ceil));
                if value.bid.is_positive() { floored.max(value.bid + tick) } else { floored }
            }
        }
    }

    /// Smallest of: room to the soft delta limit, way to target leverage, loss room, margin room, clip.
    fn quote_amount(&self, side: Side, price: Price) -> Amount {
        let target_base = self.target.map_or(self.holdings.base, |target| self.tvl.scale(target, Rounding::Floor));
        let (delta_room, leverage_room) = match side {
            Side::Buy => (
                self.tvl.scale(self.params.soft_delta_max, Rounding::Floor) - self.exposure,
                target_base - self.holdings.base,
            ),
            Side::Sell => (
                self.exposure - self.tvl.scale(self.params.soft_delta_min, Rounding::Ceil),
                self.holdings.base - target_base,
            ),
        };
        delta_room
            .min(leverage_room)
            .min(self.loss_room(side, price))
            .min(self.margin_room(side))
            .min(self.repeated_room(side))
            .min(self.params.clip)
            .max(Amount::ZERO)
    }

    /// Before its last partial fill nearly all of an order is held, and all of it is judged once more: half of what the
    /// contract allows (strategy specification §2.6).
    fn repeated_room(&self, side: Side) -> Amount {
        let Some(bounds) = self.params.judged_per_fill else { return Amount::whole(crate::base::num::WIRE_MAX) };
        let (delta, leverage) = match side {
            Side::Buy => (
                self.tvl.scale(bounds.delta_max, Rounding::Floor) - self.exposure,
                self.tvl.scale(bounds.leverage_max, Rounding::Floor) - self.holdings.base,
            ),
            Side::Sell => (
                self.exposure - self.tvl.scale(bounds.delta_min, Rounding::Ceil),
                self.holdings.base - self.tvl.scale(bounds.leverage_min, Rounding::Ceil),
            ),
        };
        Amount::from_raw(delta.min(leverage).raw() / 2)
    }

    /// A hedge ends at a delta of one, from where its whole amount must not lead out of the contract's bounds.
    fn hedge_room(&self, side: Side) -> Amount {
        let Some(bounds) = self.params.judged_per_fill else { return Amount::whole(crate::base::num::WIRE_MAX) };
        let share = match side {
            Side::Sell => Ratio::ONE - bounds.delta_min,
            Side::Buy => bounds.delta_max - Ratio::ONE,
        };
        self.tvl.scale(share, Rounding::Floor)
    }

    /// `A = (limit − ema) · UB / loss per unit in base` (§5.4); unlimited when the price is no worse than the mark.
    fn loss_room(&self, side: Side, price: Price) -> Amount {
        let loss = Price::from_raw((price - self.marks.base).raw() * side.sign());
        if !loss.is_positive() {
            return Amount::whole(crate::base::num::WIRE_MAX);
        }
        let share = (self.params.loss_ema_max - self.view.account.loss_ema).max(Ratio::ZERO);
        let loss_per_unit = loss.over(self.marks.base, Rounding::Ceil).max(Ratio::from_raw(1));
        self.tvl.scale(share, Rounding::Floor).unscale(loss_per_unit, Rounding::Floor)
    }

    /// Each unit bought and hedged costs `1 − factor + requirement` of itself in initial margin.
    fn margin_room(&self, side: Side) -> Amount {
        if side == Side::Sell {
            return Amount::whole(crate::base::num::WIRE_MAX);
        }
        let params = self.params;
        let kept = self.marks.base.times(self.tvl.scale(params.margin_buffer, Rounding::Ceil));
        let left = self.holdings.margin_left(self.marks, params.margin_factor, params.perp_requirement) - kept;
        let per_unit = Ratio::ONE - params.margin_factor + params.perp_requirement;
        if !left.is_positive() || !per_unit.is_positive() {
            return Amount::ZERO;
        }
        left.over_price(self.marks.base, Rounding::Floor).unscale(per_unit, Rounding::Floor)
    }
}

#[cfg(test)]
mod tests;
