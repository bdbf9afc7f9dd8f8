//! An Ethereum machine in this process, with the committed contracts on it: no node, no network, no clock.

use alloy::primitives::{Address, Bytes, TxKind, U256};
use alloy::sol_types::SolCall;
use keel::chain::refusal::Refusal;
use keel::derive::dialect::V2_MAINNET;
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::context::result::{ExecutionResult, Output};
use revm::database::{CacheDB, EmptyDB};
use revm::handler::MainnetContext;
use revm::state::AccountInfo;
use revm::{Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext, MainnetEvm};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Who may set what only owners may.
pub const OWNER: Address = Address::repeat_byte(0xad);
/// The exchange's verifier, where it stands on the chain itself.
pub const MATCHING: Address = Address::new(V2_MAINNET.verifying_contract);
const GAS: u64 = 5_000_000;

type Machine = MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>;

/// The machine and its state.
pub struct Evm {
    machine: Machine,
}

fn artifact(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tools/contracts/artifacts/{name}.json"));
    serde_json::from_slice(&fs::read(path).expect("committed")).expect("JSON")
}

fn code(name: &str, which: &str) -> Bytes {
    artifact(name)[which].as_str().expect("code").parse().expect("hexadecimal")
}

impl Evm {
    /// With the verifier at its place, at this moment.
    pub fn new(now_s: u64) -> Evm {
        let mut database = CacheDB::new(EmptyDB::new());
        let verifier = Bytecode::new_raw(code("Matching", "deployed_bytecode"));
        database.insert_account_info(MATCHING, AccountInfo::from_bytecode(verifier));
        let context = Context::mainnet().with_db(database).modify_cfg_chained(|cfg| {
            cfg.chain_id = V2_MAINNET.chain_id;
            cfg.disable_nonce_check = true;
        });
        let mut evm = Evm { machine: context.build_mainnet() };
        evm.at(now_s);
        evm
    }

    /// The next block's time.
    pub fn at(&mut self, now_s: u64) {
        self.machine.ctx.block.timestamp = U256::from(now_s);
    }

    fn transaction(from: Address, kind: TxKind, data: Bytes) -> TxEnv {
        TxEnv { caller: from, gas_limit: GAS, kind, data, chain_id: None, ..TxEnv::default() }
    }

    /// Deploys a contract of ours with these encoded arguments.
    pub fn deploy(&mut self, name: &str, arguments: &[u8]) -> Address {
        let data = [code(name, "bytecode").as_ref(), arguments].concat();
        let made = self.machine.transact_commit(Evm::transaction(OWNER, TxKind::Create, data.into()));
        match made.expect("it runs") {
            ExecutionResult::Success { output: Output::Create(_, Some(place)), .. } => place,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// A transaction; what it returns, or why it reverts, in which case nothing has changed.
    pub fn send<C: SolCall>(&mut self, from: Address, to: Address, call: &C) -> Result<C::Return, Refusal> {
        let transaction = Evm::transaction(from, TxKind::Call(to), call.abi_encode().into());
        let data = outcome(self.machine.transact_commit(transaction).expect("it runs"))?;
        Ok(C::abi_decode_returns(&data).expect("as declared"))
    }

    /// What the transaction would come to; nothing changes.
    pub fn would<C: SolCall>(&mut self, from: Address, to: Address, call: &C) -> Result<C::Return, Refusal> {
        let transaction = Evm::transaction(from, TxKind::Call(to), call.abi_encode().into());
        let data = outcome(self.machine.transact(transaction).expect("it runs").result)?;
        Ok(C::abi_decode_returns(&data).expect("as declared"))
    }

    /// A transaction of the owner, who is not refused.
    pub fn tell<C: SolCall>(&mut self, to: Address, call: &C) -> C::Return {
        self.send(OWNER, to, call).unwrap_or_else(|why| panic!("{}: {why}", C::SIGNATURE))
    }

    /// Which slots of a contract this call writes these words to, each word being written to one slot only.
    pub fn slots<C: SolCall>(&mut self, to: Address, call: &C, words: &[U256]) -> Vec<U256> {
        let transaction = Evm::transaction(OWNER, TxKind::Call(to), call.abi_encode().into());
        let done = self.machine.transact(transaction).expect("it runs");
        outcome(done.result).expect("not refused");
        let written = &done.state[&to].storage;
        let slot = |word: &U256| {
            let mut slots = written.iter().filter(|(_, slot)| slot.present_value == *word);
            let found = slots.next().expect("it is written").0;
            assert!(slots.next().is_none(), "{word} is written twice");
            *found
        };
        words.iter().map(slot).collect()
    }

    /// Writes a word into a contract's storage.
    pub fn put(&mut self, place: Address, slot: U256, word: U256) {
        let database = &mut self.machine.ctx.journaled_state.database;
        database.insert_account_storage(place, slot, word).expect("it is in memory");
    }
}

fn outcome(result: ExecutionResult) -> Result<Bytes, Refusal> {
    match result {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { output, .. } => Err(Refusal::decode(&output)),
        ExecutionResult::Halt { reason, .. } => panic!("{reason:?}"),
    }
}
