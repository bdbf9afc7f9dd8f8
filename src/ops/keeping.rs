//! Who keeps a vault's shares, on the present arbiter: joined to the clerk's news on one side and to risk, which alone
//! moves capital, on the other.

use crate::base::ids::VaultId;
use crate::base::queue::Post;
use crate::chain::keeper::ears::Ears;
use crate::chain::keeper::service::{Line, Pace, Service, Shared};
use crate::chain::keeper::task::{CapitalDesk, Place, Task};
use crate::chain::keeper::words::Terms;
use crate::chain::node::Node;
use crate::engine::ports::Clock;
use crate::io::clock::LiveClock;
use crate::io::key::LocalKey;
use crate::msg::{CapitalWish, Command};
use crate::ops::blueprint::vault_id;
use crate::ops::control::KeeperPost;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::JoinHandle;

/// A look a second, blocks being two apart; a failure is tried again from a second to five minutes later.
pub const PACE: Pace = Pace {
    look: Duration::from_secs(1),
    silent_max: Duration::from_secs(60),
    again: Duration::from_secs(1),
    again_max: Duration::from_secs(300),
    stop_max: Duration::from_secs(5),
};

/// What a vault's keeper is started with.
pub struct Plan {
    /// The vault's place.
    pub place: usize,
    /// Its contract signs before orders leave.
    pub presigned: bool,
    /// How its shares are kept, and where its books are.
    pub keeper: (Terms, Place),
    /// Node of its network.
    pub node: Node,
    /// File of the key that pays, read anew at every start.
    pub key_file: PathBuf,
    /// The way to risk.
    pub commands: Post<Command>,
    /// The engine's clock.
    pub clock: LiveClock,
    /// How often it looks.
    pub pace: Pace,
}

/// The way to risk.
struct Desk {
    vault: VaultId,
    commands: Post<Command>,
}

impl CapitalDesk for Desk {
    fn ask(&mut self, wish: CapitalWish) -> bool {
        self.commands.send(Command::Capital { vault: self.vault, wish }).is_ok()
    }
}

/// Starts it. Returns its end, which comes once the clerk has dismissed it, and what the clerk needs of it.
pub fn start(plan: Plan) -> (JoinHandle<()>, KeeperPost) {
    let Plan { place, presigned, keeper, node, key_file, commands, clock, pace } = plan;
    let vault = vault_id(place);
    let make = move || {
        let key = LocalKey::from_file(&key_file).map_err(|why| format!("its key: {why}"))?;
        let (desk, mut clock) = (Desk { vault, commands: commands.clone() }, clock.clone());
        Ok(Task::new(node.clone(), key, keeper.clone(), desk, Box::new(move || clock.now())))
    };
    let (line, events) = Line::open(Ears::new(vault, presigned));
    let shared = Shared::default();
    let service = Service { make, pace, shared: shared.clone() };
    (actix::spawn(service.run(events)), KeeperPost { place, line, shared })
}
