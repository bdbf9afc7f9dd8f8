//! The operator's end of the socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::socket::{open_folder, place, socket_path};
use super::{Reply, Request};

/// Longest wait for the engine.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest line taken in.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Puts a request to the engine that runs on a state folder; its challenge is filled in here.
///
/// # Errors
/// Why there is no reply, in words.
pub fn ask(folder: &Path, request: &Request) -> Result<Reply, String> {
    let name = place(folder);
    let failed = |why: std::io::Error| format!("{}: {why}", name.display());
    let open = open_folder(folder).map_err(failed)?;
    let mut stream = UnixStream::connect(socket_path(&open)).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE))).map_err(failed)?;
    let mut heard = BufReader::new(stream.try_clone().map_err(failed)?.take(LINE_BYTES_MAX));
    let mut greeting = String::new();
    heard.read_line(&mut greeting).map_err(failed)?;
    // Who is turned away is told so instead of being greeted.
    if let Ok(reply) = serde_json::from_str(&greeting) {
        return Ok(reply);
    }
    let request = Request { challenge: greeting.trim_end().to_owned(), ..request.clone() };
    let mut line = serde_json::to_vec(&request).map_err(|why| why.to_string())?;
    line.push(b'\n');
    stream.write_all(&line).map_err(failed)?;
    let mut answer = String::new();
    heard.read_line(&mut answer).map_err(failed)?;
    serde_json::from_str(&answer)
        .map_err(|why| format!("{}: the engine's answer is not understood: {why}", name.display()))
}
