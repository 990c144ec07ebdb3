//! The one integration test executable: the gateway as its users meet it, and the rules of the house.

mod tidy;
