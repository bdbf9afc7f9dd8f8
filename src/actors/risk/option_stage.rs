//! Risk with one option vault, and what may be said to it.

use super::*;
use crate::account::ledger::Book;
use crate::base::ids::{Name, Right, Side, Uuid, VaultId};
pub(super) use crate::base::literal::{amount, cash, price, ratio};
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::{MS, SEC};
use crate::derive::dialect::V2_MAINNET;
use crate::market::instrument::{Kind, OptionTerms};
use crate::msg::{
    Accrual, Answer, Asset, Balance, BalanceKind, CapitalWish, ChainSight, CurrencyId, Deal, Fill, Flow, HeldSignature,
    Leg, Milestone, Mode, OptionValue, Phase, PricedLeg, Product, QuoteRow, Report, Request, RfqRow, RfqStatus,
    RfqWish, Settlement, Snapshot, Tale, Verdict,
};
use crate::risk::capital::CapitalLimits;
use crate::risk::limits::{Mandate, OptionLimits};
use crate::risk::mandate::ema::MarkLoss;
use crate::risk::mandate::shares::Shares;
use crate::risk::option_tests::scene;
use crate::risk::wall::OptionWall;
use crate::risk::wall::terms::OptionTerms as WallTerms;
use alloy_primitives::U256;

pub(crate) const SUB: SubaccountId = SubaccountId(7);
pub(crate) const VAULT: VaultId = VaultId(0);
pub(super) const BASE: InstrumentId = InstrumentId(0);
pub(crate) const NEAR: InstrumentId = InstrumentId(1);
pub(crate) const FAR: InstrumentId = InstrumentId(2);
pub(crate) const START: Nanos = Nanos(1_800_000_000 * SEC);
pub(crate) const RFQ: Uuid = Uuid(70);
pub(super) const WEEK_S: u64 = 604_800;

/// A contract that marks and lives of this stage stay far inside of.
fn wall(product: Product) -> OptionWall {
    let buys = product.side() == Side::Buy;
    let open = WallTerms {
        delta_max: Ratio::ONE,
        spread_ratio_min: Ratio::ZERO,
        spread_ratio_max: Ratio::ONE,
        cost_tolerance: if buys { Ratio::whole(1_000) } else { Ratio::ZERO },
        share_max: Ratio::ONE,
        option_s_min: 1,
        ..WallTerms::mission(product, price("100"))
    };
    open.wall(product)
}

pub(super) fn limits(product: Product) -> OptionLimits {
    OptionLimits {
        product,
        delta_min: Ratio::ZERO,
        delta_max: Ratio::ONE,
        vol_factor_min: ratio("0.1"),
        iv_min: ratio("0.01"),
        strike_diff: price("100"),
        spread_ratio_min: Ratio::ZERO,
        spread_ratio_max: Ratio::ONE,
        mark_tolerance: if product == Product::LongCallSpread { ratio("1.5") } else { ratio("0.5") },
        tvl_share_max: Ratio::ONE,
        life_s_min: 1,
        life_s_max: WEEK_S,
        cash_min: cash("-100000"),
        buy_premium_max: ratio("0.02"),
        sell_discount_max: ratio("0.02"),
        option_amount_max: amount("100"),
        collateral_amount_max: amount("100"),
        notional_max: Cash::whole(1_000_000),
        losses: crate::risk::losses::LossBudgets::ALL,
        fills_per_minute_max: 1_000,
        order_life_ns: 310 * SEC,
        reject_after_ns: SEC,
        clock_offset_ns_max: SEC,
        value_age_ns_max: 3_600 * SEC,
        cash_tolerance: cash("0.01"),
        wall: wall(product),
    }
}

pub(crate) fn instrument(id: InstrumentId, kind: Kind, strike: Option<i64>) -> Instrument {
    let terms =
        |strike| OptionTerms { expiry_s: START.secs() + WEEK_S / 2, strike: Price::whole(strike), right: Right::Call };
    let name = Name::new(["S", "N", "F"][usize::from(id.0)]).expect("short");
    Instrument { name, ..scene::instrument(id, kind, strike.map(terms)) }
}

/// What one step said.
#[derive(Default)]
pub(crate) struct Said {
    pub orders: Vec<Granted>,
    pub urgent: Vec<Urgent>,
    pub account: Option<Account>,
    pub talk: Option<Talk>,
    pub notices: Vec<Notice>,
    pub facts: Vec<ContractFact>,
}

impl Said {
    pub fn add(&mut self, later: Said) {
        self.orders.extend(later.orders);
        self.urgent.extend(later.urgent);
        self.notices.extend(later.notices);
        self.facts.extend(later.facts);
        self.account = later.account.or(self.account);
        self.talk = later.talk.or(self.talk);
    }

    pub fn execution(&self) -> Option<Nonce> {
        self.orders.iter().find_map(|granted| match granted {
            Granted::Execution(execution) => Some(execution.nonce()),
            _ => None,
        })
    }

    pub fn asked(&self) -> Option<Nonce> {
        self.urgent.iter().find_map(|urgent| match urgent {
            Urgent::Ask { name, .. } => Some(*name),
            _ => None,
        })
    }

    pub fn withdrew(&self) -> bool {
        self.urgent.iter().any(|urgent| matches!(urgent, Urgent::Unask { rfq_id: RFQ, .. }))
    }

    pub fn alarms(&self) -> Vec<Alarm> {
        let alarm = |notice: &Notice| match notice {
            Notice::Alarm { alarm, .. } => Some(*alarm),
            _ => None,
        };
        self.notices.iter().filter_map(alarm).collect()
    }
}

pub(crate) struct Stage {
    pub risk: Risk,
    pub at: Nanos,
    pub seq: u32,
    pub product: Product,
    settlement: Settlement,
}

impl Stage {
    /// 100 base, live, with marks of 2 700, 10 and 4.
    pub fn new(product: Product, money: &str) -> Stage {
        Stage::open(limits(product), money, false, None)
    }

    /// The same where a contract has twenty seconds to sign, and was last asked for this signature.
    pub fn of_contract(product: Product, money: &str, journaled: Option<HeldSignature>) -> Stage {
        let limits = OptionLimits { reject_after_ns: 20 * SEC, order_life_ns: 590 * SEC, ..limits(product) };
        Stage::open(limits, money, true, journaled)
    }

    /// How it stands, and whether only a restart changes that.
    pub fn mode(&self) -> (Mode, bool) {
        let desk = &self.risk.desks[0];
        (desk.mode, desk.demands_restart)
    }

    /// Time passes, and the venue shows an account without options and without cash.
    pub fn reconcile(&mut self) {
        for _ in 0..3 {
            self.tick(SEC);
            self.snapshot("0", &[], &[]);
        }
    }

    /// From now on its capital may move, up to 100 at once.
    pub fn permit_capital(&mut self) {
        let whole = Amount::whole(100);
        self.risk.desks[0].capital = CapitalLimits {
            deposits: true,
            withdrawals: true,
            deposit_max: whole,
            withdrawal_max: whole,
            withdrawn_per_day_max: whole,
            shares: Shares { deposit_cap: U256::MAX, ..CapitalLimits::NONE.shares },
            ..CapitalLimits::NONE
        };
    }

    /// A keeper's wish to move 5, whom the chain has shown that much collateral in the subaccount and 5 outside.
    pub fn move_capital(&mut self, flow: Flow, base: Amount) -> Said {
        let amount = 5_000_000_000_000_000_000;
        let (read_at, cash) = (self.at, Cash::ZERO);
        let sight = ChainSight { read_at, tokens: amount, pending: 0, base, cash, blocked: false };
        self.hear(In::Command(Command::Capital { vault: VAULT, wish: CapitalWish { flow, amount, sight } }))
    }

    /// The venue's word that the collateral went from 100 to this.
    pub fn collateral(&mut self, kind: BalanceKind, to: &str) -> Said {
        let (asset, previous, new) = (Asset::Currency(CurrencyId(1)), cash("100"), cash(to));
        self.report(Report::Balance(Balance { subaccount: SUB, asset, previous, new, kind }))
    }

    fn open(limits: OptionLimits, money: &str, contract_signs: bool, journaled: Option<HeldSignature>) -> Stage {
        let mut stage = Stage::begin(limits, contract_signs, Nonce(0), |plan| plan.journaled = journaled);
        stage.snapshot(money, &[], &[]);
        assert_eq!(stage.risk.desks[0].mode, Mode::Live);
        stage
    }

    /// The same before the first snapshot, with names from above `floor` and what else an earlier run left.
    pub fn begin(limits: OptionLimits, contract_signs: bool, floor: Nonce, past: impl FnOnce(&mut Plan)) -> Stage {
        let product = limits.product;
        let book = Book {
            vault: VAULT,
            subaccount: SUB,
            base: BASE,
            perp: None,
            options: Name::new("ETH"),
            base_currency: CurrencyId(1),
            cash_currency: CurrencyId(0),
        };
        let mut plan = Plan {
            book,
            mandate: Mandate::Options(limits),
            capital: CapitalLimits::NONE,
            principal: None,
            lost: None,
            stopped: None,
            loss_sums: [MarkLoss::NONE; 2],
            contract_signs,
            journaled: None,
        };
        past(&mut plan);
        let spot = instrument(BASE, Kind::Spot, None);
        let mut risk = Risk::new(vec![plan], vec![spot], floor, Nanos::MAX);
        let mut settlement = Settlement::default();
        if contract_signs {
            risk = risk.speaking(&V2_MAINNET);
            settlement = Settlement::Open;
        }
        let mut stage = Stage { risk, at: START, seq: 0, product, settlement };
        for (id, strike) in [(NEAR, 3_000), (FAR, 3_100)] {
            let instrument = instrument(id, Kind::Option, Some(strike));
            stage.hear(In::Listing(Listing::Listed { instrument, watched: true }));
        }
        stage.report(Report::Budget(crate::msg::Budget { matching_tps: 100, instrument_tps: 100, other_tps: 100 }));
        stage.report(Report::VenueTime { offset_ns: 0, rtt_ns: 0 });
        stage.report(Report::Session(crate::msg::Session::Up));
        stage.mark();
        stage
    }

    pub fn hear(&mut self, message: In) -> Said {
        self.at = self.at.plus(MS);
        let mut out = Out::default();
        self.risk.on(self.at, message, &mut out);
        Said {
            orders: out.orders.drain().collect(),
            urgent: out.urgent.drain().collect(),
            account: out.accounts.drain().last(),
            talk: out.talks.drain().last(),
            notices: out.notices.drain().collect(),
            facts: out.contract_facts.drain().collect(),
        }
    }

    pub fn mark(&mut self) {
        self.mark_with(Some("0.1"));
    }

    /// Marks, and what a unit of collateral has earned.
    pub fn mark_with(&mut self, earned: Option<&str>) {
        for (id, mark) in [(BASE, "2700"), (NEAR, "10"), (FAR, "4")] {
            self.value(id, mark, earned);
        }
    }

    /// The nearer strike's mark alone.
    pub fn mark_near(&mut self, mark: &str) {
        self.value(NEAR, mark, None);
    }

    fn value(&mut self, id: InstrumentId, mark: &str, earned: Option<&str>) {
        let option =
            OptionValue { mark_iv: ratio("0.6"), forward: price("2700"), discount: Ratio::ONE, delta: ratio("0.1") };
        self.hear(In::Value(Value {
            instrument: id,
            mark: price(mark),
            index: price("2700"),
            option: (id != BASE).then_some(option),
            accrual: earned.filter(|_| id == BASE).map(|share| Accrual {
                share: ratio(share),
                rate: crate::base::num::Ratio::ONE,
                since: Nanos::ZERO,
                read_at: self.at,
            }),
            priced_at: self.at,
            good_until: self.at.plus(3_600 * SEC),
            ..Value::default()
        }));
    }

    pub fn report(&mut self, body: Report) -> Said {
        self.hear(In::Report(ReportMsg { trace: Default::default(), body }))
    }

    pub fn act(&mut self, act: Act) -> Said {
        let after = self.seq;
        self.seq += 1;
        self.hear(In::Intent(Intent { trace: Default::default(), vault: VAULT, seq: self.seq, after, act }))
    }

    pub fn tick(&mut self, after_ns: u64) -> Said {
        self.at = self.at.plus(after_ns);
        self.hear(In::Tick)
    }

    pub fn snapshot(&mut self, money: &str, held: &[(InstrumentId, &str)], open: &[crate::msg::OrderRow]) -> Said {
        let asked_at = self.at;
        self.at = self.at.plus(MS);
        let begin = Snapshot::Begin {
            subaccount: SUB,
            initial_margin: Cash::ZERO,
            maintenance_margin: Cash::ZERO,
            value: Cash::ZERO,
            liquidation: false,
        };
        let collateral = [("100", CurrencyId(1)), (money, CurrencyId(0))]
            .map(|(text, currency)| Snapshot::Collateral { currency, amount: cash(text) });
        let positions = held.iter().map(|(instrument, text)| Snapshot::Position {
            instrument: *instrument,
            amount: amount(text),
            mark: Price::ONE,
            unsettled: Cash::ZERO,
            funding: Cash::ZERO,
        });
        let rows = open.iter().map(|row| Snapshot::OpenOrder(*row));
        let parts: Vec<Snapshot> = std::iter::once(begin).chain(collateral).chain(positions).chain(rows).collect();
        let mut said = Said::default();
        for part in parts.into_iter().chain([Snapshot::End { asked_at }]) {
            said.add(self.report(Report::Snapshot(part)));
        }
        said
    }

    pub fn legs(&self, quantity: &str) -> [Leg; 2] {
        let near = self.product.side();
        [(NEAR, near), (FAR, near.opposite())].map(|(instrument, side)| Leg {
            instrument,
            side,
            amount: amount(quantity),
        })
    }

    pub fn priced(&self, quantity: &str, near: &str) -> [PricedLeg; 2] {
        let [one, two] = self.legs(quantity);
        [PricedLeg { leg: one, price: price(near) }, PricedLeg { leg: two, price: price("4") }]
    }

    pub fn ask(&mut self, quantity: &str) -> Said {
        let wish = RfqWish { legs: self.legs(quantity), partial_fill_step: Ratio::ONE };
        self.act(Act::Ask(wish))
    }

    pub fn rfq(&mut self, name: Nonce, status: RfqStatus) -> Said {
        let (created_at, valid_until) = (self.at, self.at.plus(120 * SEC));
        let filled = Ratio::ZERO;
        self.report(Report::Rfq(RfqRow { subaccount: SUB, name, rfq_id: RFQ, status, created_at, valid_until, filled }))
    }

    pub fn quote(&mut self, id: u128, quantity: &str, near: &str) -> Said {
        let row = self.quote_row(id, quantity, near);
        self.report(Report::Quote(row))
    }

    pub fn quote_row(&self, id: u128, quantity: &str, near: &str) -> QuoteRow {
        QuoteRow {
            rfq_id: RFQ,
            quote_id: Uuid(id),
            maker: id as u64,
            direction: Side::Sell,
            status: RfqStatus::Open,
            filled: Ratio::ZERO,
            created_at: self.at,
            legs: self.priced(quantity, near),
            fee: None,
        }
    }

    /// Asks, is quoted once at 10 and executes; the execution's name.
    pub fn execute(&mut self, quantity: &str) -> Nonce {
        let name = self.ask(quantity).asked().expect("sent");
        self.rfq(name, RfqStatus::Open);
        self.quote(1, quantity, "10");
        self.deal(quantity).execution().expect("granted")
    }

    pub fn deal(&mut self, quantity: &str) -> Said {
        let legs = self.priced(quantity, "10");
        self.act(Act::Execute(Deal { rfq_id: RFQ, quote_id: Uuid(1), legs, cost_max: Cash::whole(100_000) }))
    }

    pub fn answer(&mut self, nonce: Nonce, request: Request, verdict: Verdict, code: i32) -> Said {
        self.report(Report::Answer(Answer { nonce, request, verdict, code, order: None, cancelled: None }))
    }

    pub fn fill(&mut self, trade: u128, nonce: Nonce, priced: PricedLeg) -> Said {
        let row = self.fill_row(trade, nonce, priced);
        self.report(Report::Fill(row))
    }

    /// A fill as the venue tells it: on its way to a chain where a contract signs.
    pub fn fill_row(&self, trade: u128, nonce: Nonce, priced: PricedLeg) -> Fill {
        Fill {
            subaccount: SUB,
            trade_id: Uuid(trade),
            order_id: Uuid(trade),
            nonce,
            instrument: priced.leg.instrument,
            side: priced.leg.side,
            price: priced.price,
            amount: priced.leg.amount,
            fee: Cash::ONE,
            maker: false,
            mark: priced.price,
            venue_at: self.at,
            settlement: self.settlement,
        }
    }

    pub fn talk(&self) -> &Talk {
        self.risk.desks[0].conversation.talk()
    }

    /// Wishes refused because something signed earlier is unsettled.
    pub fn risk_refusals(&self) -> u64 {
        self.risk.desks[0].stats.refused[crate::risk::checks::MANDATE_ROW - 1]
    }

    pub fn milestone(&mut self, phase: Phase, budget: &str) -> Said {
        let milestone = Milestone { phase, budget: cash(budget), ..Milestone::default() };
        self.act(Act::Tell(Tale::Phase(milestone)))
    }
}
