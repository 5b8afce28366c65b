//! What options are about: the groups of the table. Pure.

/// What options are about; one file of rows each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    /// `sockets`.
    Sockets,
    /// `processes`.
    Processes,
    /// `scaling`.
    Scaling,
    /// `limits`.
    Limits,
    /// `reload`.
    Reload,
    /// `hooks`.
    Hooks,
    /// `identity`.
    Identity,
    /// `logging`.
    Logging,
    /// `python`.
    Python,
    /// `statistics`.
    Statistics,
    /// `files`.
    Files,
    /// `routing`.
    Routing,
    /// `routers`.
    Routers,
    /// `daemons`.
    Daemons,
    /// `tasks`.
    Tasks,
    /// `sharing`.
    Sharing,
    /// `emperor`.
    Emperor,
    /// `network`.
    Network,
    /// `system`.
    System,
    /// `language`.
    Language,
    /// `helpers`.
    Helpers,
    /// `ours`.
    Ours,
}

impl Group {
    /// The word for `--help` and the title of the manual's section.
    pub fn title(self) -> &'static str {
        match self {
            Group::Sockets => "sockets",
            Group::Processes => "processes and threads",
            Group::Scaling => "adaptive scaling",
            Group::Limits => "limits",
            Group::Reload => "reloading and stopping",
            Group::Hooks => "hooks",
            Group::Identity => "identity, directories, environment",
            Group::Logging => "logging",
            Group::Python => "Python",
            Group::Statistics => "statistics and alarms",
            Group::Files => "responses and static files",
            Group::Routing => "routing rules",
            Group::Routers => "HTTP and other routers",
            Group::Daemons => "attached daemons",
            Group::Tasks => "background work",
            Group::Sharing => "memory that workers share",
            Group::Emperor => "emperor, zerg and clusters",
            Group::Network => "other protocols",
            Group::System => "isolation and the system",
            Group::Language => "configuration language",
            Group::Helpers => "commands",
            Group::Ours => "rhinod's own",
        }
    }
}
