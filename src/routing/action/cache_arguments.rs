//! How the arguments of actions on caches are read. Pure.

use super::arguments;
use super::caching::{CacheAction, What};
use super::kinds::Action;
use crate::cache::Arithmetic;
use crate::routing::error::RuleError;
use crate::routing::template::Template;

type Read = Result<Action, RuleError>;

/// The keys of an argument, with the one that all of them need.
struct Keys<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Keys<'t> {
    fn read(argument: &'t str, known: &'static [&'static str]) -> Result<Self, RuleError> {
        Ok(Self(arguments::pairs(argument, known)?))
    }

    fn of(&self, key: &str) -> Option<&'t str> {
        arguments::value(&self.0, key)
    }

    fn needed(&self, key: &str) -> Result<&'t str, RuleError> {
        let given = self.of(key).filter(|value| !value.is_empty());
        given.ok_or_else(|| RuleError::new(format!("expected {key}=…")))
    }

    fn lifetime_s(&self) -> Result<u64, RuleError> {
        let given = self.of("expires").unwrap_or("0");
        given.parse().map_err(|_| RuleError::new("expected expires=SECONDS"))
    }

    /// The value of a header.
    fn text(&self, key: &str) -> Result<String, RuleError> {
        let text = self.of(key).unwrap_or_default();
        if text.chars().any(char::is_control) {
            return Err(RuleError::new(format!("{key} has a control character")));
        }
        Ok(text.to_owned())
    }

    fn action(&self, what: What) -> Read {
        let cache = self.of("name").unwrap_or_default().to_owned();
        Ok(Action::Cache(Box::new(CacheAction { cache, key: Template::read(self.needed("key")?)?, what })))
    }
}

/// `cache:key=K,…`.
pub(super) fn answer(argument: &str) -> Read {
    let known = &["key", "name", "content_type", "content_encoding", "mime", "no_cl", "no_offload"];
    let keys = Keys::read(argument, known)?;
    keys.action(What::Answer {
        content_type: keys.text("content_type")?,
        by_name: keys.of("mime").is_some(),
        coding: keys.text("content_encoding")?,
        without_length: keys.of("no_cl").is_some(),
    })
}

/// `cachestore:key=K,…`.
pub(super) fn keep(argument: &str) -> Read {
    let keys = Keys::read(argument, &["key", "name", "expires", "value", "status", "gzip"])?;
    if keys.of("gzip").is_some() {
        let problem = "answers are kept as they are, and not packed";
        return Err(RuleError::new(problem).advise("let the web server pack them (gzip of nginx)"));
    }
    let status = keys.of("status").map_or(Ok(200), |status| arguments::status(status).map(|(status, _)| status))?;
    let value = keys.of("value").map(Template::read).transpose()?;
    keys.action(What::Keep { status, value, lifetime_s: keys.lifetime_s()? })
}

/// `cacheset:key=K,value=V,…`.
pub(super) fn set(argument: &str) -> Read {
    let keys = Keys::read(argument, &["key", "value", "name", "expires"])?;
    keys.action(What::Add { value: Template::read(keys.needed("value")?)?, lifetime_s: keys.lifetime_s()? })
}

/// `cachevar:key=K,var=V,…`.
pub(super) fn read(argument: &str) -> Read {
    let keys = Keys::read(argument, &["key", "var", "name", "num"])?;
    let is_number = keys.of("num").is_some_and(|given| given != "0");
    keys.action(What::Read { variable: keys.needed("var")?.to_owned(), is_number })
}

/// `cacheinc:key=K,…` and its relatives; `default` is what they calculate with where nothing is said.
pub(super) fn calculation(how: Arithmetic, default: &str, argument: &str) -> Read {
    let keys = Keys::read(argument, &["key", "value", "name", "expires"])?;
    let by = Template::read(keys.of("value").unwrap_or(default))?;
    keys.action(What::Calculate { how, by, lifetime_s: keys.lifetime_s()? })
}
