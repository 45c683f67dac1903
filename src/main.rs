//! The program: see `millrace --help`.

fn main() -> std::process::ExitCode {
    millrace::cli::main()
}
