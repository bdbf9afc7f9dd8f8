//! `[vault.basis]`: how Delta-1 Basis quotes and hedges, always tighter than the limits.

use std::cell::RefCell;

use super::bounds::check_refresh;
use super::{Margin, limits};
use crate::base::num::{Amount, Ratio};
use crate::config::read::{Bps, Field, Notes, Section, Span, Spec};
use crate::strategy::basis::Params;

/// Leverage the mission asks for, where margin allows it.
const LEVERAGE_WANTED: Ratio = Ratio::whole(2);
/// The section, field by field.
pub(super) struct Fields {
    target_leverage: Field<Ratio>,
    enter_carry: Field<Bps>,
    exit_carry: Field<Bps>,
    bid_offset: Field<Bps>,
    ask_offset: Field<Bps>,
    soft_delta_min: Field<Ratio>,
    soft_delta_max: Field<Ratio>,
    clip: Field<Amount>,
    mark_offset: Field<Bps>,
    loss_ema: Field<Bps>,
    buffer: Field<Bps>,
    reprice: Field<Bps>,
    adverse: Field<Bps>,
    resize: Field<Bps>,
    slippage: Field<Bps>,
    pub(super) refresh: Field<Span>,
    pause: Field<Span>,
    /// Highest leverage that leaves the buffer free.
    cap: Option<Ratio>,
}

const SOFT_DELTA_MIN: Spec = ("soft_delta_min_x", "lowest delta quotes may lead to");
const SOFT_DELTA_MAX: Spec = ("soft_delta_max_x", "highest delta quotes may lead to");
const CLIP: Spec = ("clip_base", "largest quote of the strategy");
const MARK_OFFSET: Spec = ("mark_offset_max_bps", "furthest a quote or hedge may be from the mark");
const LOSS_EMA: Spec = ("loss_ema_max_bps", "decaying loss against mark from which quotes shrink, as a share of TVL");
const RESIZE: Spec = ("resize_min_bps", "change of amount worth a replace, as a share of the clip");

/// Two, or as much as margin and limits leave, in whole hundredths; never below one.
fn target(cap: Option<Ratio>, limits: &limits::Fields) -> Ratio {
    let hundredth = Ratio::from_bps(100).raw();
    let most = [cap, limits.leverage_max.value].into_iter().flatten().fold(LEVERAGE_WANTED, Ratio::min);
    Ratio::from_raw(most.raw() / hundredth * hundredth).max(Ratio::ONE)
}

impl Fields {
    pub(super) fn read(section: Section<'_>, limits: &limits::Fields, margin: &Margin) -> Fields {
        let s = &section;
        let tvl = "× TVL";
        let default_bps = |field: &Field<Bps>, other: i64| field.value.map_or(other, |Bps(value)| value);
        let spec = ("margin_buffer_bps", "share of TVL quotes leave free of initial margin");
        let buffer = s.bps(spec, 0..=5_000, default_bps(&limits.buffer, 0).max(200));
        let cap = buffer.value.and_then(|buffer| margin.cap(buffer.ratio()));
        if let Some(cap) = cap {
            s.derived(("margin_leverage_cap_x", "highest leverage that leaves the buffer free"), cap, tvl);
        }
        let fields = Fields {
            target_leverage: s.decimal(
                ("target_leverage_x", "leverage held while carry is good"),
                tvl,
                Ratio::ONE..=Ratio::from_bps(30_500),
                Some(target(cap, limits)),
            ),
            enter_carry: s.bps(("enter_carry_bps", "annual carry from which leverage is built"), -5_000..=20_000, 300),
            exit_carry: s.bps(("exit_carry_bps", "annual carry from which leverage is unwound"), -5_000..=20_000, 0),
            bid_offset: s.bps(("bid_offset_bps", "bids are fair value plus this"), -100..=20, 2),
            ask_offset: s.bps(("ask_offset_bps", "asks are fair value plus this"), -20..=100, -2),
            soft_delta_min: limits::tvl(s, SOFT_DELTA_MIN, 7_000..=10_000, 9_900),
            soft_delta_max: limits::tvl(s, SOFT_DELTA_MAX, 10_000..=13_000, 10_100),
            clip: s.decimal(CLIP, "base", Amount::from_raw(1)..=Amount::whole(1_000_000), None),
            mark_offset: s.bps(MARK_OFFSET, 1..=200, default_bps(&limits.mark_offset, 100)),
            loss_ema: s.bps(LOSS_EMA, 1..=150, default_bps(&limits.loss_ema, 20)),
            buffer,
            reprice: s.bps(("reprice_min_bps", "smallest price change worth a replace"), 1..=100, 1),
            adverse: s.bps(("adverse_cancel_bps", "adverse change from which a cancel goes out first"), 1..=200, 3),
            resize: s.bps(RESIZE, 1..=10_000, 2_500),
            slippage: s.bps(("hedge_slippage_bps", "how far through the mark a hedge may trade"), 1..=200, 30),
            refresh: s.seconds(("refresh_s", "an order this close to its signature's end is replaced"), 5..=590, 60),
            pause: s.ms(("refusal_pause_ms", "pause after a refused wish, or a hedge in vain"), 10..=60_000, 250),
            cap,
        };
        section.finish();
        fields
    }

    /// The strategy against the limits.
    pub(super) fn check(&self, limits: &limits::Fields, notes: &RefCell<Notes>) {
        self.exit_carry.below(&self.enter_carry, "leverage would be built and unwound at once", notes);
        limits.delta_min.below(&self.soft_delta_min, "the soft band must lie inside the hard one", notes);
        self.soft_delta_max.below(&limits.delta_max, "the soft band must lie inside the hard one", notes);
        self.clip.at_most(&limits.quote_amount, "every quote would be refused", notes);
        self.mark_offset.at_most(&limits.mark_offset, "quotes would be refused", notes);
        self.loss_ema.at_most(&limits.loss_ema, "quotes would be refused", notes);
        limits.buffer.at_most(&self.buffer, "quotes would be refused", notes);
        self.slippage.at_most(&self.mark_offset, "hedges would be refused", notes);
        self.reprice.at_most(&self.adverse, "every adverse move would cancel", notes);
        self.target_leverage.at_most(&limits.leverage_max, "it could not be reached", notes);
        if let (Some(target), Some(cap)) = (self.target_leverage.value, self.cap)
            && target > cap
        {
            let what = format!(
                "{target} is above the margin cap {cap} = (1 + requirement - buffer) / (1 + requirement - factor)"
            );
            self.target_leverage.refuse(what, format!("at most {cap} with this margin"), notes);
        }
        check_refresh(&self.refresh, &limits.bounds, notes);
    }

    pub(super) fn build(&self, margin: &Margin) -> Option<Params> {
        Some(Params {
            target_leverage: self.target_leverage.value?,
            enter_carry: self.enter_carry.value?.ratio(),
            exit_carry: self.exit_carry.value?.ratio(),
            bid_offset: self.bid_offset.value?.ratio(),
            ask_offset: self.ask_offset.value?.ratio(),
            soft_delta_min: self.soft_delta_min.value?,
            soft_delta_max: self.soft_delta_max.value?,
            clip: self.clip.value?,
            mark_offset_max: self.mark_offset.value?.ratio(),
            loss_ema_max: self.loss_ema.value?.ratio(),
            margin_factor: margin.factor.value?.ratio(),
            perp_requirement: margin.requirement.value?.ratio(),
            margin_buffer: self.buffer.value?.ratio(),
            reprice_min: self.reprice.value?.ratio(),
            adverse_cancel: self.adverse.value?.ratio(),
            resize_min: self.resize.value?.ratio(),
            hedge_slippage: self.slippage.value?.ratio(),
            refresh_ns: self.refresh.value?.0,
            refusal_pause_ns: self.pause.value?.0,
            judged_per_fill: None,
        })
    }
}
