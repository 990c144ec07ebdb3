//! The last definition of each view that could be planned, kept where a restart finds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FullName, Place, ReferencesOf, View};
use crate::catalog::sql::MaterializedOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::{Change, Folder};

/// The file that holds them, in the state folder.
const FILE: &str = "good_views.json";

/// Definitions that could be planned.
#[derive(Clone, Debug, Default)]
pub struct Good {
    views: BTreeMap<FullName, Arc<View>>,
    /// The file as it was read or written last; `None` if there is none.
    text: Option<String>,
}

/// A definition as the file has it.
#[derive(Serialize, Deserialize)]
struct Kept {
    schema: String,
    name: String,
    columns: Vec<String>,
    #[serde(default)]
    security_invoker: bool,
    query: String,
    /// The options of a materialized view, with their values.
    #[serde(default)]
    materialized: Option<Vec<(String, String)>>,
    path: String,
    line: usize,
    column: usize,
    description: Option<String>,
}

impl Good {
    /// Reads them. A file that cannot be read, or that nobody wrote, is as if there were none.
    pub async fn read(state: &Folder, references_of: ReferencesOf) -> Self {
        let text = match state.read_file(FILE).await {
            Ok(Some(text)) => text,
            Ok(None) => return Self::default(),
            Err(error) => {
                tracing::warn!(%error, "the last good definitions of views cannot be read");
                return Self::default();
            }
        };
        let kept: Vec<Kept> = match serde_json::from_str(&text) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(%error, "the last good definitions of views are damaged");
                Vec::new()
            }
        };
        let views = kept.into_iter().map(|kept| {
            let place = Place {
                path: kept.path,
                start: (kept.line, kept.column),
                query: kept.query.as_str().into(),
            };
            let view = View {
                reads: references_of(&kept.query).unwrap_or_default(),
                schema: kept.schema,
                name: kept.name,
                columns: kept.columns,
                security_invoker: kept.security_invoker,
                query: kept.query,
                place,
                description: kept.description,
                materialized: kept.materialized.map(options_of),
            };
            ((view.schema.clone(), view.name.clone()), Arc::new(view))
        });
        Self {
            views: views.collect(),
            text: Some(text),
        }
    }

    /// The last good definition of a view.
    pub fn get(&self, name: &FullName) -> Option<&Arc<View>> {
        self.views.get(name)
    }

    /// Notes that a definition could be planned; whether it is another than before.
    pub fn note(&mut self, view: &Arc<View>) -> bool {
        let name = (view.schema.clone(), view.name.clone());
        let known = self.views.insert(name, Arc::clone(view));
        known.is_none_or(|known| !known.is_same(view))
    }

    /// Forgets the views that are not defined any more; whether there were any.
    pub fn keep_only(&mut self, exists: impl Fn(&FullName) -> bool) -> bool {
        let n_before = self.views.len();
        self.views.retain(|name, _| exists(name));
        self.views.len() < n_before
    }

    /// Writes them. Another gateway may have been faster: it wrote the same, or the next writing
    /// begins with what it wrote.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub async fn write(&mut self, state: &Folder) -> Result<()> {
        let kept: Vec<Kept> = self
            .views
            .values()
            .map(|view| Kept {
                schema: view.schema.clone(),
                name: view.name.clone(),
                columns: view.columns.clone(),
                security_invoker: view.security_invoker,
                query: view.query.clone(),
                materialized: view.materialized.as_ref().map(said_options),
                path: view.place.path.clone(),
                line: view.place.start.0,
                column: view.place.start.1,
                description: view.description.clone(),
            })
            .collect();
        let text = serde_json::to_string_pretty(&kept).map_err(Error::internal)?;
        if self.text.as_ref() == Some(&text) {
            return Ok(());
        }
        let change = Change {
            path: FILE.to_owned(),
            before: self.text.clone(),
            after: Some(text.clone()),
        };
        match state.commit(vec![change]).await {
            Ok(()) => {
                self.text = Some(text);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::SerializationFailure => {
                self.text = state.read_file(FILE).await?;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The options of a materialized view as they are kept.
fn said_options(options: &MaterializedOptions) -> Vec<(String, String)> {
    let staleness = options.max_staleness.as_ref();
    let staleness = staleness.map(|span| ("max_staleness".to_owned(), span.text.clone()));
    let refresh = ("refresh".to_owned(), options.refresh.text());
    [refresh].into_iter().chain(staleness).collect()
}

/// What is kept of options; one that is not understood is as if it were not said.
fn options_of(said: Vec<(String, String)>) -> MaterializedOptions {
    let mut options = MaterializedOptions::default();
    for (name, value) in said {
        if let Err(error) = options.set(&name, Some(&value)) {
            tracing::warn!(%error, "the last good definitions of views are damaged");
        }
    }
    options
}
