//! What an operator may tell a running engine, and by which rules. Words are read here and become commands; nothing here
//! reaches past the lane that risk hears them on.
//!
//! Everything tightens: a pause, a drain, a kill and a smaller limit are always taken. A resume is taken only for what a
//! person may judge; where the engine has caught itself in a fault, only a restart helps.

pub mod client;
mod socket;

use serde::{Deserialize, Serialize};
pub use socket::{make_folder, serve};

use crate::base::ids::VaultId;
use crate::base::num::{Amount, Cash, Ratio};
use crate::chain::keeper::standing::Standing as Keeping;
use crate::msg::{Command, Mode, Tighter};
use crate::ops::blueprint::vault_id;
use crate::ops::news::{News, VaultNews};
use crate::risk::limits::Mandate;
use crate::risk::tighten::Kept;

/// What an operator asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The challenge of this connection: a line recorded on another is worth nothing.
    pub challenge: String,
    /// What to do.
    pub verb: Verb,
    /// Which vault; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
    /// Which limit to tighten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// To what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// How things stand.
    #[default]
    Status,
    /// Cancel everything, take no new risk until resumed.
    Pause,
    /// The same until a restart.
    Drain,
    /// Trade again.
    Resume,
    /// Cancel everything, send nothing but cancels until a restart.
    Kill,
    /// Make a limit tighter.
    Tighten,
}

/// How a vault stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub vault: String,
    /// `starting`, `live`, `drain` or `halted`.
    pub mode: String,
    /// Only a restart lets it trade again.
    pub demands_restart: bool,
    /// Orders that are live or of unknown fate.
    pub orders: u8,
    /// An RFQ is open.
    pub asking: bool,
    /// Base held.
    pub base: String,
    /// Perp position.
    pub perp: String,
    /// Cash.
    pub cash: String,
    /// Snapshots of the venue that agreed so far.
    pub reconciled: u64,
    /// Why a person should look, the newest last; at most eight.
    pub alarms: Vec<String>,
    /// How the keeping of its shares stands, if they are kept, with its last alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<String>,
}

/// What an operator hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Taken; false if refused.
    pub ok: bool,
    /// Seen to have taken effect.
    pub done: bool,
    /// In words.
    pub said: String,
    /// How the vaults asked about stand.
    pub vaults: Vec<Standing>,
}

impl Reply {
    fn refused(said: impl Into<String>) -> Reply {
        Reply { ok: false, done: false, said: said.into(), vaults: Vec::new() }
    }
}

/// Alarms shown of a vault.
const ALARMS: usize = 8;
/// Limits that can be tightened while running; which of them a vault has depends on its kind.
const TIGHTENED: [&str; 11] = [
    "quote_amount_max_base",
    "option_amount_max_contracts",
    "collateral_amount_max_base",
    "notional_max_usdc",
    "borrow_max_usdc",
    "fills_per_minute_max",
    "mark_offset_max_bps",
    "loss_ema_max_bps",
    "drawdown_max_bps",
    "loss_per_hour_max_bps",
    "loss_per_day_max_bps",
];

/// The rules.
pub struct Console {
    vaults: Vec<(String, Mandate)>,
}

/// What a request comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Orders {
    /// To be sent.
    pub commands: Vec<Command>,
    /// Vaults asked about.
    pub places: Vec<usize>,
    /// In words.
    pub said: String,
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Starting => "starting",
        Mode::Live => "live",
        Mode::Drain => "drain",
        Mode::Halted => "halted",
    }
}

impl Verb {
    /// True once a vault stands as this verb wants it.
    pub fn is_done(self, news: &VaultNews) -> bool {
        let mode = news.last.map_or(Mode::Starting, |last| last.mode);
        match self {
            Verb::Status | Verb::Tighten => true,
            Verb::Pause => matches!(mode, Mode::Drain | Mode::Halted),
            Verb::Drain => mode == Mode::Halted || news.last.is_some_and(|last| last.demands_restart),
            Verb::Resume => matches!(mode, Mode::Starting | Mode::Live),
            Verb::Kill => mode == Mode::Halted,
        }
    }
}

impl Console {
    /// For these vaults, by place, with the limits they began with.
    pub fn new(vaults: Vec<(String, Mandate)>) -> Console {
        Console { vaults }
    }

    /// What a request comes to as things stand.
    ///
    /// # Errors
    /// Why it is refused, in words.
    pub fn decide(&mut self, request: &Request, news: &News) -> Result<Orders, String> {
        let places = self.places(request.vault.as_deref())?;
        if request.verb != Verb::Tighten && (request.limit.is_some() || request.to.is_some()) {
            return Err("limit and to belong to tighten".to_owned());
        }
        let every = |command: fn(VaultId) -> Command| places.iter().map(|place| command(vault_id(*place))).collect();
        let (commands, said) = match request.verb {
            Verb::Status => (Vec::new(), "as it stands".to_owned()),
            Verb::Pause => (every(|vault| Command::Pause { vault }), "paused until resumed".to_owned()),
            Verb::Drain => (every(|vault| Command::Drain { vault }), "drained until a restart".to_owned()),
            Verb::Kill if request.vault.is_none() => (vec![Command::Kill], "halted until a restart".to_owned()),
            Verb::Kill => (every(|vault| Command::Halt { vault }), "halted until a restart".to_owned()),
            Verb::Resume => {
                self.may_resume(&places, news)?;
                (every(|vault| Command::Resume { vault }), "resumed through a reconciliation".to_owned())
            }
            Verb::Tighten => self.tighten(request, &places)?,
        };
        Ok(Orders { commands, places, said })
    }

    fn places(&self, vault: Option<&str>) -> Result<Vec<usize>, String> {
        let Some(name) = vault else { return Ok((0..self.vaults.len()).collect()) };
        let place = self.vaults.iter().position(|(known, _)| known == name);
        let known = || self.vaults.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let short: String = name.chars().take(32).collect();
        place.map(|place| vec![place]).ok_or_else(|| format!("no vault {short:?} here; there are: {}", known()))
    }

    fn may_resume(&self, places: &[usize], news: &News) -> Result<(), String> {
        for place in places {
            let last = news.vault(*place).and_then(|vault| vault.last);
            if last.is_some_and(|last| last.mode == Mode::Halted || last.demands_restart) {
                let name = &self.vaults[*place].0;
                return Err(format!("{name} resumes with a restart only: see its alarms"));
            }
        }
        Ok(())
    }

    /// All of the vaults asked about, or none.
    fn tighten(&mut self, request: &Request, places: &[usize]) -> Result<(Vec<Command>, String), String> {
        let (Some(limit), Some(to)) = (&request.limit, &request.to) else {
            return Err("tighten needs a limit and a value".to_owned());
        };
        let tighter = read_limit(limit, to)?;
        let mut tightened = self.vaults.clone();
        for place in places {
            let (name, mandate) = &mut tightened[*place];
            mandate.tighten(tighter).map_err(|kept| match kept {
                Kept::Looser => format!("{name}: {to} is looser than {limit} is now: limits tighten only, or restart"),
                Kept::Foreign => format!("{name} has no limit {limit}"),
            })?;
        }
        self.vaults = tightened;
        let commands = places.iter().map(|place| Command::Tighten { vault: vault_id(*place), to: tighter });
        Ok((commands.collect(), format!("{limit} is {to} until a restart")))
    }

    /// How vaults stand.
    pub fn standings(&self, places: &[usize], news: &News) -> Vec<Standing> {
        let vaults = places.iter().filter_map(|place| Some((&self.vaults[*place].0, news.vault(*place)?)));
        vaults.map(|(name, news)| standing(name, news)).collect()
    }
}

fn standing(name: &str, news: &VaultNews) -> Standing {
    let last = news.last.unwrap_or_default();
    let newest = news.alarms.len().saturating_sub(ALARMS);
    Standing {
        vault: name.to_owned(),
        mode: mode_name(last.mode).to_owned(),
        demands_restart: last.demands_restart,
        orders: last.live,
        asking: last.asked_at.is_some(),
        base: last.base.to_string(),
        perp: last.perp.to_string(),
        cash: last.cash.to_string(),
        reconciled: news.stats.reconciled,
        alarms: news.alarms[newest..].iter().map(|(_, alarm)| alarm.words()).collect(),
        keeper: news.keeper.as_ref().map(kept),
    }
}

fn kept(keeper: &Keeping) -> String {
    match keeper.alarms.last() {
        Some(alarm) => format!("{keeper}; its last alarm: {alarm}"),
        None => keeper.to_string(),
    }
}

/// A limit by its name in `[vault.limits]`, and a value as it is written there.
fn read_limit(limit: &str, to: &str) -> Result<Tighter, String> {
    let wrong = || format!("{:?} is no value for {limit}", to.chars().take(32).collect::<String>());
    let amount = || to.parse::<Amount>().ok().filter(|amount| !amount.is_negative()).ok_or_else(wrong);
    let cash = || to.parse::<Cash>().ok().filter(|cash| *cash >= Cash::ZERO).ok_or_else(wrong);
    let bps = || to.parse::<u16>().map(|bps| Ratio::from_bps(i64::from(bps))).map_err(|_| wrong());
    Ok(match limit {
        "quote_amount_max_base" => Tighter::QuoteAmount(amount()?),
        "option_amount_max_contracts" => Tighter::OptionAmount(amount()?),
        "collateral_amount_max_base" => Tighter::CollateralAmount(amount()?),
        "notional_max_usdc" => Tighter::Notional(cash()?),
        "borrow_max_usdc" => Tighter::Borrow(cash()?),
        "fills_per_minute_max" => Tighter::FillsPerMinute(to.parse().map_err(|_| wrong())?),
        "mark_offset_max_bps" => Tighter::MarkOffset(bps()?),
        "loss_ema_max_bps" => Tighter::LossEma(bps()?),
        "drawdown_max_bps" => Tighter::Drawdown(bps()?),
        "loss_per_hour_max_bps" => Tighter::LossPerHour(bps()?),
        "loss_per_day_max_bps" => Tighter::LossPerDay(bps()?),
        other => {
            let short: String = other.chars().take(32).collect();
            return Err(format!("{short:?} cannot be tightened while running; these can: {}", TIGHTENED.join(", ")));
        }
    })
}

#[cfg(test)]
mod tests;
