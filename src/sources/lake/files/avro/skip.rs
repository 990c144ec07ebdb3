//! Passes over values of columns that nobody asked for.

use super::Damage;
use super::input::{DEPTH_MAX, Input};
use super::schema::{Node, NodeId, Schema};

/// Takes a value off the input.
pub(super) fn skip(
    node: NodeId,
    schema: &Schema,
    input: &mut Input<'_>,
    depth: usize,
) -> Result<(), Damage> {
    if depth > DEPTH_MAX {
        return Err(Damage::new("a value nests deeper than 64 levels"));
    }
    match schema.node(node) {
        Node::Null => {}
        Node::Boolean => drop(input.take(1)?),
        Node::Int | Node::Long | Node::Date | Node::Time(_) | Node::Timestamp { .. } => {
            input.long()?;
        }
        Node::Enum(_) => drop(input.long()?),
        Node::Float => drop(input.take(4)?),
        Node::Double => drop(input.take(8)?),
        Node::Uuid => drop(input.take(16)?),
        Node::Duration => drop(input.take(12)?),
        Node::Fixed(size)
        | Node::Decimal {
            n_bytes: Some(size),
            ..
        } => drop(input.take(*size)?),
        Node::Bytes | Node::Text | Node::Decimal { n_bytes: None, .. } => drop(input.bytes()?),
        Node::Union(branches) => {
            let branch = branches[input.index(branches.len())?];
            skip(branch, schema, input, depth + 1)?;
        }
        Node::Record(fields) => {
            // Records of records may multiply without taking a byte.
            input.expect(1)?;
            for (_, field) in fields {
                skip(*field, schema, input, depth + 1)?;
            }
        }
        Node::Array(items) => {
            while let n_items @ 1.. = input.n_items()? {
                input.expect(n_items)?;
                for _ in 0..n_items {
                    skip(*items, schema, input, depth + 1)?;
                }
            }
        }
        Node::Map(values) => {
            while let n_items @ 1.. = input.n_items()? {
                input.expect(n_items)?;
                for _ in 0..n_items {
                    input.bytes()?;
                    skip(*values, schema, input, depth + 1)?;
                }
            }
        }
    }
    Ok(())
}
