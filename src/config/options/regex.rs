//! Whether what an option gives is a regular expression, for every option that takes one. Pure.

use regex_lite::Regex;

use super::draft::Draft;

/// Whether this can be read as one; complains if it cannot.
pub(super) fn is_regex(draft: &mut Draft<'_>, pattern: &str) -> bool {
    let read = Regex::new(pattern);
    if let Err(error) = &read {
        let problem = format!("expected a regular expression: {error}");
        draft.refuse(problem, "look-around and back-references of PCRE are not understood here");
    }
    read.is_ok()
}
