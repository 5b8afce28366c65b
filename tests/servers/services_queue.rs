//! The queue and shared areas: what their functions answer, who has them, and what outlives reloads, deaths and the instance.

use nix::sys::signal::Signal;

use crate::pythons::{call, launch, one};
use crate::reloading::reload;
use crate::reloading::replacing::upgrade;

#[test]
fn the_queue_answers_as_under_uwsgi_and_outlives_reloads_and_the_instance() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("queue");
    let launch = || {
        let launch = launch(&one(), "calls").set("queue", 3).set("queue-blocksize", 36);
        let (pid_file, fifo) = (launch.dir().join("pid"), launch.dir().join("fifo"));
        let launch = launch.set("queue-store", store.display()).set("queue-store-sync", 1);
        launch.set("pidfile", pid_file.display()).set("master-fifo", fifo.display())
    };
    let mut instance = launch().start();
    for (expression, value) in [
        ("uwsgi.queue_size, uwsgi.queue_pop(), uwsgi.queue_pull(), uwsgi.queue_last()", "(3, None, None, None)"),
        ("[uwsgi.queue_push(item) for item in ('a', b'b', 'ü', '')]", "[True, True, True, None]"),
        ("uwsgi.queue_push('x' * 21), uwsgi.queue_set(1, 'x' * 21), uwsgi.queue_set(3, 'x')", "(None, None, None)"),
        (
            "uwsgi.queue_last(), uwsgi.queue_last(0), uwsgi.queue_last(2)",
            "(b'\\xc3\\xbc', b'\\xc3\\xbc', [b'\\xc3\\xbc', b'b'])",
        ),
        (
            "uwsgi.queue_push('d'), uwsgi.queue_pull(), uwsgi.queue_slot(), uwsgi.queue_pull_slot()",
            "(True, b'b', 1, 2)",
        ),
        ("uwsgi.queue_last(9), uwsgi.queue_get(-1), uwsgi.queue_get(3)", "([b'd', b'\\xc3\\xbc', None], None, None)"),
        (
            "uwsgi.queue_set(1, b'set'), uwsgi.queue_get(1), uwsgi.queue_pop(), uwsgi.queue_slot()",
            "(True, b'set', b'd', 0)",
        ),
        ("uwsgi.queue_push(7)", "TypeError: a bytes-like object is required, not 'int'"),
        ("hasattr(uwsgi, 'sharedarea_read')", "False"),
    ] {
        assert_eq!(call(&instance, expression), value, "{expression}");
    }
    reload(&instance);
    upgrade(&instance);
    let position = instance.log.position();
    instance.expect_log("DAMN");
    instance.workers()[0].signal(Signal::SIGKILL);
    instance.log.wait_for_after(position, "Respawned uWSGI worker");
    assert_eq!(call(&instance, "uwsgi.queue_pull(), uwsgi.queue_get(1)"), "(b'\\xc3\\xbc', b'set')");
    instance.stop();
    let instance = launch().start();
    instance.log.wait_for("recovered 1 items of the queue");
    assert_eq!(call(&instance, "uwsgi.queue_get(1), uwsgi.queue_slot(), uwsgi.queue_pull_slot()"), "(b'set', 0, 0)");
    instance.stop();
    let other = launch().set("queue", 4).fails();
    assert!(other.lines.iter().any(|line| line.contains("it is something else")), "{:?}", other.lines);
}

#[test]
fn shared_areas_are_read_written_counted_and_locked_over_all_processes() {
    let launch = launch(&one(), "calls").set("workers", 2);
    let file = launch.dir().join("area.bin");
    std::fs::write(&file, vec![b'f'; 8192]).expect("a file");
    let pid_file = launch.dir().join("pid");
    let launch = launch.set("pidfile", pid_file.display()).line("sharedarea = 1").line("py-sharedarea = 10");
    let mut instance = launch.line(format!("sharedarea = file={},size=100,offset=4096", file.display())).start();
    for (expression, value) in [
        ("uwsgi.sharedarea_write(0, 1, b'abc'), uwsgi.sharedarea_read(0, 0, 5)", "(None, b'\\x00abc\\x00')"),
        (
            "len(uwsgi.sharedarea_read(0, 96)), len(uwsgi.sharedarea_read(1, 0)), uwsgi.sharedarea_read(2, 7)",
            "(4000, 4096, b'\\x00\\x00\\x00')",
        ),
        ("uwsgi.sharedarea_read(1, 0, 2), uwsgi.sharedarea_write(1, 4095, 'z')", "(b'ff', None)"),
        ("uwsgi.sharedarea_read(-1, 0)", "ValueError: error calling uwsgi_sharedarea_read()"),
        ("uwsgi.sharedarea_write(0, 4094, b'abc')", "ValueError: error calling uwsgi_sharedarea_write()"),
        ("uwsgi.sharedarea_inc64(0, 4089)", "ValueError: error calling uwsgi_sharedarea_inc64()"),
        (
            "uwsgi.sharedarea_write8(0, 9, 200), uwsgi.sharedarea_read8(0, 9), uwsgi.sharedarea_readbyte(0, 9)",
            "(None, -56, -56)",
        ),
        ("uwsgi.sharedarea_write8(0, 9, -3)", "OverflowError: -3 does not fit into 8 bits"),
        ("uwsgi.sharedarea_write16(0, 10, 65536)", "OverflowError: 65536 does not fit into 16 bits"),
        (
            "uwsgi.sharedarea_write16(0, 10, 258), uwsgi.sharedarea_read16(0, 10), uwsgi.sharedarea_read16(0, 12)",
            "(None, 258, 0)",
        ),
        (
            "uwsgi.sharedarea_inc64(0, 16), uwsgi.sharedarea_inclong(0, 16, 4), uwsgi.sharedarea_dec64(0, 16, 7), uwsgi.sharedarea_readlong(0, 16)",
            "(None, None, None, -2)",
        ),
        (
            "uwsgi.sharedarea_wlock(0), uwsgi.sharedarea_inc32(0, 24), uwsgi.sharedarea_rlock(0), uwsgi.sharedarea_unlock(0), uwsgi.sharedarea_unlock(0), uwsgi.sharedarea_unlock(0)",
            "(None, None, None, None, None, None)",
        ),
        ("uwsgi.sharedarea_memoryview(0).__setitem__(30, 77), uwsgi.sharedarea_read8(0, 30)", "(None, 77)"),
        ("bytes(uwsgi.sharedarea_object(2)[:2])", "b'\\x00\\x00'"),
        ("uwsgi.sharedarea_object(0)", "ValueError: error calling uwsgi_sharedarea_object()"),
        ("hasattr(uwsgi, 'queue_push')", "False"),
    ] {
        assert_eq!(call(&instance, expression), value, "{expression}");
    }
    // Two processes count at once, each under the lock for two looks.
    let counts = "[(uwsgi.sharedarea_wlock(0), uwsgi.sharedarea_write32(0, 40, uwsgi.sharedarea_read32(0, 40) + 1), \
                  uwsgi.sharedarea_unlock(0)) for _ in range(2000)][0]";
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(call(&instance, counts), "(None, None, None)"));
        }
    });
    assert_eq!(call(&instance, "uwsgi.sharedarea_read32(0, 40)"), "8000");
    // Who dies with the lock gives it back; what is there stays.
    instance.expect_log("DAMN");
    let position = instance.log.position();
    let owner = call(&instance, "uwsgi.sharedarea_wlock(0) or os.getpid()");
    let owner = instance.workers().into_iter().find(|worker| worker.pid.to_string() == owner).expect("a worker");
    owner.signal(Signal::SIGKILL);
    instance.log.wait_for_after(position, "Respawned uWSGI worker");
    assert_eq!(call(&instance, "uwsgi.sharedarea_inc32(0, 40), uwsgi.sharedarea_read32(0, 40)"), "(None, 8001)");
    reload(&instance);
    assert_eq!(call(&instance, "uwsgi.sharedarea_read32(0, 40), uwsgi.sharedarea_read(0, 1, 3)"), "(8001, b'abc')");
    assert_eq!(std::fs::read(&file).expect("the file").last(), Some(&b'z'));
    instance.stop();
}
