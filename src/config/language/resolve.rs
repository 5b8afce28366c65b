//! Resolving: what is left to do once everything is read.
//!
//! The three passes over the values, the files of `inherit`, which come last and are not expanded, and the judgement
//! on keys that are no options (uWSGI's manual, "How uWSGI parses config files"). Runs in the master, before anything
//! is started; asks the outside only through `World`.

use std::collections::{HashMap, HashSet};

use super::collected::Collected;
use super::collector::Collector;
use super::entry::Entry;
use super::expand;
use super::files::Role;
use super::keyword::Keyword;
use super::placeholder::{Contents, Environment, Placeholders};
use super::sealed::{unseal, unseal_in_place};
use super::strict::{Judge, Judgement};
use crate::config::directive::Directive;
use crate::config::error::{ConfigError, ConfigErrors};
use crate::config::nearest::Names;

impl Collector<'_> {
    pub(super) fn tell_of_open_blocks(&mut self) {
        let open = self.blocks.set_aside();
        if self.stopped {
            return; // their ends were not reached
        }
        for block in open {
            let problem =
                format!("`{}` is never closed; it dropped {} entries after it", block.opening(), block.dropped);
            self.warn(ConfigError::at(&block.origin, problem).suggest("add an endif or endfor"));
        }
    }

    /// The three passes over every value. An entry with an error keeps what it has.
    pub(super) fn expand(&mut self) {
        for symbol in [b'$', b'@', b'%'] {
            for index in 0..self.entries.len() {
                self.expand_entry(index, symbol);
            }
            let mut declared = std::mem::take(&mut self.declared);
            for entry in &mut declared {
                self.expand_value(entry, symbol, Vec::new());
            }
            self.declared = declared;
        }
    }

    /// Expands in a copy, so that other values may look this one up meanwhile.
    fn expand_entry(&mut self, index: usize, symbol: u8) {
        let Some(entry) = self.entries.get(index).filter(|entry| needs(entry, symbol)) else { return };
        let mut entry = entry.clone();
        let is_reached = symbol == b'%' && self.entries.is_first(index);
        let chain = if is_reached { vec![entry.directive.key.clone()] } else { Vec::new() };
        self.expand_value(&mut entry, symbol, chain);
        if let Some(place) = self.entries.get_mut(index) {
            *place = entry;
        }
    }

    fn expand_value(&mut self, entry: &mut Entry, symbol: u8, mut chain: Vec<String>) {
        if !needs(entry, symbol) || self.budget.is_exhausted() {
            return;
        }
        let text = entry.directive.value.clone().unwrap_or_default();
        match self.substitute(text, symbol, &mut chain) {
            Ok(text) => entry.directive.value = Some(text),
            Err(problem) => {
                entry.done = true;
                self.complain(ConfigError::about(&entry.directive, problem));
            }
        }
    }

    fn substitute(&mut self, text: String, symbol: u8, chain: &mut Vec<String>) -> Result<String, String> {
        let budget = &mut self.budget;
        match symbol {
            b'$' => {
                let mut environment = Environment { variables: &self.invocation.environment };
                expand::substitute(text, symbol, &mut environment, chain, budget)
            }
            b'@' => expand::substitute(text, symbol, &mut Contents { reader: &mut self.files.reader }, chain, budget),
            _ => {
                let mut used = std::mem::take(&mut self.references);
                let mut placeholders = Placeholders { entries: &self.entries, used: &mut used };
                let result = expand::substitute(text, symbol, &mut placeholders, chain, budget);
                self.references = used;
                result
            }
        }
    }

    /// `inherit`, in the order of the list, which grows at its end meanwhile.
    pub(super) fn read_inherited(&mut self) {
        self.inheriting = true;
        let mut index = 0;
        while index < self.entries.len() && !self.stopped {
            let found = self.entries.get(index).map(|entry| &entry.directive);
            if let Some(directive) = found.filter(|found| Keyword::of(&found.key) == Some(Keyword::Inherit)).cloned() {
                if let Err(problem) = self.load(&unseal(directive.value.as_deref().unwrap_or_default()), Role::Side) {
                    self.complain(ConfigError::about(&directive, problem));
                }
                self.tell_of_open_blocks();
            }
            index += 1;
        }
    }

    pub(super) fn finish(mut self) -> (Collected, ConfigErrors) {
        let declared = self.declared.iter_mut().filter_map(|entry| entry.directive.value.as_mut());
        self.entries.values_mut().chain(declared).for_each(unseal_in_place);
        self.judge_keys();
        let entries = self.declared.into_iter().chain(self.entries.into_list());
        let directives: Vec<Directive> = entries.map(|entry| entry.directive).collect();
        let fallback = directives.iter().rfind(|one| Keyword::of(&one.key) == Some(Keyword::FallbackConfig));
        let collected = Collected {
            fallback: fallback.and_then(|directive| directive.value.clone()),
            directives,
            warnings: self.warnings.sorted(),
            missed_source: self.files.reader.missed,
            named_application: self.named_application,
            files: self.files.reader.files,
            placeholders_used: self.references,
            magic: self.files.magic.table(),
            strict: self.strict,
        };
        (collected, ConfigErrors(self.errors.sorted()))
    }

    fn judge_keys(&mut self) {
        let mut judge = Judge {
            vocabulary: self.vocabulary,
            strict: self.strict,
            used: &self.references,
            declared: &|key| self.declarations.contains_key(key),
            names: Names::new(self.vocabulary.names()),
            found: HashMap::new(),
        };
        let wrong = self.errors.places();
        let is_wrong = |entry: &Entry| wrong.contains(&(&entry.directive.origin, entry.directive.key.as_str()));
        let mut said = HashSet::new(); // a loop says the same many times
        let mut judgements = Vec::new();
        for entry in self.declared.iter().chain(self.entries.iter()) {
            if said.insert((&entry.directive.origin, &entry.directive.key)) && !is_wrong(entry) {
                judgements.push(judge.judge(entry));
            }
        }
        for judgement in judgements {
            match judgement {
                Judgement::Fine => {}
                Judgement::Warning(warning) => self.warn(warning),
                Judgement::Error(error) => self.complain(error),
            }
        }
    }
}

/// Whether a pass has something to do in a value.
fn needs(entry: &Entry, symbol: u8) -> bool {
    let has_symbol = |value: &str| value.as_bytes().windows(2).any(|pair| pair == [symbol, b'(']);
    !entry.done && entry.directive.value.as_deref().is_some_and(has_symbol)
}
