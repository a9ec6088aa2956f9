//! Requests over HTTP/1.1 that are served without hyper.
//!
//! Rule: hyper reads every one of them the same, and sees the next request begin at the same byte; whatever would let
//! the two differ is not plain.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use ringhold_server::http::plain_request;

use super::{Target, texts};

pub const PLAIN: Target = Target {
    name: "plain",
    words: &[
        "\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        ":",
        ",",
        "%2F",
        "?",
        "#",
        "GET ",
        "PUT ",
        "HTTP/1.0",
        "HTTP/1.1",
        "Host: t\r\n",
        "Content-Length: 3\r\n",
        "content-length:0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: h2c\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
    ],
    max_bytes: 16 << 10,
    samples: || {
        texts(&[
            "GET /objects/a HTTP/1.1\r\nHost: t\r\n\r\n",
            "PUT /objects/a%20b/c HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nvalueDELETE /objects/a HTTP/1.1\r\nHost: t\r\n\r\n",
            "PATCH /objects/a HTTP/1.1\r\nhost: t\r\nConnection: Keep-Alive\r\ncontent-type: text/plain\r\ncontent-length: 1\r\n\r\nx",
            "HEAD /objects/a HTTP/1.1\r\nHost: t\r\nIf-None-Match: *\r\nX: y\r\n\r\n",
            "PUT /objects/a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ])
    },
    run,
};

/// Polls after which a connection that has got everything must have ended.
const MAX_POLLS: usize = 10_000;

fn run(input: &[u8]) -> String {
    let Some(plain) = plain_request(input) else { return "not plain".into() };
    let (alone, rest) = input.split_at(plain.end);
    let requests = hyper_reads(alone);
    assert_eq!(requests.len(), 1, "hyper reads another number of requests where one is plain");
    let Some(request) = requests.first() else { return "never".into() };
    assert_eq!(request.method, plain.method);
    assert_eq!(request.path, format!("/objects/{}", plain.raw_key));
    assert_eq!(&*request.body, plain.body);
    assert!(request.is_kept_alive && request.hosts == 1, "hyper would end the connection, or refuse it");
    let together = hyper_reads(input);
    assert_eq!(together.first(), requests.first(), "what follows changes what comes first");
    assert_eq!(together.get(1..), Some(&*hyper_reads(rest)), "the next request begins elsewhere");
    format!("{} {}", plain.method, plain.body.len().min(3))
}

/// What hyper hands to a service.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    method: Method,
    path: String,
    hosts: usize,
    is_kept_alive: bool,
    body: Bytes,
}

fn hyper_reads(bytes: &[u8]) -> Vec<Seen> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            let lines = |name| head.headers.get_all(name).iter().count();
            let odd = [header::TRANSFER_ENCODING, header::EXPECT, header::UPGRADE];
            let connection = head.headers.get(header::CONNECTION);
            let is_kept_alive = odd.into_iter().all(|name| lines(name) == 0)
                && connection.is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(b"keep-alive"));
            let (method, path, hosts) = (head.method.clone(), head.uri.to_string(), lines(header::HOST));
            // A body that breaks off is no request that anybody carries out.
            if let Ok(body) = body.collect().await {
                seen.borrow_mut().push(Seen { method, path, hosts, is_kept_alive, body: body.to_bytes() });
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut builder = http1::Builder::new();
    builder.half_close(true).header_read_timeout(None);
    {
        let mut connection = pin!(builder.serve_connection(Script(bytes), service));
        let mut context = Context::from_waker(Waker::noop());
        let ended = (0..MAX_POLLS).any(|_| connection.as_mut().poll(&mut context).is_ready());
        assert!(ended, "hyper still waits for something");
    }
    seen.take()
}

/// Everything at once, and then the end.
struct Script<'a>(&'a [u8]);

impl Read for Script<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, later) = self.0.split_at(self.0.len().min(buf.remaining()));
        buf.put_slice(now);
        self.0 = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Script<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
