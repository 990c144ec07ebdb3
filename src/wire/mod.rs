//! A door: PostgreSQL's wire protocol 3.0, in a connection loop of our own on pgwire's messages.
//! <https://www.postgresql.org/docs/16/protocol.html>
