//! Facts of the machine: those that a configuration is judged by (master, before it starts), and its name (workers).

use std::net::{IpAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{AccessFlags, access, gethostname};

/// Sixteen bytes that nobody can guess; zeros where the kernel gives none.
pub fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    let read =
        std::fs::File::open("/dev/urandom").and_then(|mut source| std::io::Read::read_exact(&mut source, &mut bytes));
    if let Err(error) = read {
        log::warn!("there are no random numbers: {error}");
    }
    bytes
}

/// Whether this process may read what is at a path.
pub fn may_read(path: &Path) -> bool {
    access(path, AccessFlags::R_OK).is_ok()
}

/// What the machine is called; `localhost` if nothing.
pub fn host_name() -> String {
    let name = gethostname().unwrap_or_default().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// The kernel's bound on listen queues (`net.core.somaxconn`).
pub fn somaxconn() -> Option<u32> {
    setting("net/core/somaxconn")
}

/// Whether the queue of a TCP socket that closes goes to another one with its port (`net.ipv4.tcp_migrate_req`).
pub fn migrates_connections() -> Option<bool> {
    setting("net/ipv4/tcp_migrate_req").map(|number| number != 0)
}

/// The first TCP port that is not kept for root (`net.ipv4.ip_unprivileged_port_start`).
pub fn unprivileged_port_start() -> u32 {
    setting("net/ipv4/ip_unprivileged_port_start").unwrap_or(1024)
}

/// Whether this thread may listen on ports that are kept for root, by the capability CAP_NET_BIND_SERVICE
/// (capabilities(7)).
pub fn binds_low_ports() -> bool {
    const NET_BIND_SERVICE: u32 = 10;
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> NET_BIND_SERVICE & 1 == 1)
}

/// How many characters a line of a terminal has; `None` when it is none, or does not tell.
pub fn terminal_columns(output: impl AsFd) -> Option<usize> {
    terminal_size(output).map(|(_, columns)| columns)
}

/// Rows and columns of the terminal that an output is; `None` for what is none, or does not tell.
pub fn terminal_size(output: impl AsFd) -> Option<(usize, usize)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes one `winsize`, which outlives the call.
    let told = unsafe { libc::ioctl(output.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (told == 0 && size.ws_col > 0).then_some((usize::from(size.ws_row), usize::from(size.ws_col)))
}

fn setting(name: &str) -> Option<u32> {
    std::fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok()
}

/// Most processes that a user may have, as inherited; `None` without a limit. Root is not bound by it, but whom root
/// becomes is.
pub fn process_limit() -> Option<u64> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NPROC).ok()?;
    (soft != RLIM_INFINITY).then_some(soft)
}

/// The effective user id.
pub fn effective_user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// The file mode creation mask of this process (proc_pid_status(5)); asking the kernel otherwise would change it.
pub fn umask() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let bits = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(bits.trim(), 8).ok()
}

/// How many listening sockets were handed in: by systemd (`LISTEN_FDS`), or as standard input.
pub fn inherited_sockets() -> usize {
    activated_sockets() + usize::from(listens(&std::io::stdin()))
}

/// How many sockets systemd handed to exactly this process (sd_listen_fds(3)); they begin at descriptor 3.
pub fn activated_sockets() -> usize {
    let number = |name: &str| std::env::var(name).ok()?.parse::<usize>().ok();
    match number("LISTEN_PID") {
        Some(pid) if pid == std::process::id() as usize => number("LISTEN_FDS").unwrap_or(0),
        _ => 0,
    }
}

fn listens(descriptor: &impl AsFd) -> bool {
    getsockopt(descriptor, sockopt::AcceptConn).unwrap_or(false)
}

/// Whether a path leads to a program that this process may execute.
pub fn executes(path: &Path) -> bool {
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

/// The interpreter of the virtualenv that this program is installed in. `None` if it is in none, and where another one is
/// active: whoever activates one wants that.
pub fn own_interpreter() -> Option<PathBuf> {
    if std::env::var_os("VIRTUAL_ENV").is_some() {
        return None;
    }
    let program = std::env::current_exe().ok()?;
    let place = program.parent()?.parent()?;
    place.join("pyvenv.cfg").is_file().then(|| place.join("bin/python3"))
}

/// The first address of a host name.
pub fn resolve(host: &str) -> Option<IpAddr> {
    (host, 0).to_socket_addrs().ok()?.next().map(|address| address.ip())
}
