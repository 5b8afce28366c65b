//! Values that are lists of keys: `KEY=VALUE,KEY,...`, with `\,` for a comma within a value.
//!
//! Only how they are read; what keys there are is the business of the option. Pure; runs wherever a configuration is
//! read.

use crate::config::nearest::Names;

/// One key of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key<'a> {
    /// Before the `=`.
    pub(super) name: &'a str,
    /// Behind it; `None` without one.
    pub(super) value: Option<&'a str>,
}

/// What is wrong with a key, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyError {
    pub(super) problem: String,
    pub(super) suggestion: String,
}

impl KeyError {
    pub(super) fn new(problem: impl Into<String>, suggestion: impl Into<String>) -> KeyError {
        KeyError { problem: problem.into(), suggestion: suggestion.into() }
    }

    /// Says what else would have been right.
    pub(super) fn or(mut self, expected: &str) -> KeyError {
        self.problem = format!("{}, or {expected}", self.problem);
        self
    }
}

/// The keys of a list, in their order. Empty ones, as behind a last comma, are left out.
pub(super) fn read_keys(list: &str) -> Vec<Key<'_>> {
    let mut keys = Vec::new();
    let mut start = 0;
    let ends = list.match_indices(',').map(|(at, _)| at).filter(|at| !list[..*at].ends_with('\\'));
    for end in ends.chain([list.len()]) {
        let item = list[start..end].trim();
        start = (end + 1).min(list.len());
        let (name, value) = match item.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
            None => (item, None),
        };
        if !item.is_empty() {
            keys.push(Key { name, value });
        }
    }
    keys
}

impl Key<'_> {
    /// Its value as text, which it must have.
    pub(super) fn text(&self) -> Result<String, KeyError> {
        match self.value {
            None | Some("") => Err(self.wrong("a value")),
            Some(value) => Ok(value.replace("\\,", ",")),
        }
    }

    /// Whether it is on; without a value it is.
    pub(super) fn switch(&self) -> Result<bool, KeyError> {
        match self.value.map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "1" | "true" | "on" | "yes") => Ok(true),
            Some("0" | "false" | "off" | "no") => Ok(false),
            Some(_) => Err(self.wrong("true or false")),
        }
    }

    /// Its value as a whole number within bounds, both included.
    pub(super) fn number(&self, min: u64, max: u64) -> Result<u64, KeyError> {
        let number = self.value.and_then(|value| value.trim().parse().ok());
        let bounds = if max >= i32::MAX as u64 { format!("from {min} on") } else { format!("from {min} to {max}") };
        number
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| self.wrong(&format!("a whole number {bounds}")))
    }

    /// Its value as a whole number, which may be below zero.
    pub(super) fn signed(&self) -> Result<i64, KeyError> {
        let number = self.value.and_then(|value| value.trim().parse().ok());
        number.ok_or_else(|| self.wrong("a whole number"))
    }

    /// That there is no such key, and which of those that there are may have been meant.
    pub(super) fn unknown(&self, known: &[&str]) -> KeyError {
        let suggestion = match Names::new(known.iter().copied()).nearest(self.name) {
            Some(nearest) => format!("did you mean `{}`?", nearest.name),
            None if self.value.is_none() => "a comma within a value is written \\,".to_owned(),
            None => format!("known are {}", known.join(", ")),
        };
        KeyError::new(format!("there is no key `{}`", self.name), suggestion)
    }

    fn wrong(&self, expected: &str) -> KeyError {
        let found = match self.value {
            None | Some("") => "nothing".to_owned(),
            Some(value) => format!("`{value}`"),
        };
        KeyError::new(format!("{}: expected {expected}", self.name), format!("there is {found}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<'a>(name: &'a str, value: Option<&'a str>) -> Key<'a> {
        Key { name, value }
    }

    #[test]
    fn commas_part_keys_unless_they_are_escaped() {
        let keys = read_keys("cmd=sh -c a\\,b=c, control ,freq = 5,,");
        assert_eq!(keys, [key("cmd", Some("sh -c a\\,b=c")), key("control", None), key("freq", Some("5"))]);
        assert_eq!(keys[0].text().as_deref(), Ok("sh -c a,b=c"));
        assert_eq!(read_keys(""), []);
    }

    #[test]
    fn values_are_read_as_what_they_are_to_be() {
        assert_eq!(key("k", None).switch(), Ok(true));
        assert_eq!(key("k", Some("OFF")).switch(), Ok(false));
        assert!(key("k", Some("perhaps")).switch().is_err());
        assert_eq!(key("k", Some(" 7 ")).number(1, 9), Ok(7));
        for value in ["0", "10", "-1", "seven", ""] {
            let error = key("k", Some(value)).number(1, 9).unwrap_err();
            assert_eq!(error.problem, "k: expected a whole number from 1 to 9");
        }
        assert!(key("k", None).text().is_err());
    }

    #[test]
    fn an_unknown_key_names_the_nearest_or_the_way_to_write_a_comma() {
        let known = ["stopsignal", "touch"];
        assert_eq!(key("stopsingal", Some("9")).unknown(&known).suggestion, "did you mean `stopsignal`?");
        assert!(key("queue2", None).unknown(&known).suggestion.contains("\\,"));
        assert_eq!(key("else", Some("1")).unknown(&known).suggestion, "known are stopsignal, touch");
    }
}
