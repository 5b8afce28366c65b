//! What a configuration is judged by that it does not say itself: limits and programs of the machine it is for.
//!
//! They come in as an argument, so that judging is pure; not for what the language asks for while it reads (`world`).
//! Looked up in the master before anything is started.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What a configuration has to know of the machine it is for.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// `net.core.somaxconn`, the kernel's bound on `listen`; `None` when it cannot be read.
    pub somaxconn: Option<u32>,
    /// Whether the kernel hands the queue of a closed socket to another one with its port
    /// (`net.ipv4.tcp_migrate_req`); `None` when it cannot be read.
    pub migrates_connections: Option<bool>,
    /// Most processes of this user (`RLIMIT_NPROC`); `None` without a limit.
    pub process_limit: Option<u64>,
    /// The effective user; 0 is root.
    pub euid: u32,
    /// The file mode creation mask of this process; `None` when it cannot be known.
    pub umask: Option<u32>,
    /// How many sockets are handed in at start (standard input, systemd); `None` when that cannot be known, as in
    /// `rhinod check`: then it is a remark that there is nothing to listen on, not an error.
    pub inherited_sockets: Option<usize>,
    /// Looks up the address of a host's name.
    pub resolve: fn(&str) -> Option<IpAddr>,
    /// Whether a path leads to a program that this process may execute.
    pub executes: fn(&Path) -> bool,
    /// `PATH` of the environment, where programs without a directory are looked for.
    pub search_path: Option<String>,
    /// The interpreter of the virtualenv that rhinod itself is installed in, unless another one is active.
    pub own_interpreter: Option<PathBuf>,
}
