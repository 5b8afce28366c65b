//! `rhinod stacks`: where each thread of each worker is now. The operator's process only.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use super::asking::{ReadPlaces, failure};
use super::workers::{Closed, FORBIDDEN, Looking, PythonProcess};
use crate::escape::value;
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::stacks::{Frame, Thread};
use crate::stats::BriefWorker;
use crate::sys::foreign::{Foreign, KernelThread};

/// How often the calls of a thread that goes on meanwhile are read again.
const ATTEMPTS: u32 = 20;

/// Prints the stacks of all workers.
///
/// # Errors
/// When there is no such instance, or who asks may not look into a worker.
pub(super) fn run(word: &OsStr, places: ReadPlaces<'_>) -> Result<Exit, StartFailure> {
    let brief = Looking::at(word, places)?.workers()?;
    let mut forbidden = false;
    for worker in brief.workers.iter().filter(|worker| worker.pid > 0) {
        let process = PythonProcess::of(worker.pid);
        forbidden |= matches!(process, Err(Closed::Forbidden));
        say(&stacks_of(worker, process));
    }
    if forbidden {
        return Err(failure(Exit::Permission, FORBIDDEN.to_owned()));
    }
    say(&ending(&brief.workers, brief.there));
    Ok(Exit::Success)
}

fn say(text: &str) {
    // A reader that has gone (`| head`) is no error of ours.
    let _ = writeln!(io::stdout(), "{text}");
}

/// What is not shown.
fn ending(told: &[BriefWorker], there: u32) -> String {
    let there = usize::try_from(there).unwrap_or(usize::MAX);
    let left_out = there.saturating_sub(told.iter().filter(|worker| worker.pid > 0).count());
    let others = if left_out > 0 { format!("; {left_out} more workers") } else { String::new() };
    format!("Not shown: calls of code that is not Python{others}.")
}

/// The stacks of one worker: what the kernel knows, and what its interpreter does, if that can be read.
fn stacks_of(worker: &BriefWorker, process: Result<PythonProcess, Closed>) -> String {
    let headline = headline(worker);
    let Ok(kernel) = Foreign::of(worker.pid).threads() else { return format!("{headline}: it has ended") };
    let (about, threads) = match process {
        Ok(mut process) => {
            let (major, minor) = process.python;
            (format!("Python {major}.{minor}"), process.threads_among(&kernel, ATTEMPTS))
        }
        Err(Closed::NoPython) => ("no Python".to_owned(), Vec::new()),
        Err(Closed::Gone) => return format!("{headline}: it has ended"),
        Err(Closed::Forbidden) => ("its memory may not be read".to_owned(), Vec::new()),
        Err(Closed::Why(why)) => (why, Vec::new()),
    };
    format!("{headline}, {about}\n{}", body(&kernel, &threads))
}

fn headline(worker: &BriefWorker) -> String {
    let mut line = format!("worker {}, process {}, {}", worker.number, worker.pid, worker.state);
    for busy in &worker.busy {
        // What it is about is known where `stats` is configured.
        let request = if busy.request.is_empty() { "a request".to_owned() } else { value(busy.request.as_bytes()) };
        let _ = write!(line, ", {request} for {} s", busy.since_s);
    }
    line
}

/// Every thread of the kernel's with its calls; behind them those of which the kernel's number is not known.
fn body(kernel: &[KernelThread], threads: &[Thread]) -> String {
    let mut text = String::new();
    for thread in kernel {
        let _ = writeln!(text, "  thread {} ({}), {}", thread.number, value(thread.name.as_bytes()), doing(thread));
        if let Some(known) = threads.iter().find(|known| known.kernel == Some(thread.number)) {
            push_calls(&mut text, known);
        }
    }
    let is_there = |known: &&Thread| kernel.iter().any(|thread| known.kernel == Some(thread.number));
    for known in threads.iter().filter(|known| !is_there(known)) {
        let _ = writeln!(text, "  thread with the identifier {:#x}", known.identifier);
        push_calls(&mut text, known);
    }
    text.truncate(text.trim_end().len());
    text
}

fn doing(thread: &KernelThread) -> String {
    let state = match thread.state {
        'R' => "running",
        'S' => "sleeping",
        'D' => "waiting for a device",
        'T' | 't' => "stopped",
        'Z' | 'X' => "ended",
        _ => "in a state of the kernel's own",
    };
    match &thread.waits_in {
        Some(place) => format!("{state} in {}", value(place.as_bytes())),
        None => state.to_owned(),
    }
}

/// The calls of a thread as Python tells them: the innermost last.
fn push_calls(text: &mut String, thread: &Thread) {
    if thread.is_deeper {
        text.push_str("    … more calls\n");
    }
    for Frame { function, file, line } in thread.frames.iter().rev() {
        let (function, file) = (value(function.as_bytes()), value(file.as_bytes()));
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        let _ = writeln!(text, "    File \"{file}\"{line}, in {function}");
    }
    if thread.is_blurred {
        text.push_str("    (it ran meanwhile: the last calls may be of different moments)\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(number: i32, waits_in: Option<&str>) -> KernelThread {
        KernelThread { number, name: "python3".to_owned(), state: 'S', waits_in: waits_in.map(str::to_owned) }
    }

    fn thread(kernel: Option<i32>) -> Thread {
        let frame = |function: &str, line| Frame { function: function.into(), file: "/srv/a\u{1b}.py".into(), line };
        let frames = vec![frame("inner", Some(7)), frame("outer", None)];
        Thread { kernel, identifier: 0x70, frames, is_deeper: false, is_blurred: kernel.is_none() }
    }

    #[test]
    fn each_thread_stands_with_its_calls_and_nothing_moves_a_cursor() {
        let text = body(&[kernel(8, Some("futex_do_wait")), kernel(9, None)], &[thread(Some(8)), thread(None)]);
        let expected = "  thread 8 (python3), sleeping in futex_do_wait\n\
            \x20   File \"/srv/a\\x1b.py\", in outer\n\
            \x20   File \"/srv/a\\x1b.py\", line 7, in inner\n\
            \x20 thread 9 (python3), sleeping\n\
            \x20 thread with the identifier 0x70\n\
            \x20   File \"/srv/a\\x1b.py\", in outer\n\
            \x20   File \"/srv/a\\x1b.py\", line 7, in inner\n\
            \x20   (it ran meanwhile: the last calls may be of different moments)";
        assert_eq!(text, expected);
    }

    #[test]
    fn workers_that_are_not_told_of_are_counted() {
        let worker = |pid| BriefWorker { pid, ..BriefWorker::default() };
        assert_eq!(ending(&[worker(7), worker(0)], 3), "Not shown: calls of code that is not Python; 2 more workers.");
        assert_eq!(ending(&[worker(7)], 1), "Not shown: calls of code that is not Python.");
    }
}
