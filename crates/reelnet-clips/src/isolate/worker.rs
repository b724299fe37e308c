//! One worker process, from the other side.

use std::io::{self, BufReader};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::message::{Checked, Facts, Reply, Request, Salvaged, receive, send};
use crate::{Clip, ClipErrorKind, Limits};

/// A worker ends its calls in time by itself. One that does not, hangs where nobody can reach it, and is killed.
const GRACE: Duration = Duration::from_secs(5);

/// How often somebody who waits looks at the cancel token.
const GLANCE: Duration = Duration::from_millis(50);

/// A process that decodes one file at a time.
pub(super) struct Worker {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Answer>,
}

/// A reply, with its pixels.
pub(super) enum Answer {
    Opened(Result<Facts, ClipErrorKind>),
    Clips(Result<(Vec<Option<Clip>>, Option<ClipErrorKind>), ClipErrorKind>),
    Checked(Result<Checked, ClipErrorKind>),
}

impl Worker {
    pub(super) fn start(mut command: Command) -> Result<Self, ClipErrorKind> {
        // Of a process group of its own: Ctrl-C is the business of who started it.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let failed = |error: &dyn std::fmt::Display| crashed(format!("cannot be started: {error}"));
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed(&"it has no pipes"));
        };
        let (sender, answers) = channel();
        let read = move || read_answers(replies, &sender);
        thread::Builder::new().name("worker replies".to_owned()).spawn(read).map_err(|error| failed(&error))?;
        Ok(Self { child, requests, answers })
    }

    /// Sends a request and waits for its answer. After an error the worker must not be used again.
    pub(super) fn ask(&mut self, request: &Request, limits: &Limits) -> Result<Answer, ClipErrorKind> {
        // A pipe that breaks belongs to a worker that died; the answer's absence says the same.
        let _ = send(&mut self.requests, request);
        let start = Instant::now();
        loop {
            match self.answers.recv_timeout(GLANCE) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if limits.cancel.is_cancelled() => return Err(ClipErrorKind::Cancelled),
                Err(RecvTimeoutError::Timeout) if start.elapsed() > limits.deadline.saturating_add(GRACE) => {
                    return Err(ClipErrorKind::TimedOut { limit: limits.deadline });
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.post_mortem()),
            }
        }
    }

    /// Why a worker that closed its output is gone.
    fn post_mortem(&mut self) -> ClipErrorKind {
        // It may live on with a closed output.
        thread::sleep(GLANCE);
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
        }
        match self.child.wait() {
            Ok(status) => crashed(ending(status)),
            Err(error) => crashed(format!("is gone: {error}")),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It holds nothing that could be lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn crashed(how: String) -> ClipErrorKind {
    ClipErrorKind::Crashed { how }
}

fn ending(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => match name(signal) {
            Some(name) => format!("was ended by signal {signal} ({name})"),
            None => format!("was ended by signal {signal}"),
        },
        (None, Some(code)) => format!("ended with code {code}"),
        (None, None) => "ended".to_owned(),
    }
}

/// What the signals that end processes mean. Their numbers are the same on all Unix systems, but for that of a bus error.
fn name(signal: i32) -> Option<&'static str> {
    match signal {
        4 => Some("illegal instruction"),
        6 => Some("aborted, perhaps for lack of memory"),
        8 => Some("arithmetic error"),
        9 => Some("killed, perhaps for lack of memory"),
        11 => Some("segmentation fault"),
        15 => Some("asked to end"),
        _ => None,
    }
}

/// Hands answers on until the output ends, or what comes is none.
fn read_answers(replies: ChildStdout, answers: &Sender<Answer>) {
    let mut replies = BufReader::new(replies);
    while let Ok(Some(answer)) = read_answer(&mut replies) {
        if answers.send(answer).is_err() {
            return;
        }
    }
}

fn read_answer(replies: &mut BufReader<ChildStdout>) -> io::Result<Option<Answer>> {
    Ok(match receive(replies)? {
        None => None,
        Some(Reply::Opened(opened)) => Some(Answer::Opened(opened)),
        Some(Reply::Checked(checked)) => Some(Answer::Checked(checked)),
        Some(Reply::Clips(Err(error))) => Some(Answer::Clips(Err(error))),
        Some(Reply::Clips(Ok(Salvaged { clips, error }))) => {
            let read = clips.into_iter().map(|shape| shape.map(|shape| shape.read(replies)).transpose());
            Some(Answer::Clips(Ok((read.collect::<io::Result<_>>()?, error))))
        }
    })
}
