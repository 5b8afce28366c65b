//! The backends for the caches of Django and Flask: Django's own tests of caches, several processes that count at once, and
//! what cannot be stored.
//!
//! `tests/rivals/caches.sh` installs both frameworks and Django's tests, once. Where that cannot be done (no network) the
//! tests say that nothing was compared.

use std::thread;

use crate::harness::{Instance, Launch};
use crate::pythons::{call, launch, one};
use crate::rivals::caches;

/// Django's tests are run in so many processes: some of them sleep.
const SHARDS: usize = 4;

/// How many tests `BaseCacheTests` has at least.
const TESTS_MIN: usize = 50;

fn with_frameworks() -> Option<Launch> {
    let home = caches()?;
    Some(launch(&one(), "caches").without("python-executable").set("home", home.display()))
}

#[test]
fn djangos_own_tests_of_caches_pass() {
    let Some(launch) = with_frameworks() else { return };
    let caches = (0..SHARDS).map(|number| format!("cache2 = name=django{number},items=200,blocksize=4096"));
    let instance = caches.fold(launch.set("workers", SHARDS), Launch::line).start();
    let run = |number: usize| call(&instance, &format!("shard({number}, {SHARDS})"));
    let told: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..SHARDS).map(|number| scope.spawn(move || run(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a shard")).collect()
    });
    let mut ran = 0;
    let mut skipped = String::new();
    for shard in told {
        // "(21, ['test_cull'], 0)"
        let (count, rest) = shard.trim_start_matches('(').split_once(", [").unwrap_or_else(|| panic!("{shard}"));
        let (names, failed) = rest.split_once("], ").expect("two parts");
        assert_eq!(failed, "0)", "tests failed: {:?}", instance.log.lines());
        ran += count.parse::<usize>().expect("a number");
        skipped.push_str(names);
    }
    assert!(ran >= TESTS_MIN, "only {ran} tests ran");
    assert_eq!(skipped.matches("test_").count(), 3, "{skipped}");
    assert_eq!(skipped.matches("cull").count(), 3, "{skipped}");
}

#[test]
fn counters_of_django_and_flask_lose_nothing_and_what_does_not_fit_is_gone_and_told() {
    let Some(launch) = with_frameworks() else { return };
    let mut instance = launch.set("cache2", "name=counted,items=50,blocksize=64,keysize=40").start();
    instance.expect_log("cannot hold");
    for (expression, value) in [
        // Beside one another, and beside uwsgi.cache_inc, which knows the same counters.
        (
            "cache.set('n', 5, 60), counted_at_once(lambda: cache.incr('n'), 4, 500), cache.get('n')",
            "(None, [0, 0, 0, 0], 2005)",
        ),
        (
            "uwsgi.cache_inc(cache.make_key('n'), 10), cache.decr('n', 15), uwsgi.cache_num(':1:n')",
            "(True, 2000, 2000)",
        ),
        (
            "cache.set('f', 1.5), cache.incr('f', 2), cache.get('f'), cache.incr('none')",
            "ValueError: Key ':1:none' not found",
        ),
        (
            "cache.set('big', 2 ** 63), cache.incr('big'), cache.get('big') == 2 ** 63 + 1",
            "(None, 9223372036854775809, True)",
        ),
        ("cache.set('big', 1), cache.set('big', b'v' * 65), cache.get('big')", "(None, None, None)"),
        (
            "cache.set_many({'big': b'v' * 65, 'small': True}), cache.get('small'), cache.add('small', 1)",
            "(['big'], True, False)",
        ),
        ("caches.create_connection('default').clear(), uwsgi.cache_keys()", "(None, [])"),
        // Each value comes back as what it was, whatever its length when it is pickled.
        ("changed([0, -1, True, None, '', b'12', 'a', [], 2 ** 70, {'a': (1,)}])", "[]"),
        ("changed(b'x' * length for length in range(40))", "[]"),
    ] {
        assert_eq!(call(&instance, expression), value, "{expression}");
    }
    flask_counts_too(&instance);
    // A name that is no cache's is no silent miss.
    let none = "flask(CACHE_UWSGI_NAME='nobody').get('k')";
    let told = "LookupError: this instance has no cache \"nobody\" (cache2 = name=nobody,items=...)";
    assert_eq!(call(&instance, none), told);
}

fn flask_counts_too(instance: &Instance) {
    let set_up = "globals().update(shared=flask(CACHE_UWSGI_NAME='counted', CACHE_DEFAULT_TIMEOUT=50))";
    assert_eq!(call(instance, set_up), "None");
    for (expression, value) in [
        (
            "counted_at_once(lambda: shared.cache.inc('n'), 4, 250), shared.get('n'), shared.cache.dec('n', 4)",
            "([0, 0, 0, 0], 1000, 996)",
        ),
        (
            "shared.set('k', {'a': 1}), shared.add('k', 2), shared.get('k'), shared.has('k'), shared.delete('k')",
            "(True, False, {'a': 1}, True, True)",
        ),
        (
            "shared.delete('k'), shared.get('k'), shared.get_many('n', 'k'), shared.set_many({'a': 1, 'b': 2})",
            "(False, None, [996, None], ['a', 'b'])",
        ),
        (
            "shared.set('gone', 1, -1), shared.get('gone'), shared.set('stays', 1, 0), shared.get('stays')",
            "(True, None, True, 1)",
        ),
        ("shared.set('k', b'v' * 65), shared.clear(), uwsgi.cache_keys('counted')", "(False, True, [])"),
    ] {
        assert_eq!(call(instance, expression), value, "{expression}");
    }
}
