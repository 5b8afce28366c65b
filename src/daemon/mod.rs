//! Programs that run beside the workers (`attach-daemon` and its relatives): what is executed, how a forked process
//! becomes it, and how one that is there already is found by its pid file. And how one becomes a command of cron.
//!
//! Not when one is started, stopped or replaced: that is the machine's, as for every child of the master; and not the
//! book of those that there are (`master::children`). Runs in the master, and in what it forks until that is another
//! program.

pub(crate) mod birth;
pub(crate) mod command;
pub(crate) mod errand;
pub(crate) mod finding;
pub(crate) mod pid_file;
