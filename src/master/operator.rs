//! The master's side of the command line: a socket on which operators ask and are answered. Master only.
//!
//! The socket is in Linux' abstract namespace under the master's pid, so that it leaves no file behind and needs no
//! option. Who may ask is decided by the kernel's word on the peer: root, or the user that the master runs as.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use mio::Poll;
use nix::sys::socket::{MsgFlags, getsockopt, recv, sockopt};
use nix::unistd::Uid;

use super::machine::{Order, Reload};
use super::wake::Wake;
use super::wanted::Wanted;
use crate::operator::words::{
    CANARY_COMMIT, CANARY_ROLLBACK, DONE, FAILED, FEWER, MORE, PROGRESS, REPORT, address_of, name_of, unforeseen,
};
use crate::sys::clock::monotonic_us;

/// Most operators of one user at once. The user that the application runs as may be one of the two that may ask, and must
/// not take root's places. Those who ask nothing make room for those who may.
const OPERATORS_OF_USER_MAX: usize = 16;

/// How long an operator may take to ask.
const ASK_WITHIN_US: u64 = 10_000_000;

/// Most connections that are looked at before anything else gets its turn: anybody on the machine can connect.
const WELCOMES_MAX: usize = 64;

/// Longest question in bytes.
const QUESTION_BYTES_MAX: usize = 64;

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// To carry out an order; reloads are answered when they are over.
    Order(Order),
    /// To end the trial of a new generation: whether it shall take over.
    Canary(bool),
    /// How the instance is doing.
    Status,
    /// How far the reload is.
    Progress,
    /// Everything that `rhinod top` shows.
    Report,
    /// A worker more, or fewer.
    Scale(Wanted),
}

/// The operators that wait for an answer.
pub(super) struct Operators {
    listener: UnixListener,
    waiting: BTreeMap<u32, Asker>,
    /// Those of them who wait for the end of a reload.
    reloading: Vec<u32>,
    next: u32,
}

/// One operator's connection.
struct Asker {
    stream: UnixStream,
    user: u32,
    came_us: u64,
    /// Whether it has said anything.
    has_asked: bool,
}

impl Asker {
    /// Whether nothing has come from it, not even what is still to be read.
    fn is_silent(&self) -> bool {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        !self.has_asked && !recv(self.stream.as_raw_fd(), &mut [0], flags).is_ok_and(|length| length > 0)
    }
}

impl Operators {
    /// Begins to listen under this process's pid. Where somebody else listens under that name, under one that tells the
    /// pid as well, and that operators find.
    pub(super) fn listen(poll: &Poll) -> io::Result<Self> {
        let name = name_of(std::process::id())?;
        let listener = match UnixListener::bind_addr(&address_of(&name)?) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                UnixListener::bind_addr(&address_of(&unforeseen(&name)?)?)
            }
            bound => bound,
        }?;
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
        for _ in 0..WELCOMES_MAX {
            let Ok((stream, _)) = self.listener.accept() else { return };
            let Some(user) = user_of(&stream).filter(|user| may_ask(*user)) else { continue };
            if !self.makes_room(user) || stream.set_nonblocking(true).is_err() {
                continue;
            }
            let operator = self.next;
            self.next = self.next.wrapping_add(1);
            if Wake::Operator(operator).when_readable(&stream, poll).is_ok() {
                let asker = Asker { stream, user, came_us: monotonic_us(), has_asked: false };
                self.waiting.insert(operator, asker);
            }
        }
        // More may wait, of whom the event loop would not tell again by itself.
        if let Err(error) = Wake::Operators.again(&self.listener, poll) {
            log::error!("operators are not heard any more: {error}");
        }
    }

    /// Whether there is a place for one more of this user: the one who has been silent for longest gives up his.
    fn makes_room(&mut self, user: u32) -> bool {
        let own = || self.waiting.iter().filter(|(_, asker)| asker.user == user);
        if own().count() < OPERATORS_OF_USER_MAX {
            return true;
        }
        let silent = own().filter(|(_, asker)| asker.is_silent()).min_by_key(|(_, asker)| asker.came_us);
        let silent = silent.map(|(operator, _)| *operator);
        silent.inspect(|operator| self.forget(*operator)).is_some()
    }

    /// When the first of those who have asked nothing is to go.
    pub(super) fn due_us(&self) -> Option<u64> {
        let silent = self.waiting.values().filter(|asker| !asker.has_asked);
        silent.map(|asker| asker.came_us.saturating_add(ASK_WITHIN_US)).min()
    }

    /// Hangs up on those who have asked nothing in time.
    pub(super) fn drop_silent(&mut self, now_us: u64) {
        if self.due_us().is_some_and(|due_us| due_us <= now_us) {
            self.waiting.retain(|_, asker| asker.has_asked || asker.came_us.saturating_add(ASK_WITHIN_US) > now_us);
        }
    }

    fn question(&mut self, operator: u32) -> Result<Option<Question>, String> {
        let Some(asker) = self.waiting.get_mut(&operator) else { return Ok(None) };
        let mut line = [0; QUESTION_BYTES_MAX];
        match asker.stream.read(&mut line) {
            // It does not wait for the answer any more.
            Ok(0) => {
                self.forget(operator);
                Ok(None)
            }
            Ok(length) => {
                asker.has_asked = true;
                parse(&line[..length]).map(Some)
            }
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

    /// Whether somebody waits for the end of a reload.
    pub(super) fn await_reload(&self) -> bool {
        !self.reloading.is_empty()
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
        if let Some(Asker { mut stream, .. }) = self.waiting.remove(&operator) {
            // The buffer of a fresh socket takes any answer of ours whole; one who has gone needs none.
            let _ = stream.write_all(format!("{word} {text}\n").as_bytes());
            // A helper that was forked meanwhile has it open, too, and closing it here would be no end.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn forget(&mut self, operator: u32) {
        self.waiting.remove(&operator);
        self.reloading.retain(|other| *other != operator);
    }
}

fn user_of(stream: &UnixStream) -> Option<u32> {
    getsockopt(stream, sockopt::PeerCredentials).ok().map(|peer| peer.uid())
}

fn may_ask(user: u32) -> bool {
    user == 0 || user == Uid::effective().as_raw()
}

fn parse(line: &[u8]) -> Result<Question, String> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    match line {
        b"reload" => Ok(Question::Order(Order::Reload(Reload::Graceful))),
        b"stop" => Ok(Question::Order(Order::Stop)),
        b"pause" => Ok(Question::Order(Order::Pause)),
        b"resume" => Ok(Question::Order(Order::Resume)),
        b"status" => Ok(Question::Status),
        _ if line == PROGRESS.as_bytes() => Ok(Question::Progress),
        _ if line == REPORT.as_bytes() => Ok(Question::Report),
        _ if line == MORE.as_bytes() => Ok(Question::Scale(Wanted::OneMore)),
        _ if line == FEWER.as_bytes() => Ok(Question::Scale(Wanted::OneFewer)),
        _ if line == CANARY_COMMIT.as_bytes() => Ok(Question::Canary(true)),
        _ if line == CANARY_ROLLBACK.as_bytes() => Ok(Question::Canary(false)),
        other => Err(format!("no such question: {}", String::from_utf8_lossy(other).escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::mutation::{mutate_with, try_mutants};
    use testkit::seeds::Seeds;

    const QUESTIONS: [&str; 7] = ["reload", "stop", "pause", "resume", "status", CANARY_COMMIT, CANARY_ROLLBACK];
    const PIECES: [&str; 9] = ["\n", "\r", "\0", " ", "\u{1b}[2J", "reload", "stop", "commit", "\u{202e}"];

    /// What of a question is read at once.
    fn cut(line: &[u8]) -> &[u8] {
        &line[..line.len().min(QUESTION_BYTES_MAX)]
    }

    #[test]
    fn of_mutants_of_questions_only_the_questions_themselves_are_obeyed() {
        let originals: Vec<Vec<u8>> = QUESTIONS.iter().map(|question| format!("{question}\n").into_bytes()).collect();
        let seeds = Seeds::of_this_run(10);
        let obeyed = seeds.try_all(|obeyed: &mut u32, seed| {
            let mutate = |random: &mut fastrand::Rng, line: &mut Vec<u8>| mutate_with(random, line, &PIECES);
            let exercise = |line: &[u8]| match parse(cut(line)) {
                Ok(_) => {
                    let words = std::str::from_utf8(line).expect("words").trim_end_matches('\n');
                    assert!(QUESTIONS.contains(&words) && line.len() <= words.len() + 1);
                }
                Err(why) => {
                    assert!(why.len() < 1_000 && !why.chars().any(char::is_control), "{why:?}");
                }
            };
            try_mutants(seed, &originals, mutate, exercise, |line| *obeyed += u32::from(parse(cut(line)).is_ok()))
        });
        assert!(!seeds.are_usual() || obeyed.iter().sum::<u32>() > 20, "{obeyed:?}: they are all too far off");
    }
}
