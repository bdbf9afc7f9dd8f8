//! What an option vault does: worked examples, tables of every guard, and properties over whole auctions.

mod bull;
mod collateral;
mod examples;
mod lifecycle;
mod limit;
mod properties;
mod recovery;
mod rfq;
mod schedule;
mod selector;

use super::amend::Amend;
use super::params::{
    AuctionTerms, CollateralAuction, IvDecay, LimitAuction, OptionParams, RfqAuction, Selection, Week,
};
use super::{ChainLine, OptionVault, OptionView, State};
use crate::base::ids::{InstrumentId, Name, Nonce, Right, Side, Uuid, VaultId};
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::{MS, Nanos, SEC};
use crate::market::black76;
use crate::market::instrument::{Instrument, Kind, OptionTerms};
use crate::msg::{
    Account, Act, Concern, Held, Leg, Life, Milestone, Mode, Offer, OpenRfq, OptionValue, Phase, PricedLeg, Product,
    RfqWish, Tale, Talk, Value, Wish, Working,
};

/// Friday 2026-12-25 08:00 UTC.
const EXPIRY_S: u64 = 1_798_185_600;
const DAY_S: u64 = 86_400;
/// Collateral's place in the table.
const BASE: InstrumentId = InstrumentId(0);

fn price(text: &str) -> Price {
    text.parse().expect("literal")
}

fn amount(text: &str) -> Amount {
    text.parse().expect("literal")
}

fn ratio(text: &str) -> Ratio {
    text.parse().expect("literal")
}

fn cash(text: &str) -> Cash {
    text.parse().expect("literal")
}

fn seconds(s: u64) -> Nanos {
    Nanos(s * SEC)
}

fn week() -> Week {
    Week {
        expiry_days: 7,
        expiry_s_min: 144 * 3600,
        option_delay_s: 310 * 60,
        auction_s: 7200,
        spot_delay_s: 3600,
        settlement_s_max: 1800,
    }
}

fn collateral() -> CollateralAuction {
    CollateralAuction {
        init_spread: Ratio::ZERO,
        spread_per_s: ratio("0.00001"),
        max_spread: ratio("0.01"),
        auction_s_max: 2700,
        reprice_min: Price::ONE,
        dust: Cash::ONE,
    }
}

fn limit_terms() -> LimitAuction {
    LimitAuction {
        decay: IvDecay::Multiplicative { init: Ratio::ZERO, per_min: ratio("0.005"), max: ratio("0.2") },
        reprice_min: price("0.1"),
        vol_factor_min: ratio("0.8"),
        floor_margin: ratio("0.001"),
        reselect_move: ratio("0.02"),
    }
}

fn rfq_terms() -> RfqAuction {
    RfqAuction {
        lot_size: amount("15"),
        lot_rounding: amount("5"),
        lot_life_s: 120,
        freeze_s: 15,
        init_spread: Ratio::ZERO,
        spread_per_min: ratio("0.5"),
        max_spread: Ratio::ONE,
        unit_cost_min: Price::whole(-200),
        unit_cost_max: Price::whole(-1),
        partial_fill_step: Ratio::ONE,
        maker_pause_ns: 4 * SEC,
        poll_ns: SEC,
        reselect_move: ratio("0.02"),
        budget_share: Ratio::ONE,
        budget_share_max: ratio("0.01"),
    }
}

/// The operator's parameters of each product, as Derive's own executor runs them.
fn params(product: Product) -> OptionParams {
    let spread = |strike_diff: i64| Selection::SpreadRatio {
        strike_diff: Price::whole(strike_diff),
        target: ratio("0.07"),
        min: ratio("0.02"),
        max: ratio("0.12"),
    };
    let (selection, auction) = match product {
        Product::CoveredCall => (
            Selection::Delta { target: ratio("0.1"), min: ratio("0.05"), max: ratio("0.15") },
            AuctionTerms::Limit(limit_terms()),
        ),
        Product::ShortCallSpread => (spread(100), AuctionTerms::Rfq(rfq_terms())),
        Product::ShortPutSpread => (spread(100), AuctionTerms::Rfq(rfq_terms())),
        Product::LongCallSpread => (
            Selection::SpreadRatio {
                strike_diff: Price::whole(200),
                target: ratio("0.4"),
                min: ratio("0.25"),
                max: ratio("0.55"),
            },
            AuctionTerms::Rfq(RfqAuction {
                lot_rounding: amount("0.01"),
                spread_per_min: ratio("0.1"),
                max_spread: ratio("0.2"),
                unit_cost_min: Price::ZERO,
                unit_cost_max: Price::whole(140),
                ..rfq_terms()
            }),
        ),
    };
    OptionParams {
        product,
        week: week(),
        selection,
        auction,
        collateral: collateral(),
        refusal_pause_ns: SEC,
        refresh_ns: 30 * SEC,
        amend: Amend::Replace,
    }
}

fn instrument(id: u16, name: &str, kind: Kind) -> Instrument {
    Instrument {
        id: InstrumentId(id),
        name: Name::new(name).expect("short"),
        kind,
        base_currency: Name::default(),
        asset: [0; 20],
        sub_id: 0,
        tick: price("0.1"),
        step: amount("0.001"),
        min_amount: amount("0.01"),
        max_amount: amount("1000000"),
        maker_fee: Ratio::ZERO,
        taker_fee: Ratio::ZERO,
        base_fee: Cash::ZERO,
        mark_fee_cap: Ratio::ZERO,
        option: None,
        active: true,
    }
}

fn value(id: InstrumentId, mark: Price, index: Price) -> Value {
    Value { instrument: id, fair: mark, mark, index, good_until: Nanos::MAX, ..Value::default() }
}

/// An account with nothing but collateral.
fn account() -> Account {
    Account {
        trace: Default::default(),
        vault: VaultId(0),
        mode: Mode::Live,
        base: Amount::whole(100),
        perp: Amount::ZERO,
        cash: Cash::ZERO,
        perp_cost: Cash::ZERO,
        borrow_apr: None,
        loss_ema: Ratio::ZERO,
        intents_seen: 0,
        intent_refused: 0,
        settling: false,
        quote_budget: 100,
        proved_at: Nanos(1),
        milestone: Milestone::default(),
        held: Default::default(),
        working: Default::default(),
    }
}

/// A vault with all it looks at.
struct Scene {
    params: OptionParams,
    state: State,
    account: Account,
    talk: Talk,
    base: Value,
    base_instrument: Instrument,
    chain: Vec<ChainLine>,
    remembered: Option<Milestone>,
    at: Nanos,
    next_nonce: u64,
    /// Nothing that is told arrives.
    is_deaf: bool,
}

impl Scene {
    /// A vault of 100 units of collateral worth `spot`, with a chain of one expiry around it and nothing held.
    fn new(product: Product, spot: i64) -> Scene {
        let index = Price::whole(spot);
        let mut base_instrument = instrument(BASE.0, "WEETH-USDC", Kind::Spot);
        base_instrument.tick = price("0.01");
        let mut scene = Scene {
            params: params(product),
            state: State::default(),
            account: account(),
            talk: Talk::default(),
            base: value(BASE, index, index),
            base_instrument,
            chain: Vec::new(),
            remembered: None,
            at: seconds(EXPIRY_S - 7 * DAY_S + week().option_delay_s),
            next_nonce: 1,
            is_deaf: false,
        };
        for step in -10..=12 {
            scene.list(spot + step * 100, EXPIRY_S, "0.6");
        }
        scene
    }

    /// Lists an option of the product's right with its Black-76 mark at this volatility, on a forward at the index.
    fn list(&mut self, strike: i64, expiry_s: u64, vol: &str) -> InstrumentId {
        let right = self.params.product.right();
        let letter = if right == Right::Call { 'C' } else { 'P' };
        let id = InstrumentId(self.chain.len() as u16 + 1);
        let mut instrument = instrument(id.0, &format!("ETH-{expiry_s}-{strike}-{letter}"), Kind::Option);
        instrument.option = Some(OptionTerms { expiry_s, strike: Price::whole(strike), right });
        self.chain.push(ChainLine { instrument, value: None });
        self.price_line(id, ratio(vol));
        id
    }

    /// Prices a line from the base's index and a volatility.
    fn price_line(&mut self, id: InstrumentId, vol: Ratio) {
        let (index, at) = (self.base.index, self.at);
        let line = self.chain.iter_mut().find(|line| line.instrument.id == id).expect("listed");
        let terms = line.instrument.option.expect("option");
        let left = terms.seconds_left(at);
        let rounding = crate::base::num::Rounding::HalfUp;
        let mark = black76::price(terms.right, index, terms.strike, vol, left, Ratio::ONE, rounding).expect("priced");
        let delta = black76::delta(terms.right, index, terms.strike, vol, left).expect("priced");
        let option = OptionValue { mark_iv: vol, forward: index, discount: Ratio::ONE, delta };
        line.value = Some(Value { option: Some(option), ..value(id, mark.max(price("0.001")), index) });
    }

    /// Prices every option anew, on a new index.
    fn move_to(&mut self, index: Price) {
        self.base.index = index;
        self.base.mark = index;
        for id in self.chain.iter().map(|line| line.instrument.id).collect::<Vec<_>>() {
            self.price_line(id, ratio("0.6"));
        }
    }

    fn id(&self, strike: i64) -> InstrumentId {
        let strike = Price::whole(strike);
        let line = self.chain.iter().find(|line| line.instrument.option.is_some_and(|terms| terms.strike == strike));
        line.expect("listed").instrument.id
    }

    fn set_mark(&mut self, strike: i64, mark: &str) {
        let id = self.id(strike);
        let line = self.chain.iter_mut().find(|line| line.instrument.id == id).expect("listed");
        line.value.as_mut().expect("priced").mark = price(mark);
    }

    fn hold(&mut self, strike: i64, size: &str) {
        let id = self.id(strike);
        self.hold_id(id, amount(size));
    }

    fn hold_id(&mut self, instrument: InstrumentId, change: Amount) {
        let held = &mut self.account.held;
        let known = held.iter().position(|held| held.is_some_and(|held| held.instrument == instrument));
        let place = known.or_else(|| held.iter().position(Option::is_none)).expect("room");
        let size = held[place].map_or(Amount::ZERO, |held| held.amount) + change;
        held[place] = (!size.is_zero()).then_some(Held { instrument, amount: size });
    }

    /// One look.
    fn look(&mut self) -> Option<Act> {
        let view = OptionView {
            account: &self.account,
            talk: &self.talk,
            base: &self.base,
            base_instrument: &self.base_instrument,
            chain: &self.chain,
            remembered: self.remembered.as_ref(),
        };
        let act = OptionVault::new(self.params).intent(&mut self.state, &view, self.at);
        match act {
            Some(Act::Tell(_)) if self.is_deaf => {}
            Some(Act::Tell(Tale::Phase(milestone))) => self.account.milestone = milestone,
            Some(Act::Tell(Tale::Halt(_))) => self.account.mode = Mode::Halted,
            _ => {}
        }
        act
    }

    /// Looks until something is wished, past what is only displayed; `None` once nothing is.
    fn wish(&mut self) -> Option<Act> {
        (0..20).map_while(|_| self.look()).find(|act| !matches!(act, Act::Tell(Tale::Demand(_))))
    }

    /// Looks until a phase is entered.
    fn enter(&mut self) -> Milestone {
        match self.wish() {
            Some(Act::Tell(Tale::Phase(milestone))) => milestone,
            other => panic!("no phase entered: {other:?}"),
        }
    }

    fn phase(&self) -> Phase {
        OptionVault::milestone(&self.state).map_or(Phase::Boot, |milestone| milestone.phase)
    }

    /// A vault that has just begun its option auction.
    fn auctioning(product: Product, spot: i64) -> Scene {
        let mut scene = Scene::new(product, spot);
        scene.boot_into(Phase::OptionAuction);
        scene
    }

    /// Looks, from a fresh start, until the phase is reached.
    fn boot_into(&mut self, phase: Phase) {
        for _ in 0..4 {
            if self.phase() == phase {
                return;
            }
            self.enter();
        }
        assert_eq!(self.phase(), phase);
    }

    fn pass(&mut self, s: u64) {
        self.at = self.at.plus(s * SEC);
    }

    /// What the venue does with an order wish: it rests.
    fn rest(&mut self, act: Option<Act>) -> Wish {
        let wish = match act {
            Some(Act::Place(wish)) => wish,
            Some(Act::Replace { old, new }) => {
                self.remove(old);
                new
            }
            other => panic!("no order: {other:?}"),
        };
        let nonce = Nonce(self.next_nonce);
        self.next_nonce += 1;
        let expires_at = self.at.plus(600 * SEC);
        let order = Working { nonce, life: Life::Open, wish, filled: Amount::ZERO, expires_at };
        let place = self.account.working.iter().position(Option::is_none).expect("a slot");
        self.account.working[place] = Some(order);
        wish
    }

    fn remove(&mut self, nonce: Nonce) {
        let order = self.account.working.iter_mut().find(|order| order.is_some_and(|order| order.nonce == nonce));
        *order.expect("working") = None;
    }

    /// The resting order.
    fn resting(&mut self) -> &mut Working {
        self.account.working.iter_mut().flatten().next().expect("resting")
    }

    /// Fills some of the resting order at its price.
    fn fill(&mut self, size: Amount) {
        let order = self.resting();
        order.filled += size;
        let (wish, done) = (order.wish, order.remaining().is_zero());
        let nonce = order.nonce;
        let signed = Amount::from_raw(size.raw() * wish.side.sign());
        self.account.cash += wish.price.times(-signed);
        if wish.instrument == BASE {
            self.account.base += signed;
        } else {
            self.hold_id(wish.instrument, signed);
        }
        if done {
            self.remove(nonce);
        }
    }

    /// What the venue does with an RFQ wish: it is open from now.
    fn ask(&mut self, act: Option<Act>) -> RfqWish {
        let Some(Act::Ask(wish)) = act else { panic!("no RFQ: {act:?}") };
        let name = Nonce(self.next_nonce);
        self.next_nonce += 1;
        self.talk.rfq = Some(OpenRfq {
            name,
            rfq_id: Some(Uuid(u128::from(name.0))),
            wish,
            opened_at: self.at,
            valid_until: self.at.plus(600 * SEC),
            filled: Ratio::ZERO,
            leaving: false,
        });
        self.talk.offers = Default::default();
        wish
    }

    /// An offer for a share of the RFQ, whose legs cost these prices in the RFQ's order.
    fn offer(&mut self, quote: u128, maker: u64, share: &str, prices: [Price; 2]) {
        let rfq = self.talk.rfq.expect("asked");
        let filled = ratio(share);
        let mut legs = [PricedLeg::default(); 2];
        for ((priced, leg), price) in legs.iter_mut().zip(rfq.wish.legs).zip(prices) {
            let amount = leg.amount.scale(filled, crate::base::num::Rounding::HalfUp);
            *priced = PricedLeg { leg: Leg { amount, ..leg }, price };
        }
        let offer = Offer { quote_id: Uuid(quote), maker, created_at: self.at, filled, legs, fee: None };
        let place = self.talk.offers.iter().position(Option::is_none).expect("room");
        self.talk.offers[place] = Some(offer);
    }

    /// The execution of a deal, booked at once.
    fn execute(&mut self, act: Option<Act>) -> Cash {
        let Some(Act::Execute(deal)) = act else { panic!("no execution: {act:?}") };
        let mut rfq = self.talk.rfq.expect("asked");
        let cost = crate::msg::package_cost(&deal.legs);
        for priced in &deal.legs {
            self.hold_id(priced.leg.instrument, Amount::from_raw(priced.leg.amount.raw() * priced.leg.side.sign()));
        }
        self.account.cash += -cost;
        self.account.milestone.spent += cost;
        self.account.milestone.units += deal.legs[0].leg.amount;
        rfq.filled += deal.legs[0].leg.amount.over(rfq.wish.legs[0].amount, crate::base::num::Rounding::HalfUp);
        self.talk.rfq = (rfq.filled < Ratio::ONE).then_some(rfq);
        for offer in &mut self.talk.offers {
            *offer = offer.filter(|offer| offer.quote_id != deal.quote_id && rfq.filled < Ratio::ONE);
        }
        cost
    }
}

/// A wish to tell this concern.
fn concern(concern: Concern) -> Option<Act> {
    Some(Act::Tell(Tale::Concern(concern)))
}

/// The cancel of a nonce.
fn cancel(nonce: u64) -> Option<Act> {
    Some(Act::Cancel { nonce: Nonce(nonce) })
}

/// Legs of an RFQ as (strike, side) by the chain.
fn strikes(scene: &Scene, wish: &RfqWish) -> Vec<(i64, Side)> {
    let strike = |leg: &Leg| {
        let line = scene.chain.iter().find(|line| line.instrument.id == leg.instrument).expect("listed");
        line.instrument.option.expect("option").strike.raw() / Price::ONE.raw()
    };
    wish.legs.iter().map(|leg| (strike(leg), leg.side)).collect()
}

/// A tenth of a second, the longest a look takes to come round.
const LOOK_NS: u64 = 100 * MS;
