//! The one integration test executable: the gateway as its users meet it, and the rules of the house.

mod certificates;
mod gateway;
mod login;
mod wire;

mod apart;
mod auth;
mod broken;
mod clients;
mod downgrade;
mod encodings;
mod garbage;
mod rights;
mod roles;
mod slt;
mod stopping;
mod stores;
mod styles;
mod tidy;
mod tls;
mod transcripts;
mod views;
