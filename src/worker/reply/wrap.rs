//! What is put around the bytes of an answer: nothing, chunks of HTTP, records of FastCGI. Bytes only; worker only.

use worker_protocol::fastcgi::answer;
use worker_protocol::fastcgi::record::HEADER_BYTES;
use worker_protocol::http::framing::{CHUNK_END, CHUNK_START_BYTES_MAX, LAST_CHUNK, chunk_start};
use worker_protocol::wire::Form;

/// Whether a piece is known to be the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Yes,
    No,
}

/// Bytes of the records that end an answer: the end of the stream, and of the request.
const RECORDS_END_BYTES: usize = 2 * HEADER_BYTES + 8;

/// What is put around the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wrapping {
    Nothing,
    Chunks,
    Records { id: u16, end: [u8; RECORDS_END_BYTES] },
}

impl Wrapping {
    pub(super) fn of(form: Form) -> Self {
        match form {
            Form::Plain | Form::Status | Form::Http => Self::Nothing,
            Form::Records { id, .. } => {
                let mut records = Vec::with_capacity(RECORDS_END_BYTES);
                answer::append_end(&mut records, id);
                let mut end = [0; RECORDS_END_BYTES];
                end.iter_mut().zip(records).for_each(|(place, byte)| *place = byte);
                Self::Records { id, end }
            }
        }
    }

    /// The end of the head is known: whether the body is to be chunked.
    pub(super) fn seal(&mut self, chunked: bool) {
        if chunked {
            *self = Self::Chunks;
        }
    }

    /// Whether the end of the body is told in its bytes.
    pub(super) fn tells_end(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Leaves room at the start of `buffer` for what [`Wrapping::begin_part`] writes there.
    pub(super) fn begin(&self, buffer: &mut Vec<u8>) {
        if let Self::Records { .. } = self {
            buffer.extend_from_slice(&[0; HEADER_BYTES]);
        }
    }

    /// How many of so many bytes go into the next part.
    pub(super) fn part_bytes(&self, bytes: u64) -> u64 {
        match self {
            Self::Nothing | Self::Chunks => bytes,
            Self::Records { .. } => bytes.min(PART_BYTES_MAX),
        }
    }

    /// Completes `buffer`, which may begin with a head, by what comes before a part of so many bytes.
    #[inline(always)]
    pub(super) fn begin_part(&self, buffer: &mut Vec<u8>, bytes: u64) {
        match self {
            Self::Nothing => {}
            Self::Chunks if bytes == 0 => {}
            Self::Chunks => buffer.extend_from_slice(chunk_start(bytes, &mut [0; CHUNK_START_BYTES_MAX])),
            Self::Records { id, .. } => begin_records(buffer, *id, bytes as usize),
        }
    }

    /// What comes after a part.
    pub(super) fn end_of_part(&self) -> &'static [u8] {
        self.end_of_part_if(true)
    }

    /// The same; nothing after no bytes.
    pub(super) fn end_of_part_if(&self, any: bool) -> &'static [u8] {
        match self {
            Self::Chunks if any => CHUNK_END,
            _ => &[],
        }
    }

    /// What comes after the last part.
    pub(super) fn end_of_answer(&self) -> &[u8] {
        match self {
            Self::Nothing => &[],
            Self::Chunks => LAST_CHUNK,
            Self::Records { end, .. } => end,
        }
    }
}

/// Most bytes of a body in one record, so that a small head fits in as well.
const PART_BYTES_MAX: u64 = 32 * 1024;

/// `buffer` is room for a record's header, then a head or nothing. It becomes the header, or the headers, of a record
/// with all of that and the bytes to come.
fn begin_records(buffer: &mut Vec<u8>, id: u16, bytes: usize) {
    let head_bytes = buffer.len() - HEADER_BYTES;
    let whole = head_bytes + bytes;
    if whole == 0 {
        // An empty record would be the end.
        return buffer.clear();
    }
    if answer::part_bytes(whole) as usize == whole {
        return buffer[..HEADER_BYTES].copy_from_slice(&answer::part(id, whole as u16));
    }
    // The head is so long that it has to have records of its own.
    let head = buffer.split_off(HEADER_BYTES);
    buffer.clear();
    for part in head.chunks(usize::from(u16::MAX)) {
        buffer.extend_from_slice(&answer::part(id, part.len() as u16));
        buffer.extend_from_slice(part);
    }
    if bytes > 0 {
        buffer.extend_from_slice(&answer::part(id, bytes as u16));
    }
}

#[cfg(test)]
mod tests {
    use worker_protocol::fastcgi::record::{Header, kind};

    use super::*;

    /// The content of the records in `bytes`.
    fn content(mut bytes: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() {
            let header = Header::parse(*header).unwrap();
            assert_eq!((header.kind, header.id), (kind::STDOUT, 5));
            let (part, rest) = rest.split_at(usize::from(header.content_bytes));
            assert!(!part.is_empty(), "an empty record is the end");
            content.extend_from_slice(part);
            bytes = rest;
        }
        assert!(bytes.is_empty());
        content
    }

    #[test]
    fn a_head_of_any_length_and_a_part_are_records() {
        let wrapping = Wrapping::of(Form::Records { id: 5, status_line: false });
        for head_bytes in [0, 1, 100, 32_767, 32_768, 65_535, 65_536] {
            for part in [0, 1, 1_000, 32_768] {
                let (head, body) = (vec![b'h'; head_bytes], vec![b'b'; part]);
                let mut buffer = Vec::new();
                wrapping.begin(&mut buffer);
                buffer.extend_from_slice(&head);
                wrapping.begin_part(&mut buffer, part as u64);
                buffer.extend_from_slice(&body);
                assert_eq!(content(&buffer), [head, body].concat(), "{head_bytes} and {part}");
            }
        }
    }

    #[test]
    fn chunks_have_a_beginning_and_an_end() {
        let mut wrapping = Wrapping::of(Form::Http);
        let mut buffer = b"head".to_vec();
        wrapping.begin_part(&mut buffer, 5);
        assert_eq!(
            (buffer.as_slice(), wrapping.end_of_part(), wrapping.end_of_answer()),
            (&b"head"[..], &b""[..], &b""[..])
        );
        wrapping.seal(true);
        wrapping.begin_part(&mut buffer, 0);
        wrapping.begin_part(&mut buffer, 26);
        assert_eq!(buffer, b"head1a\r\n");
        assert_eq!((wrapping.end_of_part(), wrapping.end_of_answer()), (&b"\r\n"[..], &b"0\r\n\r\n"[..]));
    }
}
