//! What holds whatever the market, the fills and the makers do.

use super::super::limit_auction::ask;
use super::*;
use crate::msg::Accrual;
use proptest::prelude::*;

/// Net size sold or bought of each option, all of it short.
fn short(scene: &Scene) -> Amount {
    scene.account.held.iter().flatten().map(|held| (-held.amount).max(Amount::ZERO)).sum()
}

fn resting_sale(scene: &Scene) -> Amount {
    let orders = scene.account.working.iter().flatten();
    orders.filter(|order| order.wish.side == Side::Sell).map(Working::remaining).sum()
}

/// What happens between two looks.
#[derive(Clone, Debug)]
enum Event {
    Pass(u64),
    Move(i64),
    Fill(i64),
    Base(i64),
    Offer(i64, i64, u8),
    Restart,
    Refuse,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1u64..90).prop_map(Event::Pass),
        2 => prop_oneof![4 => -25i64..25, 1 => -150i64..150].prop_map(Event::Move),
        3 => (1i64..40_000).prop_map(Event::Fill),
        1 => (-10i64..10).prop_map(Event::Base),
        6 => (-5i64..15, 1i64..=4, 0u8..4).prop_map(|(over, share, maker)| Event::Offer(over, share, maker)),
        1 => Just(Event::Restart),
        1 => Just(Event::Refuse),
    ]
}

impl Scene {
    fn happen(&mut self, event: &Event, quote: u128) {
        match *event {
            Event::Pass(s) => self.pass(s),
            Event::Move(by) => self.move_to(Price::whole((self.base.index.raw() / Price::ONE.raw() + by).max(500))),
            Event::Fill(milli) => {
                let size = Amount::from_raw(milli * 1_000_000);
                if let Some(order) = self.account.working.iter().flatten().next() {
                    let size = size.min(order.remaining());
                    self.fill(size);
                }
            }
            Event::Base(by) => self.account.base = (self.account.base + Amount::whole(by)).max(short(self)),
            Event::Offer(over, share, maker) => self.some_offer(over, share, maker, quote),
            Event::Restart => {
                self.state = State::default();
                self.remembered = Some(std::mem::take(&mut self.account.milestone));
            }
            Event::Refuse => self.account.intent_refused += 1,
        }
    }

    /// An offer some units of price away from the marks.
    fn some_offer(&mut self, over: i64, share: i64, maker: u8, quote: u128) {
        let Some(rfq) = self.talk.rfq else { return };
        if self.talk.offers.iter().all(Option::is_some) {
            self.talk.offers = Default::default();
        }
        let mark = |leg: &Leg| {
            let line = self.chain.iter().find(|line| line.instrument.id == leg.instrument).expect("listed");
            line.value.expect("priced").mark
        };
        let [first, second] = [0, 1].map(|place| {
            let leg = &rfq.wish.legs[place];
            let dearer = Price::whole(over * leg.side.sign() * i64::from(place == 0));
            (mark(leg) + dearer).max(Price::ZERO)
        });
        let share = ["0", "0.25", "0.5", "0.75", "1"][share as usize];
        self.offer(quote, u64::from(maker), share, [first, second]);
    }

    /// What the venue makes of a wish; true if an order or execution was among it.
    fn obey(&mut self, act: Act) {
        match act {
            Act::Place(_) | Act::Replace { .. } => {
                self.rest(Some(act));
            }
            Act::Cancel { nonce } => self.remove(nonce),
            Act::Ask(_) => {
                self.ask(Some(act));
            }
            Act::Unask { .. } => self.talk.rfq = None,
            Act::Execute(_) => {
                self.execute(Some(act));
            }
            Act::Tell(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Sold and resting calls never exceed collateral; the price is above the floor; never two orders.
    #[test]
    fn covered_calls_stay_covered(events in prop::collection::vec(event(), 1..80)) {
        let mut scene = Scene::auctioning(Product::CoveredCall, 3000);
        scene.remembered = OptionVault::milestone(&scene.state);
        for (quote, event) in events.iter().enumerate() {
            scene.happen(event, quote as u128);
            for _ in 0..10 {
                let Some(act) = scene.look() else { break };
                if let Act::Place(wish) | Act::Replace { new: wish, .. } = act && wish.instrument != BASE {
                    prop_assert!(wish.amount + short(&scene) <= scene.account.base, "{act:?}");
                    let line = *scene.chain.iter().find(|line| line.instrument.id == wish.instrument).expect("listed");
                    let left = EXPIRY_S as i64 - scene.at.secs() as i64;
                    let value = line.value.expect("priced");
                    let floor = ask(&limit_terms(), &line.instrument, &value, 0, left).expect("priced").floor;
                    prop_assert!(wish.price > floor && wish.price.on_tick(line.instrument.tick));
                }
                scene.obey(act);
                prop_assert!(scene.account.working.iter().flatten().count() <= 1);
            }
            prop_assert!(short(&scene) + resting_sale(&scene) <= scene.account.base, "after {event:?}");
        }
    }

    /// Spreads sold never exceed collateral, are always sold in pairs, and never below what the lot's clock demands.
    #[test]
    fn short_spreads_stay_covered(events in prop::collection::vec(event(), 1..120)) {
        let mut scene = Scene::auctioning(Product::ShortCallSpread, 3000);
        scene.remembered = OptionVault::milestone(&scene.state);
        for (quote, event) in events.iter().enumerate() {
            scene.happen(event, quote as u128);
            for _ in 0..10 {
                let Some(act) = scene.look() else { break };
                if let Act::Execute(deal) = act {
                    let cost = crate::msg::package_cost(&deal.legs);
                    prop_assert!(cost <= deal.cost_max && cost.is_negative(), "{deal:?}");
                    let opened_at = scene.talk.rfq.expect("open").opened_at;
                    prop_assert!(scene.at.since(opened_at) >= 15 * SEC);
                }
                scene.obey(act);
            }
            prop_assert!(short(&scene) <= scene.account.base, "after {event:?}");
            let net: Amount = scene.account.held.iter().flatten().map(|held| held.amount).sum();
            prop_assert!(net.is_zero());
        }
    }

    /// Whatever the price does, a buyer spends no more than the yield that had accrued when its auction began.
    #[test]
    fn the_budget_is_never_exceeded(
        share in 1i64..9_000_000,
        fee in 0i64..2_000_000,
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut scene = Scene::new(Product::LongCallSpread, 3000);
        scene.base = Value {
            accrual: Some(Accrual { share: Ratio::from_raw(share), rate: crate::base::num::Ratio::ONE, since: Nanos::ZERO, read_at: Nanos(1) }),
            ..scene.base
        };
        for line in &mut scene.chain {
            line.instrument.taker_fee = Ratio::from_raw(fee);
        }
        scene.boot_into(Phase::OptionAuction);
        scene.remembered = OptionVault::milestone(&scene.state);
        let budget = scene.state.milestone.budget;
        for (quote, event) in events.iter().enumerate().filter(|(_, event)| !matches!(event, Event::Base(_))) {
            scene.happen(event, quote as u128);
            for _ in 0..10 {
                let Some(act) = scene.look() else { break };
                if let Act::Execute(deal) = act {
                    let cost = crate::msg::package_cost(&deal.legs);
                    prop_assert!(cost <= deal.cost_max, "{deal:?}");
                    let fees: Cash = deal
                        .legs
                        .iter()
                        .map(|priced| scene.base.index.scale(Ratio::from_raw(fee), crate::base::num::Rounding::Floor)
                            .times(priced.leg.amount))
                        .sum();
                    scene.account.cash += -fees;
                    scene.account.milestone.spent += fees;
                }
                scene.obey(act);
                if OptionVault::milestone(&scene.state).is_some_and(|now| now.phase == Phase::OptionAuction) {
                    prop_assert!(-scene.account.cash <= budget, "{} of {budget}", -scene.account.cash);
                }
            }
        }
    }

    /// A collateral auction never spends more than the credit nor raises more than the debt, and never crosses its
    /// greatest spread.
    #[test]
    fn collateral_is_never_overtraded(
        balance in -400_000i64..400_000,
        moves in prop::collection::vec((0u64..200, -20i64..20, 0i64..20_000), 1..60),
    ) {
        let mut scene = Scene::new(Product::CoveredCall, 3000);
        scene.base_instrument.tick = price("0.01");
        scene.at = seconds(EXPIRY_S + 3600);
        scene.account.proved_at = scene.at;
        scene.account.base = Amount::whole(1_000);
        scene.account.cash = Cash::whole(balance);
        scene.remembered = Some(Milestone { phase: Phase::AwaitSettlement, expiry_s: EXPIRY_S, ..Default::default() });
        for (s, by, milli) in moves {
            scene.pass(s);
            scene.base.mark += Price::whole(by);
            for _ in 0..6 {
                let Some(act) = scene.look() else { break };
                if let Act::Place(wish) | Act::Replace { new: wish, .. } = act && wish.instrument == BASE {
                    prop_assert!(wish.price.times(wish.amount) <= scene.account.cash.abs());
                    let off = Price::from_raw((wish.price - scene.base.mark).raw() * wish.side.sign());
                    prop_assert!(off <= scene.base.mark.scale(ratio("0.01"), crate::base::num::Rounding::Ceil));
                }
                scene.obey(act);
            }
            scene.happen(&Event::Fill(milli.max(1)), 0);
            prop_assert!(scene.account.cash.is_zero() || scene.account.cash.is_positive() == (balance > 0));
        }
    }
}
