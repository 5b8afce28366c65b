//! How one image of the master calls the next: with which arguments, and what of them is the call that started the very
//! first one. Both images.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
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
    let name = arguments().first().cloned().unwrap_or_else(|| OsString::from("rhinod"));
    let own = [name, OsString::from(word), OsString::from(number.to_string()), start_directory()?.into_os_string()];
    Ok(own.into_iter().chain(first_arguments()).collect())
}

/// The arguments that the very first image was called with.
pub(crate) fn first_arguments() -> impl Iterator<Item = OsString> {
    let own = arguments().iter().skip(1);
    own.skip(if is_first_image() { 0 } else { 3 }).cloned()
}

/// The directory that the very first image was started in. The first call comes before `chdir`.
pub(crate) fn start_directory() -> io::Result<PathBuf> {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    if let Some(known) = DIRECTORY.get() {
        return Ok(known.clone());
    }
    let handed = arguments().get(3).filter(|_| !is_first_image());
    let directory = handed.map_or_else(std::env::current_dir, |directory| Ok(directory.into()))?;
    Ok(DIRECTORY.get_or_init(|| directory).clone())
}

fn is_first_image() -> bool {
    matches!(Image::of_this_process(), Image::First)
}

/// What this image was called with. The first call comes before a title takes the place of the arguments.
fn arguments() -> &'static [OsString] {
    static ARGUMENTS: OnceLock<Vec<OsString>> = OnceLock::new();
    ARGUMENTS.get_or_init(|| std::env::args_os().collect())
}
