//! Parts of the bench that run as processes of their own: this program once more, told its task on standard input,
//! answering on standard output, both JSON.

use std::io::Write as _;
use std::process::{Child, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, doing};
use crate::process::{self, Cores};

/// What an error of a part begins with.
const SAYS: &str = "ringhold-bench: ";

/// A part at work. It ends when this is dropped.
#[derive(Debug)]
pub struct Worker {
    name: &'static str,
    child: Option<Child>,
}

impl Worker {
    /// Starts the part with this name.
    pub fn start(name: &'static str, task: &impl Serialize, cores: Cores) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(doing("finding this program"))?;
        let mut command = process::on(cores, &program.to_string_lossy());
        command.arg(name).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(doing(format!("starting {name}")))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(&serde_json::to_vec(task)?).map_err(doing(format!("telling {name} its task")))?;
        }
        Ok(Self { name, child: Some(child) })
    }

    /// Whether it has ended.
    pub fn is_done(&mut self) -> Result<bool, Error> {
        let Some(child) = &mut self.child else { return Ok(true) };
        Ok(child.try_wait().map_err(doing(format!("looking after {}", self.name)))?.is_some())
    }

    /// Waits for its end.
    pub fn wait<T: DeserializeOwned>(mut self) -> Result<T, Error> {
        let child = self.child.take().ok_or_else(|| self.failed("it is gone"))?;
        let output = child.wait_with_output().map_err(doing(format!("waiting for {}", self.name)))?;
        if !output.status.success() {
            return Err(self.failed(String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn failed(&self, what: &str) -> Error {
        let what = what.strip_prefix(SAYS).unwrap_or(what).into();
        Error::Program { program: self.name.into(), what }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// In such a process: what is to be done.
pub fn task<T: DeserializeOwned>() -> Result<T, Error> {
    Ok(serde_json::from_reader(std::io::stdin().lock())?)
}

/// And what came of it.
pub fn report(result: &impl Serialize) -> Result<(), Error> {
    println!("{}", serde_json::to_string(result)?);
    Ok(())
}
