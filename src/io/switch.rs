//! The switch as a word in a file of the state folder, mapped by whoever must see it thrown: engine, signer, operator.
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

use crate::engine::switch::{Switch, Word};

/// Its file in the state folder.
const FILE: &str = "switch";
/// What a journal's owner holds locked.
const LOCK: &str = "lock";
/// One page.
const BYTES: usize = 4096;

/// A page of a file, shared with every process that maps it.
struct Mapping(NonNull<AtomicU32>);

// SAFETY: the page is only ever touched through an atomic.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Word for Mapping {
    fn word(&self) -> &AtomicU32 {
        // SAFETY: the page is mapped, aligned and zero-filled for as long as this value lives; the file is never
        // shortened once it is mapped.
        unsafe { self.0.as_ref() }
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
        let next = create(scratch).expect("made anew");
        assert!(!next.is_thrown() && engine.is_thrown());
        fs::set_permissions(scratch.join(FILE), fs::Permissions::from_mode(0o644)).expect("mode");
        assert!(open(scratch).is_err_and(|why| why.contains("only its owner")));
    }
}
