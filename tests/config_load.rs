//! Loading from disk: the configuration, the key file and the state folder must be plain, private and where they say.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use keel::config::Config;

/// A folder of its own that goes when the test ends.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a place for files"))
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("changed");
        path
    }

    /// A good configuration with a good key beside it.
    fn furnished() -> (Folder, PathBuf) {
        let folder = Folder::new();
        folder.write("session.key", "4c".repeat(32), 0o600);
        let config = folder.write("keel.toml", example("weeth-basis"), 0o640);
        (folder, config)
    }
}

fn example(vault: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tools/config/{vault}.toml"));
    fs::read_to_string(file).expect("the examples are part of the repository")
}

fn refusal(path: &Path) -> String {
    let message = Config::load(path).expect_err("refused").to_string();
    assert!(message.starts_with(&format!("{}:", path.display())), "{message}");
    message
}

#[test]
fn a_good_file_is_loaded_and_its_paths_are_its_own() {
    let (folder, path) = Folder::furnished();
    let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.wallet.session_key_file, folder.0.path().join("session.key"));
    assert_eq!(config.state_dir, Some(folder.0.path().join("state/weeth-basis")));
    assert!(config.explain().iter().all(|row| !row.value.contains("4c4c")));
}

#[test]
fn examples_lack_only_their_key() {
    let vaults = [
        "weeth-basis",
        "lbtc-basis",
        "harvest-weeth",
        "safe-harvest-lbtc",
        "safe-harvest-weeth",
        "maxi-lbtc",
        "bull-susde",
    ];
    for vault in vaults {
        let folder = Folder::new();
        let path = folder.write("keel.toml", example(vault), 0o644);
        let errors = Config::load(&path).expect_err("there is no key");
        let fields: Vec<&str> = errors.problems().iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["wallet.session_key_file"], "{errors}");
        let line = example(vault).lines().position(|line| line.starts_with("session_key_file")).map(|at| at + 1);
        assert_eq!(Some(errors.problems()[0].line), line);
    }
}

#[test]
fn a_key_others_can_reach_is_refused() {
    let (folder, path) = Folder::furnished();
    let key = folder.0.path().join("session.key");
    for mode in [0o644, 0o640, 0o660, 0o604, 0o700] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).expect("changed");
        let message = refusal(&path);
        assert!(message.contains(&format!("mode {mode:04o}")) && message.contains("chmod 600"), "{message}");
    }
    fs::set_permissions(&key, Permissions::from_mode(0o400)).expect("changed");
    assert!(Config::load(&path).is_ok());
    fs::rename(&key, folder.0.path().join("elsewhere")).expect("moved");
    symlink(folder.0.path().join("elsewhere"), &key).expect("linked");
    assert!(refusal(&path).contains("is a symbolic link"));
    fs::remove_file(&key).expect("removed");
    fs::create_dir(&key).expect("made");
    assert!(refusal(&path).contains("is not a plain file"));
}

#[test]
fn a_state_folder_others_can_enter_is_refused() {
    let (folder, path) = Folder::furnished();
    let state = folder.0.path().join("state/weeth-basis");
    fs::create_dir_all(&state).expect("made");
    fs::set_permissions(&state, Permissions::from_mode(0o750)).expect("changed");
    let message = refusal(&path);
    assert!(message.contains("state.dir: ") && message.contains("chmod 700"), "{message}");
    fs::set_permissions(&state, Permissions::from_mode(0o700)).expect("changed");
    assert!(Config::load(&path).is_ok());
    fs::remove_dir(&state).expect("removed");
    folder.write("state/weeth-basis", "", 0o600);
    assert!(refusal(&path).contains("is not a folder"));
}

#[test]
fn a_state_folder_in_memory_is_warned_about() {
    let memory = Path::new("/dev/shm");
    let (folder, path) = Folder::furnished();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if !mounts.lines().any(|line| line.contains(" /dev/shm tmpfs ")) {
        return;
    }
    let text =
        example("weeth-basis").replace("\"state/weeth-basis\"", &format!("\"{}/keel-absent\"", memory.display()));
    folder.write("keel.toml", text, 0o640);
    let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(config.warnings().iter().any(|warning| warning.contains("state.dir: is in memory")));
}

#[test]
fn only_plain_bounded_files_are_read() {
    let (folder, path) = Folder::furnished();
    assert!(refusal(&folder.0.path().join("absent.toml")).contains("cannot be read"));
    assert!(refusal(folder.0.path()).contains("is not a plain file"));
    let link = folder.0.path().join("link.toml");
    symlink(&path, &link).expect("linked");
    assert!(refusal(&link).contains("is a symbolic link"));
    assert!(refusal(Path::new("/dev/zero")).contains("is not a plain file"));
    let open = folder.write("open.toml", example("weeth-basis"), 0o646);
    assert!(refusal(&open).contains("anybody may loosen its limits"));
    let large = folder.write("large.toml", vec![b'#'; 1 << 20], 0o640);
    assert!(refusal(&large).contains("is larger than 65536 bytes"));
    let latin = folder.write("latin.toml", b"# one\n# caf\xe9\n", 0o640);
    assert!(refusal(&latin).contains("latin.toml:2: is not UTF-8"));
}
