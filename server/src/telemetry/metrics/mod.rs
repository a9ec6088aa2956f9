//! Numbers about a node, for Prometheus: what is counted, and the page that `GET /metrics` answers.
//!
//! - [`family`]: every metric that there is, each declared once, with its help;
//! - [`Counter`], [`Counters`], [`Histogram`], [`Striped`]: what costs next to nothing to raise;
//! - [`Page`]: the text format; [`process`]: what the system says of the process.
//!
//! There is no registry. Each part of a node keeps its counters as fields and writes them down when the page is asked
//! for, so a request raises plain atomics and looks nothing up. Invariant: what is written is declared, and documented.

mod count;
pub mod family;
mod histogram;
mod page;
pub mod process;
mod striped;

pub use count::{Counter, Counters, Label};
pub use family::Family;
pub use histogram::Histogram;
pub use page::{CONTENT_TYPE, Page};
pub use striped::Striped;

pub(crate) use count::labels;
