//! Plays what `keel replay --to story` wrote of a recorded run: its lines are what every actor heard.

use goldenscript::{Argument, Command, Context, Runner};
use keel::ops::replay::story::{self, Scene, Script};
use std::error::Error;

/// A recorded run, while its lines are read, and once it is played.
#[derive(Default)]
pub struct ToldRun {
    script: Option<Script>,
    scene: Option<Scene>,
}

fn value<'c>(command: &'c Command, key: &str) -> Option<&'c str> {
    command.args.iter().find_map(|argument| match argument {
        Argument::KeyValue(name, value) if name == key => Some(value.as_str()),
        _ => None,
    })
}

fn plain(command: &Command) -> Vec<&str> {
    let mut words = Vec::new();
    for argument in &command.args {
        if let Argument::Positional(value) = argument {
            words.push(value.as_str());
        }
    }
    words
}

impl ToldRun {
    fn play(&mut self, until: &str) -> Result<String, Box<dyn Error>> {
        if self.scene.is_none() {
            let script = self.script.as_ref().ok_or("a run comes before its moments")?;
            self.scene = Some(script.scene(|_, _| ())?);
        }
        let scene = self.scene.as_mut().ok_or("a scene")?;
        Ok(scene.until(story::at_of(until)?))
    }
}

impl Runner for ToldRun {
    type Command = Command;

    fn run(&mut self, command: &Command, context: &Context) -> Result<String, Box<dyn Error>> {
        let words = plain(command);
        if let Some(actor) = &context.prefix {
            let script = self.script.as_mut().ok_or("a run comes before what it heard")?;
            let body = ["text", "hex"].into_iter().find_map(|key| Some((key, value(command, key)?)));
            script.hear(actor, &command.name, &words, body)?;
            return Ok(String::new());
        }
        let at = words.first().copied().unwrap_or_default();
        match command.name.as_str() {
            "run" => {
                let head = value(command, "head").ok_or("a run has a head")?;
                let journal = alloy::hex::decode(value(command, "journal").unwrap_or_default())?;
                self.script = Some(Script::new(head, journal));
                Ok(String::new())
            }
            "before" => Ok(story::count(&self.play(at)?)),
            "until" => self.play(at),
            other => Err(format!("unknown command {other}").into()),
        }
    }
}
