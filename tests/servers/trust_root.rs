//! An instance that has a root directory of its own, the way docs/LIMITS.md has it: as a whole, before it begins.

use nix::unistd::Uid;

use crate::harness::Launch;
use crate::reloading::{operator, tell, wait_for_generation};

/// What systemd does for `RootDirectory=`, `MountAPIVFS=` and `BindReadOnlyPaths=`, in mounts that nobody else sees, and
/// then chroot(1): the directory of the instance is its root.
const ENTER: &str = "\
for place in proc dev usr lib lib64; do
    test -d /$place && mkdir -p $place && mount --rbind /$place $place || exit
done
touch program && mount --bind \"$0\" program && exec chroot --userspec=65534:65534 . /program /app.ini
";

#[test]
fn an_instance_with_a_root_of_its_own_serves_is_reloaded_and_replaced_there() {
    if !Uid::effective().is_root() {
        return;
    }
    let launch = Launch::example("unsteady").set("socket", "/app.sock").set("pidfile", "/pid");
    std::os::unix::fs::chown(launch.dir(), Some(65_534), Some(65_534)).expect("give the directory away");
    let launch = launch.set("master-fifo", "/fifo").through(["unshare", "--mount", "sh", "-c", ENTER]);
    let server = launch.start();
    let root = std::fs::read_link(format!("/proc/{}/root", server.workers()[0].pid)).expect("a living process");
    assert_eq!(root, server.dir());
    tell(&server, "r");
    wait_for_generation(&server, 2);
    let seen = server.log.position();
    tell(&server, "u");
    server.log.wait_for_after(seen, "the master (pid");
    assert_eq!(server.get("/").status(), Some(200));
    assert!(operator(&server, "status").status.success(), "{}", server.log.tail());
}
