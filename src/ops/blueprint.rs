//! From what is meant and what was proved to the six actors: the one place where they are made.

mod contract;
mod fences;

use crate::account::ledger::Book;
use crate::actors::auction::{Auction, BasisSeat, OptionSeat, OptionSeatTerms, Seat};
use crate::actors::gateway::{Gateway, Member, Terms};
use crate::actors::market_data::MarketData;
use crate::actors::pricing::{ModelOf, Pricing};
use crate::actors::risk::{Plan, Risk};
use crate::actors::signer::{Brake, Guarded, Signer};
use crate::base::ids::{InstrumentId, Name, Nonce, SubaccountId, VaultId};
use crate::base::time::{Nanos, SEC};
use crate::config::{Config, RatioFeed, VaultConfig, VaultKind};
use crate::derive::decode::{Decoder, ExternalDecoder, Vocabulary};
use crate::derive::desk::MemberTerms;
use crate::derive::dialect::{Address, Dialect};
use crate::derive::seal::envelope::FenceLimits;
use crate::derive::seal::{Charter, Sealer};
use crate::engine::journal::{Notes, Replay};
use crate::engine::ports::{Clock, Key, Store, Transport};
use crate::engine::switch::Switch;
use crate::market::collateral::CollateralModel;
use crate::market::fair::Model;
use crate::market::instrument::Instrument;
use crate::msg::{CurrencyId, LossSum, Lost, Milestone, Principal, StopReason};
use crate::ops::roster::{Roster, Want};
use crate::risk::capital::CapitalLimits;
use crate::risk::limits::{Limits, Mandate, OptionLimits};
use crate::risk::mandate::ema::MarkLoss;
use crate::risk::wall;
use crate::strategy::basis::{Basis, Params};
use crate::strategy::options::OptionVault;
use crate::strategy::options::params::{AuctionTerms, OptionParams};
use crate::topology::{Parts, Signing, tapes_off};
pub use contract::ContractPlan;

/// Options that can be listed at once: a week of expiries for two currencies and both rights.
const OPTION_PLACES: usize = 768;

/// One vault, with every name resolved to its place.
#[derive(Clone, Copy, Debug)]
pub struct VaultPlan {
    /// Vault, subaccount and assets.
    pub book: Book,
    /// What it does, within what.
    pub kind: PlanKind,
    /// What the signer's own envelope allows it.
    pub fence: FenceLimits,
    /// What its capital may do.
    pub capital: CapitalLimits,
    /// What it must keep, as its journal remembers.
    pub principal: Option<Principal>,
    /// What it has lost lately, as its journal remembers.
    pub lost: Option<Lost>,
    /// What it has used of its mandate's loss budget, as its journal remembers.
    pub loss_sum: Option<LossSum>,
    /// Why an earlier run left it stopped, if nobody has looked since, as its journal remembers.
    pub stopped: Option<StopReason>,
    /// The wrapped collateral of a vault whose contract signs.
    pub wrapped: Option<Address>,
}

/// What a vault does, within what.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant)] // A handful, made at start.
pub enum PlanKind {
    /// Delta-1 Basis.
    Basis(BasisPlan),
    /// Harvest, Safe Harvest, Maxi or BULL.
    Options(OptionPlan),
}

/// A basis vault.
#[derive(Clone, Copy, Debug)]
pub struct BasisPlan {
    /// Strategy.
    pub params: Params,
    /// Hard limits.
    pub limits: Limits,
    /// Fair value of the base.
    pub base_model: Model,
    /// Fair value of the perp.
    pub perp_model: Model,
}

/// An option vault.
#[derive(Clone, Copy, Debug)]
pub struct OptionPlan {
    /// Strategy.
    pub params: OptionParams,
    /// Hard limits.
    pub limits: OptionLimits,
    /// Currency of its options.
    pub currency: Name,
    /// How its collateral is valued.
    pub collateral: CollateralModel,
    /// The phase its journal remembers.
    pub remembered: Option<Milestone>,
}

impl PlanKind {
    /// What risk holds it to.
    pub fn mandate(&self) -> Mandate {
        match self {
            PlanKind::Basis(plan) => Mandate::Basis(plan.limits),
            PlanKind::Options(plan) => Mandate::Options(plan.limits),
        }
    }
}

impl OptionPlan {
    /// What it needs listed.
    pub fn want(&self) -> Want {
        Want { currency: self.currency, right: self.params.product.right(), week: self.params.week }
    }
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
    /// What the journal tells of earlier runs.
    pub past: Replay,
    /// Refusals after which the signer halts itself.
    pub refusals_max: u32,
    /// The contract that owns the wallet's one subaccount and signs for it.
    pub contract: Option<ContractPlan>,
}

/// The connections of a pipeline.
pub struct Wires<T> {
    /// The venue's public channels.
    pub public: T,
    /// The external book, if a vault looks at one.
    pub external: Option<T>,
    /// The private session.
    pub private: T,
}

impl<T> From<[T; 3]> for Wires<T> {
    fn from([public, external, private]: [T; 3]) -> Wires<T> {
        Wires { public, external: Some(external), private }
    }
}

/// The connections and tools the actors are given.
pub struct Outside<T, C, K, S> {
    /// Connections.
    pub wires: Wires<T>,
    /// Source of moments.
    pub clock: C,
    /// Signing key.
    pub key: K,
    /// Journal.
    pub store: S,
    /// Stops the signer.
    pub switch: Switch,
}

impl VaultPlan {
    /// Takes over what the journal has noted of the vault's subaccount.
    pub fn remember(&mut self, notes: &Notes) {
        let subaccount = self.book.subaccount;
        (self.principal, self.lost) = (notes.principal(subaccount), notes.lost(subaccount));
        self.loss_sum = notes.loss_sum(subaccount);
        self.stopped = notes.stance(subaccount).and_then(|stance| stance.stopped);
        if let PlanKind::Options(plan) = &mut self.kind {
            plan.remembered = notes.milestone(subaccount);
        }
    }

    /// The plan of a configured vault; `replay` is what its journal remembers.
    fn of(vault: &VaultConfig, feeds: &[RatioFeed], replay: &Replay) -> VaultPlan {
        let kind = match &vault.kind {
            VaultKind::Basis(basis) => PlanKind::Basis(BasisPlan {
                params: basis.params,
                limits: basis.limits,
                base_model: basis.base_model,
                perp_model: basis.perp_model,
            }),
            VaultKind::Options(options) => {
                let feed = options.ratio_feed.and_then(|feed| feeds.iter().position(|known| *known == feed));
                let collateral = CollateralModel {
                    ratio_feed: feed.and_then(|place| u8::try_from(place).ok()),
                    ticker_age_ns_max: options.ticker_age_ns_max,
                };
                PlanKind::Options(OptionPlan {
                    params: options.params,
                    limits: options.limits,
                    currency: Name::new(&options.option_currency).unwrap_or_default(),
                    collateral,
                    remembered: None,
                })
            }
        };
        let wrapped = vault.contract.as_ref().map(|contract| contract.wrapped_asset);
        let mut plan = VaultPlan {
            book: vault.book,
            kind,
            fence: vault.fence,
            capital: vault.capital,
            principal: None,
            lost: None,
            loss_sum: None,
            stopped: None,
            wrapped,
        };
        plan.remember(replay.notes());
        plan
    }
}

impl Blueprint {
    /// What a configuration means, over the instruments the venue lists under its names.
    pub fn of(config: &Config, instruments: Vec<Instrument>, key_expires_at: Nanos, replay: &Replay) -> Blueprint {
        let plan = |vault| VaultPlan::of(vault, config.ratio_feeds(), replay);
        Blueprint {
            dialect: config.venue.environment.dialect,
            wallet: config.wallet.owner,
            cancel_on_disconnect: config.venue.cancel_on_disconnect,
            instruments,
            currencies: config.currencies().to_vec(),
            external_symbols: config.external_symbols().to_vec(),
            ratio_feeds: config.ratio_feeds().len(),
            vaults: config.vaults.iter().map(plan).collect(),
            key_expires_at,
            past: replay.clone(),
            refusals_max: config.signer.refusals_max,
            contract: config.vaults.iter().find_map(|vault| ContractPlan::of(vault, replay)),
        }
    }

    /// Places of the instrument table: the instruments always there, and as many options as can be listed at once.
    pub fn capacity(&self) -> usize {
        let options = if self.has_options() { OPTION_PLACES } else { 0 };
        self.instruments.len() + options
    }

    /// True if any vault trades options.
    pub fn has_options(&self) -> bool {
        self.option_plans().next().is_some()
    }

    /// The roster of what the option vaults need listed.
    pub fn roster(&self) -> Roster {
        let wants = self.option_plans().map(|(_, plan)| plan.want()).collect();
        Roster::new(wants, self.instruments.len(), self.capacity())
    }

    fn option_plans(&self) -> impl Iterator<Item = (&Book, &OptionPlan)> {
        self.vaults.iter().filter_map(|vault| match &vault.kind {
            PlanKind::Options(plan) => Some((&vault.book, plan)),
            PlanKind::Basis(_) => None,
        })
    }

    fn vocabulary(&self) -> Vocabulary {
        let instruments = self.instruments.iter().map(|instrument| instrument.name.as_str());
        Vocabulary::new(instruments, self.currencies.iter().map(String::as_str))
    }

    fn instrument(&self, id: InstrumentId) -> &Instrument {
        &self.instruments[usize::from(id.0)]
    }

    /// Every (subaccount, instrument) that may be signed for from the start.
    fn pairs(&self) -> Vec<(SubaccountId, &Instrument)> {
        let pairs = |plan: &VaultPlan| {
            let subaccount = plan.book.subaccount;
            std::iter::once(plan.book.base).chain(plan.book.perp).map(move |id| (subaccount, self.instrument(id)))
        };
        self.vaults.iter().flat_map(pairs).collect()
    }

    /// Each vault's subaccount.
    fn members(&self) -> Vec<Member> {
        let member = |plan: &VaultPlan| Member { vault: plan.book.vault, subaccount: plan.book.subaccount };
        self.vaults.iter().map(member).collect()
    }

    /// How often open quotes are asked for, beside what is pushed: as often as the most eager vault wants.
    fn quote_poll_ns(&self) -> u64 {
        let polls = self.option_plans().filter_map(|(_, plan)| match plan.params.auction {
            AuctionTerms::Rfq(terms) => Some(terms.poll_ns),
            AuctionTerms::Limit(_) => None,
        });
        polls.min().unwrap_or(SEC / 2)
    }

    /// Which options each option vault may trade.
    fn option_members(&self) -> Vec<MemberTerms> {
        let terms = |(book, plan): (&Book, &OptionPlan)| MemberTerms {
            vault: book.vault,
            subaccount: book.subaccount,
            option_currency: Some(plan.currency),
            right: Some(plan.params.product.right()),
        };
        self.option_plans().map(terms).collect()
    }

    /// Channels of market data: the ticker for marks, bands and funding, the book for its top.
    fn channels(&self) -> Vec<String> {
        let both = |instrument: &Instrument| {
            [format!("ticker_slim.{}.100", instrument.name), format!("orderbook.{}.1.10", instrument.name)]
        };
        self.instruments.iter().flat_map(both).collect()
    }

    fn models(&self) -> Vec<(InstrumentId, ModelOf)> {
        let mut models: Vec<(InstrumentId, ModelOf)> = Vec::new();
        for VaultPlan { book, kind, .. } in &self.vaults {
            let own = match kind {
                PlanKind::Basis(plan) => {
                    let perp = book.perp.map(|perp| (perp, ModelOf::Fair(plan.perp_model)));
                    [Some((book.base, ModelOf::Fair(plan.base_model))), perp]
                }
                PlanKind::Options(plan) => [Some((book.base, ModelOf::Collateral(plan.collateral))), None],
            };
            for (instrument, model) in own.into_iter().flatten() {
                match models.iter_mut().find(|(known, _)| *known == instrument) {
                    Some((_, known)) => *known = shared(*known, model),
                    None => models.push((instrument, model)),
                }
            }
        }
        models
    }

    fn seat(&self, plan: &VaultPlan) -> Seat {
        let base = *self.instrument(plan.book.base);
        match &plan.kind {
            PlanKind::Basis(basis) => {
                let mut perp = *self.instrument(plan.book.perp.expect("a basis vault hedges with a perp"));
                // A hedge wished for whole but larger than the vault may trade at once would be refused for ever.
                perp.max_amount = perp.max_amount.min(basis.limits.hedge_amount_max);
                Seat::Basis(BasisSeat::new(plan.book.vault, base, perp, Basis::new(basis.params)))
            }
            PlanKind::Options(options) => {
                let terms = OptionSeatTerms {
                    vault: plan.book.vault,
                    base_instrument: base,
                    currency: options.currency,
                    right: options.params.product.right(),
                    remembered: options.remembered,
                };
                Seat::Options(OptionSeat::new(terms, OptionVault::new(options.params)))
            }
        }
    }

    /// What the mandate's loss sum is and may be after an earlier run. The names of orders are moments.
    fn loss_sums(&self, plan: &VaultPlan) -> [MarkLoss; 2] {
        match &plan.kind {
            PlanKind::Basis(basis) if self.past.floor() > Nonce(0) => {
                let last_order_at = self.dialect.nonce_unit.moment(self.past.floor());
                wall::basis::left_behind(&basis.limits.wall, plan.loss_sum, last_order_at)
            }
            _ => [MarkLoss::NONE; 2],
        }
    }

    /// The sealing desk, with every vault's fence.
    pub fn sealer<K: Key, S: Store>(&self, key: K, store: S) -> Sealer<K, S> {
        let charter = Charter {
            dialect: self.dialect,
            owner: self.wallet,
            fences: self.fences(),
            past: &self.past,
            contract: self.contract.map(|contract| contract.charter),
        };
        Sealer::new(charter, self.pairs(), key, store).with_options(self.option_members())
    }

    /// Makes the actors, the key among them.
    pub fn build<T, C, K, S>(&self, outside: Outside<T, C, K, S>) -> Parts<T, C, K, S>
    where
        T: Transport,
        C: Clock,
        K: Key,
        S: Store,
    {
        let Outside { wires, clock, key, store, switch } = outside;
        let desk = self.desk(key, store, switch);
        let address = desk.signer();
        self.parts(wires, clock, (Signing::Here(Signer::new(desk)), address))
    }

    /// The sealing desk behind its brake, wherever the key is.
    pub fn desk<K: Key, S: Store>(&self, key: K, store: S, switch: Switch) -> Guarded<K, S> {
        Guarded::new(self.sealer(key, store), Brake::new(switch, self.refusals_max))
    }

    /// Makes the actors around whoever signs, with the address that actions name as their signer.
    pub fn parts<T: Transport, C: Clock, K: Key, S: Store>(
        &self,
        wires: Wires<T>,
        clock: C,
        (signer, address): (Signing<K, S>, Address),
    ) -> Parts<T, C, K, S> {
        let Wires { public, external, private } = wires;
        let seats = self.vaults.iter().map(|plan| self.seat(plan)).collect();
        let plans = self.vaults.iter().map(|plan| Plan {
            book: plan.book,
            mandate: plan.kind.mandate(),
            capital: plan.capital,
            principal: plan.principal,
            lost: plan.lost,
            stopped: plan.stopped,
            loss_sums: self.loss_sums(plan),
            contract_signs: self.presigned().is_some(),
            journaled: self.presigned().and_then(|contract| contract.journaled),
        });
        let plans = plans.collect();
        let terms = Terms {
            wallet: self.wallet,
            cancel_on_disconnect: self.cancel_on_disconnect,
            dialect: self.dialect,
            atomic: self.contract.is_some_and(|contract| !contract.charter.presigned),
        };
        let external_decoder = ExternalDecoder::new(self.external_symbols.iter().map(String::as_str));
        let market_data = MarketData::new(self.channels(), Decoder::new(self.vocabulary()), external_decoder);
        let signer_named = self.acts_as(address);
        let gateway = Gateway::new(terms, signer_named, self.pairs(), self.members(), Decoder::new(self.vocabulary()))
            .with_options(self.option_members(), self.quote_poll_ns());
        let currencies = self.currencies.iter().map(|name| Name::new(name).unwrap_or_default()).collect();
        Parts {
            market_data: (market_data, public, external),
            pricing: Pricing::new(self.models(), self.capacity(), currencies),
            auction: Auction::new(seats),
            risk: Risk::new(plans, self.instruments.clone(), self.past.floor(), self.key_expires_at)
                .speaking(self.dialect),
            signer,
            contract: self.stage(),
            gateway: (gateway, private),
            clock,
            instruments: self.capacity(),
            external_feeds: self.external_symbols.len().max(self.ratio_feeds),
            tapes: tapes_off(),
        }
    }
}

/// One model that serves two vaults: of collaterals, with the yield that either spends and the stricter age. Fair values
/// are proved to be the same when the configuration is read.
fn shared(one: ModelOf, two: ModelOf) -> ModelOf {
    match (one, two) {
        (ModelOf::Collateral(one), ModelOf::Collateral(two)) => ModelOf::Collateral(CollateralModel {
            ratio_feed: one.ratio_feed.or(two.ratio_feed),
            ticker_age_ns_max: one.ticker_age_ns_max.min(two.ticker_age_ns_max),
        }),
        (one, _) => one,
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
