//! What a command asks of a master that lives, and how the answer is heard: within a time, whatever comes. The operator's process
//! only.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use worker_protocol::ids::ProcessId;

use super::instance::Places;
use super::line;
use super::progress::{Progress, SHOWN_EVERY};
#[cfg(feature = "cli")]
use super::words::REPORT;
use super::words::{DONE, FAILED, PROGRESS, Standing};
use crate::exit::Exit;
use crate::failure::StartFailure;
#[cfg(feature = "cli")]
use crate::stats::Brief;
use crate::sys::clock::monotonic_us;
use crate::sys::process::PidFd;
use crate::sys::processes::facts;
use crate::sys::wait::{Interest, wait_ready};

/// How long a master may take to answer what it can answer at once, and a reload before it is asked whether there still
/// is one.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Longest answer that is read.
pub(super) const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How often a question may be put anew because a master that others keep busy has hung up before it was read.
const CROWDED_OUT_MAX: u32 = 100;

/// How the places are read that a configuration names.
pub(super) type ReadPlaces<'a> = &'a dyn Fn(&Path) -> Result<Places, StartFailure>;

pub(super) fn understood(master: &Master<'_>, told: &str) -> Result<Standing, StartFailure> {
    serde_json::from_str(told).map_err(|error| {
        let Master { pid, named, .. } = master;
        let message = format!("process {} of {named} is of another version of rhinod: {error}: {told}", pid.get());
        failure(Exit::NoInstance, message)
    })
}

/// What an instance tells of itself for `top`.
#[cfg(feature = "cli")]
pub(super) fn brief_in(told: &[u8], named: &str) -> Result<Brief, StartFailure> {
    serde_json::from_slice(told)
        .map_err(|error| failure(Exit::NoInstance, format!("{named} is of another version of rhinod: {error}")))
}

/// Takes in what comes until the answer is over; false if it is not within the time, however often something comes.
fn hear(stream: &mut UnixStream, answer: &mut Vec<u8>, within: Duration) -> io::Result<bool> {
    let deadline_us = monotonic_us().saturating_add(u64::try_from(within.as_micros()).unwrap_or(u64::MAX));
    let mut bytes = [0; 4_096];
    loop {
        let left_us = deadline_us.saturating_sub(monotonic_us());
        if left_us == 0 || !wait_ready(stream, Interest::Readable, left_us)? {
            return Ok(false);
        }
        match stream.read(&mut bytes)? {
            0 => return Ok(true),
            length if answer.len() + length > ANSWER_BYTES_MAX => {
                return Err(io::Error::other(format!("its answer is longer than {ANSWER_BYTES_MAX} bytes")));
            }
            length => answer.extend_from_slice(&bytes[..length]),
        }
    }
}

/// Whether a connection was closed without having been read: what was said there has had no effect.
fn was_not_heard(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// A master that lives.
pub(super) struct Master<'a> {
    pid: ProcessId,
    named: &'a str,
    owner: u32,
    pub(super) process: PidFd,
    patience: Duration,
}

impl<'a> Master<'a> {
    pub(super) fn of(pid: ProcessId, named: &'a str, owner: u32) -> Result<Self, StartFailure> {
        // Also proves that the process lives, so that a stale pid file is told apart from a refusal.
        let process = PidFd::open(pid).map_err(|error| does_not_answer(pid, named, &error))?;
        Ok(Self { pid, named, owner, process, patience: ANSWER_WITHIN })
    }

    /// Sends one word and waits for what comes of it: the rest of the answer's line.
    pub(super) fn ask(&self, word: &str) -> Result<String, StartFailure> {
        // It may quote the application.
        let answer = self.answer_to(word)?;
        let answer = crate::escape::said(&String::from_utf8_lossy(&answer));
        self.outcome(word, answer.trim_end()).map(str::to_owned)
    }

    /// The same for an answer that programs read.
    #[cfg(feature = "cli")]
    fn hear_of(&self, word: &str) -> Result<Vec<u8>, StartFailure> {
        let answer = self.answer_to(word)?;
        let answer = String::from_utf8_lossy(&answer);
        self.outcome(word, answer.trim_end()).map(|told| told.as_bytes().to_vec())
    }

    /// All that `top` shows of it.
    #[cfg(feature = "cli")]
    pub(super) fn brief(&self) -> Result<Brief, StartFailure> {
        brief_in(&self.hear_of(REPORT)?, self.named)
    }

    fn answer_to(&self, word: &str) -> Result<Vec<u8>, StartFailure> {
        let gone = |error: io::Error| match was_not_heard(&error) && self.is_of_another_user() {
            true => self.refuses(),
            false => does_not_answer(self.pid, self.named, &error),
        };
        let mut crowded_out = 0;
        let mut stream = self.put(word, &mut crowded_out).map_err(gone)?;
        let mut answer = Vec::new();
        let mut goes_on = word == "reload";
        let progress = if goes_on { Progress::on_terminal() } else { None };
        loop {
            match self.hear_beside(progress.as_ref(), &mut stream, &mut answer) {
                Ok(true) => return Ok(answer),
                Ok(false) if !goes_on => {
                    return Err(gone(io::Error::other(format!("no answer to {word} within {:?}", self.patience))));
                }
                // A reload takes as long as the application takes to load; everything else is answered at once. One that
                // has ended just now is answered already, so that it is heard once more.
                Ok(false) => goes_on = self.standing()?.reloading,
                Err(error) if was_not_heard(&error) && crowded_out < CROWDED_OUT_MAX => {
                    crowded_out += 1;
                    stream = self.put(word, &mut crowded_out).map_err(gone)?;
                }
                Err(error) => return Err(gone(error)),
            }
        }
    }

    /// Hears for as long as the master has patience, and shows meanwhile how far it is.
    fn hear_beside(
        &self,
        progress: Option<&Progress>,
        stream: &mut UnixStream,
        answer: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let Some(progress) = progress else { return hear(stream, answer, self.patience) };
        let until_us = monotonic_us().saturating_add(u64::try_from(self.patience.as_micros()).unwrap_or(u64::MAX));
        while !hear(stream, answer, SHOWN_EVERY)? {
            if monotonic_us() >= until_us {
                return Ok(false);
            }
            // Masters of other versions do not tell.
            if let Ok(told) = self.ask(PROGRESS) {
                progress.show(&told);
            }
        }
        Ok(true)
    }

    /// Connects and says the word, again where others were let in instead.
    fn put(&self, word: &str, crowded_out: &mut u32) -> io::Result<UnixStream> {
        loop {
            let mut stream = line::connect(self.pid, self.owner)?;
            match stream.write_all(format!("{word}\n").as_bytes()) {
                Err(error) if was_not_heard(&error) && *crowded_out < CROWDED_OUT_MAX => *crowded_out += 1,
                said => return said.map(|()| stream),
            }
        }
    }

    /// What an answer says.
    fn outcome<'t>(&self, word: &str, answer: &'t str) -> Result<&'t str, StartFailure> {
        match answer.split_once(' ').unwrap_or((answer, "")) {
            (DONE, told) => Ok(told),
            (FAILED, why) => Err(failure(Exit::Reload, format!("{word} failed: {why}"))),
            _ if self.is_of_another_user() => Err(self.refuses()),
            _ => {
                let message = format!("the instance went away before it said what came of the {word}");
                Err(failure(Exit::NoInstance, message))
            }
        }
    }
}

impl Master<'_> {
    /// How it is doing, by its own account.
    fn standing(&self) -> Result<Standing, StartFailure> {
        understood(self, &self.ask("status")?)
    }

    /// Whether it listens to others only: to its own user and to root.
    fn is_of_another_user(&self) -> bool {
        let own = nix::unistd::Uid::effective();
        !own.is_root() && facts(self.pid.get()).is_some_and(|facts| facts.user != own.as_raw())
    }

    fn refuses(&self) -> StartFailure {
        let user = facts(self.pid.get()).map_or(0, |facts| facts.user);
        let name = nix::unistd::User::from_uid(user.into()).ok().flatten().map_or(user.to_string(), |user| user.name);
        let who = if user == 0 { "root".to_owned() } else { format!("{name} or as root") };
        let message = format!("process {} of {} belongs to {name}: run this as {who}", self.pid.get(), self.named);
        failure(Exit::Permission, message)
    }
}

fn does_not_answer(pid: ProcessId, named: &str, error: &io::Error) -> StartFailure {
    failure(Exit::NoInstance, format!("process {} of {named} does not answer: {error}", pid.get()))
}

pub(super) fn failure(exit: Exit, message: String) -> StartFailure {
    StartFailure::new(exit, message)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use nix::unistd::getuid;

    use super::*;
    use crate::operator::words::{State, UpOf, Workers, address_of, name_of};

    fn standing(reloading: bool) -> String {
        let standing = Standing {
            state: State::Serving,
            pid: 7,
            generation: 1,
            workers: Workers { wanted: 1, ready: 1, starting: 0, leaving: 0 },
            daemons: UpOf::default(),
            mules: UpOf::default(),
            spoolers: UpOf::default(),
            paused: false,
            no_application: false,
            reloading,
            last_reload_failed: None,
            left_as_it_was: None,
            canary: None,
            memory: None,
        };
        format!("{DONE} {}\n", serde_json::to_string(&standing).expect("plain data"))
    }

    /// Answers in the place of a master: nothing at all where there are no words. Whom it has not answered it keeps.
    fn answer(listener: &UnixListener, words: &[Option<String>]) -> Vec<UnixStream> {
        let mut unanswered = Vec::new();
        for answer in words {
            let (mut stream, _) = listener.accept().expect("a question");
            let _ = stream.read(&mut [0; 64]).expect("a question");
            match answer {
                Some(text) => stream.write_all(text.as_bytes()).expect("an answer"),
                None => unanswered.push(stream),
            }
        }
        unanswered
    }

    /// One test, since a process has one such name.
    #[test]
    fn nobody_waits_for_a_master_that_does_not_answer_nor_for_a_reload_that_is_none() {
        let own = ProcessId::new(std::process::id().cast_signed()).expect("a process");
        let listener = UnixListener::bind_addr(&address_of(&name_of(own.get().unsigned_abs()).unwrap()).unwrap());
        let listener = listener.expect("the name is free");
        let patience = Duration::from_millis(700);
        let master = Master { patience, ..Master::of(own, "app.pid", getuid().as_raw()).unwrap() };
        let asked = |word: &str, words: &[Option<String>]| {
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| answer(&listener, words));
                let told = master.ask(word).map_err(|failure| failure.message);
                drop(waiting.join().expect("nobody fails there"));
                told
            })
        };
        let refusal = |word: &str, words: &[Option<String>]| {
            let message = asked(word, words).expect_err("there is no answer");
            message.rsplit_once(": ").map(|(_, why)| why.to_owned()).unwrap_or(message)
        };
        assert_eq!(refusal("stop", &[None]), "no answer to stop within 700ms");
        assert_eq!(refusal("reload", &[None, None]), "no answer to status within 700ms");
        let none = "no answer to reload within 700ms";
        assert_eq!(refusal("reload", &[None, Some(standing(false))]), none);
        assert_eq!(refusal("reload", &[None, Some(standing(true)), Some(standing(false))]), none);
        let told = asked("reload", &[Some(format!("{DONE} generation 2\n"))]);
        assert_eq!(told, Ok("generation 2".to_owned()));
        // Others take its place before it is heard, and it comes again.
        let told = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (unread, _) = listener.accept().expect("a question");
                assert!(wait_ready(&unread, Interest::Readable, 30_000_000).expect("poll"), "it asks");
                drop(unread);
                answer(&listener, &[Some(format!("{DONE} paused\n"))]);
            });
            master.ask("pause").map_err(|failure| failure.message)
        });
        assert_eq!(told, Ok("paused".to_owned()));
    }
}
