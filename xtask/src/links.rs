//! `cargo xtask links`: every relative link in a tracked Markdown file leads to a file, every anchor to a heading.
//!
//! Links to other machines are not followed: a test must not fail because somebody's server does.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;
use pulldown_cmark::{BrokenLink, Event, LinkType, Options, Parser, Tag, TagEnd};

use crate::command::CommandLine;
use crate::error::Error;
use crate::workspace;

/// Checks every Markdown file that git tracks.
pub fn run() -> Result<(), Error> {
    let listed = CommandLine::new("git", "ls-files -z -- *.md").run_for_output()?;
    let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let files: Vec<PathBuf> = names.map(|name| OsStr::from_bytes(name).into()).collect();
    let dead = check(&workspace::root(), &files)?;
    if !dead.is_empty() {
        return Err(Error::DeadLinks { count: dead.len(), list: dead.join("\n") });
    }
    println!("every link in {} files leads somewhere", files.len());
    Ok(())
}

/// What is wrong in `files`, which are relative to `root`: one line each.
fn check(root: &Path, files: &[PathBuf]) -> Result<Vec<String>, Error> {
    let mut pages = Pages { root, read: HashMap::new() };
    let mut dead = Vec::new();
    for file in files {
        for link in pages.page(file)?.links.clone() {
            if let Some(fault) = pages.fault(file, &link.target)? {
                dead.push(format!("  {}:{}: ({}) {fault}", file.display(), link.line, link.target));
            }
        }
    }
    Ok(dead)
}

struct Pages<'a> {
    root: &'a Path,
    read: HashMap<PathBuf, Page>,
}

impl Pages<'_> {
    fn page(&mut self, file: &Path) -> Result<&Page, Error> {
        if !self.read.contains_key(file) {
            let path = self.root.join(file);
            let text = std::fs::read_to_string(&path).map_err(|source| Error::CannotRead { path, source })?;
            self.read.insert(file.into(), Page::parse(&text));
        }
        Ok(&self.read[file])
    }

    fn fault(&mut self, from: &Path, target: &str) -> Result<Option<&'static str>, Error> {
        if is_elsewhere(target) {
            return Ok(None);
        }
        let (path, anchor) =
            target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
        let file = match path {
            "" => from.to_path_buf(),
            _ => match resolve(from, &percent_decode_str(path).decode_utf8_lossy()) {
                Some(file) => file,
                None => return Ok(Some("leaves the repository; link to a file of it, relative to this one")),
            },
        };
        if !self.root.join(&file).exists() {
            return Ok(Some("is not a file or folder of the repository"));
        }
        let is_page = file.extension().is_some_and(|extension| extension == "md");
        let Some(anchor) = anchor.filter(|_| is_page) else { return Ok(None) };
        let anchor = percent_decode_str(anchor).decode_utf8_lossy();
        let is_known = self.page(&file)?.anchors.contains(&*anchor);
        Ok((!is_known).then_some("is not a heading there"))
    }
}

/// A URI with a scheme (RFC 3986 section 3.1), or one that begins with a host.
fn is_elsewhere(target: &str) -> bool {
    let scheme = target.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    target.starts_with("//")
        || scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(in_scheme)
}

/// `target` as seen from the file `from`, relative to the root; nothing when it climbs out.
fn resolve(from: &Path, target: &str) -> Option<PathBuf> {
    let mut path = from.parent().map(Path::to_path_buf).unwrap_or_default();
    for component in Path::new(target).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[derive(Debug, Default)]
struct Page {
    links: Vec<Link>,
    anchors: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Link {
    target: String,
    line: usize,
}

impl Page {
    fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let line_of = |offset: usize| text[..offset].matches('\n').count() + 1;
        let mut undefined = Vec::new();
        // `[text][name]` without a definition of `name` is plain text to Markdown; here it is a mistake.
        let callback = |link: BrokenLink<'_>| {
            if matches!(link.link_type, LinkType::Reference | LinkType::Collapsed) {
                undefined
                    .push(Link { target: format!("[{}]", link.reference), line: line_of(link.span.start) });
            }
            None
        };
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
        let parser = Parser::new_with_broken_link_callback(text, options, Some(callback));
        let mut heading = None;
        for (event, range) in parser.into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(Link { target: dest_url.into_string(), line: line_of(range.start) });
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.add_heading(&heading.take().unwrap_or_default()),
                Event::Text(part) | Event::Code(part) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&part);
                    }
                }
                Event::Html(html) | Event::InlineHtml(html) => page.anchors.extend(ids(&html)),
                _ => {}
            }
        }
        page.links.append(&mut undefined);
        page
    }

    /// The anchor that GitHub gives a heading: lower case, blanks to hyphens, no punctuation; a second one of the
    /// same text is numbered.
    fn add_heading(&mut self, text: &str) {
        let kept = text.to_lowercase().replace(' ', "-");
        let slug: String =
            kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect();
        let mut anchor = slug.clone();
        let mut number = 0_usize;
        while !self.anchors.insert(anchor) {
            number += 1;
            anchor = format!("{slug}-{number}");
        }
    }
}

/// The values of `id="..."` and `name="..."` in a piece of HTML.
fn ids(html: &str) -> impl Iterator<Item = String> {
    let values = [" id=\"", " name=\""].into_iter().flat_map(|attribute| html.split(attribute).skip(1));
    values.filter_map(|rest| rest.split_once('"').map(|(value, _)| value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with these files, as `(file:line, target)` and the fault's last word.
    fn faults(files: &[(&str, &str)]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let pages = files
            .iter()
            .map(|(name, _)| PathBuf::from(name))
            .filter(|name| name.extension() == Some("md".as_ref()));
        check(root.path(), &pages.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn links_to_files_folders_and_headings_are_sound() {
        let faults = faults(&[
            (
                "README.md",
                "# The ring\n[a](docs/guide.md) [b](docs) [c](docs/guide.md#first-steps) [d](#the-ring) ![e](docs/an%20image.png)\n[f][g]\n\n[g]: ./docs/../docs/guide.md#first-steps",
            ),
            ("docs/guide.md", "First steps\n===\n[up](../README.md#the-ring) [code](../src/lib.rs#L10)"),
            ("docs/an image.png", ""),
            ("src/lib.rs", ""),
        ]);
        assert_eq!(faults, [""; 0]);
    }

    #[test]
    fn a_link_to_nowhere_is_named_with_its_line() {
        let faults = faults(&[("docs/a.md", "one\n\ntwo [three](../missing.md) four\n![five](six.png)")]);
        assert_eq!(
            faults,
            [
                "  docs/a.md:3: (../missing.md) is not a file or folder of the repository",
                "  docs/a.md:4: (six.png) is not a file or folder of the repository"
            ]
        );
    }

    #[test]
    fn an_anchor_without_its_heading_is_dead() {
        let faults = faults(&[("a.md", "# Here\n[x](#there) [y](b.md#here)"), ("b.md", "## There")]);
        assert_eq!(
            faults,
            ["  a.md:2: (#there) is not a heading there", "  a.md:2: (b.md#here) is not a heading there"]
        );
    }

    #[test]
    fn a_link_out_of_the_repository_is_dead() {
        let faults = faults(&[("docs/a.md", "[x](../../secret.md) [y](/etc/passwd)")]);
        assert_eq!(faults.len(), 2);
        assert!(faults.iter().all(|fault| fault.contains("leaves the repository")), "{faults:?}");
    }

    #[test]
    fn a_reference_without_a_definition_is_dead() {
        let faults = faults(&[("a.md", "[x][nowhere] and [y][]; a[0] and [z] are text")]);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("a.md:1: ([nowhere])"), "{faults:?}");
    }

    #[test]
    fn links_to_other_machines_and_links_in_code_are_not_followed() {
        let text = "<https://example.org> [x](https://example.org/a.md#b) [y](mailto:a@example.org) [z](//example.org)\n\
                    `[code](missing.md)`\n\n```\n[block](missing.md)\n```\n\n    [indented](missing.md)\n";
        assert_eq!(faults(&[("a.md", text)]), [""; 0]);
    }

    #[test]
    fn a_heading_has_the_anchor_that_github_gives_it() {
        let page = Page::parse(
            "# Between members: one framed stream\n## `cargo xtask` & you\n## Grüße, 2nd_part!\n## Same\n## Same\n## A [link](b.md)\n<a id=\"own\"></a>\n",
        );
        let expected = [
            "between-members-one-framed-stream",
            "cargo-xtask--you",
            "grüße-2nd_part",
            "same",
            "same-1",
            "a-link",
            "own",
        ];
        assert_eq!(page.anchors, expected.map(String::from).into());
    }
}
