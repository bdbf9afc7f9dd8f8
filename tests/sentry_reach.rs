//! What the sentry can reach: every file its sources name, and what those name, and so on. Placing an order is nowhere there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where orders are decided, granted, sealed or written.
const FORBIDDEN: [&str; 9] = [
    "risk",
    "strategy",
    "actors",
    "topology",
    "config",
    "derive/seal",
    "derive/action/trade",
    "derive/action/rfq",
    "derive/encode/order",
];

/// The file of a module path below `src`, if the path leads to one; else of the longest part of it that does.
fn file_of(root: &Path, parts: &[&str]) -> Option<PathBuf> {
    (1..=parts.len()).rev().find_map(|length| {
        let stem: PathBuf = parts[..length].iter().collect();
        [root.join(&stem).with_extension("rs"), root.join(&stem).join("mod.rs")].into_iter().find(|path| path.is_file())
    })
}

/// Names behind `prefix` in a line, as `a::b::c`.
fn paths<'l>(line: &'l str, prefix: &str) -> Vec<Vec<&'l str>> {
    let code = line.split("//").next().unwrap_or_default();
    let found = code.match_indices(prefix).map(|(at, _)| &code[at + prefix.len()..]);
    found
        .map(|rest| {
            rest.split("::")
                .map(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
                .collect()
        })
        .collect()
}

/// The files a file names. What stands under `#[cfg(test)]` at its end is not part of the program.
fn named(root: &Path, file: &Path) -> BTreeSet<PathBuf> {
    let text = fs::read_to_string(file).expect("readable");
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let own = file.with_extension("");
    let own = if own.ends_with("mod") { own.parent().expect("a folder").to_path_buf() } else { own };
    let own: Vec<&str> =
        own.strip_prefix(root).expect("below src").iter().map(|part| part.to_str().expect("plain")).collect();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        for path in paths(line, "crate::") {
            found.extend(file_of(root, &path));
        }
        for path in paths(line, "super::") {
            let parent: Vec<&str> = own[..own.len() - 1].iter().copied().chain(path).collect();
            found.extend(file_of(root, &parent));
        }
        let declared = line.trim_start_matches("pub ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
        // What a module of the sentry consists of is the sentry; what stands beside a file it names is not.
        if let Some(name) = declared.filter(|_| own.starts_with(&["ops", "sentry"])) {
            let child: Vec<&str> = own.iter().copied().chain([name]).collect();
            found.extend(file_of(root, &child));
        }
    }
    found
}

fn reach(root: &Path, start: &str) -> BTreeSet<PathBuf> {
    let mut open = vec![root.join(start)];
    let mut seen = BTreeSet::new();
    while let Some(file) = open.pop() {
        if seen.insert(file.clone()) {
            open.extend(named(root, &file));
        }
    }
    seen
}

fn forbidden(root: &Path, files: &BTreeSet<PathBuf>) -> Vec<String> {
    let relative = files.iter().map(|file| file.strip_prefix(root).expect("below src").with_extension(""));
    relative
        .filter(|file| FORBIDDEN.iter().any(|name| file.starts_with(name)))
        .map(|f| f.display().to_string())
        .collect()
}

#[test]
fn nothing_the_sentry_names_can_place_an_order() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = reach(&root, "ops/sentry/mod.rs");
    for part in ["ops/sentry/guard.rs", "ops/sentry/words.rs", "derive/encode/request.rs", "derive/action/login.rs"] {
        assert!(files.contains(&root.join(part)), "{part} is part of it: {files:?}");
    }
    assert_eq!(forbidden(&root, &files), Vec::<String>::new());
    // The same search finds what it looks for where it is: the engine's side of the beat stands beside risk.
    assert!(!forbidden(&root, &reach(&root, "ops/herald.rs")).is_empty());
}
