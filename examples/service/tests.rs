//! The service, asked without any server around it.

use rhinod::test::{Answer, TestRequest, call, get, post};

use super::*;

/// A started service, and the directory that it keeps everything in.
fn started() -> (impl Handler, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut service = guarded(Service::new(directory.path().to_owned()), "secret".to_owned());
    service.start_worker(&rhinod::test::worker()).expect("it starts");
    (service, directory)
}

fn with_token(request: TestRequest) -> TestRequest {
    request.header("Authorization", "Bearer secret")
}

fn put(target: &str, body: &str) -> TestRequest {
    with_token(TestRequest::new("PUT", target).body(body))
}

#[test]
fn notes_are_kept_and_found_by_their_tags() {
    let (service, _directory) = started();
    for note in [r#"{"text":"milk","tags":["shop"]}"#, r#"{"text":"call Ada"}"#] {
        assert_eq!(call(&service, with_token(post("/notes", note))).status, 201);
    }
    let found = call(&service, get("/notes?tag=shop&tag=none"));
    assert_eq!(found.header("Content-Type"), Some("application/json"));
    assert_eq!(found.text(), r#"[{"text":"milk","tags":["shop"]}]"#);
    assert_eq!(call(&service, get("/notes")).text().matches("text").count(), 2);
}

#[test]
fn what_is_no_note_is_refused() {
    let (service, _directory) = started();
    assert_eq!(call(&service, with_token(post("/notes", "{}"))).status, 400);
    assert_eq!(call(&service, with_token(post("/notes", vec![b' '; 100_000]))).status, 413);
    assert_eq!(call(&service, post("/notes", "{}")).status, 401);
}

#[test]
fn a_file_comes_back_as_it_was_sent() {
    let (service, _directory) = started();
    assert_eq!(call(&service, put("/files/a.txt", "one")).status, 201);
    assert_eq!(call(&service, put("/files/a.txt", "two")).status, 204);
    assert_eq!(call(&service, get("/files/a.txt")).text(), "two");
    let part = call(&service, get("/files/a.txt").header("Range", "bytes=1-"));
    assert_eq!((part.status, part.text().as_str()), (206, "wo"));
    for (target, status) in [("/files/b.txt", 404), ("/files/..", 400), ("/files/%2e%2e", 400), ("/files/.a", 400)] {
        assert_eq!(call(&service, get(target)).status, status, "{target}");
    }
}

#[test]
fn every_answer_has_passed_the_wrapper_and_unknown_places_are_told() {
    let (service, _directory) = started();
    let refused: Answer = call(&service, get("/nothing"));
    assert_eq!((refused.status, refused.header("X-Content-Type-Options")), (404, Some("nosniff")));
    assert_eq!(call(&service, with_token(post("/", ""))).status, 405);
}

#[test]
fn the_background_thread_counts_every_request_until_it_is_stopped() {
    let visits = Visits::start().expect("a thread");
    for path in ["/", "/notes", "/"] {
        visits.note(path);
    }
    assert_eq!(visits.stop(), 3);
}
