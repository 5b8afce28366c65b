//! What the names in `$(NAME)`, `@(file)` and `%(name)` stand for.
//!
//! The passes themselves are `expand`. Pure but for the files that `@( )` names.

use std::collections::HashSet;
use std::ffi::OsString;

use super::entry::Entries;
use super::expand::{self, Budget, Replacement, Resolver};
use super::sealed::{seal, unseal};
use super::source::Reader;

/// `$(NAME)`: environment variables, whose values are data and never read again. Those that are not text are unknown.
pub(crate) struct Environment<'a> {
    pub(crate) variables: &'a [(OsString, OsString)],
}

impl Resolver for Environment<'_> {
    fn resolve(&mut self, name: &str, _: &mut Vec<String>, _: &mut Budget) -> Result<Replacement, String> {
        let name = unseal(name);
        let found = self.variables.iter().find(|(key, _)| key.to_str() == Some(&*name));
        Ok(match found.and_then(|(_, value)| value.to_str()) {
            Some(value) => Replacement::Literal(seal(value)),
            None => Replacement::Unknown,
        })
    }
}

/// `@(file)`: the content of any source, without one newline at its end.
pub(crate) struct Contents<'r, 'a> {
    pub(crate) reader: &'r mut Reader<'a>,
}

impl Resolver for Contents<'_, '_> {
    fn resolve(&mut self, name: &str, chain: &mut Vec<String>, _: &mut Budget) -> Result<Replacement, String> {
        if chain.iter().any(|link| link == name) {
            return Ok(Replacement::Reread(String::new())); // the pass tells of the cycle
        }
        let bytes = self.reader.read_named(&unseal(name)).map_err(|problem| format!("@({name}): {problem}"))?;
        let mut text = String::from_utf8(bytes).map_err(|_| format!("@({name}): expected a file in UTF-8"))?;
        if text.ends_with(['\n', '\r']) {
            text.pop();
        }
        Ok(Replacement::Reread(text))
    }
}

/// `%(name)`: the value of the first entry of that name, or arithmetic when there is a space in it.
pub(crate) struct Placeholders<'a> {
    pub(crate) entries: &'a Entries,
    pub(crate) used: &'a mut HashSet<String>,
}

impl Placeholders<'_> {
    fn value(&mut self, name: &str) -> Option<String> {
        let name = unseal(name);
        let value = self.entries.first_value(&name)?.to_owned();
        self.used.insert(name.into_owned());
        Some(value)
    }

    /// The value of a name within arithmetic, fully replaced.
    fn operand(&mut self, name: &str, chain: &mut Vec<String>, budget: &mut Budget) -> Result<String, String> {
        let Some(value) = self.value(name) else { return Ok(String::new()) };
        if chain.iter().any(|link| link == name) {
            return Err(expand::cycle(chain, name));
        }
        chain.push(name.to_owned());
        let result = expand::substitute(value, b'%', self, chain, budget);
        chain.pop();
        result
    }
}

impl Resolver for Placeholders<'_> {
    fn resolve(&mut self, name: &str, chain: &mut Vec<String>, budget: &mut Budget) -> Result<Replacement, String> {
        if !name.contains(' ') {
            return Ok(self.value(name).map_or(Replacement::Unknown, Replacement::Reread));
        }
        let result = expand::compute(name, |token| self.operand(token, chain, budget))?;
        Ok(result.map_or(Replacement::Unknown, Replacement::Literal))
    }
}

/// Replaces `%(name)` and `$(NAME)` in the name of a file that is read at once, before the passes.
pub(crate) fn expand_name(
    name: &str,
    entries: &Entries,
    variables: &[(OsString, OsString)],
    budget: &mut Budget,
) -> Result<String, String> {
    let mut placeholders = Placeholders { entries, used: &mut HashSet::new() };
    let text = expand::substitute(name.to_owned(), b'%', &mut placeholders, &mut Vec::new(), budget)?;
    let text = expand::substitute(text, b'$', &mut Environment { variables }, &mut Vec::new(), budget)?;
    Ok(unseal(&text).into_owned())
}
