//! Both ends of a stream together.
