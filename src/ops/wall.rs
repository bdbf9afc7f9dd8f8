//! The signer as a process of its own: started, introduced, put to work, looked after.
//!
//! The introduction is slow and in words, over the child's standard input and output: what to load, who it is, proof for
//! the venue, what is traded. After it both pipes are closed, and only fixed messages in shared memory remain.

pub mod child;
mod words;

use crate::derive::dialect::Address;
use crate::derive::seal::LoginProof;
use crate::derive::seal::wire::Ask;
use crate::engine::ports::{ANSWER_BYTES, ASK_BYTES, Wall};
use crate::io::key::Passphrase;
use crate::io::ring::{self, Reader, Writer};
use crate::market::instrument::{Instrument, Listing};
use crate::ops::rest::Prover;
use alloy::hex;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
pub use words::Charter;
use words::{Reply, Request};

/// Longest wait for one answer of the introduction: a keystore may be slow to open on purpose.
const INTRODUCTION_MS: i32 = 60_000;
/// Longest answer of the introduction.
const REPLY_BYTES_MAX: u64 = 64 * 1024;
/// Longest wait for the child to end by itself.
const FAREWELL: Duration = Duration::from_secs(1);

/// A child that ends with its owner.
struct Life(Child);

impl Drop for Life {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A signer's process that holds the key and does not sign orders yet.
pub struct Introduced {
    life: Life,
    ends: ring::EngineEnds,
    said: ChildStdin,
    heard: BufReader<ChildStdout>,
    address: Address,
}

/// Starts this program again with these arguments and the number of the memory it inherits.
fn start(arguments: &[&str], memory: &OwnedFd, passphrase: Option<i32>) -> std::io::Result<Child> {
    let parent = std::process::id();
    let inherited: Vec<i32> = std::iter::once(memory.as_raw_fd()).chain(passphrase).collect();
    // The running program itself, whatever stands in its place on disk by now.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("keel").args(arguments).arg(memory.as_raw_fd().to_string()).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // SAFETY: between fork and exec only system calls are made; nothing is allocated or locked.
    unsafe {
        command.pre_exec(move || {
            // What asks to end, at the terminal or of a whole service, is for the engine: it still needs signatures to wind
            // up, and takes this process with it.
            for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
                if libc::signal(signal, libc::SIG_IGN) == libc::SIG_ERR {
                    return Err(std::io::Error::last_os_error());
                }
            }
            if libc::setpgid(0, 0) != 0 || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            if libc::getppid() as u32 != parent {
                return Err(std::io::Error::from_raw_os_error(libc::ESRCH)); // orphaned before it could ask
            }
            for descriptor in &inherited {
                if libc::fcntl(*descriptor, libc::F_SETFD, 0) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    command.spawn()
}

/// Starts a signer: this program again with `arguments` and a descriptor's number, which must lead to [`child::run`].
///
/// # Errors
/// Why there is no signer, in words.
pub fn introduce(arguments: &[&str], charter: Charter) -> Result<Introduced, String> {
    let ends = ring::create().map_err(|why| format!("no memory to share with the signer's process: {why}"))?;
    let passphrase = match charter.key.passphrase() {
        Some(Passphrase::Descriptor(number)) => Some(*number),
        _ => None,
    };
    let child = start(arguments, &ends.memory, passphrase);
    let mut life = Life(child.map_err(|why| format!("cannot start the signer's process: {why}"))?);
    if let Some(number) = passphrase {
        // SAFETY: the passphrase is the child's to read; this process has no other use for the descriptor.
        unsafe { libc::close(number) };
    }
    let (Some(said), Some(heard)) = (life.0.stdin.take(), life.0.stdout.take()) else {
        return Err("the signer's process has no pipes".to_owned());
    };
    let heard = BufReader::new(heard);
    let mut introduced = Introduced { life, ends, said, heard, address: [0; 20] };
    match introduced.ask(&Request::Charter(charter))? {
        Reply::Holds { address } => {
            introduced.address = hex::decode_to_array(address).map_err(|why| why.to_string())?
        }
        _ => return Err(nonsense()),
    }
    Ok(introduced)
}

fn nonsense() -> String {
    "the signer's process answers something else than it was asked".to_owned()
}

impl Introduced {
    fn ask(&mut self, request: &Request) -> Result<Reply, String> {
        let gone = |why: std::io::Error| format!("the signer's process does not listen: {why}");
        let mut line = serde_json::to_string(request).map_err(|why| why.to_string())?;
        line.push('\n');
        self.said.write_all(line.as_bytes()).and_then(|()| self.said.flush()).map_err(gone)?;
        let mut poll = libc::pollfd { fd: self.heard.get_ref().as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry on the stack, as its count says.
        if unsafe { libc::poll(&mut poll, 1, INTRODUCTION_MS) } != 1 {
            return Err(format!("the signer's process said nothing for {} s", INTRODUCTION_MS / 1_000));
        }
        let mut text = String::new();
        std::io::Read::take(&mut self.heard, REPLY_BYTES_MAX).read_line(&mut text).map_err(gone)?;
        if text.is_empty() {
            let ended = self.life.0.wait().map_or_else(|why| why.to_string(), |status| status.to_string());
            return Err(format!("the signer's process ended: {ended}"));
        }
        match serde_json::from_str(&text).map_err(|why| format!("the signer's process is not understood: {why}"))? {
            Reply::Refused { why } => Err(why),
            reply => Ok(reply),
        }
    }

    /// Address of the key it holds.
    pub fn signer(&self) -> Address {
        self.address
    }

    /// Puts it to work on these instruments; yields the wall, and what it could not do for its own safety.
    ///
    /// # Errors
    /// Why it does not work, in words.
    pub fn begin(mut self, instruments: &[Instrument]) -> Result<(ProcessWall, Vec<String>), String> {
        let listed = |instrument: &Instrument| {
            let listing = Listing::Listed { instrument: *instrument, watched: false };
            hex::encode(Ask::Listing(listing).write())
        };
        match self.ask(&Request::Begin { instruments: instruments.iter().map(listed).collect() })? {
            Reply::Ready { warnings } => {
                let ring::EngineEnds { asks, answers, .. } = self.ends;
                Ok((ProcessWall { asks, answers, life: self.life, broken: false }, warnings))
            }
            _ => Err(nonsense()),
        }
    }
}

impl Prover for Introduced {
    fn address(&self) -> Address {
        self.address
    }

    fn prove(&mut self, venue_at: crate::base::time::Nanos) -> Result<LoginProof, String> {
        let timestamp_ms = venue_at.ms();
        match self.ask(&Request::Prove { timestamp_ms })? {
            Reply::Proof { signature } => {
                let signature = hex::decode_to_array(signature).map_err(|why| why.to_string())?;
                Ok(LoginProof { timestamp_ms, signature })
            }
            _ => Err(nonsense()),
        }
    }
}

/// The way to a signer's process at work.
pub struct ProcessWall {
    asks: Writer<ASK_BYTES>,
    answers: Reader<ANSWER_BYTES>,
    life: Life,
    broken: bool,
}

impl ProcessWall {
    /// The process's number.
    pub fn process(&self) -> u32 {
        self.life.0.id()
    }
}

impl Wall for ProcessWall {
    fn room(&mut self) -> usize {
        self.asks.room().unwrap_or_else(|ring::Broken| {
            self.broken = true;
            0
        })
    }

    fn send(&mut self, ask: &[u8; ASK_BYTES]) -> bool {
        !self.broken
            && self.asks.send(ask).unwrap_or_else(|ring::Broken| {
                self.broken = true;
                false
            })
    }

    fn receive(&mut self) -> Option<[u8; ANSWER_BYTES]> {
        if self.broken {
            return None;
        }
        self.answers.receive().unwrap_or_else(|ring::Broken| {
            self.broken = true;
            None
        })
    }

    fn is_alive(&mut self) -> bool {
        !self.broken && matches!(self.life.0.try_wait(), Ok(None))
    }
}

impl Drop for ProcessWall {
    fn drop(&mut self) {
        self.asks.close();
        let asked = Instant::now();
        while self.is_alive() && asked.elapsed() < FAREWELL {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
