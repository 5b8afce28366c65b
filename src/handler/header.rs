//! What may be the name and the value of a header of an answer: text, bytes, or the types of the `http` crate. Pure.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};

/// What may be the name of a header: text, or a name of the `http` crate.
///
/// ```
/// use rhinod::{Response, http::header};
///
/// let response = Response::new(204).with_header(header::ALLOW, "GET").with_header("X-Made-By", "rhinod");
/// assert_eq!(response.headers().next(), Some(("allow", b"GET".as_slice())));
/// ```
pub trait IntoHeaderName {
    /// The name as it goes on the wire. What it must not contain is found when the answer is sent.
    fn into_header_name(self) -> Cow<'static, str>;
}

/// What may be the value of a header: text, bytes, or a value of the `http` crate.
///
/// ```
/// use rhinod::{Response, http::HeaderValue};
///
/// let age = HeaderValue::from(60);
/// let response = Response::new(204).with_header("Age", age).with_header("X-Bytes", vec![0xe9]);
/// assert_eq!(response.headers().last(), Some(("X-Bytes", [0xe9].as_slice())));
/// ```
pub trait IntoHeaderValue {
    /// The value as it goes on the wire. What it must not contain is found when the answer is sent.
    fn into_header_value(self) -> Cow<'static, [u8]>;
}

impl IntoHeaderName for &'static str {
    fn into_header_name(self) -> Cow<'static, str> {
        Cow::Borrowed(self)
    }
}

impl IntoHeaderName for String {
    fn into_header_name(self) -> Cow<'static, str> {
        Cow::Owned(self)
    }
}

impl IntoHeaderName for Cow<'static, str> {
    fn into_header_name(self) -> Cow<'static, str> {
        self
    }
}

impl IntoHeaderName for HeaderName {
    fn into_header_name(self) -> Cow<'static, str> {
        Cow::Owned(self.as_str().to_owned())
    }
}

impl IntoHeaderValue for &'static str {
    fn into_header_value(self) -> Cow<'static, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

impl IntoHeaderValue for String {
    fn into_header_value(self) -> Cow<'static, [u8]> {
        Cow::Owned(self.into_bytes())
    }
}

impl IntoHeaderValue for Cow<'static, str> {
    fn into_header_value(self) -> Cow<'static, [u8]> {
        match self {
            Cow::Borrowed(text) => text.into_header_value(),
            Cow::Owned(text) => text.into_header_value(),
        }
    }
}

impl IntoHeaderValue for Vec<u8> {
    fn into_header_value(self) -> Cow<'static, [u8]> {
        Cow::Owned(self)
    }
}

impl IntoHeaderValue for HeaderValue {
    fn into_header_value(self) -> Cow<'static, [u8]> {
        Cow::Owned(self.as_bytes().to_vec())
    }
}
