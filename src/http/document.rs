//! The OpenAPI document of the API, made from the handlers, and a page to browse it with.

use std::borrow::Cow;

use aide::axum::ApiRouter;
use aide::generate;
use aide::openapi::{Components, Info, License, OpenApi, ReferenceOr, SecurityRequirement, SecurityScheme, Server};
use aide::swagger::Swagger;
use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use openssl::base64;
use openssl::sha::sha256;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, ReplaceBoolSchemas};

const DESCRIPTION: &str = "How old is the data that each of your Kafka consumer groups is working on, in seconds, and is that all right?\n\n\
    Unknown is `null`. Times are RFC 3339 in UTC, ages are seconds, shares are 0 to 1, scores are 0 to 100. \
    Answers come from the latest sample; no request waits for Kafka. \
    Every failure is `{\"detail\": \"…\"}`, which says what is allowed.\n\n\
    The WebSocket `ws/consumers/groups/{group_id}/live?cluster_id=&interval=` says what \
    `api/v1/consumers/groups/{group_id}/live` says as server-sent events.";

/// The routes with their document and the page to browse it.
pub(super) fn documented<S: Clone + Send + Sync + 'static>(routes: impl FnOnce() -> ApiRouter<S>) -> Router<S> {
    generate::in_context(|context| {
        let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
            settings.definitions_path = Cow::Borrowed("/components/schemas");
            settings.meta_schema = None;
        });
        context.schema = settings.with_transform(RecursiveTransform(ReplaceBoolSchemas::default())).into_generator();
    });
    let token = SecurityScheme::Http {
        scheme: "bearer".into(),
        bearer_format: None,
        description: Some("What `--auth` asks for; nothing where that is `none`.".into()),
        extensions: Default::default(),
    };
    let mut document = OpenApi {
        info: Info {
            title: "Highwater".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            description: Some(DESCRIPTION.into()),
            license: Some(License {
                name: "Apache-2.0".into(),
                identifier: Some("Apache-2.0".into()),
                ..License::default()
            }),
            ..Info::default()
        },
        // Relative to the document itself, so that it is right below a prefix as well.
        servers: vec![Server { url: ".".into(), ..Server::default() }],
        components: Some(Components {
            security_schemes: [("token".into(), ReferenceOr::Item(token))].into_iter().collect(),
            ..Components::default()
        }),
        // Either is enough, as far as the document knows: it does not know of `--auth`.
        security: vec![SecurityRequirement::new(), [("token".into(), vec![])].into_iter().collect()],
        ..OpenApi::default()
    };
    let router = routes().finish_api(&mut document);
    let text = serde_json::to_string(&document).unwrap_or_default();
    let json = [(header::CONTENT_TYPE, "application/json")];
    router.route("/openapi.json", get(async move || (json, text))).route("/docs", get(page))
}

/// Made anew for each who asks, which is seldom: it is larger than all else that is served, and would take memory twice.
async fn page() -> impl IntoResponse {
    let page = Swagger::new("openapi.json").with_title("Highwater API").html();
    ([(header::CONTENT_SECURITY_POLICY, policy(&page))], Html(page))
}

/// What the page may do: run its own scripts, known by their hashes, and ask this server.
fn policy(page: &str) -> String {
    let (mut hashes, mut rest) = (Vec::new(), page);
    // One after the other: a script may have the words of the next one's beginning in it.
    while let Some((script, behind)) = rest.split_once("<script>").and_then(|(_, rest)| rest.split_once("</script>")) {
        hashes.push(format!("'sha256-{}'", base64::encode_block(&sha256(script.as_bytes()))));
        rest = behind;
    }
    format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hashes.join(" ")
    )
}
