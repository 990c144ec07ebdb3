//! Writes the server's messages into the out-buffer, on pgwire's message types.

use bytes::{BufMut, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::copy::{CopyDone, CopyOutResponse};
use pgwire::messages::data::{FieldDescription, NoData, ParameterDescription, RowDescription};
use pgwire::messages::extendedquery::{
    BindComplete, CloseComplete, ParseComplete, PortalSuspended,
};
use pgwire::messages::response::{
    CommandComplete, EmptyQueryResponse, ErrorResponse, NoticeResponse, NotificationResponse,
    ReadyForQuery, TransactionStatus,
};
use pgwire::messages::startup::{
    Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey,
};

use super::encode::Format;
use super::failure::{Failure, Severity};
use super::notify::Notification;
use super::sqlstate::sqlstate;
use crate::engine::Column;
use crate::types::PgType;

/// Appends a message. pgwire refuses only messages longer than its limits, and every text that a
/// client or a lake can lengthen goes into messages whose limit is that of the protocol.
fn put<M: Message>(output: &mut BytesMut, message: &M) {
    let start = output.len();
    if let Err(error) = message.encode(output) {
        output.truncate(start);
        tracing::error!(%error, "encode message");
    }
}

/// A text as a C string can hold it.
fn c_string(text: &str) -> String {
    text.replace('\0', "")
}

/// AuthenticationOk.
pub(super) fn authentication_ok(output: &mut BytesMut) {
    put(output, &Authentication::Ok);
}

/// AuthenticationCleartextPassword.
pub(super) fn authentication_password(output: &mut BytesMut) {
    put(output, &Authentication::CleartextPassword);
}

/// AuthenticationSASL: the mechanisms, the best first.
pub(super) fn authentication_sasl(output: &mut BytesMut, mechanisms: &[&str]) {
    let mechanisms = mechanisms.iter().map(|name| (*name).to_owned()).collect();
    put(output, &Authentication::SASL(mechanisms));
}

/// AuthenticationSASLContinue.
pub(super) fn authentication_continue(output: &mut BytesMut, data: Vec<u8>) {
    put(output, &Authentication::SASLContinue(data.into()));
}

/// AuthenticationSASLFinal.
pub(super) fn authentication_final(output: &mut BytesMut, data: Vec<u8>) {
    put(output, &Authentication::SASLFinal(data.into()));
}

/// NegotiateProtocolVersion: the version that is spoken instead (major and minor as in a start-up
/// packet), and what of the packet is not understood here.
pub(super) fn negotiate_protocol(
    output: &mut BytesMut,
    version: i32,
    unknown_options: Vec<String>,
) {
    put(
        output,
        &NegotiateProtocolVersion::new(version, unknown_options),
    );
}

/// BackendKeyData.
pub(super) fn backend_key(output: &mut BytesMut, pid: i32, secret: &[u8]) {
    let secret = SecretKey::Bytes(secret.to_vec().into());
    put(output, &BackendKeyData::new(pid, secret));
}

/// ParameterStatus.
pub(super) fn parameter_status(output: &mut BytesMut, name: &str, value: &str) {
    put(
        output,
        &ParameterStatus::new(name.to_owned(), c_string(value)),
    );
}

/// NotificationResponse.
pub(super) fn notification(output: &mut BytesMut, notification: &Notification) {
    put(
        output,
        &NotificationResponse::new(
            notification.pid,
            notification.channel.as_ref().to_owned(),
            notification.payload.as_ref().to_owned(),
        ),
    );
}

/// ReadyForQuery.
pub(super) fn ready(output: &mut BytesMut, status: TransactionStatus) {
    put(output, &ReadyForQuery::new(status));
}

/// ParseComplete.
pub(super) fn parse_complete(output: &mut BytesMut) {
    put(output, &ParseComplete::new());
}

/// BindComplete.
pub(super) fn bind_complete(output: &mut BytesMut) {
    put(output, &BindComplete::new());
}

/// CloseComplete.
pub(super) fn close_complete(output: &mut BytesMut) {
    put(output, &CloseComplete::new());
}

/// PortalSuspended.
pub(super) fn portal_suspended(output: &mut BytesMut) {
    put(output, &PortalSuspended::new());
}

/// NoData.
pub(super) fn no_data(output: &mut BytesMut) {
    put(output, &NoData::new());
}

/// EmptyQueryResponse.
pub(super) fn empty_query(output: &mut BytesMut) {
    put(output, &EmptyQueryResponse::new());
}

/// CommandComplete.
pub(super) fn command_complete(output: &mut BytesMut, tag: impl Into<String>) {
    put(output, &CommandComplete::new(tag.into()));
}

/// ParameterDescription.
pub(super) fn parameter_description(output: &mut BytesMut, parameters: &[PgType]) {
    let oids = parameters.iter().map(|parameter| parameter.oid).collect();
    put(output, &ParameterDescription::new(oids));
}

/// CopyOutResponse; every column has the format.
pub(super) fn copy_out(output: &mut BytesMut, format: Format, n_columns: usize) {
    let format_byte = i8::try_from(format.code()).unwrap_or(0);
    // `within_width` has counted them.
    let n_columns = i16::try_from(n_columns).unwrap_or(i16::MAX);
    let formats = (0..n_columns).map(|_| format.code()).collect();
    put(
        output,
        &CopyOutResponse::new(format_byte, n_columns, formats),
    );
}

/// CopyDone.
pub(super) fn copy_done(output: &mut BytesMut) {
    put(output, &CopyDone::new());
}

/// RowDescription; `formats` has one for each column.
pub(super) fn row_description(output: &mut BytesMut, columns: &[Column], formats: &[Format]) {
    let fields = columns
        .iter()
        .zip(formats)
        .map(|(column, format)| {
            FieldDescription::new(
                c_string(&column.name),
                0,
                0,
                column.pg_type.oid,
                column.pg_type.length,
                column.pg_type.modifier,
                format.code(),
            )
        })
        .collect();
    put(output, &RowDescription::new(fields));
}

/// ErrorResponse or NoticeResponse, by severity.
pub(super) fn failure(output: &mut BytesMut, failure: &Failure) {
    let word = failure.severity.word().to_owned();
    let mut fields = vec![
        (b'S', word.clone()),
        (b'V', word),
        (b'C', sqlstate(failure.condition).to_owned()),
        (b'M', c_string(&failure.message)),
    ];
    if let Some(detail) = &failure.detail {
        fields.push((b'D', c_string(detail)));
    }
    if let Some(hint) = &failure.hint {
        fields.push((b'H', c_string(hint)));
    }
    if let Some(position) = failure.position {
        fields.push((b'P', position.to_string()));
    }
    match failure.severity {
        Severity::Error | Severity::Fatal => put(output, &ErrorResponse::new(fields)),
        Severity::Warning | Severity::Notice => put(output, &NoticeResponse::new(fields)),
    }
}

/// The answer to SSLRequest: yes. It has no header.
pub(super) fn accept_encryption(output: &mut BytesMut) {
    output.put_u8(b'S');
}

/// The answer to SSLRequest and GSSENCRequest: no. It has no header.
pub(super) fn refuse_encryption(output: &mut BytesMut) {
    output.put_u8(b'N');
}
