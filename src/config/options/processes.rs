//! How many processes and threads there are and how they load the application.
//!
//! The rows of the option table for the group [`Processes`](super::Group::Processes).
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use super::row::{Opt, flag, int, kilobytes};
use crate::config::error::ConfigError;

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    int("processes", 1, 10000).aka(&["workers"]).short('p').default("1").sets(|d, v| d.config.workers = v.size())
        .works().but("up to 256, or the number at the start if that is higher; more fail").says("Most worker processes"),
    flag("thunder-lock").accepted("the workers' accept order needs no lock")
        .says("Serialise accept() between workers with a lock"),
    flag("skip-atexit").sets(|d, v| d.config.skip_atexit = v.on()).works()
        .says("Workers end without `uwsgi.atexit`, Python's atexit and what C libraries have registered for the end"),
    flag("skip-atexit-teardown").accepted("an interpreter is never taken apart at the end of a worker")
        .says("Skip interpreter finalisation when a worker ends"),
    flag("no-threads-wait").sets(|d, v| d.config.leaves_threads = v.on()).works()
        .says("Workers end without waiting for threads that the application has started; requests are finished all the same"),
    flag("need-app").optional().sets(|d, v| d.config.need_app = v.on()).works()
        .says("Exit with code 22 when no app could be loaded"),
    flag("master").short('M').sets(master).accepted("rhinod always runs a master")
        .says("Run a supervising master process"),
    flag("reaper").short('r').sets(|d, v| d.config.reaper = v.on()).works()
        .says("Reap zombie children after each request, once no other thread of the worker has one"),
    flag("no-orphans").sets(|d, v| d.config.identity.no_orphans = v.on()).works()
        .says("Workers get SIGKILL when the master dies; without, they finish their requests and leave"),
    flag("lazy").sets(|d, v| d.config.lazy_apps |= v.on()).works().says("Older name of lazy-apps"),
    flag("lazy-apps").sets(|d, v| d.config.lazy_apps = v.on()).works().says("Load apps in each worker after fork"),
    int("threads", 1, 1024).default("1").sets(|d, v| d.config.threads = v.size()).works()
        .restart(|old, new| old.threads.max(1) != new.threads.max(1)).but("a reload with another number fails")
        .says("Requests that one worker handles at once"),
    kilobytes("thread-stacksize").aka(&["threads-stacksize", "thread-stack-size", "threads-stack-size"]).default("0")
        .sets(|d, v| d.config.resources.thread_stack = v.unless_zero().and_then(|bytes| usize::try_from(bytes).ok()))
        .works().says("Stack size of the threads that take requests, in kilobytes, with `threads`; 0 is the system's 2048"),
];

/// `master`: there always is one.
fn master(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if !value.on() {
        draft.does_nothing("rhinod always runs a master");
    }
}

/// Whether there may be so many processes.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let Some(directive) = draft.given("processes") else { return };
    let stays_root = matches!(draft.config.identity.uid.as_deref(), None | Some("root" | "0"));
    if draft.surroundings().euid == 0 && stays_root {
        // The kernel does not hold root to the limit (setrlimit(2), RLIMIT_NPROC).
        return;
    }
    // The master and the zygote need a process each.
    let needed = draft.config.workers as u64 + 2;
    let (inherited, own) = (draft.surroundings().process_limit, draft.config.resources.processes);
    if let Some(limit) = inherited.into_iter().chain(own).min().filter(|limit| needed > *limit) {
        let problem = format!("more than the limit of this user's processes ({limit}) has room for");
        let suggestion = match own {
            Some(own) if own == limit => "raise limit-nproc, or use fewer workers",
            _ => "raise it with `ulimit -u` or LimitNPROC=, or use fewer workers",
        };
        draft.error(ConfigError::about(directive, problem).suggest(suggestion));
    }
}
