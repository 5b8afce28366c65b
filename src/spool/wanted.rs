//! What an application, or another instance, wants run: the variables of a task, and what some of them say of it. Pure; used in
//! whoever writes tasks.

use super::task::{Unfit, packed};
use crate::escape;

/// The highest priority's number is 0, the lowest one's this one.
const PRIORITY_DIGITS_MAX: usize = 6;

/// A task that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// What goes before the body.
    pub block: Vec<u8>,
    /// `body`, which is no variable of the task.
    pub body: &'a [u8],
    /// `spooler`: its directory; `None`: the first one.
    pub directory: Option<&'a [u8]>,
    /// `at`: not before, in seconds since the epoch.
    pub at_s: Option<u64>,
    /// `priority`: a number, which is the name of a directory.
    pub priority: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// Names and values.
    ///
    /// # Errors
    /// What of it cannot be done.
    pub fn of(variables: &[[&'a [u8]; 2]]) -> Result<Self, Unfit> {
        let value = |name: &[u8]| variables.iter().rev().find(|[own, _]| *own == name).map(|[_, value]| *value);
        let own: Vec<_> = variables.iter().filter(|[name, _]| *name != b"body").copied().collect();
        let block = packed(&own)?;
        Ok(Self {
            block,
            body: value(b"body").unwrap_or_default(),
            directory: value(b"spooler"),
            at_s: value(b"at").map(seconds).transpose()?,
            priority: value(b"priority").map(priority).transpose()?,
        })
    }
}

/// What is behind the point does not count.
fn seconds(text: &[u8]) -> Result<u64, Unfit> {
    let number: Option<f64> = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok());
    let number = number.filter(|number| number.is_finite());
    number.map(|number| number as u64).ok_or_else(|| Unfit::At(escape::value(text)))
}

/// Nothing that leads out of the directory.
fn priority(text: &[u8]) -> Result<&str, Unfit> {
    let is_one = (1..=PRIORITY_DIGITS_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let text_of_one = std::str::from_utf8(text).ok().filter(|_| is_one);
    text_of_one.ok_or_else(|| Unfit::Priority(escape::value(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Task;

    #[test]
    fn what_some_variables_say_is_read_and_the_body_is_none() {
        let variables: [[&[u8]; 2]; 5] =
            [[b"spooler", b"/tasks"], [b"at", b"1600000000.9"], [b"priority", b"7"], [b"body", b"text"], [b"a", b"1"]];
        let wanted = Wanted::of(&variables).expect("a task");
        let told = (wanted.body, wanted.directory, wanted.at_s, wanted.priority);
        assert_eq!(told, (&b"text"[..], Some(&b"/tasks"[..]), Some(1_600_000_000), Some("7")));
        let task = Task::of(wanted.block).expect("a task");
        assert!(task.variables().eq([variables[0], variables[1], variables[2], variables[4]]));
    }

    #[test]
    fn what_is_no_moment_and_no_priority_is_refused() {
        for (name, value) in
            [("at", "soon"), ("at", ""), ("at", "inf"), ("priority", "../x"), ("priority", ""), ("priority", "1000000")]
        {
            assert!(Wanted::of(&[[name.as_bytes(), value.as_bytes()]]).is_err(), "{name} {value}");
        }
        assert_eq!(Wanted::of(&[[b"at", b"-7"]]).map(|wanted| wanted.at_s), Ok(Some(0)));
        let refused = Wanted::of(&[[b"priority", b"../x"]]).map_err(|unfit| unfit.to_string());
        assert_eq!(refused, Err("priority is no number from 0 to 999999: '../x'".to_owned()));
    }
}
