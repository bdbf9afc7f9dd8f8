//! The collateral auction: what it buys and sells, and when it ends.

use super::super::collateral_auction::convertible;
use super::*;

fn auction(balance: &str) -> Scene {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    scene.at = seconds(EXPIRY_S + 3600);
    scene.account.cash = cash(balance);
    scene.account.proved_at = scene.at;
    scene.remembered = Some(Milestone { phase: Phase::AwaitSettlement, expiry_s: EXPIRY_S, ..Milestone::default() });
    scene.boot_into(Phase::SpotAuction);
    scene
}

#[test]
fn amounts_are_what_cash_pays_for_with_its_fee() {
    let free = instrument(0, "WEETH-USDC", Kind::Spot);
    let dear = Instrument { taker_fee: ratio("0.0015"), base_fee: cash("0.01"), ..free };
    for (instrument, balance, at, want) in [
        (free, "6000", 3000, "2"),
        (free, "-30000", 3000, "10"),
        (free, "5999.99", 3000, "1.999"),
        (free, "-1", 3000, "0"),
        (free, "0", 3000, "0"),
        (free, "100", 0, "0"),
        (dear, "6000", 3000, "1.997"),
        (dear, "-6000", 3000, "2.003"),
        (dear, "0.005", 3000, "0"),
    ] {
        assert_eq!(convertible(cash(balance), Price::whole(at), &instrument), amount(want), "{balance} at {at}");
    }
}

#[test]
fn a_credit_buys_at_or_below_its_limit_and_a_debt_sells_at_or_above() {
    let mut scene = auction("6000");
    scene.pass(33);
    let Some(Act::Place(wish)) = scene.wish() else { panic!("no order") };
    assert_eq!((wish.side, wish.price, wish.amount), (Side::Buy, price("3000.99"), amount("1.999")));
    let mut scene = auction("-30000");
    scene.base_instrument.tick = Price::ONE;
    scene.pass(33);
    let Some(Act::Place(wish)) = scene.wish() else { panic!("no order") };
    assert_eq!((wish.side, wish.price, wish.amount), (Side::Sell, Price::whole(3000), amount("10")));
}

#[test]
fn a_debt_is_paid_and_nothing_bought_while_the_vault_drains() {
    for (balance, wishes) in [("-30000", true), ("6000", false)] {
        let mut scene = auction(balance);
        scene.account.mode = Mode::Drain;
        scene.pass(33);
        let act = scene.wish();
        assert_eq!(matches!(act, Some(Act::Place(wish)) if wish.side == Side::Sell), wishes, "{balance}: {act:?}");
        assert_eq!(act.is_some(), wishes, "{balance}: {act:?}");
    }
}

#[test]
fn the_venues_band_bounds_the_price() {
    let mut scene = auction("6000");
    scene.pass(2000);
    scene.base.band_high = price("3010.005");
    assert!(matches!(scene.wish(), Some(Act::Place(wish)) if wish.price == price("3010")));
    let mut scene = auction("-6000");
    scene.pass(2000);
    scene.base.band_low = price("2990.005");
    assert!(matches!(scene.wish(), Some(Act::Place(wish)) if wish.price == price("2990.01")));
}

#[test]
fn a_partial_fill_leaves_the_rest_and_a_moved_price_replaces_it() {
    let mut scene = auction("6000");
    let act = scene.wish();
    scene.rest(act);
    scene.fill(amount("0.5"));
    assert_eq!(scene.wish(), None);
    scene.pass(100);
    let Some(Act::Replace { old: Nonce(1), new }) = scene.wish() else { panic!("no replace") };
    assert_eq!((new.price, new.amount), (price("3003"), amount("1.498")));
    // money went elsewhere: what rests may not spend it
    scene.account.cash = cash("3000");
    assert!(matches!(scene.wish(), Some(Act::Replace { new, .. }) if new.amount == amount("0.999")));
}

/// A tenth is the least that can be placed; less may stay of what was part-filled.
#[test]
fn a_rest_too_small_to_place_anew_stays_until_it_fills_or_the_auction_is_late() {
    let mut scene = auction("-6000");
    scene.base_instrument.min_amount = amount("0.1");
    let act = scene.wish();
    scene.rest(act);
    let left = scene.resting().remaining() - amount("0.07");
    scene.fill(left);
    scene.account.cash = cash("-215");
    for _ in 0..26 {
        scene.pass(100);
        assert!(!matches!(scene.wish(), Some(Act::Cancel { .. } | Act::Replace { .. } | Act::Place(_))));
        assert_eq!(scene.phase(), Phase::SpotAuction);
    }
    scene.pass(100);
    assert_eq!(scene.wish(), cancel(1), "late: what is left of the debt waits for the next one");
    scene.remove(Nonce(1));
    assert_eq!(scene.enter().phase, Phase::CollateralOnly);

    let mut scene = auction("-6000");
    scene.base_instrument.min_amount = amount("0.1");
    let act = scene.wish();
    scene.rest(act);
    let left = scene.resting().remaining() - amount("0.07");
    scene.fill(left);
    scene.account.cash = cash("-100");
    assert_eq!(scene.wish(), cancel(1), "more than the debt needs is never sold");
}

#[test]
fn a_side_that_is_no_longer_wanted_is_cancelled() {
    let mut scene = auction("6000");
    let act = scene.wish();
    scene.rest(act);
    scene.account.cash = cash("-6000");
    assert_eq!(scene.wish(), cancel(1));
}

/// When the auction is over and when it is not.
#[test]
fn a_credit_has_a_deadline_and_a_debt_has_none() {
    for (balance, s, over, worry) in [
        ("1", 0, true, None),
        ("-1", 0, true, None),
        ("25", 0, true, None),
        ("-25", 0, true, None),
        ("6000", 2699, false, None),
        ("6000", 2700, true, None),
        ("-6000", 2700, false, Some(Concern::DebtLeft)),
        ("-6000", 900_000, false, Some(Concern::DebtLeft)),
    ] {
        let mut scene = auction(balance);
        scene.pass(s);
        if let Some(worry) = worry {
            assert_eq!(scene.wish(), concern(worry), "{balance} after {s} s");
        }
        let act = scene.wish();
        assert_eq!(scene.phase() == Phase::CollateralOnly, over, "{balance} after {s} s: {act:?}");
        assert_eq!(matches!(act, Some(Act::Place(_))), !over, "{balance} after {s} s: {act:?}");
    }
}

#[test]
fn the_end_takes_back_what_rests_first() {
    let mut scene = auction("6000");
    let act = scene.wish();
    scene.rest(act);
    scene.pass(2700);
    assert_eq!(scene.wish(), cancel(1));
    scene.resting().life = Life::Unknown;
    assert_eq!(scene.wish(), None);
    scene.remove(Nonce(1));
    assert_eq!(scene.enter().phase, Phase::CollateralOnly);
}

#[test]
fn a_stale_mark_takes_the_order_back() {
    let mut scene = auction("6000");
    let act = scene.wish();
    scene.rest(act);
    scene.base.good_until = Nanos(scene.at.0 - 1);
    assert_eq!(scene.wish(), cancel(1));
    scene.remove(Nonce(1));
    assert_eq!(scene.wish(), None);
}

#[test]
fn a_debt_in_a_quiet_week_is_paid_at_once() {
    let mut scene = Scene::new(Product::CoveredCall, 3000);
    scene.at = seconds(EXPIRY_S - 3 * DAY_S);
    scene.boot_into(Phase::CollateralOnly);
    scene.account.cash = cash("-500");
    assert_eq!(scene.enter().phase, Phase::SpotAuction);
}
