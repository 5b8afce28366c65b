//! What a handler may return in the place of a [`Response`]. Pure.

use std::fmt;
use std::io;

use super::{BoxError, Response};

/// What becomes an answer: a [`Response`], one made with the `http` crate, or a `Result` of one and any error.
///
/// An error is answered with 500, and the log says what it was, with its causes; a [`StatusError`] is answered as it says
/// and is no line in the log. So `?` works in handlers:
///
/// ```
/// use rhinod::{BoxError, Request, Response, StatusError};
///
/// fn page(request: &mut Request<'_>) -> Result<Response, BoxError> {
///     let name = request.query_value("name").ok_or(StatusError::new(400, "name is missing"))?;
///     Ok(Response::html(std::fs::read_to_string(format!("/nonexistent/{}.html", name.len()))?))
/// }
///
/// let answer = rhinod::test::call(&page, rhinod::test::get("/"));
/// assert_eq!((answer.status, answer.text().as_str()), (400, "name is missing\n"));
/// let answer = rhinod::test::call(&page, rhinod::test::get("/?name=a"));
/// assert_eq!(answer.status, 500);
/// ```
pub trait IntoResponse {
    /// The answer.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl<B: Into<super::Body>> IntoResponse for http::Response<B> {
    fn into_response(self) -> Response {
        self.into()
    }
}

impl<R: IntoResponse, E: Into<BoxError>> IntoResponse for Result<R, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(response) => response.into_response(),
            Err(error) => refused(error.into()),
        }
    }
}

/// An error that is answered with a status of its own.
///
/// ```
/// use rhinod::{Request, Response, StatusError, test};
///
/// fn teapot(_request: &mut Request<'_>) -> Result<Response, StatusError> {
///     Err(StatusError::new(418, "it is a teapot"))
/// }
/// let answer = test::call(&teapot, test::get("/"));
/// assert_eq!((answer.status, answer.text().as_str()), (418, "it is a teapot\n"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusError {
    status: u16,
    text: String,
}

impl StatusError {
    /// To be answered with this status and a line of plain text.
    pub fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for StatusError {}

fn refused(error: BoxError) -> Response {
    match status_of(&*error) {
        Some(told) => Response::text(format!("{}\n", told.text)).with_status(told.status),
        None => Response::text("Internal Server Error\n").with_status(500).with_failure(chain(&*error)),
    }
}

/// The [`StatusError`] that an error is, or that an error of input and output carries.
fn status_of<'e>(error: &'e (dyn std::error::Error + Send + Sync + 'static)) -> Option<&'e StatusError> {
    error.downcast_ref().or_else(|| error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref())
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_500_that_tells_the_log_and_nobody_else() {
        let failed: Result<Response, io::Error> = Err(io::Error::other("the secret"));
        let response = failed.into_response();
        assert_eq!((response.status(), response.failure()), (500, Some("the secret")));
        let (_, _, body) = response.into_parts();
        assert!(matches!(body, super::super::Body::Bytes(bytes) if !bytes.windows(6).any(|six| six == b"secret")));
    }

    #[test]
    fn a_status_error_is_its_answer_also_inside_of_an_io_error() {
        for error in [
            BoxError::from(StatusError::new(413, "too long")),
            io::Error::new(io::ErrorKind::FileTooLarge, StatusError::new(413, "too long")).into(),
        ] {
            let response = Err::<Response, BoxError>(error).into_response();
            assert_eq!((response.status(), response.failure()), (413, None));
        }
    }
}
