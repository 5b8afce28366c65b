//! What rules ask of the world, and do to it: the worker has one form of it, `rhinod route` another. Pure.

use crate::cache::Arithmetic;

/// What is asked of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileTest {
    /// It can be read.
    Exists,
    /// It is a regular file.
    IsFile,
    /// It is a directory.
    IsDirectory,
    /// It is a symbolic link itself.
    IsLink,
    /// It can be executed.
    IsExecutable,
}

/// A figure of the worker and its request (`${uwsgi[…]}`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// The worker's number.
    Worker,
    /// Its process.
    Process,
    /// Connections that wait for a worker.
    Queue,
    /// Bytes of the body that were sent.
    SentBytes,
    /// When the request began, in microseconds since the epoch.
    StartedUs,
}

/// An entry of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// Its value.
    pub value: Vec<u8>,
    /// When it expires, in seconds since the epoch; 0: never.
    pub expires_s: u64,
}

/// What becomes of an entry of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheChange<'v> {
    /// What is done.
    pub what: Change<'v>,
    /// How long a new entry stays, in seconds; 0: for ever.
    pub lifetime_s: u64,
}

/// What is done to an entry of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'v> {
    /// It gets a value, unless there is one.
    Add(&'v [u8]),
    /// It gets a value.
    Put(&'v [u8]),
    /// Its number changes.
    Calculate(Arithmetic, i64),
}

/// The world around rules.
pub trait World {
    /// The time, in microseconds since the epoch.
    fn epoch_us(&self) -> u64;

    /// Whether a path is so. Links are followed, but for [`FileTest::IsLink`].
    fn is(&self, test: FileTest, path: &[u8]) -> bool;

    /// The lines of a file of users.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &str) -> Result<String, String>;

    /// When a file was last modified, in seconds since the epoch.
    fn modified_s(&self, path: &[u8]) -> Option<u64>;

    /// The media type of a file of this name.
    fn media_type(&self, name: &[u8]) -> Option<String>;

    /// A figure of the worker.
    fn figure(&self, figure: Figure) -> u64;

    /// A metric by its name.
    fn metric(&self, name: &str) -> Option<u64>;

    /// What a cache has for a key. The first cache has the empty name as well.
    fn cached(&self, cache: &str, key: &[u8]) -> Option<Cached>;

    /// Changes a cache. One that is full says so in the log.
    fn change_cache(&self, cache: &str, key: &[u8], change: CacheChange<'_>);

    /// Calls a function: of another instance, or of this one where no address is named. `None`: there is no result.
    fn call(&self, address: &str, function: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>>;

    /// Raises a signal of the application's.
    fn raise(&self, signal: u8);

    /// Sixteen bytes that nobody can guess.
    fn random(&self) -> [u8; 16];

    /// A line for the log.
    fn log(&self, line: &str);

    /// Raises the alarm of this name, with a message.
    fn alarm(&self, name: &str, message: &str);

    /// Changes the working directory of the process.
    ///
    /// # Errors
    /// Why it cannot be changed.
    fn change_directory(&self, path: &[u8]) -> Result<(), String>;

    /// Gives the process another title.
    fn set_title(&self, title: &str);
}
