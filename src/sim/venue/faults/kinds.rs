//! Every kind of fault, with its place in the catalogue of faults.

/// When a kind of fault is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// At every text of the venue on the private connection.
    Reply,
    /// At every text on the public connection.
    News,
    /// At every request of the engine on the private connection.
    Request,
    /// Every second, and then it lasts.
    Span,
    /// Every second.
    Moment,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A text of the venue on the private connection never arrives.
    ReplyLost,
    /// It arrives twice.
    ReplyTwice,
    /// It arrives late, after others.
    ReplyLate,
    /// It answers a request nobody made.
    ReplyMisnamed,
    /// It is cut off in the middle.
    ReplyGarbled,
    /// A field of it is null.
    ReplyHollow,
    /// A market text never arrives.
    NewsLost,
    /// It arrives late, after others.
    NewsLate,
    /// It arrives twice, the second time late.
    NewsTwice,
    /// A field of it is missing.
    NewsMissing,
    /// A field of it is null.
    NewsHollow,
    /// It has a field more.
    NewsExtra,
    /// It is cut off in the middle.
    NewsGarbled,
    /// Its channel names one instrument, its data another.
    NewsForeign,
    /// It is stamped ten seconds too early.
    StampStale,
    /// It is stamped ten seconds too late.
    StampFresh,
    /// A book whose bids and asks have changed places.
    BookCrossed,
    /// A book without orders.
    BookEmpty,
    /// A book without bids, or without asks.
    BookOneSided,
    /// All prices of a text are three tenths off.
    PriceOff,
    /// A request of the engine never arrives.
    RequestLost,
    /// 9000, whatever became of the request.
    TimedOut,
    /// 9001, whatever became of the request.
    Dropped,
    /// -32603, whatever became of the request.
    Ailing,
    /// -32000; nothing was done.
    RateLimited,
    /// 11017; nothing was done.
    NonceSeen,
    /// 11022; nothing was done.
    TooLate,
    /// 11015; nothing was done.
    Frozen,
    /// 11002; nothing was done.
    Queued,
    /// A code nobody has heard of; nothing was done.
    Novel,
    /// 11018; nothing was done.
    ClockRefused,
    /// 11027; nothing was done.
    Liquidating,
    /// The venue's clock, when asked, is off by up to an hour.
    TimeJumps,
    /// The private connection is open and carries nothing, neither way.
    PrivateSilent,
    /// The public connection is open and carries nothing.
    PublicSilent,
    /// Some channels carry nothing, others live.
    ChannelSilent,
    /// The public connection stalls, then says everything at once.
    Stalled,
    /// The external book says nothing.
    ExternalSilent,
    /// The ratio feeds repeat an old round.
    OracleFrozen,
    /// Both connections are cut and refused for a while.
    Unreachable,
    /// The whole process stands still.
    Paused,
    /// One actor does not turn.
    Starved,
    /// The private connection is cut.
    PrivateCut,
    /// The public connection is cut.
    PublicCut,
    /// Both are.
    AllCut,
    /// The private connection is cut, and the venue notices much later.
    HalfCut,
    /// The venue cancels every order of the vault.
    VenueCancels,
    /// The venue restarts: orders are gone without a word, and so are connections.
    VenueForgets,
    /// The venue forgets who is logged in.
    SessionExpired,
    /// An order of somebody else appears in the account.
    ForeignOrder,
    /// Collateral arrives without a fill.
    Deposited,
    /// The venue allows few requests from now on.
    TierCut,
    /// The engine is killed and started again.
    Killed,
    /// The engine is killed at a request that the venue still receives.
    KilledAfterRequest,
    /// The engine is killed at a request that never leaves.
    KilledBeforeRequest,
    /// The engine is killed between two actors' turns.
    KilledBetween,
    /// The engine is killed and its clock is off when it starts again.
    ClockStepped,
    /// The engine dies with the power: the journal's last records are lost, one of them torn.
    TailLost,
    /// The engine dies and its journal with it.
    JournalLost,
    /// An operator drains the vault, and resumes it later.
    Drained,
    /// An operator stops everything.
    KillSwitch,
    /// An operator throws the signer's switch.
    SignerStopped,
    /// The journal's disk is full, or ails: the next page cannot be made.
    DiskFull,
    /// The journal's disk is slow: the next page does not come in time.
    DiskSlow,
    /// The venue takes back the vault's last trade; who trusts its session hears of it, or not.
    RolledBack,
    /// Wrapped collateral trades a tenth below what it stands for.
    Depegged,
    /// USDC trades an eighth below a dollar.
    StableDepegged,
    /// The ratio feeds' rounds bear the stamp of a chain whose clock is wrong.
    ChainClock,
    /// The journal's disk fails to make safe what was appended.
    SyncFails,
    /// -32100 to a login: the venue has too many connections.
    Crowded,
    /// A subscription is refused, or never answered.
    Unsubscribed,
    /// An order that rests has a status of those that we do not use.
    OddStatus,
    /// An instrument that the vault holds, offers or asks for is not traded for a while.
    Deactivated,
    /// The session key is registered no more, has lost its scopes, or comes from the wrong place; then all is well again.
    KeyLost,
    /// 16001 to everything that would trade.
    AccountDisabled,
    /// The best bid is the best ask.
    BookLocked,
    /// The market thinks volatility nearly nothing, or five times what it was.
    VolOff,
    /// Forwards are below spot.
    ForwardBelow,
    /// Funding is at its bound, and borrowing free or ruinous.
    RatesExtreme,
    /// Somebody takes the smallest amount from every order of ours, again and again.
    DustTaker,
    /// From now on our clock is 500 ppm too fast, or too slow.
    ClockDrifts,
    /// Somebody takes all that rests of ours at once.
    Swept,
    /// While a feed of ours is silent, somebody takes what the market has moved away from.
    Sniped,
    /// An operator resumes a vault that has stopped, without a look at why.
    ResumedEarly,
    /// Operators pause, resume and drain in one moment.
    Contradicted,
    /// An operator sets a limit to zero.
    TightenedToZero,
    /// The process is told to end, and another starts.
    StoppedInOrder,
}

/// What there is to know about a kind.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The kind.
    pub fault: Fault,
    /// Its name.
    pub name: &'static str,
    /// Its rows in the catalogue.
    pub catalogue: &'static str,
    /// When it is drawn.
    pub family: Family,
    /// Most often it happens: per text, per request or per second.
    pub odds_max: f64,
}

const fn kind(fault: Fault, name: &'static str, catalogue: &'static str, family: Family, odds_max: f64) -> Kind {
    Kind { fault, name, catalogue, family, odds_max }
}

/// Number of kinds.
pub const KINDS: usize = 87;

/// Every kind, in the order of [`Fault`].
pub const CATALOGUE: [Kind; KINDS] = [
    kind(Fault::ReplyLost, "reply-lost", "V2", Family::Reply, 0.05),
    kind(Fault::ReplyTwice, "reply-twice", "V9", Family::Reply, 0.05),
    kind(Fault::ReplyLate, "reply-late", "V3 V4 V6 V7 V8 V10", Family::Reply, 0.1),
    kind(Fault::ReplyMisnamed, "reply-misnamed", "V5", Family::Reply, 0.02),
    kind(Fault::ReplyGarbled, "reply-garbled", "N18", Family::Reply, 0.01),
    kind(Fault::ReplyHollow, "reply-hollow", "N19", Family::Reply, 0.01),
    kind(Fault::NewsLost, "news-lost", "N11", Family::News, 0.3),
    kind(Fault::NewsLate, "news-late", "N10 N11", Family::News, 0.3),
    kind(Fault::NewsTwice, "news-twice", "N9", Family::News, 0.2),
    kind(Fault::NewsMissing, "news-missing", "N19", Family::News, 0.03),
    kind(Fault::NewsHollow, "news-hollow", "N19", Family::News, 0.03),
    kind(Fault::NewsExtra, "news-extra", "N19", Family::News, 0.1),
    kind(Fault::NewsGarbled, "news-garbled", "N18", Family::News, 0.02),
    kind(Fault::NewsForeign, "news-foreign", "N15", Family::News, 0.03),
    kind(Fault::StampStale, "stamp-stale", "N14", Family::News, 0.05),
    kind(Fault::StampFresh, "stamp-fresh", "N13", Family::News, 0.05),
    kind(Fault::BookCrossed, "book-crossed", "M2", Family::News, 0.05),
    kind(Fault::BookEmpty, "book-empty", "M3", Family::News, 0.05),
    kind(Fault::BookOneSided, "book-one-sided", "M4", Family::News, 0.05),
    kind(Fault::PriceOff, "price-off", "M1", Family::News, 0.005),
    kind(Fault::RequestLost, "request-lost", "V1", Family::Request, 0.03),
    kind(Fault::TimedOut, "timed-out", "V11", Family::Request, 0.04),
    kind(Fault::Dropped, "dropped", "V12", Family::Request, 0.04),
    kind(Fault::Ailing, "ailing", "V13", Family::Request, 0.04),
    kind(Fault::RateLimited, "rate-limited", "V14", Family::Request, 0.06),
    kind(Fault::NonceSeen, "nonce-seen", "V16", Family::Request, 0.02),
    kind(Fault::TooLate, "too-late", "V18", Family::Request, 0.03),
    kind(Fault::Frozen, "frozen", "V19", Family::Request, 0.03),
    kind(Fault::Queued, "queued", "V21", Family::Request, 0.03),
    kind(Fault::Novel, "novel", "V22", Family::Request, 0.02),
    kind(Fault::ClockRefused, "clock-refused", "V17", Family::Request, 0.0005),
    kind(Fault::Liquidating, "liquidating", "V20", Family::Request, 0.0005),
    kind(Fault::TimeJumps, "time-jumps", "T5", Family::Request, 0.2),
    kind(Fault::PrivateSilent, "private-silent", "N4", Family::Span, 0.03),
    kind(Fault::PublicSilent, "public-silent", "N4", Family::Span, 0.03),
    kind(Fault::ChannelSilent, "channel-silent", "N5", Family::Span, 0.03),
    kind(Fault::Stalled, "stalled", "N12", Family::Span, 0.03),
    kind(Fault::ExternalSilent, "external-silent", "N4", Family::Span, 0.03),
    kind(Fault::OracleFrozen, "oracle-frozen", "M9", Family::Span, 0.02),
    kind(Fault::Unreachable, "unreachable", "N3", Family::Span, 0.02),
    kind(Fault::Paused, "paused", "H3", Family::Span, 0.02),
    kind(Fault::Starved, "starved", "H4", Family::Span, 0.05),
    kind(Fault::PrivateCut, "private-cut", "N1 N2", Family::Moment, 0.06),
    kind(Fault::PublicCut, "public-cut", "N1 N2", Family::Moment, 0.06),
    kind(Fault::AllCut, "all-cut", "N1 N2", Family::Moment, 0.03),
    kind(Fault::HalfCut, "half-cut", "V27", Family::Moment, 0.03),
    kind(Fault::VenueCancels, "venue-cancels", "V25 V28", Family::Moment, 0.03),
    kind(Fault::VenueForgets, "venue-forgets", "V23", Family::Moment, 0.02),
    kind(Fault::SessionExpired, "session-expired", "V29", Family::Moment, 0.01),
    kind(Fault::ForeignOrder, "foreign-order", "V31", Family::Moment, 0.004),
    kind(Fault::Deposited, "deposited", "V32", Family::Moment, 0.01),
    kind(Fault::TierCut, "tier-cut", "V35", Family::Moment, 0.005),
    kind(Fault::Killed, "killed", "H1", Family::Moment, 0.02),
    kind(Fault::KilledAfterRequest, "killed-after-request", "H1", Family::Moment, 0.02),
    kind(Fault::KilledBeforeRequest, "killed-before-request", "H1", Family::Moment, 0.02),
    kind(Fault::KilledBetween, "killed-between", "H1", Family::Moment, 0.03),
    kind(Fault::ClockStepped, "clock-stepped", "T1", Family::Moment, 0.01),
    kind(Fault::TailLost, "tail-lost", "D5 D7", Family::Moment, 0.01),
    kind(Fault::JournalLost, "journal-lost", "D7 D8", Family::Moment, 0.002),
    kind(Fault::Drained, "drained", "P4", Family::Moment, 0.01),
    kind(Fault::KillSwitch, "kill-switch", "P2", Family::Moment, 0.004),
    kind(Fault::SignerStopped, "signer-stopped", "P8", Family::Moment, 0.004),
    kind(Fault::DiskFull, "disk-full", "D1 D2 D8", Family::Span, 0.02),
    kind(Fault::DiskSlow, "disk-slow", "D3 D4", Family::Span, 0.05),
    kind(Fault::RolledBack, "rolled-back", "V24", Family::Moment, 0.01),
    kind(Fault::Depegged, "depegged", "M8", Family::Span, 0.01),
    kind(Fault::StableDepegged, "stable-depegged", "M8", Family::Span, 0.01),
    kind(Fault::ChainClock, "chain-clock", "C3 M9", Family::Span, 0.03),
    kind(Fault::SyncFails, "sync-fails", "D2 D8", Family::Moment, 0.004),
    kind(Fault::Crowded, "crowded", "V15", Family::Request, 0.5),
    kind(Fault::Unsubscribed, "unsubscribed", "N16", Family::Request, 0.3),
    kind(Fault::OddStatus, "odd-status", "V33", Family::Reply, 0.2),
    kind(Fault::Deactivated, "deactivated", "V26", Family::Span, 0.02),
    kind(Fault::KeyLost, "key-lost", "V30", Family::Span, 0.004),
    kind(Fault::AccountDisabled, "account-disabled", "V34", Family::Span, 0.004),
    kind(Fault::BookLocked, "book-locked", "M5", Family::Span, 0.03),
    kind(Fault::VolOff, "vol-off", "M6", Family::Span, 0.02),
    kind(Fault::ForwardBelow, "forward-below", "M7", Family::Span, 0.02),
    kind(Fault::RatesExtreme, "rates-extreme", "M14", Family::Span, 0.03),
    kind(Fault::DustTaker, "dust-taker", "M12", Family::Span, 0.03),
    kind(Fault::ClockDrifts, "clock-drifts", "T2", Family::Moment, 0.02),
    kind(Fault::Swept, "swept", "M13", Family::Moment, 0.1),
    kind(Fault::Sniped, "sniped", "M11", Family::Moment, 2.0),
    kind(Fault::ResumedEarly, "resumed-early", "P3", Family::Moment, 0.3),
    kind(Fault::Contradicted, "contradicted", "P4", Family::Moment, 0.006),
    kind(Fault::TightenedToZero, "tightened-to-zero", "P5", Family::Moment, 0.004),
    kind(Fault::StoppedInOrder, "stopped-in-order", "H2", Family::Moment, 0.008),
];

impl Fault {
    /// What there is to know about it.
    pub const fn kind(self) -> &'static Kind {
        &CATALOGUE[self as usize]
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.kind().name
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Fault> {
        CATALOGUE.iter().find(|kind| kind.name == name).map(|kind| kind.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_in_its_own_row() {
        for (place, row) in CATALOGUE.iter().enumerate() {
            assert_eq!(row.fault as usize, place, "{}", row.name);
            assert_eq!(Fault::named(row.name), Some(row.fault));
        }
    }
}
