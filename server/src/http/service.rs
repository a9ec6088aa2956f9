//! What happens to one request: first the host, then the path. The object path sits directly on hyper; axum
//! serves the rest.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use futures_util::future::{Either, ready};
use http::header::{CONNECTION, HeaderValue};
use http::{Method, Request, Response, Version, request};
use hyper::body::{Body as _, Incoming};
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;

use super::answer::{self, Body};
use super::body::Upload;
use super::headers::Fields;
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
    rest: TowerToHyperService<Router>,
}

impl Exchange {
    pub(super) fn new(app: Arc<App>) -> Self {
        let rest = TowerToHyperService::new(endpoints::router(Arc::clone(&app)));
        Self { app, activity: Arc::default(), rest }
    }

    /// The same for another connection.
    pub(super) fn another(&self) -> Arc<Self> {
        let Self { app, rest, .. } = self;
        Arc::new(Self { app: Arc::clone(app), activity: Arc::default(), rest: rest.clone() })
    }

    /// The form in which hyper wants it.
    pub(super) fn service(
        self: &Arc<Self>,
    ) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
    + use<> {
        let exchange = Arc::clone(self);
        // Whether the client may connect at all is decided before this; whether it may ask for this path and method
        // belongs here, ahead of everything that looks at the request.
        service_fn(move |request: Request<Incoming>| {
            // Most requests read what is here, and a future is moved several times on its way to its first poll:
            // those get none, the others a boxed one.
            if let Some(response) = exchange.answer_at_once(&request) {
                return Either::Left(ready(Ok(response)));
            }
            let exchange = Arc::clone(&exchange);
            Either::Right(Box::pin(async move {
                let (head, incoming) = request.into_parts();
                Ok(exchange.answer(&head, incoming).await)
            }))
        })
    }

    /// The answer to a sound read of an object that is here; all else is for [`Exchange::answer`].
    fn answer_at_once(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let method = request.method();
        let raw_key = request.uri().path().strip_prefix(OBJECTS)?;
        if !matches!(*method, Method::GET | Method::HEAD) || !request.body().is_end_stream() {
            return None;
        }
        let fields = Fields::of(request.headers());
        if request.version() == Version::HTTP_11 && !fields.has_one_host() {
            return None;
        }
        let response = objects::read_here(&self.app, request.headers(), &fields, method, raw_key)?;
        let _in_service = self.activity.request_begins();
        Some(if *method == Method::HEAD { answer::without_body(response) } else { response })
    }

    async fn answer(&self, head: &request::Parts, incoming: Incoming) -> Response<Body> {
        let _in_service = self.activity.request_begins();
        let fields = Fields::of(&head.headers);
        let response = if head.version == Version::HTTP_11 && !fields.has_one_host() {
            Problem::from(Code::BadHost).into_response()
        } else if let Some(raw_key) = head.uri.path().strip_prefix(OBJECTS) {
            let mut upload = Upload::new(incoming, head, self.app.limits.body_timeout);
            let response = objects::answer(&self.app, head, &fields, raw_key, &mut upload).await;
            and_close(response, &upload)
        } else if let Some(raw_key) = head.uri.path().strip_prefix(repose::PREFIX) {
            let mut upload = Upload::new(incoming, head, self.app.limits.body_timeout);
            let response = Box::pin(repose::answer(&self.app, head, &fields, raw_key, &mut upload)).await;
            and_close(response, &upload)
        } else {
            Box::pin(self.other(head.clone(), incoming)).await
        };
        if head.method == Method::HEAD { answer::without_body(response) } else { response }
    }

    async fn other(&self, head: request::Parts, incoming: Incoming) -> Response<Body> {
        match self.rest.call(Request::from_parts(head, incoming)).await {
            Ok(response) => response.map(Body::other),
            Err(never) => match never {},
        }
    }
}

fn and_close(mut response: Response<Body>, upload: &Upload) -> Response<Body> {
    if upload.ends_connection() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
