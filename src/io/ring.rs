//! A lane between two processes: fixed-size messages in sealed anonymous memory, one writer and one reader a side.
//!
//! Neither side trusts the other. Each keeps its own position to itself and only publishes it; what it reads of the
//! other's is checked against what is possible, and a message is copied out word by word before anybody looks at it. The
//! memory is sealed against shrinking, so nobody can pull the page from under the other.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Duration;

use crate::engine::ports::{ANSWER_BYTES, ASK_BYTES};

/// Messages to the signer that can wait: a burst of marks of every instrument.
const ASKS: usize = 1024;
/// Answers that can wait: more than orders can be under way.
const ANSWERS: usize = 256;
/// Where the words of a ring stand, each in a cache line of its own: written, read, asleep, closed.
const WRITTEN_AT: usize = 0;
const READ_AT: usize = 64;
const ASLEEP_AT: usize = 128;
const CLOSED_AT: usize = 192;
const HEAD_BYTES: usize = 256;
const ANSWERS_AT: usize = HEAD_BYTES + ASKS * ASK_BYTES;
const TOTAL_BYTES: usize = ANSWERS_AT + HEAD_BYTES + ANSWERS * ANSWER_BYTES;
const PAGE_BYTES: usize = 4096;
const MAPPED_BYTES: usize = TOTAL_BYTES.div_ceil(PAGE_BYTES) * PAGE_BYTES;
const SEALS: libc::c_int = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// The other side published a position that cannot be: it is broken, or hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// Memory shared by two processes.
struct Shared(NonNull<u8>);

// SAFETY: the memory is only ever touched through atomics.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours; every end that points into it holds it alive.
        unsafe { libc::munmap(self.0.as_ptr().cast(), MAPPED_BYTES) };
    }
}

impl Shared {
    fn map(file: &OwnedFd) -> io::Result<Arc<Shared>> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh mapping of an open descriptor at an address of the kernel's choice.
        let start = unsafe { libc::mmap(ptr::null_mut(), MAPPED_BYTES, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast() != libc::MAP_FAILED => Ok(Arc::new(Shared(start))),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn word64(&self, at: usize) -> &AtomicU64 {
        debug_assert!(at.is_multiple_of(8) && at + 8 <= MAPPED_BYTES);
        // SAFETY: inside the mapping and aligned; both sides touch it through atomics only.
        unsafe { self.0.add(at).cast::<AtomicU64>().as_ref() }
    }

    fn word32(&self, at: usize) -> &AtomicU32 {
        debug_assert!(at.is_multiple_of(4) && at + 4 <= MAPPED_BYTES);
        // SAFETY: inside the mapping and aligned; both sides touch it through atomics only.
        unsafe { self.0.add(at).cast::<AtomicU32>().as_ref() }
    }
}

/// The sending end of a lane of `N`-byte messages.
pub struct Writer<const N: usize> {
    shared: Arc<Shared>,
    base: usize,
    slots: u64,
    written: u64,
    read: u64,
}

/// The receiving end of a lane of `N`-byte messages.
pub struct Reader<const N: usize> {
    shared: Arc<Shared>,
    base: usize,
    slots: u64,
    read: u64,
}

fn slot(base: usize, position: u64, slots: u64, bytes: usize) -> usize {
    base + HEAD_BYTES + (position % slots) as usize * bytes
}

impl<const N: usize> Writer<N> {
    fn new(shared: &Arc<Shared>, base: usize, slots: usize) -> Writer<N> {
        const { assert!(N.is_multiple_of(8)) };
        Writer { shared: Arc::clone(shared), base, slots: slots as u64, written: 0, read: 0 }
    }

    /// Free places.
    pub fn room(&mut self) -> Result<usize, Broken> {
        let read = self.shared.word64(self.base + READ_AT).load(Ordering::Acquire);
        // It only moves forward, and never past what was written.
        if read < self.read || read > self.written {
            return Err(Broken);
        }
        self.read = read;
        Ok((self.slots - (self.written - read)) as usize)
    }

    /// Sends; false if there is no room. Wakes a reader that sleeps.
    pub fn send(&mut self, message: &[u8; N]) -> Result<bool, Broken> {
        if self.room()? == 0 {
            return Ok(false);
        }
        let at = slot(self.base, self.written, self.slots, N);
        for (place, bytes) in message.as_chunks::<8>().0.iter().enumerate() {
            self.shared.word64(at + 8 * place).store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        self.written += 1;
        self.shared.word64(self.base + WRITTEN_AT).store(self.written, Ordering::Release);
        self.wake();
        Ok(true)
    }

    /// Says that nothing more will be sent.
    pub fn close(&mut self) {
        self.shared.word32(self.base + CLOSED_AT).store(1, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        fence(Ordering::SeqCst);
        let asleep = self.shared.word32(self.base + ASLEEP_AT);
        if asleep.load(Ordering::Relaxed) != 0 {
            asleep.store(0, Ordering::Relaxed);
            // SAFETY: the word is mapped; waking touches nothing else.
            unsafe { libc::syscall(libc::SYS_futex, asleep.as_ptr(), libc::FUTEX_WAKE, 1) };
        }
    }
}

impl<const N: usize> Reader<N> {
    fn new(shared: &Arc<Shared>, base: usize, slots: usize) -> Reader<N> {
        const { assert!(N.is_multiple_of(8)) };
        Reader { shared: Arc::clone(shared), base, slots: slots as u64, read: 0 }
    }

    /// The next message, if any.
    pub fn receive(&mut self) -> Result<Option<[u8; N]>, Broken> {
        let written = self.shared.word64(self.base + WRITTEN_AT).load(Ordering::Acquire);
        if written == self.read {
            return Ok(None);
        }
        if written < self.read || written - self.read > self.slots {
            return Err(Broken);
        }
        let at = slot(self.base, self.read, self.slots, N);
        let mut message = [0; N];
        for (place, bytes) in message.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *bytes = self.shared.word64(at + 8 * place).load(Ordering::Relaxed).to_ne_bytes();
        }
        self.read += 1;
        self.shared.word64(self.base + READ_AT).store(self.read, Ordering::Release);
        Ok(Some(message))
    }

    /// True once the other side has said that nothing more will be sent.
    pub fn is_closed(&self) -> bool {
        self.shared.word32(self.base + CLOSED_AT).load(Ordering::Acquire) != 0
    }

    /// Sleeps until something is sent, or this long, or a moment less: the caller looks again either way.
    pub fn sleep(&self, longest: Duration) {
        let asleep = self.shared.word32(self.base + ASLEEP_AT);
        asleep.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.shared.word64(self.base + WRITTEN_AT).load(Ordering::Relaxed) == self.read {
            let timeout = libc::timespec {
                tv_sec: longest.as_secs() as libc::time_t,
                tv_nsec: longest.subsec_nanos() as libc::c_long,
            };
            // SAFETY: the word is mapped and the timeout lives on the stack for the call.
            unsafe { libc::syscall(libc::SYS_futex, asleep.as_ptr(), libc::FUTEX_WAIT, 1, &timeout) };
        }
        asleep.store(0, Ordering::Relaxed);
    }
}

/// The engine's ends, and the descriptor its signer inherits; it closes on exec unless told otherwise.
pub struct EngineEnds {
    /// To the signer.
    pub asks: Writer<ASK_BYTES>,
    /// From the signer.
    pub answers: Reader<ANSWER_BYTES>,
    /// The memory.
    pub memory: OwnedFd,
}

/// The signer's ends.
pub struct SignerEnds {
    /// From the engine.
    pub asks: Reader<ASK_BYTES>,
    /// To the engine.
    pub answers: Writer<ANSWER_BYTES>,
}

/// Makes both lanes in memory that has no name anywhere.
///
/// # Errors
/// What the system said.
pub fn create() -> io::Result<EngineEnds> {
    // SAFETY: a constant C string and flags; the descriptor is new and owned here alone.
    let memory = unsafe {
        let number = libc::memfd_create(c"keel-signer".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(number)
    };
    let memory = File::from(memory);
    memory.set_len(MAPPED_BYTES as u64)?;
    let memory = OwnedFd::from(memory);
    // SAFETY: takes an open descriptor and flags.
    if unsafe { libc::fcntl(memory.as_raw_fd(), libc::F_ADD_SEALS, SEALS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let shared = Shared::map(&memory)?;
    Ok(EngineEnds { asks: Writer::new(&shared, 0, ASKS), answers: Reader::new(&shared, ANSWERS_AT, ANSWERS), memory })
}

/// Joins the lanes in memory that was inherited.
///
/// # Errors
/// What the system said, or that this is not such memory.
pub fn join(memory: &OwnedFd) -> io::Result<SignerEnds> {
    // SAFETY: asks about an open descriptor.
    let seals = unsafe { libc::fcntl(memory.as_raw_fd(), libc::F_GET_SEALS) };
    let length = File::from(memory.try_clone()?).metadata()?.len();
    // Memory that cannot be sealed answers -1, in which every seal seems to be set.
    if seals < 0 || seals & SEALS != SEALS || length != MAPPED_BYTES as u64 {
        return Err(io::Error::other("the inherited descriptor is not the engine's sealed memory"));
    }
    let shared = Shared::map(memory)?;
    Ok(SignerEnds { asks: Reader::new(&shared, 0, ASKS), answers: Writer::new(&shared, ANSWERS_AT, ANSWERS) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> (EngineEnds, SignerEnds) {
        let engine = create().expect("memory");
        let signer = join(&engine.memory).expect("the same");
        (engine, signer)
    }

    #[test]
    fn messages_arrive_in_order_and_a_full_lane_says_so() {
        let (mut engine, mut signer) = ends();
        for round in 0..5u8 {
            for number in 0..ASKS {
                assert_eq!(engine.asks.send(&[(number % 251) as u8 ^ round; ASK_BYTES]), Ok(true));
            }
            assert_eq!((engine.asks.send(&[0; ASK_BYTES]), engine.asks.room()), (Ok(false), Ok(0)));
            for number in 0..ASKS {
                assert_eq!(signer.asks.receive(), Ok(Some([(number % 251) as u8 ^ round; ASK_BYTES])));
            }
            assert_eq!((signer.asks.receive(), engine.asks.room()), (Ok(None), Ok(ASKS)));
        }
        assert_eq!(signer.answers.send(&[9; ANSWER_BYTES]), Ok(true));
        assert_eq!(engine.answers.receive(), Ok(Some([9; ANSWER_BYTES])));
    }

    #[test]
    fn a_position_that_cannot_be_is_refused() {
        let (mut engine, mut signer) = ends();
        assert_eq!(engine.asks.send(&[1; ASK_BYTES]), Ok(true));
        for read in [2, u64::MAX] {
            signer.asks.shared.word64(READ_AT).store(read, Ordering::Release);
            assert_eq!(engine.asks.room(), Err(Broken));
            assert_eq!(engine.asks.send(&[1; ASK_BYTES]), Err(Broken));
        }
        assert_eq!(signer.asks.receive(), Ok(Some([1; ASK_BYTES])));
        for written in [0, 2 + ASKS as u64, u64::MAX] {
            engine.asks.shared.word64(WRITTEN_AT).store(written, Ordering::Release);
            assert_eq!(signer.asks.receive(), Err(Broken), "{written}");
        }
    }

    #[test]
    fn memory_that_is_not_the_engines_is_not_joined() {
        let plain = OwnedFd::from(File::open("/dev/null").expect("there"));
        assert!(join(&plain).is_err());
        let of_the_right_length = |file: File| {
            file.set_len(MAPPED_BYTES as u64).expect("room");
            OwnedFd::from(file)
        };
        let regular = of_the_right_length(tempfile::tempfile().expect("a file"));
        assert!(join(&regular).is_err(), "a file on disk has no seals");
        for flags in [0, libc::MFD_ALLOW_SEALING] {
            // SAFETY: a constant C string and flags; the descriptor is new and owned here alone.
            let unsealed = unsafe { File::from_raw_fd(libc::memfd_create(c"unsealed".as_ptr(), flags)) };
            assert!(join(&of_the_right_length(unsealed)).is_err(), "memory that could still be shortened, {flags}");
        }
        let engine = create().expect("memory");
        // SAFETY: takes an open descriptor and a length.
        assert_ne!(unsafe { libc::ftruncate(engine.memory.as_raw_fd(), 0) }, 0, "sealed against shrinking");
    }

    #[test]
    fn a_sleeper_is_woken_by_a_message() {
        let (mut engine, mut signer) = ends();
        let sleeper = std::thread::spawn(move || {
            loop {
                if let Some(message) = signer.asks.receive().expect("sound") {
                    return message;
                }
                signer.asks.sleep(Duration::from_secs(60));
            }
        });
        while engine.asks.shared.word32(ASLEEP_AT).load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        assert_eq!(engine.asks.send(&[5; ASK_BYTES]), Ok(true));
        assert_eq!(sleeper.join().expect("woken long before a minute"), [5; ASK_BYTES]);
    }
}
