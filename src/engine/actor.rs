//! An actor is a fold: message in, messages out. It reads no clock, file or socket, cannot fail and cannot wait.

use crate::base::time::Nanos;

/// A step function over messages. The same messages at the same moments give the same output, on any day.
pub trait Actor {
    /// What it hears.
    type In<'a>;
    /// What one step says.
    type Out;

    /// Hears one message at one moment.
    fn on(&mut self, at: Nanos, message: Self::In<'_>, out: &mut Self::Out);
}

/// Something a core turns over and over: drains its inbox once and returns true if there was work.
pub trait Turn: Send {
    /// One pass.
    fn turn(&mut self) -> bool;
    /// Name for reports and thread names.
    fn name(&self) -> &'static str;
    /// The state of what it turns, for people.
    fn tell(&self) -> String {
        String::new()
    }
    /// Gives up its final measurements when the core stops.
    fn finish(self: Box<Self>) -> Option<Box<dyn std::any::Any + Send>> {
        None
    }
}
