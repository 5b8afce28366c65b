//! The service of docs/EMBEDDING.md as a whole server: behind nginx, over several workers, and through a reload.

use nix::sys::signal::Signal;

use crate::harness::{Launch, Nginx};

const TOKEN: (&str, &str) = ("Authorization", "Bearer secret");

#[test]
fn the_service_keeps_notes_and_files_over_workers_and_reloads() {
    let launch = Launch::example("service").set("workers", 2).set("threads", 2).env("SERVICE_TOKEN", "secret");
    let directory = launch.dir().display().to_string();
    let server = launch.env("SERVICE_DIR", directory).start();
    let mut nginx = Nginx::before(&server);
    nginx.expect_log("is buffered to a temporary file");
    assert_eq!(nginx.get("/").header("content-type"), Some("text/html; charset=utf-8"));
    let note = br#"{"text":"milk","tags":["shop"]}"#;
    assert_eq!(nginx.post("/notes", note).status, 401);
    assert_eq!(nginx.request("POST", "/notes", &[TOKEN], note).status, 201);
    let file: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    assert_eq!(nginx.request("PUT", "/files/numbers", &[TOKEN], &file).status, 201);
    server.signal(Signal::SIGHUP);
    // Both workers of the old generation stop their handlers.
    server.log.wait_for_count(2, "requests were counted");
    assert_eq!(nginx.get("/notes").text(), "[{\"text\":\"milk\",\"tags\":[\"shop\"]}]");
    let came = nginx.get("/files/numbers");
    assert!(came.status == 200 && came.body == file, "{} bytes", came.body.len());
    let etag = came.header("etag").expect("an entity tag").to_owned();
    assert_eq!(nginx.request("GET", "/files/numbers", &[("If-None-Match", &etag)], b"").status, 304);
    let parts = nginx.request("GET", "/files/numbers", &[("Range", "bytes=4-7,-4")], b"");
    assert!(parts.status == 206 && parts.header("content-type").is_some_and(|kind| kind.starts_with("multipart/")));
    assert!(parts.body.windows(8).any(|eight| eight == b"\r\n\r\n\x01\0\0\0"), "{} bytes", parts.body.len());
    assert_eq!(nginx.get("/files/other").status, 404);
}

#[test]
fn without_its_directory_the_service_says_what_is_missing() {
    let failed = Launch::example("service").fails();
    assert!(failed.lines.iter().any(|line| line.contains("SERVICE_DIR is not set")), "{:#?}", failed.lines);
    assert_eq!(failed.code, 22);
}
