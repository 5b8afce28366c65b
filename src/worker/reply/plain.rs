//! Short answers of the server's own, in plain text or as the page that the configuration has for their status. Worker only.

use super::{Headers, Reply, StartError, page};

/// The media type of what the server itself says.
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";

impl Reply<'_> {
    /// A short answer in plain text, or the page that the configuration has for such. Nothing happens if an answer is on its way already.
    pub(crate) fn answer_plainly(&mut self, status: u16, text: &str) {
        match self.page(status) {
            Some(page) => self.answer_with(status, "text/html", &page, |_| Ok(())),
            None => self.answer_with(status, PLAIN, text.as_bytes(), |_| Ok(())),
        }
    }

    /// The page that the configuration has for the server's own answers with this status.
    pub(crate) fn page(&self, status: u16) -> Option<Vec<u8>> {
        page::of(self.manner.answers?, status)
    }

    /// The same, with 503 and the seconds after which another attempt is worth it.
    pub(crate) fn answer_unavailable(&mut self, text: &str, again_s: u64) {
        let headers = |headers: &mut Headers<'_>| headers.add(b"Retry-After", again_s.to_string().as_bytes());
        self.answer_with(503, PLAIN, text.as_bytes(), headers);
    }

    pub(super) fn answer_with(
        &mut self,
        status: u16,
        media_type: &str,
        body: &[u8],
        more: impl FnOnce(&mut Headers<'_>) -> Result<(), StartError>,
    ) {
        let headers = |headers: &mut Headers<'_>| {
            headers.add(b"Content-Type", media_type.as_bytes())?;
            more(headers)
        };
        if !self.is_sending() && self.start(status, None, Some(body.len() as u64), headers).is_ok() {
            // If the client has gone, there is nobody to tell.
            let _ = self.send(body);
        }
    }
}
