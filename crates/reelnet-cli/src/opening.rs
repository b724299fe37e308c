//! How a command opens files: plainly, with a cache of indexes, or in worker processes, which are this program again, with a
//! hidden command.

use std::io::{stdin, stdout};
use std::process::Command;

use anyhow::Context;
use reelnet_clips::isolate::{Crew, serve};
use reelnet_clips::{CacheCondition, IndexCache, Opener};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::args::{DecodeWorkerArgs, OpeningArgs};
use crate::exit::Outcome;
use crate::output::say;

/// What the words of a command line ask for.
pub(crate) fn opener(args: &OpeningArgs) -> anyhow::Result<Opener> {
    if let Some(path) = &args.index_cache {
        let cache = IndexCache::open(path)?;
        if let CacheCondition::Rebuilt { reason } = cache.condition() {
            say(format_args!("the index cache `{}` is made anew: {reason}", path.display()));
        }
        return Ok(Opener::Cached(cache));
    }
    if !args.isolate {
        return Ok(Opener::Plain);
    }
    let program = std::env::current_exe().context("cannot find this program to start it again for --isolate")?;
    let memory = u64::from(args.worker_memory) << 20;
    Ok(Opener::Isolated(Crew::new(move || {
        let mut command = Command::new(&program);
        command.args(["decode-worker", "--memory", &memory.to_string()]);
        command
    })))
}

/// Writes what was learned. That it cannot be written costs time later, and no result.
pub(crate) fn close(opener: &Opener) {
    if let Opener::Cached(cache) = opener
        && let Err(error) = cache.save()
    {
        say(error);
    }
}

/// The worker's side.
pub(crate) fn work(args: &DecodeWorkerArgs) -> anyhow::Result<Outcome> {
    // Counts what is written to, not what allocators only reserve.
    let limit = Rlimit { current: Some(args.memory), maximum: Some(args.memory) };
    setrlimit(Resource::Data, limit).context("cannot bound the memory of a worker")?;
    serve(stdin().lock(), stdout().lock()).context("the pipes to the process that decodes for another one")?;
    Ok(Outcome::Done)
}
