//! What routing counts: where operations were carried out, and how forwards ended.

use std::time::Duration;

use crate::object::{Outcome, Refusal, Route};
use crate::peer::PeerError;
use crate::telemetry::metrics::{Counter, Counters, Histogram, Page, Striped, family, labels};

const ROUTES: [Route; 3] = [Route::Local, Route::Forwarded, Route::StandIn];

labels! {
    /// How an attempt to forward ended.
    pub enum Forwarded {
        /// With an answer, whatever it said.
        Answered = "answered",
        /// It was certainly not carried out.
        NotSent = "not-sent",
        /// It may have been carried out.
        Lost = "lost",
    }
}

labels! {
    /// Why an operation is sent to another member.
    pub enum Passed {
        /// A client asked, and it is for that member.
        Forward = "forward",
        /// A member asked, and it is for that member.
        Up = "up",
        /// It is for this one, which does not act.
        Down = "down",
    }
}

labels! {
    /// Why an operation was not, or not surely, carried out though nothing is wrong with it.
    enum Refused {
        /// Nobody could be reached who would.
        Unavailable = "unavailable",
        /// Most members cannot be reached.
        NoMajority = "no-majority",
        /// Too few members hold the write.
        TooFewCopies = "too-few-copies",
        /// Nobody knows.
        OutcomeUnknown = "outcome-unknown",
    }
}

/// The counters of one node's routing.
#[derive(Debug, Default)]
pub struct Counts {
    hot: Striped<Hot>,
    forwards: Counters<Forwarded>,
    forward_times: Histogram,
    passes: Counters<Passed>,
    refusals: Counters<Refused>,
}

#[derive(Debug, Default)]
struct Hot {
    routes: [Counter; ROUTES.len()],
    for_members: Counter,
}

impl Counts {
    pub(super) fn operation(&self, route: Route, result: &Result<Outcome, Refusal>) {
        self.hot.raise(|hot| &hot.routes[place(route)]);
        if let Err(refusal) = result {
            self.refused(refusal);
        }
    }

    fn refused(&self, refusal: &Refusal) {
        let reason = match refusal {
            Refusal::Unavailable(_) => Refused::Unavailable,
            Refusal::NoMajority { .. } => Refused::NoMajority,
            Refusal::TooFewCopies { .. } => Refused::TooFewCopies,
            Refusal::OutcomeUnknown(_) => Refused::OutcomeUnknown,
            Refusal::PreconditionFailed
            | Refusal::TooLarge { .. }
            | Refusal::StoreFull
            | Refusal::MalformedPatch(_)
            | Refusal::PatchConflict(_) => return,
        };
        self.refusals.of(reason).raise();
    }

    pub(super) fn pass(&self, passed: Passed) {
        self.passes.of(passed).raise();
    }

    pub(super) fn for_member(&self) {
        self.hot.raise(|hot| &hot.for_members);
    }

    pub(super) fn forward<T>(&self, executed: &Result<T, PeerError>, took: Duration) {
        let ended = match executed {
            Ok(_) => Forwarded::Answered,
            Err(PeerError::NotSent(_)) => Forwarded::NotSent,
            Err(PeerError::Lost(_)) => Forwarded::Lost,
        };
        self.forwards.of(ended).raise();
        if executed.is_ok() {
            self.forward_times.note(took);
        }
    }

    /// Writes it down.
    pub fn collect(&self, page: &mut Page) {
        for route in ROUTES {
            let operations = self.hot.sum(|hot| &hot.routes[place(route)]);
            page.put(&family::OPERATIONS, &[route.name()], operations);
        }
        page.put(&family::MEMBER_OPERATIONS, &[], self.hot.sum(|hot| &hot.for_members));
        page.put_each(&family::FORWARDS, &self.forwards);
        page.put_each(&family::PASSES, &self.passes);
        page.put_each(&family::OPERATION_REFUSALS, &self.refusals);
        page.put_durations(&family::FORWARD_SECONDS, &self.forward_times);
    }
}

const fn place(route: Route) -> usize {
    match route {
        Route::Local => 0,
        Route::Forwarded => 1,
        Route::StandIn => 2,
    }
}
