//! Tests of building, and what they share: lines of a file as directives, for a machine with room for everything.

mod messages;
mod restart;
mod values;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::*;

/// A machine with room for everything, and one known host.
fn roomy() -> Surroundings {
    Surroundings {
        somaxconn: Some(4096),
        migrates_connections: Some(true),
        process_limit: Some(1000),
        euid: 1000,
        umask: None,
        inherited_sockets: Some(0),
        resolve: |host| (host == "app").then_some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7))),
        executes: |_| true,
        search_path: Some("/bin".to_owned()),
        own_interpreter: None,
    }
}

/// The lines of a file without logic or placeholders as directives.
fn directives(text: &str) -> Vec<Directive> {
    let path: Arc<str> = "app.ini".into();
    let section: Arc<str> = "uwsgi".into();
    let mut directives = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let origin = Origin::File { path: path.clone(), line: index + 1, section: section.clone() };
        directives.push(Directive::new(key.trim(), Some(value.trim()), origin));
    }
    directives
}

fn built_on(surroundings: &Surroundings, text: &str) -> Result<Built, ConfigErrors> {
    build(&directives(text), surroundings)
}

/// Builds with a socket added at the end, so that line numbers stay those of the text.
fn built(text: &str) -> Built {
    match built_on(&roomy(), &format!("{text}\nsocket = /run/app.sock")) {
        Ok(built) => built,
        Err(errors) => panic!("{text}\n{errors}"),
    }
}
