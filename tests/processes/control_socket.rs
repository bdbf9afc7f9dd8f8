//! The control socket of a running engine: every verb with its rule and exit code, and everything a client can do wrong.

use crate::live_vault::Scene;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

fn ctl(scene: &Scene, args: &[&str]) -> (Option<i32>, String) {
    let args: Vec<&str> = ["ctl"].iter().chain(args).copied().chain(["--state", "journal"]).collect();
    let output = scene.keel(&args);
    let words = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), words)
}

fn until(scene: &Scene, mode: &str) {
    let began = std::time::Instant::now();
    while !ctl(scene, &["status"]).1.contains(mode) {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", ctl(scene, &["status"]).1);
    }
}

/// One line on a connection of its own; the answer, if there was one.
struct Client(BufReader<UnixStream>, String);

impl Client {
    fn new(path: &PathBuf) -> Client {
        let stream = UnixStream::connect(path).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let mut reader = BufReader::new(stream);
        let mut greeting = String::new();
        reader.read_line(&mut greeting).expect("a greeting");
        Client(reader, greeting.trim().to_owned())
    }

    fn say(&mut self, bytes: &[u8]) {
        // One that is turned away in the middle of its line cannot say the rest.
        let _ = self.0.get_mut().write_all(bytes);
    }

    fn answer(mut self) -> String {
        let mut text = String::new();
        let _ = self.0.read_to_string(&mut text);
        text
    }
}

#[test]
fn operators_pause_resume_tighten_drain_and_kill_by_the_rules() {
    let scene = Scene::new(|text| text);
    let (code, words) = ctl(&scene, &["status"]);
    assert!(code == Some(2) && !words.is_empty(), "nobody runs: {words}");
    let engine = scene.engine();
    until(&scene, "weeth-basis live");

    let vault = ["--vault", "weeth-basis"];
    let of = |verb: &str, more: &[&str]| ctl(&scene, &[&[verb], &vault[..], more].concat());
    let (code, words) = ctl(&scene, &["pause", "--vault", "other"]);
    assert!(code == Some(2) && words.contains("no vault \"other\" here; there are: weeth-basis"), "{words}");
    let (code, words) = of("pause", &[]);
    assert!(code == Some(0) && words.contains("weeth-basis drain"), "{words}");
    scene.until_resting(Duration::from_secs(10), |count| count == 0);
    let (code, words) = of("resume", &[]);
    assert!(code == Some(0) && words.contains("resumed"), "{words}");
    until(&scene, "weeth-basis live");
    let (code, words) = of("tighten", &["--limit", "quote_amount_max_base", "--to", "0.5"]);
    assert!(code == Some(0) && words.contains("quote_amount_max_base is 0.5"), "{words}");
    let (code, words) = of("tighten", &["--limit", "quote_amount_max_base", "--to", "0.6"]);
    assert!(code == Some(2) && words.contains("limits tighten only"), "{words}");
    misbehave(&scene);
    let (code, words) = ctl(&scene, &["drain", "--all"]);
    assert!(code == Some(0) && words.contains("resumes with a restart only"), "{words}");
    let (code, words) = ctl(&scene, &["resume", "--all"]);
    assert!(code == Some(2) && words.contains("weeth-basis resumes with a restart only"), "{words}");
    let (code, words) = of("kill", &[]);
    assert!(code == Some(0) && words.contains("weeth-basis halted"), "{words}");
    let (code, words) = ctl(&scene, &["kill", "--all"]);
    assert!(code == Some(0) && words.contains("signs nothing any more"), "{words}");
    drop(engine);
    scene.live.exchange.join();
}

/// Killed with its signer, as by a host without memory, and started again as by a supervisor.
#[test]
fn a_stop_outlives_a_death_and_ends_with_a_person() {
    let scene = Scene::new(|text| text);
    let engine = scene.engine();
    until(&scene, "weeth-basis live");
    let (code, words) = ctl(&scene, &["kill", "--all"]);
    assert_eq!(code, Some(0), "{words}");
    until(&scene, "weeth-basis halted");
    drop(engine);
    let mut engine = scene.engine();
    engine.wait_for(
        "weeth-basis: was stopped before: an operator paused or killed it; it starts drained, resume when looked at",
    );
    until(&scene, "weeth-basis drain");
    std::thread::sleep(Duration::from_secs(3));
    let (_, words) = ctl(&scene, &["status"]);
    assert!(words.contains("weeth-basis drain") && scene.resting() == 0, "{words}");
    let (code, words) = ctl(&scene, &["resume", "--all"]);
    assert!(code == Some(0) && words.contains("resumed"), "{words}");
    until(&scene, "weeth-basis live");
    // An end in order is a person's act.
    assert_eq!(ctl(&scene, &["pause", "--all"]).0, Some(0));
    engine.stop();
    let engine = scene.engine();
    until(&scene, "weeth-basis live");
    drop(engine);
    scene.live.exchange.join();
}

/// Everything a client can do wrong is answered in words or let go, and the engine goes on.
fn misbehave(scene: &Scene) {
    let path = scene.folder.path().join("journal/console/control");
    let mode = std::fs::symlink_metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let recorded = {
        let mut client = Client::new(&path);
        let line = format!("{{\"challenge\":\"{}\",\"verb\":\"status\"}}\n", client.1);
        client.say(line.as_bytes());
        assert!(client.answer().contains("\"ok\":true"));
        line
    };
    let big = vec![b'x'; 1 << 20];
    let deep = "[".repeat(1_000) + "\n";
    for (line, words) in [
        (recorded.as_bytes(), "another connection's"),
        (&big[..], "at most 1024 bytes"),
        (deep.as_bytes(), "not understood"),
        (b"\n", "not understood"),
        (b"\xff\xfe\n", "not understood"),
        (b"{\"challenge\":\"\",\"verb\":\"loosen\"}\n", "not understood"),
    ] {
        let mut client = Client::new(&path);
        client.say(line);
        let answer = client.answer();
        assert!(answer.contains("\"ok\":false") && answer.contains(words), "expected {words:?} in {answer:?}");
    }
    // Eight who never end their line: a ninth is told so, and all are let go after two seconds.
    let mut slow: Vec<Client> = (0..8).map(|_| Client::new(&path)).collect();
    slow.iter_mut().for_each(|client| client.say(b"{\"half"));
    let ninth = Client::new(&path).1;
    assert!(ninth.contains("8 others are being heard"), "{ninth}");
    for client in slow {
        let answer = client.answer();
        assert!(answer.contains("no whole line within 2 s"), "{answer}");
    }
    let (code, words) = ctl(scene, &["status"]);
    assert!(code == Some(0) && words.contains("weeth-basis live"), "{words}");
}
