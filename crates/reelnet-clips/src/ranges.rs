//! Reading by ranges: objects of a store and files on a web server, of which a part costs a request. Blocks that were read are kept, up
//! to a bound; what follows is asked for ahead; who waits is let go after a time, or when the work is cancelled.
//!
//! How a range is asked for is the source's own matter: nothing here knows a protocol.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::CancelToken;
use crate::hollow::Hollow;

/// How often who waits looks whether the work was cancelled.
const TICK: Duration = Duration::from_millis(50);

/// Requests of one source that nobody waits for any longer, at most: beyond it the source counts as dead.
const MOST_UNDER_WAY: usize = 32;

/// Something that gives its bytes by ranges.
pub trait RangeSource: Send + Sync + 'static {
    /// Its size in bytes, which stays the same.
    fn size(&self) -> u64;

    /// All bytes of a range within its size. Runs on a thread of its own, several at once; one that nobody waits for any longer goes on to
    /// its end, so it should have a bound of its own.
    ///
    /// # Errors
    /// If they cannot be had, or the bytes are no longer those that they were.
    fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>>;
}

/// How a source is read.
#[derive(Clone, Debug)]
pub struct RangeSettings {
    /// Bytes of a request.
    pub block_bytes: u64,
    /// Blocks that are asked for ahead, once two neighbours were read.
    pub read_ahead: u64,
    /// Bytes of blocks that are kept, at least those that are asked for at once.
    pub kept_bytes: u64,
    /// How long one block is waited for.
    pub timeout: Duration,
    /// Ends all waiting.
    pub cancel: CancelToken,
}

impl Default for RangeSettings {
    /// Blocks of 256 KiB, four ahead, 16 MiB kept, 30 seconds.
    fn default() -> Self {
        Self {
            block_bytes: 256 << 10,
            read_ahead: 4,
            kept_bytes: 16 << 20,
            timeout: Duration::from_secs(30),
            cancel: CancelToken::new(),
        }
    }
}

/// A source with its blocks, shared by all readers of one medium.
pub(crate) struct Blocks {
    source: Box<dyn RangeSource>,
    settings: RangeSettings,
    size: u64,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    kept: HashMap<u64, Kept>,
    under_way: HashSet<u64>,
    failed: HashMap<u64, io::Error>,
    clock: u64,
}

struct Kept {
    bytes: Arc<[u8]>,
    used: u64,
}

impl Blocks {
    pub(crate) fn new(source: impl RangeSource, settings: RangeSettings) -> Self {
        let settings = RangeSettings { block_bytes: settings.block_bytes.max(1), ..settings };
        let size = source.size();
        Self { source: Box::new(source), settings, size, state: Mutex::default(), arrived: Condvar::new() }
    }

    fn count(&self) -> u64 {
        self.size.div_ceil(self.settings.block_bytes)
    }

    fn range(&self, block: u64) -> Range<u64> {
        let start = block * self.settings.block_bytes;
        start..(start + self.settings.block_bytes).min(self.size)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A state is consistent between any two of its lines.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block, from memory or from the source; those behind it are on their way if `follows`.
    fn get(self: &Arc<Self>, block: u64, follows: Follows) -> io::Result<Arc<[u8]>> {
        let since = Instant::now();
        let mut state = self.lock();
        loop {
            let ahead = if follows == Follows::Yes { self.settings.read_ahead } else { 0 };
            if let Some(error) = state.failed.remove(&block) {
                return Err(error);
            }
            self.ask(&mut state, block..(block + 1 + ahead).min(self.count()))?;
            state.clock += 1;
            let now = state.clock;
            if let Some(kept) = state.kept.get_mut(&block) {
                kept.used = now;
                return Ok(Arc::clone(&kept.bytes));
            }
            if self.settings.cancel.is_cancelled() {
                return Err(io::Error::other("cancelled"));
            }
            if since.elapsed() >= self.settings.timeout {
                let detail = format!("bytes {:?} did not come within {:?}", self.range(block), self.settings.timeout);
                return Err(io::Error::new(io::ErrorKind::TimedOut, detail));
            }
            state = self.arrived.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Begins requests for what is neither here nor on its way; the first of them has to be possible.
    fn ask(self: &Arc<Self>, state: &mut State, blocks: Range<u64>) -> io::Result<()> {
        let first = blocks.start;
        for block in blocks {
            if state.kept.contains_key(&block) || state.under_way.contains(&block) || state.failed.contains_key(&block)
            {
                continue;
            }
            if state.under_way.len() >= MOST_UNDER_WAY {
                if block > first {
                    return Ok(());
                }
                return Err(io::Error::new(io::ErrorKind::TimedOut, "too many requests were never answered"));
            }
            let shared = Arc::clone(self);
            let begun = thread::Builder::new().name("reelnet-range".to_owned()).spawn(move || shared.fetch(block));
            match begun {
                Ok(_) => drop(state.under_way.insert(block)),
                Err(_) if block > first => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn fetch(&self, block: u64) {
        let range = self.range(block);
        let length = range.end - range.start;
        let read = catch_unwind(AssertUnwindSafe(|| self.source.read(range.clone())));
        let bytes = read.unwrap_or_else(|_| Err(io::Error::other("the source panicked"))).and_then(|bytes| {
            let wrong = || format!("{} bytes came for the range {range:?}", bytes.len());
            if bytes.len() as u64 == length {
                Ok(bytes)
            } else {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, wrong()))
            }
        });
        let mut state = self.lock();
        state.under_way.remove(&block);
        match bytes {
            Ok(bytes) => {
                state.clock += 1;
                let used = state.clock;
                state.kept.insert(block, Kept { bytes: bytes.into(), used });
                self.make_room(&mut state);
            }
            Err(error) => drop(state.failed.insert(block, error)),
        }
        drop(state);
        self.arrived.notify_all();
    }

    /// Lets go of what was not used for longest.
    fn make_room(&self, state: &mut State) {
        let RangeSettings { block_bytes, read_ahead, kept_bytes, .. } = self.settings;
        let most = (kept_bytes / block_bytes).max(read_ahead + 2);
        while state.kept.len() as u64 > most {
            let oldest = state.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(block, _)| *block);
            if let Some(oldest) = oldest {
                state.kept.remove(&oldest);
            }
        }
    }
}

/// Whether a block is read as the neighbour of the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    Yes,
    No,
}

/// A place in a source.
pub(crate) struct RangeReader {
    blocks: Arc<Blocks>,
    position: u64,
    current: Option<(u64, Arc<[u8]>)>,
    hollow: Option<Arc<Hollow>>,
}

impl RangeReader {
    pub(crate) fn new(blocks: &Arc<Blocks>) -> Self {
        Self { blocks: Arc::clone(blocks), position: 0, current: None, hollow: None }
    }

    /// One that can leave out what an index does not need, if the source is such a file.
    pub(crate) fn hollow(blocks: &Arc<Blocks>) -> io::Result<Option<(Self, Arc<Hollow>)>> {
        let mut reader = Self::new(blocks);
        let hollow = Hollow::find(&mut reader, blocks.size)?;
        reader.position = 0;
        Ok(hollow.map(|hollow| (Self { hollow: Some(Arc::clone(&hollow)), ..reader }, hollow)))
    }
}

impl Read for RangeReader {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.blocks.size || target.is_empty() {
            return Ok(0);
        }
        let zeros = self.hollow.as_ref().map_or(0, |hollow| hollow.zeros_from(self.position));
        if zeros > 0 {
            let count = usize::try_from(zeros).unwrap_or(usize::MAX).min(target.len());
            target[..count].fill(0);
            self.position += count as u64;
            return Ok(count);
        }
        let block = self.position / self.blocks.settings.block_bytes;
        let bytes = match &self.current {
            Some((current, bytes)) if *current == block => Arc::clone(bytes),
            current => {
                let is_next = current.as_ref().is_some_and(|(last, _)| last + 1 == block);
                self.blocks.get(block, if is_next { Follows::Yes } else { Follows::No })?
            }
        };
        let within = usize::try_from(self.position % self.blocks.settings.block_bytes).unwrap_or(usize::MAX);
        let rest = bytes.get(within..).unwrap_or_default();
        let count = rest.len().min(target.len());
        target[..count].copy_from_slice(&rest[..count]);
        self.position += count as u64;
        self.current = Some((block, bytes));
        Ok(count)
    }
}

impl Seek for RangeReader {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.blocks.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a seek to before the start");
        self.position = position.ok_or_else(before)?;
        Ok(self.position)
    }
}
