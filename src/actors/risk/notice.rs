//! News from risk to the control plane: numbers and codes, never text.

use crate::base::ids::{Nonce, VaultId};
use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::base::time::Nanos;
use crate::msg::{
    Breach, Concern, ContractAlarm, ContractHalt, Demand, Fill, Guards, HELD, Held, Milestone, Mode, Phase, StopReason,
    Unsent, Unsigned, Verdict,
};
use crate::risk::checks::CHECK_COUNT;
use crate::risk::mandate::revert::Revert;

/// Why a vault drains or halts, or what a person should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// An operator asked.
    Asked,
    /// An operator, or the end of the run, asked for it until a restart.
    Retired,
    /// Balances differ from the venue's without a reason (M8).
    Mismatch,
    /// An order, fill or position that is not ours (O10).
    Foreign,
    /// Value fell by more than the session's limit.
    Drawdown,
    /// The loss budget of the hour or the day is spent (M7).
    LossBudget,
    /// More fills per minute than allowed.
    FillRate,
    /// The venue's clock and ours disagree by more than the mandate allows: nothing is signed, and no quote rests (K2).
    ClocksApart,
    /// The base has stayed off its peg for too long: the venue's mark, its on-chain ratio and the external book of what it
    /// wraps do not belong together (D6).
    OffPeg,
    /// The session key ends soon: register a new one and start with it (K6).
    KeyExpires,
    /// The venue refused in a way only a person can mend (key, chain, compliance).
    VenueHalt {
        /// The venue's error code.
        code: i32,
    },
    /// Login or subscription was refused.
    SessionRejected {
        /// The venue's error code.
        code: i32,
    },
    /// The venue reported a liquidation, a revert or a position we cannot explain.
    VenueAlarm,
    /// The chain refused a fill that the venue had told (v2): it is undone.
    Reverted,
    /// The signer did not sign what risk had granted.
    Withheld {
        /// Why.
        why: Breach,
    },
    /// The signer signs nothing any more until a restart.
    SignerDown {
        /// Why.
        why: Breach,
    },
    /// The vault's contract did not sign what risk had granted, for a reason that will not pass.
    Unsigned {
        /// Why.
        why: Unsigned,
    },
    /// The vault's contract signs nothing any more until a restart.
    ContractHalted {
        /// Why.
        why: ContractHalt,
    },
    /// Of the vault's contract or the account that pays for its signatures.
    Contract(ContractAlarm),
    /// The strategy says a person should look.
    Concern(Concern),
    /// An earlier run left the vault stopped, and died before a person had looked.
    StoppedBefore {
        /// What had stopped it.
        why: StopReason,
    },
    /// An invariant of ours does not hold; the number is its row in [`Alarm::INVARIANTS`].
    Invariant {
        /// Row.
        row: u8,
    },
}

impl Alarm {
    /// Invariants asserted while running, by row.
    pub const INVARIANTS: [&'static str; 4] = [
        "M13 perp never long",
        "O4 unknown orders become definite within 5 s",
        "M1 options written never exceed the collateral",
        "M2 no leg of a spread is ever naked",
    ];

    /// True if a drain for this reason ends with a restart only: the engine has caught itself, or the signer risk, in a
    /// fault, or an operator has said so. The other reasons are facts of the world, which a person may judge and resume.
    pub const fn demands_restart(self) -> bool {
        match self {
            Alarm::Withheld { why } => !why.is_budget(),
            Alarm::Retired
            | Alarm::KeyExpires
            | Alarm::SignerDown { .. }
            | Alarm::ContractHalted { .. }
            | Alarm::VenueHalt { .. }
            | Alarm::SessionRejected { .. }
            | Alarm::Invariant { .. } => true,
            Alarm::Asked
            | Alarm::Mismatch
            | Alarm::Foreign
            | Alarm::Drawdown
            | Alarm::LossBudget
            | Alarm::FillRate
            | Alarm::ClocksApart
            | Alarm::OffPeg
            | Alarm::VenueAlarm
            | Alarm::Reverted
            | Alarm::Unsigned { .. }
            | Alarm::Contract(_)
            | Alarm::StoppedBefore { .. }
            | Alarm::Concern(_) => false,
        }
    }

    /// What the journal keeps of it.
    pub const fn reason(self) -> StopReason {
        match self {
            Alarm::Asked => StopReason::Asked,
            Alarm::Retired => StopReason::Retired,
            Alarm::Mismatch => StopReason::Mismatch,
            Alarm::Foreign => StopReason::Foreign,
            Alarm::Drawdown => StopReason::Drawdown,
            Alarm::LossBudget => StopReason::LossBudget,
            Alarm::FillRate => StopReason::FillRate,
            Alarm::ClocksApart => StopReason::ClocksApart,
            Alarm::OffPeg => StopReason::OffPeg,
            Alarm::KeyExpires => StopReason::KeyExpires,
            Alarm::VenueHalt { .. } => StopReason::VenueHalt,
            Alarm::SessionRejected { .. } => StopReason::SessionRejected,
            Alarm::VenueAlarm => StopReason::VenueAlarm,
            Alarm::Reverted => StopReason::Reverted,
            Alarm::Withheld { .. } => StopReason::Withheld,
            Alarm::SignerDown { why } => StopReason::of_signer(why),
            Alarm::Unsigned { .. } => StopReason::Unsigned,
            Alarm::ContractHalted { .. } => StopReason::ContractHalted,
            Alarm::Contract(_) => StopReason::Contract,
            Alarm::Concern(_) => StopReason::Concern,
            Alarm::StoppedBefore { why } => why,
            Alarm::Invariant { .. } => StopReason::Invariant,
        }
    }

    /// What is said to an operator.
    pub fn words(&self) -> String {
        match self {
            Alarm::StoppedBefore { why } => {
                format!("was stopped before: {}; it starts drained, resume when looked at", why.words())
            }
            other => format!("{other:?}"),
        }
    }
}

/// Refusals of the mandate's contract by name: the newest eight names, with how often each was the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reverts([Option<(Revert, u64)>; 8]);

impl Reverts {
    /// Counts one. A ninth name takes the place of the one that came before it.
    pub(super) fn note(&mut self, revert: Revert) {
        let known = self.0.iter_mut().flatten().find(|(name, _)| *name == revert);
        if let Some((_, count)) = known {
            *count += 1;
            return;
        }
        let free = self.0.iter().position(Option::is_none).unwrap_or(self.0.len() - 1);
        self.0[free] = Some((revert, 1));
    }

    /// Names as the contracts spell them, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().flatten().map(|(revert, count)| (revert.name(), *count))
    }
}

/// Counters of one vault since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stats {
    /// New quotes granted.
    pub quotes: u64,
    /// Replacements granted.
    pub replaces: u64,
    /// Cancels asked for.
    pub cancels: u64,
    /// Hedges granted.
    pub hedges: u64,
    /// Orders granted that sell options.
    pub writes: u64,
    /// Orders granted that turn cash into collateral or back.
    pub converts: u64,
    /// RFQs sent.
    pub asks: u64,
    /// Executions granted.
    pub executions: u64,
    /// Fills booked.
    pub fills: u64,
    /// Amount filled on the base.
    pub base_filled: Amount,
    /// Amount filled on the perp.
    pub perp_filled: Amount,
    /// Amount filled on options, every leg counted.
    pub options_filled: Amount,
    /// Wishes refused, by row of the checks table of the vault's mandate.
    pub refused: [u64; CHECK_COUNT],
    /// Why the mandate's contract refused, of those in its row.
    pub reverts: Reverts,
    /// Wishes about an order that was over already.
    pub stale_wishes: u64,
    /// Wishes put off because nonces ran ahead of venue time.
    pub nonce_waits: u64,
    /// Orders the venue refused.
    pub venue_refused: u64,
    /// The venue's last refusal code.
    pub venue_code: i32,
    /// Requests the venue rate-limited.
    pub rate_limited: u64,
    /// Orders whose fate was unknown for a while.
    pub unknown: u64,
    /// Snapshots that agreed.
    pub reconciled: u64,
    /// Snapshots that differed.
    pub mismatched: u64,
    /// Most of the message window ever in use, percent.
    pub budget_peak_pct: u32,
    /// Orders and executions that the signer did not sign.
    pub withheld: u64,
    /// Orders that the vault's contract did not sign.
    pub unsigned: u64,
    /// Invariants broken.
    pub violations: u64,
}

/// A vault at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Nanos,
    /// Mode.
    pub mode: Mode,
    /// Only a restart lets it trade again.
    pub demands_restart: bool,
    /// Highest name given to an order of the wallet so far.
    pub nonce: Nonce,
    /// Value in base units; zero while unknown.
    pub tvl: Amount,
    /// Value in quote currency.
    pub value: Cash,
    /// Base held.
    pub base: Amount,
    /// Perp position.
    pub perp: Amount,
    /// Cash.
    pub cash: Cash,
    /// Perp cost not yet settled into cash; cash less this is what no settlement changes.
    pub perp_cost: Cash,
    /// Phase of the week, as the strategy last said; option vaults only.
    pub phase: Phase,
    /// Option positions.
    pub held: [Option<Held>; HELD],
    /// What they are worth at mark, as far as their marks are known; part of `value`.
    pub options: Cash,
    /// Delta.
    pub delta: Ratio,
    /// Leverage.
    pub leverage: Ratio,
    /// Annual carry.
    pub carry: Ratio,
    /// Fair value of the base.
    pub fair: Price,
    /// Mark of the base.
    pub mark: Price,
    /// Guards set on the base or the perp.
    pub guards: Guards,
    /// Live orders.
    pub live: u8,
    /// When the RFQ under way was opened, if there is one.
    pub asked_at: Option<Nanos>,
    /// Message window in use, percent.
    pub budget_pct: u32,
    /// Fees paid so far.
    pub fees: Cash,
    /// Interest received so far.
    pub interest: Cash,
    /// Funding received so far, as the venue last reported.
    pub funding: Cash,
    /// Premium received for options less premium and fees paid, so far.
    pub premium: Cash,
    /// Options settled into cash so far.
    pub settled: Cash,
}

/// What became of a keeper's wish to move capital.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapitalNews {
    /// A check refused it.
    Refused {
        /// Row of [`CAPITAL_CHECKS`](crate::risk::capital::CAPITAL_CHECKS).
        row: u8,
        /// What the mandate's contract would say, if it is its row.
        why: Option<Revert>,
    },
    /// Nonces ran ahead of venue time: wished again, it may pass.
    Unnamed,
    /// It goes to the signer under this name.
    Granted {
        /// Its name.
        nonce: Nonce,
    },
    /// It never left.
    Unsent {
        /// Its name.
        nonce: Nonce,
        /// Why.
        why: Unsent,
    },
    /// The venue answered.
    Answered {
        /// Its name.
        nonce: Nonce,
        /// What that means.
        verdict: Verdict,
        /// The venue's code; zero if it accepted.
        code: i32,
    },
    /// The collateral moved.
    Settled {
        /// Its name.
        nonce: Nonce,
    },
    /// Its signature is over, and nothing was heard of it.
    Lapsed {
        /// Its name.
        nonce: Nonce,
    },
}

/// One piece of news.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Notice {
    /// A fill was booked.
    Filled {
        /// Whose.
        vault: VaultId,
        /// The fill.
        fill: Fill,
    },
    /// A hedge is over; delta as it is now.
    Hedged {
        /// Whose.
        vault: VaultId,
        /// The order.
        nonce: Nonce,
        /// When.
        at: Nanos,
        /// Delta after it, nothing else being under way.
        delta: Ratio,
    },
    /// The mode changed.
    Mode {
        /// Whose.
        vault: VaultId,
        /// New mode.
        mode: Mode,
    },
    /// A person should look.
    Alarm {
        /// Whose.
        vault: VaultId,
        /// Why.
        alarm: Alarm,
    },
    /// So many fills are not settled on the chain now (v2): while there is one, no contract may sign or revoke.
    Settlement {
        /// Whose.
        vault: VaultId,
        /// How many; one more while the venue's records have not been read.
        unsettled: u32,
    },
    /// A phase was entered.
    Phase {
        /// Whose.
        vault: VaultId,
        /// When.
        at: Nanos,
        /// Which.
        milestone: Milestone,
    },
    /// What an auction demands now.
    Demand {
        /// Whose.
        vault: VaultId,
        /// When.
        at: Nanos,
        /// Price and amount.
        demand: Demand,
    },
    /// Capital moves, or does not.
    Capital {
        /// Whose.
        vault: VaultId,
        /// What became of it.
        news: CapitalNews,
    },
    /// A regular look at a vault.
    Sample {
        /// Whose.
        vault: VaultId,
        /// The look.
        sample: Sample,
        /// Counters.
        stats: Stats,
    },
}
