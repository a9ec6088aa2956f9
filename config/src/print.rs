//! A configuration as text: the one place that prints settings, so the one place to mask secrets in.

use std::fmt::Write;

use crate::Config;
use crate::settings::{LISTENER, LISTENER_SETTINGS, SETTINGS, sections};

impl Config {
    /// The effective configuration as TOML, every setting written out. It loads back to the same configuration.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut from = self.clone();
        let mut text = String::new();
        for section in sections().into_iter().filter(|section| *section != LISTENER) {
            let _ = writeln!(text, "[{section}]");
            for setting in SETTINGS {
                if let Some((_, name)) = setting.key.split_once('.').filter(|(of, _)| *of == section) {
                    let _ = writeln!(text, "{name} = {}", setting.slot.write(&mut from));
                }
            }
            text.push('\n');
        }
        for listener in &mut from.listeners {
            let _ = writeln!(text, "[[{LISTENER}]]");
            for setting in LISTENER_SETTINGS {
                let name = setting.key.rsplit('.').next().unwrap_or_default();
                let _ = writeln!(text, "{name} = {}", setting.slot.write(listener));
            }
        }
        text
    }
}

/// Every setting as Markdown, a table for each section: the heart of `docs/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let mut defaults = Config::default();
    let mut text = String::new();
    for section in sections() {
        let title = if section == LISTENER { "[[listener]]".into() } else { format!("[{section}]") };
        let _ = writeln!(text, "### `{title}`\n\n| setting | values | default | |\n|---|---|---|---|");
        let of_section = |key: &str| key.split_once('.').is_some_and(|(of, _)| of == section);
        for setting in SETTINGS.iter().filter(|setting| of_section(setting.key)) {
            let default = match setting.default {
                Some(words) => words.into(),
                None => format!("`{}`", setting.slot.write(&mut defaults)),
            };
            row(&mut text, setting.key, &setting.slot.describe(), &default, setting.doc);
        }
        for setting in LISTENER_SETTINGS.iter().filter(|setting| of_section(setting.key)) {
            let default = setting.default.unwrap_or("required");
            row(&mut text, setting.key, &setting.slot.describe(), default, setting.doc);
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

fn row(text: &mut String, key: &str, values: &str, default: &str, doc: &str) {
    let _ = writeln!(text, "| `{key}` | {values} | {default} | {doc} |");
}
