use super::*;
use proptest::prelude::*;

/// What a node may say, true or not.
fn seen() -> impl Strategy<Value = Seen> {
    let number = prop_oneof![0..20_u64, any::<u64>(), (u64::MAX - 5)..=u64::MAX];
    let fee = prop_oneof![0..20_u128, any::<u128>(), (u128::MAX - 5)..=u128::MAX];
    let head = (number.clone(), number.clone(), fee)
        .prop_map(|(number, time_s, base_fee_wei)| Seen::Head(Head { number, time_s, base_fee_wei }));
    let counts = (number.clone(), number.clone()).prop_map(|(mined, pending)| Seen::Counts { mined, pending });
    let near = (number.clone(), 0..3_u64)
        .prop_map(|(mined, more)| Seen::Counts { mined, pending: mined.saturating_add(more) });
    let faults = [None, Some(SendFault::Known), Some(SendFault::NonceLow), Some(SendFault::Underpriced)];
    let sent = (number.clone(), any::<u8>(), prop::sample::select(faults.to_vec()))
        .prop_map(|(nonce, hash, fault)| Seen::Sent { nonce, hash: B256::repeat_byte(hash), fault });
    let receipt =
        (number.clone(), prop::option::of((any::<u8>(), number, any::<bool>()))).prop_map(|(nonce, found)| {
            let found = found.map(|(hash, block, succeeded)| {
                (B256::repeat_byte(hash), Inclusion { block, block_hash: B256::ZERO, succeeded })
            });
            Seen::Receipt { nonce, found }
        });
    prop_oneof![4 => head, 2 => counts, 4 => near, 2 => sent, 4 => receipt]
}

proptest! {
    #[test]
    fn no_answer_of_a_node_breaks_the_lane(answers in prop::collection::vec((seen(), any::<u8>()), 1..60)) {
        let limits = Limits {
            bump_after_blocks: 3,
            final_after_blocks: 10,
            tip_wei: 1,
            fee_wei_max: 1_000,
            balance_wei_min: U256::ZERO,
        };
        let mut lane = Lane::new(Address::ZERO, limits);
        let mut ids = Vec::new();
        for (at, (seen, what)) in answers.iter().enumerate() {
            let mut out = Vec::new();
            // A receipt is only believed of what was offered: half of them are made to be.
            let nonce = lane.entries.first().map(|entry| entry.nonce);
            let seen = match (seen, nonce) {
                (Seen::Receipt { found, .. }, Some(nonce)) if what % 2 == 0 => Seen::Receipt { nonce, found: *found },
                (seen, _) => seen.clone(),
            };
            lane.on(&seen, &mut out);
            match what % 5 {
                0 => {
                    let call = Call { to: Address::ZERO, data: Bytes::new(), gas_limit: 1 };
                    if lane.submit(TxId(at as u64), call, &mut out) {
                        ids.push(TxId(at as u64));
                    }
                }
                1 => ids.iter().for_each(|id| lane.abandon(*id, &mut out)),
                _ => {}
            }
            for step in out {
                if let Step::Send { fees, .. } = step {
                    prop_assert!(fees.max_wei <= 1_000 && fees.tip_wei <= fees.max_wei);
                }
            }
            prop_assert!(lane.entries.len() <= ids.len() + WAITING_MAX as usize);
        }
    }
}

#[test]
fn an_absurd_answer_is_told_once_and_takes_nothing_over() {
    let limits = Limits {
        bump_after_blocks: 3,
        final_after_blocks: 10,
        tip_wei: 1,
        fee_wei_max: 1_000,
        balance_wei_min: U256::ZERO,
    };
    let mut lane = Lane::new(Address::ZERO, limits);
    let mut alarms = |seen: &[Seen]| {
        let mut out = Vec::new();
        seen.iter().for_each(|seen| lane.on(seen, &mut out));
        let count = out.iter().filter(|step| matches!(step, Step::Alarm(Alarm::Absurd(_)))).count();
        (count, lane.quiet())
    };
    let (head, absurd) = (Head { number: 7, time_s: 7, base_fee_wei: 1 }, Seen::Counts { mined: 0, pending: u64::MAX });
    assert_eq!(alarms(&[Seen::Head(head), absurd.clone(), Seen::Absurd("gas".to_owned())]), (1, false));
    assert_eq!(alarms(&[Seen::Counts { mined: 5, pending: 5 }]), (0, true));
    assert_eq!(alarms(&[absurd]), (1, true));
}
