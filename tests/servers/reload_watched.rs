//! A watched file is what its name leads to, also where the kernel tells nothing of it: mounted into a container, and where
//! others have used up what the machine has of inotify. (The ways over links and directories are unit tests of
//! `master::watches`.)

use std::fs;
use std::process::Command;

use crate::harness::Launch;
use crate::reloading::{unsteady, wait_for_generation};

/// Whether this machine lets its users have namespaces of their own; what follows is skipped by name otherwise.
fn has_namespaces(words: &[&str]) -> bool {
    let tried = Command::new("unshare").args(words).arg("true").output();
    let works = tried.is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("skipped: unshare {} is not allowed here", words.join(" "));
    }
    works
}

/// An instance in namespaces of its own, in which `prepare` was done before.
fn apart(launch: Launch, words: &[&str], prepare: &str) -> Launch {
    let script = format!("{prepare}\nexec \"$@\"");
    let wrapper = ["unshare"].iter().chain(words).copied().chain(["sh", "-c", &script, "sh"]);
    launch.through(wrapper.collect::<Vec<_>>())
}

#[test]
fn where_others_have_used_up_inotify_an_instance_starts_and_sees_its_files() {
    if !has_namespaces(&["-r"]) {
        return;
    }
    let launch = unsteady();
    let touched = launch.dir().join("touched");
    fs::write(&touched, "").expect("a file to touch");
    for limit in ["max_inotify_instances", "max_inotify_watches"] {
        let launch = unsteady().set("touch-reload", touched.display());
        let prepare = format!("echo 0 > /proc/sys/user/{limit} || exit 1");
        let mut server = apart(launch, &["-r"], &prepare).start();
        server.expect_log("the kernel does not tell of all changes of watched files");
        fs::remove_file(&touched).expect("remove it");
        fs::write(&touched, "").expect("make it again");
        server.log.wait_for("has been touched... reload");
        wait_for_generation(&server, 2);
        let said = server.log.lines_with("the kernel does not tell");
        assert!(said.len() <= 2, "once for a configuration: {said:?}");
    }
}

#[test]
fn a_file_that_is_mounted_into_a_container_is_seen_when_its_other_side_is_touched() {
    if !has_namespaces(&["-r", "-m"]) {
        return;
    }
    let launch = unsteady();
    let [outside, inside] = ["outside", "inside"].map(|name| launch.dir().join(name));
    for file in [&outside, &inside] {
        fs::write(file, "").expect("a file");
    }
    let prepare = format!("mount --bind {} {} || exit 1", outside.display(), inside.display());
    let server = apart(launch.set("touch-reload", inside.display()), &["-r", "-m"], &prepare).start();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
    fs::File::options().write(true).open(&outside).and_then(|file| file.set_modified(later)).expect("touch it");
    server.log.wait_for("has been touched... reload");
    wait_for_generation(&server, 2);
}
