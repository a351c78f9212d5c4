//! A blocking byte stream to a server: TCP, TLS or a Unix socket, with every wait bounded.

use super::address::Endpoint;
use super::deadline::Deadline;
use super::error::Failure;
use super::tls::Tls;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

pub(super) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(feature = "redis-tls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

impl Stream {
    pub(super) fn connect(endpoint: &Endpoint, tls: Option<&Tls>, end: Deadline) -> Result<Stream, Failure> {
        let (host, port) = match endpoint {
            Endpoint::Tcp { host, port } => (host, *port),
            #[cfg(unix)]
            Endpoint::Unix(path) => return Ok(Stream::Unix(connect_unix(path)?)),
            #[cfg(not(unix))]
            Endpoint::Unix(_) => return Err(Failure::Nonsense),
        };
        let tcp = connect_tcp(host, port, end)?;
        match tls {
            None => Ok(Stream::Tcp(tcp)),
            #[cfg(feature = "redis-tls")]
            Some(tls) => connect_tls(tcp, host, tls, end),
            #[cfg(not(feature = "redis-tls"))]
            Some(tls) => match *tls {},
        }
    }

    /// What ends whatever waits on the stream, and the stream.
    pub(super) fn hang_up(&self) -> io::Result<Box<dyn Fn() + Send>> {
        // Where there is nothing left to shut down there is nothing to do.
        let of_tcp = |tcp: &TcpStream| -> io::Result<Box<dyn Fn() + Send>> {
            let tcp = tcp.try_clone()?;
            Ok(Box::new(move || drop(tcp.shutdown(Shutdown::Both))))
        };
        match self {
            Stream::Tcp(tcp) => of_tcp(tcp),
            #[cfg(unix)]
            Stream::Unix(socket) => {
                let socket = socket.try_clone()?;
                Ok(Box::new(move || drop(socket.shutdown(Shutdown::Both))))
            }
            #[cfg(feature = "redis-tls")]
            Stream::Tls(stream) => of_tcp(stream.get_ref()),
        }
    }

    /// How long one read or write may wait.
    pub(super) fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        // Zero would mean no bound.
        let timeout = Some(timeout.max(Duration::from_millis(1)));
        match self {
            Stream::Tcp(tcp) => set_tcp_timeout(tcp, timeout),
            #[cfg(unix)]
            Stream::Unix(socket) => {
                socket.set_read_timeout(timeout)?;
                socket.set_write_timeout(timeout)
            }
            #[cfg(feature = "redis-tls")]
            Stream::Tls(stream) => set_tcp_timeout(stream.get_ref(), timeout),
        }
    }
}

fn set_tcp_timeout(tcp: &TcpStream, timeout: Option<Duration>) -> io::Result<()> {
    tcp.set_read_timeout(timeout)?;
    tcp.set_write_timeout(timeout)
}

/// Tries the addresses of the host one after the other, each for its share of the time.
fn connect_tcp(host: &str, port: u16, end: Deadline) -> Result<TcpStream, Failure> {
    let addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
    let mut last = None;
    for (number, address) in addresses.iter().enumerate() {
        let share = u32::try_from(addresses.len() - number).unwrap_or(u32::MAX);
        match TcpStream::connect_timeout(address, end.left()? / share) {
            Ok(tcp) => {
                tcp.set_nodelay(true)?;
                return Ok(tcp);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address")).into())
}

/// A connect that would wait fails instead: unlike TCP's it has no bound of its own, and waits as long as a server that
/// hangs has its queue full.
#[cfg(unix)]
fn connect_unix(path: &std::path::Path) -> io::Result<UnixStream> {
    use socket2::{Domain, SockAddr, Socket, Type};

    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    socket.set_nonblocking(false)?;
    Ok(std::os::fd::OwnedFd::from(socket).into())
}

#[cfg(feature = "redis-tls")]
fn connect_tls(mut tcp: TcpStream, host: &str, tls: &Tls, end: Deadline) -> Result<Stream, Failure> {
    let name = super::tls::server_name(host)?;
    let mut session = rustls::ClientConnection::new(std::sync::Arc::clone(&tls.config), name)
        .map_err(|error| Failure::Tls(error.to_string()))?;
    while session.is_handshaking() || session.wants_write() {
        set_tcp_timeout(&tcp, Some(end.left()?))?;
        if session.wants_write() {
            session.write_tls(&mut tcp)?;
        } else if session.read_tls(&mut tcp)? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        } else if let Err(error) = session.process_new_packets() {
            // Tells the server why, if it can be told.
            let _ = session.write_tls(&mut tcp);
            return Err(Failure::Tls(error.to_string()));
        }
    }
    Ok(Stream::Tls(Box::new(rustls::StreamOwned::new(session, tcp))))
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(tcp) => tcp.read(buffer),
            #[cfg(unix)]
            Stream::Unix(socket) => socket.read(buffer),
            #[cfg(feature = "redis-tls")]
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(tcp) => tcp.write(bytes),
            #[cfg(unix)]
            Stream::Unix(socket) => socket.write(bytes),
            #[cfg(feature = "redis-tls")]
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(tcp) => tcp.flush(),
            #[cfg(unix)]
            Stream::Unix(socket) => socket.flush(),
            #[cfg(feature = "redis-tls")]
            Stream::Tls(stream) => stream.flush(),
        }
    }
}
