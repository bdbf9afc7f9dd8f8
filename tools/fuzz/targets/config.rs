//! Any text as a configuration: it is refused with a place and a reason, or it is taken and every value can be explained.
#![no_main]

use keel::config::{Config, Online};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Config::parse(text, "fuzz.toml", &Online::first(8)) {
        Ok(config) => {
            assert!(!config.vaults.is_empty() && !config.explain().is_empty());
            assert_eq!(config.source().text, text);
            let again = Config::parse(text, "fuzz.toml", &Online::first(8)).expect("the same text again");
            assert_eq!(config.explain(), again.explain());
        }
        Err(why) => {
            let words = why.to_string();
            assert!(words.contains("fuzz.toml"), "{words}");
            assert!(words.len() < 1 << 20, "{} bytes of words", words.len());
        }
    }
});
