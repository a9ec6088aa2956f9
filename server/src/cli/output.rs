//! What goes to stdout: data, and nothing else; warnings go to stderr. A reader that closes the pipe ends the command
//! quietly.

use std::io::{ErrorKind, Write as _};

use serde::Serialize;

use super::Failure;

/// Writes data to stdout.
pub fn print(bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(bytes.as_ref()).and_then(|()| stdout.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::reader_gone(),
        _ => Failure::general(format!("cannot write to stdout: {error}")),
    })
}

/// Writes a document for a script: JSON, indented, with a line end.
pub fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document);
    print(text.map_err(|error| Failure::general(format!("cannot write JSON: {error}")))? + "\n")
}

/// Tells a person of something. Nobody may be there any more to read it.
pub fn tell(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// Tells a person of something that may go wrong later.
pub fn warn(message: &str) {
    let _ = writeln!(std::io::stderr(), "ringhold: warning: {message}");
}

/// Rows of cells as lines of aligned columns; the last column is not padded.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A number of bytes for people, in binary units.
pub fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    // 1023.95 would be shown as 1024.0.
    for next in units {
        if value < 1023.95 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if count < 1024 { format!("{count} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect();
        let text = table(&[row(&["a", "long", "x"]), row(&["ключ", "b", ""])]);
        assert_eq!(text, "a     long  x\nключ  b\n");
    }

    #[test]
    fn bytes_are_shown_in_binary_units() {
        let shown = [0, 1023, 1024, 1536, 1_048_575, 1 << 20, 5 << 30, u64::MAX].map(bytes);
        assert_eq!(
            shown,
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 MiB", "5.0 GiB", "16.0 EiB"]
        );
    }
}
