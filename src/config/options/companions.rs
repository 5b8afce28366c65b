//! What the options of mules, farms and spoolers set, and what they mean together. Their rows are in `tasks`.
//!
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::{Farm, MuleWork, Spool};

/// More mules than anyone has; each has queues of its own in every process.
const MULES_MAX: usize = 100;

/// `mule`: a file, `module:callable`, or nothing.
pub(super) fn mule(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let text = value.text.trim();
    let work = match text {
        _ if text.ends_with(".py") => MuleWork::File(text.into()),
        _ if text.contains(':') => MuleWork::Callable(text.to_owned()),
        _ => MuleWork::Messages,
    };
    if !matches!(text, "" | "true") && work == MuleWork::Messages {
        draft.warn(format!(
            "{text:?} names no program, so that this mule waits for messages (a program is FILE.py or MODULE:CALLABLE)"
        ));
    }
    add(draft, &work, 1);
}

/// `mules`: so many that wait for messages.
pub(super) fn mules(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    add(draft, &MuleWork::Messages, value.size());
}

fn add(draft: &mut Draft<'_>, work: &MuleWork, count: usize) {
    let all = draft.config.mules.list.len().saturating_add(count);
    if all > MULES_MAX {
        return draft.refuse(format!("there can be {MULES_MAX} mules, not {all}"), "let each do more");
    }
    draft.config.mules.list.extend(std::iter::repeat_n(work.clone(), count));
}

/// `spooler` and `spooler-external`: a directory.
pub(super) fn spooler(draft: &mut Draft<'_>, value: &Parsed<'_>, external: bool) {
    draft.config.spoolers.list.push(Spool { directory: value.path(), external });
}

/// `farm`: `NAME:1,2`.
pub(super) fn farm(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let parts = value.text.split_once(':').map(|(name, list)| (name.trim(), list));
    let Some((name, list)) = parts.filter(|(name, _)| !name.is_empty()) else {
        return draft.refuse("expected a name, `:` and numbers of mules", "for example jobs:1,2");
    };
    let numbers: Result<Vec<u32>, _> = list.split(',').map(|number| number.trim().parse()).collect();
    match numbers {
        Ok(mules) => {
            draft.farms_from.push(draft.current());
            draft.config.mules.farms.push(Farm { name: name.to_owned(), mules });
        }
        Err(_) => draft.refuse("the mules of a farm are named by their numbers", "for example jobs:1,2"),
    }
}

/// Farms are of mules that there are, and each has a name of its own; of spooler processes fewer can run than there may be.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let most = draft.config.spoolers.processes_each;
    if let (Some(fewest), Some(directive)) = (draft.config.spoolers.fewest_each, draft.given("spooler-cheaper"))
        && fewest >= most
    {
        let problem = format!("the fewest processes must be fewer than spooler-processes, which is {most}");
        draft.error(ConfigError::about(directive, problem));
    }
    let count = draft.config.mules.list.len();
    for (place, directive) in draft.farms_from.clone().into_iter().enumerate() {
        let farm = &draft.config.mules.farms[place];
        let twin = draft.config.mules.farms[..place].iter().any(|other| other.name == farm.name);
        let stranger = farm.mules.iter().find(|number| **number == 0 || **number as usize > count);
        let problem = match stranger {
            Some(number) => format!("there is no mule {number}: there are {count}"),
            None if twin => format!("there is another farm of the name {}", farm.name),
            None => continue,
        };
        draft.error(ConfigError::about(directive, problem));
    }
}
