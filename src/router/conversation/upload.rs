//! What a worker is sent of a request: its packet, then the body, from a file and from memory. It is kept until there is
//! an answer, so that it can be sent again. Pure; used in the router.

use worker_protocol::uwsgi::HEADER_BYTES;

/// All of it, and how far it has been sent.
#[derive(Debug)]
pub(super) struct Upload {
    /// The packet; behind it the body, if none of that is in a file.
    packet: Vec<u8>,
    file_bytes: u64,
    rest: Vec<u8>,
    sent: u64,
}

/// What is to be sent next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::router) enum Piece<'p> {
    Bytes(&'p [u8]),
    /// So many bytes of the file, from there on.
    File {
        offset: u64,
        bytes: u64,
    },
    Nothing,
}

impl Upload {
    pub(super) fn new(mut packet: Vec<u8>, file_bytes: u64, mut rest: Vec<u8>) -> Upload {
        if file_bytes == 0 {
            packet.append(&mut rest);
        }
        Upload { packet, file_bytes, rest, sent: 0 }
    }

    /// The packet is for one who wants these modifiers.
    pub(super) fn address_to(&mut self, (modifier1, modifier2): (u8, u8)) {
        if let (Some(header), 0) = (self.packet.first_chunk_mut::<HEADER_BYTES>(), self.sent) {
            (header[0], header[3]) = (modifier1, modifier2);
        }
    }

    pub(super) fn next(&self) -> Piece<'_> {
        let packet = self.packet.len() as u64;
        if self.sent < packet {
            return Piece::Bytes(tail(&self.packet, self.sent));
        }
        let offset = self.sent - packet;
        if offset < self.file_bytes {
            return Piece::File { offset, bytes: self.file_bytes - offset };
        }
        match tail(&self.rest, offset - self.file_bytes) {
            [] => Piece::Nothing,
            bytes => Piece::Bytes(bytes),
        }
    }

    pub(super) fn pass(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// Whether anything of it has been sent.
    pub(super) fn has_begun(&self) -> bool {
        self.sent > 0
    }

    /// It is sent from its beginning, to another.
    pub(super) fn begin_again(&mut self) {
        self.sent = 0;
    }

    /// Nobody reads the rest.
    pub(super) fn give_up(&mut self) {
        self.sent = u64::MAX / 2;
    }
}

fn tail(bytes: &[u8], from: u64) -> &[u8] {
    usize::try_from(from).ok().and_then(|from| bytes.get(from..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_follows_its_packet_from_wherever_it_is() {
        let mut small = Upload::new(b"packet".to_vec(), 0, b"body".to_vec());
        assert_eq!(small.next(), Piece::Bytes(b"packetbody"));
        small.address_to((5, 9));
        assert_eq!(small.next(), Piece::Bytes(b"\x05ac\x09etbody"));
        small.address_to((b'p', b'k'));
        small.pass(8);
        assert_eq!(small.next(), Piece::Bytes(b"dy"));
        small.pass(2);
        assert_eq!(small.next(), Piece::Nothing);
        small.begin_again();
        assert_eq!((small.next(), small.has_begun()), (Piece::Bytes(b"packetbody"), false));
        let mut large = Upload::new(b"packet".to_vec(), 100, b"rest".to_vec());
        large.pass(6);
        assert_eq!(large.next(), Piece::File { offset: 0, bytes: 100 });
        large.pass(60);
        assert_eq!(large.next(), Piece::File { offset: 60, bytes: 40 });
        large.pass(41);
        assert_eq!(large.next(), Piece::Bytes(b"est"));
        large.give_up();
        assert_eq!(large.next(), Piece::Nothing);
    }
}
