//! From the first byte of a connection to a session: negotiation, encryption, identity, first
//! settings. Authentication comes between; see `authenticate`.

use bytes::{Buf, Bytes};

use super::as_of::{self, AS_OF, Moment};
use super::assume::ROLE;
use super::authenticate::Proof;
use super::begin::LoggedIn;
use super::client::Client;
use super::failure::{End, Failure};
use super::frame::take_startup_packet;
use super::message::checked_utf8;
use super::options::command_line;
use super::respond;
use super::settings::Settings;
use super::sqlstate::WireCondition;
use crate::auth::{Ceilings, Certificate, Guard, Limit};
use crate::config::Config;
use crate::error::{Error, ErrorKind};

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
const PROTOCOL_MAJOR: u32 = 3;

/// The minor versions spoken here, the newest first. 3.1 was never one.
const PROTOCOL_MINORS: [u32; 2] = [2, 0];

/// The first byte of TLS's first record.
const TLS_HANDSHAKE: u8 = 0x16;

/// What a client came for.
#[derive(Debug)]
pub(super) enum Opening {
    /// A session.
    Session(StartupPacket),
    /// To cancel another session's statement.
    Cancel { pid: i32, secret: Bytes },
}

/// The parameters of a start-up packet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StartupPacket {
    /// Names and values in the order they came.
    parameters: Vec<(String, String)>,
    /// Protocol options (`_pq_.`) that are not known here.
    unknown_options: Vec<String>,
    /// The minor version that was asked for.
    minor_asked: u32,
    /// The newest that is spoken here and not newer than that.
    minor: u32,
}

/// What a client is told of the protocol before anything else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Negotiation {
    /// The version that is spoken, as in a start-up packet.
    pub(super) version: i32,
    /// Options that are not known here.
    pub(super) unknown_options: Vec<String>,
}

/// Who the session is.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) user: String,
    pub(super) database: String,
    /// How it was proved; `None` if everybody is trusted.
    pub(super) proof: Option<Proof>,
    pub(super) settings: Settings,
    /// ALTER ROLE ... SET role.
    pub(super) role: Option<String>,
    /// Settings of its role that could not be set.
    pub(super) warnings: Vec<Failure>,
}

/// Reads up to the start-up packet, and encrypts if the client asks for it. Not cancel safe.
///
/// # Errors
/// The connection ends: the client is gone, or does not speak this protocol.
pub(super) async fn open(client: &mut Client, guard: &Guard) -> Result<Opening, End> {
    let certificate = guard.certificate();
    let mut asked = Asked::default();
    loop {
        if client.input.first() == Some(&TLS_HANDSHAKE) && asked == Asked::default() {
            asked.ssl = true;
            open_directly(client, certificate.as_deref()).await?;
        }
        let mut packet = match take_startup_packet(&mut client.input) {
            Ok(Some(packet)) => packet,
            Ok(None) => {
                client.fill().await?;
                continue;
            }
            Err(_) => return Err(End::Gone),
        };
        let code = packet.get_u32();
        match code {
            CANCEL_REQUEST => return cancel_request(packet).ok_or(End::Gone),
            SSL_REQUEST if !asked.ssl => {
                asked.ssl = true;
                let smuggled = take_smuggled(client, "SSL");
                match &certificate {
                    Some(certificate) => {
                        respond::accept_encryption(&mut client.output);
                        client.flush().await?;
                        client.encrypt(certificate).await?;
                        // Only now, so that nobody in between can make it look harmless.
                        smuggled?;
                    }
                    None => {
                        smuggled?;
                        decline(client).await?;
                    }
                }
            }
            GSS_REQUEST if !asked.gss && !client.is_encrypted() => {
                asked.gss = true;
                take_smuggled(client, "GSSAPI encryption")?;
                decline(client).await?;
            }
            _ => {
                return start_up(code, &packet)
                    .map(Opening::Session)
                    .map_err(End::Fatal);
            }
        }
    }
}

/// Each kind of encryption is asked for once at most.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    ssl: bool,
    gss: bool,
}

async fn decline(client: &mut Client) -> Result<(), End> {
    respond::refuse_encryption(&mut client.output);
    client.flush().await
}

/// TLS from the first byte, as PostgreSQL 17 has it: only with the name of the protocol, so that
/// no client of another one is led here.
async fn open_directly(client: &mut Client, certificate: Option<&Certificate>) -> Result<(), End> {
    client.encrypt(certificate.ok_or(End::Gone)?).await?;
    match client.named_protocol() {
        true => Ok(()),
        false => Err(End::Fatal(Failure::fatal(
            WireCondition::ProtocolViolation,
            "received direct SSL connection request without ALPN protocol negotiation extension",
        ))),
    }
}

/// As ProcessStartupPacket: what was sent behind the request, before the answer to it, may be from
/// somebody in between, and would later count as encrypted (CVE-2021-23214). It is thrown away, and
/// the connection is to end.
fn take_smuggled(client: &mut Client, what: &str) -> Result<(), End> {
    if client.input.is_empty() {
        return Ok(());
    }
    client.input.clear();
    let message = format!("received unencrypted data after {what} request");
    let mut failure = Failure::fatal(WireCondition::ProtocolViolation, message);
    failure.detail = Some(
        "This could be either a client-software bug or evidence of an attempted \
         man-in-the-middle attack."
            .to_owned(),
    );
    Err(End::Fatal(failure))
}

fn cancel_request(mut packet: Bytes) -> Option<Opening> {
    // A number, and a secret of 4 bytes; protocol 3.2 has secrets of up to 256.
    let is_whole = (8..=260).contains(&packet.len());
    is_whole.then(|| Opening::Cancel {
        pid: packet.get_i32(),
        secret: packet,
    })
}

fn start_up(code: u32, packet: &[u8]) -> Result<StartupPacket, Failure> {
    let (major, minor) = (code >> 16, code & 0xffff);
    if major != PROTOCOL_MAJOR {
        return Err(Failure::from(Error::new(
            ErrorKind::FeatureNotSupported,
            format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2"),
        ))
        .into_fatal());
    }
    let spoken = PROTOCOL_MINORS.into_iter().find(|known| *known <= minor);
    let mut startup = StartupPacket {
        minor_asked: minor,
        minor: spoken.unwrap_or_default(),
        ..StartupPacket::default()
    };
    let mut rest = Strings(packet);
    loop {
        let name = rest.next()?;
        if name.is_empty() {
            break;
        }
        let value = rest.next()?;
        if name.starts_with("_pq_.") {
            startup.unknown_options.push(name);
        } else {
            startup.parameters.push((name, value));
        }
    }
    match rest.0 {
        [] => Ok(startup),
        _ => Err(bad_layout()),
    }
}

fn bad_layout() -> Failure {
    Failure::fatal(
        WireCondition::ProtocolViolation,
        "invalid startup packet layout: expected terminator as last byte",
    )
}

/// The strings of a packet not yet read.
struct Strings<'a>(&'a [u8]);

impl Strings<'_> {
    fn next(&mut self) -> Result<String, Failure> {
        let end = self
            .0
            .iter()
            .position(|byte| *byte == 0)
            .ok_or_else(bad_layout)?;
        let text =
            checked_utf8(&self.0[..end]).map_err(|error| Failure::from(error).into_fatal())?;
        self.0 = &self.0[end + 1..];
        Ok(text.to_owned())
    }
}

impl StartupPacket {
    /// What must be said of the protocol before anything else; `None` if all is understood.
    pub(super) fn take_negotiation(&mut self) -> Option<Negotiation> {
        let needed = self.minor != self.minor_asked || !self.unknown_options.is_empty();
        let version = PROTOCOL_MAJOR << 16 | self.minor;
        needed.then(|| Negotiation {
            version: version.cast_signed(),
            unknown_options: std::mem::take(&mut self.unknown_options),
        })
    }

    /// Whether the client can keep a secret of more than four bytes.
    pub(super) fn takes_long_secrets(&self) -> bool {
        self.minor >= 2
    }

    fn find(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().rev().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Who the client says it is.
    ///
    /// # Errors
    /// A fatal failure: it does not say.
    pub(super) fn user(&self) -> Result<&str, Failure> {
        self.find("user").ok_or_else(|| {
            Failure::fatal(
                WireCondition::InvalidAuthorizationSpecification,
                "no PostgreSQL user name specified in startup packet",
            )
        })
    }

    /// The database that the client names; the lake's if it names none.
    pub(super) fn database<'a>(&'a self, config: &'a Config) -> &'a str {
        self.find("database").unwrap_or(&config.lake.database)
    }

    /// What the client's program calls itself.
    pub(super) fn application_name(&self) -> &str {
        self.find("application_name").unwrap_or_default()
    }

    /// Makes the session that the packet asks for, of a client that has proved who it is.
    ///
    /// # Errors
    /// A fatal failure: another database, an unknown setting.
    pub(super) fn identify(
        self,
        config: &Config,
        login: &LoggedIn,
        is_snapshot: impl Fn(&str) -> bool,
    ) -> Result<Identity, Failure> {
        let user = self.user()?;
        let database = self.database(config);
        let moment = self.moment(config, user, is_snapshot)?;
        let replication = self.find("replication");
        if replication.is_some_and(|value| !matches!(value, "0" | "false" | "off" | "no")) {
            return Err(Failure::from(Error::unsupported("replication")).into_fatal());
        }
        let on_off = |is_on: bool| if is_on { "on" } else { "off" };
        let fixed = [
            ("is_superuser", on_off(login.is_superuser)),
            ("max_connections", &config.connections_max.to_string()),
            ("ssl", on_off(config.tls.is_some())),
        ];
        let mut settings = Settings::new(user, &fixed);
        let (mut role, mut warnings) = (None, Vec::new());
        for setting in login
            .authority
            .settings_of(user)
            .filter(|_| login.proof.is_some())
        {
            if setting.name == ROLE {
                role = Some(setting.value.clone());
            } else if let Err(failure) = settings.set_at_startup(&setting.name, &setting.value) {
                if Limit::of_setting(&setting.name).is_some() {
                    // A limit that is not understood does not let anybody in without one.
                    return Err(failure.into_fatal());
                }
                // As PostgreSQL's process_settings: it is told, and the session begins.
                warnings.push(failure.into_warning());
            }
        }
        if let Some(moment) = &moment {
            let set = settings.set_at_startup(AS_OF, moment.value());
            set.map_err(Failure::into_fatal)?;
        }
        if login.proof.is_some() && !login.is_superuser {
            settings.limit_by(Ceilings::of(&login.authority, user));
        }
        self.apply_settings(&mut settings)
            .map_err(Failure::into_fatal)?;
        Ok(Identity {
            user: user.to_owned(),
            database: database.to_owned(),
            proof: login.proof.clone(),
            settings,
            role,
            warnings,
        })
    }

    /// The moment that the database's name says. So that a bare `psql -h host` works, three other names mean
    /// the lake as well.
    fn moment(
        &self,
        config: &Config,
        user: &str,
        is_snapshot: impl Fn(&str) -> bool,
    ) -> Result<Option<Moment>, Failure> {
        let name = self.database(config);
        let is_lake =
            |name: &str| [config.lake.database.as_str(), "postgres", user].contains(&name);
        if is_lake(name) {
            return Ok(None);
        }
        match as_of::split(name).map_err(|error| Failure::from(error).into_fatal())? {
            Some((database, moment)) if is_lake(database) => match &moment {
                Moment::Snapshot(snapshot) if !is_snapshot(snapshot) => {}
                _ => return Ok(Some(moment)),
            },
            _ => {}
        }
        let message = format!("database \"{name}\" does not exist");
        let error = Error::new(ErrorKind::InvalidCatalogName, message);
        Err(Failure::from(error).into_fatal())
    }

    /// The role that the session is to begin with, if the packet names one.
    pub(super) fn role(&self) -> Option<&str> {
        self.find(ROLE)
    }

    /// As `process_startup_options`: first the command line's, then the packet's own.
    fn apply_settings(&self, settings: &mut Settings) -> Result<(), Failure> {
        for (name, value) in &self.parameters {
            if name == "options" {
                for (name, value) in command_line(value)? {
                    settings.set_at_startup(&name, &value)?;
                }
            }
        }
        for (name, value) in &self.parameters {
            if !matches!(
                name.as_str(),
                "user" | "database" | "options" | "replication" | ROLE
            ) {
                settings.set_at_startup(name, value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(packet: &'static [u8], expected: Result<&[(&str, &str)], &str>) {
        let got = start_up(3 << 16, packet);
        match (got, expected) {
            (Ok(startup), Ok(expected)) => {
                let expected: Vec<_> = expected
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect();
                assert_eq!(startup.parameters, expected);
            }
            (got, expected) => {
                let message = got.expect_err("the packet is broken").message;
                assert_eq!(Err(message.as_str()), expected);
            }
        }
    }

    #[test]
    fn packets_end_where_they_say() {
        let layout = "invalid startup packet layout: expected terminator as last byte";
        check(b"user\0bob\0\0", Ok(&[("user", "bob")]));
        check(b"user\0\0\0", Ok(&[("user", "")]));
        check(b"user\0bob", Err(layout));
        check(b"user\0bob\0", Err(layout));
        check(b"user\0bob\0\0x", Err(layout));
        check(b"", Err(layout));
    }

    #[test]
    fn newer_protocols_are_negotiated() {
        let negotiate = |minor: u32, packet: &[u8]| {
            let startup = start_up(3 << 16 | minor, packet);
            startup.expect("the packet is whole").take_negotiation()
        };
        let told = |minor: i32, options: &[&str]| {
            Some(Negotiation {
                version: 3 << 16 | minor,
                unknown_options: options.iter().map(|name| (*name).to_owned()).collect(),
            })
        };
        assert_eq!(negotiate(0, b"\0"), None);
        assert_eq!(negotiate(2, b"\0"), None);
        assert_eq!(negotiate(1, b"\0"), told(0, &[]));
        assert_eq!(negotiate(9999, b"\0"), told(2, &[]));
        let with_option = b"_pq_.x\x001\0\0";
        assert_eq!(negotiate(0, with_option), told(0, &["_pq_.x"]));
        assert_eq!(negotiate(2, with_option), told(2, &["_pq_.x"]));
        assert!(start_up(2 << 16, &[]).is_err());
    }
}
