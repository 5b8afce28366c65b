//! Notes, one JSON object in each line of a file. The connections to it stand for those to a database: each worker opens
//! its own after the fork, one for each of its threads.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rhinod::{BoxError, Request, Response, StatusError};
use serde::{Deserialize, Serialize};

/// Longest note, as it is sent.
const NOTE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
}

/// A pool of connections.
pub(crate) struct Notes {
    idle: Mutex<Vec<File>>,
}

impl Notes {
    /// Opens so many connections.
    pub(crate) fn open(path: &Path, connections: usize) -> io::Result<Self> {
        let open = |_| OpenOptions::new().read(true).append(true).create(true).open(path);
        let idle = (0..connections).map(open).collect::<io::Result<Vec<File>>>()?;
        Ok(Self { idle: Mutex::new(idle) })
    }

    /// Notes as JSON; with `tag` in the query only those that have one of these tags.
    pub(crate) fn list(&self, request: &Request<'_>) -> Result<Response, BoxError> {
        let wanted: Vec<String> = request.query_values("tag").collect();
        let notes = self.with_connection(|connection| {
            connection.seek(SeekFrom::Start(0))?;
            let lines = BufReader::new(connection).lines();
            lines.map(|line| Ok(serde_json::from_str::<Note>(&line?)?)).collect::<Result<Vec<Note>, BoxError>>()
        })?;
        let is_wanted = |note: &&Note| wanted.is_empty() || note.tags.iter().any(|tag| wanted.contains(tag));
        Response::json(&notes.iter().filter(is_wanted).collect::<Vec<_>>())
    }

    /// One more note, sent as JSON.
    pub(crate) fn add(&self, request: &mut Request<'_>) -> Result<Response, BoxError> {
        let body = request.read_body(NOTE_BYTES_MAX)?;
        let note: Note = serde_json::from_slice(&body).map_err(|error| StatusError::new(400, error.to_string()))?;
        let mut line = serde_json::to_vec(&note)?;
        line.push(b'\n');
        // One write at the end of the file is whole, whoever else writes.
        self.with_connection(|connection| Ok(connection.write_all(&line)?))?;
        Ok(Response::json(&note)?.with_status(201))
    }

    /// There are as many connections as threads, so that nobody waits for one.
    fn with_connection<R>(&self, act: impl FnOnce(&mut File) -> Result<R, BoxError>) -> Result<R, BoxError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = idle().pop().ok_or(StatusError::new(503, "all connections are in use"))?;
        let done = act(&mut connection);
        idle().push(connection);
        done
    }
}
