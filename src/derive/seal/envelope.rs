//! The signer's own wall: what the bytes about to be signed may say, whatever risk has let pass.
//!
//! It reads the hashed preimages, not the wish they were made from, and knows nothing of risk's state: its instruments
//! come with the listings, its marks on a lane of their own, its sums are its own. Every judgement takes no memory and
//! bounded time, and counts only what it lets pass.

mod capital;
mod given;
mod limits;
pub mod pins;
mod reading;
#[cfg(test)]
mod tests;

pub use limits::{CapitalFence, FenceLimits, FenceTerms, LIFE_S_MAX};
pub use reading::{Head, OrderReading, PackageReading};

use crate::base::ids::{InstrumentId, Name, Right, Side, SubaccountId, VaultId};
use crate::base::num::{Amount, Cash, Price, Ratio, Rounding};
use crate::base::time::{Nanos, SEC};
use crate::derive::action::rfq::{ExecutionTemplate, TakenLeg};
use crate::derive::action::trade::{OrderTemplate, option_sub_id};
use crate::derive::decode::INSTRUMENTS_MAX;
use crate::derive::dialect::{Address, Dialect, NonceUnit, Word};
use crate::engine::journal::PinRecord;
use crate::engine::rolling::{Given, Rolling, Spent};
use crate::market::instrument::{Instrument, Kind, Listing, OptionTerms};
use crate::msg::{Breach, LEGS, Mark, Product};
use crate::risk::nonces;
use crate::risk::order::Replaced;
use given::{Entry, Lines};
use pins::{Pins, Seen};

/// Furthest a nonce may name a moment ahead of our clock: an honest one is as far ahead of the venue's clock, and that of
/// ours, as their source allows. One from further ahead would leave no room for those after it.
pub const NONCE_AHEAD_NS_MAX: u64 = nonces::CLOCK_DIFFERENCE_NS_MAX + nonces::AHEAD_NS_MAX;

/// What the envelope knows of an instrument.
#[derive(Clone, Copy, Debug, Hash)]
struct Goods {
    kind: Kind,
    currency: Name,
    asset: Address,
    sub_id: u128,
    option: Option<OptionTerms>,
    mark: Price,
    marked_at: Nanos,
}

impl Goods {
    fn of(instrument: &Instrument) -> Goods {
        Goods {
            kind: instrument.kind,
            currency: instrument.base_currency,
            asset: instrument.asset,
            sub_id: instrument.sub_id,
            option: instrument.option,
            mark: Price::ZERO,
            marked_at: Nanos::ZERO,
        }
    }

    /// True unless an option's terms are other than its sub-id says: what is signed is the sub-id.
    fn is_sound(&self) -> bool {
        match (self.kind, self.option) {
            (Kind::Option, Some(OptionTerms { expiry_s, strike, right })) => {
                strike.is_positive() && option_sub_id(right == Right::Call, strike, expiry_s) == Some(self.sub_id)
            }
            (Kind::Option, None) | (Kind::Spot | Kind::Perp, Some(_)) => false,
            (Kind::Spot | Kind::Perp, None) => true,
        }
    }

    fn is_same(&self, instrument: &Instrument) -> bool {
        let other = Goods::of(instrument);
        (self.kind, self.currency, self.asset, self.sub_id, self.option)
            == (other.kind, other.currency, other.asset, other.sub_id, other.option)
    }

    /// The mark, if it is recent.
    fn fresh_mark(&self, at: Nanos, age_ns_max: u64) -> Result<Price, Breach> {
        let fresh = self.mark.is_positive() && at.since(self.marked_at) <= age_ns_max;
        if fresh { Ok(self.mark) } else { Err(Breach::Mark) }
    }
}

/// One vault's fence, with what has been signed for it.
#[derive(Clone, Debug, Hash)]
struct Fence {
    terms: FenceTerms,
    spent: Spent,
    lines: Lines,
}

/// What a signature spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Notional of the order.
    pub notional: Cash,
    /// The same, if it buys the perp; else zero.
    pub bought: Cash,
    /// What it gives away.
    pub given: Given,
}

/// The envelope of one key: chain, modules, owner, and a fence per subaccount.
#[derive(Clone, Debug, Hash)]
pub struct Envelope {
    domain: Word,
    trade: Address,
    rfq: Address,
    owner: Address,
    signer: Address,
    nonce_unit: NonceUnit,
    fences: Vec<Fence>,
    goods: Box<[Option<Goods>]>,
    pins: Pins,
}

impl Envelope {
    /// For one wallet, one key and these vaults. No instrument is known yet.
    pub fn new(
        dialect: &Dialect,
        owner: Address,
        signer: Address,
        terms: impl IntoIterator<Item = FenceTerms>,
    ) -> Envelope {
        let fence = |terms| Fence { terms, spent: Spent::default(), lines: Lines::default() };
        Envelope {
            domain: dialect.domain_separator,
            trade: dialect.modules.trade,
            rfq: dialect.modules.rfq,
            owner,
            signer,
            nonce_unit: dialect.nonce_unit,
            fences: terms.into_iter().map(fence).collect(),
            goods: vec![None; INSTRUMENTS_MAX].into(),
            pins: Pins::default(),
        }
    }

    /// Knowing what names have meant in earlier runs.
    pub fn pinned(self, known: &[PinRecord]) -> Envelope {
        Envelope { pins: Pins::of(known), ..self }
    }

    /// What names have meant so far.
    pub fn pins(&self) -> &[PinRecord] {
        self.pins.records()
    }

    /// Subaccount of a vault, if it has a fence.
    pub fn subaccount(&self, vault: VaultId) -> Option<SubaccountId> {
        self.fences.iter().map(|fence| &fence.terms).find(|terms| terms.vault == vault).map(|terms| terms.subaccount)
    }

    /// What has been signed lately, by subaccount.
    pub fn spent(&self) -> impl Iterator<Item = (SubaccountId, &Spent)> {
        self.fences.iter().map(|fence| (fence.terms.subaccount, &fence.spent))
    }

    /// From now on this place holds this instrument, or nothing if the instrument contradicts itself or what its name
    /// has meant so far. A mark stays only with the instrument it belongs to. Yields what is to go on record.
    pub fn list(&mut self, instrument: &Instrument) -> Option<PinRecord> {
        let goods = Goods::of(instrument);
        let traded = goods.is_sound() && self.is_traded(&goods);
        let place = self.goods.get_mut(usize::from(instrument.id.0))?;
        let seen = if traded { self.pins.see(instrument) } else { Seen::Moved };
        match (seen, place.as_ref()) {
            (Seen::Moved, _) => *place = None,
            (_, Some(held)) if held.is_same(instrument) => {}
            _ => *place = Some(goods),
        }
        match seen {
            Seen::First(pin) => Some(pin),
            Seen::Same | Seen::Moved => None,
        }
    }

    /// True unless it is an option of a currency that no vault trades options of.
    fn is_traded(&self, goods: &Goods) -> bool {
        let own = |fence: &Fence| fence.terms.options.is_some_and(|(own, ..)| own == goods.currency);
        goods.kind != Kind::Option || self.fences.iter().any(own)
    }

    /// Takes a change of the instrument table. Only options come and go: of the others nothing is believed that was not
    /// there from the start. Yields what is to go on record.
    pub fn apply(&mut self, listing: &Listing) -> Option<PinRecord> {
        match listing {
            Listing::Listed { instrument, .. } if instrument.kind == Kind::Option => self.list(instrument),
            Listing::Listed { .. } => None,
            Listing::Delisted { id } => {
                *self.goods.get_mut(usize::from(id.0))? = None;
                None
            }
        }
    }

    /// Takes a mark. One that is not newer than the last changes nothing.
    pub fn mark(&mut self, mark: &Mark) {
        if let Some(Some(goods)) = self.goods.get_mut(usize::from(mark.instrument.0))
            && mark.at >= goods.marked_at
        {
            (goods.mark, goods.marked_at) = (mark.price, mark.at);
        }
    }

    /// Counts what earlier runs have signed for a subaccount, as their journal tells: a restart buys no new day.
    pub fn remember(&mut self, subaccount: SubaccountId, spent: &Spent) {
        if let Some(fence) = self.fences.iter_mut().find(|fence| fence.terms.subaccount == subaccount) {
            fence.spent = spent.clone();
        }
    }

    /// Judges the order whose bytes the template hashed last, and which is said to replace another; yields what it was
    /// counted with.
    pub fn judge_order(
        &mut self,
        at: Nanos,
        instrument: InstrumentId,
        template: &OrderTemplate,
        replaces: Option<Replaced>,
    ) -> Result<Charge, Breach> {
        let reading = OrderReading::of(template)?;
        self.judge_reading(at, instrument, &reading, replaces)
    }

    fn judge_reading(
        &mut self,
        at: Nanos,
        id: InstrumentId,
        order: &OrderReading,
        replaces: Option<Replaced>,
    ) -> Result<Charge, Breach> {
        let place = self.judge_head(at, &order.head, self.trade)?;
        if order.recipient != order.head.subaccount {
            return Err(Breach::Subaccount);
        }
        let goods = self.goods.get(usize::from(id.0)).copied().flatten().ok_or(Breach::Instrument)?;
        if (goods.asset, goods.sub_id) != (order.asset, order.sub_id) {
            return Err(Breach::Instrument);
        }
        if !(order.price.is_positive() && order.amount.is_positive() && !order.max_fee.is_negative()) {
            return Err(Breach::Range);
        }
        let fence = &mut self.fences[place];
        let band = fence.allows(&goods, order.side)?;
        let limits = &fence.terms.limits;
        let unit = goods.option.map_or(order.price, |option| option.strike);
        let notional = unit.times(order.amount);
        if order.max_fee.times(order.amount) > notional.scale(limits.fee_max, Rounding::Floor) {
            return Err(Breach::Fee);
        }
        let mark = goods.fresh_mark(at, limits.mark_age_ns_max)?;
        let slack = mark.scale(band, Rounding::Floor);
        let near = match order.side {
            Side::Buy => order.price <= mark + slack,
            Side::Sell => order.price >= mark - slack,
        };
        if !near {
            return Err(Breach::Price);
        }
        let bought = if (goods.kind, order.side) == (Kind::Perp, Side::Buy) { notional } else { Cash::ZERO };
        let per_unit_e9 = given::wrong_side(order.side, order.price, mark) + i128::from(order.max_fee.raw());
        let entry = Entry { nonce: order.head.nonce, per_unit_e9, amount: order.amount, replaces };
        let charge = Charge { notional, bought, given: fence.lines.weigh(&entry)? };
        fence.spend(at, charge, fence.share(goods.kind))?;
        fence.lines.note(at, &entry, &charge.given);
        Ok(charge)
    }

    /// Judges the package whose bytes the template hashed last; yields what it was counted with.
    pub fn judge_package(
        &mut self,
        at: Nanos,
        instruments: [InstrumentId; LEGS],
        template: &ExecutionTemplate,
    ) -> Result<Charge, Breach> {
        let reading = PackageReading::of(template)?;
        let max_fee = reading.max_fee;
        let place = self.judge_head(at, &reading.head, self.rfq)?;
        let mut legs = [None; LEGS];
        for (leg, found) in reading.legs.iter().zip(&mut legs) {
            let of_leg = |id: &InstrumentId| {
                let goods = self.goods.get(usize::from(id.0)).copied().flatten()?;
                ((goods.asset, goods.sub_id) == (leg.asset, leg.sub_id)).then_some(goods)
            };
            *found = instruments.iter().find_map(of_leg).map(|goods| (goods, *leg));
        }
        let [Some(one), Some(two)] = legs else { return Err(Breach::Instrument) };
        let fence = &mut self.fences[place];
        let spread = fence.spread(one, two)?;
        let limits = &fence.terms.limits;
        if max_fee.is_negative() {
            return Err(Breach::Range);
        }
        let fee = max_fee.times(Amount::ONE);
        if fee > spread.worth().scale(limits.package_fee_max, Rounding::Floor) {
            return Err(Breach::Fee);
        }
        let mark = spread.far_mark(at, limits.mark_age_ns_max)?;
        // Per unit, signed: what is received for a spread that is sold, what is paid for one that is bought.
        let slack = mark.scale(limits.option_band, Rounding::Floor);
        let near = match spread.product.side() {
            Side::Sell => spread.net.is_positive() && spread.net >= mark - slack,
            Side::Buy => spread.net <= mark + slack,
        };
        if !near {
            return Err(Breach::Price);
        }
        let per_unit_e9 = given::wrong_side(spread.product.side(), spread.net, mark);
        let away = given::worst(per_unit_e9, spread.legs[0].1.amount, fee)?;
        let given = Given { away, ..Given::default() };
        let charge = Charge { notional: spread.notional, bought: Cash::ZERO, given };
        fence.spend(at, charge, Ratio::ONE).map(|()| charge)
    }

    /// Chain, module, owner, key, nonce, subaccount and life; yields the fence's place.
    fn judge_head(&self, at: Nanos, head: &Head, module: Address) -> Result<usize, Breach> {
        if head.domain != self.domain {
            return Err(Breach::Chain);
        }
        if head.module != module {
            return Err(Breach::Module);
        }
        if head.owner != self.owner {
            return Err(Breach::Owner);
        }
        if head.signer != self.signer {
            return Err(Breach::Signer);
        }
        if self.nonce_unit.moment(head.nonce).since(at) > NONCE_AHEAD_NS_MAX {
            return Err(Breach::Nonce);
        }
        let place = self.fences.iter().position(|fence| fence.terms.subaccount == head.subaccount);
        let place = place.ok_or(Breach::Subaccount)?;
        let (expiry, life_s_max) = (head.expiry_s.checked_mul(SEC), self.fences[place].terms.limits.life_s_max);
        let longest = life_s_max.min(LIFE_S_MAX) * SEC;
        let left = expiry.and_then(|expiry| expiry.checked_sub(at.0)).ok_or(Breach::Life)?;
        if left > 0 && left <= longest { Ok(place) } else { Err(Breach::Life) }
    }
}

/// A spread, seen from the vault.
struct Spread {
    product: Product,
    /// The leg with the package's own direction, then the other.
    legs: [(Goods, TakenLeg); LEGS],
    net: Price,
    notional: Cash,
}

impl Spread {
    /// What it costs or brings, all of it.
    fn worth(&self) -> Cash {
        self.net.abs().times(self.legs[0].1.amount)
    }

    /// The spread's mark per unit, if both legs have a recent one and it is worth anything.
    fn far_mark(&self, at: Nanos, age_ns_max: u64) -> Result<Price, Breach> {
        let [(near, _), (far, _)] = &self.legs;
        let mark = near.fresh_mark(at, age_ns_max)? - far.fresh_mark(at, age_ns_max)?;
        if mark.is_positive() { Ok(mark) } else { Err(Breach::Price) }
    }
}

impl Fence {
    /// How far from its mark the vault may trade this as a single order, if it may.
    fn allows(&self, goods: &Goods, side: Side) -> Result<Ratio, Breach> {
        let FenceTerms { base, perp, options, limits, .. } = &self.terms;
        match goods.kind {
            Kind::Spot if goods.currency == *base => Ok(limits.price_band),
            Kind::Perp if Some(goods.currency) == *perp => Ok(limits.price_band),
            Kind::Option => {
                let (currency, product, _) = options.ok_or(Breach::Instrument)?;
                let right = goods.option.map(|option| option.right);
                if goods.currency != currency || right != Some(product.right()) {
                    return Err(Breach::Instrument);
                }
                if product.is_spread() {
                    return Err(Breach::Module);
                }
                if side == product.side() { Ok(limits.option_band) } else { Err(Breach::Side) }
            }
            Kind::Spot | Kind::Perp => Err(Breach::Instrument),
        }
    }

    /// The two legs as the spread the vault trades, if they are one.
    fn spread(&self, one: (Goods, TakenLeg), two: (Goods, TakenLeg)) -> Result<Spread, Breach> {
        let (currency, product, distance) = self.terms.options.ok_or(Breach::Module)?;
        if !product.is_spread() {
            return Err(Breach::Module);
        }
        for (goods, leg) in [&one, &two] {
            let right = goods.option.map(|option| option.right);
            if goods.kind != Kind::Option || goods.currency != currency || right != Some(product.right()) {
                return Err(Breach::Instrument);
            }
            if leg.price.is_negative() || !leg.amount.is_positive() {
                return Err(Breach::Range);
            }
        }
        let legs = if one.1.side == product.side() { [one, two] } else { [two, one] };
        let [(near, own), (far, other)] = &legs;
        let [Some(near), Some(far)] = [near.option, far.option] else { return Err(Breach::Instrument) };
        if (own.side, other.side) != (product.side(), product.side().opposite()) {
            return Err(Breach::Side);
        }
        let wide = match product {
            Product::ShortPutSpread => near.strike - far.strike,
            Product::ShortCallSpread | Product::LongCallSpread | Product::CoveredCall => far.strike - near.strike,
        };
        if near.expiry_s != far.expiry_s || own.amount != other.amount || wide != distance || !wide.is_positive() {
            return Err(Breach::Package);
        }
        let notional = near.strike.max(far.strike).times(own.amount);
        Ok(Spread { product, net: own.price - other.price, legs, notional })
    }

    /// What of a budget an order may use up: a quarter of what a vault may sign and give away is kept for its hedges.
    fn share(&self, kind: Kind) -> Ratio {
        let hedged = self.terms.perp.is_some() && kind == Kind::Spot;
        if hedged { Ratio::from_bps(7_500) } else { Ratio::ONE }
    }

    /// Counts a charge if it fits into this share of what may be signed and given away.
    fn spend(&mut self, at: Nanos, charge: Charge, share: Ratio) -> Result<(), Breach> {
        let limits = self.terms.limits;
        if charge.notional > limits.notional_max {
            return Err(Breach::Notional);
        }
        let spent = &mut self.spent;
        let most = i128::from(limits.orders_per_minute_max) * i128::from(share.raw());
        if spent.count.sum(at) * i128::from(Ratio::ONE.raw()) >= most {
            return Err(Breach::Pace);
        }
        let fits = |sum: &mut Rolling, what: Cash, most: Cash| sum.sum(at).saturating_add(what.raw()) <= most.raw();
        if !fits(&mut spent.hour, charge.notional, limits.notional_per_hour_max) {
            return Err(Breach::Hour);
        }
        if !fits(&mut spent.day, charge.notional, limits.notional_per_day_max) {
            return Err(Breach::Day);
        }
        if charge.bought.is_positive() && !fits(&mut spent.bought, charge.bought, limits.bought_per_day_max) {
            return Err(Breach::Bought);
        }
        let given = [limits.given_per_hour_max, limits.given_per_day_max];
        given::fits(spent, at, &charge.given, given.map(|most| most.scale(share, Rounding::Floor)))?;
        spent.charge(at, charge.notional, charge.bought);
        spent.charge_given(at, &charge.given);
        Ok(())
    }
}
