//! Functions and caches of an instance that others use: over its socket by whom the configuration names, by nobody else, and
//! beside a real uWSGI.

use std::path::Path;

use crate::harness::Instance;
use crate::pythons::{call, launch, one, target_of};
use crate::rivals::{Uwsgi, uwsgi};
use loadgen::packet::Request;

/// Calls that both answer with the same.
const SAME: &[&str] = &[
    "uwsgi.call(b'joined', b'a', b'b'), uwsgi.call(b'joined', b'a')",
    "uwsgi.call(b'joined', b'a', b'', b'b'), uwsgi.rpc(None, b'joined', b'')",
    "uwsgi.call(b'none'), uwsgi.call(b'failing'), uwsgi.call(b'text'), uwsgi.call(b'empty'), uwsgi.call(b'joined')",
    "uwsgi.rpc(None, b'joined', b'a', b'b'), uwsgi.rpc('', b'joined', b'a'), uwsgi.rpc(b'', b'joined', b'a')",
    "uwsgi.call('joined', b'a')",
    "uwsgi.call(b'joined', 'a')",
    "uwsgi.call(b'joined', 1)",
    "uwsgi.call(b'joined', bytearray(b'a'))",
    "uwsgi.rpc(None, 'joined')",
    "uwsgi.rpc('/no/such/socket', b'joined', b'a')",
    "uwsgi.rpc(b'/no/such/socket', b'joined', b'a')",
    "uwsgi.register_rpc('mine', len), uwsgi.call(b'mine', b'abc')",
    "uwsgi.register_rpc('mine', lambda a: a), uwsgi.call(b'mine', b'abc')",
    "uwsgi.register_rpc('two', lambda a: a, 2), uwsgi.call(b'two', b'abc')",
    "uwsgi.register_rpc('n' * 255, len)",
    "uwsgi.register_rpc('n' * 256, len)",
    "uwsgi.register_rpc(b'name', len)",
    "uwsgi.register_rpc('na\\0me', len)",
    "uwsgi.register_rpc('name', len, 'x')",
    "sorted(uwsgi.rpc_list())[:4], type(uwsgi.rpc_list())",
    "[uwsgi.register_rpc('more%d' % n, len) for n in range(60)]",
    "uwsgi.call(b'joined', b'x' * 65536), uwsgi.call(b'joined', b'x' * 65535)",
    "uwsgi.cache_get('k', 'c@/no/such/socket'), uwsgi.cache_set('k', b'v', 0, '@/no/such/socket')",
    "uwsgi.cache_keys('c@/no/such/socket')",
];

#[test]
fn calls_answer_as_under_uwsgi() {
    let Some(binary) = uwsgi() else { return };
    let rival = Uwsgi::start(binary, "elsewhere", None, "/?1");
    let mut instance = launch(&one(), "elsewhere").start();
    for said in [
        "Traceback",
        "ZeroDivisionError",
        "TypeError",
        "RPC packet length overflow",
        "was not called at",
        "was not asked",
    ] {
        instance.expect_log(said);
    }
    for expression in SAME {
        let request = Request::get(&target_of(expression));
        let theirs = String::from_utf8_lossy(rival.ask(&request).body()).into_owned();
        assert_eq!(String::from_utf8_lossy(instance.ask(&request).body()), theirs, "{expression}");
    }
    // Each calls the other one.
    let theirs = rival.socket().display().to_string();
    let joined = format!("uwsgi.rpc('{theirs}', b'joined', b'a', b'', b'b')");
    assert_eq!(call(&instance, &joined), "b'a-b'", "empty arguments vanish where uWSGI is called");
    assert_eq!(call(&instance, &format!("len(uwsgi.rpc('{theirs}', b'long', b'100000'))")), "100000");
    assert_eq!(call(&instance, &format!("uwsgi.rpc('{theirs}', b'failing')")), "None");
}

/// Two instances: one lets its functions be called over unix sockets, the other its caches be used.
fn both() -> (Instance, Instance) {
    let common = || launch(&one(), "elsewhere").line("cache2 = name=pages,items=10,blocksize=100000");
    let functions = common().set("rpc-allow-from", "unix:").set("cache-allow-from", "10.9.9.9").start();
    let caches = common().set("rpc-allow-from", "10.9.9.9").set("cache-allow-from", "unix:").start();
    (functions, caches)
}

fn path(instance: &Instance) -> String {
    Path::new(instance.socket()).display().to_string()
}

#[test]
fn functions_are_called_by_whom_the_configuration_names() {
    let (mut functions, mut caches) = both();
    let (there, closed) = (path(&functions), path(&caches));
    for (expression, value) in [
        (format!("uwsgi.rpc('{there}', b'joined', b'a', b'', b'b')"), "b'a--b'"),
        (format!("uwsgi.rpc(b'{there}', b'joined', b'a')"), "b'a'"),
        (format!("len(uwsgi.rpc('{there}', b'long', b'65536'))"), "65536"),
        (format!("uwsgi.rpc('{there}', b'none'), uwsgi.rpc('{there}', b'text')"), "(None, None)"),
        (
            "__import__('uwsgidecorators').rpc('mine')(lambda: b'own')(), uwsgi.call(b'mine')".to_owned(),
            "(b'own', b'own')",
        ),
    ] {
        assert_eq!(call(&caches, &expression), value, "{expression}");
    }
    assert_eq!(call(&functions, &format!("uwsgi.rpc('{closed}', b'joined', b'a')")), "None");
    caches.wait_for_expected("which rpc-allow-from does not name");
    assert_eq!(functions.send(b"\xad\x08\x00\x01\x06\x00joined").bytes, b"", "a result that is empty is none");
    let page = Request::get("/joined/a/b").var("HTTP_ACCEPT", b"text/x-own").to_uwsgi().expect("a packet");
    let page = functions.send(&[&[173], &page[1..3], &[2], &page[4..]].concat());
    assert_eq!((page.status(), page.body()), (Some(200), &b"a-b"[..]), "{page:?}");
    assert!(String::from_utf8_lossy(&page.bytes).contains("Content-Type: text/x-own\r\n"), "{page:?}");
    // What is no call gets nothing, and costs nothing but the connection.
    for broken in [&b"\xad\x00\x00\x00"[..], b"\xad\x03\x00\x00\x09\x00x", b"\xad\x08\x00\x07\x06\x00joined"] {
        assert_eq!(functions.send(broken).bytes, b"", "{broken:?}");
    }
    functions.wait_for_expected("a call from elsewhere is none");
    functions.log.wait_for("RPC /joined");
}

#[test]
fn a_function_that_is_called_from_elsewhere_has_the_deadline_of_a_request() {
    let mut server = launch(&one(), "elsewhere").set("rpc-allow-from", "unix:").set("harakiri", 1).start();
    server.expect_log("HARAKIRI");
    server.expect_log("a function that is called from elsewhere");
    let reply = server.send(b"\xad\x0a\x00\x00\x08\x00sleeping");
    assert_eq!(reply.status(), Some(504), "{reply:?}");
    server.log.wait_for("RPC /sleeping");
    assert_eq!(call(&server, "uwsgi.call(b'joined', b'on')"), "b'on'");
}

#[test]
fn caches_are_used_by_whom_the_configuration_names() {
    let (mut functions, caches) = both();
    let (there, closed) = (format!("pages@{}", path(&caches)), format!("pages@{}", path(&functions)));
    for (expression, value) in [
        ("uwsgi.cache_set('k', b'one', 0, C), uwsgi.cache_set('k', b'two', 0, C)", "(True, None)"),
        ("uwsgi.cache_get('k', C), uwsgi.cache_get('none', C)", "(b'one', None)"),
        ("uwsgi.cache_update('k', b'x' * 70000, 100, C), len(uwsgi.cache_get('k', C))", "(True, 70000)"),
        ("uwsgi.cache_update('k', b'x' * 100001, 0, C), len(uwsgi.cache_get('k', C))", "(None, 70000)"),
        ("uwsgi.cache_exists('k', C), uwsgi.cache_del('k', C), uwsgi.cache_exists('k', C)", "(True, True, None)"),
        ("uwsgi.cache_set('gone', b'v', -1, C), uwsgi.cache_get('gone', C)", "(True, None)"),
        ("uwsgi.cache_inc('n', 5, 0, C), uwsgi.cache_num('n', C)", "(None, 0)"),
        ("uwsgi.cache_clear(C), uwsgi.cache_clear('none' + C)", "(True, None)"),
        ("uwsgi.cache_keys(C)", "ValueError: no local uWSGI cache available"),
    ] {
        let expression = expression.replace('C', &format!("'{there}'"));
        assert_eq!(call(&functions, &expression), value, "{expression}");
    }
    assert_eq!(call(&caches, &format!("uwsgi.cache_set('k', b'v', 0, '{closed}')")), "None");
    functions.wait_for_expected("which cache-allow-from does not name");
    assert_eq!(call(&functions, "uwsgi.cache_exists('k')"), "None", "it was kept out");
    for broken in [&b"\x6f\x01\x00\x00k"[..], b"\x6f\x00\x00\x11", b"\x6f\x03\x00\x11\x09\x00x"] {
        assert_eq!(caches.send(broken).bytes, b"", "{broken:?}");
    }
}
