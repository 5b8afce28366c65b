//! What the router answers itself: why a request was not passed on, or not answered. Pure; used in the router.

use worker_protocol::decimal;
use worker_protocol::http::{Refusal, chunked};
use worker_protocol::response::{Error, Head, Version};

use super::terms::{Moment, Terms};

/// An answer of the router's own. The connection ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnAnswer {
    pub(super) status: u16,
    /// What the client, and the log, is told.
    pub(super) text: String,
    /// A header that goes with the status.
    header: Option<(&'static str, String)>,
}

impl OwnAnswer {
    pub(super) fn new(status: u16, text: impl Into<String>) -> OwnAnswer {
        OwnAnswer { status, text: text.into(), header: None }
    }

    /// The same is to be asked for at another place, now and later.
    pub(super) fn elsewhere(location: String) -> OwnAnswer {
        let text = format!("this is at {location}");
        OwnAnswer { header: Some(("Location", location)), ..OwnAnswer::new(301, text) }
    }

    /// Appends it. `is_head`: the client wants no body.
    pub(super) fn write(&self, is_head: bool, terms: &Terms, moment: &Moment, out: &mut Vec<u8>) {
        let before = out.len();
        if self.write_head(terms, &terms.added, moment, out).is_err() {
            // A header of the configuration's that cannot be sent: the status is what matters.
            out.truncate(before);
            // Of what is left nothing can be wrong.
            let _ = self.write_head(terms, &[], moment, out);
        }
        if !is_head {
            out.extend_from_slice(self.text.as_bytes());
            out.push(b'\n');
        }
    }

    fn write_head(
        &self,
        terms: &Terms,
        added: &[(String, String)],
        moment: &Moment,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut head = Head::start(out, Version::Http11, self.status, None)?;
        head.header("Content-Type", "text/plain; charset=utf-8")?;
        head.header("Content-Length", decimal::format(self.text.len() as u64 + 1, &mut [0; 20]))?;
        if let Some((name, value)) = &self.header {
            head.header(name, value)?;
        }
        head.header("Connection", "close")?;
        head.header("Date", moment.date)?;
        if let Some(server) = terms.server() {
            head.header("Server", server)?;
        }
        for (name, value) in added {
            head.header(name, value)?;
        }
        head.finish();
        Ok(())
    }
}

impl From<Refusal> for OwnAnswer {
    fn from(refusal: Refusal) -> OwnAnswer {
        let header = refusal.allow().map(|allow| ("Allow", allow.to_owned()));
        OwnAnswer { header, ..OwnAnswer::new(refusal.status(), refusal.to_string()) }
    }
}

impl From<chunked::Error> for OwnAnswer {
    fn from(error: chunked::Error) -> OwnAnswer {
        OwnAnswer::new(error.status(), error.to_string())
    }
}
