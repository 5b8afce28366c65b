//! Control sockets: pairs of connected SOCK_SEQPACKET sockets that carry one record a message, with descriptors beside
//! it. Master, zygote and worker. What the records mean is in `worker_protocol::control`.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};
use worker_protocol::control::{self, DESCRIPTORS_MAX, MESSAGE_BYTES_MAX, Message, RECORD_BYTES};

use super::wait::{Interest, wait_ready};

/// One end of a control socket.
#[derive(Debug)]
pub struct ControlSocket(OwnedFd);

/// What a non-blocking receive found.
#[derive(Debug)]
pub enum Received<M> {
    /// A record, and exactly the descriptors that belong beside it.
    Message(M, Vec<OwnedFd>),
    /// A packet that is none. What came beside it is closed.
    Unfit(Unfit),
    /// Nothing for now.
    Nothing,
    /// The other end is gone.
    EndOfFile,
}

/// Why a packet is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its bytes.
    #[error(transparent)]
    Record(#[from] control::Error),
    /// Longer than any record with its text.
    #[error("control packet of more than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    /// More or fewer descriptors beside it than belong there.
    #[error("control record {record} came with {found} descriptors, {expected} belong beside it")]
    Descriptors {
        /// The record.
        record: String,
        /// How many belong beside it.
        expected: usize,
        /// How many came.
        found: usize,
    },
    /// Descriptors that were sent, but could not all be taken: this process may not have as many.
    #[error("control record {record} came with {expected} descriptors, of which only {found} could be taken")]
    DescriptorsLost {
        /// The record.
        record: String,
        /// How many belong beside it.
        expected: usize,
        /// How many came.
        found: usize,
    },
}

/// One packet as the kernel hands it over.
struct Packet {
    bytes: usize,
    is_cut: bool,
    descriptors: Vec<OwnedFd>,
    has_lost_descriptors: bool,
}

impl ControlSocket {
    /// Two connected ends, both closed on exec and non-blocking.
    pub fn pair() -> io::Result<(Self, Self)> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        Ok((Self(ours), Self(theirs)))
    }

    /// Takes over a descriptor that was inherited or passed.
    pub fn from_owned(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    /// Sends one message. It is queued whole or not at all; a full queue is `WouldBlock`, also where somebody else made the
    /// socket, who may have it wait.
    fn send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let raw: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let beside: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(message)], beside, flags, None)?;
        Ok(())
    }

    /// Sends one record with its text; a full queue is `WouldBlock`.
    pub fn send_record(&self, record: &impl Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut message = Vec::with_capacity(RECORD_BYTES);
        record.encode(&mut message);
        self.send(&message, descriptors)
    }

    /// Sends records one after the other, beside each as many of the descriptors as belong there.
    ///
    /// # Errors
    /// As for each record; and when the descriptors are not exactly as many as belong beside all of them.
    pub fn send_records<M: Message>(&self, records: &[M], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let needed: usize = records.iter().map(Message::descriptors).sum();
        if needed != descriptors.len() {
            let (records, given) = (records.len(), descriptors.len());
            return Err(io::Error::other(format!("{records} control records need {needed} descriptors, not {given}")));
        }
        let mut rest = descriptors;
        for record in records {
            let (beside, behind) = rest.split_at(record.descriptors());
            self.send_record(record, beside)?;
            rest = behind;
        }
        Ok(())
    }

    /// Sends one record with its text, waiting for room if the queue is full.
    pub fn send_record_waiting(&self, record: &impl Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            match self.send_record(record, descriptors) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_ready(&self.0, Interest::Writable, u64::MAX)?;
                }
                other => return other,
            }
        }
    }

    /// Receives one message without waiting: the only place that judges one, by its kind, its length, its descriptors,
    /// and by whether all of it has come.
    pub fn receive<M: Message + Debug>(&self) -> io::Result<Received<M>> {
        self.receive_into(&mut [0; MESSAGE_BYTES_MAX], DESCRIPTORS_MAX)
    }

    fn receive_into<M: Message + Debug>(&self, buffer: &mut [u8], descriptors_max: usize) -> io::Result<Received<M>> {
        let packet = match take(&self.0, buffer, descriptors_max, libc::MSG_DONTWAIT) {
            Ok(packet) => packet,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Received::Nothing),
            // The peer died with our message unread.
            Err(Errno::ECONNRESET) => return Ok(Received::EndOfFile),
            Err(error) => return Err(error.into()),
        };
        if packet.bytes == 0 {
            return Ok(Received::EndOfFile);
        }
        Ok(match packet.judge(buffer) {
            Ok(record) => Received::Message(record, packet.descriptors),
            Err(unfit) => Received::Unfit(unfit),
        })
    }
}

impl Packet {
    /// The record at the start of `buffer`, if it is whole and all that belongs beside it has come.
    fn judge<M: Message + Debug>(&self, buffer: &[u8]) -> Result<M, Unfit> {
        if self.is_cut {
            return Err(Unfit::TooLong);
        }
        let record = M::decode(&buffer[..self.bytes])?;
        let (expected, found) = (record.descriptors(), self.descriptors.len());
        if self.has_lost_descriptors {
            return Err(Unfit::DescriptorsLost { record: format!("{record:?}"), expected, found });
        }
        if expected != found {
            return Err(Unfit::Descriptors { record: format!("{record:?}"), expected, found });
        }
        Ok(record)
    }
}

/// Takes one packet off the queue. By hand, as the wrappers do not say which descriptors have come when some were
/// lost, which nobody could close then.
fn take(socket: &impl AsFd, buffer: &mut [u8], descriptors_max: usize, flags: libc::c_int) -> Result<Packet, Errno> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: computes a number.
    let room = unsafe { libc::CMSG_SPACE((descriptors_max * size_of::<RawFd>()) as u32) } as usize;
    // Words, since control messages are aligned to them.
    let mut space = vec![0_usize; room.div_ceil(size_of::<usize>())];
    // SAFETY: a structure of numbers and pointers, all of which may be zero.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &mut part;
    header.msg_iovlen = 1;
    header.msg_control = space.as_mut_ptr().cast();
    header.msg_controllen = room as _;
    let flags = flags | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the header's pointers lead to `part`, `buffer` and `space`, which outlive the call, with their lengths.
    let bytes = Errno::result(unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &mut header, flags) })?;
    Ok(Packet {
        bytes: bytes as usize,
        is_cut: header.msg_flags & libc::MSG_TRUNC != 0,
        // SAFETY: the kernel has filled the header in just now; `space` still lives.
        descriptors: unsafe { descriptors_of(&header) },
        has_lost_descriptors: header.msg_flags & libc::MSG_CTRUNC != 0,
    })
}

/// The same for a message that is none of ours, once it is there: how many bytes, and the descriptors beside it.
pub(super) fn take_packet(
    socket: &impl AsFd,
    buffer: &mut [u8],
    descriptors_max: usize,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let packet = take(socket, buffer, descriptors_max, 0)?;
    Ok((packet.bytes, packet.descriptors))
}

/// The descriptors that came with a message. From here on they are closed by whoever drops them.
///
/// # Safety
/// `recvmsg(2)` has filled the header in, and nobody has taken the descriptors out of it yet; the memory of its control
/// messages is still there.
unsafe fn descriptors_of(header: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: walks over what the kernel has written, by the macros that are made for it.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: as above; the pointer is null or leads to a whole control message.
    while let Some(message) = unsafe { next.as_ref() } {
        if message.cmsg_level == libc::SOL_SOCKET && message.cmsg_type == libc::SCM_RIGHTS {
            #[allow(clippy::unnecessary_cast, reason = "its type is another one with another C library")]
            // SAFETY: computes a number.
            let data_bytes = message.cmsg_len as usize - unsafe { libc::CMSG_LEN(0) } as usize;
            // SAFETY: computes the address of the message's data.
            let data = unsafe { libc::CMSG_DATA(next) }.cast::<RawFd>();
            for index in 0..data_bytes / size_of::<RawFd>() {
                // SAFETY: there are so many numbers. Each is a descriptor that the kernel has just installed for us;
                // nobody else knows it.
                descriptors.push(unsafe { OwnedFd::from_raw_fd(data.add(index).read_unaligned()) });
            }
        }
        // SAFETY: as for the first one.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    descriptors
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::io::pipe;

    use worker_protocol::control::ToWorker;

    use super::*;

    /// Sends bytes with so many writing ends of a pipe beside them; the reading end then ends when all of them are closed.
    fn send(message: &[u8], descriptors: usize) -> (ControlSocket, io::PipeReader) {
        let (ours, theirs) = ControlSocket::pair().unwrap();
        let (reader, writer) = pipe().unwrap();
        theirs.send(message, &vec![writer.as_fd(); descriptors]).unwrap();
        (ours, reader)
    }

    fn encoded(record: &ToWorker) -> Vec<u8> {
        let mut message = Vec::new();
        record.encode(&mut message);
        message
    }

    #[track_caller]
    fn unfit(received: Received<ToWorker>, mut reader: io::PipeReader) -> Unfit {
        let Received::Unfit(unfit) = received else { panic!("{received:?}") };
        // Ends only if no descriptor was leaked.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        unfit
    }

    #[test]
    fn a_record_comes_with_exactly_its_descriptors() {
        let (ours, mut reader) = send(&encoded(&ToWorker::LogTo), 1);
        let Received::Message(ToWorker::LogTo, beside) = ours.receive().unwrap() else { panic!("not what was sent") };
        assert_eq!(beside.len(), 1);
        drop(beside);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        assert!(matches!(ours.receive::<ToWorker>().unwrap(), Received::EndOfFile));
    }

    #[test]
    fn a_full_queue_is_told_also_on_a_socket_that_was_made_to_wait() {
        let (ours, _theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let ours = ControlSocket::from_owned(ours);
        let full = (0..1_000_000).find_map(|_| ours.send_record(&ToWorker::Pause, &[]).err());
        assert_eq!(full.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
    }

    #[test]
    fn missing_and_surplus_descriptors_are_told_with_their_numbers_and_closed() {
        for (record, sent, expected) in [(ToWorker::LogTo, 0, 1), (ToWorker::LogTo, 3, 1), (ToWorker::Pause, 100, 0)] {
            let (ours, reader) = send(&encoded(&record), sent);
            let unfit = unfit(ours.receive().unwrap(), reader);
            assert_eq!(unfit, Unfit::Descriptors { record: format!("{record:?}"), expected, found: sent });
            assert!(unfit.to_string().contains(&sent.to_string()), "{unfit}");
        }
    }

    #[test]
    fn what_comes_beside_an_unknown_record_is_closed() {
        let mut unknown = encoded(&ToWorker::Pause);
        unknown[0] = 99;
        let (ours, reader) = send(&unknown, 5);
        assert_eq!(unfit(ours.receive().unwrap(), reader), Unfit::Record(control::Error::Kind(99)));
    }

    #[test]
    fn a_packet_that_is_too_long_is_no_record() {
        let (ours, reader) = send(&vec![0; MESSAGE_BYTES_MAX + 1], 1);
        assert_eq!(unfit(ours.receive().unwrap(), reader), Unfit::TooLong);
    }

    #[test]
    fn descriptors_that_could_not_be_taken_are_noticed_and_the_others_closed() {
        let (ours, reader) = send(&encoded(&ToWorker::LogTo), 4);
        // Room for two descriptors, as in a process that may not have more.
        let received = ours.receive_into(&mut [0; MESSAGE_BYTES_MAX], 2).unwrap();
        let lost = Unfit::DescriptorsLost { record: "LogTo".to_owned(), expected: 1, found: 2 };
        assert_eq!(unfit(received, reader), lost);
    }

    #[test]
    fn as_many_descriptors_as_may_be_beside_a_record_come_with_it() {
        let (ours, _reader) = send(&encoded(&ToWorker::LogTo), DESCRIPTORS_MAX);
        let Received::Unfit(unfit) = ours.receive::<ToWorker>().unwrap() else { panic!("it was taken") };
        let all = Unfit::Descriptors { record: "LogTo".to_owned(), expected: 1, found: DESCRIPTORS_MAX };
        assert_eq!(unfit, all, "none was lost");
    }

    #[test]
    fn records_share_out_the_descriptors_and_none_is_left() {
        let (ours, theirs) = ControlSocket::pair().unwrap();
        let (_, writer) = pipe().unwrap();
        let records = [ToWorker::Pause, ToWorker::LogTo, ToWorker::Resume];
        for wrong in [0, 2] {
            let error = theirs.send_records(&records, &vec![writer.as_fd(); wrong]).unwrap_err();
            assert_eq!(error.to_string(), format!("3 control records need 1 descriptors, not {wrong}"));
        }
        theirs.send_records(&records, &[writer.as_fd()]).unwrap();
        for record in records {
            let Received::Message(received, beside) = ours.receive::<ToWorker>().unwrap() else { panic!("none") };
            assert_eq!((received, beside.len()), (record, record.descriptors()));
        }
        assert!(matches!(ours.receive::<ToWorker>().unwrap(), Received::Nothing));
    }
}
