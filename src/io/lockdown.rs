//! What a process gives up before it holds a key: new privileges, core files, being looked into, sockets and other
//! programs; and then, thread by thread, every system call but those of its one duty. None of it can be had back.

use std::io;

/// A filter: what may be asked of the kernel. Everything else kills the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Files, memory and threads, as loading a key and opening a journal need them; no sockets, no other programs.
    Files,
    /// For the thread that keeps the journal's pages: making, syncing and deleting files; no reading of any.
    Keeping,
    /// For the thread that signs: time, memory, waiting, words to those who listen, and ending.
    Signing,
}

/// For memory, time, threads' waiting, and an end with a message.
const SIGNING: &[libc::c_long] = &[
    libc::SYS_write,
    libc::SYS_close,
    // Builds with checks ask before they close.
    libc::SYS_fcntl,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What keeping a journal's pages takes beyond that.
const KEEPING: &[libc::c_long] = &[
    libc::SYS_openat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_renameat,
    libc::SYS_getdents64,
];

/// What loading a key and opening a journal take beyond that.
const FILES: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_lseek,
    libc::SYS_ftruncate,
    libc::SYS_msync,
    libc::SYS_flock,
    libc::SYS_dup3,
    libc::SYS_fchmod,
    libc::SYS_mkdirat,
    libc::SYS_mlock,
    libc::SYS_mlockall,
    libc::SYS_munlock,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_prctl,
    libc::SYS_seccomp,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_getcpu,
    libc::SYS_prlimit64,
];

/// The older names of the same calls.
#[cfg(target_arch = "x86_64")]
const KEEPING_OLDER: &[libc::c_long] =
    &[libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_unlink, libc::SYS_rename];
#[cfg(not(target_arch = "x86_64"))]
const KEEPING_OLDER: &[libc::c_long] = &[];
#[cfg(target_arch = "x86_64")]
const FILES_OLDER: &[libc::c_long] = &[libc::SYS_access, libc::SYS_mkdir];
#[cfg(not(target_arch = "x86_64"))]
const FILES_OLDER: &[libc::c_long] = &[];

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xC000_00B7;

/// Where the kernel puts number and architecture for the filter.
const NUMBER_AT: u32 = 0;
const ARCH_AT: u32 = 4;

fn refused(what: &str) -> String {
    format!("cannot {what}: {}", io::Error::last_os_error())
}

/// No new privileges, no core files, no looking in from outside. To be called before anything secret is read.
///
/// # Errors
/// What the system refused.
pub fn give_up_privileges() -> Result<(), String> {
    super::host::forbid_core_dumps().map_err(|why| why.to_string())?;
    // SAFETY: prctl with these requests takes numbers only.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(refused("give up new privileges"));
    }
    Ok(())
}

fn statement(code: u32, value: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k: value }
}

/// Goes on with the next statement if equal, else skips it.
fn unless_equal_skip(value: u32) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt: 0, jf: 1, k: value }
}

fn program(filter: Filter) -> Vec<libc::sock_filter> {
    let (load, give) = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_RET | libc::BPF_K);
    let (allow, kill) = (statement(give, libc::SECCOMP_RET_ALLOW), statement(give, libc::SECCOMP_RET_KILL_PROCESS));
    // Another architecture's numbers would mean other calls.
    let right_arch = libc::sock_filter { jt: 1, jf: 0, ..unless_equal_skip(ARCH) };
    let mut program = vec![statement(load, ARCH_AT), right_arch, kill, statement(load, NUMBER_AT)];
    let more: &[&[libc::c_long]] = match filter {
        Filter::Files => &[SIGNING, KEEPING, KEEPING_OLDER, FILES, FILES_OLDER],
        Filter::Keeping => &[SIGNING, KEEPING, KEEPING_OLDER],
        Filter::Signing => &[SIGNING],
    };
    for number in more.iter().copied().flatten() {
        program.extend([unless_equal_skip(*number as u32), allow]);
    }
    program.push(kill);
    program
}

/// Allows the calling thread, and all it will start, only what the filter names. Filters add up: the narrower counts.
///
/// # Errors
/// What the system refused.
pub fn confine(filter: Filter) -> Result<(), String> {
    let program = program(filter);
    let whole = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the program lives for the call, which copies it; its length is its own.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const whole, 0, 0) };
    if done == 0 { Ok(()) } else { Err(refused("confine this process's system calls (seccomp)")) }
}

/// Keeps every page there is in memory. Pages to come are not: a journal must grow even where little may be locked.
///
/// # Errors
/// What the system refused.
pub fn lock_present_memory() -> Result<(), String> {
    // SAFETY: takes flags only.
    if unsafe { libc::mlockall(libc::MCL_CURRENT) } == 0 {
        Ok(())
    } else {
        Err(refused("lock the signer's memory (needs CAP_IPC_LOCK or `ulimit -l unlimited`); the key's page is locked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    /// Runs a test of this file in a process of its own, since what is given up is gone; yields how it ended.
    fn alone(test: &str) -> std::process::ExitStatus {
        let me = std::env::current_exe().expect("this program");
        let mut command = Command::new(me);
        command.args(["--exact", &format!("io::lockdown::tests::{test}"), "--nocapture"]).env("KEEL_CONFINED", "1");
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("runs")
    }

    fn is_alone() -> bool {
        std::env::var_os("KEEL_CONFINED").is_some()
    }

    #[test]
    fn a_socket_kills() {
        if !is_alone() {
            assert_eq!(alone("a_socket_kills").signal(), Some(libc::SIGSYS));
            return;
        }
        give_up_privileges().expect("given up");
        confine(Filter::Files).expect("confined");
        // SAFETY: takes numbers only.
        unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
        unreachable!("the kernel ends the process first");
    }

    #[test]
    fn a_file_kills_once_signing() {
        if !is_alone() {
            assert_eq!(alone("a_file_kills_once_signing").signal(), Some(libc::SIGSYS));
            return;
        }
        give_up_privileges().expect("given up");
        confine(Filter::Files).expect("confined");
        assert!(std::fs::File::open("/dev/null").is_ok(), "a journal can still be opened");
        confine(Filter::Signing).expect("confined more");
        let _ = std::fs::File::open("/dev/null");
        unreachable!("the kernel ends the process first");
    }

    #[test]
    fn a_keepers_read_kills() {
        if !is_alone() {
            assert_eq!(alone("a_keepers_read_kills").signal(), Some(libc::SIGSYS));
            return;
        }
        give_up_privileges().expect("given up");
        confine(Filter::Files).expect("confined");
        let keeper = std::thread::spawn(|| {
            confine(Filter::Keeping).expect("confined more");
            let _ = std::fs::read("/dev/null");
        });
        let _ = keeper.join();
        unreachable!("the kernel ends the process first");
    }

    #[test]
    fn keeping_pages_needs_no_more_than_it_is_left() {
        use crate::engine::ports::Store;
        use crate::io::store::{Layout, Lock, PageStore};
        if !is_alone() {
            assert_eq!(alone("keeping_pages_needs_no_more_than_it_is_left").code(), Some(42));
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        give_up_privileges().expect("given up");
        confine(Filter::Files).expect("confined");
        let layout = Layout { records_per_page: 4, pages_kept: 1 };
        let home = folder.path().join("journal");
        let lock = Lock::take(&home).expect("taken");
        let opened = PageStore::open_under(lock, layout, &mut |_, _| (), Some(Filter::Keeping));
        let (mut store, _) = opened.expect("a journal");
        for number in 0..100u64 {
            store.append(&number.to_le_bytes());
        }
        drop(store);
        let pages = std::fs::read_dir(&home).expect("listed").count();
        assert!(pages <= 5, "old pages are deleted: {pages} files");
        // SAFETY: ends the process; the folder is left to whoever made it.
        unsafe { libc::_exit(42) };
    }

    #[test]
    fn signing_needs_no_more_than_it_is_left() {
        use crate::engine::ports::Key;
        if !is_alone() {
            assert_eq!(alone("signing_needs_no_more_than_it_is_left").code(), Some(42));
            return;
        }
        give_up_privileges().expect("given up");
        let mut key = crate::io::key::LocalKey::from_bytes(&mut [7; 32]).expect("a key");
        confine(Filter::Files).expect("confined");
        confine(Filter::Signing).expect("confined more");
        let signature = key.sign(&[1; 32]);
        key.refresh();
        assert_eq!(signature, key.sign(&[1; 32]));
        // SAFETY: ends the process; the test harness has nothing to clean up that matters here.
        unsafe { libc::_exit(42) };
    }
}
