//! What the options of shared areas set. Their rows are in `sharing`.
//!
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::keys::{Key, KeyError, read_keys};
use super::parsed::Parsed;
use crate::config::model::{Area, PAGE_BYTES};

/// More than any machine has, and far from where numbers wrap.
const BYTES_MAX: u64 = 1 << 46;

type SetKey = fn(&mut Area, &Key<'_>) -> Result<(), KeyError>;

/// The keys of `sharedarea`.
const KEYS: &[(&str, SetKey)] = &[
    ("pages", |area, key| key.number(1, BYTES_MAX / PAGE_BYTES).map(|pages| area.bytes = pages * PAGE_BYTES)),
    ("size", |area, key| size(key).map(|bytes| area.bytes = whole_pages(bytes))),
    ("file", |area, key| key.text().map(|path| area.file = Some(path.into()))),
    ("fd", |area, key| key.number(3, i32::MAX as u64).map(|number| area.descriptor = i32::try_from(number).ok())),
    ("offset", |area, key| size(key).map(|bytes| area.offset = bytes)),
];

/// Bytes, also in hexadecimal digits.
fn size(key: &Key<'_>) -> Result<u64, KeyError> {
    let digits = key.value.and_then(|value| value.trim().strip_prefix("0x"));
    match digits.map(|digits| u64::from_str_radix(digits, 16)) {
        Some(Ok(bytes)) if bytes <= BYTES_MAX => Ok(bytes),
        Some(_) => Err(KeyError::new(format!("{}: expected bytes", key.name), "for example 0x10000")),
        None => key.number(0, BYTES_MAX),
    }
}

fn whole_pages(bytes: u64) -> u64 {
    bytes.next_multiple_of(PAGE_BYTES)
}

/// `sharedarea`: a number of pages, or keys.
pub(super) fn area(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let text = value.text.trim();
    let mut area = Area::default();
    if !text.contains('=') {
        return match text.parse::<u64>().ok().filter(|pages| (1..=BYTES_MAX / PAGE_BYTES).contains(pages)) {
            Some(pages) => draft.config.areas.push(Area { bytes: pages * PAGE_BYTES, ..area }),
            None => draft.refuse("expected a number of pages, or keys", "for example 4, or size=16384"),
        };
    }
    let known: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
    for key in read_keys(text) {
        let outcome = match KEYS.iter().find(|(known, _)| *known == key.name) {
            Some((_, set)) => set(&mut area, &key),
            None if key.name == "ptr" => Err(KeyError::new("an address means nothing here", "leave ptr out")),
            None => Err(key.unknown(&known)),
        };
        if let Err(KeyError { problem, suggestion }) = outcome {
            return draft.refuse(problem, suggestion);
        }
    }
    match area {
        Area { bytes: 0, .. } => draft.refuse("you need to set a size for a sharedarea", "add size=BYTES or pages=N"),
        Area { file: Some(_), descriptor: Some(_), .. } => {
            draft.refuse("an area is of a file or of a descriptor", "leave out file or fd");
        }
        Area { offset, .. } if !offset.is_multiple_of(PAGE_BYTES) => {
            draft.refuse("an area begins with a page of its file", "make offset a multiple of 4096");
        }
        area => draft.config.areas.push(area),
    }
}

/// `py-sharedarea`: bytes. These areas are numbered after all others.
pub(super) fn object(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.trim().parse::<u64>().ok().filter(|bytes| (1..=BYTES_MAX).contains(bytes)) {
        Some(bytes) => draft.areas_of_objects.push(Area { bytes, is_object: true, ..Area::default() }),
        None => draft.refuse("expected a number of bytes", "for example 65536"),
    }
}

/// Brings the areas into their order.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let objects = std::mem::take(&mut draft.areas_of_objects);
    draft.config.areas.extend(objects);
}
