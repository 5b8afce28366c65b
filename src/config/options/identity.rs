//! Who the instance runs as, where, with which environment, pid files and process titles.
//!
//! The rows of the option table for the group [`Identity`](super::Group::Identity).
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::kind::Kind;
use super::logging::log_file;
use super::parsed::Parsed;
use super::row::{Opt, flag, list, path, text, value};
use crate::config::error::ConfigError;
use crate::config::model::{EnvironmentChange, ProcessNames};

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    path("daemonize").short('d').sets(|d, v| d.config.daemonize = log_file(d, v))
        .works().restart(|old, new| old.daemonize.is_some() != new.daemonize.is_some())
        .says("Go to background and log to a file"),
    text("daemonize2").not_yet("going to the background once the application is loaded; use daemonize")
        .says("Go to background only after the apps are loaded"),
    value("umask", Kind::Octal).sets(|d, v| d.config.identity.umask = u32::try_from(v.number).ok()).works()
        .restart(|old, new| old.identity.umask != new.identity.umask)
        .says("Process umask in octal, applied immediately"),
    flag("auto-procname").sets(|d, v| d.config.process_names.auto = v.on()).works()
        .restart(|old, new| old.process_names.auto && !new.process_names.auto).but("to have none any more")
        .says("Give the master a title too, in the place of its command line and no longer than that"),
    text("procname-prefix").sets(|d, v| titles(d).prefix = v.string()).works()
        .says("Text put before process titles"),
    text("procname-prefix-spaced").sets(|d, v| titles(d).prefix = format!("{} ", v.text)).works()
        .says("Like procname-prefix plus a trailing space"),
    text("procname-append").sets(|d, v| titles(d).append = v.string()).works()
        .says("Text put after process titles"),
    text("procname").sets(|d, v| titles(d).name = Some(v.string())).works().says("Fixed process title"),
    text("procname-master").sets(|d, v| titles(d).master = Some(v.string())).works()
        .says("Fixed title for the master"),
    flag("honour-stdin").not_yet("keeping standard input open")
        .says("Keep stdin instead of replacing it with /dev/null"),
    path("pidfile").sets(|d, v| d.config.pidfiles.pidfile = Some(v.path())).works()
        .says("Write master pid as root, once addresses are won, relative to start directory"),
    path("pidfile2").sets(|d, v| d.config.pidfiles.pidfile2 = Some(v.path())).works()
        .says("Write master pid after privilege drop and chdir"),
    path("safe-pidfile").sets(|d, v| d.config.pidfiles.safe_pidfile = Some(v.path())).works()
        .says("Write master pid once startup completed"),
    path("safe-pidfile2").sets(|d, v| d.config.pidfiles.safe_pidfile2 = Some(v.path())).works()
        .says("Write master pid after workers were spawned"),
    value("uid", Kind::User).sets(|d, v| d.config.identity.uid = Some(v.string())).works()
        .restart(|old, new| old.identity.uid != new.identity.uid)
        .says("User name or number to switch to"),
    value("gid", Kind::UserGroup).sets(|d, v| d.config.identity.gid = Some(v.string())).works()
        .restart(|old, new| old.identity.gid != new.identity.gid)
        .says("Group name or number to switch to"),
    list("add-gid").sets(|d, v| d.config.identity.add_gids.push(v.string())).works()
        .restart(|old, new| old.identity.add_gids != new.identity.add_gids).says("Extra supplementary group"),
    value("immediate-uid", Kind::User).refused("use uid and gid").says("Switch user at parse time"),
    value("immediate-gid", Kind::UserGroup).refused("use uid and gid").says("Switch group at parse time"),
    flag("no-initgroups").sets(|d, v| d.config.identity.no_initgroups = v.on()).works()
        .restart(|old, new| old.identity.no_initgroups != new.identity.no_initgroups)
        .says("Do not load supplementary groups of uid"),
    flag("master-as-root").sets(|d, v| d.config.identity.master_as_root = v.on()).works()
        .restart(|old, new| old.identity.master_as_root != new.identity.master_as_root)
        .says("Keep master privileged; drop in workers"),
    flag("drop-after-init").not_yet("dropping privileges later; sockets are always bound before")
        .says("Drop privileges after plugin initialisation"),
    flag("drop-after-apps").not_yet("dropping privileges later; sockets are always bound before")
        .says("Drop privileges after apps loaded"),
    text("force-cwd").not_yet("another start directory; use chdir").says("Override the recorded start directory"),
    path("chdir").sets(|d, v| d.config.identity.chdir = Some(v.path())).works()
        .says("Change directory before binding sockets and loading apps"),
    path("chdir2").sets(|d, v| d.config.identity.chdir2 = Some(v.path())).works()
        .says("Change directory in workers after apps loaded"),
    list("env").sets(set_variable).works().says("KEY=VALUE placed in the process environment"),
    list("envdir").not_yet("environment directories").says("Load daemontools envdir after configuration"),
    path("early-envdir").list().not_yet("environment directories").says("Load daemontools envdir at parse time"),
    list("unenv").sets(|d, v| d.config.environment.push(EnvironmentChange::Unset(v.string()))).works()
        .says("Delete an environment variable"),
    flag("vacuum").sets(|d, v| d.config.vacuum = v.on()).works().says("Remove sockets and pidfiles at exit"),
];

/// `env`: sets a variable, or removes it without `=` (uWSGI's manual, "uWSGI Options").
fn set_variable(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    draft.config.environment.push(match value.text.split_once('=') {
        Some((name, text)) => EnvironmentChange::Set(name.to_owned(), text.to_owned()),
        None => EnvironmentChange::Unset(value.string()),
    });
}

/// `procname` and its relatives: each of them gives the master a title as well.
fn titles<'d>(draft: &'d mut Draft<'_>) -> &'d mut ProcessNames {
    draft.config.process_names.auto = true;
    &mut draft.config.process_names
}

/// Whether the application would run as root, and what only root could do.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let identity = &draft.config.identity;
    if draft.surroundings().euid != 0
        && let Some(directive) = draft.given("add-gid")
    {
        let problem = "only root can add groups; the instance has the groups of whoever starts it";
        return draft.warning(ConfigError::about(directive, problem));
    }
    if draft.surroundings().euid == 0 && identity.uid.is_none() {
        let problem = "the application runs as root";
        let suggestion = "add uid and gid of an ordinary user";
        draft.warning(ConfigError::at(draft.whole(), problem).suggest(suggestion));
    }
}
