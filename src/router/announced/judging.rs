//! Whether an announcement is believed, as far as bytes tell: what it says, from where it comes, how old it is. Whether a
//! signature or the owner of a file is the right one is seen by who can look (`hearing`). Pure; used in the router.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use worker_protocol::subscription::{Command, Heard};

use super::record::Record;
use crate::config::model::{Address, Digest, Hearing};

/// The longest path of a unix socket, and the longest name without one, in bytes (unix(7)).
const UNIX_PATH_MAX: usize = 107;

/// More requests go to nobody.
const WEIGHT_MAX: u64 = 1_000_000;

/// Who has sent an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::router) struct Sender {
    /// From where; `None`: on a unix socket.
    pub(in crate::router) ip: Option<IpAddr>,
    /// Whether that is this machine.
    pub(in crate::router) is_here: bool,
    /// Process, user and group, where the kernel tells.
    pub(in crate::router) process: Option<(i32, u32, u32)>,
}

/// One that may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::router) struct Judged {
    pub(in crate::router) record: Record,
    /// The file of the public key that must have signed it, and how.
    pub(in crate::router) signer: Option<(PathBuf, Digest)>,
    /// Files of which one must belong to the sender's user and group; none: that is not asked.
    pub(in crate::router) owned: Vec<PathBuf>,
    /// What of it is not obeyed, to be said.
    pub(in crate::router) remark: Option<&'static str>,
}

/// Judges what was heard.
///
/// # Errors
/// Why it is not believed.
pub(in crate::router) fn judge(
    heard: &Heard<'_>,
    sender: &Sender,
    terms: &Hearing,
    now_us: u64,
    epoch_s: u64,
) -> Result<Judged, String> {
    let said = &heard.announcement;
    if said.key.contains('/') {
        return Err("its key is no host".to_owned());
    }
    let key = said.key.to_ascii_lowercase();
    let address = reachable(said.address, sender)?;
    let must_sign = terms.signatures.as_ref().filter(|_| !is_trusted(sender, terms));
    let signer = must_sign.map(|check| (check.directory.join(file_of(&key)), check.digest));
    if signer.is_some() {
        heard.signed.ok_or("it is not signed")?;
        let moment_s = heard.moment_s.ok_or("it does not say when it was signed")?;
        if moment_s.abs_diff(epoch_s) > terms.skew.as_secs() {
            return Err(format!(
                "it was signed at {moment_s}, which is too far from now (subscriptions-sign-check-tolerance)"
            ));
        }
    }
    let owned: Vec<PathBuf> = terms.credentials.iter().map(|directory| directory.join(&key)).collect();
    if !owned.is_empty() && (sender.process.is_none() || [".", ".."].contains(&key.as_str())) {
        return Err("nobody says whose process has sent it (subscriptions-credentials-check)".to_owned());
    }
    let asks_for_certificate = said.sni.iter().any(Option::is_some) && heard.command == Command::Subscribe;
    Ok(Judged {
        record: Record {
            at_us: now_us,
            goes: heard.command == Command::Unsubscribe,
            key,
            address,
            modifiers: (said.modifier1, said.modifier2),
            cores: said.cores,
            load: said.load,
            weight: said.weight.clamp(1, WEIGHT_MAX),
            backup: said.backup,
            moment_s: heard.moment_s.filter(|_| signer.is_some()),
            process: sender.process.unwrap_or_default(),
        },
        signer,
        owned,
        remark: asks_for_certificate.then_some(
            "its sni_key, sni_crt and sni_ca are not obeyed: certificates are the business of `https2` and `sni`",
        ),
    })
}

/// Where the router says that it knows a node now, if that is its own place: nobody has the router write to others.
pub(in crate::router) fn notified(notify: &str, sender: &Sender) -> Option<Address> {
    match reachable(notify, sender).ok()? {
        Address::Tcp(address) if sender.ip.is_some_and(|ip| ip != address.ip()) => None,
        address @ (Address::Tcp(_) | Address::Unix(_)) => Some(address),
        _ => None,
    }
}

/// Users whose processes are believed without a signature.
fn is_trusted(sender: &Sender, terms: &Hearing) -> bool {
    sender.ip.is_none() && sender.process.is_some_and(|(_, user, _)| user != 0 && terms.trusted_users.contains(&user))
}

/// The file of the public key of a key.
fn file_of(key: &str) -> String {
    let byte = |byte: u8| match byte {
        b'.' | b'_' | b'-' => byte as char,
        _ if byte.is_ascii_alphanumeric() => byte as char,
        _ => '_',
    };
    key.bytes().map(byte).chain(".pem".chars()).collect()
}

/// Where a node listens. Names of hosts are not looked up: nobody waits for that here. What is on this machine alone, nobody
/// announces from elsewhere.
fn reachable(text: &str, sender: &Sender) -> Result<Address, String> {
    let foreign = || format!("{text} is on this machine alone, and it comes from elsewhere");
    if let Some(name) = text.strip_prefix('@').filter(|name| (1..=UNIX_PATH_MAX).contains(&name.len())) {
        return sender.is_here.then(|| Address::Abstract(name.into())).ok_or_else(foreign);
    }
    if text.starts_with('/') && text.len() <= UNIX_PATH_MAX {
        return sender.is_here.then(|| Address::Unix(text.into())).ok_or_else(foreign);
    }
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    let mut address: SocketAddr =
        full.parse().map_err(|_| format!("its address {text} is neither IP:PORT nor a path"))?;
    if address.port() == 0 || address.ip().is_multicast() {
        return Err(format!("nobody can be reached at {text}"));
    }
    if address.ip().is_unspecified() {
        // All addresses of the sender's machine: one of them is known.
        address.set_ip(sender.ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
    if address.ip().to_canonical().is_loopback() && !sender.is_here {
        return Err(foreign());
    }
    Ok(Address::Tcp(address))
}
