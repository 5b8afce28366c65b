//! What rules have of a request that is passed on to another server: where to, and in which words. Pure; the worker passes it
//! on.

use super::step::{Failure, Step};
use crate::routing::answer::Answer;
use crate::routing::pattern::Groups;
use crate::routing::relay::{Relay, Words};
use crate::routing::state::Request;
use crate::routing::template::Template;
use crate::routing::world::World;

/// Where a request is passed on to.
#[derive(Debug, Clone)]
pub(in crate::routing) struct PassAction {
    pub(super) address: Template,
    pub(super) speaks: Speaks,
}

/// What is spoken there.
#[derive(Debug, Clone)]
pub(super) enum Speaks {
    Http { host: Option<Template>, uri: Option<Template> },
    Uwsgi { modifiers: (u8, u8) },
}

impl PassAction {
    /// Whether it needs the groups of the match.
    pub(super) fn has_groups(&self) -> bool {
        let others = match &self.speaks {
            Speaks::Http { host, uri } => [host.as_ref(), uri.as_ref()],
            Speaks::Uwsgi { .. } => [None, None],
        };
        self.address.has_groups() || others.into_iter().flatten().any(Template::has_groups)
    }

    /// The request is answered by somebody else.
    pub(super) fn act(&self, groups: &Groups, request: &Request<'_>, world: &dyn World) -> Result<Step, Failure> {
        let filled = |template: &Template| template.fill(groups, request, world);
        let address = String::from_utf8(filled(&self.address));
        let address = address.ok().filter(|address| !address.is_empty() && !address.contains(char::is_control));
        let address =
            address.ok_or_else(|| Failure::Other("the address that it is to be passed on to is none".to_owned()))?;
        let words = match &self.speaks {
            Speaks::Http { host, uri } => {
                Words::Http { host: host.as_ref().map(filled), uri: uri.as_ref().map(filled) }
            }
            Speaks::Uwsgi { modifiers } => Words::Uwsgi { modifiers: *modifiers },
        };
        Ok(Step::Answer(Answer::Relayed(Relay { address, words })))
    }
}
