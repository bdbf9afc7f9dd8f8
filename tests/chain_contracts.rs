//! The committed contracts are built from the committed sources.

use keel::chain::abi;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use alloy::primitives::keccak256;
use alloy::sol_types::SolCall;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/contracts")
}

fn artifacts() -> BTreeMap<String, Value> {
    let files = fs::read_dir(folder().join("artifacts")).expect("artifacts are committed");
    let read = |path: PathBuf| serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON");
    files
        .map(|file| file.expect("readable").path())
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), read(path)))
        .collect()
}

/// As `compile.mjs` hashes them.
fn source_hash() -> String {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("sources are committed")
        .map(|file| file.expect("readable").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".sol"))
        .collect();
    names.sort();
    names.push("compile.mjs".to_owned());
    let mut hash = Sha256::new();
    for name in names {
        let text = fs::read(folder().join(&name)).expect("readable");
        hash.update(format!("{name}\n{}\n", text.len()));
        hash.update(&text);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn artifacts_are_built_from_these_sources() {
    let artifacts = artifacts();
    let names = [
        "AtomicExecutor",
        "BasisSigner",
        "Books",
        "Feed",
        "MandateSigner",
        "Matching",
        "OracleFeed",
        "PackageSigner",
        "SpreadSigner",
        "Token",
        "Wrapper",
    ];
    assert_eq!(artifacts.keys().collect::<Vec<_>>(), names);
    for (name, artifact) in artifacts {
        assert_eq!(artifact["contract"], name);
        assert_eq!(artifact["source_sha256"], source_hash(), "{name} is stale: run tools/contracts/build");
        assert!(artifact["compiler"].as_str().is_some_and(|version| version.starts_with("0.8.27+")), "{name}");
    }
}

/// `name(type,…)` of a function, tuples written out.
fn signature(function: &Value) -> String {
    fn kind(input: &Value) -> String {
        let name = input["type"].as_str().expect("a type");
        match name.strip_prefix("tuple") {
            Some(rest) => format!("({}){rest}", kinds(&input["components"])),
            None => name.to_owned(),
        }
    }
    fn kinds(inputs: &Value) -> String {
        inputs.as_array().expect("inputs").iter().map(kind).collect::<Vec<_>>().join(",")
    }
    format!("{}({})", function["name"].as_str().expect("a name"), kinds(&function["inputs"]))
}

#[test]
fn contracts_offer_every_function_keel_calls_on_a_vault() {
    let artifacts = artifacts();
    let abi = artifacts["MandateSigner"]["abi"].as_array().expect("an interface");
    let offered: Vec<String> = abi.iter().filter(|item| item["type"] == "function").map(signature).collect();
    let called = [
        abi::VaultSigner::signActionDataCall::SIGNATURE,
        abi::LegacyVaultSigner::signActionDataCall::SIGNATURE,
        abi::VaultSigner::revokeSignatureCall::SIGNATURE,
        abi::VaultSigner::getActionTypedDataHashCall::SIGNATURE,
        abi::VaultSigner::isValidSignatureCall::SIGNATURE,
        abi::VaultSigner::signedDataCall::SIGNATURE,
        abi::VaultSigner::lastSeenHashCall::SIGNATURE,
        abi::VaultSigner::isSignerCall::SIGNATURE,
        abi::VaultSigner::isSubmitterCall::SIGNATURE,
        abi::VaultSigner::signaturesDisabledCall::SIGNATURE,
        abi::VaultSigner::isBlockedCall::SIGNATURE,
        abi::VaultSigner::subAccountCall::SIGNATURE,
        abi::VaultSigner::getBaseTSAAddressesCall::SIGNATURE,
        abi::VaultSigner::getCollateralManagementParamsCall::SIGNATURE,
        abi::VaultSigner::getCCTSAParamsCall::SIGNATURE,
        abi::VaultSigner::getSubAccountStatsCall::SIGNATURE,
        abi::VaultSigner::getBasePriceCall::SIGNATURE,
        abi::VaultShares::processDepositsCall::SIGNATURE,
        abi::VaultShares::processWithdrawalRequestsCall::SIGNATURE,
        abi::VaultShares::collectFeeCall::SIGNATURE,
        abi::VaultShares::getAccountValueCall::SIGNATURE,
        abi::VaultShares::getSharesValueCall::SIGNATURE,
        abi::VaultShares::getTSAParamsCall::SIGNATURE,
        abi::VaultShares::shareKeeperCall::SIGNATURE,
        abi::Bound::getPPTSAParamsCall::SIGNATURE,
        abi::Bound::getLBTSAParamsCall::SIGNATURE,
        abi::Bound::getCCTSAAddressesCall::SIGNATURE,
        abi::Bound::getPPTSAAddressesCall::SIGNATURE,
        abi::Bound::getLBTSAAddressesCall::SIGNATURE,
    ];
    for wanted in called {
        assert!(offered.iter().any(|name| name == wanted), "no {wanted}");
    }
}

#[test]
fn every_error_of_the_contracts_has_a_name_here() {
    let known = |name: &str| {
        let hash = keccak256(format!("{name}()"));
        keel::chain::refusal::Refusal::decode(&hash[..4]).to_string()
    };
    for (contract, artifact) in artifacts() {
        for item in artifact["abi"].as_array().expect("an interface") {
            let name = item["name"].as_str().unwrap_or_default();
            // The two that guard what only the tests' owner may set.
            if item["type"] == "error" && !matches!(name, "OnlyOwner" | "OnlyAdmin") {
                assert_eq!(known(name), name, "{contract}");
            }
        }
    }
}
