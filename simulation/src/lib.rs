//! Whole rings in one process, over a simulated network and clock: the code of real nodes, everything around it made
//! up, and every run replayed exactly by its seed.
//!
//! - [`scenario`]: what a seed stands for. [`faults`]: what goes wrong next. [`clients`]: what is asked.
//! - [`host`]: a machine, whose process has a runtime of its own and can be paused and dropped.
//! - [`fabric`], [`wire`]: the network between machines; [`message`]: what goes through it. [`lifetime`]: what a clock's time
//!   becomes on its way.
//! - [`world`]: a run, from its first second to its last. [`checks`]: what must hold of it.
//! - [`seeds`]: many runs, and what is said of them. [`panics`]: those of nodes, which count as violations.
//! - [`real`]: the node that all this is for. [`toy`]: one with bugs to plant, which shows that the checks find them.
//! - [`scale`]: figures of large rings, without a network.
//!
//! Nothing here takes a decision of a node's: a run is worth as much as the code that runs in it is the real one.

pub mod checks;
pub mod clients;
pub mod fabric;
pub mod faults;
pub mod history;
pub mod host;
pub mod lifetime;
pub mod log;
pub mod message;
pub mod node;
pub mod panics;
pub mod random;
pub mod real;
pub mod scale;
pub mod scenario;
pub mod seeds;
pub mod toy;
pub mod voices;
pub mod wire;
pub mod world;
