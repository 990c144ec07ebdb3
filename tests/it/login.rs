//! Logs in message by message, encrypted or not, for what drivers would not do.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use crate::gateway::Gateway;
use crate::wire::{Body, Message, Report, message, startup};

/// Nothing a test waits for takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// SSLRequest.
pub(crate) const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// GSSENCRequest.
pub(crate) const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];

/// A stream to a gateway, plain or TLS.
pub(crate) struct Stream<S: Read + Write>(pub(crate) S);

/// A socket that gives up instead of hanging the test.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect_timeout(&address, PATIENCE).expect("the gateway listens");
    let set = socket
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| socket.set_write_timeout(Some(PATIENCE)))
        .and_then(|()| socket.set_nodelay(true));
    set.expect("the socket takes its options");
    socket
}

/// A stream in plain text.
pub(crate) fn plain(gateway: &Gateway) -> Stream<TcpStream> {
    Stream(connect(gateway.address()))
}

/// A stream in TLS over a socket on which TLS comes next.
pub(crate) type TlsStream = Stream<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>;

/// TLS from here on.
pub(crate) fn tls(socket: TcpStream, config: Arc<rustls::ClientConfig>) -> TlsStream {
    let name = "localhost".try_into().expect("localhost is a name");
    let connection = rustls::ClientConnection::new(config, name).expect("the configuration serves");
    Stream(rustls::StreamOwned::new(connection, socket))
}

/// A stream in TLS, asked for as drivers do.
pub(crate) fn encrypted(gateway: &Gateway, config: Arc<rustls::ClientConfig>) -> TlsStream {
    encrypted_at(gateway.address(), config)
}

/// The same, where a gateway seems to be.
pub(crate) fn encrypted_at(address: SocketAddr, config: Arc<rustls::ClientConfig>) -> TlsStream {
    let mut socket = connect(address);
    socket.write_all(&SSL_REQUEST).expect("it is sent");
    let mut answer = [0];
    socket.read_exact(&mut answer).expect("it is answered");
    assert_eq!(answer, *b"S");
    tls(socket, config)
}

impl<S: Read + Write> Stream<S> {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let sent = self.0.write_all(bytes).and_then(|()| self.0.flush());
        sent.expect("it is sent");
    }

    /// The next message, or why there is none.
    pub(crate) fn read(&mut self) -> io::Result<Message> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; usize::try_from(length).expect("fits") - 4];
        self.0.read_exact(&mut body)?;
        Ok(Message { tag: head[0], body })
    }

    /// Every message up to the end, or up to ReadyForQuery.
    pub(crate) fn read_all(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Ok(message) = self.read() {
            let is_ready = message.tag == b'Z';
            messages.push(message);
            if is_ready {
                break;
            }
        }
        messages
    }

    /// Sends a proof, and goes on to where the session begins; the refusal, if refused.
    pub(crate) fn proved(mut self, proof: &[u8]) -> Result<Self, Report> {
        self.send(proof);
        let messages = self.read_all();
        match messages.last() {
            Some(last) if last.tag == b'Z' => Ok(self),
            Some(last) => Err(last.report()),
            None => panic!("the connection ended without a word"),
        }
    }

    /// Sends the start-up packet, and reads what the server asks for: the mechanisms.
    pub(crate) fn start(&mut self, user: &str) -> Vec<String> {
        self.send(&startup(&[("user", user)]));
        let asked = self.read().expect("the server asks for a proof");
        assert_eq!(asked.tag, b'R', "{:?}", asked.report());
        let mut body = Body(&asked.body);
        assert_eq!(body.int32(), 10, "AuthenticationSASL");
        let mut mechanisms = Vec::new();
        loop {
            match body.text() {
                name if name.is_empty() => return mechanisms,
                name => mechanisms.push(name),
            }
        }
    }

    /// Goes through SCRAM up to the client's proof, which is returned unsent, with what the server
    /// challenged with.
    pub(crate) fn prove(&mut self, password: &str) -> (Vec<u8>, String) {
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        self.send(&initial("SCRAM-SHA-256", scram.message()));
        let challenge = self.read().expect("the server challenges");
        assert_eq!(challenge.tag, b'R', "{:?}", challenge.report());
        scram
            .update(&challenge.body[4..])
            .expect("it is a challenge");
        let text = String::from_utf8_lossy(&challenge.body[4..]).into_owned();
        (message(b'p', scram.message()), text)
    }

    /// The only thing that comes is this error, and then the end.
    pub(crate) fn expect_refusal(&mut self, code: &str, text: &str) {
        let messages = self.read_all();
        let last = messages.last().expect("the server says why");
        assert_eq!(last.tag, b'E', "{messages:?}");
        let report = last.report();
        assert_eq!(
            (report.field('S'), report.code()),
            ("FATAL", code),
            "{report:?}"
        );
        assert!(report.message().contains(text), "{report:?}");
        let others = messages.iter().filter(|message| message.tag != b'E');
        assert!(
            others.into_iter().all(|message| message.tag == b'R'),
            "{messages:?}"
        );
    }
}

/// SASLInitialResponse.
pub(crate) fn initial(mechanism: &str, data: &[u8]) -> Vec<u8> {
    let mut body = format!("{mechanism}\0").into_bytes();
    let length = i32::try_from(data.len()).expect("it is short");
    body.extend(length.to_be_bytes());
    body.extend(data);
    message(b'p', &body)
}

/// The first message of OAUTHBEARER with a token.
pub(crate) fn bearer(token: &str) -> Vec<u8> {
    let first = format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}");
    initial("OAUTHBEARER", first.as_bytes())
}

/// A session of a user who proves itself by a password; the refusal, if refused.
pub(crate) fn log_in(
    gateway: &Gateway,
    user: &str,
    password: &str,
) -> Result<Stream<TcpStream>, Report> {
    log_in_at(gateway.address(), user, password)
}

/// The same, where a gateway seems to be.
pub(crate) fn log_in_at(
    address: SocketAddr,
    user: &str,
    password: &str,
) -> Result<Stream<TcpStream>, Report> {
    let mut stream = Stream(connect(address));
    stream.start(user);
    let (proof, _) = stream.prove(password);
    stream.proved(&proof)
}

impl<S: Read + Write> Stream<S> {
    /// Runs a simple query: the first column of its rows, or the error.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<String>, Report> {
        self.send(&message(b'Q', format!("{sql}\0").as_bytes()));
        let messages = self.read_all();
        if let Some(failed) = messages.iter().find(|message| message.tag == b'E') {
            return Err(failed.report());
        }
        let rows = messages.iter().filter(|message| message.tag == b'D');
        let first = rows.map(|row| row.values()[0].clone().unwrap_or_default());
        let texts = first.map(|value| String::from_utf8_lossy(&value).into_owned());
        Ok(texts.collect())
    }
}
