//! The protocol of Ringhold as documents, for the program that serves them and the tests that hold it to them.

/// The OpenAPI document that a node serves at `/openapi.json`.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// The catalogue of problem codes.
pub const PROBLEMS: &str = include_str!("../problems.md");
