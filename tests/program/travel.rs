//! Settings travel as JSON from a master to its zygotes, to binaries that embed an application, and to the next image
//! of the master; each of these may be of another version. `tests/data/travel/settings-N.json` are settings as versions
//! have written them, once and for all, and `settings-N.txt` is the configuration that they are of.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use rhinod::config::Surroundings;
use rhinod::config::load::read;
use rhinod::config::model::{Bounds, Config};
use rhinod::travel::SETTINGS;
use serde_json::{Value, json};
use testkit::seeds::Seeds;
use testkit::{json_mutation, mutation};

use crate::configurations::{Case, surroundings};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/travel")
}

/// What this version makes of a configuration.
fn read_now(number: u32) -> Config {
    let case = Case::at(&directory().join(format!("settings-{number}.txt")));
    // Only root becomes whom such a configuration names.
    let reading = read(&case.invocation, &case, &Surroundings { euid: 0, ..surroundings() });
    assert!(reading.errors.0.is_empty(), "{}", reading.errors);
    reading.config
}

/// What a version has written of it, in its envelope.
fn recorded_whole(number: u32) -> Value {
    let text = fs::read_to_string(directory().join(format!("settings-{number}.json"))).expect("recorded settings");
    serde_json::from_str(&text).expect("JSON")
}

/// The settings in that.
fn recorded(number: u32) -> Value {
    recorded_whole(number)["body"].take()
}

fn understood(settings: &Value) -> Config {
    match serde_json::from_value(settings.clone()) {
        Ok(config) => config,
        Err(error) => panic!("{error}: {settings:#}"),
    }
}

/// Such a file is never written anew: it stands for binaries that are in use. When this fails, the reading of settings
/// must learn what was meant then; `make bless` records only a number that there is none of.
#[test]
fn settings_of_every_version_so_far_mean_what_they_meant() {
    let path = directory().join("settings-1.json");
    if testkit::recorded::is_blessing() && !path.exists() {
        let packed = SETTINGS.pack(&read_now(1)).expect("settings as JSON");
        let packed: Value = serde_json::from_slice(&packed).expect("JSON");
        fs::write(&path, format!("{packed:#}\n")).expect("room for it");
    }
    let recorded = recorded_whole(1).to_string();
    assert_eq!(SETTINGS.open::<Config>(recorded.as_bytes()).expect("settings that are understood"), read_now(1));
}

#[test]
fn what_this_version_writes_it_understands() {
    let config = read_now(1);
    assert_eq!(understood(&serde_json::to_value(&config).expect("settings as JSON")), config);
    assert_eq!(understood(&json!({})), Config::default());
}

/// Every place in the settings where an object stands, as a JSON pointer, but for those in lists.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    if let Value::Object(fields) = value {
        found.push(at.to_owned());
        for (name, field) in fields {
            objects(field, &format!("{at}/{name}"), found);
        }
    }
}

/// Times are objects too, but whole ones.
fn sections(settings: &Value) -> Vec<String> {
    let mut found = Vec::new();
    objects(settings, "", &mut found);
    found.retain(|at| settings.pointer(at).is_some_and(|object| object.get("nanos").is_none()));
    found
}

#[test]
fn what_a_version_does_not_send_stands_at_its_default() {
    let settings = recorded(1);
    let mut defaults = serde_json::to_value(Config::default()).expect("settings as JSON");
    // The defaults of the application that the recorded settings are of.
    defaults["application"] = json!({ "python": rhinod::config::model::Python::default() });
    let mut tried = 0;
    for at in sections(&settings) {
        let fields = settings.pointer(&at).and_then(Value::as_object).expect("an object");
        for name in fields.keys().filter(|name| at != "/application" || *name != "python") {
            let mut fewer = settings.clone();
            fewer.pointer_mut(&at).and_then(Value::as_object_mut).expect("an object").remove(name);
            let mut expected = settings.clone();
            let place = format!("{at}/{name}");
            let default = match place.as_str() {
                "/application" => json!("embedded"),
                _ => defaults.pointer(&place).unwrap_or_else(|| panic!("{place} has no default")).clone(),
            };
            *expected.pointer_mut(&place).expect("the same field") = default;
            assert_eq!(understood(&fewer), understood(&expected), "without {place}");
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} fields");
}

#[test]
fn what_a_later_version_sends_beside_is_ignored() {
    let settings = recorded(1);
    let mut more = settings.clone();
    for at in sections(&settings).iter().filter(|at| *at != "/application") {
        more.pointer_mut(at).expect("an object")["of a later version"] = json!({ "any": ["thing"] });
    }
    for list in ["/sockets", "/watches", "/hooks", "/reload_descriptors"] {
        for item in more.pointer_mut(list).and_then(Value::as_array_mut).expect("a list") {
            item["of a later version"] = json!(1);
        }
    }
    assert_ne!(more, settings);
    assert_eq!(understood(&more), understood(&settings));
}

#[test]
fn items_of_lists_need_only_what_they_are_about() {
    let config = understood(&json!({
        "sockets": [{ "address": { "unix": "/run/s" } }],
        "watches": [{ "path": "/srv/reload", "effect": "reload" }],
        "reload_descriptors": [{ "number": 3 }],
        "hooks": [{ "phase": "asap", "action": "print", "argument": "here" }],
    }));
    assert!(!config.sockets[0].reuse_port && !config.watches[0].any_event && !config.hooks[0].hidden);
    assert_eq!((config.descriptors[0].bytes, config.descriptors[0].brutal), (1, false));
}

/// What is left out of these would mean something else, so that it is better to refuse them, in words.
#[test]
fn a_word_that_is_not_known_is_refused_by_name() {
    for (settings, said) in [
        (
            json!({ "sockets": [{ "address": { "unix": "/s" }, "protocol": "gopher" }] }),
            "no protocol of sockets `gopher`",
        ),
        (json!({ "sockets": [{ "address": { "vsock": 3 } }] }), "unknown variant `vsock`"),
        (json!({ "scaling": { "policy": "clairvoyant" } }), "no rule of scaling `clairvoyant`"),
        (
            json!({ "hooks": [{ "phase": "as-mule", "action": "exec", "argument": "" }] }),
            "no moment of hooks `as-mule`",
        ),
        (json!({ "hooks": [{ "phase": "asap", "action": "sing", "argument": "" }] }), "no hook action `sing`"),
        (
            json!({ "request": { "trusted_proxies": ["10.0.0.0/99"] } }),
            "expected an IP address or ADDRESS/BITS, or unix:",
        ),
        (json!({ "term": "haggle" }), "no meaning of SIGTERM `haggle`"),
        (json!({ "application": { "cobol": {} } }), "unknown variant `cobol`"),
        (json!({ "watches": [{ "path": "/a", "effect": "dance" }] }), "unknown variant `dance`"),
        (json!({ "environment": [{ "rename": ["A", "B"] }] }), "unknown variant `rename`"),
    ] {
        let text = settings.to_string();
        let error = serde_json::from_str::<Config>(&text).expect_err(&text).to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// What the rest of the program relies on, whatever came.
fn check(config: &Config) {
    let bounds = config.bounds();
    assert!(1 <= bounds.minimum() && bounds.minimum() <= bounds.initial() && bounds.initial() <= bounds.maximum());
    assert!(bounds.maximum() <= Bounds::WORKERS_MAX, "{bounds:?}");
    let packed = SETTINGS.pack(config).expect("settings as JSON");
    assert_eq!(SETTINGS.open::<Config>(&packed).expect("what this version writes"), *config);
}

#[test]
fn mutated_settings_are_refused_with_a_reason_or_are_settings() {
    let recorded = recorded_whole(1);
    let seeds = Seeds::of_this_run(400);
    let understood = seeds.try_all(|understood: &mut u32, seed| {
        let mut random = Rng::with_seed(seed);
        let mut mutant = recorded.clone();
        json_mutation::mutate(&mut random, &mut mutant);
        let mut bytes = mutant.to_string().into_bytes();
        if random.usize(..4) == 0 {
            mutation::mutate(&mut random, &mut bytes);
        }
        match SETTINGS.open::<Config>(&bytes) {
            Ok(config) => {
                check(&config);
                *understood += 1;
            }
            Err(why) => assert!(!why.to_string().is_empty()),
        }
        Ok(())
    });
    assert!(!seeds.are_usual() || understood.iter().sum::<u32>() > 20, "{understood:?}: they are all too far off");
}

#[test]
fn numbers_that_no_judgement_lets_pass_still_make_bounds() {
    let config = understood(&json!({ "workers": 0, "scaling": { "enabled": true, "minimum": 9, "initial": 50_000 } }));
    assert_eq!(config.bounds(), Bounds::fixed(1));
}
