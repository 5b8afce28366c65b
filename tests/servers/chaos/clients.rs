//! Clients that nobody wishes for: some send their requests in pieces, some go in the middle, some after it. One after the
//! other, so that they never have more than one worker, until they are told to stop.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;
use loadgen::packet::Request;

use crate::harness::{Instance, PATIENCE};

/// What came of those that wanted an answer.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) served: u64,
    pub(super) lost: u64,
}

pub(super) struct Crowd {
    stop: Arc<AtomicBool>,
    running: JoinHandle<Tally>,
}

impl Crowd {
    pub(super) fn start(server: &Instance, seed: u64) -> Self {
        let (stop, socket) = (Arc::new(AtomicBool::new(false)), server.socket().to_owned());
        let flag = Arc::clone(&stop);
        Self { stop, running: thread::spawn(move || come_and_go(&socket, &flag, Rng::with_seed(seed))) }
    }

    pub(super) fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.running.join().expect("the clients")
    }
}

fn come_and_go(socket: &Path, stop: &AtomicBool, mut dice: Rng) -> Tally {
    let packet = Request::get("/sleep?ms=2").to_uwsgi().expect("a small request");
    let mut tally = Tally::default();
    while !stop.load(Ordering::Relaxed) {
        let stream = UnixStream::connect(socket).expect("it listens all the time");
        match dice.u8(..3) {
            0 => vanish(stream, &packet[..dice.usize(..packet.len())]),
            1 => vanish(stream, &packet),
            _ if is_served(stream, &packet, &mut dice) => tally.served += 1,
            _ => tally.lost += 1,
        }
    }
    tally
}

/// That the worker has gone before it is nothing to somebody who goes.
fn vanish(mut stream: UnixStream, begun: &[u8]) {
    let _ = stream.write_all(begun);
}

fn is_served(mut stream: UnixStream, packet: &[u8], dice: &mut Rng) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let pieces = packet.chunks(dice.usize(8..packet.len()));
    let sent = pieces.map(|piece| {
        // Slowness is what these are for.
        thread::sleep(Duration::from_millis(1));
        stream.write_all(piece)
    });
    if sent.collect::<Result<(), _>>().is_err() {
        return false;
    }
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).is_ok() && answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"slept\n")
}
