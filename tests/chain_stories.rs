//! Stories of a vault's one signature: what its signer hears above the line, what it wants below. Each file is one
//! situation between an engine, a contract and a chain.
//!
//! `UPDATE_GOLDENFILES=1 cargo test --test chain_stories` writes what it says now; read the difference before keeping it.

use alloy::primitives::{Address, B256, Bytes, U256};
use goldenscript::{Argument, Command, Context, Runner};
use keel::chain::feed::FeedState;
use keel::chain::lane::{Alarm as LaneAlarm, Call, Fees, Head, Inclusion, Limits, Seen, SendFault, Step};
use keel::chain::presign::Presign;
use keel::chain::presign::words::{
    Action, Event, Facts, Held, RefreshTerms, Request, Shadow, SignedPrice, Terms, Ticket, Word,
};
use keel::chain::refusal::Refusal;
use std::error::Error;
use std::fmt::Write;

const OWN: Address = Address::repeat_byte(0xee);
const VAULT: Address = Address::repeat_byte(0x7a);
/// Time of block 0; blocks are two seconds apart.
const GENESIS_S: u64 = 1_800_000_000;
const GWEI: u128 = 1_000_000_000;
const FEED: Address = Address::repeat_byte(0xfe);
/// Oldest price the feed answers with, seconds.
const HEARTBEAT_S: u64 = 180;

struct Stage {
    presign: Presign,
    block: u64,
    facts: Facts,
}

impl Stage {
    fn new(refresh: Option<RefreshTerms>) -> Stage {
        let terms = Terms {
            vault: VAULT,
            sign_gas: 600_000,
            revoke_gas: 80_000,
            life_s_min: 310,
            idle_blocks_max: 20,
            feed: Some(FEED),
            feed_spare_s: 6,
            refresh,
        };
        let limits = Limits {
            bump_after_blocks: 3,
            final_after_blocks: 10,
            tip_wei: GWEI,
            fee_wei_max: 5 * GWEI,
            balance_wei_min: U256::from(1_000),
        };
        let facts = Facts {
            last_seen: B256::ZERO,
            live: false,
            listed: true,
            disabled: false,
            blocked: false,
            feed: None,
            block: 0,
        };
        Stage { presign: Presign::new(OWN, terms, limits), block: 100, facts }
    }

    fn hear(&mut self, event: Event, said: &mut String) {
        let mut actions = Vec::new();
        self.presign.on(event, &mut actions);
        for action in actions {
            let _ = writeln!(said, "{}", line(&action));
        }
    }

    fn head(&mut self, said: &mut String) {
        let head = Head { number: self.block, time_s: GENESIS_S + 2 * self.block, base_fee_wei: GWEI };
        self.hear(Event::Node(Seen::Head(head)), said);
    }

    fn request(&self, ticket: u8, life_s: u64) -> Request {
        let expiry_s = GENESIS_S + 2 * self.block + life_s;
        Request {
            ticket: Ticket(ticket.into()),
            digest: B256::repeat_byte(ticket),
            expiry_s,
            calldata: Bytes::from(vec![ticket]),
        }
    }
}

fn line(action: &Action) -> String {
    match action {
        Action::AskFacts => "chain ← facts?".to_owned(),
        Action::AskPrice => "venue ← price?".to_owned(),
        Action::AskShadow(ticket, _) => format!("chain ← would sign {}?", ticket.0),
        Action::Lane(Step::Send { nonce, call, fees }) => {
            format!("chain ← nonce {nonce}: {} at {}", what(call.as_ref()), price(*fees))
        }
        Action::Lane(Step::AskReceipt { nonce, hashes }) => {
            let hashes: Vec<String> = hashes.iter().map(|hash| format!("t{}", hash[0])).collect();
            format!("chain ← receipt of nonce {nonce}? [{}]", hashes.join(" "))
        }
        Action::Lane(Step::AskCounts) => "chain ← counts?".to_owned(),
        Action::Lane(Step::AskBalance) => "chain ← balance?".to_owned(),
        Action::Lane(other) => format!("{other:?}"),
        Action::Say(word) => format!("engine ← {}", told(word)),
    }
}

fn told(word: &Word) -> String {
    match word {
        Word::Signed { ticket, digest, block } => format!("signed {} (d{}) in {block}", ticket.0, digest[0]),
        Word::Refreshed { signed_s } => format!("feed has the price of {}", signed_s - GENESIS_S),
        Word::NotRefreshed(why) => format!("feed has no newer price: {why}"),
        Word::Revoked(digest) => format!("revoked d{}", digest[0]),
        Word::Refused(ticket, why) => format!("refused {}: {why:?}", ticket.0),
        Word::Alarm(keel::chain::presign::words::Alarm::Foreign(digest)) => format!("ALARM foreign d{}", digest[0]),
        Word::Alarm(keel::chain::presign::words::Alarm::Lane(LaneAlarm::BalanceLow(wei))) => {
            format!("ALARM balance {wei} wei")
        }
        Word::Alarm(alarm) => format!("ALARM {alarm:?}"),
        other => format!("{other:?}"),
    }
}

fn what(call: Option<&Call>) -> String {
    match call {
        None => "empty".to_owned(),
        Some(call) if call.to == FEED => format!("price for the feed (gas {})", call.gas_limit),
        Some(call) if call.data.len() == 1 => format!("sign {} (gas {})", call.data[0], call.gas_limit),
        Some(call) => format!("revoke d{} (gas {})", call.data[4], call.gas_limit),
    }
}

fn price(fees: Fees) -> String {
    let gwei = |wei: u128| format!("{}.{:03}", wei / GWEI, wei % GWEI / 1_000_000);
    format!("{} tip {}", gwei(fees.max_wei), gwei(fees.tip_wei))
}

struct Words<'a>(&'a Command);

impl Words<'_> {
    fn get<T: std::str::FromStr>(&self, key: &str, otherwise: T) -> Result<T, Box<dyn Error>> {
        let found = self.0.args.iter().find_map(|argument| match argument {
            Argument::KeyValue(name, value) if name == key => Some(value),
            _ => None,
        });
        found.map_or(Ok(otherwise), |value| value.parse().map_err(|_| format!("{key}={value} ?").into()))
    }

    fn positional(&self, at: usize) -> Option<&str> {
        let mut bare = self.0.args.iter().filter_map(|argument| match argument {
            Argument::Positional(value) => Some(value.as_str()),
            _ => None,
        });
        bare.nth(at)
    }

    fn number<T: std::str::FromStr>(&self, at: usize) -> Result<T, Box<dyn Error>> {
        let text = self.positional(at).ok_or("a number is missing")?;
        text.parse().map_err(|_| format!("{text} is no number").into())
    }
}

impl Runner for Stage {
    type Command = Command;

    #[allow(clippy::too_many_lines)] // a table: one row after the other
    fn run(&mut self, command: &Command, _: &Context) -> Result<String, Box<dyn Error>> {
        let words = Words(command);
        let mut said = String::new();
        match command.name.as_str() {
            // A start with nothing left over: the next nonce is 5.
            "up" => {
                let mut ignored = String::new();
                self.head(&mut ignored);
                self.hear(Event::Node(Seen::Counts { mined: 5, pending: 5 }), &mut ignored);
                self.hear(Event::Recovered(None), &mut ignored);
                self.hear(Event::Unsettled(0), &mut ignored);
                self.hear(Event::Facts(self.facts), &mut ignored);
            }
            // A wish, its shadow call, its transaction t1 of nonce 5, its block.
            "signed" => {
                let (ticket, mut ignored) = (words.number(0)?, String::new());
                let request = self.request(ticket, words.get("life", 600)?);
                let id = request.ticket;
                self.hear(Event::Sign(request), &mut ignored);
                self.hear(Event::Shadow(id, Shadow::Passed), &mut ignored);
                let nonce = words.get("nonce", 5)?;
                let hash = B256::repeat_byte(words.get("tx", 1)?);
                self.hear(Event::Node(Seen::Sent { nonce, hash, fault: None }), &mut ignored);
                self.block += 1;
                self.head(&mut ignored);
                let found = Inclusion { block: self.block, block_hash: B256::ZERO, succeeded: true };
                self.hear(Event::Node(Seen::Receipt { nonce, found: Some((hash, found)) }), &mut ignored);
                self.facts =
                    Facts { last_seen: B256::repeat_byte(ticket), live: true, block: self.block, ..self.facts };
                self.hear(Event::Facts(self.facts), &mut said);
            }
            "head" => {
                self.block = words.get("at", self.block + words.get("more", 1)?)?;
                self.head(&mut said);
            }
            "counts" => {
                let (mined, pending) = (words.number(0)?, words.number(1)?);
                self.hear(Event::Node(Seen::Counts { mined, pending }), &mut said);
            }
            "sent" => {
                let fault = match words.get("fault", String::new())?.as_str() {
                    "" => None,
                    "known" => Some(SendFault::Known),
                    "nonce" => Some(SendFault::NonceLow),
                    "underpriced" => Some(SendFault::Underpriced),
                    "funds" => Some(SendFault::Funds),
                    other => return Err(format!("no fault {other}").into()),
                };
                let (nonce, hash) = (words.number(0)?, B256::repeat_byte(words.number(1)?));
                self.hear(Event::Node(Seen::Sent { nonce, hash, fault }), &mut said);
            }
            "receipt" => {
                let nonce = words.number(0)?;
                let found = match words.positional(1) {
                    None => None,
                    Some(hash) => {
                        let block = words.get("block", self.block)?;
                        let succeeded = words.get("ok", true)?;
                        let inclusion = Inclusion { block, block_hash: B256::ZERO, succeeded };
                        Some((B256::repeat_byte(hash.parse()?), inclusion))
                    }
                };
                self.hear(Event::Node(Seen::Receipt { nonce, found }), &mut said);
            }
            "balance" => {
                let wei: u64 = words.number(0)?;
                self.hear(Event::Node(Seen::Balance(U256::from(wei))), &mut said);
            }
            "facts" => {
                self.facts = Facts {
                    last_seen: B256::repeat_byte(words.get("last", self.facts.last_seen[0])?),
                    live: words.get("live", self.facts.live)?,
                    listed: words.get("listed", self.facts.listed)?,
                    disabled: words.get("disabled", self.facts.disabled)?,
                    blocked: words.get("blocked", self.facts.blocked)?,
                    // Seconds after the present block for which the feed still answers.
                    feed: match words.get("priced", u64::MAX)? {
                        u64::MAX => None,
                        left_s => {
                            let signed_s = GENESIS_S + 2 * self.block + left_s - HEARTBEAT_S;
                            Some(FeedState { signed_s: Some(signed_s), heartbeat_s: HEARTBEAT_S })
                        }
                    },
                    block: words.get("block", self.block)?,
                };
                self.hear(Event::Facts(self.facts), &mut said);
            }
            // The engine brings prices to the feed.
            "refreshes" => {
                let terms = RefreshTerms {
                    age_bps_max: words.get("age", 5_000)?,
                    pause_s: words.get("pause", 15)?,
                    gas: 600_000,
                };
                *self = Stage::new(Some(terms));
            }
            // What the venue has: a price signed so many seconds before the present block, or nothing.
            "price" => {
                let price = match words.get("ago", u64::MAX)? {
                    u64::MAX => Err("no signed spot feed".to_owned()),
                    ago_s => {
                        let signed_s = GENESIS_S + 2 * self.block - ago_s;
                        Ok(SignedPrice { signed_s, calldata: Bytes::from(vec![0xac; 8]) })
                    }
                };
                self.hear(Event::Price(price), &mut said);
            }
            "shadow" => {
                let ticket = Ticket(words.number(0)?);
                let shadow = match words.positional(1).ok_or("passed, down, or a selector")? {
                    "passed" => Shadow::Passed,
                    "down" => Shadow::Unreachable("no answer".to_owned()),
                    selector => Shadow::Reverted(Refusal::decode(&u32::from_str_radix(selector, 16)?.to_be_bytes())),
                };
                self.hear(Event::Shadow(ticket, shadow), &mut said);
            }
            "sign" => {
                let request = self.request(words.number(0)?, words.get("life", 600)?);
                self.hear(Event::Sign(request), &mut said);
            }
            "release" => self.hear(Event::Release(Ticket(words.number(0)?)), &mut said),
            "revoke" => self.hear(Event::Revoke(Ticket(words.number(0)?)), &mut said),
            "close" => {
                self.hear(Event::Close, &mut said);
                let _ = writeln!(said, "closed: {}", self.presign.is_closed());
            }
            "closed" => {
                let _ = writeln!(said, "closed: {}", self.presign.is_closed());
            }
            "unsettled" => self.hear(Event::Unsettled(words.number(0)?), &mut said),
            "recovered" => {
                let held = match words.positional(0) {
                    None => None,
                    Some(ticket) => {
                        let request = self.request(ticket.parse()?, words.get("life", 600)?);
                        Some(Held { ticket: request.ticket, digest: request.digest, expiry_s: request.expiry_s })
                    }
                };
                self.hear(Event::Recovered(held), &mut said);
            }
            other => return Err(format!("no command {other}").into()),
        }
        Ok(said)
    }
}

macro_rules! stories {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            let path = concat!("tests/chain_stories/", stringify!($name));
            goldenscript::run(&mut Stage::new(None), path).expect(path);
        })*
    };
}

stories! {
    signs_and_revokes
    refuses_before_it_may
    one_live_signature
    unsettled_blocks_everything
    fill_meets_revocation
    contract_refuses
    reverted_in_a_block
    dropped_and_resent
    fee_rises_to_its_cap
    reorg_takes_the_signature
    reorg_under_a_fill
    reorg_without_a_fill
    reorg_takes_a_revocation
    withdrawn_on_its_way
    adopted_after_restart
    revoked_after_restart
    leftover_transactions
    key_used_elsewhere
    owner_stops_signatures
    foreign_signature
    expires
    released_while_suspended
    revokes_at_the_end
    ends_with_an_order_out
    ends_while_signing
    waits_for_a_price
    feed_refreshed
    feed_not_refreshed
}
