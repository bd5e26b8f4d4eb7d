//! An answer in JSON that was written from what it borrows, and the type that describes it.

use std::marker::PhantomData;

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Documented, StatusCode as Code};
use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::refusal::Refusal;

/// A value of `T`, written already.
#[derive(Debug)]
pub(super) struct Answer<T>(Vec<u8>, PhantomData<fn() -> T>);

impl<T> Answer<T> {
    /// Writes `value`, which has the shape of `T`.
    ///
    /// # Errors
    /// Where serde refuses, which nothing here is known to provoke.
    pub(super) fn of(value: &impl Serialize) -> Result<Self, Refusal> {
        let written = serde_json::to_vec(value);
        written.map(|json| Self(json, PhantomData)).map_err(|error| Refusal::NotReady(error.to_string()))
    }
}

impl<T> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Answer<T> {
    type Inner = T;

    fn operation_response(ctx: &mut GenContext, operation: &mut Operation) -> Option<Documented> {
        <Json<T> as OperationOutput>::operation_response(ctx, operation)
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<Code>, Documented)> {
        let unchanged =
            Documented { description: "Nothing has changed since `If-None-Match`.".into(), ..Default::default() };
        let mut all = <Json<T> as OperationOutput>::inferred_responses(ctx, operation);
        all.push((Some(Code::Code(304)), unchanged));
        all
    }
}
