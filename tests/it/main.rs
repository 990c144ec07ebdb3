//! The one integration test executable: the gateway as its users meet it, and the rules of the house.

mod gateway;
mod wire;

mod broken;
mod clients;
mod slt;
mod stopping;
mod stores;
mod tidy;
mod transcripts;
mod views;
