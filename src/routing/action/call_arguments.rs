//! How the arguments of actions that call functions, or pass requests on, are read. Pure.

use super::calling::{CallAction, Use};
use super::kinds::Action;
use super::passing::{PassAction, Speaks};
use crate::routing::error::RuleError;
use crate::routing::template::Template;

type Read = Result<Action, RuleError>;

/// Most arguments of a call (uWSGI's bound).
const ARGUMENTS_MAX: usize = worker_protocol::rpc::ARGUMENTS_MAX;

/// `FUNCTION[@ADDRESS] ARGUMENT …`.
pub(super) fn call(argument: &str, what: Use) -> Read {
    let mut words = words(argument)?.into_iter();
    let example = "for example total@127.0.0.1:3031 ${REMOTE_ADDR}";
    let Some(function) = words.next().filter(|word| !word.is_empty()) else {
        return Err(RuleError::new("expected FUNCTION[@ADDRESS] ARGUMENT …").advise(example));
    };
    let (function, node) = match function.split_once('@') {
        Some((function, node)) => (function, Some(Template::read(node)?)),
        None => (function.as_str(), None),
    };
    let arguments = words.map(|word| Template::read(&word)).collect::<Result<Vec<_>, _>>()?;
    if arguments.len() > ARGUMENTS_MAX {
        return Err(RuleError::new(format!("a call has at most {ARGUMENTS_MAX} arguments")));
    }
    Ok(Action::Call(Box::new(CallAction { function: Template::read(function)?, node, arguments, what })))
}

/// `VARIABLE FUNCTION[@ADDRESS] ARGUMENT …`.
pub(super) fn call_for_variable(argument: &str) -> Read {
    let (name, rest) = argument.trim_start().split_once(' ').unwrap_or((argument, ""));
    match super::reading::variable(&format!("{name}="))? {
        Action::SetVariable(name, _) => call(rest, Use::Keep(name)),
        _ => Err(RuleError::new("expected VARIABLE FUNCTION ARGUMENT …")),
    }
}

/// Words with blanks between them; quotes keep blanks in a word.
fn words(text: &str) -> Result<Vec<String>, RuleError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(RuleError::new("a quote is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// `http:ADDRESS[,HOST[,URI]]`.
pub(super) fn http(argument: &str) -> Read {
    let mut parts = argument.splitn(3, ',');
    let address = address(parts.next())?;
    let read = |part: Option<&str>| part.filter(|part| !part.is_empty()).map(Template::read).transpose();
    let (host, uri) = (read(parts.next())?, read(parts.next())?);
    Ok(Action::Pass(Box::new(PassAction { address, speaks: Speaks::Http { host, uri } })))
}

/// `uwsgi:ADDRESS,MODIFIER1,MODIFIER2`.
pub(super) fn uwsgi(argument: &str) -> Read {
    let mut parts = argument.split(',');
    let first = parts.next().filter(|address| !address.is_empty());
    if first.is_none() {
        return Err(RuleError::new("expected ADDRESS,MODIFIER1,MODIFIER2")
            .advise("without an address it would choose another application; name applications with mount"));
    }
    let address = address(first)?;
    let mut modifier = || match parts.next().map(str::trim) {
        None | Some("") => Ok(0),
        Some(digits) => digits.parse().map_err(|_| RuleError::new("a modifier is a number from 0 to 255")),
    };
    let modifiers = (modifier()?, modifier()?);
    // An application's number means something to uWSGI only, where it is this one's.
    Ok(Action::Pass(Box::new(PassAction { address, speaks: Speaks::Uwsgi { modifiers } })))
}

fn address(text: Option<&str>) -> Result<Template, RuleError> {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => Template::read(text),
        None => Err(RuleError::new("expected an address").advise("for example 127.0.0.1:8080, or /run/other.sock")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_part_words_and_quotes_keep_them() {
        assert_eq!(words("f  a 'b c' \"d\"e ''").unwrap(), ["f", "a", "b c", "de", ""]);
        assert!(words("f 'a").is_err());
    }
}
