//! The `ringhold` program: a thin caller of the library and of the client.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
