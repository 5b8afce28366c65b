//! A configuration under construction: what the setters of the table write into, and what is found out meanwhile.
//!
//! It knows directives and the model, not the table: who runs the rows is `build`. Pure.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::socket_references::References;
use crate::config::directive::{Directive, Origin};
use crate::config::error::ConfigError;
use crate::config::model::{Address, Area, CacheSettings, Config, NamedCertificate, Policy, Protocol, Python};
use crate::config::surroundings::Surroundings;
use crate::routing::Rules;

/// A configuration under construction. The first fields are what setters write; the rest is asked through methods.
#[derive(Debug)]
pub struct Draft<'a> {
    /// What is built.
    pub config: Config,
    /// Options of the Python application, used when any names one.
    pub python: Python,
    /// `rust-app`.
    pub rust_app: Option<PathBuf>,
    /// `protocol`, for all sockets that do not say what they speak.
    pub plain_protocol: Protocol,
    /// Which listeners those are.
    pub(super) plain_sockets: Vec<usize>,
    /// `reuse-port`, for all sockets.
    pub reuse_port: bool,
    /// Whether TCP sockets hold connections back (`no-defer-accept`), for all sockets.
    pub defer_accept: bool,
    /// `abstract-socket`, for all unix sockets.
    pub abstract_sockets: bool,
    /// `die-on-term`, if it is given.
    pub die_on_term: Option<bool>,
    /// The numbers of `cheaper` and its relatives before they are compared.
    pub cheaper: Cheaper,
    /// `daemons-honour-stdin`, for all daemons.
    pub daemons_honour_stdin: bool,
    /// The cache of `cache` and its relatives.
    pub(super) old_cache: Option<CacheSettings>,
    /// `cache-store-sync`, for all caches whose line does not say otherwise.
    pub(super) cache_store_sync_s: u64,
    /// `cache-no-expire`, for all caches.
    pub(super) cache_no_expire: bool,
    /// The line of each cache, in their order, and its own `store_sync`.
    pub(super) caches_from: Vec<(&'a Directive, Option<u64>)>,
    /// `py-sharedarea`: areas that are numbered after all others.
    pub(super) areas_of_objects: Vec<Area>,
    /// `http` and `https`: which of the sockets a router serves, if there is to be one.
    pub(super) routable: Vec<usize>,
    /// What only a router can do (`http-processes`, `http-var`).
    pub(super) router_from: Vec<&'a Directive>,
    /// Where requests on `http` are to be passed on to (`http-to`), by the lines that say so.
    pub(super) passed_on: Vec<(&'a Directive, Option<Address>)>,
    /// Certificates for names (`sni`), with their lines.
    pub(super) certified_names: Vec<(&'a Directive, NamedCertificate)>,
    /// `cron-harakiri`, for all crons that do not say otherwise.
    pub(super) cron_harakiri_s: u64,
    /// The limit of each cron that has one of its own, in their order.
    pub(super) crons_harakiri_s: Vec<Option<u64>>,
    /// The line of each daemon, in their order.
    pub(super) daemons_from: Vec<&'a Directive>,
    /// The line of each farm, in their order.
    pub(super) farms_from: Vec<&'a Directive>,
    /// The line of each routing rule, in their order.
    pub(super) rules_from: Vec<&'a Directive>,
    /// The rules as they are compiled, once they were judged and until their caches are.
    pub(super) rules: Option<Rules>,
    /// The line of each listener, in their order.
    pub(super) sockets_from: Vec<&'a Directive>,
    /// What of sockets refers to others by number.
    pub(super) references: References<'a>,
    surroundings: &'a Surroundings,
    current: &'a Directive,
    whole: &'a Origin,
    given: HashMap<&'static str, Given<'a>>,
    unfit: HashSet<&'static str>,
    findings: Findings,
}

/// `cheaper`, `cheaper-initial` and `cheaper-algo` as given.
#[derive(Debug, Default)]
pub struct Cheaper {
    /// `cheaper`.
    pub minimum: Option<usize>,
    /// `cheaper-initial`.
    pub initial: Option<usize>,
    /// `cheaper-algo`.
    pub policy: Option<Policy>,
}

/// The last line of an option.
#[derive(Debug, Clone, Copy)]
struct Given<'a> {
    directive: &'a Directive,
    works: bool,
}

/// What was found out about the lines.
#[derive(Debug, Default)]
pub(in crate::config) struct Findings {
    /// Lines that do nothing.
    pub(in crate::config) idle: Vec<ConfigError>,
    /// What else is not wrong enough to stop the start.
    pub(in crate::config) warnings: Vec<ConfigError>,
    /// What stops the start.
    pub(in crate::config) errors: Vec<ConfigError>,
}

impl<'a> Draft<'a> {
    /// Every option at its default. `nothing` stands for the configuration as a whole, in the place of a line.
    pub(in crate::config) fn new(surroundings: &'a Surroundings, nothing: &'a Directive) -> Draft<'a> {
        Draft {
            config: Config::default(),
            python: Python::default(),
            rust_app: None,
            plain_protocol: Protocol::default(),
            plain_sockets: Vec::new(),
            reuse_port: false,
            defer_accept: true,
            abstract_sockets: false,
            die_on_term: None,
            cheaper: Cheaper::default(),
            daemons_honour_stdin: false,
            old_cache: None,
            cache_store_sync_s: 0,
            cache_no_expire: false,
            caches_from: Vec::new(),
            areas_of_objects: Vec::new(),
            routable: Vec::new(),
            router_from: Vec::new(),
            passed_on: Vec::new(),
            certified_names: Vec::new(),
            cron_harakiri_s: 0,
            crons_harakiri_s: Vec::new(),
            daemons_from: Vec::new(),
            farms_from: Vec::new(),
            rules_from: Vec::new(),
            rules: None,
            sockets_from: Vec::new(),
            references: References::default(),
            surroundings,
            current: nothing,
            whole: &nothing.origin,
            given: HashMap::new(),
            unfit: HashSet::new(),
            findings: Findings::default(),
        }
    }

    /// Makes a line the one that setters and complaints are about.
    pub(in crate::config) fn turn_to(&mut self, directive: &'a Directive) {
        self.current = directive;
    }

    /// Remembers that the current line gives an option, and whether that works.
    pub(in crate::config) fn note_given(&mut self, option: &'static str, works: bool) {
        self.given.insert(option, Given { directive: self.current, works });
    }

    /// Remembers that a line of an option cannot be read, with the complaint about it.
    pub(in crate::config) fn note_unfit(&mut self, option: &'static str, complaint: ConfigError) {
        self.unfit.insert(option);
        self.findings.errors.push(complaint);
    }

    /// What was built, and what was found out.
    pub(in crate::config) fn finish(self) -> (Config, Findings) {
        (self.config, self.findings)
    }

    /// The line that is being read.
    pub(in crate::config) fn current(&self) -> &'a Directive {
        self.current
    }

    /// The place to name when no line is to blame.
    pub(super) fn whole(&self) -> &'a Origin {
        self.whole
    }

    /// What the machine is like.
    pub(super) fn surroundings(&self) -> &'a Surroundings {
        self.surroundings
    }

    /// The last line of an option.
    pub(super) fn given(&self, option: &str) -> Option<&'a Directive> {
        self.given.get(option).map(|given| given.directive)
    }

    /// Whether an option is given that works.
    pub(super) fn gives_what_works(&self, option: &str) -> bool {
        self.given.get(option).is_some_and(|given| given.works)
    }

    /// Whether a line of the option could not be read, so that it is not for others to complain.
    pub(super) fn is_unfit(&self, option: &str) -> bool {
        self.unfit.contains(option)
    }

    /// Notes that the current line has no effect.
    pub(in crate::config) fn does_nothing(&mut self, reason: impl AsRef<str>) {
        self.idle(ConfigError::about(self.current, format!("has no effect: {}", reason.as_ref())));
    }

    /// Notes something about the current line that does not stop the start.
    pub(in crate::config) fn warn(&mut self, problem: impl Into<String>) {
        self.warning(ConfigError::about(self.current, problem));
    }

    /// Notes an error in the current line.
    pub(in crate::config) fn refuse(&mut self, problem: impl Into<String>, suggestion: impl Into<String>) {
        self.error(ConfigError::about(self.current, problem).suggest(suggestion));
    }

    /// Notes that a line does nothing.
    pub(super) fn idle(&mut self, complaint: ConfigError) {
        self.findings.idle.push(complaint);
    }

    /// Notes what does not stop the start.
    pub(super) fn warning(&mut self, complaint: ConfigError) {
        self.findings.warnings.push(complaint);
    }

    /// Notes what stops the start.
    pub(super) fn error(&mut self, complaint: ConfigError) {
        self.findings.errors.push(complaint);
    }
}
