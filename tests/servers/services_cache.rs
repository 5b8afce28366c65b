//! Caches that all processes of an instance share: what outlives whom, what a start and a reload make of their
//! configuration, and writers that are killed.

use nix::sys::signal::Signal;

use crate::harness::{Instance, Launch};
use crate::monitoring::{document, stats_path};
use crate::pythons::{call, launch, one, supported};
use crate::reloading::replacing::upgrade;
use crate::reloading::{edit, reload};

const CACHES: [&str; 2] = [
    "cache2 = name=first,items=100,blocksize=64,keysize=20",
    "cache2 = name=pages,items=4,blocks=8,blocksize=16,bitmap=1",
];

fn with_caches() -> Launch {
    CACHES.into_iter().fold(launch(&one(), "calls"), Launch::line)
}

#[test]
fn the_functions_of_caches_answer_as_under_uwsgi() {
    for python in supported() {
        let mut launch =
            launch(python, "calls").line("add-cache-item = pages start=here").line("add-cache-item = both=1");
        for line in CACHES {
            launch = launch.line(line);
        }
        let stats = stats_path(launch.dir());
        let instance = launch.set("stats", stats.display()).start();
        let calls = [
            (
                "uwsgi.cache_set('k', b'one'), uwsgi.cache_set('k', b'two'), uwsgi.cache_get(b'k')",
                "(True, None, b'one')",
            ),
            ("uwsgi.cache_update('k', 'zwö'), uwsgi.cache_get('k').decode()", "(True, 'zwö')"),
            (
                "uwsgi.cache_exists('k'), uwsgi.cache_exists('j'), uwsgi.cache_del('k'), uwsgi.cache_del('k')",
                "(True, None, True, None)",
            ),
            (
                "uwsgi.cache_get('start'), uwsgi.cache_get('start', 'pages'), uwsgi.cache_get('both')",
                "(None, b'here', b'1')",
            ),
            (
                "uwsgi.cache_set('k', b'v', 100, 'pages'), uwsgi.cache_get('k', 'none'), uwsgi.cache_get('k', 'pages')",
                "(True, None, b'v')",
            ),
            ("sorted(uwsgi.cache_keys('pages')), uwsgi.cache_keys()", "([b'both', b'k', b'start'], [b'both'])"),
            ("uwsgi.cache_keys('none')", "ValueError: no local uWSGI cache available"),
            (
                "uwsgi.cache_inc('n'), uwsgi.cache_inc('n', 5), uwsgi.cache_num('n'), uwsgi.cache_dec('n', 2)",
                "(True, True, 6, True)",
            ),
            (
                "uwsgi.cache_mul('n'), uwsgi.cache_div('n', 4), uwsgi.cache_num('n'), uwsgi.cache_num('both')",
                "(True, True, 2, 0)",
            ),
            ("uwsgi.cache_inc('both'), uwsgi.cache_get('both')", "(None, b'1')"),
            (
                "uwsgi.cache_set('gone', b'v', -1), uwsgi.cache_get('gone'), uwsgi.cache_set('gone', b'w')",
                "(True, None, True)",
            ),
            (
                "uwsgi.cache_set('', b'v'), uwsgi.cache_set('e', b''), uwsgi.cache_set('k' * 21, b'v')",
                "(None, None, None)",
            ),
            ("uwsgi.cache_set('big', b'v' * 65), uwsgi.cache_set('big', b'v' * 64)", "(None, True)"),
            ("uwsgi.cache_set('big', b'v' * 129, 0, 'pages'), uwsgi.cache_get('big', 'pages')", "(None, None)"),
            ("uwsgi.cache_set('big', b'v' * 70, 0, 'pages'), len(uwsgi.cache_get('big', 'pages'))", "(True, 70)"),
            ("uwsgi.cache_get(1)", "TypeError: a bytes-like object is required, not 'int'"),
            (
                "uwsgi.cache_get(bytearray(b'k'))",
                "TypeError: argument must be read-only bytes-like object, not bytearray",
            ),
            ("uwsgi.cache_clear('pages'), uwsgi.cache_keys('pages'), len(uwsgi.cache_keys())", "(True, [], 4)"),
            ("uwsgi.cache_clear('none')", "None"),
        ];
        for (expression, value) in calls {
            assert_eq!(call(&instance, expression), value, "{expression} under {python:?}");
        }
        assert!(call(&instance, "uwsgi.cache_get(key='k')").starts_with("TypeError"));
        let caches = &document(&instance)["caches"];
        assert_eq!(
            (&caches[0]["name"], &caches[0]["items"], &caches[0]["max_items"]),
            (&"first".into(), &4.into(), &100.into())
        );
    }
}

#[test]
fn files_are_in_caches_from_the_beginning_as_they_are_and_packed() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (plain, long) = (file("plain", "as it is"), file("long", &"x".repeat(5_000)));
    let caches = || {
        let named = ["first", "pages"].map(|name| format!("cache2 = name={name},items=9,blocksize=100"));
        named.into_iter().fold(launch(&one(), "calls"), Launch::line)
    };
    let instance = caches()
        .line(format!("load-file-in-cache = {plain}"))
        .line(format!("load-file-in-cache-gzip = pages {long}"))
        .start();
    let both = format!("uwsgi.cache_get('{plain}'), uwsgi.cache_get('{plain}', 'pages'), uwsgi.cache_get('{long}')");
    assert_eq!(call(&instance, &both), "(b'as it is', b'as it is', None)");
    let packed = format!("uwsgi.cache_get('{long}', 'pages')");
    assert_eq!(call(&instance, &format!("len({packed}) < 100")), "True");
    let unpacked = format!("__import__('gzip').decompress({packed}) == b'x' * 5000");
    assert_eq!(call(&instance, &unpacked), "True");
    instance.stop();
    for (line, why) in [
        (format!("load-file-in-cache-gzip = pages {plain}.none"), "No such file"),
        (format!("load-file-in-cache-gzip = none {plain}"), "there is no cache none"),
        (format!("load-file-in-cache-gzip = first {}", file("noise", &noise())), "too long"),
    ] {
        let failed = caches().line(&line).fails();
        let said = failed.lines.iter().any(|said| said.contains(why) && said.contains("load-file-in-cache-gzip"));
        assert!(said, "{line}: {:?}", failed.lines);
    }
}

/// Nothing that could be packed into a few bytes.
fn noise() -> String {
    let mut random = fastrand::Rng::with_seed(1);
    std::iter::repeat_with(|| random.alphanumeric()).take(500).collect()
}

#[test]
fn handlers_in_rust_count_over_all_workers_and_what_they_counted_outlives_them() {
    let mut server = Launch::hello().set("workers", 3).line(CACHES[0]).start();
    server.expect_log("DAMN");
    let count = || String::from_utf8_lossy(server.get("/count").body()).into_owned();
    for asked in 1..=20 {
        assert_eq!(count(), format!("{asked}\n"));
    }
    for worker in server.workers() {
        worker.signal(Signal::SIGKILL);
    }
    server.log.wait_for_count(3, "Respawned uWSGI worker");
    assert_eq!(count(), "21\n");
    let without = Launch::hello().start();
    assert_eq!(without.get("/count").status(), Some(404));
}

#[test]
fn a_cache_outlives_workers_reloads_and_the_masters_binary() {
    let launch = with_caches().set("workers", 2);
    let (pid_file, fifo) = (launch.dir().join("pid"), launch.dir().join("fifo"));
    let mut instance = launch.set("pidfile", pid_file.display()).set("master-fifo", fifo.display()).start();
    let stored = "uwsgi.cache_set('k', b'kept'), uwsgi.cache_set('p', b'pages', 0, 'pages')";
    assert_eq!(call(&instance, stored), "(True, True)");
    let values = |instance: &Instance| call(instance, "uwsgi.cache_get('k'), uwsgi.cache_get('p', 'pages')");
    instance.expect_log("DAMN");
    instance.workers()[0].signal(Signal::SIGKILL);
    instance.log.wait_for("Respawned uWSGI worker");
    assert_eq!(values(&instance), "(b'kept', b'pages')");
    reload(&instance);
    assert_eq!(values(&instance), "(b'kept', b'pages')");
    upgrade(&instance);
    assert_eq!(values(&instance), "(b'kept', b'pages')");
    // Another geometry is another cache; the other one stays.
    edit(&instance, |text| text.replace("items=100", "items=101"));
    reload(&instance);
    assert_eq!(values(&instance), "(None, b'pages')");
}

#[test]
fn a_cache_with_a_file_outlives_the_instance_and_a_kill_of_all_its_processes() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let launch = || {
        let keys = format!("name=kept,items=9,blocksize=64,store={},store_sync=1", store.display());
        launch(&one(), "calls").set("cache2", keys)
    };
    let instance = launch().start();
    assert_eq!(call(&instance, "uwsgi.cache_set('k', b'kept'), uwsgi.cache_inc('n', 7)"), "(True, True)");
    instance.stop();
    let instance = launch().start();
    instance.log.wait_for("recovered 2 items of the cache kept");
    assert_eq!(
        call(&instance, "uwsgi.cache_get('k'), uwsgi.cache_num('n'), uwsgi.cache_set('l', b'v')"),
        "(b'kept', 7, True)"
    );
    instance.processes().iter().for_each(|process| process.signal(Signal::SIGKILL));
    instance.ends_with(137);
    let instance = launch().start();
    instance.log.wait_for("recovered 3 items of the cache kept");
    instance.stop();
    let other = launch().set("cache2", format!("name=kept,items=10,store={}", store.display())).fails();
    assert!(other.lines.iter().any(|line| line.contains("it is something else")), "{:?}", other.lines);
}

/// The long form: `CACHE_KILLS=10000 cargo test --release --test servers killed_writers`.
#[test]
fn killed_writers_leave_nothing_half_done_and_keep_nobody_waiting() {
    /// In one request, which is answered in time with that.
    const KILLS: usize = 150;
    let kills: usize = std::env::var("CACHE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    for keys in [
        "name=plain,items=40,blocksize=100,ignore_full=1",
        "name=runs,items=40,blocksize=16,blocks=240,bitmap=1,purge_lru=1",
    ] {
        let instance = launch(&one(), "calls").set("cache2", keys).start();
        for done in (0..kills).step_by(KILLS) {
            let told = call(&instance, &format!("killed_writers({}, 40)", KILLS.min(kills - done)));
            let words = told.trim_matches(['(', ')']).split(", ");
            let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
            let [longest_ms, torn, room] = numbers[..] else { panic!("{told}") };
            // The machine may be busy with other things; what counts is that nobody waits for the dead.
            assert!(longest_ms < 1_000, "a reader waited {longest_ms} ms");
            assert_eq!(torn, 0, "values that are not whole");
            assert_eq!(room, if keys.contains("purge_lru") { 80 } else { 40 }, "slots or blocks are lost");
        }
    }
}
