//! The cores this machine has online, by absolute number.

use std::fmt;

/// Where Linux lists them, e.g. `0-3,6`.
const LIST: &str = "/sys/devices/system/cpu/online";
/// Highest core number believed.
const CORES_MAX: usize = 4_096;

/// Online cores, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Online(Vec<usize>);

impl Online {
    /// Those of this machine. Affinity is not asked: a pinned thread would see only its own core.
    pub fn here() -> Online {
        let listed = std::fs::read_to_string(LIST).ok().and_then(|text| Online::listed(&text));
        listed.unwrap_or_else(|| Online::first(std::thread::available_parallelism().map_or(1, usize::from)))
    }

    /// The first `count` cores, at least one.
    pub fn first(count: usize) -> Online {
        Online((0..count.clamp(1, CORES_MAX)).collect())
    }

    /// Reads `0-3,6`.
    fn listed(text: &str) -> Option<Online> {
        let mut cores = Vec::new();
        for part in text.trim().split(',') {
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let (low, high): (usize, usize) = (low.parse().ok()?, high.parse().ok()?);
            if low > high || high >= CORES_MAX || cores.last().is_some_and(|last| low <= *last) {
                return None;
            }
            cores.extend(low..=high);
        }
        Some(Online(cores))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// True if this core is online.
    pub fn has(&self, core: usize) -> bool {
        self.0.binary_search(&core).is_ok()
    }

    /// The last six, which leaves the first to the kernel and the control plane; none on a smaller host.
    pub(super) fn last_six(&self) -> Option<[usize; 6]> {
        self.0.last_chunk().copied()
    }
}

impl fmt::Display for Online {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, run) in self.0.chunk_by(|a, b| a + 1 == *b).enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match run {
                [only] => write!(f, "{comma}{only}")?,
                [low, .., high] => write!(f, "{comma}{low}-{high}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_linux_lists() {
        for text in ["0", "0-3", "0-3,6", "0,2,4-7"] {
            assert_eq!(Online::listed(&format!("{text}\n")).map(|online| online.to_string()).as_deref(), Some(text));
        }
        for bad in ["", "x", "3-1", "0-99999", "1,1", "2-4,3"] {
            assert_eq!(Online::listed(bad), None, "{bad}");
        }
        let some = Online::listed("0-3,6").expect("valid");
        assert!(some.has(6) && !some.has(5) && some.count() == 5);
        assert_eq!(Online::first(8).last_six(), Some([2, 3, 4, 5, 6, 7]));
        assert_eq!(Online::first(5).last_six(), None);
        assert!(Online::here().count() >= 1);
    }
}
