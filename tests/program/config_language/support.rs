//! A world for the tests of the configuration language: a machine that lives in memory and records what is asked of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rhinod::config::options::Table;
use rhinod::config::world::{Facts, Kind, Sight};
use rhinod::config::{Collected, ConfigErrors, Invocation, World, collect};

/// A machine in memory. Its directory is `/srv/app`, its host `web1`; it has 4 CPUs.
pub(crate) struct Memory {
    files: BTreeMap<PathBuf, Vec<u8>>,
    directories: Vec<PathBuf>,
    standard_input: Vec<u8>,
    facts: Facts,
    /// Everything read or run, in order.
    pub(crate) asked: RefCell<Vec<String>>,
}

pub(crate) const DIRECTORY: &str = "/srv/app";

impl Memory {
    pub(crate) fn new() -> Self {
        let facts = Facts {
            hostname: "web1".to_owned(),
            cpus: 4,
            uid: 0,
            user: "root".to_owned(),
            gid: 0,
            group: "root".to_owned(),
        };
        Self {
            files: BTreeMap::new(),
            directories: Vec::new(),
            standard_input: Vec::new(),
            facts,
            asked: RefCell::new(Vec::new()),
        }
    }

    /// Adds a file; a relative name is one in the working directory.
    pub(crate) fn file(mut self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(Path::new(DIRECTORY).join(name), content.as_ref().to_vec());
        self
    }

    pub(crate) fn directory(mut self, name: &str) -> Self {
        self.directories.push(Path::new(DIRECTORY).join(name));
        self
    }

    pub(crate) fn standard_input(mut self, content: &str) -> Self {
        self.standard_input = content.as_bytes().to_vec();
        self
    }

    fn ask(&self, what: String) {
        self.asked.borrow_mut().push(what);
    }
}

impl World for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.ask(path.display().to_string());
        self.files.get(path).cloned().ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    fn read_standard_input(&self) -> io::Result<Vec<u8>> {
        self.ask("-".to_owned());
        Ok(self.standard_input.clone())
    }

    fn read_descriptor(&self, descriptor: u32) -> io::Result<Vec<u8>> {
        self.ask(format!("fd://{descriptor}"));
        if descriptor == 7 {
            Ok(b"[uwsgi]\nfrom-descriptor = 7\n".to_vec())
        } else {
            Err(io::Error::from_raw_os_error(2))
        }
    }

    fn run(&self, command: &str, _: &Path) -> io::Result<Vec<u8>> {
        self.ask(format!("exec://{command}"));
        match command.strip_prefix("echo ") {
            Some(text) => Ok(format!("{text}\n").into_bytes()),
            None => Err(io::Error::other("the command ended with exit status: 127")),
        }
    }

    fn look(&self, path: &Path) -> Option<Sight> {
        let sight = |kind, inode| Some(Sight { kind, readable: true, inode });
        if let Some(index) = self.files.keys().position(|file| file == path) {
            return sight(Kind::File, index as u64 + 100);
        }
        if self.directories.iter().any(|directory| directory == path) { sight(Kind::Directory, 50) } else { None }
    }

    fn is_link(&self, _: &Path) -> bool {
        false
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.components().collect())
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let Ok(pattern) = glob::Pattern::new(pattern) else { return Vec::new() };
        self.files.keys().chain(&self.directories).filter(|path| pattern.matches_path(path)).cloned().collect()
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// A call with these arguments, `HOME=/root` and the given variables.
pub(crate) fn invocation(arguments: &[&str], environment: &[(&str, &str)]) -> Invocation {
    let own = [("HOME", "/root")];
    let pair = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    Invocation {
        program: "/usr/bin/rhinod".into(),
        arguments: arguments.iter().map(OsString::from).collect(),
        environment: own.iter().chain(environment).map(pair).collect(),
        directory: DIRECTORY.into(),
        started: UNIX_EPOCH + Duration::from_secs(1_718_000_000),
        reload: false,
    }
}

/// Collects, with rhinod's table of options.
pub(crate) fn run(world: &Memory, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Collected, ConfigErrors> {
    collect(&invocation(arguments, environment), &Table, world)
}

/// The entries as `--show-config` prints them, without the first `ini = …`.
pub(crate) fn shown(collected: &Collected) -> Vec<String> {
    let line = |key: &str, value: Option<&str>| match value {
        Some(value) => format!("{key} = {value}"),
        None => format!("{key} = true"),
    };
    collected.listed().map(|directive| line(&directive.key, directive.value.as_deref())).collect()
}
