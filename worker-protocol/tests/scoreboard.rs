//! The scoreboard's words: where they are, who sees what, and the busy counter under fire from real threads.

use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;

use fastrand::Rng;
use testkit::seeds::Seeds;
use worker_protocol::ids::{Generation, Life, Seat};
use worker_protocol::post::{Post, Role};
use worker_protocol::scoreboard::{
    Armed, CORES_MAX, CoreState, DESCRIPTION_BYTES_MAX, Error, Histogram, Layout, MAGIC, Presence, SEATS_MAX,
    Scoreboard, SeatOrder, Served, THREADS_MAX, WorkerFigures,
};

/// A request that is counted in every word.
const EVERYTHING: Served = Served {
    sent_bytes: 1,
    statically: true,
    offloaded: true,
    exception: true,
    failed: true,
    read_error: true,
    write_error: true,
};

fn memory(seats: u32, threads: u32) -> Vec<AtomicU64> {
    (0..layout(seats, threads).words()).map(|_| AtomicU64::new(0)).collect()
}

fn scoreboard(words: &[AtomicU64], seats: u32, threads: u32) -> Scoreboard<'_> {
    Scoreboard::create(words, layout(seats, threads)).expect("big enough")
}

fn layout(seats: u32, threads: u32) -> Layout {
    Layout::new(seats, threads).expect("within the limits")
}

/// A word as an application may write it: anything, but more often what is nearly right.
fn word(random: &mut Rng) -> u64 {
    match random.u8(..5) {
        0 => random.u64(..8) | random.u64(..4) << 62,
        1 => u64::MAX - random.u64(..4),
        2 => random.u64(..4) << 32 | random.u64(..4_096),
        3 => 1 << random.u8(..64),
        _ => random.u64(..),
    }
}

/// What the master reads of a seat is within what there can be, whatever stands there.
fn check_seat(board: &Scoreboard<'_>, seat: Seat) {
    let master = board.master(seat).expect("a seat");
    let (figures, cores) = (master.figures(), master.cores());
    assert_eq!(cores, board.layout().threads() as usize);
    assert!(figures.busy_cores as usize <= cores && figures.oldest_since_us.is_none_or(|since_us| since_us < 1 << 62));
    assert!(figures.post.is_none_or(|post| post.number > 0));
    let mut all = Histogram::default();
    for core in (0..cores).filter_map(|index| master.core_figures(index)) {
        all.add(&core.durations);
        all.add(&core.waits);
        assert_eq!(core.is_busy, core.since_us.is_some());
    }
    assert!(all.counts.iter().all(|count| *count <= all.total()));
    for index in 0..=cores {
        let description = master.description(index).unwrap_or_default();
        assert!(description.len() <= DESCRIPTION_BYTES_MAX && (index < cores || description.is_empty()));
        assert_eq!(master.core_state(index).is_some(), index < cores);
    }
    let _ = (master.presence(), master.look_due_us());
}

/// A worker in a seat that somebody scribbles on goes through its requests all the same.
fn work(board: &Scoreboard<'_>, random: &mut Rng, seat: Seat) {
    let worker = board.worker(seat).expect("a seat");
    let _ = worker.order(Life(random.u64(..4)));
    let core = worker.core(random.usize(..board.layout().threads() as usize)).expect("a core");
    let _ = core.begin_request(random.u64(..));
    core.describe_request([&b"GET "[..], b"/"]);
    core.count_wait(random.u64(..));
    match random.bool() {
        true => core.end_request(random.u64(..), EVERYTHING),
        false => core.abandon_request(),
    }
    let _ = (core.requests(), core.io_errors());
}

/// The shared words of the whole instance.
fn check_shared(board: &Scoreboard<'_>, random: &mut Rng) {
    let (capacity, trial) = (board.capacity(), board.trial());
    match capacity.arm(random.u32(..)) {
        Armed::Waiting => assert!(capacity.is_armed()),
        Armed::Reached { .. } => assert!(!capacity.is_armed()),
    }
    let _ = (trial.turn(Generation(1)), trial.is_of(Generation(2)));
    trial.count(Generation(random.u32(..3)));
    let living = (0..board.layout().seats()).map(|seat| (Seat(seat), Life(1)));
    if let Some(busy) = board.resync(living) {
        assert!(busy <= board.layout().seats() * board.layout().threads());
        assert_eq!(capacity.busy(), busy);
    }
}

#[test]
fn mutants_of_the_memory_bring_down_neither_master_nor_worker() {
    Seeds::of_this_run(60).try_all(|(): &mut (), seed| {
        let mut random = Rng::with_seed(seed);
        let (seats, threads) = (random.u32(1..4), random.u32(1..4));
        let words = memory(seats, threads);
        let board = scoreboard(&words, seats, threads);
        for _ in 0..60 {
            let places = if random.bool() { words.len() } else { board.layout().figures_bytes() / 8 };
            for _ in 0..random.usize(..40) {
                words[random.usize(..places)].store(word(&mut random), Ordering::Relaxed);
            }
            let seat = Seat(random.u32(..seats));
            match random.u8(..4) {
                0 => check_shared(&board, &mut random),
                1 => work(&board, &mut random, seat),
                2 => board.master(seat).expect("a seat").set_order(SeatOrder::Retire, Life(random.u64(..))),
                _ => board.master(seat).expect("a seat").vacate(),
            }
            (0..seats).for_each(|seat| check_seat(&board, Seat(seat)));
            // Who trusts the header gets no more than there is.
            if let Ok(attached) = Scoreboard::attach(&words) {
                assert!(attached.layout().words() <= words.len());
            }
        }
        board.write_header();
        assert_eq!(Scoreboard::attach(&words).map(|attached| attached.layout()), Ok(board.layout()));
        Ok(())
    });
}

#[test]
fn a_thousand_workers_that_describe_no_requests_touch_less_than_a_mebibyte() {
    assert!(layout(1_000, 1).figures_bytes() < 1 << 20, "{} bytes", layout(1_000, 1).figures_bytes());
    for threads in [1, 2, 3, 16, THREADS_MAX] {
        let layout = layout(7, threads);
        assert_eq!(layout.seat_stride_bytes() % 64, 0);
        assert_eq!(layout.figures_bytes(), 128 + 7 * layout.seat_stride_bytes());
        assert_eq!(layout.bytes(), layout.figures_bytes() + 7 * 2048 * threads as usize);
        assert_eq!(layout.seat_offset_bytes(Seat(0)), Some(128));
        assert_eq!(layout.seat_offset_bytes(Seat(6)), Some(128 + 6 * layout.seat_stride_bytes()));
        assert_eq!(layout.seat_offset_bytes(Seat(7)), None);
    }
}

#[test]
fn sizes_out_of_range_are_refused() {
    for (seats, threads) in
        [(0, 1), (1, 0), (SEATS_MAX + 1, 1), (1, THREADS_MAX + 1), (SEATS_MAX, 64), (u32::MAX, u32::MAX)]
    {
        assert_eq!(Layout::new(seats, threads), Err(Error::Size { seats, threads }));
    }
    assert!(Layout::new(SEATS_MAX, 31).is_ok_and(|layout| layout.seats() * layout.threads() <= CORES_MAX));
}

#[test]
fn a_worker_finds_the_layout_in_the_memory() {
    let words = memory(3, 2);
    let board = scoreboard(&words, 3, 2);
    assert_eq!(Scoreboard::attach(&words).map(|attached| attached.layout()), Ok(board.layout()));
    let needed = board.layout().words();
    let short = Scoreboard::attach(&words[..needed - 1]).map(|_| ());
    assert_eq!(short, Err(Error::TooSmall { words: needed - 1, needed }));
    assert_eq!(Scoreboard::attach(&[]).map(|_| ()), Err(Error::Magic { found: 0 }));
    words[0].store(MAGIC + 1, Ordering::Relaxed);
    assert_eq!(Scoreboard::attach(&words).map(|_| ()), Err(Error::Magic { found: MAGIC + 1 }));
    words[0].store(MAGIC, Ordering::Relaxed);
    words[1].store(1 << 40, Ordering::Relaxed);
    assert_eq!(Scoreboard::attach(&words).map(|_| ()), Err(Error::Size { seats: u32::MAX, threads: 2 }));
}

#[test]
fn views_end_with_the_memory() {
    let words = memory(2, 3);
    let board = scoreboard(&words, 2, 3);
    assert!(
        board.worker(Seat(2)).is_none() && board.master(Seat(2)).is_none() && board.master(Seat(u32::MAX)).is_none()
    );
    let seat = board.worker(Seat(1)).expect("a seat");
    assert!(seat.core(2).is_some() && seat.core(3).is_none() && seat.core(usize::MAX).is_none());
    assert_eq!(board.master(Seat(1)).expect("a seat").cores(), 3);
}

/// The words that differ after `write`.
fn written(words: &[AtomicU64], write: impl FnOnce()) -> HashSet<usize> {
    let before: Vec<u64> = words.iter().map(|word| word.load(Ordering::Relaxed)).collect();
    write();
    (0..words.len()).filter(|&index| words[index].load(Ordering::Relaxed) != before[index]).collect()
}

#[test]
fn no_two_writers_share_a_line() {
    let words = memory(3, 2);
    let board = scoreboard(&words, 3, 2);
    let (worker, master) = (board.worker(Seat(1)).expect("a seat"), board.master(Seat(1)).expect("a seat"));
    let start = board.layout().seat_offset_bytes(Seat(1)).expect("a seat") / 8;
    let of_master = written(&words, || master.set_order(SeatOrder::Retire, Life(9)));
    assert_eq!(of_master, HashSet::from([start]));
    let of_worker = written(&words, || {
        worker.take(Life(9));
        worker.set_presence(Presence::Accepting);
        worker.set_boot_us(1);
        worker.set_memory(2, 3);
        worker.set_identity(4, Post::worker(5), 6);
    });
    assert_eq!(of_worker, (start + 8..start + 15).collect());
    for index in 0..2 {
        let core = worker.core(index).expect("a core");
        let (line, description) = (start + 16 + 48 * index, (board.layout().figures_bytes() / 8) + 256 * (2 + index));
        let of_core = written(&words, || {
            assert!(!core.begin_request(5));
            core.count_wait(4);
            core.end_request(7, EVERYTHING);
            assert!(!core.begin_request(8));
            core.describe_request([&b"GET"[..]]);
        });
        // The first bucket of both histograms, and what is counted behind them.
        let counted =
            [line + 8, line + 24, line + 40, line + 41, line + 42, line + 43, description, description + 1, 8];
        let expected: HashSet<usize> = (line..line + 8).chain(counted).collect();
        assert_eq!(of_core, expected, "its own lines, and the capacity word");
    }
}

#[test]
fn the_master_reads_what_the_worker_wrote() {
    let words = memory(1, 2);
    let board = scoreboard(&words, 1, 2);
    let (worker, master) = (board.worker(Seat(0)).expect("a seat"), board.master(Seat(0)).expect("a seat"));
    assert!(!master.is_taken_by(Life(42)));
    worker.take(Life(42));
    assert!(master.is_taken_by(Life(42)));
    assert_eq!(master.presence(), Presence::NotAccepting);
    for presence in [Presence::Accepting, Presence::Leaving, Presence::NotAccepting] {
        worker.set_presence(presence);
        assert_eq!(master.presence(), presence);
    }
    worker.set_identity(4242, Post { role: Role::Daemon, number: 3 }, 7);
    worker.set_boot_us(900);
    worker.set_memory(4096, 8192);
    let (first, second) = (worker.core(0).expect("a core"), worker.core(1).expect("a core"));
    assert!(!first.begin_request(1_000));
    first.count_wait(30);
    first.end_request(1_100, Served { sent_bytes: 500, exception: true, ..Served::default() });
    assert!(!second.begin_request(2_000));
    second.end_request(2_400, Served { sent_bytes: 70, write_error: true, ..Served::default() });
    assert!(!second.begin_request(3_000));
    assert_eq!(master.core_state(0), Some(CoreState::Idle));
    assert_eq!(master.core_state(1), Some(CoreState::Busy { since_us: 3_000 }));
    assert_eq!(first.requests(), 1);
    let expected = WorkerFigures {
        boot_us: 900,
        rss_bytes: 4096,
        vsz_bytes: 8192,
        process: 4242,
        post: Some(Post { role: Role::Daemon, number: 3 }),
        nth: 7,
        busy_cores: 1,
        oldest_since_us: Some(3_000),
        requests: 2,
        exceptions: 1,
        running_us: 500,
        sent_bytes: 570,
        last_wait_us: 30,
        average_us: 200,
        write_errors: 1,
        read_errors: 0,
    };
    assert_eq!(master.figures(), expected);

    worker.take(Life(43));
    assert!(master.is_taken_by(Life(43)));
    assert_eq!(master.figures(), WorkerFigures::default(), "a new life starts from zero");
}

#[test]
fn average_is_uwsgis() {
    let words = memory(1, 1);
    let board = scoreboard(&words, 1, 1);
    let core = board.worker(Seat(0)).and_then(|seat| seat.core(0)).expect("a core");
    assert!(!core.begin_request(0));
    core.end_request(1_500_461, Served::default());
    assert_eq!(board.master(Seat(0)).expect("a seat").figures().average_us, 750_230);
}

#[test]
fn an_order_is_for_one_life() {
    let words = memory(1, 1);
    let board = scoreboard(&words, 1, 1);
    let (worker, master) = (board.worker(Seat(0)).expect("a seat"), board.master(Seat(0)).expect("a seat"));
    assert_eq!(worker.order(Life(1)), SeatOrder::Run, "fresh memory orders nothing");
    for order in [SeatOrder::Pause, SeatOrder::Retire, SeatOrder::Run] {
        for life in [Life(1), Life::MAX] {
            master.set_order(order, life);
            assert_eq!(worker.order(life), order);
            assert_eq!(worker.order(Life(life.0 - 1)), SeatOrder::Run, "a successor does not feel meant");
        }
    }
}

#[test]
fn beginning_twice_and_ending_twice_change_nothing() {
    let words = memory(1, 1);
    let board = scoreboard(&words, 1, 1);
    let core = board.worker(Seat(0)).and_then(|seat| seat.core(0)).expect("a core");
    assert_eq!(board.capacity().arm(2), Armed::Waiting);
    core.end_request(1, Served::default());
    assert!(!core.begin_request(2));
    assert!(!core.begin_request(3), "no second addition, so no wake-up");
    assert_eq!(board.capacity().busy(), 1);
    assert_eq!(board.master(Seat(0)).and_then(|seat| seat.core_state(0)), Some(CoreState::Busy { since_us: 2 }));
    core.abandon_request();
    core.abandon_request();
    core.end_request(4, Served::default());
    assert_eq!((board.capacity().busy(), core.requests()), (0, 0));
}

#[test]
fn the_master_is_woken_once_when_the_threshold_is_reached() {
    let words = memory(4, 1);
    let board = scoreboard(&words, 4, 1);
    let cores: Vec<_> = (0..4).map(|seat| board.worker(Seat(seat)).and_then(|s| s.core(0)).expect("a core")).collect();
    let capacity = board.capacity();
    assert!(!cores[0].begin_request(1), "nobody asked to be woken");
    assert_eq!(capacity.arm(3), Armed::Waiting);
    assert!(!cores[1].begin_request(2));
    assert!(cores[2].begin_request(3), "the third of three");
    assert!(!capacity.is_armed());
    assert!(!cores[3].begin_request(4), "one wake-up is outstanding");
    assert_eq!(capacity.arm(4), Armed::Reached { busy: 4 }, "too late to wait for it");
    assert!(!capacity.is_armed());
    cores[3].end_request(5, Served::default());
    assert_eq!(capacity.arm(4), Armed::Waiting);
    assert!(cores[3].begin_request(6), "armed again, woken again");
    cores[3].end_request(7, Served::default());
    assert_eq!(capacity.arm(4), Armed::Waiting);
    capacity.disarm();
    assert!(!cores[3].begin_request(8));
    assert_eq!(capacity.arm(u32::MAX), Armed::Waiting, "as good as never");
    assert_eq!(capacity.busy(), 4);
}

#[test]
fn the_counter_is_corrected_after_a_death() {
    let words = memory(3, 2);
    let board = scoreboard(&words, 3, 2);
    let seats: Vec<_> = (0..3).map(|seat| board.worker(Seat(seat)).expect("a seat")).collect();
    for (life, seat) in (10..).zip(&seats) {
        seat.take(Life(life));
        assert!(!seat.core(0).expect("a core").begin_request(1));
    }
    assert!(!seats[1].core(1).expect("a core").begin_request(2));
    assert_eq!(board.capacity().busy(), 4);
    assert_eq!(board.capacity().arm(6), Armed::Waiting);
    // The worker in seat 1 dies with two requests under way; another one has not taken the seat yet.
    let living = [(Seat(0), Life(10)), (Seat(1), Life(13)), (Seat(2), Life(12)), (Seat(99), Life(1))];
    assert_eq!(board.resync(living.into_iter()), Some(2));
    assert_eq!(board.capacity().busy(), 2);
    assert!(board.capacity().is_armed(), "a correction leaves the master's wish alone");
    seats[1].take(Life(13));
    assert_eq!(board.resync(living.into_iter()), Some(2));
    assert!(!seats[1].core(0).expect("a core").begin_request(3));
    assert_eq!(board.resync(living.into_iter()), Some(3));
}

#[test]
fn no_correction_while_a_core_is_in_between() {
    for state_number in [1u64, 3] {
        let words = memory(2, 1);
        let board = scoreboard(&words, 2, 1);
        board.worker(Seat(0)).expect("a seat").take(Life(1));
        let state_word = board.layout().seat_offset_bytes(Seat(0)).expect("a seat") / 8 + 16;
        words[state_word].store(state_number << 62 | 5, Ordering::Release);
        assert_eq!(board.resync([(Seat(0), Life(1))].into_iter()), None, "its addition may be counted or not");
        assert_eq!(board.resync([].into_iter()), Some(0), "of the dead it does not matter");
    }
}

/// Many threads begin and end requests at full speed while the master arms, is woken and corrects.
#[test]
fn threads_under_fire_leave_an_exact_counter_and_one_wake_up_each() {
    const WORKERS: u32 = 6;
    const REQUESTS: u64 = 20_000;
    let words = memory(WORKERS, 1);
    let board = scoreboard(&words, WORKERS, 1);
    let start = Barrier::new(WORKERS as usize + 1);
    let (wakes, running) = (AtomicU32::new(0), AtomicU32::new(WORKERS));
    let living = || (0..WORKERS).map(|seat| (Seat(seat), Life(u64::from(seat) + 1)));
    // Armed before the first request, so that at least one wake-up is due.
    assert_eq!(board.capacity().arm(1), Armed::Waiting);
    let mut armed = 1;
    let mut corrections = 0;
    thread::scope(|scope| {
        for (seat, life) in living() {
            let (start, wakes, running) = (&start, &wakes, &running);
            scope.spawn(move || {
                let worker = board.worker(seat).expect("a seat");
                worker.take(life);
                let core = worker.core(0).expect("a core");
                start.wait();
                for now_us in 0..REQUESTS {
                    if core.begin_request(now_us) {
                        wakes.fetch_add(1, Ordering::AcqRel);
                    }
                    if now_us % 7 == 0 {
                        thread::yield_now();
                    }
                    core.end_request(now_us, Served::default());
                }
                running.fetch_sub(1, Ordering::AcqRel);
            });
        }
        start.wait();
        while running.load(Ordering::Acquire) > 0 {
            assert!(wakes.load(Ordering::Acquire) <= armed, "woken without having asked");
            if !board.capacity().is_armed() && board.capacity().arm(1 + armed % WORKERS) == Armed::Waiting {
                armed += 1;
            }
            if let Some(busy) = board.resync(living()) {
                assert!(busy <= WORKERS);
                corrections += 1;
            }
            thread::yield_now();
        }
    });
    assert_eq!(board.capacity().busy(), 0, "after {corrections} corrections");
    let outstanding = u32::from(board.capacity().is_armed());
    assert_eq!(wakes.load(Ordering::Acquire) + outstanding, armed, "each arming brings one wake-up, no more, no less");
    let requests = |seat| board.master(Seat(seat)).expect("a seat").figures().requests;
    assert!((0..WORKERS).all(|seat| requests(seat) == REQUESTS));
}

/// A worker dies in the middle of a request while the others go on; the correction takes its request away, exactly.
#[test]
fn a_correction_under_fire_takes_away_the_dead_only() {
    const LIVING: u32 = 3;
    let words = memory(LIVING + 1, 1);
    let board = scoreboard(&words, LIVING + 1, 1);
    let dead = board.worker(Seat(LIVING)).expect("a seat");
    dead.take(Life(99));
    assert!(!dead.core(0).expect("a core").begin_request(1));
    let stop = AtomicBool::new(false);
    let ready = Barrier::new(LIVING as usize + 1);
    let living = || (0..LIVING).map(|seat| (Seat(seat), Life(u64::from(seat) + 1)));
    thread::scope(|scope| {
        for (seat, life) in living() {
            let (stop, ready) = (&stop, &ready);
            scope.spawn(move || {
                let worker = board.worker(seat).expect("a seat");
                worker.take(life);
                ready.wait();
                let core = worker.core(0).expect("a core");
                while !stop.load(Ordering::Acquire) {
                    assert!(!core.begin_request(1));
                    core.end_request(2, Served::default());
                    thread::yield_now();
                }
            });
        }
        ready.wait();
        while board.resync(living()).is_none() {
            thread::yield_now();
        }
        stop.store(true, Ordering::Release);
    });
    assert_eq!(board.capacity().busy(), 0);
}

#[test]
fn counters_that_an_application_has_overwritten_stay_at_their_end() {
    let words = memory(1, 2);
    let board = scoreboard(&words, 1, 2);
    let (worker, master) = (board.worker(Seat(0)).expect("a seat"), board.master(Seat(0)).expect("a seat"));
    worker.take(Life(1));
    let cores = [worker.core(0).expect("a core"), worker.core(1).expect("a core")];
    cores.iter().for_each(|core| assert!(!core.begin_request(5)));
    let states: Vec<_> = (0..2).filter_map(|index| master.core_state(index)).collect();
    let start = board.layout().seat_offset_bytes(Seat(0)).expect("a seat") / 8;
    // All of the cores' lines but the states, which are the first words.
    for line in [start + 16, start + 64] {
        (line + 1..line + 8).for_each(|index| words[index].store(u64::MAX, Ordering::Relaxed));
    }
    assert_eq!(states, (0..2).filter_map(|index| master.core_state(index)).collect::<Vec<_>>());
    for core in cores {
        core.end_request(9, EVERYTHING);
        assert_eq!((core.requests(), core.io_errors()), (u64::MAX, (u32::MAX, u32::MAX)));
    }
    let figures = master.figures();
    assert_eq!((figures.requests, figures.running_us, figures.sent_bytes), (u64::MAX, u64::MAX, u64::MAX));
    assert_eq!((figures.read_errors, figures.write_errors), (2 * u64::from(u32::MAX), 2 * u64::from(u32::MAX)));
}

#[test]
fn who_knows_the_layout_needs_no_header() {
    let words = memory(3, 2);
    let board = scoreboard(&words, 3, 2);
    words[..8].iter().for_each(|word| word.store(u64::MAX, Ordering::Relaxed));
    assert!(Scoreboard::attach(&words).is_err());
    let known = Scoreboard::fit(&words, board.layout()).expect("as big as before");
    known.write_header();
    assert_eq!(Scoreboard::attach(&words).map(|attached| attached.layout()), Ok(board.layout()));
    let needed = words.len();
    let short = Scoreboard::fit(&words[..needed - 1], board.layout()).map(|_| ());
    assert_eq!(short, Err(Error::TooSmall { words: needed - 1, needed }));
}
