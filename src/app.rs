//! What every binary with rhinod in it does first: become a zygote, or read the command line and become a master.

use std::process::ExitCode;

use crate::config::build::Machine;
use crate::config::load::load;
use crate::config::model::Config;
use crate::config::{Host, Invocation};
use crate::handler::serve::RustHost;
use crate::handler::{BoxError, Handler};
use crate::master::{self, StartFailure};
use crate::zygote::{self, ZYGOTE_ARGUMENT};

/// Turns a binary into a full rhinod around one application.
///
/// `factory` runs once for each generation, in the zygote, before any worker exists; it gets the whole configuration
/// (environment variables of the ini file are set already). The command line and the ini files are those of the
/// `rhinod` command. Returns the exit code of the instance.
pub fn main<F, H>(factory: F) -> ExitCode
where
    F: FnOnce(&Config) -> Result<H, BoxError>,
    H: Handler,
{
    crate::logging::start();
    match zygote_control() {
        Some(control) => code(zygote::run(control, &mut RustHost::new(factory))),
        None => code(serve()),
    }
}

/// The `rhinod` command: a master without an application of its own.
pub fn command() -> ExitCode {
    main(|_: &Config| -> Result<fn(&mut crate::Request<'_>) -> crate::Response, BoxError> {
        Err("no application is configured: set module or wsgi-file for Python, or rust-app for a Rust binary".into())
    })
}

/// The control socket's number, if this process was executed as a zygote.
fn zygote_control() -> Option<i32> {
    let mut arguments = std::env::args_os().skip(1);
    (arguments.next()? == ZYGOTE_ARGUMENT).then_some(())?;
    arguments.next()?.to_str()?.parse().ok()
}

fn serve() -> i32 {
    match Reader::new().and_then(|reader| {
        let config = reader.read(false)?;
        master::run(config, &|| reader.read(true).map_err(|failure| failure.message))
    }) {
        Ok(code) => code,
        Err(failure) => {
            for line in failure.message.lines() {
                eprintln!("rhinod: {line}");
            }
            failure.code
        }
    }
}

/// Reads the configuration as the program was called with, at start and at each reload.
struct Reader {
    invocation: Invocation,
    world: Host,
}

impl Reader {
    fn new() -> Result<Self, StartFailure> {
        let invocation = Invocation::of_this_process()
            .map_err(|error| StartFailure::system("find out how the program was called", &error))?;
        Ok(Self { invocation, world: Host::new() })
    }

    fn read(&self, reload: bool) -> Result<Config, StartFailure> {
        let invocation = Invocation { reload, ..self.invocation.clone() };
        let loaded = load(&invocation, &self.world, &facts())
            .map_err(|rejected| StartFailure::configuration(&rejected.errors))?;
        for note in &loaded.config.notes {
            log::warn!("{note}");
        }
        Ok(loaded.config)
    }
}

/// What the configuration has to know of this machine.
fn facts() -> Machine {
    Machine {
        somaxconn: crate::sys::machine::somaxconn(),
        process_limit: crate::sys::machine::process_limit(),
        euid: crate::sys::machine::effective_user(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        inherited_sockets: Some(crate::sys::machine::inherited_sockets()),
        resolve: crate::sys::machine::resolve,
    }
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
