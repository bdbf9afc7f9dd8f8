//! What the engine asks of the machine: a core of its own, secrets that do not leave.
//!
//! Cores are named by their absolute number. A thread inherits the mask of the thread that made it, so
//! "the cores I may use", read after pinning, is a list of one; nothing here reads that list to choose a core.

use std::fmt;
use std::mem;

/// A host call that was refused: what was asked, and what the system said.
#[derive(Debug)]
pub struct HostError {
    asked: String,
    cause: std::io::Error,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.asked, self.cause)
    }
}

impl std::error::Error for HostError {}

fn refused(asked: impl Into<String>) -> HostError {
    HostError { asked: asked.into(), cause: std::io::Error::last_os_error() }
}

/// Cores that are online, whether or not this process may use them.
pub fn cores_online() -> usize {
    // SAFETY: sysconf takes a plain number and touches no memory of ours.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(count).unwrap_or(1).max(1)
}

/// Pins the calling thread to one core, by absolute number from zero, and checks that it took.
pub fn pin_to_core(core: usize) -> Result<(), HostError> {
    let asked = || format!("pin this thread to core {core} ({} online, numbered from 0)", cores_online());
    if core >= libc::CPU_SETSIZE as usize {
        return Err(HostError { asked: asked(), cause: std::io::ErrorKind::InvalidInput.into() });
    }
    let size = mem::size_of::<libc::cpu_set_t>();
    // SAFETY: cpu_set_t is a plain bit array, for which all zeroes is the empty set; `core` is below its size;
    // pid 0 names the calling thread and both calls read or write only the set whose size they are given.
    let now = unsafe {
        let mut wanted: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(core, &mut wanted);
        if libc::sched_setaffinity(0, size, &wanted) != 0 {
            return Err(refused(asked()));
        }
        let mut now: libc::cpu_set_t = mem::zeroed();
        if libc::sched_getaffinity(0, size, &mut now) != 0 {
            return Err(refused(asked()));
        }
        libc::CPU_COUNT(&now) == 1 && libc::CPU_ISSET(core, &now) && libc::sched_getcpu() == core as libc::c_int
    };
    if now {
        Ok(())
    } else {
        Err(HostError { asked: asked(), cause: std::io::Error::other("accepted, but the thread is elsewhere") })
    }
}

/// Forbids core files and reading of this process by others of the same user, since both could hold the key.
pub fn forbid_core_dumps() -> Result<(), HostError> {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: setrlimit reads the struct it is given; prctl with PR_SET_DUMPABLE takes numbers only.
    unsafe {
        if libc::setrlimit(libc::RLIMIT_CORE, &none) != 0 {
            return Err(refused("set the core file limit to 0"));
        }
        if libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 {
            return Err(refused("mark the process not dumpable"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_pins_itself_to_an_absolute_core_and_is_told_when_it_cannot() {
        std::thread::spawn(|| {
            let last = cores_online() - 1;
            if pin_to_core(last).is_ok() {
                // The trap: pinned to the last, the first must still be reachable by its number.
                pin_to_core(0).expect("core 0 after another core");
            }
            for absent in [1_000, 1_000_000] {
                let error = pin_to_core(absent).expect_err("no such core").to_string();
                assert!(error.contains(&format!("core {absent}")) && error.contains("online"), "{error}");
            }
        })
        .join()
        .expect("the pinned thread");
    }
}
