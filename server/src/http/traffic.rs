//! What listeners count: requests and answers, bytes, connections, and limits that were reached.
//!
//! A request raises one counter here. It is not timed: two looks at a clock take longer than many a read, and a proxy or
//! client times what a user sees.

use http::{Method, StatusCode};

use super::App;
use crate::telemetry::metrics::{Counter, Counters, Page, Striped, family, labels};

const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "other"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

labels! {
    /// A limit that somebody ran into.
    pub enum Limit {
        /// `limits.max_connections`
        Connections = "connections",
        /// `limits.max_body_bytes_in_flight`, for as long as a body may wait for it.
        BodyMemory = "body-memory",
        /// `store.max_object_bytes`
        ObjectBytes = "object-bytes",
        /// `limits.body_timeout`
        BodyTime = "body-time",
        /// `limits.header_timeout`
        HeadTime = "head-time",
        /// How long a connection may stand still.
        IdleTime = "idle-time",
    }
}

/// The counters of all listeners of a node.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    hot: Striped<Hot>,
    pub(super) accepted: Counter,
    pub(super) accept_failures: Counter,
    pub(super) limits: Counters<Limit>,
}

/// What every request raises.
#[derive(Debug, Default)]
struct Hot {
    requests: [[Counter; CLASSES.len()]; METHODS.len()],
    received: Counter,
    sent: Counter,
}

impl Traffic {
    /// A request has its answer.
    pub(super) fn answered(&self, method: &Method, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.hot.raise(|hot| &hot.requests[place(method)][class]);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.hot.add(|hot| &hot.received, bytes as u64);
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.hot.add(|hot| &hot.sent, bytes as u64);
    }
}

const fn place(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::PUT => 2,
        Method::DELETE => 3,
        Method::PATCH => 4,
        Method::OPTIONS => 5,
        _ => 6,
    }
}

impl App {
    /// Writes down what listeners and the guard count.
    pub(super) fn collect(&self, page: &mut Page) {
        let Traffic { hot, accepted, accept_failures, limits } = &*self.traffic;
        for (row, method) in METHODS.into_iter().enumerate() {
            for (column, class) in CLASSES.into_iter().enumerate() {
                let requests = hot.sum(|hot| &hot.requests[row][column]);
                page.put(&family::HTTP_REQUESTS, &[method, class], requests);
            }
        }
        page.put(&family::HTTP_RECEIVED, &[], hot.sum(|hot| &hot.received));
        page.put(&family::HTTP_SENT, &[], hot.sum(|hot| &hot.sent));
        page.put(&family::CONNECTIONS_ACCEPTED, &[], accepted.get());
        page.put(&family::ACCEPT_FAILURES, &[], accept_failures.get());
        let open = self.max_connections - self.connections.available_permits().min(self.max_connections);
        page.put(&family::CONNECTIONS_OPEN, &[], open);
        page.put(&family::CONNECTIONS_LIMIT, &[], self.max_connections);
        page.put_each(&family::LIMITS, limits);
        page.put_each(&family::REFUSALS, self.guard.refusals());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_counts_once_under_its_method_and_class() {
        let traffic = Traffic::default();
        for (row, method) in METHODS.iter().enumerate() {
            let method = if *method == "other" { "BREW" } else { method };
            traffic.answered(&Method::from_bytes(method.as_bytes()).unwrap(), StatusCode::NO_CONTENT);
            assert_eq!(traffic.hot.sum(|hot| &hot.requests[row][1]), 1, "{method}");
        }
        traffic.answered(&Method::GET, StatusCode::from_u16(999).unwrap());
        traffic.answered(&Method::GET, StatusCode::SWITCHING_PROTOCOLS);
        let of_get = [0, 1, 2, 3, 4].map(|class| traffic.hot.sum(|hot| &hot.requests[0][class]));
        assert_eq!(of_get, [1, 1, 0, 0, 1]);
    }
}
