//! Control sockets: pairs of connected SOCK_SEQPACKET sockets that carry one record a message, with descriptors beside
//! it. Master, zygote and worker. What the records mean is in `worker_protocol::control`.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg, socketpair,
};
use worker_protocol::control::{Message, RECORD_BYTES};

/// Most descriptors beside one record; the kernel's own limit (`SCM_MAX_FD`) is 253.
pub const DESCRIPTORS_MAX: usize = 128;

/// One end of a control socket.
#[derive(Debug)]
pub struct ControlSocket(OwnedFd);

/// What a non-blocking receive found.
#[derive(Debug)]
pub enum Received {
    /// A message of this many bytes, with the descriptors that came with it.
    Message(usize, Vec<OwnedFd>),
    /// Nothing for now.
    Nothing,
    /// The other end is gone.
    EndOfFile,
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

    /// Sends one message. It is queued whole or not at all; a full queue is `WouldBlock`.
    fn send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let raw: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let beside: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
        sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(message)], beside, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    /// Sends one record with its text; a full queue is `WouldBlock`.
    pub fn send_record(&self, record: &impl Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut message = Vec::with_capacity(RECORD_BYTES);
        record.encode(&mut message);
        self.send(&message, descriptors)
    }

    /// Sends one record with its text, waiting for room if the queue is full.
    pub fn send_record_waiting(&self, record: &impl Message, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            match self.send_record(record, descriptors) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    super::wait::wait_ready(&self.0, super::wait::Interest::Writable, u64::MAX)?;
                }
                other => return other,
            }
        }
    }

    /// Receives one message into `buffer` without waiting. A message that is longer than the buffer is cut.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut space = nix::cmsg_space!([std::os::fd::RawFd; DESCRIPTORS_MAX]);
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let message = match recvmsg::<()>(self.0.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Ok(message) => message,
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => return Ok(Received::Nothing),
            // The peer died with our message unread.
            Err(nix::errno::Errno::ECONNRESET) => return Ok(Received::EndOfFile),
            Err(error) => return Err(error.into()),
        };
        let descriptors = message
            .cmsgs()?
            .flat_map(|control| match control {
                ControlMessageOwned::ScmRights(raw) => raw,
                _ => Vec::new(),
            })
            // SAFETY: the kernel has just installed these descriptors for us; nobody else knows them.
            .map(|raw| unsafe { OwnedFd::from_raw_fd(raw) })
            .collect();
        Ok(if message.bytes == 0 { Received::EndOfFile } else { Received::Message(message.bytes, descriptors) })
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<ControlSocket> for OwnedFd {
    fn from(socket: ControlSocket) -> Self {
        socket.0
    }
}
