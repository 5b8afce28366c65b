//! Which changed lines a reload leaves as they were.

use super::*;
use crate::config::options::needing_restart;

/// The options that a reload from these lines to those leaves.
fn left(old: &str, new: &str) -> Vec<&'static str> {
    let (old, new) = (built(old).config, built(new).config);
    needing_restart(&old, &new).map(|option| option.name).collect()
}

#[test]
fn what_only_a_restart_changes_is_named() {
    for (line, names) in [
        ("uid = www-data", "uid"),
        ("gid = www-data", "gid"),
        ("add-gid = video", "add-gid"),
        ("no-initgroups = true", "no-initgroups"),
        ("umask = 027", "umask"),
        ("master-as-root = true", "master-as-root"),
        ("chmod-socket = 660", "chmod-socket"),
        ("chown-socket = www-data", "chown-socket"),
        ("reload-on-fd = 3", "reload-on-fd"),
        ("brutal-reload-on-fd = 3", "brutal-reload-on-fd"),
        ("daemonize = /var/log/app.log", "daemonize"),
        ("logfile-chown = true", "logfile-chown"),
        ("threads = 2", "threads"),
    ] {
        assert_eq!(left("", line), [names]);
        assert_eq!(left(line, ""), [names]);
        assert_eq!(left(line, line), [""; 0]);
    }
}

#[test]
fn what_a_reload_has_left_is_named_by_the_next_one_as_well_and_not_when_it_is_as_it_was() {
    let log = "logto = /a";
    for (old, new) in [
        ("", "umask = 027"),
        ("", "chmod-socket = 660"),
        ("", "chown-socket = www-data"),
        ("", "reload-on-fd = 3"),
        ("", "logfile-chown = true"),
        (log, ""),
        ("logto2 = /a", ""),
        ("auto-procname = true", ""),
    ] {
        let (old, new) = (built(old).config, built(new).config);
        let mut in_force = new.clone();
        in_force.stay(&old);
        let named = |config: &_| needing_restart(&in_force, config).map(|option| option.name).collect::<Vec<_>>();
        assert_eq!(named(&new).len(), 1, "{:?}", named(&new));
        assert_eq!(named(&old), [""; 0]);
    }
}

#[test]
fn what_a_reload_changes_is_not_named() {
    for line in [
        "processes = 4\ncheaper = 1\ncheaper-initial = 2",
        "listen = 200",
        "socket = /run/other.sock",
        "harakiri = 30",
        "env = A=1",
        "chdir = /srv",
        "pidfile = /run/app.pid",
        "pidfile2 = /run/app.pid",
        "safe-pidfile = /run/app.pid",
        "safe-pidfile2 = /run/app.pid",
        "logto = /var/log/app.log",
        "procname = app",
        "hook-accepting = print:here",
        "hook-asap = print:here",
        "cheap = true",
        "touch-reload = /srv/reload",
    ] {
        assert_eq!(left("", line), [""; 0], "{line}");
    }
}

#[test]
fn what_holds_for_open_sockets_is_named_for_those_only() {
    let tcp = "socket = 127.0.0.1:3031";
    assert_eq!(left(tcp, &format!("{tcp}\nreuse-port = true")), ["reuse-port"]);
    assert_eq!(left("", &format!("{tcp}\nreuse-port = true")), [""; 0], "the socket is new");
    let roomy = roomy();
    let alone = |text: &str| match built_on(&roomy, text) {
        Ok(built) => built.config,
        Err(errors) => panic!("{errors}"),
    };
    let (old, new) = (alone("socket = /run/old.sock"), alone("socket = /run/new.sock\nchmod-socket = 660"));
    assert_eq!(needing_restart(&old, &new).count(), 0, "the file is made anew");
}

#[test]
fn a_log_or_a_title_can_be_changed_but_not_given_up() {
    assert_eq!(left("logto = /a", "logto = /b"), [""; 0]);
    assert_eq!(left("logto = /a", "logto2 = /b"), [""; 0]);
    assert_eq!(left("logto = /a", ""), ["logto"]);
    assert_eq!(left("logto2 = /a", ""), ["logto2"]);
    assert_eq!(left("daemonize = /a", "daemonize = /b"), [""; 0]);
    assert_eq!(left("procname = a", "procname = b"), [""; 0]);
    assert_eq!(left("auto-procname = true", ""), ["auto-procname"]);
}
