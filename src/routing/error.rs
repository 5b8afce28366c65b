//! What is wrong with a rule. Pure.

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// What is wrong, or what was expected.
    pub problem: String,
    /// What to do about it; empty if there is nothing to say.
    pub advice: String,
    /// A name that is not known, and those that are.
    pub unknown: Option<(String, Vec<&'static str>)>,
}

impl RuleError {
    pub(super) fn new(problem: impl Into<String>) -> RuleError {
        RuleError { problem: problem.into(), advice: String::new(), unknown: None }
    }

    pub(super) fn advise(mut self, advice: impl Into<String>) -> RuleError {
        self.advice = advice.into();
        self
    }

    /// A rule needs a cache that there is not; the empty name is that of the first one.
    pub fn no_cache(name: &str, there: &[String]) -> RuleError {
        let called = if name.is_empty() { "pages" } else { name };
        let advice = match there {
            [] => format!("name it with cache2 = name={called},items=1000"),
            there => format!("caches are {}", there.join(", ")),
        };
        RuleError::new(format!("there is no cache {name}").trim_end()).advise(advice)
    }

    pub(super) fn unknown(what: &str, name: &str, known: impl Iterator<Item = &'static str>) -> RuleError {
        let problem = format!("there is no {what} `{name}`");
        RuleError { unknown: Some((name.to_owned(), known.collect())), ..RuleError::new(problem) }
    }
}
