//! A rule as it was written: which option, its text, its place. Pure; travels with the configuration.

use serde::{Deserialize, Serialize};

/// One line of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenRule {
    /// The option, such as `response-route-if`.
    pub option: String,
    /// Its value.
    pub text: String,
    /// Where it stands, for messages.
    pub place: String,
}

/// When rules run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before anything answers (`route`).
    Request,
    /// When a status is set (`error-route`).
    Error,
    /// When the head of the answer is about to go (`response-route`).
    Response,
    /// When the answer has been sent (`final-route`).
    Final,
}

/// What a rule looks at before its action is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    /// At one field of the request, by a regular expression.
    At(Field),
    /// At the status of the answer.
    AtStatus,
    /// At a condition.
    If,
    /// At a condition that must not hold.
    IfNot,
    /// At nothing.
    Never,
    /// It is no rule, but the name of a place.
    Label,
}

/// What a regular expression is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Path,
    Uri,
    Query,
    Host,
    Address,
    Agent,
    User,
    Referer,
}

impl Field {
    /// How many there are.
    pub(super) const COUNT: usize = 8;

    /// The variable of the same meaning.
    pub(super) fn variable(self) -> &'static str {
        match self {
            Field::Path => "PATH_INFO",
            Field::Uri => "REQUEST_URI",
            Field::Query => "QUERY_STRING",
            Field::Host => "HTTP_HOST",
            Field::Address => "REMOTE_ADDR",
            Field::Agent => "HTTP_USER_AGENT",
            Field::User => "REMOTE_USER",
            Field::Referer => "HTTP_REFERER",
        }
    }
}

impl Stage {
    /// Every one, in the order in which a request meets them.
    pub const ALL: [Stage; 4] = [Stage::Request, Stage::Error, Stage::Response, Stage::Final];

    /// What its options begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Stage::Request => "route",
            Stage::Error => "error-route",
            Stage::Response => "response-route",
            Stage::Final => "final-route",
        }
    }
}

impl WrittenRule {
    /// What the option says of the rule.
    pub(super) fn meaning(&self) -> Option<(Stage, Looks)> {
        let option = self.option.replace('_', "-");
        Stage::ALL.into_iter().find_map(|stage| Some((stage, looks(option.strip_prefix(stage.prefix())?)?)))
    }
}

fn looks(behind: &str) -> Option<Looks> {
    Some(match behind {
        "" => Looks::At(Field::Path),
        "-uri" => Looks::At(Field::Uri),
        "-qs" => Looks::At(Field::Query),
        "-host" => Looks::At(Field::Host),
        "-remote-addr" => Looks::At(Field::Address),
        "-user-agent" => Looks::At(Field::Agent),
        "-remote-user" => Looks::At(Field::User),
        "-referer" => Looks::At(Field::Referer),
        "-status" => Looks::AtStatus,
        "-if" => Looks::If,
        "-if-not" => Looks::IfNot,
        "-run" => Looks::Never,
        "-label" => Looks::Label,
        _ => return None,
    })
}
