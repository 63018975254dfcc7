//! A path with its methods. Other methods are answered 405 with `Allow`.

use std::collections::BTreeSet;

use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, Handler, Responder, ResponseError, web};

use super::Problem;
use crate::metrics::Route;

/// Where a service's paths are registered; it knows which there are.
pub struct Routes<'a> {
    app: &'a mut web::ServiceConfig,
    known: BTreeSet<(&'static str, String)>,
}

impl<'a> Routes<'a> {
    /// Of an application that has no paths yet.
    pub fn new(app: &'a mut web::ServiceConfig) -> Self {
        Self {
            app,
            known: BTreeSet::new(),
        }
    }

    /// Every path with each of its methods.
    pub(crate) fn known(self) -> BTreeSet<(&'static str, String)> {
        self.known
    }
}

/// A path and what can be done with it.
pub struct Resource {
    path: &'static str,
    resource: actix_web::Resource,
    methods: Vec<Method>,
}

/// Begins a path: `resource("/orders").post(create).register(routes)`.
pub fn resource(path: &'static str) -> Resource {
    Resource {
        path,
        // Where the edge finds which it was.
        resource: web::resource(path).app_data(Route(path)),
        methods: Vec::new(),
    }
}

macro_rules! methods {
    ($($name:ident $method:ident,)*) => {$(
        #[doc = concat!("Adds the handler of `", stringify!($method), "`.")]
        #[must_use]
        pub fn $name<F, Args>(self, handler: F) -> Self
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            self.route(Method::$method, handler)
        }
    )*};
}

impl Resource {
    methods! { get GET, post POST, put PUT, patch PATCH, delete DELETE, }

    fn route<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.resource = self.resource.route(web::method(method.clone()).to(handler));
        self.methods.push(method);
        self
    }

    /// Ends the path and adds it to the service. Of two paths that match, the first answers.
    pub fn register(self, routes: &mut Routes<'_>) {
        let methods = self.methods.iter().map(ToString::to_string);
        routes
            .known
            .extend(methods.map(|method| (self.path, method)));
        let allow = self
            .methods
            .iter()
            .map(Method::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        routes
            .app
            .service(self.resource.default_service(web::to(move || {
                let detail = format!("this path answers to {allow}");
                let problem =
                    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail);
                let mut response = problem.error_response();
                if let Ok(value) = HeaderValue::from_str(&allow) {
                    response.headers_mut().insert(ALLOW, value);
                }
                std::future::ready(response)
            })));
    }
}
