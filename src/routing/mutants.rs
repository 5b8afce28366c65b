//! Mutated rules over mutated requests: whatever is written, it is refused with a reason or does its work within the limits.

use testkit::mutation::{mutate_with, try_mutants};
use testkit::seeds::Seeds;
use worker_protocol::head::RequestHead;
use worker_protocol::pairs::{Block, PathInfo, append};

use super::tests::Fixed;
use super::{Answer, Request, Rules, Stage, Verdict, WrittenRule};

/// Between the rules, and what they look at: the variables of the request.
const REQUEST: &str = "\n---\n";

/// Each is a configuration, and a request as `NAME=VALUE` lines.
const ORIGINALS: [&str; 8] = [
    "route = ^/blog/(\\d+) addheader:X-N: $1\nroute-run = rewrite:/x?id=$1\n---\nPATH_INFO=/blog/7\nQUERY_STRING=a=b",
    "route-if = equal:${REQUEST_METHOD};GET addvar:A=${A}$0\nroute-run = +:A,2\nroute-run = /:A,0\n---\nA=1",
    "route-uri = [[:digit:]]+(x|y){1,3} log:${cookie[b]} ${qs[a]} ${uwsgi[lq]}\n---\nHTTP_COOKIE=a=1; b=2",
    "route-if-not = re:${HTTP_HOST};^(\\w+)\\. goto:end\nroute-run = break:503 Busy\nroute-label = end\n---\nHTTP_HOST=a.b",
    "route = ^/f/(.*) sendfile:filename=/srv/$1,status=202\nroute-run = static:/srv/${PATH_INFO}\n---\nPATH_INFO=/f/../x",
    "response-route-status = 404 redirect:https://${HTTP_HOST}/$1\nroute-run = expires:unix=0,value=60\n---\nHTTP_HOST=x",
    "route-run = basicauth:Realm,ann:{PLAIN}x\nroute-run = hash:key=a,var=V,items=x;y\n---\nHTTP_AUTHORIZATION=Basic YW5uOng=",
    "route-run = addheader:X: ${httptime[-60]}${base64[A]}${hex[A]}${mime[PATH_INFO]}\nroute-run = send:$0\n---\nA=\u{1}",
];

const PIECES: [&str; 34] = [
    "\n",
    "\r\n",
    "route = ",
    "route-run = ",
    "route-if = ",
    "response-route-run = ",
    "addvar:A=${A}${A}",
    "addheader:",
    "X: ",
    "redirect:",
    "rewrite:",
    "setpathinfo:",
    "file:filename=",
    "goto:",
    "2",
    "-1",
    "4294967296",
    "${",
    "}",
    "$1",
    "$9",
    "[",
    "]",
    "(",
    ")",
    "{9,99}",
    "{999}{999}",
    "*",
    "\\",
    "(?i)",
    ";",
    "%0d%0a",
    "\0",
    "é",
];

/// What is set for one request, at most.
const SET_MAX: usize = 128;

fn rules(text: &str) -> Vec<WrittenRule> {
    let lines = text.split('\n').filter_map(|line| line.split_once(" = "));
    let rule = |(option, text): (&str, &str)| WrittenRule {
        option: option.to_owned(),
        text: text.to_owned(),
        place: "app.ini:1".to_owned(),
    };
    lines.map(rule).collect()
}

fn block(text: &str) -> Vec<u8> {
    let mut block = Vec::new();
    let variables = text.split('\n').filter_map(|line| line.split_once('=')).filter(|(name, _)| !name.is_empty());
    for (name, value) in variables {
        // What does not fit is left out, as by a web server.
        let _ = append(&mut block, 0, name.as_bytes(), value.as_bytes());
    }
    block
}

fn exercise(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (written, request) = text.split_once(REQUEST).unwrap_or((&text, ""));
    let rules = match Rules::compile(&rules(written)) {
        Ok(rules) => rules,
        Err(errors) => return assert!(errors.iter().all(|(_, error)| !error.problem.is_empty())),
    };
    let block = block(request);
    let Ok(block) = Block::parse(&block, 100) else { return };
    let Ok(head) = RequestHead::read(block, PathInfo::AsSent) else { return };
    for stage in Stage::ALL {
        let mut request = Request::new(&head, true);
        request.status = 404;
        let verdict = rules.run(stage, &mut request, &Fixed::default());
        check(&request, &verdict);
    }
}

/// Nothing that a rule makes of a request can be taken for something else further on.
fn check(request: &Request<'_>, verdict: &Verdict) {
    let plain = |value: &[u8]| !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    let named = |name: &[u8]| !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b':');
    assert!(request.added.iter().all(|(name, value)| named(name) && plain(value)), "{:?}", request.added);
    assert!(request.added.len() <= SET_MAX && request.removed.len() <= SET_MAX && request.changes().count() <= SET_MAX);
    if let Ok(Some(changed)) = request.changed_block() {
        let changed = Block::parse(&changed, 100 + SET_MAX).expect("a block");
        assert!(changed.bytes() <= usize::from(u16::MAX));
    }
    let Verdict::Answer(answer) = verdict else { return };
    assert!((100..1_000).contains(&answer.status()), "{answer}");
    match answer {
        Answer::Redirect { to, .. } => assert!(plain(to), "{answer}"),
        Answer::Status { reason: Some(reason), .. } => assert!(plain(reason.as_bytes()), "{answer}"),
        Answer::Unauthorized { realm } => assert!(plain(realm.as_bytes()), "{answer}"),
        _ => {}
    }
}

/// Whether anything of it ran.
fn compiles(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let written = rules(text.split(REQUEST).next().unwrap_or_default());
    !written.is_empty() && Rules::compile(&written).is_ok()
}

#[test]
fn mutants_of_rules_are_refused_or_keep_within_their_limits() {
    let originals = ORIGINALS.map(|text| text.as_bytes().to_vec());
    assert!(originals.iter().all(|original| compiles(original)), "originals that are refused test nothing");
    let mutate = |random: &mut fastrand::Rng, text: &mut Vec<u8>| mutate_with(random, text, &PIECES);
    let seeds = Seeds::of_this_run(1);
    let ran = seeds.try_all(|ran: &mut u32, seed| {
        try_mutants(seed, &originals, mutate, exercise, |text| *ran += u32::from(compiles(text)))
    });
    assert!(!seeds.are_usual() || ran.iter().sum::<u32>() > 150, "{ran:?}: they are all too far off");
}
