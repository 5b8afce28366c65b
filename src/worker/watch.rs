//! One thread of a worker under the eyes of its supervisor: the request that it has in hands, whose answer it is, and
//! whether the thread's time is over. The thread itself begins and ends; the `supervisor` strikes. Worker only.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use worker_protocol::head::RequestHead;

use super::claim::Claim;
use super::deadlines::{Due, Term};
use super::finish_overdue::{Asked, cut_off, send_timeout};
use super::reply::Sent;
use crate::escape;
use crate::sys::clock::monotonic_us;
use crate::sys::loan::Loan;
use crate::sys::stream::Stream;
use crate::sys::thread::ThreadId;

/// One thread. What it does for each request is two or three locks that nobody else wants.
#[derive(Debug, Default)]
pub struct Watch {
    turn: Loan<Stream, Turn>,
    /// Whether the request in hand can have a deadline, so that others may answer it.
    armed: AtomicBool,
    /// Whether it was struck.
    struck: AtomicBool,
    /// Whether the thread takes no more requests.
    left: AtomicBool,
    thread: AtomicI32,
}

/// The request in hand.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) term: Term,
    since_us: u64,
    answer: Answer,
    manner: Option<Asked>,
    /// Whether the application is still at it.
    is_at_work: bool,
    /// Client address, method and URI, one after the other.
    about: Vec<u8>,
    ends: [usize; 2],
}

/// Whose the answer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Answer {
    /// Nobody's so far: nothing was sent.
    #[default]
    Open,
    /// The thread's, which has begun it. `shows_end`: who reads it knows whether it is whole.
    Begun { shows_end: bool },
    /// The supervisor's, who has sent it.
    Ours(Sent),
}

/// A request that was struck, for the log.
#[derive(Debug)]
pub(super) struct Overdue {
    pub(super) about: String,
    pub(super) took_us: u64,
    /// What its client has got of us; `None`: it had begun to get another answer.
    pub(super) answered: bool,
}

impl Watch {
    /// The calling thread is the one.
    pub(super) fn attend(&self) {
        self.thread.store(ThreadId::own().as_raw(), Ordering::Relaxed);
    }

    /// It takes no more requests.
    pub(super) fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    /// Whether it does not.
    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    pub(super) fn thread(&self) -> Option<ThreadId> {
        ThreadId::from_raw(self.thread.load(Ordering::Relaxed))
    }

    /// Has a request answered within its time. `limit_us`: how long it may take, if there is a limit.
    pub(super) fn during<R>(
        &self,
        stream: &Stream,
        head: &RequestHead<'_>,
        asked: Asked,
        limit_us: Option<u64>,
        act: impl FnOnce(Option<u64>) -> R,
    ) -> R {
        let since_us = if limit_us.is_some() { monotonic_us() } else { 0 };
        let prepare = |turn: &mut Turn| {
            self.armed.store(limit_us.is_some(), Ordering::Relaxed);
            self.struck.store(false, Ordering::Relaxed);
            (turn.answer, turn.manner, turn.is_at_work) = (Answer::Open, Some(asked), true);
            turn.term = Term::begin(since_us, limit_us);
            turn.since_us = 0;
            if limit_us.is_some() {
                turn.arm(head, since_us);
            }
        };
        let due_us = limit_us.map(|limit_us| since_us.saturating_add(limit_us));
        self.turn.during(stream, prepare, || act(due_us))
    }

    /// The application says how long this request may take from now on. False: it has not begun, or is over.
    pub(super) fn set_own(&self, head: &RequestHead<'_>, limit_us: Option<u64>) -> Option<u64> {
        let now_us = monotonic_us();
        self.turn.with(|stream, turn| {
            stream.filter(|_| turn.is_at_work)?;
            if !self.armed.swap(true, Ordering::Relaxed) {
                turn.arm(head, now_us);
            }
            turn.term.set_own(now_us, limit_us);
            limit_us.map(|limit_us| now_us.saturating_add(limit_us))
        })
    }

    /// Whether the request in hand was struck.
    pub fn is_struck(&self) -> bool {
        self.struck.load(Ordering::Relaxed)
    }

    /// The application has done its part: from here on nobody interrupts it for this request. True: it was struck.
    pub fn end_work(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
            && self.turn.with(|_, turn| {
                turn.is_at_work = false;
                turn.term.is_struck()
            })
    }

    /// Its time does not count any more.
    pub fn lift(&self) {
        if self.armed.load(Ordering::Relaxed) {
            self.turn.with(|_, turn| turn.term.lift());
        }
    }

    /// What the supervisor has sent in the place of the application's answer.
    pub(super) fn answered(&self) -> Option<Sent> {
        if !self.is_struck() {
            return None;
        }
        self.turn.with(|_, turn| match turn.answer {
            Answer::Ours(sent) => Some(sent),
            Answer::Open | Answer::Begun { .. } => None,
        })
    }

    /// Does something while the application is still at the request that was struck, and stays there.
    pub fn while_struck(&self, action: impl FnOnce()) {
        self.turn.with(|stream, turn| {
            if stream.is_some() && turn.is_at_work && turn.term.is_struck() {
                action();
            }
        });
    }

    // The supervisor's side.

    /// What is due of it.
    pub(super) fn due(&self, now_us: u64, grace_us: Option<u64>) -> Due {
        self.turn.with(|stream, turn| stream.map_or(Due::Nothing, |_| turn.term.due(now_us, grace_us)))
    }

    /// Changes the time of the request in hand, if there still is one.
    pub(super) fn change(&self, change: impl FnOnce(&mut Term)) {
        self.turn.with(|stream, turn| stream.map(|_| change(&mut turn.term)));
    }

    /// The request in hand for a line of the log, and since when it has been there.
    pub(super) fn in_hand(&self) -> Option<(String, u64)> {
        self.turn.with(|stream, turn| stream.filter(|_| turn.since_us > 0).map(|_| (turn.told(), turn.since_us)))
    }

    /// Whether the thread has a request and was given up with it.
    pub(super) fn is_given_up(&self) -> bool {
        self.turn.with(|stream, turn| stream.is_some() && turn.term.is_given_up())
    }

    /// Does to a request what is due, if it still is: a struck one is answered with 504, or, where an answer has begun,
    /// the connection ends so that nobody takes that for whole, as far as this can be told.
    pub(super) fn strike(&self, due: Due, now_us: u64, grace_us: Option<u64>) -> Option<Overdue> {
        self.turn.with(|stream, turn| {
            let stream = stream.filter(|_| turn.term.due(now_us, grace_us) == due)?;
            turn.term.done(due, now_us, grace_us);
            let mut answered = false;
            if turn.term.is_struck() {
                self.struck.store(true, Ordering::Relaxed);
                answered = turn.end(stream);
            }
            Some(Overdue { about: turn.told(), took_us: now_us.saturating_sub(turn.since_us), answered })
        })
    }

    /// Wakes the thread if it waits for the kernel.
    pub fn nudge(&self) -> io::Result<()> {
        self.thread().map_or(Ok(()), ThreadId::nudge)
    }
}

impl Claim for Watch {
    fn begin_answer(&self, shows_end: bool) -> bool {
        if !self.armed.load(Ordering::Relaxed) {
            return true;
        }
        self.turn.with(|_, turn| {
            if turn.term.is_struck() {
                return false;
            }
            turn.answer = Answer::Begun { shows_end };
            true
        })
    }

    fn is_struck(&self) -> bool {
        Watch::is_struck(self)
    }
}

impl Turn {
    fn arm(&mut self, head: &RequestHead<'_>, now_us: u64) {
        self.since_us = now_us;
        self.about.clear();
        self.about.extend_from_slice(head.remote_addr());
        self.ends[0] = self.about.len();
        self.about.extend_from_slice(head.method_or_get().as_bytes());
        self.ends[1] = self.about.len();
        self.about.extend_from_slice(head.uri());
    }

    fn told(&self) -> String {
        let [address, method] = self.ends;
        let shown = |from, to| escape::value(self.about.get(from..to).unwrap_or_default());
        format!("{} - {} {}", shown(0, address), shown(address, method), shown(method, self.about.len()))
    }

    /// Ends the exchange in the thread's place. True: with an answer of ours.
    fn end(&mut self, stream: &Stream) -> bool {
        match (self.answer, self.manner) {
            (Answer::Open, Some(asked)) => {
                self.answer = Answer::Ours(send_timeout(stream, asked));
                true
            }
            (Answer::Begun { shows_end }, _) => {
                cut_off(stream, shows_end);
                false
            }
            (Answer::Ours(_), _) | (Answer::Open, None) => false,
        }
    }
}
