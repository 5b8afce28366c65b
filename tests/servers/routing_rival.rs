//! Rules of routing beside a real uWSGI that was built with PCRE: the same answers to the same requests, byte for byte, and
//! the intended differences, each with its reason.
//!
//! All cases are rules of one instance: a variable of the request says which of them are for it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::harness::Instance;
use crate::pythons::launch;
use crate::rivals::{Uwsgi, uwsgi_with_rules};
use loadgen::packet::Request;

/// Rules, and why the answers differ if they do.
struct Case {
    rules: &'static [&'static str],
    /// Empty: they are the same.
    why: &'static str,
}

const fn same(rules: &'static [&'static str]) -> Case {
    Case { rules, why: "" }
}

const fn other(rules: &'static [&'static str], why: &'static str) -> Case {
    Case { rules, why }
}

const NO_ANSWER: &str = "a closed connection is 502 in nginx, and tells nobody which rule it was";
const DECIDED_BY_US: &str = "a client's line end in a header would be a header of its own";
const NOT_BY_HEARSAY: &str = "REMOTE_USER of a web server is no proof that anybody looked at the password";

/// `DIR` is a directory with the files `a.css`, `secret` and `users`.
const CASES: &[Case] = &[
    same(&["route = ^/x/(\\d+) addheader:X-N: $1"]),
    same(&["route = ^/(\\w+)/(\\w+) addheader:X-N: $0|$1|$2|$3|$x"]),
    same(&["route-uri = b=2 addvar:A=${QUERY_STRING}"]),
    same(&["route-qs = ^a=(.*) addvar:A=$1"]),
    same(&["route-host = ^app\\.example:8080$ addvar:A=host"]),
    same(&["route-remote-addr = ^192\\.0\\. addvar:A=near"]),
    same(&["route-user-agent = (?i)CURL addvar:A=agent"]),
    same(&["route-remote-user = ^$ addvar:A=nobody"]),
    same(&["route-referer = .* addvar:A=any"]),
    same(&["route-run = addvar:A=${REQUEST_METHOD}-${PATH_INFO}-${NONE}-${cookie[b]}-${qs[a]}"]),
    same(&["route-run = addvar:A=${hex[HTTP_HOST]}", "route-run = addvar:B=${base64[HTTP_COOKIE]}"]),
    same(&["route-run = addvar:A=1", "route-run = addvar:A=2"]),
    same(&["route-run = addvar:A=5", "route-run = +:A", "route-run = -:A,2", "route-run = *:A,3"]),
    same(&["route-run = addvar:PATH_INFO=/moved", "route = ^/moved addvar:B=1"]),
    same(&["route-run = setpathinfo:/moved", "route = ^/moved addvar:B=1"]),
    same(&["route-run = seturi:/moved?x=1", "route-uri = ^/moved addvar:B=1"]),
    other(&["route-run = setuser:me:too", "route-remote-user = ^me$ addvar:B=1"], "uWSGI matches what it has cut off"),
    same(&["route-run = setremoteaddr:10.0.0.1", "route-remote-addr = ^10 addvar:B=1"]),
    same(&["route-run = setscriptname:/app"]),
    same(&["route-run = setmethod:PUT"]),
    same(&["route-run = setdocroot:/srv"]),
    same(&["route-run = setscheme:https"]),
    same(&["route-run = rewrite:/new"]),
    same(&["route-run = rewrite:/new?z=9"]),
    same(&["route = ^/x/(.*) rewrite-last:/y%2541/$1?id=$1", "route-run = addvar:A=not-here"]),
    same(&["route-run = redirect:https://${HTTP_HOST}${REQUEST_URI}"]),
    same(&["route-run = redirect-302:/elsewhere"]),
    same(&["route = ^/x/(.*) redirect-permanent:/new/$1"]),
    same(&["route-run = redirect-301:/${qs[b]}"]),
    same(&["route-run = break:403"]),
    same(&["route-run = break:405 Not Allowed Here"]),
    same(&["route-run = break:503 Overload"]),
    same(&["route-run = return:404"]),
    same(&["route = ^/x break-with-status:410"]),
    same(&["route-run = goto:END", "route-run = addvar:A=skipped", "route-label = END", "route-run = addvar:B=after"]),
    same(&[
        "route = ^(/x) goto:END$0",
        "route-run = addvar:A=none",
        "route-label = END/x",
        "route-run = addvar:B=after",
    ]),
    same(&["route-if = equal:${REQUEST_METHOD};GET addvar:A=get"]),
    same(&["route-if-not = equal:${REQUEST_METHOD};GET addvar:A=other"]),
    same(&[
        "route-if = isequal:${HTTP_HOST};x addvar:A=1",
        "route-if = eq:a;a addvar:B=1",
        "route-if = ==:a;b addvar:C=1",
    ]),
    same(&["route-if = startswith:${PATH_INFO};/x addvar:A=1", "route-if = endswith:${PATH_INFO};7 addvar:B=1"]),
    same(&["route-if = contains:${HTTP_COOKIE};b=2 addvar:A=1", "route-if = contains:a; addvar:B=1"]),
    same(&[
        "route-if = startswith:a; addvar:A=1",
        "route-if = endswith:a; addvar:B=1",
        "route-if = equal:a addvar:C=1",
    ]),
    same(&[
        "route-if = ishigher:10x;9 addvar:A=1",
        "route-if = islower:x;1 addvar:B=1",
        "route-if = >=:2;2 addvar:C=1",
    ]),
    same(&["route-if = empty:${QUERY_STRING} addvar:A=1", "route-if-not = empty:${NONE} addvar:B=1"]),
    same(&["route-if = regexp:${HTTP_HOST};^(\\w+)\\. addvar:A=$1"]),
    same(&["route-if = re:${PATH_INFO};/(\\d+) addvar:A=$1-$2"]),
    same(&[
        "route-if = ipv4in:${REMOTE_ADDR};192.0.2.0/24 addvar:A=1",
        "route-if = ipv4in:10.1.2.3;0.0.0.0/0 addvar:B=1",
    ]),
    same(&["route-if = ipv6in:2001:db8::1;2001:db8::/32 addvar:A=1", "route-if = ipv6in:127.0.0.1;::/0 addvar:B=1"]),
    same(&[
        "route-if = exists:DIR/a.css addvar:A=1",
        "route-if = isfile:DIR addvar:B=1",
        "route-if = isdir:DIR addvar:C=1",
    ]),
    same(&["route-run = addheader:X-One: 1", "route-run = addheader:X-Two: ${REQUEST_METHOD}"]),
    same(&["route-run = delheader:X-App"]),
    same(&["route-run = remheader:x-app", "route-run = addheader:X-App: mine"]),
    same(&["route-run = donotlog:", "route-run = log:${PATH_INFO}", "route-run = logvar:k=v"]),
    same(&["route-run = last:", "route-run = break:403"]),
    same(&["route-run = continue:", "route-run = break:403"]),
    same(&["route = ^/x basicauth:Area,ann:secret"]),
    same(&["route-run = basicauth-next:Area,ann:secret", "route-run = basicauth:Area,bob:other"]),
    same(&["route-run = basicauth:Area,DIR/users"]),
    same(&["route-run = file:filename=DIR/secret"]),
    same(&["route-run = file:filename=DIR/secret,status=404,content_type=text/x-own"]),
    same(&["route-run = file:filename=DIR/a.css,no_cl=1"]),
    same(&["route-run = file-next:filename=DIR/none"]),
    same(&["route-run = hash:key=${PATH_INFO},var=A,items=one;two;three;four;five"]),
    other(&["response-route-status = 404 redirect:/lost"], "uWSGI sends an end of a line and nothing else"),
    same(&["route = ^(/x) rpc:said a ${REQUEST_METHOD} $1"]),
    same(&["route-run = call:said a"]),
    same(&["route-run = rpcvar:A said a ${REQUEST_METHOD}", "route-run = rpcvar:B none"]),
    same(&["route-run = rpcret:said next", "route-run = addvar:A=next"]),
    same(&["route-run = rpcret:said continue", "route-run = break:403"]),
    other(&["route-run = rpcret:none", "route-run = break:403"], NO_ANSWER),
    same(&["route-run = rpcret:said break 403"]),
    other(
        &[
            "route-run = rpcret:said goto END",
            "route-run = addvar:A=skipped",
            "route-label = END",
            "route-run = addvar:B=after",
        ],
        "uWSGI closes the connection in the place of the jump",
    ),
    other(
        &["route-run = rpcraw:none", "route-run = rpcblob:none", "route-run = addvar:A=on"],
        "uWSGI closes the connection where there is no result",
    ),
    other(&["route-run = rpcraw:answer"], "a length that is known is told"),
    other(&["route-run = rpcblob:said a"], "a request has one answer: uWSGI has the application add to it"),
    other(&["route-run = rpc:none"], NO_ANSWER),
    same(&["response-route-status = 200 addheader:X-Fine: yes"]),
    same(&["response-route-run = addheader:X-Status: ${uwsgi[status]}"]),
    same(&["response-route-if = equal:${KIND};text/plain addheader:X-Kind: ${KIND}"]),
    same(&["response-route = ^(/status) addheader:X-Path: $0"]),
    other(&["error-route-status = 404 redirect:/lost"], "the body is the same as in the other chains"),
    same(&["error-route-status = 404 addheader:X-Error: ${uwsgi[status]}"]),
    same(&["final-route-run = log:done"]),
    same(&["route-run = break:404", "response-route-status = 404 addheader:X-Late: 1"]),
    other(&["route-run = break:"], NO_ANSWER),
    other(&["route-run = static:DIR/none"], NO_ANSWER),
    other(&["route-run = file:filename=DIR/none"], NO_ANSWER),
    other(&["route-run = +:NONE"], NO_ANSWER),
    other(&["route-if = ipv4in:${LONG};0.0.0.0/0 addvar:A=1"], NO_ANSWER),
    other(&["route = ^/x addvar:A=$0"], "uWSGI's worker dies of $0 where an expression has no groups"),
    other(&["route-run = addvar:A=8", "route-run = /:A,2"], "uWSGI multiplies"),
    other(&["route = ^/cut(.*) addheader:X-I: [$1]"], "what a client sends is no template: uWSGI filled it in"),
    other(&["route = (?s)^/split(.*) redirect:/to$1"], DECIDED_BY_US),
    other(&["route-remote-user = evil basicauth:Area,ann:secret"], NOT_BY_HEARSAY),
    other(&["route-run = static:DIR/a.css"], "an answer of ours has a type, an entity tag and the like"),
];

/// The requests that each case is asked with.
fn requests() -> Vec<Request> {
    let get = |target: &str, path: &str| Request::get(target).var("PATH_INFO", path.as_bytes());
    vec![
        get("/x/7?a=1&b=2", "/x/7"),
        get("/", "/"),
        get("/status/404", "/status/404").method("POST"),
        get("/x?q", "/x").var("HTTP_AUTHORIZATION", b"Basic YW5uOnNlY3JldA==").var("HTTP_USER_AGENT", b"curl/8"),
        get("/y", "/cut${HTTP_COOKIE}").var("LONG", b"2001:db8::1:2:3:4:5"),
        get("/z", "/split\r\nX-I: 1").var("HTTP_AUTHORIZATION", b"Basic YW5uOndyb25n"),
    ]
}

/// The lines of all cases.
fn lines(files: &Path) -> String {
    let mut lines = String::from("collect-header = Content-Type KIND\n");
    for (number, case) in CASES.iter().enumerate() {
        for stage in ["", "error-", "response-", "final-"] {
            let own = |rule: &&&str| rule.starts_with(&format!("{stage}route"));
            let rules: Vec<&&str> = case.rules.iter().filter(own).collect();
            if rules.is_empty() {
                continue;
            }
            let _ = writeln!(lines, "{stage}route-if-not = equal:${{CASE}};{number} goto:case{number}");
            for rule in rules {
                let _ = writeln!(lines, "{}", rule.replace("DIR", &files.display().to_string()));
            }
            let _ = writeln!(lines, "{stage}route-label = case{number}");
        }
    }
    lines
}

fn files(directory: &Path) {
    for (name, text) in [
        ("a.css", "p {}\n"),
        ("secret", "a file\n"),
        ("users", "bob:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=\nann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"),
    ] {
        fs::write(directory.join(name), text).expect("write a file");
    }
}

#[test]
fn rules_answer_as_uwsgi_does() {
    let Some(binary) = uwsgi_with_rules() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = directory.path().canonicalize().expect("a path");
    files(&place);
    let rules = lines(&place);
    let ini = place.join("rules.ini");
    fs::write(&ini, format!("[uwsgi]\n{rules}")).expect("write the rules");
    let uwsgi = Uwsgi::start_with(binary, "routed", "/", |command| {
        command.arg("--ini").arg(&ini);
    });
    let launched = rules.lines().fold(launch(&crate::pythons::one(), "routed"), |launch, line| launch.line(line));
    let mut rhinod = launched.start();
    rhinod.expect_log("routed");
    for expected in ["app.ini:", "which cannot be served", " is refused: ", "done"] {
        rhinod.expect_log(expected);
    }
    compare(&rhinod, &uwsgi);
}

fn compare(rhinod: &Instance, uwsgi: &Uwsgi) {
    let (mut told, mut pairs) = (String::new(), 0);
    for (number, case) in CASES.iter().enumerate() {
        let mut differs = false;
        for request in requests() {
            let request = if case.why == NOT_BY_HEARSAY { request.var("REMOTE_USER", b"evil") } else { request };
            let request = request.var("CASE", number.to_string().as_bytes());
            let ours = text(&rhinod.ask(&request).bytes);
            let theirs = uwsgi.try_ask(&request).map_or_else(|error| error.to_string(), |reply| text(&reply.bytes));
            pairs += 1;
            differs |= ours != theirs;
            if ours != theirs && case.why.is_empty() {
                let _ = writeln!(told, "{:?}\n  rhinod: {ours:?}\n  uWSGI:  {theirs:?}", case.rules);
            }
        }
        if !differs && !case.why.is_empty() {
            let _ = writeln!(told, "{:?} was to differ: {}", case.rules, case.why);
        }
    }
    assert!(told.is_empty(), "{told}");
    assert!(pairs >= 300, "only {pairs} pairs were compared");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
