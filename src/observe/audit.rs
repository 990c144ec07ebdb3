//! The audit: who came in or was turned away, who defined what, and who was refused what; one JSON
//! object a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

/// Bytes of a text in a line: a statement may have 16 MiB.
const TEXT_BYTES_MAX: usize = 4096;

/// Where the lines go.
#[derive(Debug, Default)]
pub struct Audit {
    sink: Option<Mutex<Sink>>,
}

#[derive(Debug)]
enum Sink {
    StandardError,
    File { path: PathBuf, file: File },
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// A session began.
    LogIn,
    /// Nobody was let in.
    LogInFailed,
    /// A session ended.
    SessionEnd,
    /// Something was defined, changed or dropped, a role or a grant among them, and is kept.
    Definition,
    /// Something was not allowed.
    Refused,
}

/// A line. What is `None` or empty is left out.
#[derive(Clone, Debug, Serialize)]
pub struct Event<'a> {
    /// What happened.
    pub event: Happened,
    /// Who it was, as authenticated or, where that failed, as claimed.
    pub user: &'a str,
    /// `session_user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_user: Option<&'a str>,
    /// `current_user`: the role whose rights counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'a str>,
    /// The session's number, as `pg_backend_pid()` gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<i32>,
    /// The database, as the client named it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub database: &'a str,
    /// Whence: address and port.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub address: &'a str,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// How it was proved who it is.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub method: &'a str,
    /// What the client's program calls itself.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub application_name: &'a str,
    /// The tag of the command.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub command: &'a str,
    /// What the command is about.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub object: &'a str,
    /// The statement, without secrets.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub statement: &'a str,
    /// The SQLSTATE that the client was told.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub code: &'a str,
    /// Why: what the client was told, or what it was not to know.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: &'a str,
    /// How long the session lasted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

impl<'a> Event<'a> {
    /// Something that a user did, of which nothing else is known yet.
    pub fn new(event: Happened, user: &'a str) -> Self {
        Self {
            event,
            user,
            session_user: None,
            role: None,
            session: None,
            database: "",
            address: "",
            tls: false,
            method: "",
            application_name: "",
            command: "",
            object: "",
            statement: "",
            code: "",
            reason: "",
            seconds: None,
        }
    }

    /// The same with every text short enough for a line.
    fn bounded(mut self) -> Self {
        for text in [
            &mut self.user,
            &mut self.database,
            &mut self.application_name,
            &mut self.object,
            &mut self.statement,
            &mut self.reason,
        ] {
            *text = bounded(text);
        }
        self
    }
}

impl Audit {
    /// Lines go to standard error, between those of the log.
    pub fn to_standard_error() -> Self {
        Self {
            sink: Some(Mutex::new(Sink::StandardError)),
        }
    }

    /// Lines are appended to a file, which is made for its owner alone if it is not there.
    ///
    /// # Errors
    /// It cannot be opened to be written.
    pub fn to_file(path: &Path) -> io::Result<Self> {
        let (path, file) = (path.to_owned(), open(path)?);
        Ok(Self {
            sink: Some(Mutex::new(Sink::File { path, file })),
        })
    }

    /// Opens the file by its path once more: whoever rotates it has given it another name. Until it
    /// can be opened, lines go where they went. Whether lines go to a file.
    ///
    /// # Errors
    /// It cannot be opened to be written.
    pub fn reopen(&self) -> io::Result<bool> {
        let Some(sink) = &self.sink else {
            return Ok(false);
        };
        match &mut *sink.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::StandardError => Ok(false),
            Sink::File { path, file } => {
                *file = open(path)?;
                Ok(true)
            }
        }
    }

    /// Whether anybody wants to know.
    pub fn is_kept(&self) -> bool {
        self.sink.is_some()
    }

    /// Writes a line. JSON escapes what would end it, so that no name makes another one.
    pub fn tell(&self, event: Event<'_>) {
        let Some(sink) = &self.sink else { return };
        let line = Line {
            time: humantime(SystemTime::now()),
            event: event.bounded(),
        };
        let mut bytes = match serde_json::to_vec(&line) {
            Ok(bytes) => bytes,
            Err(error) => return tracing::error!(%error, "write the audit"),
        };
        bytes.push(b'\n');
        // In one piece, so that lines of several processes do not mix.
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match &mut *sink {
            Sink::StandardError => io::stderr().write_all(&bytes),
            Sink::File { file, .. } => file.write_all(&bytes),
        };
        if let Err(error) = written {
            tracing::error!(%error, "write the audit");
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    event: Event<'a>,
}

/// A moment as RFC 3339 has it, in UTC.
fn humantime(moment: SystemTime) -> String {
    let moment = chrono::DateTime::<chrono::Utc>::from(moment);
    moment.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_makes_a_line_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("audit.json");
        let audit = Audit::to_file(&path).expect("it can be written");
        let long = format!(
            "a\n{{\"event\":\"log_in\"}}\r\u{2028}\u{1b}[2J{}",
            "ü".repeat(9000)
        );
        audit.tell(Event {
            statement: &long,
            ..Event::new(Happened::Refused, "eve\n{\"user\":\"ada\"}")
        });
        audit.tell(Event::new(Happened::LogIn, "bob"));
        let text = std::fs::read_to_string(&path).expect("it was written");
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0]["user"], "eve\n{\"user\":\"ada\"}");
        assert!(!text.contains(['\r', '\u{1b}']));
        let kept = lines[0]["statement"].as_str().expect("it is there");
        assert!(kept.len() <= TEXT_BYTES_MAX && long.starts_with(kept));
        assert_eq!(lines[1]["event"], "log_in");
        assert!(!Audit::default().is_kept());
    }
}
