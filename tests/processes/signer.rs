//! The signer in a process of its own, around the real binary: it trades, it alone holds the key, and when it is gone or
//! stopped nothing is signed.

use crate::live_vault::{Scene, private, vault_text, venue};
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running engine.
struct Engine {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
    heard: String,
    signer: u32,
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Engine {
    fn start(folder: &Path, seconds: u32) -> Engine {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keel"));
        let seconds = seconds.to_string();
        command.args(["run", "--config", "vault.toml", "--state", "journal", "--json", "--seconds", &seconds]);
        command.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let said = BufReader::new(child.stderr.take().expect("piped"));
        let mut engine = Engine { child, said, heard: String::new(), signer: 0 };
        let line = engine.wait_for("the key is in process ");
        engine.signer = line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number");
        engine
    }

    /// The next line that holds these words.
    fn wait_for(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).expect("text") > 0, "never said {words:?}:\n{}", self.heard);
            self.heard += &line;
            if line.contains(words) {
                return line.trim().to_owned();
            }
        }
    }

    /// Waits for it to end; yields how, its report and its words.
    fn end(mut self) -> (ExitStatus, serde_json::Value, String) {
        let mut report = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut report).expect("text");
        self.said.read_to_string(&mut self.heard).expect("text");
        let status = self.child.wait().expect("ends");
        let report = serde_json::from_str(&report).unwrap_or(serde_json::Value::Null);
        (status, report, std::mem::take(&mut self.heard))
    }
}

/// A line of `/proc/<process>/status`.
fn fact(process: u32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("alive");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a fact of every process");
    line.trim_start_matches(':').trim().to_owned()
}

/// How often these bytes stand in a process's writable memory; none if the system lets nobody look.
fn count_in_memory(process: u32, wanted: &[u8]) -> Option<usize> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).ok()?;
    let mut memory = fs::File::open(format!("/proc/{process}/mem")).ok()?;
    let mut found = 0;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw"))) {
        let range = line.split(' ').next()?.split_once('-')?;
        let (from, to) = (u64::from_str_radix(range.0, 16).ok()?, u64::from_str_radix(range.1, 16).ok()?);
        let mut bytes = vec![0; (to - from) as usize];
        // What was unmapped meanwhile holds nothing any more.
        if memory.seek(SeekFrom::Start(from)).is_ok() && memory.read_exact(&mut bytes).is_ok() {
            found += memchr::memmem::find_iter(&bytes, wanted).count();
        }
    }
    Some(found)
}

/// A key as its bytes and as text; what begins with 0x holds the text too.
fn forms(key_hex: &str) -> [Vec<u8>; 3] {
    let text = key_hex.trim_start_matches("0x");
    let bytes = alloy_primitives::hex::decode(text).expect("hexadecimal");
    [bytes, text.to_lowercase().into_bytes(), text.to_uppercase().into_bytes()]
}

fn holds(bytes: &[u8], forms: &[Vec<u8>]) -> bool {
    forms.iter().any(|form| memchr::memmem::find(bytes, form).is_some())
}

/// The files below a folder that hold any of these, by name; and how many were looked into.
fn files_that_hold(folder: &Path, forms: &[Vec<u8>]) -> (Vec<String>, usize) {
    let (mut found, mut looked) = (Vec::new(), 0);
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("listed")) {
        let kind = entry.file_type().expect("known");
        if kind.is_dir() {
            let (more, count) = files_that_hold(&entry.path(), forms);
            found.extend(more);
            looked += count;
        } else if kind.is_file() {
            looked += 1;
            let bytes = fs::read(entry.path()).expect("ours");
            found.extend(holds(&bytes, forms).then(|| entry.path().display().to_string()));
        }
    }
    (found, looked)
}

/// What anybody may read of a process; less if the system lets nobody look.
fn shown(process: u32) -> Vec<u8> {
    let read = |name: &str| fs::read(format!("/proc/{process}/{name}")).unwrap_or_default();
    let command = read("cmdline");
    assert!(!command.is_empty(), "its arguments are there for all to see");
    [command, read("environ")].concat()
}

/// Counts how often a file is opened.
struct Watch(fs::File);

impl Watch {
    fn on(path: &Path) -> Watch {
        let name = std::ffi::CString::new(path.to_str().expect("plain")).expect("no NUL");
        // SAFETY: flags, a new descriptor that is owned here alone, and a C string that lives for the call.
        unsafe {
            let watch = OwnedFd::from_raw_fd(libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK));
            assert!(libc::inotify_add_watch(watch.as_raw_fd(), name.as_ptr(), libc::IN_OPEN) >= 0);
            Watch(watch.into())
        }
    }

    fn opened(&mut self) -> usize {
        let mut events = Vec::new();
        // Ends with "would block" once every event is read.
        let _ = self.0.read_to_end(&mut events);
        events.len() / std::mem::size_of::<libc::inotify_event>()
    }
}

#[test]
fn it_trades_and_only_the_locked_down_child_ever_has_the_key() {
    let Scene { folder, live, account } = Scene::new(|text| text);
    let mut watch = Watch::on(&folder.path().join("session.key"));
    let mut engine = Engine::start(folder.path(), 8);
    let signer = engine.signer;
    assert_eq!(fact(signer, "PPid"), engine.child.id().to_string());
    assert_eq!((fact(signer, "NoNewPrivs"), fact(signer, "Seccomp")), ("1".to_owned(), "2".to_owned()));
    engine.wait_for("Live");
    for thread in fs::read_dir(format!("/proc/{signer}/task")).expect("threads") {
        let path = thread.expect("a thread").path().join("status");
        let status = fs::read_to_string(&path).expect("alive");
        let filters = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:\t"));
        assert!(filters.is_none_or(|filters| filters == "2"), "each has the process's filter and its own: {status}");
    }
    // Who may look sees that the pipes are gone and their places are taken.
    if let Ok(place) = fs::read_link(format!("/proc/{signer}/fd/0")) {
        assert_eq!(place, Path::new("/dev/null"));
        assert_eq!(fs::read_link(format!("/proc/{signer}/fd/1")).expect("taken"), Path::new("/dev/null"));
    }
    let secret = alloy_primitives::hex::decode(&account.session_key_hex).expect("hexadecimal");
    // Who may look sees it in the child's page, so looking works, and nowhere in the engine.
    if let (Some(here), Some(there)) = (count_in_memory(signer, &secret), count_in_memory(engine.child.id(), &secret)) {
        assert!(here > 0, "the child holds the key it signs with");
        assert_eq!(there, 0, "the engine holds the key");
        let text = account.session_key_hex.trim_start_matches("0x").as_bytes();
        assert_eq!(count_in_memory(engine.child.id(), text), Some(0), "the engine holds the key's text");
    }
    let (status, report, words) = engine.end();
    assert_eq!(status.code(), Some(0), "{words}");
    assert_eq!(watch.opened(), 1, "the child opens the key's file once, nobody else does");
    assert!(report["fills"].as_u64() > Some(0) && report["hedges"].as_u64() > Some(0), "{report}");
    assert_eq!((&report["violations"], &report["withheld"]), (&serde_json::json!([]), &0.into()), "{report}");
    assert!(!Path::new(&format!("/proc/{signer}")).exists(), "the child ends with the engine");
    live.exchange.join();
}

#[test]
fn nothing_that_a_run_leaves_or_shows_holds_its_key() {
    let Scene { folder, live, account } = Scene::new(|text| text);
    let forms = forms(&account.session_key_hex);
    let mut engine = Engine::start(folder.path(), 6);
    let processes = [engine.child.id(), engine.signer];
    engine.wait_for("Live");
    for process in processes {
        assert!(!holds(&shown(process), &forms), "process {process} shows the key");
    }
    let mut report = Vec::new();
    engine.child.stdout.take().expect("piped").read_to_end(&mut report).expect("read");
    engine.said.read_to_string(&mut engine.heard).expect("text");
    assert!(engine.child.wait().expect("ends").success(), "{}", engine.heard);
    assert!(!report.is_empty() && !holds(&report, &forms), "the report holds the key");
    assert!(!holds(engine.heard.as_bytes(), &forms), "it has said the key");
    let state = folder.path().join("journal");
    let (found, looked) = files_that_hold(&state, &forms);
    assert!(found.is_empty(), "the key is in {found:?}");
    // The journal, and a page at least of each actor's tape.
    assert!(looked > 6 && state.join("tape").is_dir(), "{looked} files");
    // Whoever looks so finds it in every form, and in the one file where it belongs.
    for form in [forms.to_vec(), vec![format!("0x{}", String::from_utf8_lossy(&forms[2])).into_bytes()]].concat() {
        let planted = state.join("tape").join("planted");
        fs::write(&planted, [b"before ".as_slice(), &form, b" behind"].concat()).expect("written");
        assert_eq!(files_that_hold(&state, &forms).0, [planted.display().to_string()]);
        fs::remove_file(&planted).expect("gone");
    }
    assert_eq!(files_that_hold(folder.path(), &forms).0, [folder.path().join("session.key").display().to_string()]);
    live.exchange.join();
}

#[test]
fn when_the_child_dies_everything_is_cancelled_and_a_person_is_called() {
    let Scene { folder, live, .. } = Scene::new(|text| text);
    let mut engine = Engine::start(folder.path(), 10);
    engine.wait_for("Live");
    let signer = i32::try_from(engine.signer).expect("a process's number");
    // SAFETY: names a child of the engine that this test has started.
    assert_eq!(unsafe { libc::kill(signer, libc::SIGKILL) }, 0);
    engine.wait_for("nothing is signed any more (Lost)");
    let (status, report, words) = engine.end();
    assert_eq!(status.code(), Some(3), "{words}");
    assert!(words.contains("the signer's process died"), "{words}");
    let history = report["history"].as_array().expect("looks");
    assert_eq!(history.last().expect("a look")["live"], 0, "{report}");
    live.exchange.join();
}

/// As a service manager ends a whole service: it signals every process of it at once.
#[test]
fn a_request_to_end_that_all_processes_get_is_the_engine_s_to_heed() {
    let Scene { folder, live, .. } = Scene::new(|text| text);
    let mut engine = Engine::start(folder.path(), 60);
    engine.wait_for("Live");
    for process in [engine.signer, engine.child.id()] {
        // SAFETY: names the engine, or its child, which this test has started.
        assert_eq!(unsafe { libc::kill(process.cast_signed(), libc::SIGTERM) }, 0);
    }
    let (status, report, words) = engine.end();
    // Anything that might still rest would end it with 3.
    assert_eq!(status.code(), Some(0), "{report}{words}");
    assert!(!words.contains("the signer's process died"), "{words}");
    live.exchange.join();
}

#[test]
fn an_operator_stops_the_signer_itself() {
    let Scene { folder, live, .. } = Scene::new(|text| text);
    let ctl = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keel"));
        let output = command.args(["ctl", "kill", "--state", "journal"]).current_dir(folder.path()).output();
        let output = output.expect("the binary runs");
        let words = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), words)
    };
    let (code, words) = ctl();
    assert_eq!(code, Some(2), "{words}");
    let mut engine = Engine::start(folder.path(), 10);
    engine.wait_for("Live");
    let (code, words) = ctl();
    assert!(code == Some(0) && words.contains(&format!("process {}", engine.signer)), "{words}");
    engine.wait_for("nothing is signed any more (Stopped)");
    let (status, report, words) = engine.end();
    assert_eq!(status.code(), Some(3), "{words}");
    assert!(words.contains("an operator stopped the signer"), "{words}");
    let history = report["history"].as_array().expect("looks");
    assert_eq!(history.last().expect("a look")["live"], 0, "{report}");
    let (code, words) = ctl();
    assert!(code == Some(2) && words.contains("nothing runs on"), "{words}");
    live.exchange.join();
}

/// A cloud's key service on this machine, for one request: its words were proved elsewhere, here it only lends a key.
fn lender(plain: &str) -> (std::net::SocketAddr, std::thread::JoinHandle<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback is free");
    let address = listener.local_addr().expect("bound");
    let body = format!("{{\"Plaintext\":\"{plain}\",\"KeyId\":\"{KMS_KEY}\"}}");
    let answer = move || {
        let (mut stream, _) = listener.accept().expect("asked once");
        let mut asked = String::new();
        while !asked.contains("CiphertextBlob") {
            let mut some = [0; 4096];
            let length = stream.read(&mut some).expect("a request");
            assert!(length > 0, "cut: {asked}");
            asked += std::str::from_utf8(&some[..length]).expect("text");
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).expect("answered");
        asked
    };
    (address, std::thread::spawn(answer))
}

const KMS_KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

#[test]
fn a_key_that_a_cloud_has_wrapped_is_unwrapped_by_the_child_before_it_gives_up_the_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let (live, account) = venue();
    let secret = alloy_primitives::hex::decode(&account.session_key_hex).expect("hexadecimal");
    let (address, asked) = lender(&base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &secret));
    let wallet = format!(
        "session_key_file = \"session.key\"\nkey_source = \"kms-wrapped\"\nkms = {{ key_arn = \"{KMS_KEY}\", \
         endpoint_url = \"http://{address}\", credentials = \"file\", credentials_file = \"aws\" }}\n"
    );
    let text = vault_text(&live, &account).replace("session_key_file = \"session.key\"\n", &wallet);
    private(folder.path(), "vault.toml", &text);
    private(folder.path(), "session.key", "QVFJREFI\n");
    private(folder.path(), "aws", "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n");
    let mut engine = Engine::start(folder.path(), 6);
    assert_eq!(fact(engine.signer, "Seccomp"), "2");
    engine.wait_for("Live");
    if let Some(there) = count_in_memory(engine.child.id(), &secret) {
        assert_eq!(there, 0, "the engine never has it");
    }
    let (status, report, words) = engine.end();
    assert_eq!(status.code(), Some(0), "{words}");
    assert!(report["fills"].as_u64() > Some(0), "{report}");
    let asked = asked.join().expect("answered");
    assert!(
        asked.contains("x-amz-target: TrentService.Decrypt") && asked.contains("Credential=AKIDEXAMPLE/"),
        "{asked}"
    );
    live.exchange.join();
}
