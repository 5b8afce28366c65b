//! What every binary with rhinod in it does first: become a zygote, or read the command line and become a master.

use std::process::ExitCode;

use crate::config::model::Config;
use crate::handler::serve::RustHost;
use crate::handler::{BoxError, Handler};
use crate::master;
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
    let read = || provisional().map_err(|error| error.to_string());
    match read().map_err(master::StartFailure::configuration).and_then(|config| master::run(config, &read)) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("rhinod: {failure}");
            failure.code
        }
    }
}

fn provisional() -> Result<Config, Box<dyn std::error::Error>> {
    use crate::config::build::{Machine, build};
    use crate::config::directive::{Directive, Origin};
    let path = std::env::args().nth(1).ok_or("no ini")?;
    let text = std::fs::read_to_string(&path)?;
    let mut directives = Vec::new();
    for line in text.lines() {
        if let Some((key, value)) = line.split_once('=') {
            directives.push(Directive::new(key.trim(), Some(value.trim()), Origin::CommandLine));
        }
    }
    let machine = Machine { somaxconn: None, process_limit: None, euid: 0, cpus: 2, inherited_sockets: None, resolve: |_| None };
    Ok(build(&directives, &machine).map_err(|e| format!("{e:?}"))?.config)
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
