//! What runs at which moment of the life cycle.
//!
//! The rows of the option table for the group [`Hooks`](super::Group::Hooks).
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use super::reload::watch_with_action;
use super::row::{Opt, list, text};
use crate::config::model::{Hook, HookAction, HookPhase, SignalFunction, WatchEffect};

// What stands behind several rows.
const JAIL: &str = "there is no jail; use hook-as-root or hook-as-user";
const C_FUNCTION: &str = "C functions cannot be called; use a hook with exec:";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("hook-asap").sets(|d, v| hook(d, v, HookPhase::Asap)).works().at_start()
        .says("Hook action executed as soon as configuration is read"),
    list("hook-pre-jail").unsupported(JAIL).says("Hook action executed before jailing"),
    list("hook-post-jail").unsupported(JAIL).says("Hook action executed after jailing"),
    list("hook-in-jail").unsupported(JAIL).says("Hook action executed inside the jail after setup"),
    list("hook-as-root").sets(|d, v| hook(d, v, HookPhase::AsRoot)).works().at_start()
        .says("Hook action executed before dropping privileges"),
    list("hook-as-user").sets(|d, v| hook(d, v, HookPhase::AsUser)).works().at_start()
        .says("Hook action executed after dropping privileges"),
    list("hook-as-user-atexit").sets(|d, v| hook(d, v, HookPhase::AsUserAtexit)).works()
        .says("Hook action executed at exit or reload"),
    list("hook-pre-app").sets(|d, v| hook(d, v, HookPhase::PreApp)).works().says("Hook action executed before apps load"),
    list("hook-post-app").sets(|d, v| hook(d, v, HookPhase::PostApp)).works().says("Hook action executed after apps load"),
    list("hook-post-fork").sets(|d, v| hook(d, v, HookPhase::PostFork)).works().says("Hook action executed after each fork"),
    list("hook-accepting").sets(|d, v| hook(d, v, HookPhase::Accepting)).works()
        .says("Hook action executed when a worker starts accepting"),
    list("hook-accepting1").sets(|d, v| hook(d, v, HookPhase::Accepting1)).works()
        .says("Hook action executed when worker 1 starts accepting"),
    list("hook-accepting-once").sets(|d, v| hook(d, v, HookPhase::AcceptingOnce)).works()
        .says("Hook action executed at each worker's first accept only"),
    list("hook-accepting1-once").sets(|d, v| hook(d, v, HookPhase::Accepting1Once)).works()
        .says("Hook action executed at worker 1's first accept only"),
    list("hook-master-start").sets(|d, v| hook(d, v, HookPhase::MasterStart)).works().at_start()
        .but("unix_signal: by a reload")
        .says("Hook action executed when the master loop starts"),
    list("hook-touch").sets(hook_touch).works()
        .says("Hook action executed when a file changes: file action"),
    list("hook-emperor-start").sets(|d, v| hook(d, v, HookPhase::EmperorStart)).works().at_start()
        .says("Hook action executed on Emperor start"),
    list("hook-emperor-stop").sets(|d, v| hook(d, v, HookPhase::EmperorStop)).works()
        .says("Hook action executed on Emperor stop message"),
    list("hook-emperor-reload").sets(|d, v| hook(d, v, HookPhase::EmperorReload)).works()
        .says("Hook action executed on Emperor reload message"),
    list("hook-emperor-lost").sets(|d, v| hook(d, v, HookPhase::EmperorLost)).works()
        .says("Hook action executed when Emperor link is lost"),
    list("hook-as-vassal").sets(|d, v| hook(d, v, HookPhase::AsVassal)).works().at_start()
        .says("Hook action executed before exec of a vassal"),
    list("hook-as-emperor").sets(|d, v| hook(d, v, HookPhase::AsEmperor)).works().at_start()
        .says("Hook action executed in Emperor after vassal start"),
    list("hook-as-mule").not_yet("mules").says("Hook action executed in each mule"),
    list("hook-as-gateway").not_yet("gateways").says("Hook action executed in each gateway"),
    list("after-request-hook").aka(&["after-request-call"]).unsupported(C_FUNCTION)
        .says("C symbol called after every request"),
    list("exec-asap").sets(|d, v| exec_hook(d, v, HookPhase::Asap)).works().at_start()
        .says("Shell command executed as soon as configuration is read"),
    list("exec-pre-jail").unsupported(JAIL).says("Shell command executed before jailing"),
    list("exec-post-jail").unsupported(JAIL).says("Shell command executed after jailing"),
    list("exec-in-jail").unsupported(JAIL).says("Shell command executed inside the jail after setup"),
    list("exec-as-root").sets(|d, v| exec_hook(d, v, HookPhase::AsRoot)).works().at_start()
        .says("Shell command executed before dropping privileges"),
    list("exec-as-user").sets(|d, v| exec_hook(d, v, HookPhase::AsUser)).works().at_start()
        .says("Shell command executed after dropping privileges"),
    list("exec-as-user-atexit").sets(|d, v| exec_hook(d, v, HookPhase::AsUserAtexit)).works()
        .says("Shell command executed at exit or reload"),
    list("exec-pre-app").sets(|d, v| exec_hook(d, v, HookPhase::PreApp)).works().says("Shell command executed before apps load"),
    list("exec-post-app").sets(|d, v| exec_hook(d, v, HookPhase::PostApp)).works()
        .says("Shell command executed after apps load"),
    list("exec-as-vassal").sets(|d, v| exec_hook(d, v, HookPhase::AsVassal)).works().at_start()
        .says("Shell command executed before exec of a vassal"),
    list("exec-as-emperor").sets(|d, v| exec_hook(d, v, HookPhase::AsEmperor)).works().at_start()
        .says("Shell command executed in Emperor after vassal start"),
    list("call-asap").unsupported(C_FUNCTION).says("C function invoked as soon as configuration is read"),
    list("call-pre-jail").unsupported(JAIL).says("C function invoked before jailing"),
    list("call-post-jail").unsupported(JAIL).says("C function invoked after jailing"),
    list("call-in-jail").unsupported(JAIL).says("C function invoked inside the jail after setup"),
    list("call-as-root").unsupported(C_FUNCTION).says("C function invoked before dropping privileges"),
    list("call-as-user").unsupported(C_FUNCTION).says("C function invoked after dropping privileges"),
    list("call-as-user-atexit").unsupported(C_FUNCTION).says("C function invoked at exit or reload"),
    list("call-pre-app").unsupported(C_FUNCTION).says("C function invoked before apps load"),
    list("call-post-app").unsupported(C_FUNCTION).says("C function invoked after apps load"),
    list("call-as-vassal").unsupported(C_FUNCTION).says("C function invoked before exec of a vassal"),
    list("call-as-vassal1").unsupported(C_FUNCTION)
        .says("C function invoked before exec of a vassal, with vassal name"),
    list("call-as-vassal3").unsupported(C_FUNCTION)
        .says("C function invoked before exec of a vassal, with name, uid, gid"),
    list("call-as-emperor").unsupported(C_FUNCTION).says("C function invoked in Emperor after vassal start"),
    list("call-as-emperor1").unsupported(C_FUNCTION)
        .says("C function invoked in Emperor after vassal start, with vassal name"),
    list("call-as-emperor2").unsupported(C_FUNCTION)
        .says("C function invoked in Emperor after vassal start, with name, pid"),
    list("call-as-emperor4").unsupported(C_FUNCTION)
        .says("C function invoked in Emperor after vassal start, with name, pid, uid, gid"),
    list("binsh").not_yet("another shell than /bin/sh").says("Shell used to run hook commands"),
    text("worker-exec").not_yet("another program in the place of workers").says("Exec this program as worker"),
    text("worker-exec2").not_yet("another program in the place of workers")
        .says("Exec this program as worker after post-fork"),
];

/// `hook-PHASE`: an action and what follows its colon.
fn hook(draft: &mut Draft<'_>, value: &Parsed<'_>, phase: HookPhase) {
    let Some((action, argument)) = value.text.split_once(':') else {
        return draft.refuse("expected ACTION:ARGUMENT", "for example exec:/usr/local/bin/announce");
    };
    let (action, hidden) = action.strip_prefix('!').map_or((action, false), |action| (action, true));
    let Some(action) = HookAction::of_name(action) else {
        return draft.refuse(
            format!("there is no hook action `{action}`"),
            format!("known are {}", HookAction::NAMES.join(", ")),
        );
    };
    if action == HookAction::UnixSignal && SignalFunction::of_argument(argument).is_none() {
        return draft.refuse(
            "expected the number of a signal, a blank and a function",
            format!("functions are {}", SignalFunction::NAMES.join(", ")),
        );
    }
    push(draft, phase, action, argument, hidden);
}

/// `exec-PHASE`: a command for the shell.
fn exec_hook(draft: &mut Draft<'_>, value: &Parsed<'_>, phase: HookPhase) {
    push(draft, phase, HookAction::Exec, value.text, false);
}

fn push(draft: &mut Draft<'_>, phase: HookPhase, action: HookAction, argument: &str, hidden: bool) {
    let (argument, origin) = (argument.to_owned(), draft.current().origin.to_string());
    draft.config.hooks.push(Hook { phase, action, argument, hidden, origin });
}

/// `hook-touch`: a path, a blank, and an action.
fn hook_touch(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    watch_with_action(draft, value, WatchEffect::Hook);
}
