//! A span for tests.

use super::context::{Dice, Place};
use super::span::Span;

/// The one of a request to a shop.
pub(super) fn example() -> Span<'static> {
    let header = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    Span {
        place: Place::of(header, 100, &Dice::begun([3; 16])),
        began_ns: 1_800_000_000_000_000_000,
        ended_ns: 1_800_000_000_012_000_000,
        waited_us: Some(1_500),
        worker: 3,
        thread: 1,
        generation: 7,
        status: 200,
        has_failed: false,
        lost: 2,
        method: b"GET",
        path: b"/shop/\xff",
        scheme: b"https",
        host: b"shop.example:8443",
        port: b"443",
        protocol: b"HTTP/1.1",
        agent: b"curl/8",
        client: b"10.0.0.9",
        state: b"congo=t61rcWkgMzE",
    }
}
