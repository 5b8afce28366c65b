//! What an application is told of the configuration that it runs under. Pure; the factory of an application gets it.

use std::fmt::Display;
use std::str::FromStr;

use super::BoxError;

/// What an application is told of the configuration: its own options, and how many of it there are.
///
/// Keys that begin with `app-` are the application's: `app-greeting = hi` in an ini file, `--app-greeting hi` on the command
/// line. rhinod gives them to it and knows nothing else of them. Environment variables that the configuration sets are in
/// the environment already.
///
/// ```no_run
/// use rhinod::{Request, Response};
///
/// fn main() -> std::process::ExitCode {
///     rhinod::main(|configuration| {
///         let greeting = configuration.option("greeting").unwrap_or("Hello").to_owned();
///         let times: usize = configuration.parsed("times")?.unwrap_or(1);
///         Ok(move |_: &mut Request<'_>| Response::text(greeting.repeat(times)))
///     })
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    pub(crate) workers: usize,
    pub(crate) threads: usize,
    /// Names without `app-`, and values (`None`: a bare name).
    pub(crate) options: Vec<(String, Option<String>)>,
}

impl Configuration {
    /// The value of an option of the application's own, by its name behind `app-`; the last one where there are several,
    /// and nothing for one without a value.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options(name).last()
    }

    /// All values of an option, in the order of the configuration.
    pub fn options(&self, name: &str) -> impl Iterator<Item = &str> {
        self.options.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_deref().unwrap_or(""))
    }

    /// The value of an option as something else: a number, an address. `None` when it was not given.
    ///
    /// # Errors
    /// When it cannot be that; the error names the option and its value. Returned by the factory it ends the start, or the
    /// reload.
    pub fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, BoxError> {
        let parsed = |value: &str| value.parse().map_err(|error| format!("app-{name} = {value}: {error}").into());
        self.option(name).map(parsed).transpose()
    }

    /// Whether a switch is on: given alone, or as `true`, `yes`, `on` or `1`.
    ///
    /// # Errors
    /// When its value is neither that nor `false`, `no`, `off` or `0`.
    pub fn switch(&self, name: &str) -> Result<bool, BoxError> {
        match self.option(name) {
            None | Some("false" | "no" | "off" | "0") => Ok(false),
            Some("" | "true" | "yes" | "on" | "1") => Ok(true),
            Some(value) => Err(format!("app-{name} = {value}: expected true or false").into()),
        }
    }

    /// Most workers at once (`workers`).
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Requests that one worker handles at once (`threads`), at least 1.
    pub fn threads(&self) -> usize {
        self.threads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_what_they_should_be_or_named() {
        let given = [("greeting", Some("hi")), ("port", Some("1")), ("port", Some("x")), ("debug", None)];
        let options = given.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).to_vec();
        let told = Configuration { workers: 1, threads: 1, options };
        assert_eq!((told.option("greeting"), told.option("none")), (Some("hi"), None));
        assert_eq!(told.options("port").collect::<Vec<_>>(), ["1", "x"]);
        let error = told.parsed::<u16>("port").expect_err("no number").to_string();
        assert_eq!(error, "app-port = x: invalid digit found in string");
        assert_eq!(told.parsed::<u16>("none").ok(), Some(None));
        assert_eq!((told.switch("debug").ok(), told.switch("none").ok()), (Some(true), Some(false)));
        assert!(told.switch("greeting").is_err());
    }
}
