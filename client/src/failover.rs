//! Which node is asked, and who is asked next: every node at most once, within one deadline.
//!
//! Every request may be sent again: a read changes nothing, an unconditional write leaves the same, and all others carry
//! an idempotency key, by which the ring recognises a repeat. Invariant: a write that may have been carried out ends with
//! a node's answer to it, or with [`Error::OutcomeUnknown`].

use std::future::Future;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use crate::call::{Answer, Call};
use crate::node::Nodes;
use crate::transport::{Failure, Transport};
use crate::{Attempt, Error, NodeUrl, Problem};

#[derive(Debug)]
pub(crate) struct Failover {
    pub nodes: Nodes,
    pub transport: Transport,
    pub timeout: Duration,
}

/// What the attempts so far amount to.
#[derive(Default)]
struct Tally {
    tried: Vec<Attempt>,
    /// The last thing a node said.
    problem: Option<Problem>,
    /// Why the request may have been carried out, if it may.
    doubt: Option<String>,
}

/// What one attempt means for the next.
enum Next {
    Done(Answer),
    /// This node did nothing.
    AskAnother,
    /// This node may have carried it out.
    Doubtful(String),
    Fail(Error),
}

impl Failover {
    /// Sends `call` to one node after the other until one has answered it.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Error> {
        let deadline = Instant::now() + self.timeout;
        let order = self.nodes.order(Instant::now());
        let mut tally = Tally::default();
        for (asked, (index, node)) in order.iter().enumerate() {
            let left = order.len() - asked;
            let allowed = share_of(deadline.saturating_duration_since(Instant::now()), left);
            let outcome = within(allowed, call, self.transport.send(node, call)).await;
            let next = tally.judge(node, outcome);
            match &next {
                Next::Done(_) => self.nodes.worked(*index),
                Next::AskAnother | Next::Doubtful(_) => self.nodes.failed(*index, Instant::now()),
                Next::Fail(_) => {}
            }
            match next {
                Next::Done(answer) => return Ok(answer),
                Next::Fail(error) => return Err(error),
                Next::AskAnother => {}
                Next::Doubtful(why) => tally.doubt = Some(why),
            }
            if !call.payload.is_whole() || Instant::now() >= deadline {
                break;
            }
        }
        Err(tally.into_error(call))
    }

    /// Sends `call` to the first configured node and to no other.
    pub(crate) async fn send_to_first(&self, call: &Call) -> Result<Answer, Error> {
        let node = self.nodes.first();
        match within(self.timeout, call, self.transport.send(node, call)).await {
            Ok(answer) => Ok(answer),
            Err(Failure::Final(error)) => Err(error),
            Err(Failure::NotSent(why) | Failure::Lost(why)) => {
                Err(Error::Unreachable { tried: vec![Attempt { node: node.to_string(), why }] })
            }
        }
    }
}

impl Tally {
    fn judge(&mut self, node: &NodeUrl, outcome: Result<Answer, Failure>) -> Next {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(Failure::Final(error)) => return Next::Fail(error),
            Err(Failure::NotSent(why)) => {
                self.note(node, why);
                return Next::AskAnother;
            }
            Err(Failure::Lost(why)) => {
                self.note(node, why.clone());
                return Next::Doubtful(format!("the request was sent to {node}, then: {why}"));
            }
        };
        let gateway = matches!(answer.status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT);
        if answer.status != StatusCode::SERVICE_UNAVAILABLE && !gateway {
            return Next::Done(answer);
        }
        let problem = Problem::read(answer.status, &answer.into_bytes());
        self.note(node, problem.to_string());
        let doubtful = gateway || Problem::MAYBE_DONE.contains(&problem.code.as_str());
        let next = if doubtful { Next::Doubtful(problem.to_string()) } else { Next::AskAnother };
        self.problem = Some(problem);
        next
    }

    fn note(&mut self, node: &NodeUrl, why: String) {
        self.tried.push(Attempt { node: node.to_string(), why });
    }

    fn into_error(self, call: &Call) -> Error {
        match (self.doubt, self.problem) {
            (Some(why), problem) if !call.is_read() => Error::OutcomeUnknown { why, problem },
            (_, Some(problem)) => Error::Unavailable { problem, tried: self.tried },
            (_, None) => Error::Unreachable { tried: self.tried },
        }
    }
}

/// How long one attempt may take: it leaves time for the nodes behind it, but no more than for two of them: a long list
/// of nodes must not make a busy one look dead.
fn share_of(remaining: Duration, nodes_left: usize) -> Duration {
    match nodes_left {
        0 | 1 => remaining,
        2 => remaining / 2,
        _ => remaining / 3,
    }
}

/// Ends `attempt` once the node has owed an answer, or room for the next bytes of a streamed body, for `allowed`.
async fn within(
    allowed: Duration,
    call: &Call,
    attempt: impl Future<Output = Result<Answer, Failure>>,
) -> Result<Answer, Failure> {
    let start = Instant::now();
    let mut attempt = std::pin::pin!(attempt);
    let mut wake_at = start + allowed;
    loop {
        tokio::select! {
            biased;
            outcome = &mut attempt => return outcome,
            () = tokio::time::sleep_until(wake_at) => {}
        }
        let due = call.payload.waiting_since(start).unwrap_or_else(Instant::now) + allowed;
        if due <= Instant::now() {
            return Err(Failure::Lost(format!("no answer within {allowed:.1?}")));
        }
        wake_at = due;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_leaves_time_for_the_next_however_many_there_are() {
        let remaining = Duration::from_secs(12);
        let seconds = |left| share_of(remaining, left).as_secs();
        assert_eq!([1, 2, 3, 1000].map(seconds), [12, 6, 4, 4]);
    }
}
