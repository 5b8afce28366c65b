//! Every message of the configuration language, in one snapshot for the reader's eye.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use rhinod::config::options::Table;
use rhinod::config::{Host, collect_all};

use super::support::{Memory, invocation};

const BLOCK: &str = "if-env = HOME\n";

/// A situation: its name, the entries of `main.ini`, and the files beside it.
type Situation = (&'static str, String, Vec<(&'static str, String)>);

/// A call: its name, its arguments, its environment.
type Call = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

fn situations() -> Vec<Situation> {
    let text = |name, text: &str| (name, text.to_owned(), Vec::new());
    let with = |name, text: &str, files: &[(&'static str, &str)]| {
        (name, text.to_owned(), files.iter().map(|(name, content)| (*name, (*content).to_owned())).collect())
    };
    let chain: String = (0..70).map(|n| format!("k{n} = x%(k{})\n", n + 1)).collect();
    let doubling: String = (0..40).map(|n| format!("d{n} = y%(d{m})%(d{m})\n", m = n + 1)).collect();
    let big = "x".repeat(600_000);
    vec![
        text("a slip of the pen", "process = 4\nvaccum = true\n"),
        text("slips that would do nothing", "vaccum = perhaps\nharakri = soon\nqeue-blocksize = 4\n"),
        text(
            "words of people's own",
            "group = www-data\nvirtual_env = /opt/v\nrules = default\nqueue = fast\nlog-file = y\n",
        ),
        text(
            "percent signs that vanish",
            "env = P=%q100%w\nenv = R=50%\nharakiri = 30\n# 100%\nvacuum = true\nenv = Q=%9",
        ),
        text("a section without its bracket", "\n[uwsgi\nvacuum = true\n"),
        text("a slip when not strict", "strict = false\nprocess = 4\nvaccum = true\n"),
        text("an unknown key", "redirect-all = 1\nhost = a\n"),
        text("an unknown key when strict", "strict = true\nredirect-all = 1\nhost = a\n"),
        text("a missing equals sign", "env DEBUG = 1\nmodule: app\n"),
        text("several at once", "process = 4\na = @(nope)\nset = x\ninclude = y.ini\n"),
        text(
            "a value that is long or holds control characters",
            &format!("processs = {}\nthreadz = a\u{1b}[1mb\n", "z".repeat(300)),
        ),
        text("a file that is not there", "ini = nope.ini\ninclude = nope.ini\nyaml = nope.yaml\ninherit = nope.ini\n"),
        text("no file at all", "ini =\ninclude =\n"),
        text("a file without a telling name", "include = app.conf\nconfig = x\n"),
        text("a section that is not there", "ini = :nope\n"),
        text("a section with another name", "ini = :uwsg\n"),
        text(
            "sources that are refused",
            "ini = http://h/a.ini\nini = https://h/a.ini\nini = data://x\nini = sym://x\nini = section://x\nini = call://x\n\
             ini = callint://x\nini = emperor://x\nini = fd://x\nini = fd://9\nini = exec://false\n",
        ),
        text("xml", "xml = a.xml\n"),
        with("xml that is there", "xml = a.xml\ninclude = a.xml\n", &[("a.xml", "<uwsgi/>")]),
        with("yaml that is none", "yaml = a.yaml\n", &[("a.yaml", "uwsgi:\n  a: [1\n  b: 2\n")]),
        with("yaml with a bare percent sign", "yaml = a.yaml\n", &[("a.yaml", "uwsgi:\n  b: 1\n  a: %(b)\n")]),
        with(
            "yaml without the object",
            "yaml = a.yaml\nyaml = b.yaml\nyaml = c.yaml\n",
            &[("a.yaml", "other:\n  a: 1\n"), ("b.yaml", "uwsgi: 1\n"), ("c.yaml", "- a\n")],
        ),
        with(
            "yaml with more than values",
            "yaml = a.yaml\n",
            &[("a.yaml", "uwsgi:\n  a: {b: 1}\n  c: [[1]]\n  d: &x 1\n  e: *x\n  [f]: 1\n")],
        ),
        with("json that is none", "json = a.json\n", &[("a.json", "{\"uwsgi\": {\n\"a\": 1,}}")]),
        with(
            "json without the object",
            "json = a.json\njson = b.json\n",
            &[("a.json", "{\"other\": {}}"), ("b.json", "{\"uwsgi\": 1}")],
        ),
        with(
            "json with more than values",
            "json = a.json\n",
            &[("a.json", "{\"uwsgi\": {\n\"a\": {},\n\"b\": [[1], {}],\n\"c\": \"\\ud800\"}}")],
        ),
        with("a file that names itself", "include = main.ini\n", &[]),
        with("two files that name each other", "include = b.ini\n", &[("b.ini", "[uwsgi]\nini = main.ini\n")]),
        with("an inherited file that names itself", "inherit = b.ini\n", &[("b.ini", "[uwsgi]\ninherit = b.ini\n")]),
        with("a loop over files", "for-times = 2000\ninclude = b.ini\nendfor\n", &[("b.ini", "[uwsgi]\nq = 1\n")]),
        with("an empty file", "ini = b.ini\n", &[("b.ini", "")]),
        text("a placeholder of itself", "a = x%(a)\nb = %(c)\nc = %(d)\nd = %(b)\ne = %(e + 1)\n"),
        text("a file of itself", "a = @(f)\n"),
        with("a file of itself that is there", "a = @(f)\n", &[("f", "1@(f)")]),
        text("placeholders that go deep", &chain),
        text("placeholders that double", &doubling),
        text("a placeholder that is large", &format!("b = {big}\na = %(b)%(b)\nc = %(b b)\n")),
        text("too many replacements", &format!("b =\na = {}\n", "%(b)".repeat(10_001))),
        text("set without a value", "set = a\nset-ph = a\nset-placeholder =\n"),
        text("a placeholder that is an option", "set-ph = processes=4\n"),
        text(
            "declared options that are none",
            "declare-option = a\ndeclare-option = =b=c\ndeclare-option = a=b\ndeclare-option = env=a=b\n",
        ),
        text("a declared option that declares itself", "declare-option = q=include=main.ini\nq\n"),
        text("blacklist and whitelist", "blacklist = chdir\nchdir = /\nend-blacklist\nwhitelist = env\nchdir = /\n"),
        text("a block that is never closed", "if-env = NOPE\nmaster = true\nprocesses = 4\n"),
        text("an end without a block", "endif\nmaster = true\nendfor =\n"),
        text("a block inside a block", "if-env = HOME\nfor = a b\nenv = X=%(_)\nendfor\nendif\n"),
        with(
            "a block that a file leaves open",
            "if-env = HOME\nini = b.ini\nendif\n",
            &[("b.ini", "[uwsgi]\nif-env = HOME\nq = 1\n")],
        ),
        text("a condition on a variable", "if-file = $(HOME)/x\nmaster = true\nendif\n"),
        text("a loop without number", "for-times = many\nmaster = true\nvacuum = true\nendfor\n"),
        text("a loop that is long", "for-times = 100001\nmaster = true\nendfor\n"),
        text("loops that multiply", "for-times = 1000\nfor-times = 1000\nenv = A=1\nendfor\nendfor\n"),
        text("loops that fill the list", &format!("for-times = 60000\n{}endfor\n", "q = 1\n".repeat(2))),
        text("tests without end", &format!("for-times = 90000\nif-file = x\n{}", "a = 1\n".repeat(20))),
        text("blocks that write much", &format!("for-times = 200\na = {big}\nendfor\n")),
        text("many words", &format!("for = {}\na = 1\nendfor\n", "a ".repeat(100_001))),
        text("deep blocks", &BLOCK.repeat(33)),
        text("lines of a file that is not there", "for-readline = nope\nenv = %(_)\nmaster = true\nendfor\n"),
        text("a pattern for the host that is none", "if-hostname-match = [\nmaster = true\nendif\n"),
    ]
}

#[test]
fn every_message_of_a_file_is_as_written_here() {
    let mut all = String::new();
    for (name, text, files) in situations() {
        let mut world = Memory::new().file("main.ini", format!("[uwsgi]\n{text}"));
        for (name, content) in files {
            world = world.file(name, content);
        }
        all += &told(name, &world, &["--ini", "main.ini"], &[]);
    }
    insta::assert_snapshot!("messages_of_files", all);
}

#[test]
fn every_message_about_bytes_is_as_written_here() {
    let world = Memory::new()
        .file(
            "main.ini",
            b"[uwsgi]\n# \xe9\na = caf\xe9\nb = @(latin)\nyaml = a.yaml\nfor-readline = latin\nc = 1\nendfor\n",
        )
        .file("latin", b"\xe9")
        .file("a.yaml", b"uwsgi:\n  a: \xe9\n")
        .file("large.ini", comment((16 << 20) + 1));
    let mut all = told("text that is not UTF-8", &world, &["--ini", "main.ini"], &[]);
    all += &told("a large file", &world, &["--ini", "large.ini"], &[]);
    let world = world.file("ok.ini", [b"[uwsgi]\n".as_slice(), &comment(14 << 20)].concat());
    all += &told("large files", &world, &["--ini", "ok.ini"].repeat(5), &[]);
    let mut raw = invocation(&[], &[]);
    raw.arguments =
        vec!["--chdir".into(), OsString::from_vec(b"/\xe9".to_vec()), OsString::from_vec(b"\xe9.ini".to_vec())];
    raw.environment.push(("UWSGI_CHDIR".into(), OsString::from_vec(b"/\xe9".to_vec())));
    let (_, errors) = collect_all(&raw, &Table, &world);
    all += &format!("## arguments and variables that are not UTF-8\n{errors}\n\n");
    insta::assert_snapshot!("messages_about_bytes", all);
}

#[test]
fn every_message_of_the_command_line_is_as_written_here() {
    let world = Memory::new().file("main.ini", "[uwsgi]\nmaster = true\n").file("app.py", "").standard_input("");
    let calls: [Call; 12] = [
        ("unknown options", &["--procesess", "4", "--no-such-thing=1", "-Z", "--ini", "main.ini"], &[]),
        ("an ambiguous beginning", &["--proc", "4"], &[]),
        ("a flag with a value", &["--master=true"], &[]),
        ("no value", &["--processes"], &[]),
        ("no value for a letter", &["-p"], &[]),
        ("words that are no configuration", &["app.py", "pkg:app", "-", "start", "nope.ini"], &[]),
        ("padding and an empty standard input", &["[padding]", "--ini", "-"], &[]),
        ("a section that is not there", &["--ini", "main.ini:web"], &[]),
        ("a section of nothing", &["--ini", ":web"], &[]),
        (
            "a slip in a variable",
            &["main.ini"],
            &[("UWSGI_PROCESSS", "4"), ("RHINOD_VACCUM", "1"), ("UWSGI_PORT", "1")],
        ),
        ("a variable when strict", &["--strict", "main.ini"], &[("UWSGI_PORT", "tcp://10.0.0.1:80")]),
        ("a placeholder nobody uses", &["--set", "procesess=4", "main.ini"], &[]),
    ];
    let all: String =
        calls.iter().map(|(name, arguments, variables)| told(name, &world, arguments, variables)).collect();
    insta::assert_snapshot!("messages_of_the_command_line", all);
}

#[test]
fn what_the_real_machine_says_is_passed_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut call = invocation(&["--ini", ".", "--ini", "exec://echo '[uwsgi]'; exit 3", "--ini", "fd://1000000"], &[]);
    call.directory = directory.path().to_owned();
    let (_, errors) = collect_all(&call, &Table, &Host::new());
    let neutral = errors.to_string().replace(&directory.path().display().to_string(), "{dir}");
    insta::assert_snapshot!("messages_of_the_real_machine", neutral);
}

/// So many bytes, soon read.
fn comment(bytes: usize) -> Vec<u8> {
    let mut line = vec![b'x'; bytes];
    line[0] = b'#';
    line
}

fn told(name: &str, world: &Memory, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let (collected, errors) = collect_all(&invocation(arguments, environment), &Table, world);
    let errors = errors.0.iter().map(|error| format!("error: {error}\n"));
    let warnings = collected.warnings.iter().map(|warning| format!("warning: {warning}\n"));
    format!("## {name}\n{}\n", errors.chain(warnings).collect::<String>())
}
