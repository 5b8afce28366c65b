//! How a process that the master has forked becomes a router: identity, session, program. What goes wrong on the way it
//! writes into the pipe to its parent, and ends; the pipe ends without a word when the program runs. Runs in the forked
//! process only.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::settings::ROUTER_ARGUMENT;
use crate::config::model::Identity;
use crate::sys::control::ControlSocket;
use crate::sys::title::ROOM_BYTES;
use crate::sys::{identity, process, spawn};

/// What a process ends with that could not become a router.
const FAILED: i32 = 1;

/// All that the forked process needs.
pub(crate) struct RouterBirth<'a> {
    /// This program.
    pub(crate) program: PathBuf,
    /// Its settings, packed, in memory.
    pub(crate) settings: OwnedFd,
    /// Its end of the socket on which the master speaks to it, which the settings name as well.
    pub(crate) control: ControlSocket,
    /// The sockets that the settings name by their numbers.
    pub(crate) doors: Vec<BorrowedFd<'a>>,
    /// Whom it becomes, if the master has stayed another user.
    pub(crate) identity: Option<&'a Identity>,
    /// The variables of its environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// The process that forks.
    pub(crate) parent: u32,
}

/// Becomes a router. Comes back only if it cannot, with the code to end with.
pub(crate) fn become_router(birth: &RouterBirth<'_>, mut report: &File) -> i32 {
    process::set_name("rhinod router");
    let error = match prepare(birth).and_then(|()| arguments(birth)) {
        Ok((arguments, environment)) => spawn::execute(&arguments, &environment),
        Err(error) => error,
    };
    // A parent that is gone reads nothing.
    let _ = write!(report, "cannot become a router: {error}");
    FAILED
}

fn prepare(birth: &RouterBirth<'_>) -> io::Result<()> {
    if let Some(who) = birth.identity {
        let credentials = identity::of(who);
        let became = credentials.and_then(|credentials| identity::become_user(&credentials));
        became.map_err(io::Error::other)?;
    }
    process::leave_session()?;
    process::die_with_parent()?;
    if !spawn::is_child_of(birth.parent) {
        return Err(io::Error::other("the master is gone"));
    }
    process::close_strangers_on_exec();
    birth.doors.iter().try_for_each(|door| process::inherit(*door))?;
    process::inherit(birth.control.as_fd())?;
    process::inherit(birth.settings.as_fd())
}

fn arguments(birth: &RouterBirth<'_>) -> io::Result<(Vec<CString>, Vec<CString>)> {
    let number = birth.settings.as_raw_fd().to_string();
    let words = [birth.program.as_os_str().as_bytes(), ROUTER_ARGUMENT.as_bytes(), number.as_bytes()];
    let mut arguments = words.map(CString::new).into_iter().collect::<Result<Vec<_>, _>>()?;
    // Room for a title.
    arguments.push(CString::new(" ".repeat(ROOM_BYTES))?);
    let variable = |(name, value): &(OsString, OsString)| {
        CString::new([name.clone().into_vec(), b"=".to_vec(), value.clone().into_vec()].concat())
    };
    let environment = birth.environment.iter().map(variable).collect::<Result<Vec<_>, _>>()?;
    Ok((arguments, environment))
}
