//! A network between a client and a server, which can be slow, or silent while its connections stay
//! open, and which tells what went over it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A network to one server. Its threads end with its connections.
pub(super) struct Network {
    /// Where the server seems to be.
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_frozen: AtomicBool,
    delay_ms: AtomicU64,
    from_clients: Way,
    from_server: Way,
}

/// What went one way, if that is kept.
#[derive(Default)]
struct Way {
    is_kept: bool,
    bytes: Mutex<Vec<u8>>,
}

impl Way {
    fn kept() -> Self {
        Self {
            is_kept: true,
            bytes: Mutex::default(),
        }
    }

    fn keep(&self, bytes: &[u8]) {
        if self.is_kept {
            let mut kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend_from_slice(bytes);
        }
    }

    fn text(&self) -> String {
        let kept = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).into_owned()
    }
}

impl Network {
    /// One that keeps nothing of what goes over it.
    pub(super) fn to(server: SocketAddr) -> Self {
        Self::with(server, State::default())
    }

    /// One that keeps everything.
    pub(super) fn tapped(server: SocketAddr) -> Self {
        let state = State {
            from_clients: Way::kept(),
            from_server: Way::kept(),
            ..State::default()
        };
        Self::with(server, state)
    }

    fn with(server: SocketAddr, state: State) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                connected(&client, &server, &shared);
            }
        });
        Self { address, state }
    }

    /// From now on every message is so late.
    pub(super) fn delay(&self, late: Duration) {
        let late = u64::try_from(late.as_millis()).expect("it is short");
        self.state.delay_ms.store(late, Ordering::Relaxed);
    }

    /// From now on nothing goes over it, and no connection ends.
    pub(super) fn freeze(&self) {
        self.state.is_frozen.store(true, Ordering::Relaxed);
    }

    /// From now on all goes over it again, what has waited first.
    pub(super) fn thaw(&self) {
        self.state.is_frozen.store(false, Ordering::Relaxed);
    }

    /// What clients have sent.
    pub(super) fn sent_by_clients(&self) -> String {
        self.state.from_clients.text()
    }

    /// What the server has sent.
    pub(super) fn sent_by_server(&self) -> String {
        self.state.from_server.text()
    }
}

fn connected(client: &TcpStream, server: &TcpStream, state: &Arc<State>) {
    let copy = |of: &TcpStream| of.try_clone().expect("it is open");
    for is_from_client in [true, false] {
        let (client, server, state) = (copy(client), copy(server), Arc::clone(state));
        thread::spawn(move || match is_from_client {
            true => carry(client, server, &state, &state.from_clients),
            false => carry(server, client, &state, &state.from_server),
        });
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &State, way: &Way) {
    let mut buffer = vec![0; 1 << 14];
    while let Ok(n) = from.read(&mut buffer) {
        way.keep(&buffer[..n]);
        thread::sleep(Duration::from_millis(
            state.delay_ms.load(Ordering::Relaxed),
        ));
        while state.is_frozen.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        if n == 0 || to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
