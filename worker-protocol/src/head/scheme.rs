//! Whether a request came over `http` or `https`, by what the web server and those before it say. Runs in the worker.

/// What tells the scheme, as received.
#[derive(Debug, Clone, Copy)]
pub(super) struct Secure<'a> {
    /// `UWSGI_SCHEME`.
    pub(super) told: &'a [u8],
    pub(super) https: &'a [u8],
    /// The later of `HTTPS` and `HTTP_X_FORWARDED_SSL` (they share a slot, uWSGI's manual, "uWSGI protocol magic
    /// variables").
    pub(super) https_or_forwarded_ssl: &'a [u8],
    pub(super) forwarded_proto: &'a [u8],
}

impl Secure<'_> {
    /// See [`super::RequestHead::scheme`].
    pub(super) fn scheme(self, trust_forwarded: bool) -> &'static str {
        let forwarded = if trust_forwarded { known(self.forwarded_proto) } else { None };
        let switch = if trust_forwarded { self.https_or_forwarded_ssl } else { self.https };
        forwarded.or_else(|| known(self.told)).unwrap_or_else(|| of_switch(switch))
    }

    /// See [`super::RequestHead::is_https_by_hearsay`].
    pub(super) fn is_https_by_hearsay(self) -> bool {
        known(self.forwarded_proto) == Some("https") && self.scheme(false) == "http"
    }

    /// The port that goes with the scheme, as far as the web server itself tells that.
    pub(super) fn port(self) -> &'static [u8] {
        if self.scheme(false) == "https" { b"443" } else { b"80" }
    }
}

fn known(value: &[u8]) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| value.eq_ignore_ascii_case(scheme.as_bytes()))
}

fn of_switch(value: &[u8]) -> &'static str {
    let on = ["on", "1", "https"].iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    if on { "https" } else { "http" }
}
