//! One thread of a loader: claims a request, decodes it, hands over what became of it, and again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::PoisonError;
use std::time::Instant;

use super::queue::Stopped;
use super::{Choose, Request, Sample, Shared, Wanted};
use crate::{Clip, ClipError, ClipErrorKind, Decoder, VideoInfo};

/// Ends when there is nothing left, or when everything is cancelled.
pub(super) fn run<P, T>(shared: &Shared<P, T>) {
    while let Ok(Some((position, request))) = claim(shared) {
        let Request { media, choose, payload } = request;
        let mut reserved = 0;
        // Whatever the caller's functions leave half-done is dropped here together with the sample.
        let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<(T, u64), ClipError> {
            let mut work = Work { shared, position, reserved: &mut reserved };
            let decoder = match &shared.cache {
                Some(cache) => cache.decoder(&media, &shared.limits)?,
                None => Decoder::open(&media, &shared.limits)?,
            };
            let clips = work.clips(decoder, choose, media.name())?;
            let held = bytes_of(&clips);
            let start = Instant::now();
            let finished = (shared.finish)(&payload, clips);
            shared.tally().add_finish(start.elapsed());
            Ok((finished, held))
        }));
        let failed = |kind| ClipError::new(media.name(), kind);
        let outcome =
            outcome.unwrap_or_else(|panic| Err(failed(ClipErrorKind::Panicked { message: message(&*panic) })));
        let (result, held) = match outcome {
            Ok((finished, held)) => (Ok(finished), held),
            Err(error) => (Err(error), 0),
        };
        shared.queue.put(position, Sample { position, payload, result }, reserved, held);
    }
}

/// The next request; one worker at a time, so that requests get their positions in order.
fn claim<P, T>(shared: &Shared<P, T>) -> Result<Option<(u64, Request<P>)>, Stopped> {
    let mut requests = shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(position) = shared.queue.claim()? else { return Ok(None) };
    let request = catch_unwind(AssertUnwindSafe(|| requests.rest.next())).unwrap_or_else(|panic| {
        requests.panic = Some(panic);
        None
    });
    if request.is_none() {
        shared.queue.end_at(position);
    }
    Ok(request.map(|request| (position, request)))
}

/// The work on one request.
struct Work<'work, P, T> {
    shared: &'work Shared<P, T>,
    position: u64,
    reserved: &'work mut u64,
}

impl<P, T> Work<'_, P, T> {
    fn clips(&mut self, mut decoder: Decoder, choose: Box<Choose>, name: &Path) -> Result<Vec<Clip>, ClipError> {
        let failed = |kind| ClipError::new(name, kind);
        let wanted = choose(decoder.index()).map_err(|reason| failed(ClipErrorKind::Refused { reason }))?;
        let bytes = estimate(&wanted, &decoder.index().info, self.shared.limits.max_pixels_per_frame);
        let reserved = self.shared.queue.reserve(self.position, bytes);
        reserved.map_err(|Stopped| failed(ClipErrorKind::Cancelled))?;
        *self.reserved = bytes;
        let clips = decoder.clips(&wanted.plans, &wanted.geometry);
        self.shared.tally().add_decoder(decoder.packets_decoded(), decoder.time_spent());
        clips
    }
}

/// What the clips will take; nothing where only the decoder can tell how large a frame is, or that it cannot be had.
fn estimate(wanted: &Wanted, info: &VideoInfo, max_pixels: u64) -> u64 {
    let layout = wanted.geometry.layout([info.width, info.height], max_pixels);
    let frame_bytes = layout.map_or(0, |layout| layout.size.map(u64::from).iter().product::<u64>() * 3);
    let frames: usize = wanted.plans.iter().map(|plan| plan.indices.len()).sum();
    frame_bytes.saturating_mul(frames as u64)
}

fn bytes_of(clips: &[Clip]) -> u64 {
    clips.iter().map(|clip| clip.frames.len() as u64).sum()
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_string())
}
