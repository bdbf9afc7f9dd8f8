//! Whether an order could be signed at all: a quote that fills while none could is left without a hedge.

use super::desk::Desk;
use super::notice::Alarm;
use super::{Out, Wallet};
use crate::base::time::Nanos;
use crate::msg::Mode;

/// A vault drains when its session key lives no longer than this many lives of an order: what rests then ends, and what
/// filled is hedged, while the key can still sign.
const LIVES: u64 = 2;

impl Desk {
    /// Withdraws quotes while the venue's clock and ours disagree (K2), which heals by itself, and drains in time before
    /// the session key ends, which takes a new key and a restart.
    pub(super) fn guard_signing(&mut self, at: Nanos, wallet: &mut Wallet, out: &mut Out) {
        let (offset_ns_max, life_ns) = self.mandate.signing();
        if at.plus(life_ns.saturating_mul(LIVES)) >= wallet.key_expires_at {
            self.drain(Alarm::KeyExpires, out);
        }
        let apart = wallet.venue_offset_ns.is_some_and(|offset| offset.unsigned_abs() > offset_ns_max);
        if apart && !self.clocks_apart {
            self.alarm(Alarm::ClocksApart, out);
        }
        self.clocks_apart = apart;
        if apart || matches!(self.mode, Mode::Drain | Mode::Halted) {
            self.withdraw(at, wallet, out);
        }
    }
}
