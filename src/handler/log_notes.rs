//! What an application wants of its request's line in the log. Pure.

/// Most variables of one request.
const VARIABLES_MAX: usize = 64;

/// A request has as many log variables as it may have (64).
///
/// ```
/// use rhinod::{Request, Response, TooManyLogVariables, test};
///
/// fn noted(request: &mut Request<'_>) -> Result<Response, TooManyLogVariables> {
///     request.set_log_variable("user", "ada")?; // `log-format = %(user) …`
///     Ok(Response::new(204))
/// }
/// assert_eq!(test::call(&noted, test::get("/")).status, 204);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request has at most {VARIABLES_MAX} log variables")]
pub struct TooManyLogVariables;

/// Variables for `log-format`, and whether the line is written whatever the configuration says. Costs nothing while
/// nothing is set.
#[derive(Debug, Default)]
pub struct LogNotes {
    variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// The line is written, also with `disable-logging`.
    pub forced: bool,
    /// The line is not written, whatever else holds.
    pub silenced: bool,
}

impl LogNotes {
    /// Sets a variable; the last value of a name counts.
    ///
    /// # Errors
    /// When there are too many already.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), TooManyLogVariables> {
        if let Some((_, own)) = self.variables.iter_mut().find(|(own, _)| own == name) {
            *own = value.to_vec();
            return Ok(());
        }
        if self.variables.len() >= VARIABLES_MAX {
            return Err(TooManyLogVariables);
        }
        self.variables.push((name.to_vec(), value.to_vec()));
        Ok(())
    }

    /// The value of a variable.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_and_their_number_is_bounded() {
        let mut notes = LogNotes::default();
        for number in 0..VARIABLES_MAX {
            assert_eq!(notes.set(format!("v{number}").as_bytes(), b"old"), Ok(()));
        }
        assert_eq!(notes.set(b"v0", b"new"), Ok(()));
        assert_eq!(notes.set(b"one more", b""), Err(TooManyLogVariables));
        assert_eq!((notes.get(b"v0"), notes.get(b"v1")), (Some(b"new".as_slice()), Some(b"old".as_slice())));
        assert_eq!(notes.get(b"one more"), None);
    }
}
