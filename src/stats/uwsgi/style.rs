//! How much is said in the statistics as uWSGI gives them, and in what form. Pure.

/// What a document looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Style {
    /// On one line (`stats-minified`).
    pub minified: bool,
    /// With the threads of each worker (without `stats-no-cores`).
    pub cores: bool,
    /// With the application's metrics (without `stats-no-metrics`).
    pub metrics: bool,
}
