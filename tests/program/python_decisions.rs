//! The pure part of the extension module: which application answers. The module itself cannot be linked into a test
//! program, so that file is compiled again here.

#[path = "../../python/src/mounts.rs"]
mod mounts;

use mounts::{Chosen, Mounts};

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
