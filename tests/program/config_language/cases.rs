//! Cases of the comparison with uWSGI: small configurations, what uWSGI made of them, and what rhinod makes of them.
//!
//! A case is a text file in `cases/` with parts headed by `-- name --`:
//!
//! - `call`: the environment, one `NAME=value` a line, then a line `uwsgi`, then its arguments, one a line. Without it
//!   the call is `uwsgi --ini main.ini`.
//! - a file name: that file. `name escaped` reads `\r`, `\n`, `\\` and `\xNN` in it; `name/` is a directory;
//!   `name -> other` is a symbolic link.
//! - `uwsgi`: what its `--show-config` printed, or `exit N`.
//! - `rhinod`: what rhinod makes of it where that differs, or its errors.
//! - `deviation`: why it differs although uWSGI starts, or starts although uWSGI does not.
//!
//! The working directory is written `{dir}`. `make bless` writes `rhinod` anew and, where uWSGI can be had, `uwsgi`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use rhinod::config::options::Table;
use rhinod::config::{Host, Invocation, collect};
use tempfile::TempDir;

use super::support::shown;

/// Added in front of a call of uWSGI: print the configuration, then fail to bind instead of serving.
const HOLD: [(&str, &str); 2] = [("UWSGI_SHOW_CONFIG", "true"), ("UWSGI_SOCKET", "/nonexistent/rhinod/test.sock")];

/// The variable that every call has.
const HOME: (&str, &str) = ("HOME", "/root");

pub(crate) struct Case {
    pub(crate) name: String,
    path: PathBuf,
    parts: Vec<(String, String)>,
}

impl Case {
    /// Every case of a directory beside this file, sorted by name.
    pub(crate) fn all(directory: &str) -> Vec<Self> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/config_language").join(directory);
        let mut paths: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let mut parts: Vec<(String, String)> = Vec::new();
        for line in text.split_inclusive('\n') {
            let bare = line.trim_end_matches('\n');
            match bare.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
                Some(name) => parts.push((name.to_owned(), String::new())),
                None => parts.last_mut().unwrap_or_else(|| panic!("{}: no part", path.display())).1.push_str(line),
            }
        }
        Self { name: path.file_stem().unwrap().to_string_lossy().into_owned(), path, parts }
    }

    pub(crate) fn part(&self, name: &str) -> Option<&str> {
        self.parts.iter().find(|(part, _)| part == name).map(|(_, text)| text.as_str())
    }

    /// Whether rhinod is meant to differ.
    pub(crate) fn deviates(&self) -> bool {
        self.part("deviation").is_some()
    }

    /// The environment and the arguments.
    pub(crate) fn call(&self) -> (Vec<(&str, &str)>, Vec<&str>) {
        let call = self.part("call").unwrap_or("uwsgi\n--ini\nmain.ini\n");
        let mut lines = call.lines();
        let environment = lines.by_ref().take_while(|line| *line != "uwsgi");
        let environment = environment.map(|line| line.split_once('=').unwrap()).collect();
        (environment, lines.collect())
    }

    /// The files by name, links and directories included.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        let files =
            self.parts.iter().filter(|(name, _)| !["call", "uwsgi", "rhinod", "deviation"].contains(&name.as_str()));
        files.map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The working directory of the case, with its files.
    pub(crate) fn lay_out(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in self.files() {
            if let Some((link, target)) = name.split_once(" -> ") {
                symlink(target, directory.path().join(link)).unwrap();
            } else if let Some(name) = name.strip_suffix('/') {
                fs::create_dir_all(directory.path().join(name)).unwrap();
            } else if let Some(name) = name.strip_suffix(" escaped") {
                fs::write(directory.path().join(name), unescape(text)).unwrap();
            } else {
                fs::write(directory.path().join(name), text).unwrap();
            }
        }
        directory
    }

    /// What rhinod makes of it: the entries, or its errors.
    pub(crate) fn rhinod(&self, directory: &Path) -> Result<String, String> {
        let directory = directory.canonicalize().unwrap();
        let (environment, arguments) = self.call();
        let invocation = Invocation {
            program: "/usr/bin/rhinod".into(),
            arguments: arguments.iter().map(Into::into).collect(),
            environment: [HOME].iter().chain(&environment).map(|(name, value)| (name.into(), value.into())).collect(),
            directory: directory.clone(),
            started: SystemTime::UNIX_EPOCH,
            reload: false,
        };
        let neutral = |text: String| text.replace(directory.to_str().unwrap(), "{dir}");
        match collect(&invocation, &Table, &Host::new()) {
            Ok(collected) => Ok(neutral(shown(&collected).join("\n") + "\n")),
            Err(errors) => Err(neutral(format!("{errors}\n"))),
        }
    }

    /// What uWSGI makes of it: what it shows, or `exit N`.
    pub(crate) fn uwsgi(&self, binary: &Path, directory: &Path) -> String {
        let directory = directory.canonicalize().unwrap();
        let (environment, arguments) = self.call();
        let output = Command::new("/usr/bin/env")
            .args(["-i", "timeout", "20", "env"])
            .args(HOLD.iter().chain([&HOME]).chain(&environment).map(|(name, value)| format!("{name}={value}")))
            .arg(binary)
            .args(arguments)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let Some(shown) =
            text.split_once("\n[uwsgi]\n").and_then(|(_, rest)| rest.split_once(";end of configuration\n"))
        else {
            return format!(
                "exit {}\n",
                output.status.code().map_or("by a signal".to_owned(), |code| code.to_string())
            );
        };
        let held = |line: &&str| {
            !HOLD.iter().any(|(name, value)| {
                **line == format!("{} = {value}", name["UWSGI_".len()..].to_lowercase().replace('_', "-"))
            })
        };
        let kept = shown.0.split('\n').filter(held).collect::<Vec<_>>().join("\n");
        kept.replace(directory.to_str().unwrap(), "{dir}")
    }

    /// Writes the case with these results.
    pub(crate) fn bless(&self, uwsgi: Option<&str>, rhinod: Option<&str>) {
        let mut text = String::new();
        for (name, content) in &self.parts {
            if !["uwsgi", "rhinod"].contains(&name.as_str()) {
                write!(text, "-- {name} --\n{content}").unwrap();
            }
        }
        if let Some(uwsgi) = uwsgi {
            write!(text, "-- uwsgi --\n{uwsgi}").unwrap();
        }
        if let Some(rhinod) = rhinod {
            write!(text, "-- rhinod --\n{rhinod}").unwrap();
        }
        fs::write(&self.path, text).unwrap();
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut characters = text.trim_end_matches('\n').chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            bytes.extend(character.to_string().as_bytes());
            continue;
        }
        match characters.next() {
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('x') => {
                let digits: String = characters.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap());
            }
            Some(other) => bytes.extend(other.to_string().as_bytes()),
            None => panic!("a backslash at the end"),
        }
    }
    bytes
}
