//! Which nodes a command talks to, how, and for how long. Client commands run on one thread.

use std::time::Duration;

use clap::Args;
use ringhold_client::{Client, NodeUrl, NodeUrlError};

use super::Failure;
use super::credentials::Credentials;

/// The variable that names nodes when `--node` does not, separated by commas.
pub const NODES: &str = "RINGHOLD_NODES";
const DEFAULT_NODE: &str = "127.0.0.1:9999";

/// Options of every command that talks to a node.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// A node to talk to, http://host:port, https://host:port or host:port; repeat it for nodes to fall back on
    /// [default: those of the RINGHOLD_NODES variable, separated by commas, or 127.0.0.1:9999]
    #[arg(id = "node", long, value_name = "URL", value_parser = node, global = true)]
    nodes: Vec<String>,
    /// How long to wait for an answer, such as 500ms, 10s or 2m; plain numbers are seconds. While a large value moves:
    /// how long it may stand still
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, global = true)]
    timeout: Duration,
    #[command(flatten)]
    credentials: Credentials,
}

impl Connection {
    /// Carries `command` out with a client.
    pub fn run(self, command: impl AsyncFnOnce(Client) -> Result<(), Failure>) -> Result<(), Failure> {
        let client = self.client(|name| std::env::var(name).ok())?;
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command(client))
    }

    /// For a command that talks to no node.
    pub fn refuse_credentials(&self) -> Result<(), Failure> {
        self.credentials.refuse()
    }

    fn client(self, variable: impl Fn(&str) -> Option<String>) -> Result<Client, Failure> {
        let mut nodes = self.nodes;
        if nodes.is_empty() {
            let given = variable(NODES).unwrap_or_default();
            let given = given.split(',').map(str::trim).filter(|text| !text.is_empty()).map(node);
            let given: Result<Vec<String>, _> = given.collect();
            nodes = given.map_err(|error| Failure::usage(format!("{NODES}: {error}")))?;
        }
        if nodes.is_empty() {
            nodes.push(DEFAULT_NODE.into());
        }
        let builder = Client::builder().nodes(nodes);
        let builder = builder.timeout(self.timeout).connect_timeout(self.timeout.min(CONNECT));
        Ok(self.credentials.apply(builder, variable)?.build()?)
    }
}

/// The text as it is: whether `host:port` means TLS depends on the other options.
fn node(text: &str) -> Result<String, NodeUrlError> {
    text.parse::<NodeUrl>().map(|_| text.to_owned())
}

/// A machine that does not even answer a connection attempt should not use up the whole timeout.
const CONNECT: Duration = Duration::from_secs(2);

/// The longest timeout that is of any use.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit.trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    let seconds = number.parse::<f64>().unwrap_or(f64::NAN) * scale;
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    if (Duration::from_millis(1)..=MAX_TIMEOUT).contains(&duration) {
        Ok(duration)
    } else {
        Err("a time is a number with ms, s, m or h behind it, from 1ms to 24h".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    #[test]
    fn times_are_numbers_with_units() {
        let millis = |text| duration(text).map(|duration| duration.as_millis());
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("10"), Ok(10_000));
        assert_eq!(millis("0.5s"), Ok(500));
        assert_eq!(millis("2m"), Ok(120_000));
        assert_eq!(millis("24h"), Ok(86_400_000));
        for text in ["", "s", "0", "-1s", "1 year", "25h", "1e3", "..", "nan"] {
            assert!(millis(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nodes_come_from_the_options_then_the_variable_then_the_default() {
        let connection = |nodes: &[&str]| Connection {
            nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
            timeout: Duration::from_secs(1),
            credentials: Credentials::default(),
        };
        let only = |nodes: Option<&'static str>| {
            move |name: &str| nodes.filter(|_| name == NODES).map(ToOwned::to_owned)
        };
        let shown = |connection: Connection, nodes| format!("{:?}", connection.client(only(nodes)).unwrap());
        let given = shown(connection(&["a:1", "http://b:2"]), Some("c:3"));
        assert!(
            given.contains("http://a:1") && given.contains("http://b:2") && !given.contains("c:3"),
            "{given}"
        );
        let variable = shown(connection(&[]), Some("c:3, http://d:4,"));
        assert!(variable.contains("http://c:3") && variable.contains("http://d:4"), "{variable}");
        for empty in [None, Some(""), Some(" , ")] {
            assert!(shown(connection(&[]), empty).contains("http://127.0.0.1:9999"));
        }
        let failure = connection(&[]).client(only(Some("nonsense"))).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
    }
}
