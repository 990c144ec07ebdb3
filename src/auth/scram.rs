//! The server's side of SCRAM-SHA-256, with and without channel binding, as auth-scram.c has it.
//! RFC 5802, RFC 7677; channel binding is `tls-server-end-point` of RFC 5929.
//!
//! - `First` -> `Final`: the client's first message; the server's nonce, salt and iterations go out.
//! - `Final` -> `Over`: the client's proof.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use subtle::ConstantTimeEq;

use super::verifier::{KEY_BYTES, Verifier, hmac_sha256, sha256};

/// The mechanism without channel binding.
pub const MECHANISM: &str = "SCRAM-SHA-256";

/// The mechanism with it.
pub const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// Random bytes of the server's nonce: PostgreSQL's `SCRAM_RAW_NONCE_LEN`.
const NONCE_BYTES: usize = 18;

/// The one type of channel binding.
const BINDING_TYPE: &str = "tls-server-end-point";

/// What the server answers to a message of the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// The exchange goes on.
    Continue(Vec<u8>),
    /// The client has proved itself; these are the last words.
    Done(Vec<u8>),
    /// It has not.
    Failed,
}

/// What sort of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// A message that is not of the protocol.
    Protocol,
    /// Channel binding that does not fit this connection: somebody may be in between.
    Binding,
    /// Something of the protocol that nobody supports.
    Unsupported,
}

/// Why an exchange ends before its proof, in PostgreSQL's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What sort it is.
    pub kind: RefusalKind,
    /// For the client.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
}

/// An exchange with one client.
#[derive(Debug)]
pub struct Exchange {
    verifier: Verifier,
    /// Whatever the client proves, it does not get in.
    is_doomed: bool,
    /// The binding of the connection's certificate; `None` without TLS, or if it has none.
    binding: Option<Vec<u8>>,
    is_bound: bool,
    /// The server's part of the nonce.
    nonce: String,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    First,
    Final(Challenge),
    Over,
}

/// What was said before the proof.
#[derive(Debug)]
struct Challenge {
    /// `n`, `y` or `p`.
    flag: char,
    client_first_bare: String,
    server_first: String,
    nonce: String,
}

impl Exchange {
    /// An exchange by the mechanism that the client chose; `None` if it is not one that was
    /// offered. `binding` is the digest of the connection's certificate.
    pub fn new(
        mechanism: &str,
        verifier: Verifier,
        is_doomed: bool,
        binding: Option<Vec<u8>>,
    ) -> Option<Self> {
        let is_bound = match mechanism {
            MECHANISM => false,
            MECHANISM_PLUS if binding.is_some() => true,
            _ => return None,
        };
        Some(Self {
            verifier,
            is_doomed,
            binding,
            is_bound,
            nonce: new_nonce(),
            stage: Stage::First,
        })
    }

    /// Answers a message.
    ///
    /// # Errors
    /// A message that is not of the protocol, or binds another channel. The exchange is over.
    pub fn step(&mut self, message: &[u8]) -> Result<Reply, Refusal> {
        if message.is_empty() {
            return Err(malformed("The message is empty."));
        }
        // PostgreSQL compares lengths; what is not text cannot be read either.
        let text = std::str::from_utf8(message)
            .ok()
            .filter(|text| !text.contains('\0'))
            .ok_or_else(|| malformed("Message length does not match input length."))?;
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::First => {
                let challenge = self.first(text)?;
                let reply = challenge.server_first.clone().into_bytes();
                self.stage = Stage::Final(challenge);
                Ok(Reply::Continue(reply))
            }
            Stage::Final(challenge) => self.last(&challenge, text),
            Stage::Over => Err(malformed("The exchange is over.")),
        }
    }

    /// As `read_client_first_message` and `build_server_first_message`.
    fn first(&self, text: &str) -> Result<Challenge, Refusal> {
        let mut rest = Attributes(text);
        let flag = self.binding_flag(&mut rest)?;
        if rest.0.starts_with('a') {
            return Err(unsupported(
                "client uses authorization identity, but it is not supported",
            ));
        }
        rest.comma("Unexpected attribute", "in client-first-message.")?;
        let client_first_bare = rest.0.to_owned();
        if rest.0.starts_with('m') {
            return Err(unsupported(
                "client requires an unsupported SCRAM extension",
            ));
        }
        // The name is that of the start-up packet; here it says nothing.
        rest.value('n')?;
        let client_nonce = rest.value('r')?;
        // RFC 5802 section 7: `printable`.
        let is_printable = |byte: u8| (0x21..=0x7e).contains(&byte) && byte != b',';
        if !client_nonce.bytes().all(is_printable) {
            return Err(refusal(
                RefusalKind::Protocol,
                "non-printable characters in SCRAM nonce",
            ));
        }
        while !rest.0.is_empty() {
            rest.any()?;
        }
        let nonce = format!("{client_nonce}{}", self.nonce);
        let salt = STANDARD.encode(&self.verifier.salt);
        let server_first = format!("r={nonce},s={salt},i={}", self.verifier.iterations);
        Ok(Challenge {
            flag,
            client_first_bare,
            server_first,
            nonce,
        })
    }

    /// The `gs2-cbind-flag`, up to the comma behind it.
    fn binding_flag(&self, rest: &mut Attributes<'_>) -> Result<char, Refusal> {
        let flag = rest.0.chars().next().unwrap_or_default();
        match flag {
            'n' | 'y' if self.is_bound => Err(malformed(
                "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include \
                 channel binding data.",
            )),
            'y' if self.binding.is_some() => Err(Refusal {
                kind: RefusalKind::Binding,
                message: "SCRAM channel binding negotiation error".to_owned(),
                detail: Some(
                    "The client supports SCRAM channel binding but thinks the server does not.  \
                     However, this server does support channel binding."
                        .to_owned(),
                ),
            }),
            'n' | 'y' => {
                rest.0 = &rest.0[1..];
                rest.comma("Comma expected, but found character", "")?;
                Ok(flag)
            }
            'p' if !self.is_bound => Err(malformed(
                "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message \
                 includes channel binding data.",
            )),
            'p' => match rest.value('p')? {
                // The comma behind it is read with it.
                BINDING_TYPE => Ok(flag),
                other => Err(refusal(
                    RefusalKind::Protocol,
                    format!(
                        "unsupported SCRAM channel-binding type \"{}\"",
                        shown(other)
                    ),
                )),
            },
            _ => Err(malformed(format!(
                "Unexpected channel-binding flag \"{}\".",
                character(rest.0)
            ))),
        }
    }

    /// As `read_client_final_message`, `verify_final_nonce`, `verify_client_proof` and
    /// `build_server_final_message`.
    fn last(&self, challenge: &Challenge, text: &str) -> Result<Reply, Refusal> {
        let mut rest = Attributes(text);
        self.check_binding(challenge.flag, rest.value('c')?)?;
        let nonce = rest.value('r')?;
        let proof = loop {
            let without_proof = &text[..text.len() - rest.0.len()];
            let (attribute, value) = rest.any()?;
            if attribute == 'p' {
                let without_proof = without_proof.strip_suffix(',').unwrap_or(without_proof);
                break (without_proof, value);
            }
        };
        let (without_proof, proof) = proof;
        let proof: Option<[u8; KEY_BYTES]> = STANDARD
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok());
        let Some(proof) = proof else {
            return Err(malformed("Malformed proof in client-final-message."));
        };
        if !rest.0.is_empty() {
            return Err(malformed(
                "Garbage found at the end of client-final-message.",
            ));
        }
        if nonce != challenge.nonce {
            return Err(Refusal {
                kind: RefusalKind::Protocol,
                message: "invalid SCRAM response".to_owned(),
                detail: Some("Nonce does not match.".to_owned()),
            });
        }
        let said = [
            challenge.client_first_bare.as_bytes(),
            b",",
            challenge.server_first.as_bytes(),
            b",",
            without_proof.as_bytes(),
        ];
        let signature = hmac_sha256(&self.verifier.stored_key, &said);
        let mut client_key = proof;
        for (byte, mask) in client_key.iter_mut().zip(signature) {
            *byte ^= mask;
        }
        let is_proved = sha256(&client_key).ct_eq(&self.verifier.stored_key);
        let server_signature = hmac_sha256(&self.verifier.server_key, &said);
        // The doomed do the same work, so that its duration tells nothing.
        if !bool::from(is_proved) || self.is_doomed {
            return Ok(Reply::Failed);
        }
        let words = format!("v={}", STANDARD.encode(server_signature));
        Ok(Reply::Done(words.into_bytes()))
    }

    fn check_binding(&self, flag: char, said: &str) -> Result<(), Refusal> {
        if self.is_bound {
            let mut bound = format!("p={BINDING_TYPE},,").into_bytes();
            bound.extend(self.binding.iter().flatten());
            return match STANDARD.encode(bound) == said {
                true => Ok(()),
                false => Err(refusal(
                    RefusalKind::Binding,
                    "SCRAM channel binding check failed",
                )),
            };
        }
        // The base64 of `n,,` and `y,,`.
        match (flag, said) {
            ('n', "biws") | ('y', "eSws") => Ok(()),
            _ => Err(refusal(
                RefusalKind::Protocol,
                "unexpected SCRAM channel-binding attribute in client-final-message",
            )),
        }
    }
}

/// The attributes of a message that are not yet read.
struct Attributes<'a>(&'a str);

impl<'a> Attributes<'a> {
    /// As `read_attr_value`: the value of an attribute that must come next.
    fn value(&mut self, attribute: char) -> Result<&'a str, Refusal> {
        let Some(rest) = self.0.strip_prefix(attribute) else {
            return Err(malformed(format!(
                "Expected attribute \"{attribute}\" but found \"{}\".",
                character(self.0)
            )));
        };
        self.after_name(attribute, rest)
    }

    /// As `read_any_attr`.
    fn any(&mut self) -> Result<(char, &'a str), Refusal> {
        let Some(attribute) = self.0.chars().next() else {
            return Err(malformed("Attribute expected, but found end of string."));
        };
        if !attribute.is_ascii_alphabetic() {
            return Err(malformed(format!(
                "Attribute expected, but found invalid character \"{}\".",
                character(self.0)
            )));
        }
        Ok((attribute, self.after_name(attribute, &self.0[1..])?))
    }

    fn after_name(&mut self, attribute: char, rest: &'a str) -> Result<&'a str, Refusal> {
        let Some(rest) = rest.strip_prefix('=') else {
            return Err(malformed(format!(
                "Expected character \"=\" for attribute \"{attribute}\"."
            )));
        };
        let (value, rest) = rest.split_once(',').unwrap_or((rest, ""));
        self.0 = rest;
        Ok(value)
    }

    fn comma(&mut self, before: &str, after: &str) -> Result<(), Refusal> {
        match self.0.strip_prefix(',') {
            Some(rest) => {
                self.0 = rest;
                Ok(())
            }
            None => {
                let found = character(self.0);
                let end = if after.is_empty() { "." } else { " " };
                Err(malformed(format!("{before} \"{found}\"{end}{after}")))
            }
        }
    }
}

fn new_nonce() -> String {
    let mut bytes = [0; NONCE_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    STANDARD.encode(bytes)
}

fn refusal(kind: RefusalKind, message: impl Into<String>) -> Refusal {
    Refusal {
        kind,
        message: message.into(),
        detail: None,
    }
}

fn malformed(detail: impl Into<String>) -> Refusal {
    Refusal {
        detail: Some(detail.into()),
        ..refusal(RefusalKind::Protocol, "malformed SCRAM message")
    }
}

fn unsupported(message: &str) -> Refusal {
    refusal(RefusalKind::Unsupported, message)
}

/// As `sanitize_char`: the first byte, if it can be shown.
fn character(text: &str) -> String {
    let byte = text.bytes().next().unwrap_or_default();
    match byte {
        0x21..=0x7e => char::from(byte).to_string(),
        _ => format!("0x{byte:02x}"),
    }
}

/// As `sanitize_str`: at most 30 bytes, those that cannot be shown as `?`.
fn shown(text: &str) -> String {
    let bytes = text.bytes().take(30);
    bytes
        .map(|byte| match byte {
            0x21..=0x7e => char::from(byte),
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests;
