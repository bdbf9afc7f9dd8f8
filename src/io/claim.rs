//! Whoever trades for a subaccount on this host is alone in it, whatever state folders there are: a name of the kernel's
//! that nobody else can take until its holder's process has ended, however it ended. Such a name is seen within one network
//! namespace only: containers with networks of their own do not see each other here, but a state folder they share does
//! keep the second out, by the lock on its journal.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// A subaccount at a venue, held by this process for as long as this lives.
pub struct Claim(#[allow(dead_code)] UnixListener); // held, never spoken to

impl Claim {
    /// Takes a subaccount of a wallet at the venue of this address. The name is seen by every user of the host, so it
    /// tells a digest only.
    ///
    /// # Errors
    /// Another process has it, or names cannot be taken here; in words.
    pub fn take(venue: &str, wallet: &[u8; 20], subaccount: u64) -> Result<Claim, String> {
        let what = format!("{} {wallet:02x?} {subaccount}", spelt(venue));
        let digest = ring::digest::digest(&ring::digest::SHA256, what.as_bytes());
        let name = format!("keel-{}", alloy::hex::encode(&digest.as_ref()[..16]));
        let address = SocketAddr::from_abstract_name(name.as_bytes()).map_err(|why| why.to_string())?;
        UnixListener::bind_addr(&address).map(Claim).map_err(|why| match why.kind() {
            ErrorKind::AddrInUse => format!(
                "another keel on this host trades for subaccount {subaccount} at {venue}, on another state.dir: two \
                 instances must not share one vault"
            ),
            _ => format!("cannot claim subaccount {subaccount} for this process: {why}"),
        })
    }
}

/// One spelling of a venue's address: case, default port and what is left out at the end make no other venue.
fn spelt(venue: &str) -> String {
    let Ok(mut url) = reqwest::Url::parse(venue) else { return venue.to_lowercase() };
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    if let Some(host) = url.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned) {
        let _ = url.set_host(Some(&host));
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_venue_has_one_spelling() {
        let plain = "wss://api.derive.xyz/ws";
        for other in [
            "WSS://API.Derive.XYZ/ws",
            "wss://api.derive.xyz:443/ws",
            "wss://api.derive.xyz/ws/",
            "wss://api.derive.xyz./ws",
            "wss://api.derive.xyz/ws#here",
        ] {
            assert_eq!(spelt(other), spelt(plain), "{other}");
        }
        for other in
            ["ws://api.derive.xyz/ws", "wss://api.derive.xyz:444/ws", "wss://api.derive.xyz/WS", "wss://derive.xyz/ws"]
        {
            assert_ne!(spelt(other), spelt(plain), "{other}");
        }
        assert_eq!(spelt("ws://127.0.0.1:80"), spelt("ws://127.0.0.1/"));
        let held = Claim::take(&format!("wss://{}.invalid/ws", std::process::id()), &[3; 20], 7);
        assert!(held.is_ok());
        let again = Claim::take(&format!("WSS://{}.Invalid:443/ws/", std::process::id()), &[3; 20], 7);
        assert!(again.is_err_and(|why| why.contains("another keel")));
    }

    #[test]
    fn one_holder_at_a_time_for_each_subaccount() {
        let venue = format!("wss://{}.invalid", std::process::id());
        let held = Claim::take(&venue, &[1; 20], 7).map_err(drop).expect("free");
        assert!(Claim::take(&venue, &[1; 20], 7).is_err_and(|why| why.contains("subaccount 7 at wss://")));
        let others =
            [Claim::take(&venue, &[1; 20], 8), Claim::take(&venue, &[2; 20], 7), Claim::take("ws://x", &[1; 20], 7)];
        assert!(others.iter().all(Result::is_ok));
        drop(held);
        assert!(Claim::take(&venue, &[1; 20], 7).is_ok());
    }
}
