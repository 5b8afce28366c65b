//! Pages that the server's own answers have by the configuration (`error-page-404` and its relatives). Worker only.

use std::io::Read as _;

use crate::config::model::{Answers, ErrorPage};
use crate::sys::files;

/// Largest page: who writes more of an error is not read to the end either.
const BYTES_MAX: u64 = 4 << 20;

/// The page for answers with a status: of several files the first one that is there. Read for each answer, so that it may
/// be replaced at any time.
pub(super) fn of(answers: &Answers, status: u16) -> Option<Vec<u8>> {
    answers.pages.iter().filter(|page| page.status == status).find_map(read)
}

fn read(page: &ErrorPage) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let read = files::open_regular(&page.path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut content));
    read.is_ok().then_some(content)
}

/// Says at the load which pages are not there.
pub(crate) fn warn_of_missing_pages(answers: &Answers) {
    for page in answers.pages.iter().filter(|page| !page.path.is_file()) {
        log::warn!("{}: {} is not there; such answers have a line of text", page.line, page.path.display());
    }
}
