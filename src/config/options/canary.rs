//! The trial of new generations: values and judgement of `reload-canary` and its relatives, whose rows are among ours.
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::{Portion, Undecided};

/// What says how a trial goes on, and means nothing without one.
const DETAILS: &[&str] = &["reload-canary-time", "reload-canary-requests", "reload-canary-verdict"];

/// `reload-canary`: a number of workers, or a part of them in percent.
pub(super) fn portion(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let text = value.text.trim();
    let number = |text: &str| text.trim_end().parse::<u32>().ok().filter(|number| *number > 0);
    let portion = match text.strip_suffix('%') {
        Some(percent) => number(percent).filter(|percent| *percent <= 100).map(Portion::Percent),
        None => number(text).map(Portion::Workers),
    };
    match portion {
        Some(portion) => draft.config.canary.portion = Some(portion),
        None => draft.refuse(
            "expected a number of workers from 1 on, or a part of them from 1% to 100%",
            "for example 1, or 10%, in an ini file written 10%%; without the line reloads have no trial",
        ),
    }
}

/// `reload-canary-verdict`.
pub(super) fn verdict(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    draft.config.canary.undecided = Undecided::ALL.get(value.size()).copied().unwrap_or_default();
}

/// What the options mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    match draft.given("reload-canary") {
        Some(directive) if draft.config.exit_on_reload => {
            let problem = "nothing can be tried: with exit-on-reload the instance ends in place of a reload";
            draft.error(ConfigError::about(directive, problem).suggest("leave one of the two out"));
        }
        Some(_) => {}
        None => {
            for directive in DETAILS.iter().filter_map(|name| draft.given(name)).collect::<Vec<_>>() {
                draft.idle(ConfigError::about(directive, "has no effect without reload-canary"));
            }
        }
    }
}
