//! The `ringhold` program: a thin caller of the library.

fn main() -> std::process::ExitCode {
    ringhold_server::cli::main()
}
