//! Exit codes, in one place.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | everything was done |
//! | 1 | the command ran, and something in its input failed; the rest was done |
//! | 2 | the command could not run: wrong words, a missing model, a full disk |
//! | 130 | somebody pressed Ctrl-C before everything was done |

use std::io;
use std::process::ExitCode;

use crate::output::say;

/// 128 and the number of SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// How a command ended.
pub(crate) enum Outcome {
    /// Code 0.
    Done,
    /// Code 1; what failed was said already.
    SomeFailed,
    /// Code 130, as shells give it; what was left undone was said already.
    Interrupted,
    /// Code 2.
    Error(anyhow::Error),
}

/// The code of an outcome, after an error was told.
pub(crate) fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::SomeFailed => ExitCode::from(1),
        Outcome::Interrupted => ExitCode::from(INTERRUPTED),
        // `reelnet tag … | head` closes the pipe when it has seen enough: nothing is wrong.
        Outcome::Error(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Outcome::Error(error) => {
            say(format_args!("error: {}", told(&error)));
            ExitCode::from(2)
        }
    }
}

/// The chain of causes, without those whose words the one above says already.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(broken)
            || cause
                .downcast_ref::<csv::Error>()
                .is_some_and(|error| matches!(error.kind(), csv::ErrorKind::Io(error) if broken(error)))
    })
}
