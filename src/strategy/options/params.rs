//! What the operator chose for an option vault. Sources: strategy specification §1.0 to §1.5.

use crate::base::num::{Amount, Cash, Price, Ratio};
use crate::msg::Product;
use crate::strategy::options::amend::Amend;

/// Everything an option vault's strategy is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OptionParams {
    /// What it trades.
    pub product: Product,
    /// When its week turns.
    pub week: Week,
    /// How it chooses instruments.
    pub selection: Selection,
    /// How it sells or buys options.
    pub auction: AuctionTerms,
    /// How it turns cash into collateral and back.
    pub collateral: CollateralAuction,
    /// Pause after a refused wish.
    pub refusal_pause_ns: u64,
    /// A resting order this close to its signature's end is replaced.
    pub refresh_ns: u64,
    /// How a resting order is changed.
    pub amend: Amend,
}

/// The weekly clock: `auction start = expiry − expiry_days + option_delay`, `conversion start = expiry + spot_delay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Week {
    /// Options have less than this many days to live when selected.
    pub expiry_days: u64,
    /// And more than this many seconds.
    pub expiry_s_min: u64,
    /// Seconds from the expiry before to the option auction.
    pub option_delay_s: u64,
    /// Hard stop of the option auction, seconds after its start.
    pub auction_s: u64,
    /// Seconds from an expiry to the collateral auction.
    pub spot_delay_s: u64,
    /// Alarm if options are unsettled this many seconds after expiry.
    pub settlement_s_max: u64,
}

impl Week {
    /// The last settlement up to this moment, unix seconds: 08:00 UTC, on Fridays where options live for a week or more,
    /// else on any day (Derive expiries).
    pub const fn last_settlement_s(&self, now_s: u64) -> u64 {
        let period_s = if self.expiry_days >= 7 { 7 * 86_400 } else { 86_400 };
        // A Friday, 08:00 UTC.
        const FRIDAY_S: u64 = 115_200;
        let since_s = (now_s.saturating_sub(FRIDAY_S)) % period_s;
        now_s.saturating_sub(since_s)
    }

    /// When the auction of options with this expiry starts, unix seconds.
    pub const fn auction_start_s(&self, expiry_s: u64) -> u64 {
        expiry_s.saturating_sub(self.expiry_days * 86_400) + self.option_delay_s
    }
}

/// How instruments are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Selection {
    /// Covered call: the strike whose delta is nearest to the target.
    Delta {
        /// Target delta.
        target: Ratio,
        /// Lowest delta.
        min: Ratio,
        /// Highest delta.
        max: Ratio,
    },
    /// Spread: the pair whose mark over strike distance is nearest to the target.
    SpreadRatio {
        /// Distance of the strikes.
        strike_diff: Price,
        /// Target ratio.
        target: Ratio,
        /// Lowest ratio.
        min: Ratio,
        /// Highest ratio.
        max: Ratio,
    },
    /// BULL: the pair whose deltas are nearest to these, in sum of distances.
    SpreadDelta {
        /// Distance of the strikes; zero lets it follow from the deltas.
        strike_diff: Price,
        /// Delta of the bought leg.
        bought: Ratio,
        /// Delta of the sold leg.
        sold: Ratio,
    },
}

/// How options are auctioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuctionTerms {
    /// A resting sell order whose implied volatility falls with time.
    Limit(LimitAuction),
    /// Lots offered to makers by RFQ.
    Rfq(RfqAuction),
}

/// How implied volatility falls while a covered call is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IvDecay {
    /// `iv = max(floor, mark_iv − min(max, init + rate · seconds))`.
    Additive {
        /// Spread at the start, in volatility.
        init: Ratio,
        /// Growth per second.
        per_s: Ratio,
        /// Cap.
        max: Ratio,
        /// Lowest implied volatility offered.
        floor: Ratio,
    },
    /// `iv = mark_iv · (1 − min(max, init + rate · minutes))`.
    Multiplicative {
        /// Spread at the start, as a share.
        init: Ratio,
        /// Growth per minute.
        per_min: Ratio,
        /// Cap.
        max: Ratio,
    },
}

/// The limit-order auction of covered calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LimitAuction {
    /// How implied volatility falls.
    pub decay: IvDecay,
    /// Price change that is worth a replace.
    pub reprice_min: Price,
    /// The price never falls to Black-76 at this share of mark volatility (the mandate's floor) or below.
    pub vol_factor_min: Ratio,
    /// Share by which the price stays above that floor.
    pub floor_margin: Ratio,
    /// Relative index move that makes it choose again, until the first fill.
    pub reselect_move: Ratio,
}

/// The RFQ auction of spreads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RfqAuction {
    /// Largest lot, in contracts.
    pub lot_size: Amount,
    /// Lots are multiples of this.
    pub lot_rounding: Amount,
    /// Life of a lot from its RFQ.
    pub lot_life_s: u64,
    /// No quote is executed before this many seconds of the lot's life.
    pub freeze_s: u64,
    /// Price spread at the start of a lot: sellers ask mark / (1 + s), buyers pay mark · (1 + s).
    pub init_spread: Ratio,
    /// Growth per minute.
    pub spread_per_min: Ratio,
    /// Cap.
    pub max_spread: Ratio,
    /// Lowest cost per unit (negative: most a seller may ask).
    pub unit_cost_min: Price,
    /// Highest cost per unit (negative: least a seller must receive).
    pub unit_cost_max: Price,
    /// Smallest share of a lot a maker may quote.
    pub partial_fill_step: Ratio,
    /// Pause with a maker whose quote failed; doubles per strike within the lot.
    pub maker_pause_ns: u64,
    /// Open quotes are asked for this often, beside what is pushed.
    pub poll_ns: u64,
    /// Relative index move that makes it choose again, until the first fill.
    pub reselect_move: Ratio,
    /// Growth of collateral over its look-back that may be spent, as a share; buyers only.
    pub budget_share: Ratio,
    /// Most of the collateral's value that may be spent in one auction, whatever its yield; buyers only.
    pub budget_share_max: Ratio,
}

/// How cash becomes collateral, or collateral pays a debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CollateralAuction {
    /// Spread from the mark at the start.
    pub init_spread: Ratio,
    /// Growth per second.
    pub spread_per_s: Ratio,
    /// Cap.
    pub max_spread: Ratio,
    /// With cash left, the auction ends after this many seconds; a debt has no end.
    pub auction_s_max: u64,
    /// Price change that is worth a replace.
    pub reprice_min: Price,
    /// Debt or credit up to this is flat.
    pub dust: Cash,
}
