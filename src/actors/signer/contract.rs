//! Between signer and gateway where a vault's own contract must sign before an order may leave: keeps the sealed order
//! until the chain has said that the contract answers for it. It holds no key and lets nothing else leave for its vault.
//!
//! ```text
//! signer ─sealed─▶ contract ─sealed─▶ gateway        risk ─contract facts─▶ contract ─asks─▶ chain
//!                      │ ▲                                                      ▲──────words──┘
//!            refusals, │ └ an order that is not signed never left, so giving it back is certain
//!             reports  ▼
//!                    risk
//! ```

use super::{Sealed, request_of};
use crate::base::ids::{Nonce, SubaccountId, VaultId};
use crate::base::queue::Batch;
use crate::base::time::Nanos;
use crate::derive::action::trade::{OrderFrame, OrderTemplate};
use crate::derive::desk::{Desk, MemberTerms};
use crate::derive::dialect::{Address, Dialect};
use crate::derive::seal::Signed;
use crate::engine::actor::Actor;
use crate::market::instrument::{Instrument, Listing};
use crate::msg::{
    ActionAsk, ChainAsk, ChainWord, ContractFact, ContractReport, HeldSignature, Report, ReportMsg, Request, Trace,
    Unsent, Unsigned,
};
use std::hash::{Hash, Hasher};

/// What the contract stage hears.
#[derive(Clone, Copy)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
pub enum In {
    /// From the signer.
    Sealed(Sealed),
    /// From the chain.
    Word(ChainWord),
    /// From risk.
    Fact(ContractFact),
    /// An instrument came or went.
    Listing(Listing),
    /// Time passed.
    Tick,
}

/// What one step says.
#[derive(Default)]
pub struct Out {
    /// To the gateway.
    pub sealed: Batch<Sealed, 1>,
    /// To risk.
    pub reports: Batch<ReportMsg, 2>,
    /// To the chain.
    pub asks: Batch<ChainAsk, 2>,
}

/// Whose contract signs, and for what.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Network.
    pub dialect: &'static Dialect,
    /// The contract: owner of the subaccount and signer of every action.
    pub contract: Address,
    /// The vault.
    pub vault: VaultId,
    /// Its subaccount.
    pub subaccount: SubaccountId,
    /// What the journal knows of the last signature.
    pub journaled: Option<HeldSignature>,
}

/// The vault's one signature.
#[derive(Clone, Copy)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
enum Signature {
    /// Nothing of ours is live, as far as we know.
    None,
    /// The chain has been asked.
    Wanted(Signed, ActionAsk),
    /// An order that has left stands on it, or may.
    Stands(HeldSignature),
}

/// The contract actor.
pub struct Contract {
    terms: Terms,
    templates: Desk<OrderTemplate>,
    signature: Signature,
    unsettled: Option<u32>,
    halted: bool,
}

impl Contract {
    /// For one vault's contract, over the instruments it trades from the start and the options it may trade.
    pub fn new<'a>(
        terms: Terms,
        instruments: impl IntoIterator<Item = &'a Instrument>,
        options: Option<MemberTerms>,
    ) -> Contract {
        let pairs = instruments.into_iter().map(|instrument| (terms.subaccount, instrument));
        let mut templates = Desk::new(pairs, |_, instrument| template(&terms, instrument));
        options.into_iter().for_each(|member| templates.admit(member));
        // What the journal knows may still rest at the venue.
        let signature = terms.journaled.map_or(Signature::None, Signature::Stands);
        Contract { terms, templates, signature, unsettled: None, halted: false }
    }

    fn on_sealed(&mut self, at: Nanos, sealed: Sealed, out: &mut Out) {
        match sealed {
            Sealed::Order(signed) if signed.order().vault() == self.terms.vault => self.on_order(at, signed, out),
            Sealed::Execution(deal) if deal.execution().vault() == self.terms.vault => {
                let execution = deal.execution();
                out.reports.push(unsigned(execution.trace(), execution.nonce(), Request::Execute, Unsigned::Kind));
            }
            other => out.sealed.push(other),
        }
    }

    fn on_order(&mut self, at: Nanos, signed: Signed, out: &mut Out) {
        let order = *signed.order();
        let why = match self.signature {
            _ if self.halted => Some(Unsigned::Halted),
            _ if at > order.late_after() => Some(Unsigned::Late),
            // Its signature would kill the old one's, on which the old order still stands.
            _ if order.replaced().is_some() => Some(Unsigned::Busy),
            Signature::Wanted(..) | Signature::Stands(_) => Some(Unsigned::Busy),
            Signature::None => None,
        };
        let entry = self.templates.get(order.subaccount(), order.instrument());
        match (why, entry) {
            (None, Some(entry)) => {
                let digest = entry.prepared.digest(&signed.terms());
                let ask = ActionAsk {
                    nonce: order.nonce(),
                    subaccount: order.subaccount(),
                    expires_s: order.expires_s(),
                    digest,
                    data: *entry.prepared.preimages().0,
                };
                self.signature = Signature::Wanted(signed, ask);
                out.asks.push(ChainAsk::Sign(ask));
            }
            // Delisted since it was signed.
            (why, _) => give_back(&signed, why.unwrap_or(Unsigned::Late), out),
        }
    }

    fn on_word(&mut self, at: Nanos, word: ChainWord, out: &mut Out) {
        match word {
            ChainWord::Hello => self.on_hello(out),
            ChainWord::Signed { nonce, .. } => self.on_signed(at, nonce, out),
            ChainWord::Refused { nonce, why } => {
                if let Some(signed) = self.wanted(nonce) {
                    self.signature = Signature::None;
                    give_back(&signed, why, out);
                }
            }
            ChainWord::Halted(why) => {
                self.halted = true;
                if let Signature::Wanted(signed, _) = self.signature {
                    self.signature = Signature::None;
                    give_back(&signed, Unsigned::Halted, out);
                }
                out.report(ContractReport::Halted(why));
            }
            ChainWord::Ready(ready) => out.report(ContractReport::Ready(ready)),
            ChainWord::Adopted(nonce) => out.report(ContractReport::Adopted(nonce)),
            ChainWord::Unbacked { nonce, why } => out.report(ContractReport::Unbacked { nonce, why }),
            ChainWord::Alarm(alarm) => out.report(ContractReport::Alarm(alarm)),
        }
    }

    /// The chain's side knows nothing: it is told what may be live. Whether an order it was asked about is signed by now
    /// nobody can say, but the order has not left, and a signature that nobody claims is revoked.
    fn on_hello(&mut self, out: &mut Out) {
        let held = match self.signature {
            Signature::None => None,
            Signature::Stands(held) => Some(held),
            Signature::Wanted(signed, _) => {
                give_back(&signed, Unsigned::Recovering, out);
                self.signature = Signature::None;
                None
            }
        };
        out.report(ContractReport::Ready(false));
        out.asks.push(ChainAsk::Recovered(held));
        self.unsettled.into_iter().for_each(|count| out.asks.push(ChainAsk::Unsettled(count)));
    }

    fn on_signed(&mut self, at: Nanos, nonce: Nonce, out: &mut Out) {
        match self.signature {
            Signature::Wanted(signed, ask) if ask.nonce == nonce && at <= signed.order().late_after() => {
                self.signature =
                    Signature::Stands(HeldSignature { nonce, digest: ask.digest, expires_s: ask.expires_s });
                out.report(ContractReport::Passed(nonce));
                out.sealed.push(Sealed::Order(signed));
            }
            Signature::Wanted(signed, ask) if ask.nonce == nonce => self.drop_wish(&signed, Unsigned::Late, out),
            // Suspended for a while; its order is being cancelled.
            Signature::Stands(held) if held.nonce == nonce => {}
            // One that nobody wants any more.
            _ => out.asks.push(ChainAsk::Revoke(nonce)),
        }
    }

    fn on_fact(&mut self, fact: ContractFact, out: &mut Out) {
        match fact {
            ContractFact::Unsettled(count) => {
                self.unsettled = Some(count);
                out.asks.push(ChainAsk::Unsettled(count));
            }
            ContractFact::Over(nonce) => match self.signature {
                Signature::Stands(held) if held.nonce == nonce => {
                    self.signature = Signature::None;
                    out.asks.push(ChainAsk::Release(nonce));
                }
                Signature::Wanted(signed, ask) if ask.nonce == nonce => {
                    self.drop_wish(&signed, Unsigned::Withdrawn, out);
                }
                _ => {}
            },
            // Once it has left, the venue must first prove that it is gone.
            ContractFact::Withdrawn(nonce) => {
                if let Some(signed) = self.wanted(nonce) {
                    self.drop_wish(&signed, Unsigned::Withdrawn, out);
                }
            }
        }
    }

    /// Gives an order back that is still waiting, and has what the chain may make of it revoked.
    fn drop_wish(&mut self, signed: &Signed, why: Unsigned, out: &mut Out) {
        self.signature = Signature::None;
        out.asks.push(ChainAsk::Revoke(signed.order().nonce()));
        give_back(signed, why, out);
    }

    fn wanted(&self, nonce: Nonce) -> Option<Signed> {
        match self.signature {
            Signature::Wanted(signed, ask) if ask.nonce == nonce => Some(signed),
            _ => None,
        }
    }

    fn on_tick(&mut self, at: Nanos, out: &mut Out) {
        if let Signature::Wanted(signed, _) = self.signature
            && at > signed.order().late_after()
        {
            self.drop_wish(&signed, Unsigned::Late, out);
        }
    }
}

impl Out {
    fn report(&mut self, report: ContractReport) {
        self.reports.push(ReportMsg { trace: Trace::default(), body: Report::Contract(report) });
    }
}

fn template(terms: &Terms, instrument: &Instrument) -> OrderTemplate {
    let frame = OrderFrame {
        asset: instrument.asset,
        sub_id: instrument.sub_id,
        subaccount: terms.subaccount,
        owner: terms.contract,
        signer: terms.contract,
    };
    OrderTemplate::new(terms.dialect, &frame)
}

fn give_back(signed: &Signed, why: Unsigned, out: &mut Out) {
    let order = signed.order();
    out.reports.push(unsigned(order.trace(), order.nonce(), request_of(order), why));
}

/// Tells risk that the contract did not sign.
fn unsigned(trace: Trace, nonce: Nonce, request: Request, why: Unsigned) -> ReportMsg {
    ReportMsg { trace, body: Report::Unsent { nonce, request, why: Unsent::Unsigned(why) } }
}

/// What it decides by. Templates follow from the instrument table.
impl Hash for Contract {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let signature = match &self.signature {
            Signature::None => (0u8, Nonce(0), [0; 32], 0),
            Signature::Wanted(_, ask) => (1, ask.nonce, ask.digest, ask.expires_s),
            Signature::Stands(held) => (2, held.nonce, held.digest, held.expires_s),
        };
        (signature, self.unsettled, self.halted).hash(state);
    }
}

impl Actor for Contract {
    type In<'a> = In;
    type Out = Out;

    fn on(&mut self, at: Nanos, message: In, out: &mut Out) {
        match message {
            In::Sealed(sealed) => self.on_sealed(at, sealed, out),
            In::Word(word) => self.on_word(at, word, out),
            In::Fact(fact) => self.on_fact(fact, out),
            In::Listing(listing) => {
                let Contract { terms, templates, .. } = self;
                // Without a place nothing is signed for it; the roster counts those.
                let _ = templates.apply(&listing, |_, instrument| template(terms, instrument));
            }
            In::Tick => self.on_tick(at, out),
        }
    }
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;
