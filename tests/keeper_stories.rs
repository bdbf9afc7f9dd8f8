//! Stories of the keeping of a vault's shares: what its keeper hears above the line, what it wants below.
//!
//! `UPDATE_GOLDENFILES=1 cargo test --test keeper_stories` writes what it says now; read the difference before keeping it.

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::SolCall;
use goldenscript::{Argument, Command, Context, Runner};
use keel::actors::risk::CapitalNews;
use keel::base::ids::Nonce;
use keel::base::num::{Amount, Cash};
use keel::base::time::Nanos;
use keel::chain::abi::VaultShares;
use keel::chain::keeper::Keeper;
use keel::chain::keeper::words::{Action, Books, Event, Found, Moment, Terms, Word};
use keel::chain::lane::{Call, Head, Inclusion, Limits, Seen, Step};
use keel::chain::presign::words::Shadow;
use keel::chain::refusal::Refusal;
use keel::msg::{Phase, Verdict};
use std::error::Error;
use std::fmt::Write;
use std::str::FromStr;

const OWN: Address = Address::repeat_byte(0xee);
const GENESIS_S: u64 = 1_800_000_000;
const GWEI: u128 = 1_000_000_000;

struct Stage {
    keeper: Keeper,
    block: u64,
    books: Books,
    moment: Moment,
    asked: u64,
}

impl Stage {
    fn new() -> Stage {
        let lane = Limits {
            bump_after_blocks: 3,
            final_after_blocks: 10,
            tip_wei: GWEI,
            fee_wei_max: 5 * GWEI,
            balance_wei_min: U256::from(1_000),
        };
        let terms = Terms {
            vault: Address::repeat_byte(0x7a),
            deployed_block: 60,
            logs_span_blocks: 20,
            deposit_phases: Keeper::DEPOSIT_PHASES,
            withdrawal_phases: Keeper::FLAT_PHASES,
            deposit_batch: 4,
            withdrawal_batch: 32,
            buffer_bps: 100,
            sweep_min: U256::from(100),
            fee_every_s: 86_400,
            gas_limit: 500_000,
            retry_blocks: 20,
            lane,
        };
        let books = Books {
            block: 100,
            time_s: GENESIS_S,
            read_at: Nanos(1),
            listed: true,
            blocked: false,
            tokens: U256::ZERO,
            pending: U256::ZERO,
            queued: U256::ZERO,
            owed: U256::ZERO,
            value: U256::from(10_500),
            supply: U256::from(10_000),
            base: Amount::whole(10),
            cash: Cash::ZERO,
            base_free: U256::from(10_000),
            fee_due: false,
            fee_collected_s: GENESIS_S,
        };
        let moment = Moment { phase: Phase::CollateralOnly, signing: false, unsettled: 0 };
        Stage { keeper: Keeper::new(OWN, terms), block: 100, books, moment, asked: 0 }
    }

    fn hear(&mut self, event: Event, said: &mut String) {
        let mut actions = Vec::new();
        self.keeper.on(event, &mut actions);
        for action in actions {
            if let Action::Try(asked, _) = action {
                self.asked = asked;
            }
            let _ = writeln!(said, "{}", line(&action));
        }
    }

    fn head(&mut self, said: &mut String) {
        let head = Head { number: self.block, time_s: GENESIS_S + 2 * self.block, base_fee_wei: GWEI };
        self.hear(Event::Node(Seen::Head(head)), said);
    }

    fn read(&mut self, words: &Words<'_>) -> Result<(), Box<dyn Error>> {
        let known = self.books;
        let tokens = |key, known: U256| words.get(key, known.to::<u64>()).map(U256::from);
        self.books = Books {
            block: words.get("block", self.block)?,
            time_s: GENESIS_S + 2 * self.block,
            listed: words.get("listed", known.listed)?,
            blocked: words.get("blocked", known.blocked)?,
            tokens: tokens("tokens", known.tokens)?,
            pending: tokens("pending", known.pending)?,
            queued: tokens("queued", known.queued)?,
            owed: tokens("owed", known.owed)?,
            value: tokens("value", known.value)?,
            supply: tokens("supply", known.supply)?,
            base_free: tokens("free", known.base_free)?,
            fee_due: words.get("fee", known.fee_due)?,
            ..known
        };
        Ok(())
    }

    fn up(&mut self) {
        let mut ignored = String::new();
        self.head(&mut ignored);
        self.hear(Event::Node(Seen::Counts { mined: 5, pending: 5 }), &mut ignored);
        self.hear(Event::Moment(self.moment), &mut ignored);
        self.hear(Event::Found { upto: 79, found: Vec::new() }, &mut ignored);
        self.hear(Event::Found { upto: 90, found: Vec::new() }, &mut ignored);
        self.hear(Event::Books(self.books), &mut ignored);
    }
}

fn line(action: &Action) -> String {
    match action {
        Action::AskBooks => "chain ← books?".to_owned(),
        Action::Search { from, upto } => format!("chain ← deposits in {from}..={upto}?"),
        Action::Try(_, data) => format!("chain ← would {}?", call(data)),
        Action::Move(wish) => format!("engine ← {:?} {}", wish.flow, wish.amount),
        Action::Lane(Step::Send { nonce, call: what, fees }) => {
            let what = what.as_ref().map_or("empty".to_owned(), |Call { data, .. }| call(data));
            format!("chain ← nonce {nonce}: {what} at {}", fees.max_wei / (GWEI / 1_000))
        }
        Action::Lane(Step::AskReceipt { nonce, .. }) => format!("chain ← receipt of nonce {nonce}?"),
        Action::Lane(Step::AskCounts) => "chain ← counts?".to_owned(),
        Action::Lane(Step::AskBalance) => "chain ← balance?".to_owned(),
        Action::Lane(other) => format!("{other:?}"),
        Action::Say(Word::Alarm(alarm)) => format!("ALARM {alarm:?}"),
        Action::Say(word) => format!("says {word:?}"),
    }
}

fn call(data: &Bytes) -> String {
    if let Ok(call) = VaultShares::processDepositsCall::abi_decode(data) {
        let ids: Vec<String> = call.ids.iter().map(U256::to_string).collect();
        return format!("deposits {}", ids.join(" "));
    }
    if let Ok(call) = VaultShares::processWithdrawalRequestsCall::abi_decode(data) {
        return format!("pay {}", call.limit);
    }
    if VaultShares::collectFeeCall::abi_decode(data).is_ok() { "fee".to_owned() } else { format!("{data}") }
}

struct Words<'a>(&'a Command);

impl Words<'_> {
    fn get<T: FromStr>(&self, key: &str, otherwise: T) -> Result<T, Box<dyn Error>> {
        let found = self.0.args.iter().find_map(|argument| match argument {
            Argument::KeyValue(name, value) if name == key => Some(value),
            _ => None,
        });
        found.map_or(Ok(otherwise), |value| value.parse().map_err(|_| format!("{key}={value} ?").into()))
    }

    fn bare(&self) -> Vec<&str> {
        let bare = self.0.args.iter().filter_map(|argument| match argument {
            Argument::Positional(value) => Some(value.as_str()),
            _ => None,
        });
        bare.collect()
    }

    fn numbers(&self) -> Result<Vec<u64>, Box<dyn Error>> {
        self.bare().iter().map(|word| word.parse().map_err(|_| format!("{word} is no number").into())).collect()
    }
}

fn phase(word: &str) -> Result<Phase, Box<dyn Error>> {
    [Phase::CollateralOnly, Phase::OptionAuction, Phase::AwaitSettlement, Phase::SpotAuction]
        .into_iter()
        .find(|phase| format!("{phase:?}") == word)
        .ok_or_else(|| format!("no phase {word}").into())
}

fn news(words: &Words<'_>) -> Result<CapitalNews, Box<dyn Error>> {
    let nonce = Nonce(words.get("nonce", 77)?);
    Ok(match words.bare()[..] {
        ["refused"] => CapitalNews::Refused { row: 4, why: None },
        ["granted"] => CapitalNews::Granted { nonce },
        ["accepted"] => CapitalNews::Answered { nonce, verdict: Verdict::Accepted, code: 0 },
        ["settled"] => CapitalNews::Settled { nonce },
        ["lapsed"] => CapitalNews::Lapsed { nonce },
        _ => return Err("refused, granted, accepted, settled or lapsed".into()),
    })
}

impl Runner for Stage {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let words = Words(command);
        let mut said = String::new();
        match command.name.as_str() {
            // A start with nothing left over and the past searched: the next nonce is 5.
            "up" => self.up(),
            "head" => {
                self.block = words.get("at", self.block + words.get("more", 1)?)?;
                self.head(&mut said);
            }
            "counts" => self.hear(Event::Node(Seen::Counts { mined: 5, pending: 5 }), &mut said),
            "moment" => {
                if let [word] = words.bare()[..] {
                    self.moment.phase = phase(word)?;
                }
                self.moment.signing = words.get("signing", self.moment.signing)?;
                self.moment.unsettled = words.get("unsettled", self.moment.unsettled)?;
                self.hear(Event::Moment(self.moment), &mut said);
            }
            "books" => {
                self.read(&words)?;
                self.hear(Event::Books(self.books), &mut said);
            }
            "deposited" | "processed" => {
                let of = if command.name == "deposited" { Found::Initiated } else { Found::Processed };
                let found = words.numbers()?.into_iter().map(of).collect();
                self.hear(Event::Found { upto: words.get("upto", self.block - 10)?, found }, &mut said);
            }
            "tried" => {
                let outcome = match words.bare()[..] {
                    ["passed"] => Shadow::Passed,
                    ["down"] => Shadow::Unreachable("no answer".to_owned()),
                    [selector] => Shadow::Reverted(Refusal::decode(&u32::from_str_radix(selector, 16)?.to_be_bytes())),
                    _ => return Err("passed, down, or a selector".into()),
                };
                self.hear(Event::Tried(self.asked, outcome), &mut said);
            }
            "sent" => {
                let [nonce, hash] = words.numbers()?[..] else { return Err("nonce and hash".into()) };
                let hash = B256::repeat_byte(hash as u8);
                self.hear(Event::Node(Seen::Sent { nonce, hash, fault: None }), &mut said);
            }
            "mined" => {
                let [nonce, hash] = words.numbers()?[..] else { return Err("nonce and hash".into()) };
                let inclusion =
                    Inclusion { block: self.block, block_hash: B256::ZERO, succeeded: words.get("ok", true)? };
                let found = Some((B256::repeat_byte(hash as u8), inclusion));
                self.hear(Event::Node(Seen::Receipt { nonce, found }), &mut said);
            }
            // A reorg: the node knows no receipt any more.
            "lost" => {
                let [nonce] = words.numbers()?[..] else { return Err("a nonce".into()) };
                self.hear(Event::Node(Seen::Receipt { nonce, found: None }), &mut said);
            }
            "stop" => self.hear(Event::Stop, &mut said),
            "capital" => self.hear(Event::Capital(news(&words)?), &mut said),
            other => return Err(format!("no command {other}").into()),
        }
        Ok(said)
    }
}

macro_rules! stories {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            let path = concat!("tests/keeper_stories/", stringify!($name));
            goldenscript::run(&mut Stage::new(), path).expect(path);
        })*
    };
}

stories! {
    waits_until_all_is_known
    makes_shares_of_deposits
    leaves_out_a_bad_deposit
    gives_up_when_no_choice_helps
    never_during_an_auction
    takes_back_what_an_auction_overtakes
    reorg_during_an_auction
    reorg_in_its_own_phase
    reorg_while_capital_moves
    pays_withdrawals
    pays_what_there_is
    puts_idle_tokens_to_work
    collects_the_fee
    retries_after_a_revert
    loses_sight_of_capital
    blocked_or_not_listed
    begins_nothing_at_the_end
}
