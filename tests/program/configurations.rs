//! Example configurations as a world of their own: the files of one case, and nothing else.
//!
//! A case is a text with parts that begin with `-- NAME --`: `command`, `environment`, and files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rhinod::config::Surroundings;
use rhinod::config::ground::{Access, Ground, Misfit, Who};
use rhinod::config::model::Identity;
use rhinod::config::world::{Facts, Invocation, Kind, Sight, World};

/// Where the files of a case stand.
const DIRECTORY: &str = "/srv/case";

/// A configuration and how it is started.
pub(crate) struct Case {
    /// Its name, for messages and snapshots.
    pub(crate) name: String,
    /// How rhinod is called.
    pub(crate) invocation: Invocation,
    files: BTreeMap<PathBuf, Vec<u8>>,
    facts: Facts,
}

/// A machine with room for everything.
pub(crate) fn surroundings() -> Surroundings {
    Surroundings {
        somaxconn: Some(4096),
        migrates_connections: Some(true),
        process_limit: None,
        euid: 1000,
        umask: None,
        inherited_sockets: None,
        resolve: |_: &str| None::<IpAddr>,
        executes: |_| true,
        search_path: None,
        own_interpreter: None,
    }
}

/// A machine on which everybody may do everything but what is listed, and whose names all stand for somebody.
#[derive(Default)]
pub(crate) struct Rules {
    /// Whether the binary has an application.
    pub(crate) embeds: bool,
    /// What the server may not do, and nor may who starts it where the flag is set.
    pub(crate) denied: Vec<(PathBuf, Access, bool)>,
    /// Users and groups that there are not.
    pub(crate) nobody: Vec<&'static str>,
    /// The first port that the server may have.
    pub(crate) first_port: u16,
}

impl Ground for Rules {
    fn embeds_application(&self) -> bool {
        self.embeds
    }

    fn judge_identity(&self, identity: &Identity) -> Result<(), Misfit> {
        match &identity.uid {
            Some(uid) if self.nobody.contains(&uid.as_str()) => {
                Err(Misfit { option: "uid", problem: format!("there is no user \"{uid}\"") })
            }
            _ => Ok(()),
        }
    }

    fn judge_owner(&self, owner: &str) -> Result<(), String> {
        let known = !self.nobody.iter().any(|name| owner.contains(name));
        if known { Ok(()) } else { Err(format!("there is no user \"{owner}\"")) }
    }

    fn name_of(&self, who: Who<'_>) -> String {
        if matches!(who, Who::Server(_)) { "user app".into() } else { "user root".into() }
    }

    fn access(&self, who: Who<'_>, path: &Path, access: Access) -> io::Result<()> {
        let is_meant = |everybody: bool| everybody || matches!(who, Who::Server(_));
        let denied = self.denied.iter().any(|(at, what, all)| at == path && *what == access && is_meant(*all));
        if denied { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }

    fn may_bind(&self, who: Who<'_>, port: u16) -> bool {
        who == Who::Starter || port >= self.first_port
    }
}

impl Case {
    /// Every case, by name.
    pub(crate) fn all() -> Vec<Case> {
        let directory = fs::read_dir(Self::directory()).expect("tests/data/configurations");
        let mut names: Vec<String> =
            directory.filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned())).collect();
        names.sort();
        names.iter().map(|name| Case::read(name)).collect()
    }

    /// The case of that name.
    pub(crate) fn read(name: &str) -> Case {
        Case::at(&Self::directory().join(format!("{name}.txt")))
    }

    /// The case in a file.
    pub(crate) fn at(path: &Path) -> Case {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        Case::parse(name, &fs::read_to_string(path).expect("a case"))
    }

    fn directory() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/configurations")
    }

    fn parse(name: &str, text: &str) -> Case {
        let mut parts: BTreeMap<String, String> = BTreeMap::new();
        let mut part = String::new();
        for line in text.split_inclusive('\n') {
            match line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
                Some(name) => part = name.to_owned(),
                None => parts.entry(part.clone()).or_default().push_str(line),
            }
        }
        let command = parts.remove("command").unwrap_or_default();
        let environment = parts.remove("environment").unwrap_or_default();
        let words = command.split_whitespace().skip(1).map(|word| OsString::from(word.trim_matches('\'')));
        let pairs = environment.lines().filter_map(|line| line.split_once('='));
        Case {
            name: name.to_owned(),
            invocation: Invocation {
                program: "/usr/bin/rhinod".into(),
                arguments: words.collect(),
                environment: pairs.map(|(name, value)| (name.into(), value.into())).collect(),
                directory: DIRECTORY.into(),
                started: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
                reload: false,
            },
            files: parts.into_iter().map(|(name, text)| (Path::new(DIRECTORY).join(name), text.into_bytes())).collect(),
            facts: Facts {
                hostname: "host".into(),
                cpus: 4,
                uid: 1000,
                user: "someone".into(),
                gid: 1000,
                group: "some".into(),
            },
        }
    }
}

impl World for Case {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn read_standard_input(&self) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read_descriptor(&self, _descriptor: u32) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn run(&self, _command: &str, _directory: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn look(&self, path: &Path) -> Option<Sight> {
        let found = self.files.contains_key(path);
        found.then_some(Sight { kind: Kind::File, readable: true, inode: 1 })
    }

    fn is_link(&self, _path: &Path) -> bool {
        false
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.read(path).map(|_| path.to_owned())
    }

    fn glob(&self, _pattern: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }
}
