//! Work: files leased, scored on threads of their own, and written in batches, until none is left.
//!
//! A worker never has more files than threads, so that several workers share fairly. It prolongs its leases while it works; what it
//! does not write in time belongs to somebody else. While the database is away it waits, and keeps what it has.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reelnet_clips::CancelToken;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::analysis::Analyst;
use crate::objects::Failure;
use crate::places::{Opened, State, open, state_of};
use crate::process::Owner;
use crate::store::{JobEnd, JobResult, Lease, LeaseWish, MayPass, ModelRow, Place, Queue};
use crate::{LibraryError, Store};

/// Results that are written in one transaction at most.
const BATCH: usize = 32;
/// How often a worker looks around.
const TICK: Duration = Duration::from_millis(200);
/// How often it asks for work, or whether it is to wait, when it has none.
const POLL: Duration = Duration::from_secs(1);
/// How often it looks for contents without a job, while a scan may bring some, and otherwise.
const LOOK: Duration = Duration::from_secs(1);
const LONG_LOOK: Duration = Duration::from_secs(15);
/// Seconds for which a file rests whose folder is not there.
const REST: f64 = 60.0;

/// How to work.
#[derive(Clone, Debug)]
pub struct WorkOptions {
    /// Files at once.
    pub jobs: usize,
    /// Seconds of a lease; prolonged three times within them.
    pub lease_seconds: f64,
    /// The part of the library, from 0 on, and of how many.
    pub shard: (u64, u64),
    /// Which files come first.
    pub queue: Queue,
    /// No file is begun after so long.
    pub most_time: Option<Duration>,
    /// How long to wait for a database that is away.
    pub patience: Duration,
    /// Ends the work in order.
    pub cancel: CancelToken,
    /// While this is set, more files may come, and nothing left to do is no reason to end.
    pub more_may_come: Arc<AtomicBool>,
}

/// Something that happened.
#[derive(Debug)]
pub enum WorkEvent<'event> {
    /// A file is done.
    Finished {
        /// Which.
        path: &'event Path,
        /// How it ended.
        end: &'event JobEnd,
        /// Which attempt it was.
        attempt: i64,
        /// Of an object of a store: what of it was read.
        ranges: Option<Ranges>,
    },
    /// So many files are left in this part of the library.
    Left(u64),
    /// The database is away; it is asked again after a while.
    Away(&'event LibraryError, Duration),
    /// Somebody asked all workers to wait.
    Paused,
    /// Goes on.
    Resumed,
}

/// How much of something was read by ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Bytes that were asked for; blocks that were dropped and asked for again count twice.
    pub read: u64,
    /// Bytes that there are.
    pub size: u64,
}

/// What a worker did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkReport {
    /// Files that were opened.
    pub decoded: u64,
    /// Of these, scored.
    pub scored: u64,
    /// Scored, although they are damaged.
    pub damaged: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Left out.
    pub skipped: u64,
    /// Put back.
    pub released: u64,
    /// Written by somebody else: this worker's lease was over.
    pub lost: u64,
    /// Seconds of video that were scored.
    pub video_seconds: f64,
    /// Windows.
    pub windows: u64,
    /// Files whose folder is not there: they wait.
    pub left: u64,
    /// Of objects of stores that were opened, all together.
    pub ranges: Ranges,
}

/// Works until nothing is left, the time is over, or somebody ends it.
///
/// # Errors
/// If the database stays away for longer than there is patience, or says no.
pub async fn work(
    store: &Store,
    model: &ModelRow,
    analyst: Arc<Analyst>,
    options: &WorkOptions,
    mut tell: impl FnMut(WorkEvent<'_>),
) -> Result<WorkReport, LibraryError> {
    let labels = patiently(store, options, &mut tell, || store.label_ids()).await?;
    let (sender, receiver) = mpsc::channel(options.jobs.max(1) * 2);
    let worker = Worker {
        store,
        model,
        labels,
        options,
        analyst,
        owner: Owner::this(),
        sender,
        running: HashMap::new(),
        report: WorkReport::default(),
        is_paused: false,
        looked: None,
        more_came: false,
    };
    worker.run(receiver, &mut tell).await
}

async fn patiently<T, F: Future<Output = Result<T, LibraryError>>>(
    store: &Store,
    options: &WorkOptions,
    tell: &mut impl FnMut(WorkEvent<'_>),
    attempt: impl FnMut() -> F,
) -> Result<T, LibraryError> {
    store.patiently(options.patience, |error, pause| tell(WorkEvent::Away(error, pause)), attempt).await
}

/// A file that is done.
struct Done {
    lease: Lease,
    path: PathBuf,
    place: Option<Place>,
    result: JobResult,
    was_opened: bool,
    ranges: Option<Ranges>,
}

struct Worker<'work> {
    store: &'work Store,
    model: &'work ModelRow,
    labels: HashMap<String, i64>,
    options: &'work WorkOptions,
    analyst: Arc<Analyst>,
    owner: Owner,
    sender: mpsc::Sender<Done>,
    /// Tokens of the jobs that are worked on.
    running: HashMap<i64, i64>,
    report: WorkReport,
    is_paused: bool,
    /// When contents without a job were last looked for.
    looked: Option<Instant>,
    /// Whether more files could come when it was last asked.
    more_came: bool,
}

impl Worker<'_> {
    async fn run(
        mut self,
        mut receiver: mpsc::Receiver<Done>,
        tell: &mut impl FnMut(WorkEvent<'_>),
    ) -> Result<WorkReport, LibraryError> {
        let began = Instant::now();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heartbeat = interval(Duration::from_secs_f64((self.options.lease_seconds / 3.0).max(0.05)));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle: Option<Instant> = None;
        loop {
            let is_over = self.options.cancel.is_cancelled()
                || self.options.most_time.is_some_and(|most| began.elapsed() >= most);
            if is_over && self.running.is_empty() {
                return Ok(self.report);
            }
            // Whenever a thread is free; once a second if the last answer was that there is nothing.
            let is_due = idle.is_none_or(|since| since.elapsed() >= POLL);
            if !is_over && self.running.len() < self.options.jobs && is_due {
                let leased = self.lease(tell).await?;
                idle = (leased == 0).then(Instant::now);
                if leased == 0 && self.running.is_empty() && !self.is_paused && self.is_done(tell).await? {
                    return Ok(self.report);
                }
            }
            tokio::select! {
                biased;
                done = receiver.recv() => {
                    let Some(done) = done else { return Ok(self.report) };
                    let mut batch = vec![done];
                    while batch.len() < BATCH && let Ok(done) = receiver.try_recv() {
                        batch.push(done);
                    }
                    self.write(batch, tell).await?;
                }
                _ = heartbeat.tick() => self.renew(tell).await?,
                _ = tick.tick() => {}
            }
        }
    }

    /// Takes as many files as threads are free. Gives how many.
    async fn lease(&mut self, tell: &mut impl FnMut(WorkEvent<'_>)) -> Result<usize, LibraryError> {
        let (store, options) = (self.store, self.options);
        let is_paused = patiently(store, options, tell, || store.is_paused()).await?;
        if is_paused != self.is_paused {
            tell(if is_paused { WorkEvent::Paused } else { WorkEvent::Resumed });
            self.is_paused = is_paused;
        }
        if is_paused {
            return Ok(0);
        }
        let wish = LeaseWish {
            model: self.model.id,
            count: u32::try_from(options.jobs - self.running.len()).unwrap_or(u32::MAX),
            seconds: options.lease_seconds,
            shard: options.shard,
            queue: options.queue,
        };
        let owner = &self.owner;
        let leases = patiently(store, options, tell, || store.lease(owner, &wish)).await?;
        let count = leases.len();
        for lease in leases {
            self.running.insert(lease.job, lease.token);
            let (analyst, sender) = (Arc::clone(&self.analyst), self.sender.clone());
            tokio::task::spawn_blocking(move || {
                // The receiver is gone when the work broke off; then the lease runs out.
                let _ = sender.blocking_send(attempt(&analyst, lease));
            });
        }
        Ok(count)
    }

    async fn renew(&mut self, tell: &mut impl FnMut(WorkEvent<'_>)) -> Result<(), LibraryError> {
        let leases: Vec<(i64, i64)> = self.running.iter().map(|(&job, &token)| (job, token)).collect();
        let (store, options) = (self.store, self.options);
        // What is lost is noticed again when it is written.
        patiently(store, options, tell, || store.renew(&leases, options.lease_seconds)).await.map(|_| ())
    }

    /// Nothing can be leased: whether that will stay so.
    async fn is_done(&mut self, tell: &mut impl FnMut(WorkEvent<'_>)) -> Result<bool, LibraryError> {
        let (store, options, model) = (self.store, self.options, self.model.id);
        let more_may_come = options.more_may_come.load(Ordering::Relaxed);
        if self.more_came && !more_may_come {
            // What came last.
            self.looked = None;
        }
        self.more_came = more_may_come;
        // Compares all contents with all jobs: not something for every second.
        let pause = if more_may_come { LOOK } else { LONG_LOOK };
        let mut found = 0;
        if self.looked.is_none_or(|looked| looked.elapsed() >= pause) {
            found = patiently(store, options, tell, || store.queue_missing(model)).await?;
            self.looked = Some(Instant::now());
        }
        if found > 0 || more_may_come {
            return Ok(false);
        }
        let (waiting, leased) = patiently(store, options, tell, || store.pending(model, options.shard)).await?;
        tell(WorkEvent::Left(waiting + leased));
        // Whoever has the others may die. What still waits does so because its folder is not there.
        let resting = patiently(store, options, tell, || store.resting(model)).await?;
        self.report.left = resting;
        Ok(leased == 0 && waiting <= resting)
    }

    async fn write(&mut self, batch: Vec<Done>, tell: &mut impl FnMut(WorkEvent<'_>)) -> Result<(), LibraryError> {
        let (store, options, model, labels) = (self.store, self.options, self.model, &self.labels);
        for done in &batch {
            if let (JobEnd::Skipped { .. } | JobEnd::Released { .. }, Some(place)) = (&done.result.end, &done.place) {
                let (path, video) = (place.id, done.lease.video);
                if place.is_gone {
                    patiently(store, options, tell, || store.set_path_gone(path, video)).await?;
                } else if matches!(done.result.end, JobEnd::Skipped { .. }) {
                    patiently(store, options, tell, || store.doubt_path(path)).await?;
                }
            }
        }
        let results: Vec<JobResult> = batch.iter().map(|done| done.result.clone()).collect();
        let written = patiently(store, options, tell, || store.write_results(model, labels, &results)).await?;
        self.report.lost += written.lost;
        for Done { lease, path, result, was_opened, ranges, .. } in batch {
            self.running.remove(&lease.job);
            self.count(&result.end, was_opened);
            let Ranges { read, size } = ranges.unwrap_or_default();
            self.report.ranges.read += read;
            self.report.ranges.size += size;
            tell(WorkEvent::Finished { path: &path, end: &result.end, attempt: lease.attempt, ranges });
        }
        Ok(())
    }

    fn count(&mut self, end: &JobEnd, was_opened: bool) {
        let report = &mut self.report;
        report.decoded += u64::from(was_opened);
        match end {
            JobEnd::Scored { scores, media, damage } => {
                report.scored += 1;
                report.damaged += u64::from(damage.is_some());
                report.video_seconds += media.duration;
                report.windows += scores.windows.len() as u64;
            }
            JobEnd::Failed { .. } => report.failed += 1,
            JobEnd::Skipped { .. } => report.skipped += 1,
            JobEnd::Released { .. } => report.released += 1,
        }
    }
}

/// Scores the first of a file's places that is there and unchanged.
fn attempt(analyst: &Analyst, lease: Lease) -> Done {
    let began = Instant::now();
    let changed = || JobEnd::Skipped {
        kind: "changed".to_owned(),
        reason: "has changed since it was scanned; the next scan looks at it again".to_owned(),
    };
    let mut place = lease.places.iter().find(|place| !place.is_gone && state_of(place) == State::AsScanned).cloned();
    let mut ranges = None;
    let end = if let Some(place) = &place {
        match open(place, &analyst.limits) {
            Ok(Opened { media, ranges: None }) => analyst.job_end(&media),
            Ok(Opened { media, ranges: Some(counted) }) => {
                let end = analyst.job_end(&media);
                ranges = Some(Ranges { read: counted.bytes(), size: place.bytes.unsigned_abs() });
                // What a decoder takes for damage may be the network, or another object.
                match (counted.failure(), end) {
                    (Some(Failure::Changed), _) => changed(),
                    (Some(failure), JobEnd::Scored { .. } | JobEnd::Failed { .. }) => unreadable(&failure),
                    (_, end) => end,
                }
            }
            Err(failure) => unreadable(&failure),
        }
    } else {
        place = lease.places.iter().find(|place| !place.is_gone).cloned();
        match place.as_mut().map(|place| (state_of(place), place)) {
            Some((State::Gone, place)) => {
                place.is_gone = true;
                JobEnd::Released { seconds: 0.0 }
            }
            Some((State::RootGone, _)) | None => JobEnd::Released { seconds: REST },
            Some((State::AsScanned | State::Changed, _)) => changed(),
        }
    };
    let was_opened = !matches!(end, JobEnd::Skipped { .. } | JobEnd::Released { .. });
    let path = place.as_ref().map(|place| place.path.clone()).unwrap_or_default();
    let result = JobResult {
        job: lease.job,
        token: lease.token,
        video: lease.video,
        end,
        work_seconds: began.elapsed().as_secs_f64(),
    };
    Done { lease, path, place, result, was_opened, ranges }
}

/// An object that its store did not give, or not all of it.
fn unreadable(failure: &Failure) -> JobEnd {
    JobEnd::Failed { kind: "unreadable".to_owned(), reason: failure.to_string(), may_pass: MayPass::Yes }
}
