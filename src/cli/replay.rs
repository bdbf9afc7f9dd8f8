//! `keel replay`: folds the tapes of a run once more and compares every checkpoint.

use super::{Failure, demo};
use crate::actors::risk::{Notice, Sample};
use crate::base::time::{Nanos, SEC};
use crate::io::tape::{Run, runs};
use crate::ops::replay::head::Head;
use crate::ops::replay::story::{self, Script};
use crate::ops::replay::{Played, Rerun, Trouble};
use crate::topology::TAPES;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Options of `keel replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// State folder of the run.
    #[arg(value_name = "DIR")]
    state: PathBuf,
    /// Which run; the last one unless given.
    #[arg(long, value_name = "N")]
    run: Option<u64>,
    /// Play up to this moment: unix seconds, or +seconds from the beginning.
    #[arg(long, value_name = "STAMP")]
    until: Option<String>,
    /// Play until the actor of --print stands at this checkpoint of its own (risk for vaults), or every actor has come to it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint: Option<u64>,
    /// Write the run up to --until as a transcript test instead, to standard output, and tell what was said in it.
    #[arg(long, value_name = "story", value_parser = ["story"], conflicts_with_all = ["print", "json", "checkpoint"])]
    to: Option<String>,
    /// Where the stretch begins that a story tells of: unix seconds, or +seconds; the run's beginning unless given.
    #[arg(long, value_name = "STAMP", requires = "to")]
    from: Option<String>,
    /// Print the state at the end: an actor's, or what risk last said of each vault.
    #[arg(long, value_name = "vault|ACTOR")]
    print: Option<String>,
    /// Print the outcome as one JSON object.
    #[arg(long)]
    json: bool,
}

/// What a replay came to.
struct Outcome {
    run: u64,
    played: Vec<Played>,
    took: Duration,
    state: Option<String>,
    same_build: bool,
}

/// Replays.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let known = print_known(args)?;
    let run = open(&args.state, args.run).map_err(Failure::Refused)?;
    let head = Head::read(&run.head).map_err(Failure::Refused)?;
    let until = moment("--until", args.until.as_deref(), &head).map_err(Failure::Refused)?.unwrap_or(Nanos::MAX);
    if !run.is_whole().map_err(Failure::Refused)? {
        let what = format!("the beginning of run {} has made room for its end", run.number);
        return Err(Failure::Refused(format!("{what} ([journal] tape_mib_per_run_max): it cannot be folded again")));
    }
    if args.to.is_some() {
        return tell(args, (&run, &head), until).map_err(Failure::Refused);
    }
    let config = head.config(|config, at| drop(demo::bring_forward(config, at))).map_err(Failure::Refused)?;
    let journal = run.journal().map_err(Failure::Refused)?;
    let (blueprint, hand) = head.blueprint(&config, &journal).map_err(Failure::Refused)?;
    let mut rerun = Rerun::new(&blueprint, hand, run.rolls().map_err(Failure::Refused)?);
    if let Some(name) = known.flatten().filter(|name| !rerun.has(name)) {
        return Err(Failure::Refused(format!("--print {name}: run {} had no such actor", run.number)));
    }
    if let Some(count) = args.checkpoint {
        rerun.stop_at_checkpoint(count, known.map(|actor| actor.unwrap_or("risk")));
    }
    let began = Instant::now();
    let mut samples = vec![Sample::default(); config.vaults.len()];
    rerun.run(until, &mut |notice| {
        if let Notice::Sample { vault, sample, .. } = notice
            && let Some(place) = samples.get_mut(usize::from(vault.0))
        {
            *place = *sample;
        }
    });
    let state = known.map(|actor| match actor {
        Some(actor) => rerun.tell(actor).unwrap_or_default(),
        None => config
            .vaults
            .iter()
            .zip(&samples)
            .fold(String::new(), |text, (vault, sample)| format!("{text}{}: {sample:#?}\n", vault.name)),
    });
    let took = began.elapsed();
    let outcome = Outcome { run: run.number, played: rerun.finish(until), took, state, same_build: head.is_ours() };
    outcome.warn_if_short(args.checkpoint);
    if args.json {
        outcome.print_json()
    } else {
        outcome.print()
    }
    outcome.verdict()
}

/// Prints the story of a stretch.
fn tell(args: &Args, (run, head): (&Run, &Head), until: Nanos) -> Result<(), String> {
    let from = moment("--from", args.from.as_deref(), head)?.unwrap_or(Nanos(head.started_at_ns));
    if from >= until {
        return Err("--from lies behind --until".to_owned());
    }
    let mut script = Script::new(&head.line(), run.journal()?);
    script.take(run.rolls()?, until)?;
    let story = story::tell(&script, (from, until), |config, at| drop(demo::bring_forward(config, at)))?;
    println!("# Run {} of keel {}.", run.number, head.program);
    print!("{story}");
    Ok(())
}

/// What is to be printed: nothing, the vaults, or an actor's state.
fn print_known(args: &Args) -> Result<Option<Option<&'static str>>, Failure> {
    match args.print.as_deref() {
        None => Ok(None),
        Some("vault") => Ok(Some(None)),
        Some(name) => match TAPES.into_iter().find(|actor| *actor == name) {
            Some(actor) => Ok(Some(Some(actor))),
            None => Err(Failure::Refused(format!("--print {name}: vault, or one of {}", TAPES.join(", ")))),
        },
    }
}

fn open(state: &Path, number: Option<u64>) -> Result<Run, String> {
    let known = runs(state)?;
    let number = number.or(known.last().copied()).filter(|number| known.contains(number));
    match number {
        Some(number) => Run::open(state, number),
        None if known.is_empty() => Err(format!("{} holds no tapes", state.display())),
        None => Err(format!("no such run; there are {known:?}")),
    }
}

/// A moment as an operator gives it.
fn moment(option: &str, text: Option<&str>, head: &Head) -> Result<Option<Nanos>, String> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || format!("{option} {text}: unix seconds such as 1800000000.5, or +seconds from the beginning");
    let (from, number) = match text.strip_prefix('+') {
        Some(rest) => (head.started_at_ns, rest),
        None => (0, text),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 9 || !plain(whole) || !plain(part) {
        return Err(wrong());
    }
    let seconds: u64 = whole.parse().map_err(|_| wrong())?;
    let nanos: u64 = format!("{part:0<9}").parse().map_err(|_| wrong())?;
    let after = seconds.checked_mul(SEC).and_then(|ns| ns.checked_add(nanos)).and_then(|ns| ns.checked_add(from));
    after.map(|at| Some(Nanos(at))).ok_or_else(wrong)
}

impl Outcome {
    /// Real time that was replayed.
    fn span_ns(&self) -> u64 {
        let began = self.played.iter().map(|tape| tape.progress.began_at).filter(|at| at.0 > 0).min();
        let ended = self.played.iter().map(|tape| tape.progress.last_at).max();
        ended.zip(began).map_or(0, |(ended, began)| ended.since(began))
    }

    fn speed(&self) -> f64 {
        self.span_ns() as f64 / 1e9 / self.took.as_secs_f64().max(1e-9)
    }

    /// Says which actors' tapes end before the checkpoint that was asked for.
    fn warn_if_short(&self, checkpoint: Option<u64>) {
        let short = |played: &&Played| checkpoint.is_some_and(|count| played.progress.equal < count);
        for Played { actor, progress, .. } in self.played.iter().filter(short) {
            eprintln!("keel: warning: {actor} came to {} checkpoints", progress.equal);
        }
    }

    fn print(&self) {
        println!("run {}: {:.3} s replayed {:.1} times as fast", self.run, self.span_ns() as f64 / 1e9, self.speed());
        println!("{:<12} {:>12} {:>12}  end", "actor", "messages", "checkpoints");
        for Played { actor, progress, trouble, torn } in &self.played {
            let end = match trouble {
                Some(trouble) => trouble.to_string(),
                None if *torn > 0 => format!("{torn} bytes of an unfinished entry dropped"),
                None if progress.closed => "in order".to_owned(),
                None => "without a last checkpoint".to_owned(),
            };
            println!("{actor:<12} {:>12} {:>12}  {end}", progress.messages, progress.equal);
        }
        if !self.same_build {
            println!("recorded by another build of this program");
        }
        if let Some(state) = &self.state {
            println!("{state}");
        }
    }

    fn print_json(&self) {
        let actor = |Played { actor, progress, trouble, torn }: &Played| {
            json!({
                "actor": actor, "messages": progress.messages, "checkpoints_equal": progress.equal,
                "closed": progress.closed, "torn_bytes": torn, "trouble": trouble.as_ref().map(Trouble::to_string),
            })
        };
        let object = json!({
            "run": self.run, "replayed_s": self.span_ns() as f64 / 1e9, "times_as_fast": self.speed(),
            "same_build": self.same_build, "actors": self.played.iter().map(actor).collect::<Vec<_>>(), "state": self.state,
        });
        println!("{object}");
    }

    /// A difference breaks the contract; damage means that the tapes cannot be believed.
    fn verdict(&self) -> Result<(), Failure> {
        let told = |played: &Played| played.trouble.as_ref().map(|trouble| format!("{}: {trouble}", played.actor));
        let is = |wanted: fn(&Trouble) -> bool| {
            self.played.iter().filter(|played| played.trouble.as_ref().is_some_and(wanted)).find_map(told)
        };
        if let Some(words) = is(|trouble| matches!(trouble, Trouble::Difference(_))) {
            return Err(Failure::Broken(words));
        }
        if let Some(words) = is(|trouble| matches!(trouble, Trouble::Damage(_))) {
            return Err(Failure::Refused(format!("the tape cannot be believed: {words}")));
        }
        is(|trouble| matches!(trouble, Trouble::Stuck { .. })).map_or(Ok(()), |words| Err(Failure::Broken(words)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(started_at_ns: u64) -> Head {
        let text = json!({
            "version": crate::engine::tape::VERSION, "program": "0", "build": "", "started_at_ns": started_at_ns,
            "file": "", "config": "", "config_digest": "", "auctions_from_ns": null, "instruments": [],
            "key_expires_at_ns": 0, "apart": false, "signer": "",
        });
        Head::read(&text.to_string()).expect("a head")
    }

    #[test]
    fn moments_are_read_exactly() {
        let at = |text: &str| moment("--until", Some(text), &head(5 * SEC)).ok().flatten();
        assert_eq!(moment("--until", None, &head(5 * SEC)), Ok(None));
        assert_eq!(at("1800000000.5"), Some(Nanos(1_800_000_000_500_000_000)));
        assert_eq!((at("+2"), at("+0.000000001")), (Some(Nanos(7 * SEC)), Some(Nanos(5 * SEC + 1))));
        for bad in ["", "+", "x", "1.0000000001", "-1", "99999999999999999999", ".5"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn tapes_of_another_version_are_refused_by_name() {
        let text = "{\"version\":99,\"program\":\"7.1.0\",\"more\":1}";
        let why = Head::read(text).expect_err("refused");
        assert!(why.contains("version 99") && why.contains("keel 7.1.0"), "{why}");
        assert!(Head::read("{}").is_err());
    }
}
