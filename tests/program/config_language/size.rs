//! What a large configuration costs: memory in proportion to its bytes, work in proportion to its entries, and a refusal
//! that says the bound.

use std::cell::Cell;
use std::process::Command;

use rhinod::config::collect;
use rhinod::config::options::Table;
use rhinod::config::vocabulary::{Meaning, Vocabulary};

use super::support::{Memory, invocation};

/// The output of `rhinod check` with so much memory and no more; the program itself has some 20 MiB of it.
fn check_within(mebibytes: usize, name: &str, content: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(name);
    std::fs::write(&file, content).unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", &format!("ulimit -v {}; exec \"$0\" check \"$1\"", mebibytes << 10), env!("CARGO_BIN_EXE_rhinod")])
        .arg(file)
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{name}: {output:.2000?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn millions_of_lines_need_little_more_memory_than_their_bytes() {
    let lines = 500_000;
    let blank = check_within(64, "blank.ini", &("[uwsgi]\n".to_owned() + &"\n".repeat(6 * lines)));
    assert!(blank.contains("nothing in its section [uwsgi]"), "{blank:.2000}");
    let other = check_within(64, "other.ini", &("[other]\n".to_owned() + &"a\n".repeat(lines)));
    assert!(other.contains("no section [uwsgi]"), "{other:.2000}");
    for (name, content) in [
        ("many.ini", "[uwsgi]\n".to_owned() + &"env=\n".repeat(lines)),
        ("many.yaml", "uwsgi:\n".to_owned() + &" a: b\n".repeat(lines / 4)),
        ("many.json", format!("{{\"uwsgi\": {{\"a\": [{}1]}}}}", "1,\n".repeat(lines))),
    ] {
        let output = check_within(160, name, &content);
        assert!(output.contains("more than 100000 "), "{name}: {output:.2000}");
    }
    let long = check_within(64, "long.ini", &("[uwsgi]\nenv = A=".to_owned() + &"%d".repeat(lines)));
    assert!(long.contains("the line is longer than 1024 KiB"), "{long:.2000}");
}

/// The real options, and how often they were asked for.
#[derive(Default)]
struct Counting(Cell<usize>);

impl Counting {
    fn count(&self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Vocabulary for Counting {
    fn lookup(&self, name: &str) -> Option<Meaning> {
        self.count();
        Table.lookup(name)
    }

    fn short(&self, letter: char) -> Option<Meaning> {
        self.count();
        Table.short(letter)
    }

    fn names(&self) -> Box<dyn Iterator<Item = &'static str> + '_> {
        self.count();
        Table.names()
    }

    fn would_act(&self, name: &str, value: Option<&str>) -> bool {
        self.count();
        Table.would_act(name, value)
    }

    fn provides(&self, plugin: &str) -> bool {
        self.count();
        Table.provides(plugin)
    }
}

#[test]
fn twice_the_entries_ask_twice_as_much_and_a_bound_ends_the_asking() {
    let steps = |entries: usize, own: bool| {
        let own = if own { "own = %(k)\n" } else { "" };
        let lines: String = (0..entries).map(|number| format!("env = A{number}=1\n{own}")).collect();
        let (world, counting) = (Memory::new().file("a.ini", format!("[uwsgi]\nk = 1\n{lines}")), Counting::default());
        let result = collect(&invocation(&["--ini", "a.ini"], &[]), &counting, &world);
        (counting.0.get(), result.map(|collected| collected.directives.len()))
    };
    let ((some, _), (twice, taken)) = (steps(500, true), steps(1_000, true));
    assert_eq!(taken.map_err(|_| ()), Ok(2_002));
    assert!(some >= 1_000 && twice <= 2 * some, "{some} and {twice}");
    let (bound, refused) = steps(150_000, false);
    assert!(bound <= 100 * twice, "{twice} and {bound}");
    assert!(refused.is_err_and(|errors| errors.to_string().contains("more than 100000 entries")));
}
