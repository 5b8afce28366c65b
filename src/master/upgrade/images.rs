//! How one image of the master calls the next: with which arguments, and what of them is the call that started the very
//! first one. Both images.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The argument that makes a binary the next image of a master; the number of the handover's descriptor follows, the
/// directory that the first image was started in, and the arguments of that.
pub(crate) const ADOPT_ARGUMENT: &str = "__adopt";

/// The argument that asks a binary whether it could be that; the same follows.
pub(crate) const UNDERSTAND_ARGUMENT: &str = "__understand";

/// What the binary says that was asked and could be. A program that knows nothing of all this says something else.
pub(super) const UNDERSTOOD: &str = "rhinod: understood\n";

/// Which image of a master a process is.
pub(crate) enum Image {
    /// The first one.
    First,
    /// The next one of a master that has replaced its own binary; what it was left is behind this descriptor.
    Next(i32),
    /// None: it is only asked whether it could be.
    Asked(i32),
}

impl Image {
    /// Which one this process is.
    pub(crate) fn of_this_process() -> Self {
        let mut words = arguments().iter().skip(1);
        let (word, number) = (words.next(), words.next());
        let number = number.and_then(|number| number.to_str()?.parse().ok());
        match (word, number) {
            (Some(word), Some(number)) if word == ADOPT_ARGUMENT => Self::Next(number),
            (Some(word), Some(number)) if word == UNDERSTAND_ARGUMENT => Self::Asked(number),
            _ => Self::First,
        }
    }
}

/// The arguments with which to call a binary, its name first.
pub(super) fn call(word: &str, number: i32) -> io::Result<Vec<OsString>> {
    let own = [
        own_name().to_owned(),
        OsString::from(word),
        OsString::from(number.to_string()),
        start_directory()?.into_os_string(),
    ];
    Ok(own.into_iter().chain(first_arguments()).collect())
}

/// The arguments that the very first image was called with.
pub(crate) fn first_arguments() -> impl Iterator<Item = OsString> {
    let own = arguments().iter().skip(1);
    own.skip(if is_first_image() { 0 } else { 3 }).cloned()
}

/// The directory that the very first image was started in, by the name that its caller had for it: what a deployment
/// switches on the way to it leads to the new release then. The first call comes before `chdir`.
pub(crate) fn start_directory() -> io::Result<PathBuf> {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    if let Some(known) = DIRECTORY.get() {
        return Ok(known.clone());
    }
    let handed = arguments().get(3).filter(|_| !is_first_image());
    let directory = handed
        .map_or_else(|| current_directory(std::env::var_os("PWD").as_deref()), |directory| Ok(directory.into()))?;
    Ok(DIRECTORY.get_or_init(|| directory).clone())
}

/// Where this program is: after an upgrade the path leads to the new binary.
pub(crate) fn own_path() -> io::Result<PathBuf> {
    crate::sys::own_path::own_path(own_name(), &start_directory()?)
}

/// The name that this program was called by.
pub(crate) fn own_name() -> &'static OsStr {
    arguments().first().map_or(OsStr::new("rhinod"), OsString::as_os_str)
}

/// Where this process stands: by the name that the shell or the init system has left, if that leads there (pwd(1)).
fn current_directory(named: Option<&OsStr>) -> io::Result<PathBuf> {
    let is_here = |path: &Path| {
        let (there, here) = (path.metadata().ok()?, Path::new(".").metadata().ok()?);
        Some((there.dev(), there.ino()) == (here.dev(), here.ino()))
    };
    let named = named.map(Path::new).filter(|path| path.is_absolute() && is_here(path) == Some(true));
    named.map_or_else(std::env::current_dir, |path| Ok(path.to_owned()))
}

fn is_first_image() -> bool {
    matches!(Image::of_this_process(), Image::First)
}

/// What this image was called with. The first call comes before a title takes the place of the arguments.
fn arguments() -> &'static [OsString] {
    static ARGUMENTS: OnceLock<Vec<OsString>> = OnceLock::new();
    ARGUMENTS.get_or_init(|| std::env::args_os().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_goes_by_its_callers_name_if_that_leads_there() {
        let real = std::env::current_dir().unwrap();
        let base = tempfile::tempdir().unwrap();
        let link = base.path().join("current");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(current_directory(Some(link.as_os_str())).unwrap(), link);
        for other in [None, Some(base.path().as_os_str()), Some(OsStr::new(".")), Some(OsStr::new("/no/where"))] {
            assert_eq!(current_directory(other).unwrap(), real, "{other:?}");
        }
    }
}
