//! What the rows of subscriptions set: to which routers the instance announces itself.
//!
//! The rows are in `emperor`. Pure; read in the master before anything else, and by the commands.

use std::path::PathBuf;

use super::draft::Draft;
use super::kind::Kind;
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::{Address, Announced, Digest, Keys, Signer, Subscription};

const FORM: &str = "[SOCKET=]SERVER:KEY[,MODIFIER1[,DIGEST:KEYFILE]]";
const EXAMPLE: &str = "for example 127.0.0.1:4040:example.com";

/// `subscribe-to`: `[SOCKET=]SERVER:KEY[,MODIFIER1[,SIGN]]`.
pub(super) fn to(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match plain(value.text) {
        Ok(subscription) => draft.config.subscriptions.list.push(subscription),
        Err(problem) => draft.refuse(format!("expected {FORM}: {problem}"), EXAMPLE),
    }
}

/// `subscribe2`: `server=…,key=…` and more.
pub(super) fn by_keys(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match keyed(value.text) {
        Ok(subscription) => draft.config.subscriptions.list.push(subscription),
        Err(problem) => draft.refuse(problem, "for example server=127.0.0.1:4040,key=example.com"),
    }
}

/// `subscription-notify-socket`.
pub(super) fn notify(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match address(value.text) {
        Ok(address) => draft.config.subscriptions.notify = Some(address),
        Err(problem) => draft.refuse(problem, "name IP:PORT, or a path"),
    }
}

/// `subscribe-with-modifier1`.
pub(super) fn modifier1(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.parse() {
        Ok(modifier) => draft.config.subscriptions.modifier1 = Some(modifier),
        Err(_) => draft.refuse("expected a number from 0 to 255", "0 is that of requests"),
    }
}

/// A socket has to be there that can be announced, and TLS for what is signed.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let Some(directive) = draft.given("subscribe-to").or_else(|| draft.given("subscribe2")) else { return };
    let sockets = draft.config.sockets.len();
    let missing = draft.config.subscriptions.list.iter().find_map(|subscription| match subscription.announced {
        Announced::Socket(number) if number >= sockets => Some(number),
        _ => None,
    });
    if let Some(number) = missing {
        let problem = format!("there is no socket {number} that could be announced to a router");
        draft.error(ConfigError::about(directive, problem).suggest("add `socket`, or name an address: addr=IP:PORT"));
    }
}

fn plain(text: &str) -> Result<Subscription, String> {
    let (announced, rest) = match text.split_once('=') {
        Some((before, rest)) if !before.contains(',') => (announced(before, rest)?, without_number(before, rest)),
        _ => (Announced::Socket(0), text),
    };
    let mut fields = rest.splitn(3, ',');
    let (server, key) = split_server(fields.next().unwrap_or_default())?;
    let modifier1 = fields.next().filter(|field| !field.is_empty()).map(number::<u8>).transpose()?.unwrap_or(0);
    let signer = fields.next().map(signer).transpose()?;
    Ok(Subscription { announced, modifier1, signer, ..subscription(text, address(server)?, keys(key)?) })
}

/// What stands before the `=`: an address as it is, or nothing and the number of a socket (`=1=…` has it behind).
fn announced(before: &str, rest: &str) -> Result<Announced, String> {
    if !before.is_empty() {
        return Ok(Announced::Text(before.to_owned()));
    }
    let (socket, _) = rest.split_once('=').ok_or("behind =N another = is expected")?;
    number(socket).map(Announced::Socket)
}

fn without_number<'t>(before: &str, rest: &'t str) -> &'t str {
    if before.is_empty() { rest.split_once('=').map_or(rest, |(_, rest)| rest) } else { rest }
}

/// A router and a key: the address of the first has a colon, a key may have more.
fn split_server(text: &str) -> Result<(&str, &str), String> {
    let from = match text.starts_with('/') {
        true => 0,
        false => text.find(':').map(|colon| colon + 1).ok_or("a router is IP:PORT, or a path")?,
    };
    let end = text[from..].find(':').ok_or("the key is missing")? + from;
    Ok((&text[..end], &text[end + 1..]))
}

fn keyed(text: &str) -> Result<Subscription, String> {
    let (mut server, mut key) = (None, None);
    let mut socket = None;
    let mut made = subscription(text, Address::Unix(PathBuf::new()), Keys::One(String::new()));
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` is no KEY=VALUE"))?;
        match name.trim() {
            "server" => server = Some(address(value)?),
            "key" => key = Some(keys(value)?),
            "addr" => made.announced = Announced::Text(value.to_owned()),
            "socket" => socket = Some(number(value)?),
            "weight" => made.weight = Some(number(value)?),
            "backup" => made.backup = number(value)?,
            "modifier1" => made.modifier1 = number(value)?,
            "modifier2" => made.modifier2 = number(value)?,
            "sign" => made.signer = Some(signer(value)?),
            "check" => made.check = Some(value.into()),
            "sni_key" => made.sni[0] = Some(value.to_owned()),
            "sni_crt" => made.sni[1] = Some(value.to_owned()),
            "sni_ca" => made.sni[2] = Some(value.to_owned()),
            other => {
                return Err(format!(
                    "there is no `{other}` here: server, key, addr, socket, weight, backup, modifier1, modifier2, sign, \
                     check, sni_key, sni_crt and sni_ca are known"
                ));
            }
        }
    }
    made.server = server.ok_or("server=ADDRESS is missing")?;
    made.keys = key.ok_or("key=KEY is missing")?;
    if let Some(socket) = socket {
        made.announced = Announced::Socket(socket);
    }
    Ok(made)
}

fn subscription(text: &str, server: Address, keys: Keys) -> Subscription {
    Subscription {
        text: text.to_owned(),
        server,
        keys,
        announced: Announced::Socket(0),
        weight: None,
        backup: 0,
        modifier1: 0,
        modifier2: 0,
        signer: None,
        check: None,
        sni: [None, None, None],
    }
}

fn keys(text: &str) -> Result<Keys, String> {
    match text.strip_prefix('@') {
        Some("") => Err("@ is followed by the name of a file with keys".to_owned()),
        Some(file) => Ok(Keys::In(file.into())),
        None if (1..=255).contains(&text.len()) => Ok(Keys::One(text.to_owned())),
        None => Err("a key has 1 to 255 bytes".to_owned()),
    }
}

fn address(text: &str) -> Result<Address, String> {
    match Kind::Address.parse(Some(text)) {
        Ok(Parsed { address: Some(address @ (Address::Unix(_) | Address::Tcp(_))), .. }) => Ok(address),
        _ => Err(format!("`{text}` is neither IP:PORT nor a path")),
    }
}

fn signer(text: &str) -> Result<Signer, String> {
    let (name, key) = text.split_once(':').ok_or("a signature is DIGEST:KEYFILE")?;
    let digest = digest(name)?;
    if key.is_empty() {
        Err("the file of the key is missing".to_owned())
    } else {
        Ok(Signer { digest, key: key.into() })
    }
}

/// What is signed of the bytes, by its name.
pub(super) fn digest(name: &str) -> Result<Digest, String> {
    match name.to_ascii_lowercase().as_str() {
        "sha256" => Ok(Digest::Sha256),
        "sha384" => Ok(Digest::Sha384),
        "sha512" => Ok(Digest::Sha512),
        other => Err(format!("`{other}` is no digest to sign with: sha256, sha384 or sha512 (sha1 can be forged)")),
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is no number that fits there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(text: &str) -> Address {
        Address::Tcp(text.parse().expect("an address"))
    }

    #[test]
    fn the_short_form_has_a_router_a_key_and_what_is_announced() {
        let known = |text: &str| plain(text).map(|it| (it.server, it.keys, it.announced, it.modifier1));
        let key = |key: &str| Keys::One(key.to_owned());
        let first = Announced::Socket(0);
        let router = tcp("127.0.0.1:4040");
        assert_eq!(known("127.0.0.1:4040:a.example"), Ok((router.clone(), key("a.example"), first.clone(), 0)));
        assert_eq!(known("127.0.0.1:4040:a.example:80,5"), Ok((router.clone(), key("a.example:80"), first.clone(), 5)));
        assert_eq!(known("/run/r.sock:a"), Ok((Address::Unix("/run/r.sock".into()), key("a"), first.clone(), 0)));
        assert_eq!(known("127.0.0.1:4040:@/etc/keys"), Ok((router.clone(), Keys::In("/etc/keys".into()), first, 0)));
        let text = Announced::Text("9.9.9.9:99".to_owned());
        assert_eq!(known("9.9.9.9:99=127.0.0.1:4040:a"), Ok((router.clone(), key("a"), text, 0)));
        assert_eq!(known("=2=127.0.0.1:4040:a"), Ok((router, key("a"), Announced::Socket(2), 0)));
        let signed = plain("127.0.0.1:4040:a,0,SHA256:/etc/key.pem").expect("it is one").signer;
        assert_eq!(signed, Some(Signer { digest: Digest::Sha256, key: "/etc/key.pem".into() }));
    }

    #[test]
    fn the_long_form_has_pairs() {
        let made = keyed("server=127.0.0.1:4040,key=a,socket=1,weight=3,backup=1,modifier2=9,check=/run/on,sni_crt=/c")
            .expect("one");
        assert_eq!((made.announced, made.weight, made.backup, made.modifier2), (Announced::Socket(1), Some(3), 1, 9));
        assert_eq!((made.check, made.sni[1].as_deref()), (Some("/run/on".into()), Some("/c")));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, said) in [
            ("127.0.0.1:4040", "the key is missing"),
            ("router", "a router is IP:PORT"),
            ("router.example:4040:a", "`router.example:4040` is neither"),
            ("127.0.0.1:4040:", "a key has 1 to 255 bytes"),
            ("127.0.0.1:4040:a,300", "`300` is no number"),
            ("127.0.0.1:4040:a,0,md5:/k", "`md5` is no digest"),
            ("127.0.0.1:4040:a,0,sha256:", "the file of the key is missing"),
        ] {
            let problem = plain(text).expect_err(text);
            assert!(problem.contains(said), "{text}: {problem}");
        }
        for (text, said) in [
            ("key=a", "server=ADDRESS is missing"),
            ("server=127.0.0.1:1", "key=KEY is missing"),
            ("server=127.0.0.1:1,key=a,wight=3", "there is no `wight` here"),
            ("server=127.0.0.1:1,key", "`key` is no KEY=VALUE"),
        ] {
            let problem = keyed(text).expect_err(text);
            assert!(problem.contains(said), "{text}: {problem}");
        }
    }
}
