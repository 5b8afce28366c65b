//! Workers that are forked from one that has served: value and judgement of `refork`, whose row is among ours. Read in the
//! master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::Refork;

/// How uWSGI's switch of this name is written.
const SWITCH: [&str; 5] = ["", "true", "1", "yes", "on"];

/// `refork`: a number of requests, or `auto`.
pub(super) fn after(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let text = value.text.trim();
    if SWITCH.contains(&text) {
        let problem = "does nothing: as a switch it is uWSGI's, which forks once more after dropping privileges";
        draft.idle(ConfigError::about(draft.current(), problem).suggest("a number of requests from 2 on, or auto"));
        return;
    }
    draft.config.refork = match text.parse::<u64>() {
        _ if text == "auto" => Refork::Auto,
        _ if ["0", "false", "no", "off"].contains(&text) => Refork::Never,
        Ok(requests) => Refork::After(requests),
        Err(_) => {
            return draft.refuse(
                "expected a number of requests from 2 on, or auto",
                "for example 1000; without the line workers are forked from what was only loaded",
            );
        }
    };
}

/// What it means together with others.
pub(super) fn judge(draft: &mut Draft<'_>) {
    if let (Some(directive), Refork::Never) = (draft.given("refork-immortal"), draft.config.refork) {
        let problem = "does nothing without refork: no worker is forked from one that has served";
        draft.idle(ConfigError::about(directive, problem).suggest("refork = 1000, or refork = auto"));
    }
    let Some(directive) = draft.given("refork").filter(|_| draft.config.refork != Refork::Never) else { return };
    if draft.config.workers < 2 {
        let problem = "there is nothing to share: one worker cannot be spared to fork others from";
        draft.error(ConfigError::about(directive, problem).suggest("set workers to 2 or more, or leave refork out"));
    } else if draft.config.lazy_apps {
        let told = "with lazy-apps every worker loads the application for itself, so that this is the only way in which they \
                    share any of its memory: they do from the first one on that has served long enough";
        draft.warning(ConfigError::about(directive, told));
    }
}
