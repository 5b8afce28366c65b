//! A real nginx in front of an instance: its configuration, its start on a free port, its log, its end.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use loadgen::client::Target;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::http::{HttpReply, converse};
use super::instance::Instance;
use super::log::Log;
use super::process::{end, shell_code};
use super::{PATIENCE, daemon_program, free_address};

/// How nginx is to be configured.
#[derive(Debug, Clone, Default)]
pub(crate) struct NginxSetup {
    http: Vec<String>,
    server: Vec<String>,
    location: Vec<String>,
    /// What leads to the instance, if not `uwsgi_pass`.
    passing: Option<String>,
    /// User and group of its worker, where root starts it; root without.
    user: Option<String>,
}

impl NginxSetup {
    /// Adds a directive or a block to the http block.
    pub(crate) fn http(mut self, directive: &str) -> Self {
        self.http.push(directive.to_owned());
        self
    }

    /// Has these directives lead to the instance in the place of `uwsgi_pass` and its parameters.
    pub(crate) fn passing(mut self, directives: impl Into<String>) -> Self {
        self.passing = Some(directives.into());
        self
    }

    /// Has its worker be another user, where root starts it.
    pub(crate) fn running_as(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Adds a directive to the server block.
    pub(crate) fn server(mut self, directive: &str) -> Self {
        self.server.push(directive.to_owned());
        self
    }

    /// Adds a directive to the location that leads to the instance.
    pub(crate) fn location(mut self, directive: &str) -> Self {
        self.location.push(directive.to_owned());
        self
    }

    /// Starts nginx in front of `upstream`, as it stands after `uwsgi_pass`.
    pub(crate) fn start(&self, upstream: &str) -> Nginx {
        // Between looking for a free port and binding it someone else may take it.
        (0..10).find_map(|_| self.try_start(upstream)).expect("nginx found ten ports in use in a row")
    }

    /// Starts nginx in front of an instance's unix socket.
    pub(crate) fn before(&self, instance: &Instance) -> Nginx {
        self.start(&format!("unix:{}", instance.socket().display()))
    }

    fn try_start(&self, upstream: &str) -> Option<Nginx> {
        let dir = tempfile::Builder::new().prefix("rhinod-nginx-").tempdir().expect("a temporary directory");
        let address = free_address();
        fs::write(dir.path().join("nginx.conf"), self.configuration(dir.path(), address, upstream))
            .expect("write nginx's configuration");
        let (reader, writer) = io::pipe().expect("a pipe for the log");
        let mut command = Command::new(daemon_program("nginx"));
        command.args(["-e", "stderr", "-p"]).arg(dir.path()).args(["-c", "nginx.conf"]).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(writer);
        let child = command.spawn().expect("execute nginx");
        drop(command);
        let mut nginx = Nginx { log: Log::of(reader), address, child, _dir: dir, expected: Vec::new() };
        if nginx.log.wait_for_or_end("start worker process ").is_some() {
            return Some(nginx);
        }
        let text = nginx.log.tail();
        assert!(text.contains("Address already in use"), "nginx does not start:\n{text}");
        nginx.expect_log("");
        None
    }

    /// The stock `uwsgi_params` are written out, so that the test does not depend on a distribution's file.
    fn configuration(&self, dir: &Path, address: SocketAddr, upstream: &str) -> String {
        let user = match (nix::unistd::Uid::effective().is_root(), &self.user) {
            (true, Some(user)) => format!("user {user};"),
            (true, None) => "user root;".to_owned(),
            (false, _) => String::new(),
        };
        let dir = dir.display();
        let [http, server, location] =
            [&self.http, &self.server, &self.location].map(|directives| directives.join("\n"));
        let passing = self.passing.clone().unwrap_or_else(|| {
            let parameters = self.parameters("uwsgi_param");
            format!("{parameters} uwsgi_pass {upstream};")
        });
        format!(
            "daemon off; worker_processes 1; {user} pid {dir}/nginx.pid; error_log stderr info;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    {http}
    server {{
        listen {address};
        server_name app.example;
        client_max_body_size 32m;
        {server}
        location / {{
            {passing}
            {location}
        }}
    }}
}}
"
        )
    }

    /// The stock parameters, in the directive of a protocol's module. nginx sends the length of SCGI requests by itself.
    pub(crate) fn parameters(&self, directive: &str) -> String {
        let parameters = [
            "QUERY_STRING $query_string",
            "REQUEST_METHOD $request_method",
            "CONTENT_TYPE $content_type",
            "CONTENT_LENGTH $content_length",
            "REQUEST_URI $request_uri",
            "PATH_INFO $document_uri",
            "DOCUMENT_ROOT $document_root",
            "SERVER_PROTOCOL $server_protocol",
            "REQUEST_SCHEME $scheme",
            "HTTPS $https if_not_empty",
            "REMOTE_ADDR $remote_addr",
            "REMOTE_PORT $remote_port",
            "SERVER_PORT $server_port",
            "SERVER_NAME $server_name",
        ];
        let is_stock = |parameter: &&str| !(directive == "scgi_param" && parameter.starts_with("CONTENT_LENGTH"));
        parameters.into_iter().filter(is_stock).map(|parameter| format!("{directive} {parameter};\n")).collect()
    }
}

/// A running nginx. Dropped, it is stopped, and its log is judged.
#[derive(Debug)]
pub(crate) struct Nginx {
    /// Its error log, from level info on.
    pub log: Log,
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    _dir: TempDir,
    expected: Vec<String>,
}

impl Nginx {
    /// nginx with a plain configuration in front of an instance's unix socket.
    pub(crate) fn before(instance: &Instance) -> Self {
        NginxSetup::default().before(instance)
    }

    /// The same for load generators.
    pub(crate) fn target(&self) -> Target {
        Target::Tcp(self.address)
    }

    /// Says that the log may have lines with this text that would be faults otherwise.
    pub(crate) fn expect_log(&mut self, needle: impl Into<String>) {
        self.expected.push(needle.into());
    }

    /// `GET target`.
    pub(crate) fn get(&self, target: &str) -> HttpReply {
        self.request("GET", target, &[], &[])
    }

    /// `POST target` with a body.
    pub(crate) fn post(&self, target: &str, body: &[u8]) -> HttpReply {
        self.request("POST", target, &[], body)
    }

    /// Any request, without more headers than are necessary. With a `Transfer-Encoding` the body goes as it is given.
    pub(crate) fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> HttpReply {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n");
        let is_encoded = headers.iter().any(|(name, _)| *name == "Transfer-Encoding");
        if !is_encoded && (method == "POST" || !body.is_empty()) {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        converse(self.address, &head, body)
            .unwrap_or_else(|error| panic!("{method} {target}: {error}\nnginx says:\n{}", self.log.tail()))
    }
}

impl Nginx {
    /// `GET target` of which the answer ends before its end: what the client can tell of it.
    pub(crate) fn get_broken(&self, target: &str) -> io::Error {
        let head = format!("GET {target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n");
        converse(self.address, &head, &[]).expect_err("the answer is whole")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let code = shell_code(end(&mut self.child, Signal::SIGTERM));
        if std::thread::panicking() {
            eprintln!("nginx says:\n{}", self.log.tail());
            return;
        }
        assert!(self.log.wait_for_end(PATIENCE), "a process of nginx is left:\n{}", self.log.tail());
        if !self.expected.iter().any(String::is_empty) {
            assert_eq!(code, 0, "the exit code of nginx:\n{}", self.log.tail());
            self.log.assert_clean(is_remarkable, &self.expected);
        }
    }
}

/// Everything above notice, and of info what is not a client's ordinary close.
fn is_remarkable(line: &str) -> bool {
    !line.contains("[notice]") && !line.contains("closed keepalive connection") && !line.trim().is_empty()
}
