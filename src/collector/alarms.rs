//! Which alarms a line raises, and which of them are raised again so soon that they are not (`log-alarm`, `alarm-freq`). Pure;
//! collector only.
//!
//! Differs from uWSGI where that is at fault: what an alarm itself says raises none, and one that is raised again and again with
//! ever other messages is held back as well.

use regex_lite::Regex;

use crate::config::model::{Alarm, AlarmAction, Alarms};

/// How often an alarm is raised with different messages before it is held back for as long as the same one would be.
const IN_A_ROW_MAX: u32 = 10;

/// The alarms of a configuration.
#[derive(Debug, Default)]
pub(super) struct Watch {
    alarms: Vec<(Alarm, Recently)>,
    on_lines: Vec<(Regex, Vec<usize>)>,
    exempt: Vec<Regex>,
    between_us: u64,
    bytes_max: usize,
}

/// What an alarm has said lately.
#[derive(Debug, Default)]
struct Recently {
    last: Option<(String, u64)>,
    /// Since when it is counted, and how often it was raised since.
    counted: (u64, u32),
    held_back: u64,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raised {
    /// Which alarm.
    pub(super) name: String,
    /// What.
    pub(super) action: AlarmAction,
    /// With which message.
    pub(super) message: String,
}

impl Watch {
    /// Those of a configuration. An expression that cannot be read was refused before.
    pub(super) fn of(alarms: &Alarms) -> Self {
        let named = |names: &[String]| {
            let all = alarms.list.iter().enumerate();
            all.filter(|(_, alarm)| names.contains(&alarm.name)).map(|(index, _)| index).collect::<Vec<_>>()
        };
        let on_lines = alarms.on_lines.iter().filter_map(|rule| {
            let expression = Regex::new(&rule.expression).ok()?;
            Some((expression, named(&rule.alarms)))
        });
        Self {
            on_lines: on_lines.collect(),
            exempt: alarms.exempt.iter().filter_map(|expression| Regex::new(expression).ok()).collect(),
            alarms: alarms.list.iter().map(|alarm| (alarm.clone(), Recently::default())).collect(),
            between_us: u64::try_from(alarms.between.as_micros()).unwrap_or(u64::MAX),
            bytes_max: alarms.message_bytes_max,
        }
    }

    /// A line of the log: what it sets off.
    pub(super) fn line(&mut self, line: &str, now_us: u64) -> Vec<Raised> {
        let matching = self.on_lines.iter().filter(|(expression, _)| expression.is_match(line));
        let mut indexes: Vec<usize> = matching.flat_map(|(_, indexes)| indexes).copied().collect();
        if indexes.is_empty() || self.exempt.iter().any(|expression| expression.is_match(line)) {
            return Vec::new();
        }
        indexes.sort_unstable();
        indexes.dedup();
        indexes.into_iter().filter_map(|index| self.raise(index, line, now_us)).collect()
    }

    /// Whether there is an alarm of this name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.alarms.iter().any(|(alarm, _)| alarm.name == name)
    }

    /// Somebody raises an alarm by its name.
    pub(super) fn call(&mut self, name: &str, message: &str, now_us: u64) -> Vec<Raised> {
        let named = self.alarms.iter().enumerate().filter(|(_, (alarm, _))| alarm.name == name);
        let indexes: Vec<usize> = named.map(|(index, _)| index).collect();
        indexes.into_iter().filter_map(|index| self.raise(index, message, now_us)).collect()
    }

    fn raise(&mut self, index: usize, message: &str, now_us: u64) -> Option<Raised> {
        let Self { alarms, between_us, bytes_max, .. } = self;
        let (alarm, recently) = alarms.get_mut(index)?;
        let message = cut(message, *bytes_max);
        if !recently.may_say(message, now_us, *between_us) {
            recently.held_back = recently.held_back.saturating_add(1);
            return None;
        }
        let more = match std::mem::take(&mut recently.held_back) {
            0 => String::new(),
            count => format!(" ({count} more since the last one)"),
        };
        let Alarm { name, action } = alarm.clone();
        Some(Raised { name, action, message: format!("{message}{more}") })
    }
}

/// The beginning of a text, not longer than that.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Recently {
    fn may_say(&mut self, message: &str, now_us: u64, between_us: u64) -> bool {
        let is_recent = |since_us: u64| now_us.saturating_sub(since_us) < between_us;
        if self.last.as_ref().is_some_and(|(last, said_us)| last == message && is_recent(*said_us)) {
            return false;
        }
        if !is_recent(self.counted.0) {
            self.counted = (now_us, 0);
        }
        if self.counted.1 >= IN_A_ROW_MAX {
            return false;
        }
        self.counted.1 += 1;
        self.last = Some((message.to_owned(), now_us));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::LineAlarm;

    const SECOND: u64 = 1_000_000;

    fn watch() -> Watch {
        let alarm = |name: &str| Alarm { name: name.into(), action: AlarmAction::Log(name.into()) };
        let rule = |names: &[&str], expression: &str| LineAlarm {
            alarms: names.iter().map(|&name| name.to_owned()).collect(),
            expression: expression.into(),
        };
        Watch::of(&Alarms {
            list: vec![alarm("a"), alarm("b")],
            on_lines: vec![rule(&["a", "b"], "error"), rule(&["a"], "fatal|error")],
            exempt: vec!["boring".into()],
            message_bytes_max: 20,
            ..Alarms::default()
        })
    }

    fn said(raised: &[Raised]) -> Vec<(String, &str)> {
        raised.iter().map(|raised| (raised.name.clone(), raised.message.as_str())).collect()
    }

    #[test]
    fn a_line_raises_each_of_its_alarms_once_unless_it_is_exempt() {
        let mut watch = watch();
        assert_eq!(said(&watch.line("an error", SECOND)), [("a".into(), "an error"), ("b".into(), "an error")]);
        assert_eq!(said(&watch.line("fatal", SECOND)), [("a".into(), "fatal")]);
        assert!(watch.line("all is well", SECOND).is_empty() && watch.line("a boring error", SECOND).is_empty());
        assert_eq!(said(&watch.call("b", "called", SECOND)), [("b".into(), "called")]);
        let long = format!("error {}é", "x".repeat(13));
        assert_eq!(watch.line(&long, SECOND)[0].message.len(), 19, "never within a character");
    }

    #[test]
    fn the_same_message_waits_and_so_does_the_eleventh_other_one() {
        let mut watch = watch();
        let at = |watch: &mut Watch, line: &str, now_us| {
            watch.line(line, now_us).first().map(|raised| raised.message.clone())
        };
        assert_eq!(at(&mut watch, "fatal", 10 * SECOND).as_deref(), Some("fatal"));
        assert_eq!(at(&mut watch, "fatal", 12 * SECOND), None);
        assert_eq!(at(&mut watch, "fatal", 13 * SECOND).as_deref(), Some("fatal (1 more since the last one)"));
        let count = (0..100).filter(|number| at(&mut watch, &format!("fatal {number}"), 20 * SECOND).is_some()).count();
        assert_eq!(count, 10);
        let later = at(&mut watch, "fatal again", 23 * SECOND);
        assert_eq!(later.as_deref(), Some("fatal again (90 more since the last one)"));
    }
}
