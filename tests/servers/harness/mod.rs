//! What every whole-server test stands on: instances, nginx, their logs, their processes, and clients.
//!
//! A test writes an ini file into a directory of its own ([`Launch`]), starts the server ([`Instance`]), perhaps a real
//! nginx before it ([`Nginx`]), talks to either, and ends both. It waits for events (a line of the log, the end of a
//! process, a byte on a socket), never for time; every wait has a bound, [`PATIENCE`]. At the end nothing may be left:
//! no process, and no line in any log that the test did not expect. Nothing is killed but what the test started, by
//! pid. Runs in the test's process; nothing of this is part of the server.

mod gate;
mod http;
mod instance;
mod log;
mod nginx;
mod process;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) use gate::Gate;
pub(crate) use http::{HttpReply, converse, http_get};
pub(crate) use instance::{Failed, Instance, Launch, example_path, program_path};
pub(crate) use log::Log;
pub(crate) use nginx::{Nginx, NginxSetup};
pub(crate) use process::{Process, await_exit, children_of, end, output_of, processes_with};

/// Longest time for any one event. Far more than anything takes, since the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A program of a Debian package. Debian has daemons outside the path of ordinary users.
pub(crate) fn daemon_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = places.map(|place| place.join(name)).find(|program| program.exists());
    found.unwrap_or_else(|| panic!("{name} is not installed; make test installs it"))
}

/// An address of which the port was free just now; before it is bound someone else may take it.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port")
}

/// Waits until a file holds this text; returns all that it holds then.
pub(crate) fn wait_for_text(path: &Path, needle: &str) -> String {
    let read = || std::fs::read_to_string(path).unwrap_or_default();
    assert!(wait_until(|| read().contains(needle)), "no {needle} in {:?}", read());
    read()
}

/// Writes a file that can be executed. By a process of its own: a descriptor that this one had open for writing may live
/// on, for a moment, in what another test forks right then, and the kernel executes no file that somebody may write
/// (execve(2), ETXTBSY).
pub(crate) fn write_executable(path: &Path, contents: &[u8]) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).arg(path);
    let mut shell = shell.stdin(Stdio::piped()).spawn().expect("a shell");
    shell.stdin.take().expect("its standard input").write_all(contents).expect("write the file");
    assert!(shell.wait().expect("the shell is our child").success(), "{}", path.display());
}

/// Waits for what nobody announces, such as a file; false when it does not come. Where there is an event, wait for that.
pub(crate) fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}
