//! Every story of the crash enumeration, killed at every moment, on every core.

use keel::sim::soak::Violation;
use keel::sim::soak::crashes::{TALES, Tale};
use keel::sim::venue::Fate;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Kills the engine at every moment of every story whose name holds a word.
///
/// # Errors
/// A story could not begin, or broke an invariant; in words.
pub fn run(word: Option<&str>, jobs: usize) -> Result<(), String> {
    let began = Instant::now();
    println!("{:<42}{:>9}{:>9}{:>9}", "story", "moments", "deaths", "broken");
    let (mut deaths, mut failed) = (0, 0);
    for tale in TALES.iter().filter(|tale| word.is_none_or(|word| tale.name.contains(word))) {
        let moments = tale.moments()?;
        let broken = every_moment(tale, moments, jobs)?;
        println!("{:<42}{moments:>9}{:>9}{:>9}", tale.name, 2 * moments, broken.len());
        broken.iter().for_each(|line| println!("  BROKEN {line}"));
        deaths += 2 * moments;
        failed += broken.len();
    }
    println!("{deaths} deaths, each judged by every invariant, in {:.0} s", began.elapsed().as_secs_f64());
    if failed == 0 { Ok(()) } else { Err(format!("{failed} deaths were not survived")) }
}

/// Two deaths a moment, and one run without any.
fn every_moment(tale: &Tale, moments: u64, jobs: usize) -> Result<Vec<String>, String> {
    let (next, broken) = (AtomicU64::new(1), Mutex::new(Vec::new()));
    let work = || -> Result<(), String> {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let (moment, fate) = (place / 2, [Fate::Delivered, Fate::Lost][(place % 2) as usize]);
            if moment > moments {
                return Ok(());
            }
            super::SEED.set(place);
            let death = tale.kill_at(moment, fate)?;
            if !death.violations.is_empty() {
                let all: Vec<String> = death.violations.iter().map(Violation::to_string).collect();
                let line = format!("{}, moment {moment}, {fate:?}: {}", tale.name, all.join("; "));
                broken.lock().map_err(|_| "a run panicked".to_owned())?.push(line);
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a run panicked".to_owned())?)
    })?;
    let mut broken = broken.into_inner().map_err(|_| "a run panicked".to_owned())?;
    broken.sort();
    Ok(broken)
}
