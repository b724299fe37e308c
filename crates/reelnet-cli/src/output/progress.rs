//! Progress of long work: a bar on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::words::say;

/// Between two lines where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(10);

/// How far a count has come.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    total: u64,
    last_line: Option<Instant>,
    /// When this process began, and where.
    begun: (Instant, u64),
}

impl Progress {
    /// A count of `total` things, such as `files`.
    pub(crate) fn of(total: u64, what: &'static str) -> Self {
        let terminal = stderr().is_terminal();
        let bar = if terminal { ProgressBar::new(total) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}  {elapsed} elapsed, {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar, what, total, last_line: (!terminal).then(Instant::now), begun: (Instant::now(), 0) }
    }

    /// Bytes of a download.
    pub(crate) fn of_bytes() -> Self {
        let progress = Self::of(0, "bytes");
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}, {eta} left") {
            progress.bar.set_style(style);
        }
        progress
    }

    /// So many were done before, and say nothing about how fast it goes.
    pub(crate) fn go_on_from(&mut self, done: u64) {
        self.bar.set_position(done);
        self.bar.reset_eta();
        self.begun = (Instant::now(), done);
    }

    /// So many are done.
    pub(crate) fn set(&mut self, done: u64) {
        self.bar.set_position(done);
        let (what, total) = (self.what, self.total);
        if let Some(last) = &mut self.last_line
            && last.elapsed() >= INTERVAL
        {
            *last = Instant::now();
            say(format_args!("{done} of {total} {what}"));
        }
    }

    /// So many are done, and this is to be said of them.
    pub(crate) fn tell(&mut self, done: u64, words: &str) {
        self.bar.set_position(done);
        self.bar.set_message(format!("{}  {words}", self.what));
        let (what, total, left) = (self.what, self.total, self.left(done));
        if let Some(last) = &mut self.last_line
            && last.elapsed() >= INTERVAL
        {
            *last = Instant::now();
            say(format_args!("{done} of {total} {what}  {words}, {left} left"));
        }
    }

    /// The time that is left if it goes on as it went so far.
    fn left(&self, done: u64) -> HumanDuration {
        let (since, before) = self.begun;
        let each = since.elapsed().as_secs_f64() / done.saturating_sub(before).max(1) as f64;
        HumanDuration(Duration::from_secs_f64(each * self.total.saturating_sub(done) as f64))
    }

    /// The total turned out to be this.
    pub(crate) fn set_total(&mut self, total: u64) {
        self.total = total;
        self.bar.set_length(total);
    }

    /// Writes something to stdout or stderr without tearing the bar.
    pub(crate) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
