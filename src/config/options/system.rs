//! Isolation, and resources of the operating system.
//!
//! The rows of the option table for the group [`System`](super::Group::System).
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use super::row::{Opt, count, flag, int, list, megabytes, path, seconds, text};
use crate::config::model::Capabilities;

// What stands behind several rows.
const ISOLATION: &str = "isolate with the init system or a container";
const ROOT: &str =
    "give the whole instance a root directory, by RootDirectory= of systemd or chroot(1): see docs/LIMITS.md";
const WAITING: &str = "waiting at start; use ExecStartPre= of the init system";
const RESOURCES: &str = "limits of the operating system; the unit file of the init system sets them";
const LOADING: &str = "libraries and binaries are not loaded at will";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    count("backtrace-depth").default("64").accepted("a crash leaves its core file by itself")
        .says("Frames printed in crash backtraces"),
    text("profiler").unsupported("use the tools of the system")
        .says("Enable a language profiler (python: pycall, pyline)"),
    flag("no-fd-passing").accepted("descriptors are passed only where a feature needs it")
        .says("Disable passing of file descriptors"),
    text("lock-engine").unsupported("locks are those of the kernel").says("Choose lock implementation (ipcsem, posix)"),
    text("ftok").unsupported("locks are those of the kernel").says("Path used to derive the ipcsem key"),
    flag("persistent-ipcsem").unsupported("locks are those of the kernel").says("Leave SysV semaphores behind at exit"),
    list("safe-fd").aka(&["fd-safe"]).not_yet("keeping descriptors over a reload")
        .says("Keep this descriptor open across reload"),
    path("flock").not_yet("locks at start; the init system starts an instance once")
        .says("Lock this file at parse time or exit"),
    path("flock-wait").not_yet("locks at start; the init system starts an instance once")
        .says("Lock this file at parse time, waiting for it"),
    text("flock2").not_yet("locks at start; the init system starts an instance once")
        .says("Lock this file after daemonising or exit"),
    text("flock-wait2").not_yet("locks at start; the init system starts an instance once")
        .says("Lock this file after daemonising, waiting"),
    text("chroot").refused(ROOT).says("chroot() before dropping privileges"),
    text("pivot-root").aka(&["pivot_root"]).refused(ISOLATION)
        .says("pivot_root(): new_root and put_old separated by space"),
    list("cap").sets(keep_capability).works()
        .restart(|old, new| old.identity.capabilities != new.identity.capabilities)
        .says("Keep only these Linux capabilities, with commas between them, also as the user of `uid`"),
    text("unshare").refused(ISOLATION).says("Linux namespaces to unshare"),
    text("unshare2").refused(ISOLATION).says("Namespaces to unshare after root change"),
    text("setns-socket").unsupported(ISOLATION).says("Serve own namespace descriptors on UNIX socket"),
    list("setns-socket-skip").aka(&["setns-skip"]).unsupported(ISOLATION)
        .says("Namespace entry not served by setns-socket"),
    text("setns").refused(ISOLATION).says("Join namespaces offered by another instance's socket"),
    flag("setns-preopen").unsupported(ISOLATION).says("Open namespace descriptors early"),
    flag("jailed").unsupported(ISOLATION).says("Pretend to be jailed so post-jail hooks run"),
    text("jail").refused(ISOLATION).says("Jail specification (FreeBSD)"),
    list("jail-ip4").refused(ISOLATION).says("IPv4 address given to the jail (FreeBSD)"),
    list("jail-ip6").refused(ISOLATION).says("IPv6 address given to the jail (FreeBSD)"),
    text("jidfile").aka(&["jid-file"]).unsupported(ISOLATION).says("Write FreeBSD jail id to file"),
    list("jail2").aka(&["libjail"]).refused(ISOLATION).says("FreeBSD libjail option"),
    text("jail-attach").refused(ISOLATION).says("Enter an already existing FreeBSD jail"),
    flag("re-fork").unsupported(ISOLATION).says("fork() once more after privilege drop"),
    flag("refork-as-root").aka(&["re-fork-as-root"]).unsupported(ISOLATION)
        .says("fork() once more before privilege drop"),
    flag("refork-post-jail").aka(&["re-fork-post-jail"]).unsupported(ISOLATION).says("fork() once more after jailing"),
    list("mount-asap").unsupported(ISOLATION).says("Filesystem mounted as soon as configuration is read"),
    list("mount-pre-jail").unsupported(ISOLATION).says("Filesystem mounted before jailing"),
    list("mount-post-jail").unsupported(ISOLATION).says("Filesystem mounted after jailing"),
    list("mount-in-jail").unsupported(ISOLATION).says("Filesystem mounted inside the jail after setup"),
    list("mount-as-root").unsupported(ISOLATION).says("Filesystem mounted before dropping privileges"),
    list("mount-as-vassal").unsupported(ISOLATION).says("Filesystem mounted before exec of a vassal"),
    list("mount-as-emperor").unsupported(ISOLATION).says("Filesystem mounted in Emperor after vassal start"),
    list("umount-asap").unsupported(ISOLATION).says("Filesystem detached as soon as configuration is read"),
    list("umount-pre-jail").unsupported(ISOLATION).says("Filesystem detached before jailing"),
    list("umount-post-jail").unsupported(ISOLATION).says("Filesystem detached after jailing"),
    list("umount-in-jail").unsupported(ISOLATION).says("Filesystem detached inside the jail after setup"),
    list("umount-as-root").unsupported(ISOLATION).says("Filesystem detached before dropping privileges"),
    list("umount-as-vassal").unsupported(ISOLATION).says("Filesystem detached before exec of a vassal"),
    list("umount-as-emperor").unsupported(ISOLATION).says("Filesystem detached in Emperor after vassal start"),
    list("wait-for-interface").aka(&["wait-interface", "wait-for-iface", "wait-iface"]).not_yet(WAITING)
        .says("Delay root hooks until network interface exists"),
    seconds("wait-for-interface-timeout")
        .aka(&["wait-interface-timeout", "wait-for-iface-timeout", "wait-iface-timeout"]).default("60")
        .not_yet(WAITING).says("Maximum seconds for wait-for-interface"),
    list("wait-for-fs").aka(&["wait-for-file", "wait-for-dir"]).not_yet(WAITING)
        .says("Delay root hooks until path exists"),
    list("wait-for-mountpoint").not_yet(WAITING).says("Delay root hooks until path is a mountpoint"),
    seconds("wait-for-fs-timeout").default("60").not_yet(WAITING).says("Maximum seconds for wait-for-fs family"),
    list("wait-for-socket").not_yet(WAITING).says("Delay startup until socket accepts connections"),
    seconds("wait-for-socket-timeout").default("60").not_yet(WAITING).says("Maximum seconds for wait-for-socket"),
    megabytes("limit-as").default("0").sets(|d, v| d.config.resources.address_space = v.unless_zero()).works()
        .says("Most address space of what loads the application and of each worker, in megabytes (RLIMIT_AS)"),
    count("limit-nproc").sets(|d, v| d.config.resources.processes = v.unless_zero()).works()
        .says("Most processes and threads of the user, for workers and what they start (RLIMIT_NPROC); root is not bound"),
    count("ksm").optional().sets(|d, v| d.config.resources.merges_memory = v.text.is_empty() || v.number > 0).works()
        .says("Let the kernel keep equal pages of workers once, if its merging runs (/sys/kernel/mm/ksm/run); N has no meaning, 0 is off"),
    flag("pcre-jit").accepted("no regular expression is matched while serving").says("Use PCRE JIT"),
    flag("never-swap").not_yet(RESOURCES).says("mlockall() the processes"),
    list("check-mountpoint").aka(&["mountpoint-check", "check-mount", "mount-check"]).not_yet("watching mountpoints")
        .says("Die when a filesystem stops responding"),
    int("prio", -20, 19).aka(&["nice"]).sets(|d, v| d.config.resources.priority = i32::try_from(v.number).ok())
        .works().restart(|old, new| old.resources.priority != new.resources.priority)
        .says("Nice value of all processes of the instance"),
    count("cpu-affinity").sets(|d, v| d.config.resources.cpus_each = v.size()).works()
        .says("Keep each worker to N processors, one after the other of those that the instance may use"),
    text("binary-path").accepted("the interpreter is that of the virtual environment")
        .says("Path treated as the server binary (re-exec, sys.executable)"),
    text("privileged-binary-patch").unsupported(LOADING).says("Exec another binary before dropping privileges"),
    text("unprivileged-binary-patch").unsupported(LOADING).says("Exec another binary after dropping privileges"),
    text("privileged-binary-patch-arg").unsupported(LOADING)
        .says("Exec command with arguments before dropping privileges"),
    text("unprivileged-binary-patch-arg").unsupported(LOADING)
        .says("Exec command with arguments after dropping privileges"),
    count("max-fd").sets(|d, v| d.config.resources.descriptors = v.unless_zero()).works()
        .restart(|old, new| old.resources.descriptors != new.resources.descriptors)
        .says("Most open descriptors of each process (RLIMIT_NOFILE); else as many as are allowed, up to 1048576"),
    flag("use-abort").accepted("a crash leaves its core file by itself").says("abort() on crash to get a core file"),
    text("clock").unsupported("use the tools of the system").says("Time source plugin"),
    flag("close-on-exec").accepted("descriptors never leak into commands")
        .says("Set close-on-exec on client connections"),
    flag("close-on-exec2").accepted("descriptors never leak into commands").says("Set close-on-exec on listeners"),
    list("file-write").not_yet("writing files at start; use ExecStartPre= of the init system")
        .says("Write value to file before privilege drop: file=value"),
    list("cgroup").unsupported(ISOLATION).says("Put processes in cgroup directory"),
    list("cgroup-opt").unsupported(ISOLATION).says("Write cgroup setting: key=value"),
    text("cgroup-dir-mode").default("0700").unsupported(ISOLATION).says("Mode of created cgroup directories"),
    text("namespace").aka(&["ns"]).refused(ISOLATION).says("Run in new Linux namespace rooted at path"),
    list("namespace-keep-mount").refused(ISOLATION).says("Keep this mountpoint inside the namespace"),
    text("namespace-net").aka(&["ns-net"]).refused(ISOLATION).says("Named network namespace to enter"),
    path("dlopen").unsupported(LOADING).says("dlopen() an arbitrary library"),
];

/// `cap`: several lines add up.
fn keep_capability(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.parse::<Capabilities>() {
        Ok(named) => {
            let kept = draft.config.identity.capabilities.unwrap_or_default();
            draft.config.identity.capabilities = Some(kept.with(named));
        }
        Err(error) => draft.refuse(error.to_string(), "for example net_bind_service,sys_nice"),
    }
}
