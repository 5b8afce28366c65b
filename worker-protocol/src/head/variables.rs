//! What the application sees of the variables: the dangerous ones left out, repeated ones joined on demand.
//!
//! A view over the pairs of a [`super::RequestHead`]; it does not judge them. Runs in the worker.

use std::array;
use std::borrow::Cow;
use std::collections::HashMap;
use std::iter::Flatten;

use crate::pairs::{Pair, Pairs};

/// Required variables that may have to be added: protocol, server name, server port.
pub(super) const ADDITIONS_MAX: usize = 3;

/// What the application sees, in wire order. Made by [`super::RequestHead::variables`].
#[derive(Debug, Clone)]
pub struct Variables<'a> {
    pairs: Pairs<'a>,
    replaced: Replaced<'a>,
    additions: Flatten<array::IntoIter<Option<Pair<'a>>, ADDITIONS_MAX>>,
}

/// Values that differ from those received.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replaced<'a> {
    /// Path and script name, for `modifier1` 30.
    pub(super) path: Option<(&'a [u8], &'a [u8])>,
    /// `SERVER_PROTOCOL`, of the right form.
    pub(super) protocol: &'a [u8],
}

impl<'a> Replaced<'a> {
    #[inline]
    fn value(&self, key: &[u8], value: &'a [u8]) -> &'a [u8] {
        match (key, self.path) {
            (b"SERVER_PROTOCOL", _) => self.protocol,
            (b"PATH_INFO", Some((path, _))) => path,
            (b"SCRIPT_NAME", Some((_, script_name))) => script_name,
            _ => value,
        }
    }
}

impl<'a> Iterator for Variables<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        match self.pairs.find(|(key, _)| is_visible(key)) {
            Some((key, value)) => Some((key, self.replaced.value(key, value))),
            None => self.additions.next(),
        }
    }
}

impl<'a> Variables<'a> {
    pub(super) fn new(pairs: Pairs<'a>, replaced: Replaced<'a>, additions: [Option<Pair<'a>>; ADDITIONS_MAX]) -> Self {
        Variables { pairs, replaced, additions: additions.into_iter().flatten() }
    }
}

/// What the application sees, each key once. Made by [`super::RequestHead::joined`].
#[derive(Debug, Clone)]
pub struct Joined<'a>(Inner<'a>);

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one lives on the stack of each request; a box would cost an allocation")]
enum Inner<'a> {
    AsSent(Variables<'a>),
    Merged(std::vec::IntoIter<(&'a [u8], Cow<'a, [u8]>)>),
}

impl<'a> Iterator for Joined<'a> {
    type Item = (&'a [u8], Cow<'a, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Inner::AsSent(variables) => variables.next().map(|(key, value)| (key, Cow::Borrowed(value))),
            Inner::Merged(list) => list.next(),
        }
    }
}

impl<'a> Joined<'a> {
    /// `has_duplicates`: whether there is anything to join.
    pub(super) fn new(variables: Variables<'a>, has_duplicates: bool) -> Self {
        if has_duplicates {
            Joined(Inner::Merged(merge(variables).into_iter()))
        } else {
            Joined(Inner::AsSent(variables))
        }
    }
}

/// Merges repeated keys. The map is keyed with random numbers per process, so no choice of keys makes it slow.
fn merge<'a>(variables: impl Iterator<Item = Pair<'a>>) -> Vec<(&'a [u8], Cow<'a, [u8]>)> {
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    let mut merged: Vec<(&[u8], Cow<[u8]>)> = Vec::new();
    for (key, value) in variables {
        let place = *places.entry(key).or_insert(merged.len());
        match merged.get_mut(place) {
            None => merged.push((key, Cow::Borrowed(value))),
            Some((_, kept)) => match separator(key) {
                Some(separator) => {
                    kept.to_mut().extend_from_slice(separator);
                    kept.to_mut().extend_from_slice(value);
                }
                None => *kept = Cow::Borrowed(value),
            },
        }
    }
    merged
}

/// What joins repeated values of a key (RFC 9110 5.3, RFC 6265 4.2.1); `None`: the last one counts.
fn separator(key: &[u8]) -> Option<&'static [u8]> {
    match key {
        b"HTTP_COOKIE" => Some(b"; "),
        _ if key.starts_with(b"HTTP_") => Some(b", "),
        _ => None,
    }
}

/// Whether the application gets to see a variable.
fn is_visible(key: &[u8]) -> bool {
    match key.first() {
        Some(b'H') => !matches!(key, b"HTTP_PROXY" | b"HTTP_CONTENT_TYPE" | b"HTTP_CONTENT_LENGTH"),
        Some(b'U') => !key.starts_with(b"UWSGI_"),
        Some(b'w') => !key.starts_with(b"wsgi."),
        Some(b'u') => !key.starts_with(b"uwsgi."),
        _ => true,
    }
}
