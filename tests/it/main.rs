//! The one integration test executable: the gateway as its users meet it, and the rules of the house.

mod certificates;
mod delta;
mod gateway;
mod issuer;
mod login;
mod wire;
mod world;

mod apart;
mod audit;
mod auth;
mod broken;
mod caching;
mod clients;
mod downgrade;
mod encodings;
mod every_right;
mod garbage;
mod hidden_rows;
mod history;
mod limits;
mod policies;
mod rights;
mod roles;
mod slt;
mod statements;
mod stopping;
mod stores;
mod styles;
mod tidy;
mod tls;
mod tokens;
mod transcripts;
mod travel;
mod views;
mod warehouse;
