//! Which node is asked, and who is asked next: every node at most once, within one deadline.
//!
//! A node that was not reached, or says that it is not ready, has done nothing: the next one is asked. A lost answer is
//! another matter: the request may have been carried out. Invariant: a request that must not run twice is sent to a
//! second node only when the first cannot have run it.

use std::future::Future;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use crate::call::{Answer, Call, Repeat};
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
            let allowed = share_of(deadline.saturating_duration_since(Instant::now()), left, call.repeat);
            let outcome = within(allowed, call, self.transport.send(node, call)).await;
            let next = tally.judge(node, call, outcome);
            match &next {
                Next::Done(_) => self.nodes.worked(*index),
                Next::AskAnother | Next::Doubtful(_) => self.nodes.failed(*index, Instant::now()),
                Next::Fail(_) => {}
            }
            match next {
                Next::Done(answer) => return Ok(answer),
                Next::Fail(error) => return Err(error),
                Next::AskAnother => {}
                Next::Doubtful(why) => {
                    tally.doubt = Some(why);
                    if call.repeat == Repeat::Harmful {
                        break;
                    }
                }
            }
            if !call.payload.is_whole() || Instant::now() >= deadline {
                break;
            }
        }
        Err(tally.into_error(call.repeat))
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
    fn judge(&mut self, node: &NodeUrl, call: &Call, outcome: Result<Answer, Failure>) -> Next {
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
        let code = problem.code.as_str();
        let next = if gateway || code == Problem::OUTCOME_UNKNOWN {
            Next::Doubtful(problem.to_string())
        } else if Problem::NOTHING_DONE.contains(&code) || call.repeat != Repeat::Harmful {
            Next::AskAnother
        } else {
            let tried = std::mem::take(&mut self.tried);
            return Next::Fail(Error::Unavailable { problem, tried });
        };
        self.problem = Some(problem);
        next
    }

    fn note(&mut self, node: &NodeUrl, why: String) {
        self.tried.push(Attempt { node: node.to_string(), why });
    }

    fn into_error(self, repeat: Repeat) -> Error {
        match (self.doubt, self.problem) {
            (Some(why), problem) if repeat != Repeat::Read => Error::OutcomeUnknown { why, problem },
            (_, Some(problem)) => Error::Unavailable { problem, tried: self.tried },
            (_, None) => Error::Unreachable { tried: self.tried },
        }
    }
}

/// How long one attempt may take. What may be repeated leaves time for the nodes behind it, but no more than for two of
/// them: a long list of nodes must not make a busy one look dead. What may not be repeated has no use for the others
/// once it is sent.
fn share_of(remaining: Duration, nodes_left: usize, repeat: Repeat) -> Duration {
    match repeat {
        Repeat::Read | Repeat::Harmless => match nodes_left {
            0 | 1 => remaining,
            2 => remaining / 2,
            _ => remaining / 3,
        },
        Repeat::Harmful => remaining,
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
        let seconds = |left| share_of(remaining, left, Repeat::Read).as_secs();
        assert_eq!([1, 2, 3, 1000].map(seconds), [12, 6, 4, 4]);
        assert_eq!(share_of(remaining, 3, Repeat::Harmful), remaining);
    }
}
