//! The body of an answer as its client gets it: packed, where that was asked for, and with its end told. Pure; used in the
//! router.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use worker_protocol::http::framing::{CHUNK_END, CHUNK_START_BYTES_MAX, Framing, LAST_CHUNK, chunk_start};

/// One of them.
#[derive(Debug)]
pub(super) struct Outgoing {
    framing: Framing,
    packer: Option<Box<Packer>>,
}

/// Packs a body as it comes.
#[derive(Debug)]
struct Packer {
    encoder: GzEncoder<Vec<u8>>,
    /// Whether it keeps something to itself.
    holds: bool,
}

impl Outgoing {
    /// Of a body whose end is told so.
    pub(super) fn new(framing: Framing, packed: bool) -> Outgoing {
        // The router has one loop for all clients: most of what can be spared, for the least time.
        let packer = || Packer { encoder: GzEncoder::new(Vec::new(), Compression::fast()), holds: false };
        Outgoing { framing, packer: packed.then(|| Box::new(packer())) }
    }

    /// Takes a piece.
    pub(super) fn add(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match &mut self.packer {
            _ if bytes.is_empty() => {}
            None => frame(self.framing, bytes, out),
            Some(packer) => {
                // Into memory, where nothing can fail.
                let _ = packer.encoder.write_all(bytes);
                packer.holds = true;
            }
        }
    }

    /// Has everything leave that was taken: a client may wait for it.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        let Some(packer) = self.packer.as_mut().filter(|packer| packer.holds) else { return };
        let _ = packer.encoder.flush();
        packer.holds = false;
        frame(self.framing, packer.encoder.get_ref(), out);
        packer.encoder.get_mut().clear();
    }

    /// There was no more.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if let Some(mut packer) = self.packer.take() {
            let _ = packer.encoder.try_finish();
            frame(self.framing, packer.encoder.get_ref(), out);
        }
        if self.framing == Framing::Chunked {
            out.extend_from_slice(LAST_CHUNK);
        }
    }
}

/// Adds a piece as the client understands it.
fn frame(framing: Framing, bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.is_empty() || framing != Framing::Chunked {
        return out.extend_from_slice(bytes);
    }
    out.extend_from_slice(chunk_start(bytes.len() as u64, &mut [0; CHUNK_START_BYTES_MAX]));
    out.extend_from_slice(bytes);
    out.extend_from_slice(CHUNK_END);
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::{GzDecoder, MultiGzDecoder};

    use super::*;

    /// What a client has that has got so much.
    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        // Of what is not whole it reads what is there.
        let _ = GzDecoder::new(bytes).read_to_end(&mut text);
        text
    }

    #[test]
    fn every_piece_can_be_read_as_soon_as_it_has_left() {
        let (mut outgoing, mut out) = (Outgoing::new(Framing::Close, true), Vec::new());
        let mut all = Vec::new();
        for number in 0..50 {
            let piece = format!("this is the piece with the number {number}, and it is much like the others\n");
            all.extend_from_slice(piece.as_bytes());
            outgoing.add(piece.as_bytes(), &mut out);
            outgoing.flush(&mut out);
            let before = out.len();
            outgoing.flush(&mut out);
            assert!(out.len() == before && unpacked(&out) == all, "{number}");
        }
        outgoing.end(&mut out);
        let mut text = Vec::new();
        MultiGzDecoder::new(&out[..]).read_to_end(&mut text).expect("a whole stream, and nothing behind it");
        assert!(text == all && out.len() < all.len() / 2, "{} of {}", out.len(), all.len());
    }

    #[test]
    fn what_is_packed_is_framed_and_what_is_not_passes_as_it_is() {
        let sent = |framing, packed, pieces: &[&str]| {
            let (mut outgoing, mut out) = (Outgoing::new(framing, packed), Vec::new());
            for piece in pieces {
                outgoing.add(piece.as_bytes(), &mut out);
            }
            outgoing.end(&mut out);
            out
        };
        assert_eq!(sent(Framing::Chunked, false, &["ab", "", "c"]), b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
        assert_eq!(sent(Framing::Close, false, &["ab", "c"]), b"abc");
        let packed = sent(Framing::Close, true, &["ab", "c"]);
        assert_eq!(unpacked(&packed), b"abc");
        let chunks = sent(Framing::Chunked, true, &["ab", "c"]);
        let expected = [format!("{:x}\r\n", packed.len()).as_bytes(), &packed, b"\r\n0\r\n\r\n"].concat();
        assert_eq!(chunks, expected);
        assert_eq!(unpacked(&sent(Framing::Close, true, &[])), b"");
    }
}
