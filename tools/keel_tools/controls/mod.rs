//! `keel-tools controls`: how quickly the engine stops what must stop, measured from outside on the real binary.
//!
//! A relay stands between the engine and what it connects to. Every measurement begins at a moment this program chooses or
//! computes (a thrown switch, a held line, the end of a price's life) and ends with a frame the relay sees, a line the
//! engine says or what the venue's own books show: what is late is counted late, nothing waits for the engine. Beside them
//! stands how late this machine wakes a thread that has nothing to do with the engine: no control can be quicker than that.

mod jitter;
mod rounds;
mod scene;

use hdrhistogram::Histogram;
use jitter::Jitter;
use scene::Scene;
use std::time::Duration;

/// Options of `keel-tools controls`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// How often the price feed falls silent.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    stale: u32,
    /// How often the switch is thrown.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    kills: u32,
    /// How often each other fault is made.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Every target counts as so many times as long: for machines that others use too.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    slack: u32,
    /// A few rounds of everything, each target ten times as long: that every control works, on a machine that others use.
    #[arg(long, conflicts_with_all = ["stale", "kills", "rounds", "slack"])]
    check: bool,
}

impl Args {
    fn meant(&self) -> Args {
        if self.check { Args { stale: 10, kills: 3, rounds: 3, slack: 10, check: true } } else { *self }
    }
}

/// A target: at this quantile, at most so long.
struct Target {
    quantile: f64,
    at_most: Duration,
}

/// One control.
struct Row {
    name: &'static str,
    targets: Vec<Target>,
    times: Histogram<u64>,
}

impl Row {
    fn new(name: &'static str, targets: &[(f64, u64)]) -> Result<Row, String> {
        let target = |(quantile, ms): &(f64, u64)| Target { quantile: *quantile, at_most: Duration::from_millis(*ms) };
        let times = Histogram::new_with_bounds(1, 60_000_000, 3).map_err(|why| why.to_string())?;
        Ok(Row { name, targets: targets.iter().map(target).collect(), times })
    }

    fn add(&mut self, time: Duration) {
        self.times.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    fn holds(&self, slack: u32) -> bool {
        let at = |quantile| Duration::from_micros(self.times.value_at_quantile(quantile));
        self.targets.is_empty()
            || !self.times.is_empty() && self.targets.iter().all(|target| at(target.quantile) <= target.at_most * slack)
    }

    fn line(&self, slack: u32) -> String {
        let ms = |quantile| self.times.value_at_quantile(quantile) as f64 / 1e3;
        let targets = self.targets.iter().map(|target| {
            let name = if target.quantile >= 1.0 { "max".to_owned() } else { format!("p{}", target.quantile * 100.0) };
            format!("{name} ≤ {} ms", target.at_most.as_millis())
        });
        let verdict = match (self.targets.is_empty(), self.holds(slack)) {
            (true, _) => "",
            (false, true) => "held",
            (false, false) => "MISSED",
        };
        format!(
            "{:<40} {:>5} {:>9.2} {:>9.2} {:>9.2} {:>9.2}  {:<28} {verdict}",
            self.name,
            self.times.len(),
            ms(0.5),
            ms(0.99),
            ms(0.999),
            ms(1.0),
            targets.collect::<Vec<_>>().join(", "),
        )
    }
}

/// Measures and prints.
///
/// # Errors
/// What could not be measured, or which targets were missed; in words.
pub fn run(args: &Args) -> Result<(), String> {
    let args = &args.meant();
    let (scene, jitter) = (Scene::new()?, Jitter::watch()?);
    println!("{:<40} {:>5} {:>9} {:>9} {:>9} {:>9}  target", "ms", "times", "p50", "p99", "p99.9", "max");
    let mut missed = Vec::new();
    for measure in rounds::ALL {
        for row in measure(&scene, args)? {
            println!("{}", row.line(args.slack));
            missed.extend((!row.holds(args.slack)).then_some(row.name));
        }
    }
    println!("{}", jitter.row()?.line(args.slack));
    if args.slack > 1 {
        println!("every target counts as {} times as long", args.slack);
    }
    if missed.is_empty() { Ok(()) } else { Err(format!("missed: {}", missed.join("; "))) }
}
