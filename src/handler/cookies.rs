//! Cookies of requests and answers, by the `cookie` crate (RFC 6265). Only with the feature `cookies`. Pure.

use cookie::Cookie;

use super::{Request, Response};

impl Request<'_> {
    /// The cookies that the client sent, in order. What is no cookie is left out.
    pub fn cookies(&self) -> impl Iterator<Item = Cookie<'static>> {
        let headers = self.headers().filter(|(name, _)| *name == "COOKIE");
        headers.flat_map(|(_, value)| Cookie::split_parse(String::from_utf8_lossy(value).into_owned()).flatten())
    }

    /// The first cookie of this name.
    ///
    /// ```
    /// use rhinod::{Request, Response, cookie::Cookie, test};
    ///
    /// fn count(request: &mut Request<'_>) -> Response {
    ///     let seen = request.cookie("seen").and_then(|seen| seen.value().parse().ok()).unwrap_or(0_u32) + 1;
    ///     let seen = Cookie::build(("seen", seen.to_string())).path("/").http_only(true);
    ///     Response::text("welcome\n").with_cookie(seen)
    /// }
    ///
    /// let answer = test::call(&count, test::get("/").header("Cookie", "theme=dark; seen=2"));
    /// assert_eq!(answer.header("Set-Cookie"), Some("seen=3; HttpOnly; Path=/"));
    /// ```
    pub fn cookie(&self, name: &str) -> Option<Cookie<'static>> {
        self.cookies().find(|cookie| cookie.name() == name)
    }
}

impl Response {
    /// The same with one more cookie for the client to keep. One that it shall forget is sent with a `Max-Age` of 0
    /// ([`Cookie::make_removal`]).
    pub fn with_cookie(self, cookie: impl Into<Cookie<'static>>) -> Self {
        self.with_header("Set-Cookie", cookie.into().to_string())
    }
}
