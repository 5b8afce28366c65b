//! How long clients may keep a file. Worker only.

use regex_lite::Regex;

use crate::config::model::{Expiry, ExpiryOf};

/// All expiries, ready to be compared.
#[derive(Debug)]
pub(super) struct Expiries<'z>(Vec<(&'z Expiry, Option<Regex>)>);

/// What is known of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'r> {
    /// The file's path.
    pub(super) file: &'r str,
    /// PATH_INFO.
    pub(super) path: &'r str,
    /// REQUEST_URI.
    pub(super) uri: &'r str,
    /// The media type.
    pub(super) media_type: Option<&'r str>,
    pub(super) now_s: u64,
    pub(super) modified_s: u64,
}

impl<'z> Expiries<'z> {
    pub(super) fn of(expiries: &'z [Expiry]) -> Self {
        let prepared = |expiry: &'z Expiry| match expiry.of {
            ExpiryOf::Type => Some((expiry, None)),
            _ => Some((expiry, Some(Regex::new(&expiry.pattern).ok()?))),
        };
        Self(expiries.iter().filter_map(prepared).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Until when, in seconds since the epoch, by the first one that fits.
    pub(super) fn until_s(&self, about: &About<'_>) -> Option<u64> {
        let fits = |expiry: &Expiry, regex: &Option<Regex>| {
            let subject = match expiry.of {
                ExpiryOf::File => about.file,
                ExpiryOf::Path => about.path,
                ExpiryOf::Uri => about.uri,
                ExpiryOf::Type => {
                    return about.media_type.is_some_and(|kind| kind.eq_ignore_ascii_case(&expiry.pattern));
                }
            };
            regex.as_ref().is_some_and(|regex| regex.is_match(subject))
        };
        let (expiry, _) = self.0.iter().find(|(expiry, regex)| fits(expiry, regex))?;
        let from_s = if expiry.since_modified { about.modified_s } else { about.now_s };
        Some(from_s.saturating_add(expiry.seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits_counts() {
        let expiry = |of, pattern: &str, seconds, since_modified| Expiry {
            of,
            pattern: pattern.to_owned(),
            seconds,
            since_modified,
        };
        let all = [
            expiry(ExpiryOf::File, r"\.css$", 10, false),
            expiry(ExpiryOf::Path, "^/app/", 20, true),
            expiry(ExpiryOf::Uri, "v=", 30, false),
            expiry(ExpiryOf::Type, "image/png", 40, false),
        ];
        let expiries = Expiries::of(&all);
        let about =
            About { file: "/srv/a.js", path: "/a.js", uri: "/a.js", media_type: None, now_s: 1_000, modified_s: 500 };
        for (about, expected) in [
            (about, None),
            (About { file: "/srv/a.css", path: "/app/a.css", ..about }, Some(1_010)),
            (About { path: "/app/a.js", ..about }, Some(520)),
            (About { uri: "/a.js?v=2", ..about }, Some(1_030)),
            (About { media_type: Some("Image/PNG"), ..about }, Some(1_040)),
        ] {
            assert_eq!(expiries.until_s(&about), expected, "{about:?}");
        }
    }
}
