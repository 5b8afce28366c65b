//! Frames that are nearly right, from clients that nobody knows.

use super::{MOST, events, frame};
use crate::websocket::Event;
use testkit::mutation::{mutate, try_mutants};
use testkit::seeds::Seeds;

/// Each kind of frame, and each form of a length; a long one now and then, since it comes in many pieces.
fn originals() -> Vec<Vec<u8>> {
    let parts = [frame(false, 1, "größer".as_bytes()), frame(true, 9, b"there?"), frame(true, 0, "als 1 €".as_bytes())];
    let lengths = [frame(true, 2, &[7; 125]), frame(false, 2, &[7; 126]), frame(true, 0, b"")];
    let long = [frame(true, 2, &vec![7; 0x1_0000]), frame(true, 10, b"")];
    let close = [frame(true, 1, b"the last"), frame(true, 8, b"\x03\xe8bye")];
    let short = [parts.concat(), lengths.concat(), close.concat()];
    short.into_iter().cycle().take(15).chain([long.concat()]).collect()
}

#[test]
fn of_mutants_the_messages_are_the_same_in_whatever_pieces_they_come() {
    let exercise = |bytes: &[u8]| {
        let (events, _) = events(bytes);
        let too_long = |event: &&Event| matches!(event, Event::Message(message) if message.bytes.len() as u64 > MOST);
        assert_eq!(events.iter().find(too_long), None);
    };
    Seeds::of_this_run(1).try_all(|(): &mut (), seed| try_mutants(seed, &originals(), mutate, exercise, |_| {}));
}
