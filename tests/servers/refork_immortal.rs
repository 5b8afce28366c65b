//! What of a program lives for ever once workers are forked from a mold (`refork-immortal`), in which Pythons, and that all that
//! has an end still has it.

use std::fs;

use crate::harness::{Instance, wait_until};
use crate::pythons::{EVALUATES, Python, call, launch_in, supported};
use crate::refork::{are_all_of, mold};

/// A module of which the application imports one at its loading, and one when it is asked to.
const MODULE: &str = "\
import gc, os, sys, threading, weakref

ENDED = []

class Thing:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        ENDED.append(self.name)

class Plain:
    names = ('one', ('two', 3.5))

def helper(numbers=(1, 2, 'three')):
    'What it does.'
    return numbers

def counting():
    count = 0
    def up():
        nonlocal count
        count += 1
        return count
    return up

up = counting()

def begun():
    try:
        yield
    finally:
        ENDED.append('a generator')

THINGS = [Thing('an instance')]
OPEN = {'file': open(__file__)}
PAIR = (Thing('in a tuple'), [])
INNER = (1, (2, ('three', [])))
BEGUN = begun()
next(BEGUN)
WATCHED = {Plain()}
WATCH = weakref.ref(next(iter(WATCHED)), lambda _: ENDED.append('watched'))
LOCK = threading.Lock()
LOCAL = threading.local()

def lives_for_ever(thing):
    return sys.getrefcount(thing) > 1 << 30

def program():
    own = [sys.modules[__name__], globals(), Thing, Thing.__init__, Plain.names, helper, helper.__code__, helper.__defaults__]
    return own + [helper.__doc__, up, up.__code__, up.__closure__]

def others():
    return [THINGS, THINGS[0], OPEN, OPEN['file'], PAIR, INNER, INNER[1][1][1], BEGUN, WATCHED, WATCH, WATCH(), LOCK, LOCAL, ENDED]

def end():
    global PAIR, BEGUN
    number = OPEN['file'].fileno()
    OPEN.clear()
    THINGS.clear()
    WATCHED.clear()
    PAIR = BEGUN = None
    closed = not os.path.exists('/proc/self/fd/%d' % number)
    loop = Plain()
    loop.me, loop.thing = loop, Thing('in a loop')
    del loop
    gc.collect()
    made = type('Made', (Plain,), {})
    made.thing = Thing('of a class that was made')
    del made
    # Looks at what was frozen as well.
    gc.unfreeze()
    gc.collect()
    return sorted(ENDED), closed, up() < up(), helper()
";

const APPLICATION: &str = "\
import sys, early

def late():
    return __import__('late')
";

/// The Pythons in which the number of references can be one that is never changed.
fn has_immortals(python: &Python) -> bool {
    (12..=13).contains(&python.version.1)
}

/// An instance with two workers that come from a mold, which has both modules.
fn of_mold(python: &Python, keeps: bool) -> (tempfile::TempDir, Instance) {
    let directory = tempfile::tempdir().expect("a directory");
    let application = format!("{APPLICATION}{EVALUATES}");
    for (name, text) in [("early.py", MODULE), ("late.py", MODULE), ("app.py", &application)] {
        fs::write(directory.path().join(name), text).expect("room");
    }
    let launch = launch_in(python, directory.path()).set("module", "app").set("workers", 2).set("refork", 10);
    let server = if keeps { launch } else { launch.set("refork-immortal", false) }.start();
    while server.log.lines_with("refork: workers are forked from").is_empty() {
        call(&server, "late()");
    }
    let mold = mold(&server);
    assert!(wait_until(|| are_all_of(&server, mold.pid, 2)), "{python:?}: {}", server.log.tail());
    (directory, server)
}

fn all_end_but_the_program(python: &Python) {
    let (_directory, server) = of_mold(python, true);
    for module in ["early", "late()"] {
        let lives = |what: &str| call(&server, &format!("[early.lives_for_ever(one) for one in {module}.{what}()]"));
        let expected = if has_immortals(python) { "True" } else { "False" };
        assert_eq!(lives("program"), format!("[{}]", [expected; 12].join(", ")), "{python:?}, {module}");
        assert_eq!(lives("others"), format!("[{}]", ["False"; 14].join(", ")), "{python:?}, {module}");
    }
    for module in ["early", "late()"] {
        let ended = "['a generator', 'an instance', 'in a loop', 'in a tuple', 'of a class that was made', 'watched']";
        let expected = format!("({ended}, True, True, (1, 2, 'three'))");
        // Both may be asked of the same worker, or each of another.
        assert_eq!(call(&server, &format!("{module}.end()")), expected, "{python:?}, {module}");
    }
    server.stop();
}

#[test]
fn in_every_python_a_mold_keeps_the_program_alone_for_ever_and_all_else_ends_when_nobody_has_it_any_more() {
    std::thread::scope(|scope| {
        for python in supported() {
            scope.spawn(|| all_end_but_the_program(python));
        }
    });
}

#[test]
fn without_refork_immortal_references_to_the_program_are_counted() {
    let Some(python) = supported().iter().find(|python| has_immortals(python)) else { return };
    let (_directory, server) = of_mold(python, false);
    let counted = "any(early.lives_for_ever(one) for one in early.program() + late().program())";
    assert_eq!(call(&server, counted), "False");
    server.stop();
}
