//! How a process that the master has forked becomes a command of cron: a session of its own without input, output that goes
//! to the log, the program or the shell. Runs in the forked process only.

use std::ffi::OsString;

use super::birth::{because, texts, variable};
use super::command::Program;
use crate::sys::{process, spawn};

/// What a shell ends with that cannot run a command, and so do we.
const CANNOT_RUN: i32 = 127;

/// Becomes the command. Comes back only if it cannot, with the code to end with.
pub(crate) fn become_errand(command: &str, environment: &[(OsString, OsString)], parent: u32) -> i32 {
    process::set_name("rhinod cron");
    let Err(reason) = try_to(command, environment, parent);
    log::error!("[uwsgi-cron] {reason}");
    CANNOT_RUN
}

fn try_to(
    command: &str,
    environment: &[(OsString, OsString)],
    parent: u32,
) -> Result<std::convert::Infallible, String> {
    process::leave_session().map_err(because("begin a session"))?;
    process::join_output_to_error().map_err(because("write to the log"))?;
    process::die_with_parent().map_err(because("be ended with the master"))?;
    if !spawn::is_child_of(parent) {
        return Err("the master is gone".to_owned());
    }
    process::close_strangers_on_exec();
    let arguments = texts(Program::of(command).words())?;
    let variables = environment.iter().map(|(name, value)| variable(name, value)).collect::<Result<Vec<_>, _>>()?;
    Err(because(format!("execute {command}"))(spawn::execute(&arguments, &variables)))
}
