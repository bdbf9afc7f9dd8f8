//! `keel-tools latency`: the engine in a process of its own, driven over loopback WebSockets at fixed arrival times.
//!
//! Latency counts from the moment a frame was due to be sent, whoever was late, and a frame that is answered late or
//! never is charged its whole wait: nothing is left out by coordination with the engine's pace. A bare echo over the
//! same sockets is the floor, a conventional async pipeline the peer; all three take turns in the same run.

mod conventional;
mod echo;
mod engine;
mod load;
mod proof;
mod socket;
mod stand_in;
mod table;

use crate::basis_vault::{blueprint, key_of, vault_account};
use clap::ValueEnum;
use hdrhistogram::Histogram;
use keel::base::time::{Nanos, SEC};
use keel::engine::latency::Percentiles;
use keel::engine::ports::Key;
use keel::exchange::{Exchange, Settings};
use keel::io::host;
use load::{Load, Round};
use proof::Signatory;
use serde_json::Value;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

/// Times each subject is measured; they take turns so that a noisy minute hits all of them.
const ROUNDS: u32 = 3;
/// Frames of a round that are sent before counting begins, as a share of the counted ones.
const WARM_UP: u64 = 5;

/// Options of `keel-tools latency`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Length of the whole measurement, shared by the three subjects.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(3..=3_600))]
    seconds: u64,
    /// Frames per second, sent at fixed times whether or not the last one was answered.
    #[arg(long, default_value_t = 1_000, value_name = "HZ", value_parser = clap::value_parser!(u64).range(10..=20_000))]
    rate: u64,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    json: bool,
}

/// Options of the measured side.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct SubjectArgs {
    /// What to be.
    kind: Kind,
    /// Where the load comes from.
    #[arg(long)]
    address: SocketAddr,
    /// Core to run on; without it the thread is left where it is, and yields when idle.
    #[arg(long)]
    core: Option<usize>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The engine's sockets without the engine: the floor.
    Echo,
    /// The engine.
    Engine,
    /// What is usually built: tokio, `serde_json`, k256.
    Conventional,
}

/// In the order in which they take turns.
const KINDS: [Kind; 3] = [Kind::Echo, Kind::Engine, Kind::Conventional];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Echo => "echo",
            Kind::Engine => "engine",
            Kind::Conventional => "conventional",
        }
    }
}

/// Everything learnt about one subject.
pub struct Measured {
    /// What it was.
    pub kind: Kind,
    /// Waits from the scheduled send, nanoseconds.
    pub waits: Histogram<u64>,
    /// Median of each round, nanoseconds.
    pub medians: Vec<u64>,
    /// Frames sent and counted.
    pub sent: u64,
    /// Frames answered only by the answer to a later one, charged until then.
    pub overtaken: u64,
    /// Frames never answered, charged until the end of the round.
    pub missed: u64,
    /// Signatures of the last orders that were checked.
    pub proved: u64,
    /// The engine's own stages: median over the rounds of each percentile, and the slowest of all.
    pub stages: Vec<(String, Percentiles)>,
}

/// Who else shares the machine, and how well the load kept its times.
pub struct Circumstances {
    /// Cores online.
    pub cores: usize,
    /// Frames per second.
    pub rate_hz: u64,
    /// How late the load itself sent, nanoseconds.
    pub lateness: Histogram<u64>,
}

/// A histogram of waits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60 * SEC, 3).expect("constant bounds are valid")
}

/// Measures all three subjects and prints what was found.
pub fn run(args: &Args) -> Result<(), String> {
    let cores = host::cores_online();
    let (load_core, subject_core) = if cores > 1 { (Some(0), Some(cores - 1)) } else { (None, None) };
    if cores == 1 {
        eprintln!("keel-tools: one core only: load and engine share it, and the figures say more about the scheduler");
    }
    let per_round = args.seconds * args.rate / (u64::from(ROUNDS) * KINDS.len() as u64);
    let frames = (per_round * WARM_UP / (WARM_UP + 1)).max(1);
    let load = Load { rate_hz: args.rate, frames, warm_up: per_round.saturating_sub(frames).max(1), core: load_core };
    let mut results: Vec<Measured> = KINDS.map(Measured::new).into();
    let mut around = Circumstances { cores, rate_hz: args.rate, lateness: histogram() };
    for round in 0..ROUNDS {
        for measured in &mut results {
            if !args.json {
                eprintln!("round {} of {ROUNDS}: {}", round + 1, measured.kind.name());
            }
            let (found, stages) = measure(measured.kind, load, subject_core)?;
            around.lateness.add(&found.lateness).map_err(|why| why.to_string())?;
            measured.add(found, stages)?;
        }
    }
    for measured in &mut results {
        measured.settle();
    }
    if let Some(silent) = results.iter().find(|measured| measured.waits.is_empty()) {
        return Err(format!("no sample of {}", silent.kind.name()));
    }
    if args.json {
        println!("{}", table::json(&results, &around))
    } else {
        table::print(&results, &around)
    }
    Ok(())
}

/// A subject's process, ended with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One round of one subject, and what it said about itself.
fn measure(kind: Kind, load: Load, core: Option<usize>) -> Result<(Round, Value), String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|why| format!("cannot listen on loopback: {why}"))?;
    let address = listener.local_addr().map_err(|why| why.to_string())?;
    let program = std::env::current_exe().map_err(|why| format!("cannot find this program: {why}"))?;
    let mut command = Command::new(program);
    command.args(["subject", kind.name(), "--address", &address.to_string()]);
    if let Some(core) = core {
        command.args(["--core", &core.to_string()]);
    }
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut running = Running(child.map_err(|why| format!("cannot start the {} process: {why}", kind.name()))?);
    let driver = std::thread::spawn(move || load.drive(kind, &listener));
    let found = driver.join().map_err(|_| "the load died".to_owned())?;
    let found = found.map_err(|why| format!("{}: {why}", kind.name()))?;
    drop(running.0.stdin.take()); // tells it to stop
    let mut said = String::new();
    let out = running.0.stdout.take().ok_or("no output of the subject")?;
    out.take(1 << 20).read_to_string(&mut said).map_err(|why| why.to_string())?;
    let said = if said.trim().is_empty() { Value::Null } else { serde_json::from_str(&said).unwrap_or(Value::Null) };
    Ok((found, said))
}

/// Becomes the measured side, until standard input ends.
pub fn subject(args: &SubjectArgs) -> Result<(), String> {
    match args.kind {
        Kind::Echo => echo::run(args),
        Kind::Engine => engine::run(args),
        Kind::Conventional => conventional::run(args),
    }
}

/// Waits until the parent closes our standard input.
fn wait_for_end() {
    let mut byte = [0u8; 1];
    while matches!(std::io::stdin().read(&mut byte), Ok(1)) {}
}

/// Who must have signed.
fn signatory() -> Signatory {
    let account = vault_account();
    let settings = Settings { accounts: vec![account.clone()], ..Settings::default() };
    let at = Nanos(1_800_000_000 * SEC);
    let plan = blueprint(&mut Exchange::new(settings, at), at, &account);
    let base = &plan.instruments[0];
    Signatory {
        dialect: plan.dialect,
        owner: plan.wallet,
        signer: key_of(&account).address(),
        asset: base.asset,
        sub_id: base.sub_id,
    }
}

impl Measured {
    fn new(kind: Kind) -> Measured {
        Measured {
            kind,
            waits: histogram(),
            medians: Vec::new(),
            sent: 0,
            overtaken: 0,
            missed: 0,
            proved: 0,
            stages: Vec::new(),
        }
    }

    /// Adds a round, checking that what was sent was really signed.
    fn add(&mut self, round: Round, said: Value) -> Result<(), String> {
        self.waits.add(&round.waits).map_err(|why| why.to_string())?;
        self.medians.push(round.waits.value_at_quantile(0.5));
        self.sent += round.sent;
        self.overtaken += round.overtaken;
        self.missed += round.missed;
        if self.kind != Kind::Echo {
            let by = signatory();
            for text in &round.orders {
                proof::prove(text, &by).map_err(|why| format!("{} sent a bad order: {why}", self.kind.name()))?;
                self.proved += 1;
            }
        }
        let Value::Object(stages) = said else { return Ok(()) };
        for (name, row) in stages {
            let read = |key: &str| row[key].as_u64().unwrap_or_default();
            let (p50, p99, p999) = (read("p50"), read("p99"), read("p999"));
            self.stages.push((name, Percentiles { count: read("count"), p50, p99, p999, max: read("max") }));
        }
        Ok(())
    }

    /// Folds the rounds' stages into one row per stage, in pipeline order.
    fn settle(&mut self) {
        let rows = std::mem::take(&mut self.stages);
        let median = |mut values: Vec<u64>| {
            values.sort_unstable();
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        for (name, _, _) in keel::engine::latency::SPANS {
            let of: Vec<Percentiles> = rows.iter().filter(|(known, _)| known == name).map(|(_, row)| *row).collect();
            if of.is_empty() {
                continue;
            }
            let pick = |read: fn(&Percentiles) -> u64| median(of.iter().map(read).collect());
            let (p50, p99, p999) = (pick(|p| p.p50), pick(|p| p.p99), pick(|p| p.p999));
            let count = of.iter().map(|p| p.count).sum();
            let max = of.iter().map(|p| p.max).max().unwrap_or_default();
            self.stages.push((name.to_owned(), Percentiles { count, p50, p99, p999, max }));
        }
    }
}
