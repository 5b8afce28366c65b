//! Which instance is meant: by a pid file, a process id, a configuration, a master fifo, or a statistics socket. Runs in the
//! process of a command.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use worker_protocol::ids::ProcessId;

use super::words::start_of_names;
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::sys::files::open_regular;
use crate::sys::processes::facts;

/// Where a configuration says that its instance can be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// Its pid files.
    pub(crate) pid_files: Vec<PathBuf>,
    /// Its master fifos.
    pub(crate) fifos: Vec<PathBuf>,
    /// What it would have taken to know all of them, as far as that was left undone.
    pub(crate) left_out: Vec<String>,
}

/// An instance, as far as the word for it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instance {
    /// Its master, how people know it, and who could say so: the owner of the file that names it. Whoever gives its number
    /// means the process of that number, whoever's it is.
    Master { pid: ProcessId, named: String, owner: u32 },
    /// A fifo of which it cannot be seen who reads it.
    Fifo(PathBuf),
    /// An address that tells how it is doing to whoever connects.
    Statistics(String),
}

/// Most that is read of a pid file.
const LINE_BYTES_MAX: u64 = 256;

/// How exactly the beginning of a process and the time of a file can be compared: both are told in coarse steps.
const CLOCK_GRAIN_US: u64 = 2_000_000;

/// Endings of configurations.
const CONFIGURATIONS: [&str; 5] = [".ini", ".yaml", ".yml", ".json", ".js"];

/// Finds out which instance is meant. `places` reads a configuration.
pub(super) fn find(
    word: &OsStr,
    places: &dyn Fn(&Path) -> Result<Places, StartFailure>,
) -> Result<Instance, StartFailure> {
    let (path, text) = (Path::new(word), word.to_string_lossy());
    match fs::metadata(path).map(|found| found.file_type()) {
        Ok(kind) if kind.is_socket() => Ok(Instance::Statistics(text.into_owned())),
        Ok(kind) if kind.is_fifo() => Ok(reader_of(path)),
        _ if is_configuration(&text) => by_configuration(path, &places(path)?),
        Ok(_) => by_pid_file(path),
        Err(error) => match text.parse().ok().and_then(ProcessId::new) {
            Some(pid) => {
                let owner = facts(pid.get()).map_or(0, |facts| facts.user);
                Ok(Instance::Master { pid, named: "the command line".to_owned(), owner })
            }
            None if text.parse::<std::net::SocketAddr>().is_ok() => Ok(Instance::Statistics(text.into_owned())),
            None => Err(no_input(path, &error)),
        },
    }
}

/// Whether it is the name of a configuration, or of a section of one.
fn is_configuration(text: &str) -> bool {
    let file = text.rsplit_once(':').map_or(text, |(file, _)| file);
    [text, file].iter().any(|name| CONFIGURATIONS.iter().any(|ending| name.ends_with(ending)))
}

/// The first of the places at which there is something.
fn by_configuration(configuration: &Path, places: &Places) -> Result<Instance, StartFailure> {
    let mut missing = None;
    for path in &places.pid_files {
        match by_pid_file(path) {
            Ok(found) => return Ok(found),
            Err(failure) => missing = missing.or(Some(failure)),
        }
    }
    let is_fifo = |path: &&PathBuf| fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
    if let Some(fifo) = places.fifos.iter().find(is_fifo) {
        return Ok(reader_of(fifo));
    }
    let shown = configuration.display();
    let mut failure = missing.unwrap_or_else(|| match places.fifos.first() {
        Some(fifo) => failure(Exit::Input, format!("the master fifo {} of {shown} is not there", fifo.display())),
        None => failure(
            Exit::Input,
            format!(
                "{shown} names no pid file and no master fifo by which its instance could be found; add \
                 `pidfile = /run/app.pid`, or give the master's process id"
            ),
        ),
    });
    for left_out in &places.left_out {
        failure.message += &format!("; {left_out}: give the pid file or the master's process id");
    }
    Err(failure)
}

fn by_pid_file(path: &Path) -> Result<Instance, StartFailure> {
    let file = open_regular(path).map_err(|error| no_input(path, &error))?;
    let known = file.metadata().map_err(|error| no_input(path, &error))?;
    let mut line = String::new();
    BufReader::new(file.take(LINE_BYTES_MAX)).read_line(&mut line).map_err(|error| no_input(path, &error))?;
    match line.trim().parse().ok().and_then(ProcessId::new) {
        Some(pid) => Ok(Instance::Master { pid, named: path.display().to_string(), owner: says_who(&known, pid) }),
        None => Err(failure(Exit::Input, format!("{} holds no process id: {:?}", path.display(), line.trim()))),
    }
}

/// Who may be the master that a pid file names: its owner. Root writes it before it becomes the instance's user: then
/// whoever that process is, if it was there already when the file was written, since numbers are used again.
fn says_who(file: &fs::Metadata, pid: ProcessId) -> u32 {
    let written_us = u64::try_from(file.mtime()).unwrap_or(0).saturating_mul(1_000_000);
    let named = facts(pid.get()).filter(|facts| facts.began_us <= written_us.saturating_add(CLOCK_GRAIN_US));
    named.filter(|_| file.uid() == 0).map_or(file.uid(), |facts| facts.user)
}

/// The master that has this fifo open, if that can be seen.
fn reader_of(fifo: &Path) -> Instance {
    let found = fs::metadata(fifo).ok();
    let owner = found.as_ref().map_or(0, MetadataExt::uid);
    let wanted = found.map(|found| (found.dev(), found.ino()));
    let is_fifo = |path: PathBuf| fs::metadata(path).ok().map(|found| (found.dev(), found.ino())) == wanted;
    let reads = |pid: &ProcessId| {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", pid.get()));
        descriptors.is_ok_and(|entries| entries.flatten().any(|entry| is_fifo(entry.path())))
    };
    match wanted.and_then(|_| masters().ok()?.into_iter().find(reads)) {
        Some(pid) => Instance::Master { pid, named: fifo.display().to_string(), owner },
        None => Instance::Fifo(fifo.to_owned()),
    }
}

/// Every master on this machine that could be asked: their sockets are in the list of unix sockets (proc_net(5)).
fn masters() -> io::Result<Vec<ProcessId>> {
    let start = format!("@{}", start_of_names()?);
    let list = fs::read_to_string("/proc/net/unix")?;
    let pid = |line: &str| {
        let rest = line.rsplit_once(' ')?.1.strip_prefix(&start)?;
        rest.split('/').next()?.parse().ok().and_then(ProcessId::new)
    };
    Ok(list.lines().filter_map(pid).collect())
}

fn no_input(path: &Path, error: &io::Error) -> StartFailure {
    failure(Exit::Input, format!("cannot read {}: {error}", path.display()))
}

fn failure(exit: Exit, message: String) -> StartFailure {
    StartFailure::new(exit, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &Path) -> Result<Places, StartFailure> {
        Ok(Places::default())
    }

    #[test]
    fn a_configuration_leads_by_its_first_pid_file_that_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        fs::write(place("second.pid"), "4711\n").unwrap();
        let places = |_: &Path| {
            Ok(Places {
                pid_files: vec![place("first.pid"), place("second.pid")],
                fifos: vec![place("fifo")],
                left_out: vec![],
            })
        };
        for name in ["app.ini", "app.yaml", "app.ini:production"] {
            let Instance::Master { pid, named, .. } = find(OsStr::new(name), &places).unwrap() else {
                panic!("{name}")
            };
            assert_eq!((pid.get(), named), (4711, place("second.pid").display().to_string()));
        }
        let told = find(OsStr::new("app.ini"), &none).unwrap_err();
        assert!(told.message.contains("add `pidfile = "), "{told}");
    }

    #[test]
    fn a_fifo_in_the_place_of_a_pid_file_keeps_nobody_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("pid");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let places = |_: &Path| Ok(Places { pid_files: vec![fifo.clone()], ..Places::default() });
        let told = find(OsStr::new("app.ini"), &places).unwrap_err();
        assert!(told.message.contains("it is no regular file"), "{told}");
    }

    #[test]
    fn a_number_is_a_process_unless_a_file_has_that_name() {
        let found = find(OsStr::new("4711"), &none).unwrap();
        assert!(matches!(found, Instance::Master { pid, .. } if pid.get() == 4711));
        for word in ["no-such-file", "0", "-3"] {
            assert_eq!(find(OsStr::new(word), &none).unwrap_err().exit, Exit::Input, "{word}");
        }
    }

    #[test]
    fn a_fifo_that_no_master_reads_is_a_fifo() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(find(fifo.as_os_str(), &none).unwrap(), Instance::Fifo(fifo));
    }
}
