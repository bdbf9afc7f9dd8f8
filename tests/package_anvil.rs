//! Vaults that trade spreads by RFQ on v2, engine and exchange over real sockets and the vault's contract on a real chain:
//! anvil, where `tools/evm/install` has put it; skipped, and said so, where it has not.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn anvil() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("below the build folder");
    let path = target.join("evm/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
    if !path.exists() {
        // Not by the macro: what that prints of a passing test is not shown.
        let _ = writeln!(std::io::stderr(), "SKIPPED: no {}; tools/evm/install puts it there", path.display());
        return None;
    }
    Some(path)
}

/// The numbers of the line that holds these words.
fn numbers(said: &str, words: &str) -> Vec<u32> {
    let line = said.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no {words}:\n{said}"));
    line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Runs the auction; every execution that the venue took was signed and settled. How many there were: in half a minute
/// of a live market it can happen that no dealer comes below the limit.
fn executions(vault: &str, anvil: &Path) -> u32 {
    let folder = tempfile::tempdir().expect("a folder");
    let run = Command::new(env!("CARGO_BIN_EXE_keel"))
        .args(["demo", "--vault", vault, "--dialect", "v2", "--seconds", "30", "--json", "--anvil"])
        .arg(anvil)
        .arg("--state")
        .arg(folder.path().join("state"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{:?}\n{said}\n{}", run.status, String::from_utf8_lossy(&run.stdout));
    let [taken, signed] = numbers(&said, "the venue took")[..] else { panic!("{said}") };
    let [legs, settled] = numbers(&said, "settled on chain")[..] else { panic!("{said}") };
    assert!(signed >= taken, "{said}");
    assert_eq!((legs, settled), (2 * taken, 2 * taken), "{said}");
    taken
}

fn every_execution_is_signed(vault: &str) {
    let Some(anvil) = anvil() else { return };
    assert!((0..3).any(|_| executions(vault, &anvil) > 0), "three auctions, and not one execution");
}

#[test]
fn put_spreads_are_sold_as_the_contract_signs_for_each() {
    every_execution_is_signed("maxi");
}

#[test]
fn call_spreads_are_bought_as_the_contract_signs_for_each() {
    every_execution_is_signed("bull");
}
