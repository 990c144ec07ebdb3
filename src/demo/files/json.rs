//! Writes JSON text with its keys in the order given.

use std::fmt::{Display, Write};

/// An object that is being written, without white space.
pub(crate) struct Object {
    text: String,
}

impl Object {
    pub(crate) fn new() -> Self {
        Self {
            text: "{".to_owned(),
        }
    }

    /// A key whose value is JSON text already: a number, `true`, an object.
    pub(crate) fn raw(mut self, key: &str, value: impl Display) -> Self {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        write!(self.text, "\"{key}\":{value}").expect("a String takes all text");
        self
    }

    /// A key with a text.
    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.raw(key, quoted(value))
    }

    /// A key with a value or null.
    pub(crate) fn optional(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.raw(key, value),
            None => self.raw(key, "null"),
        }
    }

    /// The whole object.
    pub(crate) fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A JSON array of values that are JSON text already.
pub(crate) fn array(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    format!("[{}]", values.join(","))
}
