//! What a configuration may ask of the machine it is read on, and how the program was called.
//!
//! The language asks through [`World`] and nowhere else, so that everything above it is pure: `host` is the real
//! machine, tests bring their own. Runs in the master, before anything is started.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Most bytes read from one file, command or descriptor. uWSGI has no limit; the largest file of 238 public ones had 12 KiB.
pub const SOURCE_BYTES_MAX: usize = 16 << 20;

/// How the program was called. Captured once at start and used again for each reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Path of the running binary (`%b`).
    pub program: PathBuf,
    /// The arguments after the program's name.
    pub arguments: Vec<OsString>,
    /// The environment, in its own order.
    pub environment: Vec<(OsString, OsString)>,
    /// The working directory at start (`%v`), which relative paths of the language are relative to.
    pub directory: PathBuf,
    /// When the program was started (`%t`, `%T`).
    pub started: SystemTime,
    /// Whether this is a reload rather than the first start (`if-reload`).
    pub reload: bool,
}

/// The outside, as far as a configuration may ask about it. All paths are absolute.
pub trait World {
    /// A file's bytes. Implementations stop reading after [`SOURCE_BYTES_MAX`] + 1 bytes.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Standard input up to its end.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_standard_input(&self) -> io::Result<Vec<u8>>;

    /// What an inherited descriptor holds (`fd://3`).
    ///
    /// # Errors
    /// When it is not open or cannot be read.
    fn read_descriptor(&self, descriptor: u32) -> io::Result<Vec<u8>>;

    /// The standard output of a shell command (`exec://command`), run in a directory.
    ///
    /// # Errors
    /// When the command cannot be run or fails.
    fn run(&self, command: &str, directory: &Path) -> io::Result<Vec<u8>>;

    /// What stands at a path, links followed; `None` when nothing does.
    fn look(&self, path: &Path) -> Option<Sight>;

    /// Whether the path itself is a symbolic link.
    fn is_link(&self, path: &Path) -> bool;

    /// The path with every link resolved.
    ///
    /// # Errors
    /// When it does not exist.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;

    /// The paths that match a shell pattern, sorted; directories without a trailing slash.
    fn glob(&self, pattern: &str) -> Vec<PathBuf>;

    /// What the machine and the user are called.
    fn facts(&self) -> &Facts;
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Which kind of thing it is.
    pub kind: Kind,
    /// Whether this process may read it.
    pub readable: bool,
    /// Its inode number (`%i`).
    pub inode: u64,
}

/// Kinds of things at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A socket, a fifo, a device.
    Other,
}

/// What the machine and the user are called: the magic variables that are not about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Host name (`%h`).
    pub hostname: String,
    /// CPUs online (`%k`).
    pub cpus: usize,
    /// User id (`%u`).
    pub uid: u32,
    /// User name (`%U`), the number when it has none.
    pub user: String,
    /// Group id (`%g`).
    pub gid: u32,
    /// Group name (`%G`), the number when it has none.
    pub group: String,
}
