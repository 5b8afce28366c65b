//! Files that go in and out without ever being in memory as a whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rhinod::{BoxError, Request, Response, StatusError};

/// The kernel sends the file (`sendfile(2)`), or the part of it that the client asks for, or nothing if the client has it.
pub(crate) fn download(directory: &Path, name: &str, request: &Request<'_>) -> Result<Response, BoxError> {
    let file = File::open(path_of(directory, name)?).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BoxError::from(StatusError::new(404, "no such file")),
        _ => error.into(),
    })?;
    Ok(Response::file_for(request, "application/octet-stream", file)?)
}

/// The body is read as it arrives. A client that goes away in the middle leaves the old file as it was.
pub(crate) fn upload(directory: &Path, name: &str, request: &mut Request<'_>) -> Result<Response, BoxError> {
    let path = path_of(directory, name)?;
    let mut unfinished = tempfile::NamedTempFile::new_in(directory)?;
    io::copy(request, &mut unfinished)?;
    let is_new = !path.exists();
    unfinished.persist(path)?;
    Ok(Response::new(if is_new { 201 } else { 204 }))
}

/// Names are one part of a path and begin with a letter or a digit: nothing outside of the directory has one.
fn path_of(directory: &Path, name: &str) -> Result<PathBuf, BoxError> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    if !name.starts_with(|first: char| first.is_ascii_alphanumeric()) || !name.chars().all(is_plain) {
        return Err(StatusError::new(400, "not a name of a file").into());
    }
    let files = directory.join("files");
    fs::create_dir_all(&files)?;
    Ok(files.join(name))
}
