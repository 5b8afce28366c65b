//! How a zygote is executed: which program, which arguments, which environment. Master only.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use worker_protocol::control::ZYGOTE_ARGUMENT;

use super::ahead::{self, Ahead};
use super::environment::FOR_THE_MASTER;
use super::interpreter;
use crate::config::ground::{Access, Who};
use crate::config::model::{Application, Capabilities, Config, EnvironmentChange};
use crate::hindrance::explain_to;
use crate::sys::control::ControlSocket;
use crate::sys::identity;
use crate::sys::process::{close_on_exec, inherit, keep_signals};
use crate::sys::title::ROOM_BYTES;

/// Executes a zygote that holds `control`. It logs where the master does, or into `log`.
pub(super) fn launch(
    config: &Config,
    own_path: &Path,
    ahead: &Ahead,
    control: &ControlSocket,
    log: Option<&File>,
) -> io::Result<Child> {
    // A master that stays root opens everything anew each time, as it would execute it.
    let anew = config.identity.master_as_root.then(|| Ahead::open(config));
    let ahead = anew.as_ref().unwrap_or(ahead);
    let mut command = program(config, own_path, ahead)?;
    if let Some(log) = log {
        command.stdout(log.try_clone()?).stderr(log.try_clone()?);
    }
    for name in FOR_THE_MASTER {
        command.env_remove(name);
    }
    for change in &config.environment {
        match change {
            EnvironmentChange::Set(name, value) => command.env(name, value),
            EnvironmentChange::Unset(name) => command.env_remove(name),
        };
    }
    command.arg(control.as_fd().as_raw_fd().to_string()).stdin(Stdio::null());
    // Python's bootstrap is long enough for any title.
    if !matches!(config.application, Application::Python(_)) {
        command.arg(" ".repeat(ROOM_BYTES));
    }
    // A group of its own: Ctrl-C in a terminal is for the master, which then tells everyone what to do.
    command.process_group(0);
    // Else the master itself has become that user, and the zygote is it as well.
    if config.identity.master_as_root {
        let kept = config.identity.capabilities.map(Capabilities::bits);
        let executed = identity::of(&config.identity).and_then(|who| identity::execute_as(&mut command, who, kept));
        executed.map_err(io::Error::other)?;
    }
    // No other thread can fork in between: the master has none.
    let lent = || [control.as_fd()].into_iter().chain(ahead.extension.as_ref().map(AsFd::as_fd));
    lent().try_for_each(inherit)?;
    let child = keep_signals(&mut command).spawn();
    lent().try_for_each(close_on_exec)?;
    child.map_err(|error| {
        let program = Path::new(command.get_program());
        let told = explain_to(executor(config), program, Access::Execute, &error);
        io::Error::new(error.kind(), format!("{}: {told}", program.display()))
    })
}

/// Who executes a zygote: where the master does not stay root, it is the user by now.
fn executor(config: &Config) -> Who<'_> {
    if config.identity.master_as_root { Who::Server(&config.identity) } else { Who::Starter }
}

/// What a configuration has executed as a zygote, and what that must be; `None` for this program itself.
pub(super) fn requirement(config: &Config) -> Option<String> {
    match &config.application {
        Application::Embedded => None,
        Application::Rust(path) => {
            Some(format!("rust-app {} must be a program that calls rhinod::main", path.display()))
        }
        Application::Python(python) => Some(interpreter::requirement(python)),
    }
}

fn program(config: &Config, own_path: &Path, ahead: &Ahead) -> io::Result<Command> {
    let who = executor(config);
    match &config.application {
        Application::Embedded => {
            let mut command = ahead::command(own_path, ahead.own.as_ref(), who);
            command.arg(ZYGOTE_ARGUMENT);
            Ok(command)
        }
        Application::Rust(path) => {
            let mut command = ahead::command(path, ahead.rust_app.as_ref(), who);
            command.arg(ZYGOTE_ARGUMENT);
            Ok(command)
        }
        Application::Python(python) => {
            interpreter::command(python, own_path, ahead.extension.as_ref().and_then(|kept| kept.name_for(who)))
        }
    }
}
