//! `cargo +nightly fuzz run scgi_request`, in `worker-protocol/`. The body is in the library, where the ordinary tests run it
//! over the committed corpus too.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker_protocol::fuzz::gateways::exercise_scgi(bytes));
