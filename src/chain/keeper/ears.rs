//! What the pipeline's news mean to the keeper of a vault's shares.

use super::words::{Event, Moment};
use crate::actors::risk::Notice;
use crate::base::ids::VaultId;
use crate::msg::Phase;

/// Listens for one vault.
#[derive(Clone, Copy, Debug)]
pub struct Ears {
    vault: VaultId,
    /// Orders stand on a signature of the contract made before them.
    presigned: bool,
    phase: Phase,
    busy: Option<bool>,
    unsettled: Option<u32>,
}

impl Ears {
    /// For this vault; `presigned` if its contract signs before an order leaves.
    pub fn new(vault: VaultId, presigned: bool) -> Ears {
        Ears { vault, presigned, phase: Phase::Boot, busy: None, unsettled: None }
    }

    /// What the keeper must hear of it. Nothing is said of the moment before orders and settlement are known.
    pub fn hear(&mut self, notice: &Notice) -> Option<Event> {
        match notice {
            Notice::Capital { vault, news } if *vault == self.vault => return Some(Event::Capital(*news)),
            Notice::Phase { vault, milestone, .. } if *vault == self.vault => self.phase = milestone.phase,
            Notice::Settlement { vault, unsettled } if *vault == self.vault => self.unsettled = Some(*unsettled),
            Notice::Sample { vault, sample, .. } if *vault == self.vault => {
                self.phase = sample.phase;
                self.busy = Some(sample.live > 0 || sample.asked_at.is_some());
            }
            _ => return None,
        }
        let (busy, unsettled) = (self.busy?, self.unsettled?);
        Some(Event::Moment(Moment { phase: self.phase, signing: self.presigned && busy, unsettled }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::risk::{CapitalNews, Sample, Stats};
    use crate::base::time::Nanos;

    const VAULT: VaultId = VaultId(1);

    fn moment(event: Option<Event>) -> Option<Moment> {
        match event {
            Some(Event::Moment(moment)) => Some(moment),
            _ => None,
        }
    }

    fn sample(vault: VaultId, phase: Phase, live: u8, asked_at: Option<Nanos>) -> Notice {
        let sample = Sample { phase, live, asked_at, ..Sample::default() };
        Notice::Sample { vault, sample, stats: Stats::default() }
    }

    #[test]
    fn nothing_is_said_before_orders_and_settlement_are_known() {
        let mut ears = Ears::new(VAULT, true);
        assert_eq!(moment(ears.hear(&sample(VAULT, Phase::CollateralOnly, 0, None))), None);
        assert_eq!(moment(ears.hear(&Notice::Settlement { vault: VaultId(2), unsettled: 0 })), None, "another's");
        let known = moment(ears.hear(&Notice::Settlement { vault: VAULT, unsettled: 3 }));
        assert_eq!(known, Some(Moment { phase: Phase::CollateralOnly, signing: false, unsettled: 3 }));
        let news = CapitalNews::Unnamed;
        assert!(matches!(ears.hear(&Notice::Capital { vault: VAULT, news }), Some(Event::Capital(_))));
        assert!(ears.hear(&Notice::Capital { vault: VaultId(2), news }).is_none());
    }

    #[test]
    fn an_order_or_an_rfq_stands_on_a_signature_only_where_they_are_signed_first() {
        for (presigned, live, asked_at, signing) in
            [(true, 1, None, true), (true, 0, Some(Nanos(1)), true), (true, 0, None, false), (false, 1, None, false)]
        {
            let mut ears = Ears::new(VAULT, presigned);
            ears.hear(&Notice::Settlement { vault: VAULT, unsettled: 0 });
            let told = moment(ears.hear(&sample(VAULT, Phase::Boot, live, asked_at)));
            assert_eq!(told.map(|moment| moment.signing), Some(signing), "{presigned} {live} {asked_at:?}");
        }
    }
}
