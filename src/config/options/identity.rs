//! Who the instance runs as, where, with which environment, pid files and process titles.
//!
//! The rows of the option table for the group [`Identity`](super::Group::Identity).
//! Not for what they mean together (`build`). Read in the master before anything else, and by the commands.

use super::{Kind, Opt, flag, list, path, text, value};
use crate::config::model::EnvironmentChange;

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    path("daemonize").short('d').sets(|d, v| d.config.daemonize = d.log_file(v))
        .works()
        .says("Go to background and log to a file"),
    text("daemonize2").not_yet("going to the background once the application is loaded; use daemonize")
        .says("Go to background only after the apps are loaded"),
    value("umask", Kind::Octal).sets(|d, v| d.config.identity.umask = u32::try_from(v.number).ok()).works()
        .says("Process umask in octal, applied immediately"),
    flag("auto-procname").sets(|d, v| d.config.process_names.auto = v.on()).works()
        .says("Give the master a title too, in the place of its command line and no longer than that"),
    text("procname-prefix").sets(|d, v| d.titles().prefix = v.string()).works()
        .says("Text put before process titles"),
    text("procname-prefix-spaced").sets(|d, v| d.titles().prefix = format!("{} ", v.text)).works()
        .says("Like procname-prefix plus a trailing space"),
    text("procname-append").sets(|d, v| d.titles().append = v.string()).works()
        .says("Text put after process titles"),
    text("procname").sets(|d, v| d.titles().name = Some(v.string())).works().says("Fixed process title"),
    text("procname-master").sets(|d, v| d.titles().master = Some(v.string())).works()
        .says("Fixed title for the master"),
    flag("honour-stdin").not_yet("keeping standard input open")
        .says("Keep stdin instead of replacing it with /dev/null"),
    path("pidfile").sets(|d, v| d.config.pidfiles.pidfile = Some(v.path())).works()
        .says("Write master pid early, as root, relative to start directory"),
    path("pidfile2").sets(|d, v| d.config.pidfiles.pidfile2 = Some(v.path())).works()
        .says("Write master pid after privilege drop and chdir"),
    path("safe-pidfile").sets(|d, v| d.config.pidfiles.safe_pidfile = Some(v.path())).works()
        .says("Write master pid once startup completed"),
    path("safe-pidfile2").sets(|d, v| d.config.pidfiles.safe_pidfile2 = Some(v.path())).works()
        .says("Write master pid after workers were spawned"),
    value("uid", Kind::User).sets(|d, v| d.config.identity.uid = Some(v.string())).works()
        .says("User name or number to switch to"),
    value("gid", Kind::UserGroup).sets(|d, v| d.config.identity.gid = Some(v.string())).works()
        .says("Group name or number to switch to"),
    list("add-gid").sets(|d, v| d.config.identity.add_gids.push(v.string())).works().says("Extra supplementary group"),
    value("immediate-uid", Kind::User).refused("use uid and gid").says("Switch user at parse time"),
    value("immediate-gid", Kind::UserGroup).refused("use uid and gid").says("Switch group at parse time"),
    flag("no-initgroups").accepted("supplementary groups are set with uid")
        .says("Do not load supplementary groups of uid"),
    flag("master-as-root").sets(|d, v| d.config.identity.master_as_root = v.on()).works()
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
    list("env").sets(|d, v| d.set_variable(v)).works().says("KEY=VALUE placed in the process environment"),
    list("envdir").not_yet("environment directories").says("Load daemontools envdir after configuration"),
    path("early-envdir").list().not_yet("environment directories").says("Load daemontools envdir at parse time"),
    list("unenv").sets(|d, v| d.config.environment.push(EnvironmentChange::Unset(v.string()))).works()
        .says("Delete an environment variable"),
    flag("vacuum").sets(|d, v| d.config.vacuum = v.on()).works().says("Remove sockets and pidfiles at exit"),
];
