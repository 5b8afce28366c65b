//! The example of [SERVICES.md](../../docs/SERVICES.md), `examples/noticeboard`: a site with background work and nothing beside
//! it.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::dialogue::websocket::Client;
use crate::dialogue::{Dialogue, tcp_address};
use crate::harness::{program_path, wait_until};
use crate::pythons::{launch_in, one};

fn example() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/noticeboard"))
}

#[test]
fn the_notice_board_has_cache_spooler_mule_timer_cron_lock_and_websocket() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for file in ["board.py", "board.ini"] {
        let text = fs::read_to_string(example().join(file)).expect("the example");
        fs::write(directory.path().join(file), text.replace("127.0.0.1:8000", "127.0.0.1:0")).expect("a copy");
    }
    let mut check = std::process::Command::new(program_path("rhinod"));
    let checked = check.arg("check").arg(example().join("board.ini")).output().expect("execute rhinod");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let file = directory.path().join("board.ini");
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a directory");
    fs::write(data.join("notices"), "{\"text\": \"of long ago\", \"at\": 0}\n").expect("an old notice");
    // The signal of the cron, without waiting for half past two.
    let touched = directory.path().join("touched");
    fs::write(&touched, "").expect("a file");
    let launch = launch_in(&one(), directory.path()).without("workers").line(format!("ini = {}", file.display()));
    let pid_file = launch.dir().join("pid");
    let launch = launch.set("pidfile", pid_file.display()).set("disable-logging", true);
    let mut server = launch.line(format!("touch-signal = {} 1", touched.display())).start();
    server.expect_log("DAMN");
    server.expect_log("the application must be thread-safe");
    let address = tcp_address(&server);
    let page = || Dialogue::over_tcp(address).get("/").text();
    assert!(wait_until(|| !page().contains("of long ago")), "the timer forgets");
    let mut live = Client::to(&server, "/live");
    let post = |text: &str| {
        let mut client = Dialogue::over_tcp(address);
        let form = format!("text={text}");
        let length = form.len();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{form}"));
        assert_eq!(client.reply("POST").status, 303);
    };
    post("two+words");
    assert_eq!(live.frame(), (0x81, b"two words".to_vec()));
    assert!(wait_until(|| page().contains("2 words")), "the mule counts words");
    assert!(page().contains("<li>two words</ul>"));
    let outbox = data.join("outbox");
    let mails = || fs::read_dir(&outbox).expect("the outbox").flatten().map(|file| file.path()).collect::<Vec<_>>();
    assert!(wait_until(|| mails().len() == 1), "the spooler mails");
    let mail = || fs::read_to_string(&mails()[0]).unwrap_or_default();
    assert!(wait_until(|| mail() == "To: readers@example.org\n\ntwo words\n"), "{}", mail());
    fs::write(&touched, "now").expect("touch it");
    let report = || fs::read_to_string(data.join("report")).unwrap_or_default();
    assert!(wait_until(|| report().contains("\"notices\": 1, \"words\": 2}")), "the report");
    // Workers die, and what is shared stays.
    for worker in server.workers() {
        worker.signal(Signal::SIGKILL);
    }
    assert!(wait_until(|| page().contains("2 words")), "the same page");
    let mut live = Client::to(&server, "/live");
    post("another");
    assert_eq!(live.frame(), (0x81, b"another".to_vec()));
    crate::reloading::reload(&server);
    live.ends_with(1001);
    assert!(page().contains("another"));
    server.stop();
}
