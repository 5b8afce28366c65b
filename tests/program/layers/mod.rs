//! Who may use whom (docs/ARCHITECTURE.md, Layers): arrows only downwards, decisions without the world, unsafe code at
//! one address. Reads the sources; comments and tests in them do not count.

mod graph;
mod questions;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use graph::{Graph, Module};
use sources::{Source, files, package, sources};

/// Files below `src/` that decide, and nothing else: everything they need comes in as an argument.
const PURE: &[&str] = &[
    "cache",
    "canary",
    "checksum.rs",
    "config",
    "ring",
    "scaling",
    "master/machine",
    "emperor/machine",
    "spool",
    "supervision",
    "daemon/command.rs",
    "daemon/pid_file.rs",
    "handler",
    "metrics.rs",
    "otlp",
    "percent.rs",
    "router/announced",
    "routing",
    "stacks",
    "test.rs",
    "stats",
    "cli",
    "escape.rs",
    "exit.rs",
    "tls",
    "travel.rs",
    "websocket",
];

/// What code that decides may not name: system, clock, files, environment, processes, threads, sockets.
const WORLD: &[&str] = &[
    "nix::",
    "libc::",
    "mio::",
    "socket2::",
    "signal_hook",
    "std::env",
    "std::fs",
    "std::process",
    "std::thread",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os::unix::net",
    "std::time::Instant",
    "std::time::SystemTime",
    "Instant::now",
    "SystemTime::now",
];

/// The parts of the crate, by their folder or file below `src/`, and which others each may use. A part that stands here is
/// not counted as part of the one above it. What stands further down never uses what stands further up, so that there is
/// no circle of parts; a part without a line uses nothing.
const PARTS: &[(&str, &[&str])] = &[
    (
        "app",
        &[
            "cli",
            "config",
            "embedded",
            "emperor",
            "exit",
            "failure",
            "handler",
            "hindrance",
            "logging",
            "master",
            "operator",
            "router",
            "router/settings",
            "simulate",
            "supervision",
            "sys",
            "zygote",
        ],
    ),
    (
        "master",
        &[
            "cache",
            "attendant",
            "collector",
            "canary",
            "config",
            "daemon",
            "escape",
            "exit",
            "exporter",
            "failure",
            "hindrance",
            "hooks",
            "inquiry",
            "logging",
            "master/machine",
            "metric_files",
            "metrics",
            "operator/words",
            "pushing",
            "ring",
            "router/birth",
            "router/settings",
            "scaling",
            "stats",
            "supervision",
            "sys",
            "timetable",
            "tls",
            "travel",
        ],
    ),
    (
        "emperor",
        &["config", "emperor/machine", "escape", "failure", "hooks", "logging", "scaling", "supervision", "sys"],
    ),
    ("router", &["config", "exit", "logging", "router/settings", "stats", "sys", "tls", "travel"]),
    ("router/birth", &["config", "router/settings", "sys"]),
    ("zygote", &["companion", "config", "logging", "member", "routing", "sys", "travel", "worker"]),
    ("embedded", &["cache", "companion", "config", "escape", "handler", "member", "sys", "websocket", "worker"]),
    ("test", &["handler", "percent"]),
    (
        "operator",
        &["cli", "escape", "exit", "failure", "logging", "operator/words", "remote", "stacks", "stats", "sys"],
    ),
    ("simulate", &["config", "exit", "failure", "scaling", "sys"]),
    (
        "worker",
        &[
            "cache",
            "companion",
            "config",
            "escape",
            "handler",
            "log_places",
            "logging",
            "member",
            "metrics",
            "otlp",
            "percent",
            "remote",
            "routing",
            "sys",
            "timetable",
            "websocket",
        ],
    ),
    ("metric_files", &["attendant", "metrics", "sys"]),
    ("exporter", &["attendant", "config", "escape", "inquiry", "otlp", "remote", "sys", "tls"]),
    ("pushing", &["attendant", "config", "inquiry", "remote", "stats", "sys"]),
    ("inquiry", &[]),
    ("attendant", &["logging", "sys"]),
    ("companion", &["member", "sys"]),
    ("remote", &["sys"]),
    (
        "member",
        &["cache", "config", "escape", "exit", "hooks", "logging", "ring", "routing", "spool", "spooling", "sys"],
    ),
    ("spooling", &["escape", "spool", "sys"]),
    ("hooks", &["config", "sys"]),
    ("daemon", &["config", "sys"]),
    ("collector", &["config", "escape", "log_places", "logging", "sys"]),
    ("log_places", &["config", "escape", "logging", "sys"]),
    ("logging", &["config", "escape", "sys"]),
    ("failure", &["config", "exit", "sys"]),
    ("hindrance", &["config", "sys"]),
    ("sys", &["config", "tls"]),
    ("router/settings", &["config"]),
    ("tls", &["config"]),
    ("cli", &["config", "escape", "exit", "percent", "routing"]),
    ("emperor/machine", &["supervision"]),
    ("master/machine", &["config", "supervision"]),
    ("canary", &["config"]),
    ("stacks", &["escape"]),
    ("stats", &["otlp"]),
    ("otlp", &["percent"]),
    ("scaling", &["config", "escape"]),
    ("handler", &["percent"]),
    ("config", &["cache", "escape", "ring", "routing", "timetable"]),
    ("routing", &["cache", "percent"]),
    ("cache", &["checksum"]),
    ("metrics", &[]),
    ("supervision", &[]),
    ("ring", &["checksum"]),
    ("spool", &["escape"]),
    ("timetable", &["escape"]),
    ("escape", &[]),
    ("percent", &[]),
    ("exit", &[]),
    ("travel", &[]),
    ("websocket", &[]),
    ("checksum", &[]),
    ("operator/words", &[]),
];

/// Parts that never meet, however many files lie between them, and why.
const STRANGERS: &[(&str, &str, &str)] = &[
    ("master", "worker", "the master never runs code of the application"),
    ("master", "zygote", "they speak records"),
    ("zygote", "master", "they speak records"),
    ("master", "emperor", "they speak bytes"),
    ("emperor", "master", "they speak bytes"),
    ("operator", "master", "they speak over a socket"),
    ("simulate", "master", "trying out starts nothing"),
];

/// Where a rule has an exception, and why. One that is not needed any more is an error.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("config/host.rs", "*", "the one implementation of the configuration's world; everything else asks the trait"),
    ("config/world.rs", "std::time::SystemTime", "the type of a moment that comes in; no clock is read"),
    ("handler/file.rs", "*", "the type of an open file whose size and time are asked for, and of which parts are read"),
    ("handler/response.rs", "std::fs", "the type of an open file that a response carries; none is opened here"),
    ("test.rs", "std::fs", "the type of an open file that a response carries; none is opened here"),
    ("exit.rs", "std::process", "the conversion of a status to what `main` returns"),
];

/// The only places with unsafe code.
const UNSAFE: &[&str] = &["src/sys/", "python/src/ffi/"];

#[test]
fn what_decides_asks_nothing_of_the_world() {
    let mut used = BTreeSet::new();
    for source in sources("src") {
        let Some(name) = pure_name(&source) else { continue };
        for word in WORLD.iter().filter(|word| imports(&source.code, word)) {
            assert!(is_excepted(name, word, &mut used), "{} uses {word}", source.path);
        }
    }
    assert_all_needed(&used);
}

#[test]
fn no_file_uses_itself_by_way_of_others() {
    for root in ["src/", "python/src/"] {
        let circle = Graph::of(&sources(root), root).circle();
        assert_eq!(circle.map(|files| files.iter().map(|file| file.join("/")).collect::<Vec<_>>()), None, "in {root}");
    }
}

#[test]
fn a_part_uses_only_what_the_table_allows() {
    let graph = Graph::of(&sources("src"), "src/");
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in graph.modules().filter(|file| !file.is_empty()) {
        let own = part_of(file);
        let others = graph.used_by(file).into_iter().filter(|other| !other.is_empty()).map(|other| part_of(&other));
        for other in others.filter(|other| *other != own) {
            let allowed = PARTS.iter().any(|(part, others)| *part == own && others.contains(&other));
            assert!(allowed, "{} uses {other}, which the table does not allow for {own}", file.join("/"));
            used.entry(own).or_default().insert(other);
        }
    }
    for (part, others) in PARTS {
        let unused = others.iter().find(|other| !used.get(part).is_some_and(|used| used.contains(*other)));
        assert_eq!(unused, None, "{part} does not use it: the table allows too much");
    }
}

#[test]
fn the_table_of_parts_has_no_circle() {
    for (place, (part, others)) in PARTS.iter().enumerate() {
        for other in *others {
            let below = PARTS.iter().position(|(name, _)| name == other);
            assert!(below.is_some_and(|below| below > place), "{part} stands below {other}, which it uses");
        }
    }
}

#[test]
fn strangers_never_meet() {
    let graph = Graph::of(&sources("src"), "src/");
    for (part, stranger, why) in STRANGERS {
        let start = graph.modules().filter(|file| !file.is_empty() && part_of(file) == *part).cloned();
        let mut reached: BTreeSet<Module> = BTreeSet::new();
        let mut next: Vec<Module> = start.collect();
        assert!(!next.is_empty(), "there is no {part}");
        while let Some(file) = next.pop() {
            let new = graph.used_by(&file).into_iter().filter(|file| !file.is_empty());
            next.extend(new.filter(|file| reached.insert(file.clone())));
        }
        let met = reached.iter().find(|file| part_of(file) == *stranger);
        assert_eq!(met, None, "{part} reaches {stranger}, but {why}");
    }
}

#[test]
fn the_worker_protocol_is_bytes_in_and_events_out() {
    for source in sources("worker-protocol/src") {
        for word in WORLD.iter().chain(&["std::io", "std::net", "std::os", "rhinod"]) {
            assert!(!imports(&source.code, word), "{} uses {word}", source.path);
        }
        assert!(!words(&source.code).any(|word| word == "unsafe"), "{} has unsafe code", source.path);
    }
}

#[test]
fn unsafe_code_has_an_address() {
    let mut found = 0;
    for source in sources("src").into_iter().chain(sources("python/src")) {
        let has_unsafe = words(&source.code).any(|word| word == "unsafe");
        let may = UNSAFE.iter().any(|place| source.path.starts_with(place));
        assert!(may || !has_unsafe, "{} has unsafe code", source.path);
        found += usize::from(has_unsafe);
    }
    assert!(found > 0, "the search finds nothing at all");
}

/// Every unsafe block says why it is sound, in the comment before it or before the statement that it is part of.
#[test]
fn unsafe_code_says_why_it_is_sound() {
    for path in UNSAFE.iter().flat_map(|place| files(&package().join(place))) {
        let text = fs::read_to_string(&path).expect("a source file");
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let is_unsafe = words(line.split("//").next().unwrap_or_default()).any(|word| word == "unsafe");
            let before = &lines[number.saturating_sub(8)..=number];
            let explained = before.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
            assert!(!is_unsafe || explained, "{}:{}: no SAFETY comment", path.display(), number + 1);
        }
    }
}

/// The part that a file belongs to: the longest of the table that is above it.
fn part_of(file: &Module) -> &'static str {
    let path = file.join("/");
    let parts = PARTS.iter().map(|(part, _)| *part).filter(|part| is_below(&path, part));
    parts.max_by_key(|part| part.len()).unwrap_or_else(|| panic!("{path} is in no part of the table"))
}

/// The name of a source below `src/`, if it is one of those that decide.
fn pure_name(source: &Source) -> Option<&str> {
    let name = source.path.strip_prefix("src/")?;
    PURE.iter().any(|root| is_below(name, root)).then_some(name)
}

/// `cli.rs` and `cli/help.rs` are below `cli`; `client.rs` is not.
fn is_below(name: &str, root: &str) -> bool {
    name.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
}

fn is_excepted(name: &str, word: &str, used: &mut BTreeSet<&'static str>) -> bool {
    let found = EXCEPTIONS.iter().find(|(path, what, _)| *path == name && (*what == "*" || *what == word));
    found.is_some_and(|(path, _, _)| used.insert(path) || used.contains(path))
}

fn assert_all_needed(used: &BTreeSet<&str>) {
    for (path, what, why) in EXCEPTIONS {
        assert!(used.contains(path), "the exception of {path} for {what} is not needed: {why}");
    }
}

/// Whether the code names a path, also as part of `use std::{env, fs}`.
fn imports(code: &str, path: &str) -> bool {
    if code.contains(path) {
        return true;
    }
    let Some((parent, name)) = path.trim_end_matches("::").rsplit_once("::") else { return false };
    code.split(&format!("use {parent}::{{")).skip(1).any(|rest| {
        let list = rest.split(';').next().unwrap_or_default();
        words(list).any(|word| word == name)
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
}
