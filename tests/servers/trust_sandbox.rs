//! Sandboxes of the application's processes: a worker tries what is forbidden (`tests/python/sandbox.py`), beside one that may.

use std::fs;
use std::path::Path;

use crate::harness::{Instance, Launch};
use crate::pythons::{applications, launch, one};
use crate::reloading::{edit, operator};

fn sandboxed() -> Launch {
    let launch = launch(&one(), "sandbox").set("workers", 1);
    let pid_file = launch.dir().join("pid").display().to_string();
    launch.set("pidfile", pid_file)
}

/// What came of a deed, by its path.
#[track_caller]
fn told(server: &Instance, path: &str) -> String {
    let answer = server.get(path);
    assert_eq!(answer.status(), Some(200), "{}", server.log.tail());
    String::from_utf8_lossy(answer.body()).into_owned()
}

#[test]
fn dangerous_system_calls_are_refused_and_what_applications_do_is_not() {
    let free = sandboxed().start();
    let server = sandboxed().set("seccomp", "default").start();
    let may = told(&free, "/dangerous");
    assert!(may.starts_with("unshare=done ptrace=ESRCH mount=") && may.contains(" clone=EINVAL "), "{may}");
    assert_eq!(
        told(&server, "/dangerous"),
        "unshare=EPERM ptrace=EPERM mount=EPERM bpf=EPERM keyctl=EPERM io_uring_setup=EPERM clone=EPERM clone3=ENOSYS"
    );
    // The number is refused here whether the kernel knows it or not.
    if cfg!(target_arch = "x86_64") {
        assert_eq!(told(&server, "/around"), "unshare=EPERM");
    }
    assert_eq!(told(&server, "/usual"), "threads=1 programs=42 sockets=x");
}

#[test]
fn only_named_files_are_left_also_to_root_and_to_programs() {
    let launch = sandboxed();
    let directory = fs::canonicalize(launch.dir()).expect("the directory");
    let [media, other] = ["media", "other"].map(|name| directory.join(name));
    for place in [&media, &other] {
        fs::create_dir(place).expect("a directory");
        fs::write(place.join("file"), "text").expect("a file");
    }
    let mut server = launch.line("landlock = ro:/").line(format!("landlock = rw:{}", media.display())).start();
    let deeds = |server: &Instance, place: &Path| told(server, &format!("/files?path={}/file", place.display()));
    let all = "read=done write=done truncate=done program=done";
    let reading = "read=done write=EACCES truncate=EACCES program=failed";
    assert_eq!((deeds(&server, &media), deeds(&server, &other)), (all.to_owned(), reading.to_owned()));

    // What there is not cannot be left: the old bounds and the old workers stay.
    ["[warn]", "[error]", "rhinod zygote: "].into_iter().for_each(|told| server.expect_log(told));
    edit(&server, |text| format!("{text}landlock = ro:{}/none\n", directory.display()));
    let refused = operator(&server, "--reload");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("landlock") && said.contains("/none"), "{said}");
    assert_eq!(deeds(&server, &other), reading);

    // The bounds are those of a generation.
    edit(&server, |text| text.replace(&format!("ro:{}/none", directory.display()), &format!("rw:{}", other.display())));
    assert!(operator(&server, "--reload").status.success(), "{}", server.log.tail());
    assert_eq!(deeds(&server, &other), all);
}

#[test]
fn what_is_not_named_cannot_even_be_read() {
    let launch = sandboxed();
    let directory = fs::canonicalize(launch.dir()).expect("the directory");
    let (seen, hidden) = (directory.join("seen"), directory.join("hidden"));
    fs::create_dir(&seen).expect("a directory");
    fs::write(seen.join("file"), "text").expect("a file");
    fs::write(&hidden, "secret").expect("a file");
    let system = ["usr", "lib", "lib64", "bin", "etc", "opt", "root", "home"].map(|name| Path::new("/").join(name));
    let needed = system.into_iter().filter(|path| path.exists()).chain([seen.clone(), applications()]);
    let launch = needed.fold(launch, |launch, path| launch.line(format!("landlock = ro:{}", path.display())));
    let server = launch.start();
    assert!(told(&server, &format!("/files?path={}/file", seen.display())).starts_with("read=done write=EACCES"));
    assert!(told(&server, &format!("/files?path={}", hidden.display())).starts_with("read=EACCES write=EACCES"));
}
