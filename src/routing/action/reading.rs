//! How the arguments of actions are read. Pure.

use super::arguments::{self, is_framing, is_header_name};
use super::kinds::{Action, FileTemplate, Operator, Since, Who};
use crate::routing::answer::FileAnswer;
use crate::routing::error::RuleError;
use crate::routing::template::Template;
use crate::routing::users;
use crate::routing::written::Field;

type Read = Result<Action, RuleError>;

/// Variables that say where the body ends, or what the protocol is: what follows would not be true.
const FIXED: [&str; 2] = ["CONTENT_LENGTH", "SERVER_PROTOCOL"];

pub(super) fn end(argument: &str) -> Read {
    match argument.trim() {
        "" => Ok(Action::Break(None)),
        text => Ok(Action::Break(Some(arguments::status(text)?))),
    }
}

pub(super) fn phrase(argument: &str) -> Read {
    Ok(Action::Return(arguments::known_status(argument)?))
}

pub(super) fn assignment(argument: &str, action: fn(String, Template) -> Action) -> Read {
    match argument.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(action(name.to_owned(), Template::read(value)?)),
        _ => Err(RuleError::new("expected NAME=VALUE")),
    }
}

pub(super) fn alarm(argument: &str) -> Read {
    match argument.trim().split_once(' ') {
        Some((name, message)) => Ok(Action::Alarm(name.to_owned(), Template::read(message)?)),
        None => Err(RuleError::new("expected NAME MESSAGE").advise("the name is that of an `alarm = NAME …`")),
    }
}

pub(super) fn variable(argument: &str) -> Read {
    let read = assignment(argument, Action::SetVariable)?;
    match &read {
        Action::SetVariable(name, _) if FIXED.contains(&name.as_str()) => {
            Err(RuleError::new(format!("{name} is what came with the request, and stays so")))
        }
        Action::SetVariable(name, _) if name.starts_with("UWSGI_") && name != "UWSGI_SCHEME" => {
            let problem = format!("{name} steers what is loaded, and nothing here acts on it");
            Err(RuleError::new(problem).advise("name applications with mount"))
        }
        _ => Ok(read),
    }
}

pub(super) fn set(name: &str, argument: &str) -> Read {
    Ok(Action::SetVariable(name.to_owned(), Template::read(argument)?))
}

pub(super) fn field(field: Field, argument: &str) -> Read {
    Ok(Action::SetField(field, Template::read(argument)?))
}

pub(super) fn calculation(operator: Operator, argument: &str) -> Read {
    let (name, by) = argument.split_once(',').unwrap_or((argument, ""));
    if name.is_empty() {
        return Err(RuleError::new("expected VARIABLE, or VARIABLE,NUMBER"));
    }
    Ok(Action::Calculate(operator, name.to_owned(), Template::read(by)?))
}

pub(super) fn header(argument: &str) -> Read {
    let name = argument.split(':').next().unwrap_or_default().trim();
    if !name.contains('$') {
        if !argument.contains(':') || !is_header_name(name.as_bytes()) {
            return Err(RuleError::new("expected Name: value").advise("for example X-Frame-Options: DENY"));
        }
        refuse_framing(name)?;
    }
    Ok(Action::AddHeader(Template::read(argument)?))
}

pub(super) fn no_header(argument: &str) -> Read {
    refuse_framing(argument.trim())?;
    Ok(Action::RemoveHeader(Template::read(argument.trim())?))
}

fn refuse_framing(name: &str) -> Result<(), RuleError> {
    match is_framing(name.as_bytes()) {
        true => Err(RuleError::new(format!("{name} says where an answer ends"))
            .advise("leave it to the application and the server")),
        false => Ok(()),
    }
}

pub(super) fn cleared(argument: &str) -> Read {
    let status = Template::read(argument)?;
    if let Some(text) = status.fixed() {
        arguments::status(&String::from_utf8_lossy(text))?;
    }
    Ok(Action::ClearHeaders(status))
}

pub(super) fn expires(argument: &str) -> Read {
    let pairs = arguments::pairs(argument, &["filename", "unix", "value"])?;
    let since = match (arguments::value(&pairs, "filename"), arguments::value(&pairs, "unix")) {
        (Some(path), _) => Since::Modified(Template::read(path)?),
        (None, Some(time)) => Since::Time(Template::read(time)?),
        (None, None) => return Err(RuleError::new("expected filename=PATH or unix=TIME, and value=SECONDS")),
    };
    let seconds = arguments::value(&pairs, "value").unwrap_or("0").parse();
    Ok(Action::Expires(since, seconds.map_err(|_| RuleError::new("expected value=SECONDS"))?))
}

pub(super) fn signal(argument: &str) -> Read {
    let number = argument.trim().parse();
    Ok(Action::Raise(number.map_err(|_| RuleError::new("expected the number of a signal, 0 to 255"))?))
}

pub(super) fn deadline(argument: &str) -> Read {
    match argument.trim() {
        "" => Ok(Action::Deadline(0)),
        text => Ok(Action::Deadline(text.parse().map_err(|_| RuleError::new("expected a number of seconds"))?)),
    }
}

pub(super) fn authentication(argument: &str, passes_on: bool) -> Read {
    let Some((realm, who)) = argument.split_once(',') else {
        let problem = "expected REALM,USER:PASSWORD or REALM,FILE";
        return Err(RuleError::new(problem).advise("for example basicauth:Internal,/etc/nginx/users"));
    };
    if realm.chars().any(|character| character.is_control() || matches!(character, '"' | '\\')) {
        return Err(RuleError::new("the realm has a character that would end it"));
    }
    let who = match who {
        "" => Who::Nobody,
        one if one.contains(':') => Who::One(one.to_owned()),
        path if users::KNOWS_HASHES => Who::File(path.to_owned()),
        _ => {
            let problem = "a file of users needs hashes of passwords, which are not built into this program";
            return Err(RuleError::new(problem).advise("build it with rhinod's feature `passwords`"));
        }
    };
    Ok(Action::Authenticate { realm: realm.to_owned(), who, passes_on })
}

pub(super) fn file(argument: &str, passes_on: bool) -> Read {
    let known = &["filename", "status", "content_type", "mime", "no_cl", "no_headers"];
    let pairs = arguments::pairs(argument, known)?;
    let of = |key| arguments::value(&pairs, key);
    let path = of("filename").filter(|path| !path.is_empty());
    let path = path.ok_or_else(|| RuleError::new("expected filename=PATH"))?;
    let content_type = of("content_type").unwrap_or_default();
    if content_type.chars().any(char::is_control) {
        return Err(RuleError::new("the content type has a control character"));
    }
    let rest = FileAnswer {
        content_type: content_type.to_owned(),
        by_name: of("mime").is_some(),
        without_length: of("no_cl").is_some(),
        without_headers: of("no_headers").is_some(),
        ..FileAnswer::default()
    };
    let status = Template::read(of("status").unwrap_or_default())?;
    if let Some(text) = status.fixed().filter(|text| !text.is_empty()) {
        arguments::status(&String::from_utf8_lossy(text))?;
    }
    Ok(Action::File { file: FileTemplate { path: Template::read(path)?, status, rest }, passes_on })
}

pub(super) fn hash(argument: &str) -> Read {
    let pairs = arguments::pairs(argument, &["key", "var", "items", "algo"])?;
    let of = |key| arguments::value(&pairs, key).filter(|value| !value.is_empty());
    let (Some(key), Some(variable), Some(items)) = (of("key"), of("var"), of("items")) else {
        return Err(RuleError::new("expected key=TEXT,var=VARIABLE,items=A;B;C"));
    };
    let is_random = match of("algo").unwrap_or("djb33x") {
        "djb33x" => false,
        "rand" => true,
        other => {
            return Err(RuleError::new(format!("the algorithm {other} is not there")).advise("djb33x and rand are"));
        }
    };
    let items = items.split(';').map(str::to_owned).collect();
    Ok(Action::Hash { key: Template::read(key)?, variable: variable.to_owned(), items, is_random })
}
