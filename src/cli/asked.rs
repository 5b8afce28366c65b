//! The request that `route` is asked about, as it was typed. Not for what becomes of it (`route`). Pure; runs before anything
//! else.

use std::ffi::OsString;

/// A request as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// GET and the like.
    pub method: String,
    /// A path with its query, encoded, or a whole URL.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
}

impl Asked {
    /// `METHOD URL [Header: value]…`.
    pub(super) fn read(arguments: &[OsString]) -> Result<Asked, String> {
        let mut words = arguments.iter().map(|word| word.to_string_lossy().into_owned());
        let (Some(method), Some(url)) = (words.next(), words.next()) else {
            return Err("route needs a file, a method and a URL".to_owned());
        };
        let header = |word: String| match word.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
            _ => Err(format!("route takes headers as `Name: value`, not `{word}`")),
        };
        Ok(Asked { method, url, headers: words.map(header).collect::<Result<_, _>>()? })
    }
}
