//! Sockets that speak TLS: `ADDRESS,CERTIFICATE,KEY[,CIPHERS[,CA]]`, or the same as `key=value` pairs.
//!
//! Pure; runs wherever a configuration is read.

use super::address::parse_address;
use super::draft::Draft;
use super::parsed::Parsed;
use super::sockets::listen_at;
use crate::config::error::ConfigError;
use crate::config::model::{Listener, NamedCertificate, Protocol, Tls};

const FORM: &str = "expected ADDRESS,CERTIFICATE,KEY[,CIPHERS[,CA]]";
const PAIRS: &str = "expected addr=ADDRESS,cert=FILE,key=FILE[,ciphers=LIST][,clientca=FILE]";

const NAMED: &str = "expected NAME CERTIFICATE,KEY";
const NO_CIPHERS: &str =
    "the list of ciphers has no effect: TLS 1.2 and 1.3 are spoken, each with its safe ciphers only";

/// What a line says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fields<'t> {
    address: &'t str,
    certificate: &'t str,
    key: &'t str,
    ciphers: &'t str,
    client_ca: &'t str,
}

/// A listener of this protocol under TLS, its parts in order.
pub(super) fn listen(draft: &mut Draft<'_>, value: &Parsed<'_>, protocol: Protocol) {
    match in_order(value.text) {
        Some(fields) => open(draft, &fields, protocol),
        None => draft.refuse(FORM, "such as https = 0.0.0.0:443,/etc/ssl/site.crt,/etc/ssl/site.key"),
    }
}

/// The same, its parts by name.
pub(super) fn listen_by_name(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match by_name(value.text) {
        Ok(fields) => open(draft, &fields, Protocol::Http),
        Err(problem) => {
            draft.refuse(problem, "such as https2 = addr=:443,cert=/etc/ssl/site.crt,key=/etc/ssl/site.key")
        }
    }
}

/// `sni`: a certificate for clients that ask for a name, on every socket with TLS.
pub(super) fn certify_name(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match named(value.text) {
        Ok((certificate, has_ciphers)) => {
            if has_ciphers {
                draft.warn(NO_CIPHERS);
            }
            let line = draft.current();
            draft.certified_names.push((line, certificate));
        }
        Err(problem) => draft.refuse(problem, "such as sni = shop.example /etc/ssl/shop.crt,/etc/ssl/shop.key"),
    }
}

/// The certificate, and whether there is a list of ciphers.
fn named(text: &str) -> Result<(NamedCertificate, bool), &'static str> {
    let (name, files) = text.trim().split_once([' ', '\t']).ok_or(NAMED)?;
    let parts: Vec<&str> = files.split(',').map(str::trim).collect();
    let (certificate, key, ciphers, client_ca) = match parts[..] {
        [certificate, key] => (certificate, key, "", ""),
        [certificate, key, ciphers] => (certificate, key, ciphers, ""),
        [certificate, key, ciphers, client_ca] => (certificate, key, ciphers, client_ca),
        _ => return Err(NAMED),
    };
    let host = name.strip_prefix("*.").unwrap_or(name);
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_host || certificate.is_empty() || key.is_empty() {
        return Err(NAMED);
    }
    if !client_ca.is_empty() {
        return Err("certificates of clients are asked for by the socket (its CA), whatever name they ask for");
    }
    let name = name.to_ascii_lowercase();
    Ok((NamedCertificate { name, certificate: certificate.into(), key: key.into() }, !ciphers.is_empty()))
}

fn in_order(text: &str) -> Option<Fields<'_>> {
    let mut parts = text.split(',').map(str::trim);
    let mut next = || parts.next().unwrap_or_default();
    let fields = Fields { address: next(), certificate: next(), key: next(), ciphers: next(), client_ca: next() };
    fields.is_whole().then_some(fields).filter(|_| parts.next().is_none())
}

fn by_name(text: &str) -> Result<Fields<'_>, String> {
    let mut fields = Fields::default();
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or(PAIRS)?;
        match name.trim() {
            "addr" => fields.address = value.trim(),
            "cert" | "crt" => fields.certificate = value.trim(),
            "key" => fields.key = value.trim(),
            "ciphers" => fields.ciphers = value.trim(),
            "clientca" | "client_ca" => fields.client_ca = value.trim(),
            "spdy" => {}
            other => return Err(format!("{other} is none of addr, cert, key, ciphers and clientca")),
        }
    }
    fields.is_whole().then_some(fields).ok_or_else(|| PAIRS.to_owned())
}

impl Fields<'_> {
    fn is_whole(&self) -> bool {
        ![self.address, self.certificate, self.key].contains(&"")
    }
}

fn open(draft: &mut Draft<'_>, fields: &Fields<'_>, protocol: Protocol) {
    let parsed = match parse_address(fields.address) {
        Ok(parsed) => parsed,
        Err(unfit) => {
            return draft.refuse(format!("expected {}", unfit.expected), unfit.hint.unwrap_or(FORM.to_owned()));
        }
    };
    if !fields.ciphers.is_empty() {
        draft.warn(NO_CIPHERS);
    }
    let demands_certificate = fields.client_ca.starts_with('!');
    let client_ca = fields.client_ca.trim_start_matches('!');
    let tls = Tls {
        certificate: fields.certificate.into(),
        key: fields.key.into(),
        client_ca: (!client_ca.is_empty()).then(|| client_ca.into()),
        demands_certificate,
        named: Vec::new(),
        material: None,
    };
    let listens = listen_at(draft, &parsed, Some(protocol));
    if let (true, Some(listener)) = (listens, draft.config.sockets.last_mut()) {
        listener.tls = Some(tls);
    }
}

/// What the options mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let mapped = draft.config.sockets.iter().position(|listener| listener.is_routed() && !listener.workers.is_empty());
    if let Some(line) = mapped.and_then(|index| draft.sockets_from.get(index)) {
        let problem = "map-socket cannot keep a socket for some of the workers that the router serves";
        draft.error(ConfigError::about(line, problem).suggest("map a socket that workers listen on themselves"));
    }
    let names = std::mem::take(&mut draft.certified_names);
    let secure = |listener: &&mut Listener| listener.tls.is_some();
    if let (Some((line, _)), 0) = (names.first(), draft.config.sockets.iter_mut().filter(secure).count()) {
        let problem = "there is no socket with TLS that could have a certificate for a name";
        draft.error(ConfigError::about(line, problem).suggest("https = ADDRESS,CERT,KEY opens one"));
    }
    for tls in draft.config.sockets.iter_mut().filter_map(|listener| listener.tls.as_mut()) {
        tls.named = names.iter().map(|(_, named)| named.clone()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_certificate_and_a_key() {
        let wanted =
            |name: &str| NamedCertificate { name: name.into(), certificate: "a.crt".into(), key: "a.key".into() };
        assert_eq!(named("Shop.example a.crt,a.key"), Ok((wanted("shop.example"), false)));
        assert_eq!(named("*.example  a.crt, a.key, HIGH"), Ok((wanted("*.example"), true)));
        for text in
            ["", "shop.example", "shop.example a.crt", "shop/../x a.crt,a.key", "*. a,b", "a b,c,,d", "a b,c,d,e,f"]
        {
            assert!(named(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_socket_has_an_address_a_certificate_and_a_key() {
        let plain = Fields { address: ":443", certificate: "a.crt", key: "a.key", ..Fields::default() };
        assert_eq!(in_order(":443,a.crt,a.key"), Some(plain));
        let full = Fields { address: ":443", certificate: "a", key: "b", ciphers: "HIGH", client_ca: "!ca" };
        assert_eq!(in_order(":443, a, b, HIGH, !ca").as_ref(), Some(&full));
        assert_eq!(by_name("addr=:443,crt=a,key=b,ciphers=HIGH,client_ca=!ca,spdy=1").as_ref(), Ok(&full));
        for text in ["", ":443", ":443,a.crt", ":443,,b", ":443,a,b,c,d,e"] {
            assert_eq!(in_order(text), None, "{text}");
        }
        for text in ["", "addr=:443,cert=a", "addr=:443,cert=a,key=b,http2=1", ":443,a,b"] {
            assert!(by_name(text).is_err(), "{text}");
        }
    }
}
