//! Listeners, object handlers, the Repose dialect, and the endpoints about the node.
