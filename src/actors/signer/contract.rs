//! Between signer and gateway where a vault's own contract must sign before an order, the execution of a quote or a
//! movement of capital may leave: keeps what is sealed until the chain has said that the contract answers for it. It holds
//! no key and lets nothing else leave for its vault.
//!
//! ```text
//! signer ─sealed─▶ contract ─sealed─▶ gateway        risk ─contract facts─▶ contract ─asks─▶ chain
//!                      │ ▲                                                      ▲──────words──┘
//!            refusals, │ └ what is not signed never left, so giving it back is certain
//!             reports  ▼
//!                    risk
//! ```

use super::{Sealed, request_of};
use crate::base::ids::{Name, Nonce, SubaccountId, VaultId};
use crate::base::queue::Batch;
use crate::base::time::Nanos;
use crate::derive::action::Envelope;
use crate::derive::action::rfq::{ExecutionTemplate, ExecutionTerms, TakenLeg};
use crate::derive::action::trade::{OrderFrame, OrderTemplate};
use crate::derive::action::v2::movement_data;
use crate::derive::desk::{Desk, MemberTerms};
use crate::derive::dialect::{Address, Dialect};
use crate::derive::seal::{Signed, SignedExecution, SignedMovement};
use crate::engine::actor::Actor;
use crate::market::instrument::{Instrument, Listing};
use crate::msg::{
    ActionAsk, ActionData, ChainAsk, ChainWord, ContractFact, ContractReport, Flow, HeldSignature, PricedLeg, Report,
    ReportMsg, Request, Trace, Unsent, Unsigned,
};
use crate::risk::capital::Movement;
use crate::risk::order::Execution;
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
    /// Wrapped collateral, the only asset that comes and goes.
    pub wrapped: Option<Address>,
    /// What the journal knows of the last signature.
    pub journaled: Option<HeldSignature>,
}

/// What waits for the contract, signed by the key.
#[derive(Clone, Copy)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
enum Wanted {
    Order(Signed),
    Execution(SignedExecution),
    Movement(SignedMovement),
}

impl Wanted {
    fn nonce(&self) -> Nonce {
        match self {
            Wanted::Order(signed) => signed.order().nonce(),
            Wanted::Execution(signed) => signed.execution().nonce(),
            Wanted::Movement(signed) => signed.movement().nonce(),
        }
    }

    fn late_after(&self) -> Nanos {
        match self {
            Wanted::Order(signed) => signed.order().late_after(),
            Wanted::Execution(signed) => signed.execution().late_after(),
            Wanted::Movement(signed) => signed.movement().late_after(),
        }
    }

    fn moves(&self) -> bool {
        matches!(self, Wanted::Movement(_))
    }

    fn sealed(self) -> Sealed {
        match self {
            Wanted::Order(signed) => Sealed::Order(signed),
            Wanted::Execution(signed) => Sealed::Execution(signed),
            Wanted::Movement(signed) => Sealed::Movement(signed),
        }
    }

    /// Tells risk that the contract did not sign it.
    fn unsigned(&self, why: Unsigned) -> ReportMsg {
        match self {
            Wanted::Order(signed) => {
                let order = signed.order();
                unsigned(order.trace(), order.nonce(), request_of(order), why)
            }
            Wanted::Execution(signed) => {
                let execution = signed.execution();
                unsigned(execution.trace(), execution.nonce(), Request::Execute, why)
            }
            Wanted::Movement(_) => unsigned(Trace::default(), self.nonce(), Request::Move, why),
        }
    }
}

/// The vault's one signature.
#[derive(Clone, Copy)]
#[allow(clippy::large_enum_variant)] // Copy on purpose: nothing on the hot path is boxed.
enum Signature {
    /// Nothing of ours is live, as far as we know.
    None,
    /// The chain has been asked.
    Wanted(Wanted, ActionAsk),
    /// What has left stands on it, or may.
    Stands(HeldSignature),
}

/// The contract actor.
pub struct Contract {
    terms: Terms,
    templates: Desk<OrderTemplate>,
    package: ExecutionTemplate,
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
        let Terms { dialect, contract, subaccount, .. } = &terms;
        let package = ExecutionTemplate::new(dialect, *subaccount, contract, contract);
        Contract { terms, templates, package, signature, unsettled: None, halted: false }
    }

    fn on_sealed(&mut self, at: Nanos, sealed: Sealed, out: &mut Out) {
        match sealed {
            Sealed::Order(signed) if signed.order().vault() == self.terms.vault => {
                // A new signature would kill the old one's, on which a replaced order still stands.
                let replaces = signed.order().replaced().is_some();
                self.on_wanted(at, Wanted::Order(signed), replaces.then_some(Unsigned::Busy), out);
            }
            Sealed::Movement(signed) if signed.movement().vault() == self.terms.vault => {
                self.on_wanted(at, Wanted::Movement(signed), None, out);
            }
            Sealed::Execution(signed) if signed.execution().vault() == self.terms.vault => {
                self.on_wanted(at, Wanted::Execution(signed), None, out);
            }
            other => out.sealed.push(other),
        }
    }

    fn on_wanted(&mut self, at: Nanos, wanted: Wanted, barred: Option<Unsigned>, out: &mut Out) {
        let obstacle = match self.signature {
            _ if self.halted => Some(Unsigned::Halted),
            _ if at > wanted.late_after() => Some(Unsigned::Late),
            Signature::Wanted(..) | Signature::Stands(_) => Some(Unsigned::Busy),
            Signature::None => barred,
        };
        match obstacle.map_or_else(|| self.ask(&wanted), Err) {
            Ok(ask) => {
                self.signature = Signature::Wanted(wanted, ask);
                out.asks.push(ChainAsk::Sign(ask));
            }
            Err(why) => out.reports.push(wanted.unsigned(why)),
        }
    }

    /// The action the contract is to sign; its bytes are derived here once more.
    fn ask(&mut self, wanted: &Wanted) -> Result<ActionAsk, Unsigned> {
        match wanted {
            Wanted::Order(signed) => self.ask_order(signed),
            Wanted::Execution(signed) => self.ask_execution(signed),
            Wanted::Movement(signed) => self.ask_movement(signed.movement()),
        }
    }

    fn ask_order(&mut self, signed: &Signed) -> Result<ActionAsk, Unsigned> {
        let order = signed.order();
        // Without a template it was delisted since it was signed.
        let entry = self.templates.get(order.subaccount(), order.instrument()).ok_or(Unsigned::Late)?;
        let digest = entry.prepared.digest(&signed.terms());
        Ok(ActionAsk {
            nonce: order.nonce(),
            subaccount: order.subaccount(),
            module: self.terms.dialect.modules.trade,
            expires_s: order.expires_s(),
            digest,
            data: ActionData::of(entry.prepared.preimages().0).ok_or(Unsigned::Kind)?,
            legs: None,
        })
    }

    fn ask_execution(&mut self, signed: &SignedExecution) -> Result<ActionAsk, Unsigned> {
        let execution = signed.execution();
        let mut taken = [self.leg(execution, 0)?, self.leg(execution, 1)?];
        // The order in which the maker has signed them.
        if taken[0].0.as_bytes() > taken[1].0.as_bytes() {
            taken.swap(0, 1);
        }
        let digest = self.package.digest(&ExecutionTerms {
            legs: taken.map(|(_, leg)| leg),
            max_fee: signed.max_fee(),
            nonce: execution.nonce(),
            expiry_sec: execution.expires_s(),
        });
        let (legs, data, ..) = self.package.preimages();
        Ok(ActionAsk {
            nonce: execution.nonce(),
            subaccount: execution.subaccount(),
            module: self.terms.dialect.modules.rfq,
            expires_s: execution.expires_s(),
            digest,
            data: ActionData::of(data).ok_or(Unsigned::Kind)?,
            legs: Some(*legs),
        })
    }

    fn leg(&mut self, execution: &Execution, place: usize) -> Result<(Name, TakenLeg), Unsigned> {
        let PricedLeg { leg, price } = execution.deal().legs[place];
        // Without a template it was delisted since it was signed.
        let entry = self.templates.get(execution.subaccount(), leg.instrument).ok_or(Unsigned::Late)?;
        let Instrument { name, asset, sub_id, .. } = entry.instrument;
        Ok((name, TakenLeg { asset, sub_id, price, amount: leg.amount, side: leg.side }))
    }

    fn ask_movement(&self, movement: &Movement) -> Result<ActionAsk, Unsigned> {
        let Terms { dialect, contract, wrapped, .. } = self.terms;
        let module = match movement.flow() {
            Flow::Deposit => dialect.modules.deposit.ok_or(Unsigned::Kind)?,
            Flow::Withdrawal => dialect.modules.withdrawal,
        };
        let data = movement_data(movement.flow(), wrapped.ok_or(Unsigned::Kind)?, movement.amount());
        let envelope = Envelope {
            subaccount: movement.subaccount(),
            nonce: movement.nonce(),
            module,
            expiry_sec: movement.expires_s(),
            owner: contract,
            signer: contract,
        };
        Ok(ActionAsk {
            nonce: movement.nonce(),
            subaccount: movement.subaccount(),
            module,
            expires_s: movement.expires_s(),
            digest: envelope.digest(&dialect.domain_separator, &data),
            data: ActionData::of(&data).ok_or(Unsigned::Kind)?,
            legs: None,
        })
    }

    fn on_word(&mut self, at: Nanos, word: ChainWord, out: &mut Out) {
        match word {
            ChainWord::Hello => self.on_hello(out),
            ChainWord::Signed { nonce, .. } => self.on_signed(at, nonce, out),
            ChainWord::Refused { nonce, why } => {
                if let Some(wanted) = self.wanted(nonce) {
                    self.signature = Signature::None;
                    out.reports.push(wanted.unsigned(why));
                }
            }
            ChainWord::Halted(why) => {
                self.halted = true;
                if let Signature::Wanted(wanted, _) = self.signature {
                    self.signature = Signature::None;
                    out.reports.push(wanted.unsigned(Unsigned::Halted));
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
            Signature::Wanted(wanted, _) => {
                out.reports.push(wanted.unsigned(Unsigned::Recovering));
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
            Signature::Wanted(wanted, ask) if ask.nonce == nonce && at <= wanted.late_after() => {
                let held = HeldSignature { nonce, moves: wanted.moves(), digest: ask.digest, expires_s: ask.expires_s };
                self.signature = Signature::Stands(held);
                out.report(ContractReport::Passed(nonce));
                out.sealed.push(wanted.sealed());
            }
            Signature::Wanted(wanted, ask) if ask.nonce == nonce => self.drop_wish(&wanted, Unsigned::Late, out),
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
                Signature::Wanted(wanted, ask) if ask.nonce == nonce => {
                    self.drop_wish(&wanted, Unsigned::Withdrawn, out);
                }
                _ => {}
            },
            // Once it has left, the venue must first prove that it is gone.
            ContractFact::Withdrawn(nonce) => {
                if let Some(wanted) = self.wanted(nonce) {
                    self.drop_wish(&wanted, Unsigned::Withdrawn, out);
                }
            }
        }
    }

    /// Gives back what is still waiting, and has what the chain may make of it revoked.
    fn drop_wish(&mut self, wanted: &Wanted, why: Unsigned, out: &mut Out) {
        self.signature = Signature::None;
        out.asks.push(ChainAsk::Revoke(wanted.nonce()));
        out.reports.push(wanted.unsigned(why));
    }

    fn wanted(&self, nonce: Nonce) -> Option<Wanted> {
        match self.signature {
            Signature::Wanted(wanted, ask) if ask.nonce == nonce => Some(wanted),
            _ => None,
        }
    }

    fn on_tick(&mut self, at: Nanos, out: &mut Out) {
        if let Signature::Wanted(wanted, _) = self.signature
            && at > wanted.late_after()
        {
            self.drop_wish(&wanted, Unsigned::Late, out);
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
