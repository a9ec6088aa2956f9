//! A node that answers from a script, over real sockets, and remembers what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// An entity tag as nodes make them.
pub const TAG: &str = "\"0123456789abcdef01234567\"";

/// What a node does with its next request.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads the request, then sends these bytes and keeps the connection.
    Answer(Vec<u8>),
    /// Reads the request, sends these bytes, and closes.
    Cut(Vec<u8>),
    /// Reads the request, sends these bytes, and nothing more.
    Hang(Vec<u8>),
    /// Sends these bytes as soon as it has the head, then reads the body and closes.
    Early(Vec<u8>),
}

/// A request that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

pub struct Node {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Node {
    /// Starts a node; a request beyond the script is answered with 418, which no test expects.
    pub async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        Self::start_behind(script, None).await
    }

    /// The same over TLS.
    pub async fn start_tls(script: impl IntoIterator<Item = Step>, tls: rustls::ServerConfig) -> Self {
        Self::start_behind(script, Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn start_behind(script: impl IntoIterator<Item = Step>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script: Script = Arc::new(Mutex::new(script.into_iter().collect()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                match tls.clone() {
                    None => tokio::spawn(serve(stream, script, seen)),
                    Some(tls) => tokio::spawn(serve_tls(tls, stream, script, seen)),
                };
            }
        });
        Self { address, requests, task }
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The one request that it was asked.
    pub fn request(&self) -> Request {
        let [request] = self.requests().try_into().unwrap();
        request
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An address at which nothing listens.
pub async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// An answer of this status, with these header lines and this body.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status} -\r\n");
    for (name, value) in headers {
        bytes += &format!("{name}: {value}\r\n");
    }
    if !headers.iter().any(|(name, _)| *name == "content-length") && status != 204 && status != 304 {
        bytes += &format!("content-length: {}\r\n", body.len());
    }
    bytes += "\r\n";
    [bytes.as_bytes(), body].concat()
}

/// The answer to a GET.
pub fn found(value: impl AsRef<[u8]>) -> Vec<u8> {
    answer(200, &[("etag", TAG), ("content-type", "text/plain")], value)
}

/// The answer to a PUT that replaced.
pub fn replaced() -> Vec<u8> {
    answer(204, &[("etag", TAG)], "")
}

/// A problem as nodes report it.
pub fn problem(status: u16, code: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"type":"about:blank","title":"T","status":{status},"code":"{code}","detail":"D of {code}"}}"#
    );
    answer(status, &[("content-type", "application/problem+json")], body)
}

type Script = Arc<Mutex<VecDeque<Step>>>;
type Seen = Arc<Mutex<Vec<Request>>>;

async fn serve_tls(tls: TlsAcceptor, stream: TcpStream, script: Script, seen: Seen) {
    match tls.accept(stream).into_fallible().await {
        Ok(stream) => serve(stream, script, seen).await,
        Err((_, mut stream)) => {
            // A close with unread bytes would take the alert back that tells the client why.
            let _ = stream.shutdown().await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, script: Script, seen: Seen) {
    let mut stream = BufReader::new(stream);
    while let Some(mut request) = read_head(&mut stream).await {
        let step = script.lock().unwrap().pop_front().unwrap_or_else(|| Step::Answer(answer(418, &[], "")));
        if let Step::Early(bytes) = &step {
            let _ = stream.write_all(bytes).await;
        }
        if read_body(&mut stream, &mut request).await.is_none() {
            return;
        }
        seen.lock().unwrap().push(request);
        let (Step::Answer(bytes) | Step::Cut(bytes) | Step::Hang(bytes)) = &step else { return };
        let _ = stream.write_all(bytes).await;
        match step {
            Step::Answer(_) => {}
            Step::Hang(_) => tokio::time::sleep(Duration::from_secs(60)).await,
            Step::Cut(_) | Step::Early(_) => return,
        }
    }
}

async fn read_head(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ');
    let (method, path) = (first.next()?.into(), first.next()?.into());
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Some(Request { method, path, headers, body: Vec::new() })
}

async fn read_body(stream: &mut (impl AsyncBufRead + Unpin), request: &mut Request) -> Option<()> {
    if let Some(length) = request.header("content-length") {
        request.body = vec![0; length.parse().ok()?];
        stream.read_exact(&mut request.body).await.ok()?;
        return Some(());
    }
    if request.header("transfer-encoding") != Some("chunked") {
        return Some(());
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let length = usize::from_str_radix(line.trim_end(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).await.ok()?;
        request.body.extend_from_slice(&chunk[..length]);
        if length == 0 {
            return Some(());
        }
    }
}
