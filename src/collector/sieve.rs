//! Which lines of the log are kept (`log-filter`, `log-drain`). Pure; collector only.

use regex_lite::Regex;

use crate::config::model::Logging;

/// What lines must match, and what they must not.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    kept: Vec<Regex>,
    dropped: Vec<Regex>,
}

impl Sieve {
    /// That of a configuration. An expression that cannot be read was refused before.
    pub(super) fn of(logging: &Logging) -> Self {
        let read = |all: &[String]| all.iter().filter_map(|expression| Regex::new(expression).ok()).collect();
        Self { kept: read(&logging.filters), dropped: read(&logging.drains) }
    }

    /// Whether a line is kept.
    pub(super) fn keeps(&self, line: &str) -> bool {
        let matches = |all: &[Regex]| all.iter().any(|expression| expression.is_match(line));
        (self.kept.is_empty() || matches(&self.kept)) && !matches(&self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_dropped_and_with_filters_only_what_matches_one_is_kept() {
        let sieve = |filters: &[&str], drains: &[&str]| {
            let own = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
            Sieve::of(&Logging { filters: own(filters), drains: own(drains), ..Logging::default() })
        };
        assert!(sieve(&[], &[]).keeps("anything"));
        assert!(!sieve(&[], &["GET /health"]).keeps("GET /health => 200"));
        let both = sieve(&["error", "^\\[pid"], &["boring"]);
        assert_eq!(
            ["an error", "[pid: 1] x", "a boring error", "x"].map(|line| both.keeps(line)),
            [true, true, false, false]
        );
    }
}
