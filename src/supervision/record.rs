//! What our Emperor and our vassals say to each other beyond uWSGI's single bytes: a byte that means nothing to uWSGI, a kind, a
//! length, and that many bytes. Only those say it who know that the other side is a rhinod: whoever is executed by one finds its
//! process in the environment.
//!
//! Not for the sockets that carry it, nor for what the contents mean. Pure; used in the Emperor, and in the master that is a
//! vassal.

/// The environment variable by which a vassal knows that its Emperor is a rhinod: the Emperor's process, and `memory` behind a
/// comma where that shares out memory.
pub const EMPEROR_VARIABLE: &str = "VASSAL_OF_RHINOD";

/// The environment variables of a vassal that outlives its Emperor: where it meets the next one, and what it is called.
pub const REUNION_VARIABLE: &str = "VASSAL_REUNION";
/// See [`REUNION_VARIABLE`].
pub const NAME_VARIABLE: &str = "VASSAL_NAME";

/// The word behind the comma.
pub const SHARES_MEMORY: &str = "memory";

/// The byte that a record begins with.
pub const BEGINS: u8 = 100;

/// Bytes between that one and the content.
const HEADER: usize = 3;

/// Most bytes of content.
const CONTENT_MAX: usize = 512;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A vassal's load and its workers' memory.
    Load,
    /// How many workers a vassal may have.
    Allowance,
    /// A vassal comes to the next Emperor: its name.
    Returns,
    /// A vassal goes on with old code: why. Nothing: it does not any more.
    Stale,
}

impl Kind {
    const BYTES: [(Kind, u8); 4] = [(Kind::Load, 1), (Kind::Allowance, 2), (Kind::Stale, 3), (Kind::Returns, 4)];
}

/// A record, with the byte that it begins with. Of a content that is too long, the beginning.
#[must_use]
pub fn record(kind: Kind, content: &[u8]) -> Vec<u8> {
    let content = &content[..content.len().min(CONTENT_MAX)];
    let kind = Kind::BYTES.iter().find(|(known, _)| *known == kind).map_or(0, |(_, byte)| *byte);
    let length = u16::try_from(content.len()).unwrap_or(0).to_le_bytes();
    [&[BEGINS, kind][..], &length, content].concat()
}

/// The rest of a record that has begun, by what fills a buffer whole or not at all: what it is about, if that is known, and its
/// content. `None`: it breaks off, or nobody can have said it.
pub fn rest(fill: impl Fn(&mut [u8]) -> bool) -> Option<(Option<Kind>, Vec<u8>)> {
    let mut head = [0; HEADER];
    let (kind, length) = fill(&mut head).then(|| header(head)).flatten()?;
    let mut content = vec![0; length];
    fill(&mut content).then_some((kind, content))
}

/// What stands in a header: the kind, if it is one, and the length of the content. `None`: nobody can have said that.
#[must_use]
fn header([kind, low, high]: [u8; HEADER]) -> Option<(Option<Kind>, usize)> {
    let length = usize::from(u16::from_le_bytes([low, high]));
    let kind = Kind::BYTES.iter().find(|(_, byte)| *byte == kind).map(|(kind, _)| *kind);
    (length <= CONTENT_MAX).then_some((kind, length))
}

/// Whether the variable's value says that the process with number `parent` is such an Emperor, and whether it shares out memory.
#[must_use]
pub fn is_ours(value: &str, parent: u32) -> Option<bool> {
    let (process, rest) = value.split_once(',').unwrap_or((value, ""));
    (process.parse() == Ok(parent)).then_some(rest == SHARES_MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervision::vassal::{FromVassal, ToVassal};

    #[test]
    fn every_record_is_read_as_what_it_was_written_for() {
        for (kind, _) in Kind::BYTES {
            let written = record(kind, b"content");
            assert_eq!(written[0], BEGINS);
            assert_eq!(header([written[1], written[2], written[3]]), Some((Some(kind), 7)));
            assert_eq!(&written[1 + HEADER..], b"content");
        }
        assert_eq!(record(Kind::Stale, &[b'x'; 9_000]).len(), 1 + HEADER + CONTENT_MAX);
    }

    #[test]
    fn what_nobody_can_have_said_is_told_from_what_a_later_version_says() {
        assert_eq!(header([9, 4, 0]), Some((None, 4)));
        assert_eq!(header([1, 1, 2]), None, "513 bytes");
        assert_eq!((FromVassal::of(BEGINS), ToVassal::of(BEGINS)), (None, None), "uWSGI never says it");
    }

    #[test]
    fn only_the_child_of_such_an_emperor_takes_it_for_one() {
        assert_eq!((is_ours("12", 12), is_ours("12,memory", 12)), (Some(false), Some(true)));
        assert_eq!((is_ours("12,memory", 13), is_ours("", 0), is_ours("x", 1)), (None, None, None));
    }
}
