//! Whatever is lost, doubled or late between us and the venue: options written there, and everything that may still be,
//! never exceed the collateral there.

use super::option_stage::{NEAR, SUB, Said, Stage, amount, price};
use super::*;
use crate::base::ids::{Side, Uuid};
use crate::base::num::{Amount, Cash, Price};
use crate::base::time::{MS, SEC};
use crate::msg::{
    Answer, Fill, Life, OrderRow, OrderStatus, Product, Purpose, Report, Request, TimeInForce, Verdict, Wish,
};
use crate::risk::order::Order;
use proptest::prelude::*;
use std::collections::VecDeque;

/// What the venue knows of one order.
#[derive(Clone, Copy, Debug)]
struct Rests {
    nonce: Nonce,
    amount: Amount,
    filled: Amount,
}

/// A venue that is honest, and a wire that is not.
struct World {
    stage: Stage,
    /// Sent to the venue, not arrived.
    orders: VecDeque<Order>,
    cancels: VecDeque<Nonce>,
    resting: Vec<Rests>,
    short: Amount,
    cash: Cash,
    /// Said by the venue, not arrived.
    reports: VecDeque<Report>,
    trades: u128,
    wanted: bool,
    account: Option<Account>,
}

/// One thing that happens. Numbers choose among what is there.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wish { steps: i64, replace: bool },
    Withdraw,
    Arrive,
    Lose,
    Fill { choice: usize, tenths: i64 },
    Cancel,
    Hear { twice: bool },
    Miss,
    Snapshot { late: bool },
    Drop,
    Pass { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1i64..400, any::<bool>()).prop_map(|(steps, replace)| Step::Wish { steps, replace }),
        1 => Just(Step::Withdraw),
        6 => Just(Step::Arrive),
        1 => Just(Step::Lose),
        3 => (0usize..4, 1i64..11).prop_map(|(choice, tenths)| Step::Fill { choice, tenths }),
        3 => Just(Step::Cancel),
        8 => any::<bool>().prop_map(|twice| Step::Hear { twice }),
        1 => Just(Step::Miss),
        3 => any::<bool>().prop_map(|late| Step::Snapshot { late }),
        1 => Just(Step::Drop),
        4 => (1u64..1_500).prop_map(|ms| Step::Pass { ms }),
    ]
}

const COLLATERAL: i64 = 100;

impl World {
    fn new() -> World {
        World {
            stage: Stage::new(Product::CoveredCall, "0"),
            orders: VecDeque::new(),
            cancels: VecDeque::new(),
            resting: Vec::new(),
            short: Amount::ZERO,
            cash: Cash::ZERO,
            reports: VecDeque::new(),
            trades: 0,
            wanted: false,
            account: None,
        }
    }

    fn take(&mut self, said: Said) {
        for granted in said.orders {
            if let Granted::Order(order) = granted {
                self.orders.push_back(order);
            }
        }
        for urgent in said.urgent {
            match urgent {
                Urgent::Cancel { nonce, .. } => self.cancels.push_back(nonce),
                Urgent::Reconcile { .. } => self.wanted = true,
                _ => {}
            }
        }
        self.account = said.account.or(self.account);
    }

    fn wish(&mut self, steps: i64, replace: bool) {
        let wish = Wish {
            instrument: NEAR,
            side: Side::Sell,
            price: price("10"),
            amount: Amount::from_raw(steps * 300_000_000),
            tif: TimeInForce::Gtc,
            reduce_only: false,
            purpose: Purpose::Write,
        };
        let resting =
            self.account.and_then(|account| account.working.into_iter().flatten().find(|o| o.life == Life::Open));
        let act = match resting {
            Some(old) if replace => Act::Replace { old: old.nonce, new: wish },
            _ => Act::Place(wish),
        };
        let said = self.stage.act(act);
        self.take(said);
    }

    fn row(rests: &Rests, status: OrderStatus) -> OrderRow {
        OrderRow {
            subaccount: SUB,
            order_id: Uuid(rests.nonce.0.into()),
            nonce: rests.nonce,
            instrument: NEAR,
            side: Side::Sell,
            price: price("10"),
            amount: rests.amount,
            filled: rests.filled,
            status,
            updated_at: Nanos::ZERO,
        }
    }

    /// The oldest order sent reaches the venue, which refuses what is late and replacements of what filled meanwhile.
    fn arrive(&mut self) {
        let Some(order) = self.orders.pop_front() else { return };
        let request = if order.replaced().is_some() { Request::Replace } else { Request::Place };
        let mut answer = Answer {
            nonce: order.nonce(),
            request,
            verdict: Verdict::Refused,
            code: 11_028,
            order: None,
            cancelled: None,
        };
        let old = order.replaced().map(|old| {
            let place = self.resting.iter().position(|rests| rests.nonce == old.nonce);
            place.filter(|place| self.resting[*place].filled == old.filled)
        });
        if self.stage.at <= order.late_after() && old != Some(None) {
            if let Some(place) = old.flatten() {
                let gone = self.resting.remove(place);
                answer.cancelled = Some(Self::row(&gone, OrderStatus::Cancelled));
            }
            let rests = Rests { nonce: order.nonce(), amount: order.amount(), filled: Amount::ZERO };
            self.resting.push(rests);
            (answer.verdict, answer.code) = (Verdict::Accepted, 0);
            answer.order = Some(Self::row(&rests, OrderStatus::Open));
        }
        self.reports.push_back(Report::Answer(answer));
    }

    fn fill(&mut self, choice: usize, tenths: i64) {
        if self.resting.is_empty() {
            return;
        }
        let place = choice % self.resting.len();
        let rests = &mut self.resting[place];
        let left = rests.amount - rests.filled;
        let filled =
            Amount::from_raw(left.raw() / 10 * tenths).to_step(amount("0.01"), crate::base::num::Rounding::Ceil);
        let filled = filled.min(left);
        rests.filled += filled;
        self.trades += 1;
        self.short += filled;
        self.cash += Price::whole(10).times(filled);
        self.reports.push_back(Report::Fill(Fill {
            subaccount: SUB,
            trade_id: Uuid(self.trades),
            order_id: Uuid(rests.nonce.0.into()),
            nonce: rests.nonce,
            instrument: NEAR,
            side: Side::Sell,
            price: price("10"),
            amount: filled,
            fee: Cash::ZERO,
            maker: true,
            mark: price("10"),
            venue_at: self.stage.at,
            settlement: Default::default(),
        }));
        if rests.filled == rests.amount {
            let over = self.resting.remove(place);
            self.reports.push_back(Report::Order(Self::row(&over, OrderStatus::Filled)));
        }
    }

    fn cancel(&mut self) {
        let Some(nonce) = self.cancels.pop_front() else { return };
        let place = self.resting.iter().position(|rests| rests.nonce == nonce);
        let order = place.map(|place| Self::row(&self.resting.remove(place), OrderStatus::Cancelled));
        let (request, verdict) = (Request::Cancel, if order.is_some() { Verdict::Accepted } else { Verdict::Refused });
        self.reports.push_back(Report::Answer(Answer { nonce, request, verdict, code: 0, order, cancelled: None }));
    }

    fn snapshot(&mut self, late: bool) {
        if !std::mem::take(&mut self.wanted) {
            return;
        }
        let open: Vec<OrderRow> = self.resting.iter().map(|rests| Self::row(rests, OrderStatus::Open)).collect();
        let (money, short) = (self.cash.to_string(), (-self.short).to_string());
        if late {
            // Whatever else the venue said before is heard while the snapshot is still under way.
            while !self.reports.is_empty() {
                self.hear(false);
            }
        }
        let held = [(NEAR, short.as_str())];
        let said = self.stage.snapshot(&money, &held, &open);
        self.take(said);
    }

    fn hear(&mut self, twice: bool) {
        let Some(report) = self.reports.pop_front() else { return };
        for _ in 0..=usize::from(twice) {
            let said = self.stage.report(report);
            self.take(said);
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Wish { steps, replace } => self.wish(steps, replace),
            Step::Withdraw => {
                let nonce = self.resting.first().map_or(Nonce(1), |rests| rests.nonce);
                let said = self.stage.act(Act::Cancel { nonce });
                self.take(said);
            }
            Step::Arrive => self.arrive(),
            Step::Lose => drop(self.orders.pop_front()),
            Step::Fill { choice, tenths } => self.fill(choice, tenths),
            Step::Cancel => self.cancel(),
            Step::Hear { twice } => self.hear(twice),
            Step::Miss => drop(self.reports.pop_front()),
            Step::Snapshot { late } => self.snapshot(late),
            Step::Drop => {
                self.reports.clear();
                for session in [Session::Down, Session::Up] {
                    let said = self.stage.report(Report::Session(session));
                    self.take(said);
                }
            }
            Step::Pass { ms } => {
                let said = self.stage.tick(ms * MS);
                self.take(said);
            }
        }
    }

    /// Written, resting, and under way while the venue would still take it. A replacement takes its old one's place.
    fn exposure(&self) -> Amount {
        let open: Amount = self.resting.iter().map(|rests| rests.amount - rests.filled).sum();
        let under_way = |order: &&Order| self.stage.at <= order.late_after();
        let sent: Amount = self
            .orders
            .iter()
            .filter(under_way)
            .map(|order| match order.replaced() {
                None => order.amount(),
                // Refused unless the old one rests and has filled what we knew of.
                Some(old) => self
                    .resting
                    .iter()
                    .find(|rests| rests.nonce == old.nonce && rests.filled == old.filled)
                    .map_or(Amount::ZERO, |rests| (order.amount() - (rests.amount - rests.filled)).max(Amount::ZERO)),
            })
            .sum();
        self.short + open + sent
    }

    /// Lets everything arrive and be reconciled.
    fn settle(&mut self) {
        for _ in 0..40 {
            while !self.orders.is_empty() {
                self.arrive();
            }
            while !self.cancels.is_empty() {
                self.cancel();
            }
            while !self.reports.is_empty() {
                self.hear(false);
            }
            self.snapshot(false);
            let said = self.stage.tick(SEC / 2);
            self.take(said);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn nothing_written_is_ever_uncovered(steps in proptest::collection::vec(step(), 1..160)) {
        let mut world = World::new();
        for (place, step) in steps.iter().enumerate() {
            world.apply(*step);
            prop_assert!(world.exposure() <= Amount::whole(COLLATERAL), "after step {place}: {step:?}");
        }
        world.settle();
        let desk = &world.stage.risk.desks[0];
        prop_assert_eq!(desk.ledger.options().of(NEAR), -world.short);
        let ours: Vec<(Nonce, Amount)> = desk.ledger.orders().map(|order| (order.nonce, order.open())).collect();
        let theirs: Vec<(Nonce, Amount)> = world.resting.iter().map(|rests| (rests.nonce, rests.amount - rests.filled)).collect();
        prop_assert_eq!(ours, theirs);
        prop_assert!(!desk.ledger.is_uncertain());
    }
}
