//! One chain of rules: compiled once, walked for each request. Pure.

use super::action::{self, Action, Failure, Step};
use super::answer::{Answer, Verdict};
use super::condition::Condition;
use super::error::RuleError;
use super::pattern::{Groups, Pattern};
use super::state::Request;
use super::world::World;
use super::written::{Field, Looks, Stage, WrittenRule};

/// The rules of one stage, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    links: Vec<Link>,
}

/// A rule or a label; places count both.
#[derive(Debug, Clone)]
enum Link {
    Rule(Box<Rule>),
    Label(String),
}

#[derive(Debug, Clone)]
struct Rule {
    written: WrittenRule,
    test: Test,
    action: Action,
}

#[derive(Debug, Clone)]
enum Test {
    Always,
    Field(Field, Pattern),
    Status(u16),
    If(Condition),
    IfNot(Condition),
}

impl Chain {
    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Appends a rule or a label.
    pub(super) fn push(&mut self, stage: Stage, looks: Looks, written: &WrittenRule) -> Result<(), RuleError> {
        let text = written.text.trim_start();
        if looks == Looks::Label {
            self.links.push(Link::Label(text.trim_end().to_owned()));
            return Ok(());
        }
        let (test, action) = if looks == Looks::Never { ("", text) } else { split(text, looks)? };
        let test = match looks {
            Looks::At(field) => Test::Field(field, Pattern::compile(test)?),
            Looks::AtStatus => Test::Status(status(test, stage)?),
            Looks::If => Test::If(Condition::read(test)?),
            Looks::IfNot => Test::IfNot(Condition::read(test)?),
            Looks::Never | Looks::Label => Test::Always,
        };
        let action = action::read(action)?;
        if let (Some(why), Stage::Error | Stage::Response | Stage::Final) = (action.only_first(), stage) {
            return Err(RuleError::new(format!("this can only be done in route…: {why}")));
        }
        self.links.push(Link::Rule(Box::new(Rule { written: written.clone(), test, action })));
        Ok(())
    }

    /// Finds the places that jumps lead to. Each jump that cannot be made comes with its rule.
    pub(super) fn connect(&mut self) -> Vec<(WrittenRule, RuleError)> {
        let mut errors = Vec::new();
        for place in 0..self.links.len() {
            let Link::Rule(rule) = &self.links[place] else { continue };
            let Action::GoTo(label) = &rule.action else { continue };
            let Some(label) = label.fixed().map(|label| String::from_utf8_lossy(label).into_owned()) else { continue };
            match self.place_of(label.as_bytes(), place) {
                Ok(to) => {
                    if let Link::Rule(rule) = &mut self.links[place] {
                        rule.action = Action::JumpTo(to);
                    }
                }
                Err(error) => errors.push((rule.written.clone(), error)),
            }
        }
        errors
    }

    /// The place behind `from` that a label, or a number, names.
    fn place_of(&self, label: &[u8], from: usize) -> Result<usize, RuleError> {
        let label = String::from_utf8_lossy(label);
        let named = |link: &Link| matches!(link, Link::Label(name) if *name == label);
        if let Some(ahead) = self.links[from + 1..].iter().position(named) {
            return Ok(from + 1 + ahead);
        }
        if self.links[..from].iter().any(named) {
            let problem = format!("the label {label} stands before this rule: the jump would be a loop");
            return Err(RuleError::new(problem).advise("goto: leads forward only"));
        }
        match label.parse() {
            Ok(place) if (from + 1..self.links.len()).contains(&place) => Ok(place),
            Ok(_) => Err(RuleError::new(format!("there is no rule {label} behind this one"))
                .advise(format!("the last one of this chain is {}", self.links.len().saturating_sub(1)))),
            Err(_) => Err(RuleError::new(format!("there is no label {label} behind this rule")).advise(self.labels())),
        }
    }

    fn labels(&self) -> String {
        let names = self.links.iter().filter_map(|link| match link {
            Link::Label(name) => Some(name.as_str()),
            Link::Rule(_) => None,
        });
        let names: Vec<&str> = names.collect();
        if names.is_empty() {
            "this chain has no labels".to_owned()
        } else {
            format!("labels are {}", names.join(", "))
        }
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.links.iter().filter_map(|link| match link {
            Link::Rule(rule) => Some(rule.as_ref()),
            Link::Label(_) => None,
        })
    }

    /// The files of users that rules need.
    pub(super) fn user_files(&self) -> impl Iterator<Item = (&WrittenRule, &str)> {
        self.rules().filter_map(|rule| Some((&rule.written, rule.action.user_file()?)))
    }

    /// The caches that rules need.
    pub(super) fn caches(&self) -> impl Iterator<Item = (&WrittenRule, &str)> {
        self.rules().flat_map(|rule| {
            let asked = match &rule.test {
                Test::If(condition) | Test::IfNot(condition) => condition.cache(),
                _ => None,
            };
            [asked, rule.action.cache()].into_iter().flatten().map(|cache| (&rule.written, cache))
        })
    }

    /// Whether a rule of it may take long.
    pub(super) fn takes_time(&self) -> bool {
        self.links.iter().any(|link| matches!(link, Link::Rule(rule) if rule.action.takes_time()))
    }

    /// Walks over the rules.
    pub(super) fn run(&self, request: &mut Request<'_>, world: &dyn World) -> Verdict {
        let mut place = 0;
        while let Some(link) = self.links.get(place) {
            let Link::Rule(rule) = link else {
                place += 1;
                continue;
            };
            match self.take(place, rule, request, world) {
                Step::Next => place += 1,
                Step::Jump(to) => place = to,
                Step::Continue => return Verdict::GoOn,
                Step::Answer(answer) => return Verdict::Answer(answer),
                Step::JumpToLabel(_) => return Verdict::GoOn,
            }
        }
        Verdict::GoOn
    }

    /// Takes one rule; what cannot be carried out is an answer, too.
    fn take(&self, place: usize, rule: &Rule, request: &mut Request<'_>, world: &dyn World) -> Step {
        let failed = |why: String, is_forged: bool| {
            let why = format!("{}: {} = {}: {why}", rule.written.place, rule.written.option, rule.written.text);
            Step::Answer(if is_forged { Answer::Forged { why } } else { Answer::Failed { why } })
        };
        let groups = match rule.matches(request, world) {
            Ok(Some(groups)) => groups,
            Ok(None) => {
                request.note(|| format!("{rule}: does not match"));
                return Step::Next;
            }
            Err(error) => return failed(error.problem, false),
        };
        let step = match rule.action.act(&groups, request, world) {
            Ok(Step::JumpToLabel(label)) => match self.place_of(&label, place) {
                Ok(to) => Step::Jump(to),
                Err(error) => failed(error.problem, false),
            },
            Ok(step) => step,
            Err(Failure::Forged(why)) => failed(why, true),
            Err(Failure::Other(why)) => failed(why, false),
        };
        request.note(|| format!("{rule}: matches{}", told(&step)));
        step
    }
}

/// What follows, for whoever follows the rules.
fn told(step: &Step) -> String {
    match step {
        Step::Next => String::new(),
        Step::Continue => "; the chain ends".to_owned(),
        Step::Jump(to) => format!("; goes on at {to}"),
        Step::JumpToLabel(label) => format!("; goes on at {}", String::from_utf8_lossy(label)),
        Step::Answer(answer) => format!("; answers: {answer}"),
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {} = {}", self.written.place, self.written.option, self.written.text)
    }
}

impl Rule {
    /// Whether its action is to be taken, with the groups that it needs.
    fn matches(&self, request: &Request<'_>, world: &dyn World) -> Result<Option<Groups>, RuleError> {
        Ok(match &self.test {
            Test::Always => Some(Groups::default()),
            Test::Field(field, pattern) => {
                let subject = request.field(*field);
                match pattern.matches(subject) {
                    false => None,
                    true if self.action.has_groups() => pattern.groups(subject),
                    true => Some(Groups::default()),
                }
            }
            Test::Status(status) => (*status == request.status).then(Groups::default),
            Test::If(condition) => condition.holds(request, world)?,
            Test::IfNot(condition) => match condition.holds(request, world)? {
                Some(_) => None,
                None => Some(Groups::default()),
            },
        })
    }
}

/// Test and action: the first blank is between them.
fn split(text: &str, looks: Looks) -> Result<(&str, &str), RuleError> {
    text.split_once(' ').map(|(test, action)| (test, action.trim_start())).ok_or_else(|| {
        let (expected, example) = match looks {
            Looks::If | Looks::IfNot => ("a condition", "equal:${REQUEST_METHOD};TRACE break:405"),
            Looks::AtStatus => ("a status", "404 redirect:/"),
            _ => ("a regular expression", "^/admin basicauth:Internal,/etc/nginx/users"),
        };
        RuleError::new(format!("expected {expected}, a blank and an action")).advise(format!("for example {example}"))
    })
}

fn status(text: &str, stage: Stage) -> Result<u16, RuleError> {
    if stage == Stage::Request {
        return Err(RuleError::new("there is no status before the answer"));
    }
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().map_err(|_| RuleError::new("expected a status").advise("for example 404"))
}
