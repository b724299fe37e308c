//! Ctrl-C: the first one asks the work to end in order, a second one ends the process.

use std::process;

use anyhow::Context;
use reelnet_clips::CancelToken;

use crate::exit;
use crate::output::say;

/// A token that the first Ctrl-C cancels. To be called once a process.
pub(crate) fn watch() -> anyhow::Result<CancelToken> {
    let cancel = CancelToken::new();
    let token = cancel.clone();
    let on_interrupt = move || {
        if token.is_cancelled() {
            process::exit(i32::from(exit::INTERRUPTED));
        }
        say("interrupted: ending in order; once more ends at once");
        token.cancel();
    };
    ctrlc::set_handler(on_interrupt).context("cannot watch for Ctrl-C")?;
    Ok(cancel)
}
