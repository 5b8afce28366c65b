//! Calling a function that another instance has (uWSGI's manual, "uWSGI RPC Stack"). Any process.

use std::io;
use std::time::Duration;

use worker_protocol::rpc::{Call, Follows, announced, follows};

use super::line::Line;

/// Calls a function of the instance that has a uwsgi socket at `address` (`HOST:PORT`, a path, or `@NAME`) and lets this one do
/// so (`rpc-allow-from`). No step takes longer than `patience`: connecting, asking, the wait for the result, its arrival.
///
/// `None`: there is no result, since the function is not there, has failed, or may not be called from here.
///
/// # Errors
/// The instance cannot be asked, or does not answer in time.
///
/// ```no_run
/// use std::time::Duration;
///
/// let sum = rhinod::remote::call("127.0.0.1:3031", b"add", &[b"1", b"2"], Duration::from_secs(4))?;
/// assert_eq!(sum.as_deref(), Some(&b"3"[..]));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn call(address: &str, function: &[u8], arguments: &[&[u8]], patience: Duration) -> io::Result<Option<Vec<u8>>> {
    let call = Call { function, arguments: arguments.to_vec() };
    let packet = call.encode().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let line = Line::to(address, patience)?;
    line.send(&packet)?;
    let Some(header) = line.header()? else { return Ok(None) };
    let no_answer = || io::Error::other("what answers knows nothing of calls");
    let bytes = match follows(header).ok_or_else(no_answer)? {
        Follows::Result(bytes) => bytes,
        Follows::Announcement(bytes) => {
            announced(&line.take(bytes)?).ok_or_else(|| io::Error::other("the result is too long"))?
        }
    };
    line.take(bytes).map(Some)
}
