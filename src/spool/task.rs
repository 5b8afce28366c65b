//! What the file of a task holds, byte for byte as uWSGI writes it: a packet of the uwsgi protocol with `modifier1` 17, whose block
//! has the variables, then the body. Pure; used in whoever writes tasks, and in spoolers.

use std::ops::Range;

use thiserror::Error;
use worker_protocol::strings;
use worker_protocol::uwsgi::{HEADER_BYTES, Header, MODIFIER_SPOOL};

/// A task, with the bytes of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    data: Vec<u8>,
    variables: Vec<[Range<usize>; 2]>,
    body: usize,
}

/// Why a file has no task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// More was announced than there is.
    #[error("it is cut short")]
    CutShort,
    /// They are no pairs.
    #[error("its variables are malformed")]
    Variables,
}

/// Why variables are no task.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// One of them has too many bytes.
    #[error("a value of {0} bytes is too long for a task: use the body for it")]
    One(usize),
    /// All of them together have.
    #[error("unable to spool job")]
    All,
    /// When it is to run is no number.
    #[error("at is no time in seconds: '{0}'")]
    At(String),
    /// Its priority is none.
    #[error("priority is no number from 0 to 999999: '{0}'")]
    Priority(String),
    /// There is no such directory of tasks.
    #[error("unable to find spooler '{0}'")]
    NoSpooler(String),
}

impl Task {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// When there is no task in them.
    pub fn of(data: Vec<u8>) -> Result<Self, Malformed> {
        let header = Header::parse(&data).ok_or(Malformed::CutShort)?;
        let body = HEADER_BYTES + usize::from(header.datasize);
        let block = data.get(HEADER_BYTES..body).ok_or(Malformed::CutShort)?;
        let pieces = strings::read(block, usize::MAX).ok_or(Malformed::Variables)?;
        let mut at = HEADER_BYTES;
        let mut place = |piece: &[u8]| {
            let start = at + size_of::<u16>();
            at = start + piece.len();
            start..at
        };
        let places: Vec<_> = pieces.into_iter().map(&mut place).collect();
        let (pairs, rest) = places.as_chunks::<2>();
        let variables = pairs.to_vec();
        if rest.is_empty() { Ok(Self { data, variables, body }) } else { Err(Malformed::Variables) }
    }

    /// Names and values, in the order in which they were written.
    pub fn variables(&self) -> impl Iterator<Item = [&[u8]; 2]> {
        self.variables.iter().map(|pair| pair.each_ref().map(|place| &self.data[place.clone()]))
    }

    /// What follows them.
    pub fn body(&self) -> &[u8] {
        &self.data[self.body..]
    }
}

/// What goes before the body.
///
/// # Errors
/// They do not fit.
pub fn packed(variables: &[[&[u8]; 2]]) -> Result<Vec<u8>, Unfit> {
    let pieces = || variables.iter().flatten().copied();
    if let Some(long) = pieces().find(|piece| piece.len() > usize::from(u16::MAX)) {
        return Err(Unfit::One(long.len()));
    }
    strings::encode(MODIFIER_SPOOL, 0, pieces()).map_err(|_| Unfit::All)
}

#[cfg(test)]
mod tests {
    use testkit::mutation::{mutate_with, try_mutants};
    use testkit::seeds::Seeds;

    use super::*;

    fn written(variables: &[[&[u8]; 2]], body: &[u8]) -> Vec<u8> {
        [packed(variables).expect("they fit"), body.to_vec()].concat()
    }

    #[test]
    fn it_is_written_as_by_uwsgi_and_read_again() {
        assert_eq!(written(&[[b"a", b"1"]], b""), [17, 6, 0, 0, 1, 0, b'a', 1, 0, b'1']);
        assert_eq!(written(&[], b""), [17, 0, 0, 0]);
        let variables: [[&[u8]; 2]; 3] = [[b"key", b"value"], [b"", b"no key"], [b"no value", b""]];
        let task = Task::of(written(&variables, b"body")).expect("a task");
        assert!(task.variables().eq(variables));
        assert_eq!(task.body(), b"body");
    }

    #[test]
    fn what_is_no_task_is_told_from_what_is_cut_short() {
        let whole = written(&[[b"a", b"1"]], b"");
        for length in 0..whole.len() {
            assert_eq!(Task::of(whole[..length].to_vec()), Err(Malformed::CutShort), "{length} bytes");
        }
        for block in [&[1][..], &[1, 0], &[1, 0, 7], &[1, 0, 7, 2, 0, 7]] {
            let data = [&[17, block.len() as u8, 0, 0], block].concat();
            assert_eq!(Task::of(data), Err(Malformed::Variables), "{block:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (long, longest) = (vec![7; 70_000], vec![7; 65_535]);
        assert_eq!(packed(&[[b"a", &long]]), Err(Unfit::One(70_000)));
        assert_eq!(packed(&[[b"a", &longest]]), Err(Unfit::All));
        assert!(packed(&[[b"a", &longest[5..]]]).is_ok());
    }

    #[test]
    fn mutants_are_read_without_a_panic_and_only_what_they_hold() {
        let originals = [written(&[[b"a", b"1"], [b"name", b"value"]], b"body"), written(&[], b"")];
        let seeds = Seeds::of_this_run(4);
        seeds.try_all(|read: &mut u32, seed| {
            let mutate = |random: &mut fastrand::Rng, data: &mut Vec<u8>| mutate_with(random, data, &["\0", "\u{1}\0"]);
            let exercise = |data: &[u8]| {
                if let Ok(task) = Task::of(data.to_vec()) {
                    let held: usize = task.variables().flatten().map(<[u8]>::len).sum();
                    assert!(held + task.body().len() + HEADER_BYTES <= data.len());
                }
            };
            try_mutants(seed, &originals, mutate, exercise, |data| *read += u32::from(Task::of(data.to_vec()).is_ok()))
        });
    }
}
