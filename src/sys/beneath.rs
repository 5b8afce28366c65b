//! Files of a directory that are opened by what a client says, and never outside of it. Worker, for every file it serves.
//!
//! The kernel is asked to stay beneath the directory (openat2(2), RESOLVE_BENEATH). What it will not decide, a link that
//! is absolute or leads out, is opened and judged by where it has come to: that is what was opened, whoever changes links
//! meanwhile.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2, readlink};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};

/// What lies at a path.
#[derive(Debug)]
pub enum Found {
    /// A regular file that can be read.
    File(RegularFile),
    /// A directory.
    Directory,
    /// Something outside of the directory, and of those that are allowed as well: where it is.
    Outside(PathBuf),
    /// Nothing that could be read.
    Nothing,
}

/// A regular file, open for reading.
#[derive(Debug)]
pub struct RegularFile {
    file: File,
    status: FileStat,
}

/// A fifo keeps nobody waiting, and no terminal becomes ours.
const FLAGS: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC).union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY);

/// Opens `rest` below `top`, which is resolved anew each time. An empty `rest` is `top` itself, which may be a file.
/// Links that lead out of it are followed to what lies below one of `allowed`.
pub fn look_up(top: &Path, rest: &[u8], allowed: &[PathBuf]) -> io::Result<Found> {
    let top_flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let Some(directory) = unless_missing(open(top, top_flags, Mode::empty()))? else { return Ok(Found::Nothing) };
    let names = rest.iter().position(|byte| *byte != b'/').map_or(&[][..], |first| &rest[first..]);
    if names.is_empty() {
        return match kind(&fstat(&directory)?) {
            SFlag::S_IFDIR => Ok(Found::Directory),
            _ => Ok(unless_missing(open(top, FLAGS, Mode::empty()))?.map_or(Found::Nothing, of_descriptor)),
        };
    }
    // A path with a zero byte names nothing.
    let Ok(names) = CString::new(names) else { return Ok(Found::Nothing) };
    let beneath = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    match openat2(&directory, names.as_c_str(), OpenHow::new().flags(FLAGS).resolve(beneath)) {
        Ok(opened) => Ok(of_descriptor(opened)),
        // It leads out; or the kernel has no such call, or a filter of calls forbids it.
        Err(Errno::EXDEV | Errno::ENOSYS | Errno::EPERM | Errno::EAGAIN | Errno::EINVAL) => {
            look_outside(&directory, &names, allowed)
        }
        Err(error) => unless_missing(Err(error)).map(|_: Option<OwnedFd>| Found::Nothing),
    }
}

fn look_outside(directory: &OwnedFd, names: &CString, allowed: &[PathBuf]) -> io::Result<Found> {
    let opened = unless_missing(openat(directory, names.as_c_str(), FLAGS, Mode::empty()))?;
    let Some(opened) = opened else { return Ok(Found::Nothing) };
    let place = path_of(&opened)?;
    let within = |top: &Path| place.starts_with(top);
    let is_allowed = || allowed.iter().filter_map(|top| top.canonicalize().ok()).any(|top| within(&top));
    if within(&path_of(directory)?) || is_allowed() { Ok(of_descriptor(opened)) } else { Ok(Found::Outside(place)) }
}

/// Where an open file is, as the kernel has it.
fn path_of(opened: &impl AsFd) -> io::Result<PathBuf> {
    let link = format!("/proc/self/fd/{}", opened.as_fd().as_raw_fd());
    Ok(PathBuf::from(readlink(link.as_str())?))
}

fn of_descriptor(opened: OwnedFd) -> Found {
    match fstat(&opened) {
        Ok(status) if kind(&status) == SFlag::S_IFREG => Found::File(RegularFile { file: File::from(opened), status }),
        Ok(status) if kind(&status) == SFlag::S_IFDIR => Found::Directory,
        _ => Found::Nothing,
    }
}

/// What is not there, or may not be read, is nothing that a client asked for rightly.
fn unless_missing<T>(outcome: nix::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(opened) => Ok(Some(opened)),
        Err(
            Errno::ENOENT
            | Errno::ENOTDIR
            | Errno::EACCES
            | Errno::ELOOP
            | Errno::ENAMETOOLONG
            | Errno::ENXIO
            | Errno::ENODEV
            | Errno::EINVAL,
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn kind(status: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT
}

impl RegularFile {
    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        u64::try_from(self.status.st_size).unwrap_or(0)
    }

    /// When it was last modified: seconds since the epoch, none for what is older, and nanoseconds.
    pub fn modified(&self) -> (u64, u64) {
        let whole = |value: i64| u64::try_from(value).unwrap_or(0);
        (whole(self.status.st_mtime), whole(self.status.st_mtime_nsec))
    }

    /// Where it is, without links.
    ///
    /// # Errors
    /// /proc is not there.
    pub fn path(&self) -> io::Result<OsString> {
        path_of(&self.file).map(PathBuf::into_os_string)
    }
}

impl AsFd for RegularFile {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_leads_out() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let (top, beside) = (home.join("pub"), home.join("pub-secret"));
        for directory in [&top, &beside, &top.join("in"), &home.join("shared")] {
            fs::create_dir(directory).unwrap();
        }
        for file in ["pub/a", "pub/in/b", "pub-secret/c", "shared/d"] {
            fs::write(home.join(file), file).unwrap();
        }
        let links: [(&str, PathBuf); 6] = [
            ("inside", "in/b".into()),
            ("inside-absolute", top.join("in/b")),
            ("outside", "../pub-secret/c".into()),
            ("outside-absolute", beside.join("c")),
            ("shared", home.join("shared")),
            ("self", "self".into()),
        ];
        for (name, target) in links {
            symlink(target, top.join(name)).unwrap();
        }
        nix::unistd::mkfifo(&top.join("fifo"), Mode::S_IRWXU).unwrap();
        let allowed = [home.join("shared")];
        let found = |rest: &str| match look_up(&top, rest.as_bytes(), &allowed).unwrap() {
            Found::File(file) => format!("{} bytes", file.length()),
            Found::Directory => "directory".to_owned(),
            Found::Outside(place) => format!("outside {}", place.strip_prefix(&home).unwrap().display()),
            Found::Nothing => "nothing".to_owned(),
        };
        for (rest, expected) in [
            ("a", "5 bytes"),
            ("/a", "5 bytes"),
            ("//a", "5 bytes"),
            ("./a", "5 bytes"),
            ("in/../a", "5 bytes"),
            ("in//b", "8 bytes"),
            ("inside", "8 bytes"),
            ("inside-absolute", "8 bytes"),
            ("shared/d", "8 bytes"),
            ("", "directory"),
            ("/", "directory"),
            ("in", "directory"),
            ("in/", "directory"),
            ("a/", "nothing"),
            ("A", "nothing"),
            ("a\0.txt", "nothing"),
            ("fifo", "nothing"),
            ("self", "nothing"),
            ("none", "nothing"),
            ("outside", "outside pub-secret/c"),
            ("outside-absolute", "outside pub-secret/c"),
            ("../pub-secret/c", "outside pub-secret/c"),
            ("../pub/a", "5 bytes"),
            ("shared/../pub-secret/c", "outside pub-secret/c"),
        ] {
            assert_eq!(found(rest), expected, "{rest:?}");
        }
        assert!(matches!(look_up(&top.join("a"), b"", &[]).unwrap(), Found::File(_)));
        assert!(matches!(look_up(&home.join("none"), b"a", &[]).unwrap(), Found::Nothing));
        assert!(matches!(look_up(Path::new("/proc/self/fd"), b"0", &[]).unwrap(), Found::Nothing | Found::Outside(_)));
    }
}
