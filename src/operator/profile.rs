//! `rhinod profile`: looks again and again where the workers' threads are, and counts what it sees. The operator's process only.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

use super::asking::{ReadPlaces, failure};
use super::workers::{Closed, FORBIDDEN, Looking, PythonProcess};
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::stacks::{Flames, Frame, Thread};
use crate::sys::clock::monotonic_us;

/// How often it looks.
const EVERY_US: u64 = 10_000;

/// How often it asks who the workers are.
const WHO_EVERY_US: u64 = 1_000_000;

/// How often the calls of a thread that goes on meanwhile are read again.
const ATTEMPTS: u32 = 5;

/// How the server's own code in an interpreter is called, which stands below the application's.
const OWN_CODE: &str = "<string>";

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    flames: Flames,
    idle: u64,
    blurred: u64,
}

/// Looks for a time, then draws or prints what it has seen.
///
/// # Errors
/// When there is no such instance, none of its workers can be read, or the picture cannot be written.
pub(super) fn run(
    word: &OsStr,
    time: Duration,
    picture: Option<&Path>,
    places: ReadPlaces<'_>,
) -> Result<Exit, StartFailure> {
    let looking = Looking::at(word, places)?;
    let begun_us = monotonic_us();
    let end_us = begun_us.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    let mut seen = Seen::default();
    let mut workers = BTreeMap::new();
    let (mut who_us, mut next_us) = (0, begun_us);
    while monotonic_us() < end_us {
        if monotonic_us() >= who_us {
            renew(&mut workers, &looking)?;
            who_us = monotonic_us().saturating_add(WHO_EVERY_US);
        }
        for worker in workers.values_mut() {
            worker.threads(ATTEMPTS).iter().for_each(|thread| seen.take(thread));
        }
        // What is late by more than one look is left out, not made up for.
        next_us = next_us.saturating_add(EVERY_US).max(monotonic_us().saturating_sub(EVERY_US));
        std::thread::sleep(Duration::from_micros(next_us.saturating_sub(monotonic_us())));
    }
    let took_us = monotonic_us().saturating_sub(begun_us);
    match picture {
        Some(path) => {
            let title = format!("{} for {} s: {}", word.display(), time.as_secs(), seen.counts());
            let cannot = |error: io::Error| failure(Exit::Create, format!("cannot write {}: {error}", path.display()));
            std::fs::write(path, seen.flames.svg(&title)).map_err(cannot)?;
        }
        // A reader that has gone (`| head`) is no error of ours.
        None => drop(io::stdout().write_all(seen.flames.folded().as_bytes())),
    }
    let told = format!("{}; {}", seen.counts(), cost(own_processor_us(), took_us));
    let _ = writeln!(io::stderr(), "{told}");
    Ok(Exit::Success)
}

/// Finds the interpreters of workers that are new, and forgets those that have gone.
fn renew(known: &mut BTreeMap<i32, PythonProcess>, looking: &Looking) -> Result<(), StartFailure> {
    let brief = looking.workers()?;
    let is_there = |pid: &i32| brief.workers.iter().any(|worker| worker.pid == *pid);
    known.retain(|pid, _| is_there(pid));
    let mut why = None;
    for worker in brief.workers.iter().filter(|worker| worker.pid > 0) {
        if known.contains_key(&worker.pid) {
            continue;
        }
        match PythonProcess::of(worker.pid) {
            Ok(process) => drop(known.insert(worker.pid, process)),
            Err(Closed::Forbidden) => return Err(failure(Exit::Permission, FORBIDDEN.to_owned())),
            Err(Closed::Why(told)) => why = Some(format!("worker {}: {told}", worker.number)),
            Err(Closed::NoPython) => why = Some("its workers run no Python".to_owned()),
            Err(Closed::Gone) => {}
        }
    }
    match why {
        Some(why) if known.is_empty() => Err(failure(Exit::NoInstance, why)),
        _ => Ok(()),
    }
}

impl Seen {
    fn take(&mut self, thread: &Thread) {
        let application = thread.frames.iter().rev().skip_while(|frame| &*frame.file == OWN_CODE);
        let calls: Vec<String> = application.map(name).collect();
        if calls.is_empty() {
            self.idle += 1;
            return;
        }
        self.blurred += u64::from(thread.is_blurred);
        self.flames.add(calls.iter().map(String::as_str));
    }

    fn counts(&self) -> String {
        let Self { flames, idle, blurred } = self;
        let seen = flames.seen();
        format!(
            "{seen} samples ({blurred} of them blurred: their last calls may be of different moments), {idle} of idle threads"
        )
    }
}

/// A call as it stands in the picture.
fn name(frame: &Frame) -> String {
    format!("{} ({})", frame.function, frame.file)
}

/// What looking took of the machine.
fn cost(processor_us: u64, took_us: u64) -> String {
    let percent = processor_us as f64 * 100.0 / took_us.max(1) as f64;
    format!("looking took {} ms on a processor, {percent:.1} % of one; no worker was stopped", processor_us / 1_000)
}

/// What this process has had of processors.
fn own_processor_us() -> u64 {
    let us = |time: nix::sys::time::TimeVal| {
        u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec()).unwrap_or(0)
    };
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| us(usage.user_time()) + us(usage.system_time()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(calls: &[(&str, &str)], is_blurred: bool) -> Thread {
        let frame =
            |(function, file): &(&str, &str)| Frame { function: (*function).into(), file: (*file).into(), line: None };
        let frames = calls.iter().rev().map(frame).collect();
        Thread { kernel: None, identifier: 1, frames, is_deeper: false, is_blurred }
    }

    #[test]
    fn threads_that_wait_for_a_request_do_not_count() {
        let mut seen = Seen::default();
        let own = ("<module>", OWN_CODE);
        seen.take(&thread(&[own], false));
        seen.take(&thread(&[], false));
        seen.take(&thread(&[own, ("application", "web.py"), ("made", OWN_CODE)], true));
        assert_eq!(seen.flames.folded(), "application (web.py);made (<string>) 1\n");
        assert_eq!((seen.idle, seen.blurred), (2, 1));
    }

    #[test]
    fn what_looking_took_is_a_share_of_the_time() {
        assert_eq!(cost(25_000, 1_000_000), "looking took 25 ms on a processor, 2.5 % of one; no worker was stopped");
    }
}
