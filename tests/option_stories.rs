//! Stories of option vaults: what the venue says above the line, what strategy and risk make of it below. Each file is
//! one situation of a week, played on the operator's own configuration.
//!
//! `UPDATE_GOLDENFILES=1 cargo test --test option_stories` writes what they say now; read the difference before keeping it.

#[path = "option_stories/stage.rs"]
mod stage;

#[test]
fn every_story_ends_as_told() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/option_stories");
    let mut told = 0;
    for entry in std::fs::read_dir(folder).expect("stories are there") {
        let path = entry.expect("readable").path();
        if path.extension().is_none() {
            goldenscript::run(&mut stage::Stage::default(), &path)
                .unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            told += 1;
        }
    }
    assert!(told >= 7, "only {told} stories");
}
