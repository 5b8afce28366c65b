//! What each visitor is told: the pages, and the documents behind them, each made once for all who ask at the same moment.
//! Master only.

use std::rc::Rc;

use super::super::doors::Manner;
use super::super::driver::Driver;
use super::documents::{Document, Documents};
use super::visitors::Question;
use crate::stats::{self, Brief, Form, Head, Page, Request, Style};
use crate::sys::clock::{epoch_us, monotonic_us};

impl Driver<'_> {
    /// Lets in whoever waits at a door.
    pub(in crate::master) fn hear_door(&mut self, number: u32) {
        let Some(door) = self.in_force.doors.get(number) else { return };
        if let Manner::Sockets | Manner::Pool(_) = door.manner {
            return self.give_sockets(number);
        }
        if door.manner == Manner::Router {
            // Whoever waits there is a router's, since a moment ago.
            return;
        }
        let came = self.visitors.welcome(number, door, monotonic_us(), &self.poll);
        self.attend_to(&came);
    }

    /// A visitor has asked, or takes more.
    pub(in crate::master) fn hear_visitor(&mut self, visitor: u32) {
        self.attend_to(&[visitor]);
    }

    fn attend_to(&mut self, visitors: &[u32]) {
        let mut documents = std::mem::take(&mut self.documents);
        documents.be_of(monotonic_us());
        for visitor in visitors {
            if let Some(question) = self.visitors.hear(*visitor, &self.poll) {
                let parts = self.answer(question, &mut documents);
                self.visitors.tell(*visitor, parts, &self.poll);
            }
        }
        documents.report = None;
        self.documents = documents;
    }

    /// Head and body of an answer.
    fn answer(&mut self, question: Question, documents: &mut Documents) -> [Rc<[u8]>; 2] {
        let statistics = &self.in_force.config.statistics;
        let style = Style { minified: statistics.minified, cores: statistics.cores, metrics: statistics.own_metrics };
        let nothing = || Rc::from([].as_slice());
        let Some(Request { page, head_only }) = question.request else {
            if question.manner == Manner::Agent {
                return [Rc::from(stats::agent_line(self.readiness(), self.load()).as_bytes()), nothing()];
            }
            return [nothing(), self.document(Document::Uwsgi(style), documents)];
        };
        let (status, content_type, body) = match (page, question.manner) {
            (Page::Live, _) => ("200 OK", TEXT, Rc::from(b"alive\n".as_slice())),
            (Page::Ready, _) => {
                let readiness = self.readiness();
                let status = if readiness.is_ready() { "200 OK" } else { "503 Service Unavailable" };
                (status, TEXT, Rc::from(format!("{}\n", readiness.word()).as_bytes()))
            }
            (Page::Metrics { open }, _) => {
                let form = if open { Form::Open } else { Form::Plain };
                ("200 OK", form.content_type(), self.document(Document::Metrics(form), documents))
            }
            (Page::Brief, _) => ("200 OK", "application/json", self.document(Document::Brief, documents)),
            (Page::People, _) | (Page::Root, Manner::Metrics) => ("200 OK", HTML, Rc::from(stats::PAGE.as_bytes())),
            (Page::Other, Manner::Metrics) => {
                ("404 Not Found", TEXT, Rc::from(b"there are /, /metrics, /livez and /readyz\n".as_slice()))
            }
            (Page::Root | Page::Other, _) => {
                ("200 OK", "application/json", self.document(Document::Uwsgi(style), documents))
            }
        };
        let head = Head { status, content_type, length: body.len() };
        [Rc::from(head.bytes()), if head_only { nothing() } else { body }]
    }

    fn document(&mut self, document: Document, documents: &mut Documents) -> Rc<[u8]> {
        let Documents { report, made, .. } = documents;
        if let Some((_, bytes)) = made.iter().find(|(other, _)| *other == document) {
            return Rc::clone(bytes);
        }
        let report = report.get_or_insert_with(|| {
            self.weigh();
            self.report()
        });
        let bytes: Rc<[u8]> = Rc::from(match document {
            Document::Uwsgi(style) => stats::document(report, style),
            Document::Metrics(form) => stats::metrics(report, form),
            Document::Brief => Brief::of(report, epoch_us()).line().into_bytes(),
        });
        made.push((document, Rc::clone(&bytes)));
        bytes
    }
}

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
