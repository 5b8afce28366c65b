//! TLS on a client's connection: records in and out, without waiting. Router only.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use super::source::Source;
use crate::sys::stream::Stream;

/// The server's side of it.
pub(super) struct Secure(ServerConnection);

/// Most bytes that become records at once, so that what waits to be sent has a bound.
const RECORDS_BYTES_MAX: usize = 16 * 1024;

impl Secure {
    /// Before the handshake.
    pub(super) fn new(config: &Arc<ServerConfig>) -> Result<Secure, rustls::Error> {
        Ok(Secure(ServerConnection::new(Arc::clone(config))?))
    }

    pub(super) fn read(&mut self, buffer: &mut [u8], source: &mut Source<'_>, stream: &Stream) -> io::Result<usize> {
        loop {
            match self.0.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.read_records(source, stream)?,
                // It has gone without a word. What it sent is for others to judge, as on a connection without TLS.
                Err(_) => return Ok(0),
                read => return read,
            }
        }
    }

    fn read_records(&mut self, source: &mut Source<'_>, stream: &Stream) -> io::Result<()> {
        // The next look at what was sent finds the end, if this is it.
        self.0.read_tls(source)?;
        if let Err(error) = self.0.process_new_packets() {
            log::debug!("a client does not get on with TLS: {error}");
            // It is told why, if it listens.
            let _ = self.0.write_tls(&mut Sink(stream));
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8], stream: &Stream) -> io::Result<usize> {
        self.flush(stream)?;
        if self.has_unsent() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = self.0.writer().write(&bytes[..bytes.len().min(RECORDS_BYTES_MAX)])?;
        self.flush(stream)?;
        Ok(count)
    }

    pub(super) fn flush(&mut self, stream: &Stream) -> io::Result<bool> {
        let mut moved = false;
        while self.0.wants_write() {
            match self.0.write_tls(&mut Sink(stream)) {
                Ok(_) => moved = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(moved)
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.0.wants_write()
    }

    pub(super) fn say_goodbye(&mut self) {
        self.0.send_close_notify();
    }
}

/// Where TLS writes.
struct Sink<'s>(&'s Stream);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
