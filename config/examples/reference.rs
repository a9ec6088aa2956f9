//! Prints the tables of `docs/configuration.md`.

fn main() {
    println!("{}", ringhold_config::reference());
}
