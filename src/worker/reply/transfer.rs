//! What is left of an answer when its thread lets go of it (`offload-threads`): bytes that wait, and a part of a file, wrapped
//! as the protocol has it. It is moved as far as the client takes it, never waiting. Worker only.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::wrap::Wrapping;
use crate::sys::stream::Stream;
use crate::sys::unlinked::unlinked_file;
use crate::worker::offloading::Berth;

/// Most bytes of a body that wait in memory; more wait in a file.
const MEMORY_BYTES_MAX: usize = 256 * 1024;

/// Bytes of a file that are sent at once.
const STEP_BYTES: u64 = 1 << 20;

/// How often one connection moves bytes before others have their turn.
const STEPS_MAX: usize = 4;

/// What is left of one answer.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// To be written before anything else, from `written` on.
    bytes: Vec<u8>,
    written: usize,
    extent: Option<Extent>,
    /// Where it is counted among those that there may be.
    _berth: Berth,
}

/// A part of a file.
#[derive(Debug)]
struct Extent {
    file: OwnedFd,
    position: u64,
    /// Bytes of what goes out wrapped as one piece, and behind it.
    part: u64,
    rest: u64,
    wrapping: Wrapping,
}

/// How far it was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// To its end.
    Whole,
    /// There is more, when others have had their turn.
    Partly,
    /// As far as the client takes it for now; whether that was anything.
    Blocked { any: bool },
}

impl Transfer {
    /// The rest of a file: of the part that is being sent so many bytes, and so many behind it.
    pub(super) fn of_file(
        file: &impl AsFd,
        position: u64,
        (part, rest): (u64, u64),
        wrapping: Wrapping,
        berth: Berth,
    ) -> io::Result<Self> {
        let file = file.as_fd().try_clone_to_owned()?;
        let extent = Extent { file, position, part, rest, wrapping };
        Ok(Self { bytes: Vec::new(), written: 0, extent: Some(extent), _berth: berth })
    }

    /// Bytes that are there already, wrapped.
    pub(super) fn of_bytes(parts: [&[u8]; 3], room: &Path, berth: Berth) -> io::Result<Self> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length <= MEMORY_BYTES_MAX {
            return Ok(Self { bytes: parts.concat(), written: 0, extent: None, _berth: berth });
        }
        let mut file = unlinked_file(room)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        Self::of_file(&file, 0, (length as u64, 0), Wrapping::Nothing, berth)
    }

    /// Moves what the client takes.
    ///
    /// # Errors
    /// The client has gone; [`ErrorKind::UnexpectedEof`] when the file has become shorter.
    pub(crate) fn advance(&mut self, stream: &Stream) -> io::Result<Moved> {
        let mut any = false;
        for _ in 0..STEPS_MAX {
            match self.step(stream) {
                Ok(true) => any = true,
                Ok(false) => return Ok(Moved::Whole),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Moved::Blocked { any }),
                Err(error) => return Err(error),
            }
        }
        Ok(Moved::Partly)
    }

    /// False: nothing is left.
    fn step(&mut self, stream: &Stream) -> io::Result<bool> {
        if let Some(rest) = self.bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            self.written += stream.write(rest)?;
            return Ok(true);
        }
        let Some(extent) = &mut self.extent else { return Ok(false) };
        (self.written, self.bytes) = (0, Vec::new());
        if extent.part > 0 {
            let count = stream.send_file(&extent.file, extent.position, extent.part.min(STEP_BYTES) as usize)? as u64;
            if count == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            extent.position += count;
            extent.part = extent.part.saturating_sub(count);
            if extent.part == 0 {
                self.bytes.extend_from_slice(extent.wrapping.end_of_part());
            }
        } else if extent.rest > 0 {
            extent.part = extent.wrapping.part_bytes(extent.rest);
            extent.rest -= extent.part;
            extent.wrapping.begin(&mut self.bytes);
            extent.wrapping.begin_part(&mut self.bytes, extent.part);
        } else {
            self.bytes.extend_from_slice(extent.wrapping.end_of_answer());
            self.extent = None;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::net::{UnixListener, UnixStream};

    use worker_protocol::fastcgi::record::{HEADER_BYTES, Header, kind};
    use worker_protocol::wire::Form;

    use super::*;
    use crate::sys::stream::accept;
    use crate::sys::wait::{Interest, wait_ready};

    fn connected() -> (UnixStream, Stream) {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("s")).expect("a socket");
        let client = UnixStream::connect(directory.path().join("s")).expect("a connection");
        (client, accept(&listener).expect("a socket").expect("a connection"))
    }

    /// What a client gets that reads only when nothing more can be sent, and how often that was.
    fn sent(mut transfer: Transfer) -> (Vec<u8>, usize) {
        let (mut client, stream) = connected();
        let (mut came, mut blocked) = (Vec::new(), 0);
        loop {
            match transfer.advance(&stream).expect("the client is there") {
                Moved::Whole => break,
                Moved::Partly => {}
                Moved::Blocked { .. } => {
                    blocked += 1;
                    let mut piece = vec![0; 1 << 16];
                    let count = client.read(&mut piece).expect("something");
                    came.extend_from_slice(&piece[..count]);
                    let _ = wait_ready(&stream, Interest::Writable, 0);
                }
            }
        }
        drop(stream);
        client.read_to_end(&mut came).expect("the rest");
        (came, blocked)
    }

    fn file(bytes: &[u8]) -> fs::File {
        let mut file = unlinked_file(&std::env::temp_dir()).expect("a file");
        file.write_all(bytes).expect("room");
        file
    }

    fn content() -> Vec<u8> {
        (0..3_000_000_u32).map(|number| number as u8).collect()
    }

    #[test]
    fn bytes_and_files_arrive_whole_however_slowly_they_are_taken() {
        let bytes = content();
        let transfer =
            Transfer::of_file(&file(&bytes), 10, (bytes.len() as u64 - 10, 0), Wrapping::Nothing, Berth::default());
        let (came, blocked) = sent(transfer.expect("a transfer"));
        assert!(came == bytes[10..] && blocked > 0, "{} bytes", came.len());
        for length in [1_000, MEMORY_BYTES_MAX, bytes.len()] {
            let parts = [&bytes[..10], &bytes[10..length], &b"end"[..]];
            let transfer = Transfer::of_bytes(parts, &std::env::temp_dir(), Berth::default());
            assert!(sent(transfer.expect("room")).0 == parts.concat(), "{length} bytes");
        }
    }

    #[test]
    fn a_file_that_goes_in_parts_is_ended_as_the_protocol_has_it() {
        let bytes = content();
        let mut chunks = Wrapping::of(Form::Http);
        chunks.seal(true);
        let whole = (bytes.len() as u64, 0);
        let transfer = Transfer::of_file(&file(&bytes), 0, whole, chunks, Berth::default()).expect("a transfer");
        assert!(sent(transfer).0 == [&bytes[..], b"\r\n0\r\n\r\n"].concat());
        let records = Wrapping::of(Form::Records { id: 7, status_line: false });
        // The header of the first record has gone before.
        let (part, rest) = (1_000, bytes.len() as u64 - 1_000);
        let transfer =
            Transfer::of_file(&file(&bytes), 0, (part, rest), records, Berth::default()).expect("a transfer");
        let (came, _) = sent(transfer);
        let (mut content, mut records) = (came[..1_000].to_vec(), &came[1_000..]);
        let mut kinds = Vec::new();
        while let Some((header, behind)) = records.split_first_chunk::<HEADER_BYTES>() {
            let header = Header::parse(*header).expect("a record");
            let (part, behind) = behind.split_at(usize::from(header.content_bytes));
            if header.kind == kind::STDOUT {
                content.extend_from_slice(part);
            }
            kinds.push((header.kind, part.is_empty()));
            records = &behind[usize::from(header.padding_bytes)..];
        }
        assert!(content == bytes, "{} bytes", content.len());
        assert_eq!(kinds[kinds.len() - 2..], [(kind::STDOUT, true), (kind::END_REQUEST, false)]);
    }

    #[test]
    fn a_file_that_has_become_shorter_is_an_error_and_no_end() {
        let transfer = Transfer::of_file(&file(b"abc"), 0, (4, 0), Wrapping::Nothing, Berth::default());
        let (_client, stream) = connected();
        let error = transfer.expect("a transfer").advance(&stream).expect_err("not whole");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
