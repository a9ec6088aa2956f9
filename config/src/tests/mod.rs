//! Behaviour of loading, through the door a program uses.

mod copies;
mod layering;
mod mistakes;
mod printing;
mod protection;
mod secrecy;

use std::path::{Path, PathBuf};

use crate::{Config, ConfigError, Sources};

/// A file called `name` that says `text`, in a directory of its own.
struct File(tempfile::TempDir, PathBuf);

fn file(name: &str, text: &str) -> File {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    File(directory, path)
}

fn load(
    path: Option<&Path>,
    environment: &[(&str, &str)],
    overrides: &[&str],
) -> Result<Config, ConfigError> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let overrides: Vec<_> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Config::load(Sources { file: path, environment, overrides: &overrides })
}

fn load_toml(text: &str) -> Result<Config, ConfigError> {
    load(Some(&file("ring.toml", text).1), &[], &[])
}

fn load_yaml(text: &str) -> Result<Config, ConfigError> {
    load(Some(&file("ring.yaml", text).1), &[], &[])
}

/// What is wrong with a TOML file, without the directory it was in.
fn wrong(text: &str) -> String {
    let file = file("ring.toml", text);
    let message = load(Some(&file.1), &[], &[]).expect_err("it is wrong").to_string();
    message.replace(&format!("{}/", file.0.path().display()), "")
}

fn wrong_override(text: &str) -> String {
    load(None, &[], &[text]).expect_err("it is wrong").to_string()
}
