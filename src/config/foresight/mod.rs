//! What can be foreseen of a start without making, opening or executing anything: whether its user exists and gets where
//! it has to, whether files can be written and sockets bound, whether there is an application. What holds for the files
//! of a start stands in `master::startup`, whose order this follows.
//!
//! Pure but for what it asks of `World` and `Ground`; runs in `rhinod check` only, so that a start never depends on it.

mod findings;
mod places;
mod python;
mod roots;
mod rules;
mod sockets;
pub mod way;

use std::path::Path;

use super::ground::{Ground, Who};
use super::load::Reading;
use super::model::{Address, Application, Config};
use super::world::{Invocation, World};
use findings::Findings;
use way::Ways;

/// Adds to a reading what can be foreseen of its start, and says what was not tried. Of a reading that is not complete,
/// because something that it names was not executed, nothing is certain.
pub fn foresee(
    reading: &mut Reading,
    is_complete: bool,
    called: &Invocation,
    world: &dyn World,
    ground: &dyn Ground,
) -> Vec<String> {
    let mut untried = Vec::new();
    let mut findings = Findings::begin(reading, Ways { world, ground }, &called.directory);
    judge_identity(&mut findings, &mut untried);
    places::judge(&mut findings);
    rules::judge(&mut findings);
    sockets::judge(&mut findings);
    judge_application(&mut findings, called, reading.errors.0.is_empty());
    untried.extend(left_out(&reading.config));
    let Findings { errors, unserved, warnings, .. } = findings;
    let news = errors.into_iter().filter(|error| !reading.errors.0.contains(error)).collect::<Vec<_>>();
    // Hooks come before all of this.
    let doubt = match (is_complete, reading.config.hooks.is_empty()) {
        (true, true) => None,
        (false, _) => Some("so it seems without what was not executed"),
        (true, false) => Some("it will not start unless a hook changes that"),
    };
    match doubt {
        None => {
            reading.errors.0.extend(news);
            reading.unserved.extend(unserved);
        }
        Some(doubt) => reading.warnings.extend(news.into_iter().chain(unserved).map(|error| error.suggest(doubt))),
    }
    reading.warnings.extend(warnings);
    untried
}

/// Whether the instance can become whom it is to be, and as whom the rest is looked at.
fn judge_identity(findings: &mut Findings<'_>, untried: &mut Vec<String>) {
    let ground = findings.ways.ground;
    let identity = &findings.config.identity;
    if let Some(owner) = &findings.config.chown_socket
        && let Err(problem) = ground.judge_owner(owner)
    {
        findings.blame("chown-socket", problem, "name a user and a group that getent(1) knows");
    }
    let bound_before = findings.config.chown_socket.is_some() || identity.master_as_root;
    match ground.judge_identity(identity) {
        Ok(()) => {
            findings.server = Some(Who::Server(identity));
            findings.binder = Some(if bound_before { Who::Starter } else { Who::Server(identity) });
        }
        Err(misfit) => {
            findings.binder = bound_before.then_some(Who::Starter);
            findings.blame(
                misfit.option,
                misfit.problem,
                "see `getent passwd` and `getent group`; root can become anybody",
            );
            untried.push("what the user of the instance may do".to_owned());
        }
    }
}

fn judge_application(findings: &mut Findings<'_>, called: &Invocation, all_was_read: bool) {
    match &findings.config.application {
        Application::Python(python) => python::judge(findings, python, called),
        Application::Rust(path) => {
            let path = findings.chdir.join(path);
            let line = findings.line("rust-app", |_| true);
            places::judge_program(findings, line, &path);
        }
        Application::Embedded if findings.ways.ground.embeds_application() || !all_was_read => {}
        Application::Embedded if findings.config.sockets.is_empty() || findings.config.is_router_only() => {}
        Application::Embedded => {
            let problem = "no application is named, so that the start ends with 22";
            let remedy = "for Python write `module = wsgi:app` (file wsgi.py, its variable app), for a program in Rust \
                          `rust-app = PATH`; a binary with an application of its own checks with `PATH check FILE`";
            findings.blame_line(None, problem, remedy);
        }
    }
}

/// What a start does beyond what was looked at.
fn left_out(config: &Config) -> Vec<String> {
    let mut untried = Vec::new();
    match &config.application {
        Application::Python(python) => {
            let names: Vec<&str> =
                python.module.as_deref().into_iter().chain(python.file.as_deref().and_then(Path::to_str)).collect();
            let what = if names.is_empty() { "what is mounted".to_owned() } else { names.join(", ") };
            untried.push(format!("importing {what} and all that it imports"));
        }
        Application::Rust(_) | Application::Embedded => {
            untried.push("what the application does when it starts".to_owned())
        }
    }
    if config.sockets.iter().any(|listener| !matches!(listener.address, Address::Inherited(_))) {
        untried.push("whether another process has the addresses".to_owned());
    }
    if !config.hooks.is_empty() {
        untried.push("the hooks".to_owned());
    }
    if !config.daemons.list.is_empty() {
        untried.push("the attached daemons".to_owned());
    }
    untried
}
