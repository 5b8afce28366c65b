//! How a process that the master has forked becomes a daemon: directory, identity, pid file, session, program. What
//! goes wrong on the way it writes into the pipe to its parent, and ends; the pipe ends without a word when the program
//! runs. Runs in the forked process only.

use std::ffi::{CString, OsString};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use nix::unistd::{Gid, Uid};

use super::command::Program;
use crate::config::model::Daemon;
use crate::sys::files::write_text;
use crate::sys::{identity, process, spawn};

/// What a process ends with that could not become a daemon.
const FAILED: i32 = 1;

/// All that the forked process needs.
pub(crate) struct Birth<'a> {
    /// What it is to be.
    pub(crate) daemon: &'a Daemon,
    /// The variables of its environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Whether it is the first one in its post.
    pub(crate) first: bool,
    /// The process that forks.
    pub(crate) parent: u32,
}

/// Becomes the daemon. Comes back only if it cannot, with the code to end with.
pub(crate) fn become_daemon(birth: &Birth<'_>, mut report: &File) -> i32 {
    process::set_name("rhinod daemon");
    let Err(reason) = try_to(birth);
    // A parent that is gone reads nothing.
    let _ = report.write_all(reason.as_bytes());
    FAILED
}

fn try_to(birth: &Birth<'_>) -> Result<std::convert::Infallible, String> {
    let daemon = birth.daemon;
    if let Some(directory) = &daemon.chdir {
        std::env::set_current_dir(directory).map_err(because(format!("chdir to {}", directory.display())))?;
    }
    take_identity(daemon)?;
    if let Some(path) = daemon.pidfile.as_deref().filter(|_| daemon.daemonize) {
        write_pid(path).map_err(because(format!("write the pid file {}", path.display())))?;
    }
    let session = if daemon.keeps_stdin { process::begin_session() } else { process::leave_session() };
    session.map_err(because("begin a session"))?;
    if !daemon.outlives() {
        die_with_parent(birth)?;
    }
    let verb = if birth.first { "spawning" } else { "respawning" };
    let (user, group) = (Uid::effective(), Gid::effective());
    log::info!("[uwsgi-daemons] {verb} \"{}\" (uid: {user} gid: {group})", daemon.title());
    process::close_strangers_on_exec();
    let arguments = texts(Program::of(&daemon.command).words())?;
    let environment = birth.environment.iter().map(|(name, value)| variable(name, value));
    let environment = environment.collect::<Result<Vec<_>, _>>()?;
    let program = arguments.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
    Err(because(format!("execute {program}"))(spawn::execute(&arguments, &environment)))
}

/// Groups, group and user. Resolved here and not in the master, because who knows the names may be slow.
fn take_identity(daemon: &Daemon) -> Result<(), String> {
    let Daemon { uid, gid, .. } = daemon;
    if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    let credentials = identity::resolve(uid.as_deref(), gid.as_deref(), true).map_err(|error| error.to_string())?;
    identity::become_user(&credentials).map_err(|error| error.to_string())
}

fn write_pid(path: &Path) -> io::Result<()> {
    write_text(path, &format!("{}\n", std::process::id()), 0o644)
}

/// One that does not outlive the instance dies with the master, however that ends. Asked for after the identity is taken,
/// which would undo it (prctl(2)).
fn die_with_parent(birth: &Birth<'_>) -> Result<(), String> {
    process::die_with_parent().map_err(because("be ended with the master"))?;
    // In a namespace of its own it does not see its parent.
    if !birth.daemon.own_pid_namespace && !spawn::is_child_of(birth.parent) {
        return Err("the master is gone".to_owned());
    }
    Ok(())
}

pub(super) fn because<E: Display>(what: impl Display) -> impl FnOnce(E) -> String {
    move |error| format!("cannot {what}: {error}")
}

pub(super) fn texts(words: Vec<String>) -> Result<Vec<CString>, String> {
    words.into_iter().map(|word| CString::new(word).map_err(because("pass on an argument"))).collect()
}

pub(super) fn variable(name: &OsString, value: &OsString) -> Result<CString, String> {
    let pair = [name.clone().into_vec(), b"=".to_vec(), value.clone().into_vec()].concat();
    CString::new(pair).map_err(because("pass on a variable"))
}
