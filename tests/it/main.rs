//! The one integration test executable.
