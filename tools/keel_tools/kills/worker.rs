//! One vault's life: start, fall, judgement, again; and now and then it must heal.

use super::judge::{journaled, judge};
use super::recovery::Recovery;
use super::{FALLS, Fall, Sum};
use crate::process::books::{Books, number};
use crate::process::engine::{Engine, REPORT};
use crate::process::relay::{Line, Relay};
use crate::process::vault::{Vault, write_vault};
use crate::process::{Addresses, Venue};
use keel::base::time::{MS, Nanos};
use keel::exchange::AccountSeed;
use keel::ops::console::{Standing, Verb};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A vault must heal after so many kills.
const HEAL_EVERY: u64 = 10;
/// Start to live, at most (reliability: 15 s).
const LIVE: Duration = Duration::from_secs(15);
/// Longest wait for an engine that is to fall while it trades.
const UP: Duration = Duration::from_secs(3);
/// Drain to no order, at most.
const FLAT: Duration = Duration::from_secs(10);
/// The venue's stamps are of its own process: what it accepted so long before a start is judged again.
const OVERLAP_MS: u64 = 2_000;
/// The file that fills a disk.
const FILLER: &str = "filler";
/// A disk that is larger is somebody else's.
const OWN_DISK_MAX: u64 = 512 * 1024 * 1024;
/// The tapes of a thousand runs fill any disk. Each begins with 48 MiB; the last three are kept, as the look for deaths at one
/// place needs them.
const TAPES: &str = "\n[journal]\ntape_mib_per_run_max = 96\ntape_mib_kept_max = 128\ntape_free_mib_min = 128\n";
/// What no file may be larger than on a full disk: what is there already fits and so does a page of a tape, no new page of
/// the journal.
const FULL_DISK_BYTES: u64 = 8 << 20;
/// Interest grows between two looks and is rounded: an option vault's cash may differ by so many USDC.
const CASH_TOLERANCE: Decimal = Decimal::from_parts(1, 0, 0, false, 2);
/// How often books are compared before they count as different: fills go on while they are read.
const LOOKS: u32 = 50;

/// One vault.
pub struct Worker<'v> {
    folder: PathBuf,
    venue: &'v Venue,
    account: &'v AccountSeed,
    vault: Vault,
    own_disk: bool,
    relay: Relay,
    books: Books,
    random: ChaCha8Rng,
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl<'v> Worker<'v> {
    /// For an account of a venue, in a folder that is made, maybe on a disk that nobody else needs.
    pub fn new(
        folder: PathBuf,
        venue: &'v Venue,
        (account, vault): (&'v AccountSeed, Vault),
        seed: u64,
        own_disk: bool,
    ) -> Result<Worker<'v>, String> {
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|why| why.to_string())?;
        let host = venue.addresses.ws.trim_start_matches("ws://").split('/').next().unwrap_or_default().to_owned();
        let relay = Relay::start(&host)?;
        let ws = venue.addresses.ws.replace(&host, &relay.address.to_string());
        let addresses = Addresses { ws, ..venue.addresses.clone() };
        let start = Nanos(now_ms() * MS);
        write_vault(&folder, &addresses, (vault, start), account, |text| text + TAPES)?;
        let books = Books::new(&venue.addresses.http, account)?;
        Ok(Worker { folder, venue, account, vault, own_disk, relay, books, random: ChaCha8Rng::seed_from_u64(seed) })
    }

    fn draw(&mut self, from: u64, to: u64) -> u64 {
        from + self.random.next_u64() % (to - from + 1)
    }

    fn pause(&mut self, from_ms: u64, to_ms: u64) {
        let ms = self.draw(from_ms, to_ms);
        std::thread::sleep(Duration::from_millis(ms));
    }

    /// Falls until none is left, or time is over.
    pub fn work(&mut self, left: &AtomicU64, until: Instant, sum: &Mutex<Sum>) -> Result<(), String> {
        let mut done = 0;
        while Instant::now() < until
            && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        {
            let fall = self.choose();
            let since_ms = now_ms().saturating_sub(OVERLAP_MS);
            self.fall(fall)?;
            self.judge(fall, since_ms, sum)?;
            done += 1;
            if done % HEAL_EVERY == 0 {
                self.heal(sum)?;
            }
        }
        self.heal(sum)
    }

    /// Seven in ten are plain kills.
    fn choose(&mut self) -> Fall {
        match self.draw(0, 99) {
            0..=69 => Fall::Kill,
            70..=73 => Fall::Freeze,
            74..=76 => Fall::VenueFreeze,
            77..=79 => Fall::Held,
            80..=86 => Fall::Slow,
            87..=93 => Fall::Cut,
            _ => Fall::FullDisk,
        }
    }

    fn fall(&mut self, fall: Fall) -> Result<(), String> {
        let disk = (fall == Fall::FullDisk && !self.own_disk).then_some(FULL_DISK_BYTES);
        let fills = fall == Fall::FullDisk && self.own_disk;
        let filled = fills && self.draw(0, 1) == 0;
        if filled {
            fill(&self.folder.join(FILLER))?;
        }
        let mut engine = Engine::start(&self.folder, disk)?;
        match fall {
            Fall::Kill => self.at_some_moment(&mut engine),
            Fall::FullDisk => {
                self.at_some_moment(&mut engine);
                if fills && !filled {
                    fill(&self.folder.join(FILLER))?;
                    self.pause(200, 1_500);
                }
            }
            Fall::VenueFreeze => {
                self.at_some_moment(&mut engine);
                let ms = self.draw(200, 3_000);
                self.venue.freeze(Duration::from_millis(ms))?;
                self.pause(0, 1_000);
            }
            Fall::Freeze => {
                self.at_some_moment(&mut engine);
                let (engine_too, signer_too) = [(true, false), (true, true), (false, true)][self.draw(0, 2) as usize];
                engine.freeze(engine_too, signer_too)?;
                self.pause(500, 10_000);
                engine.thaw()?;
                self.pause(0, 300);
            }
            Fall::Held => {
                self.at_some_moment(&mut engine);
                [Line::Private, Line::Public].into_iter().for_each(|line| self.relay.hold(line, true));
                self.pause(50, 1_500);
            }
            Fall::Slow => {
                let ms = self.draw(5, 60);
                self.relay.delay(Duration::from_millis(ms));
                self.pause(300, 1_500);
            }
            Fall::Cut => {
                self.at_some_moment(&mut engine);
                for _ in 0..3 {
                    self.pause(100, 500);
                    self.relay.cut();
                }
            }
        }
        engine.kill()?;
        // It is there only where a disk was filled.
        let _ = fs::remove_file(self.folder.join(FILLER));
        self.relay.delay(Duration::ZERO);
        [Line::Private, Line::Public].into_iter().for_each(|line| self.relay.hold(line, false));
        Ok(())
    }

    /// One in four in the middle of its start, the others in the first second of trading.
    fn at_some_moment(&mut self, engine: &mut Engine) {
        if self.draw(0, 3) == 0 {
            return self.pause(0, 600);
        }
        // What does not come up, on a full disk or with a vault that drained, falls where it is. An option vault chooses
        // first, which takes longer than its start.
        let quotes = self.vault == Vault::Harvest;
        let up = |vault: &Standing| vault.mode == "live" && (vault.orders > 0 || !quotes);
        let _ = engine.wait_resuming(UP, up);
        self.pause(0, 900);
    }

    fn judge(&mut self, fall: Fall, since_ms: u64, sum: &Mutex<Sum>) -> Result<(), String> {
        let venue = self.books.orders(since_ms)?;
        let mut verdict = judge(&journaled(&self.folder.join("journal"))?, &venue);
        let said = fs::read_to_string(self.folder.join("said")).unwrap_or_default();
        let recovery = Recovery::of(&said);
        verdict.faults.extend(recovery.drained.clone());
        let mut sum = sum.lock().map_err(|_| "another vault's thread panicked")?;
        if let Some(place) = FALLS.iter().position(|(known, _)| *known == fall) {
            sum.falls[place] += 1;
        }
        sum.orders[self.vault as usize] += verdict.orders as u64;
        sum.records += verdict.records as u64;
        sum.folds.add(&recovery);
        let name = self.name();
        sum.faults.extend(verdict.faults.into_iter().map(|fault| format!("{name} after {fall:?}: {fault}")));
        Ok(())
    }

    /// For whoever reads of a fault.
    fn name(&self) -> String {
        format!("{:?} {}", self.vault, self.account.subaccount)
    }

    /// Live again, drained to no order, and in agreement with the venue.
    fn heal(&mut self, sum: &Mutex<Sum>) -> Result<(), String> {
        let mut engine = Engine::start(&self.folder, None)?;
        let healed = self.heal_with(&mut engine);
        let recovery = Recovery::of(&engine.said());
        let status = engine.interrupt()?;
        let (options, differs) = if healed.is_ok() { self.compare_report()? } else { (0, None) };
        let name = self.name();
        let mut sum = sum.lock().map_err(|_| "another vault's thread panicked")?;
        sum.folds.add(&recovery);
        sum.options += options;
        match healed {
            Ok((live, flat)) => {
                let saturated = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
                sum.live.saturating_record(saturated(live));
                sum.heals.saturating_record(saturated(flat));
            }
            Err(why) => sum.faults.push(format!("{name} does not heal: {why}")),
        }
        sum.faults.extend(recovery.drained.into_iter().chain(differs).map(|fault| format!("{name}: {fault}")));
        if !status.success() {
            let said = fs::read_to_string(self.folder.join("said")).unwrap_or_default();
            let broken = self.report().map(|report| report["violations"].to_string()).unwrap_or_default();
            sum.faults.push(format!("{name} ends with {status} after healing: {broken} {said}"));
        }
        Ok(())
    }

    fn heal_with(&mut self, engine: &mut Engine) -> Result<(Duration, Duration), String> {
        let live = engine.wait_resuming(LIVE, |vault| vault.mode == "live")?;
        // A moment of trading: what came back must also work.
        self.pause(100, 500);
        let began = Instant::now();
        engine.ask(Verb::Drain)?;
        engine.wait_until(FLAT, |reply| reply.vaults.iter().all(|vault| vault.mode == "drain" && vault.orders == 0))?;
        let flat = began.elapsed();
        let mut seen = String::new();
        for _ in 0..LOOKS {
            let venue = self.books.holds()?;
            let reply = engine.ask(Verb::Status)?;
            let Some(ours) = reply.vaults.first() else { return Err("no vault".to_owned()) };
            if (venue.open, venue.base, venue.perp) == (0, number(&ours.base)?, number(&ours.perp)?) {
                return Ok((live, flat));
            }
            seen = format!("the venue holds {venue:?}, the engine {} and {}", ours.base, ours.perp);
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("books differ: {seen}"))
    }

    /// The report of the run that has ended.
    fn report(&self) -> Result<Value, String> {
        let text = fs::read_to_string(self.folder.join(REPORT)).map_err(|why| why.to_string())?;
        serde_json::from_str(&text).map_err(|why| format!("the report: {why}"))
    }

    /// Holds what an option vault's report at its end says of its options and its cash against the venue's books; yields how
    /// many options it held, and the difference.
    fn compare_report(&mut self) -> Result<(u64, Option<String>), String> {
        if self.vault == Vault::Basis {
            return Ok((0, None));
        }
        let report = self.report()?;
        let held = report["held"].as_object().ok_or("a report without options")?;
        let ours = held.iter().map(|(name, amount)| Ok((name.clone(), number(&amount.to_string())?)));
        let ours = ours.collect::<Result<BTreeMap<_, _>, String>>()?;
        let base = number(report["base"].as_str().unwrap_or_default())?;
        let cash = number(report["cash"].as_str().unwrap_or_default())?;
        let venue = self.books.holds()?;
        let same = venue.open == 0
            && venue.options == ours
            && venue.base == base
            && (venue.cash - cash).abs() <= CASH_TOLERANCE;
        let differ = || format!("books differ: the venue holds {venue:?}, the report says {base}, {cash} and {ours:?}");
        Ok((ours.len() as u64, (!same).then(differ)))
    }
}

/// Writes until nothing more fits.
fn fill(path: &Path) -> Result<(), String> {
    let mut file = fs::File::create(path).map_err(|why| why.to_string())?;
    let (mut written, mut size) = (0u64, 64 * 1024);
    while size > 0 {
        match file.write(&[0; 64 * 1024][..size]) {
            Ok(count) if count > 0 => written += count as u64,
            // What is left is smaller than that.
            _ => size /= 2,
        }
        if written > OWN_DISK_MAX {
            return Err(format!("{} is not on a small disk of its own", path.display()));
        }
    }
    Ok(())
}
