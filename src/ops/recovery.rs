//! Startup is recovery: before anything else the last run is folded again, by this program in a process of its own, so
//! that a message which kills the fold does not kill the start, and takes neither its time nor its memory.

use crate::config::FoldBounds;
use crate::ops::replay::rehearsal::Rehearsal;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The verb of that process.
pub const VERB: &str = "rehearse";
/// Time beyond that of the fold: to start, to look at the ends of the tapes, to tell.
const SLACK: Duration = Duration::from_secs(2);
/// How often the process is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// Longest answer.
const WORDS_BYTES_MAX: u64 = 4 << 20;

/// What the last run leaves to a start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// For the operator.
    pub words: Vec<String>,
    /// Why every vault must start drained, if so.
    pub drained: Option<String>,
    /// Records to be appended to the journal of orders before anybody else does.
    pub missing: Vec<Vec<u8>>,
}

/// Rehearses the last run of a state folder, whose lock the caller holds.
pub fn recover(state: &Path, bounds: FoldBounds) -> Recovered {
    match rehearse(state, bounds) {
        Ok(found) => Recovered {
            words: found.words,
            drained: found.doubt,
            missing: found.missing.iter().filter_map(|record| alloy::hex::decode(record).ok()).collect(),
        },
        Err(Failed::Untold(why)) => {
            Recovered { words: vec![format!("the last run was not looked at: {why}")], ..Recovered::default() }
        }
        Err(Failed::Died(how)) => Recovered {
            drained: Some(format!(
                "folding the last run again ended with {how}: what killed it may be on its tapes. Look with keel replay"
            )),
            ..Recovered::default()
        },
    }
}

enum Failed {
    /// It could not be started, had no time, or its answer is none.
    Untold(String),
    /// It died of what it read.
    Died(ExitStatus),
}

fn rehearse(state: &Path, bounds: FoldBounds) -> Result<Rehearsal, Failed> {
    let untold = |why: std::io::Error| Failed::Untold(why.to_string());
    let mut command = Command::new("/proc/self/exe");
    command.arg0("keel").arg(VERB).arg(state);
    command.args(["--ms", &bounds.ms_max.to_string(), "--mib", &bounds.mib_max.to_string()]).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(untold)?;
    let said = child.stdout.take();
    let heard = std::thread::spawn(move || {
        let mut words = String::new();
        said.map(|said| said.take(WORDS_BYTES_MAX).read_to_string(&mut words));
        words
    });
    let status = wait(&mut child, Duration::from_millis(bounds.ms_max) + SLACK).map_err(untold)?;
    let words = heard.join().unwrap_or_default();
    match status {
        None => Err(Failed::Untold("there was no time for it".to_owned())),
        Some(status) if status.signal().is_some() || status.code() == Some(101) => Err(Failed::Died(status)),
        Some(_) => serde_json::from_str(&words).map_err(|why| Failed::Untold(format!("its answer is none: {why}"))),
    }
}

/// How the child ended; none if it had to be ended.
fn wait(child: &mut Child, longest: Duration) -> std::io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() > longest {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}
