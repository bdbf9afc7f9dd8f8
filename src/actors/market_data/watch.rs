//! Tickers of options that are watched for a while: what should be subscribed, and what is.

use crate::base::ids::{InstrumentId, Name};
use crate::market::instrument::{Kind, Listing};

/// Options watched at once; more are left unwatched, and their vault finds its chain incomplete.
const WATCHED_MAX: usize = 512;
/// Channels named in one request.
const REQUEST_MAX: usize = 128;
/// Bytes of a channel's name.
const CHANNEL_BYTES: usize = 64;

/// A channel's name, in place.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Channel {
    bytes: [u8; CHANNEL_BYTES],
    len: usize,
}

impl Channel {
    const EMPTY: Channel = Channel { bytes: [0; CHANNEL_BYTES], len: 0 };

    /// The once-a-second ticker of an instrument: option auctions turn by the second.
    fn of(instrument: &Name) -> Channel {
        let mut channel = Channel::EMPTY;
        for part in ["ticker_slim.", instrument.as_str(), ".1000"] {
            channel.bytes[channel.len..channel.len + part.len()].copy_from_slice(part.as_bytes());
            channel.len += part.len();
        }
        channel
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, Hash)]
struct Watch {
    id: InstrumentId,
    name: Name,
    wanted: bool,
    subscribed: bool,
}

/// What is watched.
#[derive(Debug, Hash)]
pub(super) struct WatchList {
    watches: Vec<Watch>,
    request: Box<[Channel; REQUEST_MAX]>,
}

impl Default for WatchList {
    fn default() -> WatchList {
        WatchList { watches: Vec::with_capacity(WATCHED_MAX), request: Box::new([Channel::EMPTY; REQUEST_MAX]) }
    }
}

impl WatchList {
    pub(super) fn apply(&mut self, listing: &Listing) {
        match listing {
            Listing::Listed { instrument, watched } if instrument.kind == Kind::Option => {
                self.release(instrument.id, Some(&instrument.name));
                if let Some(known) = self.watches.iter_mut().find(|watch| watch.name == instrument.name) {
                    *known = Watch { id: instrument.id, wanted: *watched, ..*known };
                } else if *watched && self.watches.len() < WATCHED_MAX {
                    let (id, name) = (instrument.id, instrument.name);
                    self.watches.push(Watch { id, name, wanted: true, subscribed: false });
                }
            }
            Listing::Listed { .. } => {}
            Listing::Delisted { id } => self.release(*id, None),
        }
    }

    /// What stood in this place before, unless it is `kept`, is wanted no more.
    fn release(&mut self, id: InstrumentId, kept: Option<&Name>) {
        let others = self.watches.iter_mut().filter(|watch| watch.id == id && Some(&watch.name) != kept);
        others.for_each(|watch| watch.wanted = false);
    }

    /// A new connection starts without subscriptions.
    pub(super) fn forget_subscriptions(&mut self) {
        self.watches.retain(|watch| watch.wanted);
        self.watches.iter_mut().for_each(|watch| watch.subscribed = false);
    }

    /// Channels to subscribe (`wanted`) or to leave, at most one request's worth; they count as done.
    pub(super) fn due(&mut self, wanted: bool) -> &[Channel] {
        let due = self.watches.iter_mut().filter(|watch| watch.wanted == wanted && watch.subscribed != wanted);
        let mut count = 0;
        for (place, watch) in self.request.iter_mut().zip(due) {
            *place = Channel::of(&watch.name);
            watch.subscribed = wanted;
            count += 1;
        }
        if !wanted {
            self.watches.retain(|watch| watch.wanted || watch.subscribed);
        }
        &self.request[..count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::instrument::Instrument;

    fn option(id: u16, name: &str, watched: bool) -> Listing {
        let amount = crate::base::num::Amount::ONE;
        let instrument = Instrument {
            id: InstrumentId(id),
            name: Name::new(name).expect("short"),
            kind: Kind::Option,
            base_currency: Name::new("ETH").expect("short"),
            asset: [0; 20],
            sub_id: 0,
            tick: crate::base::num::Price::ONE,
            step: amount,
            min_amount: amount,
            max_amount: amount,
            maker_fee: Default::default(),
            taker_fee: Default::default(),
            base_fee: Default::default(),
            mark_fee_cap: Default::default(),
            option: None,
            active: true,
        };
        Listing::Listed { instrument, watched }
    }

    fn names(channels: &[Channel]) -> Vec<String> {
        channels.iter().map(|channel| channel.as_str().to_owned()).collect()
    }

    #[test]
    fn each_change_is_said_once_and_again_after_a_reconnect() {
        let mut list = WatchList::default();
        list.apply(&option(3, "ETH-20261225-4000-C", true));
        list.apply(&option(4, "ETH-20261225-4100-C", false));
        assert_eq!(names(list.due(true)), ["ticker_slim.ETH-20261225-4000-C.1000"]);
        assert!(list.due(true).is_empty() && list.due(false).is_empty());
        list.forget_subscriptions();
        assert_eq!(list.due(true).len(), 1);
        list.apply(&option(3, "ETH-20261225-4000-C", false));
        assert_eq!(names(list.due(false)), ["ticker_slim.ETH-20261225-4000-C.1000"]);
        assert!(list.due(false).is_empty());
    }

    #[test]
    fn a_reused_place_leaves_its_old_option() {
        let mut list = WatchList::default();
        list.apply(&option(3, "ETH-20261225-4000-C", true));
        assert_eq!(list.due(true).len(), 1);
        list.apply(&option(3, "ETH-20270101-4000-C", true));
        assert_eq!(names(list.due(true)), ["ticker_slim.ETH-20270101-4000-C.1000"]);
        assert_eq!(names(list.due(false)), ["ticker_slim.ETH-20261225-4000-C.1000"]);
        list.apply(&Listing::Delisted { id: InstrumentId(3) });
        assert_eq!(list.due(false).len(), 1);
    }
}
