//! The PROXY protocol.

use worker_protocol::fuzz::gateways::exercise_proxy;
use worker_protocol::proxy::{Error, Header, Origin, decode};

use crate::survive_mutants;

/// Decodes a header that is valid, in all three ways.
#[track_caller]
fn valid(bytes: &[u8]) -> Origin {
    let header = decode(bytes).unwrap_or_else(|error| panic!("{}: {error}", bytes.escape_ascii())).expect("whole");
    assert_eq!(header.consumed, bytes.len());
    for cut in 0..bytes.len() {
        assert_eq!(decode(&bytes[..cut]), Ok(None), "cut after {cut}");
    }
    assert_eq!(decode(&[bytes, b"GET / HTTP/1.1\r\n"].concat()), Ok(Some(header)));
    header.origin
}

/// Decodes what is no header, in all three ways: once the error shows, it stays.
#[track_caller]
fn invalid(bytes: &[u8]) -> Error {
    let error = decode(bytes).expect_err("not valid");
    let shown_after = (0..=bytes.len()).find(|&cut| decode(&bytes[..cut]).is_err()).expect("at the end at the latest");
    for cut in 0..=bytes.len() {
        let expected = if cut < shown_after { Ok(None) } else { Err(error) };
        assert_eq!(decode(&bytes[..cut]), expected, "cut after {cut}");
    }
    assert_eq!(decode(&[bytes, b"\r\nGET / HTTP/1.1\r\n"].concat()), Err(error), "{}", bytes.escape_ascii());
    error
}

fn addresses(origin: Origin) -> String {
    origin.addresses.map(|(source, destination)| format!("{source} {destination}")).unwrap_or_default()
}

#[test]
fn lines_of_version_1() {
    for (line, expected) in [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 40001 443", "192.0.2.7:40001 198.51.100.1:443"),
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535", "255.255.255.255:65535 255.255.255.255:65535"),
        ("PROXY TCP6 2001:db8::1 ::1 1 0", "[2001:db8::1]:1 [::1]:0"),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535",
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
        ),
        ("PROXY UNKNOWN", ""),
        ("PROXY UNKNOWN ffff::1 ffff::2 1 2", ""),
        ("PROXY UNKNOWN what ever", ""),
    ] {
        let origin = valid(format!("{line}\r\n").as_bytes());
        assert_eq!((addresses(origin).as_str(), origin.https), (expected, None), "{line}");
    }
}

#[test]
fn lines_that_are_not_of_the_form() {
    for line in [
        "PROXY ",
        "PROXY TCP4",
        "PROXY TCP5 192.0.2.7 198.51.100.1 1 2",
        "PROXY tcp4 192.0.2.7 198.51.100.1 1 2",
        "PROXY UNKNOWNS",
        "PROXY  TCP4 192.0.2.7 198.51.100.1 1 2",
        "PROXY TCP4  192.0.2.7 198.51.100.1 1 2",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 ",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3",
        "PROXY TCP4 192.0.2.07 198.51.100.1 1 2",
        "PROXY TCP4 192.0.2 198.51.100.1 1 2",
        "PROXY TCP4 192.0.2.7/8 198.51.100.1 1 2",
        "PROXY TCP4 ::1 ::1 1 2",
        "PROXY TCP6 192.0.2.7 198.51.100.1 1 2",
        "PROXY TCP6 fe80::1%lo ::1 1 2",
        "PROXY TCP6 [::1] [::1] 1 2",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 2",
        "PROXY TCP4 192.0.2.7 198.51.100.1 01 2",
        "PROXY TCP4 192.0.2.7 198.51.100.1 +1 2",
        "PROXY TCP4 192.0.2.7 198.51.100.1 -1 2",
        "PROXY TCP4 192.0.2.7 198.51.100.1  2",
        "PROXY TCP4 x y z w",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1 \r2",
    ] {
        assert_eq!(invalid(format!("{line}\r\n").as_bytes()), Error::Line, "{line}");
    }
    assert_eq!(invalid(b"PROXY UNKNOWN\n"), Error::Line);
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
    assert_eq!(long.len(), 108);
    assert_eq!(invalid(long.as_bytes()), Error::LineTooLong);
    assert_eq!(valid(&[&long.as_bytes()[..105], b"\r\n"].concat()), Origin::default());
}

#[test]
fn other_protocols_begin_otherwise() {
    for bytes in [b"GET / HTTP/1.1\r\n".as_slice(), b"POST / HTTP/1.1\r\n", b"PROX", b"\r\n\r\nGET", b"\x16\x03\x01"] {
        // `PROX` may still become a header.
        match bytes {
            b"PROX" => assert_eq!(decode(bytes), Ok(None)),
            _ => assert_eq!(invalid(bytes), Error::Missing, "{}", bytes.escape_ascii()),
        }
    }
}

/// A header of version 2.
fn binary(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, family], &length, content].concat()
}

const IPV4: &[u8] = &[192, 0, 2, 7, 198, 51, 100, 1, 0x9c, 0x41, 1, 0xbb];

fn ipv6() -> Vec<u8> {
    let address = |last: u8| [&[0x20, 1, 0xd, 0xb8], [0; 11].as_slice(), &[last]].concat();
    [address(1), address(2), vec![0, 1, 0, 2]].concat()
}

#[test]
fn headers_of_version_2() {
    let unix = [0; 216];
    for (command, family, content, expected) in [
        (0x21, 0x11, IPV4.to_vec(), "192.0.2.7:40001 198.51.100.1:443"),
        (0x21, 0x12, IPV4.to_vec(), "192.0.2.7:40001 198.51.100.1:443"),
        (0x21, 0x21, ipv6(), "[2001:db8::1]:1 [2001:db8::2]:2"),
        (0x21, 0x31, unix.to_vec(), ""),
        (0x21, 0x00, Vec::new(), ""),
        (0x20, 0x00, Vec::new(), ""),
        (0x20, 0x11, IPV4.to_vec(), ""),
        (0x20, 0xff, b"whatever".to_vec(), ""),
    ] {
        let origin = valid(&binary(command, family, &content));
        assert_eq!((addresses(origin).as_str(), origin.https), (expected, None), "{command:#x} {family:#x}");
    }
}

#[test]
fn further_values_of_version_2() {
    let with = |values: &[u8]| binary(0x21, 0x11, &[IPV4, values].concat());
    for (values, https) in [
        (b"\x04\0\x03abc".as_slice(), None),
        (b"\x20\0\x05\x01\0\0\0\0", Some(true)),
        (b"\x20\0\x05\x00\0\0\0\0", Some(false)),
        (b"\x04\0\0\x20\0\x0d\x07\0\0\0\0\x21\0\x05TLS12", Some(true)),
    ] {
        assert_eq!(valid(&with(values)).https, https, "{}", values.escape_ascii());
    }
    for values in [b"\x04".as_slice(), b"\x04\0", b"\x04\0\x03ab", b"\x20\0\0"] {
        assert_eq!(invalid(&with(values)), Error::Values, "{}", values.escape_ascii());
    }
}

#[test]
fn headers_of_version_2_that_are_wrong() {
    for (bytes, error) in [
        (binary(0x11, 0x11, IPV4), Error::Version(1)),
        (binary(0x31, 0x11, IPV4), Error::Version(3)),
        (binary(0x22, 0x11, IPV4), Error::Command(2)),
        (binary(0x21, 0x13, IPV4), Error::Family(0x13)),
        (binary(0x21, 0x41, IPV4), Error::Family(0x41)),
        (binary(0x21, 0x10, IPV4), Error::Family(0x10)),
        (binary(0x21, 0x11, &IPV4[..11]), Error::TooShort),
        (binary(0x21, 0x21, IPV4), Error::TooShort),
        (binary(0x21, 0x31, &[0; 215]), Error::TooShort),
        (binary(0x21, 0x00, &[0; 4_081]), Error::TooLong),
    ] {
        assert_eq!(invalid(&bytes), error);
    }
    let largest = binary(0x21, 0x00, &[&[4, 0xf, 0xed], [0; 4_077].as_slice()].concat());
    assert_eq!(decode(&largest), Ok(Some(Header { origin: Origin::default(), consumed: 4_096 })));
}

#[test]
fn mutants_do_no_harm() {
    let originals = vec![
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40001 443\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        binary(0x21, 0x11, &[IPV4, b"\x20\0\x05\x01\0\0\0\0"].concat()),
        binary(0x21, 0x21, &ipv6()),
        binary(0x20, 0x00, b""),
    ];
    survive_mutants("proxy_header", originals, 30_000, exercise_proxy);
}
