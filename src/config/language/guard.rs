//! Which options a configuration forbids from some line on: `blacklist` and `whitelist`.
//!
//! The rule is uWSGI's manual, "Configuration logic". Pure.

/// The lists in force.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    forbidden: Option<Vec<String>>,
    allowed: Option<Vec<String>>,
}

impl Guards {
    pub(crate) fn forbid(&mut self, names: &str) {
        self.forbidden = Some(words(names));
    }

    pub(crate) fn end_forbid(&mut self) {
        self.forbidden = None;
    }

    pub(crate) fn allow_only(&mut self, names: &str) {
        self.allowed = Some(words(names));
    }

    pub(crate) fn end_allow_only(&mut self) {
        self.allowed = None;
    }

    /// Whether an option may be used here; else why not.
    pub(crate) fn check(&self, key: &str) -> Result<(), String> {
        let listed = |names: &Vec<String>| names.iter().any(|name| name.eq_ignore_ascii_case(key));
        if self.forbidden.as_ref().is_some_and(listed) {
            return Err("forbidden here by blacklist".to_owned());
        }
        if self.allowed.as_ref().is_some_and(|names| !listed(names)) {
            return Err("forbidden here, the whitelist does not name it".to_owned());
        }
        Ok(())
    }
}

fn words(names: &str) -> Vec<String> {
    names.split_ascii_whitespace().map(str::to_owned).collect()
}
