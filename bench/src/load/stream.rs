//! A socket of the load generator, plain or with TLS; it never waits once it is open.

use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

/// What arrives encrypted is taken from the socket in pieces of this size: the library's own are small.
const PIECE_BYTES: usize = 128 << 10;

/// One of the two.
#[derive(Debug)]
pub enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<Tls>),
}

/// A socket and the state of its encryption.
#[derive(Debug)]
pub struct Tls {
    socket: TcpStream,
    session: ClientConnection,
    /// What has arrived and is not decrypted, between two places in it.
    piece: Vec<u8>,
    from: usize,
    to: usize,
}

impl Stream {
    /// Connects, and shakes hands where there is someone to show.
    pub fn open(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let mut socket = std::net::TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let Some(tls) = tls else {
            socket.set_nonblocking(true)?;
            return Ok(Self::Plain(TcpStream::from_std(socket)));
        };
        let name = ServerName::from(address.ip());
        let mut session = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        socket.set_nonblocking(true)?;
        let socket = TcpStream::from_std(socket);
        Ok(Self::Tls(Box::new(Tls { socket, session, piece: vec![0; PIECE_BYTES], from: 0, to: 0 })))
    }

    /// What can be waited for.
    pub fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => &mut tls.socket,
        }
    }

    /// Whether nothing is left to read after a read of so many bytes into so many. What comes later is a new event.
    pub fn is_emptied_by(&self, read: usize, buffer: usize) -> bool {
        matches!(self, Self::Plain(_)) && read < buffer
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            (Self::Plain(socket), [only]) => socket.write(only),
            (Self::Plain(socket), _) => socket.write_vectored(slices),
            (Self::Tls(tls), _) => {
                tls.send()?;
                // It is encrypted and goes out with the next `send`, at the latest when the socket takes more.
                tls.session.writer().write_vectored(slices)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(tls) => tls.send(),
        }
    }
}

impl Tls {
    fn send(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            if self.from == self.to {
                (self.from, self.to) = (0, self.socket.read(&mut self.piece)?);
            }
            let mut left = &self.piece[self.from..self.to];
            self.session.read_tls(&mut left)?;
            self.from = self.to - left.len();
            self.session.process_new_packets().map_err(io::Error::other)?;
        }
    }
}
