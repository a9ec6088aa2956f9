//! Real faults: a ring of processes, each in a network namespace of its own, is broken in every way that an operator knows
//! while clients write, and what they were told is checked afterwards.
//!
//! - [`enclosure`]: where all of it happens, so that nothing is left on the machine.
//! - [`lan`]: the namespaces, the wires between them, and what goes wrong on those; [`proxy`]: the slow way.
//! - [`load`]: clients that never stop, and [`history`]: what they asked and what they were told.
//! - [`check`]: what is wrong in a history.
//! - [`stage`]: one ring and the faults that it is put through; [`scenario`]: which faults there are.
//! - [`page`]: the results as a table.

pub mod check;
pub mod enclosure;
pub mod history;
pub mod lan;
pub mod load;
pub mod page;
pub mod proxy;
pub mod scenario;
pub mod stage;
