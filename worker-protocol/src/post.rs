//! What a child of the master does, and its number among those who do the same. All processes.
//!
//! ```
//! use worker_protocol::post::{Post, Role};
//!
//! let mule = Post { role: Role::Mule, number: 2 };
//! assert_eq!(Post::unpack(mule.pack()), Some(mule));
//! assert_eq!(Post::worker(1).role, Role::Worker);
//! ```

use std::fmt;

/// What a child of the master is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Role {
    /// Serves requests.
    Worker,
    /// Runs code of the application beside the requests (`mule`).
    Mule,
    /// Runs tasks that wait in a directory (`spooler`).
    Spooler,
    /// Takes TLS off connections, and passes them on to the workers.
    Router,
    /// Any program that an instance wants to have beside it (`attach-daemon`).
    Daemon,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 5] = [Role::Worker, Role::Mule, Role::Spooler, Role::Router, Role::Daemon];

    /// As it stands on the wire. Worker is 0, so that a number alone means a worker.
    fn number(self) -> u32 {
        match self {
            Role::Worker => 0,
            Role::Mule => 1,
            Role::Spooler => 2,
            Role::Router => 3,
            Role::Daemon => 4,
        }
    }

    fn from_number(number: u32) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.number() == number)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Role::Worker => "worker",
            Role::Mule => "mule",
            Role::Spooler => "spooler",
            Role::Router => "router",
            Role::Daemon => "daemon",
        })
    }
}

/// One place of work: what is done there, and its number as operators know it, from 1. A child and its successor share
/// it for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Post {
    /// What is done there.
    pub role: Role,
    /// At most [`Post::NUMBER_MAX`].
    pub number: u32,
}

impl Post {
    /// The largest number: it shares 32 bits with the role.
    pub const NUMBER_MAX: u32 = (1 << Post::NUMBER_BITS) - 1;

    const NUMBER_BITS: u32 = 24;

    /// The worker of this number.
    pub fn worker(number: u32) -> Post {
        Post { role: Role::Worker, number }
    }

    /// As one number: the role in bits 24 to 31, the number below.
    pub fn pack(self) -> u32 {
        self.role.number() << Post::NUMBER_BITS | self.number & Post::NUMBER_MAX
    }

    /// From one number; `None` for a role that there is not.
    pub fn unpack(packed: u32) -> Option<Post> {
        let role = Role::from_number(packed >> Post::NUMBER_BITS)?;
        Some(Post { role, number: packed & Post::NUMBER_MAX })
    }
}

impl fmt::Display for Post {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.role, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_comes_back_as_it_was_packed() {
        for role in Role::ALL {
            for number in [0, 1, 7, Post::NUMBER_MAX] {
                let post = Post { role, number };
                assert_eq!(Post::unpack(post.pack()), Some(post));
            }
        }
        assert_eq!(Post::worker(3).pack(), 3);
        assert_eq!(Post { role: Role::Spooler, number: 5 }.pack(), 2 << 24 | 5);
        assert_eq!(Post::unpack(9 << 24 | 1), None);
    }
}
