//! A video that is written: RGB frames in, an MP4 file out.

use std::fs;
use std::path::{Path, PathBuf};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{Id, encoder};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Dictionary, Packet, Rational, format, frame};
use thiserror::Error;

use super::log;

/// Time stamps a second; MPEG-4 can count no finer than 65,535.
const TICKS: i32 = 60_000;
/// Of x264: hardly any loss is to be seen.
const CONSTANT_RATE_FACTOR: &str = "18";
/// Bits a pixel for MPEG-4, which has no such number.
const MPEG4_BITS: f64 = 0.5;

/// A video that was not written.
#[derive(Debug, Error)]
#[error("cannot write the video `{}`: {detail}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// FFmpeg's or the disk's words.
    pub detail: String,
}

/// Writes H.264 where FFmpeg has x264, and MPEG-4 elsewhere: every FFmpeg has that.
///
/// The file takes its name when it is finished.
pub struct VideoWriter {
    path: PathBuf,
    part: PathBuf,
    output: format::context::Output,
    encoder: encoder::Video,
    scaler: scaling::Context,
    size: [u32; 2],
    frames_per_second: f64,
    written: u32,
    codec: &'static str,
}

impl VideoWriter {
    /// Begins a file for frames of `[width, height]`. Sides that are odd lose their last column or row: these codecs halve colour.
    ///
    /// # Errors
    /// If the file cannot be made, or FFmpeg refuses.
    pub fn create(path: &Path, size: [u32; 2], frames_per_second: f64) -> Result<Self, WriteError> {
        log::initialise();
        Self::open(path, size, frames_per_second).map_err(|error| failure(path, error))
    }

    fn open(path: &Path, [width, height]: [u32; 2], frames_per_second: f64) -> Result<Self, ffmpeg::Error> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let rate = frames_per_second.clamp(0.5, 240.0);
        let even = [width, height].map(|side| side / 2 * 2);
        let (codec, name) = match encoder::find_by_name("libx264") {
            Some(codec) => (codec, "libx264"),
            None => (encoder::find(Id::MPEG4).ok_or(ffmpeg::Error::EncoderNotFound)?, "mpeg4"),
        };
        let mut output = format::output_as(&part, "mp4")?;
        let global_header = output.format().flags().contains(format::Flags::GLOBAL_HEADER);
        let mut video = ffmpeg::codec::Context::new_with_codec(codec).encoder().video()?;
        video.set_width(even[0]);
        video.set_height(even[1]);
        video.set_format(Pixel::YUV420P);
        video.set_time_base(Rational(1, TICKS));
        video.set_gop(12);
        let mut options = Dictionary::new();
        if name == "libx264" {
            options.set("crf", CONSTANT_RATE_FACTOR);
        } else {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bits a second")]
            let bits = (f64::from(even[0]) * f64::from(even[1]) * rate * MPEG4_BITS).max(400_000.0) as usize;
            video.set_bit_rate(bits);
        }
        if global_header {
            video.set_flags(ffmpeg::codec::Flags::GLOBAL_HEADER);
        }
        let encoder = video.open_as_with(codec, options)?;
        let mut stream = output.add_stream(codec)?;
        stream.set_parameters(&encoder);
        stream.set_time_base(Rational(1, TICKS));
        output.write_header()?;
        let bilinear = scaling::Flags::BILINEAR;
        let scaler = scaling::Context::get(Pixel::RGB24, even[0], even[1], Pixel::YUV420P, even[0], even[1], bilinear)?;
        let path = path.to_owned();
        let size = [width, height];
        Ok(Self { path, part, output, encoder, scaler, size, frames_per_second: rate, written: 0, codec: name })
    }

    /// FFmpeg's name of the encoder.
    pub fn codec(&self) -> &'static str {
        self.codec
    }

    /// Appends a frame of RGB bytes, row by row.
    ///
    /// # Errors
    /// If FFmpeg or the disk refuses.
    ///
    /// # Panics
    /// If the frame is not of the video's size.
    pub fn write(&mut self, rgb: &[u8]) -> Result<(), WriteError> {
        let row = self.size[0] as usize * 3;
        assert_eq!(rgb.len(), row * self.size[1] as usize, "a frame has the video's size");
        self.encode(rgb, row).map_err(|error| failure(&self.path, error))
    }

    fn encode(&mut self, rgb: &[u8], row: usize) -> Result<(), ffmpeg::Error> {
        let [width, height] = [self.encoder.width(), self.encoder.height()];
        let mut picture = frame::Video::new(Pixel::RGB24, width, height);
        let (stride, bytes) = (picture.stride(0), width as usize * 3);
        for (to, from) in picture.data_mut(0).chunks_mut(stride).zip(rgb.chunks_exact(row)) {
            to[..bytes].copy_from_slice(&from[..bytes]);
        }
        let mut planes = frame::Video::empty();
        self.scaler.run(&picture, &mut planes)?;
        planes.set_pts(Some(self.ticks_at(self.written)));
        self.written += 1;
        self.encoder.send_frame(&planes)?;
        self.drain()
    }

    /// When a frame is shown.
    fn ticks_at(&self, frame: u32) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "a video of minutes")]
        let ticks = (f64::from(frame) / self.frames_per_second * f64::from(TICKS)).round() as i64;
        ticks
    }

    fn drain(&mut self) -> Result<(), ffmpeg::Error> {
        let mut packet = Packet::empty();
        loop {
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => return Ok(()),
                Err(error) => return Err(error),
            }
            packet.set_stream(0);
            // Without it the last frame lasts no time, and players leave it out.
            packet.set_duration(self.ticks_at(1));
            let wanted = self.output.stream(0).map_or(Rational(1, TICKS), |stream| stream.time_base());
            packet.rescale_ts(Rational(1, TICKS), wanted);
            packet.write_interleaved(&mut self.output)?;
        }
    }

    /// Ends the file, and gives it its name.
    ///
    /// # Errors
    /// If FFmpeg or the disk refuses.
    pub fn finish(mut self) -> Result<(), WriteError> {
        let mut end = || {
            self.encoder.send_eof()?;
            self.drain()?;
            self.output.write_trailer()
        };
        end().map_err(|error| failure(&self.path, error))?;
        let Self { path, part, output, .. } = self;
        // Closes the file.
        drop(output);
        fs::rename(&part, &path).map_err(|error| WriteError { path, detail: error.to_string() })
    }
}

fn failure(path: &Path, error: ffmpeg::Error) -> WriteError {
    WriteError { path: path.to_owned(), detail: log::describe(error) }
}
