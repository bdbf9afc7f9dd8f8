use super::*;
use crate::base::ids::{Nonce, SubaccountId};
use crate::derive::action::Envelope;
use alloy::primitives::{Address, B256, I256, U256, address, b256, keccak256};
use alloy::sol_types::{Eip712Domain, SolCall, SolEvent, SolStruct, SolValue, eip712_domain};

sol! {
    struct TradeData { address asset; uint256 subId; int256 limitPrice; int256 desiredAmount; uint256 worstFee; uint256 recipientId; bool isBid; }
    struct RfqTradeData { address asset; uint256 subId; uint256 price; int256 amount; }
    struct RfqOrder { uint256 maxFee; RfqTradeData[] trades; }
    struct TakerOrder { bytes32 orderHash; uint256 maxFee; }
    struct DepositData { uint256 amount; address asset; address managerForNewAccount; }
    struct WithdrawalData { address asset; uint256 assetAmount; }
}

const COVERED_CALL: Address = address!("ec68928bd83B2E52fF5A8e8c215B6ea72879F521");
const BULL: Address = address!("e48cdbe3A233Ea577c9ee6959801e7730e516d1A");
const TRADE: Address = address!("B8D20c2B7a1Ad2EE33Bc50eF10876eD3035b5e7b");
const RFQ: Address = address!("9371352CCef6f5b36EfDFE90942fFE622Ab77F1D");
const DEPOSIT: Address = address!("9B3FE5E5a3bcEa5df4E08c41Ce89C4e3Ff01Ace3");
const WITHDRAWAL: Address = address!("9d0E8f5b25384C7310CB8C6aE32C8fbeb645d083");
const OPTION: Address = address!("4BB4C3CDc7562f08e9910A0C7D8bB7e108861eB4");
const WEETH: Address = address!("F30EE744fCfd135A135E6a4e327e01d0f697e6Ec");
const MANAGER: Address = address!("28c9ddF9A3B29c2E6a561c1BC520954e5A33de5D");
const SEPARATOR: B256 = b256!("d96e5f90797da7ec8dc4e276260c7f3f87fedf68775fbe1ef116e996fc60441b");

/// Every function as the contracts' sources spell it, with the selector the deployed code answers to.
const FUNCTIONS: &[(&str, u32)] = &[
    ("signActionData((uint256,uint256,address,bytes,uint256,address,address),bytes)", 0xa39c_c91b),
    ("signActionData((uint256,uint256,address,bytes,uint256,address,address))", 0x74a5_be2d),
    ("signActionViaPermit((uint256,uint256,address,bytes,uint256,address,address),bytes,bytes)", 0xc4f1_909d),
    ("revokeActionSignature((uint256,uint256,address,bytes,uint256,address,address))", 0x6ade_ac95),
    ("revokeSignature(bytes32)", 0xc9fd_8ee8),
    ("getActionTypedDataHash((uint256,uint256,address,bytes,uint256,address,address))", 0x1ee0_37f4),
    ("isValidSignature(bytes32,bytes)", 0x1626_ba7e),
    ("isActionSigned((uint256,uint256,address,bytes,uint256,address,address))", 0x5e17_c823),
    ("signedData(bytes32)", 0x34d5_966a),
    ("isSigner(address)", 0x7df7_3e27),
    ("isSubmitter(address)", 0xa926_fdbc),
    ("signaturesDisabled()", 0x4e3a_b0dc),
    ("lastSeenHash()", 0x8043_cc18),
    ("subAccount()", 0x377e_a3f5),
    ("isBlocked()", 0xd75f_0da7),
    ("getBaseTSAAddresses()", 0x3d43_038c),
    ("getTSAParams()", 0xadd9_d6af),
    ("getCollateralManagementParams()", 0x8052_30f5),
    ("getCCTSAParams()", 0xfffc_3643),
    ("getLRTCCTSAParams()", 0x0a31_8372),
    ("getCCTSAAddresses()", 0x14b2_287f),
    ("getPPTSAParams()", 0x5ae7_dd4e),
    ("getPPTSAAddresses()", 0x8846_6ce4),
    ("getLBTSAParams()", 0x528b_c5f8),
    ("getLBTSAAddresses()", 0xb349_97a6),
    ("getLBTSAEmaValues()", 0xacde_1759),
    ("getTradeHelperVars(address)", 0x4e9a_c3b8),
    ("getSubAccountStats()", 0xc3d5_ce56),
    ("getBasePrice()", 0xb49f_4afd),
    ("getAccountValue(bool)", 0xbd4d_d391),
    ("getSharesValue(uint256)", 0xdea0_e746),
    ("getNumShares(uint256)", 0x855c_b21b),
    ("totalPendingDeposits()", 0x0a88_1082),
    ("totalPendingWithdrawals()", 0xa456_3e03),
    ("totalSupply()", 0x1816_0ddd),
    ("queuedDeposit(uint256)", 0x8210_d616),
    ("queuedWithdrawal(uint256)", 0xdc82_bcbf),
    ("initiateDeposit(uint256,address)", 0x4b9b_708b),
    ("processDeposit(uint256)", 0x0cc2_055a),
    ("processDeposits(uint256[])", 0x2dd2_f137),
    ("requestWithdrawal(uint256)", 0x9ee6_79e8),
    ("processWithdrawalRequests(uint256)", 0xe1be_ce85),
    ("collectFee()", 0xd4d5_d32a),
    ("shareKeeper(address)", 0xf34e_dc47),
    ("lastFeeCollected()", 0x7502_90da),
    ("setSigner(address,bool)", 0x31cb_6105),
    ("setSubmitter(address,bool)", 0x96fb_dc99),
    ("setSignaturesDisabled(bool)", 0x802e_1d6d),
    ("registerSessionKey(address,uint256)", 0x47a9_0d44),
    ("deregisterSessionKey(address)", 0xd8ef_ddfc),
    ("sessionKeys(address,address)", 0x96ad_e1f9),
    ("domainSeparator()", 0xf698_da25),
    ("getActionHash((uint256,uint256,address,bytes,uint256,address,address))", 0xef81_7240),
    ("subAccountToOwner(uint256)", 0x63f1_ddaa),
    ("tradeExecutors(address)", 0xc8c4_e0b2),
    ("allowedModules(address)", 0x8ba5_a0c2),
    ("verifyAndMatch((uint256,uint256,address,bytes,uint256,address,address)[],bytes[],bytes)", 0x74d9_06c3),
    (
        "atomicVerifyAndMatch((uint256,uint256,address,bytes,uint256,address,address)[],bytes[],bytes,(bool,bytes)[])",
        0xdae3_9156,
    ),
    ("filled(address,uint256)", 0x79ca_d619),
    ("seenNonces(address,uint256)", 0x1ef8_1406),
    ("usedNonces(address,uint256)", 0x6a8a_6894),
    ("getAccountBalances(uint256)", 0xc756_9701),
    ("getBalance(uint256,address,uint256)", 0x0806_e640),
    ("calculateBalanceWithInterest(uint256)", 0x77df_2e81),
    ("temporaryWithdrawFeeEnabled()", 0x71ec_ebe8),
    ("getMarginAndMarkToMarket(uint256,bool,uint256)", 0x6691_bc04),
    ("getMargin(uint256,bool)", 0x623b_b445),
    ("assetDetails(address)", 0xd214_15a3),
    ("getMarketFeeds(uint256)", 0xa953_71a4),
    ("settlePerpsWithIndex(uint256)", 0x5d93_5799),
    ("settleOptions(address,uint256)", 0x31a7_e4d9),
    ("getSpot()", 0x2b37_269c),
    ("getVol(uint128,uint64)", 0x9615_9550),
    ("getForwardPrice(uint64)", 0xb34f_2e36),
    ("getForwardPricePortions(uint64)", 0x80f1_d266),
    ("getSettlementPrice(uint64)", 0xf395_437d),
    ("heartbeat()", 0x3def_b962),
    ("getPerpPrice()", 0x90f7_6b18),
    ("getIndexPrice()", 0x58c0_994a),
    ("getFundingRate()", 0x9519_6f7e),
    ("getUnsettledAndUnrealizedCash(uint256)", 0x7a4c_2c3a),
    ("isAuctionLive(uint256)", 0xc900_8b43),
    ("getIsWithdrawBlocked()", 0x13c5_592f),
];

/// Standard token functions, whose selectors everyone knows.
const TOKEN: &[(&str, u32)] =
    &[("balanceOf(address)", 0x70a0_8231), ("allowance(address,address)", 0xdd62_ed3e), ("decimals()", 0x313c_e567)];

fn bound<C: SolCall>() -> (&'static str, [u8; 4]) {
    (C::SIGNATURE, C::SELECTOR)
}

#[test]
fn the_table_of_selectors_is_what_its_signatures_hash_to() {
    for (signature, selector) in FUNCTIONS.iter().chain(TOKEN) {
        assert_eq!(keccak256(signature)[..4], selector.to_be_bytes(), "{signature}");
    }
}

#[test]
fn every_bound_function_is_in_the_table_of_selectors() {
    let functions = [
        bound::<VaultSigner::signActionDataCall>(),
        bound::<LegacyVaultSigner::signActionDataCall>(),
        bound::<VaultSigner::revokeSignatureCall>(),
        bound::<VaultSigner::getActionTypedDataHashCall>(),
        bound::<VaultSigner::isValidSignatureCall>(),
        bound::<VaultSigner::signedDataCall>(),
        bound::<VaultSigner::lastSeenHashCall>(),
        bound::<VaultSigner::isSignerCall>(),
        bound::<VaultSigner::isSubmitterCall>(),
        bound::<VaultSigner::signaturesDisabledCall>(),
        bound::<VaultSigner::isBlockedCall>(),
        bound::<VaultSigner::subAccountCall>(),
        bound::<VaultSigner::getBaseTSAAddressesCall>(),
        bound::<VaultSigner::getCollateralManagementParamsCall>(),
        bound::<VaultSigner::getCCTSAParamsCall>(),
        bound::<VaultSigner::getSubAccountStatsCall>(),
        bound::<VaultSigner::getBasePriceCall>(),
        bound::<Matching::domainSeparatorCall>(),
        bound::<Matching::subAccountToOwnerCall>(),
        bound::<Matching::allowedModulesCall>(),
        bound::<Matching::verifyAndMatchCall>(),
        bound::<SpotFeed::heartbeatCall>(),
        bound::<Bound::getCCTSAAddressesCall>(),
        bound::<Bound::getPPTSAAddressesCall>(),
        bound::<Bound::getLBTSAAddressesCall>(),
        bound::<Bound::getPPTSAParamsCall>(),
        bound::<Bound::getLBTSAParamsCall>(),
        bound::<VaultShares::processDepositsCall>(),
        bound::<VaultShares::processWithdrawalRequestsCall>(),
        bound::<VaultShares::collectFeeCall>(),
        bound::<VaultShares::shareKeeperCall>(),
        bound::<VaultShares::totalPendingDepositsCall>(),
        bound::<VaultShares::totalPendingWithdrawalsCall>(),
        bound::<VaultShares::totalSupplyCall>(),
        bound::<VaultShares::getAccountValueCall>(),
        bound::<VaultShares::getSharesValueCall>(),
        bound::<VaultShares::getTSAParamsCall>(),
        bound::<VaultShares::lastFeeCollectedCall>(),
        bound::<Erc20::balanceOfCall>(),
        bound::<Erc20::allowanceCall>(),
        bound::<Erc20::decimalsCall>(),
    ];
    for (signature, selector) in functions {
        let listed = FUNCTIONS.iter().chain(TOKEN).find(|(name, _)| *name == signature);
        assert_eq!(listed.map(|(_, known)| known.to_be_bytes()), Some(selector), "{signature}");
    }
}

#[test]
fn events_have_the_deployed_topics() {
    let topics = [
        (
            VaultSigner::ActionSigned::SIGNATURE_HASH,
            "0x41cf207ce16a9affd2802d7565d332072d6ac8caca70010be9203c8b0840e6fe",
        ),
        (
            VaultShares::DepositInitiated::SIGNATURE_HASH,
            "0xd43c4b4716e4ac5fec58b15ced04f5b5dcef49b133703ff57cf19cde1a86922e",
        ),
        (
            VaultShares::DepositProcessed::SIGNATURE_HASH,
            "0x71263d3d9b41c6c8a816e86b9c89e42c69d04e4323ff95efbab189bf2cda0051",
        ),
    ];
    for (topic, known) in topics {
        assert_eq!(topic.to_string(), known);
    }
}

fn domain() -> Eip712Domain {
    eip712_domain! {
        name: "Matching",
        version: "1.0",
        chain_id: 957,
        verifying_contract: address!("eB8d770ec18DB98Db922E9D83260A585b9F0DeAD"),
    }
}

/// Hashes an action by alloy and by the engine's own encoder, and demands that they agree.
fn hashes(vault: Address, subaccount: u64, nonce: u64, module: Address, data: Vec<u8>) -> (B256, B256) {
    let envelope = Envelope {
        subaccount: SubaccountId(subaccount),
        nonce: Nonce(nonce),
        module: module.into(),
        expiry_sec: 1_732_176_600,
        owner: vault.into(),
        signer: vault.into(),
    };
    let own = (envelope.action_hash(&data), envelope.digest(&SEPARATOR.0, &data));
    let action = Action {
        subaccountId: U256::from(subaccount),
        nonce: U256::from(nonce),
        module,
        data: data.into(),
        expiry: U256::from(1_732_176_600_u64),
        owner: vault,
        signer: vault,
    };
    let by_alloy = (action.eip712_hash_struct(), action.eip712_signing_hash(&domain()));
    assert_eq!((by_alloy.0.0, by_alloy.1.0), own);
    by_alloy
}

fn e18(units: i64) -> I256 {
    I256::try_from(i128::from(units) * 1_000_000_000_000_000_000).expect("in range")
}

fn u18(units: u64) -> U256 {
    U256::from(u128::from(units) * 1_000_000_000_000_000_000)
}

fn sub_id(text: &str) -> U256 {
    text.parse().expect("literal")
}

#[test]
fn the_domain_hashes_to_the_deployed_separator() {
    assert_eq!(domain().separator(), SEPARATOR);
}

#[test]
fn an_order_hashes_to_the_published_vector() {
    let trade = TradeData {
        asset: OPTION,
        subId: sub_id("39614082760370722398504755968"),
        limitPrice: e18(10),
        desiredAmount: e18(1),
        worstFee: u18(5),
        recipientId: U256::from(7777),
        isBid: false,
    };
    let data = trade.abi_encode();
    assert_eq!(keccak256(&data), b256!("c41f5ec59290739ea705f3ae3187fcff1c2f1e417e5253b9b0749cf0fab36e96"));
    let (action, digest) = hashes(COVERED_CALL, 7777, 1_732_176_000_000_001, TRADE, data);
    assert_eq!(action, b256!("14a57eaf9a88c227cce54f423efbc817c032f53df55f3b8a081c36df5fb83780"));
    assert_eq!(digest, b256!("5e1f457122e6c1941ae64c273e5bbc9f7bb4639bc43d11202d74e5f56e62f3ca"));
}

fn legs() -> Vec<RfqTradeData> {
    let half = e18(1) / I256::try_from(2).expect("small");
    vec![
        RfqTradeData { asset: OPTION, subId: sub_id("39614082717421049438504755968"), price: u18(165), amount: -half },
        RfqTradeData { asset: OPTION, subId: sub_id("39614082803320395358504755968"), price: u18(70), amount: half },
    ]
}

#[test]
fn both_sides_of_a_quote_hash_to_the_published_vectors() {
    let extra = legs().abi_encode();
    assert_eq!(extra.len(), 320);
    let order_hash = keccak256(&extra);
    assert_eq!(order_hash, b256!("97dd0b8e8008d4f5b6a19ccff3b472c3a0004c766446b39b8c2403f6cc41f9d7"));
    let taker = TakerOrder { orderHash: order_hash, maxFee: u18(3) }.abi_encode();
    let (action, digest) = hashes(BULL, 8888, 1_732_176_000_000_002, RFQ, taker);
    assert_eq!(action, b256!("67f42f19090ab68df0e58ee891c6db225170d1f82eb83bc16a7340584cae0cc4"));
    assert_eq!(digest, b256!("64f38db256d57347b27360a9ef4378f10b309bf9eb5202437db730d0d03cd2e6"));
    let maker = RfqOrder { maxFee: u18(3), trades: legs() }.abi_encode();
    assert_eq!(maker.len(), 384);
    assert_eq!(keccak256(&maker), b256!("5ee370d5133531c001f40c5a1a29552124fd3a6d22763317443d504bcfae5453"));
}

#[test]
fn a_deposit_and_a_withdrawal_hash_to_the_published_vectors() {
    let deposit = DepositData { amount: u18(1), asset: WEETH, managerForNewAccount: MANAGER }.abi_encode();
    assert_eq!(keccak256(&deposit), b256!("b3391d636bd0d2ebd06ac1e50571873958829e66d23a2807197b7ea7c2de2156"));
    let (_, digest) = hashes(COVERED_CALL, 7777, 1_732_176_000_000_003, DEPOSIT, deposit);
    assert_eq!(digest, b256!("eadcbcb3cafe3f4f03a4945ebb35365ed646a957e2ef4caef923aaf646c6a0bc"));
    let withdrawal = WithdrawalData { asset: WEETH, assetAmount: u18(1) }.abi_encode();
    assert_eq!(keccak256(&withdrawal), b256!("6ec29e8045e1b0e61b1d58628268434aa2bc01875c6ce429c05e08f9270f4f3d"));
    let (_, digest) = hashes(COVERED_CALL, 7777, 1_732_176_000_000_004, WITHDRAWAL, withdrawal);
    assert_eq!(digest, b256!("017215d98d2e013b1f13b66510f9f01bcb09d725324a8ea621aba356052503b5"));
}
