//! A journal in memory that several processes write to and read, each at its own pace: what one has added, the others find, and
//! so does whoever opens it later. It ends with the last of them. Master (which makes it, and looks into none) and routers.
//!
//! Behind a head of three words are the bytes of all entries. Whoever adds some holds a lock of the kernel's, which goes with
//! its process, and changes the head last: what a writer that dies leaves unfinished is written over. Readers take no lock. When
//! a writer begins the journal anew, shorter, the head says so before and after.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::clock::monotonic_us;

const HEAD_BYTES: u64 = 24;

/// More is none of ours: the routers' tables are bounded far below that.
const BYTES_MAX: u64 = 64 << 20;

/// Tells a head that is whole from one that is being written.
const SALT: u64 = 0x7268_696e_6f64_2e6a;

/// One of those who read it and write to it.
#[derive(Debug)]
pub struct Journal {
    file: File,
    /// Up to where it was read.
    read: Head,
}

/// In which edition, how many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Head {
    /// 0: none is whole.
    edition: u64,
    bytes: u64,
}

/// What is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// This follows what was read before.
    More(Vec<u8>),
    /// This is all that there is.
    Whole(Vec<u8>),
}

/// The journal while nobody else writes to it.
#[derive(Debug)]
pub struct Writing<'j>(&'j mut Journal);

/// An empty one.
///
/// # Errors
/// What the system says.
pub fn make() -> io::Result<OwnedFd> {
    let file = File::from(memfd_create(c"rhinod-announced", MFdFlags::MFD_CLOEXEC)?);
    write_head(&file, Head { edition: 1, bytes: 0 })?;
    Ok(file.into())
}

impl Journal {
    /// One that was made, from its beginning.
    pub fn open(descriptor: OwnedFd) -> Journal {
        Journal { file: descriptor.into(), read: Head::default() }
    }

    /// What others have added since the last time. While one of them begins it anew, nothing.
    ///
    /// # Errors
    /// What the system says, and when it is longer than any.
    pub fn news(&mut self) -> io::Result<News> {
        let Some(head) = self.head()?.filter(|head| *head != self.read) else { return Ok(News::None) };
        let goes_on = head.edition == self.read.edition && head.bytes >= self.read.bytes;
        let from = if goes_on { self.read.bytes } else { 0 };
        if head.bytes > BYTES_MAX {
            return Err(io::Error::other("the journal is too long"));
        }
        let mut bytes = vec![0; usize::try_from(head.bytes - from).unwrap_or_default()];
        match self.file.read_exact_at(&mut bytes, HEAD_BYTES + from) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            // It was begun anew meanwhile: there is more to come.
            read if read.is_err() || self.head()?.is_none_or(|now| now.edition != head.edition) => {
                return Ok(News::None);
            }
            _ => {}
        }
        self.read = head;
        Ok(if goes_on { News::More(bytes) } else { News::Whole(bytes) })
    }

    /// Takes the lock, if nobody has it.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self) -> io::Result<Option<Writing<'_>>> {
        Ok(lock(&self.file, libc::F_WRLCK)?.then_some(Writing(self)))
    }

    fn head(&self) -> io::Result<Option<Head>> {
        let mut bytes = [0; HEAD_BYTES as usize];
        self.file.read_exact_at(&mut bytes, 0)?;
        let word = |at: usize| u64::from_ne_bytes(std::array::from_fn(|byte| bytes[8 * at + byte]));
        let head = Head { edition: word(0), bytes: word(1) };
        Ok((head.edition > 0 && word(2) == seal(head)).then_some(head))
    }
}

impl Writing<'_> {
    /// What others have added, as [`Journal::news`].
    ///
    /// # Errors
    /// As there.
    pub fn news(&mut self) -> io::Result<News> {
        self.0.news()
    }

    /// Whether there is no edition that is whole: the one who began it anew has died.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_broken(&self) -> io::Result<bool> {
        Ok(self.0.head()?.is_none())
    }

    /// How many bytes there are. To be called when all was read.
    pub fn length(&self) -> u64 {
        self.0.read.bytes
    }

    /// Adds something, which is no news to this one. To be called when all was read.
    ///
    /// # Errors
    /// What the system says.
    pub fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Head { edition, bytes: before } = self.0.read;
        self.0.file.write_all_at(bytes, HEAD_BYTES + before)?;
        self.settle(Head { edition, bytes: before + bytes.len() as u64 })
    }

    /// Puts this in the place of all that there is.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin_anew(&mut self, bytes: &[u8]) -> io::Result<()> {
        // One that nobody has read, also if this one has not read the last.
        let edition = self.0.read.edition.saturating_add(1).max(monotonic_us());
        write_head(&self.0.file, Head::default())?;
        self.0.file.write_all_at(bytes, HEAD_BYTES)?;
        self.0.file.set_len(HEAD_BYTES + bytes.len() as u64)?;
        self.settle(Head { edition, bytes: bytes.len() as u64 })
    }

    fn settle(&mut self, head: Head) -> io::Result<()> {
        write_head(&self.0.file, head)?;
        self.0.read = head;
        Ok(())
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        // What this process holds it can give back.
        let _ = lock(&self.0.file, libc::F_UNLCK);
    }
}

fn write_head(file: &File, head: Head) -> io::Result<()> {
    let words = [head.edition, head.bytes, seal(head)].map(u64::to_ne_bytes);
    file.write_all_at(words.as_flattened(), 0)
}

fn seal(head: Head) -> u64 {
    head.edition ^ head.bytes ^ SALT
}

/// A lock of the process (fcntl(2)): all have the same open file.
fn lock(file: &File, kind: libc::c_int) -> io::Result<bool> {
    let whole = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_SETLK(&whole)) {
        Ok(_) => Ok(true),
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> (Journal, Journal) {
        let made = make().expect("a journal");
        (Journal::open(made.try_clone().expect("once more")), Journal::open(made))
    }

    fn writing(journal: &mut Journal) -> Writing<'_> {
        journal.write().expect("a lock").expect("nobody has it")
    }

    #[test]
    fn what_one_has_added_the_other_finds_once_and_a_third_finds_all() {
        let (mut one, mut other) = two();
        let third = one.file.try_clone().expect("once more");
        assert_eq!(one.news().expect("news"), News::Whole(Vec::new()));
        writing(&mut one).add(b"a").expect("it is added");
        assert_eq!(other.news().expect("news"), News::Whole(b"a".to_vec()));
        writing(&mut one).add(b"b").expect("it is added");
        assert_eq!(one.news().expect("news"), News::None);
        assert_eq!(other.news().expect("news"), News::More(b"b".to_vec()));
        assert_eq!(Journal::open(third.into()).news().expect("news"), News::Whole(b"ab".to_vec()));
    }

    #[test]
    fn one_that_is_begun_anew_is_read_anew_and_one_that_is_broken_off_is_not_read() {
        let (mut one, mut other) = two();
        one.news().expect("news");
        writing(&mut one).add(b"long").expect("it is added");
        other.news().expect("news");
        let mut anew = writing(&mut one);
        anew.begin_anew(b"x").expect("it is written");
        assert_eq!(anew.length(), 1);
        drop(anew);
        assert_eq!(other.news().expect("news"), News::Whole(b"x".to_vec()));
        write_head(&one.file, Head::default()).expect("it is written");
        assert_eq!(other.news().expect("news"), News::None);
        let mut mend = writing(&mut other);
        assert!(mend.is_broken().expect("a head"));
        mend.begin_anew(b"y").expect("it is written");
        drop(mend);
        assert_eq!(one.news().expect("news"), News::Whole(b"y".to_vec()));
        one.file.write_all_at(&7_u64.to_ne_bytes(), 8).expect("half a head");
        assert_eq!(other.news().expect("news"), News::None);
    }
}
