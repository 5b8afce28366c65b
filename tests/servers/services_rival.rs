//! Every function of the module `uwsgi`, called with usual and with wrong arguments, here and under a real uWSGI: what both
//! answer alike (`tests/python/api_calls.txt`), and the differences, which are in [SERVICES.md](../../docs/SERVICES.md).

use std::path::Path;

use crate::pythons::{call, launch, one, target_of};
use crate::rivals::{Uwsgi, uwsgi};
use loadgen::packet::Request;

/// Calls that both answer alike, one a line, in this order. Of a TypeError only the kind is compared: Python's own words for
/// a missing argument are not those of C functions.
const SAME: &str = include_str!("../python/api_calls.txt");

/// Calls that are answered otherwise: what uWSGI's answer begins with, and ours.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("uwsgi.add_timer(43, 1800.5)", "TypeError", "None"),
    ("uwsgi.add_timer(43, 0.001)", "TypeError", "ValueError: unable to add timer"),
    ("uwsgi.call()", "ValueError", "TypeError"),
    ("uwsgi.rpc()", "ValueError", "TypeError"),
    ("uwsgi.rpc(7, b'a')", "None", "ValueError"),
    ("uwsgi.chunked_read()", "OSError", "b''"),
    ("uwsgi.chunked_read_nb()", "None", "b''"),
    ("uwsgi.is_connected()", "TypeError", "True"),
    ("uwsgi.is_locked(9)", "ValueError: Invalid lock number", "ValueError: there is no user lock 9: the last one is 2"),
    ("uwsgi.lock('x')", "TypeError", "ValueError: there is no user lock 'x'"),
    ("uwsgi.log(b'line')", "TypeError", "True"),
    ("uwsgi.mule_msg('m', 9)", "False", "ValueError: invalid mule"),
    ("uwsgi.mule_msg('m', 'f')", "ValueError: invalid mule", "True"),
    ("uwsgi.sendfile('/no/such')", "None", "FileNotFoundError"),
    ("uwsgi.sharedarea_memoryview(9)", "ValueError: cannot get a memoryview", "ValueError: error calling"),
    ("uwsgi.sharedarea_object(9)", "ValueError: cannot get an object", "ValueError: error calling"),
];

/// Functions that are there and say what is not: NotImplementedError.
const NOT_HERE: &[&str] = &[
    "add_var",
    "async_connect",
    "close",
    "connect",
    "embedded_data",
    "extract",
    "green_schedule",
    "i_am_the_lord",
    "listen_queue",
    "logsize",
    "lord_scroll",
    "offload",
    "parsefile",
    "ready_fd",
    "recv",
    "route",
    "scrolls",
    "send",
    "set_warning_message",
    "suspend",
];

/// Functions that other tests call, since an answer does not come of them, or not here.
const ELSEWHERE: &[&str] =
    &["disconnect", "farm_get_msg", "reload", "start_response", "stop", "websocket_recv", "websocket_recv_nb"];

/// What both are given, the socket and the application left out.
fn settings(directory: &Path, cache_items: usize) -> Vec<(&'static str, String)> {
    let spool = directory.join(format!("spool-{cache_items}")).display().to_string();
    let cache = format!("name=c,items={cache_items},blocksize=64,keysize=100");
    [("farm", "f:1"), ("queue", "4"), ("queue-blocksize", "4096"), ("sharedarea", "1"), ("locks", "2")]
        .map(|(name, value)| (name, value.to_owned()))
        .into_iter()
        .chain([("metric", "name=m,type=gauge".to_owned()), ("spooler", spool), ("cache2", cache)])
        .collect()
}

/// The answer, but of a TypeError its kind.
fn kind(answer: &str) -> &str {
    if answer.starts_with("TypeError") { "TypeError" } else { answer }
}

#[test]
fn every_function_of_the_module_answers_as_under_uwsgi_or_as_documented() {
    let Some(binary) = uwsgi() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    // uWSGI's cache holds one entry fewer than it says.
    let rival = Uwsgi::start_with(binary, "api", "/?1", |command| {
        command.arg("--mule");
        for (name, value) in settings(directory.path(), 6) {
            command.arg(format!("--{name}={value}"));
        }
    });
    let ours = launch(&one(), "api").line("mule =");
    let ours = settings(directory.path(), 5).into_iter().fold(ours, |ours, (name, value)| ours.set(name, value));
    let mut instance = ours.start();
    for said in ["error managing signal 99", "unknown farm: none"] {
        instance.expect_log(said);
    }
    let theirs = |expression: &str| {
        String::from_utf8_lossy(rival.ask(&Request::get(&target_of(expression))).body()).into_owned()
    };
    let names = theirs("' '.join(names())");
    for name in names.trim_matches('\'').split(' ') {
        let called = format!("uwsgi.{name}(");
        let is_listed = SAME.contains(&called)
            || DIFFERENT.iter().any(|(call, ..)| call.contains(&called))
            || NOT_HERE.contains(&name)
            || ELSEWHERE.contains(&name);
        assert!(is_listed, "nothing is said of {name}");
    }
    for expression in SAME.lines() {
        assert_eq!(kind(&call(&instance, expression)), kind(&theirs(expression)), "{expression}");
    }
    for (expression, of_uwsgi, of_ours) in DIFFERENT {
        let answers = (theirs(expression), call(&instance, expression));
        assert!(answers.0.starts_with(of_uwsgi) && answers.1.starts_with(of_ours), "{expression}: {answers:?}");
    }
    for name in NOT_HERE {
        let answer = call(&instance, &format!("uwsgi.{name}()"));
        assert!(answer.starts_with("NotImplementedError: uwsgi."), "{name}: {answer}");
    }
    instance.stop();
}
