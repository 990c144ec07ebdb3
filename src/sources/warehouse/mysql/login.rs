//! Logging in: what the server says of itself, encryption, and the proof of who we are.
//! <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html>

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use ring::digest::{Algorithm, Context, Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use super::failure::{Cause, Said};
use super::packet::{Packets, bytes, damaged, number, until_zero};
use crate::sources::warehouse::Server;
use crate::sources::warehouse::mapping::Login;
use crate::sources::warehouse::socket;
use crate::sources::warehouse::tls::{Mode, Tls};

/// What a client and a server can. Several statements in one text are not asked for.
const LONG_PASSWORD: u32 = 0x1;
const LONG_FLAG: u32 = 0x4;
const PROTOCOL_41: u32 = 0x200;
const SSL: u32 = 0x800;
const TRANSACTIONS: u32 = 0x2000;
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x8_0000;
const CONNECT_ATTRIBUTES: u32 = 0x10_0000;

/// What a server must be able to, and we are.
const NEEDED: u32 = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;
const WANTED: u32 = NEEDED | LONG_PASSWORD | LONG_FLAG | TRANSACTIONS;

/// The version of the protocol.
const PROTOCOL: u64 = 10;

/// The longest packet that we take.
const PACKET_BYTES_MAX: u32 = 1 << 30;

/// `utf8mb4_general_ci`, which every server knows; sessions are told more exactly.
const UTF8MB4: u8 = 45;

/// The ways of proving a password.
const NATIVE: &[u8] = b"mysql_native_password";
const SHA2: &[u8] = b"caching_sha2_password";

/// Numbers of a challenge.
const NONCE_BYTES: usize = 20;

/// What a server says first.
struct Greeting {
    version: String,
    connection: u32,
    nonce: Vec<u8>,
    capabilities: u32,
    plugin: Vec<u8>,
}

/// A session that has begun.
pub(super) struct Begun {
    pub(super) packets: Packets,
    /// Its number at the server.
    pub(super) connection: u32,
    /// Whether the server is a MariaDB.
    pub(super) is_mariadb: bool,
}

/// Begins a session over a new connection.
pub(super) async fn log_in(
    mut packets: Packets,
    (server, login, tls): (&Server, &Login, &Tls),
    host: &str,
) -> Result<Begun, Cause> {
    if login.user.contains('\0') {
        let why = "The name of the user that is mapped to it has a zero in it.";
        return Err(Cause::Refused(server.unavailable(why)));
    }
    let greeting = greeting(&packets.take().await?)?;
    let is_encrypted = match tls.mode {
        Mode::Disable => false,
        Mode::Prefer | Mode::Require if greeting.capabilities & SSL != 0 => true,
        Mode::Prefer => false,
        Mode::Require => {
            let why = "It does not take encrypted connections, which sslmode asks for.";
            return Err(Cause::Refused(server.unavailable(why)));
        }
    };
    let offered = CONNECT_ATTRIBUTES & greeting.capabilities;
    let capabilities = WANTED | offered | if is_encrypted { SSL } else { 0 };
    if is_encrypted {
        packets.send(&head(capabilities)).await?;
        packets = encrypted(packets, tls, host).await?;
    }
    let mut proof = Proof {
        server,
        password: login.password.as_deref().unwrap_or_default(),
        plugin: greeting.plugin,
        nonce: greeting.nonce,
        is_encrypted,
    };
    // A way that we do not know is asked for anew, and then refused by its name.
    if proof.plugin != SHA2 {
        proof.plugin = NATIVE.to_vec();
    }
    let name = server.option("application_name").unwrap_or("lakegate");
    let response = response(capabilities, &login.user, &proof, name);
    packets.send(&response).await?;
    proof.give(&mut packets).await?;
    Ok(Begun {
        packets,
        connection: greeting.connection,
        is_mariadb: greeting.version.contains("MariaDB"),
    })
}

fn greeting(packet: &[u8]) -> Result<Greeting, Cause> {
    let mut left = packet;
    match number(&mut left, 1)? {
        PROTOCOL => {}
        0xff => return Err(Cause::Said(Said::of(left)?)),
        _ => return Err(damaged("no greeting of MySQL").into()),
    }
    let version = String::from_utf8_lossy(until_zero(&mut left)).into_owned();
    let connection = u32::try_from(number(&mut left, 4)?).map_err(io::Error::other)?;
    let mut nonce = bytes(&mut left, 8)?.to_vec();
    bytes(&mut left, 1)?;
    let low = number(&mut left, 2)?;
    bytes(&mut left, 3)?;
    let high = number(&mut left, 2)?;
    let capabilities = u32::try_from(low | high << 16).map_err(io::Error::other)?;
    if capabilities & NEEDED != NEEDED {
        return Err(damaged("it is too old: MySQL 5.6 is the first that can be read").into());
    }
    bytes(&mut left, 11)?;
    nonce.extend_from_slice(bytes(&mut left, NONCE_BYTES - 8)?);
    bytes(&mut left, 1)?;
    let plugin = until_zero(&mut left).to_vec();
    Ok(Greeting {
        version,
        connection,
        nonce,
        capabilities,
        plugin,
    })
}

/// What a response begins with, and all of it that asks for encryption.
fn head(capabilities: u32) -> BytesMut {
    let mut head = BytesMut::new();
    head.put_u32_le(capabilities);
    head.put_u32_le(PACKET_BYTES_MAX);
    head.put_u8(UTF8MB4);
    head.put_bytes(0, 23);
    head
}

async fn encrypted(packets: Packets, tls: &Tls, host: &str) -> io::Result<Packets> {
    let (socket, next) = packets.into_socket()?;
    let socket = socket::encrypted(socket, tls, host).await?;
    Ok(Packets::resumed(socket, next))
}

fn response(capabilities: u32, user: &str, proof: &Proof<'_>, name: &str) -> BytesMut {
    let mut response = head(capabilities);
    response.extend_from_slice(user.as_bytes());
    response.put_u8(0);
    put_short(&mut response, &proof.answer());
    response.extend_from_slice(&proof.plugin);
    response.put_u8(0);
    if capabilities & CONNECT_ATTRIBUTES != 0 {
        let mut attributes = BytesMut::new();
        put_short(&mut attributes, b"program_name");
        put_short(&mut attributes, name.as_bytes());
        put_short(&mut response, &attributes);
    }
    response
}

/// Writes its length and a text, which is cut where a length takes more than a byte.
fn put_short(into: &mut BytesMut, text: &[u8]) {
    let text = &text[..text.len().min(200)];
    into.put_u8(u8::try_from(text.len()).unwrap_or(0));
    into.extend_from_slice(text);
}

/// The proof that somebody knows a password.
struct Proof<'a> {
    server: &'a Server,
    password: &'a str,
    plugin: Vec<u8>,
    nonce: Vec<u8>,
    is_encrypted: bool,
}

impl Proof<'_> {
    /// The answer to the challenge; nothing, where there is no password.
    fn answer(&self) -> Vec<u8> {
        match self.plugin.as_slice() {
            _ if self.password.is_empty() => Vec::new(),
            SHA2 => sha2(self.password.as_bytes(), &self.nonce),
            _ => native(self.password.as_bytes(), &self.nonce),
        }
    }

    /// Answers until the server is content, or is not.
    async fn give(&mut self, packets: &mut Packets) -> Result<(), Cause> {
        let mut may_change = true;
        loop {
            let packet = packets.take().await?;
            let (first, rest) = packet.split_first().ok_or_else(unknown)?;
            match (first, rest) {
                (0, _) => return Ok(()),
                (0xff, rest) => return Err(Cause::Said(Said::of(rest)?)),
                (0xfe, rest) if may_change => {
                    may_change = false;
                    self.change(rest)?;
                    packets.send(&self.answer()).await?;
                }
                // The password is known to be right already.
                (1, [3]) if self.plugin == SHA2 => {}
                (1, [4]) if self.plugin == SHA2 => {
                    let whole = self.in_clear()?;
                    packets.send(&whole).await?;
                }
                _ => return Err(unknown().into()),
            }
        }
    }

    /// Another way of proving it.
    fn change(&mut self, mut request: &[u8]) -> Result<(), Cause> {
        let plugin = until_zero(&mut request);
        if plugin != NATIVE && plugin != SHA2 {
            let shown = String::from_utf8_lossy(plugin);
            let why = format!(
                "It asks for a proof by \"{shown}\", and is only given one by mysql_native_password or caching_sha2_password."
            );
            return Err(Cause::Refused(self.server.unavailable(why)));
        }
        let nonce = bytes(&mut request, NONCE_BYTES)?;
        (self.plugin, self.nonce) = (plugin.to_vec(), nonce.to_vec());
        Ok(())
    }

    /// The password itself, for a server that does not remember it.
    fn in_clear(&self) -> Result<Bytes, Cause> {
        if !self.is_encrypted {
            let why = "It asks for the password itself, which only an encrypted connection is given: see sslmode.";
            return Err(Cause::Refused(self.server.unavailable(why)));
        }
        let mut whole = BytesMut::from(self.password.as_bytes());
        whole.put_u8(0);
        Ok(whole.freeze())
    }
}

fn unknown() -> io::Error {
    damaged("a message that does not belong into a login")
}

fn digest(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    context.finish()
}

fn xor(left: &Digest, right: &Digest) -> Vec<u8> {
    let pairs = left.as_ref().iter().zip(right.as_ref());
    pairs.map(|(left, right)| left ^ right).collect()
}

/// `SHA1(password) XOR SHA1(nonce || SHA1(SHA1(password)))`.
fn native(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let algorithm = &SHA1_FOR_LEGACY_USE_ONLY;
    let once = digest(algorithm, &[password]);
    let twice = digest(algorithm, &[once.as_ref()]);
    xor(&once, &digest(algorithm, &[nonce, twice.as_ref()]))
}

/// `SHA256(password) XOR SHA256(SHA256(SHA256(password)) || nonce)`.
fn sha2(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let once = digest(&SHA256, &[password]);
    let twice = digest(&SHA256, &[once.as_ref()]);
    xor(&once, &digest(&SHA256, &[twice.as_ref(), nonce]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What Python's hashlib makes of the same formulas.
    #[test]
    fn passwords_are_proved_as_the_manual_says() {
        let nonce: Vec<u8> = (1..=20).collect();
        assert_eq!(
            hex(&native(b"secret", &nonce)),
            "b32bb3a583e1340c0a1108d58b1be49781ad8c2f"
        );
        assert_eq!(
            hex(&sha2(b"secret", &nonce)),
            "746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9"
        );
    }

    #[test]
    fn greetings_are_read_or_refused() {
        let mut packet = b"\x0a5.5.5-10.11.6-MariaDB\0\x07\0\0\0abcdefgh\0".to_vec();
        packet.extend([0xff, 0xff, 45, 2, 0, 0xff, 0x81, 21]);
        packet.extend([0; 10]);
        packet.extend(b"ijklmnopqrst\0mysql_native_password\0");
        let read = greeting(&packet).expect("it is one");
        assert_eq!((read.connection, read.nonce.len()), (7, NONCE_BYTES));
        assert_eq!(read.plugin, NATIVE);
        assert!(read.version.contains("MariaDB"));
        for end in 0..packet.len() - NATIVE.len() - 2 {
            assert!(greeting(&packet[..end]).is_err(), "{end}");
        }
        assert!(greeting(b"\x09old").is_err());
    }
}
