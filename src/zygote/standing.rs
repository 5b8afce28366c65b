//! What of the machine a zygote and all its workers may take, and how readily the kernel kills them (`limit-as`,
//! `limit-nproc`, `oom-score-adj`), and that they never get more rights (`no-new-privs`). The master keeps what it was started with: it is the last to go. Zygote only.

use std::io;

use crate::config::model::Config;
use crate::sys::{process, resources};

/// Takes it on, before anything of the application runs. What the system refuses is told, and stays as it was inherited.
pub(super) fn take_on(config: &Config) {
    let wanted = &config.resources;
    let told = |option: &str, taken: Option<io::Result<()>>| {
        if let Some(Err(error)) = taken {
            log::error!("{option}: {error}; what was inherited stays");
        }
    };
    let never_more = config.identity.no_new_privileges;
    told("no-new-privs", never_more.then(process::never_gain_privileges));
    told("oom-score-adj", wanted.oom_score.map(resources::set_oom_score));
    told("limit-nproc", wanted.processes.map(resources::limit_processes));
    told("limit-as", wanted.address_space.map(resources::limit_address_space));
}
