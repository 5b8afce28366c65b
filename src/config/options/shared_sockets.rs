//! Sockets that are opened first and served by other options (`shared-socket`, and `=N` in the place of an address), and
//! sockets that only some workers serve (`map-socket`).
//!
//! Pure; runs wherever a configuration is read.

use super::address::shared_number;
use super::draft::Draft;
use super::known_address::known_address;
use super::parsed::Parsed;
use super::socket_references::Mapping;
use crate::config::error::ConfigError;
use crate::config::model::{Address, Listener};

/// `shared-socket`: opened before privileges are dropped. `deferred`: as TCP sockets are, until their first bytes are there.
pub(super) fn share(draft: &mut Draft<'_>, value: &Parsed<'_>, deferred: bool) {
    let address = known_address(draft, value);
    let line = draft.current();
    draft.references.shared.push((address, deferred, line));
}

/// A listener that is a shared socket: it stands where others stand, and gets its address when all lines are read.
pub(super) fn borrow(draft: &mut Draft<'_>) -> Address {
    let line = draft.current();
    draft.references.borrowed.push((draft.config.sockets.len(), line));
    Address::Inherited(-1)
}

/// `map-socket`: `SOCKET:WORKER[,WORKER…]`.
pub(super) fn map(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let mapping = mapping(value.text).ok_or("expected SOCKET:WORKER[,WORKER…], such as 0:1,2");
    let line = draft.current();
    draft.references.mapped.push((mapping, line));
}

fn mapping(text: &str) -> Option<Mapping> {
    let (socket, workers) = text.split_once(':')?;
    let workers: Vec<u32> = workers.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
    Some(Mapping { socket: socket.trim().parse().ok()?, workers })
}

/// Gives the listeners that are shared sockets their addresses.
pub(super) fn lend(draft: &mut Draft<'_>) {
    let (shared, borrowed) =
        (std::mem::take(&mut draft.references.shared), std::mem::take(&mut draft.references.borrowed));
    let mut used = vec![false; shared.len()];
    for (index, line) in borrowed.iter().rev() {
        let number = line.value.as_deref().and_then(lent_number);
        let lent = number.and_then(|number| shared.get(number).map(|shared| (number, shared)));
        match (lent, draft.config.sockets.get_mut(*index)) {
            (Some((number, (Some(address), deferred, _))), Some(listener)) => {
                let defer_accept = listener.defer_accept && *deferred;
                *listener = Listener { address: address.clone(), early: true, defer_accept, ..listener.clone() };
                used[number] = true;
            }
            (lent, _) => {
                // The line of the shared socket is to blame where that cannot be read.
                if lent.is_none() {
                    let problem = format!("there is no such shared socket; {}", count(shared.len()));
                    let error = ConfigError::about(line, problem);
                    draft.error(error.suggest("the first shared-socket is =0, the second =1"));
                }
                draft.config.sockets.remove(*index);
                draft.sockets_from.remove(*index);
            }
        }
    }
    for (number, (_, (_, _, line))) in used.iter().zip(&shared).enumerate().filter(|(_, (used, _))| !**used) {
        let problem = "no other line serves this socket, so that it is not opened";
        draft
            .warning(ConfigError::about(line, problem).suggest(format!("add socket = ={number}, or http = ={number}")));
    }
}

/// The number of the shared socket in a line, behind which a certificate may follow.
fn lent_number(value: &str) -> Option<usize> {
    shared_number(value.trim_start_matches("addr=").split(',').next()?)
}

fn count(shared: usize) -> String {
    match shared {
        0 => "no shared-socket is given".to_owned(),
        1 => "there is one".to_owned(),
        more => format!("there are {more}"),
    }
}

/// Notes which workers serve which socket. After [`lend`], and when the number of workers is known.
pub(super) fn judge_maps(draft: &mut Draft<'_>) {
    let workers = draft.config.workers;
    for (mapping, line) in std::mem::take(&mut draft.references.mapped) {
        let sockets = draft.config.sockets.len();
        let problem = match mapping {
            Err(problem) => problem.to_owned(),
            Ok(Mapping { socket, .. }) if socket >= sockets => {
                format!("there is no socket {socket}: they are numbered from 0, and there are {sockets}")
            }
            Ok(Mapping { workers: ref numbers, .. }) if numbers.iter().any(|number| !is_worker(*number, workers)) => {
                format!("there is no such worker: they are numbered from 1 to {workers}")
            }
            Ok(Mapping { socket, workers }) => {
                if let Some(listener) = draft.config.sockets.get_mut(socket) {
                    listener.workers.extend(workers);
                }
                continue;
            }
        };
        draft.error(ConfigError::about(line, problem).suggest("write it as map-socket = SOCKET:WORKER[,WORKER…]"));
    }
}

fn is_worker(number: u32, workers: usize) -> bool {
    number >= 1 && usize::try_from(number).is_ok_and(|number| number <= workers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_a_socket_and_workers() {
        assert_eq!(mapping("0:1"), Some(Mapping { socket: 0, workers: vec![1] }));
        assert_eq!(mapping("2: 1, 3"), Some(Mapping { socket: 2, workers: vec![1, 3] }));
        for text in ["", "0", "0:", ":1", "0:1,", "x:1", "0:y", "0:-1"] {
            assert_eq!(mapping(text), None, "{text}");
        }
    }
}
