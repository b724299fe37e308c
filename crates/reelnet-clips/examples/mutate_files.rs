//! Damages files at random and holds what comes out against the sound file: never a panic, never longer than the deadline,
//! never more memory than the bound, and every frame that comes out without a word must be the frame that it claims to be.
//!
//! ```text
//! cargo run --release -p reelnet-clips --example mutate_files -- --executions 20000 --seed 1 FILE…
//! ```
//! `--seconds S` ends by time instead, `--only N` repeats the execution with that number and says what it does.
//! Prints one line a file, and one for each silently changed frame; exits with 1 after a panic, a hang or too much memory.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use reelnet_clips::{Decoder, Limits, Media};

/// Beyond the sizes of the files themselves.
const MEMORY_BOUND_KB: u64 = 1_500_000;
const DEADLINE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let wish = Wish::from_arguments();
    let mut files: Vec<Subject> = wish.files.iter().filter_map(Subject::new).collect();
    if files.is_empty() {
        print("no file can be read");
        return ExitCode::FAILURE;
    }
    let started = Instant::now();
    let mut failures = 0;
    let mut executions = 0;
    for execution in wish.range() {
        if started.elapsed() > wish.time {
            break;
        }
        executions += 1;
        let mut random = Random::new(wish.seed, execution);
        let count = files.len();
        let subject = &mut files[random.below(count)];
        let (what, bytes) = subject.mutated(&mut random);
        let begun = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| subject.judge(bytes)));
        let took = begun.elapsed();
        subject.slowest = subject.slowest.max(took);
        let name = subject.path.display();
        let outcome = match outcome {
            Ok(outcome) if took < DEADLINE + Duration::from_secs(5) => outcome,
            Ok(_) => Outcome::Hung,
            Err(_) => Outcome::Panicked,
        };
        if matches!(outcome, Outcome::Hung | Outcome::Panicked) {
            failures += 1;
        }
        let is_silent = matches!(outcome, Outcome::Changed(_) | Outcome::Hung | Outcome::Panicked);
        if wish.is_single || is_silent {
            print(&format!("execution {execution} of seed {}: {what}: {outcome:?} {name}", wish.seed));
        }
        subject.count(&outcome);
    }
    let memory = peak_memory_kb();
    for subject in &files {
        print(&subject.line());
    }
    let totals = Subject::totals(&files);
    print(&format!(
        "{executions} executions in {:.0} s, peak memory {memory} kB: {totals}",
        started.elapsed().as_secs_f64()
    ));
    let is_bounded = memory < MEMORY_BOUND_KB;
    if failures == 0 && is_bounded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stdout, reason = "the lines are what this program is for")]
fn print(line: &str) {
    println!("{line}");
}

struct Wish {
    seed: u64,
    first: u64,
    executions: u64,
    time: Duration,
    is_single: bool,
    files: Vec<PathBuf>,
}

impl Wish {
    fn from_arguments() -> Self {
        let mut wish =
            Self { seed: 1, first: 0, executions: u64::MAX, time: Duration::MAX, is_single: false, files: Vec::new() };
        let mut arguments = std::env::args_os().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().and_then(|value| value.to_str()?.parse().ok());
                value.expect("a number follows the option")
            };
            match argument.to_str() {
                Some("--seed") => wish.seed = number(),
                Some("--executions") => wish.executions = number(),
                Some("--seconds") => wish.time = Duration::from_secs(number()),
                Some("--only") => (wish.first, wish.executions, wish.is_single) = (number(), 1, true),
                _ => wish.files.push(argument.into()),
            }
        }
        wish
    }

    fn range(&self) -> std::ops::Range<u64> {
        self.first..self.first.saturating_add(self.executions)
    }
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn new(seed: u64, execution: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ execution.wrapping_mul(0xd134_2543_de82_ef95))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// What became of one damaged file.
#[derive(Debug)]
enum Outcome {
    /// Refused, or the damage was said: by an error, by missing frames that are named, by `VideoInfo::damage`.
    Said,
    /// All frames are there, and right.
    Same,
    /// Nothing was said, and every frame is right, but some are missing.
    Short,
    /// Nothing was said, and frames are right, but shown at other times: containers protect no times.
    Moved,
    /// So many frames are not those of the sound file, and nothing was said.
    Changed(#[expect(dead_code, reason = "printed with the rest")] usize),
    Hung,
    Panicked,
}

struct Subject {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Hash of each frame by its time in microseconds.
    frames: HashMap<i64, u64>,
    hashes: HashSet<u64>,
    outcomes: [u64; 7],
    /// Files of which wrong frames came out, although damage was said elsewhere.
    wrong_but_said: u64,
    slowest: Duration,
}

impl Subject {
    fn new(path: &PathBuf) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let (frames, said) = decoded(Media::bytes(path, bytes.clone()))?;
        if said {
            print(&format!("left out, its damage is known: {}", path.display()));
            return None;
        }
        let hashes = frames.iter().map(|&(_, hash)| hash).collect();
        let frames = frames.into_iter().collect();
        let slowest = Duration::ZERO;
        Some(Self { path: path.clone(), bytes, frames, hashes, outcomes: [0; 7], wrong_but_said: 0, slowest })
    }

    fn mutated(&self, random: &mut Random) -> (String, Vec<u8>) {
        let mut bytes = self.bytes.clone();
        let length = bytes.len();
        let at = random.below(length);
        let run = (1 + random.below(2000)).min(length - at);
        let what = match random.below(8) {
            0 => {
                bytes.truncate(at);
                format!("cut to {at}")
            }
            1 | 2 => {
                let flips = 1 + random.below(16);
                for _ in 0..flips {
                    bytes[random.below(length)] ^= 1 << random.below(8);
                }
                format!("{flips} bits flipped")
            }
            3 => {
                let head = length.min(2048);
                let flips = 1 + random.below(6);
                for _ in 0..flips {
                    bytes[random.below(head)] = random.byte();
                }
                format!("{flips} bytes of the head")
            }
            4 => {
                bytes[at..at + run].fill_with(|| random.byte());
                format!("noise of {run} at {at}")
            }
            5 => {
                let at = at / 512 * 512;
                let end = (at + 512 * (1 + random.below(8))).min(length);
                bytes[at..end].fill(0);
                format!("zeros from {at} to {end}")
            }
            6 => {
                bytes.drain(at..at + run);
                format!("{run} removed at {at}")
            }
            _ => {
                let noise: Vec<u8> = (0..run).map(|_| random.byte()).collect();
                bytes.splice(at..at, noise);
                format!("{run} put in at {at}")
            }
        };
        (what, bytes)
    }

    fn judge(&mut self, bytes: Vec<u8>) -> Outcome {
        let Some((frames, said)) = decoded(Media::bytes(&self.path, bytes)) else { return Outcome::Said };
        let changed = frames.iter().filter(|(_, hash)| !self.hashes.contains(hash)).count();
        let moved = frames.iter().any(|(time, hash)| self.frames.get(time) != Some(hash));
        match () {
            () if said => {
                self.wrong_but_said += u64::from(changed > 0);
                Outcome::Said
            }
            () if changed > 0 => Outcome::Changed(changed),
            () if moved => Outcome::Moved,
            () if frames.len() < self.frames.len() => Outcome::Short,
            () => Outcome::Same,
        }
    }

    fn count(&mut self, outcome: &Outcome) {
        let place = match outcome {
            Outcome::Said => 0,
            Outcome::Same => 1,
            Outcome::Short => 2,
            Outcome::Moved => 3,
            Outcome::Changed(_) => 4,
            Outcome::Hung => 5,
            Outcome::Panicked => 6,
        };
        self.outcomes[place] += 1;
    }

    fn line(&self) -> String {
        let slowest = self.slowest.as_secs_f64();
        format!("{} slowest={slowest:.2} {}", words(self.outcomes, self.wrong_but_said), self.path.display())
    }

    fn totals(files: &[Self]) -> String {
        let mut outcomes = [0; 7];
        for file in files {
            outcomes.iter_mut().zip(file.outcomes).for_each(|(sum, count)| *sum += count);
        }
        words(outcomes, files.iter().map(|file| file.wrong_but_said).sum())
    }
}

fn words([said, same, short, moved, changed, hung, panicked]: [u64; 7], wrong_but_said: u64) -> String {
    format!(
        "said={said} same={same} short={short} moved={moved} changed={changed} hung={hung} panicked={panicked} \
         wrong_but_said={wrong_but_said}"
    )
}

/// All frames that come out, with their times in microseconds, and whether any damage was said; `None` if it was refused.
fn decoded(media: Media) -> Option<(Vec<(i64, u64)>, bool)> {
    let limits = Limits { deadline: DEADLINE, max_pixels_per_frame: 1 << 23, ..Limits::default() };
    let mut decoder = Decoder::open(media, &limits).ok()?;
    let info = decoder.index().info.clone();
    let mut frames = Vec::new();
    let result = decoder.visit_native(0..info.frames, |frame| {
        let mut hasher = DefaultHasher::new();
        (frame.size, frame.bytes).hash(&mut hasher);
        #[expect(clippy::cast_possible_truncation, reason = "casts of floats saturate")]
        let time = ((info.start_seconds + frame.pts_seconds) * 1e6).round() as i64;
        frames.push((time, hasher.finish()));
    });
    let said = result.is_err() || info.damage().is_some();
    Some((frames, said))
}

/// The most memory that this process ever held, in kB; 0 where nobody tells.
fn peak_memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or(0)
}
