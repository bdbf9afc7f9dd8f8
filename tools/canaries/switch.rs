//! Which of the planted bugs this process suffers from. Lives only in the copy of the tree that bugs are planted into.

use std::sync::OnceLock;

static CHOSEN: OnceLock<Option<u32>> = OnceLock::new();

/// True for the bug that the environment names.
pub fn bites(bug: u32) -> bool {
    *CHOSEN.get_or_init(|| std::env::var("KEEL_CANARY").ok()?.parse().ok()) == Some(bug)
}
