//! Sessions with MySQL: how they begin, what they are asked, and how what they do is stopped.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::failure::{Cause, Said, failure, unavailable};
use super::login::{self, Begun};
use super::packet::{Packets, bytes, damaged, length, number, value};
use crate::config::Secrets;
use crate::error::Result;
use crate::sources::warehouse::mapping::Mapping;
use crate::sources::warehouse::pool::Connect;
use crate::sources::warehouse::socket::connected;
use crate::sources::warehouse::tls::Tls;
use crate::sources::warehouse::{Options, Server};

/// The port of MySQL.
const PORT: u16 = 3306;

/// The command of a query.
const QUERY: u8 = 3;

/// What a message begins with: that a file be sent, the end of rows, an error.
const LOCAL_FILE: u8 = 0xfb;
const END: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// The longest end of rows. What is longer is a row.
const END_BYTES_MAX: usize = 8;

/// What every session is told first: quotes that are SQL's, backslashes that are themselves, texts
/// in UTF-8, instants in UTC; to see one moment, to write nothing, and to leave no row out. A client
/// that reads slowly is waited for as long as our own clients are.
const SESSION: [&str; 4] = [
    "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+00:00', \
        sql_select_limit = 18446744073709551615, net_write_timeout = 900, \
        max_sort_length = 1024",
    "SET NAMES utf8mb4",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION TRANSACTION READ ONLY",
];

/// How sessions with one server begin.
pub(super) struct MysqlConnect {
    server: Arc<Server>,
    mapping: Mapping,
    tls: Tls,
}

/// A session with the server.
pub(super) struct Session {
    packets: Packets,
    /// Its number at the server, by which it is stopped.
    connection: u32,
    stage: Stage,
    is_over: bool,
}

/// What the server sends next.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing: it waits for a command.
    Idle,
    /// Whether there will be rows.
    Head,
    /// So many definitions of columns, and their end; the types of those that came.
    Columns(u64, Vec<u8>),
    /// Rows, and their end.
    Rows,
}

impl MysqlConnect {
    /// As a server's options and a mapping's say.
    ///
    /// # Errors
    /// The certificates of its options cannot be read.
    pub(super) fn new(server: &Arc<Server>, mapping: &Options, secrets: &Secrets) -> Result<Self> {
        Ok(Self {
            server: Arc::clone(server),
            mapping: Mapping::new(mapping, secrets),
            tls: Tls::of(server)?,
        })
    }

    /// A session that has not been told anything.
    async fn begun(&self) -> Result<Begun> {
        let option = |name: &str| self.server.option(name);
        let login = self.mapping.login(&self.server)?;
        let host = option("host").unwrap_or("localhost");
        let port = option("port").and_then(|port| port.parse().ok());
        let begun = async {
            let packets = Packets::new(connected(host, port.unwrap_or(PORT)).await?);
            login::log_in(packets, (&self.server, &login, &self.tls), host).await
        };
        begun
            .await
            .map_err(|cause| unavailable(&self.server, cause))
    }

    /// Stops what a session does, from another one. `what` is `QUERY` or `CONNECTION`.
    pub(super) async fn kill(&self, what: &str, connection: u32) -> Result<()> {
        let mut session = Session::of(self.begun().await?);
        let killed = session.run(&format!("KILL {what} {connection}")).await;
        killed.map_err(|cause| failure(&self.server, cause))
    }
}

#[async_trait]
impl Connect for MysqlConnect {
    type Session = Session;

    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    async fn connect(&self) -> Result<Session> {
        let begun = self.begun().await?;
        let limit = self.server.option("statement_timeout");
        // It was checked to be a number of milliseconds when it was kept.
        let limit = limit.map(|limit| match begun.is_mariadb {
            true => format!("SET SESSION max_statement_time = {limit} / 1000"),
            false => format!("SET SESSION max_execution_time = {limit}"),
        });
        let mut session = Session::of(begun);
        for statement in SESSION.into_iter().chain(limit.as_deref()) {
            let told = session.run(statement).await;
            told.map_err(|cause| unavailable(&self.server, cause))?;
        }
        Ok(session)
    }

    async fn run(&self, session: &mut Session, statements: &str) -> Result<()> {
        let run = session.run(statements).await;
        run.map_err(|cause| failure(&self.server, cause))
    }

    fn is_over(session: &Session) -> bool {
        session.is_over
    }

    async fn stop(&self, session: Session) {
        if !session.is_over {
            // It may have ended by itself meanwhile.
            drop(self.kill("CONNECTION", session.connection).await);
        }
    }
}

impl Session {
    fn of(begun: Begun) -> Self {
        Self {
            packets: begun.packets,
            connection: begun.connection,
            stage: Stage::Idle,
            is_over: false,
        }
    }

    /// Its number at the server.
    pub(super) fn connection(&self) -> u32 {
        self.connection
    }

    /// Runs one statement, and reads past its rows. Not cancel safe.
    ///
    /// # Errors
    /// As the server says.
    pub(super) async fn run(&mut self, statement: &str) -> Result<(), Cause> {
        self.query(statement).await?;
        self.skip().await
    }

    /// Runs a query that has few rows, all of which are texts. Not cancel safe.
    ///
    /// # Errors
    /// As the server says.
    pub(super) async fn texts(&mut self, query: &str) -> Result<Vec<Vec<Option<String>>>, Cause> {
        let n_columns = self.query(query).await?.map_or(0, |types| types.len());
        let mut rows = Vec::new();
        while let Some(row) = self.row().await? {
            let mut left = row.as_ref();
            let mut texts = Vec::with_capacity(n_columns);
            for _ in 0..n_columns {
                let text = value(&mut left)?.map(String::from_utf8_lossy);
                texts.push(text.map(|text| text.into_owned()));
            }
            rows.push(texts);
        }
        Ok(rows)
    }

    /// Begins a query: the types of its columns, as MySQL numbers them; `None` if it has no rows.
    /// Given up meanwhile, [`Self::skip`] goes on.
    ///
    /// # Errors
    /// As the server says.
    pub(super) async fn query(&mut self, query: &str) -> Result<Option<Vec<u8>>, Cause> {
        // Half a command cannot be taken back.
        let was_over = std::mem::replace(&mut self.is_over, true);
        if was_over || self.stage != Stage::Idle {
            return Err(damaged("less than it was asked for").into());
        }
        self.packets.command(QUERY, query).await?;
        self.stage = Stage::Head;
        self.is_over = false;
        self.columns().await
    }

    /// The types of the columns, once all of them were told; `None` if there are none.
    async fn columns(&mut self) -> Result<Option<Vec<u8>>, Cause> {
        while !matches!(self.stage, Stage::Idle | Stage::Rows) {
            let packet = self.next().await?;
            let told = self.definition(&packet);
            if let Some(types) = self.noticed(told)? {
                return Ok(Some(types));
            }
        }
        Ok(None)
    }

    /// Takes what comes before the rows; the types of the columns at its end.
    fn definition(&mut self, packet: &[u8]) -> Result<Option<Vec<u8>>, Cause> {
        match (&mut self.stage, packet.first()) {
            (Stage::Head, Some(0)) => self.stage = Stage::Idle,
            // We are asked for a file, and give none away.
            (Stage::Head, Some(&LOCAL_FILE) | None) => {
                return Err(damaged("that it wants a file").into());
            }
            (Stage::Head, Some(_)) => {
                let n_columns = length(&mut &*packet)?.unwrap_or(0);
                self.stage = Stage::Columns(n_columns, Vec::new());
            }
            (Stage::Columns(0, types), Some(&END)) => {
                let types = std::mem::take(types);
                self.stage = Stage::Rows;
                return Ok(Some(types));
            }
            (Stage::Columns(left @ 1.., types), _) => {
                types.push(column_type(packet)?);
                *left -= 1;
            }
            _ => return Err(damaged("columns without an end").into()),
        }
        Ok(None)
    }

    /// The next row, each value its length and its bytes; `None` behind the last. Cancel safe.
    ///
    /// # Errors
    /// As the server says.
    pub(super) async fn row(&mut self) -> Result<Option<Bytes>, Cause> {
        if self.stage != Stage::Rows {
            return Ok(None);
        }
        let packet = self.next().await?;
        if packet.first() == Some(&END) && packet.len() <= END_BYTES_MAX {
            self.stage = Stage::Idle;
            return Ok(None);
        }
        Ok(Some(packet))
    }

    /// Reads past all that is left. Cancel safe.
    ///
    /// # Errors
    /// As the server says.
    pub(super) async fn skip(&mut self) -> Result<(), Cause> {
        self.columns().await?;
        while self.row().await?.is_some() {}
        Ok(())
    }

    /// The next packet, which is no error: that would be the last.
    async fn next(&mut self) -> Result<Bytes, Cause> {
        let packet = self.packets.take().await.map_err(Cause::from);
        let packet = self.noticed(packet)?;
        if packet.first() != Some(&ERROR) {
            return Ok(packet);
        }
        self.stage = Stage::Idle;
        let said = Said::of(&packet[1..]).map_err(Cause::from);
        Err(Cause::Said(self.noticed(said)?))
    }

    /// Remembers that the session is over.
    fn noticed<T>(&mut self, answer: Result<T, Cause>) -> Result<T, Cause> {
        self.is_over |= matches!(answer, Err(Cause::Way(_)));
        answer
    }
}

/// The type of a column's definition: behind six texts and a few numbers.
fn column_type(mut definition: &[u8]) -> io::Result<u8> {
    let left = &mut definition;
    for _ in 0..6 {
        value(left)?;
    }
    // The length of what follows, character set, and width.
    bytes(left, 1 + 2 + 4)?;
    u8::try_from(number(left, 1)?).map_err(io::Error::other)
}
