//! Draws: plain ones, and distances to a boundary that are small, on the permitted side most of the time.

use crate::risk::mandate::action::{Assets, SignatureLife, VaultState};
use crate::risk::mandate::collateral::CollateralLimits;
use crate::risk::mandate::feeds::{FeedState, ForwardDatum, SpotDatum, VolDatum};
use crate::risk::mandate::svi::VolCurve;
use alloy_primitives::{Address, I256, U256};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The asset a vault is denominated in.
pub const BASE: Address = Address::repeat_byte(0xba);
/// The asset beside it.
pub const DERIVATIVE: Address = Address::repeat_byte(0x09);
/// An asset no vault trades.
pub const OTHER: Address = Address::repeat_byte(0x77);

/// A seeded source of actions.
pub struct Dice(ChaCha8Rng);

/// Millionths of one, in decimals.
pub fn micros(value: u64) -> U256 {
    U256::from(value) * U256::from(1_000_000_000_000_u64)
}

/// A word moved by a signed number of units, wrapping.
pub fn off(word: U256, units: i64) -> U256 {
    let by = U256::from(units.unsigned_abs());
    if units < 0 { word.wrapping_sub(by) } else { word.wrapping_add(by) }
}

/// A signed word, bit for bit.
pub fn int(word: U256) -> I256 {
    I256::from_raw(word)
}

/// The product of two decimals, where it fits.
pub fn times(a: U256, b: U256) -> U256 {
    a.wrapping_mul(b) / U256::from(1_000_000_000_000_000_000_u64)
}

impl Dice {
    /// The same seed gives the same actions.
    pub fn new(seed: u64) -> Dice {
        Dice(ChaCha8Rng::seed_from_u64(seed))
    }

    /// One of `low..=high`.
    pub fn pick(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.next_u64() % (high - low + 1)
    }

    /// True in so many of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.pick(0, 99) < percent
    }

    /// One of these.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.pick(0, of.len() as u64 - 1) as usize]
    }

    /// A decimal between two numbers of millionths, its last digits random too.
    pub fn decimal(&mut self, low: u64, high: u64) -> U256 {
        micros(self.pick(low, high)) + U256::from(self.pick(0, 999_999_999_999))
    }

    /// Units on the permitted side of a boundary: often none or one, sometimes up to 2^bits; one time in sixteen on the
    /// other side.
    pub fn margin(&mut self, bits: u32) -> i64 {
        let far = self.pick(1, 1 << bits) as i64;
        match self.pick(0, 63) {
            0..=23 => 0,
            24..=29 => 1,
            30..=59 => far,
            60 | 61 => -1,
            _ => -far,
        }
    }

    /// `word`, at most it by its margin.
    pub fn at_most(&mut self, word: U256, bits: u32) -> U256 {
        let margin = self.margin(bits);
        off(word, -margin)
    }

    /// `word`, at least it by its margin.
    pub fn at_least(&mut self, word: U256, bits: u32) -> U256 {
        let margin = self.margin(bits);
        off(word, margin)
    }

    /// Any word, of any magnitude.
    pub fn word(&mut self) -> U256 {
        let limbs = [(); 4].map(|()| self.0.next_u64());
        U256::from_limbs(limbs) >> (self.pick(0, 255) as usize)
    }

    /// Now and then any word instead.
    pub fn wild(&mut self, word: U256) -> U256 {
        if self.pick(0, 255) == 0 { self.word() } else { word }
    }

    /// The usual asset, rarely another.
    pub fn asset(&mut self, usual: Address) -> Address {
        if self.chance(2) { OTHER } else { usual }
    }

    /// The assets of a vault, with tokens of some decimals.
    pub fn assets(&mut self) -> Assets {
        let token_decimals = if self.chance(2) { self.pick(0, 255) as u8 } else { self.one(&[18, 18, 8, 6]) };
        Assets { base: BASE, derivative: DERIVATIVE, token_decimals }
    }

    /// Bounds on the life of a signature.
    pub fn life(&mut self) -> SignatureLife {
        let min_s = U256::from(self.pick(0, 600));
        let max_s = if self.chance(1) { self.word() } else { min_s + U256::from(self.pick(0, 1_800)) };
        SignatureLife { min_s, max_s }
    }

    /// An expiry on one end of a life.
    pub fn expiry(&mut self, now_s: u64, life: &SignatureLife) -> U256 {
        let now = U256::from(now_s);
        if self.chance(50) {
            self.at_least(now.wrapping_add(life.min_s), 5)
        } else {
            self.at_most(now.wrapping_add(life.max_s), 5)
        }
    }

    /// Limits of swaps.
    pub fn collateral(&mut self) -> CollateralLimits {
        CollateralLimits {
            fee_factor: self.decimal(1_000, 50_000),
            leniency: int(self.decimal(1_000_000, 1_200_000)),
            worst_sell: self.decimal(800_000, 1_000_000),
            worst_buy: self.decimal(1_000_000, 1_200_000),
        }
    }

    /// A vault's balances.
    pub fn state(&mut self, now_s: u64) -> VaultState<'static> {
        let token_balance = self.decimal(0, 10_000_000_000);
        let pending_deposits = self.decimal(0, 1_000_000_000);
        VaultState {
            now_s,
            blocked: self.pick(0, 255) == 0,
            base: int(self.decimal(1_000_000, 1_000_000_000)),
            cash: I256::ZERO,
            options: Vec::new().into(),
            token_balance,
            pending_deposits,
        }
    }

    /// A moment that old at most, by its margin; rarely none.
    fn stamp(&mut self, now_s: u64, heartbeat_s: u64) -> u64 {
        if self.pick(0, 255) == 0 {
            return 0;
        }
        let margin = self.margin(7);
        now_s.saturating_sub(heartbeat_s).saturating_add_signed(margin).min(now_s)
    }

    fn spot_datum(&mut self, now_s: u64, price: U256) -> SpotDatum {
        let heartbeat_s = self.pick(60, 3_600);
        let at_s = self.stamp(now_s, heartbeat_s);
        SpotDatum { price: self.wild(price), at_s, heartbeat_s }
    }

    /// Feeds of one expiry, their ages near the heartbeats; sometimes inside the settlement window.
    pub fn feeds(&mut self, now_s: u64, expiry_s: u64, spot: U256) -> FeedState {
        let ratio = self.decimal(950_000, 1_100_000);
        let [vol_heartbeat_s, forward_heartbeat_s, settlement_heartbeat_s] =
            [self.pick(600, 1_800), self.pick(1_800, 3_600), self.pick(60, 300)];
        let vol_at_s = self.stamp(now_s, vol_heartbeat_s);
        let near_s = expiry_s.saturating_sub(now_s) < 1_800;
        let oldest_s = if near_s { settlement_heartbeat_s } else { forward_heartbeat_s };
        let mut forward_at_s = self.stamp(now_s, oldest_s);
        if self.pick(0, 127) == 0 {
            forward_at_s = expiry_s;
        }
        let difference = self.decimal(0, 20_000_000);
        let settlement_start = self.decimal(0, 1_000_000_000_000);
        let known_s = if self.pick(0, 127) == 0 { expiry_s + 1 } else { expiry_s };
        FeedState {
            now_s,
            base_spot: self.spot_datum(now_s, spot),
            option_spot: self.spot_datum(now_s, times(spot, ratio)),
            vols: vec![VolDatum { expiry_s: known_s, at_s: vol_at_s, curve: self.curve(times(spot, ratio)) }],
            vol_heartbeat_s,
            forwards: vec![ForwardDatum {
                expiry_s: if self.pick(0, 127) == 0 { expiry_s + 1 } else { expiry_s },
                at_s: forward_at_s,
                spot_difference: if self.chance(50) { int(difference) } else { -int(difference) },
                settlement_start,
                settlement_now: settlement_start + times(spot, micros(self.pick(0, 1_800_000_000))),
            }],
            forward_heartbeat_s,
            settlement_heartbeat_s,
        }
    }

    fn curve(&mut self, forward: U256) -> VolCurve {
        let tilt = int(self.decimal(0, 400_000));
        let aside = int(self.decimal(0, 30_000));
        let mut curve = VolCurve {
            a: int(self.decimal(500, 9_000)),
            b: self.decimal(1_000, 40_000),
            rho: if self.chance(80) { -tilt } else { tilt },
            m: if self.chance(50) { -aside } else { aside },
            sigma: self.decimal(20_000, 300_000),
            forward: self.decimal(980_000, 1_020_000),
            ref_tau: self.pick(10_000_000_000_000_000, 30_000_000_000_000_000),
        };
        curve.forward = times(forward, curve.forward);
        match self.pick(0, 255) {
            0 => curve.a = int(self.word()),
            1 => curve.forward = U256::ZERO,
            2 => (curve.rho, curve.m) = (-int(micros(90_000_000)), -int(micros(1_000_000))),
            3 => curve.b = self.word(),
            4 => curve.ref_tau = self.pick(0, 1),
            5 => curve.a = -int(micros(10_000_000)),
            _ => {}
        }
        curve
    }

    /// Id of an option with a strike of that many hundredths.
    pub fn sub_id(&mut self, strike_cents: u64, expiry_s: u64, is_call: bool) -> U256 {
        let strike = u128::from(strike_cents) * 1_000_000;
        let id = U256::from(u128::from(expiry_s & u64::from(u32::MAX)) | strike << 32 | u128::from(is_call) << 95);
        if self.pick(0, 255) == 0 { id | U256::ONE << 96_usize } else { id }
    }
}
