//! How a vault stood, for a start after a death.

use super::Breach;
use crate::base::time::Nanos;

/// Why a vault was stopped, as its journal keeps it: the kind of the alarm that was said. A number is never used again for
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StopReason {
    /// An operator paused or killed it.
    Asked,
    /// It was drained until a restart.
    Retired,
    /// Its balances differed from the venue's.
    Mismatch,
    /// An order, fill or position was not its own.
    Foreign,
    /// Its value fell by more than allowed.
    Drawdown,
    /// A loss budget was spent.
    LossBudget,
    /// There were too many fills in a minute.
    FillRate,
    /// The venue refused in a way only a person can mend.
    VenueHalt,
    /// Login or subscription was refused.
    SessionRejected,
    /// The venue reported what cannot be explained.
    VenueAlarm,
    /// The chain refused a fill.
    Reverted,
    /// The signer withheld a signature.
    Withheld,
    /// The signer had stopped.
    SignerDown,
    /// The vault's contract did not sign.
    Unsigned,
    /// The vault's contract had stopped signing.
    ContractHalted,
    /// Something about the vault's contract or its gas.
    Contract,
    /// The strategy asked for a person.
    Concern,
    /// An invariant of ours did not hold.
    Invariant,
    /// Its session key was about to end.
    KeyExpires,
    /// The venue's clock and ours disagreed.
    ClocksApart,
    /// Its base stayed off its peg.
    OffPeg,
}

impl StopReason {
    /// Every reason, by number.
    pub const ALL: [StopReason; 21] = [
        StopReason::Asked,
        StopReason::Retired,
        StopReason::Mismatch,
        StopReason::Foreign,
        StopReason::Drawdown,
        StopReason::LossBudget,
        StopReason::FillRate,
        StopReason::VenueHalt,
        StopReason::SessionRejected,
        StopReason::VenueAlarm,
        StopReason::Reverted,
        StopReason::Withheld,
        StopReason::SignerDown,
        StopReason::Unsigned,
        StopReason::ContractHalted,
        StopReason::Contract,
        StopReason::Concern,
        StopReason::Invariant,
        StopReason::KeyExpires,
        StopReason::ClocksApart,
        StopReason::OffPeg,
    ];

    /// Of a signer that signs nothing any more: its switch is thrown by an operator.
    pub const fn of_signer(why: Breach) -> StopReason {
        match why {
            Breach::Stopped => StopReason::Asked,
            _ => StopReason::SignerDown,
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            StopReason::Asked => "an operator paused or killed it",
            StopReason::Retired => "it was drained until a restart",
            StopReason::Mismatch => "its balances differed from the venue's",
            StopReason::Foreign => "an order, fill or position was not its own",
            StopReason::Drawdown => "its value fell by more than allowed",
            StopReason::LossBudget => "a loss budget was spent",
            StopReason::FillRate => "there were too many fills in a minute",
            StopReason::VenueHalt => "the venue refused what only a person can mend",
            StopReason::SessionRejected => "the venue refused its login or subscriptions",
            StopReason::VenueAlarm => "the venue reported what nothing explains",
            StopReason::Reverted => "the chain refused a fill",
            StopReason::Withheld => "the signer withheld a signature",
            StopReason::SignerDown => "the signer had stopped",
            StopReason::Unsigned => "its contract did not sign",
            StopReason::ContractHalted => "its contract had stopped signing",
            StopReason::Contract => "its contract or its gas gave an alarm",
            StopReason::Concern => "its strategy asked for a person",
            StopReason::Invariant => "an assertion of the engine's own failed",
            StopReason::KeyExpires => "its session key was about to end",
            StopReason::ClocksApart => "the venue's clock and ours disagreed",
            StopReason::OffPeg => "its base stayed off its peg",
        }
    }
}

/// Whether a vault may trade by itself after a death of its engine: not if it was stopped and nobody has looked since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stance {
    /// Since when.
    pub at: Nanos,
    /// Why it was stopped; none if a person has resumed it, or its run has ended in order.
    pub stopped: Option<StopReason>,
}

/// What a Delta-1 vault has used of its mandate's loss budget: shares of its value with 18 decimals, which decay as the
/// mandate says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LossSum {
    /// When it stood so.
    pub at: Nanos,
    /// What was lost.
    pub booked_e18: u64,
    /// What orders may have lost since, or may yet lose.
    pub pending_e18: u64,
}
