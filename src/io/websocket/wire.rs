//! A connected socket, plain or under TLS, read and written without ever waiting.
//!
//! Plain sockets allocate nothing. rustls 0.23 makes one buffer per record in each direction, whichever of its
//! interfaces is used; that is the price of TLS here and it is paid from the thread's own allocator.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::outbox::Outbox;

/// Plain bytes given to TLS at once: what lies in its queue beyond this waits in our own outbox.
const TLS_QUEUE_BYTES: usize = 64 * 1024;

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// Nothing is there now.
    Nothing,
    /// So many bytes.
    Bytes(usize),
    /// The peer will send no more.
    End,
}

/// How to speak TLS: whom to trust, under which name.
#[derive(Clone, Debug)]
pub struct TlsTerms {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsTerms {
    /// Trusts the usual web roots, and `extra_root` (a DER certificate) if given. Fails, saying why, if the host
    /// cannot be a certificate's name or the root is no certificate.
    pub fn new(host: &str, extra_root: Option<&[u8]>) -> Result<TlsTerms, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(der) = extra_root {
            let added = roots.add(CertificateDer::from(der.to_vec()));
            added.map_err(|cause| format!("the extra root certificate is unusable: {cause}"))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = versions
            .map_err(|cause| format!("TLS cannot be set up: {cause}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from(host.to_string()).map_err(|cause| format!("host `{host}`: {cause}"))?;
        Ok(TlsTerms { config: Arc::new(config), name })
    }
}

/// A connected socket.
pub enum Wire {
    /// TCP alone.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls {
        /// The TCP socket.
        socket: TcpStream,
        /// Keys and records.
        session: Box<ClientConnection>,
    },
}

impl Wire {
    /// Takes a connected socket over; the TLS handshake, if any, happens as reads and writes go by.
    pub fn new(socket: TcpStream, terms: Option<&TlsTerms>) -> io::Result<Wire> {
        let Some(terms) = terms else { return Ok(Wire::Plain(socket)) };
        let session = ClientConnection::new(terms.config.clone(), terms.name.clone()).map_err(io::Error::other)?;
        let mut session = Box::new(session);
        session.set_buffer_limit(Some(TLS_QUEUE_BYTES));
        Ok(Wire::Tls { socket, session })
    }

    /// Reads what is there, at most `into`.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<Took> {
        match self {
            Wire::Plain(socket) => took(socket.read(into)),
            Wire::Tls { socket, session } => read_tls(socket, session, into),
        }
    }

    /// Writes what waits in the outbox, as far as the socket takes it. Returns true if anything left.
    pub fn write(&mut self, outbox: &mut Outbox) -> io::Result<bool> {
        match self {
            Wire::Plain(socket) => write_plain(socket, outbox),
            Wire::Tls { socket, session } => write_tls(socket, session, outbox),
        }
    }

    /// Tells the peer that nothing more will come, as far as that can be done without waiting.
    pub fn close(&mut self) {
        if let Wire::Tls { socket, session } = self {
            session.send_close_notify();
            let _ = session.write_tls(socket);
        }
        let (Wire::Plain(socket) | Wire::Tls { socket, .. }) = self;
        let _ = socket.shutdown(std::net::Shutdown::Write);
    }
}

fn took(read: io::Result<usize>) -> io::Result<Took> {
    match read {
        Ok(0) => Ok(Took::End),
        Ok(count) => Ok(Took::Bytes(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(Took::Nothing),
        Err(error) => Err(error),
    }
}

fn write_plain(socket: &mut TcpStream, outbox: &mut Outbox) -> io::Result<bool> {
    let mut moved = false;
    while !outbox.waiting().is_empty() {
        match took(socket.write(outbox.waiting()))? {
            Took::Bytes(count) => outbox.taken(count),
            Took::Nothing => break,
            Took::End => return Err(ErrorKind::WriteZero.into()),
        }
        moved = true;
    }
    Ok(moved)
}

fn read_tls(socket: &mut TcpStream, session: &mut ClientConnection, into: &mut [u8]) -> io::Result<Took> {
    // Records read earlier come first: rustls takes no more ciphertext while plaintext waits.
    match took(session.reader().read(into)) {
        Ok(Took::Nothing) => {}
        other => return unclean_end(other),
    }
    match took(session.read_tls(socket))? {
        Took::Nothing => return Ok(Took::Nothing),
        Took::Bytes(_) | Took::End => {}
    }
    if let Err(cause) = session.process_new_packets() {
        // The alert tells the peer's operator what is wrong with its certificate.
        let _ = session.write_tls(socket);
        return Err(io::Error::other(cause));
    }
    unclean_end(took(session.reader().read(into)))
}

/// An end of stream without `close_notify` is an end all the same: a cut message is never handed out, and
/// nothing is concluded from a connection having ended.
fn unclean_end(read: io::Result<Took>) -> io::Result<Took> {
    match read {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Took::End),
        other => other,
    }
}

fn write_tls(socket: &mut TcpStream, session: &mut ClientConnection, outbox: &mut Outbox) -> io::Result<bool> {
    let mut moved = false;
    loop {
        // Until the handshake is done nothing of ours may enter: rustls would keep it in a buffer of its own.
        if !session.is_handshaking() && !outbox.waiting().is_empty() {
            let count = session.writer().write(outbox.waiting())?;
            outbox.taken(count);
            moved |= count > 0;
        }
        if !session.wants_write() {
            return Ok(moved);
        }
        match took(session.write_tls(socket))? {
            Took::Bytes(_) => moved = true,
            Took::Nothing => return Ok(moved),
            Took::End => return Err(ErrorKind::WriteZero.into()),
        }
    }
}
