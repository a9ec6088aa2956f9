//! From layers to a configuration: figment merges them, the table of settings reads what is there.
//!
//! Every mistake of every layer is collected; rules between settings are looked at once each value is right.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use figment::value::{Dict, Value};
use figment::{Figment, Profile, Provider};

use crate::error::{ConfigError, Mistake, Mistakes, nearest, shortened};
use crate::given::Given;
use crate::layers::{COMMAND_LINE, ENVIRONMENT, Layer, Sources, variable_of};
use crate::settings::{LISTENER, LISTENER_SETTINGS, MAX_LISTENERS, SETTINGS, STORE_BYTES, sections};
use crate::{Config, Listener, memory, rules};

/// Which keys were given, and where.
pub(crate) type Places = BTreeMap<&'static str, String>;

impl Config {
    /// The configuration that `sources` make, complete and checked.
    ///
    /// # Errors
    /// [`ConfigError`]: the file cannot be read or parsed, or all the mistakes in what the sources say.
    pub fn load<E>(sources: Sources<'_, E>) -> Result<Self, ConfigError>
    where
        E: IntoIterator<Item = (String, String)>,
    {
        let mut mistakes = Vec::new();
        let mut figment = Figment::new();
        let mut folder = None;
        if let Some(path) = sources.file {
            figment = figment.merge(Layer::of_file(path)?);
            // Absolute, so that it holds wherever the process goes; a file that could be read has a folder.
            folder = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_path_buf));
        }
        figment = figment
            .merge(Layer::of_environment(sources.environment, &mut mistakes))
            .merge(Layer::of_overrides(sources.overrides, &mut mistakes));
        read(&figment, folder.as_deref(), mistakes)
    }
}

fn read(figment: &Figment, folder: Option<&Path>, mistakes: Vec<Mistake>) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    config.store.max_bytes = memory::quarter(config.store.max_object_bytes as u64).min(STORE_BYTES.1);
    let mut reader =
        Reader { figment, folder, config, places: Places::new(), said_tls: Vec::new(), mistakes };
    // Layers are merged when they are added; what figment could refuse here they cannot contain.
    let merged = figment.data().unwrap_or_default().remove(&Profile::Default).unwrap_or_default();
    reader.top(&merged);
    let Reader { mut config, places, said_tls, mut mistakes, .. } = reader;
    if mistakes.is_empty() {
        rules::derive(&mut config, &places, &said_tls, &mut mistakes);
        rules::check(&config, &places, &mut mistakes);
    }
    if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes).into()) }
}

struct Reader<'a> {
    figment: &'a Figment,
    folder: Option<&'a Path>,
    config: Config,
    places: Places,
    /// Of each listener: whether it says if it speaks TLS.
    said_tls: Vec<bool>,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    fn top(&mut self, merged: &Dict) {
        for (name, value) in merged {
            match value {
                value if name == LISTENER => self.listeners(value),
                Value::Dict(_, settings) if sections().contains(&name.as_str()) => {
                    self.section(name, settings);
                }
                // In YAML a section whose settings are all commented out is empty.
                Value::Empty(..) if sections().contains(&name.as_str()) => {}
                value => self.not_a_section(name, value),
            }
        }
    }

    fn section(&mut self, section: &str, settings: &Dict) {
        for (name, value) in settings {
            let key = format!("{section}.{name}");
            let found = SETTINGS.iter().find(|setting| setting.key == key && !name.contains('.'));
            let Some(setting) = found else {
                let place = self.layer_of(value);
                self.mistakes.push(Mistake::unknown(&place, &key));
                continue;
            };
            let given = self.given(value);
            let place = self.place_of(value, setting.key);
            let read = if setting.is_secret && place == COMMAND_LINE {
                Err("everyone on this machine can read the command line: write it in a file".into())
            } else {
                setting.slot.read(&mut self.config, given)
            };
            match read {
                Ok(()) => _ = self.places.insert(setting.key, place),
                Err(right) => {
                    let given = if setting.is_secret { given.hidden() } else { given.to_string() };
                    self.mistakes.push(Mistake::WrongValue { place, key: setting.key.into(), given, right });
                }
            }
        }
    }

    fn not_a_section(&mut self, name: &str, value: &Value) {
        let place = self.layer_of(value);
        if let Some(section) = sections().iter().find(|section| **section == name) {
            let right = format!("it is a section, with settings like {}", first_key(section));
            let holds_secrets =
                SETTINGS.iter().any(|setting| setting.is_secret && section_of(setting.key) == *section);
            let given = self.given(value);
            let given = if holds_secrets { given.hidden() } else { given.to_string() };
            let place = self.place_of(value, name);
            self.mistakes.push(Mistake::WrongValue { place, key: name.into(), given, right });
        } else if name.contains('.') {
            let hint = "write a section, and the setting in it".into();
            self.mistakes.push(Mistake::Unknown { place, key: format!("{:?}", shortened(name)), hint });
        } else {
            let hint = match nearest(name, sections().into_iter()) {
                Some(section) if matches!(value, Value::Dict(..)) => {
                    format!("the nearest section is {section}")
                }
                _ => return self.mistakes.push(Mistake::unknown(&place, name)),
            };
            self.mistakes.push(Mistake::Unknown { place, key: shortened(name), hint });
        }
    }

    /// Tables, or addresses alone: those are all that fits into a variable.
    fn listeners(&mut self, value: &Value) {
        let elements = self.given(value).list();
        let Some(elements) = elements.filter(|elements| (1..=MAX_LISTENERS).contains(&elements.len())) else {
            let right = format!(
                "it is a list of 1 to {MAX_LISTENERS} tables, each [[listener]] with an address; in the environment \
                 and after --set, addresses between commas"
            );
            return self.wrong(LISTENER, value, right);
        };
        let is_text = self.given(value).is_text;
        let before = self.mistakes.len();
        let listeners: Vec<_> =
            elements.iter().map(|element| self.listener(element, value, is_text)).collect();
        if self.mistakes.len() == before {
            (self.config.listeners, self.said_tls) = listeners.into_iter().unzip();
            let place = self.place_of(value, LISTENER);
            self.places.insert(LISTENER, place);
        }
    }

    fn listener(&mut self, element: &Value, list: &Value, is_text: bool) -> (Listener, bool) {
        let alone = Dict::from([("address".to_owned(), element.clone())]);
        let settings = match element {
            Value::Dict(_, settings) => settings,
            _ => &alone,
        };
        // A placeholder: a listener without an address is a mistake, below.
        let mut listener = Listener { address: SocketAddr::from(([127, 0, 0, 1], 0)), tls: false };
        for (name, value) in settings {
            let key = format!("{LISTENER}.{name}");
            match LISTENER_SETTINGS.iter().find(|setting| setting.key == key) {
                None => {
                    let place = self.layer_of(list);
                    self.mistakes.push(Mistake::unknown(&place, &key));
                }
                Some(setting) => {
                    let given = Given { value, is_text, folder: self.folder };
                    if let Err(right) = setting.slot.read(&mut listener, given) {
                        let (place, given) = (self.place_of(list, LISTENER), given.to_string());
                        self.mistakes.push(Mistake::WrongValue { place, key, given, right });
                    }
                }
            }
        }
        if !settings.contains_key("address") {
            let right = "every [[listener]] needs one, for example \"127.0.0.1:9999\"".into();
            let (place, key) = (self.place_of(list, LISTENER), format!("{LISTENER}.address"));
            self.mistakes.push(Mistake::WrongValue { place, key, given: "missing".into(), right });
        }
        (listener, settings.contains_key("tls"))
    }

    fn wrong(&mut self, key: &str, value: &Value, right: String) {
        let (place, given) = (self.place_of(value, key), self.given(value).to_string());
        self.mistakes.push(Mistake::WrongValue { place, key: key.into(), given, right });
    }

    fn given<'v>(&self, value: &'v Value) -> Given<'v>
    where
        'a: 'v,
    {
        let layer = self.layer_of(value);
        let is_text = layer == ENVIRONMENT || layer == COMMAND_LINE;
        Given { value, is_text, folder: self.folder.filter(|_| !is_text) }
    }

    /// The layer that gave `value`.
    fn layer_of(&self, value: &Value) -> String {
        self.figment.get_metadata(value.tag()).map(|layer| layer.name.to_string()).unwrap_or_default()
    }

    /// Where `value` was given for `key`: the layer, and in the environment the variable.
    fn place_of(&self, value: &Value, key: &str) -> String {
        match self.layer_of(value) {
            layer if layer == ENVIRONMENT => format!("{layer}: {}", variable_of(key)),
            layer => layer,
        }
    }
}

fn first_key(section: &str) -> &'static str {
    let mut keys = crate::settings::keys();
    keys.find(|key| section_of(key) == section).unwrap_or_default()
}

fn section_of(key: &str) -> &str {
    key.split_once('.').map_or("", |(section, _)| section)
}
