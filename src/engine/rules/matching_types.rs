//! What is chosen among values has one type: a quoted literal takes that of the others, and types of
//! different kinds are an error. DataFusion makes texts of all of them.
//! <https://www.postgresql.org/docs/16/typeconv-union-case.html>

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Union};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::numbers::rewrite_expressions;
use crate::engine::session_style;
use crate::error::{Error, ErrorKind};
use crate::functions::input;
use crate::functions::output::Style;
use crate::types::{self, oid};

/// Runs before types are fitted.
#[derive(Debug)]
pub(super) struct MatchingTypes;

impl AnalyzerRule for MatchingTypes {
    fn name(&self) -> &'static str {
        "postgres_matching_types"
    }

    fn analyze(&self, plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
        let style = session_style::of(options);
        let is_retyped = Cell::new(false);
        let rewrite = |expression: Expr, schema: &DFSchema| {
            let rewritten = of_expression(expression, schema, &style)?;
            is_retyped.set(is_retyped.get() || rewritten.transformed);
            Ok(rewritten)
        };
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let plan = rewrite_expressions(plan, &rewrite)?;
            // Those above must learn what was found below, before they look at it themselves.
            let plan = match is_retyped.get() {
                true => Transformed::yes(plan.data.recompute_schema()?),
                false => plan,
            };
            match plan.data {
                LogicalPlan::Union(union) => {
                    let rewritten = of_union(union, &style)?;
                    is_retyped.set(is_retyped.get() || rewritten.transformed);
                    Ok(rewritten)
                }
                other => Ok(Transformed::new_transformed(other, plan.transformed)),
            }
        })?;
        Ok(rewritten.data)
    }
}

fn of_expression(expression: Expr, schema: &DFSchema, style: &Style) -> Result<Transformed<Expr>> {
    let mut expression = expression;
    let (what, mut choices): (String, Vec<&mut Expr>) = match &mut expression {
        // The last choice counts first, as in transformCaseExpr in parse_expr.c.
        Expr::Case(Case {
            when_then_expr,
            else_expr,
            ..
        }) => {
            let thens = when_then_expr.iter_mut().map(|(_, then)| then.as_mut());
            let choices = else_expr.iter_mut().map(AsMut::as_mut).chain(thens);
            ("CASE".to_owned(), choices.collect())
        }
        Expr::ScalarFunction(ScalarFunction { func, args })
            if ["coalesce", "greatest", "least"].contains(&func.name()) =>
        {
            (func.name().to_uppercase(), args.iter_mut().collect())
        }
        _ => return Ok(Transformed::no(expression)),
    };
    let fields = choices.iter().map(|choice| choice.to_field(schema));
    // Outer references of a correlated subquery have no type here.
    let Ok(fields) = fields.collect::<Result<Vec<_>>>() else {
        return Ok(Transformed::no(expression));
    };
    let all: Vec<Choice> = choices
        .iter()
        .zip(fields)
        .map(|(choice, (_, field))| Choice::of(choice, field))
        .collect();
    let Some(meeting) = meeting(&what, &all)? else {
        return Ok(Transformed::no(expression));
    };
    let mut has_changed = false;
    for (choice, is) in choices.iter_mut().zip(&all) {
        if let Some(text) = &is.text {
            **choice = meeting.read(text, style)?;
            has_changed = true;
        }
    }
    Ok(Transformed::new_transformed(expression, has_changed))
}

fn of_union(union: Union, style: &Style) -> Result<Transformed<LogicalPlan>> {
    let n_columns = union.schema.fields().len();
    let mut read: Vec<Vec<Option<Expr>>> = vec![vec![None; n_columns]; union.inputs.len()];
    for column in 0..n_columns {
        let inputs = union.inputs.iter();
        let all: Vec<Choice> = inputs.map(|it| Choice::of_column(it, column)).collect();
        let Some(meeting) = meeting("UNION", &all)? else {
            continue;
        };
        for (of_input, choice) in read.iter_mut().zip(&all) {
            if let Some(text) = &choice.text {
                of_input[column] = Some(meeting.read(text, style)?);
            }
        }
    }
    if read.iter().flatten().all(Option::is_none) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.into_iter().zip(read).map(|(input, read)| {
        if read.iter().all(Option::is_none) {
            return Ok(input);
        }
        let columns = input.schema().columns().into_iter().zip(read);
        let projected: Vec<Expr> = columns
            .map(|(column, read)| match read {
                Some(read) => read.alias_qualified(column.relation.clone(), column.name.clone()),
                None => Expr::Column(column),
            })
            .collect();
        let plan = LogicalPlanBuilder::from(Arc::unwrap_or_clone(input));
        plan.project(projected)?.build().map(Arc::new)
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let union = Union::try_new_with_loose_types(inputs)?;
    Ok(Transformed::yes(LogicalPlan::Union(union)))
}

/// One of the values that are chosen among.
struct Choice {
    field: FieldRef,
    /// What a quoted literal says, whose type the others decide.
    text: Option<String>,
    is_null: bool,
}

impl Choice {
    fn of(expression: &Expr, field: FieldRef) -> Self {
        let (text, is_null) = match expression {
            Expr::Literal(ScalarValue::Utf8(Some(text)), None) => (Some(text.clone()), false),
            Expr::Literal(value, None) if value.is_null() => (None, true),
            Expr::Alias(alias) => return Self::of(&alias.expr, field),
            _ => (None, false),
        };
        Self {
            field,
            text,
            is_null,
        }
    }

    fn of_column(plan: &LogicalPlan, column: usize) -> Self {
        let field = Arc::clone(&plan.schema().fields()[column]);
        match plan {
            LogicalPlan::Projection(it) => Self::of(&it.expr[column], field),
            _ => Self {
                field,
                text: None,
                is_null: false,
            },
        }
    }
}

/// The kinds of types that meet among themselves alone (`typcategory`); `None` for types that are
/// looked at elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Category {
    Number,
    Text,
    Boolean,
    Moment,
    Time,
    Interval,
}

fn category(type_oid: u32) -> Option<Category> {
    Some(match type_oid {
        oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC => {
            Category::Number
        }
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME => Category::Text,
        oid::BOOL => Category::Boolean,
        oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ => Category::Moment,
        oid::TIME => Category::Time,
        oid::INTERVAL => Category::Interval,
        _ => return None,
    })
}

/// The type that values meet in, as far as literals have to know it.
struct Meeting {
    type_oid: u32,
    data_type: DataType,
}

/// Where values meet; `None` where they are all texts, or of types that are looked at elsewhere.
///
/// # Errors
/// They are of kinds that do not meet.
fn meeting(what: &str, all: &[Choice]) -> Result<Option<Meeting>> {
    let mut first: Option<(u32, Category)> = None;
    let mut largest: Option<(usize, Meeting)> = None;
    for choice in all.iter().filter(|it| it.text.is_none() && !it.is_null) {
        let type_oid = types::of_field(&choice.field).oid;
        let is_plain = types::kept(&choice.field).is_none();
        let Some(category) = category(type_oid).filter(|_| is_plain) else {
            return Ok(None);
        };
        match first {
            None => first = Some((type_oid, category)),
            Some((_, of_first)) if of_first == category => {}
            Some((of_first, _)) => return Err(mismatch(what, of_first, type_oid)),
        }
        let size = SIZES.iter().position(|known| *known == type_oid);
        let size = size.unwrap_or_default();
        if largest.as_ref().is_none_or(|(most, _)| size > *most) {
            let data_type = choice.field.data_type().clone();
            let meeting = Meeting {
                type_oid,
                data_type,
            };
            largest = Some((size, meeting));
        }
    }
    let is_text = matches!(first, None | Some((_, Category::Text)));
    Ok(largest.filter(|_| !is_text).map(|(_, meeting)| meeting))
}

/// Types of one kind, each before those that it turns into.
const SIZES: [u32; 9] = [
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::NUMERIC,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::DATE,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
];

impl Meeting {
    /// A quoted literal as a value of the type. Numerics keep the digits that they are written with.
    fn read(&self, text: &str, style: &Style) -> Result<Expr> {
        let value = input::value(text, self.type_oid, style)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let value = match &self.data_type {
            DataType::Decimal128(..) | DataType::Decimal256(..) => value,
            other => value.cast_to(other)?,
        };
        Ok(Expr::Literal(value, None))
    }
}

/// As `select_common_type` words it.
fn mismatch(what: &str, left: u32, right: u32) -> DataFusionError {
    let name = |of: u32| types::format_type(of, -1).unwrap_or_default();
    let message = format!(
        "{what} types {} and {} cannot be matched",
        name(left),
        name(right)
    );
    let error = Error::new(ErrorKind::DatatypeMismatch, message);
    DataFusionError::External(Box::new(error))
}
