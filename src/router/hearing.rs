//! Where the router hears instances announce themselves: takes what is sent there, sees whether it is believed, and shares that
//! with the other routers of the instance, and those to come, by the journal. Waits for nothing. Router only; what is decided is
//! in `announced`.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use worker_protocol::subscription::{Heard, PACKET_BYTES_MAX};

use super::announced::{
    Applied, Complaints, Judged, Parting, Record, Said, Sender, Table, judge, notified, read_lines, write_line,
};
use crate::config::model::{Address, Digest, Hearing};
use crate::sys::clock::{epoch_s, monotonic_us};
use crate::sys::datagrams::{self, Ear, Process, Received};
use crate::sys::files::short_text;
use crate::sys::journal::{Journal, News, Writing};
use crate::tls;

/// Most datagrams that are taken before anything else gets its turn: a signature is work.
const AT_ONCE_MAX: usize = 64;

/// Most bytes of a public key's file.
const KEY_BYTES_MAX: u64 = 1 << 16;

/// A journal this long is begun anew, if what is worth knowing is at most half of it.
const JOURNAL_BYTES: u64 = 1 << 20;

/// Most records that wait for the journal while another router has it, longer than anyone should.
const PENDING_MAX: usize = 1_024;

/// The ears of a router.
pub(super) struct Ears {
    sockets: Vec<Ear>,
    terms: Hearing,
    journal: Journal,
    /// What is not in the journal yet.
    pending: VecDeque<Record>,
    /// How long the journal was when it was last begun anew.
    whole_bytes: u64,
    complaints: Complaints,
    room: Vec<u8>,
}

impl Ears {
    /// At sockets and a journal that the master has made.
    ///
    /// # Errors
    /// What the system says of the sockets.
    pub(super) fn new(sockets: Vec<OwnedFd>, journal: OwnedFd, terms: Hearing) -> io::Result<Ears> {
        Ok(Ears {
            sockets: sockets.into_iter().map(Ear::of).collect::<io::Result<_>>()?,
            terms,
            journal: Journal::open(journal),
            pending: VecDeque::new(),
            whole_bytes: 0,
            complaints: Complaints::default(),
            // One byte more shows what is too long.
            room: vec![0; PACKET_BYTES_MAX + 1],
        })
    }

    /// Has the sockets wake the loop.
    pub(super) fn watch(&self, registry: &Registry, token: Token) -> io::Result<()> {
        let mut all = self.sockets.iter();
        all.try_for_each(|socket| {
            registry.register(&mut SourceFd(&socket.as_fd().as_raw_fd()), token, Interest::READABLE)
        })
    }

    /// Nothing is heard any more; another router is there for that. What that writes down is read on.
    pub(super) fn close(&mut self, registry: &Registry) {
        for socket in self.sockets.drain(..) {
            // It is closed in a moment.
            let _ = registry.deregister(&mut SourceFd(&socket.as_fd().as_raw_fd()));
        }
    }

    /// Whether something waits for the journal.
    pub(super) fn is_owing(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes what was sent, up to a bound. Whether there may be more.
    pub(super) fn hear(&mut self, table: &mut Table) -> bool {
        let mut left = AT_ONCE_MAX;
        for place in 0..self.sockets.len() {
            while left > 0 {
                match self.sockets[place].receive(&mut self.room) {
                    Ok(Some(received)) => {
                        left -= 1;
                        self.take(received, table);
                    }
                    Ok(None) => break,
                    Err(error) => {
                        self.complain(&format!("announcements cannot be received: {error}"));
                        break;
                    }
                }
            }
        }
        left == 0
    }

    fn take(&mut self, received: Received, table: &mut Table) {
        let sender = Sender {
            ip: received.from,
            is_here: received.from.is_none_or(datagrams::is_own),
            process: received.process.map(|Process { pid, uid, gid }| (pid, uid, gid)),
        };
        let from = whose(&sender);
        let packet = self.room[..received.bytes.min(self.room.len())].to_vec();
        let heard = match Heard::read(&packet) {
            Ok(heard) => heard,
            Err(flaw) => return self.complain(&format!("an announcement {from} is not believed: {flaw}")),
        };
        let now_us = monotonic_us();
        let judged = judge(&heard, &sender, &self.terms, now_us, u64::try_from(epoch_s()).unwrap_or(0));
        let judged = judged.and_then(|judged| prove(&judged, &heard, &sender).map(|()| judged));
        let about = format!("the announcement of {} for {} {from}", heard.announcement.address, heard.announcement.key);
        match judged {
            Ok(judged) => self.believe(
                judged,
                heard.announcement.notify.and_then(|notify| notified(notify, &sender)),
                table,
                &about,
            ),
            Err(why) => self.complain(&format!("{about} is not believed: {why}")),
        }
    }

    fn believe(&mut self, judged: Judged, notify: Option<Address>, table: &mut Table, about: &str) {
        let Judged { record, remark, .. } = judged;
        let (key, address) = (&record.key, &record.address);
        match table.apply(&record) {
            Applied::New => {
                log::info!("{key} => new node: {address}");
                if let Some(remark) = remark {
                    log::warn!("{key} => {address}: {remark}");
                }
                if let Some(to) = notify {
                    // As fire and forget as what it answers; an instance that misses it announces itself again.
                    let _ = datagrams::send(&to, format!("[subscription ack] {key} => new node: {address}").as_bytes());
                }
            }
            Applied::Gone => log::info!("{key} => {address} is asked no more: it has said so"),
            Applied::Again => {}
            // A departure that is news may still be one to others, and to who replays it.
            Applied::Nothing if record.moment_s.is_some() => {}
            Applied::Nothing => return,
            Applied::Stale => return self.complain(&format!("{about} is not believed: it was said before (sniffed?)")),
            Applied::Full => return self.complain(&format!("{about} is not taken: there are too many nodes")),
        }
        if self.pending.len() == PENDING_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back(record);
    }

    /// Learns what other routers have heard, and tells them what this one has.
    pub(super) fn share(&mut self, table: &mut Table) {
        if let Err(error) = self.try_share(table) {
            self.complain(&format!("routers cannot tell each other of announcements: {error}"));
        }
    }

    fn try_share(&mut self, table: &mut Table) -> io::Result<()> {
        let now_us = monotonic_us();
        learn(self.journal.news()?, &self.pending, table, now_us);
        if self.pending.is_empty() {
            return Ok(());
        }
        let Some(mut journal) = self.journal.write()? else { return Ok(()) };
        learn(journal.news()?, &self.pending, table, now_us);
        let mut lines = Vec::new();
        self.pending.iter().for_each(|record| write_line(record, &mut lines));
        if journal.is_broken()? || journal.length() > JOURNAL_BYTES.max(2 * self.whole_bytes) {
            self.whole_bytes = begin_anew(&mut journal, table)?;
        } else {
            journal.add(&lines)?;
        }
        self.pending.clear();
        Ok(())
    }

    /// Says what is wrong, unless too much is.
    fn complain(&mut self, line: &str) {
        match self.complaints.add(monotonic_us()) {
            Said::After(0) => log::warn!("{line}"),
            Said::After(unsaid) => log::warn!("{line} (and {unsaid} more like that were not told of)"),
            Said::No => {}
        }
    }
}

/// Says which nodes have been silent for too long.
pub(super) fn tell_of_silent(silent: &[Parting], table: &Table) {
    let seconds = table.tolerance().as_secs();
    for Parting { key, address } in silent {
        log::warn!("{key} => marking {address} as failed (no announce received in {seconds} seconds)");
    }
}

/// What others have heard. Who reads all of it anew still knows what it has heard itself and not told yet.
fn learn(news: News, pending: &VecDeque<Record>, table: &mut Table, now_us: u64) {
    match news {
        News::None => {}
        News::More(bytes) => {
            for record in read_lines(&bytes) {
                table.learn(&record, now_us);
            }
        }
        News::Whole(bytes) => {
            let mut all = read_lines(&bytes);
            all.extend(pending.iter().cloned());
            table.learn_whole(&all, now_us);
        }
    }
}

/// Writes all that is known in the place of all that was said. How many bytes that is.
fn begin_anew(journal: &mut Writing<'_>, table: &Table) -> io::Result<u64> {
    let mut lines = Vec::new();
    table.whole().iter().for_each(|record| write_line(record, &mut lines));
    journal.begin_anew(&lines)?;
    Ok(lines.len() as u64)
}

/// From whom an announcement comes, for the log.
fn whose(sender: &Sender) -> String {
    match (sender.ip, sender.process) {
        (Some(ip), _) => format!("from {ip}"),
        (None, Some((pid, uid, _))) => format!("of process {pid} of user {uid}"),
        (None, None) => "of somebody".to_owned(),
    }
}

/// Sees to what bytes alone do not tell: files of keys, and of owners.
fn prove(judged: &Judged, heard: &Heard<'_>, sender: &Sender) -> Result<(), String> {
    if let Some((file, digest)) = &judged.signer {
        let signed = heard.signed.ok_or("it is not signed")?;
        signed_by(file, *digest, signed.pairs, signed.signature)?;
    }
    let owns = |file: &PathBuf| {
        let Some((_, uid, gid)) = sender.process else { return false };
        fs::metadata(file).is_ok_and(|found| (found.uid(), found.gid()) == (uid, gid))
    };
    if judged.owned.is_empty() || judged.owned.iter().any(owns) {
        return Ok(());
    }
    let files: Vec<String> = judged.owned.iter().map(|file| file.display().to_string()).collect();
    Err(format!("no file {} is its user's and group's", files.join(" or ")))
}

fn signed_by(file: &Path, digest: Digest, bytes: &[u8], signature: &[u8]) -> Result<(), String> {
    let about = |problem: String| format!("{}: {problem}", file.display());
    let pem = short_text(file, KEY_BYTES_MAX).map_err(|error| about(error.to_string()))?;
    tls::verify(&pem, digest, bytes, signature).map_err(about)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::model::Hearing as Terms;
    use crate::router::announced::Choice;

    #[test]
    fn what_a_router_has_heard_and_not_told_yet_survives_that_it_reads_the_journal_from_its_beginning() {
        let mut table = Table::new(&Terms::default(), Duration::from_secs(10));
        let record = Record::of("a.example", Address::Unix("/site".into()), 5);
        table.apply(&record);
        learn(News::Whole(Vec::new()), &VecDeque::from([record]), &mut table, 6);
        assert!(matches!(table.choose(Some("a.example"), 6, None), Choice::Node { .. }));
        learn(News::Whole(Vec::new()), &VecDeque::new(), &mut table, 6);
        assert!(!matches!(table.choose(Some("a.example"), 6, None), Choice::Node { .. }));
    }
}
