//! Transcripts of risk and the contract stage together: what the strategy wishes, the chain says and the venue does goes in
//! above `---`, what leaves for chain and venue and what a person hears must come out below.

use super::*;
use crate::actors::risk::option_stage::{self, FAR, NEAR, RFQ, SUB, Said, Stage, VAULT, instrument};
use crate::actors::risk::{Alarm, CapitalNews, In as RiskIn, Notice};
use crate::base::ids::{Side, Uuid};
use crate::base::literal::{amount, price};
use crate::base::num::{Amount, Ratio};
use crate::base::time::{MS, SEC};
use crate::derive::dialect::V2_MAINNET;
use crate::derive::seal::PackageSeal;
use crate::market::instrument::Kind;
use crate::msg::{
    Act, Answer, BalanceKind, Command, ContractAlarm, ContractHalt, Fill, Leg, OrderRow, OrderStatus, Phase, PricedLeg,
    Product, Purpose, QuoteRow, RfqRow, RfqStatus, Session, Settlement, TimeInForce, Unbacked, Urgent, Verdict, Wish,
};
use crate::risk::capital::CAPITAL_CHECKS;
use crate::risk::order::Granted;
use alloy_primitives::keccak256;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Time between two ticks of a story.
const STEP_NS: u64 = 250 * MS;
const CONTRACT: Address = [0xC0; 20];
const WRAPPED: Address = [0xAA; 20];

/// Risk, the stage, and everything said so far.
struct Scene {
    risk: Stage,
    stage: Contract,
    start: Nanos,
    names: Vec<Nonce>,
    trades: u128,
    filled: Amount,
    /// The nearer strike's mark, once it has moved.
    near_mark: Option<&'static str>,
    told: String,
}

impl Scene {
    /// The journal knows of nothing, or of an order or movement whose signature has twenty seconds left.
    fn new(product: Product, journaled: Option<&str>) -> Scene {
        let expires_s = option_stage::START.secs() + 20;
        let held = |kind| HeldSignature { nonce: Nonce(9), moves: kind == "movement", digest: [9; 32], expires_s };
        let journaled = journaled.map(held);
        let terms = Terms {
            dialect: &V2_MAINNET,
            contract: CONTRACT,
            vault: VAULT,
            subaccount: SUB,
            wrapped: Some(WRAPPED),
            journaled,
        };
        let [near, far] = [(NEAR, 3_000), (FAR, 3_100)].map(|(id, strike)| instrument(id, Kind::Option, Some(strike)));
        let risk = Stage::of_contract(product, "0", journaled);
        let start = risk.at;
        let stage = Contract::new(terms, [&near, &far], None);
        let names = journaled.iter().map(|held| held.nonce).collect();
        let (filled, near_mark, told) = (Amount::ZERO, None, String::new());
        Scene { risk, stage, start, names, trades: 0, filled, near_mark, told }
    }

    fn name(&mut self, nonce: Nonce) -> usize {
        let known = self.names.iter().position(|name| *name == nonce);
        known.unwrap_or_else(|| {
            self.names.push(nonce);
            self.names.len() - 1
        })
    }

    fn last(&self) -> Nonce {
        *self.names.last().expect("an order")
    }

    fn tell(&mut self, line: &str) {
        let ms = self.risk.at.since(self.start) / MS;
        writeln!(self.told, "{}.{} {line}", ms / 1_000, ms % 1_000 / 100).expect("memory");
    }

    fn stage(&mut self, message: In) {
        let mut out = Out::default();
        self.stage.on(self.risk.at, message, &mut out);
        for ask in out.asks.drain() {
            let line = match ask {
                ChainAsk::Sign(ask) => {
                    let (kind, left_s) = (kind(&ask), ask.expires_s - self.risk.at.secs());
                    format!("contract → chain    sign {kind} #{} for {left_s} s", self.name(ask.nonce))
                }
                ChainAsk::Release(nonce) => format!("contract → chain    release #{}", self.name(nonce)),
                ChainAsk::Revoke(nonce) => format!("contract → chain    revoke #{}", self.name(nonce)),
                ChainAsk::Unsettled(u32::MAX) => "contract → chain    unsettled unknown".to_owned(),
                ChainAsk::Unsettled(count) => format!("contract → chain    unsettled {count}"),
                ChainAsk::Recovered(held) => {
                    let held = held.map(|held| format!("#{}", self.name(held.nonce)));
                    format!("contract → chain    recovered {}", held.unwrap_or_else(|| "nothing".to_owned()))
                }
            };
            self.tell(&line);
        }
        for sealed in out.sealed.drain() {
            let (kind, nonce) = match sealed {
                Sealed::Order(signed) => ("order", signed.order().nonce()),
                Sealed::Movement(signed) => ("movement", signed.movement().nonce()),
                Sealed::Execution(signed) => ("execution", signed.execution().nonce()),
                Sealed::Login(_) => panic!("no proof goes this way"),
            };
            let name = self.name(nonce);
            self.tell(&format!("contract → gateway  {kind} #{name}"));
        }
        let reports: Vec<ReportMsg> = out.reports.drain().collect();
        for report in reports {
            if let Report::Unsent { nonce, request, why: Unsent::Unsigned(why) } = report.body {
                let kind = match request {
                    Request::Move => "movement",
                    Request::Execute => "execution",
                    _ => "order",
                };
                let name = self.name(nonce);
                self.tell(&format!("contract → risk     {kind} #{name} unsigned: {why:?}"));
            }
            self.risk(RiskIn::Report(report));
        }
    }

    fn risk(&mut self, message: RiskIn) {
        let said = self.risk.hear(message);
        self.said(said);
    }

    fn said(&mut self, said: Said) {
        for urgent in &said.urgent {
            match urgent {
                Urgent::Cancel { nonce, .. } => {
                    let name = self.name(*nonce);
                    self.tell(&format!("risk     → gateway  cancel #{name}"));
                }
                Urgent::Unask { .. } => self.tell("risk     → gateway  withdraw the RFQ"),
                Urgent::Stop { .. } => self.tell("risk     → gateway  stop"),
                _ => {}
            }
        }
        for notice in &said.notices {
            if let Notice::Alarm { alarm, .. } = notice
                && !matches!(alarm, Alarm::Asked)
            {
                self.tell(&format!("risk     → person   {alarm:?}"));
            }
            if let Notice::Capital { news, .. } = notice {
                let line = match *news {
                    CapitalNews::Refused { row, .. } => {
                        format!("refused: {}", CAPITAL_CHECKS[usize::from(row)].name)
                    }
                    CapitalNews::Granted { nonce } => format!("granted #{}", self.name(nonce)),
                    CapitalNews::Unsent { nonce, .. } => format!("unsent #{}", self.name(nonce)),
                    CapitalNews::Settled { nonce } => format!("settled #{}", self.name(nonce)),
                    CapitalNews::Lapsed { nonce } => format!("lapsed #{}", self.name(nonce)),
                    ref other => format!("{other:?}"),
                };
                self.tell(&format!("risk     → keeper   {line}"));
            }
        }
        for granted in &said.orders {
            let (kind, nonce, sealed) = match granted {
                Granted::Order(order) => ("order", order.nonce(), Sealed::Order(Signed::of(*order, [7; 65]))),
                Granted::Movement(moved) => {
                    ("movement", moved.nonce(), Sealed::Movement(SignedMovement::of(*moved, [7; 65])))
                }
                Granted::Execution(execution) => {
                    let names = [NEAR, FAR].map(|id| instrument(id, Kind::Option, Some(3_000)).name);
                    let seal = PackageSeal { names, max_fee: price("3.5"), signature: [7; 65] };
                    let sealed = Sealed::Execution(SignedExecution::of(*execution, seal));
                    ("execution", execution.nonce(), sealed)
                }
                // Journaled only.
                _ => continue,
            };
            let name = self.name(nonce);
            self.tell(&format!("risk     → signer   {kind} #{name}"));
            self.filled = Amount::ZERO;
            self.stage(In::Sealed(sealed));
        }
        for fact in said.facts {
            self.stage(In::Fact(fact));
        }
    }

    /// An RFQ is sent and opens, and a maker answers it.
    fn quoted(&mut self) {
        let said = self.risk.ask("5");
        let name = said.asked().expect("sent");
        self.said(said);
        for report in [self.risk.rfq(name, RfqStatus::Open), self.risk.quote(1, "5", "10")] {
            self.said(report);
        }
    }

    fn row(&self, status: OrderStatus) -> OrderRow {
        OrderRow {
            subaccount: SUB,
            order_id: Uuid(1),
            nonce: self.last(),
            instrument: NEAR,
            side: Side::Sell,
            price: price("12"),
            amount: amount("5"),
            filled: self.filled,
            status,
            updated_at: self.risk.at,
        }
    }

    fn wish(&mut self, old: Option<Nonce>) {
        let wish = Wish {
            instrument: NEAR,
            side: Side::Sell,
            price: price("12"),
            amount: amount("5"),
            tif: TimeInForce::Gtc,
            reduce_only: false,
            purpose: Purpose::Write,
        };
        let before = self.risk.risk_refusals();
        let said = self.risk.act(old.map_or(Act::Place(wish), |old| Act::Replace { old, new: wish }));
        self.said(said);
        if self.risk.risk_refusals() > before {
            self.tell("risk     refuses    settled");
        }
    }

    /// One line of a story, without its time.
    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["strategy", "sells"] => self.wish(None),
            ["strategy", "replaces"] => self.wish(Some(self.last())),
            ["strategy", "executes"] => {
                let before = self.risk.risk_refusals();
                let said = self.risk.deal("5");
                self.said(said);
                if self.risk.risk_refusals() > before {
                    self.tell("risk     refuses    settled");
                }
            }
            ["maker", "quotes"] => self.quoted(),
            ["mark", "rises"] => self.near_mark = Some("25"),
            ["strategy", "cancels"] => {
                let said = self.risk.act(Act::Cancel { nonce: self.last() });
                self.said(said);
            }
            ["week", "rests"] => {
                self.risk.permit_capital();
                let said = self.risk.milestone(Phase::CollateralOnly, "0");
                self.said(said);
            }
            ["keeper", what] => {
                let flow = if what == "deposits" { Flow::Deposit } else { Flow::Withdrawal };
                let said = self.risk.move_capital(flow, Amount::whole(100));
                self.said(said);
            }
            ["operator", "kills"] => self.risk(RiskIn::Command(Command::Kill)),
            ["chain", ..] => {
                let word = self.word(&words[1..]);
                self.stage(In::Word(word));
            }
            ["venue", ..] => {
                let report = self.venue(&words[1..]);
                self.risk(RiskIn::Report(ReportMsg { trace: Trace::default(), body: report }));
            }
            ["snapshot", "agrees"] => {
                let said = self.risk.snapshot("0", &[], &[]);
                self.said(said);
            }
            [] => {}
            _ => panic!("not understood: {line}"),
        }
    }

    fn word(&self, words: &[&str]) -> ChainWord {
        match *words {
            ["starts"] => ChainWord::Hello,
            ["ready"] => ChainWord::Ready(true),
            ["busy"] => ChainWord::Ready(false),
            ["signed"] => ChainWord::Signed { nonce: self.last(), block: 7 },
            ["adopted"] => ChainWord::Adopted(self.last()),
            ["refuses"] => ChainWord::Refused { nonce: self.last(), why: Unsigned::Reverted([1, 2, 3, 4]) },
            ["unreachable"] => ChainWord::Refused { nonce: self.last(), why: Unsigned::Unreachable },
            ["lost"] => ChainWord::Unbacked { nonce: self.last(), why: Unbacked::Lost },
            ["suspended"] => ChainWord::Unbacked { nonce: self.last(), why: Unbacked::Suspended },
            ["halted"] => ChainWord::Halted(ContractHalt::KeyUsedElsewhere),
            ["gas", "low"] => ChainWord::Alarm(ContractAlarm::GasLow),
            _ => panic!("no word of the chain: {words:?}"),
        }
    }

    fn venue(&mut self, words: &[&str]) -> Report {
        match *words {
            ["read"] => Report::PastFillsComplete { subaccount: SUB },
            ["opens"] => Report::Order(self.row(OrderStatus::Open)),
            ["cancelled"] => Report::Order(self.row(OrderStatus::Cancelled)),
            ["fills", quantity] => {
                self.trades += 1;
                self.filled += amount(quantity);
                let leg = Leg { instrument: NEAR, side: Side::Sell, amount: amount(quantity) };
                let (nonce, trade) = (self.last(), self.trades);
                let said = self.risk.fill(trade, nonce, PricedLeg { leg, price: price("12") });
                self.said(said);
                let whole = self.filled == amount("5");
                Report::Order(self.row(if whole { OrderStatus::Filled } else { OrderStatus::Open }))
            }
            ["settles", trade] => Report::Fill(self.fill_in(trade, Settlement::Settled)),
            ["pending", trade] => Report::PastFill(self.fill_in(trade, Settlement::Open)),
            ["collateral", to] => {
                let said = self.risk.collateral(BalanceKind::Transfer, to);
                self.said(said);
                Report::Session(Session::Up)
            }
            // Both legs at once, and the answer that they are on their way.
            ["executes"] => {
                let (nonce, legs) = (self.last(), self.risk.priced("5", "10"));
                for priced in legs {
                    self.trades += 1;
                    let said = self.risk.fill(self.trades, nonce, priced);
                    self.said(said);
                }
                let said = self.risk.rfq(Nonce(0), RfqStatus::Filled);
                self.said(said);
                let (request, verdict) = (Request::Execute, Verdict::Accepted);
                Report::Answer(Answer { nonce, request, verdict, code: 0, order: None, cancelled: None })
            }
            ["quote", how] => {
                let row = self.risk.quote_row(1, "5", if how == "changes" { "11" } else { "10" });
                let status = if how == "lapses" { RfqStatus::Expired } else { RfqStatus::Open };
                Report::Quote(QuoteRow { status, ..row })
            }
            ["rfq", "lapses"] => {
                let (created_at, valid_until) = (self.risk.at, self.risk.at);
                let (name, status, filled) = (Nonce(0), RfqStatus::Expired, Ratio::ZERO);
                let subaccount = SUB;
                Report::Rfq(RfqRow { subaccount, name, rfq_id: RFQ, status, created_at, valid_until, filled })
            }
            ["gone"] => Report::Session(Session::Down),
            ["back"] => Report::Session(Session::Up),
            _ => panic!("the venue does not: {words:?}"),
        }
    }

    /// A trade of one unit in a state on the chain; it has been booked before, or is of an earlier session.
    fn fill_in(&self, trade: &str, settlement: Settlement) -> Fill {
        let leg = Leg { instrument: NEAR, side: Side::Sell, amount: amount("1") };
        let nonce = self.names.last().copied().unwrap_or_default();
        let mut priced = PricedLeg { leg, price: price("12") };
        let trade: u128 = trade.parse().expect("a trade");
        if self.risk.product.is_spread() {
            priced = self.risk.priced("5", "10")[(trade as usize + 1) % 2];
        }
        let row = self.risk.fill_row(trade, nonce, priced);
        Fill { settlement, ..row }
    }

    fn run(&mut self, until: Nanos) {
        while self.risk.at.plus(STEP_NS) <= until {
            let said = self.risk.tick(STEP_NS - MS);
            self.said(said);
            self.risk.mark();
            self.near_mark.into_iter().for_each(|mark| self.risk.mark_near(mark));
            self.stage(In::Tick);
        }
        self.risk.at = self.risk.at.max(until);
    }
}

/// What an ask is about, by its module and bytes alone.
fn kind(ask: &ActionAsk) -> &'static str {
    let (modules, data) = (&V2_MAINNET.modules, ask.data.as_slice());
    match data.len() {
        224 => {
            assert_eq!((ask.module, &data[220..]), (modules.trade, &[0; 4][..]), "not a bid");
            "order"
        }
        96 => {
            assert_eq!((Some(ask.module), &data[44..64]), (modules.deposit, &WRAPPED[..]));
            "deposit"
        }
        64 if ask.module == modules.rfq => {
            let legs = ask.legs.expect("the contract reads them");
            assert_eq!((legs.len(), &data[..32]), (320, &keccak256(legs)[..]));
            "execution"
        }
        64 => {
            assert_eq!((ask.module, &data[12..32]), (modules.withdrawal, &WRAPPED[..]));
            "withdrawal"
        }
        length => panic!("{length} bytes"),
    }
}

/// What a story's inputs lead to.
fn outcome(inputs: &str) -> String {
    let journaled = inputs
        .lines()
        .find_map(|line| line.strip_prefix("journal knows of a ").or(line.strip_prefix("journal knows of an ")));
    let spreads = inputs.lines().any(|line| line == "vault sells spreads");
    let product = if spreads { Product::ShortCallSpread } else { Product::CoveredCall };
    let mut scene = Scene::new(product, journaled);
    let lines = inputs.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let told = |line: &&str| !line.starts_with("journal knows") && !line.starts_with("vault sells");
    for line in lines.filter(told) {
        let (at, line) = line.split_once(' ').expect("a time and words");
        let (whole, tenth) = at.split_once('.').expect("seconds with a tenth");
        let ms = whole.parse::<u64>().expect("seconds") * 1_000 + tenth.parse::<u64>().expect("a tenth") * 100;
        scene.run(scene.start.plus(ms * MS));
        scene.line(line);
    }
    let end = scene.risk.at.plus(SEC);
    scene.run(end);
    scene.told
}

#[test]
fn every_story_goes_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract_stories");
    let mut stories: Vec<_> =
        fs::read_dir(folder).expect("committed").map(|entry| entry.expect("a file").path()).collect();
    stories.sort();
    assert!(stories.len() >= 8, "{}", stories.len());
    let rewrite = std::env::var_os("UPDATE_GOLDENFILES").is_some();
    let mut wrong = String::new();
    for path in stories {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let (inputs, want) = text.split_once("---\n").expect("a line of three dashes");
        let told = outcome(inputs);
        if rewrite {
            fs::write(&path, format!("{inputs}---\n{told}")).expect("written");
        } else if told != want {
            write!(wrong, "{}:\n{told}\n", path.display()).expect("memory");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
