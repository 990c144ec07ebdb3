//! Functions of schema `lakegate` in FROM that are answered by a query of their own, with the rights of whoever asks.

use std::sync::Arc;

use super::references::{NamesOf, Resolver};
use super::resolved::{Derived, Meaning, ResolvedView, ViewKey};
use super::{parse, protect};
use crate::catalog::system::LAKEGATE;
use crate::catalog::views::View;
use crate::error::{Error, Result};

impl Resolver<'_> {
    /// What a query gives, in the place of a call; `call` is how messages name that, without the schema.
    ///
    /// # Errors
    /// A relation that the query reads is not there, or may not be read.
    pub(super) fn derived_query(
        &mut self,
        call: &str,
        text: String,
        names: NamesOf<'_>,
    ) -> Result<Meaning> {
        let view = View::of_function(LAKEGATE, call, text);
        let at = match names.at {
            Some(inherited) => inherited.clone(),
            None => self.session_point()?,
        };
        let (query, lines) = parse::parse_view(&view.query)?;
        let resolved = self.references(&query, &lines, names);
        let (references, limits) = resolved.map_err(Error::without_position)?;
        // No relation has an OID of the upper half (`snapshot::Oids`), and no two calls the same.
        let number = u32::try_from(self.derived.len()).map_err(Error::internal)?;
        let key = ViewKey {
            oid: u32::MAX - number,
            at,
        };
        self.derived.push(Derived::View(ResolvedView {
            key: key.clone(),
            view: Arc::new(view),
            session_calls: Arc::new(protect::session_calls(&query)),
            query: Arc::from(query),
            lines,
            references,
            limits,
        }));
        Ok(Meaning::View(key))
    }
}
