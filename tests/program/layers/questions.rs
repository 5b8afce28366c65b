//! What only few files may ask of the system: a clock, and how many descriptors there might be.
//!
//! Whatever is waited for and whatever is measured goes by the monotonic clock, so that a wall clock that is set, forwards or
//! back, ends nobody early and holds nobody up: it is asked only where people, files or other programs give or want its time.
//! (What becomes of crons then: the random clocks in `src/timetable/cron.rs`; what becomes of processes when the monotonic one
//! jumps: `src/master/machine/simulation.rs`.)

use super::imports;
use super::sources::{Source, sources};

/// Names of `src/sys/clock.rs` that stand for the wall clock, and the standard library's.
const WALL: &[&str] =
    &["epoch_us()", "by(epoch_us)", "epoch_s()", "coarse_epoch_s()", "utc_offset_s(", "SystemTime::now"];

/// Every file that asks it, and what for.
const ASKING: &[(&str, &str)] = &[
    ("config/host.rs", "%t and the like: when the start began"),
    ("collector/desk.rs", "stamps of lines"),
    ("emperor/telling.rs", "moments in its report"),
    ("exporter/mod.rs", "moments of its own metrics"),
    ("hooks.rs", "the date of a file that it touches"),
    ("log_places/mod.rs", "stamps of lines"),
    ("logging.rs", "stamps of lines, names of logs that are moved away"),
    ("master/acting.rs", "moments in the ledger that people read"),
    ("master/attendance.rs", "moments of metrics"),
    ("master/certificates.rs", "certificates are valid until some day"),
    ("master/crons.rs", "when a run began, for people; how long it may run is the monotonic clock's"),
    ("master/driver.rs", "when the instance began, for people"),
    ("master/load.rs", "moments in the record of decisions"),
    ("master/memories/mod.rs", "entries of caches are valid until some moment, also over a reboot"),
    ("master/orders.rs", "moments in a report"),
    ("master/rotation.rs", "names of logs that are moved away"),
    ("master/sight.rs", "the time of the week of a schedule"),
    ("master/signalling.rs", "the minutes of crons"),
    ("master/statistics/calendar.rs", "moments in a report"),
    ("master/statistics/telling.rs", "moments in a report"),
    ("master/subscribing/book.rs", "moments in signed announcements, each later than the one before"),
    ("pushing/mod.rs", "moments that carbon is told"),
    ("router/hearing.rs", "moments in signed announcements, each later than the one before"),
    ("router/rounds.rs", "the header Date, and when a request was whole, by which workers tell how long it has waited"),
    ("sys/ground.rs", "certificates are valid until some day"),
    ("sys/processes.rs", "when a process began, for people"),
    ("sys/time_zone.rs", "local time for people"),
    ("worker/attending.rs", "stamps of request lines"),
    ("worker/connection/serve.rs", "how long ago the web server took the request, by its stamp"),
    ("embedded/cache.rs", "entries of caches are valid until some moment"),
    ("spooling/look.rs", "tasks are dated by their files, whose times are those of the wall clock"),
    ("spooling/mod.rs", "the names of tasks, which have the time in them"),
    ("worker/offers/caches.rs", "entries of caches are valid until some moment"),
    ("worker/reply/manner.rs", "the header Date"),
    ("worker/routes/course.rs", "rules of routing that name the time"),
    ("worker/routes/ground.rs", "rules of routing that name the time, entries of caches"),
    ("worker/shedding.rs", "how long ago the web server took the request, by its stamp"),
    ("worker/spans.rs", "moments that collectors are told"),
    ("worker/statics/send.rs", "the headers Date and Expires, boundaries of parts"),
    ("worker/supervisor.rs", "when a request that is struck began, for people"),
    ("worker/tracing.rs", "ids that nobody else has"),
];

#[test]
fn clocks_are_read_in_one_file() {
    for source in sources("src").into_iter().filter(|source| source.path != "src/sys/clock.rs") {
        for word in ["clock_gettime", "Instant::now", "Timestamp::now", "Zoned::now"] {
            assert!(!imports(&source.code, word), "{} reads a clock: {word}", source.path);
        }
    }
}

#[test]
fn nothing_is_waited_for_by_a_clock_that_can_be_set() {
    let asking: Vec<String> = sources("src").into_iter().filter(asks).map(|source| source.path).collect();
    let known: Vec<String> = ASKING.iter().map(|(path, _)| format!("src/{path}")).collect();
    let unknown: Vec<&String> = asking.iter().filter(|path| !known.contains(path)).collect();
    assert!(unknown.is_empty(), "{unknown:?} ask the wall clock: deadlines are the monotonic one's; else a line here");
    let needless: Vec<&String> = known.iter().filter(|path| !asking.contains(path)).collect();
    assert!(needless.is_empty(), "{needless:?} do not ask the wall clock any more");
}

/// Who goes through all descriptors that there might be takes minutes where a container allows 2^30.
#[test]
fn how_many_descriptors_there_might_be_is_known_to_one_file() {
    let others = |source: &Source| source.path != "src/sys/resources.rs";
    for source in sources("src").into_iter().chain(sources("python/src")).filter(others) {
        for word in ["Resource::RLIMIT_NOFILE", "libc::RLIMIT_NOFILE", "_SC_OPEN_MAX", "getdtablesize"] {
            assert!(!source.code.contains(word), "{} asks for the limit of descriptors: {word}", source.path);
        }
    }
}

fn asks(source: &Source) -> bool {
    // A question to somebody who has asked it (`world.epoch_us()`) is none.
    let is_own = |word: &str| source.code.match_indices(word).any(|(at, _)| !source.code[..at].ends_with(['.', '_']));
    let defines = source.path == "src/sys/clock.rs" || source.code.contains("fn epoch_us(&self) -> u64;");
    !defines && WALL.iter().any(|word| is_own(word))
}
