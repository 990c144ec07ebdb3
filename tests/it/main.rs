//! The one integration test executable: the gateway as its users meet it, and the rules of the house.

mod gateway;
mod wire;

mod slt;
mod tidy;
mod transcripts;
