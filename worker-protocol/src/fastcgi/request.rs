//! What a web server sends: for clients, load generators and tests. Pure.

use super::pairs;
use super::record::{append, append_stream, kind};

/// The role of an application that answers requests.
pub const RESPONDER: u16 = 1;
/// The role of an application that says whether a request is allowed.
pub const AUTHORIZER: u16 = 2;
/// The role of an application that changes a file on its way.
pub const FILTER: u16 = 3;
/// The flag that keeps the connection open after the answer.
pub const KEEP_CONNECTION: u8 = 1;

/// Appends the beginning of a request.
pub fn append_begin(out: &mut Vec<u8>, id: u16, role: u16, flags: u8) {
    let [high, low] = role.to_be_bytes();
    append(out, kind::BEGIN_REQUEST, id, &[high, low, flags, 0, 0, 0, 0, 0]);
}

/// Appends a request's variables and their end.
pub fn append_params<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    id: u16,
    variables: impl IntoIterator<Item = (K, V)>,
) {
    let mut content = Vec::new();
    for (name, value) in variables {
        pairs::append(&mut content, name.as_ref(), value.as_ref());
    }
    append_stream(out, kind::PARAMS, id, &content);
    append(out, kind::PARAMS, id, &[]);
}

/// Appends a request's body and its end.
pub fn append_body(out: &mut Vec<u8>, id: u16, body: &[u8]) {
    append_stream(out, kind::STDIN, id, body);
    append(out, kind::STDIN, id, &[]);
}

/// Appends the question what the application can do.
pub fn append_question<K: AsRef<[u8]>>(out: &mut Vec<u8>, names: impl IntoIterator<Item = K>) {
    let mut content = Vec::new();
    names.into_iter().for_each(|name| pairs::append(&mut content, name.as_ref(), &[]));
    append(out, kind::GET_VALUES, 0, &content);
}

/// Appends any record, well formed or not.
pub fn append_record(out: &mut Vec<u8>, kind: u8, id: u16, content: &[u8]) {
    append(out, kind, id, content);
}
