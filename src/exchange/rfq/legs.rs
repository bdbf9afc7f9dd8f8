//! Reading legs and holding a quote's legs against those of the request it answers.

use super::{LEGS_MAX, Leg, PricedLeg, Rfq};
use crate::base::ids::Side;
use crate::exchange::admission::side;
use crate::exchange::keys::Need;
use crate::exchange::money::multiple_of;
use crate::exchange::params::{Params, invalid};
use crate::exchange::{Exchange, Refusal};
use rust_decimal::Decimal;
use std::sync::Arc;

impl Exchange {
    /// The unpriced legs of a request: known, live, distinct, on their grids, in one currency.
    pub(super) fn read_legs(&self, p: Params) -> Result<Vec<Leg>, Refusal> {
        let rows = leg_rows(p)?;
        let legs = rows.iter().map(|row| self.read_leg(*row)).collect::<Result<Vec<Leg>, Refusal>>()?;
        distinct(legs.iter())?;
        let currency = |leg: &Leg| &self.instruments[leg.instrument].base;
        if let Some(other) = legs.iter().find(|leg| currency(leg) != currency(&legs[0])) {
            return Err(Refusal::because(14028, format!("{} and {}", legs[0].name, other.name)));
        }
        for leg in &legs {
            let minimum = self.instruments[leg.instrument].minimum;
            if leg.amount < minimum {
                return Err(Refusal::because(11012, format!("{}: below minimum {minimum}", leg.name)));
            }
        }
        Ok(legs)
    }

    /// The priced legs of a quote or an execution.
    pub(super) fn read_priced_legs(&self, p: Params) -> Result<Vec<PricedLeg>, Refusal> {
        let read = |row: &Params| Ok(PricedLeg { leg: self.read_leg(*row)?, price: row.decimal("price")? });
        let legs = leg_rows(p)?.iter().map(read).collect::<Result<Vec<PricedLeg>, Refusal>>()?;
        distinct(legs.iter().map(|l| &l.leg))?;
        Ok(legs)
    }

    fn read_leg(&self, p: Params) -> Result<Leg, Refusal> {
        let instrument = self.find_instrument(p.text("instrument_name")?)?;
        let listed = &self.instruments[instrument];
        let name = listed.name.clone();
        if self.index_of(instrument).is_zero() {
            return Err(Refusal::because(11021, format!("{name} has no index price yet")));
        }
        if !listed.active || self.now.secs() >= listed.deactivation_s {
            return Err(Refusal::because(11021, format!("{name} does not trade any more")));
        }
        let amount = p.decimal("amount")?;
        if amount <= Decimal::ZERO || !multiple_of(amount, listed.step) {
            return Err(Refusal::because(
                11012,
                format!("{name}: {amount} is not a positive multiple of {}", listed.step),
            ));
        }
        if amount > listed.maximum {
            return Err(Refusal::because(11012, format!("{name}: above maximum {}", listed.maximum)));
        }
        Ok(Leg { instrument, name, side: side(p)?, amount })
    }

    /// 11013 unless every price is on its tick and inside its instrument's band.
    pub(super) fn check_leg_prices(&self, legs: &[PricedLeg]) -> Result<(), Refusal> {
        for PricedLeg { leg, price } in legs {
            let tick = self.instruments[leg.instrument].tick;
            if *price < Decimal::ZERO || !multiple_of(*price, tick) {
                return Err(Refusal::because(11013, format!("{}: {price} is not a multiple of {tick}", leg.name)));
            }
            let (low, high) = self.band(leg.instrument);
            if *price < low || *price > high {
                return Err(Refusal::because(11013, format!("{}: {price} is outside {low} to {high}", leg.name)));
            }
        }
        Ok(())
    }

    /// What a key must hold to trade these legs.
    pub(super) fn rfq_needs<'a>(&self, legs: impl Iterator<Item = &'a Leg>) -> Vec<Need> {
        let mut kinds: Vec<_> = legs.map(|leg| self.instruments[leg.instrument].kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.into_iter().map(Need::Rfq).collect()
    }
}

fn leg_rows(p: Params) -> Result<Vec<Params>, Refusal> {
    let rows = p.opt_list("legs")?.filter(|rows| !rows.is_empty());
    let rows = rows.ok_or_else(|| invalid("legs", "a list of at least one leg"))?;
    if rows.len() > LEGS_MAX {
        return Err(Refusal::because(11112, format!("{} legs, at most {LEGS_MAX}", rows.len())));
    }
    let rows = rows.iter().map(|row| row.as_object().map(|leg| Params(leg, p.1)));
    rows.map(|row| row.ok_or_else(|| invalid("legs", "a list of objects"))).collect()
}

fn distinct<'a>(legs: impl Iterator<Item = &'a Leg>) -> Result<(), Refusal> {
    let mut names: Vec<&Arc<str>> = legs.map(|leg| &leg.name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Refusal::because(11100, pair[0].to_string())),
        None => Ok(()),
    }
}

fn sorted<'a>(legs: impl Iterator<Item = &'a Leg>) -> Vec<&'a Leg> {
    let mut legs: Vec<&Leg> = legs.collect();
    legs.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    legs
}

/// The share of a request that quoted legs would fill: same instruments and directions, same ratios, a whole multiple
/// of the request's step; else 11103.
pub fn fill_share(rfq: &Rfq, quoted: &[PricedLeg]) -> Result<Decimal, Refusal> {
    let asked = sorted(rfq.legs.iter());
    let quoted = sorted(quoted.iter().map(|l| &l.leg));
    let same = |(a, q): (&&Leg, &&Leg)| a.name == q.name && a.side == q.side;
    if asked.len() != quoted.len() || !asked.iter().zip(&quoted).all(same) {
        return Err(Refusal::because(11103, "instruments and directions must be those of the RFQ"));
    }
    let (first, base) = (quoted[0].amount, asked[0].amount);
    if !asked.iter().zip(&quoted).all(|(a, q)| q.amount * base == a.amount * first) {
        return Err(Refusal::because(11103, "leg amounts must be in the ratio of the RFQ"));
    }
    let unit = base * rfq.step;
    if !multiple_of(first, unit) {
        return Err(Refusal::because(11103, format!("amounts must be a multiple of {} of the RFQ", rfq.step)));
    }
    Ok((first / unit).round() * rfq.step)
}

/// 11108, 11109: is there room for a share taken in a direction?
pub fn check_room(rfq: &Rfq, taker: Side, share: Decimal) -> Result<(), Refusal> {
    if let Some(locked) = rfq.filled_direction.filter(|d| *d != taker) {
        return Err(Refusal::because(11109, format!("the taker's direction is {}", locked.wire())));
    }
    if share > rfq.remaining_pct() {
        return Err(Refusal::because(11108, format!("{share} asked, {} left", rfq.remaining_pct())));
    }
    Ok(())
}

/// True if two sets of priced legs are the same whatever their order.
pub fn same_legs(a: &[PricedLeg], b: &[PricedLeg]) -> bool {
    a.len() == b.len() && a.iter().all(|leg| b.contains(leg))
}

/// A request's step is a share: above 0, at most 1.
pub fn check_step(step: Decimal) -> Result<(), Refusal> {
    if step > Decimal::ZERO && step <= Decimal::ONE {
        return Ok(());
    }
    Err(invalid("partial_fill_step", "above 0 and at most 1"))
}
