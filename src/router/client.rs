//! The client's end of a connection: read and written without waiting, with TLS taken off where there is any, and behind a
//! header of the PROXY protocol where one is awaited. Router only.

use std::io::{self, ErrorKind};

use worker_protocol::proxy::{self, Origin};

#[cfg(feature = "tls")]
use super::secure::Secure;
use super::source::Source;
use crate::sys::stream::Stream;

/// One of them.
pub(super) struct Client {
    stream: Stream,
    #[cfg(feature = "tls")]
    secure: Option<Box<Secure>>,
    /// Who it is, as far as that is known.
    origin: Origin,
    introduction: Introduction,
    /// What came with a header of the PROXY protocol.
    before: Vec<u8>,
    /// Whether there may be something to be read, and whether its end is among that.
    readable: bool,
    ends: bool,
}

/// Whether a header of the PROXY protocol comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Introduction {
    /// Yes.
    Awaited,
    /// It would have to, and nobody is believed who comes from there.
    Forbidden,
    /// No, or it has come.
    Done,
}

impl Client {
    /// One without TLS that has just connected.
    pub(super) fn plain(stream: Stream, origin: Origin, introduction: Introduction) -> Client {
        Client {
            stream,
            #[cfg(feature = "tls")]
            secure: None,
            origin,
            introduction,
            before: Vec::new(),
            // What it has sent is usually here when it is accepted.
            readable: true,
            ends: false,
        }
    }

    /// The same with TLS.
    #[cfg(feature = "tls")]
    pub(super) fn secure(self, secure: Secure) -> Client {
        Client { secure: Some(Box::new(secure)), ..self }
    }

    /// The connection itself.
    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Who it is. `None` until that has been said.
    pub(super) fn origin(&self) -> Option<Origin> {
        (self.introduction == Introduction::Done).then_some(self.origin)
    }

    /// There is something to be read. `ends`: its end, too.
    pub(super) fn wake(&mut self, ends: bool) {
        self.readable = true;
        self.ends |= ends;
    }

    /// Reads what is there; 0 at its end, `WouldBlock` when there is nothing, `InvalidData` once for a header of the PROXY
    /// protocol that is none or not believed, with the reason; what follows then is nobody's.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.introduction != Introduction::Done {
            self.hear_introduction(buffer)?;
        }
        #[cfg(feature = "tls")]
        if let Some(secure) = &mut self.secure {
            let mut source = Source { before: &mut self.before, stream: &self.stream, readable: &mut self.readable };
            return secure.read(buffer, &mut source, &self.stream);
        }
        let mut source = Source { before: &mut self.before, stream: &self.stream, readable: &mut self.readable };
        let count = source.take(buffer)?;
        // What does not fill the room was all that there was.
        self.readable &= count == buffer.len() || self.ends;
        Ok(count)
    }

    /// Takes what fits of what is to be sent; `WouldBlock` when nothing does.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(secure) = &mut self.secure {
            return secure.write(bytes, &self.stream);
        }
        self.stream.write(bytes)
    }

    /// Sends what TLS has in its hands. Whether anything left.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        #[cfg(feature = "tls")]
        if let Some(secure) = &mut self.secure {
            return secure.flush(&self.stream);
        }
        Ok(false)
    }

    /// Whether TLS has something in its hands that is still to be sent.
    pub(super) fn has_unsent(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Some(secure) = &self.secure {
            return secure.has_unsent();
        }
        false
    }

    /// Says, in the words of TLS, that nothing more will come; that is still to be sent.
    pub(super) fn say_goodbye(&mut self) {
        #[cfg(feature = "tls")]
        if let Some(secure) = &mut self.secure {
            secure.say_goodbye();
        }
    }

    fn hear_introduction(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        if self.introduction == Introduction::Forbidden {
            return Err(self.refuse("the PROXY protocol is believed from a trusted-proxy only, which this peer is not"));
        }
        let room = proxy::BINARY_BYTES_MAX.min(buffer.len());
        let mut nothing = Vec::new();
        let mut source = Source { before: &mut nothing, stream: &self.stream, readable: &mut self.readable };
        match source.take(&mut buffer[..room])? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => self.before.extend_from_slice(&buffer[..count]),
        }
        match proxy::decode(&self.before) {
            Ok(None) => Err(ErrorKind::WouldBlock.into()),
            Ok(Some(header)) => {
                self.origin.addresses = header.origin.addresses.or(self.origin.addresses);
                self.origin.https = self.origin.https.or(header.origin.https);
                self.before.drain(..header.consumed);
                self.introduction = Introduction::Done;
                Ok(())
            }
            Err(error) => Err(self.refuse(&error.to_string())),
        }
    }

    /// Who does not say who he is, or is not believed, is told so where that can be read: nobody has shaken hands yet.
    #[cold]
    fn refuse(&mut self, why: &str) -> io::Error {
        if self.is_secure() {
            log::warn!("a connection to the router was refused: {why}");
        }
        self.introduction = Introduction::Done;
        self.before.clear();
        io::Error::new(ErrorKind::InvalidData, why)
    }

    /// Whether TLS is spoken.
    pub(super) fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.secure.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }
}
