//! A vault that was stopped stays stopped when its engine dies: the next one takes no risk before a person has resumed it.
//! An end in order is a person's act, and the next start asks nobody.

use keel::actors::risk::{Alarm, Notice};
use keel::base::ids::VaultId;
use keel::base::time::{MS, Nanos, SEC};
use keel::exchange::world::WorldSettings;
use keel::msg::{Command, Mode, StopReason};
use keel::sim::rig::{Rig, Scene};
use keel::sim::venue::Pace;
use std::borrow::Cow;

const START: Nanos = Nanos(1_800_000_000 * SEC);
const VAULT: VaultId = VaultId(0);

/// A market-making vault with what it has said since the last look.
struct Life {
    rig: Rig,
    mode: Option<Mode>,
    alarms: Vec<Alarm>,
}

impl Life {
    fn begin() -> Life {
        // Trades in seconds what a real market trades in minutes.
        let config = include_str!("../tools/config/weeth-basis.toml")
            .replace("fills_per_minute_max = 60", "fills_per_minute_max = 1000");
        let scene = Scene {
            config: Cow::Owned(config),
            file: "weeth-basis.toml",
            collateral: "WEETH",
            currency: "ETH",
            deposit: "20",
            ratio_feeds: &[0],
        };
        let mut rig = Rig::open(&scene, 7, WorldSettings::demo(7, 300), START).expect("a vault of ours");
        rig.venue.keep_tape();
        let mut life = Life { rig, mode: None, alarms: Vec::new() };
        assert_eq!(life.go(8), Some(Mode::Live));
        assert!(life.bids() > 0, "a market maker bids");
        life
    }

    fn go(&mut self, seconds: u64) -> Option<Mode> {
        self.alarms.clear();
        let end = self.rig.venue.now().plus(seconds * SEC);
        while self.rig.venue.now() < end {
            let (mode, alarms) = (&mut self.mode, &mut self.alarms);
            self.rig.run(end, Pace::Busy { stretch_ns: 5 * MS }, &mut |notice| match notice {
                Notice::Sample { sample, .. } => *mode = Some(sample.mode),
                Notice::Alarm { alarm, .. } => alarms.push(*alarm),
                _ => {}
            });
        }
        self.mode
    }

    fn say(&mut self, command: Command) {
        assert!(self.rig.command(command));
        self.go(1);
    }

    /// The engine dies where it stands, and a supervisor starts another.
    fn die(&mut self) {
        self.rig.kill();
        self.go(3);
        self.rig.venue.take_tape();
        self.rig.start().expect("from its journal");
        self.mode = None;
    }

    /// Orders that the venue was sent for the base since the last look.
    fn bids(&mut self) -> usize {
        let orders = self.rig.venue.take_tape().into_iter().filter(|said| {
            said.by_engine
                && ["\"private/order\"", "\"private/replace\""].iter().any(|method| said.text.contains(method))
                && !said.text.contains("ETH-PERP")
        });
        orders.count()
    }
}

#[test]
fn a_stop_outlives_the_death_of_the_engine_until_a_person_resumes() {
    let vault = VAULT;
    for (command, why) in [
        (Command::Pause { vault }, StopReason::Asked),
        (Command::Drain { vault }, StopReason::Retired),
        (Command::Kill, StopReason::Asked),
    ] {
        let mut life = Life::begin();
        life.say(command);
        // However often it dies before anybody comes.
        for death in 1..=2 {
            life.die();
            assert_eq!(life.go(12), Some(Mode::Drain), "{command:?}, death {death}");
            assert_eq!(life.alarms, [Alarm::StoppedBefore { why }]);
            assert_eq!(life.bids(), 0);
        }
        life.say(Command::Resume { vault });
        assert_eq!(life.go(12), Some(Mode::Live), "{command:?}");
        assert!(life.bids() > 0);
        life.die();
        assert_eq!(life.go(12), Some(Mode::Live), "who resumed has looked: {command:?}");
        assert_eq!(life.alarms, []);
    }
}

#[test]
fn a_run_that_ends_in_order_leaves_no_stop_and_one_that_lost_a_thread_does() {
    let vault = VAULT;
    for (stopped, orderly, next) in
        [(false, true, Mode::Live), (false, false, Mode::Live), (true, true, Mode::Live), (true, false, Mode::Drain)]
    {
        let mut life = Life::begin();
        if stopped {
            life.say(Command::Pause { vault });
        }
        life.say(Command::End { vault, orderly });
        assert_eq!(life.mode, Some(Mode::Drain));
        life.die();
        assert_eq!(life.go(12), Some(next), "{stopped} {orderly}");
    }
}

#[test]
fn a_vault_that_nobody_stopped_is_live_after_a_death() {
    let mut life = Life::begin();
    life.die();
    assert_eq!(life.go(12), Some(Mode::Live));
    assert_eq!(life.alarms, []);
    // What its last orders may have cost is no more than that: there is budget left to reach 1.8 times its 20.
    life.go(30);
    let books = life.rig.venue.report(life.rig.subaccount()).expect("an account");
    assert!(books.balances["WEETH"] > 33.into(), "{:?}", books.balances);
}
