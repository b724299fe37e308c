//! Small pictures, made when they are asked for and kept for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use jpeg_encoder::{ColorType, Encoder};
use reelnet_clips::{ClipSpec, Crop, Decoder, Filter, FrameGeometry, Limits, Media, PastEnd, Resize, plan};
use tokio::sync::Semaphore;

/// Shorter side, in pixels.
const SIDE: u32 = 180;
/// A picture is no reason to wait.
const DEADLINE: Duration = Duration::from_secs(10);
/// Pictures that are made at once: workers may be busy on the same machine.
const AT_ONCE: usize = 2;
/// Bytes of pictures that are kept.
const KEPT_BYTES: usize = 32 << 20;
const QUALITY: u8 = 80;

/// A file, and tenths of a second after its first frame.
type Key = (i64, Option<i64>);

/// Pictures that were made, the latest ones.
pub(super) struct Thumbnails {
    kept: Mutex<Kept>,
    making: Semaphore,
}

#[derive(Default)]
struct Kept {
    pictures: HashMap<Key, Bytes>,
    order: VecDeque<Key>,
    bytes: usize,
}

impl Default for Thumbnails {
    fn default() -> Self {
        Self { kept: Mutex::default(), making: Semaphore::new(AT_ONCE) }
    }
}

impl Thumbnails {
    /// How long making one may take.
    pub(super) fn limits() -> Limits {
        Limits { deadline: DEADLINE, ..Limits::default() }
    }

    /// The picture at a time, as a JPEG.
    pub(super) async fn of(&self, video: i64, media: Media, at: Option<f64>) -> Result<Bytes, String> {
        #[expect(clippy::cast_possible_truncation, reason = "a time; the cast is bounded")]
        let key = (video, at.map(|at| (at * 10.0) as i64));
        if let Some(picture) = self.kept().pictures.get(&key) {
            return Ok(picture.clone());
        }
        let _permit = self.making.acquire().await.map_err(|error| error.to_string())?;
        let made = tokio::task::spawn_blocking(move || picture(&media, at)).await;
        let picture = Bytes::from(made.map_err(|_| "reelnet itself failed on it".to_owned())??);
        self.kept().keep(key, picture.clone());
        Ok(picture)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn keep(&mut self, key: Key, picture: Bytes) {
        self.bytes += picture.len();
        if let Some(old) = self.pictures.insert(key, picture) {
            self.bytes -= old.len();
        } else {
            self.order.push_back(key);
        }
        while self.bytes > KEPT_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes -= self.pictures.remove(&oldest).map_or(0, |picture| picture.len());
        }
    }
}

fn picture(media: &Media, at: Option<f64>) -> Result<Vec<u8>, String> {
    let told = |error: reelnet_clips::ClipError| error.kind.to_string();
    let mut decoder = Decoder::open(media, &Thumbnails::limits()).map_err(told)?;
    let timeline = decoder.index().timeline();
    let seconds = at.unwrap_or(timeline.duration_seconds() / 3.0);
    let spec = ClipSpec { frames: 1, frame_step: 1, past_end: PastEnd::RepeatLast };
    let wanted = plan::centred_at(timeline, &spec, seconds);
    let geometry = FrameGeometry { resize: Resize::ShorterSide(SIDE), crop: Crop::None, filter: Filter::Bilinear };
    let clip = decoder.clips(&[wanted], &geometry).map_err(told)?.pop().ok_or("there is no frame")?;
    let (_, height, width, _) = clip.frames.dim();
    let side =
        |length: usize| u16::try_from(length).map_err(|_| "its frames are too long for a small picture".to_owned());
    let pixels = clip.frames.as_slice().ok_or("its pixels are not in one piece")?;
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, QUALITY)
        .encode(pixels, side(width)?, side(height)?, ColorType::Rgb)
        .map_err(|error| error.to_string())?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let mut kept = Kept::default();
        for video in 0..100 {
            kept.keep((video, None), Bytes::from(vec![0; 1 << 20]));
        }
        assert_eq!((kept.pictures.len(), kept.bytes, kept.order.len()), (32, KEPT_BYTES, 32));
        assert!(kept.pictures.contains_key(&(99, None)));
        kept.keep((99, None), Bytes::from(vec![0; 10]));
        assert_eq!((kept.pictures.len(), kept.bytes), (32, (31 << 20) + 10));
    }
}
