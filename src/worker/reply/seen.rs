//! How far rules have looked at an answer. Worker only.

/// How far rules have looked at an answer.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How many of the headers that they set are in the head.
    pub(super) headers: usize,
    /// They are shown the body as well.
    pub(super) watches_body: bool,
    /// They have seen its head.
    pub(super) is_judged: bool,
    /// Their answer takes the place of the application's.
    pub(super) is_replaced: bool,
}
