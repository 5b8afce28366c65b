//! Tables that are told anything, in worlds of a few lines; and who is believed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use fastrand::Rng;
use testkit::mutation::mutate;
use testkit::seeds::Seeds;
use worker_protocol::subscription::{Announcement, Command, Heard};

use super::graves::GONE_MAX;
use super::table::{NODES_MAX, NODES_OF_KEY_MAX};
use super::*;
use crate::config::model::{Address, Digest, Hearing, SignCheck, Turns};

const SECOND: u64 = 1_000_000;
const GRACE: Duration = Duration::from_secs(30);

fn address(port: u16) -> Address {
    Address::Tcp(([127, 0, 0, 1], port).into())
}

fn record(key: &str, port: u16, at_us: u64) -> Record {
    Record::of(key, address(port), at_us)
}

fn departs(key: &str, port: u16, at_us: u64) -> Record {
    Record { goes: true, ..record(key, port, at_us) }
}

fn table(terms: &Hearing) -> Table {
    Table::new(terms, GRACE)
}

fn port_of(choice: &Choice) -> Option<u16> {
    match choice {
        Choice::Node { address: Address::Tcp(address), .. } => Some(address.port()),
        _ => None,
    }
}

/// The ports of so many nodes, one after the other, each of which has its request for a moment.
fn chosen(table: &mut Table, key: &str, count: usize, now_us: u64) -> Vec<u16> {
    (0..count).filter_map(|_| port_of(&table.choose(Some(key), now_us, None))).collect()
}

#[test]
fn turns_are_spread_by_weight() {
    let mut table = table(&Hearing::default());
    for (port, weight) in [(1, 1), (2, 2), (3, 3)] {
        assert_eq!(table.apply(&Record { weight, ..record("a", port, 0) }), Applied::New);
    }
    assert_eq!(chosen(&mut table, "a", 12, 0), [3, 2, 1, 3, 2, 3, 3, 2, 1, 3, 2, 3]);
    // Whatever weights: each has its part of a whole round.
    Seeds::of_this_run(50).try_all(|_: &mut (), seed| {
        let mut random = Rng::with_seed(seed);
        let mut table = super::Table::new(&Hearing::default(), GRACE);
        let weights: Vec<u64> = (0..random.usize(1..8)).map(|_| random.u64(1..9)).collect();
        for (port, weight) in (1..).zip(&weights) {
            table.apply(&Record { weight: *weight, ..record("a", port, 0) });
        }
        let total = usize::try_from(weights.iter().sum::<u64>()).unwrap_or(0);
        let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
        for port in chosen(&mut table, "a", 3 * total, 0) {
            *counts.entry(port).or_default() += 1;
        }
        let expected: BTreeMap<u16, u64> = (1..).zip(weights.iter().map(|weight| 3 * weight)).collect();
        if counts == expected { Ok(()) } else { Err(format!("{weights:?}: {counts:?}")) }
    });
}

#[test]
fn who_has_the_fewest_requests_is_next_where_that_is_asked_for() {
    for (turns, expected) in [
        (Turns::LeastBusy, vec![1, 2, 1, 2, 1, 2]),
        // Of weights 1 and 2.
        (Turns::LeastBusyWeighted, vec![1, 2, 2, 1, 2, 2]),
    ] {
        let mut table = table(&Hearing { turns, ..Hearing::default() });
        table.apply(&record("a", 1, 0));
        table.apply(&Record { weight: 2, ..record("a", 2, 0) });
        let busy: Vec<Choice> = (0..6).map(|_| table.choose(Some("a"), 0, None)).collect();
        assert_eq!(busy.iter().filter_map(port_of).collect::<Vec<_>>(), expected, "{turns:?}");
        assert_eq!(table.told(0, 0)[0].nodes[0].r#ref, expected.iter().filter(|port| **port == 1).count() as u64);
        drop(busy);
        assert_eq!(table.told(0, 0)[0].nodes[0].r#ref, 0);
    }
}

#[test]
fn backups_are_asked_while_nobody_else_can_be_and_who_is_shunned_is_asked_again_when_it_is_heard() {
    let mut table = table(&Hearing::default());
    table.apply(&record("a", 1, 0));
    table.apply(&Record { backup: 1, ..record("a", 2, 0) });
    table.apply(&Record { backup: 2, ..record("a", 3, 0) });
    assert_eq!(chosen(&mut table, "a", 3, 0), [1, 1, 1]);
    let shun = |table: &mut Table, now_us: u64, avoid: Option<u64>| {
        let Choice::Node { id, .. } = table.choose(Some("a"), now_us, avoid) else { panic!("nobody") };
        table.shun(id, now_us);
        id
    };
    let first = shun(&mut table, 0, None);
    assert_eq!(chosen(&mut table, "a", 2, 1), [2, 2]);
    shun(&mut table, 2, None);
    assert_eq!(chosen(&mut table, "a", 2, 3), [3, 3]);
    table.apply(&record("a", 1, 4));
    assert_eq!(chosen(&mut table, "a", 1, 5), [1]);
    assert_eq!(port_of(&table.choose(Some("a"), 5, Some(first))), Some(3), "another one than who has just failed");
    // All are shunned: who has been left alone the longest.
    for now_us in [6, 7] {
        shun(&mut table, now_us, None);
    }
    assert_eq!(chosen(&mut table, "a", 1, 8), [2]);
    assert_eq!(chosen(&mut table, "a", 1, 31 * SECOND), [1], "after its time it is asked again");
}

#[test]
fn a_host_is_served_by_its_own_nodes_by_those_of_a_longer_name_or_by_those_of_the_fallback() {
    let terms = Hearing { splits_dots: true, fallback_key: Some("other".to_owned()), ..Hearing::default() };
    let mut dotted = table(&terms);
    for (key, port) in [("a.example", 1), (".example", 2), (".b.example", 3), ("other", 4)] {
        dotted.apply(&record(key, port, 0));
    }
    let mut ask = |host: Option<&str>| port_of(&dotted.choose(host, 0, None));
    for (host, port) in [
        ("a.example", 1),
        ("c.example", 2),
        ("a.b.example", 3),
        ("b.example", 2),
        ("example", 4),
        ("a.example:80", 4),
        ("1.2.3.4.a.example", 4),
        ("2.3.4.a.example", 2),
    ] {
        assert_eq!(ask(Some(host)), Some(port), "{host}");
    }
    assert_eq!(ask(None), Some(4));
    let mut plain = table(&Hearing::default());
    plain.apply(&record(".example", 1, 0));
    assert!(matches!(plain.choose(Some("a.example"), 0, None), Choice::Unknown));
    assert!(matches!(plain.choose(None, 0, None), Choice::Unknown));
}

#[test]
fn who_is_silent_for_too_long_or_says_so_is_asked_no_more_and_its_key_is_remembered_for_a_while() {
    let mut table = table(&Hearing::default());
    table.apply(&record("a", 1, 0));
    table.apply(&record("a", 2, 0));
    table.apply(&record("a", 2, 10 * SECOND));
    assert_eq!(table.due_us(), Some(17 * SECOND + 1));
    assert!(table.expire(17 * SECOND).is_empty());
    assert_eq!(table.expire(17 * SECOND + 1), [Parting { key: "a".to_owned(), address: address(1) }]);
    assert_eq!(chosen(&mut table, "a", 2, 18 * SECOND), [2, 2]);
    assert_eq!(table.apply(&departs("a", 2, 18 * SECOND)), Applied::Gone);
    assert_eq!(table.apply(&departs("a", 2, 18 * SECOND)), Applied::Nothing);
    assert!(matches!(table.choose(Some("a"), 19 * SECOND, None), Choice::Nobody));
    assert!(table.expire(19 * SECOND).is_empty());
    assert!(matches!(table.choose(Some("a"), 19 * SECOND, None), Choice::Nobody));
    let due_us = table.due_us().expect("the key is to be forgotten");
    table.expire(due_us);
    assert!(matches!(table.choose(Some("a"), due_us, None), Choice::Unknown));
    assert_eq!(table.due_us(), None);
}

#[test]
fn what_was_signed_before_is_not_believed_again_also_when_the_node_has_gone() {
    let signed = |moment_s: u64, goes: bool| Record { goes, moment_s: Some(moment_s), ..record("a", 1, moment_s) };
    let mut table = table(&Hearing::default());
    assert_eq!(table.apply(&signed(100, false)), Applied::New);
    assert_eq!(table.apply(&signed(100, false)), Applied::Stale);
    assert_eq!(table.apply(&signed(100, true)), Applied::Stale, "the same bytes as an order to go");
    assert_eq!(table.apply(&signed(110, false)), Applied::Again);
    assert_eq!(table.apply(&signed(105, true)), Applied::Stale);
    assert_eq!(table.apply(&signed(121, true)), Applied::Gone);
    assert_eq!(table.apply(&signed(110, false)), Applied::Stale, "a replay for who has gone");
    // Another router that learns all of this believes no more.
    let mut other = super::Table::new(&Hearing::default(), GRACE);
    other.learn_whole(&table.whole(), 121);
    assert_eq!(other.apply(&signed(121, false)), Applied::Stale);
    assert_eq!(other.apply(&signed(130, false)), Applied::New);
    // A silent one is remembered as well.
    other.expire(18 * SECOND + 130);
    assert_eq!(other.apply(&signed(130, false)), Applied::Stale);
}

#[test]
fn nothing_grows_without_a_bound() {
    let mut table = table(&Hearing::default());
    for port in 1..=NODES_OF_KEY_MAX as u16 {
        assert_eq!(table.apply(&record("a", port, 0)), Applied::New);
    }
    assert_eq!(table.apply(&record("a", 9_999, 0)), Applied::Full);
    assert_eq!(table.apply(&record("a", 1, 1)), Applied::Again, "who is known stays");
    for number in 0..2 * NODES_MAX as u64 {
        let at_us = 2 + number;
        let signed = |goes: bool, moment_s: u64| Record {
            goes,
            moment_s: Some(moment_s),
            ..record(&format!("k{number}"), 1, at_us)
        };
        let added = table.apply(&signed(false, 2 * number));
        let room = NODES_MAX - NODES_OF_KEY_MAX;
        assert_eq!(
            added == Applied::New,
            number < room as u64,
            "{number}: keys that have just lost their node take room"
        );
        table.apply(&signed(true, 2 * number + 1));
    }
    assert!(table.whole().len() <= NODES_OF_KEY_MAX + GONE_MAX);
    let forgotten = Record { moment_s: Some(2), ..record("k0", 1, 9_999_999) };
    assert_eq!(table.apply(&forgotten), Applied::Stale, "too many have gone to remember each; none of them comes back");
}

/// Routers of one instance that hear different announcements and share a journal come to the same table; so does one that
/// begins later, from the whole of another.
#[test]
fn routers_that_share_what_they_hear_know_the_same() {
    Seeds::of_this_run(200).try_all(|_: &mut (), seed| {
        let mut random = Rng::with_seed(seed);
        let mut tables = [table(&Hearing::default()), table(&Hearing::default())];
        let mut journal = Vec::new();
        let mut read = [0, 0];
        let mut now_us = 0;
        for _ in 0..100 {
            now_us += random.u64(1..2 * SECOND);
            let who = random.usize(..2);
            let mut learn = |tables: &mut [Table; 2], journal: &[u8], who: usize| {
                for record in read_lines(&journal[read[who]..]) {
                    tables[who].learn(&record, now_us);
                }
                read[who] = journal.len();
            };
            learn(&mut tables, &journal, who);
            let keys = ["a", "b"];
            let heard =
                Record { goes: random.u8(..5) == 0, ..record(keys[random.usize(..2)], random.u16(1..5), now_us) };
            tables[who].apply(&heard);
            write_line(&heard, &mut journal);
            learn(&mut tables, &journal, who);
            learn(&mut tables, &journal, 1 - who);
            for table in &mut tables {
                table.expire(now_us);
            }
            let mut late = table(&Hearing::default());
            late.learn_whole(&tables[0].whole(), now_us);
            let names = |table: &Table| -> Vec<(String, Vec<String>)> {
                let mut all: Vec<_> = table
                    .told(now_us, 0)
                    .into_iter()
                    .map(|pool| {
                        let mut names: Vec<String> = pool.nodes.into_iter().map(|node| node.name).collect();
                        names.sort();
                        (pool.key, names)
                    })
                    .filter(|(_, nodes)| !nodes.is_empty())
                    .collect();
                all.sort();
                all
            };
            if names(&tables[0]) != names(&tables[1]) || names(&tables[0]) != names(&late) {
                return Err(format!("{:?} {:?} {:?}", names(&tables[0]), names(&tables[1]), names(&late)));
            }
        }
        Ok(())
    });
}

fn here() -> Sender {
    Sender { ip: Some(IpAddr::from([127, 0, 0, 1])), is_here: true, process: None }
}

fn elsewhere() -> Sender {
    Sender { ip: Some(IpAddr::from([10, 0, 0, 7])), is_here: false, process: None }
}

fn said(address: &str) -> Announcement<'_> {
    Announcement { key: "A.example", address, ..Announcement::default() }
}

fn judged(announcement: Announcement<'_>, sender: &Sender, terms: &Hearing) -> Result<Judged, String> {
    let heard = Heard { command: Command::Subscribe, announcement, moment_s: None, signed: None };
    judge(&heard, sender, terms, 5, 1_000_000)
}

#[test]
fn nodes_are_where_they_say_unless_that_is_on_another_machine_than_theirs() {
    let terms = Hearing::default();
    let at = |text: &str, sender: &Sender| judged(said(text), sender, &terms).map(|it| it.record.address.to_string());
    for (text, from_here, from_elsewhere) in [
        ("10.0.0.9:3031", Some("10.0.0.9:3031"), Some("10.0.0.9:3031")),
        ("[2001:db8::1]:80", Some("[2001:db8::1]:80"), Some("[2001:db8::1]:80")),
        (":3031", Some("127.0.0.1:3031"), Some("10.0.0.7:3031")),
        ("0.0.0.0:3031", Some("127.0.0.1:3031"), Some("10.0.0.7:3031")),
        ("127.0.0.1:3031", Some("127.0.0.1:3031"), None),
        ("[::ffff:127.0.0.1]:1", Some("[::ffff:127.0.0.1]:1"), None),
        ("/run/a.sock", Some("/run/a.sock"), None),
        ("@a", Some("@a"), None),
        ("a.example:80", None, None),
        ("a.sock", None, None),
        ("10.0.0.9:0", None, None),
        ("224.0.0.1:80", None, None),
        ("@", None, None),
    ] {
        assert_eq!(at(text, &here()).ok().as_deref(), from_here, "{text}");
        assert_eq!(at(text, &elsewhere()).ok().as_deref(), from_elsewhere, "{text}");
    }
    let record = judged(said("/a"), &here(), &terms).expect("it is believed").record;
    assert_eq!((record.key.as_str(), record.weight, record.at_us), ("a.example", 1, 5));
    let path = Announcement { key: "a/b", ..said("/a") };
    assert!(judged(path, &here(), &terms).is_err());
    let wants = Announcement { sni: [Some("/k"), None, None], ..said("/a") };
    assert!(judged(wants, &here(), &terms).expect("it is believed").remark.is_some_and(|it| it.contains("sni_key")));
}

#[test]
fn who_must_sign_says_when_and_is_judged_by_the_key_of_its_key_alone() {
    let check = SignCheck { digest: Digest::Sha256, directory: "/keys".into() };
    let terms = Hearing { signatures: Some(check), trusted_users: vec![0, 33], ..Hearing::default() };
    let announcement = Announcement { key: "a.example:80", ..said("/a") };
    let signature = worker_protocol::subscription::Signed { pairs: b"p", signature: b"s" };
    let judged = |moment_s: Option<u64>, is_signed: bool, sender: &Sender| {
        let signed = is_signed.then_some(signature);
        judge(&Heard { command: Command::Subscribe, announcement, moment_s, signed }, sender, &terms, 0, 1_000_000)
    };
    let fine = judged(Some(1_000_000), true, &here()).expect("it may be believed");
    assert_eq!(fine.signer, Some(("/keys/a.example_80.pem".into(), Digest::Sha256)));
    assert_eq!(fine.record.moment_s, Some(1_000_000));
    for (moment_s, is_signed) in
        [(None, true), (Some(1_000_000), false), (Some(913_599), true), (Some(1_086_401), true)]
    {
        assert!(judged(moment_s, is_signed, &here()).is_err(), "{moment_s:?} {is_signed}");
    }
    let user = |uid: u32| Sender { ip: None, is_here: true, process: Some((7, uid, uid)) };
    assert_eq!(judged(None, false, &user(33)).expect("it is trusted").signer, None);
    assert!(judged(None, false, &user(34)).is_err());
    assert!(judged(None, false, &user(0)).is_err(), "root signs like everybody");
}

#[test]
fn whose_process_it_is_must_be_known_where_files_say_who_may() {
    let terms = Hearing { credentials: vec!["/sites".into(), "/more/".into()], ..Hearing::default() };
    let process = Sender { ip: None, is_here: true, process: Some((7, 33, 33)) };
    let owned = judged(said("/a"), &process, &terms).expect("it may be believed").owned;
    assert_eq!(owned, ["/sites/a.example", "/more/a.example"].map(std::path::PathBuf::from));
    assert!(judged(said("/a"), &here(), &terms).is_err());
    let climbs = Announcement { key: "..", ..said("/a") };
    assert!(judged(climbs, &process, &terms).is_err());
}

#[test]
fn the_router_writes_to_the_sender_and_to_nobody_else() {
    assert_eq!(notified("127.0.0.1:5", &here()), Some(address(5)));
    assert_eq!(notified("/run/said", &here()), Some(Address::Unix("/run/said".into())));
    assert_eq!(notified("10.0.0.7:5", &elsewhere()), Some(Address::Tcp(([10, 0, 0, 7], 5).into())));
    assert_eq!(notified("0.0.0.0:5", &elsewhere()), Some(Address::Tcp(([10, 0, 0, 7], 5).into())));
    for text in ["10.0.0.8:5", "/run/said", "127.0.0.1:5", "nobody"] {
        assert_eq!(notified(text, &elsewhere()), None, "{text}");
    }
}

#[test]
fn mutants_of_announcements_are_refused_or_are_what_can_be_kept() {
    let site = Announcement { notify: Some("/run/said"), backup: 1, ..said("127.0.0.1:3031") };
    let pairs = site.pairs(Some((7, Command::Subscribe))).expect("pairs");
    let packet = Command::Subscribe.packet(pairs, Some(b"sealed")).expect("a packet");
    let seeds = Seeds::of_this_run(2_000);
    let read = seeds.try_all(|read: &mut u32, seed| {
        let mut random = Rng::with_seed(seed);
        let mut mutant = packet.clone();
        mutate(&mut random, &mut mutant);
        let Ok(heard) = Heard::read(&mutant) else { return Ok(()) };
        *read += 1;
        let Ok(judged) = judge(&heard, &here(), &Hearing::default(), 1, 1) else { return Ok(()) };
        let mut line = Vec::new();
        write_line(&judged.record, &mut line);
        let again = read_lines(&line);
        if again != [judged.record.clone()] {
            return Err(format!("{:?} comes back as {again:?}", judged.record));
        }
        let mut table = table(&Hearing::default());
        table.apply(&judged.record);
        let _ = table.told(1, 1);
        Ok(())
    });
    assert!(!seeds.are_usual() || read.iter().sum::<u32>() > 10, "{read:?}: they are all too far off");
}
