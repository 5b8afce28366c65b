//! The master's side of the command line: a socket on which operators ask and are answered. Master only.
//!
//! The socket is in Linux' abstract namespace under the master's pid, so that it leaves no file behind and needs no
//! option. Who may ask is decided by the kernel's word on the peer: root, or the user that the master runs as.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use mio::Poll;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Uid;

use super::machine::{Order, Reload};
use super::wake::Wake;
use crate::operator::words::{DONE, FAILED, address_of};

/// Most operators at once; a further one is turned away.
const OPERATORS_MAX: usize = 16;

/// Longest question in bytes.
const QUESTION_BYTES_MAX: usize = 64;

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// To carry out an order; reloads are answered when they are over.
    Order(Order),
    /// How the instance is doing.
    Status,
}

/// The operators that wait for an answer.
pub(super) struct Operators {
    listener: UnixListener,
    waiting: BTreeMap<u32, UnixStream>,
    /// Those of them who wait for the end of a reload.
    reloading: Vec<u32>,
    next: u32,
}

impl Operators {
    /// Begins to listen under this process's pid.
    pub(super) fn listen(poll: &Poll) -> io::Result<Self> {
        let listener = UnixListener::bind_addr(&address_of(std::process::id())?)?;
        listener.set_nonblocking(true)?;
        Wake::Operators.when_readable(&listener, poll)?;
        Ok(Self { listener, waiting: BTreeMap::new(), reloading: Vec::new(), next: 0 })
    }

    /// Takes over the listener of the master that was this process before a re-execution.
    pub(super) fn adopt(listener: OwnedFd, poll: &Poll) -> io::Result<Self> {
        let listener = UnixListener::from(listener);
        Wake::Operators.when_readable(&listener, poll)?;
        Ok(Self { listener, waiting: BTreeMap::new(), reloading: Vec::new(), next: 0 })
    }

    /// The listener, to be kept through a re-execution.
    pub(super) fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// What an operator asks, if it has come.
    pub(super) fn hear(&mut self, operator: u32) -> Option<Question> {
        match self.question(operator) {
            Ok(question) => question,
            Err(why) => {
                self.answer(operator, FAILED, &why);
                None
            }
        }
    }

    /// Lets in those who connect.
    pub(super) fn welcome(&mut self, poll: &Poll) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.waiting.len() >= OPERATORS_MAX || !may_ask(&stream) || stream.set_nonblocking(true).is_err() {
                continue;
            }
            let operator = self.next;
            self.next = self.next.wrapping_add(1);
            if Wake::Operator(operator).when_readable(&stream, poll).is_ok() {
                self.waiting.insert(operator, stream);
            }
        }
    }

    fn question(&mut self, operator: u32) -> Result<Option<Question>, String> {
        let Some(stream) = self.waiting.get_mut(&operator) else { return Ok(None) };
        let mut line = [0; QUESTION_BYTES_MAX];
        match stream.read(&mut line) {
            // It does not wait for the answer any more.
            Ok(0) => {
                self.forget(operator);
                Ok(None)
            }
            Ok(length) => parse(&line[..length]).map(Some),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(_) => {
                self.forget(operator);
                Ok(None)
            }
        }
    }

    /// Has the operator wait for the end of the reload that it asked for.
    pub(super) fn wait_for_reload(&mut self, operator: u32) {
        self.reloading.push(operator);
    }

    /// Answers all who wait for the end of a reload.
    pub(super) fn reload_ended(&mut self, outcome: Result<&str, &str>) {
        for operator in std::mem::take(&mut self.reloading) {
            match outcome {
                Ok(told) => self.answer(operator, DONE, told),
                Err(why) => self.answer(operator, FAILED, why),
            }
        }
    }

    /// Answers and hangs up.
    pub(super) fn answer(&mut self, operator: u32, word: &str, text: &str) {
        if let Some(mut stream) = self.waiting.remove(&operator) {
            // The buffer of a fresh socket takes any answer of ours whole; one who has gone needs none.
            let _ = stream.write_all(format!("{word} {text}\n").as_bytes());
        }
    }

    fn forget(&mut self, operator: u32) {
        self.waiting.remove(&operator);
        self.reloading.retain(|other| *other != operator);
    }
}

fn may_ask(stream: &UnixStream) -> bool {
    getsockopt(stream, sockopt::PeerCredentials)
        .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == Uid::effective().as_raw())
}

fn parse(line: &[u8]) -> Result<Question, String> {
    match line.strip_suffix(b"\n").unwrap_or(line) {
        b"reload" => Ok(Question::Order(Order::Reload(Reload::Graceful))),
        b"stop" => Ok(Question::Order(Order::Stop)),
        b"pause" => Ok(Question::Order(Order::Pause)),
        b"resume" => Ok(Question::Order(Order::Resume)),
        b"status" => Ok(Question::Status),
        other => Err(format!("no such question: {}", String::from_utf8_lossy(other).escape_debug())),
    }
}
