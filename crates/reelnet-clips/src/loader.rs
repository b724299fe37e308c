//! From a list of wishes to clips, in the order of the list, by many threads.
//!
//! What comes out depends on the list alone: not on the number of workers, nor on who is faster. A file that fails is a
//! failed sample at its place, and nothing stands in for it.

mod batch;
mod queue;
mod report;
mod worker;

use std::any::Any;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use thiserror::Error;

use crate::media::Media;
use crate::{CancelToken, Clip, ClipError, FrameGeometry, FramePlan, IndexCache, Limits, MediaIndex};
pub use batch::{Batch, BatchError, Batches, Member, Remainder};
use queue::{Bounds, Queue, Stopped};
pub use report::LoaderReport;
use report::Tally;

/// Which clips of one file are wanted, and what comes with them.
pub struct Request<P> {
    media: Media,
    choose: Box<Choose>,
    payload: P,
}

type Choose = dyn FnOnce(&MediaIndex) -> Result<Wanted, String> + Send;

/// Clips of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The frames of each clip.
    pub plans: Vec<FramePlan>,
    /// What becomes of them.
    pub geometry: FrameGeometry,
}

impl<P> Request<P> {
    /// Clips that are chosen when the file's index is known. The payload, such as a label, comes out together with the clips.
    ///
    /// ```
    /// use reelnet_clips::{ClipSpec, Crop, Filter, FrameGeometry, PastEnd, Request, Resize, Seed, Wanted, plan};
    ///
    /// let spec = ClipSpec { frames: 32, frame_step: 2, past_end: PastEnd::Loop };
    /// let resize = Resize::ShorterSide(256);
    /// let geometry = FrameGeometry { resize, crop: Crop::Centre { width: 224, height: 224 }, filter: Filter::Bilinear };
    /// let seed = Seed { run: 1, epoch: 0, sample: 17 };
    /// Request::new("clips/archery/7.mp4", "archery", move |index| {
    ///     spec.require_whole(index.timeline())?;
    ///     Ok::<_, plan::VideoTooShort>(Wanted { plans: vec![plan::random(index.timeline(), &spec, seed)], geometry })
    /// });
    /// ```
    pub fn new<E: fmt::Display>(
        media: impl Into<Media>,
        payload: P,
        choose: impl FnOnce(&MediaIndex) -> Result<Wanted, E> + Send + 'static,
    ) -> Self {
        let choose = Box::new(|index: &MediaIndex| choose(index).map_err(|refusal| refusal.to_string()));
        Self { media: media.into(), choose, payload }
    }
}

/// How a [`Loader`] works; none of it changes what comes out.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// Threads that open, decode and scale. Zero counts as 1.
    pub workers: usize,
    /// How many samples may be worked on or wait to be taken. Zero counts as 1; fewer than workers leave some idle.
    pub items_ahead: usize,
    /// How many bytes of clips may be worked on or wait to be taken. The sample that is taken next never waits for room, so
    /// that one sample more may be held, and one that is larger than this passes.
    pub bytes_ahead: u64,
    /// The position to start at: this many requests are passed over, as if their samples had been taken before.
    pub first: u64,
    /// What each file may cost, and what cancels everything.
    pub limits: Limits,
    /// Where indexes are looked up and kept.
    pub cache: Option<Arc<IndexCache>>,
}

impl Default for LoaderOptions {
    /// A worker a processor, 64 samples or half a gigabyte ahead, from the start, without a cache.
    fn default() -> Self {
        Self {
            workers: thread::available_parallelism().map_or(1, std::num::NonZero::get),
            items_ahead: 64,
            bytes_ahead: 512 << 20,
            first: 0,
            limits: Limits::default(),
            cache: None,
        }
    }
}

/// What became of one request.
#[derive(Debug)]
pub struct Sample<P, T = Vec<Clip>> {
    /// Its place among all requests.
    pub position: u64,
    /// What came with it.
    pub payload: P,
    /// Its clips, or what was made of them; or why there are none.
    pub result: Result<T, ClipError>,
}

/// The loader was stopped by its [`CancelToken`]; that there are no more samples does not mean that there were no more requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("loading was cancelled")]
pub struct Cancelled;

/// An ordered stream of samples; see [`Request`] and [`LoaderOptions`].
///
/// An iterator whose items are errors only once it is cancelled. Dropping it ends its threads.
pub struct Loader<P, T = Vec<Clip>> {
    shared: Arc<Shared<P, T>>,
    workers: Vec<JoinHandle<()>>,
    next: u64,
    is_over: bool,
}

/// What workers and the loader have in common.
struct Shared<P, T> {
    requests: Mutex<Requests<P>>,
    queue: Queue<Sample<P, T>>,
    finish: Box<Finish<P, T>>,
    limits: Limits,
    cache: Option<Arc<IndexCache>>,
    tally: Mutex<Tally>,
}

struct Requests<P> {
    rest: Box<dyn Iterator<Item = Request<P>> + Send>,
    /// What the caller's own iterator panicked with; passed on to whoever takes samples.
    panic: Option<Box<dyn Any + Send>>,
}

type Finish<P, T> = dyn Fn(&P, Vec<Clip>) -> T + Send + Sync;

impl<P: Send + 'static> Loader<P> {
    /// Clips as they were decoded.
    pub fn new<R>(requests: R, options: &LoaderOptions) -> Self
    where
        R: IntoIterator<Item = Request<P>, IntoIter: Send + 'static>,
    {
        Self::with_finish(requests, options, |_, clips| clips)
    }
}

impl<P: Send + 'static, T: Send + 'static> Loader<P, T> {
    /// What a function makes of the clips of each sample, in the thread that decoded them: the place for augmentation. For
    /// the same samples at all times it must depend on nothing but its arguments.
    pub fn with_finish<R>(
        requests: R,
        options: &LoaderOptions,
        finish: impl Fn(&P, Vec<Clip>) -> T + Send + Sync + 'static,
    ) -> Self
    where
        R: IntoIterator<Item = Request<P>, IntoIter: Send + 'static>,
    {
        let first = usize::try_from(options.first).unwrap_or(usize::MAX);
        let bounds = Bounds { items: options.items_ahead as u64, bytes: options.bytes_ahead };
        // Dropping the loader ends its own work, and not what else the caller's token governs.
        let limits = Limits { cancel: options.limits.cancel.child(), ..options.limits.clone() };
        let shared = Arc::new(Shared {
            requests: Mutex::new(Requests { rest: Box::new(requests.into_iter().skip(first)), panic: None }),
            queue: Queue::new(options.first, bounds, limits.cancel.clone()),
            finish: Box::new(finish),
            limits,
            cache: options.cache.clone(),
            tally: Mutex::default(),
        });
        let worker = |number: usize| {
            let shared = Arc::clone(&shared);
            let builder = thread::Builder::new().name(format!("loader-{number}"));
            builder.spawn(move || worker::run(&shared)).ok()
        };
        // Where the system gives no more threads, fewer do the work.
        let workers: Vec<_> = (0..options.workers.max(1)).map_while(worker).collect();
        assert!(!workers.is_empty(), "the system gives this process not even one thread");
        Self { shared, workers, next: options.first, is_over: false }
    }

    /// The position of the sample that comes next: where a later loader starts to go on from here.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Cancels this loader and nothing else, from any thread.
    pub fn cancel_token(&self) -> CancelToken {
        self.shared.limits.cancel.clone()
    }

    /// What was loaded so far, and where the time went.
    pub fn report(&self) -> LoaderReport {
        let [wait, idle] = self.shared.queue.waited();
        self.shared.tally().report(wait, idle)
    }
}

impl<P: Send + 'static, T: Send + 'static> Iterator for Loader<P, T> {
    type Item = Result<Sample<P, T>, Cancelled>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        match self.shared.queue.take() {
            Ok(Some(sample)) => {
                self.next += 1;
                self.shared.tally().count(sample.result.as_ref().err());
                Some(Ok(sample))
            }
            Ok(None) => {
                self.is_over = true;
                let panic = self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).panic.take();
                panic.map(|panic| resume_unwind(panic))
            }
            Err(Stopped) => {
                self.is_over = true;
                Some(Err(Cancelled))
            }
        }
    }
}

impl<P, T> Shared<P, T> {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P, T> Drop for Loader<P, T> {
    fn drop(&mut self) {
        self.shared.limits.cancel.cancel();
        for worker in self.workers.drain(..) {
            // Its panic, if it had one, would only hide what made the caller drop the loader.
            let _ = worker.join();
        }
    }
}
