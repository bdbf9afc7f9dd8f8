//! Stories: what the risk actor hears above the line, what it says below. Each file is one situation on the wire, or what
//! `keel replay --to story` wrote of a recorded run: what every actor heard, and what the engine said.
//!
//! `UPDATE_GOLDENFILES=1 cargo test --test stories` writes what it says now; read the difference before keeping it.

#[path = "support/told_run.rs"]
mod told_run;

use goldenscript::{Argument, Command, Context, Runner};
use keel::account::ledger::Book;
use keel::actors::risk::{In, Notice, Out, Plan, Risk};
use keel::base::ids::{InstrumentId, Name, Nonce, Side, SubaccountId, Uuid, VaultId};
use keel::base::num::{Amount, Cash, Price, Ratio};
use keel::base::time::{MS, Nanos, SEC};
use keel::engine::actor::Actor;
use keel::market::instrument::{Instrument, Kind};
use keel::msg::*;
use keel::risk::capital::CapitalLimits;
use keel::risk::limits::{Limits, Mandate};
use keel::risk::mandate::ema::MarkLoss;
use keel::risk::order::{Granted, Order};
use std::error::Error;
use std::fmt::Write;
use told_run::ToldRun;

const START: u64 = 1_800_000_000 * SEC;
const BASE: InstrumentId = InstrumentId(0);
const PERP: InstrumentId = InstrumentId(1);
const SUB: SubaccountId = SubaccountId(7);

struct Stage {
    risk: Risk,
    at: Nanos,
    /// Wishes of each vault.
    intents: [u32; 2],
    trades: u128,
    /// Order names in the order of their making: the story says 1, the wire says a nonce.
    nonces: Vec<Nonce>,
    refused: [u32; 8],
    told: ToldRun,
}

fn instrument(id: InstrumentId, name: &str, kind: Kind) -> Instrument {
    Instrument {
        id,
        name: Name::new(name).expect("short"),
        kind,
        base_currency: Name::new("ETH").expect("short"),
        mark_fee_cap: Ratio::ZERO,
        option: None,
        asset: [0; 20],
        sub_id: 0,
        tick: Price::from_raw(10_000_000),
        step: Amount::from_raw(1_000_000),
        min_amount: Amount::from_raw(10_000_000),
        max_amount: Amount::whole(1_000),
        maker_fee: Ratio::ZERO,
        taker_fee: Ratio::from_bps(3),
        base_fee: Cash::ZERO,
        active: true,
    }
}

fn limits() -> Limits {
    Limits {
        delta_min: Ratio::from_bps(9_800),
        delta_max: Ratio::from_bps(10_200),
        leverage_min: Ratio::from_bps(9_000),
        leverage_max: Ratio::whole(2),
        mark_offset_max: Ratio::from_bps(100),
        loss_ema_max: Ratio::from_bps(20),
        loss_decay_e18: 192_540_883_488_874,
        quote_amount_max: Amount::whole(1),
        hedge_amount_max: Amount::whole(5),
        notional_max: Cash::whole(50_000),
        borrow_max: Cash::whole(500_000),
        margin_factor: Ratio::from_bps(9_000),
        perp_requirement: Ratio::from_bps(660),
        margin_buffer: Ratio::ZERO,
        drawdown_max: Ratio::from_bps(500),
        off_peg_ns_max: 30_000_000_000,
        losses: keel::risk::losses::LossBudgets::ALL,
        fills_per_minute_max: 100,
        order_life_ns: 590 * SEC,
        reject_after_ns: SEC,
        clock_offset_ns_max: SEC,
        value_age_ns_max: 2 * SEC,
        cash_tolerance: Cash::ONE,
        wall: keel::risk::wall::terms::BasisTerms::MISSION.wall(),
    }
}

/// Risk with so many vaults of one wallet.
fn risk_of(vaults: u8) -> Risk {
    let plan = |place: u8| Plan {
        book: Book {
            vault: VaultId(place),
            subaccount: SubaccountId(SUB.0 + u64::from(place)),
            base: BASE,
            perp: Some(PERP),
            options: None,
            base_currency: CurrencyId(1),
            cash_currency: CurrencyId(0),
        },
        mandate: Mandate::Basis(limits()),
        capital: CapitalLimits::NONE,
        principal: None,
        lost: None,
        stopped: None,
        loss_sums: [MarkLoss::NONE; 2],
        contract_signs: false,
        journaled: None,
    };
    let instruments = vec![instrument(BASE, "WEETH-USDC", Kind::Spot), instrument(PERP, "ETH-PERP", Kind::Perp)];
    Risk::new((0..vaults).map(plan).collect(), instruments, Nonce(0), Nanos::MAX)
}

/// A note in words.
fn noted(note: &Note) -> String {
    match note {
        Note::Lost(Lost { peak, highest: [hour, day], .. }) => format!("losses: peak {peak}, hour {hour}, day {day}"),
        Note::Stance(Stance { stopped, .. }) => {
            let why = stopped.map_or("nothing stops it".to_owned(), |why| format!("stopped, {why:?}"));
            format!("stance: {why}")
        }
        Note::LossSum(LossSum { booked_e18, pending_e18, .. }) => {
            let [booked, pending] = [booked_e18, pending_e18].map(|e18| Ratio::from_raw((e18 / 1_000_000_000) as i64));
            format!("loss sum: {booked} booked, {pending} pending")
        }
        Note::Milestone(_) | Note::Principal(_) => unreachable!("no phase in a basis story"),
    }
}

impl Stage {
    fn new() -> Stage {
        Stage {
            risk: risk_of(1),
            at: Nanos(START),
            intents: [0; 2],
            trades: 0,
            nonces: Vec::new(),
            refused: [0; 8],
            told: ToldRun::default(),
        }
    }

    fn hear(&mut self, message: In, said: &mut String) {
        let mut out = Out::default();
        self.risk.on(self.at, message, &mut out);
        for granted in out.orders.drain() {
            if let Granted::Note { note, .. } = granted {
                let _ = writeln!(said, "risk → signer   {}", noted(&note));
                continue;
            }
            let Granted::Order(order) = granted else { unreachable!("no package in a basis story") };
            self.granted(&order, said);
        }
        for urgent in out.urgent.drain() {
            let _ = match urgent {
                Urgent::Ask { .. } | Urgent::Unask { .. } => unreachable!("no RFQ in a basis story"),
                Urgent::Stop { epoch } => writeln!(said, "risk → gateway  stop, epoch {}", epoch.0),
                Urgent::Cancel { nonce, .. } => writeln!(said, "risk → gateway  cancel {}", self.name(nonce)),
                Urgent::Reconcile { .. } => writeln!(said, "risk → gateway  snapshot wanted"),
            };
        }
        if let Some(account) = out.accounts.drain().last() {
            let place = usize::from(account.vault.0);
            let lives: Vec<String> = account
                .working
                .iter()
                .flatten()
                .map(|order| format!("{} {:?} {} left", self.name(order.nonce), order.life, order.remaining()))
                .collect();
            let _ = writeln!(
                said,
                "risk → auction  {:?}, base {}, perp {}, orders [{}]{}",
                account.mode,
                account.base,
                account.perp,
                lives.join(", "),
                if account.intent_refused == self.refused[place] { "" } else { ", in vain" }
            );
            self.refused[place] = account.intent_refused;
        }
        for notice in out.notices.drain() {
            let _ = match notice {
                Notice::Mode { mode, .. } => writeln!(said, "risk → ops      mode {mode:?}"),
                Notice::Alarm { alarm, .. } => writeln!(said, "risk → ops      ALARM {alarm:?}"),
                Notice::Hedged { delta, .. } => writeln!(said, "risk → ops      hedged, delta {delta}"),
                Notice::Filled { .. }
                | Notice::Sample { .. }
                | Notice::Phase { .. }
                | Notice::Demand { .. }
                | Notice::Settlement { .. }
                | Notice::Capital { .. } => Ok(()),
            };
        }
    }

    fn granted(&mut self, order: &Order, said: &mut String) {
        self.nonces.push(order.nonce());
        let word = if order.replaced().is_some() { "replacing" } else { "in place of" };
        let replaces = order.counts_for().map(|old| format!(" {word} {}", self.name(old.nonce)));
        let _ = writeln!(
            said,
            "risk → signer   order {}: {:?} {} @ {} {:?}{}",
            self.nonces.len(),
            order.side(),
            order.amount(),
            order.price(),
            order.tif(),
            replaces.unwrap_or_default()
        );
    }

    fn name(&self, nonce: Nonce) -> String {
        let place = self.nonces.iter().position(|known| *known == nonce);
        place.map_or_else(|| format!("foreign {}", nonce.0), |place| (place + 1).to_string())
    }

    fn report(&mut self, body: Report, said: &mut String) {
        self.hear(In::Report(ReportMsg { trace: Trace::default(), body }), said);
    }

    fn nonce(&self, name: &str) -> Result<Nonce, Box<dyn Error>> {
        let place: usize = name.parse()?;
        Ok(self.nonces.get(place.wrapping_sub(1)).copied().unwrap_or(Nonce(place as u64)))
    }
}

struct Words<'a>(&'a Command);

impl Words<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.args.iter().find_map(|argument| match argument {
            Argument::KeyValue(name, value) if name == key => Some(value.as_str()),
            _ => None,
        })
    }

    fn amount(&self, key: &str) -> Result<Amount, Box<dyn Error>> {
        Ok(self.get(key).unwrap_or("0").parse::<Amount>()?)
    }

    fn price(&self, key: &str) -> Result<Price, Box<dyn Error>> {
        Ok(self.get(key).unwrap_or("2000").parse::<Price>()?)
    }

    fn first(&self) -> &str {
        let first = self.0.args.iter().find_map(|argument| match argument {
            Argument::Positional(value) => Some(value.as_str()),
            _ => None,
        });
        first.unwrap_or_default()
    }

    fn side(&self) -> Side {
        if self.get("side") == Some("sell") { Side::Sell } else { Side::Buy }
    }

    fn subaccount(&self) -> SubaccountId {
        SubaccountId(SUB.0 + u64::from(self.vault().0))
    }

    fn vault(&self) -> VaultId {
        VaultId(u8::from(self.get("vault") == Some("2")))
    }

    fn instrument(&self) -> InstrumentId {
        if self.get("on") == Some("perp") { PERP } else { BASE }
    }
}

impl Stage {
    fn wish(&self, words: &Words<'_>) -> Result<Wish, Box<dyn Error>> {
        let instrument = words.instrument();
        let hedge = instrument == PERP;
        Ok(Wish {
            instrument,
            side: words.side(),
            price: words.price("price")?,
            amount: words.amount("amount")?,
            tif: if hedge { TimeInForce::Ioc } else { TimeInForce::PostOnly },
            reduce_only: hedge && words.side() == Side::Buy,
            purpose: if hedge { Purpose::Hedge } else { Purpose::Quote },
        })
    }

    fn intent(&mut self, vault: VaultId, act: Act, said: &mut String) {
        let seq = &mut self.intents[usize::from(vault.0)];
        *seq += 1;
        let intent = Intent { trace: Trace::default(), vault, seq: *seq, after: *seq - 1, act };
        self.hear(In::Intent(intent), said);
    }

    fn row(&self, words: &Words<'_>) -> Result<OrderRow, Box<dyn Error>> {
        let nonce = self.nonce(words.first())?;
        let status = match words.get("status").unwrap_or("open") {
            "open" => OrderStatus::Open,
            "filled" => OrderStatus::Filled,
            "cancelled" => OrderStatus::Cancelled,
            "rejected" => OrderStatus::Rejected,
            other => return Err(format!("unknown status {other}").into()),
        };
        Ok(OrderRow {
            subaccount: words.subaccount(),
            order_id: Uuid(nonce.0.into()),
            nonce,
            instrument: words.instrument(),
            side: words.side(),
            price: words.price("price")?,
            amount: words.amount("amount")?,
            filled: words.amount("filled")?,
            status,
            updated_at: self.at,
        })
    }

    fn answer(&self, words: &Words<'_>) -> Result<Answer, Box<dyn Error>> {
        let request = match words.get("to") {
            Some("cancel") => Request::Cancel,
            Some("replace") => Request::Replace,
            _ => Request::Place,
        };
        let verdict = match words.get("verdict").unwrap_or("accepted") {
            "accepted" => Verdict::Accepted,
            "refused" => Verdict::Refused,
            "limited" => Verdict::RateLimited,
            "unknown" => Verdict::Unknown,
            "halt" => Verdict::Halt,
            other => return Err(format!("unknown verdict {other}").into()),
        };
        let order = match words.get("status") {
            Some(_) => Some(self.row(words)?),
            None => None,
        };
        let cancelled = match words.get("old") {
            Some(old) => {
                let mut row = self.row(words)?;
                row.nonce = self.nonce(old)?;
                row.status = OrderStatus::Cancelled;
                row.filled = words.amount("old_filled")?;
                Some(row)
            }
            None => None,
        };
        let code = words.get("code").unwrap_or("0").parse()?;
        Ok(Answer { nonce: self.nonce(words.first())?, request, verdict, code, order, cancelled })
    }

    fn snapshot(&mut self, words: &Words<'_>, said: &mut String) -> Result<(), Box<dyn Error>> {
        let cash: Cash = words.get("cash").unwrap_or("0").parse()?;
        let perp = words.amount("perp")?;
        let age: u64 = words.get("age_ms").unwrap_or("0").parse()?;
        let asked_at = Nanos(self.at.0 - age * MS);
        let zero = Cash::ZERO;
        let mut parts = vec![
            Snapshot::Begin {
                subaccount: words.subaccount(),
                initial_margin: zero,
                maintenance_margin: zero,
                value: zero,
                liquidation: false,
            },
            Snapshot::Collateral { currency: CurrencyId(1), amount: Price::ONE.times(words.amount("base")?) },
            Snapshot::Collateral { currency: CurrencyId(0), amount: cash },
            Snapshot::Position {
                instrument: PERP,
                amount: perp,
                mark: Price::whole(2_000),
                unsettled: zero,
                funding: zero,
            },
        ];
        for name in words.get("open").unwrap_or("").split(',').filter(|name| !name.is_empty()) {
            let nonce = self.nonce(name)?;
            parts.push(Snapshot::OpenOrder(OrderRow {
                subaccount: SUB,
                order_id: Uuid(nonce.0.into()),
                nonce,
                instrument: BASE,
                side: Side::Buy,
                price: Price::whole(2_000),
                amount: Amount::ONE,
                filled: Amount::ZERO,
                status: OrderStatus::Open,
                updated_at: self.at,
            }));
        }
        parts.push(Snapshot::End { asked_at });
        for part in parts {
            self.report(Report::Snapshot(part), said);
        }
        Ok(())
    }
}

impl Runner for Stage {
    type Command = Command;

    #[allow(clippy::too_many_lines)] // a table: one row after the other
    fn run(&mut self, command: &Command, context: &Context) -> Result<String, Box<dyn Error>> {
        let words = Words(command);
        // Written by `keel replay --to story`.
        if context.prefix.is_some() || matches!(command.name.as_str(), "run" | "before" | "until") {
            return self.told.run(command, context);
        }
        let mut said = String::new();
        match command.name.as_str() {
            "two" => self.risk = risk_of(2),
            // Everything a vault needs before it may trade: marks, session, clock, budget, snapshot.
            "live" => {
                let mut ignored = String::new();
                self.values("2000")?;
                // The wallet's one session is up when its first vault goes live.
                if words.vault() == VaultId(0) {
                    self.report(Report::Session(Session::Up), &mut ignored);
                }
                self.report(Report::VenueTime { offset_ns: 0, rtt_ns: MS }, &mut ignored);
                let budget = Budget { matching_tps: 500, instrument_tps: 10, other_tps: 500 };
                self.report(Report::Budget(budget), &mut ignored);
                self.snapshot(&words, &mut said)?;
            }
            "wait" => {
                let ms: u64 = words.first().parse()?;
                let price = words.get("price").unwrap_or("2000");
                for _ in 0..ms {
                    self.at = self.at.plus(MS);
                    if self.at.0.is_multiple_of(100 * MS) {
                        self.values(price)?;
                    }
                    let mut step = String::new();
                    self.hear(In::Tick, &mut step);
                    // Heartbeats of the account repeat what is known.
                    step.lines().filter(|line| !line.contains("→ auction")).for_each(|line| {
                        let _ = writeln!(said, "+{:<4} {line}", (self.at.0 - START) / MS);
                    });
                }
            }
            "place" => {
                let wish = self.wish(&words)?;
                self.intent(words.vault(), Act::Place(wish), &mut said);
            }
            "replace" => {
                let (old, new) = (self.nonce(words.first())?, self.wish(&words)?);
                self.intent(words.vault(), Act::Replace { old, new }, &mut said);
            }
            "cancel" => {
                let nonce = self.nonce(words.first())?;
                self.intent(words.vault(), Act::Cancel { nonce }, &mut said);
            }
            "answer" => {
                let answer = self.answer(&words)?;
                self.report(Report::Answer(answer), &mut said);
            }
            "order" => {
                let row = self.row(&words)?;
                self.report(Report::Order(row), &mut said);
            }
            "fill" => {
                self.trades += 1;
                let nonce = self.nonce(words.first())?;
                let trade_id = Uuid(words.get("trade").map_or(Ok(self.trades), str::parse)?);
                let fill = Fill {
                    subaccount: SUB,
                    trade_id,
                    order_id: Uuid(nonce.0.into()),
                    nonce,
                    instrument: words.instrument(),
                    side: words.side(),
                    price: words.price("price")?,
                    amount: words.amount("amount")?,
                    fee: Cash::ZERO,
                    maker: true,
                    mark: Price::whole(2_000),
                    venue_at: self.at,
                    settlement: Default::default(),
                };
                self.report(Report::Fill(fill), &mut said);
            }
            "unsent" => {
                let nonce = self.nonce(words.first())?;
                let request = if words.get("to") == Some("replace") { Request::Replace } else { Request::Place };
                self.report(Report::Unsent { nonce, request, why: Unsent::Fenced }, &mut said);
            }
            "session" => {
                let up = words.first() == "up";
                self.report(Report::Session(if up { Session::Up } else { Session::Down }), &mut said);
            }
            "snapshot" => self.snapshot(&words, &mut said)?,
            "transfer" => {
                let currency = if words.first() == "cash" { CurrencyId(0) } else { CurrencyId(1) };
                let balance = Balance {
                    subaccount: SUB,
                    asset: Asset::Currency(currency),
                    previous: words.get("from").unwrap_or("0").parse()?,
                    new: words.get("to").unwrap_or("0").parse()?,
                    kind: BalanceKind::Transfer,
                };
                self.report(Report::Balance(balance), &mut said);
            }
            "kill" => self.hear(In::Command(keel::msg::Command::Kill), &mut said),
            other => return Err(format!("unknown command {other}").into()),
        }
        Ok(said)
    }
}

impl Stage {
    fn values(&mut self, price: &str) -> Result<(), Box<dyn Error>> {
        let mark: Price = price.parse()?;
        for instrument in [BASE, PERP] {
            let value = Value {
                instrument,
                fair: mark,
                mark,
                index: mark,
                priced_at: self.at,
                good_until: self.at.plus(SEC),
                ..Value::default()
            };
            self.hear(In::Value(value), &mut String::new());
        }
        Ok(())
    }
}

#[test]
fn every_story_ends_as_told() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut told = 0;
    for entry in std::fs::read_dir(folder).expect("stories are there") {
        let path = entry.expect("readable").path();
        goldenscript::run(&mut Stage::new(), &path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        told += 1;
    }
    assert!(told >= 6, "only {told} stories");
}
