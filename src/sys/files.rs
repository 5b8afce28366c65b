//! Files of a privileged master where others may have been before it: reached step by step, so that no link that another
//! user has made leads it elsewhere, and judged, changed and removed by what was opened. Master, and whoever opens a log.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, mkfifoat, unlinkat};

/// Most links of a path, as in the kernel.
const LINKS_MAX: usize = 40;

/// How a directory on the way is opened: only to go on from there.
const STEP: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

/// A name in a directory that stays this directory whatever becomes of the path to it.
#[derive(Debug)]
pub struct Place {
    directory: OwnedFd,
    name: PathBuf,
    /// Whether we are root, and others can put something there.
    is_foreign: bool,
}

/// The file of a socket that was bound a moment ago.
#[derive(Debug)]
pub struct SocketFile(OwnedFd, FileStat);

/// Whether a path leads to what is open, links followed.
pub fn leads_to(path: &Path, open: &impl AsFd) -> bool {
    let same = |there: Metadata, found: FileStat| (there.dev(), there.ino()) == (found.st_dev, found.st_ino);
    path.metadata().is_ok_and(|there| fstat(open).is_ok_and(|found| same(there, found)))
}

/// Opens a file for writing (with O_RDWR for reading as well) and makes it where it is missing, never cut short. For root: where a directory belongs to
/// another user, or others may write to it, only root's own links are followed, and at their end must be a regular file
/// that has no second name.
///
/// # Errors
/// What the system says, and what is not followed.
pub fn open_to_write(path: &Path, flags: OFlag, mode: u32) -> io::Result<File> {
    let access = if flags.contains(OFlag::O_RDWR) { OFlag::empty() } else { OFlag::O_WRONLY };
    let flags = flags | access | OFlag::O_CREAT | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(mode);
    if !Uid::effective().is_root() {
        return Ok(open(path, flags, mode)?.into());
    }
    let mut place = Place::of(path)?;
    for _ in 0..LINKS_MAX {
        match place.open_to_write(flags, mode) {
            Err(Errno::ELOOP) => {
                let target = target(&place.directory, &place.name, place.is_foreign)?;
                place = reach(place.directory, &target)?;
            }
            Err(error) => return Err(error.into()),
            Ok(opened) => {
                if place.is_foreign {
                    judge(&fstat(&opened)?)?;
                }
                return Ok(opened.into());
            }
        }
    }
    Err(Errno::ELOOP.into())
}

/// Opens a regular file for reading, and nothing else: a fifo in its place would keep whoever reads it waiting.
///
/// # Errors
/// What the system says, and when it is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

/// The text of a regular file that is not longer than so many bytes.
///
/// # Errors
/// What the system says, and when it is no regular file, too long or no text.
pub fn short_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = open_regular(path)?.take(bytes_max + 1).read_to_string(&mut text)?;
    if read as u64 > bytes_max { Err(io::Error::other("it is too long")) } else { Ok(text) }
}

/// Makes a text the whole of a file, opened as by [`open_to_write`].
///
/// # Errors
/// As there, and what the system says of writing.
pub fn write_text(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = open_to_write(path, OFlag::empty(), mode)?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())
}

/// Puts a file with a text in the place of what is there: who reads it finds the one or the other, whole.
///
/// # Errors
/// What the system says, and what is not followed, as for [`Place::of`].
pub fn replace_text(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let place = Place::of(path)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(&place.name);
    name.push(".new");
    // One that was left behind by who was killed.
    match unlinkat(&place.directory, name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(&place.directory, name.as_os_str(), flags, Mode::from_bits_truncate(mode))?);
    file.write_all(text.as_bytes())?;
    Ok(renameat(&place.directory, name.as_os_str(), &place.directory, &place.name)?)
}

impl Place {
    /// Reaches the directory of a path. Root follows only its own links where others can make some.
    ///
    /// # Errors
    /// What the system says, and what is not followed.
    pub fn of(path: &Path) -> io::Result<Self> {
        if Uid::effective().is_root() {
            return reach(open(".", STEP, Mode::empty())?, path);
        }
        let name = path.file_name().ok_or(Errno::EISDIR)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self { directory: open(parent, STEP, Mode::empty())?, name: name.into(), is_foreign: false })
    }

    /// Makes a fifo, or takes the one that is there and nobody else's, and opens it for both directions: it never comes to an
    /// end. Whether it is new is told as well.
    ///
    /// # Errors
    /// When it cannot be made, or there is something else.
    pub fn fifo(&self) -> io::Result<(File, bool)> {
        let is_new = match mkfifoat(&self.directory, &self.name, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let opened = self.open_fifo();
        if opened.is_err() && is_new {
            // Best effort: that it cannot be opened is what the operator must read.
            let _ = self.remove_if(|found| kind(found) == SFlag::S_IFIFO && found.st_uid == Uid::effective().as_raw());
        }
        Ok((opened?, is_new))
    }

    fn open_fifo(&self) -> io::Result<File> {
        // Looked at before it is opened: opening a device can do things.
        let link = self.look()?;
        is_obeyed(&fstat(&link)?)?;
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fifo = openat(&self.directory, &self.name, flags, Mode::empty())?;
        is_obeyed(&fstat(&fifo)?)?;
        Ok(fifo.into())
    }

    /// The file that binding a socket has made here.
    ///
    /// # Errors
    /// When something else has taken its place.
    pub fn socket_file(&self) -> io::Result<SocketFile> {
        let file = self.look()?;
        let found = fstat(&file)?;
        if kind(&found) != SFlag::S_IFSOCK || found.st_nlink > 1 {
            return Err(io::Error::other("something else has taken the place of the socket that was made there"));
        }
        Ok(SocketFile(file, found))
    }

    /// What is there, if anything is.
    #[must_use]
    pub fn found(&self) -> Option<FileStat> {
        fstatat(&self.directory, &self.name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()
    }

    /// Removes what is there if it is what is meant; whether it was.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_if(&self, is_meant: impl FnOnce(&FileStat) -> bool) -> io::Result<bool> {
        if !self.found().is_some_and(|found| is_meant(&found)) {
            return Ok(false);
        }
        unlinkat(&self.directory, &self.name, UnlinkatFlags::NoRemoveDir)?;
        Ok(true)
    }

    fn look(&self) -> nix::Result<OwnedFd> {
        openat(&self.directory, &self.name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())
    }

    fn open_to_write(&self, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
        // A fifo that somebody has put there keeps nobody waiting.
        let patience = if self.is_foreign { OFlag::O_NONBLOCK } else { OFlag::empty() };
        openat(&self.directory, &self.name, flags | patience | no_follow(&self.directory)?, mode)
    }
}

impl SocketFile {
    /// Device and inode.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        (self.1.st_dev, self.1.st_ino)
    }

    /// Gives it permission bits.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mode(&self, mode: u32) -> io::Result<()> {
        // A descriptor that only stands for a file is changed by this name (open(2), O_PATH).
        let own_name = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        fs::set_permissions(own_name, Permissions::from_mode(mode))
    }

    /// Gives it an owner.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_owner(&self, user: Option<Uid>, group: Option<Gid>) -> io::Result<()> {
        Ok(fchownat(&self.0, "", user, group, AtFlags::AT_EMPTY_PATH)?)
    }
}

/// Whether it is a socket.
#[must_use]
pub fn is_socket(found: &FileStat) -> bool {
    kind(found) == SFlag::S_IFSOCK
}

/// Whether it is a fifo.
#[must_use]
pub fn is_fifo(found: &FileStat) -> bool {
    kind(found) == SFlag::S_IFIFO
}

/// Goes from a directory to the one that a path ends in, as root.
fn reach(mut directory: OwnedFd, path: &Path) -> io::Result<Place> {
    let mut rest = path.to_owned();
    for _ in 0..LINKS_MAX * 8 {
        if rest.is_absolute() {
            directory = open("/", STEP, Mode::empty())?;
        }
        let (name, behind) = first_name(&rest).ok_or(Errno::EISDIR)?;
        let is_foreign = is_foreign(&fstat(&directory)?);
        if behind.as_os_str().is_empty() {
            return Ok(Place { directory, name, is_foreign });
        }
        match openat(&directory, &name, STEP | no_follow(&directory)?, Mode::empty()) {
            Ok(opened) => (directory, rest) = (opened, behind),
            Err(Errno::ELOOP | Errno::ENOTDIR) => rest = target(&directory, &name, is_foreign)?.join(behind),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::ELOOP.into())
}

/// What /proc shows as links are none that could be read and followed by hand.
fn no_follow(directory: &OwnedFd) -> nix::Result<OFlag> {
    let is_proc = fstatfs(directory)?.filesystem_type() == PROC_SUPER_MAGIC;
    Ok(if is_proc { OFlag::empty() } else { OFlag::O_NOFOLLOW })
}

/// Whoever has made a fifo can write into it, now or later.
fn is_obeyed(found: &FileStat) -> io::Result<()> {
    if !is_fifo(found) {
        return Err(io::Error::other("it is there already and is no fifo"));
    }
    let (own, user) = (Uid::effective().as_raw(), found.st_uid);
    if user != 0 && user != own {
        return Err(io::Error::other(format!(
            "it is there already and belongs to user {user}, whom a master of user {own} does not obey: remove it"
        )));
    }
    Ok(())
}

/// The first name of a path, and what is behind it.
fn first_name(path: &Path) -> Option<(PathBuf, PathBuf)> {
    use std::path::Component;
    let mut parts = path.components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir));
    let first = PathBuf::from(parts.next()?.as_os_str());
    Some((first, parts.collect()))
}

/// Where a link leads. Found by what was opened, so that nobody can put another one there in between.
fn target(directory: &impl AsFd, name: &Path, is_foreign: bool) -> io::Result<PathBuf> {
    let link = openat(directory, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    let found = fstat(&link)?;
    if kind(&found) != SFlag::S_IFLNK {
        return Err(Errno::ENOTDIR.into());
    }
    if is_foreign && found.st_uid != 0 {
        let (name, user) = (name.display(), found.st_uid);
        return Err(io::Error::other(format!(
            "{name} is a link that user {user} has made, which root does not follow"
        )));
    }
    Ok(readlinkat(&link, "")?.into())
}

/// Whether others than root can put something into a directory.
fn is_foreign(directory: &FileStat) -> bool {
    directory.st_uid != 0 || directory.st_mode & 0o022 != 0
}

fn judge(found: &FileStat) -> io::Result<()> {
    if kind(found) != SFlag::S_IFREG {
        return Err(io::Error::other("it is no regular file, and lies where others may write"));
    }
    if found.st_nlink > 1 {
        return Err(io::Error::other("it has a second name elsewhere, and lies where others may write"));
    }
    Ok(())
}

fn kind(found: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT
}

/// How many bytes could be read of a pipe or fifo right now.
pub fn bytes_waiting(pipe: &impl AsFd) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the call gives one int, for which there is room until it returns.
    let told = unsafe { libc::ioctl(pipe.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut count) };
    if told == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, chown, lchown, symlink};

    use super::*;

    const NOBODY: u32 = 65_534;

    fn opened(path: &Path) -> io::Result<File> {
        open_to_write(path, OFlag::O_APPEND, 0o644)
    }

    fn fifo_at(path: &Path) -> io::Result<bool> {
        Place::of(path)?.fifo().map(|(_, is_new)| is_new)
    }

    #[test]
    fn a_fifo_is_made_or_taken_and_nothing_else_is() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        assert!(fifo_at(&place("fifo")).unwrap());
        assert!(!fifo_at(&place("fifo")).unwrap());
        assert_eq!(fs::metadata(place("fifo")).unwrap().mode() & 0o777, 0o600);
        fs::write(place("file"), "").unwrap();
        symlink(place("fifo"), place("link")).unwrap();
        for other in ["file", "link", "."] {
            assert!(fifo_at(&place(other)).is_err(), "{other}");
        }
        assert!(Place::of(&place("file")).unwrap().found().is_some(), "it was removed");
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let (fifo, file) = (directory.path().join("fifo"), directory.path().join("file"));
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        fs::write(&file, "7").unwrap();
        assert_eq!(io::read_to_string(open_regular(&file).unwrap()).unwrap(), "7");
        for other in [&fifo, directory.path(), Path::new("/dev/zero")] {
            assert!(open_regular(other).is_err(), "{}", other.display());
        }
    }

    #[test]
    fn a_fifo_of_another_user_is_not_taken() {
        if !Uid::effective().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        assert!(fifo_at(&fifo).unwrap());
        chown(&fifo, Some(NOBODY), None).unwrap();
        let refused = fifo_at(&fifo).unwrap_err().to_string();
        assert!(refused.contains("belongs to user 65534"), "{refused}");
        assert!(fifo.exists(), "it was removed");
    }

    #[test]
    fn what_has_taken_the_place_of_a_socket_is_not_changed() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let _listener = std::os::unix::net::UnixListener::bind(place("socket")).unwrap();
        let file = Place::of(&place("socket")).unwrap().socket_file().unwrap();
        file.set_mode(0o640).unwrap();
        let found = fs::metadata(place("socket")).unwrap();
        assert_eq!((found.mode() & 0o777, file.identity()), (0o640, (found.dev(), found.ino())));
        symlink(place("socket"), place("link")).unwrap();
        fs::write(place("file"), "").unwrap();
        for other in ["link", "file"] {
            assert!(Place::of(&place(other)).unwrap().socket_file().is_err(), "{other}");
        }
        fs::rename(place("socket"), place("moved")).unwrap();
        fs::write(place("socket"), "").unwrap();
        file.set_mode(0o600).unwrap();
        assert_eq!(fs::metadata(place("moved")).unwrap().mode() & 0o777, 0o600, "what was opened is not what changed");
        fs::hard_link(place("moved"), place("second-name")).unwrap();
        assert!(Place::of(&place("moved")).unwrap().socket_file().is_err(), "a second name");
    }

    #[test]
    fn root_follows_its_own_links_and_nobody_elses() {
        if !Uid::effective().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let (theirs, victim) = (directory.path().join("theirs"), directory.path().join("victim"));
        fs::create_dir(&theirs).unwrap();
        fs::write(&victim, "precious").unwrap();
        for name in ["link", "own-link", "way", "own-way"] {
            let to = if name.ends_with("way") { directory.path() } else { &victim };
            symlink(to, theirs.join(name)).unwrap();
        }
        fs::hard_link(&victim, theirs.join("second-name")).unwrap();
        for name in ["link", "way"] {
            lchown(theirs.join(name), Some(NOBODY), None).unwrap();
        }
        chown(&theirs, Some(NOBODY), None).unwrap();
        nix::unistd::mkfifo(&theirs.join("fifo"), Mode::S_IRWXU).unwrap();
        for refused in ["link", "way/victim", "way/new", "second-name", "fifo"] {
            assert!(opened(&theirs.join(refused)).is_err(), "{refused}");
        }
        assert!(!directory.path().join("new").exists());
        fs::remove_file(theirs.join("second-name")).unwrap();
        let victims = fs::metadata(&victim).unwrap().ino();
        for followed in ["own-link", "own-way/victim", "../victim", "./own-way/theirs/own-link"] {
            assert_eq!(opened(&theirs.join(followed)).unwrap().metadata().unwrap().ino(), victims, "{followed}");
        }
        assert!(opened(&theirs.join("fresh")).unwrap().metadata().unwrap().is_file());
        for refused in ["way/socket", "way/../socket"] {
            assert!(Place::of(&theirs.join(refused)).is_err(), "{refused}");
        }
        assert!(Place::of(&theirs.join("own-way/victim")).unwrap().found().is_some());
        opened(Path::new("/dev/null")).unwrap();
        opened(Path::new("/proc/self/fd/2")).unwrap();
    }
}
