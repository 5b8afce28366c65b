//! `rhinod top`: an instance on a terminal, looked at once a second, with keys that have it do something. `history` and `draw`
//! decide what is seen; `source` asks the instance, `screen` has the terminal. A process of its own, which ends with a key.

mod draw;
mod history;
mod screen;
mod source;

use std::ffi::OsStr;
use std::sync::mpsc;
use std::time::Duration;

use self::draw::draw;
use self::history::History;
use self::screen::Screen;
use self::source::Source;
use super::asking::{ReadPlaces, failure};
use super::words::{FEWER, MORE};
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::sys::clock::monotonic_us;

/// How often it looks.
const EVERY_US: u64 = 1_000_000;

/// How often it sees whether an order has been carried out.
const GLANCE_US: u64 = 100_000;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Quit,
    Order(&'static str),
    PauseOrResume,
}

/// Shows an instance until a key ends it.
///
/// # Errors
/// When there is no such instance, or no terminal.
pub(super) fn run(word: &OsStr, places: ReadPlaces<'_>) -> Result<Exit, StartFailure> {
    let source = Source::find(word, places)?;
    let mut history = History::default();
    // Whom nobody can look at is told of before the terminal changes.
    history.take(source.look()?);
    let terminal = |error: std::io::Error| StartFailure::system("draw on the terminal", &error);
    let Some(screen) = Screen::open().map_err(terminal)? else {
        return Err(failure(Exit::Usage, "top draws on a terminal; programs have `status` and `metrics`".to_owned()));
    };
    let (told, outcomes) = mpsc::channel();
    loop {
        let next_us = monotonic_us().saturating_add(EVERY_US);
        while let Some(left_us) = next_us.checked_sub(monotonic_us()).filter(|left_us| *left_us > 0) {
            history.note = outcomes.try_iter().last().unwrap_or(std::mem::take(&mut history.note));
            let (rows, columns) = screen.size();
            screen.show(&draw(&history, rows, columns, &clock)).map_err(terminal)?;
            match screen.key(Duration::from_micros(left_us.min(GLANCE_US))).map_err(terminal)?.and_then(meaning) {
                Some(Key::Quit) => return Ok(Exit::Success),
                Some(Key::Order(what)) => order(&source, what, &told, &mut history),
                Some(Key::PauseOrResume) => {
                    let paused = history.last.as_ref().is_some_and(|last| last.readiness == "paused");
                    order(&source, if paused { "resume" } else { "pause" }, &told, &mut history);
                }
                None => {}
            }
        }
        match source.look() {
            Ok(brief) => history.take(brief),
            Err(failure) => history.lose(failure.message),
        }
    }
}

fn meaning(key: u8) -> Option<Key> {
    const CTRL_C: u8 = 3;
    Some(match key {
        b'q' | b'Q' | CTRL_C => Key::Quit,
        b'r' => Key::Order("reload"),
        b'+' => Key::Order(MORE),
        b'-' => Key::Order(FEWER),
        b'p' => Key::PauseOrResume,
        _ => return None,
    })
}

/// Has the instance do something; a thread waits for the answer, since a reload takes as long as the application does.
fn order(source: &Source, what: &'static str, told: &mpsc::Sender<String>, history: &mut History) {
    history.note = format!("{what} …");
    let (source, told) = (source.clone(), told.clone());
    std::thread::spawn(move || {
        // Who has ended meanwhile wants no answer.
        let _ = told.send(source.order(what));
    });
}

/// A moment of the epoch, to the millisecond.
fn clock(us: u64) -> String {
    format!("{}.{:03}", crate::logging::format_local("%H:%M:%S", us), us / 1_000 % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_shown_mean_something() {
        assert_eq!(meaning(b'r'), Some(Key::Order("reload")));
        assert_eq!((meaning(b'+'), meaning(b'-')), (Some(Key::Order(MORE)), Some(Key::Order(FEWER))));
        assert_eq!((meaning(b'p'), meaning(3), meaning(b'x')), (Some(Key::PauseOrResume), Some(Key::Quit), None));
    }
}
