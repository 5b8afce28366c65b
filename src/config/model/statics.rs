//! Files that workers serve themselves, and headers that every answer has or does not have.
//!
//! A section of the configuration. Pure; the workers read it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use worker_protocol::response::HEAD_BYTES_MAX;

/// Which files are served, and how (`static-map`, `check-static` and their relatives).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StaticFiles {
    /// Where files are looked for, in the order of the search.
    pub places: Vec<Place>,
    /// Whether they are also looked for below the `DOCUMENT_ROOT` that the web server names (`check-static-docroot`).
    pub in_document_root: bool,
    /// What stands for a directory (`static-index`).
    pub indexes: Vec<String>,
    /// Where links may lead besides the places themselves (`static-safe`).
    pub safe: Vec<PathBuf>,
    /// Endings of what is left to the application (`static-skip-ext`).
    pub skipped: Vec<String>,
    /// How long clients may keep which file; the first one that fits counts.
    pub expiries: Vec<Expiry>,
    /// Which files may lie there packed as well (`static-gzip` and its relatives).
    pub packed: Vec<Packed>,
    /// Lists of media types, which count more than the one that is built in (`mimefile`).
    pub mime_files: Vec<PathBuf>,
    /// Whether parts of files are served (`honour-range`).
    pub ranges: bool,
    /// Who sends the files instead (`file-serve-mode`).
    pub sender: Sender,
}

impl StaticFiles {
    /// Whether there is anything to look for.
    pub fn are_wanted(&self) -> bool {
        self.in_document_root || !self.places.is_empty()
    }
}

/// A part of the paths, and where its files are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// Which option: all of one kind come before the next.
    pub kind: PlaceKind,
    /// The beginning of the paths, up to the end of one of their names; empty for all.
    pub prefix: String,
    /// A directory, or one file for all these paths.
    pub at: PathBuf,
    /// The line of the configuration, for messages.
    pub line: String,
}

/// How a place came to be, in the order of the search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PlaceKind {
    /// `check-static`: the whole path below the directory.
    #[default]
    All,
    /// `static-map`: the rest of the path below the directory.
    Map,
    /// `static-map2`: the whole path below the directory.
    Map2,
}

/// How long clients may keep a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// Of which files.
    pub of: ExpiryOf,
    /// A regular expression, or the type itself.
    pub pattern: String,
    /// For how long.
    pub seconds: u64,
    /// Counted from the last modification and not from now.
    pub since_modified: bool,
}

/// What the pattern of an expiry is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ExpiryOf {
    /// The name of the file, with its directories (`static-expires`).
    File,
    /// PATH_INFO (`static-expires-path-info`).
    Path,
    /// REQUEST_URI (`static-expires-uri`).
    Uri,
    /// The media type (`static-expires-type`).
    Type,
}

/// Which files may lie there packed as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packed {
    /// `static-gzip-all`.
    All,
    /// `static-gzip`: those whose name with its directories fits a regular expression.
    Named(String),
    /// `static-gzip-dir`.
    Below(PathBuf),
    /// `static-gzip-ext`.
    Ending(String),
}

/// Who sends a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sender {
    /// The worker.
    #[default]
    Worker,
    /// The web server, by the path in `X-Accel-Redirect`.
    XAccelRedirect,
    /// The web server, by the path in `X-Sendfile`.
    XSendfile,
}

/// Headers that every answer gets or loses, and how files go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answers {
    /// Names and values that every answer gets besides its own (`add-header`).
    pub added: Vec<(String, String)>,
    /// Names of headers that no application's answer and no file has (`del-header`).
    pub removed: Vec<String>,
    /// Whether files are read and written and not handed to the kernel (`disable-sendfile`).
    pub copies_files: bool,
    /// Where the files are that answers of the application may name in the place of a body (`x-sendfile`, ours).
    pub named_below: Option<PathBuf>,
    /// Whether answers say in a header which generation gives them (`generation-header`, ours).
    pub names_generation: bool,
    /// Most bytes of the head of an application's answer (`response-headers-limit`).
    pub head_bytes_max: usize,
    /// What the server's own answers say (`error-page-403` and its relatives), in the order of the configuration.
    pub pages: Vec<ErrorPage>,
}

impl Default for Answers {
    fn default() -> Answers {
        Answers {
            added: Vec::new(),
            removed: Vec::new(),
            copies_files: false,
            named_below: None,
            names_generation: false,
            head_bytes_max: HEAD_BYTES_MAX,
            pages: Vec::new(),
        }
    }
}

/// A file whose content an answer of the server's own has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorPage {
    /// The status of the answer.
    pub status: u16,
    /// The file. Of several for a status the first one that is there counts.
    pub path: PathBuf,
    /// Where the configuration says so.
    pub line: String,
}
