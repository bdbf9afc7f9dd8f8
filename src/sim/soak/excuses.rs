//! Alarms that are the right answer to what has happened: the engine stops, and an operator looks.

use crate::actors::risk::Alarm;
use crate::msg::Breach;
use crate::sim::venue::faults::{Fault, Fired};

/// Private texts that were lost, or changed beyond reading, leave differences nothing explains.
const TEXTS: [Fault; 5] =
    [Fault::ReplyLost, Fault::PrivateSilent, Fault::ReplyGarbled, Fault::ReplyHollow, Fault::ReplyMisnamed];
/// Orders that the journal no longer knows, or never did.
const STRANGERS: [Fault; 3] = [Fault::ForeignOrder, Fault::TailLost, Fault::JournalLost];
/// Prices that were not so.
const PRICES: [Fault; 2] = [Fault::PriceOff, Fault::Deposited];

/// True for an alarm that what has fired so far brings about.
pub fn is_due(alarm: &Alarm, fired: &Fired) -> bool {
    let any = |faults: &[Fault]| faults.iter().any(|fault| fired[*fault as usize] > 0);
    match alarm {
        // Something a person should know; nothing stops.
        Alarm::Concern(_) => true,
        Alarm::Asked => any(&[Fault::Drained, Fault::KillSwitch]),
        Alarm::Mismatch => any(&TEXTS),
        // A fill whose name cannot be read is nobody's.
        Alarm::Foreign => any(&STRANGERS) || any(&[Fault::ReplyHollow]),
        Alarm::Drawdown => any(&PRICES),
        Alarm::VenueHalt { code: 11_018 } => any(&[Fault::ClockRefused]),
        Alarm::VenueHalt { code: 11_027 } => any(&[Fault::Liquidating]),
        // A word of the answer to a subscription that means nothing is taken for a refusal.
        Alarm::SessionRejected { code: 0 } => any(&[Fault::ReplyHollow]),
        // Two judges of one order have heard two prices.
        Alarm::Withheld { why: Breach::Price } => any(&PRICES),
        Alarm::SignerDown { why: Breach::Stopped } | Alarm::Withheld { why: Breach::Stopped } => {
            any(&[Fault::SignerStopped])
        }
        _ => false,
    }
}
