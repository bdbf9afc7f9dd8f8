//! From what is meant and what was proved to the six actors: the one place where they are made.

use crate::account::ledger::Book;
use crate::actors::auction::{Auction, Seat};
use crate::actors::gateway::{Gateway, Member, Terms};
use crate::actors::market_data::MarketData;
use crate::actors::pricing::Pricing;
use crate::actors::risk::{Plan, Risk};
use crate::actors::signer::Signer;
use crate::base::ids::{InstrumentId, Nonce, SubaccountId, VaultId};
use crate::base::time::Nanos;
use crate::derive::decode::{Decoder, ExternalDecoder, Vocabulary};
use crate::derive::dialect::{Address, Dialect};
use crate::derive::seal::Sealer;
use crate::engine::ports::{Clock, Key, Store, Transport};
use crate::market::fair::Model;
use crate::market::instrument::Instrument;
use crate::msg::CurrencyId;
use crate::risk::limits::{Limits, Mandate};
use crate::strategy::basis::{Basis, Params};
use crate::topology::Parts;

/// One vault, with every name resolved to its place.
#[derive(Clone, Copy, Debug)]
pub struct VaultPlan {
    /// Vault, subaccount and assets.
    pub book: Book,
    /// Strategy.
    pub params: Params,
    /// Hard limits.
    pub limits: Limits,
    /// Fair value of the base.
    pub base_model: Model,
    /// Fair value of the perp.
    pub perp_model: Model,
}

/// Everything the pipeline is built from.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// Dialect spoken and signed for.
    pub dialect: &'static Dialect,
    /// Owner of the subaccounts.
    pub wallet: Address,
    /// Ask the venue to cancel quotes when the private connection drops.
    pub cancel_on_disconnect: bool,
    /// Instruments, by place.
    pub instruments: Vec<Instrument>,
    /// Currencies, by place.
    pub currencies: Vec<String>,
    /// External symbols, by place.
    pub external_symbols: Vec<String>,
    /// Ratio feeds configured.
    pub ratio_feeds: usize,
    /// Vaults, by place.
    pub vaults: Vec<VaultPlan>,
    /// When the session key expires, our clock.
    pub key_expires_at: Nanos,
    /// Highest nonce the journal knows.
    pub nonce_floor: Nonce,
}

/// The connections and tools the actors are given.
pub struct Outside<T, C, K, S> {
    /// Public, external and private connection.
    pub wires: [T; 3],
    /// Source of moments.
    pub clock: C,
    /// Signing key.
    pub key: K,
    /// Journal.
    pub store: S,
}

impl Blueprint {
    fn vocabulary(&self) -> Vocabulary {
        let instruments = self.instruments.iter().map(|instrument| instrument.name.as_str());
        Vocabulary::new(instruments, self.currencies.iter().map(String::as_str))
    }

    fn instrument(&self, id: InstrumentId) -> &Instrument {
        &self.instruments[usize::from(id.0)]
    }

    /// Every (subaccount, instrument) that may be signed for.
    fn pairs(&self) -> Vec<(SubaccountId, &Instrument)> {
        let pairs = |plan: &VaultPlan| {
            let subaccount = plan.book.subaccount;
            std::iter::once(plan.book.base).chain(plan.book.perp).map(move |id| (subaccount, self.instrument(id)))
        };
        self.vaults.iter().flat_map(pairs).collect()
    }

    /// Channels of market data: the ticker for marks, bands and funding, the book for its top.
    fn channels(&self) -> Vec<String> {
        let both = |instrument: &Instrument| {
            [format!("ticker_slim.{}.100", instrument.name), format!("orderbook.{}.1.10", instrument.name)]
        };
        self.instruments.iter().flat_map(both).collect()
    }

    fn models(&self) -> Vec<(InstrumentId, Model)> {
        let mut models: Vec<(InstrumentId, Model)> = Vec::new();
        let both = |v: &VaultPlan| {
            std::iter::once((v.book.base, v.base_model)).chain(v.book.perp.map(|perp| (perp, v.perp_model)))
        };
        let wanted = self.vaults.iter().flat_map(both);
        for (instrument, model) in wanted {
            if !models.iter().any(|(known, _)| *known == instrument) {
                models.push((instrument, model));
            }
        }
        models
    }

    /// Makes the actors.
    pub fn build<T, C, K, S>(&self, outside: Outside<T, C, K, S>) -> Parts<T, C, K, S>
    where
        T: Transport,
        C: Clock,
        K: Key,
        S: Store,
    {
        let Outside { wires: [public, external, private], clock, key, store } = outside;
        let seats = self.vaults.iter().map(|plan| {
            let perp = plan.book.perp.expect("a basis vault hedges with a perp");
            let [base, mut perp] = [plan.book.base, perp].map(|id| self.instrument(id).clone());
            // A hedge wished for whole but larger than the vault may trade at once would be refused for ever.
            perp.max_amount = perp.max_amount.min(plan.limits.hedge_amount_max);
            Seat::new(plan.book.vault, base, perp, Basis::new(plan.params))
        });
        let plans =
            self.vaults.iter().map(|plan| Plan { book: plan.book, mandate: Mandate::Basis(plan.limits) }).collect();
        let members: Vec<Member> = self
            .vaults
            .iter()
            .map(|plan| Member { vault: plan.book.vault, subaccount: plan.book.subaccount })
            .collect();
        let sealer = Sealer::new(self.dialect, self.wallet, self.pairs(), key, store, self.nonce_floor);
        let terms = Terms { wallet: self.wallet, cancel_on_disconnect: self.cancel_on_disconnect };
        let external_decoder = ExternalDecoder::new(self.external_symbols.iter().map(String::as_str));
        let market_data = MarketData::new(self.channels(), Decoder::new(self.vocabulary()), external_decoder);
        let gateway = Gateway::new(terms, sealer.signer(), self.pairs(), members, Decoder::new(self.vocabulary()));
        Parts {
            market_data: (market_data, public, external),
            pricing: Pricing::new(self.models()),
            auction: Auction::new(seats.collect()),
            risk: Risk::new(plans, self.instruments.clone(), self.nonce_floor, self.key_expires_at),
            signer: Signer::new(sealer),
            gateway: (gateway, private),
            clock,
            instruments: self.instruments.len(),
            external_feeds: self.external_symbols.len().max(self.ratio_feeds),
        }
    }
}

/// The place of a name in a list, as an id.
pub fn currency(currencies: &[String], name: &str) -> Option<CurrencyId> {
    currencies.iter().position(|known| known == name).and_then(|place| u8::try_from(place).ok()).map(CurrencyId)
}

/// A vault's number.
pub fn vault_id(place: usize) -> VaultId {
    VaultId(place as u8)
}
