//! The socket operators speak on: in a folder of its own in the state folder, where an engine may still make files after
//! it has given up its signer's; for the engine's own user alone, one line each way.
//!
//! Whoever connects is told a challenge, has two seconds for one line of at most a kilobyte that repeats it, is answered
//! with one line, and is let go. Eight are heard at a time; more are turned away.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use actix::Addr;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, Semaphore};

use super::{Console, Reply, Request};
use crate::base::queue::Post;
use crate::msg::Command;
use crate::ops::control::{Ask, Clerk};

/// Its folder in the state folder.
const FOLDER: &str = "console";
/// Its file there.
const FILE: &str = "control";
/// Clients heard at a time.
const CLIENTS_MAX: usize = 8;
/// Longest line, its end included.
const LINE_BYTES_MAX: u64 = 1_024;
/// Longest wait for a client's line.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest wait for a command to be seen to have taken effect.
const EFFECT: Duration = Duration::from_secs(1);
/// Pause after an accept that failed, such as for want of descriptors.
const RETRY: Duration = Duration::from_millis(100);

/// Makes the socket's folder in a state folder, unless it is there.
///
/// # Errors
/// File and reason, in words.
pub fn make_folder(state: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(state.join(FOLDER));
    made.map_err(|why| format!("{}: {why}", state.join(FOLDER).display()))
}

/// Where the socket of a state folder is.
pub(super) fn place(state: &Path) -> PathBuf {
    state.join(FOLDER).join(FILE)
}

/// The socket's folder under a name that is short however long its path is: socket paths end at 108 bytes.
pub(super) fn open_folder(state: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_CLOEXEC).open(state.join(FOLDER))
}

pub(super) fn socket_path(folder: &fs::File) -> String {
    format!("/proc/self/fd/{}/{FILE}", folder.as_raw_fd())
}

/// What the answers are made of.
struct Hall {
    console: Mutex<Console>,
    commands: Post<Command>,
    clerk: Addr<Clerk>,
    places: Semaphore,
}

/// Serves the socket in a state folder that this process holds, on the present arbiter, until that ends.
///
/// # Errors
/// File and reason, in words.
pub fn serve(folder: &Path, console: Console, commands: Post<Command>, clerk: Addr<Clerk>) -> Result<(), String> {
    make_folder(folder)?;
    let listener = open_folder(folder).and_then(|open| {
        let path = socket_path(&open);
        match fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        // The folder is the owner's alone already.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    });
    let listener = listener.map_err(|why| format!("{}: {why}", place(folder).display()))?;
    let places = Semaphore::new(CLIENTS_MAX);
    let hall = Rc::new(Hall { console: Mutex::new(console), commands, clerk, places });
    actix::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(actix::spawn(receive(Rc::clone(&hall), stream))),
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    });
    Ok(())
}

/// One client, from greeting to farewell.
async fn receive(hall: Rc<Hall>, mut stream: UnixStream) {
    let reply = match hall.places.try_acquire() {
        Ok(_place) => hall.hear(&mut stream).await,
        Err(_) => Reply::refused(format!("{CLIENTS_MAX} others are being heard: try again")),
    };
    let mut line = serde_json::to_vec(&reply).unwrap_or_default();
    line.push(b'\n');
    // A client that does not listen has had its say.
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(&line)).await;
}

impl Hall {
    async fn hear(&self, stream: &mut UnixStream) -> Reply {
        // SAFETY: asks for a number.
        let own = unsafe { libc::geteuid() };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == own => {}
            _ => return Reply::refused("only the engine's own user may speak here"),
        }
        match tokio::time::timeout(PATIENCE, listen(stream)).await {
            Ok(Ok(request)) => self.obey(&request).await,
            Ok(Err(why)) => Reply::refused(why),
            Err(_) => Reply::refused(format!("no whole line within {} s", PATIENCE.as_secs())),
        }
    }

    async fn obey(&self, request: &Request) -> Reply {
        let Ok(news) = self.clerk.send(Ask).await else { return Reply::refused("the engine is ending") };
        let mut console = self.console.lock().await;
        let orders = match console.decide(request, &news) {
            Ok(orders) => orders,
            Err(why) => return Reply::refused(why),
        };
        drop(news);
        if orders.commands.iter().any(|command| self.commands.send(*command).is_err()) {
            return Reply::refused("the pipeline takes no commands: kill --all reaches the signer itself");
        }
        let asked = tokio::time::Instant::now();
        loop {
            let Ok(news) = self.clerk.send(Ask).await else { return Reply::refused("the engine is ending") };
            let all = || orders.places.iter().filter_map(|place| news.vault(*place));
            let done = all().all(|vault| request.verb.is_done(vault));
            if done || asked.elapsed() >= EFFECT {
                let vaults = console.standings(&orders.places, &news);
                return Reply { ok: true, done, said: orders.said, vaults };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Greets, and reads the client's one line.
async fn listen(stream: &mut UnixStream) -> Result<Request, String> {
    let mut bytes = [0u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "no random bytes".to_owned())?;
    let challenge = alloy_primitives::hex::encode(bytes);
    let (read, mut write) = stream.split();
    write.write_all(format!("{challenge}\n").as_bytes()).await.map_err(|why| why.to_string())?;
    let mut line = Vec::new();
    let mut read = BufReader::new(read.take(LINE_BYTES_MAX));
    read.read_until(b'\n', &mut line).await.map_err(|why| why.to_string())?;
    if line.pop() != Some(b'\n') {
        return Err(format!("a line ends with a line feed and has at most {LINE_BYTES_MAX} bytes"));
    }
    let request: Request = serde_json::from_slice(&line).map_err(|why| format!("not understood: {why}"))?;
    if request.challenge != challenge {
        return Err("the challenge is another connection's".to_owned());
    }
    Ok(request)
}
