//! What a router tells of itself: uWSGI's document (uWSGI's manual, "The uWSGI HTTP/HTTPS router"), and what is ours in it: which
//! of the routers it is, and what has become of connections and requests since it began. Pure.

use serde::Serialize;
use serde_json::ser::PrettyFormatter;

/// All of it.
#[derive(Serialize)]
pub(super) struct Report<'r> {
    pub(super) version: &'static str,
    pub(super) pid: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) cwd: &'r str,
    /// Connections of the moment.
    pub(super) active_sessions: usize,
    /// The sockets that it takes them from.
    pub(super) http: &'r [String],
    pub(super) static_nodes: Vec<OneNode>,
    pub(super) subscriptions: Vec<OnePool>,
    pub(super) cheap: u8,
    // These are not in uWSGI.
    pub(super) router: u32,
    /// Connections whose request is with a worker, or with another server.
    pub(super) asking: usize,
    #[serde(flatten)]
    pub(super) tally: Tally,
}

/// One of those that requests are passed on to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct OneNode {
    pub(super) name: String,
    /// How often it was asked.
    pub(super) hits: u64,
    /// Seconds for which it is left alone.
    pub(super) grace: u64,
}

/// A key that instances announce, and its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct OnePool {
    pub(super) key: String,
    /// uWSGI's place of it in a table.
    pub(super) hash: u64,
    pub(super) hits: u64,
    pub(super) sni_enabled: u8,
    pub(super) nodes: Vec<PoolNode>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PoolNode {
    pub(super) name: String,
    pub(super) modifier1: u8,
    pub(super) modifier2: u8,
    /// When it was last heard, in seconds since 1970.
    pub(super) last_check: u64,
    pub(super) pid: i32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// How often it was chosen; since it was last heard.
    pub(super) requests: u64,
    pub(super) last_requests: u64,
    /// Bytes, which are not counted for nodes.
    pub(super) tx: u64,
    pub(super) rx: u64,
    pub(super) cores: u64,
    pub(super) load: u64,
    pub(super) weight: u64,
    pub(super) wrr: i64,
    /// Requests that it has.
    pub(super) r#ref: u64,
    /// How often it could not be connected to, and whether it is left alone for that.
    pub(super) failcnt: u64,
    pub(super) death_mark: u8,
    // These are not in uWSGI.
    pub(super) backup: u64,
    /// Seconds for which it is left alone.
    pub(super) grace: u64,
}

/// What has been since the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    /// Connections.
    pub(super) accepted: u64,
    /// Requests that were not passed on.
    pub(super) refused: u64,
    /// Requests without an answer that could be passed on, or not all of it.
    pub(super) failed: u64,
}

impl Report<'_> {
    /// The document; on one line, if it is to be short.
    pub(super) fn document(&self, minified: bool) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1_024);
        let written = if minified {
            self.serialize(&mut serde_json::Serializer::new(&mut bytes))
        } else {
            let formatter = PrettyFormatter::with_indent(b"\t");
            self.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
        };
        // Numbers, strings and lists into memory: there is nothing that could fail.
        debug_assert!(written.is_ok(), "{written:?}");
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_keys_of_uwsgi_in_its_order_and_then_ours() {
        let node = OneNode { name: "127.0.0.1:3031".to_owned(), hits: 7, grace: 0 };
        let report = Report {
            version: "1",
            pid: 2,
            uid: 3,
            gid: 4,
            cwd: "/a\"b",
            active_sessions: 5,
            http: &["127.0.0.1:8000".to_owned()],
            static_nodes: vec![node],
            subscriptions: vec![OnePool { key: "a".to_owned(), hash: 0, hits: 3, sni_enabled: 0, nodes: Vec::new() }],
            cheap: 0,
            router: 1,
            asking: 1,
            tally: Tally { accepted: 9, refused: 1, failed: 0 },
        };
        let expected = "{\"version\":\"1\",\"pid\":2,\"uid\":3,\"gid\":4,\"cwd\":\"/a\\\"b\",\"active_sessions\":5,\
             \"http\":[\"127.0.0.1:8000\"],\"static_nodes\":[{\"name\":\"127.0.0.1:3031\",\"hits\":7,\"grace\":0}],\
             \"subscriptions\":[{\"key\":\"a\",\"hash\":0,\"hits\":3,\"sni_enabled\":0,\"nodes\":[]}],\"cheap\":0,\"router\":1,\"asking\":1,\"accepted\":9,\"refused\":1,\"failed\":0}\n";
        assert_eq!(String::from_utf8_lossy(&report.document(true)), expected);
        let told: serde_json::Value = serde_json::from_slice(&report.document(false)).expect("JSON");
        assert_eq!(told["static_nodes"][0]["hits"], 7);
    }
}
