//! The contract that judges at every fill: where its verdict on the whole order begins to bind, and that what passes here
//! passes there at every partial fill.

use super::*;
use crate::base::literal::{amount, price, ratio};
use crate::base::num::Cash;
use crate::msg::Life;
use crate::risk::mandate::basis::Basis;
use crate::risk::tests::{NOW, Scene, hedge, hold, quote, rests, scene};
use proptest::prelude::*;

/// UB 10, exposure 10, delta bounded by 9.8 and 10.2; judged at every fill.
fn per_fill() -> Scene {
    let mut scene = scene();
    scene.limits.wall.judged_per_fill = true;
    scene
}

fn buy(scene: &mut Scene, quantity: &str) {
    scene.wish = quote(Side::Buy, "1000", quantity);
}

fn rest(scene: &mut Scene, wish: Wish) {
    rests(scene, 1, wish, Life::Open);
}

fn leverage_max(scene: &mut Scene, most: &str) {
    scene.limits.wall.contract.leverage.ceil = ratio_wad(ratio(most));
}

fn loss_max(scene: &mut Scene, most: &str) {
    scene.limits.wall.contract.loss_target = ratio_wad(ratio(most));
}

type Row = (Result<(), Revert>, fn(&mut Scene));

fn hold_rows(table: &[Row]) {
    for (place, (expected, spoil)) in table.iter().enumerate() {
        let mut scene = per_fill();
        spoil(&mut scene);
        assert_eq!(verdict(&scene.case()), *expected, "row {place}");
    }
}

#[test]
fn the_whole_order_must_pass_before_its_last_step() {
    let delta = Err(Revert::LbtPostTradeDeltaOutOfRange);
    hold_rows(&[
        // Half of what one signature would allow, and a step: 10 + 0.09 + 0.10 against 10.2.
        (Ok(()), |s| buy(s, "0.10")),
        (delta, |s| buy(s, "0.11")),
        (Ok(()), |s| {
            s.limits.wall.judged_per_fill = false;
            buy(s, "0.20");
        }),
        (delta, |s| {
            s.limits.wall.judged_per_fill = false;
            buy(s, "0.21");
        }),
        // The example of the specification.
        (delta, |s| buy(s, "0.15")),
        (Ok(()), |s| s.wish = hedge(Side::Sell, "1000", "0.10")),
        (delta, |s| s.wish = hedge(Side::Sell, "1000", "0.11")),
    ]);
}

#[test]
fn what_rests_beside_it_must_pass_too() {
    let delta = Err(Revert::LbtPostTradeDeltaOutOfRange);
    hold_rows(&[
        // A hedge that is bought back raises exposure too; one that is sold does not stand in the way.
        (Ok(()), |s| {
            rest(s, hedge(Side::Buy, "1000", "0.05"));
            buy(s, "0.07");
        }),
        (delta, |s| {
            rest(s, hedge(Side::Buy, "1000", "0.05"));
            buy(s, "0.08");
        }),
        (Ok(()), |s| {
            rest(s, hedge(Side::Sell, "1000", "0.05"));
            buy(s, "0.10");
        }),
        // The order that rests already is judged by its whole amount after this one has filled.
        (Ok(()), |s| {
            rest(s, quote(Side::Buy, "1000", "0.09"));
            buy(s, "0.02");
        }),
        (delta, |s| {
            rest(s, quote(Side::Buy, "1000", "0.10"));
            buy(s, "0.02");
        }),
        (delta, |s| {
            rest(s, hedge(Side::Buy, "1000", "0.15"));
            buy(s, "0.01");
        }),
    ]);
}

#[test]
fn leverage_losses_and_longs_are_judged_at_every_fill() {
    hold_rows(&[
        (Ok(()), |s| {
            leverage_max(s, "1.51");
            buy(s, "0.05");
        }),
        (Err(Revert::LbtPostTradeLeverageOutOfRange), |s| {
            leverage_max(s, "1.51");
            buy(s, "0.06");
        }),
        // A thousandth lost on a hundredth of the vault, charged at two fills at least.
        (Ok(()), |s| {
            loss_max(s, "0.000021");
            s.wish = quote(Side::Buy, "1001", "0.1");
        }),
        (Err(Revert::LbtMarkLossTooHigh), |s| {
            loss_max(s, "0.000019");
            s.wish = quote(Side::Buy, "1001", "0.1");
        }),
        (Ok(()), |s| {
            s.limits.wall.judged_per_fill = false;
            loss_max(s, "0.000019");
            s.wish = quote(Side::Buy, "1001", "0.1");
        }),
        (Ok(()), |s| {
            loss_max(s, "0.000032");
            rest(s, hedge(Side::Sell, "999", "0.05"));
            s.wish = quote(Side::Buy, "1001", "0.1");
        }),
        (Err(Revert::LbtMarkLossTooHigh), |s| {
            loss_max(s, "0.000029");
            rest(s, hedge(Side::Sell, "999", "0.05"));
            s.wish = quote(Side::Buy, "1001", "0.1");
        }),
        // Never long, not even before the last step.
        (Ok(()), |s| {
            hold(s, "5.1", 4_900, "-0.1");
            s.limits.wall.contract.delta.floor = I256::ZERO;
            s.wish = hedge(Side::Buy, "1000", "0.1");
        }),
        (Err(Revert::LbtPositivePerpPosition), |s| {
            hold(s, "5.1", 4_900, "-0.1");
            s.limits.wall.contract.delta.floor = I256::ZERO;
            s.wish = hedge(Side::Buy, "1000", "0.2");
        }),
    ]);
}

/// The contract with books of its own; every price stays at 1 000.
struct Chain {
    contract: Basis,
    base: I256,
    perp: I256,
    cash: I256,
}

impl Chain {
    fn of(scene: &Scene) -> Chain {
        let held = scene.ledger.holdings();
        let (base, perp, cash) = (amount_wad(held.base), amount_wad(held.perp), cash_wad(held.cash));
        Chain { contract: scene.limits.wall.contract, base, perp, cash }
    }

    /// A fill of this much, for which the contract judges the whole order.
    fn fill(&mut self, scene: &Scene, wish: &Wish, filled: Amount) -> Result<(), Revert> {
        let (thousand, fee) = (price_wad(price("1000")), price("0.9"));
        let worth = self.base * I256::unchecked_from(1_000) + self.cash;
        let state = BasisState {
            vault: VaultState {
                now_s: NOW.secs(),
                blocked: false,
                base: self.base,
                cash: self.cash,
                options: Cow::Borrowed(&[]),
                token_balance: U256::ZERO,
                pending_deposits: U256::ZERO,
            },
            perp: self.perp,
            perp_price: Ok(unsigned(thousand)),
            mark_to_market: Ok(worth),
            mark_loss: MarkLoss { ema: I256::ZERO, last_s: NOW.secs() },
        };
        let expires = U256::from(NOW.secs() + 310);
        self.contract.check(&action(&scene.case(), wish, fee), expires, &state, &Spot(price("1000")))?;
        let signed = amount_wad(Amount::from_raw(filled.raw() * wish.side.sign()));
        if wish.instrument == scene.ledger.book().base {
            self.base += signed;
            self.cash -= signed * I256::unchecked_from(1_000);
        } else {
            self.perp += signed;
        }
        self.cash -= cash_wad(fee.times(filled));
        Ok(())
    }
}

fn hundredths(count: i64) -> Amount {
    Amount::from_raw(count * amount("0.01").raw())
}

fn order(base: bool, side: Side, quantity: i64) -> Wish {
    let wish = if base { quote(side, "1000", "1") } else { hedge(side, "1000", "1") };
    Wish { amount: hundredths(quantity), ..wish }
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 10_000, ..ProptestConfig::default() })]
    #[test]
    fn what_passes_is_approved_at_every_partial_fill(
        held in 1_488_i64..1_512,
        (base, buys) in any::<(bool, bool)>(),
        quantity in 1_i64..14,
        (beside, beside_base, beside_first) in (0_i64..8, any::<bool>(), any::<bool>()),
        parts in proptest::collection::vec(1_i64..12, 1..8),
    ) {
        let mut scene = per_fill();
        let side = if buys { Side::Buy } else { Side::Sell };
        let cash = Cash::whole(10_000).raw() - Cash::whole(10).raw() * i128::from(held);
        let whole = (cash / Cash::ONE.raw()) as i64;
        hold(&mut scene, &hundredths(held).to_string(), whole, "-5");
        scene.limits.wall.contract.leverage.ceil = ratio_wad(ratio("1.53"));
        let other = order(beside_base, side, beside);
        if beside > 0 {
            rest(&mut scene, other);
        }
        scene.wish = order(base, side, quantity);
        prop_assume!(verdict(&scene.case()).is_ok());
        let wish = scene.wish;
        let mut chain = Chain::of(&scene);
        if beside > 0 && beside_first {
            prop_assert_eq!(chain.fill(&scene, &other, other.amount), Ok(()), "the one beside");
        }
        let mut left = quantity;
        for part in parts.into_iter().chain([quantity]) {
            let part = part.min(left);
            if part > 0 {
                prop_assert_eq!(chain.fill(&scene, &wish, hundredths(part)), Ok(()), "with {} left", left);
            }
            left -= part;
        }
        if beside > 0 && !beside_first {
            prop_assert_eq!(chain.fill(&scene, &other, other.amount), Ok(()), "the one beside, last");
        }
    }
}

/// Half of the budget is booked, and a quarter of it inherited; live orders may lose an eighth.
#[test]
fn what_a_run_leaves_behind_is_never_less_than_it_had_and_no_more_than_the_budget_is_doubted() {
    let wall = scene().limits.wall;
    let target = wall.contract.loss_target;
    let part = |of| MarkLoss { ema: target / I256::unchecked_from(of), last_s: 100 };
    let live = lost(part(8)).0;
    let at = Nanos(100 * SEC + 1);
    let told = noted([part(2), part(4)], live, at);
    for last_order_at in [at, Nanos(90 * SEC), Nanos(107 * SEC)] {
        let [booked, inherited] = left_behind(&wall, Some(told), last_order_at);
        assert_eq!(booked, part(2), "as lost at the record's moment");
        assert!(inherited.ema >= part(4).ema + part(8).ema && inherited.last_s == last_order_at.secs().max(100));
    }
    let told = noted([part(2), part(1)], live, at);
    let whole = MarkLoss { ema: target, last_s: 100 };
    assert_eq!(left_behind(&wall, Some(told), at), [part(2), whole], "quotes cannot put more on it");
    assert_eq!(left_behind(&wall, None, at), [MarkLoss::NONE, whole], "a journal that does not say");
    let gained = MarkLoss { ema: I256::MINUS_ONE, last_s: 100 };
    let vast = MarkLoss { ema: I256::MAX, last_s: 100 };
    let told = noted([gained, vast], Ratio::ONE, at);
    assert_eq!((told.booked_e18, told.pending_e18), (0, u64::MAX), "gains are no credit");
    assert_eq!(lost(vast).0, Ratio::from_raw(i64::MAX));
}
