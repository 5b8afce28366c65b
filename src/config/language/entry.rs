//! The list of entries that all sources feed, on its way to become directives.
//!
//! Nothing in it is ever replaced; repeated keys stay repeated, in order (uWSGI's manual, "How uWSGI parses config
//! files"). Pure.

use std::collections::HashMap;

use crate::config::directive::Directive;

/// One entry on its way.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) directive: Directive,
    /// Whether its value stays as it stands.
    pub(crate) done: bool,
    /// Whether it came from `set-placeholder`, which even `strict` allows.
    pub(crate) placeholder: bool,
}

impl Entry {
    pub(crate) fn new(directive: Directive, done: bool) -> Self {
        Self { directive, done, placeholder: false }
    }
}

/// The entries in order, with the first of each key at hand: that is the one which placeholders and `if-opt` see.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    list: Vec<Entry>,
    first: HashMap<String, usize>,
}

impl Entries {
    pub(crate) fn push(&mut self, entry: Entry) {
        if !self.first.contains_key(&entry.directive.key) {
            self.first.insert(entry.directive.key.clone(), self.list.len());
        }
        self.list.push(entry);
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Entry> {
        self.list.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.list.get_mut(index)
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut Entry> {
        self.list.last_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.list.iter()
    }

    /// Every value that there is.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut String> {
        self.list.iter_mut().filter_map(|entry| entry.directive.value.as_mut())
    }

    pub(crate) fn into_list(self) -> Vec<Entry> {
        self.list
    }

    /// Whether the entry at an index is the first of its key.
    pub(crate) fn is_first(&self, index: usize) -> bool {
        self.get(index).is_some_and(|entry| self.first.get(&entry.directive.key) == Some(&index))
    }

    /// The value of the first entry of that key; a flag without value has none.
    pub(crate) fn first_value(&self, key: &str) -> Option<&str> {
        let entry = self.get(*self.first.get(key)?)?;
        entry.directive.value.as_deref()
    }
}
