//! What reloads, restarts and stops the instance or its workers.
//!
//! The rows of the option table for the group [`Reload`](super::Group::Reload).
//! Not for what they mean together (`build`). Read in the master before anything else, and by the commands.

use super::{Opt, flag, list, path, seconds};
use crate::config::model::{TermMeaning, WatchEffect};

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    seconds("reload-mercy").accepted("daemons are not there yet; workers have worker-reload-mercy, in uWSGI too")
        .says("Seconds granted to workers/daemons at shutdown or reload"),
    seconds("worker-reload-mercy").default("60").sets(|d, v| d.config.patience.mercy = v.duration()).works()
        .says("Seconds a worker may take to stop before SIGKILL"),
    flag("exit-on-reload").sets(|d, v| d.config.exit_on_reload = v.on()).works()
        .says("Exit instead of re-executing when reload is requested"),
    flag("die-on-term").sets(|d, v| d.term(v, TermMeaning::Stop)).works()
        .says("SIGTERM stops at once instead of gracefully"),
    list("reload-on-fd").sets(|d, v| d.reload_descriptor(v, false)).works()
        .says("Reload when descriptor becomes readable"),
    list("brutal-reload-on-fd").sets(|d, v| d.reload_descriptor(v, true)).works()
        .says("Brutal reload when descriptor becomes readable"),
    list("touch-reload").sets(|d, v| d.watch(v, WatchEffect::Reload, false)).works()
        .says("Reload everything when file's mtime changes"),
    list("touch-workers-reload").sets(|d, v| d.watch(v, WatchEffect::WorkersReload, false)).works()
        .says("Reload only workers when file changes"),
    list("touch-chain-reload").sets(|d, v| d.watch(v, WatchEffect::ChainReload, false)).works()
        .says("Reload workers one by one when file changes"),
    list("touch-exec").sets(|d, v| d.watch_with_action(v, WatchEffect::Execute)).works()
        .says("Run command when file changes: file command"),
    list("fs-reload").sets(|d, v| d.watch(v, WatchEffect::Reload, true)).works()
        .says("Reload on filesystem event for path"),
    list("fs-brutal-reload").sets(|d, v| d.watch(v, WatchEffect::BrutalReload, true)).works()
        .says("Brutal reload on filesystem event for path"),
    flag("propagate-touch").accepted("touched files are seen by the master alone")
        .says("Forward touch events for systems with poor signals"),
    flag("reload-on-exception").sets(|d, v| d.config.recycling.exceptions.any = v.on()).works()
        .says("Recycle worker after an uncaught exception"),
    list("reload-on-exception-type").sets(|d, v| d.config.recycling.exceptions.types.push(v.string())).works()
        .says("Recycle worker after this exception type"),
    list("reload-on-exception-value").sets(|d, v| d.config.recycling.exceptions.values.push(v.string())).works()
        .says("Recycle worker after this exception value"),
    list("reload-on-exception-repr").sets(|d, v| d.config.recycling.exceptions.reprs.push(v.string())).works()
        .says("Recycle worker after this type:value text"),
    list("exception-handler").not_yet("telling others of exceptions").says("Send exceptions to a handler plugin"),
    path("master-fifo").list().sets(|d, v| d.config.master_fifos.push(v.path())).works()
        .says("Create FIFO accepting one-letter commands"),
    seconds("forkbomb-delay").default("2").sets(|d, v| d.config.patience.respawn_delay_max = v.duration()).works()
        .says("Longest pause between respawns of workers that die at once"),
];
