//! Forms and queries as values of the application's own types, by the `serde_html_form` crate. Only with the feature `forms`.
//! Runs in the workers.

use serde::de::DeserializeOwned;

use super::{BoxError, Request, StatusError};

/// How browsers send a form without files.
const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

impl Request<'_> {
    /// The query as a value of any type that serde can make; a parameter that is repeated makes a list.
    ///
    /// ```
    /// use rhinod::{BoxError, Request, Response, test};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Search { text: String, #[serde(default)] tag: Vec<String> }
    ///
    /// fn search(request: &mut Request<'_>) -> Result<Response, BoxError> {
    ///     let search: Search = request.query_as()?;
    ///     Ok(Response::text(format!("{} {:?}\n", search.text, search.tag)))
    /// }
    /// assert_eq!(test::call(&search, test::get("/?text=a+b&tag=x&tag=y")).text(), "a b [\"x\", \"y\"]\n");
    /// assert_eq!(test::call(&search, test::get("/?tag=x")).status, 400);
    /// ```
    ///
    /// # Errors
    /// 400 with what is missing or cannot be read, when a handler returns it.
    pub fn query_as<T: DeserializeOwned>(&self) -> Result<T, StatusError> {
        serde_html_form::from_bytes(self.head.query())
            .map_err(|error| StatusError::new(400, format!("the query: {error}")))
    }

    /// The body as a form of at most `bytes_max` bytes, as browsers send one without files.
    ///
    /// ```
    /// use rhinod::{BoxError, Request, Response, test};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Login { name: String }
    ///
    /// fn login(request: &mut Request<'_>) -> Result<Response, BoxError> {
    ///     let login: Login = request.form(10_000)?;
    ///     Ok(Response::redirect(format!("/hello/{}", login.name)))
    /// }
    /// let kind = "application/x-www-form-urlencoded";
    /// let answer = test::call(&login, test::post("/login", "name=ada").header("Content-Type", kind));
    /// assert_eq!((answer.status, answer.header("Location")), (303, Some("/hello/ada")));
    /// assert_eq!(test::call(&login, test::post("/login", "{}")).status, 415);
    /// ```
    ///
    /// # Errors
    /// When a handler returns it: 415 for another media type, 413 for a longer body, 400 with what is missing or cannot be
    /// read. Otherwise as for [`Read`](std::io::Read).
    pub fn form<T: DeserializeOwned>(&mut self, bytes_max: u64) -> Result<T, BoxError> {
        let media_type = self.header_text("Content-Type").unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case(MEDIA_TYPE) {
            return Err(StatusError::new(415, format!("expected {MEDIA_TYPE}")).into());
        }
        let body = self.read_body(bytes_max)?;
        serde_html_form::from_bytes(&body).map_err(|error| StatusError::new(400, format!("the form: {error}")).into())
    }
}
