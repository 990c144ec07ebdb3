//! Walks over the trees of statements. The parser makes a walk anew for each type of visitor, and each is a
//! thousand functions, which nearly doubled what there is to compile; these are made once.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, Select, Statement, TableFactor, ValueWithSpan, Visit, VisitMut,
    Visitor, VisitorMut,
};

/// A walk over a kind of tree: the visitor behind a pointer, and what it ended with kept beside it.
macro_rules! walks {
    (
        $(#[$documentation:meta])*
        $walk:ident, $tree:path, $node:ty, $visitor:ident, $any:ident, $erased:ident, $keeping:ident:
        $($method:ident: $of:ty,)*
    ) => {
        trait $any {
            $(fn $method(&mut self, node: $of) -> ControlFlow<()>;)*
        }

        struct $keeping<'a, V: $visitor> {
            visitor: &'a mut V,
            ended_with: Option<V::Break>,
        }

        impl<V: $visitor> $any for $keeping<'_, V> {
            $(fn $method(&mut self, node: $of) -> ControlFlow<()> {
                match self.visitor.$method(node) {
                    ControlFlow::Continue(()) => ControlFlow::Continue(()),
                    ControlFlow::Break(end) => {
                        self.ended_with = Some(end);
                        ControlFlow::Break(())
                    }
                }
            })*
        }

        struct $erased<'a>(&'a mut dyn $any);

        impl $visitor for $erased<'_> {
            type Break = ();

            $(fn $method(&mut self, node: $of) -> ControlFlow<()> {
                self.0.$method(node)
            })*
        }

        $(#[$documentation])*
        pub(super) fn $walk<V: $visitor>(tree: $node, visitor: &mut V) -> ControlFlow<V::Break> {
            let mut keeping = $keeping { visitor, ended_with: None };
            let end = <_ as $tree>::visit(tree, &mut $erased(&mut keeping));
            match (end, keeping.ended_with) {
                (ControlFlow::Break(()), Some(end)) => ControlFlow::Break(end),
                _ => ControlFlow::Continue(()),
            }
        }
    };
}

walks! {
    /// Has a visitor see a tree, until it ends the walk.
    walk, Visit, &impl Visit, Visitor, AnyVisitor, Erased, Keeping:
    pre_visit_query: &Query,
    post_visit_query: &Query,
    pre_visit_select: &Select,
    post_visit_select: &Select,
    pre_visit_relation: &ObjectName,
    post_visit_relation: &ObjectName,
    pre_visit_table_factor: &TableFactor,
    post_visit_table_factor: &TableFactor,
    pre_visit_expr: &Expr,
    post_visit_expr: &Expr,
    pre_visit_statement: &Statement,
    post_visit_statement: &Statement,
    pre_visit_value: &ValueWithSpan,
    post_visit_value: &ValueWithSpan,
}

walks! {
    /// Has a visitor change a tree, until it ends the walk.
    walk_mut, VisitMut, &mut impl VisitMut, VisitorMut, AnyVisitorMut, ErasedMut, KeepingMut:
    pre_visit_query: &mut Query,
    post_visit_query: &mut Query,
    pre_visit_select: &mut Select,
    post_visit_select: &mut Select,
    pre_visit_relation: &mut ObjectName,
    post_visit_relation: &mut ObjectName,
    pre_visit_table_factor: &mut TableFactor,
    post_visit_table_factor: &mut TableFactor,
    pre_visit_expr: &mut Expr,
    post_visit_expr: &mut Expr,
    pre_visit_statement: &mut Statement,
    post_visit_statement: &mut Statement,
    pre_visit_value: &mut ValueWithSpan,
    post_visit_value: &mut ValueWithSpan,
}
