//! Alarms: by everything that raises them, to everything that hears of them.

use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::{Launch, PATIENCE, wait_for_text, wait_until};
use crate::pythons::{EVALUATES, call, launch_in, one};
use crate::reloading::tell_fifo;

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn alarms_are_raised_by_lines_rules_faults_and_full_queues_and_never_by_themselves() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    receiver.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let launch = Launch::hello().set("workers", 1).set("listen", 1);
    let (told, fifo) = (launch.dir().join("told"), launch.dir().join("fifo"));
    let mut server = launch
        .set("master-fifo", fifo.display())
        .line(format!("alarm = shell cmd:cat >> {}", told.display()))
        .line("alarm = note log:look")
        .line(format!("alarm = far udp:{}", receiver.local_addr().expect("its address")))
        .line("log-alarm = shell,note HTTP/1.1 404")
        .line("not-log-alarm = GET /known")
        .line("route = ^/rule alarm:far asked for ${PATH_INFO}")
        .line("route = ^/rule alarm:nobody at all")
        .line("alarm-segfault = shell")
        .line("alarm-backlog = shell")
        .start();
    server.expect_log("DAMN");
    server.get("/known");
    server.get("/nothing");
    server.log.wait_for("ALARM: look [pid: ");
    wait_for_text(&told, "GET /nothing");
    server.get("/rule");
    let mut bytes = [0; 2_048];
    let count = receiver.recv(&mut bytes).expect("a datagram");
    assert_eq!(String::from_utf8_lossy(&bytes[..count]), "asked for /rule");
    server.log.wait_for("there is no alarm nobody to be raised");
    // Rust's own handler takes the first one, and has the second one kill.
    let worker = server.workers().into_iter().next().expect("a worker");
    assert!(wait_until(|| {
        worker.signal(Signal::SIGSEGV);
        !worker.is_alive()
    }));
    wait_for_text(&told, "worker 1 was killed by signal 11");
    server.get("/");
    tell_fifo(&fifo, "p");
    server.log.wait_for("*** PAUSE");
    let waiting = [(); 2].map(|()| UnixStream::connect(server.socket()).expect("a place in the queue"));
    // A worker that had not heard of the pause yet may have taken one of them.
    wait_for_text(&told, "is full (");
    drop(waiting);
    tell_fifo(&fifo, "p");
    assert_eq!(server.log.lines_with("ALARM: look").len(), 2, "two lines were alarming: {}", server.log.tail());
    assert!(!text(&told).contains("/known"), "{}", text(&told));
    server.stop();
}

#[test]
fn applications_and_descriptors_raise_alarms_and_signals_and_mules_hear_of_them() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let application = r#"
import os
import uwsgi

def say(*words):
    os.write(1, (' '.join(map(str, words)) + '\n').encode())

uwsgi.mule_msg_hook = lambda message: say('the mule got', message)
uwsgi.register_signal(17, 'mule1', lambda number: say('signal', number, 'in mule', uwsgi.mule_id()))
"#;
    fs::write(directory.path().join("web.py"), format!("{application}{EVALUATES}")).expect("write the application");
    let (mut writer, reader) = UnixStream::pair().expect("a socket");
    let instance = launch_in(&one(), directory.path())
        .set("module", "web")
        .line("mule =")
        .line("alarm = bell signal:17")
        .line("alarm = letter mule:1")
        .line("alarm-fd = letter 7:4 the disk is full")
        .stdin(OwnedFd::from(reader))
        .through(["sh", "-c", "exec 7<&0 </dev/null; exec \"$@\"", "sh"])
        .start();
    assert_eq!(call(&instance, "uwsgi.alarm('bell', 'ring'), uwsgi.alarm('letter', 'ä  b')"), "(None, None)");
    assert_eq!(call(&instance, "uwsgi.alarm('bell', 7)"), "TypeError: alarm() takes two str, not int");
    instance.log.wait_for("signal 17 in mule 1");
    instance.log.wait_for("the mule got b'\\xc3\\xa4  b'");
    writer.write_all(b"full").expect("write");
    instance.log.wait_for("the mule got b'the disk is full'");
    instance.stop();
}
