//! The binary that the tests run: the `reelnet` command itself.

use std::process::ExitCode;

fn main() -> ExitCode {
    reelnet_cli::main()
}
