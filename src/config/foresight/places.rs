//! Directories and files of a start: whether they are there, and whether who needs them may have them.
//!
//! Not for sockets (`sockets`) nor for what Python looks for (`python`). Pure but for what it asks; runs in `rhinod check`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::findings::Findings;
use crate::config::directive::Directive;
use crate::config::ground::{Access, Who};
use crate::config::model::LogPlace;
use crate::config::subject::Subject;
use crate::config::world::Kind;

/// Directories to change to, and files to write.
pub(super) fn judge(findings: &mut Findings<'_>) {
    let config = findings.config;
    let (start, chdir) = (findings.start, findings.chdir.clone());
    if config.identity.chdir.is_some()
        && let Some(who) = findings.binder
        && let Some(obstacle) = findings.ways.obstacle_into(who, &chdir)
    {
        findings.blame_obstacle(findings.line("chdir", |_| true), &obstacle);
        return;
    }
    if let (Some(chdir2), Some(who)) = (&config.identity.chdir2, findings.server)
        && let Some(obstacle) = findings.ways.obstacle_into(who, &chdir.join(chdir2))
    {
        findings.blame_obstacle(findings.line("chdir2", |_| true), &obstacle);
    }
    let (starter, server, files) = (Some(Who::Starter), findings.server, &config.pidfiles);
    let later = if config.identity.master_as_root { starter } else { server };
    let logging = &config.logging;
    let written = [
        ("logto", &logging.to, start, starter),
        ("logto2", &logging.to2, start, findings.binder),
        ("daemonize", &config.daemonize, start, starter),
        ("cheaper-log", &config.scaling.log, start, starter),
        ("pidfile", &files.pidfile, start, starter),
        ("pidfile2", &files.pidfile2, &chdir, later),
        ("safe-pidfile", &files.safe_pidfile, &chdir, later),
        ("safe-pidfile2", &files.safe_pidfile2, &chdir, later),
    ];
    for (option, path, base, who) in written {
        if let (Some(path), Some(who)) = (path, who) {
            let line = findings.line(option, |_| true);
            judge_written(findings, line, who, &base.join(path));
        }
    }
    for (option, loggers) in [("logger", &logging.loggers), ("req-logger", &logging.request_loggers)] {
        let files = loggers.iter().filter_map(|logger| match &logger.to {
            LogPlace::File(path) => Some(path),
            _ => None,
        });
        let Some(who) = findings.binder else { break };
        for path in files {
            let line = findings.line(option, |value| value.ends_with(&*path.to_string_lossy()));
            judge_written(findings, line, who, &chdir.join(path));
        }
    }
    if let (Some(directory), Some(who)) = (&config.metrics.directory, later) {
        let line = findings.line("metrics-dir", |_| true);
        judge_room(findings, line, who, &chdir.join(directory).join("metric"));
    }
    for path in &config.master_fifos {
        let line = findings.line("master-fifo", |value| Path::new(value) == path);
        if let Some(who) = later {
            judge_written(findings, line, who, &chdir.join(path));
        }
    }
    judge_authorities(findings, &chdir);
    judge_served(findings, &chdir);
    judge_watched(findings, &chdir);
    judge_time_zones(findings);
}

/// Whether the authorities that a collector may be of are there to be read.
fn judge_authorities(findings: &mut Findings<'_>, chdir: &Path) {
    let (Some(path), Some(who)) = (&findings.config.telemetry.otlp.certificate, findings.server) else { return };
    let path = chdir.join(path);
    let line = findings.line("otlp-certificate", |_| true);
    if let Some(obstacle) = findings.ways.obstacle(who, &path) {
        findings.blame_obstacle(line, &obstacle);
    } else if let Err(error) = findings.ways.ground.access(who, &path, Access::Read) {
        let problem = format!("{} cannot read it{}", findings.ways.ground.name_of(who), reason(&error));
        findings.blame_line(line, problem, "name a file with the authorities' certificates (PEM)");
    }
}

/// Whether the machine has the time zones of a schedule.
fn judge_time_zones(findings: &mut Findings<'_>) {
    let world = findings.ways.world;
    let database = Path::new("/usr/share/zoneinfo");
    // Elsewhere, perhaps: then the start says it.
    if world.look(database).is_none() {
        return;
    }
    let is_missing = |zone: &&String| world.look(&database.join(zone)).is_none_or(|sight| sight.kind != Kind::File);
    let zones = findings.config.scaling.schedule.iter().filter_map(|period| period.zone.as_ref());
    if let Some(zone) = zones.into_iter().find(is_missing) {
        let line = findings.line("cheaper-schedule", |value| value.ends_with(zone.as_str()));
        findings.blame_line(
            line,
            format!("there is no time zone {zone}"),
            "`timedatectl list-timezones` has their names",
        );
    }
}

/// Whether somebody may write a file, or make it.
pub(super) fn judge_written(findings: &mut Findings<'_>, line: Option<&Directive>, who: Who<'_>, path: &Path) {
    if let Some(obstacle) = findings.ways.obstacle(who, path) {
        findings.blame_obstacle(line, &obstacle);
        return;
    }
    let Some(sight) = findings.ways.world.look(path) else { return judge_room(findings, line, who, path) };
    if sight.kind == Kind::Directory {
        findings.blame_line(line, "it is a directory", "name a file in it");
    } else if let Err(error) = findings.ways.ground.access(who, path, Access::Write) {
        let why = reason(&error);
        let problem = format!("{} may not write to it{why}", findings.ways.ground.name_of(who));
        findings.blame_line(line, problem, format!("chown or chmod {}, or name another file", path.display()));
    }
}

/// Whether somebody may make a file in the directory where it is to be.
pub(super) fn judge_room(findings: &mut Findings<'_>, line: Option<&Directive>, who: Who<'_>, path: &Path) {
    let directory = path.parent().unwrap_or(Path::new("/"));
    if let Err(error) = findings.ways.ground.access(who, directory, Access::Write) {
        let why = reason(&error);
        let name = findings.ways.ground.name_of(who);
        let problem = format!("{name} may not make files in {}{why}", directory.display());
        let remedy = format!("chown {} to the user, or name another directory", directory.display());
        findings.blame_line(line, problem, remedy);
    }
}

/// Whether the server may execute a program.
pub(super) fn judge_program(findings: &mut Findings<'_>, line: Option<&Directive>, path: &Path) {
    let who = findings.server.unwrap_or(Who::Starter);
    if let Some(obstacle) = findings.ways.obstacle(who, path) {
        findings.blame_obstacle(line, &obstacle);
    } else if findings.ways.world.look(path).is_none() {
        findings.blame_line(line, format!("there is no {}", path.display()), "build it, or name another path");
    } else if findings.ways.ground.access(who, path, Access::Execute).is_err() {
        let problem = format!("{} may not execute {}", findings.ways.ground.name_of(who), path.display());
        findings.blame_line(line, problem, format!("chmod o+rx {}", path.display()));
    }
}

/// Whether a file of the application is there for the server to read.
pub(super) fn judge_read(findings: &mut Findings<'_>, line: Option<&Directive>, path: &Path) {
    let who = findings.server.unwrap_or(Who::Starter);
    if let Some(obstacle) = findings.ways.obstacle(who, path) {
        findings.blame_application(line, obstacle.to_string(), obstacle.remedy());
    } else if findings.ways.world.look(path).is_none() {
        findings.blame_application(
            line,
            format!("there is no {}", path.display()),
            "name the file that has the application",
        );
    } else if findings.ways.ground.access(who, path, Access::Read).is_err() {
        let problem = format!("{} may not read {}", findings.ways.ground.name_of(who), path.display());
        findings.blame_application(line, problem, format!("chmod o+r {}", path.display()));
    }
}

/// A watched file may be missing, its directory not.
/// Whether what holds files is there. It may come later.
fn judge_served(findings: &mut Findings<'_>, chdir: &Path) {
    for place in &findings.config.statics.places {
        let path = chdir.join(&place.at);
        if findings.ways.world.look(&path).is_none() {
            let is_it = |value: &str| value.ends_with(&*place.at.to_string_lossy());
            let options = ["static-map", "static-map2", "check-static"];
            let line = options.into_iter().find_map(|option| findings.line(option, is_it));
            let problem = format!("{} is not there; what is asked of it goes to the application", path.display());
            findings.mention(line, problem, "make it, or correct the path");
        }
    }
}

fn judge_watched(findings: &mut Findings<'_>, chdir: &Path) {
    let Some(who) = findings.binder else { return };
    let watched: Vec<PathBuf> = findings.config.watches.iter().map(|watch| watch.path.clone()).collect();
    for path in watched {
        let line = findings.give(&Subject::Watch(path.clone()));
        if let Some(obstacle) = findings.ways.obstacle(who, &chdir.join(&path)) {
            findings.blame_obstacle(line, &obstacle);
        }
    }
}

/// Why something was refused, where it is not simply a missing right.
fn reason(error: &std::io::Error) -> String {
    if error.kind() == ErrorKind::PermissionDenied { String::new() } else { format!(": {error}") }
}
