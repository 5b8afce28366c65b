//! The configuration language against its reference, its examples, uWSGI itself, and nonsense.

mod cases;
mod examples;
mod fuzz;
mod messages;
mod rival;
mod size;
mod support;
mod vectors;

use support::{Memory, run, shown};

#[test]
fn a_simple_file_is_read_in_order() {
    let world =
        Memory::new().file("a.ini", "[uwsgi]\nmaster = true\nprocesses = %(%k * 2)\nbase = /srv\nchdir = %(base)/x\n");
    let collected = run(&world, &["--ini", "a.ini", "-p", "3"], &[("UWSGI_THREADS", "2")]).unwrap();
    let expected = [
        "threads = 2",
        "ini = a.ini",
        "master = true",
        "processes = 8",
        "base = /srv",
        "chdir = /srv/x",
        "processes = 3",
    ];
    assert_eq!(shown(&collected), expected);
    let origins: Vec<String> = collected.listed().map(|directive| directive.origin.to_string()).collect();
    assert_eq!(origins, ["UWSGI_THREADS", "command line", "a.ini:2", "a.ini:3", "a.ini:4", "a.ini:5", "command line"]);
}
