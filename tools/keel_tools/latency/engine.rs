//! The engine as the measured side: the same assembly as a live run, on real sockets, key and journal.

use super::{SubjectArgs, wait_for_end};
use crate::basis_vault::{blueprint, key_of, ratio, vault_account};
use keel::base::num::Ratio;
use keel::engine::core::Idle;
use keel::engine::ports::Clock;
use keel::engine::switch::Switch;
use keel::exchange::{Exchange, Settings};
use keel::io::clock::LiveClock;
use keel::io::store::{Layout as Pages, PageStore};
use keel::io::websocket::{self, WebSocket};
use keel::msg::{Command, RatioRound};
use keel::ops::blueprint::Outside;
use keel::ops::engine::Engine;
use keel::topology::{Layout, assemble};
use serde_json::{Map, Value, json};

/// The three connections of a subject: public, external, private.
pub fn wires(args: &SubjectArgs) -> Result<[WebSocket; 3], String> {
    let open = |path: &str| -> Result<WebSocket, String> {
        let settings = websocket::Settings::drawn().map_err(|why| why.to_string())?;
        WebSocket::new(&format!("ws://{}/{path}", args.address), settings).map_err(|why| why.to_string())
    };
    Ok([open("public")?, open("external")?, open("private")?])
}

/// Runs the engine until told to stop, then says where its time went.
pub fn run(args: &SubjectArgs) -> Result<(), String> {
    let account = vault_account();
    let mut clock = LiveClock::new();
    let at = clock.now();
    let settings = Settings { accounts: vec![account.clone()], ..Settings::default() };
    let plan = blueprint(&mut Exchange::new(settings, at), at, &account);
    let scratch = tempfile::tempdir().map_err(|why| why.to_string())?;
    let (store, _) = PageStore::open(&scratch.path().join("journal"), Pages::default(), &mut |_, _| ())
        .map_err(|why| format!("journal: {why}"))?;
    let outside = Outside {
        wires: wires(args)?.into(),
        clock: clock.clone(),
        key: key_of(&account),
        store,
        switch: Switch::local(),
    };
    let (cores, control) = assemble(plan.build(outside), &Layout::single(args.core));
    let round = RatioRound { feed: 0, ratio: ratio("1.0712"), updated_at: at, read_at: at, past: None };
    control.ratios.send(round).map_err(|_| "the ratio lane is full at start".to_owned())?;
    let rate = Command::BorrowRate { apr: Ratio::ZERO, read_at: at };
    control.commands.send(rate).map_err(|_| "the command lane is full at start".to_owned())?;
    let idle = if args.core.is_some() { Idle::Spin } else { Idle::Yield };
    let engine = Engine::start(cores, idle)?;
    wait_for_end();
    let ends = engine.stop();
    let gateway = ends.gateway.ok_or("the gateway gave no measurements: its thread died")?;
    let stages: Map<String, Value> = gateway
        .latency
        .market()
        .into_iter()
        .map(|(name, p)| {
            let row = json!({ "count": p.count, "p50": p.p50, "p99": p.p99, "p999": p.p999, "max": p.max });
            (name.to_owned(), row)
        })
        .collect();
    println!("{}", Value::Object(stages));
    Ok(())
}
