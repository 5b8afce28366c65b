//! The control records: byte for byte, round trips, every truncated length, and whatever else may arrive.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use worker_protocol::control::{
    Error, FromWorker, FromZygote, LeaveReason, MESSAGE_BYTES_MAX, Message, RECORD_BYTES, TEXT_BYTES_MAX, ToWorker,
    ToZygote,
};
use worker_protocol::fuzz::exercise_control;
use worker_protocol::ids::{Generation, Life, ProcessId, Seat};
use worker_protocol::post::{Post, Role};

fn pid(id: i32) -> ProcessId {
    ProcessId::new(id).expect("positive")
}

fn encoded<M: Message>(message: &M) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

/// Whole, cut at every byte, and with a byte after it.
#[track_caller]
fn check<M: Message + PartialEq + Debug>(message: M, has_text: bool, descriptors: usize) {
    let bytes = encoded(&message);
    assert_eq!(M::decode(&bytes).as_ref(), Ok(&message));
    for bytes_there in 0..RECORD_BYTES {
        assert_eq!(M::decode(&bytes[..bytes_there]), Err(Error::Short { bytes: bytes_there }));
    }
    for bytes_there in RECORD_BYTES..bytes.len() {
        let cut = M::decode(&bytes[..bytes_there]).expect("a shorter text");
        assert_ne!(cut, message, "cut after {bytes_there} bytes");
    }
    let longer = M::decode(&[bytes.as_slice(), b"x"].concat());
    if has_text {
        assert!(longer.is_ok_and(|longer| longer != message));
    } else {
        assert!(matches!(longer, Err(Error::UnexpectedText { bytes: 1, .. })), "{longer:?}");
    }
    assert_eq!(message.descriptors(), descriptors);
}

#[test]
fn every_record_survives() {
    let text = || "Traceback:\n  ImportError: schön".to_owned();
    let (seat, post) = (Seat(u32::MAX), Post::worker(7));
    check(ToZygote::Setup { generation: Generation(3), seats: 16, threads: 4, listeners: 2 }, false, 5);
    check(ToZygote::Fork { seat, post, life: Life(u64::MAX), nth: u32::MAX }, false, 1);
    check(ToZygote::Fork { seat, post: Post { role: Role::Daemon, number: 1 }, life: Life(1), nth: 1 }, false, 1);
    check(ToZygote::Listeners { first: 125, count: 128 }, false, 128);
    check(ToZygote::Mailboxes { first: 64, count: 64 }, false, 128);
    check(ToZygote::Memories { first: 128, count: 2 }, false, 2);
    check(ToZygote::Stop, false, 0);
    check(ToZygote::LogTo, false, 1);
    check(ToZygote::Rest, false, 0);
    check(FromZygote::Loaded { boot_us: u64::MAX }, false, 0);
    check(FromZygote::LoadFailed { exit_code: -1, text: text() }, true, 0);
    check(FromZygote::LiveThreads { count: 2, text: text() }, true, 0);
    check(FromZygote::NoApplication, false, 0);
    check(FromZygote::Forked { seat, pid: pid(i32::MAX) }, false, 1);
    check(FromZygote::ForkFailed { seat, errno: 11 }, false, 0);
    check(FromZygote::Exited { seat, pid: pid(1), wait_status: i32::MIN }, false, 0);
    check(ToWorker::Retire, false, 0);
    check(ToWorker::Pause, false, 0);
    check(ToWorker::Resume, false, 0);
    check(ToWorker::LogTo, false, 1);
    check(ToWorker::Certificates, false, 1);
    check(ToWorker::Signal { number: 255 }, false, 0);
    check(FromWorker::Ready { boot_us: 0 }, false, 0);
    check(FromWorker::NotReady { exit_code: 22, text: text() }, true, 0);
    check(FromWorker::NotReady { exit_code: 22, text: String::new() }, true, 0);
    for reason in LeaveReason::ALL {
        check(FromWorker::Leaving { reason }, false, 0);
    }
    check(FromWorker::AskReload, false, 0);
    check(FromWorker::AskStop, false, 0);
    check(FromWorker::AskCheap, false, 0);
    check(FromWorker::NoApplication, false, 0);
    check(ToWorker::Mold { generation: Generation(7) }, false, 0);
    check(FromWorker::Seasoned, false, 0);
    check(FromWorker::Molded, false, 1);
    check(FromWorker::NotMolded { text: text() }, true, 0);
}

#[test]
fn records_byte_for_byte() {
    let setup = ToZygote::Setup { generation: Generation(0x0403_0201), seats: 0x100, threads: 2, listeners: 3 };
    let expected = [1, 0, 1, 0, 1, 2, 3, 4, 0, 1, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(encoded(&setup), expected);
    let exited = FromZygote::Exited { seat: Seat(5), pid: pid(258), wait_status: -2 };
    let expected =
        [21, 0, 1, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 254, 255, 255, 255, 0, 0, 0, 0];
    assert_eq!(encoded(&exited), expected);
    let failed = encoded(&FromZygote::LoadFailed { exit_code: 22, text: "no".to_owned() });
    assert_eq!((failed[0], failed[16], &failed[32..]), (17, 22, b"no".as_slice()));
}

#[test]
fn a_record_of_another_direction_or_version_is_refused() {
    let retire = encoded(&ToWorker::Retire);
    assert_eq!(FromWorker::decode(&retire), Err(Error::Kind(32)));
    assert_eq!(ToZygote::decode(&retire), Err(Error::Kind(32)));
    assert_eq!(FromZygote::decode(&retire), Err(Error::Kind(32)));
    assert_eq!(ToWorker::decode(&encoded(&ToZygote::Stop)), Err(Error::Kind(3)));
    let mut newer = retire;
    newer[2] = 2;
    assert_eq!(ToWorker::decode(&newer), Err(Error::Version(2)));
    let mut unknown = encoded(&FromZygote::LoadFailed { exit_code: 1, text: "text".to_owned() });
    unknown[1] = 0xff;
    assert_eq!(FromZygote::decode(&unknown), Err(Error::Kind(0xff11)), "the kind is looked at before the text");
}

/// Sets the field at `offset` of a message and reads it again.
fn with_field<M: Message>(message: &M, offset: usize, value: u64) -> Result<M, Error> {
    let mut bytes = encoded(message);
    bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    M::decode(&bytes)
}

#[test]
fn fields_out_of_range_are_refused() {
    let (a, b) = (16, 24);
    let forked = FromZygote::Forked { seat: Seat(0), pid: pid(1) };
    for value in [0, 0xffff_ffff, 0x8000_0000, 1 << 32] {
        assert_eq!(with_field(&forked, a, value), Err(Error::Field { kind: 19, field: "process id", value }));
    }
    let exited = FromZygote::Exited { seat: Seat(0), pid: pid(1), wait_status: 0 };
    let value = 1 << 32;
    assert_eq!(with_field(&exited, b, value), Err(Error::Field { kind: 21, field: "wait status", value }));
    let leaving = FromWorker::Leaving { reason: LeaveReason::Memory };
    for value in [0, 7] {
        assert_eq!(with_field(&leaving, a, value), Err(Error::Field { kind: 50, field: "reason", value }));
    }
    let fork = ToZygote::Fork { seat: Seat(0), post: Post::worker(1), life: Life(1), nth: 1 };
    let mut bytes = encoded(&fork);
    bytes[15] = 0xff;
    let value = 0xff00_0001;
    assert_eq!(ToZygote::decode(&bytes), Err(Error::Field { kind: 2, field: "post", value }), "no such role");
    let listeners = ToZygote::Listeners { first: 125, count: 1 };
    for value in [0, 129, 1 << 32] {
        assert_eq!(with_field(&listeners, b, value), Err(Error::Field { kind: 5, field: "count", value }));
    }
    let value = 1 << 32;
    let setup = ToZygote::Setup { generation: Generation(1), seats: 1, threads: 1, listeners: 1 };
    assert_eq!(with_field(&setup, a, value), Err(Error::Field { kind: 1, field: "threads", value }));
}

#[test]
fn any_number_of_listening_sockets_is_shared_out_over_records() {
    for (listeners, beside) in
        [(0, vec![3]), (1, vec![4]), (125, vec![128]), (126, vec![128, 1]), (300, vec![128, 128, 47])]
    {
        let records = ToZygote::set_up(Generation(2), 16, 4, listeners, 0, 0);
        let descriptors: Vec<usize> = records.iter().map(Message::descriptors).collect();
        assert_eq!(descriptors, beside, "{listeners} sockets");
        let setup = ToZygote::Setup { generation: Generation(2), seats: 16, threads: 4, listeners };
        assert_eq!(records[0], setup);
        let mut next = listeners.min(125);
        for record in &records[1..] {
            let ToZygote::Listeners { first, count } = record else { panic!("{record:?}") };
            assert_eq!(*first, next);
            next += count;
        }
        assert_eq!(next, listeners);
    }
}

#[test]
fn shared_memories_follow_in_records_of_their_own() {
    let follow = |listeners, memories| ToZygote::set_up(Generation(2), 16, 4, listeners, 0, memories).split_off(1);
    assert_eq!(follow(1, 2), [ToZygote::Memories { first: 0, count: 2 }]);
    let (first, second) = (ToZygote::Memories { first: 0, count: 128 }, ToZygote::Memories { first: 128, count: 2 });
    assert_eq!(follow(126, 130), [ToZygote::Listeners { first: 125, count: 1 }, first, second]);
}

#[test]
fn of_a_long_text_the_end_is_sent() {
    for (text, expected_bytes) in [
        ("x".repeat(TEXT_BYTES_MAX) + "the error", TEXT_BYTES_MAX),
        ("ü".repeat(TEXT_BYTES_MAX) + "the error", TEXT_BYTES_MAX - 1),
        ("x".repeat(TEXT_BYTES_MAX), TEXT_BYTES_MAX),
    ] {
        let bytes = encoded(&FromWorker::NotReady { exit_code: 1, text: text.clone() });
        assert_eq!(bytes.len(), RECORD_BYTES + expected_bytes);
        assert!(text.as_bytes().ends_with(&bytes[RECORD_BYTES..]));
        assert!(std::str::from_utf8(&bytes[RECORD_BYTES..]).is_ok(), "no character is cut in two");
    }
}

#[test]
fn a_text_that_is_too_long_is_refused_and_one_that_is_not_utf8_repaired() {
    let mut bytes = encoded(&FromWorker::NotReady { exit_code: 1, text: String::new() });
    bytes.extend_from_slice(b"a\xffb");
    let repaired = FromWorker::NotReady { exit_code: 1, text: "a\u{fffd}b".to_owned() };
    assert_eq!(FromWorker::decode(&bytes), Ok(repaired));
    bytes.resize(MESSAGE_BYTES_MAX + 1, b'x');
    assert_eq!(FromWorker::decode(&bytes), Err(Error::TextTooLong { bytes: TEXT_BYTES_MAX + 1 }));
}

#[test]
fn ids_as_people_see_them() {
    let daemon = Post { role: Role::Daemon, number: 3 };
    assert_eq!([Post::worker(2).to_string(), daemon.to_string()], ["worker 2", "daemon 3"]);
    assert_eq!([Seat(0).to_string(), Generation(2).to_string(), pid(42).to_string()], ["0", "2", "42"]);
    assert_eq!([ProcessId::new(0), ProcessId::new(-1)], [None, None], "kill(0) and kill(-1) mean everyone");
}

#[test]
fn the_committed_corpus_does_no_harm() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/control_record");
    let mut files = 0;
    for entry in fs::read_dir(corpus).expect("the corpus is committed") {
        exercise_control(&fs::read(entry.expect("readable").path()).expect("readable"));
        files += 1;
    }
    assert!(files >= 20, "only {files} files");
}

proptest! {
    #[test]
    fn no_bytes_panic(kind in 0u16..60, rest in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut bytes = [kind.to_le_bytes(), 1u16.to_le_bytes()].concat();
        bytes.extend(rest);
        exercise_control(&bytes);
    }
}
