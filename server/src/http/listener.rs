//! Accepting connections, and serving HTTP on each until it ends or the node stops.
//!
//! Invariant: at most `limits.max_connections` connections exist at once over all listeners of a node, and a few for
//! members beyond them; and dropping the future of [`serve`] ends every one of this listener's.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::App;
use super::bell::Bell;
use super::eager::Eager;
use super::express::{Express, Onward};
use super::gathered::Gathered;
use super::origin::Origin;
use super::secured;
use super::service::{Admission, Exchange, Exchanges};
use super::traffic::Limit;
use super::watched::{Protocol, Stall, Watch, Watched};
use crate::security::tls::Tls;

/// How long a connection may stand still, idle between requests or with a client that does not read.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// How often an HTTP/2 connection is asked whether it still lives.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// The most of a connection's unread requests or unsent answers that is kept in memory.
const MAX_BUFFER_BYTES: usize = 128 << 10;

/// Ticks of the watch in one `limits.header_timeout`.
const TICKS_PER_TIMEOUT: u32 = 2;

/// How long a node that stops waits for the next request on a connection that it would like to close.
const LEAVE_TIME: Duration = Duration::from_millis(250);

/// The most connections that are taken from the kernel's queue at the end.
const LAST_CONNECTIONS: usize = 4096;

/// How long a connection beyond the limit may take for its request.
const RESERVED_HEADER_TIMEOUT: Duration = Duration::from_secs(1);

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const WARN_EVERY: u32 = 100;

/// Serves HTTP on `listener` until `shutdown`: then it stops accepting, lets requests in flight finish, and
/// returns when the last connection has ended. The caller bounds that time by dropping this future.
///
/// With `tls` it serves nothing else, each connection with the material of the moment at which it comes.
pub async fn serve(listener: TcpListener, tls: Option<Arc<Tls>>, app: Arc<App>, shutdown: CancellationToken) {
    let mut connections = JoinSet::new();
    let exchanges = Exchanges::new(Arc::clone(&app));
    let begin = |accepted: Accepted, connections: &mut JoinSet<()>| {
        let (exchanges, tls, stopping) = (exchanges.clone(), tls.clone(), shutdown.child_token());
        let Accepted { stream, address, admission, permit } = accepted;
        app.traffic.accepted.raise();
        if admission == Admission::Reserved {
            app.traffic.limits.of(Limit::Connections).raise();
        }
        // Where a connection comes from is settled here and nowhere else.
        let origin = Origin::plain(address, admission, permit.into());
        connections.spawn(async move {
            match tls {
                None => connection(stream, exchanges.with(origin), stopping).await,
                Some(tls) => secured_connection(stream, &tls, exchanges, origin, stopping).await,
            }
        });
    };
    let mut failures = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &app) => accepted,
        };
        match accepted {
            Ok(accepted) => {
                failures = 0;
                begin(accepted, &mut connections);
            }
            Err(error) => {
                app.traffic.accept_failures.raise();
                report(&error, failures);
                failures += 1;
                tokio::select! {
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        }
    }
    app.leave();
    for accepted in accept_last(listener, &app) {
        begin(accepted, &mut connections);
    }
    while connections.join_next().await.is_some() {}
}

/// A connection, and what it counts as until it ends.
struct Accepted {
    stream: TcpStream,
    address: SocketAddr,
    admission: Admission,
    permit: OwnedSemaphorePermit,
}

/// While even the reserve is in use, connections wait in the kernel's queue.
async fn accept(listener: &TcpListener, app: &App) -> io::Result<Accepted> {
    drop(app.reserve.acquire().await);
    let (stream, address) = listener.accept().await?;
    let (admission, permit) = match admit(app) {
        Some(admitted) => admitted,
        // Another listener has just taken the last of it.
        None => {
            let permit = Arc::clone(&app.reserve).acquire_owned().await;
            (Admission::Reserved, permit.map_err(io::Error::other)?)
        }
    };
    // Answers are written whole; waiting for more to send would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off Nagle's algorithm");
    }
    Ok(Accepted { stream, address, admission, permit })
}

fn admit(app: &App) -> Option<(Admission, OwnedSemaphorePermit)> {
    let client = Arc::clone(&app.connections).try_acquire_owned().ok();
    let client = client.map(|permit| (Admission::Everyone, permit));
    client.or_else(|| Some((Admission::Reserved, Arc::clone(&app.reserve).try_acquire_owned().ok()?)))
}

/// Closes the listener. Who has connected already, and waits in the kernel's queue, would be reset with it.
fn accept_last(listener: TcpListener, app: &App) -> impl Iterator<Item = Accepted> {
    let listener = listener.into_std();
    std::iter::from_fn(move || {
        let (stream, address) = listener.as_ref().ok()?.accept().ok()?;
        let (admission, permit) = admit(app)?;
        stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).ok()?;
        Some(Accepted { stream: TcpStream::from_std(stream).ok()?, address, admission, permit })
    })
    .take(LAST_CONNECTIONS)
}

/// A node without file descriptors fails to accept ten times a second; its log need not tell each time.
fn report(error: &io::Error, failures: u32) {
    let of_one_client =
        matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if of_one_client || !failures.is_multiple_of(WARN_EVERY) {
        tracing::debug!(%error, "cannot accept a connection");
    } else {
        tracing::warn!(%error, failures, "cannot accept connections; is the limit of open files too low?");
    }
}

/// Boxed, so that a plain connection does not pay for a handshake's memory.
async fn secured_connection(
    stream: TcpStream,
    tls: &Tls,
    exchanges: Exchanges,
    origin: Origin,
    stopping: CancellationToken,
) {
    let App { guard, limits, .. } = &*exchanges.app;
    let handshake = Box::pin(secured::accept(stream, tls, origin, guard, limits.header_timeout));
    let accepted = tokio::select! {
        accepted = handshake => accepted,
        () = stopping.cancelled() => return,
    };
    if let Some((stream, origin)) = accepted {
        Box::pin(connection(stream, exchanges.with(origin), stopping)).await;
    }
}

/// Serves one connection over any byte stream.
async fn connection<S>(stream: S, exchange: Arc<Exchange>, stopping: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let header_timeout = match exchange.admission() {
        Admission::Everyone => exchange.app.limits.header_timeout,
        Admission::Reserved => exchange.app.limits.header_timeout.min(RESERVED_HEADER_TIMEOUT),
    };
    let opening = Watched::open(stream, Arc::clone(&exchange.activity));
    let opened = tokio::select! {
        opened = tokio::time::timeout(header_timeout, opening) => opened,
        () = time_to_leave(Protocol::Http1, &stopping) => return,
    };
    let (protocol, stream) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return tracing::debug!(%error, "a connection ended before its first request"),
        Err(_) => {
            exchange.app.traffic.limits.of(Limit::HeadTime).raise();
            return tracing::debug!("a connection waited too long with its first request");
        }
    };
    let mut watch = watch(protocol, header_timeout);
    let stream = match protocol {
        Protocol::Http1 => match Box::pin(plain_requests(stream, &mut watch, &exchange, &stopping)).await {
            Some(stream) => stream,
            None => return,
        },
        Protocol::Http2 => stream,
    };
    let stream = Gathered::new(stream);
    match Box::pin(all_requests(&stream, &mut watch, &exchange, &stopping)).await {
        Ended::Served(()) => stream.finish().await,
        Ended::Stalled(stall) => note(stall, &exchange),
    }
}

/// Serves requests for as long as they are plain; gives the connection back for whatever else is to be done with it.
async fn plain_requests<S>(
    stream: Watched<S>,
    watch: &mut (Watch, Interval),
    exchange: &Arc<Exchange>,
    stopping: &CancellationToken,
) -> Option<Watched<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let is_leaving = AtomicBool::new(false);
    let mut served = std::pin::pin!(Express::new(stream, Arc::clone(exchange)).serve(&is_leaving));
    let serve = |cx: &mut Context<'_>, is_stopping| {
        is_leaving.store(is_stopping, Relaxed);
        served.as_mut().poll(cx)
    };
    match attend(serve, watch, exchange, stopping.cancelled()).await {
        Ended::Served(Ok(Onward::Hyper(stream))) => Some(stream),
        Ended::Served(Ok(Onward::Closed(stream))) => {
            Gathered::new(stream).finish().await;
            None
        }
        Ended::Served(Err(error)) => {
            tracing::debug!(%error, "a connection broke");
            None
        }
        Ended::Stalled(stall) => {
            note(stall, exchange);
            None
        }
    }
}

fn watch(protocol: Protocol, header_timeout: Duration) -> (Watch, Interval) {
    let period = (header_timeout / TICKS_PER_TIMEOUT).max(Duration::from_millis(1));
    let idle_ticks = u32::try_from(IDLE_TIMEOUT.as_nanos() / period.as_nanos()).unwrap_or(u32::MAX);
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    (Watch::new(protocol, TICKS_PER_TIMEOUT, idle_ticks), ticks)
}

/// Serves whatever comes, and has it upgraded.
async fn all_requests<S>(
    stream: &Gathered<S>,
    watch: &mut (Watch, Interval),
    exchange: &Arc<Exchange>,
    stopping: &CancellationToken,
) -> Ended<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream.handle());
    match watch.0.protocol() {
        Protocol::Http1 => {
            let served = http1(exchange).serve_connection(io, exchange.service()).with_upgrades();
            run(served, |served| served.graceful_shutdown(), stream, watch, exchange, stopping).await
        }
        Protocol::Http2 => {
            let served = http2(exchange).serve_connection(io, exchange.service());
            if exchange.admission() == Admission::Reserved {
                // Only this connection's: what it has asked already is answered, and no more.
                stopping.cancel();
            }
            run(served, |served| served.graceful_shutdown(), stream, watch, exchange, stopping).await
        }
    }
}

async fn run<C, S>(
    served: C,
    finish: impl Fn(Pin<&mut C>),
    stream: &Gathered<S>,
    watch: &mut (Watch, Interval),
    exchange: &Exchange,
    stopping: &CancellationToken,
) -> Ended<()>
where
    C: Future<Output = hyper::Result<()>>,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut served = std::pin::pin!(served);
    let mut is_finishing = false;
    let protocol = watch.0.protocol();
    let serve = |cx: &mut Context<'_>, is_stopping: bool| {
        if is_stopping && !is_finishing {
            is_finishing = true;
            finish(served.as_mut());
        }
        match served.as_mut().poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "a connection broke");
                Poll::Ready(())
            }
            // The connection waits for something: now its answers go out.
            Poll::Pending => match stream.poll_send(cx) {
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "a connection broke");
                    Poll::Ready(())
                }
                _ => Poll::Pending,
            },
        }
    };
    attend(serve, watch, exchange, time_to_leave(protocol, stopping)).await
}

fn note(stall: Stall, exchange: &Exchange) {
    let (limit, what) = match stall {
        Stall::Head => (Limit::HeadTime, "a request head did not end in time"),
        Stall::Idle => (Limit::IdleTime, "a connection stood still for too long"),
    };
    exchange.app.traffic.limits.of(limit).raise();
    tracing::debug!("{what}");
}

/// How a connection came to its end.
enum Ended<T> {
    Served(T),
    Stalled(Stall),
}

/// Polls `serve` to its end, and looks at every tick whether anything moves. From `leaving` on, `serve` is told that
/// the node would like to close the connection.
async fn attend<T>(
    mut serve: impl FnMut(&mut Context<'_>, bool) -> Poll<T>,
    (watch, ticks): &mut (Watch, Interval),
    exchange: &Exchange,
    leaving: impl Future<Output = ()>,
) -> Ended<T> {
    let mut leaving = std::pin::pin!(leaving);
    let (mut is_stopping, mut bell) = (false, Bell::default());
    std::future::poll_fn(|cx| {
        loop {
            if let Poll::Ready(done) = serve(cx, is_stopping) {
                return Poll::Ready(Ended::Served(done));
            }
            let Some(bell) = bell.answer(cx) else { return Poll::Pending };
            let cx = &mut Context::from_waker(bell);
            while ticks.poll_tick(cx).is_ready() {
                if let Some(stall) = watch.tick(&exchange.activity) {
                    return Poll::Ready(Ended::Stalled(stall));
                }
            }
            if is_stopping || leaving.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            is_stopping = true;
        }
    })
    .await
}

/// When a connection is to be closed as soon as nothing is asked on it. HTTP/2 can say so beforehand. A client over
/// HTTP/1 may be about to send: with its next answer it is told that the connection ends.
async fn time_to_leave(protocol: Protocol, stopping: &CancellationToken) {
    stopping.cancelled().await;
    if protocol == Protocol::Http1 {
        tokio::time::sleep(LEAVE_TIME).await;
    }
}

fn http1(exchange: &Exchange) -> http1::Builder {
    let limits = &exchange.app.limits;
    let mut builder = http1::Builder::new();
    builder
        // A request that has arrived whole is carried out and answered, also to a client that has shut down its
        // sending side; without this a client's leaving would cut a write off half-way.
        .half_close(true)
        .header_read_timeout(None)
        .max_header_size(limits.max_header_bytes)
        .max_buf_size(limits.max_header_bytes.max(MAX_BUFFER_BYTES));
    builder
}

fn http2(exchange: &Exchange) -> http2::Builder<Eager> {
    let limits = &exchange.app.limits;
    let mut builder = http2::Builder::new(Eager);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_http2_streams)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(MAX_BUFFER_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(limits.header_timeout);
    builder
}
