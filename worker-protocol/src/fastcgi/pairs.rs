//! Names and values as FastCGI writes them (section 3.4 of the specification): a length below 128 in one byte, any other
//! in four with the top bit set. Pure.

use super::Error;
use crate::pairs::{Limits, Marks, Overflow, Writer};

/// A pair and what follows it.
struct Split<'a> {
    name: &'a [u8],
    value: &'a [u8],
    rest: &'a [u8],
}

/// Splits the first pair off `rest`, which begins at `offset`.
fn split(rest: &[u8], offset: usize) -> Result<Split<'_>, Error> {
    let past_end = Error::ParamPastEnd { offset };
    let (name_bytes, after) = length(rest).ok_or(past_end)?;
    let (value_bytes, after) = length(after).ok_or(past_end)?;
    let (name, after) = after.split_at_checked(name_bytes).ok_or(past_end)?;
    let (value, rest) = after.split_at_checked(value_bytes).ok_or(past_end)?;
    Ok(Split { name, value, rest })
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, after) = bytes.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), after));
    }
    let (long, after) = bytes.split_first_chunk()?;
    Some(((u32::from_be_bytes(*long) & 0x7fff_ffff) as usize, after))
}

/// The names of a question, in order; what is malformed ends it.
pub(super) fn names(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let pair = split(rest, 0).ok()?;
        rest = pair.rest;
        Some(pair.name)
    })
}

/// Writes the parameters of a request as the block of a uwsgi packet; returns how many there are.
pub(super) fn append_block(
    params: &[u8],
    limits: &Limits,
    (block, marks): (&mut Vec<u8>, &mut Marks),
) -> Result<usize, Error> {
    let overflow = |overflow| match overflow {
        Overflow::Bytes => Error::ParamsTooLarge { block_bytes_max: limits.block_bytes_max },
        Overflow::Pairs => Error::TooManyVariables { variables_max: limits.variables_max },
    };
    let mut block = Writer::new(block, marks, *limits, 2 * params.len());
    let mut rest = params;
    while !rest.is_empty() {
        let offset = params.len() - rest.len();
        let Split { name, value, rest: after } = split(rest, offset)?;
        if name.is_empty() {
            return Err(Error::EmptyName { offset });
        }
        block.pair(name, value);
        rest = after;
    }
    match block.finish().map_err(overflow)? {
        0 => Err(Error::Empty),
        count => Ok(count),
    }
}

/// Appends one pair in the form of FastCGI. Lengths beyond 31 bits do not exist here: callers hold pairs in memory.
pub(super) fn append(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for text in [name, value] {
        match u8::try_from(text.len()) {
            Ok(length @ ..0x80) => out.push(length),
            _ => out.extend_from_slice(&(text.len() as u32 | 0x8000_0000).to_be_bytes()),
        }
    }
    out.extend_from_slice(name);
    out.extend_from_slice(value);
}
