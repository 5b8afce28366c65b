//! What is told once for each instance, by whichever process comes upon it first: one word of bits. Used in the workers.

use std::sync::atomic::{AtomicU64, Ordering};

/// Something that an operator is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A request says that its client came by TLS, and nobody is trusted to say so.
    UntrustedScheme,
    /// The web server does not say which method a request has.
    NoMethod,
}

/// The word that has a bit for each notice.
#[derive(Debug, Clone, Copy)]
pub struct Notices<'a> {
    pub(super) word: &'a AtomicU64,
}

impl Notices<'_> {
    /// Whether nobody has told it yet. Who asks first tells it.
    pub fn is_news(&self, notice: Notice) -> bool {
        let bit = match notice {
            Notice::UntrustedScheme => 1,
            Notice::NoMethod => 2,
        };
        // Looked at before: after the first time the line is only read.
        self.word.load(Ordering::Relaxed) & bit == 0 && self.word.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}
