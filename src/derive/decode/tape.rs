//! Reads a parsed tape: slower than scanning, but blind to order, blanks and escapes.

use simd_json::{Node, StaticNode};

use super::Malformed;
use super::source::Source;

/// A cursor over the rest of a tape.
#[derive(Clone, Copy, Debug)]
pub(super) struct TapeCursor<'t, 'f>(pub(super) &'t [Node<'f>]);

impl<'f> TapeCursor<'_, 'f> {
    fn next(&mut self) -> Result<Node<'f>, Malformed> {
        let (node, rest) = self.0.split_first().ok_or(Malformed::Shape)?;
        self.0 = rest;
        Ok(*node)
    }
}

impl<'f> Source<'f> for TapeCursor<'_, 'f> {
    fn object(&mut self, mut on: impl FnMut(&'f [u8], &mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        let Node::Object { len, .. } = self.next()? else { return Err(Malformed::Shape) };
        for _ in 0..len {
            let key = self.string()?;
            on(key, self)?;
        }
        Ok(())
    }

    fn array(&mut self, mut on: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        let Node::Array { len, .. } = self.next()? else { return Err(Malformed::Shape) };
        for _ in 0..len {
            on(self)?;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<&'f [u8], Malformed> {
        match self.next()? {
            Node::String(text) => Ok(text.as_bytes()),
            _ => Err(Malformed::Shape),
        }
    }

    fn int(&mut self) -> Result<i128, Malformed> {
        match self.next()? {
            Node::Static(StaticNode::I64(value)) => Ok(value.into()),
            Node::Static(StaticNode::U64(value)) => Ok(value.into()),
            _ => Err(Malformed::Shape),
        }
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        match self.next()? {
            Node::Static(StaticNode::Bool(value)) => Ok(value),
            _ => Err(Malformed::Shape),
        }
    }

    fn null(&mut self) -> bool {
        match self.0 {
            [Node::Static(StaticNode::Null), rest @ ..] => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn is_string(&self) -> bool {
        matches!(self.0.first(), Some(Node::String(_)))
    }

    fn skip(&mut self) -> Result<(), Malformed> {
        match self.next()? {
            Node::Object { count, .. } | Node::Array { count, .. } => {
                self.0 = self.0.get(count..).ok_or(Malformed::Shape)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipping_a_nested_value_lands_on_the_next_key() {
        let mut text = br#"{"a":{"b":[1,{"c":[]}],"d":"x"},"e":7}"#.to_vec();
        let tape = simd_json::to_tape(&mut text).expect("json");
        let mut seen = Vec::new();
        TapeCursor(&tape.0)
            .object(|key, cursor| {
                seen.push(key.to_vec());
                if key == b"e" { cursor.int().map(|value| assert_eq!(value, 7)) } else { cursor.skip() }
            })
            .expect("reads");
        assert_eq!(seen, [b"a", b"e"]);
    }
}
