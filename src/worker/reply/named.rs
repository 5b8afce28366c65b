//! Files that an application names in a header in the place of a body: the header is not for the client. Decides; worker only.

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::percent;

/// A file as an application names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NamedFile {
    /// By its path (`X-Sendfile`).
    Path(Vec<u8>),
    /// By a path as in a URI (`X-Accel-Redirect`).
    Uri(Vec<u8>),
}

impl NamedFile {
    /// What a header says, if it is one of those.
    pub(super) fn of(name: &[u8], value: &[u8]) -> Option<Self> {
        let value = || value.trim_ascii().to_vec();
        if name.eq_ignore_ascii_case(b"x-sendfile") {
            Some(Self::Path(value()))
        } else if name.eq_ignore_ascii_case(b"x-accel-redirect") {
            Some(Self::Uri(value()))
        } else {
            None
        }
    }

    /// Where it is below the directory. A path may begin with the directory's own; any other is meant below it.
    pub(crate) fn below(&self, top: &Path) -> Cow<'_, [u8]> {
        match self {
            Self::Path(path) => {
                let top = top.as_os_str().as_bytes();
                let top = top.strip_suffix(b"/").unwrap_or(top);
                let rest = path.strip_prefix(top).filter(|rest| rest.starts_with(b"/"));
                Cow::Borrowed(rest.unwrap_or(path))
            }
            Self::Uri(uri) => {
                let end = uri.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(uri.len());
                Cow::Owned(percent::decoded(&uri[..end]))
            }
        }
    }

    /// As it was written.
    pub(crate) fn written(&self) -> &[u8] {
        match self {
            Self::Path(text) | Self::Uri(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_begin_with_the_directory_and_is_meant_below_it_in_any_case() {
        for (top, header, value, below) in [
            ("/srv/files", "X-Sendfile", "/srv/files/a/b", "/a/b"),
            ("/srv/files/", "x-sendfile", " /srv/files/a ", "/a"),
            ("/srv/files", "X-Sendfile", "/srv/files-secret/a", "/srv/files-secret/a"),
            ("/srv/files", "X-Sendfile", "a%20b", "a%20b"),
            ("/srv/files", "X-Accel-Redirect", "/a%20b?x=1", "/a b"),
            ("/srv/files", "x-accel-redirect", "/../etc/passwd", "/../etc/passwd"),
        ] {
            let named = NamedFile::of(header.as_bytes(), value.as_bytes()).expect("such a header");
            assert_eq!(named.below(Path::new(top)), below.as_bytes(), "{header}: {value} below {top}");
        }
        assert_eq!(NamedFile::of(b"X-Sendfile-Type", b"/a"), None);
    }
}
