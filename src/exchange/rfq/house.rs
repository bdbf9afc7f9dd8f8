//! Requests and quotes for accounts of the house: seen and answered at once, without signature or margin.

use super::legs::{check_room, fill_share};
use super::{Leg, PricedLeg, Quote, Rfq};
use crate::base::ids::{Side, Uuid};
use crate::base::time::Nanos;
use crate::exchange::eip712::legs_data;
use crate::exchange::money::{e18, e18_signed, multiple_of};
use crate::exchange::order::Status;
use crate::exchange::params::invalid;
use crate::exchange::{Exchange, Outbox, Refusal, catalog};
use alloy_primitives::{Address, B256, keccak256};
use rust_decimal::Decimal;

/// One leg of a request as the house sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HouseLeg {
    /// Instrument name.
    pub instrument: String,
    /// Amount of the full request, positive.
    pub amount: Decimal,
    /// Direction within the package, as one who buys the package sees it.
    pub buy: bool,
}

/// An open request as the house sees it. What the taker wants and what it would pay is not shown, as to any maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HouseRfq {
    /// Venue name.
    pub id: Uuid,
    /// The package.
    pub legs: Vec<HouseLeg>,
    /// When it was opened.
    pub created_at: Nanos,
    /// When it lapses.
    pub valid_until: Nanos,
    /// Share executed.
    pub filled_pct: Decimal,
    /// Quotes are for multiples of this share.
    pub partial_fill_step: Decimal,
}

impl Exchange {
    /// The open requests, the first to lapse first.
    pub fn house_rfqs(&self) -> Vec<HouseRfq> {
        let open = self.rfq.windows.iter().filter_map(|(_, id)| self.rfq.rfqs.get(id));
        let leg =
            |leg: &Leg| HouseLeg { instrument: leg.name.to_string(), amount: leg.amount, buy: leg.side == Side::Buy };
        let view = |rfq: &Rfq| HouseRfq {
            id: rfq.id,
            legs: rfq.legs.iter().map(leg).collect(),
            created_at: rfq.created_at,
            valid_until: rfq.valid_until,
            filled_pct: rfq.filled_pct,
            partial_fill_step: rfq.step,
        };
        open.map(view).collect()
    }

    /// Answers a request from a house account. `buy` is the maker's direction (false: it sells the package as written,
    /// so that the taker buys it), `prices` are per unit in the request's leg order, `fill_pct` is the share quoted, a
    /// multiple of the request's step. Prices must be on their ticks and in their bands. Returns the quote's name.
    #[allow(clippy::too_many_arguments)]
    pub fn house_quote(
        &mut self,
        sub: u64,
        rfq: Uuid,
        buy: bool,
        prices: &[Decimal],
        fill_pct: Decimal,
        at: Nanos,
        out: &mut Outbox,
    ) -> Result<Uuid, Refusal> {
        self.advance(at);
        self.expire_rfqs(at);
        let quoted = self.house_draft_quote(sub, rfq, buy, prices, fill_pct).map(|quote| {
            let id = quote.id;
            self.open_quote(quote);
            id
        });
        self.flush(out);
        quoted
    }

    fn house_draft_quote(
        &mut self,
        sub: u64,
        rfq: Uuid,
        buy: bool,
        prices: &[Decimal],
        fill_pct: Decimal,
    ) -> Result<Quote, Refusal> {
        let account = self.subs.get(&sub).filter(|s| s.house);
        let wallet = account.ok_or_else(|| Refusal::because(14001, format!("{sub} is not an account of the house")))?;
        let wallet = wallet.wallet;
        let rfq = self.answerable(rfq, wallet)?;
        if prices.len() != rfq.legs.len() {
            return Err(invalid("prices", &format!("{} of them, one per leg", rfq.legs.len())));
        }
        if fill_pct <= Decimal::ZERO {
            return Err(invalid("fill_pct", "above 0"));
        }
        let legs: Vec<PricedLeg> =
            rfq.legs.iter().zip(prices).map(|(leg, price)| priced(leg, *price, fill_pct)).collect();
        for l in &legs {
            let step = self.instruments[l.leg.instrument].step;
            if !multiple_of(l.leg.amount, step) {
                return Err(Refusal::because(
                    11012,
                    format!("{}: {} is not a multiple of {step}", l.leg.name, l.leg.amount),
                ));
            }
        }
        let fill_pct = fill_share(rfq, &legs)?;
        let direction = if buy { Side::Buy } else { Side::Sell };
        check_room(rfq, direction.opposite(), fill_pct)?;
        self.check_leg_prices(&legs)?;
        let (rfq, now_ms) = (rfq.id, self.now.ms());
        Ok(Quote {
            id: self.ids.uuid(),
            rfq,
            sub,
            wallet,
            direction,
            legs_hash: maker_hash(&legs, direction),
            legs,
            fill_pct,
            max_fee: Decimal::ZERO,
            extra_fee: Decimal::ZERO,
            fee: Decimal::ZERO,
            label: String::new(),
            mmp: false,
            nonce: 0,
            action: None,
            signer: Address::ZERO,
            signature: String::new(),
            expiry_s: u64::MAX,
            created_ms: now_ms,
            updated_ms: now_ms,
            status: Status::Open,
            reason: "",
            conn: None,
        })
    }

    /// Cancels an open quote of a house account; unknown and ended quotes are ignored.
    pub fn house_cancel_quote(&mut self, sub: u64, quote: Uuid, at: Nanos, out: &mut Outbox) {
        self.advance(at);
        self.expire_rfqs(at);
        let mine = self.rfq.quotes.get(&quote).filter(|q| q.sub == sub).map(|q| q.rfq);
        if let Some(rfq) = mine
            && self.end_quote(quote, Status::Cancelled, "user_request", at)
        {
            self.tell_best(rfq);
        }
        self.flush(out);
    }

    /// The quotes of a house account that are remembered, oldest first, as (quote, request, open).
    pub fn house_quotes(&self, sub: u64) -> Vec<(Uuid, Uuid, bool)> {
        self.rfq.quotes_of(sub).map(|q| (q.id, q.rfq, q.status == Status::Open)).collect()
    }
}

fn priced(leg: &Leg, price: Decimal, share: Decimal) -> PricedLeg {
    PricedLeg { leg: Leg { amount: leg.amount * share, ..leg.clone() }, price }
}

/// The hash a signed quote of these legs would have (Derive §3.3).
fn maker_hash(legs: &[PricedLeg], direction: Side) -> B256 {
    let mut sorted: Vec<&PricedLeg> = legs.iter().collect();
    sorted.sort_unstable_by(|a, b| a.leg.name.cmp(&b.leg.name));
    let words = sorted.into_iter().filter_map(|l| {
        let (asset, sub_id) = catalog::signing_words(&l.leg.name)?;
        let amount = l.leg.amount * Decimal::from(l.leg.side.sign() * direction.sign());
        Some((asset, sub_id, e18(l.price)?, e18_signed(amount)))
    });
    keccak256(legs_data(&words.collect::<Vec<_>>()))
}
