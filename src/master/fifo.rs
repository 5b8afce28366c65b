//! The master fifo: one-letter commands (uWSGI's manual, "The Master FIFO"). Master only.
//!
//! Differs from uWSGI where that is at fault: each fifo is opened once, for reading and writing, so that no
//! command is lost between two writers; and the digits choose which of the fifos is heard without any end-of-file.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::machine::{Order, Reload};
use super::passed::Passed;
use super::wanted::Wanted;
use crate::sys::clock::monotonic_us;
use crate::sys::files::{Place, bytes_waiting, is_fifo, leads_to};

/// Bytes taken up at once.
const COMMANDS_MAX: usize = 256;

/// How long letters that were in a fifo before it was opened are left to whoever hears it as well, and how often is looked
/// whether that one has taken them: nothing tells of it.
const LEAVE_WITHIN_US: u64 = 1_000_000;
const LOOK_EVERY_US: u64 = 2_000;

/// The fifos of an instance, of which one is heard.
#[derive(Debug, Default)]
pub(super) struct Fifos {
    paths: Vec<PathBuf>,
    active: usize,
    open: Option<File>,
    /// Those that were not there before.
    made: Vec<PathBuf>,
    /// Whose the letters are that were there before us.
    others: Option<Others>,
}

/// Another instance that hears the fifo: what was in it when we opened it was meant for that one, and is never obeyed here.
/// (A fifo that nobody has open holds nothing, fifo(7).)
#[derive(Debug, Clone, Copy)]
struct Others {
    bytes: usize,
    until_us: u64,
    look_us: u64,
}

impl Others {
    /// Of a fifo that was opened just now and has so many bytes in it. In one that we have made they are ours already: somebody
    /// writes as soon as it is there.
    fn of(bytes: usize, is_new: bool, now_us: u64) -> Option<Self> {
        let others = Self { bytes, until_us: now_us.saturating_add(LEAVE_WITHIN_US), look_us: now_us };
        (bytes > 0 && !is_new).then_some(others)
    }
}

/// The fifos on their way to the next image of the master.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FifoHandover {
    slot: usize,
    open: Option<Passed>,
    made: Vec<PathBuf>,
}

/// What a letter asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letter {
    /// `0` to `9`: listen to that fifo from now on.
    Listen(usize),
    /// Something for the master.
    Wanted(Wanted),
    /// `l`: open the log anew.
    ReopenLog,
    /// `L`: move the log away.
    RotateLog,
    /// `P`: write the pid files again.
    PidFiles,
    /// `s`: the state into the log.
    Statistics,
    /// `S`: announce nothing to routers, or do so again.
    ToggleSubscriptions,
    /// `B`: ask the Emperor for reinforcements.
    Plead,
    /// A letter that uWSGI knows and this server does not.
    Unsupported(char),
}

impl Fifos {
    /// Makes the fifo of a slot and opens it.
    pub(super) fn open(paths: &[PathBuf], slot: usize) -> io::Result<Self> {
        let mut fifos = Self { paths: absolute(paths), ..Self::default() };
        fifos.listen(slot)?;
        Ok(fifos)
    }

    /// Lets the fifo that is heard pass to the next image, with what is in it.
    pub(super) fn hand_over(&self) -> io::Result<FifoHandover> {
        let open = self.open.as_ref().map(Passed::on).transpose()?;
        Ok(FifoHandover { slot: self.active, open, made: self.made.clone() })
    }

    /// Goes on with what the image before has heard. What it has not passed is opened anew.
    pub(super) fn adopt(paths: &[PathBuf], handover: FifoHandover) -> io::Result<Self> {
        let FifoHandover { slot, open, made } = handover;
        let mut fifos = Self { paths: absolute(paths), active: slot, open: None, made, others: None };
        match open {
            Some(passed) if slot < paths.len() => fifos.open = Some(File::from(passed.take()?)),
            _ => fifos.listen(slot)?,
        }
        Ok(fifos)
    }

    /// Takes the place of `old`, whose fifos it may have as well.
    pub(super) fn succeed(&mut self, old: &Fifos) {
        let kept = old.made.iter().filter(|path| self.paths.contains(path));
        self.made.extend(kept.cloned());
    }

    /// Listens to another of the fifos; a number beyond the list means the first one, as in uWSGI.
    ///
    /// # Errors
    /// When it cannot be made; the one before is heard then as it was.
    pub(super) fn listen(&mut self, slot: usize) -> io::Result<()> {
        let active = if slot < self.paths.len() { slot } else { 0 };
        if let Some(path) = self.paths.get(active) {
            let (fifo, is_new) = Place::of(path)
                .and_then(|place| place.fifo())
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            self.others = Others::of(bytes_waiting(&fifo), is_new, monotonic_us());
            self.open = Some(fifo);
            if is_new {
                self.made.push(path.clone());
            }
        }
        self.active = active;
        Ok(())
    }

    /// Whether they are those of these paths, and whoever writes to the one that is heard is heard: what lies on the way
    /// to it may be another directory by now.
    pub(super) fn are_at(&self, paths: &[PathBuf]) -> bool {
        self.paths == absolute(paths) && self.active().is_none_or(|(path, fifo)| leads_to(path, fifo))
    }

    /// The fifo that is heard.
    pub(super) fn active(&self) -> Option<(&Path, &File)> {
        Some((self.paths.get(self.active)?, self.open.as_ref()?))
    }

    /// When to look whether what was there before us has been taken.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.others.map(|others| others.look_us)
    }

    /// The letters that have come.
    pub(super) fn read(&mut self) -> Vec<Letter> {
        let Some(fifo) = &mut self.open else { return Vec::new() };
        if let Some(others) = &mut self.others {
            let now_us = monotonic_us();
            if bytes_waiting(fifo) > 0 && now_us < others.until_us {
                others.look_us = now_us.saturating_add(LOOK_EVERY_US);
                return Vec::new();
            }
            let untaken = bytes_waiting(fifo).min(others.bytes);
            self.others = None;
            if untaken > 0 {
                drop_letters(fifo, untaken);
            }
        }
        let mut letters = Vec::new();
        let mut bytes = [0; COMMANDS_MAX];
        loop {
            match fifo.read(&mut bytes) {
                Ok(0) => return letters,
                Ok(count) => letters.extend(bytes[..count].iter().filter_map(|byte| letter(*byte))),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    if error.kind() != ErrorKind::WouldBlock {
                        log::error!("cannot read the master fifo: {error}");
                    }
                    return letters;
                }
            }
        }
    }

    /// `vacuum`: removes all of them.
    pub(super) fn remove(&self) {
        for path in &self.paths {
            if let Err(error) = remove_fifo(path) {
                log::warn!("VACUUM: cannot remove {}: {error}", path.display());
            }
        }
    }

    /// Removes those that were made, without a word: for a start or a reload that fails.
    pub(super) fn withdraw(&self) {
        for path in &self.made {
            // Best effort: the failure itself is what the operator must read.
            let _ = remove_fifo(path);
        }
    }

    /// Removes those that were made and are not among those that are heard from now on.
    pub(super) fn clear_away(&self, now: &Fifos) {
        for path in self.made.iter().filter(|path| !now.paths.contains(path)) {
            if let Err(error) = remove_fifo(path) {
                log::warn!("cannot remove {}: {error}", path.display());
            }
        }
    }
}

/// Takes letters out that were meant for an instance that does not.
fn drop_letters(fifo: &mut File, bytes: usize) {
    let mut letters = Vec::new();
    // The rest is read as ever, and what is wrong is told then.
    let _ = Read::take(fifo, bytes as u64).read_to_end(&mut letters);
    log::warn!("master fifo: {:?} was for another instance, which has not taken it", String::from_utf8_lossy(&letters));
}

/// The master may stand elsewhere later.
fn absolute(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())).collect()
}

/// Removes a fifo, if there is one.
fn remove_fifo(path: &Path) -> io::Result<()> {
    Place::of(path)?.remove_if(is_fifo).map(|_| ())
}

fn wanted(order: Order) -> Letter {
    Letter::Wanted(Wanted::Order(order))
}

/// What a byte of the fifo means; line ends and blanks between commands mean nothing.
fn letter(byte: u8) -> Option<Letter> {
    Some(match byte {
        b'0'..=b'9' => Letter::Listen(usize::from(byte - b'0')),
        b'+' => Letter::Wanted(Wanted::OneMore),
        b'-' => Letter::Wanted(Wanted::OneFewer),
        b'c' => wanted(Order::Reload(Reload::Chain)),
        b'C' => wanted(Order::Cheap),
        b'p' => wanted(Order::TogglePause),
        b'q' => wanted(Order::Stop),
        b'Q' => wanted(Order::StopNow),
        b'r' => wanted(Order::Reload(Reload::Graceful)),
        b'R' => wanted(Order::Reload(Reload::Brutal)),
        b'w' => wanted(Order::Reload(Reload::Workers)),
        b'W' => wanted(Order::Reload(Reload::WorkersBrutal)),
        // Ours: uWSGI's master has no binary of its own to replace.
        b'u' => wanted(Order::Upgrade),
        b'l' => Letter::ReopenLog,
        b'L' => Letter::RotateLog,
        b'P' => Letter::PidFiles,
        b's' => Letter::Statistics,
        b'B' => Letter::Plead,
        b'S' => Letter::ToggleSubscriptions,
        b'E' | b'f' => Letter::Unsupported(char::from(byte)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    #[test]
    fn commands_of_several_writers_are_all_heard_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        let mut fifos = Fifos::open(std::slice::from_ref(&path), 0).unwrap();
        for command in ["r", "w\n", "+-"] {
            OpenOptions::new().write(true).open(&path).unwrap().write_all(command.as_bytes()).unwrap();
        }
        let reloads = [Reload::Graceful, Reload::Workers].map(|reload| wanted(Order::Reload(reload)));
        let workers = [Wanted::OneMore, Wanted::OneFewer].map(Letter::Wanted);
        assert_eq!(fifos.read(), [reloads, workers].concat());
        assert_eq!(fifos.read(), []);
    }

    #[test]
    fn letters_that_were_there_before_are_left_to_who_hears_the_fifo_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let paths = [directory.path().join("a"), directory.path().join("b")];
        let write = |letters: &str| {
            OpenOptions::new().write(true).open(&paths[1]).unwrap().write_all(letters.as_bytes()).unwrap();
        };
        let mut old = Fifos::open(&paths, 1).unwrap();
        let mut new = Fifos::open(&paths, 0).unwrap();
        write("p");
        new.listen(1).unwrap();
        assert_eq!((new.read(), new.due_us().is_some()), (Vec::new(), true));
        assert_eq!(old.read(), [wanted(Order::TogglePause)]);
        old.listen(0).unwrap();
        assert_eq!((new.read(), new.due_us()), (Vec::new(), None));
        write("q");
        assert_eq!(new.read(), [wanted(Order::Stop)]);
        // One that never takes its letters loses them.
        write("Q");
        old.listen(1).unwrap();
        old.others = old.others.map(|others| Others { until_us: 0, ..others });
        write("r");
        assert_eq!(old.read(), [wanted(Order::Reload(Reload::Graceful))]);
    }

    #[test]
    fn letters_in_a_fifo_that_was_made_here_are_ours() {
        assert!(Others::of(1, true, 7).is_none(), "written between its making and the look into it");
        assert!(Others::of(0, false, 7).is_none());
        assert!(Others::of(1, false, 7).is_some_and(|others| (others.bytes, others.look_us) == (1, 7)));
    }

    #[test]
    fn another_slot_is_another_file_and_a_number_too_high_is_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let paths = [directory.path().join("a"), directory.path().join("b")];
        let mut fifos = Fifos::open(&paths, 0).unwrap();
        fifos.listen(1).unwrap();
        assert_eq!(fifos.active().map(|(path, _)| path), Some(paths[1].as_path()));
        fifos.listen(7).unwrap();
        assert_eq!(fifos.active().map(|(path, _)| path), Some(paths[0].as_path()));
        fifos.remove();
        assert!(!paths[0].exists() && !paths[1].exists());
    }

    #[test]
    fn a_start_that_fails_takes_back_only_what_it_has_made() {
        let directory = tempfile::tempdir().unwrap();
        let paths = [directory.path().join("a"), directory.path().join("b")];
        let _others = Fifos::open(&paths[..1], 0).unwrap();
        let mut fifos = Fifos::open(&paths, 0).unwrap();
        fifos.listen(1).unwrap();
        fifos.withdraw();
        assert!(paths[0].exists() && !paths[1].exists());
    }

    #[test]
    fn of_mutants_of_commands_the_letters_are_heard_in_order_from_one_fifo_at_a_time() {
        testkit::seeds::Seeds::of_this_run(6).try_in_turn(|seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let directory = tempfile::tempdir().unwrap();
            let paths: Vec<PathBuf> = (0..3).map(|number| directory.path().join(format!("{number}"))).collect();
            let mut fifos = Fifos::open(&paths, random.usize(..12)).unwrap();
            for _ in 0..20 {
                let (heard, _) = fifos.active().unwrap();
                let known = random.bool();
                let byte = |random: &mut fastrand::Rng| {
                    if known { b"0123456789+-cCpqQrRwWulLPsBEfS \n"[random.usize(..32)] } else { random.u8(..) }
                };
                let bytes: Vec<u8> = (0..random.usize(..3 * COMMANDS_MAX)).map(|_| byte(&mut random)).collect();
                OpenOptions::new().write(true).open(heard).unwrap().write_all(&bytes).unwrap();
                let letters = fifos.read();
                let meant: Vec<Letter> = bytes.iter().filter_map(|byte| letter(*byte)).collect();
                assert_eq!(letters, meant);
                assert!(meant.iter().all(|letter| !matches!(letter, Letter::Listen(slot) if *slot > 9)));
                let slots = letters.iter().filter_map(|letter| match letter {
                    Letter::Listen(slot) => Some(*slot),
                    _ => None,
                });
                for slot in slots {
                    fifos.listen(slot).unwrap();
                    let expected = if slot < paths.len() { slot } else { 0 };
                    assert_eq!(fifos.active().map(|(path, _)| path), Some(paths[expected].as_path()));
                }
                assert_eq!((fifos.read(), fifos.due_us()), (Vec::new(), None));
            }
        });
    }

    #[test]
    fn a_file_that_is_no_fifo_is_left_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Fifos::open(&[file.path().to_owned()], 0).is_err());
        assert!(file.path().exists());
    }
}
