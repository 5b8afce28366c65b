//! Which file a path means. Worker only.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::config::model::{Place, PlaceKind, StaticFiles};
use crate::escape;
use crate::sys::beneath::{Found, RegularFile, look_up};
use crate::worker::exchange::Exchange;

/// A file that was found, and the way to what lies beside it.
#[derive(Debug)]
pub(super) struct FoundFile<'r> {
    pub(super) file: RegularFile,
    /// The place.
    pub(super) top: &'r Path,
    /// Its path below it; empty if the place is the file.
    pub(super) rest: Vec<u8>,
}

impl FoundFile<'_> {
    /// The file of the same name with something behind it.
    pub(super) fn with_suffix(&self, suffix: &str, allowed: &[std::path::PathBuf]) -> Option<RegularFile> {
        let found = if self.rest.is_empty() {
            let mut beside = self.top.as_os_str().to_owned();
            beside.push(suffix);
            look_up(Path::new(&beside), b"", allowed)
        } else {
            look_up(self.top, &[&self.rest, suffix.as_bytes()].concat(), allowed)
        };
        match found {
            Ok(Found::File(file)) => Some(file),
            _ => None,
        }
    }
}

/// The first file that there is for the request.
pub(super) fn find<'r>(config: &'r StaticFiles, exchange: &Exchange<'r>) -> Option<FoundFile<'r>> {
    let path = exchange.asked.path();
    if is_skipped(config, path) {
        return None;
    }
    let placed = config.places.iter().filter_map(|place| Some((place.at.as_path(), rest_of(place, path)?)));
    let root = config.in_document_root.then(|| document_root(exchange)).flatten();
    placed.chain(root.map(|root| (root, path))).find_map(|(top, rest)| find_in(config, exchange, top, rest))
}

fn find_in<'r>(config: &StaticFiles, exchange: &Exchange<'r>, top: &'r Path, rest: &[u8]) -> Option<FoundFile<'r>> {
    match look(config, exchange, top, rest)? {
        Found::File(file) => Some(FoundFile { file, top, rest: rest.to_vec() }),
        Found::Directory => config.indexes.iter().find_map(|index| {
            let slash: &[u8] = if rest.is_empty() || rest.ends_with(b"/") { b"" } else { b"/" };
            let rest = [rest, slash, index.as_bytes()].concat();
            match look(config, exchange, top, &rest)? {
                Found::File(file) if !is_skipped(config, &rest) => Some(FoundFile { file, top, rest }),
                _ => None,
            }
        }),
        // One file for all paths below a prefix.
        Found::Nothing if !rest.is_empty() => match look(config, exchange, top, b"")? {
            Found::File(file) => Some(FoundFile { file, top, rest: Vec::new() }),
            _ => None,
        },
        Found::Nothing | Found::Outside(_) => None,
    }
}

fn look(config: &StaticFiles, exchange: &Exchange<'_>, top: &Path, rest: &[u8]) -> Option<Found> {
    match look_up(top, rest, &config.safe) {
        Ok(Found::Outside(place)) => {
            let (place, top) = (escape::value(place.as_os_str().as_bytes()), top.display());
            let request = exchange.named();
            log::warn!("{request}: {place} is not under {top}, so that it is not served (static-safe would allow it)");
            None
        }
        Ok(found) => Some(found),
        Err(error) => {
            log::error!("{}: cannot look for a file below {}: {error}", exchange.named(), top.display());
            None
        }
    }
}

/// What of the path is to be found below a place; `None` if the place is for other paths. A prefix ends where a name
/// does: `/static` is not for `/statics`.
fn rest_of<'p>(place: &Place, path: &'p [u8]) -> Option<&'p [u8]> {
    let rest = path.strip_prefix(place.prefix.as_bytes())?;
    if !rest.is_empty() && !rest.starts_with(b"/") {
        return None;
    }
    Some(if place.kind == PlaceKind::Map2 { path } else { rest })
}

fn is_skipped(config: &StaticFiles, name: &[u8]) -> bool {
    config.skipped.iter().any(|ending| name.ends_with(ending.as_bytes()))
}

/// What the web server says; a client of ours has no such word.
fn document_root<'r>(exchange: &Exchange<'r>) -> Option<&'r Path> {
    let pairs = exchange.asked.block().pairs();
    let named = pairs.filter(|(key, _)| *key == b"DOCUMENT_ROOT").last();
    named.map(|(_, value)| Path::new(OsStr::from_bytes(value))).filter(|root| root.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_name_ends() {
        let rest = |kind, prefix: &str, path: &str| {
            let place = Place { kind, prefix: prefix.to_owned(), ..Place::default() };
            rest_of(&place, path.as_bytes()).map(|rest| String::from_utf8_lossy(rest).into_owned())
        };
        for (kind, prefix, path, expected) in [
            (PlaceKind::Map, "/s", "/s/a.css", Some("/a.css")),
            (PlaceKind::Map, "/s", "/s", Some("")),
            (PlaceKind::Map, "/s", "/sa.css", None),
            (PlaceKind::Map, "/s", "/", None),
            (PlaceKind::Map, "", "/a.css", Some("/a.css")),
            (PlaceKind::Map2, "/s", "/s/a.css", Some("/s/a.css")),
            (PlaceKind::All, "", "/x/y", Some("/x/y")),
            (PlaceKind::All, "", "", Some("")),
            (PlaceKind::All, "", "x", None),
        ] {
            assert_eq!(rest(kind, prefix, path).as_deref(), expected, "{kind:?} {prefix} {path}");
        }
    }
}
