//! Having a request answered: chooses what answers it, by what the request says. It knows of no protocol. Worker only.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use worker_protocol::head::RequestHead;
use worker_protocol::rpc::Call;

use super::answered::{After, Outcome};
use super::finish::{finish, linger};
use super::receive::Incoming;
use crate::handler::LogNotes;
use crate::sys::clock::epoch_us;
use crate::sys::stream::Stream;
use crate::worker::body::{RequestBody, Source, Ungathered};
use crate::worker::description::describe;
use crate::worker::exchange::{Exchange, Service};
use crate::worker::finish_overdue::Asked;
use crate::worker::hearsay::tell_of_hearsay;
use crate::worker::omission::tell_of_omission;
use crate::worker::peer::Bringer;
use crate::worker::place::Place;
use crate::worker::process::Worker;
use crate::worker::reply::{DateText, Manner, Onlooker, Reply, Sent, Transfer};
use crate::worker::routes::{Begun, Caller, Course, Routes, give, read};
use crate::worker::shedding;
use crate::worker::spans::tell_of_place;

/// Where a request is served.
pub(super) struct Stage<'c> {
    pub(super) worker: &'c Worker<'c>,
    /// Which of the worker's threads.
    pub(super) place: Place<'c>,
    pub(super) stream: &'c Stream,
    /// Who has brought the request.
    pub(super) from: Bringer,
    /// The rules that look at each request, if there are any.
    pub(super) routes: Option<&'c Routes<'c>>,
    /// Memory for the head of the answer.
    pub(super) answer: &'c mut Vec<u8>,
    /// The date of the current second.
    pub(super) clock: &'c mut DateText,
    /// What the connection is good for afterwards.
    pub(super) then: Then,
}

/// What a connection is good for after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing: what the client still sends is to be read here.
    Nothing,
    /// To be waited on, but no further request.
    Waiting,
    /// A further request, if the client wants it.
    Requests,
}

/// A request that was served.
pub(super) struct Served {
    pub(super) after: After,
    /// The beginning of the next request.
    pub(super) beyond: Vec<u8>,
    /// The variables as rules have left them, if they changed any.
    pub(super) block: Option<Vec<u8>>,
    /// What others are to send of the answer before that.
    pub(super) handed: Option<Box<Transfer>>,
}

/// Has a request answered, up to the last byte of the answer. `outcome` is of no request so far: it is large, and filled in
/// where it is needed.
#[inline(always)]
pub(super) fn serve<S: Service + ?Sized>(
    service: &S,
    request: &mut Incoming<'_>,
    stage: Stage<'_>,
    outcome: &mut Outcome,
) -> Served {
    let Stage { worker, place, stream, from, routes, answer, clock, then } = stage;
    let limits = worker.limits();
    let silence_us = limits.socket_timeout.as_micros() as u64;
    let (wrapped, gathered) = (request.wrapped.take(), request.gathered.take());
    let Incoming { head, envelope, rest, .. } = &*request;
    let message = &envelope.message;
    tell_of_hearsay(worker, head);
    tell_of_omission(worker, head);
    describe(worker, place.core, head);
    if let Some(titles) = &worker.titles {
        titles.begin(head);
    }
    let arrival_us = head.arrival_us(limits.trusts(head.remote_addr()));
    outcome.waited_us = arrival_us.map(|arrival_us| epoch_us().saturating_sub(arrival_us));
    let too_late = shedding::is_too_late(worker, stream, head);
    let asked = head;
    let asked_for = Asked { form: message.answer, version: asked.response_version(), is_head: asked.method == "HEAD" };
    let call = |call: &Call<'_>| service.call(place.core, place.watch, call);
    let course = routes.map(|routes| Course::new(routes, worker, asked, Caller(&call)));
    let begun = match &course {
        Some(course) if routes.is_some_and(Routes::take_time) => {
            begin_in_time(course, worker, place, || (stream, asked, asked_for))
        }
        Some(course) => Ok(course.begin()),
        None => Ok(Begun::default()),
    };
    outcome.place = worker.tracing().map(|tracing| tracing.place(asked));
    let Begun { block, answer: answer_of_rules, deadline_s } = match begun {
        Ok(begun) => begun,
        // Its time was over before anything but rules had looked at it.
        Err(sent) => {
            outcome.sent = sent;
            return Served { after: After::Ends, beyond: Vec::new(), block: None, handed: None };
        }
    };
    let block = match &outcome.place {
        Some(place) => tell_of_place(asked, block, place),
        None => block,
    };
    let changed = block.as_deref().and_then(|block| read(block).ok());
    let head = changed.as_ref().unwrap_or(asked);
    let awaited = AtomicBool::new(true);
    // Who has sent some of it does not wait.
    let awaited = (message.expects_continue && rest.is_empty() && gathered.is_none()).then_some(&awaited);
    let length_max = limits.body_max.unwrap_or(u64::MAX);
    let source = Source {
        buffered: rest,
        length: asked.content_length(),
        length_max,
        wrapped,
        awaited,
        claim: Some(place.watch),
    };
    let manner = Manner {
        form: message.answer,
        by_router: from == Bringer::Router && asked.block().get(b"UWSGI_ROUTER") == Some(b"http"),
        version: asked.response_version(),
        is_head: asked.method == "HEAD",
        persistent: message.persistent && then == Then::Requests,
        names_server: worker.member().config().http.names_server,
        answers: Some(&worker.member().config().answers),
        awaited,
        claim: Some(place.watch),
        berths: worker.berths(),
        onlooker: course.as_ref().map(|course| course as &dyn Onlooker),
        clock,
    };
    let mut exchange = Exchange {
        body: RequestBody::new(stream, source, silence_us),
        reply: Reply::new(stream, silence_us, answer, manner),
        head,
        asked,
        worker,
        core: place.core,
        place,
        stream,
        statically: false,
        exception: false,
        broken_off: false,
        notes: LogNotes::default(),
        websocket: None,
    };
    let is_too_long = asked.content_length().is_some_and(|length| length > length_max);
    // Before its time begins to run.
    let gathered = match gathered {
        Some(gathered) => {
            exchange.body.take_over(gathered);
            Ok(())
        }
        None if limits.gathers && !is_too_long && !too_late && answer_of_rules.is_none() => {
            exchange.body.gather(limits, worker.room())
        }
        None => Ok(()),
    };
    let after = place.watch.during(stream, asked, asked_for, worker.harakiri_us(), |due_us| {
        if let Some(due_us) = due_us {
            place.guard.look_by(due_us);
        }
        if is_too_long {
            exchange.answer_plainly(413, "The request body is larger than this server accepts.\n");
        } else if too_late {
            shedding::answer(&mut exchange, limits.queue_timeout);
        } else if let Err(why) = gathered {
            answer_ungathered(&mut exchange, why);
        } else {
            if let Some(seconds) = deadline_s {
                exchange.set_deadline((seconds > 0).then(|| Duration::from_secs(seconds)));
            }
            match (answer_of_rules, routes) {
                (Some(answer), Some(routes)) => give(routes, &mut exchange, answer),
                _ => service.serve(&mut exchange),
            }
        }
        finish(&mut exchange, routes, outcome)
    });
    let handed = exchange.reply.take_handed().filter(|_| after != After::Cut);
    let beyond = match after {
        After::Lingers if then == Then::Nothing && handed.is_none() => {
            linger(&mut exchange);
            Vec::new()
        }
        After::Persists => exchange.body.beyond(),
        After::Lingers | After::Ends | After::Cut => Vec::new(),
    };
    Served { after, beyond, block, handed }
}

/// Has rules look at a request that may take long over it: they have the deadline of a request. What others have answered in
/// their place, if that was over.
#[cold]
fn begin_in_time<'c>(
    course: &Course<'_>,
    worker: &Worker<'_>,
    place: Place<'_>,
    request: impl FnOnce() -> (&'c Stream, &'c RequestHead<'c>, Asked),
) -> Result<Begun, Sent> {
    let (stream, asked, asked_for) = request();
    place.watch.during(stream, asked, asked_for, worker.harakiri_us(), |due_us| {
        if let Some(due_us) = due_us {
            place.guard.look_by(due_us);
        }
        let begun = course.begin();
        // From here on nobody strikes; what was struck before stays so.
        place.watch.lift();
        if place.watch.is_struck() { Err(place.watch.answered().unwrap_or_default()) } else { Ok(begun) }
    })
}

/// The body is not whole: the application is not asked.
#[cold]
fn answer_ungathered(exchange: &mut Exchange<'_>, why: Ungathered) {
    exchange.reply.end_connection();
    let (status, text) = why.answer();
    log::info!("the body of {} did not become whole: {}", exchange.named(), text.trim_end());
    exchange.answer_plainly(status, text);
}
