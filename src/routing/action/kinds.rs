//! What actions there are, with their arguments read. Pure.

use super::caching::CacheAction;
use super::calling::CallAction;
use super::passing::PassAction;
use crate::routing::answer::FileAnswer;
use crate::routing::template::Template;
use crate::routing::written::Field;

/// An action, with its argument read.
#[derive(Debug, Clone)]
pub(in crate::routing) enum Action {
    /// It has nothing to do here.
    Nothing,
    Continue,
    Break(Option<(u16, Option<String>)>),
    Return(u16),
    /// To a label that depends on the request.
    GoTo(Template),
    /// To the rule at this place of the chain.
    JumpTo(usize),
    Log(Template),
    /// The name of an alarm, and the message.
    Alarm(String, Template),
    LogVariable(String, Template),
    NoLog,
    SetVariable(String, Template),
    SetField(Field, Template),
    /// `setuser`: up to the first colon.
    SetUser(Template),
    FixPath,
    Calculate(Operator, String, Template),
    AddHeader(Template),
    RemoveHeader(Template),
    ClearHeaders(Template),
    Expires(Since, u64),
    Send(Template, &'static str),
    Deadline(u64),
    ChangeDirectory(Template),
    SetTitle(Template),
    Redirect {
        is_permanent: bool,
        to: Template,
    },
    Rewrite {
        is_last: bool,
        to: Template,
    },
    Authenticate {
        realm: String,
        who: Who,
        passes_on: bool,
    },
    Static {
        path: Template,
        passes_on: bool,
    },
    File {
        file: FileTemplate,
        passes_on: bool,
    },
    Cache(Box<CacheAction>),
    Call(Box<CallAction>),
    Pass(Box<PassAction>),
    /// `signal:`.
    Raise(u8),
    Hash {
        key: Template,
        variable: String,
        items: Vec<String>,
        is_random: bool,
    },
}

/// Who may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::routing) enum Who {
    /// Nobody.
    Nobody,
    /// `USER:PASSWORD`.
    One(String),
    /// The users of a file.
    File(String),
}

/// From when something expires.
#[derive(Debug, Clone)]
pub(in crate::routing) enum Since {
    Modified(Template),
    Time(Template),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::routing) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// A file to be sent, still to be filled in.
#[derive(Debug, Clone)]
pub(in crate::routing) struct FileTemplate {
    pub(in crate::routing) path: Template,
    pub(in crate::routing) status: Template,
    pub(in crate::routing) rest: FileAnswer,
}

impl Action {
    /// The cache that it needs, if it needs one; empty for the first there is.
    pub(in crate::routing) fn cache(&self) -> Option<&str> {
        match self {
            Action::Cache(action) => Some(&action.cache),
            _ => None,
        }
    }

    /// The file of users that it needs, if it needs one.
    pub(in crate::routing) fn user_file(&self) -> Option<&str> {
        match self {
            Action::Authenticate { who: Who::File(path), .. } => Some(path),
            _ => None,
        }
    }

    /// Why it can only be done before anything has answered; `None` if it can be done at any time.
    pub(in crate::routing) fn only_first(&self) -> Option<&'static str> {
        match self {
            Action::Call(_) => Some("no function is called while an answer is on its way"),
            Action::Pass(_) => Some("there is an answer already"),
            _ => None,
        }
    }

    /// Whether it may take long: code of the application, or another server, has a part in it.
    pub(in crate::routing) fn takes_time(&self) -> bool {
        matches!(self, Action::Call(_))
    }

    /// Whether it needs the groups of the match.
    pub(in crate::routing) fn has_groups(&self) -> bool {
        use Action::*;
        match self {
            Nothing | Continue | Break(_) | Return(_) | JumpTo(_) | NoLog | FixPath | Deadline(_) | Raise(_) => false,
            Authenticate { .. } => false,
            GoTo(text)
            | Log(text)
            | Alarm(_, text)
            | LogVariable(_, text)
            | SetVariable(_, text)
            | SetField(_, text) => text.has_groups(),
            SetUser(text) | Calculate(_, _, text) | AddHeader(text) | RemoveHeader(text) => text.has_groups(),
            ClearHeaders(text) | Send(text, _) | ChangeDirectory(text) | SetTitle(text) => text.has_groups(),
            Expires(Since::Modified(text) | Since::Time(text), _) => text.has_groups(),
            Redirect { to, .. } | Rewrite { to, .. } => to.has_groups(),
            Static { path, .. } => path.has_groups(),
            File { file, .. } => file.path.has_groups() || file.status.has_groups(),
            Cache(action) => action.has_groups(),
            Call(action) => action.has_groups(),
            Pass(action) => action.has_groups(),
            Hash { key, .. } => key.has_groups(),
        }
    }
}
