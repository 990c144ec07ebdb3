//! Values as JSON texts, as PostgreSQL's `to_json` writes them: bytes in hexadecimal after `\x`, times
//! in ISO 8601, a value of a union without the name of its branch.

use std::io::Write;

use arrow::array::{ArrayRef, Decimal256Array};
use arrow::util::display::array_value_to_string;

use super::input::{DEPTH_MAX, Input};
use super::schema::{Node, NodeId, Schema};
use super::{Damage, scalar};

/// What a value turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It was null, which is nothing of a column's own: `null` was written.
    Null,
    Value,
}

/// Takes a value off the input, and writes it.
pub(super) fn write(
    node: NodeId,
    schema: &Schema,
    input: &mut Input<'_>,
    text: &mut Vec<u8>,
) -> Result<Written, Damage> {
    Writer {
        schema,
        text,
        depth: 0,
    }
    .value(node, input)
}

struct Writer<'a> {
    schema: &'a Schema,
    text: &'a mut Vec<u8>,
    depth: usize,
}

impl Writer<'_> {
    fn value(&mut self, node: NodeId, input: &mut Input<'_>) -> Result<Written, Damage> {
        input.expect(1)?;
        if self.depth > DEPTH_MAX {
            return Err(Damage::new("a value nests deeper than 64 levels"));
        }
        self.depth += 1;
        let schema = self.schema;
        let mut written = Written::Value;
        match schema.node(node) {
            Node::Null => {
                self.plain("null");
                written = Written::Null;
            }
            Node::Union(branches) => {
                let branch = branches[input.index(branches.len())?];
                written = self.value(branch, input)?;
            }
            Node::Array(items) => self.array(*items, input)?,
            Node::Map(values) => self.map(*values, input)?,
            Node::Record(fields) => self.record(fields, input)?,
            other => self.scalar(other, input)?,
        }
        self.depth -= 1;
        Ok(written)
    }

    fn array(&mut self, items: NodeId, input: &mut Input<'_>) -> Result<(), Damage> {
        self.plain("[");
        let mut separator = "";
        loop {
            let n_items = input.n_items()?;
            if n_items == 0 {
                break;
            }
            for _ in 0..n_items {
                self.plain(separator);
                self.value(items, input)?;
                separator = ",";
            }
        }
        self.plain("]");
        Ok(())
    }

    fn map(&mut self, values: NodeId, input: &mut Input<'_>) -> Result<(), Damage> {
        self.plain("{");
        let mut separator = "";
        loop {
            let n_items = input.n_items()?;
            if n_items == 0 {
                break;
            }
            for _ in 0..n_items {
                self.plain(separator);
                self.string(input.text()?)?;
                self.plain(":");
                self.value(values, input)?;
                separator = ",";
            }
        }
        self.plain("}");
        Ok(())
    }

    fn record(&mut self, fields: &[(String, NodeId)], input: &mut Input<'_>) -> Result<(), Damage> {
        self.plain("{");
        let mut separator = "";
        for (name, node) in fields {
            self.plain(separator);
            input.expect_name(name)?;
            self.string(name)?;
            self.plain(":");
            self.value(*node, input)?;
            separator = ",";
        }
        self.plain("}");
        Ok(())
    }

    fn scalar(&mut self, node: &Node, input: &mut Input<'_>) -> Result<(), Damage> {
        match node {
            Node::Boolean => self.display(input.boolean()?),
            Node::Int => self.display(input.int()?),
            Node::Long => self.display(input.long()?),
            Node::Float => {
                let value = f32::from_le_bytes(input.array()?);
                self.float(value.is_finite(), ryu::Buffer::new().format(value))
            }
            Node::Double => {
                let value = f64::from_le_bytes(input.array()?);
                self.float(value.is_finite(), ryu::Buffer::new().format(value))
            }
            Node::Bytes => self.bytes(input.bytes()?),
            Node::Fixed(size) => self.bytes(input.take(*size)?),
            Node::Enum(symbols) => self.string(input.symbol(symbols)?),
            Node::Uuid => self.string(&scalar::uuid(input)?),
            Node::Decimal { scale, .. } => self.decimal(scalar::decimal256(node, input)?, *scale),
            Node::Date => {
                let days = arrow::array::Date32Array::from(vec![input.int()?]);
                self.shown(std::sync::Arc::new(days))
            }
            Node::Time(_) => {
                let time = scalar::time(node, input)?;
                let time = arrow::array::Time64MicrosecondArray::from(vec![time]);
                self.shown(std::sync::Arc::new(time))
            }
            Node::Timestamp { is_instant, .. } => {
                let zone = is_instant.then_some("+00:00");
                let instant = vec![scalar::timestamp(node, input)?];
                let instant = arrow::array::TimestampMicrosecondArray::from(instant);
                self.shown(std::sync::Arc::new(instant.with_timezone_opt(zone)))
            }
            Node::Duration => {
                let duration = vec![scalar::duration(input)?];
                let duration = arrow::array::IntervalMonthDayNanoArray::from(duration);
                self.shown(std::sync::Arc::new(duration))
            }
            // The rest is not scalar.
            _ => self.string(input.text()?),
        }
    }

    fn plain(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn display(&mut self, value: impl std::fmt::Display) -> Result<(), Damage> {
        write!(self.text, "{value}").map_err(|cause| Damage::new(cause.to_string()))
    }

    fn string(&mut self, value: &str) -> Result<(), Damage> {
        serde_json::to_writer(&mut *self.text, value)
            .map_err(|cause| Damage::new(cause.to_string()))
    }

    /// JSON has no numbers that are none.
    fn float(&mut self, is_finite: bool, text: &str) -> Result<(), Damage> {
        match (is_finite, text) {
            (true, text) => self.plain(text),
            (false, "inf") => self.plain("\"Infinity\""),
            (false, "-inf") => self.plain("\"-Infinity\""),
            (false, _) => self.plain("\"NaN\""),
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        self.plain("\"\\\\x");
        for byte in bytes {
            self.display(format_args!("{byte:02x}"))?;
        }
        self.plain("\"");
        Ok(())
    }

    fn decimal(&mut self, value: arrow::datatypes::i256, scale: i8) -> Result<(), Damage> {
        let value = Decimal256Array::from(vec![value])
            .with_precision_and_scale(76, scale)
            .map_err(|cause| Damage::new(cause.to_string()))?;
        self.display(value.value_as_string(0))
    }

    /// A time as Arrow displays it, which is ISO 8601.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the callers make the array for this"
    )]
    fn shown(&mut self, array: ArrayRef) -> Result<(), Damage> {
        let text = array_value_to_string(&array, 0);
        let text = text.map_err(|cause| Damage::new(cause.to_string()))?;
        self.string(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_to_json_writes_them() {
        fn check(schema: &str, bytes: &[u8], expected: Option<&str>) {
            let schema = Schema::parse(schema.as_bytes()).unwrap();
            let mut text = Vec::new();
            let written = write(
                schema.fields()[0].1,
                &schema,
                &mut Input::new(bytes),
                &mut text,
            );
            let found = written
                .ok()
                .map(|_| String::from_utf8(text.clone()).unwrap());
            assert_eq!(found.as_deref(), expected, "{schema:?}");
        }
        let properties = r#"{"type":"map","values":["long","double","string","bytes","null"]}"#;
        let bytes = [
            4, 2, b'a', 0, 3, 2, b'b', 4, 2, b'"', 3, 18, 2, b'c', 6, 4, 0, 255, 2, b'd', 8, 0,
        ];
        let expected = r#"{"a":-2,"b":"\"","c":"\\x00ff","d":null}"#;
        check(properties, &bytes, Some(expected));
        check(properties, &[0], Some("{}"));
        check(properties, &[2, 2, b'a', 10], None);
        check(r#""double""#, &f64::NAN.to_le_bytes(), Some(r#""NaN""#));
        check(r#""float""#, &0.1_f32.to_le_bytes(), Some("0.1"));
        let date = r#"{"type":"int","logicalType":"date"}"#;
        check(date, &[1], Some(r#""1969-12-31""#));
        let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#;
        check(decimal, &[2, 0xff], Some("-0.01"));
        let instant = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
        check(instant, &[2], Some(r#""1970-01-01T00:00:00.001Z""#));
    }

    #[test]
    fn a_value_that_holds_itself_is_damage() {
        let schema = r#"{"type":"record","name":"r","fields":[{"name":"f","type":"r"}]}"#;
        let schema = Schema::parse(schema.as_bytes()).unwrap();
        let mut text = Vec::new();
        assert!(
            write(
                schema.fields()[0].1,
                &schema,
                &mut Input::new(&[]),
                &mut text
            )
            .is_err()
        );
    }
}
