//! Who may use whom (docs/ARCHITECTURE.md, Layers): arrows only downwards, decisions without the world, unsafe code at
//! one address. Reads the sources; comments and tests in them do not count.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files below `src/` that decide, and nothing else: everything they need comes in as an argument.
const PURE: &[&str] = &["config", "scaling", "master/machine", "supervision", "handler", "stats", "cli", "exit.rs"];

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

/// Modules of the crate that act. Code that decides, and `sys`, may not name them.
const DRIVERS: &[&str] = &["app", "hooks", "logging", "master", "member", "operator", "python", "worker", "zygote"];

/// Where a rule has an exception, and why. One that is not needed any more is an error.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("config/host.rs", "*", "the one implementation of the configuration's world; everything else asks the trait"),
    ("config/world.rs", "std::time::SystemTime", "the type of a moment that comes in; no clock is read"),
    ("handler/response.rs", "std::fs", "the type of an open file that a response carries; none is opened here"),
    ("handler/serve.rs", "*", "joins a handler to a worker: the driver of this directory"),
    ("exit.rs", "std::process", "the conversion of a status to what `main` returns"),
];

/// The only places with unsafe code.
const UNSAFE: &[&str] = &["src/sys/", "python/src/ffi/"];

struct Source {
    /// Relative to the package, with `/`.
    path: String,
    /// Without comments and without tests.
    code: String,
}

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
fn what_decides_knows_neither_system_nor_drivers() {
    for source in sources("src") {
        let Some(name) = pure_name(&source) else { continue };
        if EXCEPTIONS.iter().any(|(path, what, _)| *path == name && *what == "*") {
            continue;
        }
        for module in DRIVERS.iter().chain(&["sys"]) {
            let is_own = name.starts_with("master/machine/") && *module == "master";
            assert!(is_own || !imports_module(&source.code, module), "{} uses crate::{module}", source.path);
        }
    }
}

#[test]
fn the_system_knows_no_driver() {
    for source in sources("src").into_iter().filter(|source| source.path.starts_with("src/sys/")) {
        for module in DRIVERS {
            assert!(!imports_module(&source.code, module), "{} uses crate::{module}", source.path);
        }
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

#[test]
fn the_clock_is_read_in_one_file() {
    for source in sources("src").into_iter().filter(|source| source.path != "src/sys/clock.rs") {
        for word in ["clock_gettime", "Instant::now", "Timestamp::now", "Zoned::now"] {
            assert!(!imports(&source.code, word), "{} reads a clock: {word}", source.path);
        }
    }
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

fn imports_module(code: &str, module: &str) -> bool {
    imports(code, &format!("crate::{module}::")) || imports(code, &format!("crate::{module};"))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_alphanumeric() && character != '_')
}

/// Every source file below a directory of the package that is not only there for tests.
fn sources(directory: &str) -> Vec<Source> {
    let root = package().join(directory);
    let all = files(&root);
    let tests: BTreeSet<PathBuf> = all.iter().flat_map(|path| test_modules(path)).collect();
    let mut sources = Vec::new();
    for path in all.into_iter().filter(|path| !tests.contains(path)) {
        let text = fs::read_to_string(&path).expect("a source file");
        let relative = path.strip_prefix(package()).expect("below the package").display().to_string();
        sources.push(Source { path: relative, code: code_of(&text) });
    }
    assert!(sources.len() > 3, "hardly any source below {directory}");
    sources
}

/// Files that are modules only for tests: `#[cfg(test)]` right before `mod name;`.
fn test_modules(path: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(path).expect("a source file");
    let directory = match path.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs" | "lib.rs" | "main.rs") => path.parent().expect("a directory").to_owned(),
        _ => path.with_extension(""),
    };
    let mut modules = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().and_then(|next| next.strip_prefix("mod ")?.strip_suffix(';'));
        if let (true, Some(name)) = (line.starts_with("#[cfg(test)]"), next) {
            modules.push(directory.join(format!("{name}.rs")));
        }
    }
    modules
}

/// The text without comments, and without the tests at its end.
fn code_of(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| line.split(" // ").next().unwrap_or_default().to_owned() + "\n").collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a source directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
