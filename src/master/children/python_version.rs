//! Which version of Python will run an application, as far as files tell it: nothing is executed for a line of the log. Not for
//! judging it; the interpreter itself does when it begins. Master only.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::interpreter::interpreter;
use crate::config::model::Python;
use crate::sys::files::open_regular;
use crate::sys::machine::executes;

/// Of a file that describes a virtualenv no more is read.
const DESCRIPTION_BYTES_MAX: u64 = 64 * 1_024;

/// Two or three numbers, if something says so.
pub(in crate::master) fn python_version(python: &Python) -> Option<String> {
    let program = found(&interpreter(python).ok()?)?;
    let description = program.parent()?.parent()?.join("pyvenv.cfg");
    described(&description).or_else(|| told_by_name(&program.canonicalize().ok()?))
}

/// A name without a slash is looked for as execvp(3) does.
fn found(program: &OsStr) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return Some(path.to_owned());
    }
    let search_path = std::env::var_os("PATH")?;
    std::env::split_paths(&search_path).map(|directory| directory.join(path)).find(|path| executes(path))
}

fn described(description: &Path) -> Option<String> {
    let mut text = String::new();
    open_regular(description).ok()?.take(DESCRIPTION_BYTES_MAX).read_to_string(&mut text).ok()?;
    told_by_virtualenv(&text)
}

/// `version = 3.11.2` is venv's, `version_info = 3.11.2.final.0` virtualenv's.
fn told_by_virtualenv(text: &str) -> Option<String> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let mut versions = pairs.filter(|(key, _)| ["version", "version_info"].contains(&key.trim()));
    versions.find_map(|(_, value)| numbers(value.trim()))
}

/// As in `/usr/bin/python3.11`.
fn told_by_name(program: &Path) -> Option<String> {
    numbers(program.file_name()?.to_str()?.strip_prefix("python")?)
}

fn numbers(text: &str) -> Option<String> {
    let is_number = |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers: Vec<&str> = text.split('.').take_while(is_number).take(3).collect();
    (numbers.len() > 1).then(|| numbers.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtualenv_or_the_programs_own_name_tells_the_version() {
        let venv = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n";
        let virtualenv = "home = /usr/bin\nversion_info = 3.12.1.final.0\nversion = 20.25.0\n";
        assert_eq!(told_by_virtualenv(venv).as_deref(), Some("3.11.2"));
        assert_eq!(told_by_virtualenv(virtualenv).as_deref(), Some("3.12.1"));
        assert_eq!(told_by_name(Path::new("/usr/bin/python3.13")).as_deref(), Some("3.13"));
    }

    #[test]
    fn what_tells_none_or_something_else_is_no_version() {
        for text in ["", "version\n", "version = new\n", "version = 3\n", "version = 3.\x1b[2J\n", "versions = 3.11\n"]
        {
            assert_eq!(told_by_virtualenv(text), None, "{text:?}");
        }
        for program in ["/usr/bin/python3", "/usr/bin/pypy3.10", "/opt/shims/python"] {
            assert_eq!(told_by_name(Path::new(program)), None, "{program}");
        }
    }

    #[test]
    fn a_virtualenv_is_described_by_its_file_and_by_no_pipe() {
        let home = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(home.path().join("bin")).expect("a directory");
        std::fs::copy("/bin/true", home.path().join("bin/python")).expect("a program");
        let python = Python { home: Some(home.path().to_owned()), ..Python::default() };
        let description = home.path().join("pyvenv.cfg");
        std::fs::write(&description, "version = 3.9.18\n").expect("a description");
        assert_eq!(python_version(&python).as_deref(), Some("3.9.18"));
        std::fs::remove_file(&description).expect("a description");
        nix::unistd::mkfifo(&description, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
        assert_eq!(python_version(&python), None);
    }
}
