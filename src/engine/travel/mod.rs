//! Time travel: at which moment of its history a relation is read, and how a statement says so.
//!
//! The spellings of SQL:2011, Databricks, Trino and Snowflake become one form of the tree
//! ([`spellings`], [`mark`]); what they say is computed once, before names are resolved
//! ([`clock`]), and gives a [`Point`].

mod between;
mod calls;
mod clock;
mod mark;
mod past;
mod point;
mod resolve;
mod rows;
mod save;
mod spellings;
mod then;
mod told;

pub(super) use between::narrow;
pub(super) use calls::{argument, function_of};
pub(super) use clock::{Clock, is_number, looks_back};
pub(super) use mark::{mark, said, unmarked};
pub(super) use past::Past;
pub(super) use point::{Point, behind_sign, no_history};
pub(super) use rows::whole_row;
pub(super) use save::complete;
pub(super) use spellings::as_arguments;
pub(super) use then::as_it_was;
pub(super) use told::{naming_versions, telling};
