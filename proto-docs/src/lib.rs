//! The protocol of Ringhold as documents, for the program that serves them and the tests that hold it to them.
//!
//! The pages `http.md`, `patches.md` and `member-stream.md` beside them are for people.

/// The OpenAPI document that a node serves at `/openapi.json`.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// The catalogue of problem codes, one section each, that a node serves at `/problems`.
pub const PROBLEMS: &str = include_str!("../problems.md");
