//! A stretch of a run as a transcript test: what every actor heard since the run began, and what the engine said in that
//! stretch, in the story format of the tests.
//!
//! ```text
//! run head='…' journal=…                              what the engine was built from
//! gateway: Wire 1800000000.001000000 text='{…}'       who heard what, when, in its own order
//! risk: Tick 1800000000.002000000 1000000 1000123     and again after so many ns
//! risk: Reports 1800000000.004100000 17               the message of this number, which another actor says again
//! ---
//! ok
//!
//! until 1800000001.300000000                          folds up to a moment; below it stands what was said till then
//! ---
//! 1.204100231 gateway → venue {"id":…}
//! 1.204100231 risk → ops Mode { … }
//! ```
//! State comes from the beginning, so a story begins where its run does. Checkpoints are left out: a story is judged by what
//! is said, and outlives changes of what an actor remembers.

use super::head::Head;
use super::ports::Heard;
use super::{Rerun, Trouble};
use crate::actors::risk::Notice;
use crate::base::time::{MS, Nanos, SEC};
use crate::config::Config;
use crate::engine::ports::Event;
use crate::engine::tape::{Entry, MemoryReel, Recorder, Roll, Source, What, write_event};
use crate::topology::TAPES;
use alloy::hex;
use std::fmt::Write;

/// Longest story.
const BYTES_MAX: usize = 64 << 20;
/// What was said is told in pieces of this length.
const PIECE_NS: u64 = 100 * MS;
/// Ticks on one line.
const TICKS_MAX: usize = 64;

/// Everything a run heard, in each actor's own order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    head: String,
    journal: Vec<u8>,
    rows: [Vec<Entry>; TAPES.len()],
}

fn moment(at: Nanos) -> String {
    format!("{}.{:09}", at.0 / SEC, at.0 % SEC)
}

fn read_moment(text: &str) -> Option<Nanos> {
    let (whole, part) = text.split_once('.').filter(|(_, part)| part.len() == 9)?;
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = (whole.parse::<u64>().ok()?, part.parse::<u64>().ok().filter(|_| plain(part))?);
    whole.checked_mul(SEC)?.checked_add(part).map(Nanos)
}

/// Between single quotes; none if it holds what must not stand there.
fn quoted(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.is_empty() && !text.chars().any(char::is_control))?;
    Some(format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")))
}

impl Script {
    /// Of a run whose head and journal are these, without anything heard yet.
    pub fn new(head: &str, journal: Vec<u8>) -> Script {
        Script { head: head.to_owned(), journal, rows: Default::default() }
    }

    /// Takes what its tapes hold up to a moment.
    ///
    /// # Errors
    /// A tape is damaged; in words.
    pub fn take(&mut self, rolls: [Roll; TAPES.len()], until: Nanos) -> Result<(), String> {
        for ((row, mut roll), actor) in self.rows.iter_mut().zip(rolls).zip(TAPES) {
            let mut next = || roll.next_entry().map_err(|why| format!("the tape of {actor} is damaged: {why}"));
            while let Some(entry) = next()?.filter(|entry| entry.at <= until) {
                if entry.source != Source::Checkpoint {
                    row.push(entry);
                }
            }
        }
        Ok(())
    }

    /// Takes one line of a story: who heard, from where, and what stands behind it; text and hexadecimal by their names.
    ///
    /// # Errors
    /// It is no line of a story; in words.
    pub fn hear(
        &mut self,
        actor: &str,
        source: &str,
        words: &[&str],
        body: Option<(&str, &str)>,
    ) -> Result<(), String> {
        let row = TAPES.iter().position(|name| *name == actor).ok_or_else(|| format!("no actor {actor}"))?;
        let known = Source::ALL.into_iter().find(|known| format!("{known:?}") == source);
        let source = known.ok_or_else(|| format!("nothing is heard from {source}"))?;
        let (at, numbers) = words.split_first().ok_or("no moment")?;
        let at = read_moment(at).ok_or_else(|| format!("{at} is no moment: unix seconds with nine decimals"))?;
        let numbers: Result<Vec<u64>, _> = numbers.iter().map(|word| word.parse::<u64>()).collect();
        let numbers = numbers.map_err(|why| format!("{words:?}: {why}"))?;
        let row = &mut self.rows[row];
        let mut push = |at, what| row.push(Entry { at, source, what });
        match (body, numbers.as_slice()) {
            (Some(("text", text)), []) => {
                let (head, length, text) = write_event(&Event::Text(text.as_bytes()));
                push(at, What::Body([&head[..length], text].concat()));
            }
            (Some(("hex", digits)), []) => {
                push(at, What::Body(hex::decode(digits).map_err(|why| format!("{digits}: {why}"))?));
            }
            (None, [number]) if source.is_lane() => push(at, What::Lane(*number)),
            (None, steps) if source.is_plain() => {
                let mut at = at;
                push(at, What::Plain);
                for step in steps {
                    at = at.plus(*step);
                    push(at, What::Plain);
                }
            }
            _ => return Err(format!("{source:?} is not heard like that")),
        }
        Ok(())
    }

    /// Its lines.
    fn write(&self, story: &mut String) -> Result<(), String> {
        let head = quoted(self.head.as_bytes()).ok_or("the head of the run cannot be written down")?;
        let _ = writeln!(story, "run head={head} journal='{}'", hex::encode(&self.journal));
        for (row, actor) in self.rows.iter().zip(TAPES) {
            let mut entries = row.as_slice();
            while let Some((entry, rest)) = entries.split_first() {
                let _ = write!(story, "{actor}: {:?} {}", entry.source, moment(entry.at));
                entries = rest;
                match &entry.what {
                    What::Lane(number) => drop(write!(story, " {number}")),
                    What::Body(body) => match entry.text().and_then(quoted) {
                        Some(text) => drop(write!(story, " text={text}")),
                        None => drop(write!(story, " hex='{}'", hex::encode(body))),
                    },
                    What::Plain if entry.source == Source::Tick => entries = write_ticks(story, entry.at, rest),
                    What::Plain => {}
                }
                story.push('\n');
                if story.len() > BYTES_MAX {
                    let what = format!("the story is longer than {} MiB", BYTES_MAX >> 20);
                    return Err(format!("{what}: it begins where its run does; end it earlier with --until"));
                }
            }
        }
        Ok(())
    }

    /// What is played from it.
    ///
    /// # Errors
    /// The run cannot be folded by this program; in words.
    pub fn scene(&self, bring_forward: impl FnOnce(&mut Config, Nanos)) -> Result<Scene, String> {
        let head = Head::read(&self.head)?;
        let config = head.config(bring_forward)?;
        let (blueprint, hand) = head.blueprint(&config, &self.journal)?;
        let mut rerun = Rerun::new(&blueprint, hand, self.rows.each_ref().map(|row| roll(row)));
        let heard = rerun.listen();
        Ok(Scene { rerun, heard, began_at: Nanos(head.started_at_ns) })
    }
}

/// Writes the ticks that follow one directly; what is behind them.
fn write_ticks<'e>(story: &mut String, mut last: Nanos, mut rest: &'e [Entry]) -> &'e [Entry] {
    for _ in 1..TICKS_MAX {
        let Some((next, behind)) = rest.split_first().filter(|(next, _)| next.source == Source::Tick) else { break };
        let _ = write!(story, " {}", next.at.since(last));
        (last, rest) = (next.at, behind);
    }
    rest
}

/// A tape of these entries.
fn roll(entries: &[Entry]) -> Roll {
    let reel = MemoryReel::default();
    let mut recorder = Recorder::new(Box::new(reel.clone()));
    for Entry { at, source, what } in entries {
        match what {
            What::Plain => recorder.plain(*at, *source),
            What::Lane(number) => recorder.lane(*at, *source, *number),
            What::Body(body) => recorder.body(*at, *source, body, &[]),
        }
    }
    Roll::new(vec![reel.page()].into_iter())
}

/// A story being played.
pub struct Scene {
    rerun: Rerun,
    heard: Heard,
    began_at: Nanos,
}

impl Scene {
    /// What the engine says up to a moment, a line each: frames that leave, and what risk tells people.
    pub fn until(&mut self, at: Nanos) -> String {
        let Scene { rerun, heard, began_at } = self;
        let mut said = String::new();
        let since = |at: Nanos| moment(Nanos(at.since(*began_at)));
        rerun.run(at, &mut |notice| {
            if !matches!(notice, Notice::Sample { .. }) {
                heard.note(format!("risk → ops {notice:?}"));
            }
        });
        for (at, words) in heard.drain() {
            let _ = writeln!(said, "{} {words}", since(at));
        }
        for (actor, trouble) in rerun.troubles(at) {
            if let Trouble::Stuck { next, at } = trouble {
                let _ = writeln!(said, "{} {actor} waits for {next}, which does not come", since(at));
            }
        }
        said
    }
}

/// The story of a run between two moments.
///
/// # Errors
/// It is too long, or the run cannot be folded by this program; in words.
pub fn tell(
    script: &Script,
    (from, until): (Nanos, Nanos),
    bring_forward: impl Fn(&mut Config, Nanos),
) -> Result<String, String> {
    let last = script.rows.iter().filter_map(|row| row.last()).map(|entry| entry.at).max();
    let until = until.min(last.ok_or("the run heard nothing up to then")?);
    let pieces: Vec<Nanos> = pieces(from, until).collect();
    // A first fold finds out when something is said; the second one tells it as the story will be played.
    let mut scene = script.scene(&bring_forward)?;
    let mut told: Vec<Nanos> = pieces.into_iter().filter(|at| !scene.until(*at).is_empty() && *at > from).collect();
    if told.last() != Some(&until) {
        told.push(until);
    }
    let mut story = String::new();
    script.write(&mut story)?;
    story.push_str("---\nok\n");
    let mut scene = script.scene(&bring_forward)?;
    if from > scene.began_at {
        // Said before the stretch: not told, but counted, so that a change there is not missed altogether.
        let _ = writeln!(story, "\nbefore {}\n---\n{}", moment(from), count(&scene.until(from)));
    }
    for at in told {
        let said = scene.until(at);
        let _ = write!(story, "\nuntil {}\n---\n{}", moment(at), if said.is_empty() { "ok\n" } else { &said });
    }
    Ok(story)
}

/// How much was said, in words.
pub fn count(said: &str) -> String {
    let frames = said.lines().filter(|line| line.contains(" → venue ")).count();
    format!("{frames} frames, {} other words", said.lines().count() - frames)
}

/// Reads the moment of a line of a story.
///
/// # Errors
/// It is none; in words.
pub fn at_of(word: &str) -> Result<Nanos, String> {
    read_moment(word).ok_or_else(|| format!("{word} is no moment: unix seconds with nine decimals"))
}

/// The ends of the pieces of a stretch, the first of which is its beginning.
fn pieces(from: Nanos, until: Nanos) -> impl Iterator<Item = Nanos> {
    let inner = (0u64..).map(move |piece| from.plus(piece * PIECE_NS)).take_while(move |at| *at < until);
    inner.chain(std::iter::once(until))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_texts_survive() {
        for at in [0, 1, 999_999_999, 1_800_000_000_000_000_001] {
            assert_eq!(read_moment(&moment(Nanos(at))), Some(Nanos(at)));
        }
        for bad in ["", "1", "1.5", "1.0000000000", "-1.000000000", "1.+00000000", "99999999999999.000000000"] {
            assert_eq!(read_moment(bad), None, "{bad}");
        }
        assert_eq!(quoted(br"it's \n"), Some(r"'it\'s \\n'".to_owned()));
        assert_eq!((quoted(b"a\nb"), quoted(&[0xff]), quoted(b"")), (None, None, None));
    }

    #[test]
    fn lines_that_are_none_are_refused() {
        let mut script = Script::new("{}", Vec::new());
        let at = "1.000000000";
        assert!(script.hear("risk", "Tick", &[at, "5"], None).is_ok());
        assert_eq!(script.rows[3].len(), 2);
        for (actor, source, words, body) in [
            ("nobody", "Tick", vec![at], None),
            ("risk", "Nothing", vec![at], None),
            ("risk", "Tick", vec![], None),
            ("risk", "Tick", vec!["1"], None),
            ("risk", "Reports", vec![at], None),
            ("risk", "Reports", vec![at, "x"], None),
            ("gateway", "Wire", vec![at, "5"], None),
            ("gateway", "Wire", vec![at], Some(("hex", "0"))),
        ] {
            assert!(script.hear(actor, source, &words, body).is_err(), "{actor} {source} {words:?}");
        }
    }
}
