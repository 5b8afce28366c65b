//! Rules of routing in a worker (`routing`): when they look at a request and its answer, what they ask of the world, and how
//! what they answer with is sent. Worker only.
//!
//! - `course` is a request on its way through the rules: before anything answers it, when a status is set, when the head of
//!   the answer is about to go, and when all of it has gone.
//! - `ground` is the world that rules see from a worker.
//! - `giving` sends what rules answer with; `relaying` has another server answer.
//! - `prepared` is what each thread needs for that.

mod course;
mod giving;
mod ground;
mod prepared;
mod relaying;

pub(super) use self::course::{Begun, Course, read};
pub(super) use self::giving::{give, give_instead};
pub(super) use self::ground::Caller;
pub(super) use self::prepared::Routes;
pub(crate) use self::prepared::warn_of_missing_users;
