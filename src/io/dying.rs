//! What a process still notes when it dies of what it does itself: the signal, and the name of the thread that did it, in
//! mapped memory that outlives it. Whoever is killed from outside, or loses power, notes nothing, and that tells the two
//! apart.
//!
//! ```text
//! note    signal u8 (zero: none, stored last) · name of the thread, as the system keeps it: up to 15 bytes and a zero
//! ```

use crate::io::map::Map;
use libc::{c_int, c_void, siginfo_t};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::{mem, ptr};

/// Faults, and the end that a program gives itself: a panic of a release build aborts.
const OWN: [c_int; 5] = [libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGSEGV];

/// Bytes of a note.
pub const NOTE_BYTES: usize = 1 + NAME_BYTES;
/// Bytes the system keeps of a thread's name, and the zero behind them.
const NAME_BYTES: usize = 16;

/// Where the signal is noted; null: nowhere.
static NOTE: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());
/// Who acted on these signals before.
static BEFORE: OnceLock<[libc::sigaction; OWN.len()]> = OnceLock::new();

/// From now on this process notes in the first [`NOTE_BYTES`] of `place` what it dies of, for as long as it lives.
///
/// # Errors
/// The system refuses; then some of them may not be noted.
pub fn note_in(place: Map) -> io::Result<()> {
    // Kept for good: a signal may come at any moment from now on.
    let place = Box::leak(Box::new(place));
    NOTE.store(place.bytes_mut(0, NOTE_BYTES).as_mut_ptr(), Ordering::Release);
    if BEFORE.get().is_some() {
        return Ok(());
    }
    // SAFETY: sigaction is plain numbers, for which all zeroes is an empty mask and the default action.
    let mut before: [libc::sigaction; OWN.len()] = unsafe { mem::zeroed() };
    for (signal, before) in OWN.iter().zip(&mut before) {
        // SAFETY: reads what is in force into memory of ours.
        if unsafe { libc::sigaction(*signal, ptr::null(), before) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    if BEFORE.set(before).is_err() {
        return Ok(());
    }
    // SAFETY: as above.
    let mut ours: libc::sigaction = unsafe { mem::zeroed() };
    ours.sa_sigaction = note as *const () as usize;
    // A thread whose stack is full has another one for this.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    for signal in OWN {
        // SAFETY: the handler makes no call but those that a handler may make.
        if unsafe { libc::sigaction(signal, &raw const ours, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The thread that a process died in, if it noted a death; empty in a note of an older version.
pub fn read_note(note: &[u8]) -> Option<String> {
    let (signal, name) = note.split_first()?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    (*signal != 0).then(|| String::from_utf8_lossy(name).into_owned())
}

/// True if somebody else has sent it: a watchdog's abort, say.
///
/// # Safety
/// `what` must be what the kernel handed to a handler.
unsafe fn is_sent_by_another(what: *mut siginfo_t) -> bool {
    // SAFETY: as demanded; of what was sent the sender is known, and getpid may be called in a handler.
    unsafe { (*what).si_code <= 0 && (*what).si_pid() != libc::getpid() }
}

/// Notes the signal, and lets whoever acted on it before do so: Rust itself tells of a stack that is full.
extern "C" fn note(signal: c_int, what: *mut siginfo_t, _: *mut c_void) {
    let place = NOTE.load(Ordering::Acquire);
    // SAFETY: the kernel has handed over `what`.
    if !place.is_null() && !unsafe { is_sent_by_another(what) } {
        // SAFETY: bytes of a mapping that is never given up; no one else writes there, and the call is one that a handler
        // may make.
        unsafe {
            libc::prctl(libc::PR_GET_NAME, place.add(1));
            AtomicU8::from_ptr(place).store(signal.unsigned_abs() as u8, Ordering::Release);
        }
    }
    let before = OWN.iter().position(|own| *own == signal).and_then(|at| BEFORE.get().map(|all| &all[at]));
    // SAFETY: both calls are allowed in a handler; the kernel has handed over `what`.
    unsafe {
        match before {
            Some(before) => libc::sigaction(signal, before, ptr::null_mut()),
            // They are known before there is a handler.
            None => return,
        };
        // A fault happens again on return. What was sent, as an abort sends it, must be sent again.
        if (*what).si_code <= 0 {
            libc::raise(signal);
        }
    }
}
