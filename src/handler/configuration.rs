//! What an application is told of the configuration that it runs under. Pure; the factory of an application gets it.

/// What an application is told of the configuration.
///
/// Environment variables that the configuration sets are in the environment already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    pub(crate) workers: usize,
    pub(crate) threads: usize,
}

impl Configuration {
    /// Most workers at once (`workers`).
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Requests that one worker handles at once (`threads`), at least 1.
    pub fn threads(&self) -> usize {
        self.threads
    }
}
