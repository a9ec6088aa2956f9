//! What happens to one request: first the guard, then the host, then the path. The object path sits directly on
//! hyper; axum serves the rest.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use futures_util::future::{Either, ready};
use http::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode, Version, request};
use hyper::body::{Body as _, Incoming};
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;

use super::answer::{self, Body};
use super::body::{Share, Upload};
use super::guard::Caller;
use super::headers::Fields;
use super::objects::Asked;
use super::origin::Origin;
use super::problem::{Code, Problem};
use super::watched::Activity;
use super::{App, endpoints, objects, repose};

/// Where the object API lives.
pub(super) const OBJECTS: &str = "/objects/";

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) app: Arc<App>,
    pub(super) activity: Arc<Activity>,
    origin: Arc<Origin>,
    rest: TowerToHyperService<Router>,
    share: Mutex<Option<Share>>,
}

/// Whose requests are served on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Everyone,
    /// The connection is one too many for clients. Members may still open a stream, and whoever watches the node
    /// may see that it lives: a crowd of clients must not cut it off from its ring.
    Reserved,
}

impl Admission {
    fn admits(self, path: &str) -> bool {
        self == Self::Everyone || matches!(path, endpoints::PEER | endpoints::HEALTHZ | endpoints::READYZ)
    }
}

/// What the connections of a listener share.
#[derive(Clone, Debug)]
pub(super) struct Exchanges {
    pub(super) app: Arc<App>,
    rest: TowerToHyperService<Router>,
}

impl Exchanges {
    pub(super) fn new(app: Arc<App>) -> Self {
        let rest = TowerToHyperService::new(endpoints::router(Arc::clone(&app)));
        Self { app, rest }
    }

    /// The requests of a connection from `origin`.
    pub(super) fn with(self, origin: Origin) -> Arc<Exchange> {
        let Self { app, rest } = self;
        let activity = Activity::of(&app.traffic);
        Arc::new(Exchange { app, activity, origin: Arc::new(origin), rest, share: Mutex::default() })
    }
}

impl Exchange {
    /// The form in which hyper wants it.
    pub(super) fn service(
        self: &Arc<Self>,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<Body>,
        Error = Infallible,
        Future: Send + Unpin + 'static,
    > + use<> {
        let exchange = Arc::clone(self);
        service_fn(move |request: Request<Incoming>| {
            // Most requests read what is here, and a future is moved several times on its way to its first poll:
            // those get none, the others a boxed one.
            let (head, incoming) = request.into_parts();
            if let Some(response) = exchange.answer_at_once(&head, &incoming) {
                return Either::Left(ready(Ok(response)));
            }
            let exchange = Arc::clone(&exchange);
            Either::Right(Box::pin(async move { Ok(exchange.answer(&head, incoming).await) }))
        })
    }

    /// The answer to a sound read of an object that is here, by whoever may ask; all else is for
    /// [`Exchange::answer`].
    fn answer_at_once(&self, head: &request::Parts, incoming: &Incoming) -> Option<Response<Body>> {
        let raw_key = head.uri.path().strip_prefix(OBJECTS)?;
        if !matches!(head.method, Method::GET | Method::HEAD) || !incoming.is_end_stream() || self.is_last() {
            return None;
        }
        let fields = Fields::of(&head.headers);
        let is_sound = head.version != Version::HTTP_11 || fields.has_one_host();
        if !is_sound || !self.app.guard.admits_without_token(&self.origin, head) {
            return None;
        }
        let asked = Asked { method: &head.method, raw_key, fields: &fields };
        let answer = objects::sound(&asked).ok()?.carry_out_at_once(&self.app)?;
        let response = objects::response(&self.app, &asked, answer);
        let _in_service = self.activity.request_begins();
        self.app.traffic.answered(&head.method, response.status());
        Some(if head.method == Method::HEAD { answer::without_body(response) } else { response })
    }

    async fn answer(&self, head: &request::Parts, incoming: Incoming) -> Response<Body> {
        let _in_service = self.activity.request_begins();
        // Ahead of everything that looks at the request.
        let mut response = match self.app.guard.admit(&self.origin, head) {
            Ok(caller) => self.carry_out(head, incoming, caller).await,
            Err(refused) => and_close(*refused, &self.upload(Caller::Client, head, incoming)),
        };
        if self.is_last() && head.version <= Version::HTTP_11 && !is_upgrade(&response) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.app.traffic.answered(&head.method, response.status());
        if head.method == Method::HEAD { answer::without_body(response) } else { response }
    }

    /// Whether the next request may be served that shows no member's token, whatever else it says.
    pub(super) fn serves_unseen(&self) -> bool {
        !self.is_last() && self.app.guard.admits_unseen(&self.origin)
    }

    /// Keeps the share of the budget that the body of the next request has already.
    pub(super) fn keep(&self, share: Share) {
        *self.share.lock() = Some(share);
    }

    /// Whose requests are served on the connection.
    pub(super) fn admission(&self) -> Admission {
        self.origin.admission()
    }

    /// Whether the connection should end with the answer that is given now.
    fn is_last(&self) -> bool {
        self.admission() == Admission::Reserved || self.app.is_leaving()
    }

    async fn carry_out(&self, head: &request::Parts, incoming: Incoming, caller: Caller) -> Response<Body> {
        let fields = Fields::of(&head.headers);
        if head.version == Version::HTTP_11 && !fields.has_one_host() {
            Problem::from(Code::BadHost).into_response()
        } else if !self.admission().admits(head.uri.path()) {
            drop(self.upload(caller, head, incoming));
            Problem::because(
                Code::Overloaded,
                "the node has as many connections as limits.max_connections allows",
            )
            .with(RETRY_AFTER, HeaderValue::from_static("1"))
            .into_response()
        } else if let Some(raw_key) = head.uri.path().strip_prefix(OBJECTS) {
            let mut upload = self.upload(caller, head, incoming);
            let asked = Asked { method: &head.method, raw_key, fields: &fields };
            let response = objects::answer(&self.app, &asked, &mut upload).await;
            self.finish(response, &upload, head)
        } else if let Some(raw_key) = head.uri.path().strip_prefix(repose::PREFIX) {
            let mut upload = self.upload(caller, head, incoming);
            let response = Box::pin(repose::answer(&self.app, head, &fields, raw_key, &mut upload)).await;
            self.finish(response, &upload, head)
        } else if head.uri.path() == endpoints::PEER
            && let Err(refused) = self.app.guard.admit_member(&self.origin, &caller, head)
        {
            and_close(*refused, &self.upload(caller, head, incoming))
        } else {
            Box::pin(self.other(head.clone(), incoming)).await
        }
    }

    fn upload(&self, caller: Caller, head: &request::Parts, incoming: Incoming) -> Upload {
        Upload::from(caller, incoming, head, self.app.limits.body_timeout, self.share.lock().take())
    }

    fn finish(&self, response: Response<Body>, upload: &Upload, head: &request::Parts) -> Response<Body> {
        let is_forged = upload.is_forged();
        and_close(if is_forged { self.app.guard.refuse_body(&self.origin, head) } else { response }, upload)
    }

    async fn other(&self, mut head: request::Parts, incoming: Incoming) -> Response<Body> {
        head.extensions.insert(Arc::clone(&self.origin));
        match self.rest.call(Request::from_parts(head, incoming)).await {
            Ok(response) => response.map(Body::other),
            Err(never) => match never {},
        }
    }
}

fn is_upgrade(response: &Response<Body>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
}

fn and_close(mut response: Response<Body>, upload: &Upload) -> Response<Body> {
    if upload.ends_connection() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
