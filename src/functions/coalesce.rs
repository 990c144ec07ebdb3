//! `coalesce`, one of whose arguments may be the text of an array: `coalesce(list, '{}')`.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::functions::core::coalesce::CoalesceFunc;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// DataFusion's `coalesce`, which otherwise refuses texts beside lists before their meaning is asked.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Coalesce(CoalesceFunc::new())))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Coalesce(CoalesceFunc);

impl ScalarUDFImpl for Coalesce {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.0.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.0.return_field_from_args(arguments)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let list = arguments.iter().find(|of| matches!(of, DataType::List(_)));
        let is_text = |of: &DataType| matches!(of, DataType::Utf8 | DataType::Utf8View);
        match list {
            Some(list) if arguments.iter().any(is_text) => {
                let fitted = arguments.iter().map(|of| match is_text(of) {
                    true => list.clone(),
                    false => of.clone(),
                });
                self.0.coerce_types(&fitted.collect::<Vec<_>>())
            }
            _ => self.0.coerce_types(arguments),
        }
    }

    fn simplify(&self, arguments: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.0.simplify(arguments, info)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.0.invoke_with_args(arguments)
    }

    fn conditional_arguments<'a>(
        &self,
        arguments: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.0.conditional_arguments(arguments)
    }

    fn short_circuits(&self) -> bool {
        self.0.short_circuits()
    }
}
