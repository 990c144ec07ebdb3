//! A client that speaks the protocol message by message, for what drivers hide: order, formats,
//! error fields, and what happens when a client behaves badly.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Nothing a test waits for takes longer; a gateway that hangs fails the test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A message of the server: its tag and its body without the length.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
}

/// An ErrorResponse or NoticeResponse, field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report(pub(crate) Vec<(char, String)>);

impl Report {
    /// The field of this letter, or nothing.
    pub(crate) fn field(&self, letter: char) -> &str {
        self.0
            .iter()
            .find(|(of, _)| *of == letter)
            .map_or("", |(_, value)| value)
    }

    pub(crate) fn code(&self) -> &str {
        self.field('C')
    }

    pub(crate) fn message(&self) -> &str {
        self.field('M')
    }
}

/// What one statement of a simple query answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<String>,
    pub(crate) types: Vec<u32>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    pub(crate) tag: String,
}

impl Message {
    /// The fields of an ErrorResponse or NoticeResponse.
    pub(crate) fn report(&self) -> Report {
        let fields = self.body.split(|byte| *byte == 0);
        let known = fields.filter(|field| !field.is_empty()).map(|field| {
            let value = String::from_utf8_lossy(&field[1..]).into_owned();
            (char::from(field[0]), value)
        });
        Report(known.collect())
    }

    /// The values of a DataRow.
    pub(crate) fn values(&self) -> Vec<Option<Vec<u8>>> {
        let mut body = Body(&self.body);
        let n_values = body.int16();
        (0..n_values)
            .map(|_| {
                let length = body.int32();
                (length >= 0).then(|| body.bytes(usize::try_from(length).expect("not negative")))
            })
            .collect()
    }

    /// Name, type, length, modifier and format of each column of a RowDescription.
    pub(crate) fn columns(&self) -> Vec<(String, u32, i16, i32, i16)> {
        let mut body = Body(&self.body);
        let n_columns = body.int16();
        (0..n_columns)
            .map(|_| {
                let name = body.text();
                body.bytes(6); // The table's OID and the column's number: drivers ignore them.
                let type_oid = body.int32().cast_unsigned();
                (name, type_oid, body.int16(), body.int32(), body.int16())
            })
            .collect()
    }
}

/// Reads a message's body from the front.
pub(crate) struct Body<'a>(pub(crate) &'a [u8]);

impl Body<'_> {
    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        head.to_vec()
    }

    pub(crate) fn int16(&mut self) -> i16 {
        i16::from_be_bytes(self.bytes(2).try_into().expect("two bytes"))
    }

    pub(crate) fn int32(&mut self) -> i32 {
        i32::from_be_bytes(self.bytes(4).try_into().expect("four bytes"))
    }

    pub(crate) fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).expect("ends");
        let text = String::from_utf8_lossy(&self.bytes(end)).into_owned();
        self.bytes(1);
        text
    }
}

/// A message of the client: tag, length, body.
pub(crate) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend(length_of(body));
    out.extend(body);
    out
}

/// The start-up message with these parameters.
pub(crate) fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608_i32.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    let mut out = length_of(&body).to_vec();
    out.extend(body);
    out
}

fn length_of(body: &[u8]) -> [u8; 4] {
    i32::try_from(body.len() + 4)
        .expect("a test's message is small")
        .to_be_bytes()
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    address: SocketAddr,
    cancel_key: Vec<u8>,
}

impl Wire {
    /// Connects without a word.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            address,
            cancel_key: Vec::new(),
        })
    }

    /// Connects and starts a session, up to the first ReadyForQuery. The refusal, if refused.
    pub(crate) fn start(
        address: SocketAddr,
        parameters: &[(&str, &str)],
    ) -> io::Result<Result<Self, Report>> {
        let mut wire = Self::open(address)?;
        wire.send(&startup(parameters))?;
        loop {
            let message = wire.read()?;
            match message.tag {
                b'K' => wire.cancel_key = message.body,
                b'E' => return Ok(Err(message.report())),
                b'Z' => return Ok(Ok(wire)),
                _ => {}
            }
        }
    }

    /// A session of user `postgres`, which both Lakegate and the PostgreSQL of the tests have.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::start(address, &[("user", "postgres")])
            .expect("the server answers")
            .expect("the server lets user postgres in")
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next message.
    pub(crate) fn read(&mut self) -> io::Result<Message> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; usize::try_from(length).expect("fits") - 4];
        self.stream.read_exact(&mut body)?;
        Ok(Message { tag: head[0], body })
    }

    /// One byte, as the answer to an SSLRequest is.
    pub(crate) fn read_byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// Sends a simple query without waiting for its answer.
    pub(crate) fn send_query(&mut self, sql: &str) {
        let body = format!("{sql}\0");
        self.send(&message(b'Q', body.as_bytes()))
            .expect("the connection takes a query");
    }

    /// Runs a simple query: what each statement answered, or the error.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<Rows>, Report> {
        self.send_query(sql);
        self.answers()
    }

    /// Runs one statement through Parse, Bind, Describe and Execute, results as text.
    pub(crate) fn query_extended(&mut self, sql: &str) -> Result<Vec<Rows>, Report> {
        let mut out = message(b'P', format!("\0{sql}\0\0\0").as_bytes());
        out.extend(message(b'B', &[0; 8]));
        out.extend(message(b'D', b"P\0"));
        out.extend(message(b'E', &[0; 5]));
        out.extend(message(b'S', &[]));
        self.send(&out).expect("the connection takes a statement");
        self.answers()
    }

    /// Everything up to ReadyForQuery.
    pub(crate) fn answers(&mut self) -> Result<Vec<Rows>, Report> {
        let (mut done, mut rows, mut error) = (Vec::new(), Rows::default(), None);
        loop {
            let message = self.read().expect("the server answers in time");
            match message.tag {
                b'T' => {
                    for (name, type_oid, ..) in message.columns() {
                        rows.columns.push(name);
                        rows.types.push(type_oid);
                    }
                }
                b'D' => rows.rows.push(texts(message.values())),
                b'C' => {
                    rows.tag = Body(&message.body).text();
                    done.push(std::mem::take(&mut rows));
                }
                b'E' => error = Some(message.report()),
                b'Z' => return error.map_or(Ok(done), Err),
                _ => {}
            }
        }
    }

    /// The single value of a one-row, one-column query.
    pub(crate) fn value(&mut self, sql: &str) -> String {
        let answers = self
            .query(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let value = answers[0].rows[0][0].clone();
        value.unwrap_or_else(|| panic!("{sql} is null"))
    }

    /// Asks the server, on a connection of its own, to cancel what this one runs.
    pub(crate) fn cancel(&self) {
        self.cancel_with(&self.cancel_key);
    }

    /// Asks for the same with a secret that is not this connection's.
    pub(crate) fn cancel_with_wrong_secret(&self) {
        let mut key = self.cancel_key.clone();
        *key.last_mut().expect("a key ends with its secret") ^= 1;
        self.cancel_with(&key);
    }

    fn cancel_with(&self, key: &[u8]) {
        let mut body = 80_877_102_i32.to_be_bytes().to_vec();
        body.extend(key);
        let mut out = length_of(&body).to_vec();
        out.extend(body);
        let mut other = Self::open(self.address).expect("the server takes a cancel request");
        other.send(&out).expect("the server reads a cancel request");
        assert!(other.read().is_err(), "a cancel request has no answer");
    }
}

fn texts(values: Vec<Option<Vec<u8>>>) -> Vec<Option<String>> {
    values
        .into_iter()
        .map(|value| value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        .collect()
}
