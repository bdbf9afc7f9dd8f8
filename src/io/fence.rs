//! What an engine gives up once its signer is a process of its own: the signer's files, and starting programs.
//!
//! Landlock grants, it does not forbid: everything on this host is granted but the secrets and the folders on the way to
//! them, in which only what stands there now stays reachable. A hard link or mount of a secret that stands elsewhere is
//! beyond it, and so is every other process of the same user.

use super::lockdown;
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    path_beneath_rules,
};
use std::fs;
use std::path::{Path, PathBuf};

/// Most entries of folders on the way to a secret; what comes after them is not granted.
const ENTRIES_MAX: usize = 65_536;
/// Rights known when this was written; an older kernel holds to those it knows.
const KNOWN: ABI = ABI::V5;

/// Keeps the calling thread, and all it will start, from ever opening these files, or files in these folders; the whole
/// process from starting programs and from looking into others. Descriptors and mappings there are stay.
///
/// # Errors
/// What this host does not keep from it, in words.
pub fn shut_out(files: &[PathBuf], folder: &Path) -> Result<(), Vec<String>> {
    let secrets: Vec<PathBuf> =
        files.iter().map(PathBuf::as_path).chain([folder]).filter_map(|path| fs::canonicalize(path).ok()).collect();
    let open = "code that runs in the engine could open the key's file and the signer's journal";
    let opened = landlock(&secrets, folder).map_err(|why| format!("{why}: {open}"));
    let started = lockdown::forbid_programs().map_err(|why| format!("{why}: it could start programs"));
    let faults: Vec<String> = [opened.err(), started.err()].into_iter().flatten().collect();
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// Says whether this kernel can keep files from a process.
///
/// # Errors
/// Why not, in words.
pub fn probe() -> Result<(), String> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let made = ruleset.handle_access(AccessFs::from_all(ABI::V1)).and_then(Ruleset::create);
    made.map(|_| ()).map_err(|why| format!("this kernel has no Landlock ({why})"))
}

fn landlock(secrets: &[PathBuf], folder: &Path) -> Result<(), String> {
    probe()?;
    let all = AccessFs::from_all(KNOWN);
    let mut granted = Vec::new();
    grant_around(Path::new("/"), secrets, &mut granted);
    // Folders inside the journal's are not the signer's, unless they are named.
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    entries(&folder).filter(|path| path.is_dir()).for_each(|path| grant_around(&path, secrets, &mut granted));
    let ruleset = Ruleset::default().handle_access(all).and_then(Ruleset::create);
    let ruled = ruleset.and_then(|ruleset| ruleset.add_rules(path_beneath_rules(granted, all)));
    match ruled.and_then(|ruleset| ruleset.restrict_self()) {
        Ok(status) if status.ruleset != RulesetStatus::NotEnforced => Ok(()),
        Ok(_) => Err("Landlock is not enforced here".to_owned()),
        Err(why) => Err(format!("Landlock: {why}")),
    }
}

/// What stands in a folder now, links left out: what they lead to stands elsewhere under its own name.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let found = fs::read_dir(folder).into_iter().flatten().take(ENTRIES_MAX).filter_map(Result::ok);
    found.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink())).map(|entry| entry.path())
}

/// The largest parts of a tree without any of the secrets in them.
fn grant_around(top: &Path, secrets: &[PathBuf], granted: &mut Vec<PathBuf>) {
    if secrets.iter().any(|secret| secret == top) {
        return;
    }
    if !secrets.iter().any(|secret| secret.starts_with(top)) {
        granted.push(top.to_path_buf());
        return;
    }
    for entry in entries(top) {
        grant_around(&entry, secrets, granted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::lockdown::tests::{alone, is_alone};
    use std::io::ErrorKind;

    #[test]
    fn an_engine_reads_what_it_needs_and_nothing_of_its_signers() {
        if !is_alone() {
            assert_eq!(
                alone("io::fence::tests::an_engine_reads_what_it_needs_and_nothing_of_its_signers").code(),
                Some(42)
            );
            return;
        }
        let home = tempfile::tempdir().expect("a folder");
        let (key, journal, mine) =
            (home.path().join("key"), home.path().join("journal"), home.path().join("journal/tape"));
        fs::create_dir_all(&mine).expect("made");
        for file in [&key, &journal.join("1.page"), &mine.join("old"), &home.path().join("other")] {
            fs::write(file, "text").expect("written");
        }
        std::os::unix::fs::symlink(&key, home.path().join("link")).expect("made");
        let kept = fs::File::open(home.path().join("other")).expect("open");
        let held = shut_out(std::slice::from_ref(&key), &journal);
        let started = std::process::Command::new("/proc/self/exe").spawn().map(|_| ());
        assert_eq!(started.map_err(|why| why.kind()), Err(ErrorKind::PermissionDenied), "no program starts");
        if probe().is_ok() {
            assert_eq!(held, Ok(()));
            let denied = |path: PathBuf| fs::read(&path).map_err(|why| why.kind()) == Err(ErrorKind::PermissionDenied);
            assert!(denied(key.clone()) && denied(home.path().join("link")) && denied(journal.join("1.page")));
            assert!(
                fs::write(journal.join("2.page"), "new").is_err() && fs::remove_file(journal.join("1.page")).is_err()
            );
            assert!(
                fs::hard_link(&key, mine.join("stolen")).is_err() && fs::rename(&key, mine.join("stolen")).is_err()
            );
            assert_eq!(fs::read(home.path().join("other")).expect("not a secret"), b"text");
            fs::write(mine.join("new"), "text").expect("a folder of its own");
            assert!(fs::read("/proc/self/status").is_ok() && fs::metadata("/etc").is_ok() && kept.metadata().is_ok());
            let thread = std::thread::spawn(move || denied(key));
            assert!(thread.join().expect("ends"), "threads started later are held too");
        }
        // SAFETY: ends the process; the folder is left to the system, since this process may not remove it any more.
        unsafe { libc::_exit(42) };
    }
}
