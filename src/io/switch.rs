//! The switch as words in a file of the state folder, mapped by whoever must see it thrown: engine, signer, operator.
//!
//! Throwing it is one store to shared memory. It needs no lane, no socket and nobody's help, so it works while the
//! pipeline is stuck.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use crate::engine::switch::{Switch, Words};

/// Its file in the state folder.
const FILE: &str = "switch";
/// What a journal's owner holds locked.
const LOCK: &str = "lock";
/// One page.
const BYTES: usize = 4096;
/// Where in it the signer answers; the switch itself stands at its beginning.
const HEARD_AT: usize = 64;

/// A page of a file, shared with every process that maps it.
struct Mapping(NonNull<AtomicU32>);

// SAFETY: the page is only ever touched through an atomic.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Words for Mapping {
    fn thrown(&self) -> &AtomicU32 {
        // SAFETY: the page is mapped, aligned and zero-filled for as long as this value lives; the file is never
        // shortened once it is mapped.
        unsafe { self.0.as_ref() }
    }

    fn heard(&self) -> &AtomicU32 {
        // SAFETY: as above, and inside the page.
        unsafe { self.0.byte_add(HEARD_AT).as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the page is ours, and nobody can hold a reference into it any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), BYTES) };
    }
}

fn map(file: &File) -> io::Result<Switch> {
    let facts = file.metadata()?;
    if !facts.is_file() || facts.mode() & 0o077 != 0 || facts.len() < BYTES as u64 {
        return Err(io::Error::other("is not a switch that only its owner can reach"));
    }
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh mapping of an open file at an address of the kernel's choice.
    let page = unsafe { libc::mmap(ptr::null_mut(), BYTES, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    match NonNull::new(page.cast::<AtomicU32>()) {
        Some(page) if page.as_ptr().cast() != libc::MAP_FAILED => Ok(Switch::over(Arc::new(Mapping(page)))),
        _ => Err(io::Error::last_os_error()),
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options
}

fn named(path: &Path) -> impl Fn(io::Error) -> String + '_ {
    move |why| format!("{}: {why}", path.display())
}

/// Makes a new switch, not thrown, in a state folder that exists. One of an earlier run is left to whoever maps it.
///
/// # Errors
/// File and reason, in words.
pub fn create(folder: &Path) -> Result<Switch, String> {
    let path = folder.join(FILE);
    match fs::remove_file(&path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(named(&path)(why)),
        _ => {}
    }
    let file = options().create_new(true).open(&path).map_err(named(&path))?;
    // Written, not only made longer: a full disk must show now and not as a bus error.
    file.write_all_at(&[0; BYTES], 0).and_then(|()| map(&file)).map_err(named(&path))
}

/// How often a kill looks again.
const LOOK: Duration = Duration::from_millis(20);

/// Throws the switch of whoever runs on a folder, until its signer says that it has stopped; yields who that is. The
/// switch is looked up anew every time: one that is starting may be about to make its own.
///
/// # Errors
/// Why it is not known that nothing is signed any more, in words.
pub fn kill(folder: &Path, longest: Duration) -> Result<String, String> {
    let shown = folder.display();
    let began = Instant::now();
    loop {
        let holder = holder(folder)?.ok_or_else(|| format!("nothing runs on {shown}: there is nothing to kill"))?;
        let thrown = open(folder).inspect(Switch::throw);
        match thrown {
            Ok(switch) if switch.is_acknowledged() => return Ok(holder),
            Err(why) if began.elapsed() >= longest => return Err(why),
            _ if began.elapsed() >= longest => {
                let waited = format!("the switch is thrown, but no signer has answered for {} s", longest.as_secs());
                return Err(format!("{holder}: {waited}: end that process, and cancel at the venue"));
            }
            _ => std::thread::sleep(LOOK),
        }
    }
}

/// Maps the switch of the run that has made it.
///
/// # Errors
/// File and reason, in words.
pub fn open(folder: &Path) -> Result<Switch, String> {
    let path = folder.join(FILE);
    options().open(&path).and_then(|file| map(&file)).map_err(named(&path))
}

/// The process that runs on a state folder, as it named itself; none if nobody holds its lock.
///
/// # Errors
/// File and reason, in words.
pub fn holder(folder: &Path) -> Result<Option<String>, String> {
    let path: PathBuf = folder.join(LOCK);
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(&path).map_err(named(&path))?;
    // SAFETY: takes an open descriptor and flags; closing the file gives the lock back.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_SH | libc::LOCK_NB) } == 0 {
        return Ok(None);
    }
    let mut text = [0; 64];
    let length = file.read_at(&mut text, 0).map_err(named(&path))?;
    Ok(Some(String::from_utf8_lossy(&text[..length]).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn all_who_map_it_see_it_thrown_and_a_new_run_starts_with_a_new_one() {
        let scratch = tempfile::tempdir().expect("a folder");
        let scratch = scratch.path();
        assert!(open(scratch).is_err_and(|why| why.contains("switch")));
        let (engine, operator) = (create(scratch).expect("made"), open(scratch).expect("there"));
        assert!(!engine.is_thrown());
        operator.throw();
        assert!(engine.is_thrown() && engine.clone().is_thrown());
        assert!(!operator.is_acknowledged(), "nobody has stopped yet");
        engine.acknowledge();
        assert!(operator.is_acknowledged());
        let next = create(scratch).expect("made anew");
        assert!(!next.is_thrown() && !next.is_acknowledged() && engine.is_thrown());
        // A kill while a run is starting: the old switch is thrown, the new one too, and only its signer ends the wait.
        let next = {
            fs::set_permissions(scratch, fs::Permissions::from_mode(0o700)).expect("mode");
            let lock = crate::io::store::Lock::take(scratch).expect("taken");
            let gave_up = kill(scratch, Duration::ZERO).expect_err("nobody answers");
            assert!(gave_up.contains("no signer has answered"), "{gave_up}");
            let operator = {
                let folder = scratch.to_path_buf();
                std::thread::spawn(move || kill(&folder, Duration::from_secs(60)))
            };
            let begun = create(scratch).expect("made by the run that starts");
            while !begun.is_thrown() {
                std::thread::yield_now();
            }
            begun.acknowledge();
            let answer = operator.join().expect("ends").expect("acknowledged");
            assert_eq!(answer, format!("process {}", std::process::id()));
            drop(lock);
            begun
        };
        assert!(next.is_thrown() && kill(scratch, Duration::ZERO).is_err_and(|why| why.contains("nothing runs on")));
        fs::set_permissions(scratch.join(FILE), fs::Permissions::from_mode(0o644)).expect("mode");
        assert!(open(scratch).is_err_and(|why| why.contains("only its owner")));
    }
}
