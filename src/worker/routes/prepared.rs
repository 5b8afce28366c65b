//! What a thread of a worker needs for rules: the rules themselves, and what tells of files. Worker only.

use crate::config::model::{CollectedHeader, Config};
use crate::routing::Rules;
use crate::worker::statics::Statics;

/// What a thread of a worker needs for rules.
#[derive(Debug)]
pub(in crate::worker) struct Routes<'z> {
    pub(super) rules: &'z Rules,
    pub(super) collected: &'z [CollectedHeader],
    pub(super) statics: Statics<'z>,
}

impl<'z> Routes<'z> {
    /// Whether rules may take long before anything answers.
    pub(in crate::worker) fn take_time(&self) -> bool {
        self.rules.take_time()
    }

    /// `None`: there is nothing to look at requests.
    pub(in crate::worker) fn of(config: &'z Config, rules: &'z Rules) -> Option<Self> {
        config.routing.is_wanted().then(|| Self {
            rules,
            collected: &config.routing.collected,
            statics: Statics::for_rules(&config.statics),
        })
    }
}
