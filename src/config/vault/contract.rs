//! `[vault.v2]`: the contract that owns a vault's subaccount on v2 and signs for it, as it must be found on chain.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;

use super::bounds;
use crate::base::num::{Cash, Ratio};
use crate::base::time::SEC;
use crate::config::read::{Absent, Bps, Field, Notes, Rule, Section, Span, Spec};
use crate::config::sections::{path, path_rule, url_rule};
use crate::config::shape::{ContractSigning, CoveredCallTerms, FeedRefresh, PresignTerms, Strategy, V2Contract};
use crate::config::text::{Url, address, show_address};
use crate::derive::dialect::{Address, Dialect, V2_MAINNET, V2_TESTNET};

const RPC: Spec = ("rpc_url", "JSON-RPC endpoint of that network; shown without its path");
const CONTRACT: Spec = ("contract_address", "the vault's contract, which owns its subaccount");
const WRAPPED: Spec = ("wrapped_asset_address", "wrapped collateral, as the exchange names it");
const SIGNING: Spec =
    ("signing", "pre-sign: a transaction before each order or execution; atomic: inside the settlement of each fill");
const EXECUTOR: Spec = ("executor_address", "the exchange's atomic signing executor, a submitter of the contract");
const GAS_KEY: Spec = (
    "gas_key_file",
    "file with the listed key that sends the transactions; the session key, with signer.isolation = \"thread\", unless given",
);
const GAS: Spec = ("gas_balance_min_eth", "least that key holds to pay for signatures");
const WITHIN: Spec = ("sign_within_ms", "an order not signed in this time is given up");
const BLOCK: Spec = ("block_ms", "time between two blocks there");
const COST: Spec =
    ("signature_cost_usdc", "gas of one signature; what a new price must gain, beside being off the book");
const SIGN_GAS: Spec = ("signature_gas", "gas a signature may use");
const PRICE: Spec = ("gas_price_max_gwei", "most paid per gas");
const TIP: Spec = ("gas_tip_gwei", "of it to the block's builder at first");
const IDLE: Spec = ("idle_blocks_max", "blocks a signature may outlive its order before it is revoked");
const SUBMIT: Spec =
    ("submit_feeds", "whether the engine brings the collateral's feed newer prices, signed by the oracle");
const FEED_AGE: Spec = ("feed_age_max_bps", "share of its heartbeat after which that feed is brought a newer price");
const FEED_PAUSE: Spec = ("feed_pause_s", "least time between two prices asked for to be brought there");
const SIGNATURE_MIN: Spec = ("signature_min_s", "shortest life of a signature there");
const SIGNATURE_MAX: Spec = ("signature_max_s", "longest life of a signature there");
const VOL: Spec = ("vol_factor_x", "factor on volatility before an option is priced there");
const DELTA: Spec = ("delta_max", "highest delta sold there");
const CASH: Spec = ("cash_min_usdc", "cash below which nothing is sold or withdrawn there");
const LIFE_MIN: Spec = ("life_min_s", "shortest life of an option sold there");
const LIFE_MAX: Spec = ("life_max_s", "longest life of an option sold there");
const FEE: Spec = ("fee_max_bps", "highest fee signed for there, as a share of the collateral's price");
const LENIENCY: Spec = ("leniency_x", "how far a swap may overshoot the cash balance there");
const SELL: Spec = ("sell_discount_max_bps", "furthest below its price collateral is sold there");
const BUY: Spec = ("buy_premium_max_bps", "furthest above its price collateral is bought there");

/// The venue takes no order whose signature ends sooner, and ends those that rest then.
const VENUE_LIFE_NS: u64 = 300 * SEC;
/// Left of a signature's life beyond that when it is made, at least.
const SPARE_NS: u64 = 10 * SEC;

/// When the contract signs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Before,
    Atomic,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Before => "pre-sign",
            Mode::Atomic => "atomic",
        })
    }
}

/// The section, field by field.
pub(in crate::config) struct ContractDraft {
    pub(in crate::config) network: Field<&'static str>,
    rpc: Field<Url>,
    pub(in crate::config) contract: Field<Address>,
    wrapped: Field<Address>,
    mode: Field<Mode>,
    executor: Option<Field<Address>>,
    before: Option<Before>,
    /// Of a covered-call vault.
    pub(super) call: Option<Call>,
}

/// What signing before anything leaves needs.
struct Before {
    gas_key: Field<PathBuf>,
    gas: Field<Cash>,
    within: Field<Span>,
    block: Field<Span>,
    cost: Field<Cash>,
    sign_gas: Field<i64>,
    price: Field<Cash>,
    tip: Field<Cash>,
    idle: Field<i64>,
    refresh: Option<Refresh>,
}

/// When the collateral's feed is brought a newer price.
struct Refresh {
    age: Field<i64>,
    pause: Field<Span>,
}

/// What a covered-call vault's contract signs for.
pub(super) struct Call {
    pub(super) signature: [Field<Span>; 2],
    pub(super) vol: Field<Ratio>,
    pub(super) delta: Field<Ratio>,
    pub(super) cash: Field<Cash>,
    pub(super) life: [Field<Span>; 2],
    pub(super) fee: Field<Bps>,
    pub(super) leniency: Field<Ratio>,
    pub(super) sell: Field<Bps>,
    pub(super) buy: Field<Bps>,
}

fn share(section: &Section<'_>, spec: Spec, range: [i64; 2], default: i64) -> Field<Ratio> {
    let range = Ratio::from_bps(range[0])..=Ratio::from_bps(range[1]);
    section.decimal(spec, "", range, Some(Ratio::from_bps(default)))
}

/// A thousandth of a unit.
const MILLI: i128 = 1_000_000_000_000_000;

fn milli(thousandths: i128) -> Cash {
    Cash::from_raw(thousandths * MILLI)
}

impl Before {
    fn read(s: &Section<'_>) -> Before {
        let gwei = |spec, default| s.decimal(spec, "gwei", Cash::ZERO..=Cash::whole(10_000), Some(milli(default)));
        Before {
            gas_key: s.text(GAS_KEY, path_rule("path of a plain file with mode 0600 or 0400", Absent::Fine), path),
            gas: s.decimal(GAS, "ETH", Cash::ZERO..=Cash::whole(100), Some(milli(10))),
            within: s.ms(WITHIN, 1_000..=120_000, 20_000),
            block: s.ms(BLOCK, 100..=60_000, 2_000),
            cost: s.decimal(COST, "USDC", Cash::ZERO..=Cash::whole(1_000), Some(milli(50))),
            sign_gas: s.integer(SIGN_GAS, "", 100_000..=30_000_000, Some(2_000_000)),
            price: gwei(PRICE, 10_000),
            tip: gwei(TIP, 1),
            idle: s.integer(IDLE, "", 1..=1_000, Some(15)),
            refresh: Refresh::read(s),
        }
    }

    fn build(&self) -> Option<PresignTerms> {
        // One gwei is 10^9 wei, one unit of the decimal 10^18.
        let wei = |gwei: Cash| gwei.raw().unsigned_abs() / 1_000_000_000;
        Some(PresignTerms {
            gas_key_file: self.gas_key.value.clone(),
            gas_balance_min: self.gas.value?,
            sign_within_ns: self.within.value?.0,
            block_ns: self.block.value?.0,
            signature_cost: self.cost.value?,
            sign_gas: self.sign_gas.value?.unsigned_abs(),
            gas_price_wei_max: wei(self.price.value?),
            gas_tip_wei: wei(self.tip.value?),
            idle_blocks_max: self.idle.value?.unsigned_abs(),
            refresh: match &self.refresh {
                Some(refresh) => Some(refresh.build()?),
                None => None,
            },
        })
    }
}

impl Refresh {
    /// None unless it is wanted.
    fn read(s: &Section<'_>) -> Option<Refresh> {
        let wanted = s.boolean(SUBMIT, false).value == Some(true);
        wanted.then(|| Refresh {
            age: s.integer(FEED_AGE, "bps", 1_000..=9_500, Some(6_000)),
            pause: s.seconds(FEED_PAUSE, 2..=3_600, 15),
        })
    }

    fn build(&self) -> Option<FeedRefresh> {
        Some(FeedRefresh { age_bps_max: self.age.value?.unsigned_abs(), pause_ns: self.pause.value?.0 })
    }
}

impl Call {
    /// Defaults are those of the contracts' own deployment; ranges end where an owner's rights end.
    fn read(s: &Section<'_>) -> Call {
        let cash = Cash::whole(-100_000)..=Cash::ZERO;
        let call = Call {
            signature: [s.seconds(SIGNATURE_MIN, 60..=310, 60), s.seconds(SIGNATURE_MAX, 310..=1_800, 900)],
            vol: share(s, VOL, [1, 10_000], 8_000),
            delta: share(s, DELTA, [1, 4_999], 2_000),
            cash: s.decimal(CASH, "USDC", cash, Some(Cash::whole(-100_000))),
            life: [s.seconds(LIFE_MIN, 3_600..=2_592_000, 518_400), s.seconds(LIFE_MAX, 3_600..=2_592_000, 691_200)],
            fee: s.bps(FEE, 0..=500, 100),
            leniency: share(s, LENIENCY, [10_000, 12_000], 10_500),
            sell: s.bps(SELL, 0..=2_000, 150),
            buy: s.bps(BUY, 0..=2_000, 150),
        };
        call.life[0].at_most(&call.life[1], "no option could be sold", s.notes);
        call
    }

    fn build(&self) -> Option<CoveredCallTerms> {
        let seconds = |field: &Field<Span>| field.value.map(|Span(ns)| ns / SEC);
        let ratio = |field: &Field<Bps>| field.value.map(Bps::ratio);
        let off = |ratio: Ratio| Ratio::from_raw(Ratio::ONE.raw() - ratio.raw());
        let above = |ratio: Ratio| Ratio::from_raw(Ratio::ONE.raw() + ratio.raw());
        Some(CoveredCallTerms {
            signature_s_min: seconds(&self.signature[0])?,
            signature_s_max: seconds(&self.signature[1])?,
            vol_factor: self.vol.value?,
            delta_max: self.delta.value?,
            cash_min: self.cash.value?,
            life_s_min: seconds(&self.life[0])?,
            life_s_max: seconds(&self.life[1])?,
            fee_max: ratio(&self.fee)?,
            leniency: self.leniency.value?,
            worst_sell: off(ratio(&self.sell)?),
            worst_buy: above(ratio(&self.buy)?),
        })
    }
}

/// Reads the section, if it is given.
pub(super) fn read(section: Section<'_>, strategy: Strategy) -> Option<ContractDraft> {
    if !section.is_given() {
        return None;
    }
    let s = &section;
    let place = |spec, absent| {
        let allowed = "0x and 40 hexadecimal digits".to_owned();
        s.text(spec, Rule { unit: "", allowed, absent, show: show_address }, address)
    };
    let networks = [V2_MAINNET.name, V2_TESTNET.name].map(|name| (name, name));
    let modes = [Mode::Before, Mode::Atomic].map(|mode| (mode.to_string(), mode));
    let modes: Vec<(&str, Mode)> = modes.iter().map(|(name, mode)| (name.as_str(), *mode)).collect();
    let default = if strategy == Strategy::Delta1Basis { Mode::Atomic } else { Mode::Before };
    let mode = s.choice(SIGNING, &modes, Some(default));
    let atomic = mode.value == Some(Mode::Atomic);
    let draft = ContractDraft {
        network: s.choice(("network", "network of the contract"), &networks, None),
        rpc: s.text(RPC, url_rule("https", "http", Absent::Refused), |text| Url::read(text, "https", "http", true)),
        contract: place(CONTRACT, Absent::Refused),
        wrapped: place(WRAPPED, Absent::Refused),
        executor: atomic.then(|| place(EXECUTOR, Absent::Refused)),
        before: (mode.value == Some(Mode::Before)).then(|| Before::read(s)),
        call: (strategy == Strategy::Harvest).then(|| Call::read(s)),
        mode,
    };
    draft.check_strategy(strategy, s.notes);
    section.finish();
    Some(draft)
}

impl ContractDraft {
    /// Not every strategy's orders can be put to a contract.
    fn check_strategy(&self, strategy: Strategy, notes: &RefCell<Notes>) {
        let (what, allowed) = match (strategy, self.mode.value) {
            (Strategy::SafeHarvest | Strategy::Maxi | Strategy::Bull, Some(Mode::Atomic)) => {
                ("private/execute_quote has no way to ask for it", "\"pre-sign\" for a vault that trades by RFQ")
            }
            (Strategy::Delta1Basis, Some(Mode::Before)) => {
                ("a hedge cannot wait for a block, nor a bid rest beside it", "\"atomic\" for a delta1-basis vault")
            }
            _ => return,
        };
        self.mode.refuse(what, allowed, notes);
    }

    /// True if it judges inside the settlement of each fill, by the whole amount of its order.
    pub(super) fn judges_fills(&self) -> bool {
        self.mode.value == Some(Mode::Atomic)
    }

    /// Orders live long enough to be signed first, and are renewed before the venue ends them.
    pub(super) fn check_life(&self, limits: &bounds::Fields, refresh: &Field<Span>, notes: &RefCell<Notes>) {
        let within = self.before.as_ref().and_then(|before| before.within.value).unwrap_or(Span(0));
        let least = Span(VENUE_LIFE_NS + SPARE_NS + within.0);
        if let Some(life) = limits.order_life.value.filter(|life| life.0 < least.0) {
            let what = format!("{life} are over before an order is signed: the venue wants 300 s of them");
            limits.order_life.refuse(what, format!("at least {least}"), notes);
        }
        let early = Span(VENUE_LIFE_NS + SPARE_NS);
        if let Some(ends) = refresh.value.filter(|ends| ends.0 < early.0) {
            let what = format!("{ends} before its signature's end the venue has ended an order: it does so at 300 s");
            refresh.refuse(what, format!("at least {early}"), notes);
        }
    }

    /// A process that holds the session key signs no transactions: another key must.
    pub(in crate::config) fn check_key(&self, isolated: bool, notes: &RefCell<Notes>) {
        if let Some(before) = self.before.as_ref().filter(|before| isolated && before.gas_key.value.is_none()) {
            let what = "not given, and with signer.isolation = \"process\" the session key signs no transactions";
            before.gas_key.refuse(what, "a file with another key the contract lists, or isolation = \"thread\"", notes);
        }
    }

    /// A descriptor gives its passphrase once, to the session key; the key that pays is opened by the same passphrase.
    pub(in crate::config) fn check_descriptor(&self, notes: &RefCell<Notes>) {
        if self.before.is_some() {
            let what = "with wallet.passphrase_fd, which can be read once, and the key that pays is opened too";
            self.mode.refuse(what, "wallet.passphrase_file beside signing = \"pre-sign\"", notes);
        }
    }

    /// The contract, if every field was sound.
    pub(in crate::config) fn build(&self) -> Option<V2Contract> {
        let signing = match (&self.before, &self.executor) {
            (Some(before), _) => ContractSigning::Before(before.build()?),
            (None, Some(executor)) => ContractSigning::Atomic { executor: executor.value? },
            (None, None) => return None,
        };
        let terms = match &self.call {
            Some(call) => Some(call.build()?),
            None => None,
        };
        Some(V2Contract {
            dialect: Dialect::named(self.network.value?)?,
            rpc_url: self.rpc.value.clone()?,
            address: self.contract.value?,
            wrapped_asset: self.wrapped.value?,
            signing,
            terms,
        })
    }
}
