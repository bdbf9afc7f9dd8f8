//! Capital: a keeper's wish laid before its table, and what becomes of the movement under way. While one is, nothing else
//! is granted: its signature would die (strategy specification §0.4).

use super::desk::Desk;
use super::notice::{Alarm, CapitalNews, Notice};
use super::{Out, Risk};
use crate::base::ids::{Nonce, VaultId};
use crate::base::time::{Nanos, SEC};
use crate::msg::{Answer, Asset, Balance, BalanceKind, CapitalWish, Flow, HeldSignature, Unsent, Verdict};
use crate::risk::Grant;
use crate::risk::capital::{CAPITAL_CHECKS, CapitalCase, CapitalLimits, grant};
use crate::risk::order::Granted;
use crate::risk::wall;

/// A movement whose end is not known yet.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Moving {
    pub(super) nonce: Nonce,
    /// From then on its signature is of no use to anybody.
    over_at: Nanos,
    /// What it does to the collateral, 18 decimals; not known of one an earlier run began.
    change: Option<i128>,
}

/// Further than the venue's clock can be from ours.
const CLOCK_NS_MAX: u64 = 5 * SEC;

impl Moving {
    /// One of an earlier run, whose end nobody saw.
    pub(super) fn inherited(held: &HeldSignature) -> Option<Moving> {
        let over_at = Nanos(held.expires_s.saturating_mul(SEC)).plus(CLOCK_NS_MAX);
        held.moves.then_some(Moving { nonce: held.nonce, over_at, change: None })
    }

    /// Whether the collateral has changed as it must by this movement, sign and amount.
    fn explains(&self, balance: &Balance) -> bool {
        balance.kind == BalanceKind::Transfer
            && self.change.is_some()
            && balance.new.raw().checked_sub(balance.previous.raw()) == self.change
    }
}

/// What a wish does to the collateral, 18 decimals; none if that cannot be told.
fn change(limits: &CapitalLimits, wish: &CapitalWish) -> Option<i128> {
    let wad = i128::try_from(limits.in_wad(wish.amount)?).ok()?;
    Some(match wish.flow {
        Flow::Deposit => wad,
        Flow::Withdrawal => -wad,
    })
}

impl Risk {
    /// Lays a keeper's wish before the table; what passes is granted and journaled by the signer.
    pub(super) fn on_capital(&mut self, at: Nanos, vault: VaultId, wish: CapitalWish, out: &mut Out) {
        let wallet = &mut self.wallet;
        let Some(desk) = self.desks.iter_mut().find(|desk| desk.vault() == vault) else { return };
        let Some(base) = wallet.table.instrument(desk.ledger.book().base) else { return };
        let case = CapitalCase {
            at,
            wish,
            ledger: &desk.ledger,
            limits: &desk.capital,
            mandate: &desk.mandate,
            currency: base.base_currency,
            base: &desk.base,
            perp: &desk.perp,
            phase: desk.milestone.phase,
            asking: desk.conversation.talk().rfq.is_some(),
            moving: desk.moving.is_some(),
            contract_free: desk.contract_free(at),
            mode: desk.mode,
            session_up: wallet.session_up(),
            venue_offset_ns: wallet.venue_offset_ns,
            key_expires_at: wallet.key_expires_at,
        };
        let news = match case.refusal() {
            Some(row) => {
                let why = (row + 1 == CAPITAL_CHECKS.len()).then(|| wall::capital::verdict(&case).err()).flatten();
                CapitalNews::Refused { row: row as u8, why }
            }
            None => match wallet.nonces.next(at) {
                Err(_) => CapitalNews::Unnamed,
                Ok(nonce) => {
                    match grant(&case, &Grant { nonce, epoch: wallet.epoch, trace: Default::default(), ended: None }) {
                        Err(row) => CapitalNews::Refused { row: row as u8, why: None },
                        Ok(movement) => {
                            let offset = wallet.venue_offset_ns.unwrap_or_default();
                            let over_at = Nanos(movement.expires_s() * SEC).shifted(-offset).plus(SEC);
                            desk.moving = Some(Moving { nonce, over_at, change: change(&desk.capital, &wish) });
                            desk.contract.iter_mut().for_each(|contract| contract.bear(nonce));
                            out.orders.push(Granted::Movement(movement));
                            CapitalNews::Granted { nonce }
                        }
                    }
                }
            },
        };
        desk.tell_capital(news, out);
    }
}

impl Desk {
    fn tell_capital(&self, news: CapitalNews, out: &mut Out) {
        if out.notices.room() > 0 {
            out.notices.push(Notice::Capital { vault: self.vault(), news });
        }
    }

    fn moves(&self, nonce: Nonce) -> bool {
        self.moving.is_some_and(|moving| moving.nonce == nonce)
    }

    /// It never left.
    pub(super) fn on_unmoved(&mut self, at: Nanos, nonce: Nonce, why: Unsent, out: &mut Out) {
        if !self.moves(nonce) {
            return;
        }
        self.moving = None;
        self.tell_capital(CapitalNews::Unsent { nonce, why }, out);
        match why {
            Unsent::Withheld(why) => {
                self.stats.withheld += 1;
                self.drain(Alarm::Withheld { why }, out);
            }
            Unsent::Unsigned(why) => self.on_unsigned(at, why, out),
            _ => {}
        }
    }

    /// Keeps a movement from leaving that still waits for its signature.
    pub(super) fn withdraw_movement(&mut self, out: &mut Out) {
        if let Some(Moving { nonce, .. }) = self.moving {
            self.withdraw_unsigned(nonce, out);
        }
    }

    /// The venue took it or did not; silence and doubt leave it under way until its signature is over.
    pub(super) fn on_moved(&mut self, answer: &Answer, out: &mut Out) {
        let Answer { nonce, verdict, code, .. } = *answer;
        if !self.moves(nonce) {
            return;
        }
        if matches!(verdict, Verdict::Refused | Verdict::RateLimited | Verdict::Halt) {
            self.moving = None;
            self.refused_by_venue(code);
        }
        self.tell_capital(CapitalNews::Answered { nonce, verdict, code }, out);
        if verdict == Verdict::Halt {
            self.halt(Alarm::VenueHalt { code }, out);
        }
    }

    /// Collateral came or went otherwise than by trade, as much as was to move: it has been settled. Anybody may send the
    /// vault something, or an owner take something out; neither ends the wait for ours.
    pub(super) fn note_moved(&mut self, balance: &Balance, out: &mut Out) {
        let base = Asset::Currency(self.ledger.book().base_currency);
        let ours = balance.subaccount == self.ledger.book().subaccount && balance.asset == base;
        if let Some(Moving { nonce, .. }) = self.moving.filter(|moving| ours && moving.explains(balance)) {
            self.moving = None;
            self.tell_capital(CapitalNews::Settled { nonce }, out);
        }
    }

    /// A movement that nobody has heard of again is over with its signature.
    pub(super) fn chase_movement(&mut self, at: Nanos, out: &mut Out) {
        if let Some(Moving { nonce, .. }) = self.moving.filter(|moving| at > moving.over_at) {
            self.moving = None;
            self.tell_capital(CapitalNews::Lapsed { nonce }, out);
        }
    }
}
