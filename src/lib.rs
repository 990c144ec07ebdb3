//! Lakegate: a PostgreSQL-compatible SQL gateway over a data lake.
//!
//! The rooms, in the order a query meets them; a room may name only rooms below it
//! (`docs/ARCHITECTURE.md` is the map, `tests/it/tidy.rs` holds it):
//! gateway, demo, maintain, wire, engine, functions, materialize, catalog, sources, storage, auth, types, config, observe, error.

pub mod gateway;

pub mod demo;

pub mod maintain;

pub mod wire;

pub mod engine;

pub mod functions;

pub mod materialize;

pub mod catalog;

pub mod sources;

pub mod storage;

pub mod auth;

pub mod types;

pub mod config;
pub mod error;
pub mod observe;
