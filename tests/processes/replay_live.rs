//! Tapes of real runs: the binary with its signer's process over sockets, killed and stopped, and the six actors on
//! threads of their own; each is folded again to the same state at every checkpoint.

use crate::basis_vault::{blueprint, key_of, vault_account};
use crate::live_vault::{private, vault_text, venue};
use crate::told_run::ToldRun;
use keel::base::time::{MS, Nanos, SEC};
use keel::derive::dialect::{Address, V2_MAINNET};
use keel::derive::seal::ContractCharter;
use keel::engine::core::Idle;
use keel::engine::ports::Key;
use keel::engine::switch::Switch;
use keel::engine::tape::{Recorder, Roll, Tape};
use keel::exchange::world::WorldSettings;
use keel::exchange::{Network, Settings};
use keel::msg::{ChainAsk, ChainWord, Unsigned};
use keel::ops::blueprint::{Blueprint, ContractPlan, Outside};
use keel::ops::engine::Engine;
use keel::ops::replay::{Hand, Played, Rerun, Trouble};
use keel::sim::ports::{MemoryReel, MemoryStore};
use keel::sim::venue::SimVenue;
use keel::topology::{ChainEnds, Core, Layout, assemble};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn keel(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keel"));
    command.args(args).current_dir(folder);
    command
}

fn output(folder: &Path, args: &[&str]) -> Output {
    keel(folder, args).output().expect("the binary runs")
}

/// Replays a run and takes its tapes' fate apart: messages and equal checkpoints per actor.
fn replayed(folder: &Path, run: &str) -> Vec<(String, u64, u64, bool)> {
    let said = output(folder, &["replay", "state", "--run", run, "--json"]);
    let (words, why) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.status.code(), Some(0), "{words}{why}");
    let object: Value = serde_json::from_slice(&said.stdout).expect("one object");
    assert_eq!(object["same_build"], true);
    let actors = object["actors"].as_array().expect("six actors").iter();
    let number = |actor: &Value, name: &str| actor[name].as_u64().expect("a number");
    actors
        .map(|actor| {
            let name = actor["actor"].as_str().expect("a name").to_owned();
            (name, number(actor, "messages"), number(actor, "checkpoints_equal"), actor["closed"] == true)
        })
        .collect()
}

/// Any byte of a page, flipped, is found, and the tape is refused by its place.
fn flip(folder: &Path) {
    let page = folder.join("state/tape/run-000001/risk-000001.page");
    let sound = fs::read(&page).expect("a page");
    let mut flipped = sound.clone();
    flipped[1_000] ^= 4;
    fs::write(&page, flipped).expect("written");
    let said = output(folder, &["replay", "state", "--run", "1"]);
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(2), "{words}");
    assert!(words.contains("risk: page 1, byte "), "{words}");
    fs::write(&page, sound).expect("written");
}

#[test]
fn the_binary_killed_and_started_again_folds_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (live, account) = venue();
    let text = vault_text(&live, &account);
    // Time enough to fold a run on a host that is busy with other tests.
    let patient = "[journal]\nreplay_at_start_ms_max = 60000\n";
    for (name, isolation) in [("thread.toml", "thread"), ("process.toml", "process")] {
        private(folder, name, &format!("{text}\n[signer]\nisolation = \"{isolation}\"\n{patient}"));
    }
    private(folder, "session.key", &account.session_key_hex);
    let run = |config| ["run", "--config", config, "--state", "state", "--json", "--seconds", "60"];
    let mut killed =
        keel(folder, &run("thread.toml")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary runs");
    // Long enough to have traded: the tape says when.
    let risk = folder.join("state/tape/run-000001/risk-000001.page");
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) && fs::read(&risk).map_or(0, |page| used(&page)) < 60_000 {
        std::thread::yield_now();
    }
    let second = output(folder, &run("thread.toml"));
    let words = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{words}");
    assert!(words.contains("is in use by process"), "{words}");
    let elsewhere = ["run", "--config", "thread.toml", "--state", "elsewhere", "--json", "--seconds", "60"];
    let third = output(folder, &elsewhere);
    let words = String::from_utf8_lossy(&third.stderr);
    assert_eq!(third.status.code(), Some(2), "{words}");
    assert!(words.contains("another keel on this host trades for subaccount"), "{words}");
    killed.kill().expect("killed");
    killed.wait().expect("ended");
    let first = replayed(folder, "1");
    assert!(first.iter().all(|(_, messages, equal, closed)| *messages > 100 && *equal > 1 && !closed), "{first:?}");
    flip(folder);
    // The first run has traded whatever the host was busy with; those after it may find nothing to do.
    lost_end_comes_back(folder);
    let seconds = ["run", "--config", "process.toml", "--state", "state", "--json", "--seconds", "4"];
    let ended = output(folder, &seconds);
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    let apart = replayed(folder, "4");
    assert!(apart.iter().all(|(_, messages, equal, closed)| *messages > 100 && *equal > 3 && *closed), "{apart:?}");
    let stopped = output(folder, &["replay", "state", "--checkpoint", "2", "--print", "risk"]);
    let (words, why) = (String::from_utf8_lossy(&stopped.stdout), String::from_utf8_lossy(&stopped.stderr));
    assert_eq!((stopped.status.code(), words.contains("Risk {")), (Some(0), true), "{words}{why}");
    a_stretch_is_a_story(folder);
    damaged_tape_drains(folder);
    damaged_journal_drains(folder);
    live.exchange.join();
}

/// What the run said is the same when its story is played by the program again, piece by piece.
fn a_stretch_is_a_story(folder: &Path) {
    let args = ["replay", "state", "--run", "1", "--to", "story", "--from", "+1"];
    let said = output(folder, &args);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let story = String::from_utf8(said.stdout).expect("a text");
    let told = story.split_once("\nbefore ").map_or("", |(_, told)| told);
    assert!(told.contains("\nuntil ") && told.contains(" gateway → venue "), "{told}");
    let again = goldenscript::generate(&mut ToldRun::default(), &story).expect("a story");
    assert_eq!(again, story);
    // What was said is what the story holds the program to.
    let changed = story.replacen(" gateway → venue ", " gateway → nobody ", 1);
    let again = goldenscript::generate(&mut ToldRun::default(), &changed).expect("a story");
    assert!(changed != story && again == story);
}

fn run_again(folder: &Path, config: &str) -> (String, Value) {
    let said = output(folder, &["run", "--config", config, "--state", "state", "--json", "--seconds", "2"]);
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(0), "{words}");
    (words, serde_json::from_slice(&said.stdout).expect("one object"))
}

/// Loss of power may take the last records of the journal: the tapes of the run give them back.
fn lost_end_comes_back(folder: &Path) {
    let page = folder.join("state/000000000001.page");
    let mut bytes = fs::read(&page).expect("the journal");
    // The last order, and what was noted after it.
    let mut last = used(&bytes) / 256 * 256;
    let mut lost = 1;
    while bytes[last + 8] != 0xA1 {
        last -= 256;
        lost += 1;
    }
    bytes[last..].fill(0);
    fs::write(&page, &bytes).expect("written");
    let (words, _) = run_again(folder, "thread.toml");
    assert!(words.contains(&format!("{lost} records that the journal of orders lost come back")), "{words}");
    assert!(!words.contains("drained"), "{words}");
    let again = fs::read(&page).expect("the journal");
    assert_ne!(again[last..last + 256], [0; 256], "and stands in it");
    // What came back is not missed again.
    let (words, _) = run_again(folder, "thread.toml");
    assert!(!words.contains("come back") && !words.contains("drained"), "{words}");
}

/// A tape damaged in its middle: the next start is a drained one.
fn damaged_tape_drains(folder: &Path) {
    let page = folder.join("state/tape/run-000004/gateway-000001.page");
    let mut bytes = fs::read(&page).expect("a page");
    bytes[1_000] ^= 4;
    fs::write(&page, &bytes).expect("written");
    let (words, report) = run_again(folder, "thread.toml");
    assert!(words.contains("every vault starts drained: run 4: the tape of gateway is damaged: page 1"), "{words}");
    assert_eq!((&report["quotes"], &report["fills"]), (&Value::from(0), &Value::from(0)), "{report}");
}

/// A journal damaged in its middle stays as it is: every vault starts drained on what is sound in it.
fn damaged_journal_drains(folder: &Path) {
    let page = folder.join("state/000000000001.page");
    let mut bytes = fs::read(&page).expect("the journal");
    // The first of several records.
    bytes[256 + 20] ^= 1;
    fs::write(&page, &bytes).expect("written");
    let said = output(folder, &["run", "--config", "thread.toml", "--state", "state", "--json", "--seconds", "4"]);
    let words = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(0), "{words}");
    assert!(words.contains("every vault starts drained") && words.contains("record 0 is damaged"), "{words}");
    assert_eq!(fs::read(&page).expect("the journal"), bytes, "it stays for whoever looks");
    let report: Value = serde_json::from_slice(&said.stdout).expect("one object");
    assert_eq!((&report["quotes"], &report["fills"]), (&Value::from(0), &Value::from(0)), "{report}");
    let replayed = replayed(folder, "6");
    assert!(replayed.iter().all(|(.., equal, closed)| *equal > 3 && *closed), "{replayed:?}");
}

/// Bytes of a page that were written.
fn used(page: &[u8]) -> usize {
    page.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[test]
fn six_threads_fold_again_in_one() {
    const START: Nanos = Nanos(1_800_000_000 * SEC);
    let account = vault_account();
    let settings = Settings { seed: 7, accounts: vec![account.clone()], ..Settings::default() };
    let mut venue = SimVenue::open(settings, WorldSettings::demo(7, 60), START);
    let plan = blueprint(&mut venue.exchange, START, &account);
    let key = key_of(&account);
    let address = key.address();
    let outside = Outside {
        wires: venue.wires().into(),
        clock: venue.clock(),
        key,
        store: MemoryStore::default(),
        switch: Switch::local(),
    };
    let reels: [MemoryReel; 7] = Default::default();
    let mut parts = plan.build(outside);
    parts.tapes = reels.each_ref().map(|reel| Tape::Recording(Recorder::new(Box::new(reel.clone()))));
    let (cores, mut control) = assemble(parts, &Layout::single(None));
    let turns = cores.into_iter().flat_map(|core| core.turns);
    let threads = turns.map(|turn| Core { core: None, turns: vec![turn] }).collect();
    let engine = Engine::start(threads, Idle::Yield).expect("six threads");
    // Virtual time no faster than real time, so that threads that share cores keep up.
    let began = Instant::now();
    while venue.now() < START.plus(6 * SEC) {
        let real = Nanos(began.elapsed().as_nanos() as u64);
        if venue.now().since(START) < real.0 {
            let end = venue.now().plus(MS);
            venue.step(end, &mut [], &mut control);
        } else {
            std::thread::yield_now();
        }
    }
    assert!(engine.is_alive());
    assert_eq!(engine.stop().died, Vec::<String>::new());
    for played in fold(&plan, address, &reels) {
        assert_eq!(played.trouble, None, "{}", played.actor);
        assert!(played.progress.closed && played.progress.equal >= 6, "{played:?}");
    }
    // Another engine on the same tapes is found out, by actor and checkpoint.
    let other = Blueprint { refusals_max: plan.refusals_max + 1, ..plan };
    let played = fold(&other, address, &reels);
    let differs = |played: &Played| matches!(played.trouble, Some(Trouble::Difference(why)) if why.checkpoint == 1);
    assert!(differs(&played[4]), "{:?}", played[4]);
    assert_eq!(played[0].trouble, None, "nobody else cares");
}

/// Answers what the contract stage asks as a chain would that signs everything but every third order.
struct Chain {
    ends: ChainEnds,
    asked: u64,
    signed: u64,
}

impl Chain {
    fn say(&mut self, word: ChainWord) {
        assert!(self.ends.words.send(word).is_ok(), "the stage reads");
    }

    fn answer(&mut self) {
        while let Some(ask) = self.ends.asks.receive() {
            let ChainAsk::Sign(ask) = ask else { continue };
            self.asked += 1;
            if self.asked.is_multiple_of(3) {
                self.say(ChainWord::Refused { nonce: ask.nonce, why: Unsigned::Reverted(*b"what") });
            } else {
                self.signed += 1;
                self.say(ChainWord::Signed { nonce: ask.nonce, block: self.asked });
                self.say(ChainWord::Ready(true));
            }
        }
    }
}

#[test]
fn a_run_whose_contract_signs_folds_again() {
    const START: Nanos = Nanos(1_800_000_000 * SEC);
    let account = vault_account();
    let settings =
        Settings { network: Network::V2Mainnet, seed: 7, accounts: vec![account.clone()], ..Settings::default() };
    let mut venue = SimVenue::open(settings, WorldSettings::demo(7, 60), START);
    venue.keep_tape();
    let mut plan = blueprint(&mut venue.exchange, START, &account);
    plan.dialect = &V2_MAINNET;
    let charter = ContractCharter { address: [7; 20], presigned: true };
    plan.contract = Some(ContractPlan { charter, journaled: None });
    let key = key_of(&account);
    let address = key.address();
    let wires = venue.wires().into();
    let outside = Outside { wires, clock: venue.clock(), key, store: MemoryStore::default(), switch: Switch::local() };
    let reels: [MemoryReel; 7] = Default::default();
    let mut parts = plan.build(outside);
    parts.tapes = reels.each_ref().map(|reel| Tape::Recording(Recorder::new(Box::new(reel.clone()))));
    let (cores, mut control) = assemble(parts, &Layout::single(None));
    let mut turns: Vec<_> = cores.into_iter().flat_map(|core| core.turns).collect();
    let mut chain = Chain { ends: control.chain.take().expect("a contract signs"), asked: 0, signed: 0 };
    chain.say(ChainWord::Hello);
    chain.say(ChainWord::Ready(true));
    // Risk's thread begins late: its checkpoints lie behind everybody else's.
    let place = turns.iter().position(|turn| turn.name() == "risk").expect("an actor");
    let risk = turns.remove(place);
    while venue.now() < START.plus(700 * MS) {
        let end = venue.now().plus(MS);
        venue.step(end, &mut turns, &mut control);
    }
    turns.insert(place, risk);
    while venue.now() < START.plus(6 * SEC) {
        let end = venue.now().plus(MS);
        venue.step(end, &mut turns, &mut control);
        chain.answer();
    }
    turns.into_iter().for_each(|turn| drop(turn.finish()));
    assert!(chain.signed > 0, "{} asked", chain.asked);
    no_login_is_on(&venue, &reels);
    // What a sentry is told of: the name that the orders carry.
    let texts = venue.tape().iter().filter_map(|said| serde_json::from_str::<Value>(&said.text).ok());
    let named = texts.filter(|text| text["method"] == "private/order").map(|text| text["params"]["signer"].clone());
    let contract = alloy_primitives::hex::encode_prefixed(plan.acts_as(address));
    assert!(contract == format!("0x{}", "07".repeat(20)));
    for name in named {
        assert_eq!(name.as_str().map(str::to_lowercase), Some(contract.clone()));
    }
    let played = fold(&plan, address, &reels);
    assert_eq!(played.len(), 7);
    for played in &played {
        assert_eq!(played.trouble, None, "{}", played.actor);
        assert!(played.progress.closed && played.progress.equal >= 5, "{played:?}");
    }
    for (checkpoint, actor) in [(1, None), (3, None), (1, Some("risk")), (2, Some("market_data")), (2, Some("gateway"))]
    {
        stops_at(checkpoint, actor, fold_to(&plan, address, &reels, Some((checkpoint, actor))));
    }
    // What the chain said decides what is so: without its words the fold comes to another end.
    let mut silent = reels.each_ref().map(|reel| Roll::new(vec![reel.page()].into_iter()));
    silent[6] = Roll::new(Vec::new().into_iter());
    let mut rerun = Rerun::new(&plan, Hand::Here(address), silent);
    rerun.run(Nanos::MAX, &mut |_| ());
    assert!(rerun.finish(Nanos::MAX).iter().any(|played| played.trouble.is_some()));
}

/// Signatures of the texts that name one of these methods and left the engine: as text and as bytes.
fn signatures_in(venue: &SimVenue, methods: &[&str]) -> Vec<[Vec<u8>; 2]> {
    let named = |text: &&Value| methods.iter().any(|method| text["method"] == **method);
    let texts: Vec<Value> = venue.tape().iter().filter_map(|said| serde_json::from_str(&said.text).ok()).collect();
    let signature = |text: &Value| {
        let hex = text["params"]["signature"].as_str().expect("it is signed").trim_start_matches("0x").to_owned();
        let bytes = alloy_primitives::hex::decode(&hex).expect("hex");
        [hex.into_bytes(), bytes]
    };
    texts.iter().filter(named).map(signature).collect()
}

/// A proof of the session key lets its holder log in as we do: none is recorded. What the key signs of orders is.
fn no_login_is_on(venue: &SimVenue, reels: &[MemoryReel; 7]) {
    let pages: Vec<Vec<u8>> = reels.iter().map(|reel| reel.page().bytes).collect();
    let recorded = |wanted: &Vec<u8>| pages.iter().any(|page| memchr::memmem::find(page, wanted).is_some());
    let logins = signatures_in(venue, &["public/login"]);
    let orders = signatures_in(venue, &["private/order", "private/replace"]);
    assert!(!logins.is_empty() && !orders.is_empty(), "{} logins, {} orders", logins.len(), orders.len());
    assert!(!logins.iter().flatten().any(recorded), "a login is on the tapes");
    assert!(orders.iter().any(|forms| forms.iter().any(recorded)), "no order's signature is, so nothing was looked at");
}

/// The actor asked for stands at its checkpoint, or everybody has come to it and somebody only just.
fn stops_at(checkpoint: u64, actor: Option<&str>, played: Vec<Played>) {
    for played in &played {
        assert_eq!((&played.trouble, played.progress.closed), (&None, false), "{checkpoint} of {actor:?}: {played:?}");
    }
    let wanted = played.iter().filter(|played| actor.is_none_or(|actor| played.actor == actor));
    assert_eq!(wanted.map(|played| played.progress.equal).min(), Some(checkpoint), "{actor:?}: {played:?}");
}

fn fold(plan: &Blueprint, address: Address, reels: &[MemoryReel; 7]) -> Vec<Played> {
    fold_to(plan, address, reels, None)
}

fn fold_to(
    plan: &Blueprint,
    address: Address,
    reels: &[MemoryReel; 7],
    checkpoint: Option<(u64, Option<&str>)>,
) -> Vec<Played> {
    let rolls = reels.each_ref().map(|reel| Roll::new(vec![reel.page()].into_iter()));
    let mut rerun = Rerun::new(plan, Hand::Here(address), rolls);
    if let Some((count, actor)) = checkpoint {
        rerun.stop_at_checkpoint(count, actor);
    }
    rerun.run(Nanos::MAX, &mut |_| ());
    rerun.finish(Nanos::MAX)
}
