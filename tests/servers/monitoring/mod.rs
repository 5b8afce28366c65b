//! What monitoring does to an instance: reads its documents, asks for its pages, and takes metrics in. Runs in the test's
//! process.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Instance, Launch, PATIENCE, output_of, wait_until};
use crate::rivals;

/// Where instances of these tests tell of themselves.
pub(crate) fn stats_path(directory: &Path) -> PathBuf {
    directory.join("stats.sock")
}

/// The same for metrics.
pub(crate) fn metrics_path(directory: &Path) -> PathBuf {
    directory.join("metrics.sock")
}

/// The hello example that tells of itself.
pub(crate) fn telling() -> Launch {
    let launch = Launch::hello();
    let (stats, metrics, pid) = (stats_path(launch.dir()), metrics_path(launch.dir()), launch.dir().join("pid"));
    launch.set("pidfile", pid.display()).set("stats", stats.display()).set("metrics", metrics.display())
}

/// All that comes from a socket on which these bytes are sent.
pub(crate) fn bytes_after(path: &Path, sent: &[u8]) -> Vec<u8> {
    let mut stream = UnixStream::connect(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(sent).expect("ask");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("read to the end");
    bytes
}

/// What a real uWSGI tells of itself. It may answer requests before it listens there.
pub(crate) fn told_by_uwsgi(stats: &Path) -> Value {
    assert!(wait_until(|| UnixStream::connect(stats).is_ok()), "uWSGI listens on {}", stats.display());
    parsed(&bytes_after(stats, b""))
}

/// What comes must be JSON.
pub(crate) fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

/// uWSGI's document of an instance.
pub(crate) fn document(server: &Instance) -> Value {
    parsed(&bytes_after(&stats_path(server.dir()), b""))
}

/// Waits until the document says so; returns it.
pub(crate) fn wait_for(server: &Instance, says: impl Fn(&Value) -> bool) -> Value {
    assert!(wait_until(|| says(&document(server))), "{:#}", document(server));
    document(server)
}

/// A figure of a worker, by its number.
pub(crate) fn figure(document: &Value, number: usize, name: &str) -> u64 {
    document["workers"][number - 1][name].as_u64().unwrap_or_else(|| panic!("no {name} in {document:#}"))
}

/// A figure of all workers together.
pub(crate) fn sum(document: &Value, name: &str) -> u64 {
    let workers = document["workers"].as_array().expect("workers");
    (1..=workers.len()).map(|number| figure(document, number, name)).sum()
}

/// Every place of a document, with the kind of what stands there; lists by their first element.
pub(crate) fn places(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| places(value, &format!("{at}.{name}"), found)),
        Value::Array(list) => {
            found.insert(format!("{at} is a list"));
            list.iter().take(1).for_each(|value| places(value, &format!("{at}[]"), found));
        }
        Value::Number(number) => {
            assert!(number.is_i64() || number.is_u64(), "{at} is {number}");
            found.insert(format!("{at} is a whole number"));
        }
        Value::String(_) => drop(found.insert(format!("{at} is text"))),
        Value::Bool(_) | Value::Null => panic!("{at} is {value}"),
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Page {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

/// What is told at a path, with further lines of the request's head.
pub(crate) fn page_with(socket: &Path, target: &str, lines: &str) -> Page {
    let bytes = bytes_after(socket, format!("GET {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n").as_bytes());
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let body = bytes[end..].to_vec();
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    Page { status, head, body }
}

/// What is told at a path.
pub(crate) fn page(socket: &Path, target: &str) -> Page {
    page_with(socket, target, "")
}

/// Samples by name and labels, as the official Python library reads them.
pub(crate) type Samples = BTreeMap<String, f64>;

/// Has the official parser of the Prometheus project read a document; `None` where it cannot be installed. `open`: that of
/// OpenMetrics, which is strict.
pub(crate) fn samples(document: &[u8], open: bool) -> Option<Samples> {
    const READ: &str = "
import json, sys
if sys.argv[1] == 'open':
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
else:
    from prometheus_client.parser import text_string_to_metric_families
text = sys.stdin.buffer.read().decode('utf-8', 'strict')
samples = {}
for family in text_string_to_metric_families(text):
    assert family.documentation and family.type in ('counter', 'gauge', 'histogram'), family
    for sample in family.samples:
        key = sample.name + ''.join('|%s=%s' % label for label in sorted(sample.labels.items()))
        assert key not in samples, key
        samples[key] = sample.value
json.dump(samples, sys.stdout)
";
    let python = rivals::monitoring()?;
    let mut child = Command::new(python)
        .args(["-c", READ, if open { "open" } else { "plain" }])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("execute python");
    child.stdin.take().expect("its standard input").write_all(document).expect("hand the document over");
    let output = output_of(child);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}\n{}", String::from_utf8_lossy(document));
    Some(serde_json::from_slice(&output.stdout).expect("samples as JSON"))
}
