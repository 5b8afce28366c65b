//! Rules of routing in a running instance: before the application, on its answers, and in the log; for handlers in Rust, too.

use crate::dialogue::{Dialogue, Reply, with_http_socket};
use crate::harness::{Instance, Launch};
use loadgen::packet::Request;

fn ask(server: &Instance, method: &str, target: &str, headers: &str) -> Reply {
    let mut client = Dialogue::with(server);
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: app.example\r\n{headers}\r\n"));
    client.reply(method)
}

#[test]
fn rules_stand_before_files_and_the_application_and_see_what_it_answers() {
    let launch = with_http_socket(Launch::hello().set("workers", 1));
    let dir = launch.dir().to_owned();
    std::fs::write(dir.join("a.css"), "the file").expect("write a file");
    std::fs::write(dir.join("users"), "ann:{PLAIN}secret\n").expect("write a file");
    let mut launch = launch
        .set("static-map", format!("/s={}", dir.display()))
        .set("log-format", "%(method) %(uri) %(status) %(user) [%(mark)]")
        .set("trusted-proxy", "127.0.0.1");
    for rule in [
        "route = ^/healthz donotlog:".to_owned(),
        "route = ^/healthz return:200".to_owned(),
        "route = ^/old/(.*) redirect-permanent:https://${HTTP_HOST}/new/$1".to_owned(),
        "route = ^/s/users break:403".to_owned(),
        format!("route = ^/admin basicauth:Area,{}", dir.join("users").display()),
        "route = ^/marked logvar:mark=${cookie[m]}".to_owned(),
        "route = ^/(admin|marked) rewrite:/env?rule=1".to_owned(),
        "route = ^/env addheader:X-Rule: yes".to_owned(),
        "route = ^/sleep harakiri:1".to_owned(),
        "route-if = equal:${REQUEST_METHOD};TRACE break:405".to_owned(),
        "collect-header = X-Send SEND".to_owned(),
        "pull-header = Content-Type KIND".to_owned(),
        "response-route-status = 404 addheader:X-Kind: ${KIND}".to_owned(),
        format!(
            "response-route-if = startswith:${{PATH_INFO}};/file sendfile:filename={}",
            dir.join("a.css").display()
        ),
        "final-route = ^/env log:the end of ${PATH_INFO}".to_owned(),
    ] {
        launch = launch.line(rule);
    }
    let mut server = launch.start();
    let health = ask(&server, "GET", "/healthz", "");
    assert_eq!((health.status, health.text().as_str()), (200, "OK"));
    let moved = ask(&server, "GET", "/old/a?b", "");
    assert_eq!((moved.status, moved.header("location")), (301, Some("https://app.example/new/a")));
    assert_eq!(ask(&server, "GET", "/s/a.css", "").text(), "the file");
    assert_eq!(ask(&server, "GET", "/s/users", "").status, 403);
    assert_eq!(ask(&server, "TRACE", "/", "").status, 405);
    let refused = ask(&server, "GET", "/admin", "");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Basic realm=\"Area\"")));
    let let_in = ask(&server, "GET", "/admin", "Authorization: Basic YW5uOnNlY3JldA==\r\n");
    assert_eq!(let_in.header("x-rule"), Some("yes"));
    for variable in ["REMOTE_USER=ann\n", "PATH_INFO=/env\n", "QUERY_STRING=rule=1\n", "REQUEST_URI=/admin\n"] {
        assert!(let_in.text().contains(variable), "{variable}: {}", let_in.text());
    }
    let lost = ask(&server, "GET", "/lost", "");
    assert_eq!((lost.status, lost.header("content-type")), (404, None));
    assert_eq!(lost.header("x-kind"), Some("text/plain"));
    assert_eq!(ask(&server, "GET", "/file", "").text(), "the file");
    // Explained to whoever a trusted proxy asks for.
    let explained = Request::get("/marked").var("HTTP_COOKIE", b"m=7").var("HTTP_X_RHINOD_EXPLAIN", b"1");
    assert_eq!(server.ask(&explained).status(), Some(200));
    server.log.wait_for("GET /marked: ");
    server.log.wait_for("[7]");
    server.log.wait_for("the end of /env");
    server.log.wait_for("GET /admin 200 ann [-]");
    assert_eq!(server.log.lines_with("GET /healthz"), Vec::<String>::new());
    for said in ["HARAKIRI", "cannot be interrupted", "of its threads stuck", "was answered with 504"] {
        server.expect_log(said);
    }
    assert_eq!(ask(&server, "GET", "/sleep?ms=60000", "").status, 504);
}

#[test]
fn answers_are_kept_in_a_cache_and_given_from_it() {
    let server = with_http_socket(Launch::hello().set("workers", 1))
        .line("cache2 = name=pages,items=100,blocksize=65536")
        .line("route-run = cache:key=${REQUEST_URI},name=pages,content_type=text/plain")
        .line("route-run = cachestore:key=${REQUEST_URI},name=pages,expires=60")
        .start();
    let numbered = |target: &str, number: u8| ask(&server, "GET", target, &format!("X-Number: {number}\r\n"));
    // The head alone is no body to keep.
    assert_eq!(ask(&server, "HEAD", "/env", "").status, 200);
    let first = numbered("/env", 1);
    assert!(first.text().contains("HTTP_X_NUMBER=1") && first.header("expires").is_none(), "{}", first.text());
    let second = numbered("/env", 2);
    assert_eq!(second.text(), first.text(), "the first one was kept");
    assert_eq!(second.header("content-type"), Some("text/plain"));
    assert!(second.header("expires").is_some());
    // Whatever way it took: in pieces, or from a file.
    for target in ["/stream?n=3", "/file"] {
        let made = ask(&server, "GET", target, "");
        let kept = ask(&server, "GET", target, "");
        assert_eq!((kept.text(), kept.header("expires").is_some()), (made.text(), true), "{target}");
    }
    // What is no success is not kept.
    for _ in 0..2 {
        assert_eq!(ask(&server, "GET", "/lost", "").header("expires"), None);
    }
    let failed = Launch::hello().line("cache2 = name=pages,items=9").line("route-run = cache:key=a,name=page").fails();
    assert!(
        failed.line().contains("app.ini:") && failed.line().contains("there is no cache page"),
        "{}",
        failed.line()
    );
}
