//! Keeps `docs/PROTOCOL.md` equal to the code: numbers, errors, kinds, examples, and where each word is.

use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use testkit::recorded;
use worker_protocol::control::{self, FromWorker, FromZygote, LeaveReason, Message, ToWorker, ToZygote};
use worker_protocol::ids::{Generation, Life, ProcessId, Seat};
use worker_protocol::post::Post;
use worker_protocol::scoreboard::{self, Armed, Layout, Notice, Presence, Scoreboard, SeatOrder, Served, Share};
use worker_protocol::{Fault, head, pairs, response, rpc, uwsgi};

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PROTOCOL.md")
}

fn page() -> String {
    fs::read_to_string(path()).expect("the page is in the repository")
}

/// The rows of the table with this heading, cell by cell, in the section that begins with `section`.
fn table(section: &str, heading: &str) -> Vec<Vec<String>> {
    let page = page();
    let (_, rest) = page.split_once(section).unwrap_or_else(|| panic!("no {section:?}"));
    let (_, rows) = rest.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("no {heading:?}"));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    rows.lines().skip(1).take_while(|row| row.starts_with('|')).map(cells).collect()
}

#[test]
fn the_numbers_are_the_codes() {
    let limits = pairs::Limits::default();
    let code: Vec<(&str, u64)> = vec![
        ("control::VERSION", control::VERSION.into()),
        ("control::RECORD_BYTES", control::RECORD_BYTES as u64),
        ("control::TEXT_BYTES_MAX", control::TEXT_BYTES_MAX as u64),
        ("control::MESSAGE_BYTES_MAX", control::MESSAGE_BYTES_MAX as u64),
        ("control::DESCRIPTORS_MAX", control::DESCRIPTORS_MAX as u64),
        ("control::SETUP_DESCRIPTORS", control::SETUP_DESCRIPTORS as u64),
        ("control::SETUP_LISTENERS_MAX", control::SETUP_LISTENERS_MAX as u64),
        ("pairs::Limits::block_bytes_max", limits.block_bytes_max.into()),
        ("pairs::Limits::variables_max", limits.variables_max as u64),
        ("response::HEAD_BYTES_MAX", response::HEAD_BYTES_MAX as u64),
        ("rpc::ARGUMENTS_MAX", rpc::ARGUMENTS_MAX as u64),
        ("rpc::RESULT_BYTES_MAX", rpc::RESULT_BYTES_MAX as u64),
        ("scoreboard::BUCKETS", scoreboard::BUCKETS as u64),
        ("scoreboard::CORES_MAX", scoreboard::CORES_MAX.into()),
        ("scoreboard::DESCRIPTION_BYTES_MAX", scoreboard::DESCRIPTION_BYTES_MAX as u64),
        ("scoreboard::LINE_WORDS", scoreboard::LINE_WORDS as u64),
        ("scoreboard::SEATS_MAX", scoreboard::SEATS_MAX.into()),
        ("scoreboard::THREADS_MAX", scoreboard::THREADS_MAX.into()),
        ("uwsgi::HEADER_BYTES", uwsgi::HEADER_BYTES as u64),
        ("uwsgi::MODIFIER_REQUEST", uwsgi::MODIFIER_REQUEST.into()),
        ("uwsgi::MODIFIER_STRIP_SCRIPT_NAME", uwsgi::MODIFIER_STRIP_SCRIPT_NAME.into()),
        ("uwsgi::MODIFIER_PING", uwsgi::MODIFIER_PING.into()),
        ("uwsgi::MODIFIER_CACHE", uwsgi::MODIFIER_CACHE.into()),
        ("uwsgi::MODIFIER_RPC", uwsgi::MODIFIER_RPC.into()),
        ("uwsgi::PONG_WARNING_BYTES_MAX", uwsgi::PONG_WARNING_BYTES_MAX as u64),
    ];
    let rows: Vec<String> = code.iter().map(|(name, value)| format!("| `{name}` | {value} |")).collect();
    recorded::assert_rows(&path(), "## Numbers", "| name | value |", &rows);
}

#[test]
fn the_errors_are_the_codes() {
    let offset = 0;
    let uwsgi_errors = [
        uwsgi::Error::PlainHttp,
        uwsgi::Error::UnsupportedModifier { modifier1: 1 },
        uwsgi::Error::BlockTooLarge { announced: 2, block_bytes_max: 1 },
        uwsgi::Error::EmptyBlock,
    ];
    let pairs_errors = [
        pairs::Error::TooManyVariables { variables_max: 1 },
        pairs::Error::EmptyKey { offset },
        pairs::Error::KeyPastEnd { offset },
        pairs::Error::ValueMissing { offset },
        pairs::Error::ValuePastEnd { offset },
        pairs::Error::StrayByte { offset },
    ];
    let head_errors = [
        head::Error::MethodInvalid,
        head::Error::ContentLengthInvalid,
        head::Error::ContentLengthConflict { first: 1, second: 2 },
    ];
    let of_uwsgi = uwsgi_errors.iter().map(|error| row(error, error.status(), error.fault()));
    let of_pairs = pairs_errors.iter().map(|error| row(error, error.status(), uwsgi::Error::from(*error).fault()));
    let of_head = head_errors.iter().map(|error| row(error, error.status(), error.fault()));
    let rows: Vec<String> = of_uwsgi.chain(of_pairs).chain(of_head).collect();
    recorded::assert_rows(&path(), "## The web server's side: uwsgi", "| error | status | at fault |", &rows);
}

fn row(error: &impl Debug, status: u16, fault: Fault) -> String {
    format!("| `{}` | {status} | {} |", name(error), format!("{fault:?}").to_lowercase())
}

/// The name of an enum's variant.
fn name(value: &impl Debug) -> String {
    format!("{value:?}").chars().take_while(|letter| letter.is_alphanumeric()).collect()
}

/// What the page's table says of a message: kind, name, direction, whether it has a text, whether descriptors.
fn described<M: Message + Debug>(message: &M, direction: &str) -> (String, String, String, bool, bool) {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    let kind = u16::from_le_bytes([bytes[0], bytes[1]]).to_string();
    let has_text = bytes.len() > control::RECORD_BYTES;
    (kind, name(message), direction.to_owned(), has_text, message.descriptors() > 0)
}

#[test]
fn the_kinds_are_the_codes() {
    let (seat, text) = (Seat(0), || "text".to_owned());
    let pid = ProcessId::new(1).expect("positive");
    let to_zygote = [
        ToZygote::Setup { generation: Generation(1), seats: 1, threads: 1, listeners: 1 },
        ToZygote::Fork { seat, post: Post::worker(0), life: Life(1), nth: 1 },
        ToZygote::Stop,
        ToZygote::LogTo,
        ToZygote::Listeners { first: 125, count: 1 },
        ToZygote::Rest,
        ToZygote::Mailboxes { first: 0, count: 1 },
        ToZygote::Memories { first: 0, count: 1 },
    ];
    let from_zygote = [
        FromZygote::Loaded { boot_us: 1 },
        FromZygote::LoadFailed { exit_code: 1, text: text() },
        FromZygote::LiveThreads { count: 1, text: text() },
        FromZygote::Forked { seat, pid },
        FromZygote::ForkFailed { seat, errno: 1 },
        FromZygote::Exited { seat, pid, wait_status: 0 },
        FromZygote::NoApplication,
    ];
    let signal = ToWorker::Signal { number: 17 };
    let (log_to, certificates) = (ToWorker::LogTo, ToWorker::Certificates);
    let mold = ToWorker::Mold { generation: Generation(2) };
    let to_worker = [ToWorker::Retire, ToWorker::Pause, ToWorker::Resume, log_to, signal, certificates, mold];
    let from_worker = [
        FromWorker::Ready { boot_us: 1 },
        FromWorker::NotReady { exit_code: 1, text: text() },
        FromWorker::Leaving { reason: LeaveReason::Memory },
        FromWorker::AskReload,
        FromWorker::AskStop,
        FromWorker::AskCheap,
        FromWorker::NoApplication,
        FromWorker::Worn { reason: LeaveReason::Memory },
        FromWorker::Seasoned,
        FromWorker::Molded,
        FromWorker::NotMolded { text: text() },
    ];
    let code: Vec<_> = (to_zygote.iter().map(|message| described(message, "master → zygote")))
        .chain(from_zygote.iter().map(|message| described(message, "zygote → master")))
        .chain(to_worker.iter().map(|message| described(message, "master → worker")))
        .chain(from_worker.iter().map(|message| described(message, "worker → master")))
        .collect();
    let rows = table("## The master's side", "| kind | name | direction | fields | text | descriptors |");
    let written: Vec<_> = rows
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone(), row[2].clone(), row[4] == "yes", !row[5].is_empty()))
        .collect();
    assert_eq!(written, code);
}

#[test]
fn the_examples_are_valid() {
    let page = page();
    let examples: Vec<Vec<u8>> = page
        .lines()
        .filter(|line| line.len() == 3 * control::RECORD_BYTES - 1 && !line.contains('|'))
        .filter_map(|line| line.split(' ').map(|byte| u8::from_str_radix(byte, 16).ok()).collect())
        .collect();
    let [setup, exited] = examples.as_slice() else { panic!("{} examples", examples.len()) };
    let expected = ToZygote::Setup { generation: Generation(2), seats: 16, threads: 4, listeners: 1 };
    assert_eq!(ToZygote::decode(setup), Ok(expected));
    let pid = ProcessId::new(4242).expect("positive");
    assert_eq!(FromZygote::decode(exited), Ok(FromZygote::Exited { seat: Seat(5), pid, wait_status: 9 }));
}

#[test]
fn the_words_are_where_the_page_says() {
    let layout = Layout::new(2, 2).expect("within the limits");
    let words: Vec<AtomicU64> = (0..layout.words()).map(|_| AtomicU64::new(0)).collect();
    let board = Scoreboard::create(&words, layout).expect("big enough");
    let (worker, master) = (board.worker(Seat(1)).expect("a seat"), board.master(Seat(1)).expect("a seat"));
    worker.take(Life(9));
    master.set_order(SeatOrder::Retire, Life(9));
    worker.set_presence(Presence::Accepting);
    worker.set_boot_us(3);
    worker.set_memory(4, 5);
    worker.set_identity(6, Post::worker(7), 8);
    worker.set_look_due_us(Some(11));
    let core = worker.core(0).expect("a core");
    assert_eq!(board.capacity().arm(7), Armed::Waiting);
    assert!(!core.begin_request(10));
    core.count_wait(77);
    core.end_request(
        1_010,
        Served {
            sent_bytes: 600,
            statically: true,
            offloaded: true,
            exception: true,
            failed: true,
            write_error: true,
            read_error: false,
        },
    );
    assert!(!core.begin_request(5_000));
    board.use_seat(Seat(0));
    board.trial().begin(Generation(3), Share::of(1, 2));
    [2, 3, 3].into_iter().for_each(|number| board.trial().count(Generation(number)));
    let tellers = [board.notices(), board.notices()];
    assert_eq!(tellers.map(|one| one.is_news(Notice::UntrustedScheme)), [true, false]);

    let word_at = |byte: usize| words[byte / 8].load(Ordering::Relaxed);
    let capacity = 3 << 41 | 1 << 40 | 7 << 20 | 1;
    let stride_words = (128 + 6 * 64 * 2) / 8;
    let expected = [scoreboard::MAGIC, 2, 2, stride_words, 1, capacity, 1, 3 << 32 | 1 << 15, 3, 2];
    let heading = "| byte | written by | word |";
    assert_eq!(offsets(&table("## Shared memory", heading)).map(word_at).collect::<Vec<_>>(), expected);
    assert!(page().contains(&format!("{:#018x}", scoreboard::MAGIC)));

    let seat_start = 128 + stride_words as usize * 8;
    let (order, state) = (2 << 62 | 9, 2 << 62 | 5_000);
    let expected = [order, 9, 1, 3, 4, 5, 6, 8 << 32 | 7, 11, state, 1, 1, 1_000, 600, 77, 500, 1, 0, 1, 77, 1, 1, 1];
    let found = offsets(&table("A seat is", heading)).map(|byte| word_at(seat_start + byte)).collect::<Vec<_>>();
    assert_eq!(found, expected);
    // The third bucket of durations, up to a millisecond, and the first one of waits.
    assert_eq!([192 + 16, 320].map(|byte| word_at(seat_start + byte)), [1, 1]);
    core.describe_request([&b"GET\0"[..], b"/"]);
    let description = layout.figures_bytes() + 2 * 2_048;
    assert_eq!([0, 8].map(|byte| word_at(description + byte)), [2 << 32 | 5, u64::from_le_bytes(*b"GET\0/\0\0\0")]);
}

/// The first column of a table of words.
fn offsets(rows: &[Vec<String>]) -> impl Iterator<Item = usize> {
    rows.iter().map(|row| row[0].parse().expect("an offset"))
}
