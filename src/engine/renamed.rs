//! A view's text after a relation that it reads was given another name.

use std::ops::{ControlFlow, Range};

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, Spanned,
    TableFactor, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::named_in_query::references_of;
use super::output_name::fold;
use super::parse;
use super::scope::reference;
use super::travel::unmarked;
use crate::catalog::sql::identifier;
use crate::catalog::views::{FullName, Reference};
use crate::engine::walk::walk;

/// The text of a view with the new names of what it reads; its columns keep theirs, for the old name stays as an
/// alias. `None` if that cannot be said by a change of names alone.
pub(super) fn renamed(text: &str, to: &dyn Fn(&Reference) -> Option<FullName>) -> Option<String> {
    let (query, lines) = parse::parse_view(text).ok()?;
    let mut names = Names {
        to,
        found: Vec::new(),
    };
    if walk(&query, &mut names).is_break() {
        return None;
    }
    let byte = |place: Location| lines.byte(text, place);
    let places = names.found.into_iter();
    let mut places: Vec<(Range<usize>, String)> = places
        .map(|(place, name)| (byte(place.start)..byte(place.end), name))
        .collect();
    places.sort_by_key(|(place, _)| place.start);
    let mut written = text.to_owned();
    for (place, name) in places.into_iter().rev() {
        written.replace_range(place, &name);
    }
    let reads = references_of(&written).ok()?;
    let is_followed = !reads.iter().any(|reference| to(reference).is_some());
    is_followed.then_some(written)
}

/// Collects where relations are named that have a new name. Ends where a new name would not do.
struct Names<'a> {
    to: &'a dyn Fn(&Reference) -> Option<FullName>,
    found: Vec<(Range<Location>, String)>,
}

impl Names<'_> {
    fn is_renamed(&self, name: &str) -> bool {
        (self.to)(&(None, name.to_owned())).is_some()
    }

    /// Whether a qualifier names a schema and a relation in it that has a new name.
    fn is_renamed_qualifier(&self, parts: &[Ident]) -> bool {
        match parts {
            [.., schema, name] => (self.to)(&(Some(fold(schema)), fold(name))).is_some(),
            _ => false,
        }
    }

    fn table(
        &mut self,
        name: &ObjectName,
        is_moved: bool,
        alias: Option<&Ident>,
    ) -> ControlFlow<()> {
        let Some(said) = reference(name) else {
            return ControlFlow::Continue(());
        };
        let said = unmarked(&said);
        let said = (said.schema().map(str::to_owned), said.table().to_owned());
        let Some(new) = (self.to)(&said) else {
            return ControlFlow::Continue(());
        };
        let span = name.span();
        // An alias that nobody wrote stands where the name does.
        let alias = alias.filter(|alias| alias.span.start > span.end);
        let new = format!("{}.{}", identifier(&new.0), identifier(&new.1));
        let new = match alias {
            Some(_) => new,
            // It would have to stand behind the moment.
            None if is_moved => return ControlFlow::Break(()),
            None => format!("{new} as {}", identifier(&said.1)),
        };
        self.found.push((span.start..span.end, new));
        ControlFlow::Continue(())
    }
}

impl Visitor for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let mut ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        match ctes.any(|cte| self.is_renamed(&fold(&cte.alias.name))) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                _,
            ) = item
            {
                let parts: Option<Vec<Ident>> =
                    name.0.iter().map(|part| part.as_ident().cloned()).collect();
                if self.is_renamed_qualifier(&parts.unwrap_or_default()) {
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                args: None,
                alias,
                version,
                ..
            } => {
                let alias = alias.as_ref().map(|alias| &alias.name);
                self.table(name, version.is_some(), alias)
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::CompoundIdentifier(parts)
                if parts
                    .split_last()
                    .is_some_and(|(_, qualifier)| self.is_renamed_qualifier(qualifier)) =>
            {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let to = |reference: &Reference| {
            let is_own = reference.0.as_deref().is_none_or(|schema| schema == "gold");
            (is_own && reference.1 == "old").then(|| ("gold".to_owned(), "New".to_owned()))
        };
        assert_eq!(renamed(text, &to).as_deref(), expected, "{text}");
    }

    #[test]
    fn views_follow_what_they_read() {
        check(
            "select old.a, 'old' from Old where b in (select c -- old\n from gold.old as x)",
            Some(
                "select old.a, 'old' from gold.\"New\" as old where b in (select c -- old\n from gold.\"New\" as x)",
            ),
        );
        check(
            "select * from (select 1 as é from old o) t, silver.old",
            Some("select * from (select 1 as é from gold.\"New\" o) t, silver.old"),
        );
        check(
            "select * from old version as of 3 as o",
            Some("select * from gold.\"New\" version as of 3 as o"),
        );
        check("select 1", Some("select 1"));
    }

    #[test]
    fn what_a_name_alone_does_not_say_is_left() {
        check("select gold.old.a from gold.old", None);
        check("select gold.old.* from gold.old", None);
        check(
            "with old as (select * from gold.old) select * from old",
            None,
        );
        check("select * from old version as of 3", None);
        check("select * from \"old@v3\"", None);
    }
}
