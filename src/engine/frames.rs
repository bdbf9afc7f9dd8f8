//! Outgoing texts of one step, in one reused buffer, each with a tag that says what becomes of it.

/// Texts waiting to be handed to a transport.
pub struct Frames<T> {
    bytes: Vec<u8>,
    ends: Vec<(usize, T)>,
}

/// Bytes one step may say; a dozen of the longest requests.
const BYTES: usize = 64 * 1024;
/// Texts one step may say.
const TEXTS: usize = 128;

impl<T: Copy> Default for Frames<T> {
    fn default() -> Self {
        Frames { bytes: Vec::with_capacity(BYTES), ends: Vec::with_capacity(TEXTS) }
    }
}

impl<T: Copy> Frames<T> {
    /// Adds a text. More than the buffer holds in one step is our own error and asserts.
    pub fn push(&mut self, text: &[u8], tag: T) {
        assert!(self.bytes.len() + text.len() <= BYTES && self.ends.len() < TEXTS, "a step said too much");
        self.bytes.extend_from_slice(text);
        self.ends.push((self.bytes.len(), tag));
    }

    /// The texts in order, each with its tag.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], T)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        starts.zip(self.ends.iter()).map(|(start, (end, tag))| (&self.bytes[start..*end], *tag))
    }

    /// Forgets every text.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}
