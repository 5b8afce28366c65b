//! A collector of OpenTelemetry's in the test's process: it takes what comes over HTTP, answers as it is told, and has all of it
//! read by the official Python package of OTLP's messages (`opentelemetry-proto`).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::harness::{PATIENCE, output_of, wait_until};
use crate::rivals;

/// One that listens.
pub(super) struct Collector {
    pub(super) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// What it does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Takes it.
    Takes,
    /// Answers with a status and says when to come again.
    Refuses(u16),
    /// Reads nothing and answers nothing, but keeps the connection.
    Sleeps,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    taken: Vec<Message>,
    /// The heads of messages that were refused.
    refused: Vec<String>,
    asleep: Vec<TcpStream>,
}

/// A message that was taken.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Collector {
    /// One that takes everything.
    pub(super) fn begin() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let state = State { manner: Manner::Takes, taken: Vec::new(), refused: Vec::new(), asleep: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        // It ends with the test program.
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| serve(stream, &shared)));
        Self { address, state }
    }

    /// Where it is, as `otlp` takes it.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it does this.
    pub(super) fn turn(&self, manner: Manner) {
        let mut state = self.state.lock().expect("the state");
        state.manner = manner;
        // Whoever it has kept waiting hears the end.
        state.asleep.clear();
    }

    /// How often something was refused at a path.
    pub(super) fn refused(&self, path: &str) -> usize {
        let state = self.state.lock().expect("the state");
        state.refused.iter().filter(|head| head.starts_with(&format!("POST {path} "))).count()
    }

    /// How many connections it lets wait.
    pub(super) fn asleep(&self) -> usize {
        self.state.lock().expect("the state").asleep.len()
    }

    /// What has come to a path.
    pub(super) fn messages(&self, path: &str) -> Vec<Message> {
        let state = self.state.lock().expect("the state");
        state.taken.iter().filter(|message| message.head.starts_with(&format!("POST {path} "))).cloned().collect()
    }

    /// The spans that have come, each with the attributes of its resource as `resource`; `None` where the package cannot be
    /// installed.
    pub(super) fn spans(&self) -> Option<Vec<Value>> {
        read("traces", &self.messages("/v1/traces"))
    }

    /// Waits until so many spans are here.
    pub(super) fn wait_for_spans(&self, count: usize) -> Option<Vec<Value>> {
        let mut spans = self.spans()?;
        let all = wait_until(|| {
            spans = self.spans().expect("as before");
            spans.len() >= count
        });
        assert!(all, "{} spans and not {count}: {spans:#?}", spans.len());
        Some(spans)
    }

    /// The samples of the newest metrics that have come, by name and attributes.
    pub(super) fn metrics(&self) -> Option<Vec<Value>> {
        let messages = self.messages("/v1/metrics");
        read("metrics", messages.last().map(std::slice::from_ref).unwrap_or_default())
    }

    /// A number of the newest metrics that have come.
    pub(super) fn metric(&self, key: &str) -> Option<f64> {
        let metrics = self.metrics()?;
        metrics.iter().find(|sample| sample["key"] == key).and_then(|sample| sample["value"].as_f64())
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let manner = state.lock().expect("the state").manner;
    if manner == Manner::Sleeps {
        return state.lock().expect("the state").asleep.push(stream);
    }
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let Some(message) = message(&mut stream) else { return };
    let answer = match manner {
        Manner::Refuses(status) => {
            state.lock().expect("the state").refused.push(message.head);
            format!("HTTP/1.1 {status} No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
        }
        _ => {
            state.lock().expect("the state").taken.push(message);
            const TAKEN: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n";
            format!("{TAKEN}Connection: close\r\n\r\n")
        }
    };
    // One who has gone does not wait for it.
    let _ = stream.write_all(answer.as_bytes());
}

fn message(stream: &mut TcpStream) -> Option<Message> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
            let fields = head.lines().filter_map(|line| line.split_once(": "));
            let mut lengths = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length: usize = lengths.next().and_then(|(_, value)| value.parse().ok()).expect("a length");
            if bytes.len() >= end + 4 + length {
                return Some(Message { head, body: bytes[end + 4..end + 4 + length].to_vec() });
            }
        }
        match stream.read(&mut piece).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// Has the official package read messages. It must know every field of them.
fn read(kind: &str, messages: &[Message]) -> Option<Vec<Value>> {
    const READ: &str = r#"
import gzip, json, struct, sys
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

def plain(attributes):
    def value(any):
        kind = any.WhichOneof("value")
        assert kind, any
        return getattr(any, kind)
    names = [pair.key for pair in attributes]
    assert len(names) == len(set(names)), names
    return {pair.key: value(pair.value) for pair in attributes}

found = []
while True:
    length = sys.stdin.buffer.read(4)
    if not length:
        break
    request = ExportTraceServiceRequest() if sys.argv[1] == "traces" else ExportMetricsServiceRequest()
    body = sys.stdin.buffer.read(struct.unpack("<I", length)[0])
    # Those of collectors from elsewhere, and never of ours: a message begins otherwise.
    packed = body.startswith(b"\x1f\x8b")
    request.ParseFromString(gzip.decompress(body) if packed else body)
    size = request.ByteSize()
    request.DiscardUnknownFields()
    assert request.ByteSize() == size, "there are fields that nobody knows"
    if sys.argv[1] == "traces":
        for of_resource in request.resource_spans:
            for of_scope in of_resource.scope_spans:
                assert of_scope.scope.name == "rhinod" and of_scope.scope.version
                for span in of_scope.spans:
                    told = MessageToDict(span)
                    told["attributes"] = plain(span.attributes)
                    told["resource"] = plain(of_resource.resource.attributes)
                    told["traceId"], told["spanId"] = span.trace_id.hex(), span.span_id.hex()
                    told["parentSpanId"] = span.parent_span_id.hex()
                    assert len(span.trace_id) == 16 and len(span.span_id) == 8
                    assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
                    found.append(told)
    else:
        for of_resource in request.resource_metrics:
            for of_scope in of_resource.scope_metrics:
                for metric in of_scope.metrics:
                    kind = metric.WhichOneof("data")
                    data = getattr(metric, kind)
                    assert metric.description and metric.unit and data.data_points, metric
                    assert kind == "gauge" or data.aggregation_temporality == 2, metric
                    assert kind != "sum" or data.is_monotonic, metric
                    for point in data.data_points:
                        assert 0 < point.start_time_unix_nano <= point.time_unix_nano
                        labels = sorted(plain(point.attributes).items())
                        key = metric.name + "".join("|%s=%s" % label for label in labels)
                        if kind == "histogram":
                            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
                            assert sum(point.bucket_counts) == point.count
                            value = point.count
                        else:
                            value = getattr(point, point.WhichOneof("value"))
                        found.append({"key": key, "value": value, "kind": kind, "unit": metric.unit,
                                      "sum": getattr(point, "sum", None),
                                      "buckets": list(getattr(point, "bucket_counts", [])),
                                      "bounds": list(getattr(point, "explicit_bounds", []))})
        keys = [sample["key"] for sample in found]
        assert len(keys) == len(set(keys)), keys
json.dump(found, sys.stdout)
"#;
    let python = rivals::monitoring()?;
    let mut child = Command::new(python)
        .args(["-c", READ, kind])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("execute python");
    let mut input = Vec::new();
    for message in messages {
        input.extend_from_slice(&(message.body.len() as u32).to_le_bytes());
        input.extend_from_slice(&message.body);
    }
    let mut stdin = child.stdin.take().expect("its standard input");
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = output_of(child);
    writing.join().expect("no panic").expect("hand the messages over");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}
