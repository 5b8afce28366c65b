//! Arguments of rules: text with groups of the match (`$1`) and variables (`${NAME}`), read once and filled in for each
//! request. Pure.
//!
//! What is filled in is never looked at again: a client that sends `${…}` gets no variable.

use super::error::RuleError;
use super::pattern::Groups;
use super::state::Request;
use super::values::Value;
use super::world::World;

/// A text to be filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Group(u8),
    /// A variable, whose name may have groups in it.
    Variable(Name),
}

/// A name of a variable: itself, or a function and its argument.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    function: Option<Value>,
    pieces: Vec<Piece>,
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// A function that there is not.
    pub(super) fn read(text: &str) -> Result<Template, RuleError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            push_text(&mut pieces, &rest[..at]);
            rest = &rest[at + 1..];
            match rest.as_bytes().first() {
                // uWSGI drops a `$` at the end, too.
                None => {}
                Some(digit @ b'0'..=b'9') => {
                    pieces.push(Piece::Group(digit - b'0'));
                    rest = &rest[1..];
                }
                Some(b'{') => match rest.find('}') {
                    Some(end) => {
                        pieces.push(Piece::Variable(Name::read(&rest[1..end])?));
                        rest = &rest[end + 1..];
                    }
                    None => push_text(&mut pieces, "$"),
                },
                Some(_) => push_text(&mut pieces, "$"),
            }
        }
        push_text(&mut pieces, rest);
        Ok(Template { pieces })
    }

    /// The text, filled in.
    pub(super) fn fill(&self, groups: &Groups, request: &Request<'_>, world: &dyn World) -> Vec<u8> {
        let mut text = Vec::new();
        self.fill_from(0, &mut text, groups, request, world);
        text
    }

    /// What it begins with whatever is filled in, and the rest, filled in.
    pub(super) fn split(&self, groups: &Groups, request: &Request<'_>, world: &dyn World) -> (Vec<u8>, Vec<u8>) {
        let mut rest = Vec::new();
        match self.pieces.first() {
            Some(Piece::Text(start)) => {
                self.fill_from(1, &mut rest, groups, request, world);
                (start.clone(), rest)
            }
            _ => (Vec::new(), self.fill(groups, request, world)),
        }
    }

    /// The text, if there is nothing to be filled in.
    pub(super) fn fixed(&self) -> Option<&[u8]> {
        match &self.pieces[..] {
            [] => Some(b""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether groups of the match are needed.
    pub(super) fn has_groups(&self) -> bool {
        has_groups(&self.pieces)
    }

    fn fill_from(&self, from: usize, text: &mut Vec<u8>, groups: &Groups, request: &Request<'_>, world: &dyn World) {
        for piece in &self.pieces[from..] {
            match piece {
                Piece::Text(piece) => text.extend_from_slice(piece),
                Piece::Group(number) => text.extend_from_slice(groups.get(*number)),
                Piece::Variable(name) => name.push_value(text, groups, request, world),
            }
        }
    }
}

fn has_groups(pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| match piece {
        Piece::Text(_) => false,
        Piece::Group(_) => true,
        Piece::Variable(name) => has_groups(&name.pieces),
    })
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(before)) => before.extend_from_slice(text.as_bytes()),
        _ => pieces.push(Piece::Text(text.as_bytes().to_vec())),
    }
}

impl Name {
    /// Reads what stands between the braces.
    fn read(text: &str) -> Result<Name, RuleError> {
        let called = text.strip_suffix(']').and_then(|text| text.split_once('['));
        let (function, argument) = match called {
            Some((function, argument)) => (Some(Value::named(function, argument)?), argument),
            None => (None, text),
        };
        // Groups only: a variable's name holds no variable.
        let mut pieces = Vec::new();
        let mut rest = argument;
        while let Some(at) = rest.find('$') {
            push_text(&mut pieces, &rest[..at]);
            rest = &rest[at + 1..];
            match rest.as_bytes().first() {
                Some(digit @ b'0'..=b'9') => {
                    pieces.push(Piece::Group(digit - b'0'));
                    rest = &rest[1..];
                }
                _ => push_text(&mut pieces, "$"),
            }
        }
        push_text(&mut pieces, rest);
        Ok(Name { function, pieces })
    }

    fn push_value(&self, text: &mut Vec<u8>, groups: &Groups, request: &Request<'_>, world: &dyn World) {
        let mut name = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => name.extend_from_slice(piece),
                Piece::Group(number) => name.extend_from_slice(groups.get(*number)),
                Piece::Variable(_) => {}
            }
        }
        match self.function {
            None => text.extend_from_slice(request.variable(&name)),
            Some(function) => function.push(text, &name, request, world),
        }
    }
}
