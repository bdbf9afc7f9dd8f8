//! The dependency floors: a file imports only from lower floors or its own module, and some neighbours never meet.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by floor, lowest first.
const FLOORS: [&[&str]; 11] = [
    &["base"],
    &["msg", "engine"],
    &["market", "account"],
    &["risk", "strategy"],
    &["derive"],
    &["actors"],
    &["topology", "config"],
    &["io", "exchange", "chain", "ops"],
    &["sim"],
    &["cli"],
    &["lib", "main"],
];

/// Neighbours on one floor that must not know each other.
const STRANGERS: [(&str, &str); 2] = [("risk", "strategy"), ("io", "exchange")];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("entry is readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Top-level modules named in `crate::…` paths, with the line of each.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                found.push((number + 1, name));
            }
        }
        // A group such as `use crate::{a, b}` would hide its members from the test above.
        assert!(!code.contains("crate::{"), "write one path per line: {line}");
    }
    found
}

#[test]
fn every_file_looks_only_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut faults = Vec::new();
    for path in &files {
        let relative = path.strip_prefix(&root).expect("below src");
        let first = relative.components().next().expect("a name").as_os_str().to_string_lossy();
        let own = first.trim_end_matches(".rs").to_owned();
        let level = floor(&own).unwrap_or_else(|| panic!("{own} stands on no floor: add it to the table"));
        for (line, other) in imports(&fs::read_to_string(path).expect("readable")) {
            let Some(theirs) = floor(&other) else {
                faults.push(format!("{}:{line} names crate::{other}, which stands on no floor", relative.display()));
                continue;
            };
            let strangers = STRANGERS.iter().any(|(a, b)| (*a == own && *b == other) || (*b == own && *a == other));
            if other != own && (theirs > level || strangers) {
                faults.push(format!("{}:{line} ({own}) must not know {other}", relative.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_and_their_lines_stay_short() {
    /// Lines a file may have.
    const LINES_MAX: usize = 500;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut long = BTreeMap::new();
    for path in files {
        let lines = fs::read_to_string(&path).expect("readable").lines().count();
        if lines > LINES_MAX {
            long.insert(path.strip_prefix(&root).expect("below src").display().to_string(), lines);
        }
    }
    assert!(long.is_empty(), "files over {LINES_MAX} lines, each wants a split: {long:?}");
}
