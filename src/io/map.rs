//! A file of fixed length, mapped into memory: its space is taken and its pages are present before anybody writes.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// What was tried, and what the system said.
pub type MapError = (&'static str, std::io::Error);

/// A mapped file.
pub struct Map {
    start: NonNull<u8>,
    bytes: usize,
    file: Arc<File>,
}

// SAFETY: the mapping belongs to this value alone and is not tied to a thread; writing takes `&mut self`.
unsafe impl Send for Map {}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `over` was given, and nobody can hold a reference into it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

impl Map {
    /// Makes a new private file with all its disk space taken.
    ///
    /// # Errors
    /// It cannot be made; then there is none.
    pub fn create(path: &Path, bytes: usize) -> Result<Map, MapError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(path).map_err(|cause| ("create", cause))?;
        // SAFETY: takes a descriptor that is open and numbers.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, bytes as libc::off_t) } != 0 {
            let cause = std::io::Error::last_os_error();
            let _ = fs::remove_file(path);
            return Err(("reserve space in", cause));
        }
        Map::over(file, bytes)
    }

    /// Maps a file of this length. Nobody else may shorten it while it is mapped: its folder is locked.
    ///
    /// # Errors
    /// The system refuses.
    pub fn over(file: File, bytes: usize) -> Result<Map, MapError> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new shared mapping of a file we hold open, at an address of the kernel's choice. The file has
        // this length, and its folder's lock keeps other instances from shortening it.
        let map = unsafe { libc::mmap(ptr::null_mut(), bytes, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        match NonNull::new(map.cast::<u8>()) {
            Some(start) if map != libc::MAP_FAILED => Ok(Map { start, bytes, file: Arc::new(file) }),
            _ => Err(("map", std::io::Error::last_os_error())),
        }
    }

    /// Brings every byte into memory, writable, so that writing never waits for a fault.
    pub fn populate(&mut self) {
        let start = self.start.as_ptr();
        // SAFETY: the range is the mapping; the call writes nothing.
        if unsafe { libc::madvise(start.cast(), self.bytes, libc::MADV_POPULATE_WRITE) } == 0 {
            return;
        }
        // Kernels before 5.14: write each memory page's first byte back to itself.
        for at in (0..self.bytes).step_by(4096) {
            // SAFETY: inside the mapping, to which `&mut self` is the only way.
            unsafe { start.add(at).write_volatile(start.add(at).read_volatile()) };
        }
    }

    /// The file, to be synced by others.
    pub fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    /// Its length.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// True if it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Some of its bytes. A range outside is our own error and asserts.
    pub fn bytes(&self, from: usize, len: usize) -> &[u8] {
        assert!(from + len <= self.bytes, "outside the page");
        // SAFETY: inside the mapping, as asserted; `&self` keeps writers away.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(from), len) }
    }

    /// Some of its bytes, to be written.
    pub fn bytes_mut(&mut self, from: usize, len: usize) -> &mut [u8] {
        assert!(from + len <= self.bytes, "outside the page");
        // SAFETY: inside the mapping, as asserted; `&mut self` makes this the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(from), len) }
    }
}
