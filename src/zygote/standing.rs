//! What of the machine a zygote and all its workers may take, and how readily the kernel kills them (`limit-as`,
//! `limit-nproc`, `oom-score-adj`), whether it may keep equal pages of them once (`ksm`), that they never get more rights
//! (`no-new-privs`), and what is kept from them (`seccomp`, `landlock`). The master keeps what it was started with: it is
//! the last to go. Zygote only.

use std::io;

use crate::config::model::Config;
use crate::sys::{process, resources, sandbox};

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
    told("ksm", wanted.merges_memory.then(resources::merge_memory));
    if wanted.merges_memory && !resources::merging_runs() {
        log::warn!("ksm: the kernel merges nothing before root has written 1 into /sys/kernel/mm/ksm/run");
    }
}

/// Gives up for good what the configuration keeps from the application, before anything of it runs.
///
/// # Errors
/// What the system refuses: who asks for a sandbox is not to be served without it.
pub(super) fn confine(config: &Config) -> io::Result<()> {
    let about =
        |option: &'static str| move |error: io::Error| io::Error::new(error.kind(), format!("{option}: {error}"));
    let wanted = &config.sandbox;
    if !wanted.files.is_empty() {
        let places = wanted.files.iter().map(|place| (place.path.as_path(), place.may_change));
        sandbox::files::leave_only(places).map_err(about("landlock"))?;
    }
    if wanted.refuses_calls {
        sandbox::calls::refuse_dangerous().map_err(about("seccomp"))?;
    }
    Ok(())
}
