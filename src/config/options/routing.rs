//! Rules of routing, and headers that they ask for.
//!
//! The rows of the option table for the group [`Routing`](super::Group::Routing). What rules mean is in `routing`. Read in
//! the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use super::row::{Opt, list};
use crate::config::error::ConfigError;
use crate::config::model::CollectedHeader;
use crate::config::nearest::nearest;
use crate::routing::{RuleError, Rules, WrittenRule};

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("route").sets(rule).works().says("Request routing rule on PATH_INFO regex: match action"),
    list("route-host").sets(rule).works().says("Request routing rule on Host regex: match action"),
    list("route-uri").sets(rule).works().says("Request routing rule on REQUEST_URI regex: match action"),
    list("route-qs").sets(rule).works().says("Request routing rule on QUERY_STRING regex: match action"),
    list("route-remote-addr").sets(rule).works().says("Request routing rule on client address regex: match action"),
    list("route-user-agent").sets(rule).works().says("Request routing rule on User-Agent regex: match action"),
    list("route-remote-user").sets(rule).works().says("Request routing rule on REMOTE_USER regex: match action"),
    list("route-referer").sets(rule).works().says("Request routing rule on Referer regex: match action"),
    list("route-label").sets(rule).works().says("Request routing label, target of goto"),
    list("route-if").sets(rule).works().says("Request routing rule on true condition: match action"),
    list("route-if-not").sets(rule).works().says("Request routing rule on false condition: match action"),
    list("route-run").sets(rule).works().says("Request routing action always executed"),
    list("final-route").sets(rule).works().says("Final-stage routing rule on PATH_INFO regex: match action"),
    list("final-route-status").sets(rule).works().says("Final-stage routing rule on response status: match action"),
    list("final-route-host").sets(rule).works().says("Final-stage routing rule on Host regex: match action"),
    list("final-route-uri").sets(rule).works().says("Final-stage routing rule on REQUEST_URI regex: match action"),
    list("final-route-qs").sets(rule).works().says("Final-stage routing rule on QUERY_STRING regex: match action"),
    list("final-route-remote-addr").sets(rule).works()
        .says("Final-stage routing rule on client address regex: match action"),
    list("final-route-user-agent").sets(rule).works()
        .says("Final-stage routing rule on User-Agent regex: match action"),
    list("final-route-remote-user").sets(rule).works()
        .says("Final-stage routing rule on REMOTE_USER regex: match action"),
    list("final-route-referer").sets(rule).works().says("Final-stage routing rule on Referer regex: match action"),
    list("final-route-label").sets(rule).works().says("Final-stage routing label, target of goto"),
    list("final-route-if").sets(rule).works().says("Final-stage routing rule on true condition: match action"),
    list("final-route-if-not").sets(rule).works().says("Final-stage routing rule on false condition: match action"),
    list("final-route-run").sets(rule).works().says("Final-stage routing action always executed"),
    list("error-route").sets(rule).works().says("Error-stage routing rule on PATH_INFO regex: match action"),
    list("error-route-status").sets(rule).works().says("Error-stage routing rule on response status: match action"),
    list("error-route-host").sets(rule).works().says("Error-stage routing rule on Host regex: match action"),
    list("error-route-uri").sets(rule).works().says("Error-stage routing rule on REQUEST_URI regex: match action"),
    list("error-route-qs").sets(rule).works().says("Error-stage routing rule on QUERY_STRING regex: match action"),
    list("error-route-remote-addr").sets(rule).works()
        .says("Error-stage routing rule on client address regex: match action"),
    list("error-route-user-agent").sets(rule).works()
        .says("Error-stage routing rule on User-Agent regex: match action"),
    list("error-route-remote-user").sets(rule).works()
        .says("Error-stage routing rule on REMOTE_USER regex: match action"),
    list("error-route-referer").sets(rule).works().says("Error-stage routing rule on Referer regex: match action"),
    list("error-route-label").sets(rule).works().says("Error-stage routing label, target of goto"),
    list("error-route-if").sets(rule).works().says("Error-stage routing rule on true condition: match action"),
    list("error-route-if-not").sets(rule).works().says("Error-stage routing rule on false condition: match action"),
    list("error-route-run").sets(rule).works().says("Error-stage routing action always executed"),
    list("response-route").sets(rule).works().says("Response-stage routing rule on PATH_INFO regex: match action"),
    list("response-route-status").sets(rule).works()
        .says("Response-stage routing rule on response status: match action"),
    list("response-route-host").sets(rule).works().says("Response-stage routing rule on Host regex: match action"),
    list("response-route-uri").sets(rule).works()
        .says("Response-stage routing rule on REQUEST_URI regex: match action"),
    list("response-route-qs").sets(rule).works()
        .says("Response-stage routing rule on QUERY_STRING regex: match action"),
    list("response-route-remote-addr").sets(rule).works()
        .says("Response-stage routing rule on client address regex: match action"),
    list("response-route-user-agent").sets(rule).works()
        .says("Response-stage routing rule on User-Agent regex: match action"),
    list("response-route-remote-user").sets(rule).works()
        .says("Response-stage routing rule on REMOTE_USER regex: match action"),
    list("response-route-referer").sets(rule).works()
        .says("Response-stage routing rule on Referer regex: match action"),
    list("response-route-label").sets(rule).works().says("Response-stage routing label, target of goto"),
    list("response-route-if").sets(rule).works().says("Response-stage routing rule on true condition: match action"),
    list("response-route-if-not").sets(rule).works()
        .says("Response-stage routing rule on false condition: match action"),
    list("response-route-run").sets(rule).works().says("Response-stage routing action always executed"),
    list("collect-header").aka(&["response-header-collect"]).sets(|d, v| collect(d, v, false)).works()
        .says("Copy response header into request variable: header var"),
    list("pull-header").sets(|d, v| collect(d, v, true)).works().says("Move response header into request variable: header var"),
];

/// Whether the rules can be used together: each of them, and the labels that they jump to.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let errors = match Rules::compile(&draft.config.routing.rules) {
        Ok(rules) => {
            draft.rules = Some(rules);
            return;
        }
        Err(errors) => errors,
    };
    for (written, error) in errors {
        draft.error(complaint(&written, draft, error));
    }
}

/// Whether the caches of the rules are there, once these are known.
pub(super) fn judge_caches(draft: &mut Draft<'_>) {
    let Some(rules) = draft.rules.take() else { return };
    let names: Vec<String> = draft.config.caches.list.iter().map(|cache| cache.name.clone()).collect();
    let is_there = |name: &str| names.iter().any(|own| name.is_empty() || name == own);
    let strangers = rules.caches().filter(|(_, name)| !is_there(name));
    let errors: Vec<(WrittenRule, RuleError)> =
        strangers.map(|(written, name)| (written.clone(), RuleError::no_cache(name, &names))).collect();
    for (written, error) in errors {
        draft.error(complaint(&written, draft, error));
    }
}

fn complaint(written: &WrittenRule, draft: &Draft<'_>, error: RuleError) -> ConfigError {
    let place = draft.config.routing.rules.iter().position(|rule| rule == written);
    let directive = place.and_then(|place| draft.rules_from.get(place));
    let told = match directive {
        Some(directive) => ConfigError::about(directive, error.problem),
        None => ConfigError::at(draft.whole(), error.problem),
    };
    let meant = error.unknown.and_then(|(name, known)| nearest(&name, known.into_iter()).map(|near| near.name));
    match (meant, error.advice.as_str()) {
        (Some(meant), _) => told.suggest(format!("did you mean '{meant}'?")),
        (None, "") => told,
        (None, advice) => told.suggest(advice),
    }
}

fn rule(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let directive = draft.current();
    draft.rules_from.push(directive);
    draft.config.routing.rules.push(WrittenRule {
        option: directive.key.replace('_', "-"),
        text: value.string(),
        place: directive.origin.to_string(),
    });
}

/// `collect-header`, `pull-header`: the name of a header, a blank and a variable.
fn collect(draft: &mut Draft<'_>, value: &Parsed<'_>, is_pulled: bool) {
    let Some((header, variable)) = value.text.trim().split_once(' ').map(|(header, name)| (header, name.trim())) else {
        return draft
            .refuse("expected the name of a header, a blank and a variable", "for example X-Sendfile SENDFILE");
    };
    let (header, variable) = (header.to_owned(), variable.to_owned());
    draft.config.routing.collected.push(CollectedHeader { header, variable, is_pulled });
}
