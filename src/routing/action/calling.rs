//! What rules do with functions of the application, or of another instance: answer with what one gives, go where it says, or
//! keep it. Pure; functions are called by the [`World`].

use worker_protocol::http::foreign;

use super::step::{Failure, Step};
use crate::routing::answer::{Answer, WholeAnswer};
use crate::routing::pattern::Groups;
use crate::routing::state::Request;
use crate::routing::template::Template;
use crate::routing::world::World;

/// A call, and what is done with its result.
#[derive(Debug, Clone)]
pub(in crate::routing) struct CallAction {
    pub(super) function: Template,
    /// The address of another instance; nothing for this one.
    pub(super) node: Option<Template>,
    pub(super) arguments: Vec<Template>,
    pub(super) what: Use,
}

/// What is done with a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Use {
    /// `rpc:`, `call:`: it is the body of the answer.
    Answer,
    /// `rpcblob:`, `rpcnext:`: the same, but without a result the request goes on.
    AnswerOrGoOn,
    /// `rpcraw:`: it is the answer itself, with its head.
    WholeAnswer,
    /// `rpcret:`: it says what follows.
    Follow,
    /// `rpcvar:`: it is the value of a variable.
    Keep(String),
}

impl CallAction {
    /// Whether it needs the groups of the match.
    pub(super) fn has_groups(&self) -> bool {
        [Some(&self.function), self.node.as_ref()]
            .into_iter()
            .flatten()
            .chain(&self.arguments)
            .any(Template::has_groups)
    }

    /// Calls, and does what is to be done with the result.
    pub(super) fn act(&self, groups: &Groups, request: &mut Request<'_>, world: &dyn World) -> Result<Step, Failure> {
        let filled = |template: &Template| template.fill(groups, request, world);
        let (function, node) = (filled(&self.function), self.node.as_ref().map(filled).unwrap_or_default());
        let arguments: Vec<Vec<u8>> = self.arguments.iter().map(filled).collect();
        let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        let node = String::from_utf8_lossy(&node);
        let result = world.call(&node, &function, &arguments).filter(|result| !result.is_empty());
        let answer =
            |body| Step::Answer(Answer::Whole(WholeAnswer { status: 200, reason: None, headers: Vec::new(), body }));
        Ok(match (&self.what, result) {
            (Use::Answer | Use::AnswerOrGoOn, Some(body)) => answer(body),
            (Use::Answer | Use::Follow, None) => {
                let name = String::from_utf8_lossy(&function).into_owned();
                return Err(Failure::Other(format!("the function {name} gave no result")));
            }
            (Use::AnswerOrGoOn | Use::WholeAnswer, None) => Step::Next,
            (Use::WholeAnswer, Some(result)) => Step::Answer(Answer::Whole(whole(&result).map_err(Failure::Other)?)),
            // A function that fails lets nobody pass.
            (Use::Follow, Some(result)) => follow(&result).map_err(Failure::Other)?,
            (Use::Keep(variable), result) => {
                request.set(variable.as_bytes(), result.unwrap_or_default())?;
                Step::Next
            }
        })
    }
}

/// What a function says that is to follow; anything else ends the chain, as in uWSGI.
fn follow(result: &[u8]) -> Result<Step, String> {
    let text = String::from_utf8_lossy(result);
    let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
    Ok(match word {
        "next" => Step::Next,
        "goto" => Step::JumpToLabel(rest.as_bytes().to_vec()),
        "break" if rest.is_empty() => return Err("the function ends the request without an answer".to_owned()),
        "break" => {
            let (status, reason) = super::arguments::status(rest).map_err(|error| error.problem)?;
            Step::Answer(Answer::Status { status, reason })
        }
        _ => Step::Continue,
    })
}

/// The answer that a result is.
fn whole(result: &[u8]) -> Result<WholeAnswer, String> {
    let unfit = |why: String| format!("what the function gave cannot be an answer: {why}");
    let head = foreign::read(result).map_err(|error| unfit(error.to_string()))?;
    let head = head.ok_or_else(|| unfit("its head has no end".to_owned()))?;
    let body = result.get(head.bytes..).unwrap_or_default().to_vec();
    let reason = Some(head.reason).filter(|reason| !reason.is_empty());
    let headers = head.headers.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
    Ok(WholeAnswer { status: head.status, reason, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_says_what_follows() {
        assert_eq!(follow(b"next"), Ok(Step::Next));
        assert_eq!(follow(b"continue"), Ok(Step::Continue));
        assert_eq!(follow(b"goto there"), Ok(Step::JumpToLabel(b"there".to_vec())));
        let answer = Answer::Status { status: 403, reason: Some("Not You".to_owned()) };
        assert_eq!(follow(b"break 403 Not You"), Ok(Step::Answer(answer)));
        assert!(follow(b"break").is_err() && follow(b"break x").is_err());
    }

    #[test]
    fn a_whole_answer_has_a_head_that_says_nothing_of_its_end() {
        let answer = whole(b"HTTP/1.1 203 Own\r\nX-Own: yes\r\nContent-Length: 99\r\n\r\nraw").unwrap();
        assert_eq!((answer.status, answer.reason.as_deref(), &answer.body[..]), (203, Some("Own"), &b"raw"[..]));
        assert_eq!(answer.headers, [(b"X-Own".to_vec(), b"yes".to_vec())]);
        assert!(whole(b"HTTP/1.1 200 OK\r\n").is_err() && whole(b"raw").is_err());
    }
}
