//! The pure parts of the extension module: which application answers, whose forwarded headers are believed. The module
//! itself cannot be linked into a test program, so these files are compiled again here.

#[path = "../python/src/mounts.rs"]
mod mounts;
#[path = "../python/src/proxies.rs"]
mod proxies;

use mounts::{Chosen, Mounts};
use proxies::Proxies;

fn mounts(mountpoints: &[&str], manage_script_name: bool) -> Mounts<String> {
    let named = mountpoints.iter().map(|mountpoint| (mountpoint.as_bytes().to_vec(), (*mountpoint).to_owned()));
    Mounts::new(named, manage_script_name)
}

fn chosen(mounts: &Mounts<String>, script_name: &str, path: &str) -> String {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match mounts.choose(script_name.as_bytes(), path.as_bytes()) {
        None => "nothing".to_owned(),
        Some(Chosen { application, rewritten: None }) => application.clone(),
        Some(Chosen { application, rewritten: Some((script, rest)) }) => {
            format!("{application}: {}|{}", shown(script), shown(rest))
        }
    }
}

#[test]
fn the_longest_mountpoint_wins_at_a_segment_boundary() {
    let mounts = mounts(&["", "/app", "/app/sub/"], true);
    for (path, expected) in [
        ("/app/sub/y", "/app/sub/: /app/sub|/y"),
        ("/app/sub", "/app/sub/: /app/sub|"),
        ("/app/subject", "/app: /app|/subject"),
        ("/app", "/app: /app|"),
        ("/apps", ""),
        ("/", ""),
        ("", ""),
    ] {
        assert_eq!(chosen(&mounts, "", path), expected, "{path}");
    }
}

#[test]
fn without_management_the_script_name_decides_and_nothing_is_rewritten() {
    let mounts = mounts(&["/a", "/b/"], false);
    for (script_name, path, expected) in [
        ("/b", "/x", "/b/"),
        ("/b/", "/x", "/b/"),
        // Nothing at the root: the first one answers.
        ("", "/b/x", "/a"),
        ("/c", "/", "/a"),
    ] {
        assert_eq!(chosen(&mounts, script_name, path), expected, "{script_name} {path}");
    }
}

#[test]
fn of_two_at_one_mountpoint_the_first_stays_and_of_none_there_is_none() {
    assert_eq!(chosen(&mounts(&["/a", "/a/"], false), "/a", "/"), "/a");
    assert_eq!(chosen(&mounts(&[], true), "", "/"), "nothing");
}

#[test]
fn networks_hold_their_addresses_and_no_others() {
    let texts: Vec<String> =
        ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "0.0.0.0/33", "proxy"].iter().map(ToString::to_string).collect();
    let (proxies, wrong) = Proxies::parse(&texts);
    assert_eq!(wrong, ["0.0.0.0/33", "proxy"]);
    for (address, trusted) in [
        ("10.255.0.1", true),
        ("11.0.0.1", false),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("2001:db8::1", true),
        ("2001:db9::1", false),
        ("", false),
        ("10.0.0.1, 1.1.1.1", false),
    ] {
        assert_eq!(proxies.trusts(address.as_bytes()), trusted, "{address}");
    }
}

#[test]
fn the_whole_world_can_be_trusted_and_nobody_is_by_default() {
    let everyone = ["0.0.0.0/0".to_owned(), "::/0".to_owned()];
    assert!(Proxies::parse(&everyone).0.trusts(b"203.0.113.9"));
    assert!(Proxies::parse(&everyone).0.trusts(b"2001:db8::9"));
    assert!(!Proxies::default().trusts(b"127.0.0.1"));
}
