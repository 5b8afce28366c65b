//! From directives to the typed [`Config`]: every value read by its kind, every setter run, then each group's judgement
//! on what its options mean together.
//!
//! All errors of a configuration are found in one go. Facts of the machine come in as [`Surroundings`], so the whole is
//! pure; it runs in the master at the start and at each reload, and in `rhinod check`. Not for reading files
//! (`collect`), not for names, setters and judgements (`options`), and not for defaults (`model`).

#[cfg(test)]
mod tests;

use super::directive::{Directive, Origin};
use super::error::{ConfigError, ConfigErrors};
use super::model::Config;
use super::options::{self, Draft, Kind, Opt, Parsed, Status, TABLE};
use super::surroundings::Surroundings;

/// A configuration and what the operator should know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// What the program will do. Its `notes` hold the text of both lists.
    pub config: Config,
    /// Lines that do nothing.
    pub idle: Vec<ConfigError>,
    /// What else is not wrong enough to stop the start.
    pub warnings: Vec<ConfigError>,
}

/// Builds the configuration that these directives, in order, describe.
///
/// Directives that are no option are placeholders, which the language has judged already; they only go to
/// [`Config::given`].
///
/// # Errors
/// Every bad value and every contradiction, each with its place.
pub fn build(directives: &[Directive], surroundings: &Surroundings) -> Result<Built, ConfigErrors> {
    let (built, errors) = build_all(directives, surroundings);
    errors.into_result(built)
}

/// The same, with what could be built although there are errors.
pub fn build_all(directives: &[Directive], surroundings: &Surroundings) -> (Built, ConfigErrors) {
    let nothing = Directive::new("", None, whole(directives));
    let mut draft = Draft::new(surroundings, &nothing);
    for directive in directives {
        take(&mut draft, directive);
    }
    for section in TABLE {
        (section.judge)(&mut draft);
    }
    let (mut config, findings) = draft.finish();
    config.notes = findings.warnings.iter().chain(&findings.idle).map(ToString::to_string).collect();
    (Built { config, idle: findings.idle, warnings: findings.warnings }, ConfigErrors(findings.errors))
}

/// The place to name when no line is to blame: the first file as a whole.
fn whole(directives: &[Directive]) -> Origin {
    let of_file = |directive: &Directive| match &directive.origin {
        Origin::File { path, section, .. } => {
            Some(Origin::File { path: path.clone(), line: 0, section: section.clone() })
        }
        _ => None,
    };
    directives.iter().find_map(of_file).unwrap_or(Origin::CommandLine)
}

/// Reads one directive's value and lets its option's setter write it.
fn take<'a>(draft: &mut Draft<'a>, directive: &'a Directive) {
    draft.turn_to(directive);
    draft.config.given.push((directive.key.clone(), directive.value.clone()));
    let Some(option) = options::find(&directive.key) else { return };
    draft.note_given(option.name, option.status == Status::Works);
    match (option.parse(directive.value.as_deref()), option.status) {
        (Ok(parsed), _) => apply(draft, option, &parsed),
        // What is not used need not be right.
        (Err(_), Status::Accepted(_)) => {}
        (Err(_), Status::NotYet(feature)) => draft.does_nothing(format!("rhinod does not have this yet: {feature}")),
        (Err(_), Status::Unsupported(instead)) => draft.does_nothing(format!("not supported; {instead}")),
        (Err(unfit), _) => {
            let mut error = ConfigError::about(directive, format!("expected {}", unfit.expected));
            error.suggestion = unfit.hint.or_else(|| inline_comment_hint(directive));
            draft.note_unfit(option.name, error);
        }
    }
}

fn apply(draft: &mut Draft<'_>, option: &Opt, parsed: &Parsed<'_>) {
    if let Some(remark) = &parsed.remark {
        draft.warn(remark.clone());
    }
    let literal = matches!(option.kind, Kind::Path | Kind::Address | Kind::User | Kind::UserGroup);
    if let (true, None, Some(hint)) = (literal, &parsed.remark, inline_comment_hint(draft.current())) {
        draft.warn(hint);
    }
    if let Some(set) = option.set {
        set(draft, parsed);
    }
    if option.is_switched_off(parsed) {
        return;
    }
    match option.status {
        Status::Works | Status::Accepted(_) => {}
        Status::NotYet(feature) => draft.does_nothing(format!("rhinod does not have this yet: {feature}")),
        Status::Unsupported(instead) => draft.does_nothing(format!("not supported; {instead}")),
        Status::Refused(instead) => draft.refuse("going on without it would not be safe", instead),
    }
}

/// Values are literal: what looks like a comment behind one belongs to it (uWSGI's manual, "uWSGI Options").
fn inline_comment_hint(directive: &Directive) -> Option<String> {
    let value = directive.value.as_deref()?;
    let marked = value.contains(" ;") || value.contains(" #");
    marked.then(|| "comments need a line of their own; this one is part of the value".to_owned())
}
