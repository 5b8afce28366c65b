//! What the documents show is true: each of their commands is run as a reader would type it, each of their configurations
//! is judged by `check`. (The README and docs/EMBEDDING.md install and compile; tests/packaging runs those.)

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testkit::pages::{Page, blocks, commands, write};

use crate::harness::program_path;

const APPLICATION: &str = "def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'Hello\\n']

app = application
";

/// Pages with commands that another test runs, or none can.
const ELSEWHERE: [(&str, &str); 5] = [
    ("README.md", "tests/packaging"),
    ("docs/EMBEDDING.md", "tests/packaging"),
    ("docs/DJANGO.md", "tests/servers/python_examples.rs"),
    ("docs/CONTAINERS.md", "tests/servers/serve_container.rs"),
    ("docs/SCALING-STUDY.md", "an hour of computing, on two public traces"),
];

const HERE: [&str; 5] = ["docs/COMMANDS.md", "docs/HTTP.md", "docs/RELOADING.md", "docs/SCALING.md", "docs/UWSGI.md"];

#[test]
fn the_commands_of_the_pages_do_what_is_said() {
    // All pages in one test: each is short, and the extension module is built for all of them.
    crate::extension::rhinod();
    for (page, ran) in [
        ("docs/COMMANDS.md", the_commands()),
        ("docs/HTTP.md", http()),
        ("docs/RELOADING.md", reloading()),
        ("docs/SCALING.md", scaling()),
        ("docs/UWSGI.md", coming_from_uwsgi()),
    ] {
        assert!(ran > 0, "{page} has no commands any more");
    }
}

fn the_commands() -> usize {
    let place = place();
    // Without a socket it is port 8000 of the loopback, which a test must not take. The first block is about an
    // instance that runs.
    page("docs/COMMANDS.md", &place)
        .swap("rhinod wsgi:app", "rhinod wsgi:app --http-socket 127.0.0.1:8000")
        .swap("rhinod app.py", "rhinod app.py --http-socket 127.0.0.1:8000")
        .leave_out("rhinod status --quiet /run/app/app.pid") // tests/servers/commands.rs has every state
        .run()
}

fn http() -> usize {
    let place = place();
    page("docs/HTTP.md", &place).run()
}

fn reloading() -> usize {
    let place = place();
    let ini = "[uwsgi]\nwsgi-file = app.py\nsocket = app.sock\n";
    write(&place.path().join("app.ini"), ini);
    // A run script is a server; as a command it begins with its program.
    page("docs/RELOADING.md", &place).swap("#!/bin/sh\nexec 2>&1\nexec rhinod", "rhinod").swap("/etc/rhinod/", "").run()
}

fn scaling() -> usize {
    let place = place();
    let line = |second: u32| {
        format!("127.0.0.1 - - [29/Nov/2026:10:00:{second:02} +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" 0.040\n")
    };
    write(&place.path().join("access.log"), &(0..600).map(|n| line(n / 10)).collect::<String>());
    let mut shown = page("docs/SCALING.md", &place);
    write(&place.path().join("your.ini"), &format!("{}socket = app.sock\nwsgi-file = app.py\n", shown.block("ini")));
    // tests/servers/scaling_decisions.rs replays what an instance records.
    shown.leave_out("rhinod simulate --replay").run()
}

fn coming_from_uwsgi() -> usize {
    let place = place();
    let mut shown = page("docs/UWSGI.md", &place);
    write(&place.path().join("site.ini"), &shown.block("ini"));
    shown.swap("curl ", "curl --fail --silent ").run()
}

/// A page, with the `rhinod` of this build on the PATH and without the caution for whoever runs tests as root.
fn page<'a>(name: &str, place: &TempDir) -> Page<'a> {
    let text = fs::read_to_string(root().join(name)).expect("the page");
    let programs = program_path("").canonicalize().expect("the directory of the programs");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a PATH"));
    Page::new(&text, place.path()).environment("PATH", path)
}

/// A directory with an application under the names that the pages use, and a virtualenv.
fn place() -> TempDir {
    let place = tempfile::tempdir().expect("a temporary directory");
    for name in ["wsgi.py", "app.py"] {
        write(&place.path().join(name), APPLICATION);
    }
    let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(place.path().join("venv")).status();
    assert!(made.expect("execute python3").success());
    place
}

#[test]
fn every_page_with_commands_is_run() {
    let runs = |name: &str| HERE.contains(&name) || ELSEWHERE.iter().any(|(page, _)| *page == name);
    for (name, text) in documents() {
        let found = blocks(&text);
        assert!(commands(&found).is_empty() || runs(&name), "{name} has commands that no test runs");
        let bare = found.iter().filter(|block| block.language.is_empty()).flat_map(|block| block.text.lines());
        let programs = ["rhinod ", "make ", "cargo ", "pip ", "curl ", "docker "];
        let hidden: Vec<&str> = bare
            .filter(|line| programs.iter().any(|program| line.starts_with(program)) && !is_synopsis(line))
            .collect();
        assert!(hidden.is_empty(), "{name}: commands belong into a block of `console`: {hidden:?}");
    }
}

/// A line that says how a command is called, with words in capitals for what is to be filled in.
fn is_synopsis(line: &str) -> bool {
    line.split(' ').any(|word| word.len() > 2 && word.chars().all(|letter| letter.is_ascii_uppercase()))
}

#[test]
fn every_configuration_that_is_shown_does_what_it_says() {
    let place = place();
    let mut count = 0;
    for (name, text) in documents() {
        for block in blocks(&text).iter().filter(|block| block.language == "ini") {
            count += 1;
            // Behind a value a `;` is part of it, as in uWSGI.
            assert!(!block.text.contains(" ;"), "{name}: a remark needs a line of its own:\n{}", block.text);
            let ini = place.path().join("shown.ini");
            write(&ini, &completed(&block.text, place.path()));
            let rhinod = program_path("rhinod").canonicalize().expect("rhinod");
            let checked = Command::new(rhinod).arg("check").arg(&ini).current_dir(place.path()).output();
            let checked = checked.expect("run rhinod");
            let said = String::from_utf8_lossy(&checked.stdout).into_owned();
            let is_for_root = block.text.contains("\nuid = ") || said.contains("ports below 1024 are root's");
            if is_for_root && !nix::unistd::geteuid().is_root() {
                eprintln!("only root can start this of {name}:\n{}", block.text);
                continue;
            }
            assert_eq!(checked.status.code(), Some(0), "{name}:\n{}\n{said}", block.text);
            assert!(!said.contains("vanishes") && !said.contains("is ignored"), "{name}:\n{said}");
        }
    }
    assert!(count > 8, "the search finds nothing");
}

/// A part of a configuration as a whole one, with places that are there.
fn completed(part: &str, place: &Path) -> String {
    let mut text = if part.starts_with('[') { part.to_owned() } else { format!("[uwsgi]\n{part}") };
    for shown in [
        "/run/app",
        "/var/log/app",
        "/var/log/site",
        "/srv/guestbook/run",
        "/srv/app",
        "/run/rhinod",
        "/run/site",
        "/etc/rhinod",
    ] {
        text = text.replace(shown, &place.display().to_string());
    }
    for end in ["crt", "key"] {
        let certificate = root().join(format!("tests/data/tls/server.{end}"));
        fs::copy(certificate, place.join(format!("tls.{end}"))).expect("copy a certificate");
    }
    write(&place.join("myProject.ini"), "[uwsgi]\nsocket = other.sock\n");
    fs::create_dir_all(place.join("vassals")).expect("a directory of vassals");
    if text.contains("emperor = ") {
        return text;
    }
    let socket = if text.contains("socket = ") { "" } else { "\nsocket = app.sock\n" };
    let application = if text.contains("module = ") { "\n" } else { "\nwsgi-file = app.py\n" };
    // In its first section: others are read only where they are asked for.
    let (header, rest) = text.split_once('\n').expect("a header");
    format!("{header}{socket}{application}{rest}")
}

/// README and every page of docs/, by name.
fn documents() -> Vec<(String, String)> {
    let pages = fs::read_dir(root().join("docs")).expect("the pages").map(|page| page.expect("a page").file_name());
    let pages = pages.map(|name| format!("docs/{}", name.to_string_lossy())).filter(|name| name.ends_with(".md"));
    let names = pages.chain(["README.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md"].map(str::to_owned));
    let read = |name: String| {
        let text = fs::read_to_string(root().join(&name)).expect("a page");
        (name, text)
    };
    names.map(read).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
