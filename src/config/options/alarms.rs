//! How alarms are written, and whether those that are raised are there (uWSGI's manual, "The uWSGI alarm subsystem").
//!
//! Setters of rows in `statistics`. Pure; runs wherever a configuration is read.

use super::draft::Draft;
use super::parsed::Parsed;
use super::regex::is_regex;
use crate::config::error::ConfigError;
use crate::config::model::{Alarm, AlarmAction, LineAlarm, WatchedDescriptor};

/// Most of a message: what the input of a command has room for before anybody reads it (pipe(7)).
const MESSAGE_BYTES_MAX: usize = 65_535;

/// `alarm`: a name, a blank, the kind of action, a colon, and what that takes.
pub(super) fn alarm(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let read = value.text.split_once(' ').and_then(|(name, action)| Some((name, action.trim().split_once(':')?)));
    let Some((name, (kind, argument))) = read else {
        return draft.refuse("expected a name, a blank and what is to be done", "alarm = mail cmd:mail -s alarm root");
    };
    if matches!(kind, "curl" | "xmpp" | "speech") {
        return draft.does_nothing(format!("rhinod has no alarms of the kind `{kind}`; use cmd"));
    }
    match action_of(kind, argument) {
        Some(action) => draft.config.logging.alarms.list.push(Alarm { name: name.to_owned(), action }),
        None => draft.refuse(
            "expected what is to be done",
            "log:TEXT, cmd:COMMAND, udp:IP:PORT, signal:NUMBER (0 to 255) or mule:NUMBER",
        ),
    }
}

fn action_of(kind: &str, argument: &str) -> Option<AlarmAction> {
    match kind {
        "log" => Some(AlarmAction::Log(argument.to_owned())),
        "cmd" if !argument.is_empty() => Some(AlarmAction::Command(argument.to_owned())),
        "udp" => argument.parse().ok().map(AlarmAction::Datagram),
        "signal" => argument.parse().ok().map(AlarmAction::Signal),
        "mule" => argument.parse().ok().map(AlarmAction::Mule),
        _ => None,
    }
}

/// `log-alarm`: names, with commas between, a blank, and what lines must match.
pub(super) fn line_alarm(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let Some((names, expression)) = value.text.split_once(' ') else {
        return draft
            .refuse("expected names of alarms, a blank and a regular expression", "log-alarm = mail \\[error\\]");
    };
    if is_regex(draft, expression) {
        let alarms = names.split(',').map(str::to_owned).collect();
        draft.config.logging.alarms.on_lines.push(LineAlarm { alarms, expression: expression.to_owned() });
    }
}

/// `not-log-alarm`.
pub(super) fn exempt(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if is_regex(draft, value.text) {
        draft.config.logging.alarms.exempt.push(value.string());
    }
}

/// `alarm-msg-size`.
pub(super) fn message_size(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.size() {
        size @ 1..=MESSAGE_BYTES_MAX => draft.config.logging.alarms.message_bytes_max = size,
        _ => draft.refuse(format!("expected 1 to {MESSAGE_BYTES_MAX} bytes"), "8192 without it"),
    }
}

/// `alarm-fd`: a name, an inherited descriptor, and what to say when it becomes readable.
pub(super) fn descriptor(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let Some((name, rest)) = value.text.split_once(' ') else {
        return draft.refuse(
            "expected the name of an alarm, an inherited descriptor, `:` and how many bytes to read, and a message",
            "for example mail 3, or mail 3:8 the disk is full",
        );
    };
    if let Some(descriptor) = super::reload::descriptor_of(draft, rest) {
        let descriptor = WatchedDescriptor { alarm: Some(name.to_owned()), ..descriptor };
        draft.config.descriptors.push(descriptor);
    }
}

/// Whether every alarm that is raised is there. One of a kind that does nothing is not, but was told of.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let alarms = &draft.config.logging.alarms;
    let by_lines = alarms.on_lines.iter().flat_map(|rule| &rule.alarms).map(|name| ("log-alarm", name));
    let by_faults = alarms.on_fault.iter().map(|name| ("alarm-segfault", name));
    let by_queues = alarms.on_backlog.iter().map(|name| ("alarm-backlog", name));
    let descriptors = draft.config.descriptors.iter().filter_map(|one| one.alarm.as_ref());
    let all = by_lines.chain(by_faults).chain(by_queues).chain(descriptors.map(|name| ("alarm-fd", name)));
    let missing = all.filter(|(_, name)| !alarms.list.iter().any(|alarm| alarm.name == **name));
    let complaints = missing.filter_map(|(option, name)| {
        let problem = format!("has no effect: there is no alarm with the name `{name}`");
        Some(ConfigError::about(draft.given(option)?, problem).suggest("alarm = NAME cmd:COMMAND"))
    });
    let complaints: Vec<ConfigError> = complaints.collect();
    complaints.into_iter().for_each(|complaint| draft.idle(complaint));
}
