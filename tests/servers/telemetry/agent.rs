//! A collector of OpenTelemetry's that others wrote (rotel), which passes on all that it takes. It is ended by its pid.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{end, free_address, wait_until};

/// One that listens.
pub(super) struct Agent {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Agent {
    /// `passes_to`: where to.
    pub(super) fn start(program: &Path, passes_to: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let address = free_address();
        let mut command = Command::new(program);
        command.args(["start", "--otlp-http-endpoint", &address.to_string()]);
        command.args(["--otlp-grpc-endpoint", &free_address().to_string()]);
        command.args(["--exporter", "otlp", "--otlp-exporter-endpoint", passes_to]);
        command.args(["--otlp-exporter-protocol", "http", "--disable-batching"]);
        command.arg("--pid-file").arg(directory.path().join("pid"));
        command.arg("--log-file").arg(directory.path().join("log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("execute the collector");
        let agent = Self { child, address, _directory: directory };
        assert!(wait_until(|| TcpStream::connect(address).is_ok()), "it listens");
        agent
    }

    /// Where it is, as `otlp` takes it.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        end(&mut self.child, Signal::SIGTERM);
    }
}
