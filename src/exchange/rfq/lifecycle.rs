//! Opening and ending requests and quotes, and telling those concerned.

use super::{Desk, ENDED_QUOTES_MAX, ENDED_RFQS_MAX, Quote, Rfq};
use crate::base::ids::Uuid;
use crate::base::time::Nanos;
use crate::exchange::order::Status;
use crate::exchange::session::Channel;
use crate::exchange::{Exchange, Refusal};
use alloy_primitives::Address;
use std::collections::{BTreeSet, VecDeque};

/// Why quotes end when their request is filled or cancelled.
const RFQ_GONE: &str = "rfq_no_longer_open";

impl Exchange {
    pub(super) fn open_rfq(&mut self, rfq: Rfq) {
        self.note_rfq(&rfq);
        self.rfq.windows.insert((rfq.valid_until, rfq.id));
        self.rfq.by_taker.entry(rfq.sub).or_default().push_back(rfq.id);
        self.rfq.rfqs.insert(rfq.id, rfq);
    }

    pub(super) fn open_quote(&mut self, quote: Quote) {
        let rfq = quote.rfq;
        if let Some(rfq) = self.rfq.rfqs.get_mut(&rfq) {
            rfq.quotes.push_back(quote.id);
            rfq.live.push(quote.id);
        }
        self.rfq.by_maker.entry(quote.sub).or_default().push_back(quote.id);
        self.note_quote(&quote);
        self.rfq.quotes.insert(quote.id, quote);
        self.tell_best(rfq);
    }

    /// Ends an open quote; the best quotes are told by the caller. False if it was not open.
    pub(super) fn end_quote(&mut self, id: Uuid, status: Status, reason: &'static str, at: Nanos) -> bool {
        let Some(quote) = self.rfq.quotes.get_mut(&id).filter(|q| q.status == Status::Open) else { return false };
        (quote.status, quote.reason, quote.updated_ms) = (status, reason, at.ms());
        let quote = quote.clone();
        if let Some(rfq) = self.rfq.rfqs.get_mut(&quote.rfq) {
            rfq.live.retain(|live| *live != id);
        }
        self.note_quote(&quote);
        self.rfq.remember_quote(id);
        true
    }

    /// Ends an open request and every open quote on it.
    pub(super) fn end_rfq(&mut self, id: Uuid, status: Status, reason: &'static str, at: Nanos) {
        let Some(rfq) = self.rfq.rfqs.get_mut(&id).filter(|r| r.status == Status::Open) else { return };
        (rfq.status, rfq.reason, rfq.updated_ms) = (status, reason, at.ms());
        let live = std::mem::take(&mut rfq.live);
        let (wallet, filled, window) = (rfq.wallet, rfq.filled_pct, rfq.valid_until);
        let rfq = rfq.clone();
        self.rfq.windows.remove(&(window, id));
        let (quote_status, quote_reason) =
            if status == Status::Expired { (Status::Expired, "") } else { (Status::Cancelled, RFQ_GONE) };
        for quote in live {
            self.end_quote(quote, quote_status, quote_reason, at);
        }
        self.rfq.reputations.entry(wallet).or_default().on_end(filled);
        self.note_rfq(&rfq);
        self.tell_best(id);
        self.rfq.remember_rfq(id);
    }

    /// Requests lapse with their window, and their quotes with them.
    pub(in crate::exchange) fn expire_rfqs(&mut self, at: Nanos) {
        while let Some(&(until, id)) = self.rfq.windows.first() {
            if until > at {
                break;
            }
            self.end_rfq(id, Status::Expired, "", until);
        }
    }

    /// Requests lapse when one of their instruments stops trading.
    pub(in crate::exchange) fn lapse_rfqs_in(&mut self, places: &[usize], at: Nanos) {
        let touched = |rfq: &&Rfq| rfq.legs.iter().any(|leg| places.contains(&leg.instrument));
        let open = self.rfq.windows.iter().filter_map(|(_, id)| self.rfq.rfqs.get(id));
        let ids: Vec<Uuid> = open.filter(touched).map(|rfq| rfq.id).collect();
        ids.into_iter().for_each(|id| self.end_rfq(id, Status::Expired, "", at));
    }

    /// Cancels the open quotes that satisfy a condition; returns their names.
    pub(in crate::exchange) fn cancel_quotes_where(
        &mut self,
        reason: &'static str,
        at: Nanos,
        condition: impl Fn(&Quote) -> bool,
    ) -> Vec<Uuid> {
        let open = self.rfq.windows.iter().filter_map(|(_, id)| self.rfq.rfqs.get(id));
        let chosen: Vec<(Uuid, Uuid)> = open
            .flat_map(|rfq| self.rfq.live_quotes(rfq))
            .filter(|quote| condition(quote))
            .map(|quote| (quote.id, quote.rfq))
            .collect();
        for (id, _) in &chosen {
            self.end_quote(*id, Status::Cancelled, reason, at);
        }
        let mut rfqs: Vec<Uuid> = chosen.iter().map(|(_, rfq)| *rfq).collect();
        rfqs.dedup();
        rfqs.into_iter().for_each(|rfq| self.tell_best(rfq));
        chosen.into_iter().map(|(id, _)| id).collect()
    }

    /// Cancels a maker's protected quotes in a currency; all legs of a quote have the same.
    pub(in crate::exchange) fn cancel_protected_quotes(&mut self, sub: u64, currency: &str, at: Nanos) {
        let same = |q: &Quote| q.legs.iter().all(|l| self.instruments[l.leg.instrument].base == currency);
        let mine = self.rfq.quotes_of(sub).filter(|q| q.status == Status::Open && q.mmp && same(q));
        let ids: BTreeSet<Uuid> = mine.map(|q| q.id).collect();
        self.cancel_quotes_where("mmp_trigger", at, |q| ids.contains(&q.id));
    }

    /// An open request, or 11101, 11104.
    pub(super) fn open_rfq_of(&self, id: Uuid) -> Result<&Rfq, Refusal> {
        let rfq = self.rfq.rfqs.get(&id).ok_or_else(|| Refusal::because(11101, format!("{id:?}")))?;
        if rfq.status == Status::Open {
            return Ok(rfq);
        }
        Err(Refusal::because(11104, format!("the RFQ is {}", rfq.status.wire())))
    }

    /// Tells a changed request to every maker that may answer it.
    pub(super) fn note_rfq(&mut self, rfq: &Rfq) {
        let listens = |channel: &Channel| match channel {
            Channel::Rfqs(wallet) => self.may_quote(rfq, *wallet),
            _ => false,
        };
        let channels: Vec<String> =
            self.topics.iter().filter(|(_, t)| listens(&t.channel)).map(|(name, _)| name.clone()).collect();
        for channel in channels {
            self.note_row(channel, self.public_rfq_json(rfq, true));
        }
    }

    fn note_quote(&mut self, quote: &Quote) {
        let channel = format!("{}.quotes", quote.sub);
        if self.heard(&channel) {
            self.note_row(channel, quote.owner_json());
        }
    }

    pub(super) fn may_quote(&self, rfq: &Rfq, maker: Address) -> bool {
        rfq.asks(maker) && self.wallets.get(&maker).is_some_and(|w| w.rfq_maker)
    }
}

impl Desk {
    /// Forgets the quotes that ended longest ago beyond the bound.
    fn remember_quote(&mut self, id: Uuid) {
        self.ended_quotes.push_back(id);
        if self.ended_quotes.len() <= ENDED_QUOTES_MAX {
            return;
        }
        let Some(oldest) = self.ended_quotes.pop_front() else { return };
        let Some(quote) = self.quotes.remove(&oldest) else { return };
        drop_from(self.by_maker.get_mut(&quote.sub), oldest);
        drop_from(self.rfqs.get_mut(&quote.rfq).map(|rfq| &mut rfq.quotes), oldest);
    }

    /// The same for requests; their quotes go with them.
    fn remember_rfq(&mut self, id: Uuid) {
        self.ended_rfqs.push_back(id);
        if self.ended_rfqs.len() <= ENDED_RFQS_MAX {
            return;
        }
        let Some(rfq) = self.ended_rfqs.pop_front().and_then(|oldest| self.rfqs.remove(&oldest)) else { return };
        drop_from(self.by_taker.get_mut(&rfq.sub), rfq.id);
        for id in &rfq.quotes {
            if let Some(quote) = self.quotes.remove(id) {
                drop_from(self.by_maker.get_mut(&quote.sub), *id);
            }
        }
        self.ended_quotes.retain(|id| self.quotes.contains_key(id));
    }
}

fn drop_from(list: Option<&mut VecDeque<Uuid>>, id: Uuid) {
    if let Some(list) = list
        && let Some(place) = list.iter().position(|other| *other == id)
    {
        list.remove(place);
    }
}
