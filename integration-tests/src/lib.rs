//! Whole rings as real processes: the harness that starts, kills and pauses them.
