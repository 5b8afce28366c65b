//! What each line becomes.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::model::*;

#[test]
fn without_any_line_the_defaults_hold() {
    let built = built("");
    assert_eq!((built.warnings, built.idle), (vec![], vec![]));
    let sockets = vec![Listener::on(Address::Unix("/run/app.sock".into()))];
    let given = vec![("socket".to_owned(), Some("/run/app.sock".to_owned()))];
    assert_eq!(built.config, Config { sockets, given, ..Config::default() });
}

#[test]
fn defaults_of_the_table_are_those_of_the_configuration() {
    // Setting every option that works to its own default must change nothing but what is remembered as given.
    for option in options::options().filter(|option| option.set.is_some() && !option.default.is_empty()) {
        let directive = Directive::new(option.name, Some(option.default), Origin::Program);
        let surroundings = Surroundings { inherited_sockets: Some(1), ..roomy() };
        let config = build(std::slice::from_ref(&directive), &surroundings).map(|built| built.config);
        let given = vec![(option.name.to_owned(), Some(option.default.to_owned()))];
        let config = config.map(|config| Config { notes: Vec::new(), ..config });
        assert_eq!(config, Ok(Config { given, ..Config::default() }), "{} = {}", option.name, option.default);
    }
}

#[test]
fn sockets_that_nobody_but_their_owner_can_connect_to_are_told_of() {
    let told = |umask: Option<u32>, lines: &str| {
        let directives = directives(lines);
        let (built, _) = build_all(&directives, &Surroundings { umask, ..roomy() });
        built.warnings.iter().filter(|warning| warning.problem.starts_with("only its owner")).count()
    };
    let usual = Some(0o022);
    for (umask, lines, expected) in [
        (usual, "socket = /run/a.sock", 1),
        (usual, "socket = /run/a.sock\nsocket = /run/b.sock\nuid = app", 1),
        (Some(0), "socket = /run/a.sock\nchmod-socket = 700", 1),
        (Some(0), "socket = /run/a.sock\numask = 077", 1),
        (usual, "socket = /run/a.sock\nchown-socket = :www-data", 1),
        (usual, "socket = /run/a.sock\nchmod-socket = 660", 0),
        (usual, "socket = /run/a.sock\numask = 002", 0),
        (usual, "socket = /run/a.sock\nchown-socket = www-data", 0),
        (usual, "socket = /run/a.sock\nuid = www-data", 0),
        (usual, "socket = @a\nsocket = 127.0.0.1:3031", 0),
        (Some(0), "socket = /run/a.sock", 0),
        (None, "socket = /run/a.sock", 0),
    ] {
        assert_eq!(told(umask, lines), expected, "{umask:?} {lines}");
    }
}

#[test]
fn logs_lie_where_the_program_was_started() {
    let mut config = built("chdir = /srv\nlogto = a.log\nlogto2 = b.log\ncheaper-log = /var/c.log\nprocesses = 4\ncheaper = 1\ncheaper-algo = adaptive").config;
    config.anchor_logs(Path::new("/home/app"));
    let logging = &config.logging;
    assert_eq!(
        (logging.to.as_deref(), logging.to2.as_deref()),
        (Some(Path::new("/home/app/a.log")), Some(Path::new("/home/app/b.log")))
    );
    assert_eq!(config.scaling.log.as_deref(), Some(Path::new("/var/c.log")));
}

#[test]
fn daemons_reach_the_configuration_in_their_order() {
    let config = built(
        "attach-daemon = redis-server --port 0
        attach-control-daemon = run it
        smart-attach-daemon = /run/a.pid one
        smart-attach-daemon2 = /run/b.pid,30 two
        attach-daemon2 = exec=run -Q a\\,b, pidfile=/run/c.pid,daemon=1,freq=5,stop_signal=INT,reloadsignal=SIGHUP,\
            notifypid,touch=/t/1;/t/2,uid=redis,gid=0,chdir=/srv,stdin=no,max_throttle=60,control=yes
        attach-daemon2 = command=run,ns_pid,max_throttle=0,reload_signal=0
        daemons-honour-stdin = true
        reload-mercy = 9",
    )
    .config;
    let daemon = |command: &str| Daemon { command: command.to_owned(), keeps_stdin: true, ..Daemon::default() };
    let list = vec![
        daemon("redis-server --port 0"),
        Daemon { control: true, ..daemon("run it") },
        Daemon { pidfile: Some("/run/a.pid".into()), ..daemon("one") },
        Daemon { pidfile: Some("/run/b.pid".into()), daemonize: true, freq: Duration::from_secs(30), ..daemon("two") },
        Daemon {
            pidfile: Some("/run/c.pid".into()),
            daemonize: true,
            freq: Duration::from_secs(5),
            stop_signal: 2,
            reload_signal: Some(1),
            notify: true,
            touch: vec!["/t/1".into(), "/t/2".into()],
            uid: Some("redis".to_owned()),
            chdir: Some("/srv".into()),
            throttle_max: Duration::from_secs(60),
            control: true,
            ..daemon("run -Q a,b")
        },
        Daemon { own_pid_namespace: true, ..daemon("run") },
    ];
    assert_eq!(config.daemons, Daemons { list, mercy: Duration::from_secs(9) });
    let touched = |path: &str| Watch { path: path.into(), effect: WatchEffect::RenewDaemon(4), any_event: false };
    assert_eq!(config.watches, [touched("/t/1"), touched("/t/2")]);
}

#[test]
fn the_options_of_the_process_model_reach_the_configuration() {
    let config = built(
        "processes = 4 ; four
        threads = 2
        chmod-socket = 0660
        listen = 512
        chdir = /srv/app
        uid = www-data
        gid = 33
        add-gid = video
        add-gid = audio
        umask = 027
        env = A=B=C
        env = HOME
        unenv = LANG
        vacuum = true
        reload-on-term = true
        worker-reload-mercy = 5
        load-timeout = 30
        custom = kept",
    )
    .config;
    let expected = Config {
        workers: 4,
        threads: 2,
        chmod_socket: Some(0o660),
        listen: 512,
        identity: Identity {
            uid: Some("www-data".into()),
            gid: Some("33".into()),
            add_gids: vec!["video".into(), "audio".into()],
            umask: Some(0o027),
            chdir: Some("/srv/app".into()),
            ..Identity::default()
        },
        environment: vec![
            EnvironmentChange::Set("A".into(), "B=C".into()),
            EnvironmentChange::Unset("HOME".into()),
            EnvironmentChange::Unset("LANG".into()),
        ],
        vacuum: true,
        term: TermMeaning::BrutalReload,
        patience: Patience {
            mercy: Duration::from_secs(5),
            load_timeout: Some(Duration::from_secs(30)),
            ..Config::default().patience
        },
        scaling: Scaling { minimum: 4, initial: 4, ..Config::default().scaling },
        sockets: config.sockets.clone(),
        given: config.given.clone(),
        notes: config.notes.clone(),
        ..Config::default()
    };
    assert_eq!(config, expected);
    assert_eq!(config.given.len(), 19);
    assert!(config.given.contains(&("custom".into(), Some("kept".into()))));
    assert_eq!(
        config.notes,
        [
            "app.ini:1: processes = 4 ; four: read as 4; `; four` is ignored",
            "app.ini:9: add-gid = audio: only root can add groups; the instance has the groups of whoever starts it",
        ]
    );
}

#[test]
fn the_options_of_requests_and_workers_reach_the_configuration() {
    let config = built(
        "max-requests = 1000
        max-requests-delta = 10
        max-worker-lifetime = 3600
        reload-on-rss = 200
        buffer-size = 65536
        max-vars = 100
        limit-post = 1000
        ignore-sigpipe = true
        disable-logging = true
        log-slow = 1500
        log-date = %Y
        touch-reload = /srv/reload
        touch-exec = /srv/touched echo changed
        hook-master-start = unix_signal:15 gracefully_kill_them_all
        exec-as-user = id
        trusted-proxy = 10.0.0.0/8",
    )
    .config;
    let watch = |path: &str, effect| Watch { path: path.into(), effect, any_event: false };
    let hook = |phase, action, argument: &str, line: usize| Hook {
        phase,
        action,
        argument: argument.into(),
        hidden: false,
        origin: format!("app.ini:{line}"),
    };
    let expected = Config {
        recycling: Recycling {
            max_requests: 1000,
            max_requests_delta: 10,
            max_lifetime: Some(Duration::from_secs(3600)),
            rss: Some(200 << 20),
            ..Config::default().recycling
        },
        request: RequestLimits {
            vars_max: 200,
            body_max: Some(1000),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Config::default().request
        },
        clients: VanishedClients { ignore_sigpipe: true, ..VanishedClients::default() },
        logging: Logging {
            requests: false,
            slow: Some(Duration::from_millis(1500)),
            date: Some("%Y".into()),
            ..Logging::default()
        },
        watches: vec![
            watch("/srv/reload", WatchEffect::Reload),
            watch("/srv/touched", WatchEffect::Execute("echo changed".into())),
        ],
        hooks: vec![
            hook(HookPhase::MasterStart, HookAction::UnixSignal, "15 gracefully_kill_them_all", 14),
            hook(HookPhase::AsUser, HookAction::Exec, "id", 15),
        ],
        sockets: config.sockets.clone(),
        given: config.given.clone(),
        notes: config.notes.clone(),
        ..Config::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn the_last_of_equal_options_wins_and_lists_add_up() {
    let config = built("processes = 2\nworkers = 5\nimport = a\nimport = b\nmodule = m").config;
    assert_eq!(config.workers, 5);
    let Application::Python(python) = config.application else { panic!("no Python application") };
    assert_eq!(python.imports, ["a", "b"]);
}

#[test]
fn sockets_of_every_form() {
    let text = "socket = app:3031\nsocket = :0\nsocket = :0\nuwsgi-socket = [::1]:9\nsocket = @hidden\nreuse-port = 1";
    let config = built(text).config;
    let addresses: Vec<String> = config.sockets.iter().map(|socket| format!("{:?}", socket.address)).collect();
    assert_eq!(
        addresses,
        [
            "Tcp(10.0.0.7:3031)",
            "Tcp(0.0.0.0:0)",
            "Tcp(0.0.0.0:0)",
            "Tcp([::1]:9)",
            "Abstract([104, 105, 100, 100, 101, 110])",
            "Unix(\"/run/app.sock\")"
        ]
    );
    let reused: Vec<bool> = config.sockets.iter().map(|socket| socket.reuse_port).collect();
    assert_eq!(reused, [true, true, true, true, false, false]);
    let hidden = built("abstract-socket = true").config;
    assert_eq!(hidden.sockets[0].address, Address::Abstract(b"/run/app.sock".to_vec()));
}

/// `(enabled, minimum, initial)` of a configuration of ten workers.
fn bounds(lines: &str) -> (bool, usize, usize) {
    let scaling = built(&format!("processes = 10\n{lines}")).config.scaling;
    (scaling.enabled, scaling.minimum, scaling.initial)
}

#[test]
fn bounds_of_scaling() {
    assert_eq!(bounds(""), (false, 10, 10));
    assert_eq!(bounds("cheaper = 2"), (true, 2, 2));
    assert_eq!(bounds("cheaper = 2\ncheaper-initial = 5"), (true, 2, 5));
    assert_eq!(bounds("cheaper = 4\ncheaper-initial = 2"), (true, 4, 4));
    assert_eq!(bounds("cheaper = 4\ncheaper-initial = 20"), (true, 4, 10));
    assert_eq!(bounds("cheaper = 4\ncheaper-initial = 0"), (true, 4, 4));
    assert_eq!(bounds("cheaper-initial = 2\ncheaper-algo = spare\ncheaper-step = 2"), (true, 2, 2));
    assert_eq!(bounds("cheaper-initial = 12"), (false, 10, 10));
    assert_eq!(bounds("cheaper = 0\ncheaper-initial = 2"), (false, 10, 10));
    assert_eq!(bounds("cheaper-algo = busyness"), (false, 10, 10));
}

#[test]
fn without_an_algorithm_the_policy_is_our_own() {
    assert_eq!(built("processes = 4\ncheaper = 1").config.scaling.policy, Policy::Adaptive);
    assert_eq!(built("processes = 4\ncheaper = 1\ncheaper-algo = spare").config.scaling.policy, Policy::Spare);
    for (name, policy) in Policy::NAMES.iter().zip(Policy::ALL) {
        assert_eq!(Policy::of_name(name), Some(*policy));
        assert_eq!(policy.name(), *name);
    }
}

#[test]
fn a_lower_somaxconn_bounds_the_default_queue_silently() {
    let small = Surroundings { somaxconn: Some(64), ..roomy() };
    let config = built_on(&small, "socket = /s").map(|built| built.config.listen);
    assert_eq!(config, Ok(64));
    let unknown = Surroundings { somaxconn: None, ..roomy() };
    let config = built_on(&unknown, "socket = /s\nlisten = 99999").map(|built| built.config.listen);
    assert_eq!(config, Ok(99999));
}

#[test]
fn module_wins_over_wsgi_file_and_python_needs_an_application() {
    let Application::Python(python) = built("module = a:app\nwsgi-file = b.py").config.application else {
        panic!("no Python application")
    };
    assert_eq!((python.module.as_deref(), python.file), (Some("a:app"), None));
    assert_eq!(built("pythonpath = /srv").config.application, Application::Embedded);
    assert_eq!(built("rust-app = ./hello").config.application, Application::Rust("./hello".into()));
}

#[test]
fn term_keeps_the_last_meaning_that_is_on() {
    assert_eq!(built("").config.term, TermMeaning::GracefulStop);
    assert_eq!(built("die-on-term = true\nreload-on-term = true").config.term, TermMeaning::BrutalReload);
    assert_eq!(built("reload-on-term = true\ndie-on-term = true").config.term, TermMeaning::GracefulStop);
    assert_eq!(built("reload-on-term = true\ndie-on-term = false").config.term, TermMeaning::BrutalReload);
    assert_eq!(built("die-on-term = true\nreload-on-term = false").config.term, TermMeaning::GracefulStop);
    assert_eq!(built("die-on-term = true\ndie-on-term = false").config.term, TermMeaning::GracefulStop);
}

#[test]
fn times_are_bounded_so_that_clocks_cannot_overflow() {
    assert!(built_on(&roomy(), "socket = /s\nworker-reload-mercy = 9999999999").is_err());
    let mercy = built("worker-reload-mercy = 2147483647").config.patience.mercy;
    assert_eq!(mercy, Duration::from_secs(2_147_483_647));
}

#[test]
fn a_mark_hides_what_a_hook_is_about() {
    let hooks = built("hook-asap = !exec:login secret\nhook-asap = exec:id").config.hooks;
    let seen: Vec<_> = hooks.iter().map(|hook| (hook.action, hook.argument.as_str(), hook.hidden)).collect();
    assert_eq!(seen, [(HookAction::Exec, "login secret", true), (HookAction::Exec, "id", false)]);
}

#[test]
fn a_shared_socket_is_served_by_whoever_refers_to_it() {
    let built =
        built("http-socket = =1\nshared-socket = 127.0.0.1:80\nundeferred-shared-socket = 127.0.0.1:81\nsocket = =0");
    let seen: Vec<_> = built
        .config
        .sockets
        .iter()
        .take(2)
        .map(|one| (one.address.to_string(), one.protocol, one.early, one.defer_accept))
        .collect();
    let expected = [
        ("127.0.0.1:81".to_owned(), Protocol::Http, true, false),
        ("127.0.0.1:80".to_owned(), Protocol::Uwsgi, true, true),
    ];
    assert_eq!((seen, built.warnings), (expected.to_vec(), vec![]));
}

#[test]
fn a_socket_is_mapped_to_workers() {
    let built = built("socket = :3031\nsocket = :3032\nprocesses = 3\nmap-socket = 0:1,2\nmap-socket = 1:3");
    let seen: Vec<_> = built.config.sockets.into_iter().map(|one| one.workers).collect();
    assert_eq!(seen, [vec![1, 2], vec![3], vec![]]);
}

#[test]
fn announcements_are_heard_where_and_believed_how_the_lines_say() {
    let text = "http = :80\nhttp-subscription-server = 127.0.0.1:4040\nhttp-subscription-server = /run/ears\n\
                http-subscription-fallback-key = Other\nsubscription-algo = wlrc\nsubscription-dotsplit = true\n\
                subscription-tolerance = 5\nsubscriptions-sign-check = SHA512:/keys\nsubscriptions-sign-check-tolerance = 60\n\
                subscriptions-sign-skip-uid = 33";
    let alone = built_on(&roomy(), text).expect("it starts");
    let tcp = |text: &str| Address::Tcp(text.parse().expect("an address of the test"));
    let expected = Hearing {
        at: vec![tcp("127.0.0.1:4040"), Address::Unix("/run/ears".into())],
        fallback_key: Some("other".to_owned()),
        splits_dots: true,
        turns: Turns::LeastBusyWeighted,
        tolerance: Duration::from_secs(5),
        signatures: Some(SignCheck { digest: Digest::Sha512, directory: "/keys".into() }),
        skew: Duration::from_secs(60),
        trusted_users: vec![33],
        ..Hearing::default()
    };
    assert_eq!((alone.config.routers.hearing, alone.warnings), (expected, vec![]));
}

#[test]
fn who_may_announce_himself_to_whom_is_told_of_where_that_is_anybody() {
    let warnings = |lines: &str| -> Vec<String> {
        let built = built(&format!("http = 127.0.0.1:80\n{lines}"));
        [built.warnings, built.idle].concat().iter().map(ToString::to_string).collect()
    };
    let open = "http-subscription-server = 10.0.0.1:4040";
    let told = warnings(open);
    assert!(
        told.len() == 1 && told[0].contains("app.ini:2") && told[0].contains("subscriptions-sign-check"),
        "{told:?}"
    );
    assert_eq!(warnings(&format!("{open}\nsubscriptions-sign-check = sha256:/keys")), Vec::<String>::new());
    assert_eq!(warnings("http-subscription-server = /run/ears"), Vec::<String>::new());
    let nobody = warnings("http-subscription-server = 127.0.0.1:1\nsubscriptions-credentials-check = /sites");
    assert!(nobody.len() == 1 && nobody[0].contains("over UDP"), "{nobody:?}");
    let idle = warnings("subscription-tolerance = 3");
    assert!(idle.len() == 1 && idle[0].contains("without `http-subscription-server`"), "{idle:?}");
    let wrong = |line: &str| built_on(&roomy(), &format!("http = :80\n{line}")).expect_err(line).to_string();
    for (line, said) in [
        ("http-subscription-server = @name", "IP:PORT or a path"),
        ("http-subscription-server = =0", "shared socket"),
        ("http-subscription-server = nowhere:4040", "the host's name is not known"),
        ("subscriptions-sign-check = md5:/keys", "`md5` is no digest"),
        ("subscriptions-sign-check = sha256", "DIGEST:DIRECTORY"),
        ("subscriptions-sign-skip-uid = www-data", "the number of a user"),
        ("subscription-algo = ip-hash", "one of wrr, lrc, wlrc"),
    ] {
        assert!(wrong(line).contains(said), "{line}: {}", wrong(line));
    }
}

#[test]
fn an_instance_that_is_only_a_router_wants_no_worker() {
    let alone = |text: &str| {
        let config = built_on(&roomy(), text).expect("it starts").config;
        (config.is_router_only(), config.scaling.cheap)
    };
    assert_eq!(alone("http = :80\nhttp-to = /run/app.sock"), (true, true));
    assert_eq!(alone("http = :80\nhttp-subscription-server = /run/ears"), (true, true));
    assert_eq!(alone("http = :80\nhttp-to-https = :81\nhttp-to = /run/app.sock"), (true, true));
    for other in [
        "http = :80",
        "http = :80\nhttp-processes = 2",
        "http = :80\nhttp-to = /run/app.sock\nmodule = app",
        "http = :80\nhttp-to = /run/app.sock\nsocket = /run/own.sock",
        "http = :80\nhttp-subscription-server = /run/ears\nsocket = /run/own.sock\nhttp-to = /run/own.sock",
    ] {
        assert_eq!(alone(other), (false, false), "{other}");
    }
}
