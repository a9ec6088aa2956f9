//! What the members log themselves, in the log of a run that is replayed: between the messages that it explains.
//!
//! It is no part of the run: a replay that listens has the same sum as a run that does not.

use std::io::{self, Write};
use std::sync::Arc;

use tracing::{Dispatch, Level};

use crate::fabric::Fabric;

/// What hears the member on this machine, if its run keeps what happens.
#[must_use]
pub fn listener(machine: usize, fabric: &Arc<Fabric>) -> Option<Dispatch> {
    if !fabric.is_kept() {
        return None;
    }
    let fabric = Arc::clone(fabric);
    let heard = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .with_writer(move || Voice { machine, fabric: Arc::clone(&fabric) })
        .finish();
    Some(Dispatch::new(heard))
}

/// Takes one event at a time.
struct Voice {
    machine: usize,
    fabric: Arc<Fabric>,
}

impl Write for Voice {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.fabric.overhear(self.machine, String::from_utf8_lossy(line).trim());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
