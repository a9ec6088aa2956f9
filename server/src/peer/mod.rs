//! Talking to members: the framed stream, its messages, probes.
