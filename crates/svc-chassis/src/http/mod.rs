//! HTTP, as all six services speak it.

mod body;
mod dead_letters;
mod edge;
mod hosts;
mod openapi;
mod problem;
mod resource;
mod shared;
pub mod sse;
mod status;

pub use body::{Body, Page, Query, id_in_path};
pub use dead_letters::{OperatorFields, ReplayOneQuery};
pub(crate) use openapi::{document, own, shared as shared_document};
pub(crate) use shared::shared_routes;

pub(crate) use hosts::Hosts;

pub use edge::{RequestContext, edge, passed_on, whole_problems};
pub use problem::Problem;
pub use resource::{Resource, Routes, resource};
pub use shared::{AuditQuery, Own, Pages, audit_answer, ids_in, own_audit, page_of};
pub use status::Status;
