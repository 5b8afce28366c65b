//! With what status rhinod ends: one place that turns every kind of end into a number. Every process.

/// With what status rhinod ends. From 64 on the numbers are those of sysexits.h; 22 is uWSGI's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done. For `check`: every line does what it says.
    Success,
    /// For `check`: the configuration can be started, but some lines do nothing. (An instance whose first load has no
    /// end of its own, by `load-timeout` or a signal, has the same number, which is uWSGI's.)
    LinesDoNothing,
    /// For `check` and `show`: the configuration cannot be started, or its application cannot be loaded.
    WillNotStart,
    /// For `status`: no worker has served yet, or none is ready.
    Loading,
    /// For `status`: the instance is paused.
    Paused,
    /// For `status`: the instance is stopping.
    Stopping,
    /// No application could be loaded: a Rust one, or a Python one that `need-app` asks for (uWSGI's manual, "Things to
    /// know").
    Application,
    /// The command line asks for nothing that there is.
    Usage,
    /// A file to read is not there.
    Input,
    /// The user or group to run as does not exist.
    Account,
    /// The instance that a command is for is not there or does not answer.
    NoInstance,
    /// An address to listen on is in use or cannot be bound.
    Address,
    /// A fault of rhinod's own.
    Fault,
    /// The system refused a process, memory or a descriptor.
    System,
    /// A pid file, log or fifo cannot be created.
    Create,
    /// A reload failed and the old generation goes on serving, or a stop is not over in time.
    Reload,
    /// The right to do it is missing.
    Permission,
    /// The configuration is wrong.
    Configuration,
}

impl Exit {
    /// For `--ping`: nobody answers. uWSGI's number.
    pub const NO_PONG: Exit = Exit::LinesDoNothing;
    /// For `--ping`: the answer has a warning. uWSGI's number.
    pub const PONG_WARNS: Exit = Exit::WillNotStart;

    /// Every status, by number.
    pub const ALL: &'static [Exit] = &[
        Exit::Success,
        Exit::LinesDoNothing,
        Exit::WillNotStart,
        Exit::Loading,
        Exit::Paused,
        Exit::Stopping,
        Exit::Application,
        Exit::Usage,
        Exit::Input,
        Exit::Account,
        Exit::NoInstance,
        Exit::Address,
        Exit::Fault,
        Exit::System,
        Exit::Create,
        Exit::Reload,
        Exit::Permission,
        Exit::Configuration,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::LinesDoNothing => 1,
            Exit::WillNotStart => 2,
            Exit::Loading => 3,
            Exit::Paused => 4,
            Exit::Stopping => 5,
            Exit::Application => 22,
            Exit::Usage => 64,
            Exit::Input => 66,
            Exit::Account => 67,
            Exit::NoInstance => 68,
            Exit::Address => 69,
            Exit::Fault => 70,
            Exit::System => 71,
            Exit::Create => 73,
            Exit::Reload => 75,
            Exit::Permission => 77,
            Exit::Configuration => 78,
        }
    }

    /// One sentence for the manual page.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Success => "Everything was done. For check: every line does what it says.",
            Exit::LinesDoNothing => {
                "For check: the configuration can be started, but some lines do nothing. For an instance: the first load of \
                 the application was not over in time, or was killed. For --ping: nobody answers."
            }
            Exit::WillNotStart => {
                "For check and show: the configuration cannot be started. For --ping: the answer has a warning."
            }
            Exit::Loading => "For status: no worker has served yet, or none is ready.",
            Exit::Paused => "For status: the instance is paused.",
            Exit::Stopping => "For status: the instance is stopping.",
            Exit::Application => {
                "No application could be loaded, the first time (of a Python application only with need-app; without it \
                 every request is answered with 500). For status: there is no application."
            }
            Exit::Usage => "The command line asks for nothing that there is.",
            Exit::Input => "A file to read is not there.",
            Exit::Account => "The user or group to run as does not exist.",
            Exit::NoInstance => "The instance that a command is for is not there or does not answer.",
            Exit::Address => "An address to listen on is in use or cannot be bound.",
            Exit::Fault => "A fault of rhinod's own; please report it.",
            Exit::System => "The system refused a process, memory or a descriptor.",
            Exit::Create => "A pid file, log or fifo cannot be created.",
            Exit::Reload => {
                "A reload failed; the old generation goes on serving. For stop: the instance has not ended in time."
            }
            Exit::Permission => "The right to do it is missing.",
            Exit::Configuration => "The configuration is wrong, or the interpreter that it names cannot be executed.",
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
