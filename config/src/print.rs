//! A configuration as text: the one place that prints settings, so the one place to mask secrets in.

use std::fmt::Write;

use crate::Config;
use crate::settings::{LISTENER, LISTENER_SETTINGS, SETTINGS, sections};

impl Config {
    /// The effective configuration as TOML, every setting that has a value written out. It loads back to the same
    /// configuration, but for secrets and the digests of tokens: they are `"***"`, which is refused as a value.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut from = self.clone();
        let mut text = String::new();
        for section in sections().into_iter().filter(|section| *section != LISTENER) {
            let _ = writeln!(text, "[{section}]");
            for setting in SETTINGS {
                let name = setting.key.split_once('.').filter(|(of, _)| *of == section).map(|(_, name)| name);
                if let (Some(name), Some(value)) = (name, setting.slot.write(&mut from)) {
                    let _ = writeln!(text, "{name} = {value}");
                }
            }
            text.push('\n');
        }
        for listener in &mut from.listeners {
            let _ = writeln!(text, "[[{LISTENER}]]");
            for setting in LISTENER_SETTINGS {
                let name = setting.key.rsplit('.').next().unwrap_or_default();
                let value = setting.slot.write(listener).unwrap_or_default();
                let _ = writeln!(text, "{name} = {value}");
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
                None => setting.slot.write(&mut defaults).map_or("none".into(), |value| format!("`{value}`")),
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
