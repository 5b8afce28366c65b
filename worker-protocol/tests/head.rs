//! The meaning of a request's variables: fields, what the application sees, repeated keys, scheme, arrival time.

mod vectors;

use std::borrow::Cow;
use std::collections::HashSet;

use worker_protocol::Fault;
use worker_protocol::head::{Error, RequestHead};
use worker_protocol::pairs::{Block, PathInfo, append};
use worker_protocol::response::Version;

type Text<'a> = (&'a str, &'a str);

/// What every request below begins with.
const LEAST: [Text<'static>; 2] = [("REQUEST_METHOD", "GET"), ("SERVER_PROTOCOL", "HTTP/1.1")];

/// A block, as any protocol's codec hands it over. Leaked, so that a test need not keep it.
fn block(list: &[Text<'_>]) -> Block<'static> {
    let mut bytes = Vec::new();
    for (key, value) in list {
        append(&mut bytes, 0, key.as_bytes(), value.as_bytes()).expect("it fits");
    }
    Block::parse(bytes.leak(), usize::MAX).expect("a block")
}

fn read(list: &[Text<'_>], path_info: PathInfo) -> Result<RequestHead<'static>, Error> {
    RequestHead::read(block(list), path_info)
}

/// Reads `own` after [`LEAST`].
fn request(own: &[Text<'_>]) -> RequestHead<'static> {
    read(&[&LEAST, own].concat(), PathInfo::AsSent).expect("a request")
}

fn error(list: &[Text<'_>]) -> Error {
    read(list, PathInfo::AsSent).map(|_| ()).expect_err("no request")
}

fn seen<'a>(head: &RequestHead<'a>) -> Vec<Text<'a>> {
    head.variables().map(|(key, value)| (text(key), text(value))).collect()
}

fn joined<'a>(head: &RequestHead<'a>) -> Vec<(&'a str, String)> {
    head.joined().map(|(key, value)| (text(key), text(&value).to_owned())).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Reads a capture.
fn captured(hex: &str) -> RequestHead<'static> {
    let bytes = vectors::bytes(hex).leak();
    let block_bytes = usize::from(u16::from_le_bytes([bytes[1], bytes[2]]));
    let block = Block::parse(&bytes[4..4 + block_bytes], usize::MAX).expect("a block");
    RequestHead::read(block, PathInfo::AsSent).expect("a request")
}

#[test]
fn fields_of_the_captures() {
    let none: &[u8] = b"";
    for (hex, method, uri, path, query, length, port) in [
        (vectors::V1, "GET", "/hello?x=1", "/hello", "x=1", None, "40001"),
        (vectors::V2, "POST", "/submit", "/submit", "", Some(7), "40002"),
        (vectors::V3, "HEAD", "/", "/", "", None, "40003"),
        (vectors::V4, "GET", "/caf%C3%A9/a%2Fb%20c?n=%E2%82%AC", "/café/a/b c", "n=%E2%82%AC", None, "40004"),
        (vectors::V5, "GET", "/r", "/r", "", None, "40005"),
    ] {
        let head = captured(hex);
        assert_eq!((head.method, head.uri(), head.path()), (method, uri.as_bytes(), path.as_bytes()));
        assert_eq!((head.query(), head.content_length()), (query.as_bytes(), length));
        assert_eq!((head.protocol, head.response_version()), ("HTTP/1.1", Version::Http11));
        assert_eq!((head.remote_addr(), head.remote_port()), (b"127.0.0.1".as_slice(), port.as_bytes()));
        assert_eq!((head.server_name(), head.server_port()), (b"app.example".as_slice(), b"18080".as_slice()));
        assert_eq!((head.host(), head.script_name(), head.remote_user()), (b"app.example".as_slice(), none, none));
        assert_eq!((head.scheme(true), head.arrival_us(true)), ("http", None));
    }
}

#[test]
fn every_field_has_its_variable() {
    let own = [
        ("SCRIPT_NAME", "/app"),
        ("CONTENT_TYPE", "text/plain"),
        ("REMOTE_USER", "joe"),
        ("HTTP_HOST", "h:8080"),
        ("HTTP_USER_AGENT", "agent"),
        ("HTTP_REFERER", "referer"),
        ("HTTP_COOKIE", "a=1"),
        ("HTTP_X_FORWARDED_FOR", "10.0.0.9"),
    ];
    let head = request(&own);
    assert_eq!(
        [head.script_name(), head.content_type(), head.remote_user()],
        [b"/app".as_slice(), b"text/plain", b"joe"]
    );
    assert_eq!([head.host(), head.user_agent(), head.referer()], [b"h:8080".as_slice(), b"agent", b"referer"]);
    assert_eq!([head.cookie(), head.forwarded_for()], [b"a=1".as_slice(), b"10.0.0.9"]);
}

#[test]
fn v2_loses_its_http_content_variables_and_nothing_else() {
    let head = captured(vectors::V2);
    let keys: Vec<_> = seen(&head).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 15);
    assert!(!keys.contains(&"HTTP_CONTENT_TYPE") && !keys.contains(&"HTTP_CONTENT_LENGTH"));
    assert!(keys.contains(&"CONTENT_TYPE") && keys.contains(&"CONTENT_LENGTH"));
    assert_eq!(head.block().count(), 17);
}

#[test]
fn v5_is_joined_as_newer_nginx_does() {
    let head = captured(vectors::V5);
    assert!(head.has_duplicates());
    assert_eq!(seen(&head).len(), 19);
    let joined = joined(&head);
    assert_eq!(joined.len(), 17);
    assert_eq!(joined[15..], [("HTTP_X_REP", "one, two".to_owned()), ("HTTP_COOKIE", "a=1; b=2".to_owned())]);
}

#[test]
fn dangerous_variables_never_reach_the_application() {
    let hostile = [
        "UWSGI_FILE",
        "UWSGI_SCRIPT",
        "UWSGI_MODULE",
        "UWSGI_CALLABLE",
        "UWSGI_PYHOME",
        "UWSGI_HOME",
        "UWSGI_CHDIR",
        "UWSGI_SETENV",
        "UWSGI_APPID",
        "UWSGI_TOUCH_RELOAD",
        "UWSGI_POSTFILE",
        "UWSGI_CACHE_GET",
        "UWSGI_SCHEME",
        "UWSGI_ROUTER",
        "UWSGI_",
        "HTTP_PROXY",
        "HTTP_CONTENT_TYPE",
        "HTTP_CONTENT_LENGTH",
        "wsgi.input",
        "wsgi.url_scheme",
        "uwsgi.core",
    ];
    let harmless = ["UWSGI", "HTTP_PROXY_X", "HTTP_UWSGI_FILE", "uwsgi", "HTTP_CONTENT_LENGTHS", "Z", "HTTP_X_WSGI"];
    let list: Vec<Text> = hostile.iter().chain(&harmless).map(|key| (*key, "exec://touch /tmp/owned")).collect();
    let complete = [("SERVER_NAME", "s"), ("SERVER_PORT", "1")];
    let all = [&complete, list.as_slice()].concat();
    let head = request(&all);
    let keys: Vec<_> = seen(&head).into_iter().map(|(key, _)| key).skip(4).collect();
    assert_eq!(keys, harmless);
    assert_eq!(head.scheme(true), "http", "a UWSGI_SCHEME that is none");
}

#[test]
fn repeated_keys() {
    let own = [
        ("HTTP_X", "1"),
        ("OTHER", "first"),
        ("HTTP_COOKIE", "a"),
        ("HTTP_X", ""),
        ("PATH_INFO", "/first"),
        ("HTTP_COOKIE", "b"),
        ("OTHER", "last"),
        ("HTTP_X", "3"),
        ("PATH_INFO", "/last"),
        ("HTTP_PROXY", "x"),
        ("HTTP_PROXY", "y"),
    ];
    let head = request(&own);
    assert_eq!((head.path(), head.cookie()), (b"/last".as_slice(), b"b".as_slice()));
    let expected = [
        ("REQUEST_METHOD", "GET"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("HTTP_X", "1, , 3"),
        ("OTHER", "last"),
        ("HTTP_COOKIE", "a; b"),
        ("PATH_INFO", "/last"),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "80"),
    ];
    assert_eq!(joined(&head), expected.map(|(key, value)| (key, value.to_owned())));
}

#[test]
fn without_repeated_keys_nothing_is_copied() {
    let head = captured(vectors::V1);
    assert!(!head.has_duplicates());
    assert!(head.joined().all(|(_, value)| matches!(value, Cow::Borrowed(_))));
    assert!(
        head.joined()
            .map(|(key, value)| (key, value.into_owned()))
            .eq(head.variables().map(|(key, value)| (key, value.to_vec())))
    );
}

#[test]
fn a_repeated_key_is_noticed_wherever_it_is() {
    let keys: Vec<String> = (0..200).map(|index| format!("HTTP_X_{}", "y".repeat(index))).collect();
    for repeated in 0..keys.len() {
        let mut list: Vec<Text> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        list.push((&keys[repeated], "w"));
        let head = request(&list);
        assert!(head.has_duplicates(), "key {repeated}");
        let joined = joined(&head);
        assert_eq!(joined.len(), 200 + 4, "key {repeated}");
        assert_eq!(joined[2 + repeated].1, "v, w");
    }
}

#[test]
fn usual_requests_do_not_seem_to_repeat_keys() {
    let mut seeming = 0;
    for number in 0..1_000 {
        let keys: Vec<String> = (0..30).map(|index| format!("HTTP_X_{}", number * 7919 + index * 104_729)).collect();
        let list: Vec<Text> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        seeming += usize::from(request(&list).has_duplicates());
    }
    assert_eq!(seeming, 0, "a hit of the filter is looked at before it counts");
}

#[test]
fn keys_that_seem_to_repeat_come_out_once_each() {
    // The filter looks at both ends of a key: keys that differ only between collide.
    let keys: Vec<String> = (0..1_000).map(|index| format!("HTTP_X_AAAAAAAAAA{index:05}AAAAAAAA")).collect();
    let list: Vec<Text> = keys.iter().map(|key| (key.as_str(), "v")).collect();
    let head = request(&list);
    assert!(head.has_duplicates(), "they seem to");
    let joined: Vec<_> = head.joined().collect();
    let distinct: HashSet<_> = joined.iter().map(|(key, _)| key).collect();
    assert_eq!((joined.len(), distinct.len()), (1_004, 1_004), "which changes nothing in the result");
}

#[test]
fn content_length_is_strict() {
    for (value, expected) in [
        ("", Ok(None)),
        ("0", Ok(Some(0))),
        ("7", Ok(Some(7))),
        ("0000000000000000007", Ok(Some(7))),
        ("9999999999999999999", Ok(Some(9_999_999_999_999_999_999))),
        ("00000000000000000007", Err(Error::ContentLengthInvalid)),
        ("18446744073709551621", Err(Error::ContentLengthInvalid)),
        ("5x", Err(Error::ContentLengthInvalid)),
        ("-5", Err(Error::ContentLengthInvalid)),
        ("+5", Err(Error::ContentLengthInvalid)),
        (" 5", Err(Error::ContentLengthInvalid)),
        ("5 ", Err(Error::ContentLengthInvalid)),
        ("3, 5", Err(Error::ContentLengthInvalid)),
        ("0x10", Err(Error::ContentLengthInvalid)),
        ("٣", Err(Error::ContentLengthInvalid)),
    ] {
        let list = [("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", value)];
        let read = read(&list, PathInfo::AsSent).map(|head| head.content_length());
        assert_eq!(read, expected, "{value:?}");
    }
}

#[test]
fn lengths_must_agree() {
    let both = |first, second| {
        let list = [("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", first), ("CONTENT_LENGTH", second)];
        read(&list, PathInfo::AsSent).map(|head| head.content_length())
    };
    assert_eq!(both("7", "7"), Ok(Some(7)));
    assert_eq!(both("7", "007"), Ok(Some(7)));
    assert_eq!(both("7", "8"), Err(Error::ContentLengthConflict { first: 7, second: 8 }));
    assert_eq!(both("", "7"), Ok(Some(7)));
    assert_eq!(both("7", ""), Ok(None), "the recipe for uwsgi_pass_request_body off");
    let three = [("CONTENT_LENGTH", "7"), ("CONTENT_LENGTH", ""), ("CONTENT_LENGTH", "8")];
    assert_eq!(error(&three), Error::ContentLengthConflict { first: 7, second: 8 });
}

#[test]
fn transfer_encoding_changes_nothing() {
    let own = [("CONTENT_LENGTH", "7"), ("HTTP_TRANSFER_ENCODING", "chunked")];
    let head = request(&own);
    assert_eq!(head.content_length(), Some(7));
    let own = [("HTTP_TRANSFER_ENCODING", "chunked"), ("HTTP_CONTENT_LENGTH", "9")];
    let head = request(&own);
    assert_eq!(head.content_length(), None);
}

#[test]
fn a_method_need_not_be_there_and_is_checked() {
    for list in [vec![("PATH_INFO", "/")], vec![("PATH_INFO", "/"), ("REQUEST_METHOD", "")]] {
        let head = read(&list, PathInfo::AsSent).expect("a request");
        assert_eq!((head.method, head.method_or_get()), ("", "GET"));
        assert_eq!(seen(&head)[..list.len()], list, "nothing is invented");
        assert!(seen(&head)[list.len()..].iter().all(|(key, _)| *key != "REQUEST_METHOD"));
    }
    for method in ["GET /", "G\r\nX", "GET\0", "GÉT", "(GET)", "GET\t"] {
        assert_eq!(error(&[("REQUEST_METHOD", method)]), Error::MethodInvalid, "{method:?}");
    }
    assert_eq!((Error::MethodInvalid.status(), Error::MethodInvalid.fault()), (400, Fault::Client));
    let head = read(&[("REQUEST_METHOD", "M-SEARCH")], PathInfo::AsSent).expect("a token");
    assert_eq!((head.method, head.method_or_get()), ("M-SEARCH", "M-SEARCH"));
}

#[test]
fn protocols_of_other_forms_are_http_1_0() {
    for (sent, read, answered) in [
        ("HTTP/1.1", "HTTP/1.1", Version::Http11),
        ("HTTP/1.0", "HTTP/1.0", Version::Http10),
        ("HTTP/2.0", "HTTP/2.0", Version::Http11),
        ("HTTP/3.0", "HTTP/3.0", Version::Http11),
        ("X", "HTTP/1.0", Version::Http10),
        ("", "HTTP/1.0", Version::Http10),
        ("HTTP/1.1\r\nX: y", "HTTP/1.0", Version::Http10),
        ("http/1.1", "HTTP/1.0", Version::Http10),
        ("HTTP/11", "HTTP/1.0", Version::Http10),
    ] {
        let own = [("SERVER_PROTOCOL", sent)];
        let head = request(&own);
        assert_eq!((head.protocol, head.response_version()), (read, answered), "{sent:?}");
        assert!(seen(&head).contains(&("SERVER_PROTOCOL", read)));
    }
}

#[test]
fn required_variables_are_added() {
    for (own, name, port) in [
        (vec![], "localhost", "80"),
        (vec![("HTTPS", "on")], "localhost", "443"),
        (vec![("HTTP_HOST", "app.example:8080")], "app.example", "80"),
        (vec![("HTTP_HOST", "[::1]:8080")], "[::1]", "80"),
        (vec![("HTTP_HOST", "[::1]")], "[::1]", "80"),
        (vec![("HTTP_HOST", "")], "localhost", "80"),
    ] {
        let list = [vec![("REQUEST_METHOD", "GET")], own.clone()].concat();
        let head = read(&list, PathInfo::AsSent).expect("a request");
        let added = &seen(&head)[list.len()..];
        assert_eq!(added, [("SERVER_PROTOCOL", "HTTP/1.0"), ("SERVER_NAME", name), ("SERVER_PORT", port)], "{own:?}");
        assert_eq!((text(head.server_name()), text(head.server_port())), (name, port));
    }
    let complete = [("SERVER_NAME", ""), ("SERVER_PORT", "")];
    assert_eq!(seen(&request(&complete)).len(), 4, "empty is not absent");
}

#[test]
fn modifier_30_cuts_only_a_real_prefix() {
    for (script, path, script_read, path_read) in [
        ("/app", "/app/x", "/app", "/x"),
        ("/app", "/app", "/app", ""),
        ("/app", "/app/", "/app", "/"),
        ("/app", "/appx", "/app", "/appx"),
        ("/app", "/other", "/app", "/other"),
        ("/app", "/ap", "/app", "/ap"),
        ("/app", "", "/app", ""),
        ("/app/", "/app/x", "/app", "/x"),
        ("/app/", "/app", "/app", ""),
        ("", "/x", "", "/x"),
        ("/", "/x", "", "/x"),
    ] {
        let own = [("SCRIPT_NAME", script), ("PATH_INFO", path)];
        let head = read(&[&LEAST, own.as_slice()].concat(), PathInfo::WithoutScriptName).expect("a request");
        assert_eq!((text(head.script_name()), text(head.path())), (script_read, path_read), "{script} {path}");
        assert_eq!(seen(&head)[2..4], [("SCRIPT_NAME", script_read), ("PATH_INFO", path_read)], "{script} {path}");
        let head = request(&own);
        assert_eq!((text(head.script_name()), text(head.path())), (script, path), "modifier 0 cuts nothing");
        assert_eq!(seen(&head)[2..4], own);
    }
}

#[test]
fn scheme_of_https_and_of_forwarded_headers() {
    let (https, proto, ssl) = ("HTTPS", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_SSL");
    let own_word = "UWSGI_SCHEME";
    for (own, trusting, distrusting) in [
        (vec![], "http", "http"),
        (vec![(https, "on")], "https", "https"),
        (vec![(https, "ON")], "https", "https"),
        (vec![(https, "1")], "https", "https"),
        (vec![(https, "https")], "https", "https"),
        (vec![(https, "onion")], "http", "http"),
        (vec![(https, "off")], "http", "http"),
        (vec![(https, "true")], "http", "http"),
        (vec![(https, "")], "http", "http"),
        (vec![(proto, "https")], "https", "http"),
        (vec![(proto, "HTTPS")], "https", "http"),
        (vec![(proto, "gopher")], "http", "http"),
        (vec![(proto, "gopher"), (https, "on")], "https", "https"),
        (vec![(proto, "http"), (https, "on")], "http", "https"),
        (vec![(ssl, "on")], "https", "http"),
        (vec![(https, "on"), (ssl, "off")], "http", "https"),
        (vec![(ssl, "off"), (https, "on")], "https", "https"),
        (vec![("REQUEST_SCHEME", "https")], "http", "http"),
        (vec![(own_word, "https")], "https", "https"),
        (vec![(own_word, "HTTPS")], "https", "https"),
        (vec![(own_word, "gopher"), (https, "on")], "https", "https"),
        (vec![(own_word, ""), (https, "on")], "https", "https"),
        (vec![(own_word, "http"), (https, "on")], "http", "http"),
        (vec![(own_word, "http"), (proto, "https")], "https", "http"),
        (vec![(own_word, "https"), (proto, "http")], "http", "https"),
        (vec![(own_word, "https"), (ssl, "off")], "https", "https"),
    ] {
        let head = request(&own);
        assert_eq!((head.scheme(true), head.scheme(false)), (trusting, distrusting), "{own:?}");
    }
}

#[test]
fn hearsay_is_what_only_a_client_can_have_said() {
    let proto = "HTTP_X_FORWARDED_PROTO";
    for (own, hearsay) in [
        (vec![], false),
        (vec![(proto, "https")], true),
        (vec![(proto, "http")], false),
        (vec![(proto, "gopher")], false),
        (vec![(proto, "https"), ("HTTPS", "on")], false),
        (vec![(proto, "https"), ("UWSGI_SCHEME", "https")], false),
        (vec![("HTTP_X_FORWARDED_SSL", "on")], false),
    ] {
        assert_eq!(request(&own).is_https_by_hearsay(), hearsay, "{own:?}");
    }
}

#[test]
fn arrival_in_every_form() {
    for (value, expected) in [
        ("1718000000.123", Some(1_718_000_000_123_000)),
        ("1718000000.123456", Some(1_718_000_000_123_456)),
        ("1718000000.1234567", Some(1_718_000_000_123_456)),
        ("1718000000.", Some(1_718_000_000_000_000)),
        ("1718000000", Some(1_718_000_000_000_000)),
        ("1718000000123", Some(1_718_000_000_123_000)),
        ("1718000000123456", Some(1_718_000_000_123_456)),
        ("1718000000123456789", Some(1_718_000_000_123_456)),
        ("t=1718000000.123", Some(1_718_000_000_123_000)),
        ("t=1718000000123", Some(1_718_000_000_123_000)),
        ("t=1718000000123456", Some(1_718_000_000_123_456)),
        ("", None),
        ("t=", None),
        (".5", None),
        ("-1.5", None),
        ("1718000000.12x", None),
        ("1718000000.1234567x", None),
        ("999999999999.5", None),
        ("99999999999999999999", None),
        ("soon", None),
    ] {
        assert_eq!(request(&[("REQUEST_MSEC", value)]).arrival_us(false), expected, "{value:?}");
        let own = [("HTTP_X_REQUEST_START", value)];
        let head = request(&own);
        assert_eq!((head.arrival_us(true), head.arrival_us(false)), (expected, None), "{value:?}");
    }
    let both = [("HTTP_X_REQUEST_START", "t=1"), ("REQUEST_MSEC", "2.0")];
    assert_eq!(request(&both).arrival_us(true), Some(2_000_000), "the web server's own word comes first");
}

#[test]
fn values_are_opaque() {
    let own = [("PATH_INFO", "/a\r\nb\0c"), ("HTTP_X", "\u{7f}")];
    let head = request(&own);
    assert_eq!(head.path(), b"/a\r\nb\0c");
    assert!(seen(&head).contains(&("HTTP_X", "\u{7f}")));
}
