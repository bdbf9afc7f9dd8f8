//! Option ids, feeds and prices as the specification tells them.

use super::number::{
    OVERFLOW, Said, as_signed, cast_128, cast_signed, cast_unsigned, div, i, ln, mul, n, normal, of, over, root,
    signed, smul, u, wad,
};
use crate::risk::mandate::feeds::{FeedState, ForwardDatum, SpotDatum};
use crate::risk::mandate::svi::VolCurve;
use alloy_primitives::U256;
use num_bigint::{BigInt, Sign};

/// What an id says.
pub struct Terms {
    /// Expiry, Unix seconds.
    pub expiry: BigInt,
    /// Strike in decimals.
    pub strike: BigInt,
    /// Call rather than put.
    pub is_call: bool,
}

/// Reads `expiry | strike · 1e8 << 32 | isCall << 95`.
pub fn terms(sub_id: U256) -> Said<Terms> {
    let id = of(sub_id);
    if id.bits() > 96 {
        return Err("SafeCast");
    }
    let strike: BigInt = (&id >> 32) % (n(1) << 63);
    Ok(Terms { expiry: &id % (n(1) << 32), strike: strike * n(10_000_000_000), is_call: id.bit(95) })
}

/// Refuses a time beyond 64 bits, where the feeds keep theirs.
fn moment(x: BigInt) -> Said<BigInt> {
    if x.bits() > 64 || x.sign() == Sign::Minus { Err(OVERFLOW) } else { Ok(x) }
}

fn check_age(at_s: u64, heartbeat_s: u64, now_s: u64) -> Said<()> {
    let due = moment(BigInt::from(at_s) + heartbeat_s)?;
    if due < BigInt::from(now_s) { Err("BLF_DataTooOld") } else { Ok(()) }
}

fn fresh(datum: &SpotDatum, now_s: u64) -> Said<BigInt> {
    check_age(datum.at_s, datum.heartbeat_s, now_s)?;
    Ok(of(datum.price))
}

/// Spot of the base.
pub fn spot(feeds: &FeedState) -> Said<BigInt> {
    fresh(&feeds.base_spot, feeds.now_s)
}

/// Volatility of a strike.
pub fn vol(feeds: &FeedState, terms: &Terms) -> Said<BigInt> {
    let mut found = feeds.vols.iter().filter(|datum| BigInt::from(datum.expiry_s) == terms.expiry && datum.at_s > 0);
    let datum = found.next().ok_or("LVF_MissingExpiryData")?;
    check_age(datum.at_s, feeds.vol_heartbeat_s, feeds.now_s)?;
    curve(&datum.curve, &terms.strike)
}

/// √(a + b(ρ(k − m) + √((k − m)² + σ²)) / τ), k being ln(K/F) held within four volatilities.
pub fn curve(curve: &VolCurve, strike: &BigInt) -> Said<BigInt> {
    if strike.sign() == Sign::NoSign {
        return Ok(n(0));
    }
    let [b, sigma, forward] = [curve.b, curve.sigma, curve.forward].map(of);
    let [a, rho, m] = [curve.a, curve.rho, curve.m].map(signed);
    if forward.sign() == Sign::NoSign {
        return Err("SVI_NoForwardPrice");
    }
    let vertex = i(&a + mul(&b, &sigma)?)?;
    if vertex.sign() == Sign::Minus {
        return Err("SVI: value must be positive");
    }
    let reach = smul(&root(&vertex)?, &(wad() * 4))?;
    let moneyness = as_signed(div(strike, &forward)?);
    let k = match moneyness.sign() {
        Sign::NoSign => i(-&reach)?,
        _ => ln(&moneyness)?.clamp(i(-&reach)?, reach),
    };
    let aside = i(k - m)?;
    let radius = root(&u(smul(&aside, &aside)? + mul(&sigma, &sigma)?)?)?;
    let bent = i(as_signed(radius) + smul(&rho, &aside)?)?;
    let variance = i(a + smul(&as_signed(b), &bent)?)?;
    if variance.sign() == Sign::Minus {
        return Err("SVI_InvalidParameters");
    }
    root(&div(&variance.min(wad() * 144), &BigInt::from(curve.ref_tau))?)
}

/// Forward to an expiry, in its last half hour blended with the average of spot.
pub fn forward(feeds: &FeedState, terms: &Terms) -> Said<BigInt> {
    let spot = fresh(&feeds.option_spot, feeds.now_s)?;
    let mut found =
        feeds.forwards.iter().filter(|datum| BigInt::from(datum.expiry_s) == terms.expiry && datum.at_s > 0);
    let datum = found.next().ok_or("LFF_MissingExpiryData")?;
    if datum.at_s != datum.expiry_s {
        check_age(datum.at_s, feeds.forward_heartbeat_s, feeds.now_s)?;
        let window = moment(BigInt::from(datum.expiry_s) - 1_800)?;
        let due = moment(BigInt::from(datum.at_s) + feeds.settlement_heartbeat_s)?;
        let now = BigInt::from(feeds.now_s);
        if now > window && now > due {
            return Err("LFF_SettlementDataTooOld");
        }
    }
    blended(datum, &spot)
}

fn blended(datum: &ForwardDatum, spot: &BigInt) -> Said<BigInt> {
    let live = cast_unsigned(&i(cast_signed(spot)? + signed(datum.spot_difference))?)?;
    let left = moment(BigInt::from(datum.expiry_s) - datum.at_s)?;
    if left >= n(1_800) {
        return Ok(live);
    }
    let fixed = u(of(datum.settlement_now) - of(datum.settlement_start))? / n(1_800);
    u(fixed + u(live * left)? / n(1_800))
}

/// Prices of both options and the call's delta.
pub struct Priced {
    /// Call.
    pub call: BigInt,
    /// Put.
    pub put: BigInt,
    /// Delta of the call.
    pub delta: BigInt,
}

/// Black 1976 with discount one, after the contracts narrowed volatility and forward to 128 bits.
pub fn black76(left_s: &BigInt, vol: &BigInt, forward: &BigInt, strike: &BigInt) -> Said<Priced> {
    let (vol, forward) = (cast_128(vol)?, cast_128(forward)?);
    let years = left_s * wad() / n(31_536_000);
    let total = vol * root(&years)? / wad();
    if strike.sign() == Sign::NoSign {
        return Ok(Priced { call: forward, put: n(0), delta: wad() });
    }
    if forward.sign() == Sign::NoSign {
        return Ok(Priced { call: n(0), put: strike.clone(), delta: n(0) });
    }
    let m = strike * wad() / &forward;
    let (call, delta) = if total >= wad() * 24 {
        (wad(), wad())
    } else {
        let (total, shown) = (total.max(n(1)), m.clone().max(n(1)));
        let half_square: BigInt = (&total >> 1) * &total / wad();
        let d1 = over((half_square - ln(&shown)?) * wad(), &total)?;
        let above = normal(&d1)?;
        let owed = &shown * normal(&(d1 - total))? / wad();
        ((&above - owed).max(n(0)), above)
    };
    let put: BigInt = (&call + &m - wad()).max(n(0));
    let call = (call * &forward / wad()).min(forward.clone());
    Ok(Priced { call, put: (put * forward / wad()).min(strike.clone()), delta })
}
