//! Files that workers serve themselves: which file a path means, what an answer says of it, and what never leaves.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::dialogue::{Dialogue, Reply, with_http_socket};
use crate::harness::{Instance, Launch, NginxSetup};
use crate::monitoring::{stats_path, sum, wait_for};

/// What a file was last modified at: Sun, 06 Nov 1994 08:49:37 GMT.
const MODIFIED_S: u64 = 784_111_777;
const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn hello() -> Launch {
    with_http_socket(Launch::hello().set("workers", 1))
}

fn put(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("make the directory");
    fs::write(&path, text).expect("write a file");
    let file = fs::File::open(&path).expect("open it");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(MODIFIED_S)).expect("set its time");
}

/// A site with files of all sorts in `pub`, and some beside it.
fn site(launch: &Launch) {
    let top = launch.dir().join("pub");
    for name in ["a.css", "in/b.html", "in/index.html", "list.unknown", "page.php"] {
        put(&top, name, &format!("the file {name}"));
    }
    put(&launch.dir().join("pub-secret"), "c", "a secret");
    put(&launch.dir().join("shared"), "d.txt", "shared");
    put(launch.dir(), "icon.svg", "<svg/>");
    symlink("../pub-secret/c", top.join("leak")).expect("a link");
    symlink(launch.dir().join("shared"), top.join("shared")).expect("a link");
    symlink("a.css", top.join("alias.css")).expect("a link");
}

fn ask(server: &Instance, method: &str, target: &str, headers: &str) -> Reply {
    let mut client = Dialogue::with(server);
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: app.example\r\n{headers}\r\n"));
    client.reply(method)
}

#[test]
fn a_path_means_the_first_file_there_is_and_else_the_application() {
    let launch = hello();
    site(&launch);
    let dir = launch.dir().to_owned();
    let mut server = launch
        .set("stats", stats_path(&dir).display())
        .set("static-map", format!("/s={}", dir.join("pub").display()))
        .line(format!("static-map = /icon.svg={}", dir.join("icon.svg").display()))
        .line(format!("static-map = /later={}", dir.join("later").display()))
        .set("static-map2", format!("/in={}", dir.join("pub").display()))
        .set("check-static", dir.join("shared").display())
        .set("static-index", "index.html")
        .set("static-skip-ext", ".php")
        .set("static-safe", dir.join("shared").display())
        .start();
    server.expect_log("later is not there");
    server.expect_log("pub-secret/c is not under");
    server.log.wait_for("app.ini:");
    let application = "Not found\n";
    for (target, expected) in [
        ("/s/a.css", "the file a.css"),
        ("/s//a.css", "the file a.css"),
        ("/s/in/../a.css", "the file a.css"),
        ("/s/%61.css", "the file a.css"),
        ("/s/alias.css", "the file a.css"),
        ("/s/shared/d.txt", "shared"),
        ("/s/in", "the file in/index.html"),
        ("/s/in/", "the file in/index.html"),
        ("/in/b.html", "the file in/b.html"),
        ("/d.txt", "shared"),
        ("/icon.svg", "<svg/>"),
        ("/icon.svg/what/ever", "<svg/>"),
        ("/env/../", "Hello, world\n"),
        // Not at the end of a name, not that file, not outside.
        ("/sa.css", application),
        ("/s/a.css/", application),
        ("/s/A.css", application),
        ("/s/none", application),
        ("/s/page.php", application),
        ("/s/leak", application),
        ("/s/..%2fpub-secret/c", application),
        ("/s/%2e%2e/pub-secret/c", application),
        ("/s/../pub-secret/c", application),
        ("/later/a.css", application),
        ("/s/", application),
    ] {
        assert_eq!(ask(&server, "GET", target, "").text(), expected, "{target}");
    }
    assert_eq!(ask(&server, "POST", "/s/a.css", "Content-Length: 0\r\n").text(), application);
    let head = ask(&server, "HEAD", "/s/a.css", "");
    assert_eq!((head.status, head.header("content-length"), head.text()), (200, Some("14"), String::new()));
    // Places are resolved for each request.
    put(&dir, "later/a.css", "now it is there");
    assert_eq!(ask(&server, "GET", "/later/a.css", "").text(), "now it is there");
    let all = wait_for(&server, |document| sum(document, "requests") == 27);
    assert_eq!(all["workers"][0]["cores"][0]["static_requests"], 14, "of the list 12, HEAD, and the last one");
    let line = server.log.wait_for("GET /s/in/ ");
    assert!(line.text.contains("|app: -1|") && line.text.contains("via sendfile()"), "{}", line.text);
}

#[test]
fn an_answer_tells_what_the_file_is_and_whoever_has_it_gets_no_copy() {
    let launch = hello();
    site(&launch);
    let top = launch.dir().join("pub");
    let server = launch
        .set("static-map", format!("/s={}", top.display()))
        .set("static-expires-type", "text/css=60")
        .line("static-expires-mtime = \\.html$ 3600")
        .set("add-header", "X-Frame-Options: DENY")
        .set("del-header", "Accept-Ranges")
        .set("disable-sendfile", true)
        .start();
    let css = ask(&server, "GET", "/s/a.css", "");
    assert_eq!((css.status, css.text().as_str()), (200, "the file a.css"));
    for (name, expected) in [
        ("content-type", Some("text/css")),
        ("content-length", Some("14")),
        ("last-modified", Some(MODIFIED)),
        ("x-frame-options", Some("DENY")),
        ("vary", None),
        ("content-encoding", None),
    ] {
        assert_eq!(css.header(name), expected, "{name}");
    }
    assert!(css.header("expires").is_some());
    assert_eq!(ask(&server, "GET", "/s/in/b.html", "").header("expires"), Some("Sun, 06 Nov 1994 09:49:37 GMT"));
    assert_eq!(ask(&server, "GET", "/s/list.unknown", "").header("content-type"), None);
    let etag = css.header("etag").expect("an entity tag").to_owned();
    for (condition, status) in [
        (format!("If-None-Match: {etag}"), 304),
        (format!("If-None-Match: \"x\", W/{etag}"), 304),
        ("If-None-Match: \"x\"".to_owned(), 200),
        (format!("If-Modified-Since: {MODIFIED}"), 304),
        ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT".to_owned(), 200),
        (format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {MODIFIED}"), 200),
        ("If-Match: \"x\"".to_owned(), 412),
        (format!("If-Match: {etag}"), 200),
    ] {
        let reply = ask(&server, "GET", "/s/a.css", &format!("{condition}\r\n"));
        assert_eq!(reply.status, status, "{condition}");
        assert_eq!(reply.header("x-frame-options"), Some("DENY"), "{condition}");
        if status == 304 {
            assert_eq!(
                (reply.header("etag"), reply.header("content-type")),
                (Some(etag.as_str()), None),
                "{condition}"
            );
        }
    }
    // Ranges only with honour-range.
    assert_eq!(ask(&server, "GET", "/s/a.css", "Range: bytes=0-2\r\n").text(), "the file a.css");
    let applications = ask(&server, "GET", "/", "");
    assert_eq!(
        (applications.header("x-frame-options"), applications.text().as_str()),
        (Some("DENY"), "Hello, world\n")
    );
    assert_eq!(server.log.lines_with("via sendfile()"), [""; 0], "disable-sendfile");
}

#[test]
fn parts_of_a_file_are_sent_as_they_are_asked_for() {
    let launch = hello();
    put(&launch.dir().join("pub"), "digits.txt", "0123456789");
    let top = launch.dir().join("pub");
    let server = launch.set("check-static", top.display()).set("honour-range", true).start();
    let whole = ask(&server, "GET", "/digits.txt", "");
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let etag = whole.header("etag").expect("an entity tag").to_owned();
    for (range, status, content_range, text) in [
        ("bytes=0-4", 206, Some("bytes 0-4/10"), "01234"),
        ("bytes=7-", 206, Some("bytes 7-9/10"), "789"),
        ("bytes=-1", 206, Some("bytes 9-9/10"), "9"),
        ("bytes=-1000", 200, None, "0123456789"),
        ("bytes=junk", 200, None, "0123456789"),
        ("bytes=4-2", 200, None, "0123456789"),
        ("bytes=10-", 416, Some("bytes */10"), ""),
    ] {
        let reply = ask(&server, "GET", "/digits.txt", &format!("Range: {range}\r\n"));
        assert_eq!((reply.status, reply.header("content-range"), reply.text().as_str()), (status, content_range, text));
    }
    let if_range =
        |value: &str| ask(&server, "GET", "/digits.txt", &format!("Range: bytes=0-1\r\nIf-Range: {value}\r\n"));
    assert_eq!(if_range(&etag).text(), "01");
    assert_eq!(if_range("\"another\"").text(), "0123456789");
    assert_eq!(ask(&server, "HEAD", "/digits.txt", "Range: bytes=0-1\r\n").status, 200);
    let several = ask(&server, "GET", "/digits.txt", "Range: bytes=0-1,-2\r\n");
    let kind = several.header("content-type").expect("a type").to_owned();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("a boundary");
    let part = |range: &str, text: &str| {
        format!("\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{text}")
    };
    assert_eq!(several.status, 206);
    assert_eq!(several.text(), format!("{}{}\r\n--{boundary}--\r\n", part("0-1", "01"), part("8-9", "89")));
}

#[test]
fn a_packed_form_goes_to_whoever_takes_it() {
    let launch = hello();
    let top = launch.dir().join("pub");
    for (name, text) in
        [("a.css", "plain"), ("a.css.gz", "gzip"), ("a.css.br", "brotli"), ("b.js", "script"), ("b.js.gz", "no")]
    {
        put(&top, name, text);
    }
    let server = launch.set("check-static", top.display()).set("static-gzip-ext", ".css").start();
    for (accepted, text, coding) in [
        ("", "plain", None),
        ("Accept-Encoding: gzip\r\n", "gzip", Some("gzip")),
        ("Accept-Encoding: gzip, deflate, br, zstd\r\n", "brotli", Some("br")),
        ("Accept-Encoding: br;q=0.1, gzip\r\n", "gzip", Some("gzip")),
        ("Accept-Encoding: gzip;q=0, br;q=0\r\n", "plain", None),
        ("Accept-Encoding: deflate, zebra, x-gzipped\r\n", "plain", None),
    ] {
        let reply = ask(&server, "GET", "/a.css", accepted);
        let told = (reply.header("content-encoding"), reply.header("content-type"), reply.header("vary"));
        assert_eq!(
            (reply.text().as_str(), told),
            (text, (coding, Some("text/css"), Some("Accept-Encoding"))),
            "{accepted}"
        );
    }
    let script = ask(&server, "GET", "/b.js", "Accept-Encoding: gzip\r\n");
    assert_eq!((script.text().as_str(), script.header("vary")), ("script", None));
}

#[test]
fn a_web_server_sends_what_is_handed_to_it() {
    let launch = Launch::hello().set("workers", 1);
    site(&launch);
    let top = launch.dir().join("pub");
    let server = launch.set("static-map", format!("/s={}", top.display())).set("file-serve-mode", "nginx").start();
    let answer = server.get("/s/a.css");
    assert_eq!(answer.header("x-accel-redirect").as_deref(), Some(top.join("a.css").to_str().expect("a path")));
    assert_eq!(answer.body(), b"");
    // nginx itself, which knows the same directory by the same name.
    let nginx =
        NginxSetup::default().server(&format!("location {}/ {{ internal; root /; }}", top.display())).before(&server);
    let reply = nginx.get("/s/a.css");
    assert_eq!((reply.status, reply.text().as_str()), (200, "the file a.css"));
}

#[test]
fn a_large_file_arrives_whole_on_a_connection_that_goes_on() {
    let launch = hello();
    let top = launch.dir().join("pub");
    fs::create_dir(&top).expect("a directory");
    let bytes: Vec<u8> = (0..4_000_000_u32).map(|at| (at % 251) as u8).collect();
    fs::write(top.join("large"), &bytes).expect("write a file");
    let server = launch.set("check-static", top.display()).start();
    let mut client = Dialogue::with(&server);
    for _ in 0..2 {
        assert!(client.get("/large").body == bytes, "another file came");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_line() {
    for (line, expected) in [
        ("static-map = static=/srv", "expected /PREFIX=PATH"),
        ("static-map = /static=", "expected /PREFIX=PATH"),
        ("static-expires = .css", "expected a regular expression, a blank and seconds"),
        ("static-expires = (a 10", "expected a regular expression"),
        ("static-gzip = (?=a)", "expected a regular expression"),
        ("static-expires-type = text/css", "expected KEY=VALUE"),
        ("file-serve-mode = lighttpd", "expected nginx, x-accel-redirect or x-sendfile"),
        ("add-header = X-Frame-Options", "expected Name: value"),
        ("add-header = Content-Length: 5", "says where an answer ends"),
    ] {
        let failed = Launch::hello().line(line).fails();
        assert!(failed.line().contains("app.ini:") && failed.line().contains(expected), "{line}: {}", failed.line());
    }
}

#[test]
fn the_servers_own_answers_have_the_pages_of_the_configuration() {
    let launch = hello();
    put(launch.dir(), "500.html", "<p>we are on it");
    put(launch.dir(), "403.html", "<p>not here");
    let path = |name: &str| launch.dir().join(name).display().to_string();
    let lines = [
        format!("error-page-500 = {}", path("missing.html")),
        format!("error-page-500 = {}", path("500.html")),
        format!("error-page-403 = {}", path("403.html")),
        format!("route = ^/missing file:filename={}", path("missing.html")),
    ];
    let dir = launch.dir().to_owned();
    let launch = lines.into_iter().fold(launch, |launch, line| launch.line(line));
    let mut server = launch.line("route = ^/forbidden break:403 Not for you").start();
    server.wait_for_expected("missing.html is not there; such answers have a line of text");
    server.expect_log("the application panicked");
    server.expect_log("which cannot be served");
    let failed = ask(&server, "GET", "/panic", "");
    assert_eq!((failed.status, failed.text().as_str()), (500, "<p>we are on it"));
    assert_eq!(failed.header("content-type"), Some("text/html"));
    let forbidden = ask(&server, "GET", "/forbidden", "");
    assert_eq!((forbidden.status, forbidden.text().as_str()), (403, "<p>not here"));
    assert_eq!(ask(&server, "HEAD", "/forbidden", "").header("content-length"), Some("11"));
    let none = ask(&server, "GET", "/missing", "");
    assert_eq!((none.status, none.text().as_str()), (404, "Not Found\n"), "there is no page for it");
    // Read for each answer.
    put(&dir, "500.html", "<p>still on it");
    assert_eq!(ask(&server, "GET", "/panic", "").text(), "<p>still on it");
}

#[test]
fn the_head_of_an_answer_has_the_limit_of_the_configuration() {
    let mut server = hello().set("response-headers-limit", 200).start();
    assert_eq!(ask(&server, "GET", "/", "").status, 200);
    let refused = ask(&server, "POST", "/echo", &format!("Content-Type: {}\r\nContent-Length: 0\r\n", "x".repeat(200)));
    assert_eq!(refused.status, 500);
    server.wait_for_expected("larger than 200 bytes");
}
