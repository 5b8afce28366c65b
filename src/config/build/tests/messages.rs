//! What is said of lines that are wrong, each in a snapshot; and that there always is something to say.

use std::path::PathBuf;

use super::*;
use crate::config::model::Application;

/// Every message of a configuration, warnings and errors, one to a line.
fn messages_on(surroundings: &Surroundings, text: &str) -> String {
    let (heading, lines) = match built_on(surroundings, text) {
        Ok(built) => ("starts", [built.warnings, built.idle].concat()),
        Err(errors) => ("does not start", errors.0),
    };
    let lines: Vec<String> = lines.iter().map(|line| format!("    {line}\n")).collect();
    format!("{}\n  {heading}\n{}", text.trim(), lines.concat())
}

fn messages(text: &str) -> String {
    messages_on(&roomy(), &format!("{text}\nsocket = /run/app.sock"))
        .replace("\nsocket = /run/app.sock\n", "\n")
        .replace("socket = /run/app.sock\n", "")
}

#[test]
fn every_message_of_one_value() {
    let mut all = String::new();
    for line in [
        "processes = auto",
        "processes = 0",
        "processes =",
        "processes = $(WEB_CONCURRENCY)",
        "processes = %(cores)",
        "processes = 4 workers",
        "processes = 999",
        "listen = 99999",
        "buffer-size = 32k",
        "buffer-size = 100000",
        "buffer-size = 0",
        "socket-timeout = 0",
        "check-interval = 0",
        "chmod-socket = true",
        "chmod-socket = 660 # g",
        "umask = 9",
        "uid = 0",
        "chdir =",
        "socket =",
        "socket = 8000",
        "socket = host.example:80",
        "socket = 192.168.*:80",
        "socket = ::1:80",
        "socket = =0",
        "socket = :99999",
        "socket = 127.0.0.1:3031 # tcp",
        "socket = @",
        "protocol = http",
        "protocol = gopher",
        "master = false ; note",
        "mount = /prefix",
        "optimize = 3",
        "hook-asap = true",
        "hook-asap = launch:now",
        "hook-asap = chown:/tmp/x www-data",
        "hook-master-start = unix_signal:15 no_such_function",
        "attach-daemon =",
        "smart-attach-daemon = /run/redis.pid",
        "smart-attach-daemon2 = /run/redis.pid,soon redis-server",
        "smart-attach-daemon2 = ,5 redis-server",
        "attach-daemon2 = stopsignal=2",
        "attach-daemon2 = cmd=",
        "attach-daemon2 = cmd=run,stop-signal=2",
        "attach-daemon2 = cmd=run,stopsingal=2",
        "attach-daemon2 = cmd=run -Q one,two",
        "attach-daemon2 = cmd=run,colour=green",
        "attach-daemon2 = cmd=run,stopsignal=TREM",
        "attach-daemon2 = cmd=run,stopsignal=65",
        "attach-daemon2 = cmd=run,freq=0",
        "attach-daemon2 = cmd=run,max_throttle=long",
        "attach-daemon2 = cmd=run,control=perhaps",
        "attach-daemon2 = cmd=run,daemonize",
        "attach-daemon2 = cmd=run,notifypid",
        "attach-daemon2 = cmd=run,pidfile=/p,ns_pid",
        "attach-daemon2 = cmd=run,legion=one",
        "attach-daemon2 = cmd=run,freq=no,uid,touch=",
        "attach-daemon2 = cmd=run,uid=www-data",
        "legion-attach-daemon = one run",
        "touch-exec = /tmp/x",
        "reload-on-fd = 0",
        "reload-on-fd = 3:0 message",
        "brutal-reload-on-fd = pipe",
        "cheaper-algo = magic",
        "cheaper-overload = 0",
        "cheaper-step = 0",
        "worker-reload-mercy = soon",
        "mule-harakiri = 30",
        "legion = a b c d",
        "chroot = /srv",
        "thunder-lock = true",
        "master = false",
        "http-keepalive = true",
        "http-keepalive = often",
        "legion-freq = often",
        "https-export-cert = false",
    ] {
        all.push_str(&messages(line));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn every_message_of_options_together() {
    let mut all = String::new();
    for lines in [
        "processes = 4\ncheaper = 4",
        "processes = 4\ncheaper = 2\ncheaper-initial = 1",
        "processes = 4\ncheaper = 2\ncheaper-initial = 9",
        "workers = 10\ncheaper-algo = spare\ncheaper-initial = 2\ncheaper-step = 2",
        "processes = 4\ncheaper-algo = busyness",
        "processes = 4\ncheaper = 0\ncheaper-step = 2",
        "processes = 4\ncheaper = 1\ncheaper-rss-limit-hard = 10",
        "processes = 4\ncheaper = 1\ncheaper-rss-limit-soft = 20\ncheaper-rss-limit-hard = 10",
        "processes = 4\ncheaper = 1\ncheaper-algo = busyness\ncheaper-busyness-max = 20",
        "processes = 4\ncheaper = 1\ncheaper-algo = busyness\ncheaper-busyness-min = 40\ncheaper-busyness-max = 20",
        "processes = 4\ncheaper = 1\ncheaper-algo = busyness\ncheaper-busyness-min = 60\ncheaper-busyness-max = 60",
        "logto = 127.0.0.1:5000\nlogto2 = ./log:1\ndaemonize = log:5000",
        "max-worker-lifetime = 10",
        "min-worker-lifetime = 60\nmax-worker-lifetime = 60",
        "socket = :3031\nuwsgi-socket = 0.0.0.0:3031",
        "socket = :8000\nhttp = 0.0.0.0:8000",
        "module = a:app\nwsgi-file = b.py",
        "module = a:app\nrust-app = ./hello",
        "module = a:app\nthreads = 4",
        "processes = many\ncheaper = 4",
        "chdir = /srv/app # the application",
        "smart-attach-daemon = /p one\nsmart-attach-daemon2 = /q two\nattach-daemon2 = cmd=three,pidfile=/p",
    ] {
        all.push_str(&messages(lines));
    }
    let root = Surroundings { euid: 0, ..roomy() };
    all.push_str(&messages_on(&root, "socket = /s"));
    all.push_str(&messages_on(&root, "socket = /s\nuid = www-data\ngid = www-data"));
    let daemons = "socket = /s\nuid = www-data\nattach-daemon2 = cmd=run,uid=redis\nattach-daemon2 = cmd=run,ns_pid";
    all.push_str(&messages_on(&root, daemons));
    all.push_str(&messages_on(&root, &format!("{daemons}\nmaster-as-root = true")));
    all.push_str(&messages_on(&roomy(), "socket = /s\ndie-on-term = false"));
    all.push_str(&messages_on(&roomy(), "socket = /s\ndie-on-term = true"));
    all.push_str(&messages_on(&roomy(), "socket = /s\ndie-on-term = false\nreload-on-term = true"));
    let resetting = Surroundings { migrates_connections: Some(false), ..roomy() };
    all.push_str(&messages_on(&resetting, "socket = :3031\nreuse-port = true"));
    all.push_str(&messages_on(&resetting, "socket = :3031\nreuse-port = false"));
    all.push_str(&messages_on(&roomy(), "http-socket = :8000"));
    all.push_str(&messages_on(&Surroundings { inherited_sockets: None, ..roomy() }, "http-socket = :8000"));
    all.push_str(&messages_on(&roomy(), "processes = 2"));
    all.push_str(&messages_on(&roomy(), "processes = 2\nattach-daemon = run"));
    all.push_str(&messages_on(&Surroundings { inherited_sockets: None, ..roomy() }, "processes = 2"));
    all.push_str(&messages_on(&Surroundings { inherited_sockets: Some(1), ..roomy() }, "processes = 2"));
    insta::assert_snapshot!(all);
}

#[test]
fn an_interpreter_that_is_not_there_is_an_error_unless_a_hook_may_make_it() {
    let search_path = Some("/usr/bin:/there/bin".to_owned());
    let bare = Surroundings { executes: |path| path.starts_with("/there"), search_path, ..roomy() };
    let errors = |text: &str| built_on(&bare, text).err().map_or_else(String::new, |errors| errors.to_string());
    let base = "socket = /run/s\nmodule = app\n";
    for fine in [
        "",
        "home = /there",
        "home = venv\nchdir = /there",
        "home = venv\nchdir = app",
        "venv = /there\npython-executable = /gone",
        "python-executable = /there/python",
    ] {
        assert_eq!(errors(&format!("{base}{fine}")), "");
    }
    assert_eq!(errors("socket = /run/s\nhome = /gone"), "", "no Python application");
    assert_eq!(errors(&format!("{base}home = /gone\nhook-asap = exec:python3 -m venv /gone")), "");
    let said = errors(&format!("{base}home = /gone"));
    assert!(said.contains("app.ini:3") && said.contains("/gone/bin/python and /gone/bin/python3"), "{said}");
    assert!(said.contains("python3 -m venv /gone"), "{said}");
    let said = errors(&format!("{base}python-executable = /gone"));
    assert!(said.contains("app.ini:3") && said.contains("no interpreter can be executed: looked for /gone"), "{said}");
    let said = errors(&format!("{base}env = PATH=/bin:/opt/bin"));
    assert!(
        said.contains("app.ini:2") && said.contains("looked for /bin/python3 and /opt/bin/python3 (PATH)"),
        "{said}"
    );
    assert_eq!(errors(&format!("{base}env = PATH=/bin\nenv = PATH=/there")), "", "the last one counts");
    assert_eq!(errors(&format!("{base}unenv = PATH")), "", "the system's own places are not known");
}

#[test]
fn without_a_virtualenv_of_its_own_an_application_has_that_of_rhinod() {
    let own_interpreter = Some(PathBuf::from("/opt/app/venv/bin/python3"));
    let installed = Surroundings { own_interpreter, ..roomy() };
    let interpreters = |surroundings: &Surroundings, more: &str| {
        let text = format!("socket = /run/s\nmodule = app\n{more}");
        let Ok(built) = built_on(surroundings, &text) else { panic!("{text}") };
        let Application::Python(python) = built.config.application else { panic!("a Python application") };
        python.interpreters()
    };
    assert_eq!(interpreters(&installed, ""), [PathBuf::from("/opt/app/venv/bin/python3")]);
    assert_eq!(interpreters(&installed, "python-executable = /usr/bin/python3"), [PathBuf::from("/usr/bin/python3")]);
    assert_eq!(interpreters(&installed, "home = /srv/venv")[0], PathBuf::from("/srv/venv/bin/python"));
    assert!(interpreters(&roomy(), "").is_empty());
}

#[test]
fn all_errors_come_at_once() {
    let Err(errors) = built_on(&roomy(), "processes = x\nlisten = y\nuid = 0\nsocket = /s") else {
        panic!("three errors expected")
    };
    assert_eq!(errors.0.len(), 3);
}

#[test]
fn no_value_of_any_option_makes_building_panic() {
    let values =
        [None, Some(""), Some("="), Some("-1"), Some("0"), Some("true"), Some(":"), Some("18446744073709551616")];
    for option in options::options() {
        for value in values {
            let directive = Directive::new(option.name, value, Origin::CommandLine);
            // Either outcome will do; what counts is that there is one, and that each error speaks of this option.
            if let Err(errors) = build(&[directive], &Surroundings { inherited_sockets: Some(1), ..roomy() }) {
                assert!(errors.0.iter().all(|error| error.key.as_deref() == Some(option.name)), "{errors}");
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_pair_of_values_makes_building_panic(
        first in 0..900_usize,
        second in 0..900_usize,
        text in "[ -~]{0,12}",
        number in proptest::num::i64::ANY,
    ) {
        let name = |index: usize| options::options().nth(index).map_or("cheaper", |option| option.name);
        let pair = [
            Directive::new(name(first), Some(&text), Origin::CommandLine),
            Directive::new(name(second), Some(&number.to_string()), Origin::CommandLine),
        ];
        let (built, errors) = build_all(&pair, &roomy());
        proptest::prop_assert!(built.config.scaling.minimum <= built.config.workers || !errors.0.is_empty());
        proptest::prop_assert!(errors.0.iter().all(|error| !error.to_string().contains('\n')));
    }
}
