//! The `uwsgi` module while an application is loaded: in the zygote, or with `lazy-apps` in each worker; at the first start,
//! in a worker that takes the place of one that died, and after a reload. And what a real uWSGI says at the same moments.

use std::collections::BTreeMap;

use crate::harness::{Instance, wait_until};
use crate::pythons::{launch, one, supported};
use crate::rivals::{Uwsgi, uwsgi};
use loadgen::packet::Request;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What an expression gives, loaded before the fork and after it (`lazy-apps`): one value for all moments, or three
/// between bars. `theirs`: uWSGI's, where they are others; empty ones are not compared.
struct Fact {
    expression: &'static str,
    ours: [&'static str; 2],
    theirs: [&'static str; 2],
}

const fn same(expression: &'static str, before: &'static str, after: &'static str) -> Fact {
    Fact { expression, ours: [before, after], theirs: [before, after] }
}

const fn differs(expression: &'static str, ours: [&'static str; 2], theirs: [&'static str; 2]) -> Fact {
    Fact { expression, ours, theirs }
}

const FACTS: &[Fact] = &[
    same("uwsgi.worker_id()", "0", "1"),
    same("uwsgi.mule_id(), uwsgi.in_farm()", "(0, None)", "(0, None)"),
    same("uwsgi.masterpid() in (os.getpid(), os.getppid()) or 'lazy-apps' in uwsgi.opt", "True", "True"),
    // Ours loads in the zygote.
    differs("uwsgi.masterpid() == os.getpid()", ["False", "False"], ["True", "False"]),
    same("uwsgi.is_a_reload", "False|False|True", "False|False|True"),
    same("uwsgi.numproc, uwsgi.cores", "(1, 1)", "(1, 1)"),
    // Nobody has a number before the fork in uWSGI, and everybody is idle.
    differs("[worker['id'] for worker in uwsgi.workers()]", ["[1]", "[1]"], ["[0]", "[1]"]),
    same("os.getpid() in [worker['pid'] for worker in uwsgi.workers()]", "False", "True"),
    differs(
        "[worker['status'] for worker in uwsgi.workers()]",
        ["[b'cheap']|[b'cheap']|[b'idle']", "[b'idle']"],
        ["[b'idle']", "[b'idle']"],
    ),
    // uWSGI counts anew after a reload, and before the first fork from -1, without a sign.
    differs(
        "[worker['respawn_count'] for worker in uwsgi.workers()]",
        ["[0]|[0]|[1]", "[0]|[1]|[2]"],
        ["[18446744073709551615]", "[0]|[1]|[0]"],
    ),
    // Of those that live; uWSGI's figures outlive a worker, but no reload.
    differs("uwsgi.request_id(), uwsgi.total_requests() >= 0", ["(0, True)", "(0, True)"], ["", ""]),
    same(
        "uwsgi.lock(), uwsgi.is_locked(), uwsgi.unlock(), uwsgi.is_locked()",
        "(None, True, None, False)",
        "(None, True, None, False)",
    ),
    same("[os.fstat(number).st_mode >> 12 for number in uwsgi.sockets]", "[12]", "[12]"),
    same("uwsgi.ready(), uwsgi.accepting()", "(None, None)", "(True, None)"),
    same("uwsgi.cl(), uwsgi.log_this_request()", "(0, None)", "(0, None)"),
    // A request that is none: uWSGI reads and writes what another one has left.
    differs("uwsgi.connection_fd()", ["-1", "-1"], ["0", "0"]),
    same("uwsgi.set_logvar('a', 'b')", "None", "None"),
    differs("uwsgi.get_logvar('a')", ["None", "None"], ["b'b'", "b'b'"]),
    same("[hasattr(uwsgi, name) for name in ('post_fork_hook', 'after_req_hook', 'atexit')]", NO_HOOKS, NO_HOOKS),
    same("uwsgi.i_am_the_spooler(), uwsgi.applications", "(None, None)", "(None, None)"),
    same("uwsgi.log('while it is loaded'), uwsgi.async_sleep(0)", "(True, b'')", "(True, b'')"),
    same("uwsgi.mem()[0] > 0, uwsgi.micros() > 0, uwsgi.started_on > 0", "(True, True, True)", "(True, True, True)"),
    same("uwsgi.version[:4], uwsgi.opt['module'], bool(uwsgi.has_threads)", VERSION, VERSION),
];

const NO_HOOKS: &str = "[False, False, False]";
const VERSION: &str = "(b'2.0.', b'at_load', True)";

/// Where an application is loaded, by the place in a [`Fact`].
const PLACES: [bool; 2] = [false, true];

fn expressions() -> String {
    serde_json::json!(FACTS.iter().map(|fact| fact.expression).collect::<Vec<_>>()).to_string()
}

type Facts = BTreeMap<String, String>;

fn facts(body: &[u8]) -> Facts {
    serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
}

/// Compares what was said at one of the three moments; returns what is not as it should be.
fn wrong(said: &Facts, moment: usize, expected: impl Fn(&Fact) -> &'static str) -> Vec<String> {
    let check = |fact: &Fact| {
        let values: Vec<&str> = expected(fact).split('|').collect();
        let value = if values.len() == 3 { values[moment] } else { values[0] };
        let found = &said[fact.expression];
        (!value.is_empty() && found != value).then(|| format!("{}: {found}, not {value}", fact.expression))
    };
    FACTS.iter().filter_map(check).collect()
}

fn now(instance: &Instance, expression: &str) -> String {
    let escaped: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
    serde_json::from_slice(instance.get(&format!("/?{escaped}")).body()).expect("JSON")
}

#[test]
fn a_process_knows_who_it_is_while_it_loads_the_application() {
    for python in supported() {
        for (place, lazy) in PLACES.into_iter().enumerate() {
            let mut instance = launch(python, "at_load").set("lazy-apps", lazy).env("AT_LOAD", expressions()).start();
            instance.expect_log("killed by signal 9");
            let look = |moment| {
                let problems = wrong(&facts(instance.get("/").body()), moment, |fact| fact.ours[place]);
                assert!(problems.is_empty(), "lazy-apps {lazy}, moment {moment}, {python:?}: {problems:#?}");
            };
            look(0);
            assert_eq!(now(&instance, "uwsgi.masterpid()"), instance.pid().to_string());
            // With lazy-apps nothing is registered before the fork.
            assert_eq!(now(&instance, "HOOKED"), if lazy { "[]" } else { "[1]" }, "in hooks of the fork, too");
            instance.workers()[0].signal(Signal::SIGKILL);
            instance.log.wait_for("Respawned uWSGI worker 1 ");
            look(1);
            instance.signal(Signal::SIGHUP);
            instance.log.wait_for("worker 1 buried");
            look(2);
        }
    }
}

#[test]
fn uwsgi_says_the_same_while_it_loads_or_what_is_known_to_differ() {
    let Some(binary) = uwsgi() else { return };
    for (place, lazy) in PLACES.into_iter().enumerate() {
        let rival = Uwsgi::start_with(binary, "at_load", "/", |command| {
            command.env("AT_LOAD", expressions()).args(lazy.then_some("--lazy-apps"));
        });
        let ask = |target: &str| rival.try_ask(&Request::get(target)).map(|reply| reply.body().to_vec());
        let pid =
            || ask("/?os.getpid()").ok().and_then(|body| String::from_utf8_lossy(&body).trim_matches('"').parse().ok());
        let look = |moment| {
            let problems = wrong(&facts(&ask("/").expect("uWSGI answers")), moment, |fact| fact.theirs[place]);
            assert!(problems.is_empty(), "lazy-apps {lazy}, moment {moment}: {problems:#?}");
        };
        look(0);
        for (moment, who, signal) in [(1, pid(), Signal::SIGKILL), (2, Some(rival.master().as_raw()), Signal::SIGHUP)] {
            let (before, who): (Option<i32>, i32) = (pid(), who.expect("a process"));
            kill(Pid::from_raw(who), signal).expect("a signal");
            assert!(wait_until(|| pid().is_some_and(|now| Some(now) != before)), "no other worker");
            look(moment);
        }
    }
}

#[test]
fn a_lock_that_a_thread_holds_at_a_fork_does_not_stay_closed_for_the_child() {
    let instance = launch(&one(), "calls").start();
    let escaped: String = "lock_in_child()".bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(String::from_utf8_lossy(instance.get(&format!("/?{escaped}")).body()), "'taken'");
}
