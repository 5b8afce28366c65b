//! `manual`: the policy never moves the number; only the master fifo's `+` and `-` do (uWSGI's manual, "The uWSGI
//! cheaper subsystem").

use super::{Reason, View, Wake, Wish};

pub(crate) fn look(_view: &View) -> Wish {
    Wish { workers: 0, reason: Reason::Steady, next_look_us: None, wake: Wake::Never }
}
