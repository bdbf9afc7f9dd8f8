//! Any answer of the venue about instruments: what is taken can be traded on (a tick, a step, a name that needs no escape)
//! and found under its name; what cannot is refused by field.
#![no_main]

use keel::base::ids::{InstrumentId, Side};
use keel::base::num::{Amount, Price};
use keel::derive::decode::Vocabulary;
use keel::derive::instrument::listings;
use keel::engine::tape::{LETTER_BYTES, Letter};
use keel::market::instrument::Listing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let first = InstrumentId(65_000);
    let rows = match listings(input, first) {
        Ok(rows) => rows,
        Err(why) => {
            assert!(!why.to_string().is_empty());
            return;
        }
    };
    let names: Vec<&str> = rows.iter().map(|row| row.instrument.name.as_str()).collect();
    let words = (names.len() <= 1_000).then(|| Vocabulary::new(names.iter().copied(), ["USDC"]));
    for (place, row) in (0u16..).zip(&rows) {
        let instrument = row.instrument;
        assert_eq!(instrument.id, InstrumentId(first.0 + place));
        assert!(instrument.tick.is_positive() && instrument.step.is_positive());
        assert!(instrument.max_amount >= instrument.min_amount && !instrument.min_amount.is_negative());
        assert!(instrument.name.as_str().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'));
        if let Some(words) = &words {
            let found = words.instrument(instrument.name.as_str().as_bytes()).expect("known by its name");
            assert_eq!(names[usize::from(found.0)], instrument.name.as_str());
        }
        for price in [Price::ZERO, Price::ONE, instrument.tick, Price::from_raw(i64::MAX)] {
            assert!(instrument.passive_price(Side::Buy, price) <= price);
            assert!(instrument.max_fee(price, Price::ONE).is_positive());
        }
        assert!(instrument.whole_steps(Amount::whole(3)) <= Amount::whole(3));
        let (mut page, listing) = ([0; LETTER_BYTES], Listing::Listed { instrument, watched: true });
        let length = listing.write(&mut page);
        assert_eq!(Listing::read(&page[..length]), Some(listing), "every actor hears of the same instrument");
    }
});
