//! Why the signer does not sign.

/// Why the signer did not sign what risk had let pass. All but a few are a fault on our side of the wire, see
/// [`Breach::is_fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Breach {
    /// The nonce is not above every nonce sealed before (K1).
    Nonce,
    /// An instrument that is not the vault's, or not the one the signed bytes name.
    Instrument,
    /// The bytes name another chain, verifying contract or kind of message.
    Chain,
    /// The bytes name a module by which the vault does not trade this.
    Module,
    /// The bytes name another owner.
    Owner,
    /// The bytes name another key.
    Signer,
    /// The bytes name a subaccount that is no vault's, or another to receive.
    Subaccount,
    /// A side on which the vault never trades the instrument.
    Side,
    /// Legs that are not the spread the vault trades.
    Package,
    /// A number that is not positive where it must be, or larger than can be judged.
    Range,
    /// The signature would be expired, or live too long.
    Life,
    /// The fee signed for is too large a share of what is traded.
    Fee,
    /// Larger than one order may be.
    Notional,
    /// More in an hour than may be.
    Hour,
    /// More in a day than may be.
    Day,
    /// More bought back of the perp in a day than may be.
    Bought,
    /// More signatures in a minute than may be.
    Pace,
    /// No recent mark has reached the signer.
    Mark,
    /// Worse than the mark the signer saw by more than may be.
    Price,
    /// The signer has halted itself after too many refusals.
    Halted,
    /// An operator has stopped the signer.
    Stopped,
    /// The signer's process is gone or does not answer.
    Lost,
    /// The journal has hardly room left, and its disk gives it no more.
    Journal,
    /// Gives away more in an hour than may be, against the signer's own mark.
    GivenHour,
    /// Gives away more in a day than may be.
    GivenDay,
}

impl Breach {
    /// True if what was asked is in order and there was only too much of it: the window passes, and with it the refusal.
    pub const fn is_budget(self) -> bool {
        use Breach::*;
        matches!(self, Pace | Hour | Day | Bought | GivenHour | GivenDay)
    }

    /// True for what no sound engine asks. A budget that is used up refuses until its window has passed, and a mark may
    /// come a moment after the order.
    pub const fn is_fault(self) -> bool {
        !self.is_budget() && !matches!(self, Breach::Mark)
    }

    /// Every breach, in the order of their numbers.
    pub const ALL: [Breach; 25] = [
        Breach::Nonce,
        Breach::Instrument,
        Breach::Chain,
        Breach::Module,
        Breach::Owner,
        Breach::Signer,
        Breach::Subaccount,
        Breach::Side,
        Breach::Package,
        Breach::Range,
        Breach::Life,
        Breach::Fee,
        Breach::Notional,
        Breach::Hour,
        Breach::Day,
        Breach::Bought,
        Breach::Pace,
        Breach::Mark,
        Breach::Price,
        Breach::Halted,
        Breach::Stopped,
        Breach::Lost,
        Breach::Journal,
        Breach::GivenHour,
        Breach::GivenDay,
    ];
}
