//! The session's style, where the rules of a plan find it: among the options that they are given.

use std::any::Any;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::{DataFusionError, Result};

use crate::functions::output::Style;

/// The style of the session whose statement is planned.
#[derive(Clone, Debug, Default)]
struct SessionStyle(Style);

impl ConfigExtension for SessionStyle {
    const PREFIX: &'static str = "lakegate";
}

impl ExtensionOptions for SessionStyle {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    /// Nothing is set by name: a session's settings are the wire's.
    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        let message = format!("option {key} is not one to set");
        Err(DataFusionError::Configuration(message))
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

/// Gives the rules a statement's style.
pub(super) fn put(options: &mut ConfigOptions, style: Style) {
    options.extensions.insert(SessionStyle(style));
}

/// The style of the statement whose options these are.
pub(super) fn of(options: &ConfigOptions) -> Style {
    let own = options.extensions.get::<SessionStyle>();
    own.map(|own| own.0).unwrap_or_default()
}
