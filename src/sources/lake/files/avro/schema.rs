//! Reads the schema in an Avro file's header: which values follow one another, and what they mean.
//!
//! As the specification says (Avro 1.11.1, "Schema Declaration"); a logical type that is not known, or
//! does not fit, counts as the type below it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Damage;

/// How many types a schema may name: far more than any that people write.
const NODES_MAX: usize = 100_000;

/// The most digits that a decimal of 256 bits holds.
const DIGITS_MAX: u64 = 76;

/// A file's schema. Types refer to one another by number, so that they may be recursive.
#[derive(Debug)]
pub(super) struct Schema {
    nodes: Vec<Node>,
    root: NodeId,
}

/// The number of a type in its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Date,
    Time(Unit),
    Timestamp {
        unit: Unit,
        /// Whether it is an instant; else a clock on some wall.
        is_instant: bool,
    },
    Decimal {
        /// How many bytes a value has; `None` if each says so itself.
        n_bytes: Option<usize>,
        precision: u8,
        scale: i8,
    },
    /// A UUID in 16 bytes.
    Uuid,
    /// Months, days and milliseconds.
    Duration,
    Fixed(usize),
    Enum(Vec<String>),
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(Vec<(String, NodeId)>),
}

/// What a time counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millisecond,
    Microsecond,
    Nanosecond,
}

impl Schema {
    /// Parses the text of `avro.schema`.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Damage> {
        let json: Value = serde_json::from_slice(text)
            .map_err(|cause| Damage::new(format!("its schema is not JSON: {cause}")))?;
        let mut parser = Parser::default();
        let root = parser.node(&json, "")?;
        Ok(Self {
            nodes: parser.nodes,
            root,
        })
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The fields of a row. A file of values that are no records has one, `value`.
    pub(super) fn fields(&self) -> Vec<(&str, NodeId)> {
        match self.node(self.root) {
            Node::Record(fields) => fields
                .iter()
                .map(|(name, id)| (name.as_str(), *id))
                .collect(),
            _ => vec![("value", self.root)],
        }
    }
}

#[derive(Default)]
struct Parser {
    nodes: Vec<Node>,
    /// By full name.
    named: HashMap<String, NodeId>,
}

impl Parser {
    fn add(&mut self, node: Node) -> Result<NodeId, Damage> {
        if self.nodes.len() >= NODES_MAX {
            return Err(Damage::new("its schema names too many types"));
        }
        self.nodes.push(node);
        Ok(NodeId(self.nodes.len() - 1))
    }

    // The depth is bounded by that of the JSON, which serde_json bounds.
    fn node(&mut self, json: &Value, namespace: &str) -> Result<NodeId, Damage> {
        match json {
            Value::String(name) => match primitive(name) {
                Some(node) => self.add(node),
                None => self.reference(name, namespace),
            },
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.node(branch, namespace));
                let branches = branches.collect::<Result<Vec<_>, _>>()?;
                self.add(Node::Union(branches))
            }
            Value::Object(object) => self.object(object, namespace),
            other => Err(Damage::new(format!("its schema has {other} for a type"))),
        }
    }

    fn reference(&self, name: &str, namespace: &str) -> Result<NodeId, Damage> {
        self.named
            .get(&full_name(name, namespace))
            .or_else(|| self.named.get(name))
            .copied()
            .ok_or_else(|| {
                Damage::new(format!(
                    "its schema refers to type \"{name}\", which it does not define"
                ))
            })
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<NodeId, Damage> {
        let kind = match object.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            // A type may be wrapped in another object for attributes of its own.
            Some(inner) => return self.node(inner, namespace),
            None => return Err(Damage::new("its schema has an object without a type")),
        };
        let part = |key: &str| {
            object
                .get(key)
                .ok_or_else(|| Damage::new(format!("its schema has a type {kind} without {key}")))
        };
        match kind {
            "array" => {
                let items = self.node(part("items")?, namespace)?;
                self.add(Node::Array(items))
            }
            "map" => {
                let values = self.node(part("values")?, namespace)?;
                self.add(Node::Map(values))
            }
            "record" | "error" | "enum" | "fixed" => self.named(kind, object, namespace),
            kind => match primitive(kind) {
                Some(plain) => self.add(logical(plain, object)),
                None => self.reference(kind, namespace),
            },
        }
    }

    fn named(
        &mut self,
        kind: &str,
        object: &Map<String, Value>,
        namespace: &str,
    ) -> Result<NodeId, Damage> {
        let text = |key| object.get(key).and_then(Value::as_str);
        let name = text("name")
            .ok_or_else(|| Damage::new(format!("its schema has a type {kind} without a name")))?;
        let name = full_name(name, text("namespace").unwrap_or(namespace));
        let node = match kind {
            "enum" => Node::Enum(symbols(object)?),
            "fixed" => {
                let n_bytes = object.get("size").and_then(Value::as_u64);
                let n_bytes = n_bytes.and_then(|size| usize::try_from(size).ok());
                let n_bytes = n_bytes.ok_or_else(|| {
                    Damage::new(format!("its schema has a type {name} without a size"))
                })?;
                logical(Node::Fixed(n_bytes), object)
            }
            _ => Node::Record(Vec::new()),
        };
        let is_record = matches!(node, Node::Record(_));
        let id = self.add(node)?;
        // Before its fields are read, for they may refer to it.
        if self.named.insert(name.clone(), id).is_some() {
            return Err(Damage::new(format!(
                "its schema defines type \"{name}\" twice"
            )));
        }
        if is_record {
            let namespace = name.rsplit_once('.').map_or("", |(namespace, _)| namespace);
            self.nodes[id.0] = Node::Record(self.record_fields(&name, object, namespace)?);
        }
        Ok(id)
    }

    fn record_fields(
        &mut self,
        record: &str,
        object: &Map<String, Value>,
        namespace: &str,
    ) -> Result<Vec<(String, NodeId)>, Damage> {
        let fields = object.get("fields").and_then(Value::as_array);
        let fields = fields.ok_or_else(|| {
            Damage::new(format!("its schema has a record {record} without fields"))
        })?;
        let mut known: Vec<(String, NodeId)> = Vec::with_capacity(fields.len());
        let mut names = std::collections::HashSet::new();
        for field in fields {
            let name = field.get("name").and_then(Value::as_str);
            let (Some(name), Some(json)) = (name, field.get("type")) else {
                return Err(Damage::new(format!(
                    "its schema has a field of {record} without name or type"
                )));
            };
            if !names.insert(name) {
                return Err(Damage::new(format!(
                    "its schema has two fields \"{name}\" in record {record}"
                )));
            }
            known.push((name.to_owned(), self.node(json, namespace)?));
        }
        Ok(known)
    }
}

fn symbols(object: &Map<String, Value>) -> Result<Vec<String>, Damage> {
    let symbols = object.get("symbols").and_then(Value::as_array);
    symbols
        .into_iter()
        .flatten()
        .map(|symbol| symbol.as_str().map(str::to_owned))
        .collect::<Option<Vec<_>>>()
        .filter(|symbols| !symbols.is_empty())
        .ok_or_else(|| Damage::new("its schema has an enum without symbols"))
}

/// A name with dots is full already.
fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn primitive(name: &str) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int,
        "long" => Node::Long,
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes,
        "string" => Node::Text,
        _ => return None,
    })
}

/// What a type means, if its attributes say so.
fn logical(plain: Node, object: &Map<String, Value>) -> Node {
    let meaning = object.get("logicalType").and_then(Value::as_str);
    let timestamp = |unit, is_instant| Node::Timestamp { unit, is_instant };
    match (&plain, meaning.unwrap_or_default()) {
        (Node::Int, "date") => Node::Date,
        (Node::Int, "time-millis") => Node::Time(Unit::Millisecond),
        (Node::Long, "time-micros") => Node::Time(Unit::Microsecond),
        (Node::Long, "time-nanos") => Node::Time(Unit::Nanosecond),
        (Node::Long, "timestamp-millis") => timestamp(Unit::Millisecond, true),
        (Node::Long, "timestamp-micros") => timestamp(Unit::Microsecond, true),
        (Node::Long, "timestamp-nanos") => timestamp(Unit::Nanosecond, true),
        (Node::Long, "local-timestamp-millis") => timestamp(Unit::Millisecond, false),
        (Node::Long, "local-timestamp-micros") => timestamp(Unit::Microsecond, false),
        (Node::Long, "local-timestamp-nanos") => timestamp(Unit::Nanosecond, false),
        (Node::Bytes, "decimal") => decimal(None, object).unwrap_or(plain),
        (Node::Fixed(n_bytes), "decimal") => decimal(Some(*n_bytes), object).unwrap_or(plain),
        (Node::Fixed(16), "uuid") => Node::Uuid,
        (Node::Fixed(12), "duration") => Node::Duration,
        _ => plain,
    }
}

fn decimal(n_bytes: Option<usize>, object: &Map<String, Value>) -> Option<Node> {
    let precision = object.get("precision")?.as_u64()?;
    let scale = object.get("scale").map_or(Some(0), Value::as_u64)?;
    let is_valid = (1..=DIGITS_MAX).contains(&precision) && scale <= precision;
    is_valid.then_some(Node::Decimal {
        n_bytes,
        precision: u8::try_from(precision).ok()?,
        scale: i8::try_from(scale).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(json: &str) -> Result<Node, Damage> {
        let text = format!(
            r#"{{"type":"record","name":"r","namespace":"n","fields":[{{"name":"f","type":{json}}}]}}"#
        );
        let schema = Schema::parse(text.as_bytes())?;
        let id = schema.fields()[0].1;
        Ok(schema.node(id).clone())
    }

    #[test]
    fn types_and_their_meanings_are_read() {
        fn check(json: &str, expected: &Node) {
            assert_eq!(&field(json).unwrap(), expected, "{json}");
        }
        check(r#""long""#, &Node::Long);
        check(r#"{"type":{"type":"string"}}"#, &Node::Text);
        check(r#"{"type":"int","logicalType":"date"}"#, &Node::Date);
        check(r#"{"type":"long","logicalType":"date"}"#, &Node::Long);
        let decimal = |attributes: &str| {
            format!(r#"{{"type":"bytes","logicalType":"decimal",{attributes}}}"#)
        };
        let of_four = Node::Decimal {
            n_bytes: None,
            precision: 4,
            scale: 2,
        };
        check(&decimal(r#""precision":4,"scale":2"#), &of_four);
        check(&decimal(r#""precision":4,"scale":5"#), &Node::Bytes);
        check(&decimal(r#""precision":77"#), &Node::Bytes);
        check(
            r#"{"type":"enum","name":"e","symbols":["A"]}"#,
            &Node::Enum(vec!["A".to_owned()]),
        );
        assert!(matches!(field(r#"["null","r"]"#), Ok(Node::Union(_))));
        assert!(matches!(field(r#""n.r""#), Ok(Node::Record(_))));
    }

    #[test]
    fn a_schema_that_means_nothing_is_damage() {
        for json in [
            "1",
            r#""x.r""#,
            r#"{"type":"array"}"#,
            r#"{"type":"fixed","name":"x","size":-1}"#,
            r#"{"type":"enum","name":"x","symbols":[1]}"#,
            r#"{"type":"record","name":"r","fields":[]}"#,
            r#"{"type":"record","name":"x","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#,
        ] {
            assert!(field(json).is_err(), "{json}");
        }
        let deep = "[".repeat(1_000_000);
        assert!(Schema::parse(deep.as_bytes()).is_err());
    }
}
