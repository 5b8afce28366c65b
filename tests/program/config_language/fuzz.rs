//! Mutated configurations: no panic, no endless loop, nothing read that the text does not name.
//!
//! Every input is made of a seed, which a failure names (`testkit::seeds`). A plain run tries some; `make soak` as many as
//! there is time for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use nix::time::{ClockId, clock_gettime};
use testkit::seeds::Seeds;

use rhinod::config::options::Table;
use rhinod::config::{Collected, Directive, collect_all};

use super::cases::Case;
use super::support::{DIRECTORY, Memory, invocation};

/// Inputs of a plain `cargo test`.
const INPUTS: u64 = if cfg!(debug_assertions) { 5_000 } else { 200_000 };

/// No input may take more CPU, not even in a debug build: that would be an endless loop to the user. Time of the clock
/// would tell more of what else the machine is doing.
const TIME_MAX: Duration = Duration::from_secs(20);

/// The options whose values name what is read.
const LOADING: [&str; 13] = [
    "ini",
    "yaml",
    "yml",
    "json",
    "js",
    "xml",
    "xmlconfig",
    "config",
    "include",
    "inherit",
    "inject-before",
    "inject-after",
    "for-readline",
];

/// Pieces that mean something somewhere in the language.
const PIECES: &[&str] = &[
    "%(",
    ")",
    "$(",
    "@(",
    "%(_)",
    "%d",
    "%k",
    "%",
    "%%",
    "\n",
    "\r\n",
    "=",
    " = ",
    "[",
    "]",
    "[uwsgi]\n",
    ":",
    ";",
    "#",
    "\0",
    "\u{feff}",
    " ",
    "\t",
    "a",
    "b",
    "%(a)",
    "%(b)",
    "%(a + 1)",
    "%(a b)",
    "a = %(b)\nb = %(a)\n",
    "a = x%(a)%(a)\n",
    "ini = main.ini\n",
    "include = a.ini\n",
    "include = main.ini\n",
    "inherit = main.ini\n",
    "ini = :b\n",
    "@(a.ini)",
    "@(main.ini)",
    "yaml = a.yaml\n",
    "json = a.json\n",
    "for = a b c\n",
    "for-times = 9\n",
    "for-times = 99999\n",
    "for-glob = *\n",
    "for-readline = a.ini\n",
    "for-readline = %(_)\n",
    "if-env = HOME\n",
    "if-not-env = X\n",
    "if-opt = a\n",
    "if-not-opt = b\n",
    "if-file = %(_)\n",
    "if-exists = a.ini\n",
    "if-hostname-match = (a*)*\n",
    "endif\n",
    "endfor\n",
    "end\n",
    "else =\n",
    "set = a=%(b)\n",
    "set = set=set=a\n",
    "set-ph = a=1\n",
    "declare-option = q=a=$1;include=$2\n",
    "q = 1 main.ini\n",
    "declare-option = w=w=$1\nw = 1\n",
    "blacklist = a\n",
    "end-blacklist\n",
    "whitelist = a end-whitelist\n",
    "end-whitelist\n",
    "inject-before = a.ini\n",
    "inject-after = main.ini\n",
    "strict = true\n",
    "strict = false\n",
    "fallback-config = x\n",
    "@(exec://echo a)",
    "exec://echo [uwsgi]",
    "@(fd://7)",
    "@(http://x)",
    "ini = -\n",
    "ä",
    "\u{2028}",
    "é = %(é)\n",
    "+ ",
    "- ",
    "* ",
    "/ ",
    "++ ",
    "9223372036854775807 ",
    "uwsgi:\n  a: ",
    "{\"uwsgi\": {\"a\": ",
    "}}",
    "- ",
    "&x ",
    "*x",
    "!!",
    "master",
    "processes",
    "proceses = 1\n",
];

#[test]
fn mutated_configurations_neither_panic_nor_hang_nor_read_what_they_do_not_name() {
    let corpus = corpus();
    Seeds::of_this_run(INPUTS).try_all(|(): &mut (), seed| {
        try_input(seed, &corpus);
        Ok(())
    });
}

/// The texts of all cases and examples.
fn corpus() -> Vec<String> {
    let cases = Case::all("cases").into_iter().chain(Case::all("examples"));
    cases.flat_map(|case| case.files().map(|(_, text)| text.to_owned()).collect::<Vec<_>>()).collect()
}

fn try_input(seed: u64, corpus: &[String]) {
    let mut random = Rng::with_seed(seed);
    let texts = ["main.ini", "a.ini", "a.yaml", "a.json"].map(|name| (name, mutated(&mut random, corpus)));
    let mut world = Memory::new().directory("sub");
    for (name, text) in &texts {
        world = world.file(name, text);
    }
    let command_line: &[&str] = match random.usize(..4) {
        0 => &["main.ini"],
        1 => &["--ini", "main.ini", "--set", "a=%(b)", "--processes", "2"],
        2 => &["--yaml", "a.yaml", "main.ini"],
        _ => &["--json", "a.json", "--include", "main.ini"],
    };
    let started = cpu_time();
    let call = invocation(command_line, &[("UWSGI_A", "%(b)"), ("X", "$(X)")]);
    let outcome = catch_unwind(AssertUnwindSafe(|| collect_all(&call, &Table, &world)));
    let took = cpu_time().saturating_sub(started);
    assert!(outcome.is_ok(), "seed {seed} panics");
    assert!(took < TIME_MAX, "seed {seed} takes {took:?}");
    let Ok((collected, _)) = outcome else { return };
    let asked = world.asked.borrow();
    if let Some(name) = asked.iter().find(|name| !is_named(name, command_line, &collected, &texts)) {
        panic!("seed {seed} reads {name}, which nothing names");
    }
}

/// Whether something in the configuration asks for what was read: a word of the command line, the value of an entry
/// that loads, or, as those are gone from the entries, an `@( )` or a loop over lines within another loop.
fn is_named(asked: &str, command_line: &[&str], collected: &Collected, texts: &[(&str, Vec<u8>)]) -> bool {
    let loads = |directive: &&Directive| LOADING.contains(&directive.key.replace('_', "-").as_str());
    let named = collected.directives.iter().filter(loads).filter_map(|directive| directive.value.as_deref());
    let is_asked = |name: &str| {
        let file = name.rsplit_once(':').map_or(name, |(file, _)| file);
        [name, file].iter().any(|name| *name == asked || Path::new(DIRECTORY).join(name) == Path::new(asked))
    };
    let hidden = |piece: &str| texts.iter().any(|(_, text)| find(text, piece.as_bytes()));
    command_line.iter().copied().chain(named).any(is_asked)
        || hidden("@(")
        || hidden("%%(") // may become an `@(` with the help of another entry
        || hidden("for-readline") && hidden("%(_)")
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

fn find(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn of<'t, T>(random: &mut Rng, list: &'t [T]) -> &'t T {
    &list[random.usize(..list.len())]
}

/// A text of the corpus, cut, joined with others, and sprinkled with pieces and random bytes.
fn mutated(random: &mut Rng, corpus: &[String]) -> Vec<u8> {
    let mut text = of(random, corpus).clone().into_bytes();
    text.truncate(4_000);
    for _ in 0..random.usize(..12) {
        let at = random.usize(..=text.len());
        let end = (at + random.usize(..40)).min(text.len());
        match random.usize(..6) {
            0 => drop(text.drain(at..end)),
            1 => text.insert(at, random.u8(..)),
            2 => {
                let copy = text[at..end].to_vec();
                text.splice(at..at, copy);
            }
            3 => {
                let other = of(random, corpus).as_bytes();
                let cut = random.usize(..=other.len());
                text.splice(at..at, other[cut..].iter().copied().take(400));
            }
            _ => {
                let piece = of(random, PIECES).bytes();
                text.splice(at..at, piece);
            }
        }
    }
    text
}
