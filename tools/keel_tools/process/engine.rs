//! An engine as a process: started on a folder, asked through its socket, killed, stopped and let go on.

use super::{Kept, binary, signal};
use keel::ops::console::{Reply, Request, Standing, Verb, client};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Time between two looks at something awaited.
const LOOK: Duration = Duration::from_millis(10);

/// The file of its reports.
pub const REPORT: &str = "report";

/// A running engine, with whatever processes it has started.
pub struct Engine {
    child: Kept,
    folder: PathBuf,
}

impl Engine {
    /// Starts `keel run` on `vault.toml` and `journal` of a folder; what it says goes to `said` there, its reports to
    /// `report`. `file_bytes_max` is the largest file it may write, if there is such a limit.
    pub fn start(folder: &Path, file_bytes_max: Option<u64>) -> Result<Engine, String> {
        let mut command = Command::new(binary()?);
        command.args(["run", "--config", "vault.toml", "--state", "journal", "--json"]).current_dir(folder);
        let said = File::create(folder.join("said")).map_err(|why| why.to_string())?;
        let report = File::create(folder.join(REPORT)).map_err(|why| why.to_string())?;
        command.stdin(Stdio::null()).stdout(report).stderr(said).process_group(0);
        if let Some(bytes) = file_bytes_max {
            let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
            // SAFETY: between fork and exec only system calls are made.
            unsafe {
                command.pre_exec(move || {
                    // Without the signal a write that is too far is refused as it is on a full disk.
                    libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                    if libc::setrlimit(libc::RLIMIT_FSIZE, &limit) == 0 {
                        Ok(())
                    } else {
                        Err(std::io::Error::last_os_error())
                    }
                });
            }
        }
        let child = command.spawn().map_err(|why| format!("cannot start keel: {why}"))?;
        Ok(Engine { child: Kept(child), folder: folder.to_path_buf() })
    }

    /// SIGKILL, and waits until it and its signer are gone.
    pub fn kill(mut self) -> Result<(), String> {
        self.child.0.kill().and_then(|()| self.child.0.wait()).map_err(|why| why.to_string())?;
        self.until_unlocked()
    }

    /// The signer's process dies with the engine, but not in the same moment: it holds the journal's lock until then.
    fn until_unlocked(&self) -> Result<(), String> {
        let journal = self.folder.join("journal");
        let began = Instant::now();
        while journal.join("lock").exists() && keel::io::switch::holder(&journal)?.is_some() {
            if began.elapsed() > Duration::from_secs(5) {
                return Err("the journal stays locked after a kill".to_owned());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The process that has the key, if it has said so yet.
    pub fn signer(&self) -> Option<u32> {
        let said = self.said();
        said.split("the key is in process ").nth(1)?.split_whitespace().next()?.parse().ok()
    }

    /// SIGSTOP for the engine, its signer, or both.
    pub fn freeze(&self, engine: bool, signer: bool) -> Result<(), String> {
        let processes = [engine.then(|| self.child.0.id()), self.signer().filter(|_| signer)];
        processes.into_iter().flatten().try_for_each(|process| signal(process, libc::SIGSTOP))
    }

    /// SIGCONT for both.
    pub fn thaw(&self) -> Result<(), String> {
        [Some(self.child.0.id()), self.signer()]
            .into_iter()
            .flatten()
            .try_for_each(|process| signal(process, libc::SIGCONT))
    }

    /// SIGINT, and waits for its end.
    pub fn interrupt(mut self) -> Result<ExitStatus, String> {
        signal(self.child.0.id(), libc::SIGINT)?;
        let status = self.child.0.wait().map_err(|why| why.to_string())?;
        self.until_unlocked()?;
        Ok(status)
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.0.try_wait().ok().flatten()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.join("said")).unwrap_or_default()
    }

    /// Puts a request to it.
    pub fn ask(&self, verb: Verb) -> Result<Reply, String> {
        client::ask(&self.folder.join("journal"), &Request { verb, ..Request::default() })
    }

    /// Asks how it is until that is as wanted; yields how long it took.
    pub fn wait_until(&mut self, longest: Duration, wanted: impl Fn(&Reply) -> bool) -> Result<Duration, String> {
        let began = Instant::now();
        loop {
            let reply = self.ask(Verb::Status);
            if reply.as_ref().is_ok_and(&wanted) {
                return Ok(began.elapsed());
            }
            if let Some(status) = self.ended() {
                return Err(format!("the engine ended ({status}): {}", self.said()));
            }
            if began.elapsed() > longest {
                return Err(format!("not within {} s: {reply:?}; it said {}", longest.as_secs(), self.said()));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Asks how it is until its vaults are as wanted; one that an earlier run had left stopped is resumed once, as a person
    /// would who has looked. Yields how long it took.
    pub fn wait_resuming(&mut self, longest: Duration, wanted: impl Fn(&Standing) -> bool) -> Result<Duration, String> {
        let began = Instant::now();
        let left_stopped = |vault: &Standing| {
            vault.mode == "drain" && vault.alarms.iter().any(|alarm| alarm.starts_with("was stopped before"))
        };
        self.wait_until(longest, |reply| reply.vaults.iter().all(|vault| wanted(vault) || left_stopped(vault)))?;
        if self.ask(Verb::Status)?.vaults.iter().any(left_stopped) {
            self.ask(Verb::Resume)?;
            self.wait_until(longest, |reply| reply.vaults.iter().all(&wanted))?;
        }
        Ok(began.elapsed())
    }
}
