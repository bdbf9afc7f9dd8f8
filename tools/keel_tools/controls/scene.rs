//! A venue, a vault on it, and relays to the venue and to the external book.

use crate::process::books::Books;
use crate::process::engine::Engine;
use crate::process::relay::{Relay, Sighting, What};
use crate::process::vault::{Vault, write_vault};
use crate::process::{Addresses, Kept, Venue, binary, private};
use keel::base::time::Nanos;
use std::fs::File;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for anything that should come at once.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Oldest usable quote of the external book in this configuration.
pub const QUOTE_LIFE: Duration = Duration::from_millis(100);

/// Where everything is measured.
pub struct Scene {
    folder: TempDir,
    venue: Venue,
    /// To the venue.
    pub to_venue: Relay,
    /// To the external book.
    pub to_book: Relay,
}

fn host(url: &str) -> String {
    url.trim_start_matches("ws://").split('/').next().unwrap_or_default().to_owned()
}

impl Scene {
    /// Starts venue and relays.
    pub fn new() -> Result<Scene, String> {
        let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
        let venue = Venue::start(folder.path(), 5, (Vault::Basis, 1))?;
        let Addresses { ws, book, .. } = &venue.addresses;
        let (to_venue, to_book) = (Relay::start(&host(ws))?, Relay::start(&host(book))?);
        let addresses = Addresses {
            ws: ws.replace(&host(ws), &to_venue.address.to_string()),
            book: book.replace(&host(book), &to_book.address.to_string()),
            ..venue.addresses.clone()
        };
        let account = &venue.accounts[0];
        let [beats, _] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()));
        let beats = beats.map_err(|why| why.to_string())?;
        // The venue leaves everything where it is when a connection drops, so that what is cancelled was cancelled by us.
        let change = |text: String| {
            let text = text.replacen("[wallet]", "cancel_on_disconnect = false\n\n[wallet]", 1);
            let text = text.replacen("move_max_bps = 100", "move_max_bps = 100\nexternal_age_max_ms = 100", 1);
            // Minutes of the demo's crowd cost what the mandate grants for an hour.
            let text = text.replacen("[vault.limits]", "[vault.limits]\nloss_ema_max_bps = 150", 1);
            text + &format!(
                "\n[sentry]\naddress = \"{beats}\"\nsecret_file = \"beat.secret\"\nsession_key_file = \"sentry.key\"\n"
            )
        };
        write_vault(folder.path(), &addresses, (Vault::Basis, Nanos::ZERO), account, change)?;
        private(&folder.path().join("beat.secret"), &"5c".repeat(32))?;
        private(&folder.path().join("sentry.key"), &account.owner_key_hex)?;
        Ok(Scene { folder, venue, to_venue, to_book })
    }

    /// Folder of the engine's journal.
    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// The venue's own word on the account.
    pub fn books(&self) -> Result<Books, String> {
        Books::new(&self.venue.addresses.http, &self.venue.accounts[0])
    }

    /// An engine that is live.
    pub fn engine(&self) -> Result<Engine, String> {
        let mut engine = Engine::start(self.folder.path(), None)?;
        engine.wait_until(PATIENCE, |reply| reply.vaults.iter().all(|vault| vault.mode == "live"))?;
        Ok(engine)
    }

    /// An engine as it is started, not waited for.
    pub fn bare_engine(&self) -> Result<Engine, String> {
        Engine::start(self.folder.path(), None)
    }

    /// A sentry that watches.
    pub fn sentry(&self) -> Result<Kept, String> {
        let path = self.folder.path().join("sentry.said");
        let said = File::create(&path).map_err(|why| why.to_string())?;
        let mut command = Command::new(binary()?);
        command.args(["sentry", "--config", "vault.toml"]).current_dir(self.folder.path());
        let child = command.stdin(Stdio::null()).stderr(said).spawn().map_err(|why| why.to_string())?;
        let (child, began) = (Kept(child), Instant::now());
        while !self.sentry_said().contains("watching") {
            if began.elapsed() > PATIENCE {
                return Err("the sentry does not come up".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(child)
    }

    /// Waits until the sentry has heard the beats of so many engines.
    pub fn until_watched(&self, engines: usize) -> Result<(), String> {
        let began = Instant::now();
        while self.sentry_said().matches("the engine lives").count() < engines {
            if began.elapsed() > PATIENCE {
                return Err(format!("the sentry hears no beat: {}", self.sentry_said()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What the sentry has said so far.
    pub fn sentry_said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("sentry.said")).unwrap_or_default()
    }

    /// Waits until an order of the engine rests at the venue, by the venue's word.
    pub fn until_resting(&self, books: &mut Books) -> Result<(), String> {
        let began = Instant::now();
        while books.holds()?.open == 0 {
            if began.elapsed() > PATIENCE {
                return Err("the engine quotes nothing".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What of this kind came by within `longest`, the newest last.
    pub fn sightings(&self, longest: Duration, wanted: impl Fn(&Sighting) -> bool) -> Vec<Sighting> {
        let until = Instant::now() + longest;
        let next = || self.to_venue.wait_for(until.saturating_duration_since(Instant::now()), &wanted);
        std::iter::from_fn(next).collect()
    }
}

/// True for what the engine asks of the book.
pub fn is_trading(sighting: &Sighting) -> bool {
    matches!(sighting.what, What::Order | What::Cancel)
}
