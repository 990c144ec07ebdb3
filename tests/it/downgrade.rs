//! A proxy between a client and the gateway that takes the strong mechanisms off the list: the
//! gateway asks for nothing weaker.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::auth::attempts_at;
use crate::certificates::Secrets;
use crate::gateway::{Gateway, test_lake};

/// Authentication, and its kinds (<https://www.postgresql.org/docs/16/protocol-message-formats.html>).
const AUTHENTICATION: u8 = b'R';
const KIND_OK: u32 = 0;
const KIND_CLEARTEXT: u32 = 3;
const KIND_MD5: u32 = 5;
const KIND_SASL: u32 = 10;

/// What the proxy puts in the place of the server's list of mechanisms.
#[derive(Clone, Copy, Debug)]
enum Instead {
    /// A list without any.
    NoMechanism,
    /// A list with another than SCRAM.
    Other,
    /// A request for the password in clear.
    Cleartext,
    /// A request for its md5.
    Md5,
}

impl Instead {
    fn message(self) -> Vec<u8> {
        let mut body = Vec::new();
        match self {
            Self::NoMechanism => {
                body.extend(KIND_SASL.to_be_bytes());
                body.push(0);
            }
            Self::Other => {
                body.extend(KIND_SASL.to_be_bytes());
                body.extend(b"PLAIN\0\0");
            }
            Self::Cleartext => body.extend(KIND_CLEARTEXT.to_be_bytes()),
            Self::Md5 => {
                body.extend(KIND_MD5.to_be_bytes());
                body.extend([1, 2, 3, 4]);
            }
        }
        crate::wire::message(AUTHENTICATION, &body)
    }
}

/// The kinds of authentication that the server asked for, or granted.
type Asked = Arc<Mutex<Vec<u32>>>;

/// A proxy for one connection after the other; its address.
fn proxy(server: SocketAddr, instead: Instead, asked: &Asked) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let asked = Arc::clone(asked);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(server).expect("the gateway accepts");
            relay(&client, &server, instead, &asked);
        }
    });
    address
}

/// Hands on what the client sends, and what the server sends but for the list of mechanisms.
fn relay(client: &TcpStream, server: &TcpStream, instead: Instead, asked: &Asked) {
    let (mut from_client, mut to_server) = (
        client.try_clone().expect("sockets can be shared"),
        server.try_clone().expect("sockets can be shared"),
    );
    let upward = thread::spawn(move || {
        // Either side may end it at any time.
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let (mut from_server, mut to_client) = (server, client);
    let mut head = [0; 5];
    while from_server.read_exact(&mut head).is_ok() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; usize::try_from(length).expect("it fits") - 4];
        if from_server.read_exact(&mut body).is_err() {
            break;
        }
        let mut sent = [head.as_slice(), &body].concat();
        if head[0] == AUTHENTICATION {
            let kind = u32::from_be_bytes([body[0], body[1], body[2], body[3]]);
            asked.lock().expect("nobody panicked").push(kind);
            if kind == KIND_SASL {
                sent = instead.message();
            }
        }
        if to_client.write_all(&sent).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    upward.join().expect("it only copies");
}

#[test]
fn a_proxy_that_strips_scram_gains_nothing() {
    let secrets = Secrets::new();
    secrets.write_users(&[("ada", "geheim")]);
    let users = secrets.argument("users.txt");
    let gateway = Gateway::start(&test_lake(), &["--auth-file", &users]);
    let direct =
        "sslmode=disable gssencmode=disable user=ada password=geheim require_auth=scram-sha-256";
    for instead in [
        Instead::NoMechanism,
        Instead::Other,
        Instead::Cleartext,
        Instead::Md5,
    ] {
        let asked = Asked::default();
        let proxy = proxy(gateway.address(), instead, &asked);
        let through = [
            "sslmode=disable gssencmode=disable user=ada password=geheim",
            direct,
            "sslmode=disable gssencmode=disable user=ada password=geheim require_auth=password,md5",
        ];
        for (conninfo, got) in through.iter().zip(attempts_at(proxy, &through)) {
            assert!(got["error"].is_string(), "{instead:?}, {conninfo}: {got}");
        }
        let asked = asked.lock().expect("nobody panicked").clone();
        assert!(
            asked.contains(&KIND_SASL),
            "{instead:?}: it asked for {asked:?}"
        );
        let weaker = [KIND_OK, KIND_CLEARTEXT, KIND_MD5];
        assert!(
            asked.iter().all(|kind| !weaker.contains(kind)),
            "{instead:?}: it asked for {asked:?}"
        );
    }
    let got = attempts_at(gateway.address(), &[direct]);
    assert_eq!(got[0]["user"], "ada", "{got:?}");
}
