//! What happened, as a fold over risk's notices: the newest look at each vault, its history, and what went wrong.

use crate::account::ledger::Book;
use crate::actors::risk::{Alarm, CapitalNews, Notice, Sample, Stats};
use crate::base::num::Ratio;
use crate::base::time::{Nanos, SEC};
use crate::chain::keeper::standing::Standing;
use crate::msg::{Breach, Fill, Mode};
use crate::ops::auction_news::AuctionNews;
use std::sync::Arc;

/// Spacing of the kept history.
const HISTORY_NS: u64 = SEC;
/// Longest kept history: a day of seconds.
const HISTORY_MAX: usize = 86_400;
/// Most alarms kept and said, and most of them before a mere concern is neither: what comes and goes all day must not keep
/// a drain from being said. The end of the signer is said whatever came before.
const ALARMS_MAX: usize = 10_000;
const CONCERNS_MAX: usize = 1_000;

/// Deltas right after hedges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedged {
    /// How many.
    pub count: u64,
    /// Lowest.
    pub min: Ratio,
    /// Highest.
    pub max: Ratio,
}

/// What a fill traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traded {
    /// The base.
    Base,
    /// The perp.
    Perp,
    /// An option.
    Option,
}

impl Traded {
    /// By the instruments of a vault: whatever is neither base nor perp of a vault with options is one of them.
    pub fn of(book: &Book, fill: &Fill) -> Traded {
        match fill.instrument {
            instrument if instrument == book.base => Traded::Base,
            instrument if Some(instrument) == book.perp => Traded::Perp,
            _ if book.options.is_some() => Traded::Option,
            _ => Traded::Base,
        }
    }
}

/// Fills of one side of one instrument, for averages.
#[derive(Clone, Copy, Debug, Default)]
pub struct FillTotals {
    /// Fills on the base.
    pub base: u64,
    /// Fills on the perp.
    pub perp: u64,
    /// Fills on options, each leg for itself.
    pub options: u64,
    /// Fills as maker.
    pub maker: u64,
}

/// What is known of one vault.
#[derive(Clone, Debug, Default)]
pub struct VaultNews {
    /// First look with a value.
    pub first: Option<Sample>,
    /// Newest look.
    pub last: Option<Sample>,
    /// Looks a second apart; shared, so that a copy of the news copies no day of them.
    pub history: Arc<Vec<Sample>>,
    /// Counters.
    pub stats: Stats,
    /// Deltas after hedges.
    pub hedged: Option<Hedged>,
    /// Fill counts.
    pub fills: FillTotals,
    /// Highest leverage seen.
    pub leverage_peak: Ratio,
    /// Alarms, each with the moment of the newest look.
    pub alarms: Vec<(Nanos, Alarm)>,
    /// Mode changes.
    pub modes: Vec<(Nanos, Mode)>,
    /// The week of an option vault.
    pub auction: AuctionNews,
    /// What became of the last wish to move capital.
    pub capital: Option<CapitalNews>,
    /// How the keeping of its shares stands, if they are kept.
    pub keeper: Option<Standing>,
}

/// What is known of all vaults.
#[derive(Clone, Debug)]
pub struct News {
    vaults: Vec<VaultNews>,
}

impl News {
    /// For `count` vaults.
    pub fn new(count: usize) -> News {
        News { vaults: vec![VaultNews::default(); count] }
    }

    /// One vault's news.
    pub fn vault(&self, place: usize) -> Option<&VaultNews> {
        self.vaults.get(place)
    }

    /// All vaults' news.
    pub fn vaults(&self) -> &[VaultNews] {
        &self.vaults
    }

    /// Why nothing is signed any more, if so.
    pub fn signer_down(&self) -> Option<Breach> {
        let alarms = self.vaults.iter().flat_map(|vault| &vault.alarms);
        alarms.into_iter().find_map(|(_, alarm)| match alarm {
            Alarm::SignerDown { why } => Some(*why),
            _ => None,
        })
    }

    /// Takes how the keeping of a vault's shares stands.
    pub fn keep(&mut self, place: usize, standing: Standing) {
        if let Some(news) = self.vaults.get_mut(place) {
            news.keeper = Some(standing);
        }
    }

    /// Takes one notice; `traded` tells what a vault's fill was in.
    pub fn take(&mut self, traded: impl Fn(usize, &Fill) -> Traded, notice: Notice) {
        let vault = match notice {
            Notice::Filled { vault, .. }
            | Notice::Hedged { vault, .. }
            | Notice::Mode { vault, .. }
            | Notice::Alarm { vault, .. }
            | Notice::Settlement { vault, .. }
            | Notice::Phase { vault, .. }
            | Notice::Demand { vault, .. }
            | Notice::Capital { vault, .. }
            | Notice::Sample { vault, .. } => usize::from(vault.0),
        };
        let Some(news) = self.vaults.get_mut(vault) else { return };
        let now = news.last.map_or(Nanos::ZERO, |sample| sample.at);
        match notice {
            Notice::Sample { sample, stats, .. } => news.look(sample, stats),
            Notice::Filled { fill, .. } => {
                news.fills.maker += u64::from(fill.maker);
                match traded(vault, &fill) {
                    Traded::Base => news.fills.base += 1,
                    Traded::Perp => news.fills.perp += 1,
                    Traded::Option => {
                        news.fills.options += 1;
                        news.auction.trade(&fill);
                    }
                }
            }
            Notice::Hedged { delta, .. } => {
                let seen = news.hedged.unwrap_or(Hedged { count: 0, min: delta, max: delta });
                let (min, max) = (seen.min.min(delta), seen.max.max(delta));
                news.hedged = Some(Hedged { count: seen.count + 1, min, max });
            }
            Notice::Mode { mode, .. } => news.modes.push((now, mode)),
            Notice::Alarm { alarm, .. } => {
                let most = match alarm {
                    Alarm::Concern(_) => CONCERNS_MAX,
                    Alarm::SignerDown { .. } => usize::MAX,
                    _ => ALARMS_MAX,
                };
                if news.alarms.len() < most {
                    news.alarms.push((now, alarm));
                }
            }
            Notice::Settlement { .. } => {}
            Notice::Phase { at, milestone, .. } => news.auction.enter(at, milestone),
            Notice::Demand { at, demand, .. } => news.auction.demand(at, demand),
            Notice::Capital { news: word, .. } => news.capital = Some(word),
        }
    }
}

impl VaultNews {
    fn look(&mut self, sample: Sample, stats: Stats) {
        self.stats = stats;
        self.last = Some(sample);
        // Until the first reconciliation and the first marks, a look says nothing about money.
        if sample.mode == Mode::Starting || !sample.tvl.is_positive() {
            return;
        }
        self.first.get_or_insert(sample);
        self.leverage_peak = self.leverage_peak.max(sample.leverage);
        let due = self.history.last().is_none_or(|kept| sample.at.since(kept.at) >= HISTORY_NS);
        if due && self.history.len() < HISTORY_MAX {
            Arc::make_mut(&mut self.history).push(sample);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::VaultId;
    use crate::msg::Concern;

    #[test]
    fn whatever_is_said_all_day_leaves_room_for_what_stops_a_vault() {
        let mut news = News::new(1);
        let mut hear = |alarm, times: usize| {
            for _ in 0..times {
                news.take(|_, _| Traded::Base, Notice::Alarm { vault: VaultId(0), alarm });
            }
            (news.vaults()[0].alarms.len(), news.signer_down())
        };
        assert_eq!(hear(Alarm::Concern(Concern::Unhedged), CONCERNS_MAX + 1), (CONCERNS_MAX, None));
        assert_eq!(hear(Alarm::Foreign, 1), (CONCERNS_MAX + 1, None));
        assert_eq!(hear(Alarm::Foreign, ALARMS_MAX), (ALARMS_MAX, None));
        let why = Breach::Stopped;
        assert_eq!(hear(Alarm::SignerDown { why }, 1), (ALARMS_MAX + 1, Some(why)));
    }
}
