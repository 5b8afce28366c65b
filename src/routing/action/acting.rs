//! What actions do to a request, or answer it with. Pure.

use super::arguments;
use super::kinds::{Action, FileTemplate, Operator, Since, Who};
use super::step::{Failure, Step};
use crate::percent;
use crate::routing::answer::{Answer, FileAnswer};
use crate::routing::pattern::Groups;
use crate::routing::state::{NoRoom, Request};
use crate::routing::template::Template;
use crate::routing::users;
use crate::routing::values::leading_integer;
use crate::routing::world::{FileTest, World};
use crate::routing::written::{Field, Stage};

impl Action {
    /// Carries it out.
    pub(in crate::routing) fn act(
        &self,
        groups: &Groups,
        request: &mut Request<'_>,
        world: &dyn World,
    ) -> Result<Step, Failure> {
        let filled = |template: &Template, request: &Request<'_>| template.fill(groups, request, world);
        match self {
            Action::Nothing => {}
            Action::Continue => return Ok(Step::Continue),
            Action::Break(status) => return end(status.as_ref(), request).map(Step::Answer),
            Action::Return(status) => return Ok(Step::Answer(Answer::Phrase(*status))),
            Action::GoTo(label) => return Ok(Step::JumpToLabel(filled(label, request))),
            Action::JumpTo(place) => return Ok(Step::Jump(*place)),
            Action::Log(text) => world.log(&String::from_utf8_lossy(&filled(text, request))),
            Action::Alarm(name, text) => world.alarm(name, &String::from_utf8_lossy(&filled(text, request))),
            Action::LogVariable(name, value) => {
                let value = filled(value, request);
                request.add_log_variable(name.clone().into_bytes(), value)?;
            }
            Action::NoLog => request.is_silent = true,
            Action::SetVariable(name, value) => {
                let value = filled(value, request);
                request.set(name.as_bytes(), value)?;
            }
            Action::SetField(field, value) => {
                let value = filled(value, request);
                request.set_field(*field, value)?;
            }
            Action::SetUser(value) => {
                let mut value = filled(value, request);
                value.truncate(value.iter().position(|byte| *byte == b':').unwrap_or(value.len()));
                request.set_field(Field::User, value)?;
            }
            Action::FixPath => fix_path(request)?,
            Action::Calculate(operator, name, by) => calculate(*operator, name, &filled(by, request), request)?,
            Action::AddHeader(line) => add_header(&filled(line, request), request)?,
            Action::RemoveHeader(name) => {
                let name = filled(name, request);
                request.remove_header(name)?;
            }
            Action::ClearHeaders(status) => {
                let text = filled(status, request);
                let status = arguments::status(&String::from_utf8_lossy(&text));
                request.cleared = Some(status.map_err(|error| Failure::Other(error.problem))?);
                request.added.clear();
            }
            Action::Expires(since, seconds) => expires(since, *seconds, groups, request, world)?,
            Action::Send(text, end) => {
                let text = filled(text, request);
                request.send(&text)?;
                request.send(end.as_bytes())?;
            }
            Action::Deadline(seconds) => request.deadline_s = Some(*seconds),
            Action::ChangeDirectory(path) => world.change_directory(&filled(path, request)).map_err(Failure::Other)?,
            Action::SetTitle(title) => world.set_title(&String::from_utf8_lossy(&filled(title, request))),
            Action::Redirect { is_permanent, to } => {
                let to = filled(to, request);
                check_value("Location", &to)?;
                return Ok(Step::Answer(Answer::Redirect { is_permanent: *is_permanent, to }));
            }
            Action::Rewrite { is_last, to } => {
                rewrite(&filled(to, request), request)?;
                return Ok(if *is_last { Step::Continue } else { Step::Next });
            }
            Action::Authenticate { realm, who, passes_on } => {
                return authenticate(realm, who, *passes_on, request, world);
            }
            Action::Static { path, passes_on } => {
                let path = filled(path, request);
                return Ok(match *passes_on && !world.is(FileTest::IsFile, &path) {
                    true => Step::Next,
                    false => Step::Answer(Answer::Static { path }),
                });
            }
            Action::File { file, passes_on } => return file.act(*passes_on, groups, request, world),
            Action::Cache(action) => return action.act(groups, request, world),
            Action::Call(action) => return action.act(groups, request, world),
            Action::Pass(action) => return action.act(groups, request, world),
            Action::Raise(signal) => world.raise(*signal),
            Action::Hash { key, variable, items, is_random } => {
                let number = match is_random {
                    true => u32::from_le_bytes(*world.random().first_chunk().unwrap_or(&[0; 4])),
                    false => djb33x(&filled(key, request)),
                };
                let item = items.get(number as usize % items.len().max(1)).cloned().unwrap_or_default();
                request.set(variable.as_bytes(), item.into_bytes())?;
            }
        }
        Ok(Step::Next)
    }
}

impl FileTemplate {
    fn act(&self, passes_on: bool, groups: &Groups, request: &Request<'_>, world: &dyn World) -> Result<Step, Failure> {
        let (start, rest) = self.path.split(groups, request, world);
        if passes_on && !world.is(FileTest::IsFile, &[&start[..], &rest].concat()) {
            return Ok(Step::Next);
        }
        let (top, rest) = beneath(&start, rest);
        let status = self.status.fill(groups, request, world);
        let status = match &status[..] {
            b"" => 200,
            text => arguments::status(&String::from_utf8_lossy(text)).map_err(|error| Failure::Other(error.problem))?.0,
        };
        Ok(Step::Answer(Answer::File(FileAnswer { top, rest, status, ..self.rest.clone() })))
    }
}

/// What a rule says itself up to its last slash is a directory that a path does not leave; where it says nothing before
/// what is filled in, the whole path is the rule's.
fn beneath(start: &[u8], rest: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    match start.iter().rposition(|byte| *byte == b'/') {
        Some(_) if rest.is_empty() => (Vec::new(), start.to_vec()),
        Some(slash) => (start[..=slash].to_vec(), [&start[slash + 1..], &rest].concat()),
        None => (Vec::new(), [start, &rest].concat()),
    }
}

/// What `break:` answers with: its status, or what was given to be sent before it.
fn end(status: Option<&(u16, Option<String>)>, request: &mut Request<'_>) -> Result<Answer, Failure> {
    let body = std::mem::take(&mut request.sent);
    match (status, body.is_empty()) {
        (Some((status, reason)), true) => Ok(Answer::Status { status: *status, reason: reason.clone() }),
        (status, false) => Ok(Answer::Text { status: status.map_or(200, |(status, _)| *status), body }),
        // An answer that is there keeps its status, and loses its body.
        (None, true) if request.stage != Stage::Request => Ok(Answer::Status { status: request.status, reason: None }),
        (None, true) => Err(Failure::Other("it ends the request without an answer".to_owned())),
    }
}

/// Sets path and query (uWSGI's manual, "uWSGI internal routing").
fn rewrite(to: &[u8], request: &mut Request<'_>) -> Result<(), NoRoom> {
    let (path, query) = match to.iter().position(|byte| *byte == b'?') {
        Some(mark) => (&to[..mark], Some(&to[mark + 1..])),
        None => (to, None),
    };
    if let Some(query) = query {
        let old = request.field(Field::Query);
        let query = if old.is_empty() { query.to_vec() } else { [query, b"&", old].concat() };
        request.set_field(Field::Query, query)?;
    }
    request.set_field(Field::Path, percent::decoded(path))
}

/// `fixpathinfo`: the path loses the script name.
fn fix_path(request: &mut Request<'_>) -> Result<(), NoRoom> {
    let script_name = request.variable(b"SCRIPT_NAME");
    let path = request.field(Field::Path);
    match path.strip_prefix(script_name) {
        Some(rest) if !script_name.is_empty() => {
            let rest = rest.to_vec();
            request.set_field(Field::Path, rest)
        }
        _ => Ok(()),
    }
}

fn calculate(operator: Operator, name: &str, by: &[u8], request: &mut Request<'_>) -> Result<(), Failure> {
    let old = request.variable(name.as_bytes());
    if old.is_empty() {
        return Err(Failure::Other(format!("there is no variable {name} to calculate with")));
    }
    let (old, by) = (leading_integer(old), if by.is_empty() { 1 } else { leading_integer(by) });
    let new = match operator {
        Operator::Add => old.checked_add(by),
        Operator::Subtract => old.checked_sub(by),
        Operator::Multiply => old.checked_mul(by),
        Operator::Divide => old.checked_div(by),
    };
    let new =
        new.ok_or_else(|| Failure::Other(format!("{name} = {old} and {by}: the result is no number of 64 bits")))?;
    Ok(request.set(name.as_bytes(), new.to_string().into_bytes())?)
}

fn add_header(line: &[u8], request: &mut Request<'_>) -> Result<(), Failure> {
    let colon = line
        .iter()
        .position(|byte| *byte == b':')
        .ok_or_else(|| Failure::Other("the header has no colon".to_owned()))?;
    let (name, value) = (without_blanks(&line[..colon]), without_blanks(&line[colon + 1..]));
    if !arguments::is_header_name(name) {
        return Err(Failure::Forged("the name of the header is none".to_owned()));
    }
    check_value(&String::from_utf8_lossy(name), value)?;
    Ok(request.add_header(name.to_vec(), value.to_vec())?)
}

/// Blanks around what a header says are none of it; the end of a line is no blank.
fn without_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// What is filled into a header may come from a client: a line of its own in it would be another header.
fn check_value(name: &str, value: &[u8]) -> Result<(), Failure> {
    match value.iter().find(|byte| (**byte < b' ' && **byte != b'\t') || **byte == 0x7f) {
        Some(byte) => Err(Failure::Forged(format!("the value of {name} would have the control byte 0x{byte:02x}"))),
        None => Ok(()),
    }
}

fn expires(
    since: &Since,
    seconds: u64,
    groups: &Groups,
    request: &mut Request<'_>,
    world: &dyn World,
) -> Result<(), Failure> {
    let from_s = match since {
        Since::Modified(path) => world.modified_s(&path.fill(groups, request, world)),
        Since::Time(time) => u64::try_from(leading_integer(&time.fill(groups, request, world))).ok(),
    };
    let Some(from_s) = from_s else { return Ok(()) };
    let date = worker_protocol::http::date::imf_fixdate(from_s.saturating_add(seconds));
    Ok(request.add_header(b"Expires".to_vec(), date.to_vec())?)
}

fn authenticate(
    realm: &str,
    who: &Who,
    passes_on: bool,
    request: &mut Request<'_>,
    world: &dyn World,
) -> Result<Step, Failure> {
    if request.is_authenticated() {
        return Ok(Step::Next);
    }
    let refusal = || Step::Answer(Answer::Unauthorized { realm: realm.to_owned() });
    let Some(credentials) = users::credentials(request.variable(b"HTTP_AUTHORIZATION")) else { return Ok(refusal()) };
    let fits = match who {
        Who::Nobody => false,
        Who::One(one) => users::is_same(one.as_bytes(), &credentials.text),
        Who::File(path) => match world.read(path) {
            Ok(list) => users::is_among(&list, &credentials),
            Err(error) => {
                world.log(&format!("basicauth: {path}: {error}; everybody is refused"));
                false
            }
        },
    };
    if fits {
        let name = credentials.name().to_vec();
        request.set_field(Field::User, name)?;
        return Ok(Step::Next);
    }
    Ok(if passes_on { Step::Next } else { refusal() })
}

/// The hash that uWSGI chooses by.
fn djb33x(key: &[u8]) -> u32 {
    key.iter().fold(5_381, |hash: u32, byte| hash.wrapping_mul(33) ^ u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_codes_are_undone_once() {
        assert_eq!(percent::decoded(b"/a%2541%zz%4"), b"/a%41%zz%4");
    }

    #[test]
    fn a_path_stays_beneath_what_the_rule_says_itself() {
        let split = |start: &str, rest: &str| {
            let (top, rest) = beneath(start.as_bytes(), rest.as_bytes().to_vec());
            (String::from_utf8(top).unwrap(), String::from_utf8(rest).unwrap())
        };
        assert_eq!(split("/srv/pub/", "../x"), ("/srv/pub/".to_owned(), "../x".to_owned()));
        assert_eq!(split("/srv/p", "x"), ("/srv/".to_owned(), "px".to_owned()));
        assert_eq!(split("/srv/file", ""), (String::new(), "/srv/file".to_owned()));
        assert_eq!(split("", "/srv/x"), (String::new(), "/srv/x".to_owned()));
    }
}
