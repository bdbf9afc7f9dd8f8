//! Whatever a configuration holds, reading it ends in a configuration or in a message that names file, line and cure.

use std::path::Path;
use std::sync::LazyLock;

use keel::config::{Config, Online};
use proptest::prelude::*;

static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let files = [
        "tests/configs/good/minimal.toml",
        "tests/configs/good/two_vaults.toml",
        "tests/configs/good/option_vaults.toml",
        "tools/config/lbtc-basis.toml",
        "tools/config/bull-susde.toml",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    files.iter().map(|file| std::fs::read(root.join(file)).expect("part of the repository")).collect()
});

/// Pieces that matter to TOML, to numbers and to us.
const PIECES: [&str; 26] = [
    "[",
    "]",
    "[[vault]]",
    "{",
    "}",
    "=",
    "\"",
    "'''",
    "#",
    "\n",
    "\r",
    "\t",
    ".",
    ",",
    "-",
    "nan",
    "inf",
    "1e400",
    "0x",
    "9999999999999999999999",
    "\u{0}",
    "\u{feff}",
    "é",
    "\\u",
    "vault",
    "2026-10-06",
];

/// One change to a text: bytes dropped, a piece put in, or a stretch repeated.
#[derive(Clone, Debug)]
enum Change {
    Drop(usize, usize),
    Insert(usize, usize),
    Flip(usize, u8),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), 1usize..200).prop_map(|(at, length)| Change::Drop(at, length)),
        (any::<usize>(), 0..PIECES.len()).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        (any::<usize>(), 1usize..400).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let place = |at: usize, room: usize| if room == 0 { 0 } else { at % room };
    let size = bytes.len();
    match *change {
        Change::Drop(at, length) => drop(bytes.drain(place(at, size)..(place(at, size) + length).min(size))),
        Change::Insert(at, piece) => drop(bytes.splice(place(at, size)..place(at, size), PIECES[piece].bytes())),
        Change::Flip(at, byte) => bytes.iter_mut().skip(place(at, size)).take(1).for_each(|old| *old = byte),
        Change::Repeat(at, length) => {
            let start = place(at, size);
            bytes.extend_from_within(start..(start + length).min(size));
        }
    }
}

/// Accepted, or refused with a message of the promised form.
fn judge(text: &str) -> Result<(), TestCaseError> {
    if let Err(errors) = Config::parse(text, "keel.toml", &Online::first(4)) {
        let lines = text.matches('\n').count() + 1;
        prop_assert!(!errors.problems().is_empty());
        for problem in errors.problems() {
            prop_assert!((1..=lines).contains(&problem.line), "line {} of {lines}", problem.line);
            prop_assert!(!problem.what.is_empty() && !problem.allowed.is_empty());
        }
        let message = errors.to_string();
        prop_assert!(message.lines().all(|line| line.starts_with("keel.toml:")), "{message}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn mutated_configurations_are_read_or_refused(file in 0usize..5, changes in prop::collection::vec(change(), 1..6)) {
        let mut bytes = GOOD[file].clone();
        changes.iter().for_each(|change| apply(&mut bytes, change));
        judge(&String::from_utf8_lossy(&bytes))?;
    }

    /// One value changed to anything: whatever is accepted is explained with exactly that source line.
    #[test]
    fn any_value_is_read_or_refused_in_its_line(file in 0usize..3, place in any::<usize>(), value in "[-+.0-9eE\"_a-z\\[\\]{}]{0,12}") {
        let text = String::from_utf8_lossy(&GOOD[file]).into_owned();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let fields: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains(" = ")).collect();
        let at = fields[place % fields.len()];
        let name = lines[at].split(" = ").next().unwrap_or_default().to_owned();
        lines[at] = format!("{name} = {value}");
        let text = lines.join("\n");
        judge(&text)?;
        if let Ok(config) = Config::parse(&text, "keel.toml", &Online::first(4)) {
            let source = format!("keel.toml:{}", at + 1);
            let inline = value.starts_with('{') || name == "ratio" || name == "margin";
            prop_assert!(inline || config.explain().iter().any(|row| row.field == name && row.source == source));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        judge(&text)?;
    }
}
