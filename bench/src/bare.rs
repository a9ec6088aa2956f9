//! hyper with a plain concurrent map and nothing else: no limits, expiry, versions, conditions or other members.
//!
//! It says what Ringhold's own parts cost over the HTTP library that it stands on.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use dashmap::DashMap;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use crate::error::{Error, doing};

/// What a connection opens with that speaks HTTP/2 with prior knowledge begins with this; no method of HTTP/1.1 does.
const PREFACE: &[u8] = b"PRI";

type Map = DashMap<Box<str>, Bytes>;

/// Serves until it is killed: on one thread where it may use one core, on a thread for each where it may use more.
pub fn main(address: SocketAddr) -> Result<(), Error> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut builder = match cores {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let serving = async {
        let listener = TcpListener::bind(address).await?;
        let map = Arc::new(Map::new());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(connection(stream, Arc::clone(&map)));
        }
    };
    let served: std::io::Result<()> =
        builder.enable_all().build().and_then(|runtime| runtime.block_on(serving));
    served.map_err(doing(format!("serving on {address}")))
}

async fn connection(stream: TcpStream, map: Arc<Map>) {
    let mut opening = [0; PREFACE.len()];
    let is_http2 = stream.peek(&mut opening).await.is_ok_and(|_| opening == PREFACE);
    let io = TokioIo::new(stream);
    let service = service_fn(move |request| answer(Arc::clone(&map), request));
    // A client that goes away is no news here.
    let _ = if is_http2 {
        http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
    } else {
        http1::Builder::new().pipeline_flush(true).serve_connection(io, service).await
    };
}

async fn answer(map: Arc<Map>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Some(key) = head.uri.path().strip_prefix("/objects/") else {
        return Ok(bare(StatusCode::NOT_FOUND));
    };
    if head.method == Method::PUT {
        let Ok(body) = body.collect().await else { return Ok(bare(StatusCode::BAD_REQUEST)) };
        // A copy, as the body may be a small part of the connection's buffer.
        let value = Bytes::copy_from_slice(&body.to_bytes());
        let old = map.insert(key.into(), value);
        return Ok(bare(if old.is_some() { StatusCode::NO_CONTENT } else { StatusCode::CREATED }));
    }
    Ok(match map.get(key) {
        Some(value) => Response::new(Full::new(value.clone())),
        None => bare(StatusCode::NOT_FOUND),
    })
}

fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
