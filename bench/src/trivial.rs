//! A responder that parses nothing: what it answers in a second is the ceiling of the load generator.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::error::{Error, doing};

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";
const BODY: [u8; 100] = [b'v'; 100];
const HEAD_END: &[u8] = b"\r\n\r\n";
const LISTENER: Token = Token(usize::MAX);

/// Serves until it is killed.
pub fn main(address: SocketAddr) -> Result<(), Error> {
    serve(address).map_err(doing(format!("serving on {address}")))
}

fn serve(address: SocketAddr) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let answer = [ANSWER.as_bytes(), &BODY].concat();
    let mut connections: HashMap<usize, TcpStream> = HashMap::new();
    let (mut events, mut buffer, mut next) = (Events::with_capacity(256), vec![0; 64 << 10], 0);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    poll.registry().register(&mut stream, Token(next), Interest::READABLE)?;
                    connections.insert(next, stream);
                    next += 1;
                }
            } else if let Some(stream) = connections.get_mut(&event.token().0)
                && !answer_all(stream, &mut buffer, &answer)
            {
                connections.remove(&event.token().0);
            }
        }
    }
}

/// Answers each request that has arrived; says whether the connection goes on. Requests have no bodies, and their
/// heads come whole: the generator writes them so.
fn answer_all(stream: &mut TcpStream, buffer: &mut [u8], answer: &[u8]) -> bool {
    loop {
        let read = match stream.read(buffer) {
            Ok(0) => return false,
            Ok(read) => read,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        let requests = buffer[..read].windows(HEAD_END.len()).filter(|window| *window == HEAD_END).count();
        if stream.write_all(&answer.repeat(requests)).is_err() {
            return false;
        }
        if read < buffer.len() {
            return true;
        }
    }
}
