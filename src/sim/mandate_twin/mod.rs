//! The vault contracts once more, for tests, for storms and for `keel-tools mandates`: slow, with numbers that have no bounds, and
//! on another plan than the engine's replica, so that an error would have to be made twice.

pub mod actions;
pub mod number;
pub mod options;
pub mod vaults;

use crate::risk::mandate::revert::Revert;

/// Verdict of a contract on one action, of the engine's replica and of the twin, under the contracts' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// What the engine predicts; a loss average beside an acceptance where the contract keeps one.
    pub replica: Result<String, &'static str>,
    /// What the twin says.
    pub twin: Result<String, &'static str>,
}

impl Verdicts {
    /// From both answers, without a number beside the acceptance.
    fn plain(replica: Result<(), Revert>, twin: number::Said<()>) -> Verdicts {
        Verdicts { replica: replica.map(|()| String::new()).map_err(Revert::name), twin: twin.map(|()| String::new()) }
    }
}
