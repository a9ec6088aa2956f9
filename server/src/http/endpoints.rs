//! The endpoints about the node, and the door for members: everything that is not an object.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use http::{StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use ringhold_ring::Key;

use super::answer::X_RINGHOLD_MEMBER;
use super::origin::Origin;
use super::problem::{Code, Problem};
use super::report::{ClusterReport, Location};
use super::{AcceptedMember, App};
use crate::telemetry::metrics::{self, Page, process};

pub use crate::peer::PROTOCOL as PEER_PROTOCOL;

pub(super) const HEALTHZ: &str = "/healthz";
pub(super) const READYZ: &str = "/readyz";
pub(super) const PEER: &str = crate::peer::PATH;

const LOCATE: &str = "/cluster/locate/";

pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/cluster", get(cluster))
        // A key may be anything, `//` included, so the handler takes it from the path as it was sent.
        .route("/cluster/locate/", get(locate))
        .route("/cluster/locate/{*key}", get(locate))
        .route(HEALTHZ, get(healthz))
        .route(READYZ, get(readyz))
        .route("/metrics", get(metrics))
        .route("/openapi.json", get(openapi))
        .route("/problems", get(problems))
        .route(PEER, get(peer))
        .method_not_allowed_fallback(async || Problem::from(Code::MethodNotAllowed))
        .fallback(async || Problem::from(Code::NoSuchPath))
        .with_state(app)
}

async fn cluster(State(app): State<Arc<App>>) -> Json<ClusterReport> {
    Json(app.status.cluster())
}

async fn locate(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<Location>, Problem> {
    let raw_key = uri.path().strip_prefix(LOCATE).unwrap_or_default();
    Ok(Json(app.status.locate(&Key::from_path(raw_key)?)))
}

/// Off the async threads: to count its open files takes a process with many of them a while.
async fn metrics(State(app): State<Arc<App>>) -> Result<impl IntoResponse, Problem> {
    let write = move || {
        let mut page = Page::default();
        app.collect(&mut page);
        app.status.collect(&mut page);
        process::collect(&mut page);
        page.into_text()
    };
    let text = tokio::task::spawn_blocking(write).await;
    let text = text.map_err(|error| Problem::because(Code::NotReady, error))?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}

async fn healthz() -> &'static str {
    "ok\n"
}

/// Tells who it is, so that a member that probes this way knows that it is one.
async fn readyz(State(app): State<Arc<App>>) -> Result<impl IntoResponse, Problem> {
    match app.status.is_ready() {
        Ok(()) => {
            let member = HeaderValue::from_str(app.objects.member().as_str()).ok();
            Ok((member.map(|member| [(X_RINGHOLD_MEMBER, member)]), "ready\n"))
        }
        Err(why) => Err(Problem::because(Code::NotReady, why)),
    }
}

async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], ringhold_proto_docs::OPENAPI)
}

async fn problems() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/markdown; charset=utf-8")], ringhold_proto_docs::PROBLEMS)
}

/// Opens a member's stream (RFC 9110 section 7.8), which exists on HTTP/1.1 only. The guard has been asked.
async fn peer(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Arc<Origin>>,
    request: Request,
) -> Response {
    if !asks_for_upgrade(&request) {
        let problem = Problem::from(Code::UpgradeRequired);
        let mut response = problem.with(UPGRADE, HeaderValue::from_static(PEER_PROTOCOL)).into_response();
        if request.version() == Version::HTTP_11 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        }
        return response.map(axum::body::Body::new);
    }
    tokio::spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(stream) => (app.accept_member)(AcceptedMember {
                stream: TokioIo::new(stream),
                channel: origin.channel(),
                peer: origin.address(),
                place: origin.place(),
            }),
            Err(error) => tracing::debug!(%error, "a member's stream broke before it was open"),
        }
    });
    let fields = [(CONNECTION, "upgrade"), (UPGRADE, PEER_PROTOCOL)];
    (StatusCode::SWITCHING_PROTOCOLS, fields).into_response()
}

fn asks_for_upgrade(request: &Request) -> bool {
    let lists = |name, wanted: &str| {
        let lines = request.headers().get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|item| item.trim().eq_ignore_ascii_case(wanted))
    };
    request.version() == Version::HTTP_11 && lists(CONNECTION, "upgrade") && lists(UPGRADE, PEER_PROTOCOL)
}
