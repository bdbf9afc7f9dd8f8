//! What pricing says to the auction and to risk.

use super::Trace;
use crate::base::ids::InstrumentId;
use crate::base::num::{Price, Ratio};
use crate::base::time::Nanos;

/// Reasons not to trade on a value, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Guards(pub u16);

impl Guards {
    /// Nothing speaks against trading.
    pub const NONE: Guards = Guards(0);
    /// The venue's ticker is missing or too old.
    pub const TICKER_STALE: Guards = Guards(1);
    /// The external book is missing, too old or crossed.
    pub const EXTERNAL_STALE: Guards = Guards(1 << 1);
    /// The ratio feed is missing or too old.
    pub const RATIO_STALE: Guards = Guards(1 << 2);
    /// The ratio left its band around the reference.
    pub const RATIO_DEVIATES: Guards = Guards(1 << 3);
    /// Fair value and the venue's mark disagree by more than allowed.
    pub const FAIR_DEVIATES: Guards = Guards(1 << 4);
    /// The external mid moves too fast.
    pub const VOLATILE: Guards = Guards(1 << 5);
    /// An option's mark or delta in the ticker is not what the venue's signed feeds give.
    pub const MODEL_DEVIATES: Guards = Guards(1 << 6);
    /// The venue's mark has jumped, and too few tickers since bear the new price out.
    pub const UNCONFIRMED: Guards = Guards(1 << 7);
    /// There is no price to act on at all, not even for what lowers risk.
    pub const NO_PRICE: Guards = Guards::TICKER_STALE.with(Guards::UNCONFIRMED);
    /// A token and what it wraps do not belong together any more.
    pub const OFF_PEG: Guards = Guards::RATIO_DEVIATES.with(Guards::FAIR_DEVIATES);
    /// A source is missing without which its peg cannot be judged.
    pub const PEG_UNKNOWN: Guards = Guards::NO_PRICE.with(Guards::EXTERNAL_STALE).with(Guards::RATIO_STALE);
    /// Names of the bits, lowest first.
    pub const NAMES: [&'static str; 8] = [
        "ticker_stale",
        "external_stale",
        "ratio_stale",
        "ratio_deviates",
        "fair_deviates",
        "volatile",
        "model_deviates",
        "unconfirmed",
    ];

    /// Both sets together.
    pub const fn with(self, other: Guards) -> Guards {
        Guards(self.0 | other.0)
    }

    /// `other` if `condition`, else nothing, added.
    pub const fn when(self, condition: bool, other: Guards) -> Guards {
        if condition { self.with(other) } else { self }
    }

    /// True if any bit of `other` is set here.
    pub const fn has(self, other: Guards) -> bool {
        self.0 & other.0 != 0
    }

    /// True if no bit is set.
    pub const fn is_clear(self) -> bool {
        self.0 == 0
    }
}

/// What pricing knows of an option beside its mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OptionValue {
    /// Mark implied volatility, per year.
    pub mark_iv: Ratio,
    /// Forward price of the expiry.
    pub forward: Price,
    /// Discount factor of the venue's mark; one if it does not say.
    pub discount: Ratio,
    /// Black-76 delta, our own: N(d1) for calls, N(d1) − 1 for puts.
    pub delta: Ratio,
}

/// What one unit of a yield-bearing collateral has earned over a look-back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Accrual {
    /// Growth as a share of the present price: 1 − then / now.
    pub share: Ratio,
    /// The present price itself, in what the collateral stands for.
    pub rate: Ratio,
    /// Start of the look-back.
    pub since: Nanos,
    /// When it was read.
    pub read_at: Nanos,
}

/// What an instrument is worth to us now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Hash)]
pub struct Value {
    /// Where the time went.
    pub trace: Trace,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Our fair value; zero when guards forbid having one.
    pub fair: Price,
    /// The venue's mark.
    pub mark: Price,
    /// The venue's index.
    pub index: Price,
    /// Best bid, zero when empty.
    pub bid: Price,
    /// Best ask, zero when empty.
    pub ask: Price,
    /// Lowest price the venue lets an aggressive order trade at.
    pub band_low: Price,
    /// Highest price the venue lets an aggressive order trade at.
    pub band_high: Price,
    /// Hourly funding rate (perps).
    pub funding_hourly: Ratio,
    /// Options only.
    pub option: Option<OptionValue>,
    /// Yield-bearing collateral only, while its rates are known.
    pub accrual: Option<Accrual>,
    /// Reasons not to trade on this.
    pub guards: Guards,
    /// When it was computed; a value not renewed for long is dead whatever its inputs were.
    pub priced_at: Nanos,
    /// The value must not be used after this moment.
    pub good_until: Nanos,
}
