//! The measurements, each a fault made again and again.

use super::scene::{PATIENCE, QUOTE_LIFE, Scene, is_trading};
use super::{Args, Row};
use crate::process::relay::{Line, Relay, Sighting, What};
use crate::process::signal;
use keel::io::switch;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

type Measure = fn(&Scene, &Args) -> Result<Vec<Row>, String>;

/// All of them.
pub const ALL: [Measure; 6] = [staleness, half_open, kill, alarm, restart, sentry];

/// A round that says nothing, since nothing rested or something else ended it, is made again at most so often.
const TRIES: u32 = 20;
/// After a kill the engine is watched this long for one more frame.
const AFTERMATH: Duration = Duration::from_millis(300);

/// The external book falls silent on a live socket: from the end of its last quote's life to the cancel on the wire.
fn staleness(scene: &Scene, args: &Args) -> Result<Vec<Row>, String> {
    let mut row = Row::new("stale price → cancel out", &[(0.999, 50), (1.0, 250)])?;
    let mut engine = scene.engine()?;
    let mut books = scene.books()?;
    for _ in 0..args.stale.saturating_mul(TRIES) {
        if row.times.len() >= u64::from(args.stale) {
            break;
        }
        scene.until_resting(&mut books).map_err(|why| format!("{why}: {}", engine.said()))?;
        scene.to_venue.forget();
        scene.to_book.forget();
        scene.to_book.hold(Line::New, true);
        let held = Instant::now();
        // What was read before the line was held may still be passed on.
        let last = std::iter::from_fn(|| scene.to_book.wait_for(Duration::from_millis(10), |s| s.what == What::Down));
        let stale = last.last().map_or(held, |sighting| sighting.at) + QUOTE_LIFE;
        let cancel = scene.to_venue.wait_for(Duration::from_secs(1), is_trading);
        scene.to_book.hold(Line::New, false);
        // Whatever was said before belongs to a price that was still alive.
        if let Some(cancel) = cancel.filter(|cancel| cancel.what == What::Cancel && cancel.at >= stale) {
            row.add(cancel.at - stale);
        }
        if let Some(status) = engine.ended() {
            return Err(format!("the engine ended ({status}): {}", engine.said()));
        }
    }
    engine.kill()?;
    Ok(vec![row])
}

/// A line is held on a live socket: until the engine closes it.
fn half_open(scene: &Scene, args: &Args) -> Result<Vec<Row>, String> {
    let lines = [
        ("private line half-open → found", &scene.to_venue, Line::Private),
        ("public line half-open → found", &scene.to_venue, Line::Public),
        ("external book half-open → found", &scene.to_book, Line::New),
    ];
    let mut rows = Vec::new();
    for (name, relay, line) in lines {
        let mut row = Row::new(name, &[(1.0, 3_000)])?;
        for round in 0..args.rounds {
            // Pings come every 0.7 s: each round falls on another moment between two. The engine is a new one each time: one
            // that loses a line again and again waits ever longer before it tries anew.
            let engine = scene.engine()?;
            std::thread::sleep(Duration::from_millis(500 + u64::from(round * 137 % 700)));
            row.add(find_half_open(relay, line)?);
            engine.kill()?;
        }
        rows.push(row);
    }
    Ok(rows)
}

fn find_half_open(relay: &Relay, line: Line) -> Result<Duration, String> {
    relay.forget();
    relay.hold(line, true);
    let held = Instant::now();
    let closed = relay.wait_for(PATIENCE, |sighting| sighting.what == What::Closed);
    relay.hold(line, false);
    closed.map(|sighting| sighting.at - held).ok_or_else(|| "a half-open line is never found".to_owned())
}

/// The switch is thrown while an order rests: until every order's cancel is out, and until the last one is said again of
/// what the venue did not know yet (a hedge in its speed bump), which waits for the venue's answer.
fn kill(scene: &Scene, args: &Args) -> Result<Vec<Row>, String> {
    let mut row = Row::new("kill → every order's cancel out", &[(0.99, 10), (1.0, 50)])?;
    let mut again = Row::new("kill → last cancel said again", &[])?;
    let mut books = scene.books()?;
    for _ in 0..args.kills.saturating_mul(TRIES) {
        if row.times.len() >= u64::from(args.kills) {
            break;
        }
        let engine = scene.engine()?;
        scene.until_resting(&mut books)?;
        let thrown_at = switch::open(&scene.journal())?;
        scene.to_venue.forget();
        let thrown = Instant::now();
        thrown_at.throw();
        let frames = scene.sightings(AFTERMATH, is_trading);
        let orders = frames.iter().filter(|frame| frame.what == What::Order && frame.at > thrown).count();
        // Nothing to cancel: it was filled in the same moment, which says nothing.
        let mut seen = BTreeSet::new();
        let (firsts, repeats): (Vec<Sighting>, Vec<Sighting>) =
            frames.iter().filter(|frame| frame.what == What::Cancel).partition(|cancel| seen.insert(cancel.nonce));
        for (row, cancels) in [(&mut row, firsts), (&mut again, repeats)] {
            if let Some(last) = cancels.last() {
                row.add(last.at.saturating_duration_since(thrown));
            }
        }
        if orders > 1 || books.holds()?.open > 0 {
            return Err(format!("{orders} orders left after a kill, or some still rest: {}", engine.said()));
        }
        // In order: what was stopped would else wait for a person in the next round.
        engine.interrupt()?;
    }
    Ok(vec![row, again])
}

/// The signer's process is killed: until the engine says so.
fn alarm(scene: &Scene, args: &Args) -> Result<Vec<Row>, String> {
    let mut row = Row::new("signer dead → alarm said", &[(1.0, 1_000)])?;
    for _ in 0..args.rounds {
        let engine = scene.engine()?;
        let signer = engine.signer().ok_or("it does not say where its key is")?;
        signal(signer, libc::SIGKILL)?;
        let killed = Instant::now();
        while !engine.said().contains("keel: alarm:") {
            if killed.elapsed() > PATIENCE {
                return Err(format!("no alarm: {}", engine.said()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        row.add(killed.elapsed());
        engine.interrupt()?;
    }
    Ok(vec![row])
}

/// Killed while an order rests: from the next start of the program to its cancel on the wire.
fn restart(scene: &Scene, args: &Args) -> Result<Vec<Row>, String> {
    let mut row = Row::new("restart → cancel out", &[(0.99, 5_000)])?;
    let mut books = scene.books()?;
    for _ in 0..args.rounds.saturating_mul(TRIES) {
        if row.times.len() >= u64::from(args.rounds) {
            break;
        }
        let engine = scene.engine()?;
        scene.until_resting(&mut books)?;
        engine.kill()?;
        if books.holds()?.open == 0 {
            continue; // filled in the same moment
        }
        scene.to_venue.forget();
        let started = Instant::now();
        let next = scene.bare_engine()?;
        let cancel = scene.to_venue.wait_for(PATIENCE, is_trading);
        if let Some(cancel) = cancel.filter(|cancel| cancel.what == What::Cancel) {
            row.add(cancel.at - started);
        }
        next.kill()?;
    }
    Ok(vec![row])
}

/// Killed while an order rests and a sentry watches: until its cancel of everything is on the wire, whatever was filled
/// before, after which the venue must say that nothing rests.
fn sentry(scene: &Scene, args: &Args) -> Result<Vec<Row>, String> {
    // A beat may be as old as its interval when the engine dies.
    let mut row = Row::new("engine dead → sentry's cancel out", &[(1.0, 3_100)])?;
    let _sentry = scene.sentry()?;
    let mut books = scene.books()?;
    for engines in 1..=args.rounds as usize {
        let engine = scene.engine()?;
        scene.until_watched(engines)?;
        scene.until_resting(&mut books)?;
        let killed = Instant::now();
        engine.kill()?;
        // The dead engine's last bytes may still be passed on.
        std::thread::sleep(Duration::from_millis(100));
        scene.to_venue.forget();
        let cancel = scene.to_venue.wait_for(PATIENCE, |sighting| sighting.what == What::Cancel);
        let cancel = cancel.ok_or_else(|| format!("the sentry does not cancel: {}", scene.sentry_said()))?;
        row.add(cancel.at - killed);
        while books.holds()?.open > 0 {
            if killed.elapsed() > PATIENCE {
                return Err(format!("an order outlives the sentry's cancel: {}", scene.sentry_said()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(vec![row])
}
