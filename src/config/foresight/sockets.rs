//! Whether the addresses of a configuration can be listened on, as far as nobody has to try. Not for who may connect
//! (`options::sockets`). Pure but for what it asks; runs in `rhinod check`.

use std::path::Path;

use super::findings::Findings;
use super::places::judge_room;
use crate::config::directive::Directive;
use crate::config::ground::Who;
use crate::config::model::{Address, Listener};
use crate::config::subject::Subject;
use crate::config::world::Kind;

/// Judges every socket, and where the instance tells of itself.
pub(super) fn judge(findings: &mut Findings<'_>) {
    judge_certificates(findings);
    let Some(who) = findings.binder else { return };
    for listener in &findings.config.sockets {
        let line = findings.give(&Subject::Socket(listener.address.clone()));
        match &listener.address {
            Address::Tcp(_) if listener.early => judge_early(findings, listener),
            address => judge_address(findings, line, who, address),
        }
    }
    judge_hearing(findings, who);
    let statistics = &findings.config.statistics;
    for (option, address) in [
        ("stats", &statistics.server),
        ("metrics", &statistics.metrics),
        ("agent-check", &statistics.agent),
        ("http-stats", &findings.config.routers.statistics),
    ] {
        let Some(address) = address else { continue };
        let line = findings.line(option, |_| true);
        let is_it = |listener: &Listener| is_one(&findings.chdir, &listener.address, address);
        if findings.config.sockets.iter().any(is_it) {
            findings.blame_line(line, "a socket of this configuration has that address", "give each its own");
        } else {
            judge_address(findings, line, who, address);
        }
    }
}

/// Where routers hear announcements is another kind of socket, which has its addresses for itself.
fn judge_hearing(findings: &mut Findings<'_>, who: Who<'_>) {
    for address in &findings.config.routers.hearing.at {
        let line = findings.line("http-subscription-server", |value| value.ends_with(&address.to_string()));
        judge_address(findings, line, who, address);
    }
}

/// Whether two addresses are the same, from this directory.
fn is_one(chdir: &Path, one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::Unix(one), Address::Unix(other)) => chdir.join(one) == chdir.join(other),
        _ => one == other,
    }
}

fn judge_address(findings: &mut Findings<'_>, line: Option<&Directive>, who: Who<'_>, address: &Address) {
    match address {
        Address::Unix(path) => {
            let path = findings.chdir.join(path);
            if let Some(obstacle) = findings.ways.obstacle(who, &path) {
                findings.blame_obstacle(line, &obstacle);
            } else if findings.ways.world.look(&path).is_some_and(|sight| sight.kind != Kind::Other) {
                findings.blame_line(line, "it exists and is not a socket", "move it away, or name another path");
            } else {
                judge_room(findings, line, who, &path);
            }
        }
        Address::Tcp(address) if !findings.ways.ground.may_bind(who, address.port()) => {
            let name = findings.ways.ground.name_of(who);
            let problem = format!("{name} may not listen on port {}", address.port());
            findings.blame_line(line, problem, super::way::low_port(address.port()));
        }
        Address::Tcp(_) | Address::Abstract(_) | Address::Inherited(_) | Address::BehindRouter(_) => {}
    }
}

/// What is spoken under TLS needs a certificate and its key.
fn judge_certificates(findings: &mut Findings<'_>) {
    for listener in &findings.config.sockets {
        let Some(tls) = &listener.tls else { continue };
        let line = findings.give(&Subject::Socket(listener.address.clone()));
        match findings.ways.ground.judge_tls(tls, listener.protocol, findings.start) {
            Ok(None) => {}
            Ok(Some(remark)) => findings.mention(line, remark, "it is served all the same; have it renewed"),
            Err(problem) => {
                findings.blame_line(line, problem, "name a certificate and the key that it was made for, both as PEM");
            }
        }
    }
}

/// One that is opened before privileges are dropped.
fn judge_early(findings: &mut Findings<'_>, listener: &Listener) {
    let Address::Tcp(address) = &listener.address else { return };
    if !findings.ways.ground.may_bind(Who::Starter, address.port()) {
        let name = findings.ways.ground.name_of(Who::Starter);
        let line = findings.give(&Subject::Socket(listener.address.clone()));
        let problem = format!("{name} may not listen on port {}", address.port());
        findings.blame_line(line, problem, super::way::low_port(address.port()));
    }
}
