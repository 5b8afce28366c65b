//! What a thread of a worker needs for rules: the rules themselves, and what tells of files. Worker only.

use std::path::Path;

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

/// Says which files of users are not there that the rules need. Each is read anew at each request that asks for it.
pub(crate) fn warn_of_missing_users(rules: &Rules) {
    for (rule, path) in rules.user_files().filter(|(_, path)| !Path::new(path).is_file()) {
        log::warn!("{}: {path} is no file of users, so that everybody is refused", rule.place);
    }
}
