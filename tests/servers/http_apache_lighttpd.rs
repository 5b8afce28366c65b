//! FastCGI, SCGI and uwsgi sockets behind a real Apache and a real lighttpd, with the configuration of docs/HTTP.md.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{HttpReply, Instance, Launch, converse, daemon_program, end, free_address, wait_until};

/// What is spoken to the instance; the virtual host of that name passes requests on that way.
const PROTOCOLS: [&str; 3] = ["fcgi", "scgi", "uwsgi"];

/// A server with an address for each protocol.
struct Behind {
    server: Instance,
    addresses: Vec<SocketAddr>,
}

impl Behind {
    fn start() -> Self {
        let mut launch = Launch::hello().set("workers", 1);
        for option in ["fastcgi-socket", "scgi-socket", "uwsgi-socket"] {
            launch = launch.set(option, "127.0.0.1:0");
        }
        let server = launch.start();
        let lines = server.log.lines();
        let bound = |line: &String| line.split_once("bound to 127.0.0.1:")?.1.trim().parse().ok();
        let addresses = lines.iter().filter_map(bound);
        let addresses: Vec<SocketAddr> = addresses.map(|port: u16| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        assert_eq!(addresses.len(), PROTOCOLS.len(), "{lines:?}");
        Self { server, addresses }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Apache,
    Lighttpd,
}

impl Kind {
    fn program(self) -> PathBuf {
        daemon_program(match self {
            Kind::Apache => "apache2",
            Kind::Lighttpd => "lighttpd",
        })
    }

    fn configuration(self, dir: &Path, port: u16, behind: &Behind) -> String {
        let ways = PROTOCOLS.iter().zip(&behind.addresses);
        let dir = dir.display();
        match self {
            Kind::Apache => {
                let modules =
                    ["mpm_event", "authz_core", "env", "setenvif", "proxy", "proxy_fcgi", "proxy_scgi", "proxy_uwsgi"];
                let load = |name: &str| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n");
                let modules: String = modules.into_iter().map(load).collect();
                let hosts: String = ways
                    .map(|(protocol, address)| {
                        let path = match *protocol {
                            "fcgi" => "ProxyFCGISetEnvIf \"true\" PATH_INFO \"%{reqenv:SCRIPT_NAME}\"\nProxyFCGISetEnvIf \"true\" SCRIPT_NAME \"\"\n",
                            "scgi" => "SetEnvIf Request_URI . proxy-scgi-pathinfo\n",
                            _ => "",
                        };
                        format!(
                            "<VirtualHost *:{port}>\nServerName {protocol}.example\n{path}ProxyPass / {protocol}://{address}/\n</VirtualHost>\n"
                        )
                    })
                    .collect();
                // Apache serves as nobody where root starts it.
                let user = if nix::unistd::Uid::effective().is_root() { "User www-data\nGroup www-data\n" } else { "" };
                format!(
                    "ServerName app.example\nServerRoot {dir}\nDefaultRuntimeDir {dir}\nPidFile {dir}/pid\nListen 127.0.0.1:{port}\n\
                     ErrorLog {dir}/log\n{modules}{user}{hosts}"
                )
            }
            Kind::Lighttpd => {
                let hosts: String = ways
                    .map(|(protocol, address)| {
                        let (module, more) = match *protocol {
                            "fcgi" => ("fastcgi", ""),
                            "scgi" => ("scgi", ""),
                            _ => ("scgi", "scgi.protocol = \"uwsgi\"\n"),
                        };
                        let server = format!(
                            "\"host\" => \"127.0.0.1\", \"port\" => {}, \"check-local\" => \"disable\", \"fix-root-scriptname\" => \"enable\"",
                            address.port()
                        );
                        format!("$HTTP[\"host\"] == \"{protocol}.example\" {{\n{more}{module}.server = ( \"/\" => (( {server} )) )\n}}\n")
                    })
                    .collect();
                format!(
                    "server.modules = ( \"mod_fastcgi\", \"mod_scgi\" )\nserver.bind = \"127.0.0.1\"\nserver.port = {port}\n\
                     server.document-root = \"{dir}\"\nserver.upload-dirs = ( \"{dir}\" )\nserver.errorlog = \"{dir}/log\"\n{hosts}"
                )
            }
        }
    }
}

/// A running web server. Dropped, it is stopped.
struct WebServer {
    child: Child,
    address: SocketAddr,
    dir: TempDir,
}

impl WebServer {
    fn before(kind: Kind, behind: &Behind) -> Self {
        // Between looking for a free port and binding it someone else may take it.
        (0..10).find_map(|_| Self::try_start(kind, behind)).expect("ten ports in use in a row")
    }

    fn try_start(kind: Kind, behind: &Behind) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("rhinod-web-").tempdir().expect("a temporary directory");
        let address = free_address();
        let file = dir.path().join("conf");
        fs::write(&file, kind.configuration(dir.path(), address.port(), behind)).expect("write its configuration");
        let mut command = Command::new(kind.program());
        match kind {
            Kind::Apache => command.args(["-DFOREGROUND", "-f"]),
            Kind::Lighttpd => command.args(["-D", "-f"]),
        };
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("execute it");
        let ended = |child: &mut Child| matches!(child.try_wait(), Ok(Some(_)));
        assert!(wait_until(|| TcpStream::connect(address).is_ok() || ended(&mut child)), "{kind:?} does not start");
        let log = fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        if ended(&mut child) {
            assert!(log.contains("in use"), "{kind:?} does not start:\n{log}");
            return None;
        }
        Some(Self { child, address, dir })
    }

    fn request(&self, protocol: &str, method: &str, target: &str, body: &[u8]) -> HttpReply {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: {protocol}.example\r\nConnection: close\r\n{length}\r\n");
        converse(self.address, &head, body)
            .unwrap_or_else(|error| panic!("{protocol}: {method} {target}: {error}\n{}", self.log()))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        end(&mut self.child, Signal::SIGTERM);
    }
}

fn requests_come_through(kind: Kind) {
    let behind = Behind::start();
    let web = WebServer::before(kind, &behind);
    let large: Vec<u8> = (0..75_000u32).flat_map(u32::to_le_bytes).collect();
    for protocol in PROTOCOLS {
        assert_eq!(web.request(protocol, "GET", "/", b"").text(), "Hello, world\n", "{kind:?}, {protocol}");
        let text = web.request(protocol, "GET", "/env?a=%20b", b"").text();
        for line in
            ["REQUEST_METHOD=GET", "PATH_INFO=/env", "SCRIPT_NAME=", "QUERY_STRING=a=%20b", "REMOTE_ADDR=127.0.0.1"]
        {
            assert!(text.lines().any(|found| found == line), "{kind:?}, {protocol}: {line} in {text}");
        }
        assert_eq!(web.request(protocol, "GET", "/nothing", b"").status, 404, "{kind:?}, {protocol}");
        assert_eq!(web.request(protocol, "HEAD", "/", b"").status, 200, "{kind:?}, {protocol}");
        for body in [&b"a=1&b=2"[..], &large] {
            assert!(
                web.request(protocol, "POST", "/echo", body).body == body,
                "{kind:?}, {protocol}, {} bytes",
                body.len()
            );
        }
        let file = web.request(protocol, "GET", "/file", b"").text();
        assert!(file.contains("fn main() -> ExitCode"), "{kind:?}, {protocol}");
    }
    behind.server.log.wait_for("GET /file");
}

#[test]
fn requests_come_through_apache_each_way() {
    requests_come_through(Kind::Apache);
}

#[test]
fn requests_come_through_lighttpd_each_way() {
    requests_come_through(Kind::Lighttpd);
}
