//! The sentry as a process beside the real engine: it touches nothing while the engine lives, and cancels everything at the
//! venue when the engine freezes or dies, whatever old or forged beats arrive.

#[path = "support/live_vault.rs"]
mod live_vault;

use live_vault::{Process, Scene, private};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const SILENCE: Duration = Duration::from_millis(1_000);
/// A start, or a round trip on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// Far more than silence and one round trip take, on a machine that is busy with other tests; how quick it is, is measured
/// elsewhere.
const SOON: Duration = Duration::from_secs(10);

/// Passes beats on from engine to sentry, and keeps them.
struct Wiretap {
    engine_side: u16,
    sentry_side: u16,
    beats: Receiver<Vec<u8>>,
    over: Arc<AtomicBool>,
}

impl Wiretap {
    fn new() -> Wiretap {
        let [heard, free] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").expect("loopback"));
        let port = |socket: &UdpSocket| socket.local_addr().expect("bound").port();
        let (engine_side, sentry_side) = (port(&heard), port(&free));
        drop(free); // the sentry's from now on, unless another process is quicker
        heard.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let (sender, beats) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        std::thread::spawn(move || {
            let mut page = [0; 256];
            while !ended.load(Ordering::Relaxed) {
                let Ok(length) = heard.recv(&mut page) else { continue };
                let _ = heard.send_to(&page[..length], ("127.0.0.1", sentry_side));
                let _ = sender.send(page[..length].to_vec());
            }
        });
        Wiretap { engine_side, sentry_side, beats, over }
    }

    /// Says it all again, and nonsense besides.
    fn replay(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let say = |page: &[u8]| socket.send_to(page, ("127.0.0.1", self.sentry_side)).expect("sent");
        let beats: Vec<Vec<u8>> = self.beats.try_iter().collect();
        assert!(beats.len() >= 5, "{} beats", beats.len());
        let newest = &beats[beats.len().saturating_sub(20)..];
        for beat in newest {
            say(beat);
            let mut forged = beat.clone();
            forged[16] = forged[16].wrapping_add(200); // a later count
            say(&forged);
        }
        say(b"");
        say(&[0; 200]);
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn scene(wiretap: &Wiretap) -> Scene {
    let section = format!(
        "\n[sentry]\naddress = \"127.0.0.1:{}\"\nlisten_address = \"127.0.0.1:{}\"\nsecret_file = \"beat.secret\"\n\
         session_key_file = \"sentry.key\"\nsilence_max_ms = {}\n",
        wiretap.engine_side,
        wiretap.sentry_side,
        SILENCE.as_millis()
    );
    // The venue leaves everything where it is when a connection drops: what goes, the sentry has cancelled.
    let scene = Scene::new(|text| text.replacen("[wallet]", "cancel_on_disconnect = false\n\n[wallet]", 1) + &section);
    private(scene.folder.path(), "beat.secret", &"5c".repeat(32));
    // Any other key of the wallet will do; here its owner's, which the venue knows from the start.
    private(scene.folder.path(), "sentry.key", &scene.account.owner_key_hex);
    scene
}

/// An engine at work and a sentry that watches it. The sentry's port is anybody's until it is bound: all is tried again
/// with another if somebody was quicker.
fn watched() -> (Wiretap, Scene, Process, Process) {
    for _ in 0..5 {
        let wiretap = Wiretap::new();
        let scene = scene(&wiretap);
        let engine = scene.engine();
        scene.until_resting(PATIENCE, |count| count > 0);
        let mut sentry = scene.start(&["sentry", "--config", "vault.toml"]);
        if sentry.wait_for_any(&["watching", "in use"]).contains("watching") {
            return (wiretap, scene, engine, sentry);
        }
        drop((engine, sentry));
        scene.live.exchange.join();
    }
    panic!("every port was taken by another process");
}

#[test]
fn it_cancels_everything_when_the_engine_freezes_or_dies_and_nothing_while_it_lives() {
    let (wiretap, scene, engine, mut sentry) = watched();
    // Whichever of the two comes first.
    if !sentry.heard.contains("the engine lives") {
        sentry.wait_for("the engine lives");
    }
    let began = Instant::now();
    // Three times the silence it would take for an alarm: the engine quotes on, undisturbed.
    while began.elapsed() < 3 * SILENCE {
        scene.until_resting(PATIENCE, |count| count > 0);
    }
    assert!(!sentry.said().contains("alarm"), "{}", sentry.heard);

    scene.until_resting(PATIENCE, |count| count > 0);
    engine.signal(libc::SIGSTOP);
    let frozen = Instant::now();
    sentry.wait_for("cancelling everything");
    scene.until_resting(PATIENCE, |count| count == 0);
    let took = frozen.elapsed();
    assert!(took >= SILENCE / 2 && took < SOON, "{took:?}");
    engine.signal(libc::SIGCONT);
    sentry.wait_for("the engine lives");
    scene.until_resting(PATIENCE, |count| count > 0);

    // Killed while something rests: tried again if a fill was quicker.
    engine.signal(libc::SIGKILL);
    let killed = Instant::now();
    wiretap.replay();
    sentry.wait_for("is not the engine's beat");
    sentry.wait_for("cancelling everything");
    scene.until_resting(PATIENCE, |count| count == 0);
    let took = killed.elapsed();
    assert!(took < SOON, "{took:?}: old beats kept it quiet");
    sentry.wait_for("rests any more");
    sentry.signal(libc::SIGINT);
    assert_eq!(sentry.child.wait().expect("ends").code(), Some(0));
    scene.live.exchange.join();
}

#[test]
fn a_sentry_is_refused_without_what_it_needs() {
    let wiretap = Wiretap::new();
    let scene = scene(&wiretap);
    let refused = |words: &str| {
        let output = scene.keel(&["sentry", "--config", "vault.toml"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "expected {words:?} in {said}");
        assert!(!said.contains("5c5c5c5c") && !said.contains(&scene.account.owner_key_hex[2..]), "{said}");
    };
    let folder = scene.folder.path();
    private(folder, "beat.secret", "5c5c5c5c");
    refused("64 hexadecimal digits");
    std::fs::remove_file(folder.join("beat.secret")).expect("was there");
    refused("sentry.secret_file");
    private(folder, "beat.secret", &"5c".repeat(32));
    std::fs::remove_file(folder.join("sentry.key")).expect("was there");
    refused("sentry.session_key_file");
    let text = std::fs::read_to_string(folder.join("vault.toml")).expect("written above");
    private(folder, "vault.toml", text.split("\n[sentry]").next().expect("before"));
    refused("missing: there is nothing to hear");
    // `check` explains the section to whoever has it.
    private(folder, "sentry.key", &scene.account.owner_key_hex);
    private(folder, "vault.toml", &text);
    let output = scene.keel(&["check", "--config", "vault.toml"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("[sentry]") && said.contains("silence after which the sentry cancels everything"), "{said}");
    scene.live.exchange.join();
}
