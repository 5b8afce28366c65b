//! What reloads, restarts and stops the instance or its workers.
//!
//! The rows of the option table for the group [`Reload`](super::Group::Reload).
//! Read in the master before anything else, and by the commands.

use std::path::PathBuf;

use super::draft::Draft;
use super::parsed::Parsed;
use super::row::{Opt, flag, list, path, seconds};
use crate::config::error::ConfigError;
use crate::config::model::{TermMeaning, Watch, WatchEffect, WatchedDescriptor};

/// Most bytes that are read at once of a descriptor that asks for a reload.
const DESCRIPTOR_BYTES_MAX: usize = 4_096;

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    seconds("reload-mercy").default("3").sets(|d, v| d.config.daemons.mercy = v.duration()).works()
        .says("Seconds that attached daemons may take to stop before SIGKILL; workers have worker-reload-mercy"),
    seconds("worker-reload-mercy").default("60").sets(|d, v| d.config.patience.mercy = v.duration()).works()
        .says("Seconds a worker may take to stop before SIGKILL"),
    flag("exit-on-reload").sets(|d, v| d.config.exit_on_reload = v.on()).works()
        .says("Exit instead of re-executing when reload is requested"),
    flag("die-on-term").sets(die_on_term).works()
        .says("SIGTERM stops, once running requests are finished (within worker-reload-mercy); so it does without the line"),
    list("reload-on-fd").sets(|d, v| reload_descriptor(d, v, false)).works()
        .restart(|old, new| !old.descriptors_of("reload-on-fd").eq(new.descriptors_of("reload-on-fd")))
        .says("Reload when descriptor becomes readable"),
    list("brutal-reload-on-fd").sets(|d, v| reload_descriptor(d, v, true)).works()
        .restart(|old, new| !old.descriptors_of("brutal-reload-on-fd").eq(new.descriptors_of("brutal-reload-on-fd")))
        .says("Brutal reload when descriptor becomes readable"),
    list("touch-reload").sets(|d, v| watch(d, v, WatchEffect::Reload, false)).works()
        .says("Reload everything when file's mtime changes"),
    list("touch-workers-reload").sets(|d, v| watch(d, v, WatchEffect::WorkersReload, false)).works()
        .says("Reload only workers when file changes"),
    list("touch-chain-reload").sets(|d, v| watch(d, v, WatchEffect::ChainReload, false)).works()
        .says("Reload workers one by one when file changes"),
    list("touch-exec").sets(|d, v| watch_with_action(d, v, WatchEffect::Execute)).works()
        .says("Run command when file changes: file command"),
    list("fs-reload").sets(|d, v| watch(d, v, WatchEffect::Reload, true)).works()
        .says("Reload on filesystem event for path"),
    list("fs-brutal-reload").sets(|d, v| watch(d, v, WatchEffect::BrutalReload, true)).works()
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

/// `touch-*` and `fs-*` with a path alone.
pub(super) fn watch(draft: &mut Draft<'_>, value: &Parsed<'_>, effect: WatchEffect, any_event: bool) {
    draft.config.watches.push(Watch { path: value.path(), effect, any_event });
}

/// `touch-exec` and `hook-touch`: a path, a blank, and what to do.
pub(super) fn watch_with_action(draft: &mut Draft<'_>, value: &Parsed<'_>, effect: fn(String) -> WatchEffect) {
    match value.text.split_once(' ') {
        Some((path, action)) if !action.trim().is_empty() => draft.config.watches.push(Watch {
            path: PathBuf::from(path),
            effect: effect(action.trim().to_owned()),
            any_event: false,
        }),
        _ => draft.refuse("expected a path, a blank and what to do", "for example /tmp/touched echo changed"),
    }
}

/// `reload-on-fd` and `brutal-reload-on-fd`.
fn reload_descriptor(draft: &mut Draft<'_>, value: &Parsed<'_>, brutal: bool) {
    let descriptor = descriptor_of(draft, value.text);
    draft.config.descriptors.extend(descriptor.map(|one| WatchedDescriptor { brutal, ..one }));
}

/// `FD[:BYTES] [MESSAGE]` (uWSGI's manual, "uWSGI Options").
pub(super) fn descriptor_of(draft: &mut Draft<'_>, text: &str) -> Option<WatchedDescriptor> {
    let (numbers, message) = text.split_once(' ').unwrap_or((text, ""));
    let (number, bytes) = numbers.split_once(':').unwrap_or((numbers, "1"));
    let message = Some(message.trim()).filter(|message| !message.is_empty()).map(str::to_owned);
    match (number.parse(), bytes.parse()) {
        (Ok(number @ 3..), Ok(bytes @ 1..=DESCRIPTOR_BYTES_MAX)) => {
            Some(WatchedDescriptor { number, bytes, message, brutal: false, alarm: None })
        }
        _ => {
            draft.refuse(
                "expected an inherited descriptor from 3 on, `:` and how many bytes to read (1 to 4096), and a message",
                "for example 3, or 3:8 for an eventfd, or 3:8 the code has changed",
            );
            None
        }
    }
}

/// `die-on-term`: SIGTERM stops. Of it and `reload-on-term` the last one that is on wins.
fn die_on_term(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if value.on() {
        draft.config.term = TermMeaning::GracefulStop;
    }
    draft.die_on_term = Some(value.on());
}

/// `reload-on-term`: SIGTERM reloads.
pub(super) fn reload_on_term(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    draft.config.term = match (value.on(), draft.config.term) {
        (true, _) => TermMeaning::BrutalReload,
        (false, TermMeaning::BrutalReload) => TermMeaning::GracefulStop,
        (false, other) => other,
    };
}

/// Who switches `die-on-term` off in so many words wants what uWSGI does without it.
pub(super) fn judge(draft: &mut Draft<'_>) {
    if let (Some(false), TermMeaning::GracefulStop, Some(directive)) =
        (draft.die_on_term, draft.config.term, draft.given("die-on-term"))
    {
        let problem = "SIGTERM stops gracefully, where uWSGI reloads brutally";
        let suggestion = "reload-on-term = true brings that back";
        draft.warning(ConfigError::about(directive, problem).suggest(suggestion));
    }
}
