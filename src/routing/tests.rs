//! Rules beside requests: what is refused when they are read, and what they do.

use worker_protocol::head::RequestHead;
use worker_protocol::pairs::{self, Block, PathInfo};

use super::pattern::Pattern;
use super::*;

/// A world of one file, at one moment.
#[derive(Default)]
pub(super) struct Fixed {
    said: std::cell::RefCell<Vec<String>>,
}

impl World for Fixed {
    fn epoch_us(&self) -> u64 {
        784_111_777_000_123
    }

    fn is(&self, test: FileTest, path: &[u8]) -> bool {
        match test {
            FileTest::IsDirectory => path == b"/srv",
            _ => path == b"/srv/users" || path == b"/srv/a.css",
        }
    }

    fn read(&self, path: &str) -> Result<String, String> {
        if path == "/srv/users" { Ok("ann:{PLAIN}secret\n".to_owned()) } else { Err("it is not there".to_owned()) }
    }

    fn modified_s(&self, path: &[u8]) -> Option<u64> {
        (path == b"/srv/a.css").then_some(784_111_777)
    }

    fn media_type(&self, name: &[u8]) -> Option<String> {
        name.ends_with(b".css").then(|| "text/css".to_owned())
    }

    fn figure(&self, figure: Figure) -> u64 {
        match figure {
            Figure::Worker => 1,
            Figure::Process => 4_242,
            Figure::Queue => 71,
            Figure::SentBytes => 0,
            Figure::StartedUs => 784_111_777_000_100,
        }
    }

    fn metric(&self, name: &str) -> Option<u64> {
        (name == "worker.0.requests").then_some(5)
    }

    fn call(&self, address: &str, function: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
        let called = [&[address.as_bytes(), function][..], arguments].concat().join(&b'|');
        match function {
            b"say" => Some(arguments.concat()),
            b"tell" => Some(called),
            _ => None,
        }
    }

    fn raise(&self, signal: u8) {
        self.said.borrow_mut().push(format!("signal {signal}"));
    }

    fn cached(&self, cache: &str, key: &[u8]) -> Option<Cached> {
        match (cache, key) {
            ("", b"/page") => Some(Cached { value: b"<p>kept".to_vec(), expires_s: 784_111_800 }),
            ("counts", b"hits") => Some(Cached { value: 7_i64.to_ne_bytes().to_vec(), expires_s: 0 }),
            _ => None,
        }
    }

    fn change_cache(&self, cache: &str, key: &[u8], change: CacheChange<'_>) {
        self.said.borrow_mut().push(format!("cache {cache:?} {} {change:?}", String::from_utf8_lossy(key)));
    }

    fn random(&self) -> [u8; 16] {
        [1; 16]
    }

    fn alarm(&self, name: &str, message: &str) {
        self.said.borrow_mut().push(format!("alarm {name} {message}"));
    }

    fn log(&self, line: &str) {
        self.said.borrow_mut().push(format!("log {line}"));
    }

    fn change_directory(&self, path: &[u8]) -> Result<(), String> {
        self.said.borrow_mut().push(format!("chdir {}", String::from_utf8_lossy(path)));
        if path == b"/srv" { Ok(()) } else { Err("it is not there".to_owned()) }
    }

    fn set_title(&self, title: &str) {
        self.said.borrow_mut().push(format!("title {title}"));
    }
}

fn written(lines: &[&str]) -> Vec<WrittenRule> {
    let rule = |(number, line): (usize, &&str)| {
        let (option, text) = line.split_once(" = ").unwrap();
        WrittenRule { option: option.to_owned(), text: text.to_owned(), place: format!("app.ini:{}", number + 1) }
    };
    lines.iter().enumerate().map(rule).collect()
}

fn errors(lines: &[&str]) -> String {
    let errors = Rules::compile(&written(lines)).err().unwrap_or_default();
    let told = errors.iter().map(|(rule, error)| format!("{}: {}", rule.place, error.problem));
    told.collect::<Vec<_>>().join("\n")
}

/// A request for `/blog/7?page=2&page=3` at `app.example:8080`, with these variables in the place of its own.
fn block(changes: &[(&str, &str)]) -> Vec<u8> {
    let mut variables = vec![
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/blog/7?page=2&page=3"),
        ("PATH_INFO", "/blog/7"),
        ("QUERY_STRING", "page=2&page=3"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("HTTP_HOST", "app.example:8080"),
        ("HTTP_COOKIE", "a=1; b=2"),
        ("REMOTE_ADDR", "192.0.2.7"),
    ];
    variables.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let mut block = Vec::new();
    for (name, value) in variables.iter().chain(changes) {
        pairs::append(&mut block, 0, name.as_bytes(), value.as_bytes()).unwrap();
    }
    block
}

/// What rules make of a request: answer, variables, headers, what the world was told.
fn outcome(lines: &[&str], changes: &[(&str, &str)]) -> String {
    outcome_of(Stage::Request, 500, lines, changes)
}

fn outcome_of(stage: Stage, status: u16, lines: &[&str], changes: &[(&str, &str)]) -> String {
    let rules = Rules::compile(&written(lines)).unwrap_or_else(|errors| panic!("{errors:?}"));
    let block = block(changes);
    let head = RequestHead::read(Block::parse(&block, 100).unwrap(), PathInfo::AsSent).unwrap();
    let (mut request, world) = (Request::new(&head, false), Fixed::default());
    request.status = status;
    let mut told = match rules.run(stage, &mut request, &world) {
        Verdict::GoOn => Vec::new(),
        Verdict::Answer(answer) => vec![answer.to_string()],
    };
    told.extend(request.changes().map(|(name, value)| format!("{name}={value}")));
    let shown = |(name, value): &(Vec<u8>, Vec<u8>)| {
        format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
    };
    told.extend(request.added.iter().map(shown));
    told.extend(request.log_variables.iter().map(|pair| format!("log {}", shown(pair))));
    told.extend(request.removed.iter().map(|name| format!("not {}", String::from_utf8_lossy(name))));
    told.extend(request.is_silent.then(|| "silent".to_owned()));
    told.extend(request.cleared.iter().map(|(status, _)| format!("cleared {status}")));
    told.extend(request.deadline_s.map(|seconds| format!("deadline {seconds}")));
    told.extend(world.said.take());
    told.join(" | ")
}

#[test]
fn a_rule_that_cannot_be_used_is_told_with_its_line() {
    for (line, expected) in [
        ("route = ^/x", "expected a regular expression, a blank and an action"),
        ("route-if = x", "expected a condition, a blank and an action"),
        ("route-if = equal break:403", "expected a condition: its name, a colon"),
        ("route = ^/x last", "expected an action and a colon, not `last`"),
        ("route = ^/x redirct:/", "there is no action `redirct`"),
        ("route = ^/x gzip:", "there is no action gzip here"),
        ("route-run = rpc:", "expected FUNCTION[@ADDRESS] ARGUMENT"),
        ("route-run = rpcvar:CONTENT_LENGTH f", "CONTENT_LENGTH is what came with the request"),
        ("route-run = http:", "expected an address"),
        ("route-run = uwsgi:,0,0", "expected ADDRESS,MODIFIER1,MODIFIER2"),
        ("route-run = signal:300", "expected the number of a signal"),
        ("response-route-run = rpc:f", "this can only be done in route…"),
        ("error-route-run = http:127.0.0.1:80", "this can only be done in route…"),
        ("route-if = isfil:/x break:403", "there is no condition `isfil`"),
        ("route = ^/(x break:403", "the regular expression does not compile at character 3: unclosed group"),
        ("route = a(?=b) break:403", "a look-ahead `(?=…)` at character 2"),
        ("route = (?<!a)b break:403", "a look-behind `(?<!…)` at character 1"),
        (r"route = (a)\1 break:403", "a back-reference or an octal code at character 4"),
        ("route = a++b break:403", "a possessive quantifier at character 3"),
        ("route = [a break:403", "the class that begins at character 1"),
        ("route-if = re:${HTTP_HOST};a(?>b) break:403", "an atomic group `(?>…)` at character 2"),
        ("route-run = goto:nowhere", "there is no label nowhere behind this rule"),
        ("route-run = goto:7", "there is no rule 7 behind this one"),
        ("route-run = addheader:X-A", "expected Name: value"),
        ("route-run = addheader:Content-Length: 7", "Content-Length says where an answer ends"),
        ("route-run = addvar:CONTENT_LENGTH=7", "CONTENT_LENGTH is what came with the request"),
        ("route-run = addvar:UWSGI_FILE=/x.py", "UWSGI_FILE steers what is loaded"),
        ("route-run = break:abc", "expected a status of three digits"),
        ("route-run = return:999", "999 has no phrase"),
        ("route-run = log:${upper[HTTP_HOST]}", "${upper[…]} is not of uWSGI's default build"),
        ("route-run = log:${cokie[a]}", "there is no routing variable `cokie`"),
        ("route-run = basicauth:Realm", "expected REALM,USER:PASSWORD"),
        ("route-run = file:/srv/x", "expected KEY=VALUE"),
        ("route-run = file:filname=/srv/x", "there is no key `filname`"),
        ("route-status = 404 break:403", "there is no status before the answer"),
    ] {
        assert!(errors(&[line]).starts_with(&format!("app.ini:1: {expected}")), "{line}: {}", errors(&[line]));
    }
    let looping = ["route-label = again", "route = ^/x goto:again"];
    assert!(errors(&looping).contains("app.ini:2: the label again stands before this rule: the jump would be a loop"));
}

#[test]
fn expressions_mean_what_they_mean_for_pcre() {
    for (pattern, subject, expected) in [
        ("^/a", "/abc", true),
        ("^/a", "x/abc", false),
        ("b", "abc", true),
        ("B", "abc", false),
        ("(?i)B", "abc", true),
        (r"^/v\d+/", "/v12/x", true),
        (r"\.php$", "/x.php", true),
        (r"a\/b", "/a/b", true),
        ("[[]", "[", true),
        ("[a&&b]", "&", true),
        ("[]x]", "]", true),
        ("[^]x]", "]", false),
        ("[a--]", "-", true),
        ("[[:digit:]]", "7", true),
        ("[[:]", ":", true),
        ("[[:]x", "[x", true),
        (r"[\w.-]+", "a-b", true),
        (r"\<a\>", "<a>", true),
        (r"\e", "\x1b", true),
        (".", "\n", false),
        ("^$", "", true),
        ("a{2}", "aa", true),
        ("(?:a|b)+?c", "abc", true),
    ] {
        let compiled = Pattern::compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error:?}"));
        assert_eq!(compiled.matches(subject.as_bytes()), expected, "{pattern} {subject:?}");
    }
}

#[test]
fn rules_do_what_they_say() {
    for (lines, expected) in [
        (&["route = ^/blog/(\\d+) addheader:X-N: $1"][..], "X-N: 7"),
        (&["route = ^/blog/(\\d+) addheader:X: $0,$2,$x,${no},${a"], "X: /blog/7,,$x,,${a"),
        (&["route-uri = page=2 log:${REQUEST_METHOD} ${cookie[b]} ${qs[page]}"], "log GET 2 2"),
        (&["route-qs = ^page logvar:k=v$0"], "log k: vpage"),
        (&["route-uri = page=2 alarm:mail at ${REQUEST_METHOD}  twice"], "alarm mail at GET  twice"),
        (&["route-host = :8080$ donotlog:"], "silent"),
        (&["route-remote-addr = ^192 return:403"], "403, with its phrase as the body"),
        (&["route-user-agent = ^$ break:405 No way"], "405 No way"),
        (&["route-referer = . break:404", "route-remote-user = ^$ harakiri:5"], "deadline 5"),
        (&["route-run = addvar:A=1", "route-run = +:A,2", "route-run = *:A,${A}", "route-run = /:A,2"], "A=4"),
        (&["route-run = setpathinfo:/x", "route = ^/x$ addvar:SEEN=1"], "PATH_INFO=/x | SEEN=1"),
        (&["route-run = addvar:PATH_INFO=/x", "route = ^/x$ addvar:SEEN=1"], "PATH_INFO=/x"),
        (&["route = ^/blog/(.*) rewrite:/b%2541?id=$1"], "QUERY_STRING=id=7&page=2&page=3 | PATH_INFO=/b%41"),
        (&["route-run = rewrite-last:/x", "route-run = break:403"], "PATH_INFO=/x"),
        (
            &["route-run = redirect:https://${HTTP_HOST}${REQUEST_URI}"],
            "302, to https://app.example:8080/blog/7?page=2&page=3",
        ),
        (&["route-run = redirect-permanent:/"], "301, to /"),
        (&["route-run = goto:b", "route-run = break:403", "route-label = b", "route-run = addvar:B=1"], "B=1"),
        (&["route-run = goto:2", "route-run = break:403", "route-run = addvar:B=1"], "B=1"),
        (&["route-run = addvar:T=e", "route-run = goto:${T}", "route-run = break:403", "route-label = e"], "T=e"),
        (&["route-run = last:", "route-run = break:403"], ""),
        (&["route-run = send:a", "route-run = send-crnl:b", "route-run = break:"], "200, with 4 bytes"),
        (&["route-if = equal:${REQUEST_METHOD};GET addvar:A=1", "route-if-not = empty:${A} addvar:B=1"], "A=1 | B=1"),
        (&["route-if = re:${HTTP_HOST};^(\\w+)\\. addvar:A=$1"], "A=app"),
        (&["route-if-not = re:${HTTP_HOST};^(z) addvar:A=[$1]"], "A=[]"),
        (&["route-if = ishigher:${uwsgi[lq]};70 break:503 Overload"], "503 Overload"),
        (&["route-if = isfile:/srv/a.css static:/srv/a.css"], "the static file /srv/a.css"),
        (
            &["route-run = static-next:/srv/no", "route-run = file-next:filename=/srv/no", "route-run = chdir:/srv"],
            "chdir /srv",
        ),
        (&["route = blog/(.*) sendfile:filename=/srv/$1,status=202"], "202, with the file /srv/7"),
        (&["route-run = setuser:a:b", "route-remote-user = ^a$ setprocname:x"], "REMOTE_USER=a | title x"),
        (&["route-run = hash:key=a,var=V,items=x;y;z"], "V=y"),
        (
            &["route-run = addvar:M=${mime[PATH_INFO]}${uwsgi[wid]}${hex[REMOTE_ADDR]}${base64[HTTP_COOKIE]}"],
            "M=13139322E302E322E37YT0xOyBiPTI=",
        ),
        (&["route-run = expires:unix=0,value=60"], "Expires: Thu, 01 Jan 1970 00:01:00 GMT"),
        (&["route-run = addheader:X: ${httptime[-60]}"], "X: Sun, 06 Nov 1994 08:48:37 GMT"),
        (&["route-run = delheader:X-A", "route-run = clearheaders:204"], "not X-A | cleared 204"),
    ] {
        assert_eq!(outcome(lines, &[]), expected, "{lines:?}");
    }
}

#[test]
fn functions_and_other_servers_are_asked_with_what_the_rule_says() {
    for (lines, expected) in [
        (&["route = ^/blog/(\\d+) rpc:say a$1 'b c'"][..], "200, with 5 bytes of a function's"),
        (&["route-run = rpcvar:A tell@${REQUEST_METHOD}:1 x"], "A=GET:1|tell|x"),
        (&["route-run = rpcvar:A none", "route-run = rpcblob:none", "route-run = rpcraw:none"], "A="),
        (&["route-run = rpcret:say next", "route-run = addvar:A=1"], "A=1"),
        (&["route-run = rpcret:say whatever", "route-run = break:403"], ""),
        (&["route-run = rpcret:say 'break 403 No'"], "403 No"),
        (
            &["route-run = rpcret:say 'goto e'", "route-run = break:403", "route-label = e", "route-run = addvar:B=1"],
            "B=1",
        ),
        (&["route = ^(/blog) http:10.0.0.1:80,app,$1"], "what 10.0.0.1:80 answers"),
        (&["route-run = uwsgi:/run/${REQUEST_METHOD},0,0"], "what /run/GET answers"),
        (&["route-run = signal:17"], "signal 17"),
    ] {
        assert_eq!(outcome(lines, &[]), expected, "{lines:?}");
    }
    assert!(outcome(&["route-run = call:none"], &[]).contains("the function none gave no result"));
    assert!(outcome(&["route-run = rpcret:none"], &[]).starts_with("500"), "who cannot be asked lets nobody pass");
    assert!(outcome(&["route-run = rpcraw:say x"], &[]).contains("cannot be an answer"));
}

#[test]
fn what_a_client_sends_is_no_template_and_no_line_of_its_own() {
    let injected = [("PATH_INFO", "/x/${HTTP_COOKIE}")];
    assert_eq!(outcome(&["route = ^/x/(.*) addheader:X: [$1]"], &injected), "X: [${HTTP_COOKIE}]");
    let split = [("PATH_INFO", "/v\r\nSet-Cookie: a=b")];
    for line in ["route = ^/v(.*) addheader:X: $1", "route = ^(.*) redirect:$1"] {
        let told = outcome(&[line], &split);
        // A dot is no end of a line: with one that matches it, too.
        let told = if told.contains("0x0d") { told } else { outcome(&[&line.replace("(.*)", "((?s).*)")], &split) };
        assert!(
            told.starts_with("400: app.ini:1: ") && told.ends_with("would have the control byte 0x0d"),
            "{line}: {told}"
        );
    }
    assert_eq!(outcome(&["route-run = addvar:A=${PATH_INFO}"], &[("PATH_INFO", "/a\0b")]), "A=/a\0b");
}

#[test]
fn what_cannot_be_carried_out_is_500_and_says_which_rule() {
    for (line, why) in [
        ("route-run = goto:${REQUEST_METHOD}", "there is no label GET behind this rule"),
        ("route-run = +:NONE", "there is no variable NONE to calculate with"),
        ("route-run = chdir:/none", "it is not there"),
        ("route-if = re:a;${HTTP_COOKIE}[ last:", "the class that begins at character"),
        ("route-run = break:", "it ends the request without an answer"),
    ] {
        let told = outcome(&[line], &[]);
        assert!(told.starts_with(&format!("500: app.ini:1: {line}: {why}")), "{told}");
    }
    let many: Vec<String> = (0..200).map(|number| format!("route-run = addvar:V{number}=1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(outcome(&many, &[]).starts_with("500: app.ini:129: "));
}

#[test]
fn a_password_lets_in_and_what_the_web_server_says_does_not() {
    let ask = |text: &str, line: &str| outcome(&[line], &[("HTTP_AUTHORIZATION", text), ("REMOTE_USER", "evil")]);
    let one = "route-run = basicauth:R,ann:secret";
    let file = "route-run = basicauth:R,/srv/users";
    for line in [one, file] {
        assert_eq!(ask("Basic YW5uOnNlY3JldA==", line), "REMOTE_USER=ann");
        assert_eq!(ask("basic YW5uOnNlY3JldA==", line), "REMOTE_USER=ann");
        assert_eq!(ask("Basic YW5uOm90aGVy", line), "401, for R");
        assert_eq!(ask("", line), "401, for R");
    }
    assert_eq!(ask("Basic YW5uOm90aGVy", "route-run = basicauth-next:R,ann:secret"), "");
    assert_eq!(ask("", "route-run = basicauth-next:R,ann:secret"), "401, for R");
    assert_eq!(ask("Basic YW5uOnNlY3JldA==", "route-run = basicauth:R,"), "401, for R");
    let absent = ask("Basic YW5uOnNlY3JldA==", "route-run = basicauth:R,/srv/none");
    assert_eq!(absent, "401, for R | log basicauth: /srv/none: it is not there; everybody is refused");
    assert_eq!(outcome(&["route-run = setuser:ann", one], &[]), "REMOTE_USER=ann");
}

#[test]
fn a_value_that_is_doubled_again_and_again_ends_where_a_request_has_no_room_for_it() {
    let doubling = ["route-run = addvar:A=${A}${A}"; 60];
    let told = outcome(&doubling, &[("A", "xxxxxxxx")]);
    assert!(
        told.starts_with("500: app.ini:13: ") && told.contains("a request has no room for that"),
        "{}",
        &told[..99]
    );
}

#[test]
fn each_chain_runs_by_itself() {
    let lines =
        ["route-run = break:403", "response-route-status = 404 redirect:/", "final-route-run = log:${uwsgi[status]}"];
    assert_eq!(outcome_of(Stage::Response, 404, &lines, &[]), "302, to /");
    assert_eq!(outcome_of(Stage::Response, 200, &lines, &[]), "");
    assert_eq!(outcome_of(Stage::Final, 200, &lines, &[]), "log 200");
    assert_eq!(outcome_of(Stage::Error, 200, &lines, &[]), "");
    assert_eq!(outcome_of(Stage::Response, 404, &["response-route-run = break:"], &[]), "404 ");
}

#[test]
fn variables_that_rules_set_take_the_place_of_those_that_came() {
    let rules = Rules::compile(&written(&["route-run = addvar:HTTP_COOKIE=x", "route-run = addvar:NEW=y"])).unwrap();
    let block = block(&[]);
    let head = RequestHead::read(Block::parse(&block, 100).unwrap(), PathInfo::AsSent).unwrap();
    let mut request = Request::new(&head, false);
    assert_eq!(request.changed_block(), Ok(None));
    assert_eq!(rules.run(Stage::Request, &mut request, &Fixed::default()), Verdict::GoOn);
    let changed = request.changed_block().unwrap().unwrap();
    let changed = Block::parse(&changed, 100).unwrap();
    assert_eq!(changed.pairs().filter(|(name, _)| *name == b"HTTP_COOKIE").count(), 1);
    assert_eq!((changed.get(b"HTTP_COOKIE"), changed.get(b"NEW")), (Some(&b"x"[..]), Some(&b"y"[..])));
    assert_eq!(changed.count(), head.block().count() + 1);
}

#[test]
fn caches_answer_keep_and_count() {
    let page = [("PATH_INFO", "/page")];
    let answered = outcome(&["route-run = cache:key=${PATH_INFO}", "route-run = addvar:A=b"], &page);
    assert!(answered.starts_with("200, with 7 bytes of a cache") && !answered.contains("A=b"), "{answered}");
    let missed = outcome(&["route-run = cache:key=${PATH_INFO},name=other", "route-run = addvar:A=b"], &page);
    assert!(missed.starts_with("A=b"), "{missed}");
    for (rule, expected) in [
        ("route-if = incache:key=/page addvar:A=yes", "A=yes"),
        ("route-if-not = incache:key=/none addvar:A=no", "A=no"),
        ("route = ^(/page)$ cachevar:key=$1,var=BODY", "BODY=<p>kept"),
        ("route-run = cachevar:key=hits,var=N,name=counts,num=1", "N=7"),
        ("route-run = cachevar:key=none,var=N,num=1", "N=0"),
        ("route-run = cacheset:key=k,value=${REQUEST_METHOD},expires=60", "cache \"\" k"),
        ("route-run = cachedec:key=hits,name=counts", "Calculate(Subtract, 1)"),
        ("route-run = cachemul:key=hits", "Calculate(Multiply, 2)"),
        ("route-run = cacheinc:key=hits,value=40", "Calculate(Add, 40)"),
    ] {
        let told = outcome(&[rule], &page);
        assert!(told.contains(expected), "{rule}: {told}");
    }
}

#[test]
fn what_is_asked_of_a_cache_is_read_before() {
    for (rule, expected) in [
        ("route-run = cache:name=pages", "expected key=…"),
        ("route-run = cache:key=a,kind=b", "there is no key `kind`"),
        ("route-run = cachestore:key=a,gzip=b", "not packed"),
        ("route-run = cachestore:key=a,status=99", "expected a status"),
        ("route-run = cacheset:key=a", "expected value=…"),
        ("route-run = cachevar:key=a", "expected var=…"),
        ("route-run = cacheinc:key=a,expires=soon", "expected expires=SECONDS"),
        ("route-if = incache:name=a break:403", "expected incache:key=KEY"),
    ] {
        let told = errors(&[rule]);
        assert!(told.contains(expected), "{rule}: {told}");
    }
    let rules = Rules::compile(&written(&["route-if = incache:key=a,name=b cachestore:key=c"])).unwrap();
    assert_eq!(rules.caches().map(|(_, name)| name).collect::<Vec<_>>(), ["b", ""]);
}
