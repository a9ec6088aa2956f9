//! Async client of a Ringhold ring: every object operation, against a list of nodes.
