//! Files as the operator left them: bounded, plain, private where they must be.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::problem::ConfigErrors;

/// Largest configuration, in bytes.
pub(super) const BYTES_MAX: usize = 64 * 1024;

/// Reads a configuration file whole. A symbolic link, pipe or folder is refused, and so is a file that anybody may write.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ConfigErrors> {
    let name = path.display().to_string();
    let refuse = |what: String, allowed: &str| ConfigErrors::of_file(&name, what, allowed);
    let unreadable = |error: std::io::Error| {
        let link = error.raw_os_error() == Some(libc::ELOOP);
        let what = if link { "is a symbolic link".to_owned() } else { format!("cannot be read: {error}") };
        refuse(what, "a readable plain file")
    };
    // Without waiting: opening a pipe would otherwise hang until somebody writes.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err(refuse("is not a plain file".into(), "a readable plain file"));
    }
    if facts.mode() & 0o002 != 0 {
        let what = format!("has mode {:04o}, anybody may loosen its limits", facts.mode() & 0o7777);
        return Err(refuse(what, "a mode without write for others, such as 0640"));
    }
    let mut bytes = Vec::new();
    File::take(file, BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// A path from the configuration, which is relative to the folder the configuration is in.
pub(super) fn resolve(config: &Path, path: &Path) -> PathBuf {
    config.parent().unwrap_or(Path::new("")).join(path)
}

/// What is wrong with the session key file, without opening it.
pub(super) fn key_fault(path: &Path) -> Option<String> {
    let shown = path.display();
    let facts = match fs::symlink_metadata(path) {
        Ok(facts) => facts,
        Err(error) => return Some(format!("{shown}: {error}")),
    };
    if facts.file_type().is_symlink() {
        return Some(format!("{shown} is a symbolic link"));
    }
    if !facts.is_file() {
        return Some(format!("{shown} is not a plain file"));
    }
    let mode = facts.mode() & 0o7777;
    if mode & 0o077 != 0 || mode & 0o111 != 0 {
        return Some(format!("{shown} has mode {mode:04o}, others can reach it: chmod 600 {shown}"));
    }
    None
}

/// What is wrong with the state folder; an absent one will be made.
pub(super) fn state_fault(path: &Path) -> Option<String> {
    let shown = path.display();
    let facts = match fs::symlink_metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => return Some(format!("{shown}: {error}")),
    };
    if !facts.is_dir() {
        return Some(format!("{shown} is not a folder"));
    }
    let mode = facts.mode() & 0o7777;
    (mode & 0o077 != 0).then(|| format!("{shown} has mode {mode:04o}, others can enter it: chmod 700 {shown}"))
}

/// True if the folder, or the nearest one above it that exists, lives in memory and is gone after a restart of the host.
pub(super) fn in_memory(path: &Path) -> bool {
    let there = path.ancestors().find_map(|folder| fs::canonicalize(folder).ok());
    let (Some(there), Ok(mounts)) = (there, fs::read_to_string("/proc/self/mounts")) else { return false };
    kind_of(&there, &mounts).is_some_and(|kind| kind == "tmpfs" || kind == "ramfs")
}

/// File system of a path, by the longest mount point above it; of equal ones the last, which covers the others.
fn kind_of<'m>(path: &Path, mounts: &'m str) -> Option<&'m str> {
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(point), Some(kind)) = (words.nth(1), words.next()) else { continue };
        let longest = best.is_none_or(|(length, _)| point.len() >= length);
        if longest && path.starts_with(point.replace("\\040", " ")) {
            best = Some((point.len(), kind));
        }
    }
    best.map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_decides() {
        let mounts = "disk / ext4 rw 0 0\nshm /dev/shm tmpfs rw 0 0\nx /dev/shm/real ext4 rw 0 0\n\
                      a /a\\040b tmpfs rw 0 0\nbroken\n";
        let table = [
            ("/var/keel", "ext4"),
            ("/dev/shm/keel", "tmpfs"),
            ("/dev/shm/real/keel", "ext4"),
            ("/a b/c", "tmpfs"),
            ("/ab", "ext4"),
        ];
        for (path, want) in table {
            assert_eq!(kind_of(Path::new(path), mounts), Some(want), "{path}");
        }
    }

    #[test]
    fn paths_belong_to_the_configuration() {
        let at = |config: &str, path: &str| resolve(Path::new(config), Path::new(path)).display().to_string();
        assert_eq!(at("etc/keel.toml", "key"), "etc/key");
        assert_eq!(at("keel.toml", "key"), "key");
        assert_eq!(at("etc/keel.toml", "/run/key"), "/run/key");
    }
}
