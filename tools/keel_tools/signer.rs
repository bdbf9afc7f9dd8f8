//! `keel-tools signer`: what it costs to have the key in a process of its own. The same orders at the same times, signed
//! in this process, by a child that looks for work all the time, and by one that sleeps until woken.

use crate::basis_vault::{INSTRUMENTS, key_of, listing, vault_account};
use hdrhistogram::Histogram;
use keel::base::ids::{InstrumentId, Nonce, Side, SubaccountId, VaultId};
use keel::base::num::{Amount, Price};
use keel::base::time::{MS, Nanos, SEC};
use keel::config::{Config, Online};
use keel::derive::action::trade::OrderTerms;
use keel::derive::seal::OrderDeed;
use keel::derive::seal::wire::{Answer, Ask};
use keel::engine::journal::Replay;
use keel::engine::ports::{Clock, Wall};
use keel::engine::switch::Switch;
use keel::exchange::{AccountSeed, Exchange, Settings};
use keel::io::clock::LiveClock;
use keel::io::host;
use keel::io::key::KeySource;
use keel::io::store::PageStore;
use keel::market::instrument::Instrument;
use keel::msg::Mark;
use keel::ops::blueprint::Blueprint;
use keel::ops::journal::JOURNAL;
use keel::ops::wall::{Charter, introduce};
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// How this program becomes the signer's process.
const ARGUMENTS: [&str; 2] = ["signer-process", "--memory"];
/// Orders before counting begins.
const WARM_UP: u64 = 200;
/// The mark, and the price of every order.
const MARK: i64 = 2_500;
/// Marks are renewed this often.
const MARK_NS: u64 = 500 * MS;
/// Longest wait for a signature.
const WAIT_NS: u64 = SEC;

/// Options of `keel-tools signer`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Orders per second, at fixed times; the envelope of the vault allows a thousand.
    #[arg(long, default_value_t = 500, value_name = "HZ", value_parser = clap::value_parser!(u64).range(10..=900))]
    rate: u64,
    /// Orders that are counted, for each of the three.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    orders: u64,
}

/// Options of the signer's process.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ProcessArgs {
    /// Descriptor of the memory shared with the engine.
    #[arg(long)]
    pub memory: i32,
}

/// What all three sign for.
struct Scene {
    account: AccountSeed,
    instruments: Vec<Instrument>,
    text: String,
    config: Config,
}

impl Scene {
    fn new() -> Result<Scene, String> {
        let account = vault_account();
        let at = LiveClock::new().now();
        let mut exchange = Exchange::new(Settings { accounts: vec![account.clone()], ..Settings::default() }, at);
        let instruments = (0u16..)
            .zip(INSTRUMENTS)
            .map(|(place, name)| listing(&mut exchange, at, InstrumentId(place), name))
            .collect();
        let nowhere = "127.0.0.1:9";
        let values = [
            ("@WS@", format!("ws://{nowhere}/v3/ws")),
            ("@REST@", format!("http://{nowhere}/v3")),
            ("@BOOK@", format!("ws://{nowhere}")),
            ("@RPC@", format!("http://{nowhere}")),
            ("@OWNER@", account.wallet.to_string()),
            ("@SUBACCOUNT@", account.subaccount.to_string()),
            ("@KEY@", "session.key".to_owned()),
            ("orders_per_minute_max = 6000", "orders_per_minute_max = 60000".to_owned()),
        ];
        let template = include_str!("../../src/cli/demo/weeth.toml").to_owned();
        let text = values.iter().fold(template, |text, (name, value)| text.replace(name, value));
        let config = Config::parse(&text, "vault.toml", &Online::here()).map_err(|why| why.to_string())?;
        Ok(Scene { account, instruments, text, config })
    }

    fn blueprint(&self) -> Blueprint {
        Blueprint::of(&self.config, self.instruments.clone(), Nanos::MAX, &Replay::default())
    }

    fn deed(&self, at: Nanos) -> OrderDeed {
        let terms = OrderTerms {
            price: Price::whole(MARK),
            amount: Amount::from_raw(1_000_000),
            max_fee: Price::ONE,
            side: Side::Buy,
            nonce: Nonce(at.0),
            expiry_sec: at.secs() + 300,
        };
        let subaccount = SubaccountId(self.account.subaccount);
        OrderDeed { vault: VaultId(0), subaccount, instrument: InstrumentId(0), replaces: None, terms }
    }
}

/// Sends orders at their times and counts how long each takes until its signature is here.
fn pace(
    args: &Args,
    scene: &Scene,
    clock: &mut LiveClock,
    mut sign: impl FnMut(&mut LiveClock, &OrderDeed) -> Result<(), String>,
    mut mark: impl FnMut(Nanos) -> bool,
) -> Result<Histogram<u64>, String> {
    let mut waits = Histogram::new_with_bounds(1, 10 * SEC, 3).map_err(|why| why.to_string())?;
    let (started, every_ns) = (clock.now(), SEC / args.rate);
    let mut marked = Nanos::ZERO;
    for order in 0..WARM_UP + args.orders {
        let due = started.plus(order * every_ns);
        if clock.now().since(marked) >= MARK_NS {
            marked = clock.now();
            if !mark(marked) {
                return Err("the signer takes no marks".to_owned());
            }
        }
        while clock.now() < due {
            std::hint::spin_loop();
        }
        let asked = clock.now();
        sign(clock, &scene.deed(asked))?;
        if order >= WARM_UP {
            waits.record(clock.now().since(asked)).map_err(|why| why.to_string())?;
        }
    }
    Ok(waits)
}

fn here(args: &Args, scene: &Scene) -> Result<Histogram<u64>, String> {
    let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
    let (store, _) =
        PageStore::open(&folder.path().join("journal"), JOURNAL, &mut |_, _| ()).map_err(|why| why.to_string())?;
    let desk = scene.blueprint().desk(key_of(&scene.account), store, Switch::local());
    let desk = std::cell::RefCell::new(desk);
    let sign = |clock: &mut LiveClock, deed: &OrderDeed| {
        let signed = desk.borrow_mut().order(clock.now(), deed);
        signed.map(|_| ()).map_err(|why| format!("not signed: {why:?}"))
    };
    let mark = |at| {
        desk.borrow_mut().mark(&Mark { instrument: InstrumentId(0), price: Price::whole(MARK), at });
        true
    };
    pace(args, scene, &mut LiveClock::new(), sign, mark)
}

fn apart(args: &Args, scene: &Scene, core: Option<usize>, spin: bool) -> Result<Histogram<u64>, String> {
    let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
    let key_file = folder.path().join("session.key");
    let mut file = fs::OpenOptions::new();
    file.write(true).create_new(true).mode(0o600);
    let written = file.open(&key_file).and_then(|mut file| file.write_all(scene.account.session_key_hex.as_bytes()));
    written.map_err(|why| why.to_string())?;
    let charter = Charter {
        file: "vault.toml".to_owned(),
        text: scene.text.clone(),
        state_dir: folder.path().join("journal"),
        key: KeySource::plain(key_file),
        core,
        spin,
    };
    let (wall, _) = introduce(&ARGUMENTS, charter)?.begin(&scene.instruments)?;
    let wall = std::cell::RefCell::new(wall);
    let sign = |clock: &mut LiveClock, deed: &OrderDeed| {
        let mut wall = wall.borrow_mut();
        let asked = clock.now();
        if !wall.send(&Ask::Order(*deed).write()) {
            return Err("the signer takes no orders".to_owned());
        }
        loop {
            match wall.receive().as_ref().and_then(Answer::read) {
                Some(Answer::Order { nonce, .. }) if nonce == deed.terms.nonce => return Ok(()),
                Some(Answer::Refused { why, .. } | Answer::Down { why }) => return Err(format!("not signed: {why:?}")),
                Some(_) => {}
                None if clock.now().since(asked) > WAIT_NS => return Err("no signature within a second".to_owned()),
                None => std::hint::spin_loop(),
            }
        }
    };
    let mark = |at| {
        let ask = Ask::Mark(Mark { instrument: InstrumentId(0), price: Price::whole(MARK), at });
        wall.borrow_mut().send(&ask.write())
    };
    pace(args, scene, &mut LiveClock::new(), sign, mark)
}

/// Measures all three and prints what was found.
pub fn run(args: &Args) -> Result<(), String> {
    let scene = Scene::new()?;
    let cores = host::cores_online();
    let (own, other) = if cores > 1 { (Some(cores - 1), Some(0)) } else { (None, None) };
    if let Some(core) = own {
        host::pin_to_core(core).map_err(|why| why.to_string())?;
    }
    println!(
        "{} orders each, {} a second, {cores} cores online; µs from asking to having the signature",
        args.orders, args.rate
    );
    println!("{:<34} {:>9} {:>9} {:>9} {:>9}", "", "p50", "p99", "p99.9", "max");
    let rows = [
        ("key in this process", here(args, &scene)?),
        ("process that looks all the time", apart(args, &scene, other, other.is_some())?),
        ("process that sleeps until woken", apart(args, &scene, other, false)?),
    ];
    for (name, waits) in &rows {
        let us = |quantile: f64| waits.value_at_quantile(quantile) as f64 / 1e3;
        println!("{name:<34} {:>9.1} {:>9.1} {:>9.1} {:>9.1}", us(0.5), us(0.99), us(0.999), waits.max() as f64 / 1e3);
    }
    Ok(())
}
