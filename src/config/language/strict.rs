//! Keys that are no options: placeholders that serve their purpose, slips of the pen, and lines that do nothing.
//!
//! To uWSGI every unknown key is a placeholder, so a misspelled option vanishes without a word. Here a key that some
//! value refers to is fine; one that none does is an error when it is close to an option that would do something with that
//! value, and no word that people use for values of their own; else a warning. With
//! `strict = true` every unknown key is an error as in uWSGI, with `strict = false` none is. Pure.

use std::collections::{HashMap, HashSet};

use super::entry::Entry;
use super::keyword::Keyword;
use crate::config::directive::{Directive, Origin};
use crate::config::error::ConfigError;
use crate::config::nearest::{Names, Nearest};
use crate::config::vocabulary::{Vocabulary, is_of_application};

/// Words near an option's name that people use for values of their own, which placeholders or the application read.
const PLAUSIBLE: [&str; 11] =
    ["group", "host", "hosts", "log-file", "project", "queue", "queues", "rules", "user", "virtual-env", "worker"];

/// What is known when the keys are judged.
pub(crate) struct Judge<'a> {
    pub(crate) vocabulary: &'a dyn Vocabulary,
    pub(crate) strict: Option<bool>,
    pub(crate) used: &'a HashSet<String>,
    /// Whether `declare-option` made an option of that name.
    pub(crate) declared: &'a dyn Fn(&str) -> bool,
    /// The names of the vocabulary.
    pub(crate) names: Names<'a>,
    /// What was nearest to which key.
    pub(crate) found: HashMap<String, Option<Nearest<'a>>>,
}

/// What is to be said about a key.
pub(crate) enum Judgement {
    Fine,
    Warning(ConfigError),
    Error(ConfigError),
}

impl<'a> Judge<'a> {
    /// The nearest name; the same key may come by many times.
    fn nearest(&mut self, key: &str) -> Option<Nearest<'a>> {
        if let Some(found) = self.found.get(key) {
            return *found;
        }
        let found = self.names.nearest(key);
        self.found.insert(key.to_owned(), found);
        found
    }

    pub(crate) fn judge(&mut self, entry: &Entry) -> Judgement {
        let directive = &entry.directive;
        let strict = self.strict == Some(true);
        if entry.placeholder || self.is_known(&directive.key) || !strict && self.used.contains(&directive.key) {
            return Judgement::Fine;
        }
        let near = self.nearest(&directive.key);
        let complaint = |problem: &str| {
            let error = ConfigError::about(directive, problem);
            match &near {
                Some(near) if directive.key.contains([' ', ':']) => {
                    error.suggest(format!("did you forget the '=' behind `{}`?", near.name))
                }
                Some(near) => error.suggest(format!("did you mean `{}`?", near.name)),
                None => error,
            }
        };
        if strict {
            return Judgement::Error(complaint("not an option, and the configuration is strict"));
        }
        let slip = near.as_ref().is_some_and(|near| near.close && self.would_act(near.name, entry));
        match (&directive.origin, slip) {
            (Origin::Environment { .. }, false) => Judgement::Fine, // names of other programs: UWSGI_PORT, UWSGI_OPTS
            (Origin::Environment { .. }, true) => Judgement::Warning(complaint("not an option")),
            (_, true) if self.strict.is_none() => Judgement::Error(complaint(
                "not an option, and nothing refers to it as a placeholder (`strict = false` makes this a warning)",
            )),
            (_, true | false) => Judgement::Warning(complaint(
                "not an option, and nothing refers to it as a placeholder: it does nothing",
            )),
        }
    }

    /// Whether the option that is near would do something with the value, and the key is hardly anything of the user's
    /// own. Where the key holds more than a name, the value does not tell.
    fn would_act(&self, option: &str, entry: &Entry) -> bool {
        let Directive { key, value, .. } = &entry.directive;
        if key.contains([' ', ':']) {
            return true;
        }
        let own = PLAUSIBLE.contains(&key.to_lowercase().replace('_', "-").as_str());
        !own && self.vocabulary.would_act(option, value.as_deref())
    }

    /// `end` closes blocks without being an option; uWSGI refuses it when strict.
    fn is_known(&self, key: &str) -> bool {
        let language = self.strict != Some(true) && Keyword::of(key).is_some();
        language || self.vocabulary.lookup(key).is_some() || is_of_application(key) || (self.declared)(key)
    }
}
