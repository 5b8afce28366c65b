//! What the program prints on a terminal, and does not elsewhere: lines of its width, times and colours.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};

/// Everything that rhinod says on a terminal of so many columns.
fn on_a_terminal(columns: u16, arguments: &[&str]) -> String {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rhinod"))
        .args(arguments)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(pty.slave.try_clone().unwrap())
        .stderr(pty.slave)
        .spawn()
        .unwrap();
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    let mut master = File::from(pty.master);
    // It is an error to read where nobody has the other side any more.
    while let Ok(read @ 1..) = master.read(&mut piece) {
        said.extend_from_slice(&piece[..read]);
    }
    child.wait().unwrap();
    String::from_utf8(said).unwrap().replace("\r\n", "\n")
}

#[test]
fn check_wraps_at_the_edge_of_the_terminal_and_not_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let ini = directory.path().join("a.ini");
    std::fs::write(&ini, "[uwsgi]\nmaster = true\nharakiri = 30\nlazy-apps = true\n").unwrap();
    let ini = ini.to_str().unwrap();
    let said = on_a_terminal(72, &["check", ini]);
    let bare: String = said.split('\x1b').map(|piece| piece.split_once('m').map_or(piece, |(_, rest)| rest)).collect();
    let widest = bare.lines().map(|line| line.chars().count()).max();
    assert!(bare.contains("harakiri = 30") && widest.is_some_and(|widest| widest <= 72), "{said}");
    let written = Command::new(env!("CARGO_BIN_EXE_rhinod")).args(["check", ini]).output().unwrap();
    let written = String::from_utf8(written.stdout).unwrap();
    assert!(written.lines().any(|line| line.chars().count() > 100) && !written.contains('\x1b'), "{written}");
}

#[test]
fn lines_of_the_log_have_times_and_colours_on_a_terminal_only() {
    let directory = tempfile::tempdir().unwrap();
    let ini = directory.path().join("a.ini");
    // A line that has no effect is warned of; then the start ends, as nobody can listen there.
    let text = "[uwsgi]\nreload-canary-time = 5\nsocket = /nowhere/a.sock\nrust-app = /bin/true\n";
    std::fs::write(&ini, text).unwrap();
    let ini = ini.to_str().unwrap();
    let said = on_a_terminal(80, &["--ini", ini]);
    let warned = said.lines().find(|line| line.contains("has no effect")).unwrap_or_else(|| panic!("{said}"));
    let (time, rest) = warned.split_once(' ').unwrap();
    let digits: Vec<usize> = time.split(':').map(|part| part.parse::<usize>().map_or(0, |_| part.len())).collect();
    assert_eq!(digits, [2, 2, 2], "{said}");
    assert!(rest.starts_with("\x1b[1;33m[warn]\x1b[0m "), "{said:?}");
    let written = Command::new(env!("CARGO_BIN_EXE_rhinod")).args(["--ini", ini]).output().unwrap();
    let written = String::from_utf8(written.stderr).unwrap();
    assert!(written.lines().any(|line| line.starts_with("[warn] ") && line.contains("has no effect")), "{written}");
}
