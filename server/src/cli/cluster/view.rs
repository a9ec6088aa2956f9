//! What a local ring shows: how to use it, and then a line for each node, for as long as it runs.

use std::io::IsTerminal as _;
use std::time::Duration;

use ringhold_client::{ClusterReport, HandoffReport, MemberAddress};
use tokio::time::Instant;

use super::local::{LocalNode, Place};
use super::ring::LocalRing;
use crate::cli::{Failure, output};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One line a node: rewritten in place on a terminal, printed on change elsewhere.
#[derive(Debug)]
pub(super) struct View {
    is_terminal: bool,
    shown: Vec<String>,
    next: Instant,
    /// Whether something else was printed below the lines.
    is_left: bool,
}

impl Default for View {
    fn default() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        Self { is_terminal, shown: Vec::new(), next: Instant::now(), is_left: false }
    }
}

impl View {
    /// Completes when it is time to look again.
    pub(super) async fn next_look(&mut self) {
        tokio::time::sleep_until(self.next).await;
    }

    /// Leaves the lines on the terminal as they are, since something follows them.
    pub(super) fn begin_anew(&mut self) {
        self.is_left = true;
    }

    /// Looks at `ring`, and shows what it sees.
    pub(super) async fn print(&mut self, ring: &LocalRing) -> Result<(), Failure> {
        let lines = look(ring.nodes()).await;
        self.next = Instant::now() + LOOK_EVERY;
        output::print(self.change(&lines))?;
        (self.shown, self.is_left) = (lines, false);
        Ok(())
    }

    fn change(&self, lines: &[String]) -> String {
        if !self.is_terminal {
            let is_new = |line: &&String| !self.shown.contains(line);
            return lines.iter().filter(is_new).map(|line| format!("{line}\n")).collect();
        }
        let mut text = match self.shown.len() {
            above if above > 0 && !self.is_left => format!("\r\x1b[{above}A"),
            _ => String::new(),
        };
        lines.iter().for_each(|line| text += &format!("\x1b[2K{line}\n"));
        // Of a node that is no longer there.
        text + "\x1b[J"
    }
}

async fn look(nodes: &[LocalNode]) -> Vec<String> {
    let reports = futures_util::future::join_all(nodes.iter().map(|node| node.report(LOOK_EVERY / 2))).await;
    nodes.iter().zip(&reports).map(|(node, own)| line(node, own.as_ref(), &reports)).collect()
}

fn line(node: &LocalNode, own: Option<&ClusterReport>, all: &[Option<ClusterReport>]) -> String {
    let address = MemberAddress::from(node.place.member);
    let others = all.iter().flatten().filter(|report| report.member != address);
    let seen = others.flat_map(|report| &report.members).filter(|member| member.address == address);
    let mut healths: Vec<_> = seen.map(|member| member.health.as_str()).collect();
    healths.sort_unstable();
    healths.dedup();
    let health = if healths.is_empty() { "alone".to_owned() } else { healths.join("/") };
    let mut parts = vec![match own {
        Some(report) => format!("{} objects, {} bytes", report.store.objects, report.store.bytes),
        None => "does not answer".to_owned(),
    }];
    if node.is_leaving() {
        parts.push("leaving".to_owned());
    }
    parts.extend(own.into_iter().flat_map(doings));
    format!("  {:<16} {health:<20} {}", node.place.member, parts.join("; "))
}

/// What a node does besides serving.
fn doings(report: &ClusterReport) -> Vec<String> {
    let own = report.members.iter().find(|member| member.is_self).and_then(|member| member.state.clone());
    let mut doings: Vec<_> = own.filter(|state| state != "ready").into_iter().collect();
    if report.target_ring_id.is_some() {
        doings.push("changing its members".to_owned());
    }
    doings.extend(report.handoff.iter().map(|handoff| {
        let HandoffReport { member, objects_sent, bytes_sent, objects_left, .. } = handoff;
        let sent = output::bytes(*bytes_sent);
        format!("hands {member} {objects_sent} objects ({sent}), about {objects_left} left")
    }));
    doings
}

/// How to use the ring, said once.
pub(super) fn introduction(ring: &LocalRing) -> String {
    let (nodes, folder) = (ring.nodes(), &ring.plan().folder);
    let address = |number: usize| nodes[number % nodes.len()].place.application;
    let last = &nodes[nodes.len() - 1];
    let mut text =
        format!("A ring of {} nodes; configuration and logs are in {}\n\n", nodes.len(), folder.display());
    for node in nodes {
        let (Place { member, application }, pid) = (node.place, node.pid().unwrap_or_default());
        if node.place.is_split() {
            text += &format!("  https://{member}  http://{application}  pid {pid}\n");
        } else {
            text += &format!("  http://{member}  pid {pid}\n");
        }
    }
    if let Some(node) = nodes.first().filter(|node| node.place.is_split()) {
        let secret = folder.join("secret");
        text += &format!(
            "\nMembers speak TLS, made from the secret in {}; whoever holds it may talk to them too:\n\n  \
             {} --node https://{} --secret-file {} status\n",
            secret.display(),
            program(),
            node.place.member,
            secret.display()
        );
    }
    text += &format!(
        "
Store through one node, read through another, patch through the third, ask where it lives:

  curl -i -X PUT  http://{first}/objects/hello -H 'Content-Type: text/plain' -d 'world'
  curl -i         http://{second}/objects/hello
  curl -i -X PATCH http://{third}/objects/hello -H 'Content-Type: text/plain' -d ', and you'
  curl            http://{first}/cluster/locate/hello

Kill a node and go on; start it again to see it return:

  kill -9 {pid}
  {program} serve --config {config}

Type + and Enter to add a node, - and Enter to remove the last. Ctrl-C stops all of it.

",
        first = address(0),
        second = address(1),
        third = address(2),
        pid = last.pid().unwrap_or_default(),
        program = program(),
        config = last.config().display(),
    );
    text
}

fn program() -> String {
    std::env::current_exe().map_or_else(|_| "ringhold".to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(is_terminal: bool, shown: &[&str]) -> View {
        let shown = shown.iter().map(|line| (*line).to_owned()).collect();
        View { is_terminal, shown, ..View::default() }
    }

    fn change(view: &View, lines: &[&str]) -> String {
        view.change(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn without_a_terminal_only_what_changed_is_printed() {
        assert_eq!(change(&view(false, &[]), &["a", "b"]), "a\nb\n");
        assert_eq!(change(&view(false, &["a", "b"]), &["a", "c", "d"]), "c\nd\n");
        assert_eq!(change(&view(false, &["a", "b"]), &["a"]), "");
    }

    #[test]
    fn on_a_terminal_the_lines_are_rewritten_where_they_stand() {
        assert_eq!(change(&view(true, &[]), &["a"]), "\x1b[2Ka\n\x1b[J");
        assert_eq!(change(&view(true, &["a", "b"]), &["c"]), "\r\x1b[2A\x1b[2Kc\n\x1b[J");
        let mut left = view(true, &["a"]);
        left.begin_anew();
        assert_eq!(change(&left, &["c"]), "\x1b[2Kc\n\x1b[J");
    }
}
