//! The packets of uWSGI's manual, "The uwsgi Protocol": V1 to V5 are captures of nginx 1.22.1, byte for byte.

/// V1: GET with a query.
pub(crate) const V1: &str = include_str!("v1.hex");
/// V2: POST with a body of 7 bytes.
pub(crate) const V2: &str = include_str!("v2.hex");
/// V3: HEAD, empty values, the last value empty.
pub(crate) const V3: &str = include_str!("v3.hex");
/// V4: percent-encoding and UTF-8.
pub(crate) const V4: &str = include_str!("v4.hex");
/// V5: repeated request headers, as nginx before 1.23 sends them.
pub(crate) const V5: &str = include_str!("v5.hex");

/// The bytes that hexadecimal digits spell; blanks do not count.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hexadecimal digit") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
